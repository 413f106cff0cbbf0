//! What the daemon could not do and goes on without, kept with the town until it can, for `gt status`.

use std::collections::BTreeMap;

use serde_json::json;

use crate::store::{Read, StoreError, Write};

const TOWN: &str = "town";
const TROUBLE: &str = "trouble";

/// What is wrong now, by what it is about (`rig app`, `queue of app`).
pub type Troubles = BTreeMap<String, String>;

/// Writes down what is wrong now, if that differs from what stands there. False when it does not.
pub fn save(w: &mut Write<'_>, now: &Troubles) -> Result<bool, StoreError> {
    if read(w)? == *now {
        return Ok(false);
    }
    if now.is_empty() {
        return w.delete_local(TOWN, TROUBLE);
    }
    w.put_local(TOWN, TROUBLE, &json!(now))?;
    Ok(true)
}

/// What is written down as wrong.
pub fn read(r: &Read<'_>) -> Result<Troubles, StoreError> {
    Ok(r.local_or_none(TOWN, TROUBLE)?.unwrap_or_default())
}

/// What is wrong, one line each.
pub fn all(r: &Read<'_>) -> Result<Vec<String>, StoreError> {
    Ok(read(r)?.into_iter().map(|(what, why)| format!("{what}: {why}")).collect())
}
