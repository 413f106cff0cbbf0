//! Burning: a molecule goes without a record.

use super::leave::{alone, leave};
use super::turns::SMALL;
use super::{MoleculeError, view};
use crate::base::BeadId;
use crate::store::{Read, Stamp, Store, StoreError, Write};

const REASON: &str = "mol burn";

/// What was burnt.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Burnt {
    /// The root.
    pub molecule_id: BeadId,
    /// Every bead that is gone, the root last.
    pub deleted_ids: Vec<BeadId>,
    /// How many.
    pub deleted_count: usize,
}

impl Burnt {
    /// What burning would take; refused for a molecule that lasts without `force`.
    pub fn of(r: &Read<'_>, root: &BeadId, force: bool) -> Result<Self, MoleculeError> {
        let bead = view::need(r, root)?;
        if !bead.ephemeral && !force {
            return Err(MoleculeError::NotAWisp(root.clone()));
        }
        let mut deleted_ids = r.ids_below(root)?;
        deleted_ids.push(bead.id);
        Ok(Self { molecule_id: root.clone(), deleted_count: deleted_ids.len(), deleted_ids })
    }

    fn announce(&self, w: &mut Write<'_>) -> Result<(), MoleculeError> {
        let payload = serde_json::json!({ "deleted": self.deleted_count });
        w.emit("burnt", self.molecule_id.as_str(), payload)?;
        Ok(())
    }
}

/// Refused while somebody goes through a molecule among these.
pub(super) fn off_hooks(r: &Read<'_>, ids: &[BeadId]) -> Result<(), MoleculeError> {
    for hook in r.hooks()? {
        if let Some(bead) = hook.molecule.filter(|molecule| ids.contains(molecule)) {
            return Err(StoreError::Hooked { agent: hook.agent.to_string(), bead }.into());
        }
    }
    Ok(())
}

/// Burns a wisp. A molecule that lasts is burnt only with `force`, and leaves tombstones.
pub fn burn(w: &mut Write<'_>, root: &BeadId, force: bool) -> Result<Burnt, MoleculeError> {
    let burnt = Burnt::of(w, root, force)?;
    off_hooks(w, &burnt.deleted_ids)?;
    for id in &burnt.deleted_ids {
        w.delete(id, REASON)?;
    }
    burnt.announce(w)?;
    Ok(burnt)
}

/// As [`burn`], several at once and whatever their size: all of them go at one moment, or none.
pub fn burn_all(store: &mut Store, by: &Stamp, roots: &[BeadId], force: bool) -> Result<Vec<Burnt>, MoleculeError> {
    let plan = |r: &Read<'_>| roots.iter().map(|root| Burnt::of(r, root, force)).collect::<Result<Vec<_>, _>>();
    let many: usize = store.read(plan)?.iter().map(|b| b.deleted_count).sum();
    if many <= SMALL || store.in_group() {
        return store.write(by, |w| roots.iter().map(|root| burn(w, root, force)).collect());
    }
    let alone = alone(store, by)?;
    let burnt = store.read(plan)?;
    let ids: Vec<BeadId> = burnt.iter().flat_map(|b| b.deleted_ids.iter().cloned()).collect();
    leave(store, &alone, by, REASON, &ids, |w| burnt.iter().try_for_each(|b| b.announce(w)))?;
    Ok(burnt)
}

/// Burns a wisp, however large, if `still` holds in the very transaction in which it goes.
pub(super) fn burn_if(
    store: &mut Store,
    by: &Stamp,
    root: &BeadId,
    still: impl Fn(&Read<'_>) -> Result<bool, StoreError>,
) -> Result<Option<Burnt>, MoleculeError> {
    if store.in_group() {
        return store.write(by, |w| if still(w)? { burn(w, root, false).map(Some) } else { Ok(None) });
    }
    let alone = alone(store, by)?;
    let burnt = store.read(|r| Burnt::of(r, root, false))?;
    let gone = leave(store, &alone, by, REASON, &burnt.deleted_ids, |w| {
        if !still(w)? {
            return Err(MoleculeError::TakenUp(root.clone()));
        }
        burnt.announce(w)
    });
    match gone {
        Ok(()) => Ok(Some(burnt)),
        Err(MoleculeError::TakenUp(_) | MoleculeError::Store(StoreError::Hooked { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}
