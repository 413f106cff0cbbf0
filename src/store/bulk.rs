//! Bulk work: many short transactions of which only the last must be on disk when it is done.

use std::fs::{File, TryLockError};

use super::file::EACH_ON_DISK;
use super::lock::open_lock;
use super::{Batch, Stamp, Store, StoreError};
use crate::base::lock::{How, wait};

/// What the batches are called whose beads go away together.
pub const LEAVING: &str = "burn";

/// The kinds of bulk work that anybody tidies up after: the notes of their batches. Whoever stages one holds the lock
/// `NOTE.lock`. A sync is none of them: it tidies up after the one before it, under a lock of its own.
pub const KINDS: [&str; 4] = ["pour", "import", "create", LEAVING];

/// A lock of bulk work, while held.
#[derive(Debug)]
pub struct Staging(File);

impl Drop for Staging {
    fn drop(&mut self) {
        // Closing is not enough: a child that is just being started has the file, too.
        let _ = self.0.unlock();
    }
}

impl Store {
    /// To be held while batches with this note are staged: whose holder has died are dropped by others. Several may
    /// stage at once; waits while what was left is dropped.
    pub fn staging(&self, note: &str) -> Result<Staging, StoreError> {
        let name = format!("{note}.lock");
        let file = open_lock(self.beads_dir(), &name)?;
        wait(&file, How::Shared).map_err(|error| StoreError::lock(self.beads_dir().join(name), error))?;
        Ok(Staging(file))
    }

    /// The batches with this note that whoever staged them has left.
    pub fn left(&self, note: &str) -> Result<Vec<Batch>, StoreError> {
        let staged = || self.read(|r| r.staged(note));
        // Looked at again under the lock: it may have ended well in between.
        Ok(if staged()?.is_empty() || self.nobody_stages(note)?.is_none() { Vec::new() } else { staged()? })
    }

    /// Drops up to `limit` beads of what was left with this note; true when more is left. Beads that were to leave and
    /// were not hidden stay.
    pub fn drop_left(&mut self, by: &Stamp, note: &str, limit: usize) -> Result<bool, StoreError> {
        if self.read::<_, StoreError>(|r| r.staged(note))?.is_empty() {
            return Ok(false);
        }
        let Some(_alone) = self.nobody_stages(note)? else { return Ok(false) };
        self.drop_some(by, note, limit)
    }

    /// [`Self::drop_left`], for who holds the lock.
    fn drop_some(&mut self, by: &Stamp, note: &str, limit: usize) -> Result<bool, StoreError> {
        if self.read::<_, StoreError>(|r| r.staged(note))?.is_empty() {
            return Ok(false);
        }
        self.write(by, |w| {
            let Some(batch) = w.staged(note)?.into_iter().next() else { return Ok(false) };
            let stays = w.stay(batch)?;
            Ok((!stays && w.discard_some(batch, limit)?) || !w.staged(note)?.is_empty())
        })
    }

    /// Waits until no beads are on their way out, removes what is left of them, and lets nobody take any away while the
    /// lock is held. For whoever brings in beads that have their ids: what is hidden and not yet removed has its id
    /// still.
    pub fn none_leaving(&mut self, by: &Stamp, limit: usize) -> Result<Staging, StoreError> {
        let alone = Staging(self.hold(&format!("{LEAVING}.lock"))?);
        while self.drop_some(by, LEAVING, limit)? {}
        Ok(alone)
    }

    /// The lock of a kind of bulk work, unless somebody is at it.
    fn nobody_stages(&self, note: &str) -> Result<Option<Staging>, StoreError> {
        let name = format!("{note}.lock");
        let file = open_lock(self.beads_dir(), &name)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Staging(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(StoreError::Io { path: self.beads_dir().join(name), error }),
        }
    }

    /// Runs `work`, whose transactions but the last may be lost together when the machine fails: what nobody sees yet
    /// need not be on disk. Before the last one `work` calls [`Self::end_bulk`].
    ///
    /// Others' transactions are as safe as ever: what follows a transaction on disk follows it there too.
    ///
    /// In a group, which is one transaction already, it is the work and nothing else.
    pub fn bulk<T, E: From<StoreError>>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        self.pragmas("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768")?;
        self.log.in_bulk(true);
        let done = work(self);
        self.end_bulk()?;
        done
    }

    /// From here on every transaction is on disk when it has ended.
    pub fn end_bulk(&mut self) -> Result<(), StoreError> {
        self.log.in_bulk(false);
        self.pragmas(EACH_ON_DISK)
    }

    fn pragmas(&self, pragmas: &str) -> Result<(), StoreError> {
        if self.in_group() {
            return Ok(());
        }
        Ok(self.connection().execute_batch(pragmas)?)
    }
}
