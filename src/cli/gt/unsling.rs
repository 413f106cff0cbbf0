//! `gt unsling BEAD`.

use super::{Context, place};
use crate::cli::CliError;
use crate::town::retire::{self, Next};
use crate::town::{Finish, TownError};

/// Takes a bead off its worker's hook. What the worker made is kept, and the next worker goes on from there.
///
/// Nobody is given the bead until a person slings it again: no policy does.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bead.
    bead: String,
    /// Why, for the record.
    #[arg(short, long)]
    reason: Option<String>,
    /// Give it to the next worker: the Witness may sling it again at once.
    #[arg(long)]
    requeue: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (here, mut store) = cx.open()?;
    let id = store.read(|r| place::bead(r, &args.bead))?;
    let acting = here.acting();
    let mut why = format!("{} took it off its hook", acting.by);
    if let Some(reason) = &args.reason {
        why = format!("{why}: {reason}");
    }
    let next = if args.requeue { Next::Anybody } else { Next::Held };
    let held = !args.requeue;
    if let Finish::Waits(why) = retire::requeue(&acting, &mut store, &id, &why, next)? {
        let status = store.read(|r| r.need(&id)).map_err(TownError::from)?.status;
        let value = serde_json::json!({ "id": id, "status": status, "held": held, "waits": why });
        cx.out.print(&value, |_| format!("○ {id} is still on its hook: {why}"));
        return Ok(());
    }
    let value = serde_json::json!({ "id": id, "status": "open", "held": held });
    cx.out.print(&value, |_| {
        let then = if held { format!(" and held back until you say: gt sling {id}") } else { String::new() };
        format!("✓ {id} is open again{then}")
    });
    Ok(())
}
