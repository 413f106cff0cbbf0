//! Hooks: one bead an agent, one agent a bead, and an epoch that fences.

use super::Write;
use crate::base::{Address, BeadId};
use crate::store::{Hook, StoreError};

impl Write<'_> {
    /// Puts a bead on an agent's hook; an error if either is hooked already. The bead itself is not changed.
    pub fn hook(&mut self, agent: &Address, bead: &BeadId, molecule: Option<&BeadId>) -> Result<Hook, StoreError> {
        self.need_stored(bead)?;
        let taken = match self.read.hook(agent)? {
            Some(taken) => Some(taken),
            None => self.read.hook_of(bead)?,
        };
        if let Some(taken) = taken {
            return Err(StoreError::Hooked { agent: taken.agent.to_string(), bead: taken.bead });
        }
        let epoch: i64 = self
            .conn
            .prepare_cached("UPDATE meta SET value = value + 1 WHERE key = 'epoch' RETURNING value")?
            .query_row([], |r| r.get(0))?;
        let hook =
            Hook { agent: agent.clone(), bead: bead.clone(), molecule: molecule.cloned(), epoch, since: self.by.now };
        self.run(
            "INSERT INTO hooks VALUES (?1, ?2, ?3, ?4, ?5)",
            (agent.to_string(), bead.as_str(), molecule.map(BeadId::as_str), epoch, self.by.now.to_string()),
        )?;
        let payload = serde_json::json!({ "agent": agent, "molecule": molecule, "epoch": epoch });
        self.emit("hooked", bead.as_str(), payload)?;
        Ok(hook)
    }

    /// Takes the bead off the hook; an error if `epoch` is not the one in force.
    pub fn unhook(&mut self, agent: &Address, epoch: i64) -> Result<Hook, StoreError> {
        let hook = self.check_hook(agent, epoch)?;
        self.run("DELETE FROM hooks WHERE agent = ?1", [agent.to_string()])?;
        let payload = serde_json::json!({ "agent": agent, "molecule": hook.molecule, "epoch": epoch });
        self.emit("unhooked", hook.bead.as_str(), payload)?;
        Ok(hook)
    }

    /// The hook of `agent` if `epoch` is the one in force: what a holder must show before it changes anything.
    pub fn check_hook(&self, agent: &Address, epoch: i64) -> Result<Hook, StoreError> {
        match self.read.hook(agent)? {
            Some(hook) if hook.epoch == epoch => Ok(hook),
            other => {
                Err(StoreError::Stale { agent: agent.to_string(), given: epoch, now: other.map(|hook| hook.epoch) })
            }
        }
    }
}
