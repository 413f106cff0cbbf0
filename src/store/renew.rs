//! Texts that name a bead which has another id now.

use serde_json::Value;

use crate::base::BeadId;

/// The metadata of an edge that waits for the children of such a bead; `now` gives the new id for an old one.
pub fn metadata<'i>(text: &str, now: impl Fn(&str) -> Option<&'i BeadId>) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let old = value["spawner_id"].as_str()?;
    Some(text.replace(&format!("\"{old}\""), &format!("\"{}\"", now(old)?)))
}

/// What a gate waits for, an id or `rig:id`, when that is such a bead.
pub fn awaited<'i>(text: &str, now: impl Fn(&str) -> Option<&'i BeadId>) -> Option<String> {
    let old = text.split_once(':').map_or(text, |(_, id)| id);
    Some(format!("{}{}", text.strip_suffix(old)?, now(old)?))
}
