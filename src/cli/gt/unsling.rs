//! `gt unsling BEAD`.

use super::{Context, place};
use crate::cli::CliError;
use crate::town::{Finish, TownError, retire};

/// Takes a bead off its worker's hook. What the worker made is kept, and the next worker goes on from there.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bead.
    bead: String,
    /// Why, for the record.
    #[arg(short, long, default_value = "taken off the hook by hand")]
    reason: String,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (here, mut store) = cx.open()?;
    let id = store.read(|r| place::bead(r, &args.bead))?;
    if let Finish::Waits(why) = retire::requeue(&here.acting(), &mut store, &id, &args.reason)? {
        let status = store.read(|r| r.need(&id)).map_err(TownError::from)?.status;
        let value = serde_json::json!({ "id": id, "status": status, "waits": why });
        cx.out.print(&value, |_| format!("○ {id} is still on its hook: {why}"));
        return Ok(());
    }
    cx.out.print(&serde_json::json!({ "id": id, "status": "open" }), |_| format!("✓ {id} is open again"));
    Ok(())
}
