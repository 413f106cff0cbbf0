//! What can be done for many beads before they are filed, without the store: their rows, edges and ledger files follow
//! from a [`Shape`] alone, so that the lock is held for nothing but writing them.

use rusqlite::types::Value as Sql;
use serde_json::{Map, Value, json};

use super::outbox::Pack;
use super::shape::{Hold, Shape};
use super::stage::Batch;
use super::write::fresh;
use super::{Bead, Dep, DepKind, NewBead, Stamp, StoreError, row};
use crate::base::{BeadId, text};

/// Beads of one shape on their way into a batch; made by [`super::Write::begin_filing`].
#[derive(Debug)]
pub struct Filing<'s> {
    pub(super) batch: Batch,
    pub(super) root: BeadId,
    pub(super) shape: &'s Shape,
    pub(super) by: Stamp,
    pub(super) at: String,
    /// What all of them are stamped with: they come to be at one moment, when they are published.
    pub(super) stamp: String,
}

/// Some of them, ready to be written with [`super::Write::file`].
#[derive(Debug)]
pub struct Filed {
    pub(super) rows: Vec<Ready>,
    /// For the ledger: how many transitions, and the transitions.
    pub(super) pack: Option<(usize, Vec<u8>)>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) bead: Bead,
    pub(super) columns: Vec<(&'static str, Sql)>,
    pub(super) edges: Vec<Edge>,
}

/// What the edges of a bead are in the store.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) kind: DepKind,
    pub(super) target: BeadId,
    pub(super) metadata: String,
    pub(super) spawner: Option<String>,
    pub(super) any_child: bool,
    pub(super) active: bool,
}

impl Filed {
    /// Their ids, in order.
    pub fn ids(&self) -> impl Iterator<Item = &BeadId> {
        self.rows.iter().map(|row| &row.bead.id)
    }
}

impl Filing<'_> {
    /// The beads of the shape from index `from` on. Ids, parents and edges come from the shape; those that the beads
    /// name themselves count for nothing.
    pub fn prepare(&self, from: usize, beads: Vec<NewBead>) -> Result<Filed, StoreError> {
        let mut pack = Pack::new();
        let unpackable = |e: std::io::Error| StoreError::invalid("bead", e.to_string());
        let mut rows = Vec::with_capacity(beads.len());
        for (index, mut new) in (from..).zip(beads) {
            let other = std::mem::take(&mut new.other);
            let text = if other.is_empty() { Sql::Null } else { Sql::Text(json_text(&other)?) };
            new.other = other;
            let mut bead = fresh(&self.by, new)?;
            bead.id = id(self.shape, &self.root, index)?;
            let edges = self.edges(index)?;
            let columns = self.columns(&bead, index, text);
            if !bead.ephemeral {
                let file = self.first_file(&mut bead, &edges)?;
                pack.push(&bead.id, &summary(&bead, &edges), &file).map_err(unpackable)?;
            }
            rows.push(Ready { bead, columns, edges });
        }
        Ok(Filed { rows, pack: pack.finish().map_err(unpackable)? })
    }

    fn columns(&self, bead: &Bead, index: usize, other: Sql) -> Vec<(&'static str, Sql)> {
        let children = i64::from(self.shape.children(index));
        let mut columns = row::values_with(bead, other);
        columns.extend([
            ("id", Sql::Text(bead.id.to_string())),
            ("batch", Sql::Integer(self.batch.0)),
            ("stamps", Sql::Text(format!("{{\"*\":\"{}\"}}", self.stamp))),
            ("defer_over", Sql::Integer(0)),
            ("blockers", Sql::Integer(i64::from(self.shape.blockers(index)))),
            ("children", Sql::Integer(children)),
            ("open_children", Sql::Integer(children)),
            ("next_child", Sql::Integer(children)),
        ]);
        columns
    }

    /// The edges of a bead, the one to its parent first.
    fn edges(&self, index: usize) -> Result<Vec<Edge>, StoreError> {
        let (shape, root) = (self.shape, &self.root);
        let parent = match shape.parent(index) {
            Some(parent) => id(shape, root, parent)?,
            None => root.clone(),
        };
        let mut edges = vec![Edge {
            kind: DepKind::PARENT_CHILD,
            target: parent,
            metadata: String::new(),
            spawner: None,
            any_child: false,
            active: shape.parent_holds(index),
        }];
        for (hold, to) in shape.holds(index) {
            let target = id(shape, root, to)?;
            let gate = match hold {
                Hold::Blocks => None,
                Hold::AllChildren => Some("all-children"),
                Hold::AnyChild => Some("any-children"),
            };
            edges.push(Edge {
                kind: if gate.is_some() { DepKind::WAITS_FOR } else { DepKind::BLOCKS },
                metadata: gate.map(|gate| json!({ "gate": gate }).to_string()).unwrap_or_default(),
                spawner: gate.map(|_| target.to_string()),
                any_child: hold == Hold::AnyChild,
                active: shape.active(hold, to),
                target,
            });
        }
        Ok(edges)
    }

    /// The ledger file of a bead that has just been filed: every stamp in it is the same.
    fn first_file(&self, bead: &mut Bead, edges: &[Edge]) -> Result<String, StoreError> {
        let dep = |edge: &Edge| Dep {
            issue_id: bead.id.clone(),
            depends_on_id: edge.target.clone(),
            kind: edge.kind.clone(),
            created_at: self.by.now,
            created_by: self.by.actor.clone(),
            metadata: edge.metadata.clone(),
            thread_id: String::new(),
            extra: Map::new(),
        };
        let mut deps: Vec<Dep> = edges.iter().map(dep).collect();
        deps.sort_by(|a, b| (&a.depends_on_id, &a.kind).cmp(&(&b.depends_on_id, &b.kind)));
        bead.dependencies = deps;
        let mut file = json_text(&*bead)?;
        let stamped = |keys: Vec<String>| -> Map<String, Value> {
            keys.into_iter().map(|key| (key, json!([self.stamp]))).collect()
        };
        let mut stamps = Map::new();
        stamps.insert("clock".into(), json!({ "*": self.stamp }));
        if !bead.labels.is_empty() {
            stamps.insert("labels".into(), stamped(bead.labels.clone()).into());
        }
        let mut keys: Vec<String> = edges.iter().map(|e| format!("{}|{}", e.target, e.kind)).collect();
        keys.sort_unstable();
        stamps.insert("deps".into(), stamped(keys).into());
        file.pop();
        file.push_str(",\"_v\":");
        file.push_str(&json_text(&stamps)?);
        file.push_str("}\n");
        Ok(file)
    }
}

/// What happened to a bead that has just been filed.
fn summary(bead: &Bead, edges: &[Edge]) -> String {
    let mut what = format!("created: {}", bead.title);
    for edge in edges {
        for part in ["; ", edge.kind.as_str(), " ", edge.target.as_str()] {
            what.push_str(part);
        }
    }
    format!("{}: {}", bead.id, text::headline(&what, 160))
}

fn json_text(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::invalid("bead", e.to_string()))
}

fn id(shape: &Shape, root: &BeadId, index: usize) -> Result<BeadId, StoreError> {
    shape.id(root, index).map_err(|e| StoreError::invalid("id", e.to_string()))
}
