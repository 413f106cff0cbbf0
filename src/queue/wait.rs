//! Why a queue waits: a whole rig (the remote is away, a gate cannot run) or one request (the target itself is
//! red, the policy leaves it out). Kept on disk, so that a restart does not hurry, and shown by `gt status`.

use serde::{Deserialize, Serialize};

use crate::base::{BeadId, RigName, Time};
use crate::store::{Read, StoreError, Write};

const RIGS: &str = "queue";
const REQUESTS: &str = "mr_wait";
const NOTES: &str = "mr_note";

/// The shortest and the longest time before a rig's queue tries again.
const FIRST_MS: i64 = 15_000;
const LONGEST_MS: i64 = 1_800_000;

/// A rig's queue takes nothing before a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Why, in one line.
    pub why: String,
    /// When it tries again; a change of the rig's configuration ends the pause at once.
    pub until: Time,
    /// How often in a row it paused for that.
    pub tries: u32,
}

/// The pause of a rig, if it has one; it may be over.
pub fn pause(r: &Read<'_>, rig: &RigName) -> Result<Option<Pause>, StoreError> {
    Ok(r.local(RIGS, rig.as_str())?.and_then(|v| serde_json::from_value(v).ok()))
}

/// Pauses a rig, longer each time for the same reason. The event `queue_paused` is told once per reason.
pub fn set_pause(w: &mut Write<'_>, rig: &RigName, why: &str) -> Result<Pause, StoreError> {
    let before = pause(w, rig)?.filter(|p| p.why == why);
    let tries = before.as_ref().map_or(0, |p| p.tries) + 1;
    let wait = FIRST_MS.saturating_mul(1 << (tries - 1).min(16)).min(LONGEST_MS);
    let pause = Pause { why: why.to_owned(), until: w.by().now.plus_millis(wait), tries };
    w.put_local(RIGS, rig.as_str(), &serde_json::to_value(&pause).expect("plain data serialises"))?;
    if before.is_none() {
        w.emit("queue_paused", rig.as_str(), serde_json::json!({ "why": why, "until": pause.until }))?;
    }
    Ok(pause)
}

/// Ends the pause of a rig.
pub fn end_pause(w: &mut Write<'_>, rig: &RigName) -> Result<(), StoreError> {
    w.delete_local(RIGS, rig.as_str()).map(|_| ())
}

/// A request waits because the target, at this commit, fails the gate by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Why, in one line.
    pub why: String,
    /// The commit of the target; another one ends the wait.
    pub base: String,
    /// When it is tried again all the same.
    pub until: Time,
}

/// Why a request waits, if it does.
pub fn wait(r: &Read<'_>, mr: &BeadId) -> Result<Option<Wait>, StoreError> {
    Ok(r.local(REQUESTS, mr.as_str())?.and_then(|v| serde_json::from_value(v).ok()))
}

/// Lets a request wait for another target.
pub fn set_wait(w: &mut Write<'_>, mr: &BeadId, why: &str, base: &str) -> Result<(), StoreError> {
    let wait = Wait { why: why.to_owned(), base: base.to_owned(), until: w.by().now.plus_millis(LONGEST_MS) };
    w.put_local(REQUESTS, mr.as_str(), &serde_json::to_value(&wait).expect("plain data serialises"))
}

/// Why the policy left a request out when it last looked, if it did.
pub fn note(r: &Read<'_>, mr: &BeadId) -> Result<Option<String>, StoreError> {
    Ok(r.local(NOTES, mr.as_str())?.and_then(|v| v.as_str().map(str::to_owned)))
}

/// Notes why the policy leaves a request out.
pub fn set_note(w: &mut Write<'_>, mr: &BeadId, why: &str) -> Result<(), StoreError> {
    w.put_local(NOTES, mr.as_str(), &why.into())
}

/// Forgets all that was kept about the waiting of a request.
pub fn forget(w: &mut Write<'_>, mr: &BeadId) -> Result<(), StoreError> {
    w.delete_local(NOTES, mr.as_str())?;
    end_wait(w, mr)
}

/// Ends the wait of a request.
pub fn end_wait(w: &mut Write<'_>, mr: &BeadId) -> Result<(), StoreError> {
    w.delete_local(REQUESTS, mr.as_str()).map(|_| ())
}
