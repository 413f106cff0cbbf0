//! `bd mol stale`: molecules that are done and nobody closed.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::Context;
use crate::base::text::headline;
use crate::cli::CliError;
use crate::store::{DepKind, Filter, IssueType, Status};

/// Lists molecules and epics all of whose children are closed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only those that hold something back
    #[arg(long)]
    blocking: bool,
    /// Only those that nobody has
    #[arg(long)]
    unassigned: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let found = cx.read(|r| {
        let filter = Filter {
            types: vec![IssueType::MOLECULE, IssueType::EPIC],
            not_statuses: vec![Status::CLOSED],
            unassigned: args.unassigned,
            template: Some(false),
            ..Filter::default()
        };
        let mut found: Vec<Value> = Vec::new();
        for bead in r.find(&filter)? {
            let count = r.epic_count(&bead.id)?;
            if !count.is_done() {
                continue;
            }
            let blocks = r.dependents(&bead.id)?.into_iter().filter(|d| d.kind == DepKind::BLOCKS);
            let blocks: Vec<_> = blocks.map(|d| d.issue_id).collect();
            if args.blocking && blocks.is_empty() {
                continue;
            }
            found.push(json!({
                "id": bead.id, "title": bead.title, "total_children": count.total, "closed_children": count.closed,
                "assignee": bead.assignee, "blocking_issues": blocks, "blocking_count": blocks.len(),
            }));
        }
        Ok::<_, CliError>(found)
    })?;
    let blocking = found.iter().filter(|f| f["blocking_count"] != 0).count();
    let value = json!({ "stale_molecules": found, "total_count": found.len(), "blocking_count": blocking });
    cx.out.print(&value, |_| {
        let mut out = String::new();
        for one in &found {
            let get = |key: &str| one[key].as_str().unwrap_or_default();
            let _ =
                writeln!(out, "{}  {}  all {} closed", get("id"), headline(get("title"), 80), one["total_children"]);
        }
        if out.is_empty() { "nothing is stale".to_owned() } else { out }
    });
    Ok(())
}
