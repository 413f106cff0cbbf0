//! The journal of a push: written before it, deleted in the transaction that records the landing.

use serde::{Deserialize, Serialize};

use crate::base::{BeadId, RigName, Time};
use crate::store::{Read, StoreError, Write};

const PUSHES: &str = "push";

/// What is about to be pushed. Commits are full hexadecimal ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The branch of the remote, as in `main`.
    pub target: String,
    /// Where it must be.
    pub old: String,
    /// Where it is to be: the commit that was tested.
    pub new: String,
    /// The requests that land with it, in order, each with its own merge commit.
    pub members: Vec<(BeadId, String)>,
    /// Since when.
    pub at: Time,
}

/// The push that a rig is in, or was in when its daemon died.
pub fn get(r: &Read<'_>, rig: &RigName) -> Result<Option<Intent>, StoreError> {
    let invalid =
        |error| StoreError::Invalid { field: "push", reason: format!("{rig}: {error}; to go on: gt queue retry") };
    r.local_row(PUSHES, rig.as_str())?.transpose().map_err(invalid)
}

/// Whether something is written down of a push, readable or not.
pub fn stands(r: &Read<'_>, rig: &RigName) -> Result<bool, StoreError> {
    r.has_local(PUSHES, rig.as_str())
}

/// What a person must know and do when what is written down of a rig's push cannot be read.
pub fn damage(r: &Read<'_>, rig: &RigName) -> Result<Option<String>, StoreError> {
    let told = |why| format!("what was written of its last push cannot be read ({why}); to go on: gt queue retry");
    Ok(unreadable(r, rig)?.map(told))
}

fn unreadable(r: &Read<'_>, rig: &RigName) -> Result<Option<String>, StoreError> {
    Ok(r.local_row::<Intent>(PUSHES, rig.as_str())?.and_then(Result::err))
}

/// A person says to go on without what cannot be read: the requests that were in hand wait again, and those that have
/// arrived are found on the target. False when it can be read.
pub fn mend(w: &mut Write<'_>, rig: &RigName) -> Result<bool, StoreError> {
    let Some(why) = unreadable(w, rig)? else { return Ok(false) };
    delete(w, rig)?;
    w.emit("row_mended", rig.as_str(), serde_json::json!({ "what": PUSHES, "why": why }))?;
    Ok(true)
}

/// Writes it down. Refused while an earlier one stands: nobody knows yet what has come of that.
pub fn put(w: &mut Write<'_>, rig: &RigName, intent: &Intent) -> Result<(), StoreError> {
    if let Some(earlier) = get(w, rig)?.filter(|earlier| earlier != intent) {
        let reason = format!("{rig}: the push of {} is not over", earlier.new);
        return Err(StoreError::Invalid { field: "push", reason });
    }
    w.put_local(PUSHES, rig.as_str(), &serde_json::to_value(intent).expect("plain data serialises"))
}

/// It is over.
pub fn delete(w: &mut Write<'_>, rig: &RigName) -> Result<(), StoreError> {
    w.delete_local(PUSHES, rig.as_str()).map(|_| ())
}
