//! Bulk work is done in turns, between which others write: whoever waits for the store is the next to have it.

use std::time::Duration;

/// Up to so many beads are poured, or go, in one transaction.
pub(super) const SMALL: usize = 200;
/// Others wait at most about that long for the store.
pub(super) const TURN: Duration = Duration::from_millis(12);
/// So many beads that nobody sees are removed in one turn.
pub(super) const REMOVED: usize = 50;
