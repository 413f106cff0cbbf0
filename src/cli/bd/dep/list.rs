//! `bd dep list`.

use super::Direction;
use crate::base::text;
use crate::cli::CliError;
use crate::cli::bd::{Context, render};
use crate::store::{DepKind, Map};

/// Lists the neighbours of a bead.
pub(super) fn run(cx: &Context, id: &str, direction: Direction, kind: Option<&DepKind>) -> Result<(), CliError> {
    cx.read(|r| {
        let id = r.resolve(id)?;
        let mut rows: Vec<Map> = Vec::new();
        for (wanted, edges, down) in [
            (direction != Direction::Up, r.deps(&id)?, true),
            (direction != Direction::Down, r.dependents(&id)?, false),
        ] {
            for dep in edges.iter().filter(|dep| wanted && kind.is_none_or(|k| *k == dep.kind)) {
                let far = if down { &dep.depends_on_id } else { &dep.issue_id };
                let mut row = match r.bead(far)? {
                    Some(bead) => render::object(&bead),
                    None => [("id".to_owned(), far.to_string().into())].into_iter().collect(),
                };
                row.insert("dependency_type".to_owned(), dep.kind.as_str().into());
                row.insert("direction".to_owned(), if down { "down" } else { "up" }.into());
                rows.push(row);
            }
        }
        cx.out.print(&rows, |rows| {
            let get = |row: &Map, key: &str| row.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
            let line = |row: &Map| {
                let title = text::headline(&get(row, "title"), 80);
                format!("{}  {}  {}  {title}\n", get(row, "dependency_type"), get(row, "id"), get(row, "status"))
            };
            rows.iter().map(line).collect::<Vec<_>>().join("\n")
        });
        Ok(())
    })
}
