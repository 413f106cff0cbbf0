//! How the town's errors are told to people: kind, message, and what to do next.

use super::{CliError, Kind};
use crate::git::GitError;
use crate::store::StoreError;
use crate::town::TownError;

impl From<TownError> for CliError {
    fn from(error: TownError) -> Self {
        let kind = match &error {
            TownError::NotFound { .. } | TownError::Store(StoreError::NotFound { .. }) => Kind::NotFound,
            TownError::Store(store) if store.is_fault() => Kind::Store,
            TownError::Refused { .. } | TownError::Store(_) | TownError::Queue(_) | TownError::Molecule(_) => {
                Kind::Refused
            }
            TownError::Config(_) | TownError::Formula(_) => Kind::Config,
            TownError::Git(GitError::Unreachable { .. } | GitError::Timeout { .. }) => Kind::Timeout,
            TownError::User { .. }
            | TownError::Name(_)
            | TownError::Runtime(_)
            | TownError::Git(_)
            | TownError::Session(_)
            | TownError::Io { .. } => Kind::User,
        };
        let hints = error.hints();
        let mut told = Self::from_error(kind, &error);
        told.hints = hints;
        told
    }
}
