//! The outbox: one row for each bead that a transaction changed, wisps left out.

use rusqlite::OptionalExtension as _;

use super::Write;
use crate::base::{BeadId, text};
use crate::store::{StoreError, doc};

impl Write<'_> {
    /// Writes the ledger file of every changed bead.
    pub(super) fn flush_outbox(&mut self) -> Result<(), StoreError> {
        for (id, what) in self.dirty.take() {
            let Some(stored) = self.stored(&id)? else { continue };
            if stored.bead.ephemeral {
                continue;
            }
            let summary = format!("{id}: {}", text::headline(&what.join("; "), 160));
            let batch = if stored.batch == 0 || self.is_seen(stored.batch)? { 0 } else { stored.batch };
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

    /// Drops exactly these outbox rows, which are in order: the ledger has them. A batch published in the meantime
    /// keeps its own.
    pub fn ack_outbox_rows(&mut self, seqs: &[i64]) -> Result<(), StoreError> {
        let mut single = self.conn.prepare_cached("DELETE FROM outbox WHERE seq = ?1 AND pack IS NULL")?;
        let mut left = seqs;
        while let [seq, rest @ ..] = left {
            left = rest;
            if single.execute([seq])? == 0 {
                left = self.ack_pack(*seq, rest)?;
            }
        }
        Ok(())
    }

    /// Drops from the pack that holds `seq` this one and those of `more` that it holds; gives the others.
    fn ack_pack<'a>(&self, seq: i64, more: &'a [i64]) -> Result<&'a [i64], StoreError> {
        let mut pack = self.conn.prepare_cached(
            "SELECT seq FROM (SELECT seq, many, pack FROM outbox WHERE seq >= ?1 ORDER BY seq LIMIT 1)
             WHERE pack IS NOT NULL AND seq - many < ?1",
        )?;
        let Some(end) = pack.query_row([seq], |r| r.get::<_, i64>(0)).optional()? else { return Ok(more) };
        let (here, others) = more.split_at(more.partition_point(|seq| *seq <= end));
        let recorded = here.last().copied().unwrap_or(seq);
        if recorded == end {
            self.run("DELETE FROM outbox WHERE seq = ?1", [end])?;
        } else {
            self.run("UPDATE outbox SET many = seq - ?2 WHERE seq = ?1", (end, recorded))?;
        }
        Ok(others)
    }
}
