//! A store made anew from the ledger alone.
//!
//! Built under another name and put in place by one rename: whoever looks sees the old store, none, or the whole
//! new one. A store that is replaced is kept beside it.

use std::path::{Path, PathBuf};

use super::{Ledger, LedgerError, hold::hold, layout};
use crate::base::fault::{Point, pass};
use crate::base::{Prefix, Time, atomic};
use crate::store::{LedgerDoc, Stamp, Store};

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
}

/// Rebuilds the store in `beads_dir` from its ledger. `prefix`: its own; none takes that of the most beads.
///
/// A store that is there is replaced only with `force`.
pub fn restore(beads_dir: &Path, prefix: Option<Prefix>, force: bool, now: Time) -> Result<Restored, LedgerError> {
    let place = beads_dir.join("beads.db");
    if place.exists() && !force {
        return Err(crate::store::StoreError::StoreExists(place).into());
    }
    let _mine = hold(beads_dir)?;
    let ledger = Ledger::open(beads_dir)?.ok_or_else(|| LedgerError::NoLedger(beads_dir.join(layout::FOLDER)))?;
    let (mut docs, mut left_out) = (Vec::new(), Vec::new());
    let mut largest = (0, None);
    for name in ledger.prefixes()? {
        let before = docs.len();
        for file in ledger.read_all(&name)? {
            let (id, text) = file?;
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
    let replaced = set_aside(beads_dir, &place, now)?;
    pass(Point::RestoreAside);
    std::fs::rename(building.join("beads.db"), &place).map_err(LedgerError::io("rename", &place))?;
    pass(Point::RestoreNamed);
    atomic::sync_folder(beads_dir).map_err(LedgerError::io("flush", beads_dir))?;
    std::fs::remove_dir_all(&building).map_err(LedgerError::io("remove", &building))?;
    Ok(Restored { beads: docs.len(), prefix, replaced, left_out })
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

/// Moves the store that is there out of the way, with the files that belong to it: these first, or a new store
/// could come to stand beside the log of another.
fn set_aside(beads_dir: &Path, place: &Path, now: Time) -> Result<Option<PathBuf>, LedgerError> {
    if !place.exists() {
        return Ok(None);
    }
    let aside = beads_dir.join(format!("beads.db.replaced-{}", now.millis()));
    for end in ["-wal", "-shm", ""] {
        let (from, to) = (with_end(place, end), with_end(&aside, end));
        if from.exists() {
            std::fs::rename(&from, &to).map_err(LedgerError::io("rename", &from))?;
        }
    }
    Ok(Some(aside))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
