//! The ledger: every transition of every bead as a commit, in a bare git repository beside the store.
//!
//! `<beads_dir>/ledger.git` has one branch per id prefix, `refs/heads/beads/<prefix>`, one commit per transition
//! (author: who did it; message: what happened) and one canonical JSON file per bead. `git log` of it is the
//! audit trail; git is its network. The store is the truth: a transition is durable in the store's outbox before
//! it is committed here, so that a crash at any point only delays it, and repeating a drain changes nothing.
//!
//! Short backlogs are written as loose objects in this process, middling ones as one pack, long ones by one
//! `git fast-import`; all give the same commits. Only the file and its two folders' trees are rewritten for a transition.
//!
//! Two copies of a bead's file merge without a common base, by the stamps in its `_v`: [`merge()`].

mod compare;
mod direct;
mod drain;
mod dump;
mod error;
mod fast;
mod hold;
mod layout;
mod merge;
mod pack;
mod read;
mod repack;
mod restore;
mod sync;

pub use compare::{Compared, begin_anew, compare, reconcile};
pub use drain::{Drained, drain, last_drain};
pub use dump::{canonical, dump};
pub use error::LedgerError;
pub use merge::{MergeError, merge};
pub use read::{Entry, Ledger};
pub use repack::{Repacked, repack, wants_repack};
pub use restore::{Restored, restore};
pub use sync::{Remote, SyncStatus, Synced, rehearse, status, sync};

#[cfg(test)]
mod merge_tests;
#[cfg(test)]
mod restore_tests;
#[cfg(test)]
mod tests;
