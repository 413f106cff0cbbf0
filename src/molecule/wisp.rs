//! Wisps that are lying about.

use std::collections::HashSet;

use super::burn::burn_if;
use super::turns::SMALL;
use super::{Burnt, MoleculeError, burn, is_molecule};
use crate::base::span::Span;
use crate::base::{BeadId, Time};
use crate::store::{Bead, DepKind, Filter, Read, Sort, Stamp, Store, StoreError};

/// The roots of all wisps, latest first; closed ones with `all`.
pub fn wisps(r: &Read<'_>, all: bool) -> Result<Vec<Bead>, StoreError> {
    let filter = Filter { ephemeral: Some(true), sort: Sort::Created, ..Filter::default() };
    let found = r.find(&filter)?;
    Ok(found.into_iter().filter(|b| is_molecule(b) && (all || !b.is_over())).collect())
}

/// The wisps that nothing has changed since then: open ones, and with `all` closed ones too. What is on a hook is
/// somebody's, however long it lies still.
pub fn idle(r: &Read<'_>, since: Time, all: bool) -> Result<Vec<Bead>, StoreError> {
    let held = held(r)?;
    let mut idle = Vec::new();
    for root in wisps(r, all)? {
        if is_idle(r, &held, &root, since)? {
            idle.push(root);
        }
    }
    Ok(idle)
}

/// What is on a hook, and all that this is below.
fn held(r: &Read<'_>) -> Result<HashSet<BeadId>, StoreError> {
    let mut held = HashSet::new();
    for hook in r.hooks()? {
        for bead in std::iter::once(hook.bead).chain(hook.molecule) {
            let mut at = Some(bead);
            // What is in it already was followed up to the top: a damaged ledger may hold a circle of parents.
            while let Some(id) = at.filter(|id| held.insert(id.clone())) {
                at = r.deps(&id)?.into_iter().find(|d| d.kind == DepKind::PARENT_CHILD).map(|d| d.depends_on_id);
            }
        }
    }
    Ok(held)
}

fn is_idle(r: &Read<'_>, held: &HashSet<BeadId>, root: &Bead, since: Time) -> Result<bool, StoreError> {
    if root.updated_at > since || held.contains(&root.id) {
        return Ok(false);
    }
    let below = Filter { under: Some(root.id.clone()), updated_after: Some(since.plus_millis(1)), ..Filter::default() };
    Ok(r.count(&below)? == 0)
}

/// What came of clearing wisps.
#[derive(Debug)]
pub struct Cleared {
    /// The beads that are gone.
    pub gone: Vec<BeadId>,
    /// Wisps that could not be burnt, and why.
    pub left: Vec<(BeadId, MoleculeError)>,
}

/// Burns the wisps that nothing has changed for `age`: open ones, and with `all` closed ones too. One that somebody takes
/// up meanwhile stays.
pub fn gc(store: &mut Store, by: &Stamp, age: Span, all: bool) -> Result<Cleared, MoleculeError> {
    let since = by.now.plus_millis(-age.as_millis());
    let (small, large) = store.read::<_, MoleculeError>(|r| {
        let mut sized = (Vec::new(), Vec::new());
        for root in idle(r, since, all)? {
            let few = r.ids_below(&root.id)?.len() <= SMALL;
            if few { sized.0.push(root.id) } else { sized.1.push(root.id) }
        }
        Ok(sized)
    })?;
    let still = |r: &Read<'_>, held: &HashSet<BeadId>, id: &BeadId| -> Result<bool, StoreError> {
        match r.bead(id)? {
            Some(root) => is_idle(r, held, &root, since),
            None => Ok(false),
        }
    };
    let gone = store.write::<_, MoleculeError>(by, |w| {
        let (held, mut gone) = (held(w)?, Vec::new());
        for id in &small {
            if still(w, &held, id)? {
                gone.extend(burn(w, id, false)?.deleted_ids);
            }
        }
        Ok(gone)
    })?;
    let mut cleared = Cleared { gone, left: Vec::new() };
    for root in large {
        match burn_if(store, by, &root, |r| still(r, &held(r)?, &root)) {
            Ok(burnt) => cleared.gone.extend(burnt.into_iter().flat_map(|burnt| burnt.deleted_ids)),
            // What is gone is gone, and is told.
            Err(error) => cleared.left.push((root, error)),
        }
    }
    Ok(cleared)
}

/// The beads that [`gc`] would burn.
pub fn gc_would(r: &Read<'_>, now: Time, age: Span, all: bool) -> Result<Vec<BeadId>, MoleculeError> {
    let mut gone = Vec::new();
    for root in idle(r, now.plus_millis(-age.as_millis()), all)? {
        gone.extend(Burnt::of(r, &root.id, false)?.deleted_ids);
    }
    Ok(gone)
}
