//! Changes, inside one transaction.

use std::ops::Deref;

use serde_json::Value;

use super::{
    Batch, Bead, Close, Closed, Comment, DecisionRow, Dep, DepKind, Hook, NewBead, NewDep, Patch, Read, Stamp,
    StoreError,
};
use crate::base::{Address, BeadId};

/// A transaction that changes the store. It reads what it has written.
#[derive(Debug)]
pub struct Write<'a> {
    pub(super) read: Read<'a>,
    pub(super) by: &'a Stamp,
}

impl<'a> Deref for Write<'a> {
    type Target = Read<'a>;
    fn deref(&self) -> &Read<'a> {
        &self.read
    }
}

#[expect(unused_variables, reason = "bodies follow")]
impl Write<'_> {
    /// Who writes, and when it is.
    pub fn by(&self) -> &Stamp {
        self.by
    }
    /// Files a bead.
    pub fn create(&mut self, new: NewBead) -> Result<Bead, StoreError> {
        todo!()
    }
    /// Changes fields of a bead.
    pub fn update(&mut self, id: &BeadId, patch: Patch) -> Result<Bead, StoreError> {
        todo!()
    }
    /// Closes a bead.
    pub fn close(&mut self, id: &BeadId, how: Close) -> Result<Closed, StoreError> {
        todo!()
    }
    /// Opens a closed bead again.
    pub fn reopen(&mut self, id: &BeadId, reason: &str) -> Result<Bead, StoreError> {
        todo!()
    }
    /// Deletes a bead: a tombstone stays (of a wisp, nothing).
    pub fn delete(&mut self, id: &BeadId, reason: &str) -> Result<(), StoreError> {
        todo!()
    }
    /// Takes an open, unassigned bead, or says who has it.
    pub fn claim(&mut self, id: &BeadId, assignee: &str) -> Result<Bead, StoreError> {
        todo!()
    }
    /// Draws an edge. Drawing one that is there is no error.
    pub fn add_dep(&mut self, issue: &BeadId, dep: NewDep) -> Result<Dep, StoreError> {
        todo!()
    }
    /// Removes the edges between two beads; of one kind, or of all.
    pub fn remove_dep(
        &mut self,
        issue: &BeadId,
        target: &BeadId,
        kind: Option<&DepKind>,
    ) -> Result<Vec<Dep>, StoreError> {
        todo!()
    }
    /// Adds a label; false when it is there.
    pub fn add_label(&mut self, id: &BeadId, label: &str) -> Result<bool, StoreError> {
        todo!()
    }
    /// Removes a label; false when it is not there.
    pub fn remove_label(&mut self, id: &BeadId, label: &str) -> Result<bool, StoreError> {
        todo!()
    }
    /// Adds a comment by the actor of this write.
    pub fn add_comment(&mut self, id: &BeadId, text: &str) -> Result<Comment, StoreError> {
        todo!()
    }
    /// Records an event of the domain; gives its place.
    pub fn emit(&mut self, kind: &str, subject: &str, payload: Value) -> Result<i64, StoreError> {
        todo!()
    }
    /// Sets a value of a local table.
    pub fn put_local(&mut self, ns: &str, key: &str, value: &Value) -> Result<(), StoreError> {
        todo!()
    }
    /// Removes a value of a local table; false when there is none.
    pub fn delete_local(&mut self, ns: &str, key: &str) -> Result<bool, StoreError> {
        todo!()
    }
    /// Sets a setting; `None` removes it.
    pub fn set_setting(&mut self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        todo!()
    }
    /// Puts a bead on an agent's hook; an error if either is hooked already.
    pub fn hook(&mut self, agent: &Address, bead: &BeadId, molecule: Option<&BeadId>) -> Result<Hook, StoreError> {
        todo!()
    }
    /// Takes the bead off the hook; an error if `epoch` is not the one in force.
    pub fn unhook(&mut self, agent: &Address, epoch: i64) -> Result<Hook, StoreError> {
        todo!()
    }
    /// Records a decision in the transaction of its effect.
    pub fn record(&mut self, decision: &DecisionRow) -> Result<i64, StoreError> {
        todo!()
    }
    /// Drops outbox rows up to and including `seq`: the ledger has them.
    pub fn ack_outbox(&mut self, seq: i64) -> Result<usize, StoreError> {
        todo!()
    }
    /// Begins a batch of beads that nobody sees yet.
    pub fn new_batch(&mut self, note: &str) -> Result<Batch, StoreError> {
        todo!()
    }
    /// Adds beads to a batch; their edges may lead to beads of the batch and to visible ones. Call it in
    /// several short transactions.
    pub fn stage(&mut self, batch: Batch, beads: Vec<NewBead>) -> Result<Vec<BeadId>, StoreError> {
        todo!()
    }
    /// Makes a batch visible, all at once.
    pub fn publish(&mut self, batch: Batch) -> Result<(), StoreError> {
        todo!()
    }
    /// Drops a batch that was not published.
    pub fn discard(&mut self, batch: Batch) -> Result<(), StoreError> {
        todo!()
    }
}
