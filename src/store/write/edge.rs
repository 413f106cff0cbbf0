//! Drawing and removing edges.

use rusqlite::OptionalExtension as _;

use super::Write;
use super::blocking::{Edge, waits_for};
use crate::base::BeadId;
use crate::store::{Bead, Dep, DepKind, NewDep, StoreError};

/// What is refused where the child lasts and the parent does not.
pub(super) const LASTING_CHILD: &str = "give a lasting child to";

/// An edge that is to be drawn, as far as it is known.
fn edge_of(issue: &BeadId, dep: &NewDep) -> Edge {
    let (spawner, any_child) = waits_for(&dep.kind, &dep.depends_on_id, &dep.metadata);
    let (issue, target) = (issue.to_string(), dep.depends_on_id.to_string());
    Edge { num: 0, issue, target, kind: dep.kind.clone(), active: false, spawner, any_child }
}

impl Write<'_> {
    /// Draws an edge: `issue` depends on the target. Drawing one that is there is no error.
    ///
    /// Refused: an edge to itself, one of a deleted bead or to one, one that closes a circle (all kinds but
    /// `relates-to` count, and a gate counts as depending on the bead it waits for), making an epic the child of a plain
    /// bead, and making a bead that lasts the child of a wisp.
    pub fn add_dep(&mut self, issue: &BeadId, dep: NewDep) -> Result<Dep, StoreError> {
        let bead = self.need_living(issue, "add a dependency to")?.bead;
        self.need_stored(&dep.depends_on_id)?;
        if self.link(&bead, &dep, true)? && (bead.ephemeral || !self.is_local(&edge_of(&bead.id, &dep))?) {
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
        let mut lasting = bead.ephemeral;
        for edge in self.edges("issue_id = ?1 AND depends_on_id = ?2", (issue.as_str(), target.as_str()))? {
            if kind.is_none_or(|k| *k == edge.kind) {
                lasting |= !self.is_local(&edge)?;
                self.unlink(&edge)?;
            }
        }
        if lasting {
            self.bump(&bead)?;
        }
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
        self.check_end(bead, dep)?;
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
        if !self.is_local(&edge_of(&bead.id, dep))? {
            self.touch(&bead.id, format!("{} {target}", dep.kind));
        }
        Ok(true)
    }

    /// Refuses an edge that the bead at its end, if it is here, does not go with.
    fn check_end(&self, bead: &Bead, dep: &NewDep) -> Result<(), StoreError> {
        let target = &dep.depends_on_id;
        let mut statement =
            self.conn.prepare_cached("SELECT status, issue_type, ephemeral FROM beads WHERE id = ?1")?;
        let found = statement.query_row([target.as_str()], |r| {
            Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?, r.get::<_, bool>(2)?))
        });
        let Some((status, issue_type, wisp)) = found.optional()? else { return Ok(()) };
        let refused = |verb, id: &BeadId, what| Err(StoreError::Refused { verb, id: id.clone(), what });
        if status == "tombstone" {
            return refused("let anything depend on", target, "deleted");
        }
        if dep.kind != DepKind::PARENT_CHILD {
            return Ok(());
        }
        if bead.issue_type == "epic" && !matches!(issue_type.as_str(), "epic" | "molecule" | "convoy") {
            return refused("make a child of a plain bead of", &bead.id, "an epic");
        }
        if wisp && !bead.ephemeral {
            return refused(LASTING_CHILD, target, "a wisp");
        }
        Ok(())
    }

    /// Writes the edge, counts the child and judges: without any check.
    pub(super) fn draw(&mut self, bead: &Bead, dep: &NewDep) -> Result<(), StoreError> {
        let target = &dep.depends_on_id;
        let edge = edge_of(&bead.id, dep);
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
                    &edge.spawner,
                    edge.any_child,
                    self.by.now.to_string(),
                    &self.by.actor,
                    &dep.metadata,
                    &stamp,
                ),
                |r| r.get(0),
            )?;
        let edge = Edge { num, ..edge };
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

    /// Whether an edge of a bead that lasts is this store's own, for a wisp stands at its end: the ledger does not get it.
    pub(super) fn is_local(&self, edge: &Edge) -> Result<bool, StoreError> {
        self.leads_to_wisp(&edge.target, edge.spawner.as_deref())
    }

    /// A wisp lasts from now on: the ledger gets the edges to it, too.
    pub(super) fn lasts_now(&mut self, id: &BeadId) -> Result<(), StoreError> {
        let issues = self.rows(
            "SELECT issue_id FROM deps WHERE depends_on_id = ?1 AND live = 1
             UNION SELECT issue_id FROM deps WHERE depends_on_id = ?1 AND live = 0
             UNION SELECT issue_id FROM deps WHERE spawner = ?1 AND spawner IS NOT NULL AND live = 1",
            [id.as_str()],
            |r| crate::store::row::id(&r.get::<_, String>(0)?),
        )?;
        for issue in issues {
            self.touch(&issue, format!("{id} lasts now"));
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
        if !self.is_local(edge)? {
            let issue = crate::store::row::id(&edge.issue)?;
            self.touch(&issue, format!("no longer {} {}", edge.kind, edge.target));
        }
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
