//! Taking a bead over from its ledger file, stamps and all: for a sync, and for a store made anew.
//!
//! Nothing taken over goes to the outbox: the ledger has it. Only what follows from it does, such as a gate that opens.
//! The store's clock moves past all that it has seen, so that what is written here next counts as later, whatever the
//! machines' clocks say.

use serde_json::Value;

use super::Write;
use super::blocking::waits_for;
use crate::base::{BeadId, Time};
use crate::store::doc::{LedgerDoc, Span};
use crate::store::row::{self, Stored};
use crate::store::stage::Batch;
use crate::store::{Dep, DepKind, StoreError};

impl Write<'_> {
    /// Brings beads to what their ledger files say. Merge a file with [`super::super::Read::ledger_doc`] first, in the
    /// same transaction, or what is newer here is overwritten and members that it does not know stay; another bead's file
    /// comes after [`Self::make_way`].
    pub fn adopt(&mut self, docs: &[LedgerDoc]) -> Result<(), StoreError> {
        let dirty = std::mem::take(&mut self.dirty);
        let mut were_wisps = Vec::new();
        for doc in docs {
            let id = &doc.bead.id;
            if self.stored(id)?.is_some_and(|stored| stored.bead.ephemeral) {
                were_wisps.push(id);
            }
            self.adopt_bead(doc)?;
        }
        docs.iter().try_for_each(|doc| self.adopt_edges(doc))?;
        self.hold_circles(docs.iter().map(|doc| &doc.bead))?;
        self.dirty = dirty;
        were_wisps.into_iter().try_for_each(|id| self.lasts_now(id))?;
        self.follow(docs)?;
        // This the ledger has not: it is a change of our own, later than all that came.
        self.open_gates_of(docs)
    }

    /// Adds beads that are not here to a batch; their edges come with [`Self::stage_adopted_edges`], when all are in.
    pub fn stage_adopted(&mut self, batch: Batch, docs: &[LedgerDoc]) -> Result<(), StoreError> {
        self.read.staging = batch.0;
        let dirty = std::mem::take(&mut self.dirty);
        docs.iter().try_for_each(|doc| self.adopt_bead(doc))?;
        self.dirty = dirty;
        self.follow(docs)
    }

    /// Draws the edges of beads of a batch.
    pub fn stage_adopted_edges(&mut self, batch: Batch, docs: &[LedgerDoc]) -> Result<(), StoreError> {
        self.read.staging = batch.0;
        let dirty = std::mem::take(&mut self.dirty);
        docs.iter().try_for_each(|doc| self.adopt_edges(doc))?;
        self.dirty = dirty;
        Ok(())
    }

    /// Holds back the beads of a published batch that are their own parents, through others.
    pub fn hold_adopted_circles(&mut self, docs: &[LedgerDoc]) -> Result<(), StoreError> {
        self.hold_circles(docs.iter().map(|doc| &doc.bead))
    }

    /// Moves the clock past everything that `docs` have seen.
    fn follow(&mut self, docs: &[LedgerDoc]) -> Result<(), StoreError> {
        let seen = docs.iter().map(LedgerDoc::newest).max().unwrap_or_default();
        if seen > self.tick {
            self.tick = seen;
            self.advance();
        }
        self.run("UPDATE meta SET value = max(value, ?1) WHERE key = 'clock'", [self.tick.to_int()])?;
        Ok(())
    }

    /// The row, the labels and the comments of a bead, and what its status means for others.
    fn adopt_bead(&mut self, doc: &LedgerDoc) -> Result<(), StoreError> {
        let bead = &doc.bead;
        let old = self.stored(&bead.id)?;
        let num = match &old {
            Some(old) => {
                self.adopt_row(old, doc)?;
                old.num
            }
            None => self.insert(bead)?,
        };
        let clock = Value::Object(doc.clock.clone()).to_string();
        self.run("UPDATE beads SET stamps = ?2 WHERE num = ?1", (num, clock))?;
        for (label, span) in &doc.labels {
            self.run(
                "INSERT INTO labels (bead, label, live, added, removed) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (bead, label) DO UPDATE SET live = excluded.live, added = excluded.added,
                     removed = excluded.removed",
                (num, label, bead.has_label(label), &span.added, &span.removed),
            )?;
        }
        for (uid, span, said) in &doc.comments {
            let (id, author, text, at) = match said {
                Some(said) => (said.id, said.author.as_str(), said.text.as_str(), said.created_at.clone()),
                None => (0, "", "", Time::from_millis(0).to_string()),
            };
            let other = said.as_ref().map_or_else(String::new, |said| row::packed(&said.other));
            let at = if at.parse::<Time>().is_ok() { at } else { Time::from_millis(0).to_string() };
            self.run(
                "INSERT INTO comments (bead, uid, id, author, text, created_at, live, added, removed, other)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                 ON CONFLICT (bead, uid) DO UPDATE SET live = excluded.live, added = excluded.added,
                     removed = excluded.removed,
                     id = CASE WHEN excluded.live THEN excluded.id ELSE id END,
                     other = CASE WHEN excluded.live THEN excluded.other ELSE other END",
                (num, uid, id, author, text, at, said.is_some(), &span.added, &span.removed, other),
            )?;
        }
        Ok(())
    }

    /// Overwrites the row of a bead that is here, and tells of what changed.
    fn adopt_row(&mut self, old: &Stored, doc: &LedgerDoc) -> Result<(), StoreError> {
        let new = &doc.bead;
        let (mut sets, mut values) = (Vec::new(), Vec::new());
        for (column, value) in row::values(new) {
            sets.push(format!("{column} = ?"));
            values.push(value);
        }
        let over = new.defer_until.is_some_and(|t| t <= self.by.now);
        values.extend([i64::from(over).into(), old.num.into()]);
        let sql = format!("UPDATE beads SET {}, defer_over = ? WHERE num = ?", sets.join(", "));
        self.run(&sql, rusqlite::params_from_iter(values))?;
        self.index_text(old.num, new)?;
        self.tell_difference(&old.bead, new)?;
        if old.bead.status != new.status || old.bead.close_reason != new.close_reason {
            self.judge_status(&new.id, &old.bead.status, &new.status)?;
        }
        Ok(())
    }

    fn adopt_edges(&mut self, doc: &LedgerDoc) -> Result<(), StoreError> {
        let id = &doc.bead.id;
        if let (Some(parent), Some(number)) = (id.parent(), id.as_str().rsplit('.').next().and_then(|n| n.parse().ok()))
        {
            let number: i64 = number;
            self.run("UPDATE beads SET next_child = max(next_child, ?2) WHERE id = ?1", (parent.as_str(), number))?;
        }
        for (target, kind, span, dep) in &doc.deps {
            let here = self.edges(
                "issue_id = ?1 AND depends_on_id = ?2 AND kind = ?3",
                (id.as_str(), target.as_str(), kind.as_str()),
            )?;
            match (here.first(), dep) {
                (Some(edge), None) => self.cut(edge)?,
                (None, Some(dep)) => self.draw_as_is(&doc.bead, dep)?,
                (Some(edge), Some(dep)) => {
                    // What it waits for may be another bead now: it is judged anew.
                    if (edge.spawner.clone(), edge.any_child) != waits_for(kind, target, &dep.metadata) {
                        self.cut(edge)?;
                        self.draw_as_is(&doc.bead, dep)?;
                    }
                }
                (None, None) => {}
            }
            self.stamp_edge(id, target, kind, span, dep.as_ref())?;
        }
        Ok(())
    }

    /// Sets the stamps and particulars of an edge; makes the row of a removed one that was never here.
    fn stamp_edge(
        &mut self,
        issue: &BeadId,
        target: &BeadId,
        kind: &DepKind,
        span: &Span,
        dep: Option<&Dep>,
    ) -> Result<(), StoreError> {
        let none = Time::from_millis(0);
        self.run(
            "INSERT INTO deps (issue_id, depends_on_id, kind, batch, live, created_at, added, removed)
             VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7)
             ON CONFLICT (issue_id, depends_on_id, kind) DO UPDATE SET added = excluded.added, removed = excluded.removed",
            (
                issue.as_str(),
                target.as_str(),
                kind.as_str(),
                self.staging,
                none.to_string(),
                &span.added,
                &span.removed,
            ),
        )?;
        if let Some(dep) = dep {
            let (spawner, any_child) = waits_for(kind, target, &dep.metadata);
            self.run(
                "UPDATE deps SET created_at = ?4, created_by = ?5, metadata = ?6, thread_id = ?7, spawner = ?8, any_child = ?9, other = ?10
                 WHERE issue_id = ?1 AND depends_on_id = ?2 AND kind = ?3",
                rusqlite::params![
                    issue.as_str(),
                    target.as_str(),
                    kind.as_str(),
                    dep.created_at.to_string(),
                    dep.created_by,
                    dep.metadata,
                    dep.thread_id,
                    spawner,
                    any_child,
                    row::packed(&dep.extra)
                ],
            )?;
        }
        Ok(())
    }
}
