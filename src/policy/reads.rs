//! Reads: what rules ask for beyond the snapshot. The caller answers from the same moment, never live.

use std::sync::Arc;

use super::action::Subject;
use super::facts::{BeadFact, BranchFact, MailFact, PolecatFact};
use crate::base::Address;

/// A read that failed. A rule that meets it is undecided: it never looks like an empty list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// What to find beads by; an absent field is no condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BeadQuery {
    /// Has this label.
    pub label: Option<String>,
    /// Has this status.
    pub status: Option<String>,
    /// Is of this type.
    pub kind: Option<String>,
    /// Belongs to this epic.
    pub epic: Option<String>,
    /// Was discovered from this bead.
    pub found_in: Option<String>,
}

/// The lazy reads of the `town` argument.
pub trait Reads {
    /// `town.beads.get(id)`
    fn bead(&self, id: &str) -> Result<Option<Arc<BeadFact>>, Unreadable>;
    /// `town.beads.find{…}`
    fn find(&self, query: &BeadQuery) -> Result<Vec<Arc<BeadFact>>, Unreadable>;
    /// `town.hooks.of(agent)`: the bead on that hook
    fn hook_of(&self, agent: &str) -> Result<Option<Arc<BeadFact>>, Unreadable>;
    /// `town.hooks.free()`: polecats with an empty hook
    fn free(&self) -> Result<Vec<Arc<PolecatFact>>, Unreadable>;
    /// `town.tmux.screen(agent, lines)`
    fn screen(&self, agent: &Address, lines: usize) -> Result<String, Unreadable>;
    /// `town.mail.unread(address)`
    fn unread(&self, address: &str) -> Result<Vec<Arc<MailFact>>, Unreadable>;
    /// `town.git.branches{merged = …}`
    fn branches(&self, merged: Option<bool>) -> Result<Vec<Arc<BranchFact>>, Unreadable>;
    /// `town.wisps.idle(span)`: the roots of wisps that nothing has changed since that moment
    fn idle_wisps(&self, since_ms: i64) -> Result<Vec<Arc<BeadFact>>, Unreadable>;
    /// `town.ledger.scattered()`: it has so many small files that packing pays
    fn scattered(&self) -> Result<bool, Unreadable>;
    /// `town.count(action, subject, since)`: how often the journal has it, since the moment if one is given
    fn count(&self, action: &str, subject: &Subject, since_ms: Option<i64>) -> Result<u64, Unreadable>;
}

/// Answers nothing: each read is unreadable. For checks and for questions that need none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoReads;

fn none<T>() -> Result<T, Unreadable> {
    Err(Unreadable("there is no town to read here".into()))
}

impl Reads for NoReads {
    fn bead(&self, _: &str) -> Result<Option<Arc<BeadFact>>, Unreadable> {
        none()
    }
    fn find(&self, _: &BeadQuery) -> Result<Vec<Arc<BeadFact>>, Unreadable> {
        none()
    }
    fn hook_of(&self, _: &str) -> Result<Option<Arc<BeadFact>>, Unreadable> {
        none()
    }
    fn free(&self) -> Result<Vec<Arc<PolecatFact>>, Unreadable> {
        none()
    }
    fn screen(&self, _: &Address, _: usize) -> Result<String, Unreadable> {
        none()
    }
    fn unread(&self, _: &str) -> Result<Vec<Arc<MailFact>>, Unreadable> {
        none()
    }
    fn branches(&self, _: Option<bool>) -> Result<Vec<Arc<BranchFact>>, Unreadable> {
        none()
    }
    fn idle_wisps(&self, _: i64) -> Result<Vec<Arc<BeadFact>>, Unreadable> {
        none()
    }
    fn scattered(&self) -> Result<bool, Unreadable> {
        none()
    }
    fn count(&self, _: &str, _: &Subject, _: Option<i64>) -> Result<u64, Unreadable> {
        none()
    }
}
