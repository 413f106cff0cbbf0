//! How the town's errors are told to people: kind, message, and what to do next.

use super::{CliError, Kind};
use crate::town::TownError;

impl From<TownError> for CliError {
    fn from(error: TownError) -> Self {
        let kind = match &error {
            TownError::User { .. } | TownError::Name(_) | TownError::Runtime(_) => Kind::User,
            TownError::NotFound { .. } => Kind::NotFound,
            TownError::Refused { .. } => Kind::Refused,
            TownError::Config(_) | TownError::Formula(_) => Kind::Config,
            TownError::Store(store) if store.is_fault() => Kind::Store,
            TownError::Store(crate::store::StoreError::NotFound { .. }) => Kind::NotFound,
            TownError::Store(_) | TownError::Queue(_) | TownError::Molecule(_) => Kind::Refused,
            TownError::Git(crate::git::GitError::Unreachable { .. } | crate::git::GitError::Timeout { .. }) => {
                Kind::Timeout
            }
            TownError::Git(_) | TownError::Session(_) | TownError::Io { .. } => Kind::User,
        };
        let hints = error.hints();
        let mut told = Self::from_error(kind, &error);
        told.hints = hints;
        told
    }
}
