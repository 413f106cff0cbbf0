//! Nothing is left of bulk work that was killed: its rows are unseen and hold ids.

use super::Finding;
use crate::base::{Time, text};
use crate::cli::CliError;
use crate::cli::bd::Context;
use crate::store::{Batch, KINDS, Store};

/// Bulk work of which nobody can tell whether it still runs, as a sync, is younger when it does.
const OLD_MS: i64 = 3_600_000;

/// So many beads are dropped in one transaction.
const AT_ONCE: usize = 1_000;

/// The batches that were left.
fn left(store: &Store, before: Time) -> Result<Vec<Batch>, CliError> {
    let mut left = store.read(|r| r.staged_before(before))?;
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
                store.write(&stamp, |w| w.staged_before(before)?.into_iter().try_for_each(|batch| w.discard(batch)))?;
                Ok(format!("{n} dropped"))
            })
        })),
    }])
}
