//! Bulk work: staged in several short transactions, published in one.

use super::Write;
use super::blocking::Edge;
use crate::base::BeadId;
use crate::store::stage::Batch;
use crate::store::{DepKind, NewBead, StoreError, row};

/// A batch of at most so many beads is merged into the visible ones when it is published.
const SMALL: i64 = 1_000;
/// Some beads of a batch (`?1`, at most `?2` of them), always the same ones until they change. It is said twice that the
/// batch is not 0, for only what stands in the statement itself lets the index be used.
pub(super) const SOME: &str = "FROM beads INDEXED BY batched WHERE batch = ?1 AND batch <> 0 ORDER BY num LIMIT ?2";

impl Write<'_> {
    /// Begins a batch of beads that nobody sees yet.
    pub fn new_batch(&mut self, note: &str) -> Result<Batch, StoreError> {
        let now = self.by.now.to_string();
        self.run("INSERT INTO batches (state, note, created_at) VALUES ('staged', ?1, ?2)", (note, now))?;
        Ok(Batch(self.conn.last_insert_rowid()))
    }

    /// Adds beads to a batch; their edges may lead to beads of the batch and to visible ones.
    ///
    /// Call it in several short transactions, and change nothing else in them.
    pub fn stage(&mut self, batch: Batch, beads: Vec<NewBead>) -> Result<Vec<BeadId>, StoreError> {
        self.staging_of(batch)?;
        beads.into_iter().map(|bead| Ok(self.create(bead)?.id)).collect()
    }

    /// What is filed from here on belongs to this batch.
    pub(super) fn staging_of(&mut self, batch: Batch) -> Result<(), StoreError> {
        if !self.conn.prepare_cached("SELECT 1 FROM batches WHERE id = ?1 AND state = 'staged'")?.exists([batch.0])? {
            return Err(StoreError::invalid("batch", "it is not being staged"));
        }
        self.read.staging = batch.0;
        Ok(())
    }

    /// Makes a batch visible, all at once.
    pub fn publish(&mut self, batch: Batch) -> Result<(), StoreError> {
        self.read.staging = 0;
        if self.run("UPDATE batches SET state = 'published' WHERE id = ?1 AND state = 'staged'", [batch.0])? == 0 {
            return Err(StoreError::invalid("batch", "it is not being staged"));
        }
        let crossing = self.edges("num IN (SELECT dep FROM batch_edges WHERE batch = ?1)", [batch.0])?;
        for edge in &crossing {
            self.cross(edge)?;
        }
        self.run("DELETE FROM batch_edges WHERE batch = ?1", [batch.0])?;
        let n: i64 = self.conn.query_row(
            "SELECT count(*) FROM (SELECT 1 FROM beads INDEXED BY batched WHERE batch = ?1 AND batch <> 0 LIMIT ?2)",
            (batch.0, SMALL + 1),
            |r| r.get(0),
        )?;
        self.open_gates_met()?;
        self.emit("published", &format!("batch:{}", batch.0), serde_json::json!({ "small": n <= SMALL }))?;
        if n <= SMALL {
            self.settle_batch(batch, usize::MAX)?;
        }
        Ok(())
    }

    /// Judges an edge that leads out of a batch, now that its end is seen.
    fn cross(&mut self, edge: &Edge) -> Result<(), StoreError> {
        if edge.kind == DepKind::PARENT_CHILD {
            let open = self.stored(&row::id(&edge.issue)?)?.is_some_and(|child| !child.bead.is_over());
            self.count_child(&edge.target, 1, i64::from(open))?;
        }
        let active = self.judge(edge)?;
        if active != edge.active {
            self.set_active(edge, active)?;
        }
        Ok(())
    }

    /// As [`Self::settle_batch`], of whichever published batch; true when more of any is left.
    pub fn settle(&mut self, limit: usize) -> Result<bool, StoreError> {
        let Some(batch) = self.unsettled()? else { return Ok(false) };
        self.settle_batch(batch, limit)?;
        self.is_unsettled()
    }

    /// Merges up to `limit` beads of a published batch into the visible ones, and then as many of the transitions that
    /// the ledger has still to record; true when more of it is left. Other batches stay as they are: one of them may
    /// be a molecule of a million beads.
    ///
    /// Nothing changes for readers, except that their queries have fewer batches to look at. Whoever is cut off in
    /// between leaves a published batch with the rest in it.
    pub fn settle_batch(&mut self, batch: Batch, limit: usize) -> Result<bool, StoreError> {
        let published = |w: &Self| Ok::<_, StoreError>(w.state_of(batch)?.as_deref() == Some("published"));
        if !published(self)? {
            return Ok(false);
        }
        let Batch(id) = batch;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.run(&format!("UPDATE deps SET batch = 0 WHERE issue_id IN (SELECT id {SOME})"), (id, limit))?;
        let moved = self.run(&format!("UPDATE beads SET batch = 0 WHERE num IN (SELECT num {SOME})"), (id, limit))?;
        let limit = limit - moved as i64;
        if limit > 0 {
            // A row stands for at least one transition, a pack for many.
            self.run(
                "UPDATE outbox SET batch = 0 WHERE seq IN (
                     SELECT seq FROM (SELECT seq, sum(many) OVER (ORDER BY seq) - many AS before
                                      FROM (SELECT seq, many FROM outbox INDEXED BY outbox_batch
                                            WHERE batch = ?1 ORDER BY seq LIMIT ?2))
                     WHERE before < ?2)",
                (id, limit),
            )?;
            self.run("DELETE FROM batches WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM outbox WHERE batch = ?1)", [id])?;
        }
        published(self)
    }

    /// Drops a batch that was not published.
    pub fn discard(&mut self, batch: Batch) -> Result<(), StoreError> {
        self.discard_some(batch, usize::MAX).map(|_| ())
    }

    /// Drops up to `limit` beads of a batch that is hidden; true when more are left. Of one that was staged nobody saw
    /// any of them; of one that is gone, nobody sees them any more.
    pub fn discard_some(&mut self, batch: Batch, limit: usize) -> Result<bool, StoreError> {
        if self.state_of(batch)?.as_deref() == Some("gone") {
            return self.discard_gone(batch, limit);
        }
        self.staging_of(batch)?;
        self.read.staging = 0;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        for (table, key) in [("bead_text", "rowid"), ("labels", "bead"), ("comments", "bead")] {
            self.run(&format!("DELETE FROM {table} WHERE {key} IN (SELECT num {SOME})"), (batch.0, limit))?;
        }
        self.run(&format!("DELETE FROM deps WHERE issue_id IN (SELECT id {SOME})"), (batch.0, limit))?;
        let few = "DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox WHERE batch = ?1 ORDER BY seq LIMIT ?2)";
        self.run(few, (batch.0, limit))?;
        if self.run(&format!("DELETE FROM beads WHERE num IN (SELECT num {SOME})"), (batch.0, limit))? as i64 == limit {
            return Ok(true);
        }
        for table in ["outbox", "batch_edges", "batches"] {
            let key = if table == "batches" { "id" } else { "batch" };
            self.run(&format!("DELETE FROM {table} WHERE {key} = ?1"), [batch.0])?;
        }
        Ok(false)
    }

    /// Whether `id` is a bead of the batch that is being staged.
    pub(super) fn is_staged(&self, id: &BeadId) -> Result<bool, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT 1 FROM beads WHERE id = ?1 AND batch = ?2")?;
        Ok(statement.exists((id.as_str(), self.staging))?)
    }
}
