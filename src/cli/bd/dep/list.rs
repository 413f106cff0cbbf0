//! `bd dep list`.

use super::Direction;
use crate::base::{BeadId, text};
use crate::cli::CliError;
use crate::cli::bd::{Context, render};
use crate::store::{DepKind, Map, Read};

/// Lists the neighbours of a bead.
pub(super) fn run(cx: &Context, id: &str, direction: Direction, kind: Option<&DepKind>) -> Result<(), CliError> {
    cx.read(|r| {
        let rows = rows(r, &r.resolve(id)?, direction, kind)?;
        cx.out.print(&rows, |rows| told(rows, "no dependencies"));
        Ok(())
    })
}

/// The neighbours of a bead, each with the kind of the edge and the way it goes.
pub(in crate::cli::bd) fn rows(
    r: &Read<'_>,
    id: &BeadId,
    direction: Direction,
    kind: Option<&DepKind>,
) -> Result<Vec<Map>, CliError> {
    let mut rows: Vec<Map> = Vec::new();
    for (wanted, edges, down) in
        [(direction != Direction::Up, r.deps(id)?, true), (direction != Direction::Down, r.dependents(id)?, false)]
    {
        for dep in edges.iter().filter(|dep| wanted && kind.is_none_or(|k| *k == dep.kind)) {
            let mut row = render::neighbour(r, dep, down)?;
            row.insert("direction".to_owned(), if down { "down" } else { "up" }.into());
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The neighbours for people.
pub(in crate::cli::bd) fn told(rows: &[Map], none: &str) -> String {
    let get = |row: &Map, key: &str| row.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    let line = |row: &Map| {
        let title = text::headline(&get(row, "title"), 80);
        format!("{}  {}  {}  {title}\n", get(row, "dependency_type"), get(row, "id"), get(row, "status"))
    };
    let text: String = rows.iter().map(line).collect();
    if text.is_empty() { none.to_owned() } else { text }
}
