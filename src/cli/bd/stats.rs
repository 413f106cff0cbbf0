//! `bd stats`: the tracker in numbers.

use super::Context;
use crate::cli::CliError;
use crate::store::Status;

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
        let now = cx.now();
        let since = (!args.no_activity).then(|| now.plus_millis(-86_400_000));
        let tally = r.tally(now, mine.as_deref(), since)?;
        let status = |status: Status| tally.by_status.get(status.as_str()).copied().unwrap_or(0);
        let mut value = serde_json::json!({ "summary": {
            "total_issues": tally.total,
            "open_issues": status(Status::OPEN),
            "in_progress_issues": status(Status::IN_PROGRESS),
            "closed_issues": status(Status::CLOSED),
            "blocked_issues": tally.blocked,
            "deferred_issues": status(Status::DEFERRED),
            "ready_issues": tally.ready,
            "tombstone_issues": status(Status::TOMBSTONE),
            "pinned_issues": tally.pinned,
            "epics_eligible_for_closure": tally.closable_epics,
            "average_lead_time_hours": (tally.lead_hours * 100.0).round() / 100.0,
        }});
        if let Some(recent) = tally.recent {
            value["recent_activity"] = serde_json::json!({
                "hours": 24, "created": recent.created, "closed": recent.closed, "updated": recent.updated,
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
