//! Deleting: a tombstone stays so that the deletion spreads; of a wisp nothing stays.

use super::Write;
use crate::base::BeadId;
use crate::store::{Read, Status, StoreError};

/// The live edges from and to a bead. As two searches: with `OR` between them every edge of the store is looked at.
pub(in crate::store) const TOUCHING: &str = "num IN (SELECT num FROM deps WHERE issue_id = ?1 UNION SELECT num FROM deps WHERE depends_on_id = ?1 AND live = 1)";

/// Forgets the removed edges to a bead.
pub(in crate::store) const REMOVED_TO: &str = "DELETE FROM deps WHERE depends_on_id = ?1 AND live = 0";

/// Local table: wisps that came in a file of issues and are gone, by their ids.
const READ_AND_GONE: &str = "read_and_gone";

impl Read<'_> {
    /// Whether a wisp was here and is gone. Of many that went together only those are known that came in a file.
    pub(in crate::store) fn is_erased(&self, id: &BeadId) -> Result<bool, StoreError> {
        if self.has_local(READ_AND_GONE, id.as_str())? {
            return Ok(true);
        }
        let mut statement = self.conn.prepare_cached(
            "SELECT 1 FROM events WHERE subject = ?1 AND kind = 'deleted' AND json_extract(payload, '$.ephemeral')",
        )?;
        Ok(statement.exists([id.as_str()])?)
    }
}

impl Write<'_> {
    /// Deletes a bead and the edges to and from it. Refused while it is on a hook.
    pub fn delete(&mut self, id: &BeadId, reason: &str) -> Result<(), StoreError> {
        self.delete_for(id, &self.by.actor, reason)
    }

    /// As [`Self::delete`], for `actor`.
    pub(super) fn delete_for(&mut self, id: &BeadId, actor: &str, reason: &str) -> Result<(), StoreError> {
        let old = self.need_stored(id)?;
        if let Some(hook) = self.read.hook_of(id)? {
            return Err(StoreError::Hooked { agent: hook.agent.to_string(), bead: id.clone() });
        }
        if old.bead.status == "tombstone" {
            return Ok(());
        }
        let edges = self.edges(TOUCHING, [id.as_str()])?;
        for edge in &edges {
            self.unlink(edge)?;
        }
        if old.bead.ephemeral {
            return self.erase(id, old.num);
        }
        let mut new = old.bead.clone();
        new.original_type = new.issue_type.to_string();
        new.closed_at = None;
        new.status = Status::TOMBSTONE;
        new.deleted_at = Some(self.by.now);
        actor.clone_into(&mut new.deleted_by);
        reason.clone_into(&mut new.delete_reason);
        self.save(old, new)?;
        Ok(())
    }

    /// Removes every row of a bead whose edges are removed, and those of its edges and of the edges that ever led to it.
    fn erase(&mut self, id: &BeadId, num: i64) -> Result<(), StoreError> {
        self.erase_rows(id, num)?;
        self.dirty.forget(id);
        self.emit("deleted", id.as_str(), serde_json::json!({ "ephemeral": true }))?;
        Ok(())
    }

    pub(super) fn erase_rows(&mut self, id: &BeadId, num: i64) -> Result<(), StoreError> {
        self.run("DELETE FROM bead_text WHERE rowid = ?1", [num])?;
        self.run("DELETE FROM labels WHERE bead = ?1", [num])?;
        self.run("DELETE FROM comments WHERE bead = ?1", [num])?;
        if self.run("DELETE FROM source_lines WHERE bead = ?1", [num])? > 0 {
            self.put_local(READ_AND_GONE, id.as_str(), &true.into())?;
        }
        self.run("DELETE FROM deps WHERE issue_id = ?1", [id.as_str()])?;
        self.run(REMOVED_TO, [id.as_str()])?;
        self.run("DELETE FROM beads WHERE num = ?1", [num])?;
        Ok(())
    }
}
