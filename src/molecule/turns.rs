//! Bulk work is done in turns, between which others write.

use std::time::Duration;

/// Up to so many beads are poured, or go, in one transaction.
pub(super) const SMALL: usize = 200;
/// Others wait at most about that long for the store.
pub(super) const TURN: Duration = Duration::from_millis(20);
/// So many beads that nobody sees are removed in one turn.
pub(super) const REMOVED: usize = 200;
/// So many beads are brought into the file itself at once.
pub(super) const UNSETTLED: usize = 3_000;
/// How long nobody writes between two turns.
const PAUSE: Duration = Duration::from_micros(300);

/// Lets others write. The lock goes to whoever asks first, and those who have just been woken need a moment for that: a
/// pause is the only thing that lets them, for nothing tells that one of them waits.
pub(super) fn give_way() {
    std::thread::sleep(PAUSE);
}
