//! How the ledger's errors are told to people.

use super::{CliError, Kind, git_error};
use crate::ledger::LedgerError;

impl From<LedgerError> for CliError {
    fn from(error: LedgerError) -> Self {
        let error = match error {
            LedgerError::Store(error) => return error.into(),
            other => other,
        };
        let hint = error.hint();
        let kind = match &error {
            LedgerError::NoLedger(_) => Kind::NotFound,
            LedgerError::Lacks { .. } => Kind::Refused,
            LedgerError::Slow { .. } => Kind::Timeout,
            LedgerError::Git(git) | LedgerError::Remote(git) => git_error::kind(git).unwrap_or(Kind::Store),
            _ => Kind::Store,
        };
        let mut told = Self::from_error(kind, &error);
        told.hints.extend(hint);
        told
    }
}
