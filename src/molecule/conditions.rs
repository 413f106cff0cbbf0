//! Which steps of a proto are poured, given the values of its variables.

use std::collections::{HashMap, HashSet};

use crate::formula::condition::{Runtime, Static};
use crate::formula::{Proto, Step, Vars};

/// A step that is poured: as the proto has it, or with other needs.
pub(super) enum Kept<'p> {
    Same(&'p Step),
    Changed(Box<Step>),
}

impl std::ops::Deref for Kept<'_> {
    type Target = Step;

    fn deref(&self) -> &Step {
        match self {
            Self::Same(step) => step,
            Self::Changed(step) => step,
        }
    }
}

/// The steps that remain, and the ids of those that do not.
///
/// A step goes when one of its conditions fails or its parent goes. Whoever needed it then needs what it needed, so
/// that the order of the others stays.
pub(super) fn filter<'p>(proto: &'p Proto, vars: &Vars) -> (Vec<Kept<'p>>, Vec<String>) {
    let mut gone: HashSet<&str> = HashSet::new();
    for step in &proto.steps {
        let fails = step.condition.iter().any(|c| Static::parse(c).is_ok_and(|c| !c.holds(vars)));
        if fails || step.parent.as_deref().is_some_and(|p| gone.contains(p)) {
            gone.insert(&step.id);
        }
    }
    if gone.is_empty() {
        return (proto.steps.iter().map(Kept::Same).collect(), Vec::new());
    }
    let by_id: HashMap<&str, &Step> = proto.steps.iter().map(|s| (s.id.as_str(), s)).collect();
    let kept = proto
        .steps
        .iter()
        .filter(|s| !gone.contains(s.id.as_str()))
        .map(|step| {
            let without = |of: &String| gone.contains(of.as_str());
            let waits = step.waits_for.as_ref().and_then(|w| w.of.as_ref());
            let held = |condition: &String| {
                !Runtime::parse(condition).is_ok_and(|c| c.steps().into_iter().any(|name| gone.contains(name)))
            };
            if !step.needs.iter().any(without) && !waits.is_some_and(without) && step.held.iter().all(held) {
                return Kept::Same(step);
            }
            let mut step = step.clone();
            // A gate rule that asks for a step that does not come would hold for ever.
            step.held.retain(held);
            if step.needs.iter().any(|n| gone.contains(n.as_str())) {
                step.needs = bridged(&step, &gone, &by_id);
            }
            if let Some(waits) = &mut step.waits_for
                && waits.of.as_deref().is_some_and(|of| gone.contains(of))
            {
                step.waits_for = None;
            }
            Kept::Changed(Box::new(step))
        })
        .collect();
    let gone = proto.steps.iter().filter(|s| gone.contains(s.id.as_str())).map(|s| s.id.clone()).collect();
    (kept, gone)
}

/// The needs of `step` with each step that went replaced by what it needed, and by what the groups needed that it was in:
/// they held it, too.
fn bridged(step: &Step, gone: &HashSet<&str>, by_id: &HashMap<&str, &Step>) -> Vec<String> {
    let around = groups(step, by_id);
    let mut out: Vec<String> = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    let mut todo: Vec<&str> = step.needs.iter().rev().map(String::as_str).collect();
    while let Some(id) = todo.pop() {
        if !seen.insert(id) {
            continue;
        }
        match by_id.get(id).filter(|_| gone.contains(id)) {
            Some(left_out) => {
                let held = groups(left_out, by_id).into_iter().filter(|group| !around.contains(group));
                let held = held.filter_map(|group| by_id.get(group)).flat_map(|group| &group.needs);
                let more: Vec<&String> = left_out.needs.iter().chain(held).collect();
                todo.extend(more.into_iter().rev().map(String::as_str));
            }
            None => out.push(id.to_owned()),
        }
    }
    out
}

/// The groups that a step is in, from the inside.
fn groups<'s>(step: &'s Step, by_id: &HashMap<&str, &'s Step>) -> Vec<&'s str> {
    std::iter::successors(step.parent.as_deref(), |id| by_id.get(id)?.parent.as_deref()).collect()
}
