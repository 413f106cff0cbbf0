//! What can go wrong in the queue itself. A failed gate or a conflict is no error, it is an outcome.

use crate::base::BeadId;
use crate::git::GitError;
use crate::store::StoreError;

use super::machine::Illegal;

/// A bead that is no merge request that can be read.
#[derive(Debug, thiserror::Error)]
#[error("{mr} cannot be read as a merge request: {why}")]
pub struct Malformed {
    /// The bead.
    pub mr: BeadId,
    /// What is missing or wrong.
    pub why: String,
}

/// An error of the merge queue.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A defect of the queue: nothing was changed.
    #[error("{mr}: {illegal}")]
    Illegal {
        /// The merge request.
        mr: BeadId,
        /// What was to happen to it.
        illegal: Illegal,
    },
    /// A bead that is no merge request that can be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A change cannot go back to its worker.
    #[error("{mr} cannot go back to its worker: {why}")]
    NoWayBack {
        /// The merge request.
        mr: BeadId,
        /// Why not.
        why: String,
    },
    /// The town goes down while it works.
    #[error("the town goes down")]
    Stopped,
    /// A file operation.
    #[error("cannot {what}: {error}")]
    Io {
        /// What was to be done.
        what: String,
        /// Why not.
        error: std::io::Error,
    },
}

impl QueueError {
    pub(super) fn io(what: impl Into<String>, error: std::io::Error) -> Self {
        Self::Io { what: what.into(), error }
    }
}
