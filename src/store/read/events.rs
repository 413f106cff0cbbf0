//! Events, decisions and the outbox.

use rusqlite::{Row, params};
use serde_json::Value;

use super::Read;
use crate::base::{BeadId, Time};
use crate::store::outbox::Pack;
use crate::store::{DecisionRow, Event, OutboxRow, StoreError, row};

const EVENT: &str = "seq, kind, subject, actor, at, payload";
const DECISION: &str =
    "seq, at, subject, role, rig, rule, layer, revision, file, line, rung, outcome, actions, because";

fn json(row: &Row<'_>, i: usize) -> Result<Value, StoreError> {
    let text: String = row.get(i)?;
    serde_json::from_str(&text)
        .map_err(|e| StoreError::Damaged { path: "beads.db".into(), detail: format!("a payload is no JSON: {e}") })
}

fn at(row: &Row<'_>, i: usize) -> Result<Time, StoreError> {
    row::parse_time(&row.get::<_, String>(i)?)
}

fn event(row: &Row<'_>) -> Result<Event, StoreError> {
    Ok(Event {
        seq: row.get(0)?,
        kind: row.get(1)?,
        subject: row.get(2)?,
        actor: row.get(3)?,
        at: at(row, 4)?,
        payload: json(row, 5)?,
    })
}

fn decision(row: &Row<'_>) -> Result<DecisionRow, StoreError> {
    Ok(DecisionRow {
        seq: row.get(0)?,
        at: at(row, 1)?,
        subject: row.get(2)?,
        role: row.get(3)?,
        rig: row.get(4)?,
        rule: row.get(5)?,
        layer: row.get(6)?,
        revision: row.get(7)?,
        file: row.get(8)?,
        line: row.get(9)?,
        rung: row.get(10)?,
        outcome: row.get(11)?,
        actions: json(row, 12)?,
        because: json(row, 13)?,
    })
}

impl Read<'_> {
    /// Runs `sql` and reads each row with `read`.
    pub(in crate::store) fn rows<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(read(row)?);
        }
        Ok(all)
    }

    /// Events after `seq`, oldest first.
    pub fn events_after(&self, seq: i64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let sql = format!("SELECT {EVENT} FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2");
        self.rows(&sql, params![seq, limit as i64], event)
    }

    /// The newest event's place; 0 when there is none.
    pub fn last_event(&self) -> Result<i64, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT coalesce(max(seq), 0) FROM events")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// The events of a bead, oldest first.
    pub fn history(&self, id: &BeadId) -> Result<Vec<Event>, StoreError> {
        self.events_of(id.as_str())
    }

    /// The events of any subject (a bead, an address, a rig), oldest first.
    pub fn events_of(&self, subject: &str) -> Result<Vec<Event>, StoreError> {
        self.rows(&format!("SELECT {EVENT} FROM events WHERE subject = ?1 ORDER BY seq"), [subject], event)
    }

    /// Decisions about a subject, oldest first.
    pub fn decisions(&self, subject: &str) -> Result<Vec<DecisionRow>, StoreError> {
        self.rows(&format!("SELECT {DECISION} FROM decisions WHERE subject = ?1 ORDER BY seq"), [subject], decision)
    }

    /// Decisions after a place in the order, oldest first.
    pub fn decisions_after(&self, seq: i64, limit: usize) -> Result<Vec<DecisionRow>, StoreError> {
        let sql = format!("SELECT {DECISION} FROM decisions WHERE seq > ?1 ORDER BY seq LIMIT ?2");
        self.rows(&sql, params![seq, limit as i64], decision)
    }

    /// How many decisions are recorded.
    pub fn decision_count(&self) -> Result<usize, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT count(*) FROM decisions")?;
        Ok(statement.query_row([], |row| row.get::<_, i64>(0))? as usize)
    }

    /// Transitions that the ledger has still to record, oldest first.
    pub fn outbox(&self, after_seq: i64, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        let mut found = Vec::new();
        // Batch by batch: rows that are being staged are not even looked at, and each batch is in order already.
        for batch in self.seen_batches()? {
            let mut statement = self.conn.prepare_cached(
                "SELECT seq, bead, actor, at, summary, doc, many, pack FROM outbox INDEXED BY outbox_batch
                 WHERE batch = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
            )?;
            let mut rows = statement.query(params![batch, after_seq, limit as i64])?;
            let enough = found.len().saturating_add(limit);
            while found.len() < enough
                && let Some(r) = rows.next()?
            {
                let seq: i64 = r.get(0)?;
                let (actor, at): (String, Time) = (r.get(2)?, at(r, 3)?);
                let Some(pack) = r.get_ref(7)?.as_blob_or_null().map_err(rusqlite::Error::from)? else {
                    let bead = row::id(&r.get::<_, String>(1)?)?;
                    found.push(OutboxRow { seq, bead, actor, at, summary: r.get(4)?, doc: r.get(5)? });
                    continue;
                };
                let first = (seq - r.get::<_, i64>(6)?).max(after_seq) + 1;
                let all = Pack::open(pack)?;
                let places = seq - all.len() as i64 + 1..;
                found.extend(places.zip(all).filter(|(seq, _)| *seq >= first).map(|(seq, (bead, summary, doc))| {
                    OutboxRow { seq, bead, actor: actor.clone(), at, summary, doc }
                }));
            }
        }
        found.sort_unstable_by_key(|row| row.seq);
        found.truncate(limit);
        Ok(found)
    }

    /// How many transitions the ledger has still to record, and since when.
    pub fn outbox_backlog(&self) -> Result<(usize, Option<Time>), StoreError> {
        self.outbox_backlog_to(usize::MAX >> 1)
    }

    /// As [`Read::outbox_backlog`], counted until there are `at_most`.
    pub fn outbox_backlog_to(&self, at_most: usize) -> Result<(usize, Option<Time>), StoreError> {
        let (mut n, mut first) = (0, None);
        for batch in self.seen_batches()? {
            let mut statement = self.conn.prepare_cached(
                "SELECT (SELECT coalesce(sum(many), 0)
                         FROM (SELECT many FROM outbox INDEXED BY outbox_batch WHERE batch = ?1 LIMIT ?2)),
                        (SELECT seq FROM outbox INDEXED BY outbox_batch WHERE batch = ?1 ORDER BY seq LIMIT 1)",
            )?;
            let (here, seq) = statement.query_row(params![batch, at_most as i64], |r| {
                Ok((r.get::<_, i64>(0)?, r.get::<_, Option<i64>>(1)?))
            })?;
            n += here;
            first = first.into_iter().chain(seq).min();
        }
        let since = match first {
            Some(seq) => self.rows("SELECT at FROM outbox WHERE seq = ?1", [seq], |r| at(r, 0))?.pop(),
            None => None,
        };
        Ok((n as usize, since))
    }
}
