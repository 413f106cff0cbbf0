//! `gt start`: the town comes up.

use super::Context;
use crate::cli::CliError;
use crate::daemon::supervise::Budget;
use crate::town::lifecycle;

/// Starts the town: its daemon, and the sessions of workers that have work on their hooks.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub(super) fn run(cx: &Context, _: Args) -> Result<(), CliError> {
    let (here, mut store) = cx.open()?;
    here.town.config()?;
    here.around().remember(&here.town)?;
    let started = lifecycle::start(&here.acting(), &mut store)?;
    // A person's word gives a daemon that died too often another chance.
    Budget::refill(here.town.root()).map_err(|e| CliError::user(format!("the budget of restarts stays: {e}")))?;
    let daemon = super::revive::start_daemon(&here)?;
    for rig in here.town.rigs_apart()?.broken {
        cx.out.note(&format!("warning: {}", rig.text()));
    }
    let value = serde_json::json!({ "already": started.already, "resumed": started.resumed, "daemon": daemon });
    cx.out.confirm(&value, |_| {
        let mut lines = vec![match (started.already, daemon.already) {
            (true, true) => format!("✓ the town was up already (daemon {})", daemon.pid),
            _ => format!("✓ the town is up (daemon {})", daemon.pid),
        }];
        for agent in &started.resumed {
            lines.push(format!("  {agent} is back at its work"));
        }
        lines.push("  watch: gt status · talk to the Mayor: gt mayor attach · end: gt shutdown".into());
        lines.join("\n")
    });
    Ok(())
}
