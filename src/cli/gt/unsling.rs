//! `gt unsling BEAD`.

use super::{Context, place};
use crate::base::BeadId;
use crate::cli::CliError;
use crate::store::{Status, Store};
use crate::town::retire::{self, Next};
use crate::town::{Acting, Finish, TownError, budget, given_up};

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
    let hook = store.read(|r| r.hook_of(&id)).map_err(TownError::from)?;
    if hook.is_none() && store.read(|r| given_up::given_up(r, &id))?.is_some() {
        return gone(cx, &acting, &mut store, &id);
    }
    let mut why = format!("{} took it off its hook", acting.by);
    if let Some(reason) = &args.reason {
        why = format!("{why}: {reason}");
    }
    let worked_in = hook.and_then(|hook| hook.agent.rig().cloned());
    let next = if args.requeue { Next::Anybody } else { Next::Held };
    let held = !args.requeue;
    if let Finish::Waits(why) = retire::requeue(&acting, &mut store, &id, &why, next)? {
        let status = store.read(|r| r.need(&id)).map_err(TownError::from)?.status;
        let value = serde_json::json!({ "id": id, "status": status, "held": held, "waits": why });
        cx.out.print(&value, |_| format!("○ {id} is still on its hook: {why}"));
        return Ok(());
    }
    let value = serde_json::json!({ "id": id, "status": "open", "held": held });
    let bead = store.read(|r| r.need(&id)).map_err(TownError::from)?;
    cx.out.print(&value, |_| {
        let sling =
            worked_in.as_ref().map_or_else(|| budget::sling_command(&bead), |rig| budget::sling_into(&bead, rig));
        let then = if held { format!(" and held back until you say: {sling}") } else { String::new() };
        format!("✓ {id} is open again{then}")
    });
    Ok(())
}

/// Takes down whoever still waits with a bead that was given up.
fn gone(cx: &Context, acting: &Acting<'_>, store: &mut Store, id: &BeadId) -> Result<(), CliError> {
    let (any, finish) = given_up::settle(acting, store, id)?;
    let waits = if let Finish::Waits(why) = finish { Some(why) } else { None };
    let status = store.read(|r| r.need(id)).map_err(TownError::from)?.status;
    let value = serde_json::json!({ "id": id, "status": status, "held": false, "waits": waits });
    let was = if status == Status::TOMBSTONE { "was deleted" } else { "is closed" };
    cx.out.print(&value, |_| match (&waits, any) {
        (Some(why), _) => format!("○ {id} {was}, and its worker is still there: {why}"),
        (None, true) => format!("✓ {id} {was}; its worker is gone, and what it made is kept"),
        (None, false) => format!("✓ {id} {was}, and nobody has it"),
    });
    Ok(())
}
