//! The outbox: one row for each bead that a transaction changed, wisps left out.

use super::Write;
use crate::base::{BeadId, text};
use crate::store::{StoreError, doc};

impl Write<'_> {
    /// Writes the ledger file of every changed bead.
    pub(super) fn flush_outbox(&mut self) -> Result<(), StoreError> {
        for (id, what) in std::mem::take(&mut self.dirty) {
            let Some(stored) = self.stored(&id)? else { continue };
            if stored.bead.ephemeral {
                continue;
            }
            let summary = format!("{id}: {}", text::headline(&what.join("; "), 160));
            let batch = if self.is_published(stored.batch)? { 0 } else { stored.batch };
            let doc = doc::ledger_file(self, &stored)?;
            self.run(
                "INSERT INTO outbox (batch, bead, actor, at, summary, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (batch, id.as_str(), &self.by.actor, self.by.now.to_string(), summary, doc),
            )?;
        }
        Ok(())
    }

    /// Lets the ledger record beads as they stand, though nothing of them changed.
    pub fn record_anew(&mut self, ids: &[BeadId]) -> Result<(), StoreError> {
        for id in ids {
            self.touch(id, "recorded anew");
        }
        Ok(())
    }

    /// Drops exactly these outbox rows: the ledger has them. A batch published in the meantime keeps its own.
    pub fn ack_outbox_rows(&mut self, seqs: &[i64]) -> Result<(), StoreError> {
        let mut statement = self.conn.prepare_cached("DELETE FROM outbox WHERE seq = ?1")?;
        for seq in seqs {
            statement.execute([seq])?;
        }
        Ok(())
    }

    /// Drops outbox rows up to and including `seq`: the ledger has them.
    pub fn ack_outbox(&mut self, seq: i64) -> Result<usize, StoreError> {
        self.run("DELETE FROM outbox WHERE seq <= ?1 AND (batch = 0 OR batch IN (SELECT id FROM batches WHERE state = 'published'))", [seq])
    }
}
