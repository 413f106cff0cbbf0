//! Starting a daemon: the lock, the store, the components, the dispatcher; and ending it.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use super::bus::{Sender, Wake};
use super::components::{self, FileWatch};
use super::dispatch::{Dispatcher, Ended};
use super::lock::DaemonLock;
use crate::base::Clock;
use crate::store::{Store, StoreError};
use crate::town::{Acting, Surroundings, Town, TownError};

/// All that a daemon needs to know, the same for all its threads.
pub struct World {
    /// The town.
    pub town: Town,
    /// The machine, for sessions.
    pub around: Surroundings,
    /// The whole environment of gates.
    pub gate_env: Vec<(String, String)>,
    /// The present.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("town", &self.town.root()).finish_non_exhaustive()
    }
}

impl World {
    /// Acting in this town in the name of `by`.
    pub fn acting<'a>(&'a self, by: &'a str) -> Acting<'a> {
        Acting { town: &self.town, by, clock: &*self.clock, around: &self.around }
    }
}

/// Why a daemon could not run, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Another daemon runs this town.
    #[error("another daemon runs this town")]
    AlreadyRunning,
    /// The town is gone or has been replaced.
    #[error("the town at {} is gone", .0.display())]
    TownGone(PathBuf),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The town.
    #[error(transparent)]
    Town(#[from] TownError),
    /// Sockets, threads, files.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why not.
        error: std::io::Error,
    },
}

fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> DaemonError {
    move |error| DaemonError::Io { what, error }
}

/// Runs the daemon of a town until it is asked to stop, and gives why it ended. Blocks.
pub fn run(world: World) -> Result<&'static str, DaemonError> {
    let root = world.town.root().to_owned();
    std::fs::create_dir_all(world.town.runtime_dir()).map_err(io("cannot make .runtime"))?;
    let lock = DaemonLock::take(&root).map_err(io("cannot lock .runtime/daemon.lock"))?;
    // Held to the very end: whoever comes next makes sockets of its own, which are not to be removed.
    let lock = Arc::new(lock.ok_or(DaemonError::AlreadyRunning)?);
    let held = Arc::clone(&lock);
    let store = Store::open(&world.town.beads_dir())?;
    let (bus, inbox) = mpsc::channel();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io("cannot start the runtime"))?;
    let (over, ended) = tokio::sync::oneshot::channel();
    let (world, for_dispatcher) = (Arc::new(world), bus.clone());
    tracing::info!(town = %root.display(), pid = std::process::id(), "the daemon starts");
    let result = runtime.block_on(async {
        listen(&root, &bus)?;
        let files = FileWatch::new(bus.clone());
        let dispatcher = std::thread::Builder::new().name("dispatcher".into()).spawn(move || {
            let result = Dispatcher::new(world, store, held, for_dispatcher, files).and_then(|d| d.run(&inbox));
            let _ = over.send(());
            result
        });
        let dispatcher = dispatcher.map_err(io("cannot start the dispatcher"))?;
        let _ = ended.await;
        dispatcher.join().unwrap_or_else(|_| Err(io("the dispatcher")(std::io::Error::other("it panicked"))))
    });
    // Threads that still work on something are not waited for: what they do is on disk as an intent.
    runtime.shutdown_background();
    let result = match result {
        Ok(Ended::Asked(why)) => {
            tracing::info!(why, "the daemon ends");
            let _ = std::fs::remove_file(super::client::path(&root));
            let _ = std::fs::remove_file(components::wake_path(&root));
            Ok(why)
        }
        Ok(Ended::TownGone) => Err(DaemonError::TownGone(root)),
        Err(error) => {
            tracing::error!(%error, "the daemon ends");
            Err(error)
        }
    };
    drop(lock);
    result
}

fn listen(root: &std::path::Path, bus: &Sender) -> Result<(), DaemonError> {
    let wake = components::bind_wake(root).map_err(io("cannot listen on .runtime/wake"))?;
    let requests = components::bind_requests(root).map_err(io("cannot listen on .runtime/daemon.sock"))?;
    tokio::spawn(components::listen_wake(wake, bus.clone()));
    tokio::spawn(components::listen_requests(requests, bus.clone()));
    let bus = bus.clone();
    tokio::spawn(async move {
        if let Err(error) = components::listen_signals(bus.clone()).await {
            tracing::error!(%error, "signals are not heard");
            let _ = bus.send(Wake::Store);
        }
    });
    Ok(())
}
