//! Deleting: a tombstone stays so that the deletion spreads; of a wisp nothing stays.

use super::Write;
use crate::base::BeadId;
use crate::store::{Status, StoreError};

impl Write<'_> {
    /// Deletes a bead and the edges to and from it. Refused while it is on a hook.
    pub fn delete(&mut self, id: &BeadId, reason: &str) -> Result<(), StoreError> {
        let old = self.need_stored(id)?;
        if let Some(hook) = self.read.hook_of(id)? {
            return Err(StoreError::Hooked { agent: hook.agent.to_string(), bead: id.clone() });
        }
        if old.bead.status == "tombstone" {
            return Ok(());
        }
        for edge in self.edges("(issue_id = ?1 OR depends_on_id = ?1)", [id.as_str()])? {
            self.unlink(&edge)?;
        }
        if old.bead.ephemeral {
            return self.erase(id, old.num);
        }
        let mut new = old.bead.clone();
        new.original_type = new.issue_type.to_string();
        new.closed_at = None;
        new.status = Status::TOMBSTONE;
        new.deleted_at = Some(self.by.now);
        new.deleted_by.clone_from(&self.by.actor);
        reason.clone_into(&mut new.delete_reason);
        self.save(old, new)?;
        Ok(())
    }

    /// Removes every row of a bead.
    fn erase(&mut self, id: &BeadId, num: i64) -> Result<(), StoreError> {
        self.run("DELETE FROM bead_text WHERE rowid = ?1", [num])?;
        self.run("DELETE FROM labels WHERE bead = ?1", [num])?;
        self.run("DELETE FROM comments WHERE bead = ?1", [num])?;
        self.run("DELETE FROM source_lines WHERE bead = ?1", [num])?;
        self.run("DELETE FROM deps WHERE issue_id = ?1 OR depends_on_id = ?1", [id.as_str()])?;
        self.run("DELETE FROM beads WHERE num = ?1", [num])?;
        self.dirty.forget(id);
        self.emit("deleted", id.as_str(), serde_json::json!({ "ephemeral": true }))?;
        Ok(())
    }
}
