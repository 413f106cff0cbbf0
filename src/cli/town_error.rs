//! How the town's errors are told to people: kind, message, and what to do next.

use super::{CliError, Kind, git_error};
use crate::queue::QueueError;
use crate::town::TownError;

impl From<TownError> for CliError {
    fn from(error: TownError) -> Self {
        let error = match error {
            // The same mistake is told in the same way by `bd`.
            TownError::Store(store) | TownError::Queue(QueueError::Store(store)) => return store.into(),
            TownError::Molecule(molecule) => return molecule.into(),
            other => other,
        };
        if let TownError::Formula(report) = &error
            && let Some(told) = super::formula_error::placeless(report)
        {
            return told;
        }
        let kind = match &error {
            TownError::NotFound { .. } => Kind::NotFound,
            TownError::Refused { .. } | TownError::Store(_) | TownError::Queue(_) | TownError::Molecule(_) => {
                Kind::Refused
            }
            TownError::Config(_) | TownError::Formula(_) => Kind::Config,
            TownError::Git(git) => git_error::kind(git).unwrap_or(Kind::User),
            TownError::User { .. }
            | TownError::Name(_)
            | TownError::Runtime(_)
            | TownError::Session(_)
            | TownError::Io { .. } => Kind::User,
        };
        let mut told = Self::from_error(kind, &error);
        told.hints = error.hints();
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn a_full_disk_says_what_to_do_also_from_a_verb_of_the_town() {
        let path = "/town/.beads/write.lock".into();
        let full = StoreError::Io { path, error: std::io::ErrorKind::StorageFull.into() };
        let told = CliError::from(TownError::Store(full));
        assert_eq!((told.kind, told.hints.len()), (Kind::Store, 1));
        assert!(told.hints[0].contains("make room on that disk"), "{:?}", told.hints);
    }
}
