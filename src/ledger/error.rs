//! What can go wrong with the ledger. Nothing is lost by it: the outbox keeps what is not committed.

use crate::base::span::Span;
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
    /// The repository to sync with cannot be reached, or is none.
    #[error(transparent)]
    Remote(GitError),
    /// A file of the ledger is not what it should be.
    #[error("the ledger holds `{path}`, which is not a bead: {reason}")]
    Odd {
        /// The path in the ledger.
        path: String,
        /// Why not.
        reason: String,
    },
    /// Nothing was ever recorded there.
    #[error("there is no ledger with beads at {}", .0.display())]
    NoLedger(std::path::PathBuf),
    /// The database that a restore would replace has beads that the ledger lacks.
    #[error("the ledger lacks {} of the database, first {first}; nothing was replaced", crate::base::text::count(*.count, "bead"))]
    Lacks {
        /// The first of them.
        first: crate::base::BeadId,
        /// How many.
        count: usize,
    },
    /// The remote answered and did not take what was pushed.
    #[error("`{url}` did not take the ledger: {reason}")]
    Rejected {
        /// The remote.
        url: String,
        /// What it said.
        reason: String,
    },
    /// The remote did not answer in time.
    #[error("`{url}` did not answer within {}", Span::from(*limit))]
    Slow {
        /// The remote.
        url: String,
        /// The time that it had.
        limit: std::time::Duration,
    },
    /// Others pushed so often that no round was left.
    #[error("others pushed to `{url}` in each of {rounds} rounds")]
    Busy {
        /// The remote.
        url: String,
        /// How often it was tried.
        rounds: u32,
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

const FULL: &str = "make room on that disk, then run it again; what is not recorded yet waits in the database";
const UNWRITABLE: &str =
    "check the permissions of the folder and the space on the disk; what is not recorded yet waits in the database";

/// An error and all its causes: libgit2 gives the operating system's word only in its text.
fn told(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(told).unwrap_or_default();
    format!("{error}: {cause}")
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
            Self::Git(e) if told(e).contains("No space left") => Some(FULL.to_owned()),
            Self::Git(e) if told(e).contains("Read-only file system") || told(e).contains("Permission denied") => {
                Some(UNWRITABLE.to_owned())
            }
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => Some(FULL.to_owned()),
            Self::Io { .. } => Some(UNWRITABLE.to_owned()),
            Self::Remote(e) => e.hint(),
            Self::Git(e @ GitError::BrokenRef { .. }) => Some(format!(
                "`bd doctor --fix` begins it anew from the database; where that is lost: {}; then `bd restore`",
                e.hint().unwrap_or_default()
            )),
            Self::Git(e) => e.hint().or_else(|| {
                Some(
                    "`bd doctor` says whether it is damaged, and begins it anew from the database with --fix"
                        .to_owned(),
                )
            }),
            Self::Odd { .. } => Some("the ledger is written by bd only; look at its history with `git log`".to_owned()),
            Self::Rejected { .. } => {
                Some("what was received is merged here; `bd sync` sends the rest once the remote lets it".to_owned())
            }
            Self::Slow { url, .. } => Some(format!(
                "see whether `git ls-remote {url}` answers without asking a question; `bd config set sync.timeout 10m` gives \
                 it more time; nothing is lost: `bd sync` again"
            )),
            Self::Busy { .. } => Some("nothing is lost: `bd sync` again".to_owned()),
            Self::Lacks { .. } => Some(
                "`bd doctor --fix` records them; where the database itself is damaged, move `beads.db` and \
                 `beads.db-wal` aside, then `bd restore`"
                    .to_owned(),
            ),
            Self::NoLedger(_) => Some("`bd where` says where the tracker is; `bd init` makes a new one".to_owned()),
            Self::Store(_) => None,
        }
    }

    /// Whether we were not let near the ledger, which may be sound all the same.
    pub(super) fn is_kept_out(&self) -> bool {
        matches!(self, Self::Git(error) if error.is_kept_out()) || matches!(self, Self::Io { .. })
    }

    pub(super) fn odd(id: &crate::base::BeadId, error: super::MergeError) -> Self {
        Self::Odd { path: format!("{id}.json"), reason: error.to_string() }
    }

    pub(super) fn io(what: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }
}
