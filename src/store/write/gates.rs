//! Gates that open by themselves: timers at the next write after their time, gates on a bead with its closing.

use super::Write;
use crate::base::BeadId;
use crate::store::read::SEEN;
use crate::store::{Bead, LedgerDoc, Status, StoreError, row};

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

    /// A gate was filed, or came from elsewhere: opens it if what it waits for is closed already.
    pub(super) fn open_if_over(&mut self, gate: &Bead) -> Result<(), StoreError> {
        if gate.issue_type != "gate" || gate.await_type != "bead" || self.staging != 0 {
            return Ok(());
        }
        let name = gate.await_id.split_once(':').map_or(gate.await_id.as_str(), |(_, id)| id);
        if let Ok(bead) = BeadId::new(name)
            && self.bead(&bead)?.is_some_and(|bead| bead.status == "closed")
        {
            self.open_gates_on(&bead)?;
        }
        Ok(())
    }

    /// Beads came from elsewhere: opens the gates of which they are the one part or the other.
    pub(super) fn open_gates_of(&mut self, docs: &[LedgerDoc]) -> Result<(), StoreError> {
        for LedgerDoc { bead, .. } in docs {
            if bead.status == "closed" {
                self.open_gates_on(&bead.id)?;
            } else {
                self.open_if_over(bead)?;
            }
        }
        Ok(())
    }

    /// Many beads came to be seen at once: opens the gates that wait for a closed one.
    pub(super) fn open_gates_met(&mut self) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT DISTINCT b.id FROM beads g INDEXED BY gate_awaits CROSS JOIN beads b ON b.id = g.awaits
             WHERE g.issue_type = 'gate' AND g.over = 0 AND g.is_template = 0 AND g.awaits IS NOT NULL
               AND b.status = 'closed' AND {SEEN}"
        );
        for bead in self.rows(&sql, [], |r| row::id(&r.get::<_, String>(0)?))? {
            self.open_gates_on(&bead)?;
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
