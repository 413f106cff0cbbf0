//! Labels: a set whose members carry stamps of their coming and going.

use rusqlite::OptionalExtension as _;

use super::Write;
use super::create::TEMPLATE;
use crate::base::BeadId;
use crate::store::row::Stored;
use crate::store::{Bead, StoreError};

impl Write<'_> {
    /// Adds a label; false when it is there.
    pub fn add_label(&mut self, id: &BeadId, label: &str) -> Result<bool, StoreError> {
        check_label(label)?;
        let stored = self.need_living(id, "label")?;
        if stored.bead.has_label(label) {
            return Ok(false);
        }
        let stamp = self.label_stamp(stored.num, label)?;
        self.run(
            "INSERT INTO labels (bead, label, added) VALUES (?1, ?2, ?3)
             ON CONFLICT (bead, label) DO UPDATE SET live = 1, added = excluded.added",
            (stored.num, label, stamp),
        )?;
        self.relabel(&stored, |labels| labels.push(label.to_owned()))?;
        self.emit("label_added", id.as_str(), serde_json::json!({ "label": label }))?;
        self.touch(id, format!("label +{label}"));
        self.be_template(id, label, true)?;
        Ok(true)
    }

    /// Removes a label; false when it is not there.
    pub fn remove_label(&mut self, id: &BeadId, label: &str) -> Result<bool, StoreError> {
        if !self.need_stored(id)?.bead.has_label(label) {
            return Ok(false);
        }
        let stored = self.need_living(id, "label")?;
        let stamp = self.label_stamp(stored.num, label)?;
        self.run(
            "UPDATE labels SET live = 0, removed = ?3 WHERE bead = ?1 AND label = ?2",
            (stored.num, label, stamp),
        )?;
        self.relabel(&stored, |labels| labels.retain(|l| l != label))?;
        self.emit("label_removed", id.as_str(), serde_json::json!({ "label": label }))?;
        self.touch(id, format!("label -{label}"));
        self.be_template(id, label, false)?;
        Ok(true)
    }

    /// The label of patterns makes one, and its going makes work of it again. A line of a file says both by itself.
    fn be_template(&mut self, id: &BeadId, label: &str, is: bool) -> Result<(), StoreError> {
        if label == TEMPLATE && self.line.is_none() {
            let old = self.need_stored(id)?;
            let new = Bead { is_template: is, ..old.bead.clone() };
            self.save(old, new)?;
        }
        Ok(())
    }

    /// The stamp for adding or removing a label, later than when it last came or went.
    fn label_stamp(&mut self, num: i64, label: &str) -> Result<String, StoreError> {
        let known: Option<String> = self
            .conn
            .prepare_cached("SELECT max(added, coalesce(removed, '')) FROM labels WHERE bead = ?1 AND label = ?2")?
            .query_row((num, label), |r| r.get(0))
            .optional()?;
        Ok(self.stamp_over(&known.unwrap_or_default()))
    }

    fn relabel(&mut self, stored: &Stored, change: impl FnOnce(&mut Vec<String>)) -> Result<(), StoreError> {
        let mut labels = stored.bead.labels.clone();
        change(&mut labels);
        labels.sort();
        self.run("UPDATE beads SET labels = ?2 WHERE num = ?1", (stored.num, labels.join("\n")))?;
        self.bump(&stored.bead)
    }
}

/// Refuses what cannot be a label.
pub(super) fn check_label(label: &str) -> Result<(), StoreError> {
    if label.trim().is_empty() || label.len() > 200 || label.contains(|c: char| c.is_control()) {
        let given: String = label.chars().take(60).flat_map(char::escape_debug).collect();
        return Err(StoreError::invalid("label", format!("`{given}`: 1-200 bytes without control characters")));
    }
    Ok(())
}
