//! The database can be opened, and every page of it is sound.

use super::Finding;
use crate::base::text;
use crate::cli::CliError;
use crate::cli::bd::Context;
use crate::store::{Store, StoreError};

pub(super) fn look(cx: &Context) -> Result<Vec<Finding>, CliError> {
    let dir = &cx.place().beads_dir;
    let unsound =
        |what: String, next: &str| Finding { check: "database", grave: true, what, next: next.to_owned(), mend: None };
    let restore = "`bd restore --force` makes it anew from the ledger and keeps this one aside";
    let store = match Store::open(dir) {
        Ok(store) => store,
        Err(StoreError::NoStore(path)) if dir.join("ledger.git").exists() => {
            let what = format!("{} is not there, and its ledger is", path.display());
            return Ok(vec![unsound(what, "`bd restore` makes it anew from the ledger")]);
        }
        Err(error @ (StoreError::Damaged { .. } | StoreError::Sqlite(_))) => {
            return Ok(vec![unsound(error.to_string(), restore)]);
        }
        Err(error) => return Err(error.into()),
    };
    let found = match store.check() {
        Ok(found) => found,
        Err(error) => vec![error.to_string()],
    };
    if found.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![unsound(format!("the file is damaged: {}", text::some(&found)), restore)])
}
