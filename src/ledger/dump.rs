//! All that the ledger keeps of a store, as one text: what two stores must agree on to be the same.

use super::{LedgerError, merge};
use crate::store::Store;

/// A ledger file in its canonical form: two files that say the same have the same text.
pub fn canonical(doc: &str) -> Result<String, super::MergeError> {
    merge(doc, doc)
}

/// The canonical ledger file of every bead but wisps, by id, deleted ones too.
pub fn dump(store: &Store) -> Result<String, LedgerError> {
    store.read(|r| {
        let mut all = String::new();
        for id in r.ledger_ids()? {
            if let Some(doc) = r.ledger_doc(&id)? {
                all.push_str(&canonical(&doc).map_err(|e| LedgerError::odd(&id, e))?);
            }
        }
        Ok(all)
    })
}
