//! `on_complete`: when a step is closed, a molecule for each item of a list in its output.
//!
//! The formula that is bonded was cooked and frozen together with the one that names it, so that closing a step reads
//! no file. What cannot be poured is noted on the step; closing it stands.

use std::cell::Cell;

use serde_json::{Value, json};

use super::beads::BONDS;
use super::proto::carried_as;
use super::{MoleculeError, PourOpts, freeze, pour, thaw};
use crate::base::{BeadId, Prefix};
use crate::formula::{OnComplete, Proto, Vars, fill_single};
use crate::store::{Bead, DepKind, NewDep, Patch, Write};

/// Items of one step; more are a mistake.
const MOST: usize = 1_000;

/// Pours what the closing of `step` asks for, below it. Gives the new roots.
pub(super) fn fan_out(w: &mut Write<'_>, step: &Bead) -> Result<Vec<BeadId>, MoleculeError> {
    let Some(spec) = step.metadata.get("on_complete") else { return Ok(Vec::new()) };
    let mut failures: Vec<Value> = Vec::new();
    let mut roots: Vec<BeadId> = Vec::new();
    match plan(w, step, spec)? {
        Err(why) => failures.push(json!({ "error": why })),
        Ok((how, proto, items)) => {
            let mut before: Option<BeadId> = None;
            for (index, item) in items.iter().enumerate() {
                let vars = match filled(&how, item, index) {
                    Ok(vars) => vars,
                    Err(why) => {
                        failures.push(json!({ "index": index, "error": why }));
                        continue;
                    }
                };
                let opts = PourOpts {
                    parent: Some(step.id.clone()),
                    prefix: Prefix::new(step.id.prefix()).ok(),
                    ephemeral: step.ephemeral,
                    // One item after the other, also for a worker who could begin all of them.
                    first: (index + 1) * proto.steps.len(),
                    ..PourOpts::default()
                };
                match pour(w, &proto, &vars, &opts) {
                    Ok(poured) => {
                        if let Some(before) = before.filter(|_| how.sequential) {
                            w.add_dep(&poured.root, NewDep::new(DepKind::BLOCKS, before))?;
                        }
                        before = Some(poured.root.clone());
                        roots.push(poured.root);
                    }
                    Err(
                        error @ (MoleculeError::MissingVars(_)
                        | MoleculeError::Value { .. }
                        | MoleculeError::Fixed { .. }
                        | MoleculeError::TooMuchText { .. }
                        | MoleculeError::NoSteps { .. }),
                    ) => failures.push(json!({ "index": index, "error": error.to_string() })),
                    Err(other) => return Err(other),
                }
            }
        }
    }
    if !failures.is_empty() {
        w.update(&step.id, Patch::default().with_meta("on_complete_failures", failures))?;
    }
    if !roots.is_empty() {
        w.emit("fanned_out", step.id.as_str(), json!({ "molecules": roots }))?;
    }
    Ok(roots)
}

type Planned = (OnComplete, Proto, Vec<Value>);

/// What is to be poured, or why nothing can be.
fn plan(w: &mut Write<'_>, step: &Bead, spec: &Value) -> Result<Result<Planned, String>, MoleculeError> {
    let how: OnComplete = match serde_json::from_value(spec.clone()) {
        Ok(how) => how,
        Err(e) => return Ok(Err(format!("on_complete is not understood: {e}"))),
    };
    let Some(items) = list(step, &how.for_each) else {
        return Ok(Err(format!("`{}` is no list in the metadata of {}", how.for_each, step.id)));
    };
    if items.len() > MOST {
        return Ok(Err(format!("`{}` has {} items, more than {MOST}", how.for_each, items.len())));
    }
    let Some(id) = spec.get("proto").and_then(Value::as_str) else {
        return Ok(Err(format!("formula `{}` could not be cooked when the molecule was", how.bond)));
    };
    Ok(match bonded(w, step, id)? {
        Some(proto) => Ok((how, proto, items.clone())),
        None => Err(format!(
            "formula `{0}` was cooked as {id}, which is not in this copy of the tracker; `bd cook {0}` makes it again, \
             then reopen {1} and close it",
            how.bond, step.id
        )),
    })
}

/// The protomolecule `id`: as it is kept here, else as the molecule of the step carries it.
fn bonded(w: &mut Write<'_>, step: &Bead, id: &str) -> Result<Option<Proto>, MoleculeError> {
    if let Some(proto) = thaw(w, id)? {
        return Ok(Some(proto));
    }
    for root in super::roots_of(w, &step.id)? {
        let root = w.need(&root)?;
        if let Some(text) = root.metadata.get(BONDS).and_then(|bonds| bonds.get(id)?.as_str()) {
            let proto = carried_as(text, id);
            proto.iter().try_for_each(|proto| freeze(w, proto).map(drop))?;
            return Ok(proto);
        }
    }
    Ok(None)
}

/// The list at `output.a.b`, in the step's metadata.
fn list<'b>(step: &'b Bead, path: &str) -> Option<&'b Vec<Value>> {
    let mut keys = path.split('.');
    let first = step.metadata.get(keys.next()?)?;
    keys.try_fold(first, |value, key| value.get(key))?.as_array()
}

/// The variables of the formula that is bonded, with `{item}`, `{item.field}` and `{index}` filled; or what the item lacks.
fn filled(how: &OnComplete, item: &Value, index: usize) -> Result<Vars, String> {
    let lacks = Cell::new(None);
    let value = |name: &str| {
        let found = match name {
            "index" => return Some(index.to_string()),
            "item" => Some(item),
            _ => {
                let field = name.strip_prefix("item.")?;
                let found = field.split('.').try_fold(item, |value, key| value.get(key));
                if found.is_none() {
                    lacks.set(Some(field.to_owned()));
                }
                found
            }
        };
        found.map(|found| found.as_str().map_or_else(|| found.to_string(), str::to_owned))
    };
    let one =
        |(name, text): (&String, &String)| (name.clone(), fill_single(text, value).unwrap_or_else(|| text.clone()));
    let vars = how.vars.iter().map(one).collect();
    lacks.take().map_or(Ok(vars), |field| Err(format!("the item has no `{field}`")))
}

/// What the fan-out of a closed step could not pour, a line each.
pub fn fan_out_failures(step: &Bead) -> Vec<String> {
    let all = step.metadata.get("on_complete_failures").and_then(Value::as_array);
    let line = |failure: &Value| {
        let error = failure.get("error").and_then(Value::as_str).unwrap_or_default();
        match failure.get("index").and_then(Value::as_u64) {
            Some(index) => format!("item {index}: {error}"),
            None => error.to_owned(),
        }
    };
    all.into_iter().flatten().map(line).collect()
}
