//! The ledger catches up: a thread that drains the outbox when it is told that something may be in it.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::bell::Bell;
use super::guard::guarded;
use super::run::World;
use crate::ledger;
use crate::store::Store;

/// At a time, so that another drain is not kept waiting.
const BUDGET: Duration = Duration::from_secs(3);
/// After a failure.
const AGAIN: Duration = Duration::from_secs(30);

/// Starts the thread.
pub fn start(world: Arc<World>) -> Bell {
    Bell::start("ledger", move |rung| drain(&world, &rung))
}

fn drain(world: &World, rung: &mpsc::Receiver<()>) {
    let mut store = None;
    while rung.recv().is_ok() {
        loop {
            match guarded(|| once(world, &mut store).map_err(|e| e.to_string())).and_then(|r| r) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "the ledger could not be drained; it is tried again");
                    store = None;
                    if rung.recv_timeout(AGAIN) == Err(mpsc::RecvTimeoutError::Disconnected) {
                        return;
                    }
                }
            }
        }
    }
}

/// One drain; true when something is left that we could take.
fn once(world: &World, store: &mut Option<Store>) -> Result<bool, ledger::LedgerError> {
    let open = match store.take().filter(Store::in_place) {
        Some(open) => store.insert(open),
        None => store.insert(Store::open(&world.town.beads_dir())?),
    };
    let done = ledger::drain(open, Some(BUDGET))?;
    Ok(done.left && done.commits > 0)
}
