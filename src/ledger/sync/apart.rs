//! Beads that were given one id, told apart before anything is merged: where a side of the sync names the id that its
//! bead had, it means the bead, which has another id now.
//!
//! What a file says then follows from the file alone. So every copy that does this says the same, and one that has not
//! done it yet takes nothing back.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::settle::{Moved, renamed};
use crate::base::BeadId;
use crate::ledger::{LedgerError, MergeError, canonical, merge};
use crate::store::{Write, renew, stamp_after};

/// The merged files of a sync.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// By bead.
    pub(super) files: BTreeMap<BeadId, String>,
    /// Beads that name others by their new ids, which only this copy says until its ledger has it; and what to tell of it.
    pub(super) followed: BTreeMap<BeadId, String>,
}

impl Merged {
    /// Merges one more file.
    pub(super) fn add(&mut self, id: &BeadId, doc: String) -> Result<(), LedgerError> {
        let merged = match self.files.get(id) {
            Some(there) => merge(there, &doc).map_err(|e| LedgerError::odd(id, e))?,
            None => doc,
        };
        self.files.insert(id.clone(), merged);
        Ok(())
    }

    fn add_meant(&mut self, side: &Side<'_>, id: &BeadId, doc: &str) -> Result<(), LedgerError> {
        let (now, doc, followed) = side.meant(id, doc).map_err(|e| LedgerError::odd(id, e))?;
        if !followed.is_empty() {
            self.followed.insert(now.clone(), followed.join("; "));
        }
        self.add(&now, doc)
    }
}

/// The files of both sides when `moved` have other ids: `theirs`, of which those of `new` are here already, and ours of
/// the same beads and of all that name a moved one.
pub(super) fn told_apart<'f>(
    w: &Write<'_>,
    theirs: impl Iterator<Item = (&'f BeadId, &'f str)>,
    new: &BTreeSet<&BeadId>,
    moved: &[Moved],
) -> Result<Merged, LedgerError> {
    let mut merged = Merged::default();
    let mut ours = BTreeSet::new();
    let side = Side::of(moved, false);
    for (id, doc) in theirs {
        merged.add_meant(&side, id, doc)?;
        ours.insert(id.clone());
    }
    for bead in moved {
        ours.insert(bead.to.clone());
        if bead.was_ours {
            ours.extend(w.naming(&bead.from)?);
        }
    }
    let side = Side::of(moved, true);
    for id in ours.iter().filter(|id| !new.contains(id)) {
        if let Some(doc) = w.ledger_doc(id)? {
            merged.add_meant(&side, id, &doc)?;
        }
    }
    Ok(merged)
}

/// What the beads of one side are called now, by the ids that they had.
struct Side<'m>(BTreeMap<&'m str, &'m BeadId>);

impl<'m> Side<'m> {
    fn of(moved: &'m [Moved], ours: bool) -> Self {
        Self(moved.iter().filter(|bead| bead.was_ours == ours).map(|bead| (bead.from.as_str(), &bead.to)).collect())
    }

    /// A file of this side as it is meant: whose it is, what it says, and which of the beads that it names are others
    /// than it says.
    fn meant(&self, id: &BeadId, doc: &str) -> Result<(BeadId, String, Vec<String>), MergeError> {
        let mut file: Map<String, Value> =
            serde_json::from_str(doc).map_err(|e| MergeError::Unreadable(e.to_string()))?;
        let mut followed = self.follow_edges(&mut file);
        followed.extend(self.follow_gate(&mut file));
        let doc = Value::Object(file).to_string();
        match self.0.get(id.as_str()) {
            Some(now) => Ok(((*now).clone(), renamed(&doc, id, now)?, followed)),
            None => Ok((id.clone(), canonical(&doc)?, followed)),
        }
    }

    /// The old edge counts as removed at the moment it was drawn, and the new one as drawn then.
    fn follow_edges(&self, file: &mut Map<String, Value>) -> Vec<String> {
        let name = |dep: &Value| {
            let text = |key: &str| dep[key].as_str().unwrap_or_default();
            format!("{}|{}", text("depends_on_id"), text("type"))
        };
        let (mut renewed, mut told) = (Vec::new(), Vec::new());
        for dep in file.get_mut("dependencies").and_then(Value::as_array_mut).into_iter().flatten() {
            let before = (name(dep), dep.clone());
            if let Some((from, to)) = dep["depends_on_id"].as_str().and_then(|id| self.0.get_key_value(id)) {
                told.push(format!("{from} is {to} now"));
                dep["depends_on_id"] = to.as_str().into();
            }
            let metadata =
                dep["metadata"].as_str().and_then(|text| renew::metadata(text, |id| self.0.get(id).copied()));
            if let Some(metadata) = metadata {
                told.push("it waits for a bead with another id now".to_owned());
                dep["metadata"] = metadata.into();
            }
            if before.1 != *dep {
                renewed.push((before.0, name(dep)));
            }
        }
        let stamps = file.get_mut("_v").and_then(|v| v.get_mut("deps")).and_then(Value::as_object_mut);
        let Some(stamps) = stamps else { return told };
        for (before, now) in renewed {
            let old = span(stamps.get(&before));
            if before == now {
                stamps.insert(now, span_value(&[stamp_after(&old[0]), old[1].clone()]));
                continue;
            }
            let there = span(stamps.get(&now));
            stamps.insert(before, span_value(&[old[0].clone(), old[0].clone()]));
            stamps.insert(now, span_value(&[old[0].clone().max(there[0].clone()), there[1].clone()]));
        }
        told
    }

    fn follow_gate(&self, file: &mut Map<String, Value>) -> Option<String> {
        let awaited = file.get("await_id")?.as_str()?;
        if file.get("await_type")? != "bead" {
            return None;
        }
        let now = renew::awaited(awaited, |id| self.0.get(id).copied())?;
        let told = format!("it waits for {now} now");
        file.insert("await_id".to_owned(), now.into());
        let clock = file.get_mut("_v")?.get_mut("clock")?.as_object_mut()?;
        let known = clock.get("await_id").or_else(|| clock.get("*"))?.as_str()?;
        let after = stamp_after(known);
        clock.insert("await_id".to_owned(), after.into());
        Some(told)
    }
}

/// When a member of a set came and last went; empty for never.
fn span(pair: Option<&Value>) -> [String; 2] {
    [0, 1].map(|n| pair.and_then(|pair| pair.get(n)).and_then(Value::as_str).unwrap_or_default().to_owned())
}

fn span_value([added, removed]: &[String; 2]) -> Value {
    if removed.is_empty() { vec![added.clone()].into() } else { vec![added.clone(), removed.clone()].into() }
}
