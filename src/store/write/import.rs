//! Rows as they come from elsewhere: with their own times, and edges that may lead anywhere.

use std::collections::{BTreeMap, BTreeSet};

use super::Write;
use crate::base::BeadId;
use crate::store::interchange::Incoming;
use crate::store::stage::Batch;
use crate::store::{Bead, Dep, DepKind, NewDep, StoreError};

impl Write<'_> {
    /// Adds a bead that is not here, with its comments, to a batch.
    pub(in crate::store) fn stage_line(&mut self, batch: Batch, line: &Incoming) -> Result<(), StoreError> {
        self.read.staging = batch.0;
        let bead = &line.bead;
        let num = self.insert(bead)?;
        for comment in &bead.comments {
            self.insert_comment(num, comment)?;
        }
        self.keep_source(num, line)?;
        self.touch(&bead.id, format!("imported: {}", bead.title));
        Ok(())
    }

    /// Draws the edges of a bead of the batch.
    pub(in crate::store) fn stage_edges(&mut self, batch: Batch, bead: &Bead) -> Result<(), StoreError> {
        self.read.staging = batch.0;
        if let Some(parent) = bead.id.parent() {
            let number = bead.id.as_str().rsplit('.').next().and_then(|n| n.parse::<i64>().ok()).unwrap_or(0);
            self.run("UPDATE beads SET next_child = max(next_child, ?2) WHERE id = ?1", (parent.as_str(), number))?;
        }
        for dep in &bead.dependencies {
            self.draw_as_is(bead, dep)?;
        }
        // The ledger file of the first pass lacked them.
        if !bead.dependencies.is_empty() {
            self.run("DELETE FROM outbox WHERE bead = ?1 AND batch = ?2", (bead.id.as_str(), batch.0))?;
            self.touch(&bead.id, format!("imported: {}", bead.title));
        }
        Ok(())
    }

    /// Brings a bead that is here to the state of a newer line. Edges and comments are added, or take
    /// what the line says of them; none is removed.
    pub(in crate::store) fn overwrite(&mut self, line: &Incoming) -> Result<(), StoreError> {
        let old = self.need_stored(&line.bead.id)?;
        let num = old.num;
        let have = old.bead.labels.clone();
        let mut new = line.bead.clone();
        (new.labels, new.dependencies, new.comments) = (have.clone(), Vec::new(), Vec::new());
        let at = new.updated_at;
        self.save(old, new)?;
        for label in have.iter().filter(|label| !line.bead.has_label(label)) {
            self.remove_label(&line.bead.id, label)?;
        }
        for label in &line.bead.labels {
            self.add_label(&line.bead.id, label)?;
        }
        self.overwrite_edges(&line.bead)?;
        self.overwrite_comments(num, &line.bead)?;
        self.run(
            "UPDATE beads SET updated_at = ?2, updated_ns = ?3 WHERE num = ?1",
            (num, at.to_string(), crate::store::row::nanos(at)),
        )?;
        self.keep_source(num, line)?;
        self.touch(&line.bead.id, "imported again");
        Ok(())
    }

    fn overwrite_edges(&mut self, bead: &Bead) -> Result<(), StoreError> {
        let there = self.deps(&bead.id)?;
        for dep in &bead.dependencies {
            match there.iter().find(|d| d.depends_on_id == dep.depends_on_id && d.kind == dep.kind) {
                Some(same) if same == dep => continue,
                Some(_) => {
                    // Its metadata may say anew what it waits for: it is drawn again, and judged.
                    let key = (bead.id.as_str(), dep.depends_on_id.as_str(), dep.kind.as_str());
                    for edge in self.edges("issue_id = ?1 AND depends_on_id = ?2 AND kind = ?3", key)? {
                        self.cut(&edge)?;
                    }
                }
                None => {}
            }
            self.draw_as_is(bead, dep)?;
        }
        Ok(())
    }

    fn overwrite_comments(&mut self, num: i64, bead: &Bead) -> Result<(), StoreError> {
        let said = self.comments(&bead.id)?;
        for comment in &bead.comments {
            let same = said
                .iter()
                .find(|c| c.author == comment.author && c.text == comment.text && c.created_at == comment.created_at);
            let Some(same) = same else {
                self.insert_comment(num, comment)?;
                continue;
            };
            let number = if comment.id == 0 { same.id } else { comment.id };
            if (number, &comment.extra) == (same.id, &same.extra) {
                continue;
            }
            self.advance();
            self.run(
                "UPDATE comments SET id = ?5, other = ?6, added = ?7
                 WHERE bead = ?1 AND author = ?2 AND text = ?3 AND created_at = ?4 AND live = 1",
                (
                    num,
                    &same.author,
                    &same.text,
                    same.created_at.to_string(),
                    number,
                    crate::store::row::packed(&comment.extra),
                    &self.stamp,
                ),
            )?;
        }
        Ok(())
    }

    fn keep_source(&mut self, num: i64, line: &Incoming) -> Result<(), StoreError> {
        match &line.source {
            Some(source) => self.run("INSERT OR REPLACE INTO source_lines VALUES (?1, ?2)", (num, source))?,
            None => self.run("DELETE FROM source_lines WHERE bead = ?1", [num])?,
        };
        Ok(())
    }

    pub(super) fn draw_as_is(&mut self, bead: &Bead, dep: &Dep) -> Result<(), StoreError> {
        let kind = dep.kind.clone();
        self.draw(bead, &NewDep { metadata: dep.metadata.clone(), ..NewDep::new(kind, dep.depends_on_id.clone()) })?;
        self.run(
            "UPDATE deps SET created_at = ?4, created_by = ?5, thread_id = ?6, other = ?7
             WHERE issue_id = ?1 AND depends_on_id = ?2 AND kind = ?3",
            (
                bead.id.as_str(),
                dep.depends_on_id.as_str(),
                dep.kind.as_str(),
                dep.created_at.to_string(),
                &dep.created_by,
                &dep.thread_id,
                crate::store::row::packed(&dep.extra),
            ),
        )?;
        Ok(())
    }

    /// Beads that are their own parents, through others, are held back: their circle's edges count as active,
    /// each for the next, until one of them is removed.
    pub(in crate::store) fn hold_circles<'b>(
        &mut self,
        beads: impl Iterator<Item = &'b Bead>,
    ) -> Result<(), StoreError> {
        let mut parents: BTreeMap<BeadId, Vec<BeadId>> = BTreeMap::new();
        for bead in beads {
            for dep in bead.dependencies.iter().filter(|dep| dep.kind == DepKind::PARENT_CHILD) {
                parents.entry(bead.id.clone()).or_default().push(dep.depends_on_id.clone());
            }
        }
        let starts: Vec<BeadId> = parents.keys().cloned().collect();
        for start in starts {
            // Up from the bead: if that leads back to it, it is in a circle.
            let (mut seen, mut work) = (BTreeSet::new(), parents.get(&start).cloned().unwrap_or_default());
            while let Some(at) = work.pop() {
                if at == start {
                    for edge in self.edges("issue_id = ?1 AND kind = 'parent-child'", [start.as_str()])? {
                        self.set_active(&edge, true)?;
                    }
                    break;
                }
                if seen.insert(at.clone()) {
                    work.extend(self.parents(&at)?);
                }
            }
        }
        Ok(())
    }
}
