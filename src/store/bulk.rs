//! Bulk work: many short transactions of which only the last must be on disk when it is done.

use super::file::EACH_ON_DISK;
use super::{Store, StoreError};

impl Store {
    /// Runs `work`, whose transactions but the last may be lost together when the machine fails: what nobody sees yet
    /// need not be on disk. Before the last one `work` calls [`Self::end_bulk`].
    ///
    /// Others' transactions are as safe as ever: what follows a transaction on disk follows it there too.
    ///
    /// In a group, which is one transaction already, it is the work and nothing else.
    pub fn bulk<T, E: From<StoreError>>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        self.pragmas("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -32768")?;
        let done = work(self);
        self.end_bulk()?;
        done
    }

    /// From here on every transaction is on disk when it has ended.
    pub fn end_bulk(&mut self) -> Result<(), StoreError> {
        self.pragmas(EACH_ON_DISK)
    }

    /// Brings what was written into the file itself, while others go on writing.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        if self.in_group() {
            return Ok(());
        }
        self.connection().query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }

    fn pragmas(&self, pragmas: &str) -> Result<(), StoreError> {
        if self.in_group() {
            return Ok(());
        }
        Ok(self.connection().execute_batch(pragmas)?)
    }
}
