//! `bd graph`: a bead with all it belongs to, in the order in which it can be worked off.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
        let layers = layers(beads.keys().collect(), &edges);
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
fn layers<'b>(mut left: BTreeSet<&'b BeadId>, edges: &'b Edges) -> Vec<Vec<BeadId>> {
    let mut waits: HashMap<&BeadId, usize> = HashMap::new();
    let mut holds: HashMap<&BeadId, Vec<&BeadId>> = HashMap::new();
    for (from, to, kind) in edges {
        if *kind != DepKind::PARENT_CHILD && left.contains(to) {
            *waits.entry(from).or_default() += 1;
            holds.entry(to).or_default().push(from);
        }
    }
    let mut layer: Vec<&BeadId> = left.iter().copied().filter(|id| !waits.contains_key(id)).collect();
    let mut layers = Vec::new();
    while !left.is_empty() {
        if layer.is_empty() {
            layer = left.iter().copied().collect(); // a circle: all that is left
        }
        let mut next: BTreeSet<&BeadId> = BTreeSet::new();
        for id in &layer {
            left.remove(id);
            for from in holds.get(id).into_iter().flatten() {
                if let Some(waits) = waits.get_mut(from) {
                    *waits = waits.saturating_sub(1);
                    if *waits == 0 {
                        next.insert(from);
                    }
                }
            }
        }
        layers.push(layer.iter().map(|id| (*id).clone()).collect());
        layer = next.into_iter().filter(|id| left.contains(id)).collect();
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_follow_the_edges_and_what_is_in_a_circle_comes_last() {
        let id = |text: &str| BeadId::new(format!("gt-{text}")).expect("an id");
        let beads: BTreeSet<BeadId> = ["a", "b", "c", "d", "x", "y", "z"].into_iter().map(id).collect();
        let blocks = |from: &str, to: &str| (id(from), id(to), DepKind::BLOCKS);
        let edges: Edges = [
            blocks("b", "a"),
            blocks("c", "a"),
            blocks("d", "b"),
            blocks("d", "c"),
            blocks("d", "gone"),
            blocks("x", "y"),
            blocks("y", "x"),
            blocks("z", "y"),
            (id("a"), id("d"), DepKind::PARENT_CHILD),
        ]
        .into();
        let names: Vec<String> = layers(beads.iter().collect(), &edges)
            .iter()
            .map(|layer| layer.iter().map(|id| id.as_str().trim_start_matches("gt-")).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(names, ["a", "b c", "d", "x y z"]);
    }
}
