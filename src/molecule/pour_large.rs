//! Pouring a molecule of any size: staged in short transactions that no reader sees, published by a small one.
//!
//! A crash at any point leaves all of it or nothing that anybody can see. What it left unseen is dropped by the next
//! one, and by whatever else is written ([`super::sweep`]).

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::Instant;

use super::MoleculeError;
use super::pour::{Announcement, Parts, PourOpts, Poured, Pouring, check, edges, limit, pour};
use super::proto::{freeze, freeze_into};
use super::turns::{REMOVED, SMALL, TURN};
use crate::base::BeadId;
use crate::formula::{Proto, Step, Vars};
use crate::store::{Batch, DepKind, Filed, Filing, Hold, NewBead, Shape, Stamp, Store, Write};

/// Steps that are prepared together, and how many such parts are prepared ahead.
const PART: usize = 100;
const AHEAD: usize = 16;
/// What its batches are called.
const BATCH: &str = "pour";

/// Pours `proto`, whatever its size, and keeps it.
pub fn pour_large(
    store: &mut Store,
    by: &Stamp,
    proto: &Proto,
    vars: &Vars,
    opts: &PourOpts,
) -> Result<Poured, MoleculeError> {
    pour_large_with(store, by, proto, vars, opts, |_, poured| Ok(poured))
}

/// As [`pour_large`]; `then` is done in the transaction in which everybody sees it first.
pub fn pour_large_with<T>(
    store: &mut Store,
    by: &Stamp,
    proto: &Proto,
    vars: &Vars,
    opts: &PourOpts,
    then: impl FnOnce(&mut Write<'_>, Poured) -> Result<T, MoleculeError>,
) -> Result<T, MoleculeError> {
    // Deeper nesting than ids have levels for is for the store to refuse, in its words.
    if !is_large(proto) || opts.root_only || levels(proto, 0) > 3 {
        // Nobody waits while what is large is compressed.
        if proto.bonds.iter().chain([proto]).any(is_large) {
            freeze_into(store, by, proto)?;
        }
        return store.write(by, |w| {
            freeze(w, proto)?;
            let poured = pour(w, proto, vars, opts)?;
            then(w, poured)
        });
    }
    check(proto, vars)?;
    // A group holds the store: it waits for nobody who may wait for that, and nobody else sees what it stages.
    let _staging = if store.in_group() {
        None
    } else {
        while store.drop_left(by, BATCH, REMOVED)? {}
        Some(store.staging(BATCH)?)
    };
    let batch = store.write::<_, MoleculeError>(by, |w| Ok(w.new_batch(BATCH)?))?;
    let staging = Staging { by, most: store.read(limit)?, batch };
    let done = store.bulk::<_, MoleculeError>(|store| {
        let mut staged = Vec::new();
        // The root carries what its steps bond, as that is kept.
        freeze_into(store, by, proto)?;
        let poured = staging.stage(store, proto, vars, opts, &mut staged)?;
        // What is published is on disk, and with it all that came before.
        store.checkpoint()?;
        store.end_bulk()?;
        // A large one stays a batch of its own: moving its rows would cost more than filing them.
        store.write(by, |w| {
            w.publish(batch)?;
            for Staged { root, held } in staged {
                // What it waits for was closed or opened meanwhile.
                if w.is_blocked(&root.root)? != held {
                    w.judge_children(&root.root)?;
                }
                root.make(w)?;
            }
            then(w, poured)
        })
    });
    if done.is_err() {
        // What was staged is invisible either way; the first error is the one to tell.
        let _ = discard(store, by, batch);
    }
    done
}

/// Whether others would wait for it if it were poured in one transaction.
pub(super) fn is_large(proto: &Proto) -> bool {
    proto.size() > SMALL
}

/// How many levels of ids it has, below a root that has `above` of them.
fn levels(proto: &Proto, above: usize) -> usize {
    let mut depths: HashMap<&str, usize> = HashMap::new();
    for step in proto.steps.iter().filter(|step| step.parent.is_some()) {
        let parent = step.parent.as_deref().and_then(|parent| depths.get(parent)).copied().unwrap_or(1);
        depths.insert(&step.id, parent + 1);
    }
    let own = depths.into_values().max().unwrap_or_else(|| proto.steps.len().min(1));
    let parts = proto.parts().map(|part| levels(part, above + 1)).max();
    parts.unwrap_or(above + own)
}

fn discard(store: &mut Store, by: &Stamp, batch: Batch) -> Result<(), MoleculeError> {
    while store.write::<_, MoleculeError>(by, |w| Ok(w.discard_some(batch, REMOVED)?))? {}
    Ok(())
}

/// How many gates a step has.
fn gates(step: &Step) -> usize {
    usize::from(step.gate.is_some()) + step.held.len()
}

/// Who is below whom and what waits for what: for each step its gates, then itself. Below a root whose id was given they
/// are `named`; below one that waits for something all are `held`.
fn shape(pouring: &Pouring<'_>, named: bool, held: bool) -> Shape {
    let mut index: HashMap<&str, usize> = HashMap::with_capacity(pouring.steps.len());
    let mut next = 0;
    for (_, step) in &pouring.steps {
        next += gates(step);
        index.insert(&step.id, next);
        next += 1;
    }
    let mut shape = Shape::new();
    for (_, step) in &pouring.steps {
        let parent = step.parent.as_deref().and_then(|p| index.get(p).copied());
        let gates_of = gates(step);
        let gates: Vec<_> = (0..gates_of).map(|_| (Hold::Blocks, shape.push(parent, []))).collect();
        let others = edges(step).into_iter().filter_map(|(kind, metadata, target)| {
            let hold = if kind == DepKind::BLOCKS {
                Hold::Blocks
            } else if metadata.contains("any-children") {
                Hold::AnyChild
            } else {
                Hold::AllChildren
            };
            Some((hold, *index.get(target)?))
        });
        shape.push(parent, gates.into_iter().chain(others));
        if named {
            shape.name(pouring.gate_names(step).take(gates_of).chain([step.id.clone()]));
        }
    }
    shape.seal(held);
    shape
}

/// Beads that are ready to be written, with their names in the formula.
type Part = Result<(Vec<String>, Filed), MoleculeError>;

/// The root of what was staged.
struct Staged {
    root: Announcement,
    /// Whether its steps were staged as those of a root that waits for something.
    held: bool,
}

/// What all that is staged together has.
struct Staging<'a> {
    by: &'a Stamp,
    /// How many bytes of text the steps of a molecule may hold.
    most: u64,
    batch: Batch,
}

impl Staging<'_> {
    /// Stages `proto` with its parts, and notes the roots.
    fn stage(
        &self,
        store: &mut Store,
        proto: &Proto,
        vars: &Vars,
        opts: &PourOpts,
        roots: &mut Vec<Staged>,
    ) -> Result<Poured, MoleculeError> {
        let pouring = Pouring::new(proto, vars, opts, self.most)?;
        let (root, held) = store.write::<_, MoleculeError>(self.by, |w| {
            let new = pouring.root(w)?;
            let made = w.stage(self.batch, vec![new])?;
            let root = made.into_iter().next().ok_or_else(|| MoleculeError::UnknownProto(proto.id.clone()))?;
            let held = w.is_blocked(&root)?;
            Ok((root, held))
        })?;
        let shape = shape(&pouring, opts.id.is_some(), held);
        let filing = store.write::<_, MoleculeError>(self.by, |w| Ok(w.begin_filing(self.batch, &root, &shape)?))?;
        let (steps, work) = if let Some(compound) = &proto.compound {
            let mut all = Parts::default();
            for (part, mut opts) in pouring.parts(compound, &root)? {
                opts.deps.extend(all.edge(compound));
                let poured = self.stage(store, part, &part.own_values(&pouring.vars), &opts, roots)?;
                all.add(part, poured);
            }
            (all.made, all.work)
        } else {
            let mut made: Vec<(String, BeadId)> = Vec::with_capacity(shape.len());
            std::thread::scope(|scope| {
                let (send, parts) = sync_channel::<Part>(AHEAD);
                let (give_back, written) = channel::<Filed>();
                // What needs no lock is done beside the writing, up to freeing what was written.
                let (filing, pouring) = (&filing, &pouring);
                scope.spawn(move || prepare(pouring, filing, &send, &written));
                write_all(store, self.by, filing, parts, &give_back, &mut made)
            })?;
            (made, pouring.steps.len())
        };
        roots.push(Staged { root: pouring.announcement(root.clone()), held });
        Ok(Poured { root, steps, work, skipped: pouring.skipped })
    }
}

/// Prepares all steps, part by part, until nobody wants any more.
fn prepare(pouring: &Pouring<'_>, filing: &Filing<'_>, send: &SyncSender<Part>, written: &Receiver<Filed>) {
    let mut from = 0;
    for steps in pouring.steps.chunks(PART) {
        let (mut names, mut beads): (Vec<String>, Vec<NewBead>) = (Vec::new(), Vec::new());
        for (order, step) in steps {
            let (bead, gates) = pouring.beads(*order, step);
            for (name, gate) in gates {
                names.push(name);
                beads.push(gate);
            }
            names.push(step.id.clone());
            beads.push(bead);
        }
        let here = from;
        from += beads.len();
        let part = filing.prepare(here, beads).map(|filed| (names, filed)).map_err(MoleculeError::from);
        let failed = part.is_err();
        drop(written.try_iter().collect::<Vec<_>>());
        if send.send(part).is_err() || failed {
            return;
        }
    }
}

/// Writes what is prepared, in turns: as much as is ready and fits into one.
fn write_all(
    store: &mut Store,
    by: &Stamp,
    filing: &Filing<'_>,
    parts: Receiver<Part>,
    give_back: &Sender<Filed>,
    made: &mut Vec<(String, BeadId)>,
) -> Result<(), MoleculeError> {
    while let Ok(first) = parts.recv() {
        let mut next = Some(first);
        store.write::<_, MoleculeError>(by, |w| {
            let started = Instant::now();
            while let Some(part) = next.take() {
                let (names, filed) = part?;
                made.extend(names.into_iter().zip(filed.ids().cloned()));
                w.file(filing, &filed)?;
                // Who prepares may be done already.
                let _ = give_back.send(filed);
                if started.elapsed() < TURN {
                    next = parts.try_recv().ok();
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}
