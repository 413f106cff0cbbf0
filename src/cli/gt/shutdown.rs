//! `gt shutdown`: the town goes down, and proves it.

use std::time::Duration;

use super::Context;
use crate::base::process::ProcId;
use crate::base::text;
use crate::cli::{CliError, Kind};
use crate::store::Store;
use crate::town::TownError;
use crate::town::lifecycle::{self, Proof};

/// Stops the daemon and every session, and checks by process id and start time that nothing is left.
///
/// Work stays on its hooks and in its worktrees: gt start goes on with it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many seconds sessions may take to end by themselves.
    #[arg(short, long, default_value_t = 3, value_name = "SECONDS")]
    wait: u64,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let here = cx.place()?;
    // A store that cannot be used keeps nobody from ending what runs.
    let mut store = Store::open(&here.town.beads_dir()).map_err(TownError::from);
    let set_down = match &mut store {
        Ok(store) => lifecycle::set_down(&here.acting(), store).map(drop),
        Err(_) => Ok(()),
    };
    let daemon: Vec<ProcId> = super::revive::stop_daemon(&here)?;
    crate::queue::bench::end_below(here.town.root());
    let grace = Duration::from_secs(args.wait);
    let proof = lifecycle::stop_sessions(&here.acting(), store.as_mut().ok(), &daemon, grace);
    let unusable = set_down.err().or(store.err());
    if unusable.is_none() || !cx.out.json {
        cx.out.confirm(&proof, text_of);
    }
    if proof.left.is_empty() && proof.trouble.is_empty() {
        return unusable.map_or(Ok(()), |error| Err(error.into()));
    }
    let pids: Vec<String> = proof.left.iter().map(|p| p.pid.to_string()).collect();
    let mut error =
        CliError::new(Kind::Refused, format!("{} of this town still live", text::count(pids.len(), "process")));
    error.causes = proof.trouble;
    Err(error.hint(format!("look at them: ps -fp {}", pids.join(","))).hint("run it again: gt shutdown --wait 30"))
}

fn text_of(proof: &Proof) -> String {
    let mut lines: Vec<String> = proof.stopped.iter().map(|agent| format!("  stopped {agent}")).collect();
    let mark = if proof.left.is_empty() && proof.trouble.is_empty() { "✓" } else { "✗" };
    let left = match proof.left.len() {
        1 => "1 process".to_owned(),
        n => format!("{n} processes"),
    };
    lines.push(format!(
        "{mark} {left} of this town left (checked by pid and start time) · {} not committed",
        text::count(proof.uncommitted, "file")
    ));
    lines.join("\n")
}
