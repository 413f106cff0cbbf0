//! Filing the beads of a [`Shape`]: a row costs what writing it costs, nothing is looked up.

use rusqlite::params_from_iter;
use rusqlite::types::Value as Sql;
use serde_json::{Map, Value, json};

use super::Write;
use crate::base::{BeadId, text};
use crate::store::shape::{Hold, Shape};
use crate::store::stage::Batch;
use crate::store::{Bead, Dep, DepKind, NewBead, StoreError, row};

/// What the edges of a bead are in the store.
struct Edge {
    kind: DepKind,
    target: BeadId,
    metadata: String,
    spawner: Option<String>,
    any_child: bool,
    active: bool,
}

impl Write<'_> {
    /// Stages the beads of `shape` from index `from` on, below `root`, which must be in the batch already.
    ///
    /// Ids, parents and edges come from the shape; those that the beads name themselves count for nothing.
    pub fn stage_shape(
        &mut self,
        batch: Batch,
        root: &BeadId,
        shape: &Shape,
        from: usize,
        beads: &[NewBead],
    ) -> Result<Vec<BeadId>, StoreError> {
        self.staging_of(batch)?;
        if from == 0 {
            let top = i64::from(shape.top());
            self.run(
                "UPDATE beads SET children = children + ?2, open_children = open_children + ?2, next_child = next_child + ?2
                 WHERE id = ?1",
                (root.as_str(), top),
            )?;
        }
        let mut ids = Vec::with_capacity(beads.len());
        for (index, new) in (from..).zip(beads) {
            let mut bead = self.fresh(new)?;
            bead.id = id(shape, root, index)?;
            self.seat(&mut bead, &new.other, root, shape, index)?;
            ids.push(bead.id);
        }
        // No bead was touched, and the clock goes on all the same.
        self.run("UPDATE meta SET value = ?1 WHERE key = 'clock'", [self.tick.to_int()])?;
        Ok(ids)
    }

    fn seat(
        &mut self,
        bead: &mut Bead,
        other: &Map<String, Value>,
        root: &BeadId,
        shape: &Shape,
        index: usize,
    ) -> Result<(), StoreError> {
        let edges = edges(root, shape, index)?;
        let counts = [
            ("blockers", i64::from(shape.blockers(index))),
            ("children", i64::from(shape.children(index))),
            ("open_children", i64::from(shape.children(index))),
            ("next_child", i64::from(shape.children(index))),
        ];
        let other = if other.is_empty() { Sql::Null } else { Sql::Text(json_text(other)?) };
        let own = row::values_with(bead, other);
        let stamps = json!({ "*": self.stamp }).to_string();
        let first = [
            ("id", Sql::Text(bead.id.to_string())),
            ("batch", Sql::Integer(self.staging)),
            ("stamps", Sql::Text(stamps)),
            ("defer_over", Sql::Integer(0)),
        ];
        let counts = counts.map(|(column, n)| (column, Sql::Integer(n)));
        let (columns, values): (Vec<&str>, Vec<Sql>) = first.into_iter().chain(counts).chain(own).unzip();
        let marks = vec!["?"; columns.len()].join(", ");
        self.run(&format!("INSERT INTO beads ({}) VALUES ({marks})", columns.join(", ")), params_from_iter(values))?;
        let num = self.conn.last_insert_rowid();
        for label in &bead.labels {
            self.run("INSERT INTO labels (bead, label, added) VALUES (?1, ?2, ?3)", (num, label, &self.stamp))?;
        }
        self.index_text(num, bead)?;
        let at = self.by.now.to_string();
        for edge in &edges {
            self.run(
                "INSERT INTO deps (issue_id, depends_on_id, kind, batch, active, spawner, any_child, created_at, created_by,
                     metadata, added) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                (
                    bead.id.as_str(),
                    edge.target.as_str(),
                    edge.kind.as_str(),
                    self.staging,
                    edge.active,
                    &edge.spawner,
                    edge.any_child,
                    &at,
                    &self.by.actor,
                    &edge.metadata,
                    &self.stamp,
                ),
            )?;
        }
        if bead.ephemeral {
            return Ok(());
        }
        let mut what = format!("created: {}", bead.title);
        for edge in &edges {
            what.push_str("; ");
            what.push_str(edge.kind.as_str());
            what.push(' ');
            what.push_str(edge.target.as_str());
        }
        let summary = format!("{}: {}", bead.id, text::headline(&what, 160));
        let doc = self.first_file(bead, &edges)?;
        self.run(
            "INSERT INTO outbox (batch, bead, actor, at, summary, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (self.staging, bead.id.as_str(), &self.by.actor, &at, summary, doc),
        )?;
        Ok(())
    }

    /// The ledger file of a bead that has just been filed: every stamp in it is that of this transaction.
    fn first_file(&self, bead: &mut Bead, edges: &[Edge]) -> Result<String, StoreError> {
        let dep = |edge: &Edge| Dep {
            issue_id: bead.id.clone(),
            depends_on_id: edge.target.clone(),
            kind: edge.kind.clone(),
            created_at: self.by.now,
            created_by: self.by.actor.clone(),
            metadata: edge.metadata.clone(),
            thread_id: String::new(),
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

fn json_text(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::invalid("bead", e.to_string()))
}

fn id(shape: &Shape, root: &BeadId, index: usize) -> Result<BeadId, StoreError> {
    shape.id(root, index).map_err(|e| StoreError::invalid("id", e.to_string()))
}

/// The edges of a bead, the one to its parent first.
fn edges(root: &BeadId, shape: &Shape, index: usize) -> Result<Vec<Edge>, StoreError> {
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
