//! The reads of a town in memory.

use std::sync::Arc;

use crate::base::Address;
use crate::policy::action::Subject;
use crate::policy::facts::{BeadFact, BranchFact, MailFact, PolecatFact, Snapshot};
use crate::policy::reads::{BeadQuery, Reads, Unreadable};

/// Answers from a snapshot; what a snapshot does not have is empty.
pub(super) struct Shelf(pub Arc<Snapshot>);

impl Reads for Shelf {
    fn bead(&self, id: &str) -> Result<Option<Arc<BeadFact>>, Unreadable> {
        Ok(self.0.beads.iter().find(|b| b.id.as_str() == id).cloned())
    }

    fn find(&self, query: &BeadQuery) -> Result<Vec<Arc<BeadFact>>, Unreadable> {
        let fits = |b: &&Arc<BeadFact>| {
            query.label.as_ref().is_none_or(|l| b.labels.contains(l))
                && query.status.as_ref().is_none_or(|s| b.status == *s)
                && query.kind.as_ref().is_none_or(|k| b.kind == *k)
                && query.epic.as_ref().is_none_or(|e| b.epic.as_ref().is_some_and(|id| id.as_str() == e))
        };
        Ok(self.0.beads.iter().filter(fits).cloned().collect())
    }

    fn hook_of(&self, agent: &str) -> Result<Option<Arc<BeadFact>>, Unreadable> {
        let polecat = self.0.polecats.iter().find(|p| p.name == agent || p.address.to_string() == agent);
        Ok(polecat.and_then(|p| p.bead.clone()))
    }

    fn free(&self) -> Result<Vec<Arc<PolecatFact>>, Unreadable> {
        Ok(self.0.polecats.iter().filter(|p| p.bead.is_none()).cloned().collect())
    }

    fn screen(&self, _: &Address, _: usize) -> Result<String, Unreadable> {
        Ok(String::new())
    }

    fn unread(&self, _: &str) -> Result<Vec<Arc<MailFact>>, Unreadable> {
        Ok(Vec::new())
    }

    fn branches(&self, _: Option<bool>) -> Result<Vec<Arc<BranchFact>>, Unreadable> {
        Ok(Vec::new())
    }

    fn count(&self, _: &str, _: &Subject, _: Option<i64>) -> Result<u64, Unreadable> {
        Ok(0)
    }
}
