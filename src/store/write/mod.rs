//! Changes, inside one transaction; one topic, one file.

mod adopt;
mod blocking;
mod close;
mod comment;
mod create;
pub(super) mod delete;
mod edge;
mod event;
mod gates;
mod hook;
mod import;
mod label;
pub(super) mod leave;
mod local;
mod outbox;
mod renamed;
mod shape;
mod stage;
pub(super) mod sweep;
mod touched;
mod update;

pub use blocking::SKIPPED;
pub(super) use blocking::is_failure;
pub(super) use create::fresh;

use std::ops::Deref;

use rusqlite::Connection;
use touched::Touched;

use super::row::Stored;
use super::stamp::{LINE, Tick, is_beyond};
use super::{Read, Stamp, StoreError};
use crate::base::{BeadId, Time};

/// A machine's clock may be behind a line that was written elsewhere by so much.
const AHEAD_MS: i64 = 7 * 24 * 3_600_000;

/// What each write begins with: the clock, the name of this copy, and whether time has brought a deferral or a timer to its
/// end. Nearly always it has not, and to put together the statements for that takes longer than the rest of a write.
pub(super) const BEGIN: &str = "SELECT (SELECT value FROM meta WHERE key = 'clock'),
    (SELECT value FROM meta WHERE key = 'replica'),
    EXISTS (SELECT 1 FROM beads INDEXED BY ready_later WHERE ready = 2 AND defer_ns <= ?1),
    EXISTS (SELECT 1 FROM beads INDEXED BY gate_timers WHERE issue_type = 'gate' AND over = 0 AND opens_ns <= ?1)";

/// A transaction that changes the store. It reads what it has written.
#[derive(Debug)]
pub struct Write<'a> {
    read: Read<'a>,
    by: &'a Stamp,
    tick: Tick,
    replica: String,
    /// The clock value of this transaction, with the replica: what changes are stamped with.
    stamp: String,
    /// While a line of a file is read in: its clock value, which stamps what it says.
    line: Option<Tick>,
    /// Beads to be written to the outbox at the end, with what happened to them.
    dirty: Touched,
    /// Beads that were held back when this transaction began and are not now.
    unblocked: Vec<BeadId>,
}

impl<'a> Deref for Write<'a> {
    type Target = Read<'a>;
    fn deref(&self) -> &Read<'a> {
        &self.read
    }
}

impl<'a> Write<'a> {
    pub(super) fn begin(conn: &'a Connection, by: &'a Stamp) -> Result<Self, StoreError> {
        let mut statement = conn.prepare_cached(BEGIN)?;
        let (clock, replica, deferred, timers): (i64, String, bool, bool) =
            statement.query_row([super::row::nanos(by.now)], |row| row.try_into())?;
        let tick = Tick::from_int(clock).next(by.now);
        let mut write = Self {
            read: Read::new(conn),
            by,
            tick,
            stamp: tick.text(&replica),
            replica,
            line: None,
            dirty: Touched::default(),
            unblocked: Vec::new(),
        };
        if deferred {
            write.end_deferrals()?;
        }
        if timers {
            write.open_timers()?;
        }
        Ok(write)
    }

    /// Who writes, and when it is.
    pub fn by(&self) -> &Stamp {
        self.by
    }

    /// Writes the outbox and the clock; the last thing before the commit.
    pub(super) fn finish(&mut self) -> Result<(), StoreError> {
        // What is staged may reach the outbox in a later transaction, and its stamps are given out now.
        if self.dirty.is_empty() && self.staging == 0 {
            return Ok(());
        }
        self.flush_outbox()?;
        self.run("UPDATE meta SET value = ?1 WHERE key = 'clock'", [self.tick.to_int()])?;
        Ok(())
    }

    /// A later clock value within this transaction, so that adding and removing the same thing stay in order.
    fn advance(&mut self) {
        self.tick = self.tick.next(self.by.now);
        self.stamp = self.tick.text(&self.replica);
    }

    /// What follows is said by a line whose bead last changed at `updated`, until [`Self::end_line`].
    ///
    /// It is stamped by the line and not by this copy's clock: two clones that read one line write the same, whenever
    /// they do, and the later of them takes nothing back that was changed in between. No such stamp is later than the
    /// present; the clock moves past the line all the same, so that a change made after it counts as later even where
    /// the machine's clock is behind, by [`AHEAD_MS`] at most: one line that lies years ahead takes no clock there.
    fn begin_line(&mut self, updated: Time) {
        let at = Tick::at(updated);
        self.line = Some(at.min(Tick::at(self.by.now)));
        self.tick = self.tick.max(at.min(Tick::at(self.by.now.plus_millis(AHEAD_MS))));
    }

    /// What follows is written by this copy again.
    fn end_line(&mut self) {
        self.line = None;
        self.stamp = self.tick.text(&self.replica);
    }

    /// The stamp for a change of what bears the stamp `known`, or none: later than that.
    fn stamp_over(&mut self, known: &str) -> String {
        let Some(line) = self.line else {
            if known >= self.stamp.as_str() && !is_beyond(known) {
                self.advance();
            }
            return self.stamp.clone();
        };
        let stamp = line.text(LINE);
        if stamp.as_str() > known || is_beyond(known) {
            return stamp;
        }
        // The line is the newer one by the bead's times, and the clock of whoever wrote that was ahead of them.
        let after = Tick::parse(known).unwrap_or(self.tick).after();
        self.tick = self.tick.max(after);
        after.text(LINE)
    }

    fn run(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize, StoreError> {
        Ok(self.conn.prepare_cached(sql)?.execute(params)?)
    }

    /// Notes that `id` changed; its ledger file is written at the end of the transaction.
    fn touch(&mut self, id: &BeadId, what: impl Into<String>) {
        self.dirty.note(id, what.into());
    }

    /// The bead of this id, unless it was deleted: nothing is done to a tombstone, but for what the line of a file says
    /// that made it one.
    fn need_living(&self, id: &BeadId, verb: &'static str) -> Result<Stored, StoreError> {
        let stored = self.need_stored(id)?;
        if stored.bead.status == "tombstone" && self.line.is_none() {
            return Err(StoreError::Refused { verb, id: id.clone(), what: "deleted" });
        }
        Ok(stored)
    }

    /// Deferrals that have passed no longer keep a bead from being ready; a few hundred a transaction at most.
    fn end_deferrals(&mut self) -> Result<(), StoreError> {
        self.run(
            "UPDATE beads SET defer_over = 1 WHERE num IN (
                 SELECT num FROM beads INDEXED BY ready_later WHERE ready = 2 AND defer_ns <= ?1
                 ORDER BY defer_ns LIMIT 500)",
            [super::row::nanos(self.by.now)],
        )?;
        Ok(())
    }
}
