//! Taking beads away, however many: gathered in short transactions while everybody sees them, hidden by one, and removed
//! in short ones. A crash leaves all of them or none that anybody can see; what it left unseen is removed as what is left
//! of a pour ([`super::sweep`]).

use std::time::Instant;

use super::MoleculeError;
use super::turns::{REMOVED, TURN};
use crate::base::BeadId;
use crate::base::fault::{Point, pass};
use crate::store::{LEAVING, Staging, Stamp, Store, StoreError, Write};

/// The lock of who takes beads away. To be held from before it is decided which: two that take the same ones would
/// take them from each other.
pub(super) fn alone(store: &mut Store, by: &Stamp) -> Result<Staging, StoreError> {
    store.none_leaving(by, REMOVED)
}

/// Takes `ids` away for `reason`. `last` is written with the transaction that hides them; when it fails, they stay.
///
/// Not for a group, which is one transaction.
pub(super) fn leave<T>(
    store: &mut Store,
    _alone: &Staging,
    by: &Stamp,
    reason: &str,
    ids: &[BeadId],
    last: impl FnOnce(&mut Write<'_>) -> Result<T, MoleculeError>,
) -> Result<T, MoleculeError> {
    let batch = store.write(by, |w| w.new_leaving(LEAVING))?;
    let hidden = store.bulk::<_, MoleculeError>(|store| {
        let mut rest = ids.iter();
        while !rest.as_slice().is_empty() {
            store.write::<_, StoreError>(by, |w| {
                let started = Instant::now();
                while started.elapsed() < TURN
                    && let Some(id) = rest.next()
                {
                    w.gather(batch, id)?;
                }
                Ok(())
            })?;
            pass(Point::LeaveGathered);
        }
        store.checkpoint()?;
        store.end_bulk()?;
        let crossing = store.read::<_, StoreError>(|r| r.crossing(batch))?;
        store.write::<_, MoleculeError>(by, |w| {
            let answer = last(w)?;
            w.hide(batch, crossing, reason)?;
            Ok(answer)
        })
    });
    let answer = match hidden {
        Ok(answer) => answer,
        Err(error) => {
            // They are seen either way; the first error is the one to tell.
            let _ = store.write::<_, StoreError>(by, |w| w.stay(batch));
            return Err(error);
        }
    };
    pass(Point::LeaveHidden);
    // What nobody sees any more need not be gone from the disk before somebody is told.
    let removed = store.bulk::<_, StoreError>(|store| {
        while store.write::<_, StoreError>(by, |w| w.discard_some(batch, REMOVED))? {
            pass(Point::LeaveRemoved);
        }
        Ok(())
    });
    if let Err(error) = removed {
        tracing::warn!(%error, "what is left of beads that are gone is removed later");
    }
    Ok(answer)
}
