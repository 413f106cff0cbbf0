//! `gt patrol list`.

use serde::Serialize;

use crate::base::Time;
use crate::base::span::Span;
use crate::base::text::count;
use crate::cli::CliError;
use crate::cli::gt::Context;
use crate::town::TownError;
use crate::town::roles::patrols;

/// List the patrols with their schedules and what the last cycle came to.
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// Absent for a patrol of the whole town.
    #[serde(skip_serializing_if = "Option::is_none")]
    rig: Option<String>,
    role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on: Option<String>,
    steps: Vec<String>,
    cycles: u64,
    last: Time,
    #[serde(skip_serializing_if = "String::is_empty")]
    outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<crate::base::BeadId>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, _: &Args) -> Result<(), CliError> {
    let (place, store) = cx.open()?;
    let now = place.acting().now();
    let all = store.read(patrols::all).map_err(TownError::from)?;
    let rows: Vec<Row> = all
        .into_iter()
        .map(|(rig, name, s)| Row {
            name,
            rig: (!rig.is_empty()).then_some(rig),
            role: s.role,
            every: s.every_ms.map(|ms| Span::millis(ms).to_string()),
            on: s.on,
            steps: s.steps,
            cycles: s.cycles,
            last: Time::from_millis(s.last_ms),
            outcome: s.outcome,
            digest: s.digest,
        })
        .collect();
    if rows.is_empty() {
        cx.out.note("the daemon has not looked at the patrols yet: gt start");
    }
    cx.out.print(&rows, |rows| rows.iter().map(|row| line(row, now)).collect::<Vec<_>>().join("\n"));
    Ok(())
}

fn line(row: &Row, now: Time) -> String {
    let place = row.rig.as_deref().unwrap_or("town");
    let schedule = match (&row.every, &row.on) {
        (Some(every), Some(on)) => format!("every {every}, on {on}"),
        (Some(every), None) => format!("every {every}"),
        (None, on) => format!("on {}", on.as_deref().unwrap_or("demand")),
    };
    let last = match row.cycles {
        0 => "no cycle yet".to_owned(),
        n => {
            let ago = Span::millis((now.millis() - row.last.millis()).max(0) / 1000 * 1000);
            let digest = row.digest.as_ref().map(|id| format!(" [{id}]")).unwrap_or_default();
            format!("{}, the last {ago} ago: {}{digest}", count(n as usize, "cycle"), row.outcome)
        }
    };
    format!("{:<18} {place:<12} {schedule:<14} {last}", row.name)
}
