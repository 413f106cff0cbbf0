//! Bulk work the other way: beads that go together are gathered in several short transactions while all see them, and
//! hidden in one. What is left of them is removed in short transactions again.

use super::Write;
use super::stage::SOME;
use crate::base::BeadId;
use crate::store::read::SEEN;
use crate::store::read::find::Where;
use crate::store::stage::Batch;
use crate::store::{Read, StoreError, row};

/// Who took a batch away and why: of a local table, by the id of the batch.
const TABLE: &str = "leaving";

/// Edges of which one end goes and the other stays.
#[derive(Debug)]
pub struct Crossing(Vec<i64>);

impl Read<'_> {
    /// The beads below one, in no order, deleted ones left out: their ids alone, for there may be a million.
    pub fn ids_below(&self, top: &BeadId) -> Result<Vec<BeadId>, StoreError> {
        let mut below = Where::default();
        below.under(Some(top));
        let sql = format!("SELECT b.id FROM beads b WHERE {} AND {SEEN} AND b.status <> 'tombstone'", below.sql);
        self.rows(&sql, rusqlite::params_from_iter(below.values), |r| row::id(&r.get::<_, String>(0)?))
    }

    /// The edges between the beads of a batch and others. Looks at every edge of the batch: ask before the transaction
    /// that hides it.
    pub fn crossing(&self, batch: Batch) -> Result<Crossing, StoreError> {
        let sql = format!(
            "SELECT num FROM deps d WHERE live = 1 AND issue_id IN (SELECT id {SOME})
               AND EXISTS (SELECT 1 FROM beads b WHERE b.id = d.depends_on_id AND b.batch <> ?1)
             UNION ALL
             SELECT num FROM deps d WHERE live = 1 AND batch <> ?1 AND depends_on_id IN (SELECT id {SOME})"
        );
        Ok(Crossing(self.rows(&sql, (batch.0, -1), |r| Ok(r.get(0)?))?))
    }
}

impl Write<'_> {
    /// Begins a batch of beads that are seen, and are to go together.
    pub fn new_leaving(&mut self, note: &str) -> Result<Batch, StoreError> {
        let batch = self.new_batch(note)?;
        self.run("UPDATE batches SET state = 'leaving' WHERE id = ?1", [batch.0])?;
        Ok(batch)
    }

    /// Adds a bead and the edges that start at it to a batch that is leaving.
    pub fn gather(&mut self, batch: Batch, id: &BeadId) -> Result<(), StoreError> {
        self.run("UPDATE beads SET batch = ?1 WHERE id = ?2", (batch.0, id.as_str()))?;
        self.run("UPDATE deps SET batch = ?1 WHERE issue_id = ?2", (batch.0, id.as_str()))?;
        Ok(())
    }

    /// Lets a batch stay that was to leave: its beads are settled as those of any other. False when it is not leaving.
    pub fn stay(&mut self, batch: Batch) -> Result<bool, StoreError> {
        Ok(self.run("UPDATE batches SET state = 'published' WHERE id = ?1 AND state = 'leaving'", [batch.0])? > 0)
    }

    /// Takes a batch that is leaving out of sight, all at once, and removes the edges to what stays; of those to a wisp
    /// nothing stays either. An edge that was drawn since `crossing` was asked for goes when the bead is discarded.
    /// Refused while a bead of it is on a hook, or a molecule that a bead on a hook is gone through with.
    pub fn hide(&mut self, batch: Batch, crossing: Crossing, reason: &str) -> Result<(), StoreError> {
        let hooked = self.rows(
            "SELECT h.agent, b.id FROM hooks h JOIN beads b ON b.id IN (h.bead, h.molecule) WHERE b.batch = ?1 LIMIT 1",
            [batch.0],
            |r| Ok(StoreError::Hooked { agent: r.get(0)?, bead: row::id(&r.get::<_, String>(1)?)? }),
        )?;
        if let Some(refused) = hooked.into_iter().next() {
            return Err(refused);
        }
        for num in crossing.0 {
            for edge in self.edges("num = ?1", [num])? {
                self.unlink(&edge)?;
                self.run(
                    "DELETE FROM deps WHERE num = ?1 AND EXISTS (
                         SELECT 1 FROM beads b WHERE b.id = depends_on_id AND b.batch = ?2 AND b.ephemeral = 1)",
                    (num, batch.0),
                )?;
            }
        }
        if self.run("UPDATE batches SET state = 'gone' WHERE id = ?1 AND state = 'leaving'", [batch.0])? == 0 {
            return Err(StoreError::invalid("batch", "it is not leaving"));
        }
        let who = serde_json::json!([self.by.actor, reason]);
        self.put_local(TABLE, &batch.0.to_string(), &who)
    }

    /// [`Self::discard_some`] of a batch that is gone.
    pub(super) fn discard_gone(&mut self, batch: Batch, limit: usize) -> Result<bool, StoreError> {
        let key = batch.0.to_string();
        let (actor, reason) = self.local_or_none::<(String, String)>(TABLE, &key)?.unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let some = self.rows(&format!("SELECT num, id, ephemeral {SOME}"), (batch.0, limit), |r| {
            Ok((r.get::<_, i64>(0)?, row::id(&r.get::<_, String>(1)?)?, r.get::<_, bool>(2)?))
        })?;
        // To this transaction the beads are still there.
        self.read.staging = batch.0;
        for (num, id, ephemeral) in &some {
            if *ephemeral {
                self.erase_gone(batch, id, *num)?;
            } else {
                self.delete_for(id, &actor, &reason)?;
                self.run("UPDATE beads SET batch = 0 WHERE num = ?1", [num])?;
                self.run("UPDATE deps SET batch = 0 WHERE issue_id = ?1", [id.as_str()])?;
            }
        }
        if some.len() as i64 == limit {
            return Ok(true);
        }
        self.run("DELETE FROM batches WHERE id = ?1", [batch.0])?;
        self.delete_local(TABLE, &key)?;
        Ok(false)
    }

    /// Removes the rows of a wisp that is gone. Its edges to others that are gone need no care, those to others do.
    fn erase_gone(&mut self, batch: Batch, id: &BeadId, num: i64) -> Result<(), StoreError> {
        let late = "num IN (
            SELECT num FROM deps d WHERE issue_id = ?1 AND live = 1
               AND EXISTS (SELECT 1 FROM beads b WHERE b.id = d.depends_on_id AND b.batch <> ?2)
            UNION ALL SELECT num FROM deps WHERE depends_on_id = ?1 AND live = 1 AND batch <> ?2)";
        for edge in self.edges(late, (id.as_str(), batch.0))? {
            self.unlink(&edge)?;
        }
        self.erase_rows(id, num)
    }
}
