//! Drawing and removing edges.

use rusqlite::OptionalExtension as _;

use super::Write;
use super::blocking::{Edge, waits_for};
use crate::base::BeadId;
use crate::store::{Bead, Dep, DepKind, NewDep, StoreError};

impl Write<'_> {
    /// Draws an edge: `issue` depends on the target. Drawing one that is there is no error.
    ///
    /// Refused: an edge to itself, one that closes a circle (all kinds but `relates-to` count), and making an
    /// epic the child of a plain bead.
    pub fn add_dep(&mut self, issue: &BeadId, dep: NewDep) -> Result<Dep, StoreError> {
        let bead = self.need_stored(issue)?.bead;
        self.need_stored(&dep.depends_on_id)?;
        if self.link(&bead, &dep, true)? {
            self.bump(&bead)?;
        }
        let found = self.deps(issue)?.into_iter().find(|d| d.depends_on_id == dep.depends_on_id && d.kind == dep.kind);
        found.ok_or_else(|| StoreError::NoDep {
            issue: issue.clone(),
            target: dep.depends_on_id,
            kind: Some(dep.kind.to_string()),
        })
    }

    /// Removes the edges between two beads; of one kind, or of all.
    pub fn remove_dep(
        &mut self,
        issue: &BeadId,
        target: &BeadId,
        kind: Option<&DepKind>,
    ) -> Result<Vec<Dep>, StoreError> {
        let bead = self.need_stored(issue)?.bead;
        let mut gone = self.deps(issue)?;
        gone.retain(|d| d.depends_on_id == *target && kind.is_none_or(|k| *k == d.kind));
        if gone.is_empty() {
            let kind = kind.map(ToString::to_string);
            return Err(StoreError::NoDep { issue: issue.clone(), target: target.clone(), kind });
        }
        for edge in self.edges("issue_id = ?1 AND depends_on_id = ?2", (issue.as_str(), target.as_str()))? {
            if kind.is_none_or(|k| *k == edge.kind) {
                self.unlink(&edge)?;
            }
        }
        self.bump(&bead)?;
        Ok(gone)
    }

    /// Draws the edge and judges it; false when it was there. `known`: others may already depend on `bead`.
    pub(super) fn link(&mut self, bead: &Bead, dep: &NewDep, known: bool) -> Result<bool, StoreError> {
        let target = &dep.depends_on_id;
        if bead.id == *target {
            return Err(StoreError::SelfDep(bead.id.clone()));
        }
        if dep.kind.as_str().is_empty() || dep.kind.as_str().len() > 50 {
            return Err(StoreError::invalid("dependency type", "1-50 characters"));
        }
        if !self
            .edges(
                "issue_id = ?1 AND depends_on_id = ?2 AND kind = ?3",
                (bead.id.as_str(), target.as_str(), dep.kind.as_str()),
            )?
            .is_empty()
        {
            return Ok(false);
        }
        if dep.kind == DepKind::PARENT_CHILD
            && bead.issue_type == "epic"
            && let Some(parent) = self.stored(target)?
            && !matches!(parent.bead.issue_type.as_str(), "epic" | "molecule" | "convoy")
        {
            let (verb, what) = ("make a child of a plain bead of", "an epic");
            return Err(StoreError::Refused { verb, id: bead.id.clone(), what });
        }
        if dep.kind != DepKind::RELATES_TO
            && (known
                || self
                    .conn
                    .prepare_cached("SELECT 1 FROM deps WHERE depends_on_id = ?1 AND live = 1")?
                    .exists([bead.id.as_str()])?)
            && let Some(mut path) = self.path(target, &bead.id)?
        {
            path.insert(0, bead.id.clone());
            return Err(StoreError::Cycle { path });
        }
        self.draw(bead, dep)?;
        let payload = serde_json::json!({ "type": dep.kind, "depends_on": target });
        if self.staging == 0 {
            self.emit("dep_added", bead.id.as_str(), payload)?;
        }
        self.touch(&bead.id, format!("{} {target}", dep.kind));
        Ok(true)
    }

    /// Writes the edge, counts the child and judges: without any check.
    pub(super) fn draw(&mut self, bead: &Bead, dep: &NewDep) -> Result<(), StoreError> {
        let target = &dep.depends_on_id;
        let (spawner, any_child) = waits_for(&dep.kind, target, &dep.metadata);
        let removed: Option<String> = self
            .conn
            .prepare_cached(
                "SELECT max(added, coalesce(removed, '')) FROM deps
                 WHERE issue_id = ?1 AND depends_on_id = ?2 AND kind = ?3 AND live = 0",
            )?
            .query_row((bead.id.as_str(), target.as_str(), dep.kind.as_str()), |r| r.get(0))
            .optional()?;
        let stamp = self.stamp_over(&removed.unwrap_or_default());
        let num: i64 = self
            .conn
            .prepare_cached(
                "INSERT INTO deps (issue_id, depends_on_id, kind, batch, spawner, any_child, created_at, created_by, metadata, added)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                 ON CONFLICT (issue_id, depends_on_id, kind) DO UPDATE SET live = 1, active = 0, batch = excluded.batch,
                     spawner = excluded.spawner, any_child = excluded.any_child, created_at = excluded.created_at,
                     created_by = excluded.created_by, metadata = excluded.metadata, other = '', added = excluded.added
                 RETURNING num",
            )?
            .query_row(
                (
                    bead.id.as_str(),
                    target.as_str(),
                    dep.kind.as_str(),
                    self.staging,
                    &spawner,
                    any_child,
                    self.by.now.to_string(),
                    &self.by.actor,
                    &dep.metadata,
                    &stamp,
                ),
                |r| r.get(0),
            )?;
        let edge = Edge {
            num,
            issue: bead.id.to_string(),
            target: target.to_string(),
            kind: dep.kind.clone(),
            active: false,
            spawner,
            any_child,
        };
        let outside = self.staging != 0 && !self.is_staged(target)?;
        if outside {
            self.run("INSERT OR IGNORE INTO batch_edges VALUES (?1, ?2)", (self.staging, num))?;
        } else if dep.kind == DepKind::PARENT_CHILD {
            self.count_child(target.as_str(), 1, i64::from(!bead.is_over()))?;
        }
        if self.judge(&edge)? {
            self.set_active(&edge, true)?;
        }
        Ok(())
    }

    /// Removes an edge; it stays as a removed one.
    pub(super) fn unlink(&mut self, edge: &Edge) -> Result<(), StoreError> {
        self.cut(edge)?;
        let added: String =
            self.conn.prepare_cached("SELECT added FROM deps WHERE num = ?1")?.query_row([edge.num], |r| r.get(0))?;
        let stamp = self.stamp_over(&added);
        self.run("UPDATE deps SET removed = ?2 WHERE num = ?1", (edge.num, stamp))?;
        let payload = serde_json::json!({ "type": edge.kind, "depends_on": edge.target });
        self.emit("dep_removed", &edge.issue, payload)?;
        let issue = crate::store::row::id(&edge.issue)?;
        self.touch(&issue, format!("no longer {} {}", edge.kind, edge.target));
        Ok(())
    }

    /// Takes an edge out of all counts, and leaves its row as that of a removed one.
    pub(super) fn cut(&mut self, edge: &Edge) -> Result<(), StoreError> {
        self.set_active(edge, false)?;
        self.run("UPDATE deps SET live = 0, active = 0 WHERE num = ?1", [edge.num])?;
        if edge.kind == DepKind::PARENT_CHILD {
            let child = self.stored(&crate::store::row::id(&edge.issue)?)?;
            let open = child.is_some_and(|c| !c.bead.is_over());
            self.count_child(&edge.target, -1, -i64::from(open))?;
        }
        Ok(())
    }
}
