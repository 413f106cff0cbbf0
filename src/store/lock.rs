//! The locks of a store's folder. Writers queue at one of them; bulk work holds others from its first transaction to its
//! last.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::{KINDS, StoreError};
use crate::base::lock::{How, LockError, patience, wait, wait_for};

const WRITERS: &str = "write.lock";
/// Whoever waits for the write lock holds this one meanwhile.
const NEXT: &str = "next.lock";

/// Device and number of a file, where the system tells.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// A file of the folder to lock; made if it is not there.
pub(super) fn open_lock(dir: &Path, name: &str) -> Result<File, StoreError> {
    let path = dir.join(name);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    file.map_err(|error| StoreError::Io { path, error })
}

/// The files at which writers queue.
#[derive(Debug)]
pub(super) struct Queue {
    next: File,
    write: File,
}

impl Queue {
    pub(super) fn open(dir: &Path) -> Result<Arc<Self>, StoreError> {
        Ok(Arc::new(Self { next: open_lock(dir, NEXT)?, write: open_lock(dir, WRITERS)? }))
    }
}

/// The write lock, while held: writers queue here before `BEGIN IMMEDIATE`.
///
/// A lock that is let go is not handed to whoever waits for it, but goes to who asks first: a process that writes one
/// transaction after the other would have it again before those who are woken. So one of those who wait is the next,
/// and nobody comes before it.
#[derive(Debug)]
pub(super) struct Locked(Arc<Queue>);

impl Locked {
    /// Waits for the lock. When that fails, the queue must not be waited on again.
    pub(super) fn take(queue: Arc<Queue>, dir: &Path) -> Result<Self, StoreError> {
        let (begun, patience) = (Instant::now(), patience());
        let refused = |error: LockError| StoreError::lock(dir.join(WRITERS), error.held_by(&queue.write, patience));
        wait_for(&queue.next, How::Alone, patience).map_err(refused)?;
        let taken = wait_for(&queue.write, How::Alone, patience.saturating_sub(begun.elapsed()));
        let _ = queue.next.unlock();
        taken.map_err(refused)?;
        Ok(Self(queue))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.0.write.unlock();
    }
}

/// Waits for whoever is just putting a database in its place; nothing is made for it.
pub(super) fn wait_for_database(dir: &Path) {
    // Where the lock cannot be had, nobody writes either.
    if let Ok(file) = OpenOptions::new().write(true).open(dir.join(WRITERS))
        && wait(&file, How::Alone).is_ok()
    {
        let _ = file.unlock();
    }
}

/// Nobody writes and no bulk work is under way in a store, while this lives: its database may be put aside.
#[derive(Debug)]
pub struct Quiet {
    _writers: Locked,
    _bulk: Vec<File>,
}

impl Quiet {
    /// Waits for all that write to the store in `beads_dir`, whether its database can be read or not, for each as long as
    /// this process waits for a lock.
    pub fn wait(beads_dir: &Path) -> Result<Self, StoreError> {
        loop {
            let writers = Locked::take(Queue::open(beads_dir)?, beads_dir)?;
            let mut bulk = Vec::new();
            let busy = KINDS.iter().map(|kind| format!("{kind}.lock")).find_map(|name| {
                let taken = open_lock(beads_dir, &name).and_then(|file| match file.try_lock() {
                    Ok(()) => Ok(Some(file)),
                    Err(TryLockError::WouldBlock) => Ok(None),
                    Err(TryLockError::Error(error)) => Err(StoreError::Io { path: beads_dir.join(&name), error }),
                });
                match taken {
                    Ok(Some(file)) => {
                        bulk.push(file);
                        None
                    }
                    Ok(None) => Some(Ok(name)),
                    Err(error) => Some(Err(error)),
                }
            });
            let Some(busy) = busy.transpose()? else { return Ok(Self { _writers: writers, _bulk: bulk }) };
            // Bulk work needs the lock of writers to come to its end.
            drop((writers, bulk));
            let file = open_lock(beads_dir, &busy)?;
            wait(&file, How::Alone).map_err(|error| StoreError::lock(beads_dir.join(&busy), error))?;
        }
    }
}
