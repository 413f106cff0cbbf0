//! `bd epic`: epics and how far their children are.

use serde::Serialize;

use super::close::outside;
use super::{Context, render};
use crate::cli::CliError;
use crate::molecule;
use crate::store::{Bead, Close, EpicCount, Filter, IssueType, Read, Status};

/// Shows how far epics are, and closes those whose children are all closed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Count the children of open epics
    Status {
        /// Only those that can be closed.
        #[arg(long)]
        eligible_only: bool,
    },
    /// Close the epics whose children are all closed
    CloseEligible {
        /// Only show which.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Serialize)]
struct Row {
    epic: Bead,
    total_children: usize,
    closed_children: usize,
    eligible_for_close: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    match args.what {
        What::Status { eligible_only } => cx.read(|r| {
            let rows = rows(r, eligible_only)?;
            cx.out.print(&rows, |rows| told(rows));
            Ok(())
        }),
        What::CloseEligible { dry_run: true } => cx.read(|r| {
            let rows = rows(r, true)?;
            cx.out.print(&rows, |rows| told(rows));
            Ok(())
        }),
        What::CloseEligible { dry_run: false } => {
            let closed = cx.write(|w| {
                let mut closed = Vec::new();
                for row in rows(w, true)? {
                    let how = Close::because("All children completed");
                    let (epic, more) = molecule::close(w, &row.epic.id, how, Some(outside(cx)))?;
                    closed.extend(more);
                    crate::town::convoy::check(w, &epic.bead.id)?;
                    closed.push(epic.bead);
                }
                Ok(closed)
            })?;
            let value = serde_json::json!({ "closed": closed, "count": closed.len() });
            cx.out.print(&value, |_| render::lines(&closed, "no epic can be closed"));
            Ok(())
        }
    }
}

fn rows(r: &Read<'_>, eligible_only: bool) -> Result<Vec<Row>, CliError> {
    let open = Filter { types: vec![IssueType::EPIC], not_statuses: vec![Status::CLOSED], ..Filter::default() };
    let mut rows = Vec::new();
    for epic in r.find(&open)? {
        let count: EpicCount = r.epic_count(&epic.id)?;
        let eligible_for_close = count.is_done();
        if eligible_for_close || !eligible_only {
            rows.push(Row { epic, total_children: count.total, closed_children: count.closed, eligible_for_close });
        }
    }
    Ok(rows)
}

fn told(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let mark = if row.eligible_for_close { "  can be closed" } else { "" };
        format!("{}  {}/{}{mark}", render::line(&row.epic), row.closed_children, row.total_children)
    };
    let text = rows.iter().map(line).collect::<Vec<_>>().join("\n");
    if text.is_empty() { "no epics".to_owned() } else { text }
}
