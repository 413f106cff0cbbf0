//! Changing fields, and claiming.

use rusqlite::params_from_iter;
use serde_json::Value;

use super::Write;
use crate::base::BeadId;
use crate::store::row::{self, Stored};
use crate::store::{Bead, Map, Patch, Status, StoreError};

/// Keys that make one register with the status: they are merged together or not at all.
const WITH_STATUS: [&str; 7] =
    ["closed_at", "close_reason", "closed_by_session", "deleted_at", "deleted_by", "delete_reason", "original_type"];
/// Keys that are no register: made from others, or sets with stamps of their own.
const NO_REGISTER: [&str; 5] = ["id", "updated_at", "labels", "dependencies", "comments"];

impl Write<'_> {
    /// Changes fields of a bead.
    pub fn update(&mut self, id: &BeadId, patch: Patch) -> Result<Bead, StoreError> {
        let old = self.need_living(id, "update")?;
        let new = apply(&old.bead, patch, self.by.now)?;
        super::create::check(&new)?;
        if new.status == "tombstone" {
            return Err(StoreError::invalid("status", "delete the bead instead"));
        }
        Ok(self.save(old, new)?.bead)
    }

    /// Takes an open, unassigned bead, or says who has it.
    pub fn claim(&mut self, id: &BeadId, assignee: &str) -> Result<Bead, StoreError> {
        let old = self.need_stored(id)?;
        if !old.bead.assignee.is_empty() {
            return Err(StoreError::Claimed { id: id.clone(), by: old.bead.assignee });
        }
        if old.bead.status != "open" {
            return Err(StoreError::NotClaimable { id: id.clone(), status: old.bead.status.to_string() });
        }
        let patch = Patch::status(Status::IN_PROGRESS).with_assignee(assignee);
        let new = apply(&old.bead, patch, self.by.now)?;
        Ok(self.save(old, new)?.bead)
    }

    /// Writes what differs between two states of a bead, with stamps, events and all that follows.
    pub(super) fn save(&mut self, old: Stored, mut new: Bead) -> Result<Stored, StoreError> {
        let changed = changed_registers(&old.bead, &new);
        if changed.is_empty() {
            return Ok(old);
        }
        new.updated_at = self.by.now.max(old.bead.updated_at);
        let mut stamps: Map = serde_json::from_str(&old.stamps).unwrap_or_default();
        for register in &changed {
            let known = stamps.get(register).or_else(|| stamps.get("*")).and_then(Value::as_str).unwrap_or_default();
            let stamp = self.stamp_over(known);
            stamps.insert(register.clone(), Value::String(stamp));
        }
        let stamps = Value::Object(stamps).to_string();
        let mut sets = vec!["stamps = ?".to_owned()];
        let mut values = vec![rusqlite::types::Value::Text(stamps.clone())];
        for ((column, before), (_, after)) in row::values(&old.bead).into_iter().zip(row::values(&new)) {
            if before != after {
                sets.push(format!("{column} = ?"));
                values.push(after);
                if column == "defer_ns" {
                    let over = new.defer_until.is_some_and(|t| t <= self.by.now);
                    sets.push(format!("defer_over = {}", i64::from(over)));
                }
            }
        }
        values.push(rusqlite::types::Value::Integer(old.num));
        let sql = format!("UPDATE beads SET {} WHERE num = ?", sets.join(", "));
        self.run(&sql, params_from_iter(values))?;
        if super::create::texts(&old.bead) != super::create::texts(&new) {
            self.index_text(old.num, &new)?;
        }
        self.tell(&old.bead, &new, &changed)?;
        if old.bead.ephemeral && !new.ephemeral {
            self.lasts_now(&new.id)?;
        }
        if old.bead.status != new.status || old.bead.close_reason != new.close_reason {
            self.status_changed(&new.id, &old.bead.status, &new.status)?;
        }
        Ok(Stored { bead: new, stamps, ..old })
    }

    /// Marks a bead as changed just now though none of its fields did: a label, an edge, a comment.
    pub(super) fn bump(&mut self, bead: &Bead) -> Result<(), StoreError> {
        let at = self.by.now.max(bead.updated_at);
        self.run(
            "UPDATE beads SET updated_at = ?2, updated_ns = ?3 WHERE id = ?1",
            (bead.id.as_str(), at.to_string(), row::nanos(at)),
        )?;
        Ok(())
    }

    /// The events for a difference that came from elsewhere.
    pub(super) fn tell_difference(&mut self, old: &Bead, new: &Bead) -> Result<(), StoreError> {
        let changed = changed_registers(old, new);
        self.tell(old, new, &changed)
    }

    /// The events and the ledger's line for a change.
    fn tell(&mut self, old: &Bead, new: &Bead, changed: &[String]) -> Result<(), StoreError> {
        let id = new.id.clone();
        if old.status != new.status || (new.status == "closed" && changed.iter().any(|c| c == "status")) {
            let (from, to) = (&old.status, &new.status);
            let (kind, line) = match (from.as_str(), to.as_str()) {
                (_, "closed") => ("closed", format!("closed: {}", new.close_reason)),
                (_, "tombstone") if new.delete_reason.is_empty() => ("deleted", "deleted".to_owned()),
                (_, "tombstone") => ("deleted", format!("deleted: {}", new.delete_reason)),
                ("closed", _) => ("reopened", format!("reopened as {to}")),
                _ => ("status_changed", format!("{from} → {to}")),
            };
            let payload = serde_json::json!({
                "from": from, "to": to, "type": new.issue_type, "assignee": new.assignee,
                "reason": new.close_reason, "title": new.title,
            });
            self.emit(kind, id.as_str(), payload)?;
            self.touch(&id, line);
        }
        let rest: Vec<&String> = changed.iter().filter(|register| *register != "status").collect();
        if !rest.is_empty() {
            let (before, after) = (registers(old), registers(new));
            let mut fields = Map::new();
            for register in &rest {
                let pair = [short(before.get(*register)), short(after.get(*register))];
                fields.insert((*register).clone(), pair.into());
            }
            self.emit("updated", id.as_str(), serde_json::json!({ "fields": fields }))?;
            let names: Vec<&str> = rest.iter().map(|r| r.as_str()).collect();
            self.touch(&id, format!("updated {}", names.join(", ")));
        }
        Ok(())
    }
}

/// The bead that a patch makes of `old`.
fn apply(old: &Bead, patch: Patch, now: crate::base::Time) -> Result<Bead, StoreError> {
    let mut new = old.clone();
    if !patch.other.is_empty() {
        let mut other = row::other(old);
        for (key, value) in patch.other {
            if row::is_own(&key) {
                return Err(StoreError::invalid("field", format!("`{key}` cannot be set this way")));
            }
            if value.is_null() {
                other.shift_remove(&key);
            } else {
                other.insert(key, value);
            }
        }
        new = row::set_other(&new, other).map_err(|e| StoreError::invalid("bead", e.to_string()))?;
    }
    if let Some(title) = patch.title {
        super::create::check_title(&title)?;
        new.title = title;
    }
    for (field, value) in [
        (&mut new.description, patch.description),
        (&mut new.design, patch.design),
        (&mut new.acceptance_criteria, patch.acceptance_criteria),
        (&mut new.notes, patch.notes),
        (&mut new.assignee, patch.assignee),
        (&mut new.owner, patch.owner),
    ] {
        if let Some(value) = value {
            *field = value;
        }
    }
    if let Some(priority) = patch.priority {
        new.priority = priority;
    }
    if let Some(kind) = patch.issue_type {
        new.issue_type = kind;
    }
    if let Some(minutes) = patch.estimated_minutes {
        new.estimated_minutes = minutes;
    }
    if let Some(due) = patch.due_at {
        new.due_at = due;
    }
    if let Some(until) = patch.defer_until {
        new.defer_until = until;
    }
    if let Some(name) = patch.external_ref {
        new.external_ref = name;
    }
    if let Some(pinned) = patch.pinned {
        new.pinned = pinned;
    }
    if let Some(metadata) = patch.metadata {
        new.metadata = metadata;
    }
    for (key, value) in patch.meta {
        match value {
            Some(value) => new.metadata.insert(key, value),
            None => new.metadata.shift_remove(&key),
        };
    }
    if let Some(status) = patch.status {
        set_status(&mut new, status, now);
    }
    if let Some(reason) = patch.close_reason {
        if new.status != "closed" {
            return Err(StoreError::invalid("close reason", "only a closed bead has one"));
        }
        new.close_reason = reason;
    }
    Ok(new)
}

/// Sets the status and what goes with it.
pub(super) fn set_status(bead: &mut Bead, status: Status, now: crate::base::Time) {
    if status == "closed" {
        if bead.status != "closed" || bead.closed_at.is_none() {
            bead.closed_at = Some(now);
        }
        if bead.close_reason.is_empty() {
            "Closed".clone_into(&mut bead.close_reason);
        }
    } else {
        bead.closed_at = None;
        bead.close_reason.clear();
        bead.closed_by_session.clear();
    }
    if status == "in_progress" && bead.started_at.is_none() {
        bead.started_at = Some(now);
    }
    bead.status = status;
}

/// The fields of a bead that are merged one by one, by name; each metadata key is one.
fn registers(bead: &Bead) -> Map {
    let Ok(Value::Object(all)) = serde_json::to_value(bead) else { return Map::new() };
    let mut registers = Map::new();
    for (key, value) in all {
        if NO_REGISTER.contains(&key.as_str()) {
            continue;
        }
        if key == "metadata" {
            if let Value::Object(metadata) = value {
                registers.extend(metadata.into_iter().map(|(k, v)| (format!("metadata.{k}"), v)));
            }
        } else {
            registers.insert(key, value);
        }
    }
    registers
}

/// The names of the registers in which two states differ, in the order of the format.
fn changed_registers(old: &Bead, new: &Bead) -> Vec<String> {
    let (old, new) = (registers(old), registers(new));
    let mut changed: Vec<String> = Vec::new();
    for key in new.keys().chain(old.keys().filter(|k| !new.contains_key(*k))) {
        if old.get(key) != new.get(key) {
            let register = if WITH_STATUS.contains(&key.as_str()) { "status" } else { key };
            if !changed.iter().any(|c| c == register) {
                changed.push(register.to_owned());
            }
        }
    }
    changed
}

/// A value for an event: long texts are told by their length only.
fn short(value: Option<&Value>) -> Value {
    match value {
        Some(Value::String(text)) if text.len() > 300 => serde_json::json!({ "bytes": text.len() }),
        Some(value) => value.clone(),
        None => Value::Null,
    }
}
