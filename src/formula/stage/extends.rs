//! `extends`: parents from left to right, then the child. A step replaces the one of the same id, in its place;
//! nothing that a parent says is dropped.

use std::sync::Arc;

use super::super::def::{Compose, Formula, PatrolDef, Pointcut, Rule, StepDef, walk};
use super::super::{Diagnostic, Text};
use super::Cx;

/// The formula with everything that its parents give. `None` if a parent is missing: what followed from it would
/// only be noise.
pub(in super::super) fn resolve(cx: &mut Cx<'_>, formula: &Formula) -> Option<Formula> {
    resolve_in(cx, formula, &mut vec![formula.name.as_str().to_owned()])
}

fn resolve_in(cx: &mut Cx<'_>, formula: &Formula, chain: &mut Vec<String>) -> Option<Formula> {
    let mut merged: Option<Formula> = None;
    let mut whole = true;
    for parent in &formula.extends {
        if chain.iter().any(|c| c == parent.as_str()) {
            let path = format!("{} -> {parent}", chain.join(" -> "));
            cx.report.push(
                Diagnostic::error("circular-extends", format!("circular extends: {path}"))
                    .at(&parent.at, "comes back to where it started"),
            );
            whole = false;
            continue;
        }
        if !cx.deep(chain.len(), &parent.at) {
            return None;
        }
        match (extended(cx, parent, chain), &mut merged) {
            (None, _) => whole = false,
            (Some(next), None) => merged = Some(Formula::clone(&next)),
            (Some(next), Some(first)) => parents(first, Formula::clone(&next)),
        }
    }
    if !whole {
        return None;
    }
    Some(match merged {
        Some(base) => child(base, formula),
        None => formula.clone(),
    })
}

/// A parent with all that it extends. Many may have the same one: it is put together once.
fn extended(cx: &mut Cx<'_>, parent: &Text, chain: &mut Vec<String>) -> Option<Arc<Formula>> {
    if let Some(known) = cx.extended.get(parent.as_str()) {
        return known.clone();
    }
    let loaded = cx.load(parent.as_str(), Some(&parent.at))?;
    chain.push(parent.as_str().to_owned());
    let resolved = resolve_in(cx, &loaded, chain).map(Arc::new);
    chain.pop();
    cx.extended.insert(parent.as_str().to_owned(), resolved.clone());
    resolved
}

/// Adds a further parent: of variables the first parent's win, of steps the last one's.
fn parents(first: &mut Formula, next: Formula) {
    for (name, var) in next.vars {
        first.vars.entry(name).or_insert(var);
    }
    shared(first, next.steps, next.template, next.compose, next.advice, next.pointcuts);
    first.phase = first.phase.take().or(next.phase);
    first.pour = first.pour.or(next.pour);
    first.squash = first.squash.take().or(next.squash);
    first.patrol = patrol(first.patrol.take(), next.patrol);
    for (key, value) in next.convoy {
        first.convoy.entry(key).or_insert(value);
    }
}

fn child(mut base: Formula, child: &Formula) -> Formula {
    let c = child.clone();
    base.vars.extend(c.vars);
    shared(&mut base, c.steps, c.template, c.compose, c.advice, c.pointcuts);
    base.name = c.name;
    base.description = c.description.or(base.description);
    base.version = c.version;
    base.kind = if c.kind_given { c.kind } else { base.kind };
    base.extends = Vec::new();
    base.phase = c.phase.or(base.phase);
    base.pour = c.pour.or(base.pour);
    base.squash = c.squash.or(base.squash);
    base.patrol = patrol(c.patrol, base.patrol);
    for (key, value) in c.convoy {
        base.convoy.insert(key, value);
    }
    base.source = c.source;
    base
}

/// Key by key: what the first does not say is as the second has it.
fn patrol(first: Option<PatrolDef>, second: Option<PatrolDef>) -> Option<PatrolDef> {
    match (first, second) {
        (Some(a), Some(b)) => Some(PatrolDef {
            role: a.role.or(b.role),
            every: a.every.or(b.every),
            on: a.on.or(b.on),
            digest: a.digest.or(b.digest),
            at: a.at,
        }),
        (a, b) => a.or(b),
    }
}

fn shared(
    base: &mut Formula,
    steps: Vec<StepDef>,
    template: Vec<StepDef>,
    compose: Compose,
    advice: Vec<Rule>,
    pointcuts: Vec<Pointcut>,
) {
    replace(&mut base.steps, steps);
    replace(&mut base.template, template);
    for point in compose.bond_points {
        match base.compose.bond_points.iter_mut().find(|p| p.id == point.id) {
            Some(old) => *old = point,
            None => base.compose.bond_points.push(point),
        }
    }
    for hook in compose.hooks {
        if !base.compose.hooks.contains(&hook) {
            base.compose.hooks.push(hook);
        }
    }
    join(&mut base.compose.expand, compose.expand, |rule| Some(&rule.target));
    join(&mut base.compose.map, compose.map, |rule| Some(&rule.target));
    join(&mut base.compose.branch, compose.branch, |branch| Some(&branch.from));
    join(&mut base.compose.gate, compose.gate, |rule| Some(&rule.before));
    for aspect in compose.aspects {
        if !base.compose.aspects.contains(&aspect) {
            base.compose.aspects.push(aspect);
        }
    }
    join(&mut base.advice, advice, Rule::first);
    join(&mut base.pointcuts, pointcuts, |cut| cut.glob.as_ref().or(cut.kind.as_ref()).or(cut.label.as_ref()));
}

/// Adds what is not there: by where it is written, for what two parents have from one is one thing.
fn join<T>(base: &mut Vec<T>, more: Vec<T>, text: impl Fn(&T) -> Option<&Text>) {
    for one in more {
        let there = text(&one).is_some_and(|new| base.iter().any(|old| text(old).is_some_and(|old| old.at == new.at)));
        if !there {
            base.push(one);
        }
    }
}

/// Puts each step in the place of the one with its id, wherever that is nested; new ones go to the end.
fn replace(base: &mut Vec<StepDef>, steps: Vec<StepDef>) {
    let mut known = std::collections::HashSet::new();
    walk(base, &mut |s| {
        known.insert(Arc::clone(&s.id.value));
    });
    for step in steps {
        if known.contains(&step.id.value) {
            // A file that names an id twice is wrong, and `check` says so: the second one is kept.
            known.remove(&step.id.value);
            let mut step = Some(step);
            put(base, &mut step);
        } else {
            base.push(step);
        }
    }
}

fn put(base: &mut [StepDef], step: &mut Option<StepDef>) {
    for old in base {
        let Some(id) = step.as_ref().map(|s: &StepDef| -> &Text { &s.id }) else { return };
        if old.id == *id {
            if let Some(new) = step.take() {
                *old = new;
            }
            return;
        }
        put(&mut old.children, step);
    }
}
