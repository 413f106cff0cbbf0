//! Closing and reopening.

use super::Write;
use crate::base::BeadId;
use crate::store::{Bead, Close, Closed, Status, StoreError};

impl Write<'_> {
    /// Closes a bead. Closing a closed one again sets its reason and time anew.
    ///
    /// Refused without `force`: a bead that waits for open ones by `blocks` edges, and a pinned one. Templates
    /// and deleted beads are never closed.
    pub fn close(&mut self, id: &BeadId, how: Close) -> Result<Closed, StoreError> {
        let old = self.need_living(id, "close")?;
        let refused = |what| Err(StoreError::Refused { verb: "close", id: id.clone(), what });
        if old.bead.is_template {
            return refused("a template");
        }
        if !how.force {
            if old.bead.pinned || old.bead.status == "pinned" {
                return refused("pinned");
            }
            if old.blockers > 0 {
                let by = self.blockers(id)?;
                if !by.is_empty() {
                    return Err(StoreError::Blocked { id: id.clone(), by });
                }
            }
        }
        let mut new = old.bead.clone();
        super::update::set_status(&mut new, Status::CLOSED, self.by.now);
        new.closed_at = Some(self.by.now);
        new.close_reason = if how.reason.is_empty() { "Closed".to_owned() } else { how.reason };
        new.closed_by_session = how.session;
        let before = self.unblocked.len();
        let bead = self.save(old, new)?.bead;
        let mut unblocked = self.unblocked.split_off(before);
        unblocked.retain(|freed| freed != id);
        unblocked.dedup();
        // What is being staged is nobody's to know of yet.
        let mut seen = Vec::with_capacity(unblocked.len());
        for freed in unblocked {
            if self.bead(&freed)?.is_some() {
                seen.push(freed);
            }
        }
        Ok(Closed { bead, unblocked: seen })
    }

    /// Opens a closed bead again; an open one stays as it is.
    pub fn reopen(&mut self, id: &BeadId, reason: &str) -> Result<Bead, StoreError> {
        let old = self.need_living(id, "reopen")?;
        if old.bead.status != "closed" {
            return Ok(old.bead);
        }
        let mut new = old.bead.clone();
        super::update::set_status(&mut new, Status::OPEN, self.by.now);
        let bead = self.save(old, new)?.bead;
        if !reason.is_empty() {
            self.add_comment(id, &format!("Reopened: {reason}"))?;
        }
        Ok(bead)
    }
}
