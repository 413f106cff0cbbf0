//! What can go wrong with the store.

use std::path::PathBuf;

use crate::base::BeadId;
use crate::base::lock::LockError;
use crate::base::span::Span;

/// An error of the store. An unreadable store is always an error and never an empty answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No bead of that id.
    #[error("there is no bead `{given}`")]
    NotFound {
        /// What was asked for.
        given: String,
        /// An id like it.
        similar: Option<String>,
    },
    /// It was a wisp, and is gone.
    #[error("there is no bead `{0}` any more: it was a wisp, and nothing stays of those")]
    Erased(BeadId),
    /// A short id that several beads answer to.
    #[error("ambiguous id `{given}` matches {}", handful(matches))]
    Ambiguous {
        /// What was asked for.
        given: String,
        /// Which answer to it: at most one more than a handful.
        matches: Vec<BeadId>,
    },
    /// The id is taken.
    #[error("there is already a bead `{0}`")]
    Exists(BeadId),
    /// A value breaks a rule of the format.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which value.
        field: &'static str,
        /// Which rule.
        reason: String,
    },
    /// The edge would close a circle.
    #[error("cannot add dependency: would create a cycle ({})", path.iter().map(BeadId::as_str).collect::<Vec<_>>().join(" → "))]
    Cycle {
        /// The circle, its first member repeated at the end.
        path: Vec<BeadId>,
    },
    /// A bead cannot depend on itself.
    #[error("`{0}` cannot depend on itself")]
    SelfDep(BeadId),
    /// There is no such edge.
    #[error("`{issue}` does not depend on `{target}`{}", kind.as_ref().map(|k| format!(" by {k}")).unwrap_or_default())]
    NoDep {
        /// The dependent.
        issue: BeadId,
        /// What it was to depend on.
        target: BeadId,
        /// The kind asked for.
        kind: Option<String>,
    },
    /// Closing it would leave open work behind that it waits for.
    #[error("cannot close {id}: blocked by open issues [{}]", join(by))]
    Blocked {
        /// The bead.
        id: BeadId,
        /// What it waits for.
        by: Vec<BeadId>,
    },
    /// The bead is pinned, a template or deleted, and the request does not go with that.
    #[error("cannot {verb} {id}: it is {what}")]
    Refused {
        /// What was asked.
        verb: &'static str,
        /// The bead.
        id: BeadId,
        /// What is in the way.
        what: &'static str,
    },
    /// Somebody else has it.
    #[error("{id} is already claimed by {by}")]
    Claimed {
        /// The bead.
        id: BeadId,
        /// Who has it.
        by: String,
    },
    /// It cannot be claimed in its status.
    #[error("{id} cannot be claimed: it is {status}")]
    NotClaimable {
        /// The bead.
        id: BeadId,
        /// Where it stands.
        status: String,
    },
    /// The agent or the bead is hooked already.
    #[error("{agent} already has {bead} on its hook")]
    Hooked {
        /// Who.
        agent: String,
        /// What.
        bead: BeadId,
    },
    /// The holder's fencing token is no longer the one in force.
    #[error("the hold of {agent} is over (epoch {given}, now {})", now.map_or("none".to_owned(), |n| n.to_string()))]
    Stale {
        /// Who.
        agent: String,
        /// The token given.
        given: i64,
        /// The token in force.
        now: Option<i64>,
    },
    /// There is no store there.
    #[error("there is no store at {}", .0.display())]
    NoStore(PathBuf),
    /// There is a store there already.
    #[error("there is already a store at {}", .0.display())]
    StoreExists(PathBuf),
    /// The file is of another version of the format.
    #[error("the store at {} has format {found}, and this program {}", path.display(), versions(*found, *known))]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// The file is a database, and not one of ours.
    #[error("{} is a database of another program", .0.display())]
    Foreign(PathBuf),
    /// The file cannot be read as a store.
    #[error("the store at {} is damaged or unreadable: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What `SQLite` or a check said.
        detail: String,
    },
    /// A file of the store cannot be opened, locked or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Others held a lock for all the time that was waited for it.
    #[error(
        "waited {} for {}, which {} holds", Span::from(*waited), path.display(),
        holder.map_or("another process".to_owned(), |pid| format!("process {pid}"))
    )]
    Held {
        /// The lock.
        path: PathBuf,
        /// So long was waited.
        waited: std::time::Duration,
        /// Who holds it, where the system tells.
        holder: Option<u32>,
    },
    /// It was opened for reading alone.
    #[error("this would write, and --readonly was given")]
    ReadOnly,
    /// `SQLite` failed.
    #[error("the store failed: {0}")]
    Sqlite(rusqlite::Error),
}

/// So many of the beads that a short id may mean are named.
pub(super) const HANDFUL: usize = 5;

fn handful(ids: &[BeadId]) -> String {
    if ids.len() > HANDFUL {
        return format!("more than {HANDFUL} beads: {}, …", join(&ids[..HANDFUL]));
    }
    format!("{} beads: {}", ids.len(), join(ids))
}

fn join(ids: &[BeadId]) -> String {
    ids.iter().map(BeadId::as_str).collect::<Vec<_>>().join(", ")
}

fn versions(found: i64, known: i64) -> String {
    if found > known { format!("knows formats up to {known}") } else { format!("needs format {known}") }
}

impl StoreError {
    pub(super) fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { field, reason: reason.into() }
    }

    /// A lock that could not be had.
    pub(crate) fn lock(path: PathBuf, error: LockError) -> Self {
        match error {
            LockError::Held { waited, holder } => Self::Held { path, waited, holder },
            LockError::Io(error) => Self::Io { path, error },
        }
    }

    /// Whether others kept us from it for as long as we waited.
    pub fn is_held(&self) -> bool {
        let busy = [rusqlite::ErrorCode::DatabaseBusy, rusqlite::ErrorCode::DatabaseLocked];
        match self {
            Self::Held { .. } => true,
            Self::Sqlite(error) => error.sqlite_error_code().is_some_and(|code| busy.contains(&code)),
            _ => false,
        }
    }

    /// Whether there was no room on the disk.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            Self::Io { error, .. } => error.kind() == std::io::ErrorKind::StorageFull,
            _ => false,
        }
    }

    /// Whether the store itself is at fault, not the request.
    pub fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::NoStore(_)
                | Self::Foreign(_)
                | Self::Version { .. }
                | Self::Damaged { .. }
                | Self::Io { .. }
                | Self::Sqlite(_)
        )
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let failed = |code| StoreError::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
        assert!(failed(rusqlite::ffi::SQLITE_FULL).is_full());
        assert!(!failed(rusqlite::ffi::SQLITE_CORRUPT).is_full());
    }
}
