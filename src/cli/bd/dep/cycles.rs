//! `bd dep cycles`.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::BeadId;
use crate::cli::CliError;
use crate::cli::bd::Context;
use crate::store::{Bead, DepKind, Read, StoreError};

/// Finds circles of edges of any kind but `relates-to`.
pub(super) fn run(cx: &Context) -> Result<(), CliError> {
    cx.read(|r| {
        let mut circles: Vec<Vec<Bead>> = Vec::new();
        for circle in self::circles(r)? {
            let mut beads = Vec::new();
            for id in &circle {
                beads.extend(r.bead(id)?);
            }
            circles.push(beads);
        }
        cx.out.print(&circles, |circles| {
            if circles.is_empty() {
                return "no circles".to_owned();
            }
            let ids = |circle: &Vec<Bead>| circle.iter().map(|b| b.id.to_string()).collect::<Vec<_>>().join(" → ");
            let lines = circles.iter().map(|circle| format!("{} → {}", ids(circle), circle[0].id));
            lines.collect::<Vec<_>>().join("\n")
        });
        Ok(())
    })
}

/// The circles of the store, each once, beginning with its smallest id.
pub(in crate::cli::bd) fn circles(r: &Read<'_>) -> Result<BTreeSet<Vec<BeadId>>, StoreError> {
    let mut graph: BTreeMap<BeadId, Vec<BeadId>> = BTreeMap::new();
    for dep in r.all_deps()?.into_iter().filter(|dep| dep.kind != DepKind::RELATES_TO) {
        graph.entry(dep.issue_id).or_default().push(dep.depends_on_id);
    }
    Ok(circles_of(&graph))
}

/// Each circle once, beginning with its smallest id.
fn circles_of(graph: &BTreeMap<BeadId, Vec<BeadId>>) -> BTreeSet<Vec<BeadId>> {
    let mut circles = BTreeSet::new();
    let mut done: BTreeSet<&BeadId> = BTreeSet::new();
    for start in graph.keys() {
        // Depth first with an explicit stack: (bead, index of its next edge).
        let mut path: Vec<(&BeadId, usize)> = vec![(start, 0)];
        while let Some((at, next)) = path.last_mut() {
            let target = graph.get(*at).and_then(|edges| edges.get(*next));
            *next += 1;
            match target {
                None => {
                    let (finished, _) = path.pop().expect("not empty");
                    done.insert(finished);
                }
                Some(target) => {
                    if let Some(from) = path.iter().position(|(id, _)| *id == target) {
                        let mut circle: Vec<BeadId> = path[from..].iter().map(|(id, _)| (*id).clone()).collect();
                        let smallest = (0..circle.len()).min_by_key(|i| &circle[*i]).unwrap_or(0);
                        circle.rotate_left(smallest);
                        circles.insert(circle);
                    } else if !done.contains(target) {
                        path.push((target, 0));
                    }
                }
            }
        }
    }
    circles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_circle_is_found_once() {
        let id = |t: &str| BeadId::new(t).expect("id");
        let graph = [("a", vec!["b"]), ("b", vec!["c", "d"]), ("c", vec!["a"]), ("d", vec!["d"])]
            .into_iter()
            .map(|(from, to)| (id(from), to.into_iter().map(id).collect()))
            .collect();
        let found: Vec<Vec<BeadId>> = circles_of(&graph).into_iter().collect();
        assert_eq!(found, [vec![id("a"), id("b"), id("c")], vec![id("d")]]);
    }
}
