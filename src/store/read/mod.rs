//! Questions to one snapshot of the store; one topic, one file.

mod blocked;
mod edges;
mod events;
pub(super) mod find;
pub(super) mod gates;
mod local;
pub(super) mod ready;
mod resolve;
pub(super) mod search;
pub(super) mod tally;

use rusqlite::{Connection, OptionalExtension};

use super::order::{self, Said};
use super::row::{COLUMNS, Stored};
use super::{Bead, Comment, StoreError};
use crate::base::{BeadId, Prefix};

/// One snapshot of the store: all answers are from the same moment.
#[derive(Debug)]
pub struct Read<'a> {
    pub(super) conn: &'a Connection,
    /// The batch that is being staged by this transaction, whose beads it may see; 0 for none.
    pub(super) staging: i64,
}

/// The batches beside 0 whose rows are seen.
macro_rules! seen_batches {
    () => {
        "SELECT id FROM batches WHERE state IN ('published', 'leaving')"
    };
}
pub(super) use seen_batches;

/// The condition that a row of `b` is not part of a batch that is hidden.
pub(super) const SEEN: &str = concat!("(b.batch = 0 OR b.batch IN (", seen_batches!(), "))");

impl<'a> Read<'a> {
    pub(super) fn new(conn: &'a Connection) -> Self {
        Self { conn, staging: 0 }
    }

    /// The bead of this id; deleted ones too.
    pub fn bead(&self, id: &BeadId) -> Result<Option<Bead>, StoreError> {
        Ok(self.stored(id)?.map(|stored| stored.bead))
    }

    /// The bead of this id, or an error that names the like.
    pub fn need(&self, id: &BeadId) -> Result<Bead, StoreError> {
        Ok(self.need_stored(id)?.bead)
    }

    /// The bead with its dependencies and comments filled in.
    pub fn whole(&self, id: &BeadId) -> Result<Bead, StoreError> {
        let mut bead = self.need(id)?;
        bead.dependencies = self.deps(id)?;
        bead.comments = self.comments(id)?;
        Ok(bead)
    }

    /// The store's own prefix.
    pub fn prefix(&self) -> Result<Prefix, StoreError> {
        let text = self.setting("issue_prefix")?.unwrap_or_else(|| "bd".to_owned());
        Prefix::new(text).map_err(|e| StoreError::Damaged { path: "beads.db".into(), detail: e.to_string() })
    }

    /// Its labels, sorted.
    pub fn labels(&self, id: &BeadId) -> Result<Vec<String>, StoreError> {
        Ok(self.need(id)?.labels)
    }

    /// All labels in use, with how many beads carry each, by name.
    pub fn label_counts(&self) -> Result<Vec<(String, usize)>, StoreError> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT l.label, count(*) FROM labels l JOIN beads b ON b.num = l.bead
             WHERE l.live = 1 AND {SEEN} AND b.status <> 'tombstone' GROUP BY l.label ORDER BY l.label"
        ))?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as usize)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Its comments, oldest first.
    pub fn comments(&self, id: &BeadId) -> Result<Vec<Comment>, StoreError> {
        Ok(self.said(id)?.into_iter().map(|said| said.comment).collect())
    }

    /// As [`Self::comments`], with their rows.
    pub(super) fn said(&self, id: &BeadId) -> Result<Vec<Said>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT c.id, c.author, c.text, c.created_at, c.other, c.num, c.uid
             FROM comments c JOIN beads b ON b.num = c.bead WHERE b.id = ?1 AND c.live = 1",
        )?;
        let mut rows = statement.query([id.as_str()])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let comment = Comment {
                id: row.get(0)?,
                issue_id: id.clone(),
                author: row.get(1)?,
                text: row.get(2)?,
                created_at: super::row::time(row, 3)?.unwrap_or(crate::base::Time::from_millis(0)),
                extra: super::row::unpacked(&row.get::<_, String>(4)?)?,
            };
            all.push(Said { row: row.get(5)?, uid: row.get(6)?, comment });
        }
        Ok(order::list(all))
    }

    pub(super) fn stored(&self, id: &BeadId) -> Result<Option<Stored>, StoreError> {
        let mut statement = self.conn.prepare_cached(&format!("SELECT {COLUMNS} FROM beads b WHERE b.id = ?1"))?;
        let mut rows = statement.query([id.as_str()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let stored = Stored::read(row)?;
        if stored.batch != 0 && stored.batch != self.staging && !self.is_seen(stored.batch)? {
            return Ok(None);
        }
        Ok(Some(stored))
    }

    pub(super) fn need_stored(&self, id: &BeadId) -> Result<Stored, StoreError> {
        match self.stored(id)? {
            Some(stored) => Ok(stored),
            None => Err(self.not_found(id.as_str())?),
        }
    }

    /// Whether the rows of a batch are seen.
    pub(super) fn is_seen(&self, batch: i64) -> Result<bool, StoreError> {
        Ok(self.conn.prepare_cached(concat!(seen_batches!(), " AND id = ?1"))?.exists([batch])?)
    }

    /// Whether a bead is here that is not seen.
    pub fn is_hidden(&self, id: &BeadId) -> Result<bool, StoreError> {
        let there = self.conn.prepare_cached("SELECT 1 FROM beads WHERE id = ?1")?.exists([id.as_str()])?;
        Ok(there && self.stored(id)?.is_none())
    }

    /// The state of a batch; none when there is no such batch.
    pub(super) fn state_of(&self, batch: super::Batch) -> Result<Option<String>, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT state FROM batches WHERE id = ?1")?;
        Ok(statement.query_row([batch.0], |r| r.get(0)).optional()?)
    }

    /// Batches with this note that are on their way in or out: their work did not end, or goes on now.
    pub fn staged(&self, note: &str) -> Result<Vec<super::Batch>, StoreError> {
        self.rows("SELECT id FROM batches WHERE state <> 'published' AND note = ?1", [note], |r| {
            Ok(super::Batch(r.get(0)?))
        })
    }

    /// Batches that were begun before `before` and are on their way in or out.
    pub fn staged_before(&self, before: crate::base::Time) -> Result<Vec<super::Batch>, StoreError> {
        let all = self.rows("SELECT id, created_at FROM batches WHERE state <> 'published'", [], |r| {
            Ok((super::Batch(r.get(0)?), super::row::parse_time(&r.get::<_, String>(1)?)?))
        })?;
        Ok(all.into_iter().filter(|(_, at)| *at < before).map(|(batch, _)| batch).collect())
    }

    /// Whether bulk work is being staged, was left, or is still to be merged into the beads that are seen.
    pub fn has_batches(&self) -> Result<bool, StoreError> {
        Ok(self.conn.prepare_cached("SELECT 1 FROM batches LIMIT 1")?.exists([])?)
    }

    /// Whether a published batch is still to be merged into the beads that are seen: see `Write::settle`.
    pub fn is_unsettled(&self) -> Result<bool, StoreError> {
        Ok(self.unsettled()?.is_some())
    }

    /// A published batch that is still to be merged.
    pub(super) fn unsettled(&self) -> Result<Option<super::Batch>, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT id FROM batches WHERE state = 'published' LIMIT 1")?;
        Ok(statement.query_row([], |r| Ok(super::Batch(r.get(0)?))).optional()?)
    }

    /// The batches whose beads are seen: 0, those published but not yet merged into it, and those about to go.
    pub(super) fn seen_batches(&self) -> Result<Vec<i64>, StoreError> {
        let mut statement = self.conn.prepare_cached(seen_batches!())?;
        let mut seen = vec![0];
        for id in statement.query_map([], |row| row.get(0))? {
            seen.push(id?);
        }
        Ok(seen)
    }
}
