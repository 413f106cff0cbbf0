//! What two copies of a ledger file become: one bead, or two that were given one id.
//!
//! Beads that were made at different instants are different beads. The one made later gets an id that follows from
//! the old one and that instant alone, so that every clone gives it the same.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::base::{BeadId, Time};
use crate::ledger::{MergeError, canonical, merge};

/// What comes of two copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settled {
    /// The file that keeps the id.
    pub(super) stays: String,
    /// The other bead, if there were two.
    pub(super) moved: Option<Moved>,
}

/// A bead that has to take another id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) from: BeadId,
    pub(super) to: BeadId,
    /// Its file under the new id.
    pub(super) doc: String,
    /// It was this copy's bead, and not the remote's: edges that this copy has to the old id meant this one.
    pub(super) was_ours: bool,
}

/// Settles two files of one id.
pub(super) fn settle(ours: &str, theirs: &str) -> Result<Settled, MergeError> {
    if let (Some(a), Some(b)) = (Birth::of(ours), Birth::of(theirs))
        && a.id == b.id
        && a.at != b.at
    {
        let was_ours = a.at > b.at;
        let (stays, moves, birth) = if was_ours { (theirs, ours, a) } else { (ours, theirs, b) };
        if let Some(to) = birth.new_id() {
            let doc = renamed(moves, &birth.id, &to)?;
            let moved = Moved { from: birth.id, to, doc, was_ours };
            return Ok(Settled { stays: canonical(stays)?, moved: Some(moved) });
        }
    }
    Ok(Settled { stays: merge(ours, theirs)?, moved: None })
}

/// When a bead was made.
struct Birth {
    id: BeadId,
    at: Time,
}

impl Birth {
    /// None when it cannot be known: the time was changed since, or is none.
    fn of(doc: &str) -> Option<Self> {
        let file: Value = serde_json::from_str(doc).ok()?;
        let clock = &file["_v"]["clock"];
        if clock.get("created_at").is_some() {
            return None;
        }
        Some(Self { id: BeadId::new(file["id"].as_str()?).ok()?, at: file["created_at"].as_str()?.parse().ok()? })
    }

    /// Eight characters after the prefix: long enough that no other bead has them.
    fn new_id(&self) -> Option<BeadId> {
        let hash = Sha256::digest(format!("{}|{}", self.id, self.at.nanos()));
        let mut n = u64::from_be_bytes(hash[..8].try_into().ok()?);
        let digits: String = (0..8)
            .map(|_| {
                let digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(n % 36) as usize];
                n /= 36;
                char::from(digit)
            })
            .collect();
        BeadId::new(format!("{}-{digits}", self.id.prefix())).ok()
    }
}

/// The file under another id; the old one is remembered in its metadata.
pub(super) fn renamed(doc: &str, from: &BeadId, to: &BeadId) -> Result<String, MergeError> {
    let unreadable = |e: serde_json::Error| MergeError::Unreadable(e.to_string());
    let mut file: Map<String, Value> = serde_json::from_str(doc).map_err(unreadable)?;
    file.insert("id".to_owned(), to.as_str().into());
    for dep in file.get_mut("dependencies").and_then(Value::as_array_mut).into_iter().flatten() {
        dep["issue_id"] = to.as_str().into();
    }
    let metadata = file.entry("metadata").or_insert_with(|| Map::new().into());
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert("renamed_from".to_owned(), from.as_str().into());
    }
    canonical(&Value::Object(file).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doc(id: &str, at: &str, title: &str, stamp: &str) -> String {
        let file = serde_json::json!({
            "id": id, "title": title, "status": "open", "priority": 2, "created_at": at, "updated_at": at,
            "dependencies": [{"issue_id": id, "depends_on_id": "gt-a", "type": "parent-child", "created_at": at}],
            "_v": {"clock": {"*": stamp}, "deps": {"gt-a|parent-child": [stamp]}},
        });
        canonical(&file.to_string()).expect("a file")
    }

    #[test]
    fn of_two_beads_with_one_id_the_later_is_renamed_whoever_merges() {
        let first = doc("gt-a.1", "2026-01-01T00:00:00Z", "first", "0000000000000001-aaa");
        let later = doc("gt-a.1", "2026-01-01T00:00:01Z", "later", "0000000000000002-bbb");
        let (here, there) = (settle(&first, &later).expect("settles"), settle(&later, &first).expect("settles"));
        assert_eq!((&here.stays, &here.stays), (&first, &there.stays));
        let (a, b) = (here.moved.expect("moved"), there.moved.expect("moved"));
        assert_eq!((&a.to, &a.doc), (&b.to, &b.doc));
        assert!(!a.was_ours && b.was_ours && a.to.parent().is_none() && a.to.prefix() == "gt", "{}", a.to);
        assert!(a.doc.contains(r#""renamed_from":"gt-a.1""#) && a.doc.contains("later"), "{}", a.doc);
        assert_eq!(settle(&a.doc, &b.doc).expect("settles"), Settled { stays: a.doc, moved: None });
    }

    #[test]
    fn two_states_of_one_bead_are_merged() {
        let one = doc("gt-a.1", "2026-01-01T00:00:00Z", "one", "0000000000000001-aaa");
        let same_elsewhere = doc("gt-a.1", "2026-01-01T01:00:00+01:00", "one", "0000000000000005-bbb");
        assert_eq!(settle(&one, &same_elsewhere).expect("settles").moved, None);
    }
}
