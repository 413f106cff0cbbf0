//! Long backlogs: one `git fast-import`, which writes one pack.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{LedgerError, layout};
use crate::base::fault::{Point, pass};
use crate::git::{GitError, Ident, Oid, Repo};
use crate::store::OutboxRow;

const LIMIT: Duration = Duration::from_secs(600);

/// Commits all of `rows` in order and moves the branches in `tips`; how many.
pub(super) fn write(
    repo: &Repo,
    replica: &str,
    rows: &[&OutboxRow],
    tips: &mut BTreeMap<String, Option<Oid>>,
) -> Result<usize, LedgerError> {
    let mut stream = Vec::with_capacity(rows.iter().map(|r| r.doc.len() + 512).sum());
    let mut begun: Vec<String> = Vec::new();
    for row in rows {
        let branch = layout::branch(row.bead.prefix());
        let seconds = row.at.millis().div_euclid(1000);
        let message = layout::message(row, replica);
        let (author, committer) = (layout::author(row).signature(row.at)?, Ident::town().signature(row.at)?);
        let mut line = |text: String| stream.extend_from_slice(text.as_bytes());
        line(format!("commit {branch}\n"));
        for (what, who) in [("author", author), ("committer", committer)] {
            let (name, email) = (who.name().unwrap_or_default(), who.email().unwrap_or_default());
            line(format!("{what} {name} <{email}> {seconds} +0000\n"));
        }
        line(format!("data {}\n{message}\n", message.len()));
        if !begun.contains(&branch) {
            if let Some(tip) = tips.get(&branch).copied().flatten() {
                line(format!("from {tip}\n"));
            }
            begun.push(branch);
        }
        let (outer, inner, name) = layout::path(&row.bead);
        line(format!("M 100644 inline {outer}/{inner}/{name}\ndata {}\n", row.doc.len()));
        stream.extend_from_slice(row.doc.as_bytes());
        stream.extend_from_slice(b"\n");
    }
    // A stream that ends early is an error, and then no branch moves.
    stream.extend_from_slice(b"done\n");
    repo.program()
        .args(["-c", "core.fsync=all", "fast-import", "--quiet", "--done", "--date-format=raw-permissive"])
        .stdin(stream)
        .limit(LIMIT)
        .ok()?;
    repo.refresh()?;
    pass(Point::DrainMoved);
    for branch in begun {
        let moved = repo.oid_of(&branch)?;
        if moved == tips.get(&branch).copied().flatten() {
            let message = format!("{branch} did not move");
            return Err(GitError::Failed { what: "fast-import".to_owned(), message }.into());
        }
        tips.insert(branch, moved);
    }
    Ok(rows.len())
}
