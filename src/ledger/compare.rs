//! Whether the ledger and the store say the same, and how they are brought together.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::{Ledger, LedgerError, canonical, drain, drain::forget, hold::hold, layout, merge, sync};
use crate::base::{BeadId, Time};
use crate::store::{Read, Stamp, Store};

/// Where ledger and store differ. What waits in the outbox is no difference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// The ledger has not, or not as they are.
    pub behind: Vec<BeadId>,
    /// The store has not, or not as the ledger has them: with their files.
    pub ahead: Vec<(BeadId, String)>,
    /// Files of the ledger that are no beads, and why.
    pub odd: Vec<String>,
    /// An object of the ledger cannot be read.
    pub broken: Option<String>,
}

/// Compares all beads; drain before.
pub fn compare(store: &Store) -> Result<Compared, LedgerError> {
    let mut found = Compared::default();
    let mut seen = BTreeSet::new();
    let ledger = match Ledger::open(store.beads_dir()) {
        Ok(ledger) => ledger,
        Err(error) if error.is_kept_out() => return Err(error),
        Err(error) => {
            found.broken = Some(told(&error));
            return Ok(found);
        }
    };
    store.read::<_, LedgerError>(|r| {
        let looked = ledger.as_ref().map_or(Ok(()), |ledger| {
            for prefix in ledger.prefixes()? {
                for file in ledger.read_all(&prefix)? {
                    let (id, theirs) = match file {
                        Ok(file) => file,
                        Err(LedgerError::Odd { path, reason }) => {
                            found.odd.push(format!("{path}: {reason}"));
                            continue;
                        }
                        Err(error) => return Err(error),
                    };
                    seen.insert(id.clone());
                    let ours = r.ledger_doc(&id)?;
                    // Nearly always: and then there is nothing to be read out of either.
                    if ours.as_ref() == Some(&theirs) {
                        continue;
                    }
                    let Ok(theirs) = canonical(&theirs) else {
                        found.odd.push(format!("{id}: no bead"));
                        found.behind.extend(ours.map(|_| id));
                        continue;
                    };
                    let theirs = without_wisps(r, &id, theirs)?;
                    let Some(ours) = ours else {
                        // What is on its way out is recorded when it is gone.
                        if !r.is_hidden(&id)? {
                            found.ahead.push((id, theirs));
                        }
                        continue;
                    };
                    let odd = |e| LedgerError::odd(&id, e);
                    let ours = canonical(&ours).map_err(odd)?;
                    let both = merge(&ours, &theirs).map_err(odd)?;
                    if both != theirs {
                        found.behind.push(id.clone());
                    }
                    if both != ours {
                        found.ahead.push((id, theirs));
                    }
                }
            }
            Ok(())
        });
        match looked {
            Err(error @ LedgerError::Git(_)) if !error.is_kept_out() => found.broken = Some(told(&error)),
            other => other?,
        }
        if found.broken.is_none() {
            found.behind.extend(r.ledger_ids()?.into_iter().filter(|id| !seen.contains(id)));
        }
        Ok(())
    })?;
    Ok(found)
}

/// A ledger file without its edges to wisps of this store, which are none of its business: an older version of this
/// program let them in.
fn without_wisps(r: &Read<'_>, id: &BeadId, doc: String) -> Result<String, LedgerError> {
    let Ok(mut file) = serde_json::from_str::<Map<String, Value>>(&doc) else { return Ok(doc) };
    let mut wisps = BTreeSet::new();
    let edges = file.get("_v").and_then(|v| v["deps"].as_object()).into_iter().flat_map(Map::keys);
    for edge in edges {
        let target = edge.split('|').next().unwrap_or_default();
        if r.is_wisp(target)? {
            wisps.insert(target.to_owned());
        }
    }
    if wisps.is_empty() {
        return Ok(doc);
    }
    if let Some(deps) = file.get_mut("dependencies").and_then(Value::as_array_mut) {
        deps.retain(|dep| dep["depends_on_id"].as_str().is_none_or(|target| !wisps.contains(target)));
    }
    if let Some(stamps) = file.get_mut("_v").and_then(|v| v["deps"].as_object_mut()) {
        stamps.retain(|edge, _| !wisps.contains(edge.split('|').next().unwrap_or_default()));
    }
    canonical(&Value::Object(file).to_string()).map_err(|e| LedgerError::odd(id, e))
}

/// Brings both to what either says: the store takes what the ledger has newer, and the other way round.
pub fn reconcile(store: &mut Store, found: &Compared, by: &Stamp) -> Result<(), LedgerError> {
    sync::take_in(store, by, &found.ahead)?;
    store.write::<_, LedgerError>(by, |w| Ok(w.record_anew(&found.behind)?))?;
    drain(store, None)?;
    Ok(())
}

/// Begins the ledger anew from the store, and keeps the broken one beside it; gives where.
pub fn begin_anew(store: &mut Store, by: &Stamp) -> Result<PathBuf, LedgerError> {
    let dir = store.beads_dir().to_owned();
    let aside = set_aside(&dir, by.now)?;
    store.write::<_, LedgerError>(by, |w| {
        forget(w)?;
        let all = w.ledger_ids()?;
        Ok(w.record_anew(&all)?)
    })?;
    drain(store, None)?;
    Ok(aside)
}

fn set_aside(dir: &std::path::Path, now: Time) -> Result<PathBuf, LedgerError> {
    let _mine = hold(dir)?;
    let (from, to) = (dir.join(layout::FOLDER), dir.join(format!("{}.broken-{}", layout::FOLDER, now.millis())));
    std::fs::rename(&from, &to).map_err(LedgerError::io("rename", &from))?;
    Ok(to)
}

/// An error and its cause.
pub(super) fn told(error: &LedgerError) -> String {
    let cause = std::error::Error::source(error).map(|e| format!(": {e}")).unwrap_or_default();
    format!("{error}{cause}")
}
