//! The log of changes beside the database (`SQLite`'s WAL), and when it goes into the database.
//!
//! A commit appends to the log and flushes it. Whoever finds it long after a write brings it into the database, and has let
//! go of the write lock by then: others write on meanwhile. Bulk work does it earlier than they, so that none of them does
//! it in its place. Only where they never pause, so that the log never begins anew, they wait for it once in a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;

use super::lock::open_lock;
use super::{Store, StoreError};
use crate::base::lock::{How, wait_for};

/// Held by who brings the log into the database: `SQLite` lets one at a time, and tells the others nothing of its end.
const SETTLING: &str = "log.lock";

/// So many pages, of 4 KB, are brought into the database.
const LONG: i32 = 1_000;
/// The same in bulk work.
const LONG_IN_BULK: i32 = 500;
/// Where others always write meanwhile the log never begins anew; from so many pages on they wait for that.
const OVERLONG: i32 = 4_000;
/// So many pages are brought into the database when the last one leaves: whoever comes first reads all of the log.
const LONG_TO_READ: i32 = 128;
/// So long is waited for somebody who is at it: the next write tries again.
const A_MOMENT: Duration = Duration::from_millis(100);
/// A log that begins anew keeps its file up to so many bytes, a few more than it usually gets: to write over it takes half
/// as long as to make it longer.
const KEPT: usize = 8 * 1024 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Log {
    /// Its length after the last write, in pages.
    pages: Arc<AtomicI32>,
    /// What is long.
    long: i32,
}

impl Log {
    /// The log of a database that was just opened.
    pub(super) fn of(conn: &mut Connection) -> Result<Self, StoreError> {
        // The log stays when the last one leaves: else each command alone in a repository would make it, move it into
        // the database and take it away again, three times the flushes of a commit.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        conn.execute_batch(&format!("PRAGMA journal_size_limit = {KEPT}"))?;
        let log = Self { pages: Arc::default(), long: LONG };
        let pages = Arc::clone(&log.pages);
        // In the place of the hook that brings it into the database while the write lock is held.
        conn.wal_hook(Some(move |_: &mut Wal, now| {
            pages.store(now, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(log)
    }

    /// Bulk work begins or ends.
    pub(super) fn in_bulk(&mut self, is: bool) {
        self.long = if is { LONG_IN_BULK } else { LONG };
    }
}

impl Store {
    /// After a write: brings the log into the database if it is long.
    pub(super) fn settle_log(&mut self) {
        let pages = self.log.pages.load(Ordering::Relaxed);
        if pages < LONG_TO_READ {
            return;
        }
        // What was written is safe in the log, however long that is; the next write tries again.
        if let Err(error) = self.shorten_log(pages) {
            tracing::debug!(%error, "the log stays long");
        }
    }

    fn shorten_log(&mut self, pages: i32) -> Result<(), StoreError> {
        // A command that is alone here cannot shorten it as it writes: what an earlier one brought into the database is
        // known to nobody any more. So all of it is, and it is taken away, when the last one leaves.
        self.connection().set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        if pages < self.log.long {
            return Ok(());
        }
        let settling = open_lock(self.beads_dir(), SETTLING)?;
        if pages < OVERLONG {
            // Unless somebody is at it.
            if settling.try_lock().is_ok() {
                self.checkpoint()?;
            }
        } else {
            let _nobody_writes = self.locked()?;
            wait_for(&settling, How::Alone, A_MOMENT)
                .map_err(|error| StoreError::lock(self.beads_dir().join(SETTLING), error))?;
            self.checkpoint()?;
        }
        // Closing is not enough: a child that is just being started has the file, too.
        let _ = settling.unlock();
        Ok(())
    }

    /// Brings what was written into the file itself, while others go on writing.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        if self.in_group() {
            return Ok(());
        }
        Ok(self.connection().query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
    }

    /// Brings all that was written into the file itself; nothing of the log is left then, unless somebody reads long.
    pub fn empty_log(&self) -> Result<(), StoreError> {
        Ok(self.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }
}
