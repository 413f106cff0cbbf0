//! Protomolecules in the store: kept by the name of their content, so that one freezes once.

use std::io::{BufReader, BufWriter};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde_json::json;

use super::MoleculeError;
use crate::base::BeadId;
use crate::formula::Proto;
use crate::store::{DepKind, IssueType, Map, NewBead, NewDep, Read, Stamp, Store, StoreError, Write};

/// The first byte of what is kept: how the rest is written.
const ZLIB_JSON: u8 = 1;

/// Keeps a proto. False when it is there already.
pub fn freeze(w: &mut Write<'_>, proto: &Proto) -> Result<bool, MoleculeError> {
    if w.has_proto(&proto.id)? {
        return Ok(false);
    }
    for bonded in &proto.bonds {
        freeze(w, bonded)?;
    }
    let packed = pack(proto).map_err(|e| MoleculeError::Damaged(proto.id.clone(), e.to_string()))?;
    Ok(w.put_proto(&proto.id, &proto.formula, proto.steps.len(), &packed)?)
}

/// As [`freeze`], in a transaction of its own that does not hold others up while a large proto is compressed.
pub fn freeze_into(store: &mut Store, by: &Stamp, proto: &Proto) -> Result<bool, MoleculeError> {
    if store.read(|r| r.has_proto(&proto.id))? {
        return Ok(false);
    }
    let packed = pack(proto).map_err(|e| MoleculeError::Damaged(proto.id.clone(), e.to_string()))?;
    store.write(by, |w| {
        for bonded in &proto.bonds {
            freeze(w, bonded)?;
        }
        Ok(w.put_proto(&proto.id, &proto.formula, proto.steps.len(), &packed)?)
    })
}

/// The proto of that id.
pub fn thaw(r: &Read<'_>, id: &str) -> Result<Option<Proto>, MoleculeError> {
    let damaged = |why: &str| MoleculeError::Damaged(id.to_owned(), why.to_owned());
    match r.proto(id)?.as_deref() {
        None => Ok(None),
        Some([ZLIB_JSON, packed @ ..]) => {
            let reader = BufReader::new(ZlibDecoder::new(packed));
            serde_json::from_reader(reader).map(Some).map_err(|e| damaged(&e.to_string()))
        }
        Some(_) => Err(damaged("it is written in a way that this program does not know")),
    }
}

/// Written straight into the compressor: as text, a million steps would be some hundred megabytes.
fn pack(proto: &Proto) -> std::io::Result<Vec<u8>> {
    let writer = ZlibEncoder::new(vec![ZLIB_JSON], Compression::fast());
    let mut writer = BufWriter::with_capacity(1 << 16, writer);
    serde_json::to_writer(&mut writer, proto)?;
    writer.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()
}

/// All protos that are kept: id and formula, by id.
pub fn protos(r: &Read<'_>) -> Result<Vec<(String, String)>, StoreError> {
    Ok(r.protos()?.into_iter().map(|(id, formula, _)| (id, formula)).collect())
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
    // With `force` there may be tombstones of these ids: they become the beads of the new one.
    w.refile(root)?;
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
        w.refile(bead)?;
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
