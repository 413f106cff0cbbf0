//! `gt peek AGENT`: the end of its screen.

use super::{Context, place};
use crate::cli::CliError;
use crate::town::{TownError, agent, hosts};

/// Shows the end of an agent's screen.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The agent: an address, or a worker's name.
    agent: String,
    /// How many lines.
    #[arg(default_value_t = 100)]
    lines: usize,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (here, store) = cx.open()?;
    let row = store.read(|r| agent::need(r, &place::agent(r, &args.agent)?))?;
    let host = hosts::open(&here.acting(), row.host)?;
    let screen = host.screen(&row.session, args.lines).map_err(TownError::from)?;
    let alive = host.probe(&row.session).map_err(TownError::from)?.alive;
    if !alive {
        cx.out.note(&format!("{} has no running session; this is what was last on its screen", row.address));
    }
    let value = serde_json::json!({ "agent": row.address, "alive": alive, "screen": screen });
    cx.out.print(&value, |_| crate::base::text::printable(&screen));
    Ok(())
}
