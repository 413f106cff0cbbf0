//! Filing the beads of a [`Shape`]: a row costs what writing it costs, nothing is looked up.

use rusqlite::params_from_iter;

use super::Write;
use super::create::{INDEX_TEXT, index_text};
use crate::base::BeadId;
use crate::store::StoreError;
use crate::store::filing::{Filed, Filing};
use crate::store::shape::Shape;
use crate::store::stage::Batch;

impl Write<'_> {
    /// Begins to stage the beads of `shape` below `root`, which was staged in this batch.
    ///
    /// What it gives prepares them without the store, for [`Self::file`].
    pub fn begin_filing<'s>(
        &mut self,
        batch: Batch,
        root: &BeadId,
        shape: &'s Shape,
    ) -> Result<Filing<'s>, StoreError> {
        self.staging_of(batch)?;
        self.run(
            "UPDATE beads SET children = children + ?2, open_children = open_children + ?2, next_child = next_child + ?2
             WHERE id = ?1",
            (root.as_str(), i64::from(shape.top())),
        )?;
        let (by, stamp) = (self.by.clone(), self.stamp.clone());
        Ok(Filing { batch, root: root.clone(), shape, at: by.now.to_string(), by, stamp })
    }

    /// Stages beads that are prepared. Call it in several short transactions, and change nothing else in them.
    pub fn file(&mut self, filing: &Filing<'_>, filed: &Filed) -> Result<(), StoreError> {
        self.staging_of(filing.batch)?;
        let Some(first) = filed.rows.first() else { return Ok(()) };
        let names: Vec<&str> = first.columns.iter().map(|(name, _)| *name).collect();
        let marks = vec!["?"; names.len()].join(", ");
        let sql = format!("INSERT INTO beads ({}) VALUES ({marks})", names.join(", "));
        let mut row = self.conn.prepare_cached(&sql)?;
        let mut text = self.conn.prepare_cached(INDEX_TEXT)?;
        let mut label = self.conn.prepare_cached("INSERT INTO labels (bead, label, added) VALUES (?1, ?2, ?3)")?;
        let mut dep = self.conn.prepare_cached(
            "INSERT INTO deps (issue_id, depends_on_id, kind, batch, active, spawner, any_child, created_at, created_by,
                 metadata, added) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        let (batch, actor) = (filing.batch.0, &filing.by.actor);
        for ready in &filed.rows {
            if filing.shape.is_named() && self.is_taken(&ready.bead.id)? {
                return Err(StoreError::Exists(ready.bead.id.clone()));
            }
            row.execute(params_from_iter(ready.columns.iter().map(|(_, value)| value)))?;
            let num = self.conn.last_insert_rowid();
            for name in &ready.bead.labels {
                label.execute((num, name, &filing.stamp))?;
            }
            index_text(&mut text, num, &ready.bead)?;
            for edge in &ready.edges {
                dep.execute((
                    ready.bead.id.as_str(),
                    edge.target.as_str(),
                    edge.kind.as_str(),
                    batch,
                    edge.active,
                    &edge.spawner,
                    edge.any_child,
                    &filing.at,
                    actor,
                    &edge.metadata,
                    &filing.stamp,
                ))?;
            }
        }
        if let Some((many, pack)) = &filed.pack {
            // Each of them has a place of its own in the order.
            self.run(
                "INSERT INTO outbox (seq, batch, bead, actor, at, summary, doc, many, pack)
                 VALUES (?7 + (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'),
                         ?1, ?2, ?3, ?4, '', '', ?5, ?6)",
                (batch, filing.root.as_str(), actor, &filing.at, *many as i64, pack, *many as i64),
            )?;
        }
        Ok(())
    }
}
