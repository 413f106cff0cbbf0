//! From the remote into the store: merged with what stands here, seen all at once.

use std::collections::BTreeSet;

use super::apart::{Merged, told_apart};
use super::settle::{Moved, Settled, settle};
use crate::base::BeadId;
use crate::base::fault::{Point, pass};
use crate::ledger::{LedgerError, canonical};
use crate::store::{LedgerDoc, Stamp, Store, Write};

/// New beads beyond this number are staged in parts, so that no transaction is long.
const MANY: usize = 500;
/// What the batches of a sync are called.
const BATCH: &str = "sync";

/// What the store took.
#[derive(Debug, Clone, Default)]
pub(super) struct Taken {
    /// Beads that are new or changed here.
    pub(super) changed: usize,
    /// Beads that had to take another id: from, to.
    pub(super) renamed: Vec<(BeadId, BeadId)>,
    /// Files that are no beads, and why.
    pub(super) left_out: Vec<String>,
}

/// Merges the remote's files into the store.
pub(super) fn take(store: &mut Store, by: &Stamp, incoming: &[(BeadId, String)]) -> Result<Taken, LedgerError> {
    let _none_leaves = store.none_leaving(by, MANY)?;
    let mut taken = Taken::default();
    let mut docs = Vec::new();
    for (id, text) in incoming {
        match LedgerDoc::parse(text) {
            Ok(doc) if doc.bead().id == *id => docs.push((id, text, doc)),
            Ok(doc) => taken.left_out.push(format!("{id}: its file is about {}", doc.bead().id)),
            Err(reason) => taken.left_out.push(format!("{id}: {reason}")),
        }
    }
    let new: Vec<LedgerDoc> = store.read::<_, LedgerError>(|r| {
        let mut new = Vec::new();
        for (id, _, doc) in &docs {
            if r.bead(id)?.is_none() {
                new.push(doc.clone());
            }
        }
        Ok(new)
    })?;
    let batch = if new.len() > MANY { Some(stage(store, by, &new)?) } else { None };
    store.write::<_, LedgerError>(by, |w| {
        if let Some(batch) = batch {
            w.publish(batch)?;
            w.hold_adopted_circles(&new)?;
            taken.changed += new.len();
        }
        let staged: BTreeSet<&BeadId> =
            if batch.is_some() { new.iter().map(|doc| &doc.bead().id).collect() } else { BTreeSet::new() };
        let files: Vec<(&BeadId, &str)> = docs.iter().map(|(id, text, _)| (*id, text.as_str())).collect();
        merge_in(w, &files, &staged, &mut taken)
    })?;
    if let Some(batch) = batch {
        while store.write::<_, LedgerError>(by, |w| Ok(w.settle_batch(batch, 4 * MANY)?))? {}
    }
    Ok(taken)
}

/// Puts many new beads into a batch that nobody sees. What an earlier sync left of its own is dropped first.
fn stage(store: &mut Store, by: &Stamp, new: &[LedgerDoc]) -> Result<crate::store::Batch, LedgerError> {
    let batch = store.write::<_, LedgerError>(by, |w| Ok(w.new_batch(BATCH)?))?;
    for chunk in new.chunks(MANY) {
        store.write::<_, LedgerError>(by, |w| Ok(w.stage_adopted(batch, chunk)?))?;
        pass(Point::SyncStaged);
    }
    for chunk in new.chunks(MANY) {
        store.write::<_, LedgerError>(by, |w| Ok(w.stage_adopted_edges(batch, chunk)?))?;
    }
    Ok(batch)
}

/// Drops batches of a sync that did not end. Only the holder of the sync's lock may call it.
pub(super) fn drop_left_over(store: &mut Store, by: &Stamp) -> Result<(), LedgerError> {
    if store.read::<_, LedgerError>(|r| Ok(r.staged(BATCH)?))?.is_empty() {
        return Ok(());
    }
    store.write(by, |w| {
        for batch in w.staged(BATCH)? {
            w.discard(batch)?;
        }
        Ok(())
    })
}

/// Merges files with the beads as they are in this transaction; those of `staged` have just come to be here.
fn merge_in(
    w: &mut Write<'_>,
    files: &[(&BeadId, &str)],
    staged: &BTreeSet<&BeadId>,
    taken: &mut Taken,
) -> Result<(), LedgerError> {
    let mut merged = Merged::default();
    let mut moved: Vec<Moved> = Vec::new();
    // Nobody can have changed what nobody has seen.
    for (id, theirs) in files.iter().filter(|(id, _)| !staged.contains(id)) {
        let odd = |e| LedgerError::odd(id, e);
        let doc = match w.ledger_doc(id)? {
            None => canonical(theirs).map_err(odd)?,
            Some(ours) => {
                let Settled { stays, moved: other } = settle(&ours, theirs).map_err(odd)?;
                moved.extend(other);
                stays
            }
        };
        merged.add(id, doc)?;
    }
    if !moved.is_empty() {
        merged = told_apart(w, files.iter().copied(), staged, &moved)?;
    }
    let mut docs = Vec::new();
    for (id, doc) in merged.files {
        let ours = w.ledger_doc(&id)?.map(|ours| canonical(&ours)).transpose().map_err(|e| LedgerError::odd(&id, e))?;
        if ours.as_ref() == Some(&doc) {
            continue;
        }
        match LedgerDoc::parse(&doc) {
            Ok(doc) => docs.push(doc),
            Err(reason) => taken.left_out.push(format!("{id}: {reason}")),
        }
    }
    let ours: Vec<&Moved> = moved.iter().filter(|bead| bead.was_ours).collect();
    let local = ours.iter().map(|bead| w.make_way(&bead.from)).collect::<Result<Vec<_>, _>>()?;
    w.adopt(&docs)?;
    for (bead, local) in ours.into_iter().zip(local) {
        w.follow_renamed(&bead.from, &bead.to, local)?;
    }
    for (id, what) in merged.followed {
        w.record_followed(&id, what);
    }
    taken.renamed.extend(moved.into_iter().map(|bead| (bead.from, bead.to)));
    taken.changed += docs.len();
    if taken.changed > 0 {
        w.emit("synced", "ledger", serde_json::json!({ "beads": taken.changed }))?;
    }
    Ok(())
}
