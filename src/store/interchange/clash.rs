//! Two beads with one id: one of them is here, the other one comes in a file.
//!
//! Two projects may have one prefix, and two people may file the same child of an epic. The bead that is here keeps
//! the id; the other one gets one that follows from what it is, the same at every import.

use std::collections::{BTreeMap, HashMap};

use super::import::{Finding, Incoming};
use super::line::made_id;
use crate::base::{BeadId, Time, text};
use crate::store::row::ODD_DEPENDENCIES;
use crate::store::{Read, StoreError, renew};

/// A bead that is here, as far as an import looks at it.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) deleted: bool,
    pub(super) updated: Time,
    /// Whether it has edges that lead to no bead.
    pub(super) odd: bool,
    created: Time,
    title: String,
}

impl Standing {
    /// Whether the line is about another bead: made at another time, with another title. A second is the least that
    /// counts, for some trackers write no fractions; a line that does not say when is never another's.
    fn is_other_than(&self, line: &Incoming) -> bool {
        let bead = &line.bead;
        line.dated && self.created.millis() / 1_000 != bead.created_at.millis() / 1_000 && self.title != bead.title
    }
}

/// What is here of the beads of a file, after those of them that are others with an id of ours have got their own.
pub(super) fn tell_apart(
    r: &Read<'_>,
    incoming: &mut BTreeMap<BeadId, Incoming>,
    prefix: &str,
    findings: &mut Vec<Finding>,
) -> Result<HashMap<String, Standing>, StoreError> {
    let here = standing(r, incoming.keys())?;
    let mut moved: BTreeMap<BeadId, BeadId> = BTreeMap::new();
    for (id, line) in incoming.iter() {
        let clashes = here.get(id.as_str()).is_some_and(|there| there.is_other_than(line));
        if let Some(other) = clashes.then(|| other_id(id, line.bead.created_at, prefix)).flatten() {
            let title = text::headline(&line.bead.title, 40);
            let text = format!("another bead has this id here; `{title}` is {other} now");
            findings.push(Finding { line: line.number, id: id.to_string(), text, lost: false });
            moved.insert(id.clone(), other);
        }
    }
    if moved.is_empty() {
        return Ok(here);
    }
    for mut line in std::mem::take(incoming).into_values() {
        follow(&mut line, &moved);
        incoming.insert(line.bead.id.clone(), line);
    }
    standing(r, incoming.keys())
}

/// The id for the second of two beads that have `id`.
pub(super) fn other_id(id: &BeadId, created: Time, prefix: &str) -> Option<BeadId> {
    let own = if id.prefix() == id.as_str() { prefix } else { id.prefix() };
    made_id(own, &format!("{id}|{created}")).ok()
}

/// Lets the ids of a line be the new ones.
pub(super) fn follow(line: &mut Incoming, moved: &BTreeMap<BeadId, BeadId>) {
    let mut any = false;
    let mut follow = |id: &mut BeadId| {
        if let Some(new) = moved.get(id) {
            *id = new.clone();
            any = true;
        }
    };
    follow(&mut line.bead.id);
    let now = |id: &str| moved.get(&BeadId::new(id).ok()?);
    for dep in &mut line.bead.dependencies {
        follow(&mut dep.issue_id);
        follow(&mut dep.depends_on_id);
        if let Some(metadata) = renew::metadata(&dep.metadata, now) {
            dep.metadata = metadata;
            line.source = None;
        }
    }
    if line.bead.await_type == "bead"
        && let Some(awaited) = renew::awaited(&line.bead.await_id, now)
    {
        line.bead.await_id = awaited;
        line.source = None;
    }
    for comment in &mut line.bead.comments {
        follow(&mut comment.issue_id);
    }
    if any {
        line.source = None;
    }
}

/// Those of `ids` that are here.
pub(super) fn standing<'i>(
    r: &Read<'_>,
    ids: impl Iterator<Item = &'i BeadId>,
) -> Result<HashMap<String, Standing>, StoreError> {
    let mut here = HashMap::new();
    for id in ids {
        if let Some(bead) = r.bead(id)? {
            let (deleted, updated, created) = (bead.status == "tombstone", bead.updated_at, bead.created_at);
            let odd = bead.extra.contains_key(ODD_DEPENDENCIES);
            here.insert(id.to_string(), Standing { deleted, updated, odd, created, title: bead.title });
        }
    }
    Ok(here)
}
