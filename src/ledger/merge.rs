//! Merging two copies of a bead's ledger file, with no common base.
//!
//! A file is a set of registers (each scalar field, each key of `metadata`, and the status with all that belongs to
//! it) and three sets (labels, edges, comments). A register is decided by its stamp in `_v.clock`, or `*` for those
//! that never changed; equal stamps by the value's text. A deleted bead stays deleted. A member of a set is there
//! when it was added after it was last removed. A stamp beyond the year 9999 counts as none, or nothing could ever be later
//! than it. Everything is a maximum, so the merge is commutative, associative
//! and idempotent, and keys that this version does not know are merged like all others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::base::Time;
use crate::store::is_beyond;

/// Why two files cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Not a JSON object.
    #[error("not a ledger file: {0}")]
    Unreadable(String),
    /// Files of two different beads.
    #[error("`{0}` and `{1}` are different beads")]
    Different(String, String),
}

/// Keys that make one register with the status.
const WITH_STATUS: [&str; 8] = [
    "status",
    "closed_at",
    "close_reason",
    "closed_by_session",
    "deleted_at",
    "deleted_by",
    "delete_reason",
    "original_type",
];
/// The sets: key in the file, key in `_v`.
const SETS: [(&str, &str); 2] = [("dependencies", "deps"), ("comments", "comments")];
/// Keys of the format in their order; what it does not name follows by name.
const ORDER: &[&str] = &[
    "id",
    "title",
    "description",
    "design",
    "acceptance_criteria",
    "notes",
    "spec_id",
    "status",
    "priority",
    "issue_type",
    "assignee",
    "owner",
    "estimated_minutes",
    "created_at",
    "created_by",
    "updated_at",
    "started_at",
    "closed_at",
    "close_reason",
    "closed_by_session",
    "due_at",
    "defer_until",
    "external_ref",
    "source_system",
    "metadata",
    "compaction_level",
    "compacted_at",
    "compacted_at_commit",
    "original_size",
    "labels",
    "dependencies",
    "comments",
    "deleted_at",
    "deleted_by",
    "delete_reason",
    "original_type",
    "sender",
    "ephemeral",
    "pinned",
    "is_template",
    "bonded_from",
    "creator",
    "validations",
    "quality_score",
    "crystallizes",
    "await_type",
    "await_id",
    "timeout",
    "waiters",
    "holder",
    "source_formula",
    "source_location",
    "hook_bead",
    "role_bead",
    "agent_state",
    "last_activity",
    "role_type",
    "rig",
    "mol_type",
    "work_type",
    "event_kind",
    "actor",
    "target",
    "payload",
];

/// The file that both copies become: keys in the order of the format, those of `metadata` by name.
pub fn merge(a: &str, b: &str) -> Result<String, MergeError> {
    let (a, b) = (Doc::read(a)?, Doc::read(b)?);
    if a.id != b.id {
        return Err(MergeError::Different(a.id.clone(), b.id.clone()));
    }
    Ok(a.join(b).write())
}

/// A value and its stamp; the greater one wins.
type Register = (bool, String, Option<String>);

/// A member of a set: when it was added and last removed, and what it is.
#[derive(Debug, Clone, Default, PartialEq)]
struct Member {
    added: String,
    removed: String,
    value: Option<(String, String)>,
}

#[derive(Debug, Clone)]
struct Doc {
    id: String,
    /// The stamp of registers that have none of their own.
    base: String,
    registers: BTreeMap<String, Register>,
    labels: BTreeMap<String, Member>,
    sets: [BTreeMap<String, Member>; 2],
    updated_at: String,
    /// What else stands in `_v`.
    other: BTreeMap<String, String>,
}

impl Doc {
    fn read(text: &str) -> Result<Self, MergeError> {
        let unreadable = |e: &dyn std::fmt::Display| MergeError::Unreadable(e.to_string());
        let mut file: Map<String, Value> = serde_json::from_str(text).map_err(|e| unreadable(&e))?;
        let id = take_text(&mut file, "id");
        if id.is_empty() {
            return Err(unreadable(&"it has no `id`"));
        }
        let mut stamps = match file.shift_remove("_v") {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        };
        let mut clock = take_object(&mut stamps, "clock");
        clock.retain(|_, stamp| !stamp.as_str().is_some_and(is_beyond));
        let base = take_text(&mut clock, "*");
        let updated_at = take_text(&mut file, "updated_at");
        let names = match file.shift_remove("labels") {
            Some(Value::Array(names)) => names,
            _ => Vec::new(),
        };
        let mut labels = members(take_object(&mut stamps, "labels"));
        for name in names.iter().filter_map(Value::as_str) {
            labels.entry(name.to_owned()).or_default().value = Some((String::new(), String::new()));
        }
        let sets = SETS.map(|(key, under)| {
            let mut set = members(take_object(&mut stamps, under));
            for value in file.shift_remove(key).and_then(|v| v.as_array().cloned()).unwrap_or_default() {
                let member = set.entry(name_of(key, &value)).or_default();
                member.value = Some((member.added.clone(), value.to_string()));
            }
            set
        });
        let mut doc = Self { id, base, registers: BTreeMap::new(), labels, sets, updated_at, other: BTreeMap::new() };
        doc.other = stamps.iter().map(|(k, v)| (k.clone(), v.to_string())).collect();
        let mut status = Map::new();
        for key in WITH_STATUS {
            if let Some(value) = file.shift_remove(key) {
                status.insert(key.to_owned(), value);
            }
        }
        let metadata = match file.shift_remove("metadata") {
            Some(Value::Object(map)) => map.into_iter().map(|(k, v)| (format!("metadata.{k}"), v)).collect(),
            Some(other) => vec![("metadata".to_owned(), other)],
            None => Vec::new(),
        };
        let deleted = status.get("status").and_then(Value::as_str) == Some("tombstone");
        let mut put = |name: String, deleted: bool, value: Option<String>| {
            let stamp = clock.get(&name).and_then(Value::as_str).unwrap_or(&doc.base).to_owned();
            doc.registers.insert(name, (deleted, stamp, value));
        };
        put("status".to_owned(), deleted, Some(Value::Object(status).to_string()));
        for (name, value) in file.into_iter().chain(metadata) {
            put(name, false, Some(value.to_string()));
        }
        // A register that was emptied has a stamp and no value.
        for name in clock.keys().filter(|name| !WITH_STATUS.contains(&name.as_str())) {
            if !doc.registers.contains_key(name) {
                let stamp = clock.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                doc.registers.insert(name.clone(), (false, stamp, None));
            }
        }
        Ok(doc)
    }

    fn join(self, other: Self) -> Self {
        let names: BTreeSet<String> = self.registers.keys().chain(other.registers.keys()).cloned().collect();
        let registers = names
            .into_iter()
            .map(|name| {
                let of =
                    |doc: &Self| doc.registers.get(&name).cloned().unwrap_or_else(|| (false, doc.base.clone(), None));
                let winner = of(&self).max(of(&other));
                (name, winner)
            })
            .collect();
        let [deps, comments] = self.sets;
        let [other_deps, other_comments] = other.sets;
        let mut extra = self.other;
        for (key, value) in other.other {
            let kept = extra.entry(key).or_default();
            *kept = std::mem::take(kept).max(value);
        }
        Self {
            id: self.id,
            base: self.base.max(other.base),
            registers,
            labels: join_sets(self.labels, other.labels),
            sets: [join_sets(deps, other_deps), join_sets(comments, other_comments)],
            updated_at: later(self.updated_at, other.updated_at),
            other: extra,
        }
    }

    fn write(self) -> String {
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
        let mut file = Map::new();
        file.insert("id".to_owned(), Value::String(self.id));
        let mut clock = BTreeMap::new();
        let mut metadata = Map::new();
        for (name, (_, stamp, text)) in self.registers {
            match (text.as_deref().map(value), name.strip_prefix("metadata.")) {
                (Some(Value::Object(group)), _) if name == "status" => file.extend(group),
                (Some(value), Some(key)) => drop(metadata.insert(key.to_owned(), value)),
                (Some(value), None) => drop(file.insert(name.clone(), value)),
                (None, _) => {}
            }
            if stamp != self.base {
                clock.insert(name, Value::String(stamp));
            }
        }
        clock.insert("*".to_owned(), Value::String(self.base));
        if !metadata.is_empty() {
            file.insert("metadata".to_owned(), metadata.into());
        }
        if !self.updated_at.is_empty() {
            file.insert("updated_at".to_owned(), self.updated_at.into());
        }
        let live: Vec<Value> = self.labels.iter().filter(|(_, m)| m.live()).map(|(l, _)| l.clone().into()).collect();
        if !live.is_empty() {
            file.insert("labels".to_owned(), live.into());
        }
        let mut stamps = Map::new();
        stamps.insert("clock".to_owned(), Value::Object(clock.into_iter().collect()));
        put_stamps(&mut stamps, "labels", &self.labels);
        for ((key, under), set) in SETS.into_iter().zip(&self.sets) {
            let live = set.values().filter(|m| m.live());
            let values: Vec<Value> = live.filter_map(|m| m.value.as_ref()).map(|(_, text)| value(text)).collect();
            if !values.is_empty() {
                file.insert(key.to_owned(), values.into());
            }
            put_stamps(&mut stamps, under, set);
        }
        stamps.extend(self.other.into_iter().map(|(key, text)| (key, value(&text))));
        let mut out = Map::new();
        for key in ORDER {
            if let Some(value) = file.shift_remove(*key) {
                out.insert((*key).to_owned(), value);
            }
        }
        file.sort_keys();
        out.extend(file);
        out.insert("_v".to_owned(), stamps.into());
        format!("{}\n", Value::Object(out))
    }
}

impl Member {
    fn live(&self) -> bool {
        // A member without stamps was written by somebody who knows none; its being there is what counts.
        self.added > self.removed || self.removed.is_empty() && self.value.is_some()
    }
}

fn join_sets(mut a: BTreeMap<String, Member>, b: BTreeMap<String, Member>) -> BTreeMap<String, Member> {
    for (name, theirs) in b {
        let ours = a.entry(name).or_default();
        ours.added = std::mem::take(&mut ours.added).max(theirs.added);
        ours.removed = std::mem::take(&mut ours.removed).max(theirs.removed);
        ours.value = ours.value.take().max(theirs.value);
    }
    a
}

fn members(stamps: Map<String, Value>) -> BTreeMap<String, Member> {
    let member = |pair: &Value| {
        let at = |i: usize| {
            pair.get(i).and_then(Value::as_str).filter(|stamp| !is_beyond(stamp)).unwrap_or_default().to_owned()
        };
        Member { added: at(0), removed: at(1), value: None }
    };
    stamps.iter().map(|(name, pair)| (name.clone(), member(pair))).collect()
}

fn put_stamps(stamps: &mut Map<String, Value>, under: &str, set: &BTreeMap<String, Member>) {
    let pair = |m: &Member| match m.removed.as_str() {
        "" => Value::from(vec![m.added.clone()]),
        _ => Value::from(vec![m.added.clone(), m.removed.clone()]),
    };
    if !set.is_empty() {
        stamps.insert(under.to_owned(), Value::Object(set.iter().map(|(name, m)| (name.clone(), pair(m))).collect()));
    }
}

/// The name of a member of a set: `<target>|<kind>` for an edge, its lasting name for a comment.
fn name_of(set: &str, value: &Value) -> String {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    match set {
        "dependencies" => format!("{}|{}", text("depends_on_id"), text("type")),
        _ if text("uid").is_empty() => value.to_string(),
        _ => text("uid").to_owned(),
    }
}

/// The later of two times as they are written; a text that is none is the earliest.
fn later(a: String, b: String) -> String {
    let key = |text: &String| (text.parse::<Time>().ok(), text.clone());
    if key(&a) >= key(&b) { a } else { b }
}

fn take_text(map: &mut Map<String, Value>, key: &str) -> String {
    match map.shift_remove(key) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    }
}

fn take_object(map: &mut Map<String, Value>, key: &str) -> Map<String, Value> {
    match map.shift_remove(key) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}
