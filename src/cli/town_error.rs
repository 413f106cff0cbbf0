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
        let mut hints = error.hints();
        if let TownError::Store(store) = &error
            && store.is_fault()
        {
            hints.extend(super::store_error::hint(store));
        }
        let mut told = Self::from_error(kind, &error);
        told.hints = hints;
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_what_to_do_also_from_a_verb_of_the_town() {
        let path = "/town/.beads/write.lock".into();
        let full = StoreError::Io { path, error: std::io::ErrorKind::StorageFull.into() };
        let told = CliError::from(TownError::Store(full));
        assert_eq!((told.kind, told.hints.len()), (Kind::Store, 1));
        assert!(told.hints[0].contains("make room on that disk"), "{:?}", told.hints);
    }
}
