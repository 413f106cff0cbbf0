//! Gates that open by themselves: timers at the next write after their time, gates on a bead with its closing.

use super::Write;
use crate::base::BeadId;
use crate::store::{Bead, Status, StoreError};

/// So many timers are opened at the beginning of one transaction, so that none takes long.
const AT_ONCE: usize = 50;

impl Write<'_> {
    /// Opens the timer gates whose time has come.
    pub(super) fn open_timers(&mut self) -> Result<(), StoreError> {
        for gate in self.timers_due(self.by.now, AT_ONCE)? {
            self.open_gate(&gate, "its time has come".to_owned())?;
        }
        Ok(())
    }

    /// Opens the gates that wait for a bead that is closed now.
    pub(super) fn open_gates_on(&mut self, bead: &BeadId) -> Result<(), StoreError> {
        for gate in self.gates_awaiting(bead)? {
            self.open_gate(&gate, format!("{bead} is closed"))?;
        }
        Ok(())
    }

    /// A gate was filed: opens it if what it waits for is closed already.
    pub(super) fn open_if_over(&mut self, gate: &Bead) -> Result<(), StoreError> {
        if gate.issue_type != "gate" || gate.await_type != "bead" || self.staging != 0 {
            return Ok(());
        }
        let name = gate.await_id.split_once(':').map_or(gate.await_id.as_str(), |(_, id)| id);
        if let Ok(bead) = BeadId::new(name)
            && self.bead(&bead)?.is_some_and(|bead| bead.status == "closed")
        {
            self.open_gate(&gate.id, format!("{bead} is closed"))?;
        }
        Ok(())
    }

    fn open_gate(&mut self, gate: &BeadId, reason: String) -> Result<(), StoreError> {
        let old = self.need_stored(gate)?;
        let mut new = old.bead.clone();
        super::update::set_status(&mut new, Status::CLOSED, self.by.now);
        new.close_reason = reason;
        self.save(old, new)?;
        Ok(())
    }
}
