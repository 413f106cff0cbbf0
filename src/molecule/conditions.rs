//! Which steps of a proto are poured, given the values of its variables.

use std::collections::{HashMap, HashSet};

use crate::formula::condition::Static;
use crate::formula::{Proto, Step, Vars};

/// The steps that remain, and the ids of those that do not.
///
/// A step goes when one of its conditions fails or its parent goes. Whoever needed it then needs what it needed, so
/// that the order of the others stays.
pub(super) fn filter(proto: &Proto, vars: &Vars) -> (Vec<Step>, Vec<String>) {
    let mut gone: HashSet<&str> = HashSet::new();
    for step in &proto.steps {
        let fails = step.condition.iter().any(|c| Static::parse(c).is_ok_and(|c| !c.holds(vars)));
        if fails || step.parent.as_deref().is_some_and(|p| gone.contains(p)) {
            gone.insert(&step.id);
        }
    }
    if gone.is_empty() {
        return (proto.steps.clone(), Vec::new());
    }
    let needs: HashMap<&str, &[String]> =
        proto.steps.iter().filter(|s| gone.contains(s.id.as_str())).map(|s| (s.id.as_str(), &s.needs[..])).collect();
    let kept = proto
        .steps
        .iter()
        .filter(|s| !gone.contains(s.id.as_str()))
        .map(|step| {
            let mut step = step.clone();
            if step.needs.iter().any(|n| gone.contains(n.as_str())) {
                step.needs = bridged(&step.needs, &needs);
            }
            if let Some(waits) = &mut step.waits_for
                && waits.of.as_deref().is_some_and(|of| gone.contains(of))
            {
                step.waits_for = None;
            }
            step
        })
        .collect();
    let gone = proto.steps.iter().filter(|s| gone.contains(s.id.as_str())).map(|s| s.id.clone()).collect();
    (kept, gone)
}

/// `needs` with each step that went replaced by what it needed.
fn bridged(needs: &[String], gone: &HashMap<&str, &[String]>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    let mut todo: Vec<&str> = needs.iter().rev().map(String::as_str).collect();
    while let Some(id) = todo.pop() {
        if !seen.insert(id) {
            continue;
        }
        match gone.get(id) {
            Some(more) => todo.extend(more.iter().rev().map(String::as_str)),
            None => out.push(id.to_owned()),
        }
    }
    out
}
