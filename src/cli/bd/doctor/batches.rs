//! Nothing is left of bulk work that was killed: its rows are unseen and hold ids.

use super::Finding;
use crate::base::{Time, text};
use crate::cli::CliError;
use crate::cli::bd::Context;
use crate::store::{Batch, KINDS, Read, Store, StoreError};

/// Bulk work that is none of [`KINDS`], as a sync, is younger than this when it still runs.
const OLD_MS: i64 = 3_600_000;

/// So many beads are dropped in one transaction.
const AT_ONCE: usize = 1_000;

/// Old batches of which no lock says whether somebody is at them. Those of [`KINDS`] may be staged for hours.
fn old(r: &Read<'_>, before: Time) -> Result<Vec<Batch>, StoreError> {
    let mut old = r.staged_before(before)?;
    for note in KINDS {
        let locked = r.staged(note)?;
        old.retain(|batch| !locked.contains(batch));
    }
    Ok(old)
}

/// The batches that were left.
fn left(store: &Store, before: Time) -> Result<Vec<Batch>, CliError> {
    let mut left = store.read(|r| old(r, before))?;
    for note in KINDS {
        left.extend(store.left(note)?);
    }
    left.sort_unstable();
    left.dedup();
    Ok(left)
}

pub(super) fn look(cx: &Context) -> Result<Vec<Finding>, CliError> {
    let before = cx.now().plus_millis(-OLD_MS);
    let left = cx.with_store(|store| self::left(store, before))?;
    if left.is_empty() {
        return Ok(Vec::new());
    }
    let n = left.len();
    Ok(vec![Finding {
        check: "batches",
        grave: false,
        what: format!("{} of bulk work that did not end", text::count(n, "unseen batch")),
        next: "`bd doctor --fix` drops them: nothing of them was ever acknowledged".to_owned(),
        mend: Some(Box::new(move |cx| {
            let stamp = cx.stamp();
            cx.change_store(|store| {
                for note in KINDS {
                    while store.drop_left(&stamp, note, AT_ONCE)? {}
                }
                // A transaction drops a part; in between others may write, and the work itself may yet end well.
                while store.write::<_, StoreError>(&stamp, |w| match old(w, before)?.first() {
                    Some(batch) => w.discard_some(*batch, AT_ONCE).map(|_| true),
                    None => Ok(false),
                })? {}
                Ok(format!("{n} dropped"))
            })
        })),
    }])
}
