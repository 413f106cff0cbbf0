//! Pouring a molecule of any size: staged in short transactions that no reader sees, published by a small one.
//!
//! A crash at any point leaves all of it or nothing that anybody can see. What it left unseen is swept by a later
//! pour.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::MoleculeError;
use super::pour::{PourOpts, Poured, Pouring, edges, pour};
use crate::base::BeadId;
use crate::formula::{Proto, Vars};
use crate::store::{Batch, DepKind, Hold, NewBead, Shape, Stamp, Store};

/// Up to so many steps are poured in one transaction.
const SMALL: usize = 200;
/// Others wait at most about that long for the store.
const TURN: Duration = Duration::from_millis(30);
/// The fewest and the most beads that are filed in one turn.
const TURNS: (usize, usize) = (50, 2_000);
/// What has been staged for so long without being published was left by somebody who died.
const ABANDONED_MS: i64 = 3_600_000;

/// Pours `proto`, whatever its size.
pub fn pour_large(
    store: &mut Store,
    by: &Stamp,
    proto: &Proto,
    vars: &Vars,
    opts: &PourOpts,
) -> Result<Poured, MoleculeError> {
    let pouring = Pouring::new(proto, vars, opts)?;
    let shape = shape(&pouring);
    // Deeper nesting than ids have levels for is for the store to refuse, in its words.
    if pouring.steps.len() <= SMALL || opts.root_only || shape.depth() > 3 {
        return store.write(by, |w| pour(w, proto, vars, opts));
    }
    for left in store.read(|r| r.staged_before(by.now.plus_millis(-ABANDONED_MS)))? {
        discard(store, by, left)?;
    }
    let batch = store.write::<_, MoleculeError>(by, |w| Ok(w.new_batch("pour")?))?;
    match stage(store, by, &pouring, &shape, batch) {
        Ok((root, steps)) => Ok(Poured { root, steps, skipped: pouring.skipped }),
        Err(error) => {
            // What was staged is invisible either way; the first error is the one to tell.
            let _ = discard(store, by, batch);
            Err(error)
        }
    }
}

fn discard(store: &mut Store, by: &Stamp, batch: Batch) -> Result<(), MoleculeError> {
    while store.write::<_, MoleculeError>(by, |w| Ok(w.discard_some(batch, TURNS.0 * 4)?))? {}
    Ok(())
}

/// Who is below whom and what waits for what: for each step its gate, then itself.
fn shape(pouring: &Pouring<'_>) -> Shape {
    let mut index: HashMap<&str, usize> = HashMap::with_capacity(pouring.steps.len());
    let mut next = 0;
    for (_, step) in &pouring.steps {
        next += usize::from(step.gate.is_some());
        index.insert(&step.id, next);
        next += 1;
    }
    let mut shape = Shape::new();
    for (_, step) in &pouring.steps {
        let parent = step.parent.as_deref().and_then(|p| index.get(p).copied());
        let gate = step.gate.as_ref().map(|_| (Hold::Blocks, shape.push(parent, [])));
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
        shape.push(parent, gate.into_iter().chain(others));
    }
    shape.seal();
    shape
}

type Made = (BeadId, Vec<(String, BeadId)>);

fn stage(
    store: &mut Store,
    by: &Stamp,
    pouring: &Pouring<'_>,
    shape: &Shape,
    batch: Batch,
) -> Result<Made, MoleculeError> {
    let root = store.write::<_, MoleculeError>(by, |w| {
        let new = pouring.root(w)?;
        let made = w.stage(batch, vec![new])?;
        made.into_iter().next().ok_or_else(|| MoleculeError::UnknownProto(pouring.proto.id.clone()))
    })?;
    let mut made: Vec<(String, BeadId)> = Vec::with_capacity(shape.len());
    let mut turn = SMALL;
    let mut steps = pouring.steps.iter().peekable();
    while steps.peek().is_some() {
        // What needs no lock is done before it is taken.
        let (mut names, mut beads): (Vec<String>, Vec<NewBead>) = (Vec::new(), Vec::new());
        for (order, step) in steps.by_ref().take(turn) {
            let (bead, gate) = pouring.beads(*order, step);
            if let Some(gate) = gate {
                names.push(format!("gate-{}", step.id));
                beads.push(gate);
            }
            names.push(step.id.clone());
            beads.push(bead);
        }
        let from = made.len();
        let mut took = Duration::ZERO;
        let ids = store.write::<_, MoleculeError>(by, |w| {
            let started = Instant::now();
            let ids = w.stage_shape(batch, &root, shape, from, &beads)?;
            took = started.elapsed();
            Ok(ids)
        })?;
        made.extend(names.into_iter().zip(ids));
        turn = if took > TURN {
            turn / 2
        } else if took < TURN / 2 {
            turn * 2
        } else {
            turn
        };
        turn = turn.clamp(TURNS.0, TURNS.1);
    }
    // A large one stays a batch of its own: moving its rows would cost more than filing them.
    store.write::<_, MoleculeError>(by, |w| {
        w.publish(batch)?;
        pouring.announce(w, &root)
    })?;
    Ok((root, made))
}
