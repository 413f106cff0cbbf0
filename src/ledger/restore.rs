//! A store made anew from the ledger alone.
//!
//! Built under another name and put in place by one rename: whoever looks sees the old store, none, or the whole
//! new one. A store that is replaced is kept beside it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::compare::told;
use super::drain::{drain, drain_held};
use super::sync::one_at_a_time;
use super::{Ledger, LedgerError, hold::hold, layout};
use crate::base::fault::{Point, pass};
use crate::base::{Prefix, Time, atomic};
use crate::store::{LedgerDoc, Quiet, Stamp, Store, StoreError};

/// Beads written in one transaction.
const CHUNK: usize = 1000;
/// The folder in which the new store is built.
const BUILDING: &str = "restore.new";

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Restored {
    /// Beads in the new store, deleted ones too.
    pub beads: usize,
    /// The new store's own prefix.
    pub prefix: Prefix,
    /// Where the store is kept that was there before.
    pub replaced: Option<PathBuf>,
    /// Files of the ledger that are no beads, and why; they stay in the ledger.
    pub left_out: Vec<String>,
    /// Why what waited in the old store could not all be recorded first.
    #[serde(skip)]
    pub unrecorded: Option<String>,
}

/// Rebuilds the store in `beads_dir` from its ledger. `prefix`: its own; none takes that of the old store, or of the
/// most beads.
///
/// A store that is there is replaced only with `force`; what waits in it goes into the ledger first, as far as it can be
/// read. Others that write wait from then on until the new store is in its place.
pub fn restore(beads_dir: &Path, prefix: Option<Prefix>, force: bool, now: Time) -> Result<Restored, LedgerError> {
    let place = beads_dir.join("beads.db");
    let allowed = || {
        if place.exists() && !force { Err(StoreError::StoreExists(place.clone())) } else { Ok(()) }
    };
    let old = Store::open(beads_dir);
    if let Err(foreign @ StoreError::Foreign(_)) = old {
        // Another program's is not ours to put aside.
        return Err(foreign.into());
    }
    allowed()?;
    let ledger = beads_dir.join(layout::FOLDER);
    if matches!(old, Err(StoreError::NoStore(_))) && !ledger.exists() {
        // Before a lock is made where nothing is.
        return Err(LedgerError::NoLedger(ledger));
    }
    // What is long is done while others can write still; what fails here fails again below, and is told then.
    if let Ok(mut old) = old {
        let _ = drain(&mut old, None);
    }
    let _no_sync = one_at_a_time(beads_dir)?;
    let mine = hold(beads_dir)?;
    let (_quiet, mut old) = loop {
        let old = if place.exists() { Store::open(beads_dir).ok() } else { None };
        let quiet = Quiet::wait(beads_dir)?;
        match old {
            Some(mut old) => {
                if old.alone(&quiet) {
                    break (quiet, Some(old));
                }
            }
            None => break (quiet, None),
        }
    };
    allowed()?;
    let unrecorded = old.as_mut().and_then(|old| drain_held(old, &mine, None).err()).map(|error| told(&error));
    let prefix = prefix.or_else(|| old.as_ref()?.prefix().ok());
    let ledger = Ledger::open(beads_dir)?.ok_or_else(|| LedgerError::NoLedger(beads_dir.join(layout::FOLDER)))?;
    let (mut docs, mut left_out, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    let mut largest = (0, None);
    for name in ledger.prefixes()? {
        let before = docs.len();
        for file in ledger.read_all(&name)? {
            let (id, text) = file?;
            seen.insert(id.clone());
            match LedgerDoc::parse(&text) {
                Ok(doc) if doc.bead().id == id => docs.push(doc),
                Ok(doc) => left_out.push(format!("{id}: its file is about {}", doc.bead().id)),
                Err(reason) => left_out.push(format!("{id}: {reason}")),
            }
        }
        if docs.len() - before > largest.0 {
            largest = (docs.len() - before, Prefix::new(&name).ok());
        }
    }
    // All was recorded, and the ledger has less: a branch is gone. What can be read of a damaged database is not asked.
    if let Some(old) = old.as_ref().filter(|_| unrecorded.is_none()) {
        let ids = old.read::<_, StoreError>(|r| r.ledger_ids()).unwrap_or_default();
        let mut lacking = ids.into_iter().filter(|id| !seen.contains(id));
        if let Some(first) = lacking.next() {
            return Err(LedgerError::Lacks { first, count: 1 + lacking.count() });
        }
    }
    let prefix = prefix.or(largest.1).ok_or_else(|| LedgerError::NoLedger(beads_dir.join(layout::FOLDER)))?;
    let building = beads_dir.join(BUILDING);
    if building.exists() {
        std::fs::remove_dir_all(&building).map_err(LedgerError::io("remove", &building))?;
    }
    let mut store = Store::create(&building, &prefix, now)?;
    let by = Stamp::new("restore", now);
    fill(&mut store, &by, &docs)?;
    store.close()?;
    pass(Point::RestoreBuilt);
    // Then the file says it all, and nobody who is cut off here parts it from its log.
    if let Some(old) = &old
        && let Err(error) = old.empty_log()
    {
        tracing::debug!(%error, "the old store keeps its log");
    }
    let replaced = set_aside(beads_dir, &place, now)?;
    pass(Point::RestoreAside);
    std::fs::rename(building.join("beads.db"), &place).map_err(LedgerError::io("rename", &place))?;
    pass(Point::RestoreNamed);
    atomic::sync_folder(beads_dir).map_err(LedgerError::io("flush", beads_dir))?;
    std::fs::remove_dir_all(&building).map_err(LedgerError::io("remove", &building))?;
    Ok(Restored { beads: docs.len(), prefix, replaced, left_out, unrecorded })
}

/// Rows first, then edges: an edge is judged by the bead that it leads to.
fn fill(store: &mut Store, by: &Stamp, docs: &[LedgerDoc]) -> Result<(), LedgerError> {
    let batch = store.write::<_, LedgerError>(by, |w| Ok(w.new_batch("restore")?))?;
    for chunk in docs.chunks(CHUNK) {
        store.write::<_, LedgerError>(by, |w| Ok(w.stage_adopted(batch, chunk)?))?;
    }
    for chunk in docs.chunks(CHUNK) {
        store.write::<_, LedgerError>(by, |w| Ok(w.stage_adopted_edges(batch, chunk)?))?;
    }
    store.write::<_, LedgerError>(by, |w| {
        w.publish(batch)?;
        w.hold_adopted_circles(docs)?;
        w.emit("restored", "ledger", serde_json::json!({ "beads": docs.len() }))?;
        Ok(())
    })?;
    while store.write::<_, LedgerError>(by, |w| Ok(w.settle_batch(batch, 4 * CHUNK)?))? {}
    Ok(())
}

/// Moves the store that is there out of the way, and then the files that belong to it, also those of one that is gone:
/// a new store must not come to stand beside the log of another. In this order whoever opens a store sees by the name of
/// the file whether its log was still in place.
fn set_aside(beads_dir: &Path, place: &Path, now: Time) -> Result<Option<PathBuf>, LedgerError> {
    let aside = beads_dir.join(format!("beads.db.replaced-{}", now.millis()));
    let there = place.exists();
    for end in ["", "-wal", "-shm"] {
        let (from, to) = (with_end(place, end), with_end(&aside, end));
        if from.exists() {
            std::fs::rename(&from, &to).map_err(LedgerError::io("rename", &from))?;
        }
    }
    Ok(there.then_some(aside))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
