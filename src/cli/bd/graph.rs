//! `bd graph`: a bead with all it belongs to, in the order in which it can be worked off.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, render};
use crate::base::BeadId;
use crate::cli::CliError;
use crate::store::{Bead, DepKind, Read};

/// Shows what is connected with a bead, in layers: what stands in one can be worked on at the same time.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bead.
    id: String,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    cx.read(|r| {
        let root = r.need(&r.resolve(&args.id)?)?;
        let (beads, edges) = connected(r, &root)?;
        let layers = layers(&beads, &edges);
        let value = serde_json::json!({
            "root": root, "issues": beads.values().collect::<Vec<_>>(),
            "dependencies": edges.iter().map(|(from, to, kind)| serde_json::json!({ "issue_id": from, "depends_on_id": to, "type": kind })).collect::<Vec<_>>(),
            "layers": layers,
        });
        cx.out.print(&value, |_| {
            let layer = |(n, ids): (usize, &Vec<BeadId>)| {
                let lines = ids.iter().filter_map(|id| beads.get(id)).map(|b| format!("  {}  [{}]", render::line(b), b.status));
                format!("layer {n}\n{}", lines.collect::<Vec<_>>().join("\n"))
            };
            layers.iter().enumerate().map(layer).collect::<Vec<_>>().join("\n")
        });
        Ok(())
    })
}

type Edges = BTreeSet<(BeadId, BeadId, DepKind)>;

/// All that hangs together with `root` by edges that affect what is ready, in either direction.
fn connected(r: &Read<'_>, root: &Bead) -> Result<(BTreeMap<BeadId, Bead>, Edges), CliError> {
    let mut beads: BTreeMap<BeadId, Bead> = [(root.id.clone(), root.clone())].into();
    let mut edges = Edges::new();
    let mut work = vec![root.id.clone()];
    while let Some(id) = work.pop() {
        for dep in r.deps(&id)?.into_iter().chain(r.dependents(&id)?).filter(|dep| dep.kind.affects_ready()) {
            for end in [&dep.issue_id, &dep.depends_on_id] {
                if !beads.contains_key(end)
                    && let Some(bead) = r.bead(end)?
                {
                    beads.insert(end.clone(), bead);
                    work.push(end.clone());
                }
            }
            edges.insert((dep.issue_id, dep.depends_on_id, dep.kind));
        }
    }
    Ok((beads, edges))
}

/// The beads by how many others have to be done before: parents after none, children not for being children.
fn layers(beads: &BTreeMap<BeadId, Bead>, edges: &Edges) -> Vec<Vec<BeadId>> {
    let mut left: BTreeSet<&BeadId> = beads.keys().collect();
    let mut layers = Vec::new();
    while !left.is_empty() {
        let free = |id: &&&BeadId| {
            !edges.iter().any(|(from, to, kind)| from == **id && *kind != DepKind::PARENT_CHILD && left.contains(to))
        };
        let mut layer: Vec<BeadId> = left.iter().filter(free).map(|id| (**id).clone()).collect();
        if layer.is_empty() {
            layer = left.iter().map(|id| (**id).clone()).collect(); // a circle: all that is left
        }
        left.retain(|id| !layer.contains(id));
        layers.push(layer);
    }
    layers
}
