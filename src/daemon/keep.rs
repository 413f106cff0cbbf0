//! Things whose time comes while nobody does anything: a thread that opens timer gates and lets wisps go that are over.
//!
//! It sleeps until the next timer, or for good where there is neither a timer nor a wisp.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::guard::guarded;
use super::run::World;
use crate::base::Time;
use crate::molecule::{self, MoleculeError};
use crate::store::{Stamp, Store, StoreError};

/// After a failure.
const AGAIN: Duration = Duration::from_secs(30);

/// The thread's bell. It ends when this is dropped.
#[derive(Debug)]
pub struct Keeper {
    bell: Option<mpsc::SyncSender<()>>,
}

impl Keeper {
    /// Starts the thread; without one the next command does the same.
    pub fn start(world: Arc<World>) -> Self {
        let (bell, rung) = mpsc::sync_channel(1);
        let work = move || keep(&world, &rung);
        let thread = std::thread::Builder::new().name("keep".into()).spawn(work);
        if let Err(error) = &thread {
            tracing::error!(%error, "no thread can be started");
        }
        Self { bell: thread.is_ok().then_some(bell) }
    }

    /// Something was written: there may be a new timer. Rings once, however often it is called.
    pub fn ring(&self) {
        if let Some(bell) = &self.bell {
            let _ = bell.try_send(());
        }
    }
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
