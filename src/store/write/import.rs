//! Rows as they come from elsewhere: with their own times, and edges that may lead anywhere.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Write;
use crate::base::BeadId;
use crate::store::interchange::{Incoming, shown};
use crate::store::stage::Batch;
use crate::store::{Bead, Comment, Dep, DepKind, Map, NewDep, Read, StoreError};

/// Local table: the edges that a line showed last, by bead.
pub(super) const SHOWN: &str = "shown_edges";

impl Read<'_> {
    /// Which edges the last line of each bead showed; a note that cannot be read is none.
    pub(in crate::store) fn shown_edges(&self) -> Result<HashMap<String, Vec<String>>, StoreError> {
        let noted = self.local_texts(SHOWN)?;
        Ok(noted.into_iter().filter_map(|(id, text)| Some((id, serde_json::from_str(&text).ok()?))).collect())
    }
}

impl Write<'_> {
    /// Adds a bead that is not here, with its comments, to a batch. The ledger gets it with its edges.
    pub(in crate::store) fn stage_line(&mut self, batch: Batch, line: &Incoming) -> Result<(), StoreError> {
        self.read.staging = batch.0;
        let bead = &line.bead;
        self.begin_line(bead.updated_at);
        let num = self.insert(bead)?;
        for comment in &bead.comments {
            self.insert_comment(num, comment)?;
        }
        self.end_line();
        self.keep_source(num, line)
    }

    /// Draws the edges of a bead of the batch, and lets the ledger record it as a whole.
    pub(in crate::store) fn stage_edges(&mut self, batch: Batch, bead: &Bead) -> Result<(), StoreError> {
        self.read.staging = batch.0;
        if let Some(parent) = bead.id.parent() {
            let number = bead.id.as_str().rsplit('.').next().and_then(|n| n.parse::<i64>().ok()).unwrap_or(0);
            self.run("UPDATE beads SET next_child = max(next_child, ?2) WHERE id = ?1", (parent.as_str(), number))?;
        }
        self.begin_line(bead.updated_at);
        for dep in &bead.dependencies {
            self.draw_as_is(bead, dep)?;
        }
        self.end_line();
        if !bead.dependencies.is_empty() {
            self.note_shown_edges(&bead.id, shown(bead))?;
        }
        self.touch(&bead.id, format!("imported: {}", bead.title));
        Ok(())
    }

    /// Notes which edges of a bead a file showed last.
    pub(in crate::store) fn note_shown_edges(&mut self, id: &BeadId, edges: Vec<String>) -> Result<(), StoreError> {
        self.put_local(SHOWN, id.as_str(), &edges.into())
    }

    /// Brings a bead that is here to the state of a newer line. Edges and comments are added, or take what the line
    /// says of them. Removed is an edge that a file has shown and the newer line has no more. What was drawn here and is in no file yet stays.
    ///
    /// The answer is what the owner of the line should know.
    pub(in crate::store) fn overwrite(&mut self, line: &Incoming) -> Result<Vec<String>, StoreError> {
        let old = self.need_stored(&line.bead.id)?;
        let num = old.num;
        let have = old.bead.labels.clone();
        let mut new = line.bead.clone();
        (new.labels, new.dependencies, new.comments) = (have.clone(), Vec::new(), Vec::new());
        let mut told = Vec::new();
        if new.ephemeral && !old.bead.ephemeral {
            // What the ledger has once lasts.
            new.ephemeral = false;
            told.push("the newer line calls it a wisp, and it lasts here; it lasts".to_owned());
        }
        let at = new.updated_at;
        self.begin_line(at);
        self.save(old, new)?;
        for label in have.iter().filter(|label| !line.bead.has_label(label)) {
            self.remove_label(&line.bead.id, label)?;
        }
        for label in &line.bead.labels {
            self.add_label(&line.bead.id, label)?;
        }
        told.extend(self.overwrite_edges(line)?);
        self.overwrite_comments(num, line)?;
        self.end_line();
        self.run(
            "UPDATE beads SET updated_at = ?2, updated_ns = ?3 WHERE num = ?1",
            (num, at.to_string(), crate::store::row::nanos(at)),
        )?;
        self.keep_source(num, line)?;
        self.touch(&line.bead.id, "imported again");
        self.open_if_over(&line.bead)?;
        Ok(told)
    }

    /// What the line does not state of an edge that is here stays as it is. Tells of the edges that were removed.
    fn overwrite_edges(&mut self, line: &Incoming) -> Result<Vec<String>, StoreError> {
        let bead = &line.bead;
        let mut there = self.deps(&bead.id)?;
        let mut said = BTreeSet::new();
        for (n, dep) in bead.dependencies.iter().enumerate() {
            let guessed = |key| line.guesses.edge(n, key);
            let place = there
                .iter()
                .position(|d| d.depends_on_id == dep.depends_on_id && (guessed("type") || d.kind == dep.kind));
            let Some(place) = place else {
                self.draw_as_is(bead, dep)?;
                said.insert(there.len());
                there.push(dep.clone());
                continue;
            };
            said.insert(place);
            let same = &there[place];
            let said = |new: &String, old: &String| if new.is_empty() { old.clone() } else { new.clone() };
            let merged = Dep {
                created_at: if guessed("created_at") { same.created_at } else { dep.created_at },
                created_by: said(&dep.created_by, &same.created_by),
                metadata: said(&dep.metadata, &same.metadata),
                thread_id: said(&dep.thread_id, &same.thread_id),
                extra: overlaid(&same.extra, &dep.extra),
                ..same.clone()
            };
            if merged == *same {
                continue;
            }
            // Its metadata may say anew what it waits for: it is drawn again, and judged.
            let key = (bead.id.as_str(), same.depends_on_id.as_str(), same.kind.as_str());
            for edge in self.edges("issue_id = ?1 AND depends_on_id = ?2 AND kind = ?3", key)? {
                self.cut(&edge)?;
            }
            self.draw_as_is(bead, &merged)?;
            there[place] = merged;
        }
        if !line.tells_edges {
            return Ok(Vec::new());
        }
        let noted: Vec<String> = self.local_or_none(SHOWN, bead.id.as_str())?.unwrap_or_default();
        let mut gone = Vec::new();
        for (_, dep) in there.iter().enumerate().filter(|(n, _)| !said.contains(n)) {
            let edge = format!("{}|{}", dep.depends_on_id, dep.kind);
            if noted.contains(&edge) && !line.spared.contains(&edge) {
                self.remove_dep(&bead.id, &dep.depends_on_id, Some(&dep.kind))?;
                let (kind, on) = (&dep.kind, &dep.depends_on_id);
                gone.push(format!("the newer line has no dependency {kind} {on} any more; removed"));
            }
        }
        let shows = line.shows();
        if shows.is_empty() {
            self.delete_local(SHOWN, bead.id.as_str())?;
        } else {
            self.note_shown_edges(&bead.id, shows)?;
        }
        Ok(gone)
    }

    /// What the line does not state of a comment that is here stays as it is.
    fn overwrite_comments(&mut self, num: i64, line: &Incoming) -> Result<(), StoreError> {
        let there = self.said(&line.bead.id)?;
        let there: Vec<(i64, Comment)> = there.into_iter().map(|said| (said.row, said.comment)).collect();
        for (n, (comment, same)) in line.bead.comments.iter().zip(paired(line, &there)).enumerate() {
            let guessed = line.guesses.comment(n, "id");
            let Some((row, same)) = same.and_then(|at| there.get(at)) else {
                let number = if guessed { 0 } else { comment.id };
                self.insert_comment(num, &Comment { id: number, ..comment.clone() })?;
                continue;
            };
            let number = if guessed || comment.id == 0 { same.id } else { comment.id };
            let extra = overlaid(&same.extra, &comment.extra);
            if (number, &extra) == (same.id, &same.extra) {
                continue;
            }
            let known: String = self
                .conn
                .prepare_cached("SELECT added FROM comments WHERE num = ?1")?
                .query_row([row], |r| r.get(0))?;
            let stamp = self.stamp_over(&known);
            self.run(
                "UPDATE comments SET id = ?2, other = ?3, added = ?4 WHERE num = ?1",
                (row, number, crate::store::row::packed(&extra), stamp),
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
        for (start, above) in &parents {
            // Nearly none is in a circle, so that only then it is asked whether a deleted one breaks it.
            if self.leads_back(start, above, false)? && self.leads_back(start, above, true)? {
                for edge in self.edges("issue_id = ?1 AND kind = 'parent-child'", [start.as_str()])? {
                    self.set_active(&edge, true)?;
                }
            }
        }
        Ok(())
    }

    /// Whether the way up from a bead, whose parents are `above`, comes back to it; `living`: through no deleted bead.
    fn leads_back(&self, start: &BeadId, above: &[BeadId], living: bool) -> Result<bool, StoreError> {
        let deleted = |id: &BeadId| Ok::<_, StoreError>(self.bead(id)?.is_some_and(|bead| bead.status == "tombstone"));
        let (mut seen, mut work) = (BTreeSet::new(), above.to_vec());
        while let Some(at) = work.pop() {
            if living && deleted(&at)? {
                continue;
            }
            if at == *start {
                return Ok(true);
            }
            if seen.insert(at.clone()) {
                work.extend(self.parents(&at)?);
            }
        }
        Ok(false)
    }
}

/// `here` with what `line` says over it.
fn overlaid(here: &Map, line: &Map) -> Map {
    let mut all = here.clone();
    all.extend(line.iter().map(|(key, value)| (key.clone(), value.clone())));
    all
}

/// For each comment of the line the place of the same one in `there`. What the line does not state may be anything;
/// comments of which it states all choose first, and of equal ones the one with the same number is taken.
fn paired(line: &Incoming, there: &[(i64, Comment)]) -> Vec<Option<usize>> {
    let said = &line.bead.comments;
    let unstated = |n: usize, key| line.guesses.comment(n, key);
    let gaps = |n: &usize| ["author", "text", "created_at"].iter().filter(|key| unstated(*n, key)).count();
    let (mut order, mut pairs, mut free) =
        ((0..said.len()).collect::<Vec<_>>(), vec![None; said.len()], vec![true; there.len()]);
    order.sort_by_key(gaps);
    for n in order {
        let new = &said[n];
        let same = |old: &Comment| {
            (unstated(n, "author") || old.author == new.author)
                && (unstated(n, "text") || old.text == new.text)
                && (unstated(n, "created_at") || old.created_at == new.created_at)
        };
        let fitting = (0..there.len()).filter(|at| free[*at] && same(&there[*at].1));
        pairs[n] = fitting.min_by_key(|at| there[*at].1.id != new.id);
        if let Some(at) = pairs[n] {
            free[at] = false;
        }
    }
    pairs
}
