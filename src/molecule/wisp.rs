//! Wisps that are lying about.

use super::{MoleculeError, burn, is_molecule};
use crate::base::span::Span;
use crate::base::{BeadId, Time};
use crate::store::{Bead, Filter, Read, Sort, StoreError, Write};

/// The roots of all wisps, latest first; closed ones with `all`.
pub fn wisps(r: &Read<'_>, all: bool) -> Result<Vec<Bead>, StoreError> {
    let filter = Filter { ephemeral: Some(true), sort: Sort::Created, ..Filter::default() };
    let found = r.find(&filter)?;
    Ok(found.into_iter().filter(|b| is_molecule(b) && (all || !b.is_over())).collect())
}

/// The wisps that nothing has changed since then: open ones, and with `all` closed ones too. What is on a hook is
/// somebody's, however long it lies still.
pub fn idle(r: &Read<'_>, since: Time, all: bool) -> Result<Vec<Bead>, StoreError> {
    let hooked: Vec<BeadId> = r.hooks()?.into_iter().flat_map(|h| h.molecule.into_iter().chain([h.bead])).collect();
    let mut idle = Vec::new();
    for root in wisps(r, all)? {
        let below = super::view::all(r, &root.id)?;
        let last = below.iter().map(|b| b.updated_at).chain([root.updated_at]).max().unwrap_or(root.updated_at);
        if last <= since && !hooked.contains(&root.id) {
            idle.push(root);
        }
    }
    Ok(idle)
}

/// Burns the wisps that nothing has changed for `age`: open ones, and with `all` closed ones too. With `dry_run`
/// only says which.
pub fn gc(w: &mut Write<'_>, now: Time, age: Span, all: bool, dry_run: bool) -> Result<Vec<BeadId>, MoleculeError> {
    let mut gone = Vec::new();
    for root in idle(w, now.plus_millis(-age.as_millis()), all)? {
        if dry_run {
            gone.extend(super::view::all(w, &root.id)?.into_iter().map(|b| b.id).chain([root.id]));
        } else {
            gone.extend(burn(w, &root.id, false)?.deleted_ids);
        }
    }
    Ok(gone)
}
