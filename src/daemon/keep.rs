//! Things whose time comes while nobody does anything: a thread that opens timer gates and lets wisps go that are over.
//!
//! It sleeps until the next timer, or for good where there is neither a timer nor a wisp.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::bell::Bell;
use super::guard::guarded;
use super::run::World;
use crate::base::Time;
use crate::molecule::{self, MoleculeError};
use crate::store::{Stamp, Store, StoreError};

/// After a failure.
const AGAIN: Duration = Duration::from_secs(30);

/// Starts the thread.
pub fn start(world: Arc<World>) -> Bell {
    Bell::start("keep", move |rung| keep(&world, &rung))
}

fn keep(world: &World, rung: &mpsc::Receiver<()>) {
    let mut store = None;
    let mut next = Some(Instant::now());
    loop {
        let heard = match next {
            Some(at) => rung.recv_timeout(at.saturating_duration_since(Instant::now())),
            None => rung.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
        };
        if heard == Err(mpsc::RecvTimeoutError::Disconnected) {
            return;
        }
        let done = guarded(|| once(world, &mut store).map_err(|e| e.to_string())).and_then(|done| done);
        let wait = done.unwrap_or_else(|error| {
            tracing::warn!(%error, "timers and wisps could not be looked at; it is tried again");
            store = None;
            Some(AGAIN)
        });
        next = wait.map(|wait| Instant::now() + wait);
    }
}

/// Does what is due; says after what time something may be due again.
fn once(world: &World, store: &mut Option<Store>) -> Result<Option<Duration>, MoleculeError> {
    let store = match store.take().filter(Store::in_place) {
        Some(open) => store.insert(open),
        None => store.insert(Store::open(&world.town.beads_dir())?),
    };
    let now = world.clock.now();
    let mut opened = false;
    while store.read::<_, StoreError>(|r| Ok(!r.timers_due(now, 1)?.is_empty()))? {
        // The beginning of every write opens what is due.
        store.write::<_, StoreError>(&Stamp::new("timer", now), |_| Ok(()))?;
        opened = true;
    }
    if opened {
        // What the gates held back may be somebody's next piece of work.
        crate::town::wake(&world.town);
    }
    let sweep = molecule::sweep(store, now, Duration::ZERO)?;
    let timer = store.read::<_, StoreError>(|r| r.next_timer())?.map(|at| until(at, now));
    Ok([sweep.map(|at| until(at, now)), timer].into_iter().flatten().min())
}

fn until(at: Time, now: Time) -> Duration {
    Duration::from_millis(u64::try_from(at.millis() - now.millis()).unwrap_or(0).max(1))
}
