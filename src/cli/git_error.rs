//! Which exit code a failure of git has, where it has one of its own.

use super::Kind;
use crate::git::{Cause, GitError};

/// The kind of what kept git from a remote; none for any other failure, which is told by whoever asked git.
pub(super) fn kind(error: &GitError) -> Option<Kind> {
    match error {
        GitError::Timeout { .. } => Some(Kind::Timeout),
        GitError::Unreachable { cause, .. } => Some(match cause {
            Cause::Network => Kind::Timeout,
            Cause::Denied => Kind::Refused,
            Cause::NoRepository | Cause::NoRef => Kind::NotFound,
            Cause::DiskFull => Kind::Store,
        }),
        _ => None,
    }
}
