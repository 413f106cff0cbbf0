//! Closing: what is asked and what came of it.

use super::Bead;
use crate::base::BeadId;

/// How to close a bead.
#[derive(Debug, Clone, Default)]
pub struct Close {
    /// Why; empty means `Closed`.
    pub reason: String,
    /// Close even if blocked or pinned.
    pub force: bool,
    /// The agent session that closes it.
    pub session: String,
}

impl Close {
    /// Close for `reason`, minding the guards.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }
}

/// A bead that was closed.
#[derive(Debug, Clone)]
pub struct Closed {
    /// The bead as it now is.
    pub bead: Bead,
    /// Beads that were held back and no longer are.
    pub unblocked: Vec<BeadId>,
}
