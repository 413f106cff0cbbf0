//! How the ledger's errors are told to people.

use super::{CliError, Kind};
use crate::ledger::LedgerError;

impl From<LedgerError> for CliError {
    fn from(error: LedgerError) -> Self {
        let hint = error.hint();
        let kind = match error {
            LedgerError::Store(error) => return error.into(),
            LedgerError::NoLedger(_) => Kind::NotFound,
            LedgerError::Slow { .. } => Kind::Timeout,
            _ => Kind::Store,
        };
        let mut told = Self::from_error(kind, &error);
        told.hints.extend(hint);
        told
    }
}
