//! Protomolecules in the store: kept by the name of their content, so that one freezes once.

use serde_json::json;

use super::MoleculeError;
use crate::base::BeadId;
use crate::formula::Proto;
use crate::store::{DepKind, IssueType, Map, NewBead, NewDep, Read, StoreError, Write};

const SPACE: &str = "proto";

/// Keeps a proto. False when it is there already.
pub fn freeze(w: &mut Write<'_>, proto: &Proto) -> Result<bool, MoleculeError> {
    if w.local(SPACE, &proto.id)?.is_some() {
        return Ok(false);
    }
    let value = serde_json::to_value(proto).map_err(|e| MoleculeError::Damaged(proto.id.clone(), e.to_string()))?;
    w.put_local(SPACE, &proto.id, &value)?;
    Ok(true)
}

/// The proto of that id.
pub fn thaw(r: &Read<'_>, id: &str) -> Result<Option<Proto>, MoleculeError> {
    match r.local(SPACE, id)? {
        None => Ok(None),
        Some(value) => {
            serde_json::from_value(value).map(Some).map_err(|e| MoleculeError::Damaged(id.to_owned(), e.to_string()))
        }
    }
}

/// All protos that are kept: id and formula, by id.
pub fn protos(r: &Read<'_>) -> Result<Vec<(String, String)>, StoreError> {
    let name = |v: &serde_json::Value| v.get("formula").and_then(|f| f.as_str()).unwrap_or_default().to_owned();
    Ok(r.local_all(SPACE)?.iter().map(|(id, v)| (id.clone(), name(v))).collect())
}

/// A proto that was written as beads.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The root.
    pub root: BeadId,
    /// How many beads.
    pub created: usize,
}

/// Writes a proto as template beads, `<id>` and `<id>.<step>`, for tools that read beads and know no protos.
///
/// With `force` an older one of that id is deleted first.
pub fn keep_persistent(w: &mut Write<'_>, proto: &Proto, id: &BeadId, force: bool) -> Result<Kept, MoleculeError> {
    let step_id = |step: &str| BeadId::new(format!("{id}.{step}"));
    if w.bead(id)?.is_some_and(|b| !b.is_over()) {
        if !force {
            return Err(MoleculeError::ProtoExists(id.clone()));
        }
        super::burn(w, id, true)?;
    }
    let template = |title: &str, description: &str, own: BeadId| {
        let mut other = Map::new();
        other.insert("source_formula".into(), proto.formula.as_str().into());
        NewBead {
            id: Some(own),
            title: title.to_owned(),
            description: description.to_owned(),
            is_template: true,
            other,
            ..NewBead::default()
        }
    };
    let mut root = template(&proto.formula, &proto.description, id.clone());
    root.issue_type = Some(IssueType::MOLECULE);
    root.labels = vec!["template".into()];
    root.metadata.insert("formula".into(), proto.formula.as_str().into());
    root.metadata.insert("proto".into(), proto.id.as_str().into());
    w.create(root)?;
    let mut ids = std::collections::HashMap::new();
    for step in &proto.steps {
        let own = step_id(&step.id)?;
        let mut bead = template(&step.title, &step.description, own.clone());
        bead.labels.clone_from(&step.labels);
        bead.priority = step.priority;
        bead.issue_type = Some(IssueType::new(&step.kind));
        bead.metadata.clone_from(&step.metadata);
        bead.metadata.insert("step".into(), json!(step.id));
        bead.parent = Some(step.parent.as_ref().and_then(|p| ids.get(p)).unwrap_or(id).clone());
        w.create(bead)?;
        ids.insert(step.id.clone(), own);
    }
    for step in &proto.steps {
        for need in &step.needs {
            if let (Some(from), Some(to)) = (ids.get(&step.id), ids.get(need)) {
                w.add_dep(from, NewDep::new(DepKind::BLOCKS, to.clone()))?;
            }
        }
    }
    Ok(Kept { root: id.clone(), created: proto.steps.len() + 1 })
}
