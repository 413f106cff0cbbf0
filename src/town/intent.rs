//! Intents: what is to be done outside the store, written down before it is done.
//!
//! Work that spans a ref, a folder, a process and the store records an intent in the transaction that decides
//! it, acts in steps that may be repeated, and deletes the intent in the transaction that completes it. After a
//! crash the intent is still there, and the next command or the daemon finishes it with [`super::finish`].

use serde::{Deserialize, Serialize};

use super::unreadable;
use crate::base::process::ProcId;
use crate::base::{Address, BeadId, Time};
use crate::store::{Read, StoreError, Write};

/// The local namespace of intents.
pub const INTENTS: &str = "intent";

/// What is to be done. Keyed by the agent: one intent per agent at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// Whom it is about.
    pub agent: Address,
    /// Since when.
    pub at: Time,
    /// On whose word.
    pub by: String,
    /// What.
    pub act: Act,
}

/// The kinds of intents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Act {
    /// Make the worktree and start the session of an agent with work on its hook.
    Spawn(Spawn),
    /// Hand in what the agent has made.
    Done(Handing),
    /// Stop the session, keep what is in the worktree, take worktree and row away.
    Retire {
        /// Why, for the events.
        why: String,
        /// The bead that becomes ready again for another worker, who goes on from what was kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        give_back: Option<BeadId>,
    },
    /// Stop the session and keep the worktree as it is.
    Stop {
        /// Why, for the events.
        why: String,
    },
}

/// Why and how a session is started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spawn {
    /// `sling`, `rework`, `restart` or `start`.
    pub cause: String,
    /// The commit a new branch starts at, when it is not the target's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The session's process so far, which must be gone before a new one starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ProcId>,
    /// Ask the runtime to take up its last conversation.
    #[serde(default)]
    pub resume: bool,
}

/// What `gt done` observed and is about to hand in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Handing {
    /// The bead.
    pub bead: BeadId,
    /// The fencing token of the hook at the time.
    pub epoch: i64,
    /// The id of the merge request to be made.
    pub mr: BeadId,
    /// The commit that HEAD was at.
    pub commit: String,
}

impl Intent {
    /// A new intent.
    pub fn new(agent: Address, by: impl Into<String>, at: Time, act: Act) -> Self {
        Self { agent, at, by: by.into(), act }
    }
}

/// The intent about an agent.
pub fn get(r: &Read<'_>, agent: &Address) -> Result<Option<Intent>, StoreError> {
    r.local_text(INTENTS, &agent.to_string())?.map(|text| parse(&agent.to_string(), &text)).transpose()
}

/// Whether something is to be done about an agent, readable or not.
pub fn stands(r: &Read<'_>, agent: &Address) -> Result<bool, StoreError> {
    r.has_local(INTENTS, &agent.to_string())
}

/// All intents, oldest first. One that cannot be read stops nobody else: it is left out here and told by
/// [`super::unreadable`].
pub fn all(r: &Read<'_>) -> Result<Vec<Intent>, StoreError> {
    let (mut all, _) = unreadable::sift::<Intent>(r, INTENTS)?;
    all.sort_by_key(|intent| intent.at);
    Ok(all)
}

/// Writes an intent down; it takes the place of an earlier one about the same agent.
pub fn put(w: &mut Write<'_>, intent: &Intent) -> Result<(), StoreError> {
    let value = serde_json::to_value(intent).expect("plain data serialises");
    w.put_local(INTENTS, &intent.agent.to_string(), &value)
}

/// Deletes `intent` if it is still the one in force. False when another has taken its place.
pub fn complete(w: &mut Write<'_>, intent: &Intent) -> Result<bool, StoreError> {
    if get(w, &intent.agent)?.as_ref() != Some(intent) {
        return Ok(false);
    }
    w.delete_local(INTENTS, &intent.agent.to_string())?;
    Ok(true)
}

fn parse(key: &str, text: &str) -> Result<Intent, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Invalid { field: "intent", reason: format!("{key}: {e}") })
}
