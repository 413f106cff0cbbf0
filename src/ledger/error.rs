//! What can go wrong with the ledger. Nothing is lost by it: the outbox keeps what is not committed.

use crate::git::GitError;
use crate::store::StoreError;

/// An error of the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The outbox cannot be read or acknowledged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The repository cannot be read or written.
    #[error("the ledger's repository")]
    Git(#[from] GitError),
    /// A file of the ledger is not what it should be.
    #[error("the ledger holds `{path}`, which is not a bead: {reason}")]
    Odd {
        /// The path in the ledger.
        path: String,
        /// Why not.
        reason: String,
    },
    /// A file operation failed.
    #[error("cannot {what} `{path}`")]
    Io {
        /// The verb.
        what: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

impl From<git2::Error> for LedgerError {
    fn from(error: git2::Error) -> Self {
        Self::Git(error.into())
    }
}

impl LedgerError {
    /// What the user can do next, if there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Git(e) => e.hint().or_else(|| Some("look at it with `git -C .beads/ledger.git fsck`".to_owned())),
            Self::Odd { .. } => Some("the ledger is written by bd only; look at its history with `git log`".to_owned()),
            Self::Store(_) | Self::Io { .. } => None,
        }
    }

    pub(super) fn io(what: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }
}
