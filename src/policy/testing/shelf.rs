//! The reads of a town in memory.

use std::sync::Arc;

use crate::base::Address;
use crate::policy::action::Subject;
use crate::policy::facts::{BeadFact, BranchFact, MailFact, PolecatFact, Snapshot};
use crate::policy::reads::{BeadQuery, Reads, Unreadable};

/// Answers from a snapshot and what a test put beside it; what is in neither is empty.
#[derive(Default)]
pub(super) struct Shelf {
    pub snapshot: Arc<Snapshot>,
    pub branches: Vec<Arc<BranchFact>>,
    /// Wisps and when they last changed.
    pub wisps: Vec<(Arc<BeadFact>, i64)>,
    pub scattered: bool,
}

impl Shelf {
    pub fn of(snapshot: &Arc<Snapshot>) -> Self {
        Self { snapshot: Arc::clone(snapshot), ..Self::default() }
    }
}

impl Reads for Shelf {
    fn bead(&self, id: &str) -> Result<Option<Arc<BeadFact>>, Unreadable> {
        Ok(self.snapshot.beads.iter().find(|b| b.id.as_str() == id).cloned())
    }

    fn find(&self, query: &BeadQuery) -> Result<Vec<Arc<BeadFact>>, Unreadable> {
        let fits = |b: &&Arc<BeadFact>| {
            query.label.as_ref().is_none_or(|l| b.labels.contains(l))
                && query.status.as_ref().is_none_or(|s| b.status == *s)
                && query.kind.as_ref().is_none_or(|k| b.kind == *k)
                && query.epic.as_ref().is_none_or(|e| b.epic.as_ref().is_some_and(|id| id.as_str() == e))
        };
        Ok(self.snapshot.beads.iter().filter(fits).cloned().collect())
    }

    fn hook_of(&self, agent: &str) -> Result<Option<Arc<BeadFact>>, Unreadable> {
        let polecat = self.snapshot.polecats.iter().find(|p| p.name == agent || p.address.to_string() == agent);
        Ok(polecat.and_then(|p| p.bead.clone()))
    }

    fn free(&self) -> Result<Vec<Arc<PolecatFact>>, Unreadable> {
        Ok(self.snapshot.polecats.iter().filter(|p| p.bead.is_none()).cloned().collect())
    }

    fn screen(&self, _: &Address, _: usize) -> Result<String, Unreadable> {
        Ok(String::new())
    }

    fn unread(&self, _: &str) -> Result<Vec<Arc<MailFact>>, Unreadable> {
        Ok(Vec::new())
    }

    fn branches(&self, merged: Option<bool>) -> Result<Vec<Arc<BranchFact>>, Unreadable> {
        let fits = |b: &&Arc<BranchFact>| merged.is_none_or(|wanted| wanted == (b.ahead == 0));
        Ok(self.branches.iter().filter(fits).cloned().collect())
    }

    fn idle_wisps(&self, since_ms: i64) -> Result<Vec<Arc<BeadFact>>, Unreadable> {
        Ok(self.wisps.iter().filter(|(_, changed)| *changed <= since_ms).map(|(b, _)| Arc::clone(b)).collect())
    }

    fn scattered(&self) -> Result<bool, Unreadable> {
        Ok(self.scattered)
    }

    fn count(&self, _: &str, _: &Subject, _: Option<i64>) -> Result<u64, Unreadable> {
        Ok(0)
    }
}
