//! `bd stats`: the tracker in numbers.

use super::Context;
use crate::base::Time;
use crate::cli::CliError;
use crate::store::{Filter, IssueType, Read, ReadyQuery, Status};

/// Counts beads by where they stand, and what happened in the last day.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Leave out what happened in the last day.
    #[arg(long)]
    no_activity: bool,
    /// Only what is assigned to you.
    #[arg(long)]
    assigned: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let mine = args.assigned.then(|| cx.place().actor(&cx.env));
    cx.read(|r| {
        let lasting = || Filter { ephemeral: Some(false), assignee: mine.clone(), ..Filter::default() };
        let blocked = r.blocked(None)?;
        let blocked = blocked.iter().filter(|b| mine.as_ref().is_none_or(|me| *me == b.bead.assignee));
        let status = |status: Status| r.count(&Filter { statuses: vec![status], ..lasting() });
        let now = cx.now();
        let summary = serde_json::json!({
            "total_issues": r.count(&lasting())?,
            "open_issues": status(Status::OPEN)?,
            "in_progress_issues": status(Status::IN_PROGRESS)?,
            "closed_issues": status(Status::CLOSED)?,
            "blocked_issues": blocked.count(),
            "deferred_issues": status(Status::DEFERRED)?,
            "ready_issues": r.ready(&ReadyQuery { now: Some(now), assignee: mine.clone(), ..ReadyQuery::default() })?.len(),
            "tombstone_issues": status(Status::TOMBSTONE)?,
            "pinned_issues": r.count(&Filter { pinned: Some(true), ..lasting() })?,
            "epics_eligible_for_closure": closable_epics(r)?,
            "average_lead_time_hours": lead_time_hours(r)?,
        });
        let mut value = serde_json::json!({ "summary": summary });
        if !args.no_activity {
            let day = now.plus_millis(-86_400_000);
            value["recent_activity"] = serde_json::json!({
                "hours": 24,
                "created": r.count(&Filter { created_after: Some(day), ..lasting() })?,
                "closed": r.count(&Filter { closed_after: Some(day), ..lasting() })?,
                "updated": r.count(&Filter { updated_after: Some(day), ..lasting() })?,
            });
        }
        cx.out.print(&value, |value| {
            let part = |key: &str| {
                let all = value[key].as_object().into_iter().flatten();
                all.map(|(name, n)| format!("{:>8}  {}", n.to_string(), name.replace('_', " "))).collect::<Vec<_>>()
            };
            let mut lines = part("summary");
            if value.get("recent_activity").is_some() {
                lines.push(String::new());
                lines.extend(part("recent_activity"));
            }
            lines.join("\n")
        });
        Ok(())
    })
}

fn closable_epics(r: &Read<'_>) -> Result<usize, CliError> {
    let open = Filter { types: vec![IssueType::EPIC], not_statuses: vec![Status::CLOSED], ..Filter::default() };
    let mut n = 0;
    for epic in r.find(&open)? {
        n += usize::from(r.epic_count(&epic.id)?.is_done());
    }
    Ok(n)
}

/// From filing to closing, on average, of the thousand beads closed last.
fn lead_time_hours(r: &Read<'_>) -> Result<f64, CliError> {
    let last = Filter {
        statuses: vec![Status::CLOSED],
        sort: crate::store::Sort::Closed,
        limit: Some(1_000),
        ..Filter::default()
    };
    let hours = |from: Time, to: Time| (to.millis() - from.millis()).max(0) as f64 / 3_600_000.0;
    let all: Vec<f64> = r.find(&last)?.iter().filter_map(|b| Some(hours(b.created_at, b.closed_at?))).collect();
    let mean = if all.is_empty() { 0.0 } else { all.iter().sum::<f64>() / all.len() as f64 };
    Ok((mean * 100.0).round() / 100.0)
}
