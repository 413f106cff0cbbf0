//! `bd delete`: deletes beads; a tombstone of each stays, so that the deletion spreads.

use std::path::PathBuf;

use super::context::resolve_all;
use super::{Context, arg, render};
use crate::base::BeadId;
use crate::cli::CliError;
use crate::store::{Bead, DepKind, Patch, Write};

/// Deletes beads. Without --force it only shows what would go.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids, or enough of them to be clear.
    ids: Vec<String>,
    /// Ids from a file, one a line; `-` reads stdin.
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// Delete them.
    #[arg(short, long)]
    force: bool,
    /// Also all that depends on them.
    #[arg(long)]
    cascade: bool,
    /// Only show what would go.
    #[arg(long)]
    dry_run: bool,
    /// Why.
    #[arg(short, long, default_value = "")]
    reason: String,
    /// A flag of other trackers for what cannot be here.
    #[arg(long, hide = true)]
    hard: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    if args.hard {
        return Err(CliError::refused(
            "a tombstone of a deleted bead always stays, so that no other copy brings it back",
        )
        .hint("`bd delete ID --force` deletes it; of a wisp nothing stays"));
    }
    let mut texts = args.ids;
    if let Some(path) = &args.from_file {
        let lines = arg::file_or_stdin(path)?;
        texts.extend(
            lines.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned),
        );
    }
    if texts.is_empty() {
        return Err(CliError::user("which beads?").hint("bd delete ID, or bd delete --from-file FILE"));
    }
    let rehearse = args.dry_run || !args.force;
    let done = cx.write_or_rehearse(rehearse, |w| {
        let mut ids = resolve_all(w, &texts)?;
        if args.cascade {
            with_dependents(w, &mut ids)?;
        }
        Deleted::all(w, &ids, &args.reason)
    })?;
    let value = serde_json::json!({
        "deleted": done.beads.iter().map(|b| &b.id).collect::<Vec<_>>(), "deleted_count": done.beads.len(),
        "dependencies_removed": done.edges, "labels_removed": done.labels, "events_removed": 0,
        "references_updated": done.references, "orphaned_issues": done.orphans, "dry_run": rehearse,
    });
    cx.out.print(&value, |_| {
        let verb = if rehearse { "would delete" } else { "✓ deleted" };
        let lines: Vec<String> = done.beads.iter().map(|bead| format!("{verb}  {}", render::line(bead))).collect();
        lines.join("\n")
    });
    if rehearse && !args.dry_run {
        cx.out.note("nothing was deleted; --force deletes");
    }
    Ok(())
}

/// What went.
#[derive(Debug, Default)]
struct Deleted {
    beads: Vec<Bead>,
    edges: usize,
    labels: usize,
    references: usize,
    orphans: Vec<BeadId>,
}

impl Deleted {
    fn all(w: &mut Write<'_>, ids: &[BeadId], reason: &str) -> Result<Self, CliError> {
        let mut done = Self::default();
        for id in ids {
            let bead = w.need(id)?;
            if bead.status == "tombstone" {
                continue;
            }
            let (deps, dependents) = (w.deps(id)?, w.dependents(id)?);
            done.edges += deps.len() + dependents.len();
            done.labels += bead.labels.len();
            done.orphans
                .extend(dependents.iter().filter(|d| d.kind == DepKind::PARENT_CHILD).map(|d| d.issue_id.clone()));
            w.delete(id, reason)?;
            let neighbours =
                deps.into_iter().map(|d| d.depends_on_id).chain(dependents.into_iter().map(|d| d.issue_id));
            for near in neighbours {
                done.references += usize::from(forget(w, id, &near)?);
            }
            done.beads.push(bead);
        }
        done.orphans.retain(|id| !ids.contains(id));
        Ok(done)
    }
}

/// Adds all that depends on `ids`, at any depth.
fn with_dependents(w: &Write<'_>, ids: &mut Vec<BeadId>) -> Result<(), CliError> {
    let mut next = 0;
    while let Some(id) = ids.get(next).cloned() {
        for dep in w.dependents(&id)? {
            if !ids.contains(&dep.issue_id) {
                ids.push(dep.issue_id);
            }
        }
        next += 1;
    }
    Ok(())
}

/// Marks mentions of a deleted bead in the texts of a neighbour.
fn forget(w: &mut Write<'_>, gone: &BeadId, near: &BeadId) -> Result<bool, CliError> {
    let Some(bead) = w.bead(near)?.filter(|bead| bead.status != "tombstone") else { return Ok(false) };
    let mark = |text: &str| {
        let new = replace_word(text, gone.as_str(), &format!("[deleted:{gone}]"));
        (new != text).then_some(new)
    };
    let patch = Patch {
        description: mark(&bead.description),
        design: mark(&bead.design),
        acceptance_criteria: mark(&bead.acceptance_criteria),
        notes: mark(&bead.notes),
        ..Patch::default()
    };
    let any = patch.description.is_some()
        || patch.design.is_some()
        || patch.acceptance_criteria.is_some()
        || patch.notes.is_some();
    if any {
        w.update(near, patch)?;
    }
    Ok(any)
}

/// `text` with `word` replaced where it stands alone: `gt-1` is not part of `gt-12` or of `gt-1.2`.
fn replace_word(text: &str, word: &str, with: &str) -> String {
    let joins = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':');
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let dotted = after.strip_prefix('.').is_some_and(|t| t.starts_with(|c: char| c.is_ascii_digit()));
        let alone = !before.ends_with(joins) && !after.starts_with(joins) && !dotted;
        out.push_str(before);
        out.push_str(if alone { with } else { word });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::replace_word;

    #[test]
    fn only_whole_mentions_are_marked() {
        let text = "gt-1, gt-12, gt-1.2 and gt-1.";
        assert_eq!(replace_word(text, "gt-1", "X"), "X, gt-12, gt-1.2 and X.");
    }
}
