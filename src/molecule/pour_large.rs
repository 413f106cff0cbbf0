//! Pouring a molecule of any size: staged in short transactions that no reader sees, published by a small one.
//!
//! A crash at any point leaves all of it or nothing that anybody can see. What it left unseen is dropped by the next
//! one, and by whatever else is written ([`super::sweep`]).

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::Instant;

use super::MoleculeError;
use super::pour::{PourOpts, Poured, Pouring, edges, limit, pour};
use super::proto::{freeze, freeze_into};
use super::turns::{REMOVED, SMALL, TURN};
use crate::base::BeadId;
use crate::formula::{Proto, Step, Vars};
use crate::store::{Batch, DepKind, Filed, Filing, Hold, NewBead, Shape, Stamp, Store};

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
    let most = store.read(limit)?;
    let pouring = Pouring::new(proto, vars, opts, most)?;
    let shape = shape(&pouring);
    // Deeper nesting than ids have levels for is for the store to refuse, in its words.
    if pouring.steps.len() <= SMALL || opts.root_only || shape.depth() > 3 {
        // The parts of a compound may be large: nobody waits while they are compressed.
        if proto.compound.is_some() {
            freeze_into(store, by, proto)?;
        }
        return store.write(by, |w| {
            freeze(w, proto)?;
            pour(w, proto, vars, opts)
        });
    }
    // A group holds the store: it waits for nobody who may wait for that, and nobody else sees what it stages.
    let _staging = if store.in_group() {
        None
    } else {
        while store.drop_left(by, BATCH, REMOVED)? {}
        Some(store.staging(BATCH)?)
    };
    let batch = store.write::<_, MoleculeError>(by, |w| Ok(w.new_batch(BATCH)?))?;
    match stage(store, by, &pouring, &shape, batch) {
        Ok((root, steps)) => Ok(Poured { root, steps, work: pouring.steps.len(), skipped: pouring.skipped }),
        Err(error) => {
            // What was staged is invisible either way; the first error is the one to tell.
            let _ = discard(store, by, batch);
            Err(error)
        }
    }
}

fn discard(store: &mut Store, by: &Stamp, batch: Batch) -> Result<(), MoleculeError> {
    while store.write::<_, MoleculeError>(by, |w| Ok(w.discard_some(batch, REMOVED)?))? {}
    Ok(())
}

/// How many gates a step has.
fn gates(step: &Step) -> usize {
    usize::from(step.gate.is_some()) + step.held.len()
}

/// Who is below whom and what waits for what: for each step its gates, then itself.
fn shape(pouring: &Pouring<'_>) -> Shape {
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
        let gates: Vec<_> = (0..gates(step)).map(|_| (Hold::Blocks, shape.push(parent, []))).collect();
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
    }
    shape.seal();
    shape
}

type Made = (BeadId, Vec<(String, BeadId)>);
/// Beads that are ready to be written, with their names in the formula.
type Part = Result<(Vec<String>, Filed), MoleculeError>;

fn stage(
    store: &mut Store,
    by: &Stamp,
    pouring: &Pouring<'_>,
    shape: &Shape,
    batch: Batch,
) -> Result<Made, MoleculeError> {
    let (root, filing) = store.write::<_, MoleculeError>(by, |w| {
        let new = pouring.root(w)?;
        let made = w.stage(batch, vec![new])?;
        let root = made.into_iter().next().ok_or_else(|| MoleculeError::UnknownProto(pouring.proto.id.clone()))?;
        let filing = w.begin_filing(batch, &root, shape)?;
        Ok((root, filing))
    })?;
    let mut made: Vec<(String, BeadId)> = Vec::with_capacity(shape.len());
    store.bulk::<_, MoleculeError>(|store| {
        std::thread::scope(|scope| {
            let (send, parts) = sync_channel::<Part>(AHEAD);
            let (give_back, written) = channel::<Filed>();
            // What needs no lock is done beside the writing, up to freeing what was written.
            let filing = &filing;
            scope.spawn(move || prepare(pouring, filing, &send, &written));
            write_all(store, by, filing, parts, &give_back, &mut made)
        })?;
        freeze_into(store, by, pouring.proto)?;
        // What is published is on disk, and with it all that came before.
        store.checkpoint()?;
        store.end_bulk()?;
        // A large one stays a batch of its own: moving its rows would cost more than filing them.
        store.write::<_, MoleculeError>(by, |w| {
            w.publish(batch)?;
            pouring.announce(w, &root)
        })
    })?;
    Ok((root, made))
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
