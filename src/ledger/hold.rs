//! The ledger has one writer at a time.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use super::{LedgerError, layout};
use crate::base::lock::{self, How};
use crate::store::StoreError;

/// Waits, for a while, until nobody else writes the ledger beside the store in `beads_dir`; nobody does while the file
/// lives.
pub(super) fn hold(beads_dir: &Path) -> Result<File, LedgerError> {
    let lock = open(beads_dir)?;
    lock::wait(&lock, How::Alone).map_err(|error| StoreError::lock(beads_dir.join(layout::LOCK), error))?;
    forget_dead(beads_dir);
    Ok(lock)
}

/// As [`hold`], or none when somebody writes now.
pub(super) fn try_hold(beads_dir: &Path) -> Result<Option<File>, LedgerError> {
    let lock = open(beads_dir)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(e)) => return Err(LedgerError::io("lock", &beads_dir.join(layout::LOCK))(e)),
    }
    forget_dead(beads_dir);
    Ok(Some(lock))
}

fn open(beads_dir: &Path) -> Result<File, LedgerError> {
    let path = beads_dir.join(layout::LOCK);
    File::create(&path).map_err(LedgerError::io("create", &path))
}

/// Git's own locks of what only the holder of the ledger writes.
fn forget_dead(beads_dir: &Path) {
    forget_dead_locks(beads_dir, layout::BRANCHES);
    let _ = fs::remove_file(beads_dir.join(layout::FOLDER).join("packed-refs.lock"));
}

/// Drops git's own locks of the refs in `folder`, which only the caller may write now: whoever left one was killed, and
/// git would refuse to move that ref for ever.
pub(super) fn forget_dead_locks(beads_dir: &Path, folder: &str) {
    let refs = fs::read_dir(beads_dir.join(layout::FOLDER).join(folder)).into_iter().flatten().flatten();
    for path in refs.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "lock")) {
        let _ = fs::remove_file(path);
    }
}
