//! Two clones gave one id to two beads, and one of them has another now.

use super::Write;
use crate::base::BeadId;
use crate::store::{Dep, StoreError, file, row};

impl Write<'_> {
    /// Lets the edges lead to `to` that meant the renamed bead: when it was `ours`, those that led to `from` before the
    /// merge, which are `here`, and a hook on it, too; else those that came with the merge.
    ///
    /// The old edge counts as removed at the moment it was drawn and the new one as drawn then, so that every copy
    /// that does this does the same.
    pub fn follow_renamed(&mut self, from: &BeadId, to: &BeadId, here: &[Dep], ours: bool) -> Result<(), StoreError> {
        for edge in self.edges("depends_on_id = ?1", [from.as_str()])? {
            let issue = row::id(&edge.issue)?;
            if here.iter().any(|dep| dep.issue_id == issue && dep.kind == edge.kind) != ours {
                continue;
            }
            let Some(dep) = self.deps(&issue)?.into_iter().find(|d| d.depends_on_id == *from && d.kind == edge.kind)
            else {
                continue;
            };
            let Some(stored) = self.stored(&issue)? else { continue };
            let quoted = |id: &BeadId| format!("\"{id}\"");
            let metadata = dep.metadata.replace(&quoted(from), &quoted(to));
            let dep = Dep { depends_on_id: to.clone(), metadata, ..dep };
            self.cut(&edge)?;
            self.run("UPDATE deps SET removed = added WHERE num = ?1", [edge.num])?;
            self.draw_as_is(&stored.bead, &dep)?;
            self.run(
                "UPDATE deps SET added = (SELECT added FROM deps WHERE num = ?4)
                 WHERE issue_id = ?1 AND depends_on_id = ?2 AND kind = ?3",
                (issue.as_str(), to.as_str(), edge.kind.as_str(), edge.num),
            )?;
            self.touch(&issue, format!("{from} is {to} now"));
        }
        if ours {
            self.run("UPDATE hooks SET bead = ?2 WHERE bead = ?1", (from.as_str(), to.as_str()))?;
        }
        Ok(())
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
