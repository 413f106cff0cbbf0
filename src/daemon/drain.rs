//! The ledger catches up: a thread that drains the outbox when it is told that something may be in it.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::guard::guarded;
use super::run::World;
use crate::ledger;
use crate::store::Store;

/// At a time, so that another drain is not kept waiting.
const BUDGET: Duration = Duration::from_secs(3);
/// After a failure.
const AGAIN: Duration = Duration::from_secs(30);

/// The thread's bell. It ends when this is dropped.
#[derive(Debug)]
pub struct Drainer {
    bell: Option<mpsc::SyncSender<()>>,
}

impl Drainer {
    /// Starts the thread; without one the next command that writes drains instead.
    pub fn start(world: Arc<World>) -> Self {
        let (bell, rung) = mpsc::sync_channel(1);
        let work = move || drain(&world, &rung);
        let thread = std::thread::Builder::new().name("ledger".into()).spawn(work);
        if let Err(error) = &thread {
            tracing::error!(%error, "no thread can be started");
        }
        Self { bell: thread.is_ok().then_some(bell) }
    }

    /// Something was written. Rings once, however often it is called.
    pub fn ring(&self) {
        if let Some(bell) = &self.bell {
            let _ = bell.try_send(());
        }
    }
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
