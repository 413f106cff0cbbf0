//! Questions to one snapshot of the store.

use serde_json::Value;

use super::{
    Bead, Blocked, Comment, DecisionRow, Dep, EpicCount, Event, Filter, Hook, OutboxRow, ReadyQuery, StoreError,
};
use crate::base::{Address, BeadId};

/// One snapshot of the store: all answers are from the same moment.
#[derive(Debug)]
pub struct Read<'a> {
    pub(super) conn: &'a rusqlite::Connection,
}

#[expect(unused_variables, reason = "bodies follow")]
impl Read<'_> {
    /// The bead of this id; deleted ones too.
    pub fn bead(&self, id: &BeadId) -> Result<Option<Bead>, StoreError> {
        todo!()
    }
    /// The bead of this id, or an error that names the like.
    pub fn need(&self, id: &BeadId) -> Result<Bead, StoreError> {
        todo!()
    }
    /// The bead with its dependencies and comments filled in.
    pub fn whole(&self, id: &BeadId) -> Result<Bead, StoreError> {
        todo!()
    }
    /// The id that `text` means: exact, without its prefix, or any part of the hash that only one bead has.
    pub fn resolve(&self, text: &str) -> Result<BeadId, StoreError> {
        todo!()
    }
    /// The beads that pass `filter`.
    pub fn find(&self, filter: &Filter) -> Result<Vec<Bead>, StoreError> {
        todo!()
    }
    /// How many beads pass `filter`; its limit is ignored.
    pub fn count(&self, filter: &Filter) -> Result<usize, StoreError> {
        todo!()
    }
    /// What can be taken up now.
    pub fn ready(&self, query: &ReadyQuery) -> Result<Vec<Bead>, StoreError> {
        todo!()
    }
    /// Beads that are put aside or wait for others; `under` keeps those below a bead.
    pub fn blocked(&self, under: Option<&BeadId>) -> Result<Vec<Blocked>, StoreError> {
        todo!()
    }
    /// Whether something holds the bead back.
    pub fn is_blocked(&self, id: &BeadId) -> Result<bool, StoreError> {
        todo!()
    }
    /// The open beads that it waits for by `blocks` edges.
    pub fn blockers(&self, id: &BeadId) -> Result<Vec<BeadId>, StoreError> {
        todo!()
    }
    /// What it depends on.
    pub fn deps(&self, id: &BeadId) -> Result<Vec<Dep>, StoreError> {
        todo!()
    }
    /// What depends on it.
    pub fn dependents(&self, id: &BeadId) -> Result<Vec<Dep>, StoreError> {
        todo!()
    }
    /// Its children, by child number, then age.
    pub fn children(&self, id: &BeadId) -> Result<Vec<Bead>, StoreError> {
        todo!()
    }
    /// Its children, counted.
    pub fn epic_count(&self, id: &BeadId) -> Result<EpicCount, StoreError> {
        todo!()
    }
    /// Its labels, sorted.
    pub fn labels(&self, id: &BeadId) -> Result<Vec<String>, StoreError> {
        todo!()
    }
    /// Its comments, oldest first.
    pub fn comments(&self, id: &BeadId) -> Result<Vec<Comment>, StoreError> {
        todo!()
    }
    /// Beads whose text has all these words (the last may be unfinished), best first.
    pub fn search(&self, words: &str, filter: &Filter) -> Result<Vec<Bead>, StoreError> {
        todo!()
    }
    /// Events after `seq`, oldest first.
    pub fn events_after(&self, seq: i64, limit: usize) -> Result<Vec<Event>, StoreError> {
        todo!()
    }
    /// The newest event's place; 0 when there is none.
    pub fn last_event(&self) -> Result<i64, StoreError> {
        todo!()
    }
    /// The events of a bead, oldest first.
    pub fn history(&self, id: &BeadId) -> Result<Vec<Event>, StoreError> {
        todo!()
    }
    /// The events of any subject (a bead, an address, a rig), oldest first.
    pub fn events_of(&self, subject: &str) -> Result<Vec<Event>, StoreError> {
        todo!()
    }
    /// A value of a local table.
    pub fn local(&self, ns: &str, key: &str) -> Result<Option<Value>, StoreError> {
        todo!()
    }
    /// All of a local table, by key.
    pub fn local_all(&self, ns: &str) -> Result<Vec<(String, Value)>, StoreError> {
        todo!()
    }
    /// A setting of the store.
    pub fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        todo!()
    }
    /// All settings, by key.
    pub fn settings(&self) -> Result<Vec<(String, String)>, StoreError> {
        todo!()
    }
    /// What an agent holds.
    pub fn hook(&self, agent: &Address) -> Result<Option<Hook>, StoreError> {
        todo!()
    }
    /// Who holds a bead.
    pub fn hook_of(&self, bead: &BeadId) -> Result<Option<Hook>, StoreError> {
        todo!()
    }
    /// All hooks, by agent.
    pub fn hooks(&self) -> Result<Vec<Hook>, StoreError> {
        todo!()
    }
    /// Decisions about a subject, oldest first.
    pub fn decisions(&self, subject: &str) -> Result<Vec<DecisionRow>, StoreError> {
        todo!()
    }
    /// How many decisions are recorded.
    pub fn decision_count(&self) -> Result<usize, StoreError> {
        todo!()
    }
    /// Transitions that the ledger has still to record, oldest first.
    pub fn outbox(&self, after_seq: i64, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        todo!()
    }
}
