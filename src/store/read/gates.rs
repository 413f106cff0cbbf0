//! Gates that open by themselves, and when; wisps by their age.

use rusqlite::OptionalExtension;

use super::{Read, SEEN};
use crate::base::{BeadId, Time};
use crate::store::row::{id, nanos};
use crate::store::{Bead, StoreError};

/// When a timer gate opens: its timeout after it was filed. `None` for other gates, and for a timer without an end.
pub fn opens_at(gate: &Bead) -> Option<Time> {
    let timer = gate.issue_type == "gate" && gate.await_type == "timer" && gate.timeout > 0;
    timer.then(|| gate.created_at.plus_millis(gate.timeout / 1_000_000))
}

impl Read<'_> {
    /// Timer gates whose time has come and that nothing has opened yet, at most `limit`.
    pub fn timers_due(&self, now: Time, limit: usize) -> Result<Vec<BeadId>, StoreError> {
        let sql = format!(
            "SELECT b.id FROM beads b INDEXED BY gate_timers
             WHERE b.issue_type = 'gate' AND b.over = 0 AND b.is_template = 0 AND b.opens_ns <= ?1 AND {SEEN} ORDER BY b.opens_ns LIMIT ?2"
        );
        self.rows(&sql, (nanos(now), limit as i64), |r| id(&r.get::<_, String>(0)?))
    }

    /// When the next timer gate opens.
    pub fn next_timer(&self) -> Result<Option<Time>, StoreError> {
        let sql = format!(
            "SELECT b.opens_ns FROM beads b INDEXED BY gate_timers
             WHERE b.issue_type = 'gate' AND b.over = 0 AND b.is_template = 0 AND b.opens_ns IS NOT NULL AND {SEEN}
             ORDER BY b.opens_ns LIMIT 1"
        );
        let mut statement = self.conn.prepare_cached(&sql)?;
        let ns: Option<f64> = statement.query_row([], |r| r.get(0)).optional()?;
        // Rounded up: asked for at that time, the gate is due.
        Ok(ns.map(|ns| Time::from_millis((ns / 1_000_000.0).ceil() as i64)))
    }

    /// When the wisp changed to which nothing has happened for the longest time; none when there is no wisp.
    pub fn oldest_wisp(&self) -> Result<Option<Time>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT updated_ns FROM beads INDEXED BY wisps WHERE ephemeral = 1 ORDER BY updated_ns LIMIT 1",
        )?;
        let ns: Option<i64> = statement.query_row([], |r| r.get(0)).optional()?;
        Ok(ns.map(|ns| Time::from_millis(ns / 1_000_000)))
    }

    /// Open gates that wait for this bead.
    pub(in crate::store) fn gates_awaiting(&self, bead: &BeadId) -> Result<Vec<BeadId>, StoreError> {
        let sql = format!(
            "SELECT b.id FROM beads b INDEXED BY gate_awaits
             WHERE b.issue_type = 'gate' AND b.over = 0 AND b.is_template = 0 AND b.awaits = ?1 AND {SEEN}"
        );
        self.rows(&sql, [bead.as_str()], |r| id(&r.get::<_, String>(0)?))
    }
}
