//! Random histories against a naive model that knows nothing of counters: it looks at every edge each time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Create { parent: Option<usize> },
    Link { from: usize, to: usize, kind: usize },
    Unlink { from: usize, to: usize },
    Close { bead: usize, failed: bool },
    Reopen { bead: usize },
    Status { bead: usize, status: usize },
    Pin { bead: usize, pinned: bool },
    Delete { bead: usize },
    Stage { under: usize, waits: usize },
}

const KINDS: [(&str, &str); 6] = [
    ("blocks", ""),
    ("parent-child", ""),
    ("conditional-blocks", ""),
    ("waits-for", ""),
    ("waits-for", r#"{"gate":"any-children"}"#),
    ("related", ""),
];
const STATUSES: [&str; 7] = ["open", "in_progress", "blocked", "deferred", "hooked", "pinned", "mine"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bead = 0..12_usize;
    let step = prop_oneof![
        3 => proptest::option::of(bead.clone()).prop_map(|parent| Step::Create { parent }),
        6 => (bead.clone(), bead.clone(), 0..KINDS.len()).prop_map(|(from, to, kind)| Step::Link { from, to, kind }),
        1 => (bead.clone(), bead.clone()).prop_map(|(from, to)| Step::Unlink { from, to }),
        4 => (bead.clone(), any::<bool>()).prop_map(|(bead, failed)| Step::Close { bead, failed }),
        2 => bead.clone().prop_map(|bead| Step::Reopen { bead }),
        2 => (bead.clone(), 0..STATUSES.len()).prop_map(|(bead, status)| Step::Status { bead, status }),
        1 => (bead.clone(), any::<bool>()).prop_map(|(bead, pinned)| Step::Pin { bead, pinned }),
        1 => bead.clone().prop_map(|bead| Step::Delete { bead }),
        1 => (bead.clone(), bead).prop_map(|(under, waits)| Step::Stage { under, waits }),
    ];
    proptest::collection::vec(step, 1..60)
}

#[derive(Debug, Default)]
struct Naive {
    beads: BTreeMap<BeadId, (String, String, bool)>,
    edges: Vec<(BeadId, BeadId, usize)>,
}

impl Naive {
    fn status(&self, id: &BeadId) -> &str {
        self.beads.get(id).map_or("", |b| b.0.as_str())
    }

    fn children(&self, id: &BeadId) -> Vec<&BeadId> {
        self.edges.iter().filter(|(_, to, kind)| to == id && *kind == 1).map(|(from, ..)| from).collect()
    }

    /// Held back by an edge of its own.
    fn directly(&self, id: &BeadId) -> bool {
        let openish = |id: &BeadId| ["open", "in_progress", "blocked", "deferred", "hooked"].contains(&self.status(id));
        let over = |id: &&BeadId| ["closed", "tombstone"].contains(&self.status(id));
        self.edges.iter().filter(|(from, ..)| from == id).any(|(_, to, kind)| match kind {
            0 => openish(to),
            2 => openish(to) || (self.status(to) == "closed" && !self.beads[to].1.contains("failed")),
            3 => !self.children(to).iter().all(over),
            4 => !self.children(to).iter().any(over),
            _ => false,
        })
    }

    fn blocked(&self, id: &BeadId, depth: usize) -> bool {
        self.directly(id)
            || depth < 50
                && self.edges.iter().any(|(from, to, kind)| from == id && *kind == 1 && self.blocked(to, depth + 1))
    }

    fn ready(&self) -> Vec<BeadId> {
        let works = |id: &BeadId| ["open", "in_progress"].contains(&self.status(id)) && !self.beads[id].2;
        self.beads.keys().filter(|id| works(id) && !self.blocked(id, 0)).cloned().collect()
    }
}

fn play(steps: Vec<Step>) {
    let mut t = Temp::new();
    // Nothing here is about power cuts.
    t.store.connection().pragma_update(None, "synchronous", "OFF").expect("pragma");
    let mut naive = Naive::default();
    let mut ids: Vec<BeadId> = Vec::new();
    let alive = |naive: &Naive, ids: &[BeadId], at: usize| -> Option<BeadId> {
        let id = ids.get(at % ids.len().max(1))?;
        (naive.status(id) != "tombstone").then(|| id.clone())
    };
    for (n, step) in steps.into_iter().enumerate() {
        match step {
            Step::Create { parent } => {
                let parent =
                    parent.and_then(|p| alive(&naive, &ids, p)).filter(|p| p.as_str().matches('.').count() < 3);
                let new = NewBead { parent: parent.clone(), ..NewBead::titled(format!("b{n}")) };
                let id = t.write(|w| Ok(w.create(new)?.id)).expect("create");
                naive.beads.insert(id.clone(), ("open".into(), String::new(), false));
                naive.edges.extend(parent.map(|p| (id.clone(), p, 1)));
                ids.push(id);
            }
            Step::Link { from, to, kind } => {
                let (Some(from), Some(to)) = (alive(&naive, &ids, from), alive(&naive, &ids, to)) else { continue };
                // One edge of each kind between two beads: any-children and all-children are one kind.
                let same = |k: usize| KINDS[k].0 == KINDS[kind].0;
                let there = naive.edges.iter().any(|(f, t, k)| *f == from && *t == to && same(*k));
                let dep =
                    NewDep { metadata: KINDS[kind].1.into(), ..NewDep::new(DepKind::new(KINDS[kind].0), to.clone()) };
                match t.write(|w| w.add_dep(&from, dep)) {
                    Ok(_) if !there => naive.edges.push((from, to, kind)),
                    Ok(_) | Err(StoreError::Cycle { .. } | StoreError::SelfDep(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Unlink { from, to } => {
                let (Some(from), Some(to)) = (alive(&naive, &ids, from), alive(&naive, &ids, to)) else { continue };
                let there = naive.edges.iter().any(|(f, t, _)| *f == from && *t == to);
                assert_eq!(t.write(|w| w.remove_dep(&from, &to, None)).is_ok(), there);
                naive.edges.retain(|(f, t, _)| !(*f == from && *t == to));
            }
            Step::Close { bead, failed } => {
                let Some(id) = alive(&naive, &ids, bead) else { continue };
                let reason = if failed { "it failed" } else { "done" };
                t.write(|w| w.close(&id, Close { force: true, ..Close::because(reason) })).expect("close");
                let entry = naive.beads.get_mut(&id).expect("known");
                (entry.0, entry.1) = ("closed".into(), reason.into());
            }
            Step::Reopen { bead } => {
                let Some(id) = alive(&naive, &ids, bead) else { continue };
                t.write(|w| w.reopen(&id, "")).expect("reopen");
                let entry = naive.beads.get_mut(&id).expect("known");
                if entry.0 == "closed" {
                    entry.0 = "open".into();
                }
            }
            Step::Status { bead, status } => {
                let Some(id) = alive(&naive, &ids, bead) else { continue };
                t.write(|w| w.update(&id, Patch::status(Status::new(STATUSES[status])))).expect("status");
                naive.beads.get_mut(&id).expect("known").0 = STATUSES[status].into();
            }
            Step::Pin { bead, pinned } => {
                let Some(id) = alive(&naive, &ids, bead) else { continue };
                t.write(|w| w.update(&id, Patch { pinned: Some(pinned), ..Patch::default() })).expect("pin");
                naive.beads.get_mut(&id).expect("known").2 = pinned;
            }
            Step::Delete { bead } => {
                let Some(id) = alive(&naive, &ids, bead) else { continue };
                t.write(|w| w.delete(&id, "")).expect("delete");
                naive.beads.get_mut(&id).expect("known").0 = "tombstone".into();
                naive.edges.retain(|(f, t, _)| *f != id && *t != id);
            }
            Step::Stage { under, waits } => {
                let (Some(under), Some(waits)) = (alive(&naive, &ids, under), alive(&naive, &ids, waits)) else {
                    continue;
                };
                if under.as_str().matches('.').count() >= 3 {
                    continue;
                }
                let batch = t.write(|w| w.new_batch("b")).expect("batch");
                let new = NewBead {
                    parent: Some(under.clone()),
                    deps: vec![NewDep::new(DepKind::BLOCKS, waits.clone())],
                    ..NewBead::titled(format!("s{n}"))
                };
                let staged = t.write(|w| w.stage(batch, vec![new])).expect("stage");
                t.write(|w| w.publish(batch)).expect("publish");
                let id = staged[0].clone();
                naive.beads.insert(id.clone(), ("open".into(), String::new(), false));
                naive.edges.push((id.clone(), under, 1));
                naive.edges.push((id.clone(), waits, 0));
                ids.push(id);
            }
        }
        compare(&t, &naive);
    }
}

fn compare(t: &Temp, naive: &Naive) {
    let query = ReadyQuery { now: Some(Time::from_millis(t.now)), ..ReadyQuery::default() };
    t.read(|r| {
        let mut ready: Vec<BeadId> = r.ready(&query)?.into_iter().map(|b| b.id).collect();
        ready.sort();
        assert_eq!(ready, naive.ready(), "{naive:?}");
        for id in naive.beads.keys() {
            assert_eq!(r.is_blocked(id)?, naive.blocked(id, 0), "{id} in {naive:?}");
            let children = naive.children(id);
            let closed = children.iter().filter(|c| ["closed", "tombstone"].contains(&naive.status(c))).count();
            assert_eq!(r.epic_count(id)?, EpicCount { total: children.len(), closed }, "{id}");
        }
        Ok(())
    });
}

proptest! {
    #![proptest_config(crate::base::tests::histories(40))]
    #[test]
    fn counters_agree_with_a_naive_model(steps in steps()) {
        play(steps);
    }
}
