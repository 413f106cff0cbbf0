//! Protomolecules in the store: kept by the name of their content, so that one freezes once.

use std::collections::{HashMap, HashSet};
use std::io::{BufReader, BufWriter};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde_json::json;

use super::beads::{Taken, gate_beads};
use super::pour::{PourOpts, edges as step_edges};
use super::{MoleculeError, view};
use crate::base::BeadId;
use crate::formula::{Proto, Step, Vars};
use crate::store::{DepKind, IssueType, Map, NewBead, NewDep, Read, Stamp, Status, Store, StoreError, Write};

/// The first byte of what is kept: how the rest is written.
const ZLIB_JSON: u8 = 1;

/// Keeps a proto. False when it is there already.
pub fn freeze(w: &mut Write<'_>, proto: &Proto) -> Result<bool, MoleculeError> {
    if w.has_proto(&proto.id)? {
        return Ok(false);
    }
    for bonded in proto.bonds.iter().chain(proto.parts()) {
        freeze(w, bonded)?;
    }
    let packed = pack(proto).map_err(|e| MoleculeError::Damaged(proto.id.clone(), e.to_string()))?;
    Ok(w.put_proto(&proto.id, &proto.formula, proto.size(), &packed)?)
}

/// As [`freeze`], in transactions of its own that do not hold others up while a large proto is compressed.
pub fn freeze_into(store: &mut Store, by: &Stamp, proto: &Proto) -> Result<bool, MoleculeError> {
    if store.read(|r| r.has_proto(&proto.id))? {
        return Ok(false);
    }
    for bonded in proto.bonds.iter().chain(proto.parts()) {
        freeze_into(store, by, bonded)?;
    }
    let packed = pack(proto).map_err(|e| MoleculeError::Damaged(proto.id.clone(), e.to_string()))?;
    store.write(by, |w| Ok(w.put_proto(&proto.id, &proto.formula, proto.size(), &packed)?))
}

/// The proto of that id.
pub fn thaw(r: &Read<'_>, id: &str) -> Result<Option<Proto>, MoleculeError> {
    r.proto(id)?.map(|packed| unpack(&packed, id)).transpose()
}

fn unpack(packed: &[u8], id: &str) -> Result<Proto, MoleculeError> {
    let damaged = |why: &str| MoleculeError::Damaged(id.to_owned(), why.to_owned());
    match packed {
        [ZLIB_JSON, packed @ ..] => {
            let reader = BufReader::new(ZlibDecoder::new(packed));
            serde_json::from_reader(reader).map_err(|e| damaged(&e.to_string()))
        }
        _ => Err(damaged("it is written in a way that this program does not know")),
    }
}

/// Written straight into the compressor: as text, a million steps would be some hundred megabytes.
fn pack(proto: &Proto) -> std::io::Result<Vec<u8>> {
    let writer = ZlibEncoder::new(vec![ZLIB_JSON], Compression::fast());
    let mut writer = BufWriter::with_capacity(1 << 16, writer);
    serde_json::to_writer(&mut writer, proto)?;
    writer.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()
}

/// A proto up to this size, packed, goes with the beads that need it: other copies of the ledger have no protos.
const CARRIED: usize = 1 << 16;

/// The protos that the steps of `proto` bond, those of its parts and of what they bond too, by id, as text for the metadata
/// of its root. They are taken as they are kept, for to compress them takes long.
pub(super) fn carried(r: &Read<'_>, proto: &Proto) -> Result<Map, StoreError> {
    fn bonded<'p>(proto: &'p Proto, all: &mut Vec<&'p Proto>) {
        proto.parts().for_each(|part| bonded(part, all));
        for bond in &proto.bonds {
            all.push(bond);
            bonded(bond, all);
        }
    }
    let (mut all, mut carried) = (Vec::new(), Map::new());
    bonded(proto, &mut all);
    for proto in all {
        if !carried.contains_key(&proto.id)
            && let Some(packed) = r.small_proto(&proto.id, CARRIED)?
        {
            carried.insert(proto.id.clone(), data_encoding::BASE64.encode(&packed).into());
        }
    }
    Ok(carried)
}

/// The proto `id` that one of [`carried`] is.
pub(super) fn carried_as(text: &str, id: &str) -> Option<Proto> {
    let packed = data_encoding::BASE64.decode(text.as_bytes()).ok()?;
    // It may come from elsewhere.
    unpack(&packed, id).ok().filter(|proto| proto.id == id && proto.is_named_by_content())
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
/// With `force` the templates of that id that are there become those of this proto: what is in both is changed, what is
/// in the old one alone is deleted. A bead that was deleted is never written anew, for copies that know it as deleted
/// would delete it again.
pub fn keep_persistent(w: &mut Write<'_>, proto: &Proto, id: &BeadId, force: bool) -> Result<Kept, MoleculeError> {
    let mut ids: HashMap<&str, BeadId> = HashMap::new();
    let mut wanted = vec![(id.clone(), root(proto))];
    let mut edges: Vec<Edge> = Vec::new();
    let taken = Taken::of(proto);
    for step in &proto.steps {
        let own = BeadId::new(format!("{id}.{}", step.id))?;
        let parent = step.parent.as_deref().and_then(|parent| ids.get(parent)).unwrap_or(id).clone();
        for (name, gate) in gate_beads(proto, step, &taken, &Vars::new(), &PourOpts::default()) {
            let gate_id = BeadId::new(format!("{id}.{name}"))?;
            let gate = NewBead { is_template: true, parent: Some(parent.clone()), ..gate };
            wanted.push((gate_id.clone(), gate));
            edges.push((own.clone(), DepKind::BLOCKS, String::new(), gate_id));
        }
        wanted.push((own.clone(), NewBead { parent: Some(parent), ..template(proto, step) }));
        ids.insert(&step.id, own);
    }
    for step in &proto.steps {
        let Some(own) = ids.get(step.id.as_str()) else { continue };
        let others = step_edges(step).into_iter();
        edges.extend(
            others.filter_map(|(kind, metadata, to)| Some((own.clone(), kind, metadata, ids.get(to)?.clone()))),
        );
    }
    let there = clear(w, id, force, &wanted, &edges)?;
    let created = wanted.len();
    for (own, mut new) in wanted {
        if !there.contains(&own) {
            w.create(NewBead { id: Some(own), ..new })?;
            continue;
        }
        let parent = new.parent.take();
        w.rewrite(&own, new)?;
        if let Some(parent) = parent {
            w.add_dep(&own, NewDep::new(DepKind::PARENT_CHILD, parent))?;
        }
    }
    for (own, kind, metadata, target) in edges {
        w.add_dep(&own, NewDep { depends_on_id: target, kind, metadata })?;
    }
    Ok(Kept { root: id.clone(), created })
}

/// An edge of a template: from where, of what kind, with what metadata, to where.
type Edge = (BeadId, DepKind, String, BeadId);

/// Makes room for templates: beads and edges that are there and not wanted go. Gives the beads that are there and wanted.
fn clear(
    w: &mut Write<'_>,
    id: &BeadId,
    force: bool,
    wanted: &[(BeadId, NewBead)],
    edges: &[Edge],
) -> Result<HashSet<BeadId>, MoleculeError> {
    let old = match w.bead(id)? {
        Some(root) if root.status != Status::TOMBSTONE && !force => return Err(MoleculeError::ProtoExists(root.id)),
        Some(root) if root.status != Status::TOMBSTONE => {
            view::need(w, id)?;
            view::all(w, id)?
        }
        _ => Vec::new(),
    };
    for (own, _) in wanted {
        if w.bead(own)?.is_some_and(|bead| bead.status == Status::TOMBSTONE) {
            return Err(MoleculeError::Deleted(own.clone()));
        }
    }
    let parents: HashMap<&BeadId, Option<&BeadId>> =
        wanted.iter().map(|(own, new)| (own, new.parent.as_ref())).collect();
    let edges: HashSet<(&BeadId, &DepKind, &BeadId)> = edges.iter().map(|(own, kind, _, to)| (own, kind, to)).collect();
    let mut there: HashSet<BeadId> = w.bead(id)?.map(|root| root.id).into_iter().collect();
    for own in old.into_iter().rev().map(|bead| bead.id) {
        let Some(parent) = parents.get(&own) else {
            w.delete(&own, "no longer in the formula")?;
            continue;
        };
        for dep in w.deps(&own)? {
            let stays = match &dep.kind {
                kind if *kind == DepKind::PARENT_CHILD => *parent == Some(&dep.depends_on_id),
                kind if [DepKind::BLOCKS, DepKind::WAITS_FOR].contains(kind) => {
                    edges.contains(&(&own, kind, &dep.depends_on_id))
                }
                _ => true,
            };
            if !stays {
                w.remove_dep(&own, &dep.depends_on_id, Some(&dep.kind))?;
            }
        }
        there.insert(own);
    }
    Ok(there)
}

/// The template of a whole formula.
fn root(proto: &Proto) -> NewBead {
    // The variables of these names are what the root of a molecule is called.
    let named = |name: &str, text: &str| {
        if proto.vars.contains_key(name) { format!("{{{{{name}}}}}") } else { text.to_owned() }
    };
    let mut root = bare(proto, &named("title", &proto.formula), &named("desc", &proto.description));
    root.issue_type = Some(IssueType::MOLECULE);
    root.labels = vec!["template".into()];
    root.metadata.insert("formula".into(), proto.formula.as_str().into());
    root.metadata.insert("proto".into(), proto.id.as_str().into());
    root
}

/// The template of a step.
fn template(proto: &Proto, step: &Step) -> NewBead {
    let mut bead = bare(proto, &step.title, &step.description);
    bead.labels.clone_from(&step.labels);
    bead.labels.extend(step.waits_for.iter().map(|waits| format!("gate:{}", waits.mode)));
    bead.notes.clone_from(&step.notes);
    bead.acceptance_criteria = step.acceptance.clone().unwrap_or_default();
    bead.assignee = step.assignee.clone().unwrap_or_default();
    bead.priority = step.priority;
    bead.issue_type = Some(IssueType::new(&step.kind));
    bead.metadata.clone_from(&step.metadata);
    bead.metadata.insert("step".into(), json!(step.id));
    bead
}

fn bare(proto: &Proto, title: &str, description: &str) -> NewBead {
    let mut other = Map::new();
    other.insert("source_formula".into(), proto.formula.as_str().into());
    NewBead {
        title: title.to_owned(),
        description: description.to_owned(),
        is_template: true,
        other,
        ..NewBead::default()
    }
}
