//! Two clones gave one id to two beads, and one of them has another now.

use super::Write;
use super::import::SHOWN;
use crate::base::BeadId;
use crate::store::{Dep, Read, StoreError, file, renew, row};

/// The live edges that lead to a bead or wait for its children.
const NAMING: &str = "SELECT num FROM deps WHERE depends_on_id = ?1 AND live = 1
    UNION SELECT num FROM deps WHERE spawner = ?1 AND spawner IS NOT NULL AND live = 1";

impl Read<'_> {
    /// The beads that name `id`: they depend on it, or are gates that wait for it.
    pub fn naming(&self, id: &BeadId) -> Result<Vec<BeadId>, StoreError> {
        let sql = format!("SELECT DISTINCT issue_id FROM deps WHERE num IN ({NAMING})");
        let mut all = self.rows(&sql, [id.as_str()], |r| row::id(&r.get::<_, String>(0)?))?;
        all.extend(self.gates_awaiting(id)?);
        Ok(all)
    }
}

impl Write<'_> {
    /// Takes from the bead of this id all that is not in its row: another one is about to be adopted in its place. Gives
    /// the edges that only this store has, for [`Self::follow_renamed`]; what the ledger has of it is adopted again.
    pub fn make_way(&mut self, id: &BeadId) -> Result<Vec<Dep>, StoreError> {
        let num = self.need_stored(id)?.num;
        let mut deps = self.deps(id)?;
        for edge in self.edges("issue_id = ?1", [id.as_str()])? {
            if !self.is_local(&edge)? {
                deps.retain(|dep| dep.kind != edge.kind || dep.depends_on_id.as_str() != edge.target);
            }
            self.cut(&edge)?;
        }
        self.run("DELETE FROM deps WHERE issue_id = ?1", [id.as_str()])?;
        for table in ["labels", "comments", "source_lines"] {
            self.run(&format!("DELETE FROM {table} WHERE bead = ?1"), [num])?;
        }
        self.delete_local(SHOWN, id.as_str())?;
        Ok(deps)
    }

    /// Lets follow what only this store has of the bead that was `from` and is `to` now: its edges to wisps, which are
    /// `local`, the wisps that name it, and the hook that it is on.
    pub fn follow_renamed(&mut self, from: &BeadId, to: &BeadId, local: Vec<Dep>) -> Result<(), StoreError> {
        if let Some(bead) = self.bead(to)? {
            for dep in local {
                self.draw_as_is(&bead, &Dep { issue_id: to.clone(), ..dep })?;
            }
        }
        let now = |id: &str| (id == from.as_str()).then_some(to);
        for edge in self.edges(&format!("num IN ({NAMING})"), [from.as_str()])? {
            let issue = row::id(&edge.issue)?;
            let Some(wisp) = self.bead(&issue)?.filter(|bead| bead.ephemeral) else { continue };
            let Some(mut dep) = self
                .deps(&issue)?
                .into_iter()
                .find(|d| d.kind == edge.kind && *d.depends_on_id.as_str() == edge.target)
            else {
                continue;
            };
            self.cut(&edge)?;
            self.run("DELETE FROM deps WHERE num = ?1", [edge.num])?;
            dep.metadata = renew::metadata(&dep.metadata, now).unwrap_or(dep.metadata);
            dep.depends_on_id = now(&edge.target).unwrap_or(&dep.depends_on_id).clone();
            self.draw_as_is(&wisp, &dep)?;
        }
        for gate in self.gates_awaiting(from)? {
            let old = self.need_stored(&gate)?;
            let Some(awaited) = renew::awaited(&old.bead.await_id, now).filter(|_| old.bead.ephemeral) else {
                continue;
            };
            let mut new = old.bead.clone();
            new.await_id = awaited;
            self.save(old, new)?;
        }
        for column in ["bead", "molecule"] {
            self.run(&format!("UPDATE hooks SET {column} = ?2 WHERE {column} = ?1"), (from.as_str(), to.as_str()))?;
        }
        Ok(())
    }

    /// The ledger is to record a bead that came of a merge and says more than the merged files.
    pub fn record_followed(&mut self, id: &BeadId, what: String) {
        self.touch(id, what);
    }

    /// Gives this copy of the store another name: a copy of its files goes by the old one.
    pub fn rename_replica(&mut self) -> Result<(), StoreError> {
        let dir = std::path::PathBuf::from(&self.replica);
        self.replica = file::replica_name(&dir, self.by.now);
        self.run("UPDATE meta SET value = ?1 WHERE key = 'replica'", [self.replica.clone()])?;
        self.stamp = self.tick.text(&self.replica);
        Ok(())
    }
}
