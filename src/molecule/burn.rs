//! Burning: a molecule goes without a record.

use super::{MoleculeError, view};
use crate::base::BeadId;
use crate::store::Write;

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

/// Burns a wisp. A molecule that lasts is burnt only with `force`, and leaves tombstones.
pub fn burn(w: &mut Write<'_>, root: &BeadId, force: bool) -> Result<Burnt, MoleculeError> {
    let bead = view::need(w, root)?;
    if !bead.ephemeral && !force {
        return Err(MoleculeError::NotAWisp(root.clone()));
    }
    let mut deleted = Vec::new();
    for bead in view::all(w, root)?.into_iter().rev() {
        w.delete(&bead.id, "mol burn")?;
        deleted.push(bead.id);
    }
    w.delete(root, "mol burn")?;
    deleted.push(root.clone());
    w.emit("burnt", root.as_str(), serde_json::json!({ "deleted": deleted.len() }))?;
    Ok(Burnt { molecule_id: root.clone(), deleted_count: deleted.len(), deleted_ids: deleted })
}
