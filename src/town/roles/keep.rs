//! What policies and people keep with a bead, a request, an agent or the town: memory, answers, holds.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::base::Time;
use crate::policy::{AnswerFact, Subject};
use crate::store::{Bead, Read, StoreError, Write};
use crate::town::budget;

const MEMORY: &str = "memory";
const ANSWERS: &str = "answers";
const HOLDS: &str = "hold";

/// What something is kept of, so that nothing need be looked up of the many that have nothing.
#[derive(Debug, Default)]
pub struct Known {
    memory: HashSet<String>,
    answers: HashSet<String>,
    holds: HashSet<String>,
}

impl Known {
    /// Reads the keys.
    pub fn read(r: &Read<'_>) -> Result<Self, StoreError> {
        let keys = |table| Ok::<_, StoreError>(r.local_keys(table)?.into_iter().collect());
        Ok(Self { memory: keys(MEMORY)?, answers: keys(ANSWERS)?, holds: keys(HOLDS)? })
    }

    /// As [`memory`].
    pub fn memory(&self, r: &Read<'_>, key: &str, now_ms: i64) -> Result<Map<String, Value>, StoreError> {
        if self.memory.contains(key) { memory(r, key, now_ms) } else { Ok(Map::new()) }
    }

    /// As [`answers`].
    pub fn answers(&self, r: &Read<'_>, key: &str) -> Result<BTreeMap<String, AnswerFact>, StoreError> {
        if self.answers.contains(key) { answers(r, key) } else { Ok(BTreeMap::new()) }
    }

    /// As [`hold`].
    pub fn hold(&self, r: &Read<'_>, id: &str, now_ms: i64) -> Result<Option<Hold>, StoreError> {
        if self.holds.contains(id) { hold(r, id, now_ms) } else { Ok(None) }
    }
}

/// The key under which a subject's things are kept. `None` for one that does not exist yet.
pub fn key(subject: &Subject, rig: &str) -> Option<String> {
    match subject {
        Subject::Bead(id) | Subject::Mr(id) => Some(id.to_string()),
        Subject::Agent(address) => Some(address.to_string()),
        Subject::Town => Some(format!("town:{rig}")),
        Subject::Made(_) => None,
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    value: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ms: Option<i64>,
}

/// What `gt.remember` stored under `key` and is not over.
pub fn memory(r: &Read<'_>, key: &str, now_ms: i64) -> Result<Map<String, Value>, StoreError> {
    let Some(all) = r.local_or_none::<Map<String, Value>>(MEMORY, key)? else { return Ok(Map::new()) };
    let live = all.into_iter().filter_map(|(name, kept)| {
        let kept: Kept = serde_json::from_value(kept).ok()?;
        kept.until_ms.is_none_or(|until| until > now_ms).then_some((name, kept.value))
    });
    Ok(live.collect())
}

/// Stores values under `key`; a null forgets one.
pub fn remember(
    w: &mut Write<'_>,
    key: &str,
    values: &Map<String, Value>,
    until_ms: Option<i64>,
) -> Result<(), StoreError> {
    let mut all: Map<String, Value> = w.local_or_none(MEMORY, key)?.unwrap_or_default();
    for (name, value) in values {
        if value.is_null() {
            all.remove(name);
        } else {
            all.insert(name.clone(), json!(Kept { value: value.clone(), until_ms }));
        }
    }
    if all.is_empty() {
        return w.delete_local(MEMORY, key).map(|_| ());
    }
    w.put_local(MEMORY, key, &Value::Object(all))
}

/// The answers to the questions about `key`.
pub fn answers(r: &Read<'_>, key: &str) -> Result<BTreeMap<String, AnswerFact>, StoreError> {
    let Some(all) = r.local_or_none::<Map<String, Value>>(ANSWERS, key)? else { return Ok(BTreeMap::new()) };
    let text = |v: &Value, k: &str| v.get(k).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(all
        .into_iter()
        .filter(|(_, v)| v.get("choice").is_some())
        .map(|(name, v)| {
            let fact = AnswerFact { choice: text(&v, "choice"), text: text(&v, "text"), by: text(&v, "by") };
            (name, fact)
        })
        .collect())
}

/// Notes an open question; false when one of that name was asked before.
pub fn ask(w: &mut Write<'_>, key: &str, name: &str, question: &Value) -> Result<bool, StoreError> {
    let mut all: Map<String, Value> = w.local_or_none(ANSWERS, key)?.unwrap_or_default();
    if all.contains_key(name) {
        return Ok(false);
    }
    all.insert(name.to_owned(), question.clone());
    w.put_local(ANSWERS, key, &Value::Object(all))?;
    Ok(true)
}

/// Why something is held back, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Why.
    pub why: String,
    /// When it comes back by itself; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
}

impl Hold {
    /// Why it is held back, and what lets it go on.
    pub fn text(&self, bead: &Bead) -> String {
        let sling = budget::sling_command(bead);
        match self.until_ms {
            Some(at) => format!("{}, until {}; sooner: {sling}", self.why, Time::from_millis(at)),
            None => format!("{}; go on: {sling}", self.why),
        }
    }
}

/// Whether the bead or request of this id is held back now; a hold that cannot be read holds until a person lets go.
pub fn hold(r: &Read<'_>, id: &str, now_ms: i64) -> Result<Option<Hold>, StoreError> {
    let held = r.local_row::<Hold>(HOLDS, id)?.map(|held| held.unwrap_or_else(|error| damaged(&error)));
    Ok(held.filter(|h| h.until_ms.is_none_or(|until| until > now_ms)))
}

fn damaged(error: &str) -> Hold {
    Hold { why: format!("what was written of its hold cannot be read ({error})"), until_ms: None }
}

/// The holds that cannot be read: of what, and why.
pub fn damaged_holds(r: &Read<'_>) -> Result<Vec<(String, String)>, StoreError> {
    let rows = r.local_texts(HOLDS)?.into_iter();
    Ok(rows.filter_map(|(id, text)| Some((id, serde_json::from_str::<Hold>(&text).err()?.to_string()))).collect())
}

/// Holds it back.
pub fn set_hold(w: &mut Write<'_>, id: &str, hold: &Hold) -> Result<(), StoreError> {
    w.put_local(HOLDS, id, &json!(hold))
}

/// Lets it go on; false when it was not held.
pub fn release(w: &mut Write<'_>, id: &str) -> Result<bool, StoreError> {
    w.delete_local(HOLDS, id)
}
