//! `extends`: parents from left to right, then the child. A step replaces the one of the same id, in its place;
//! nothing that a parent says is dropped.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::def::{Compose, Formula, PatrolDef, Pointcut, Rule, StepDef, walk};
use super::super::syntax::{Node, Value};
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
    convoy(&mut first.convoy, next.convoy, false);
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
    convoy(&mut base.convoy, c.convoy, true);
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

/// Joins the keys of convoys: tables entry by entry, where the later one's counts if it `wins`; a leg takes the place of
/// the one with its id, as steps do.
fn convoy(base: &mut Vec<(Text, Node)>, more: Vec<(Text, Node)>, wins: bool) {
    for (key, node) in more {
        let Some((_, old)) = base.iter_mut().find(|(name, _)| *name == key) else {
            base.push((key, node));
            continue;
        };
        match (&mut old.value, node.value) {
            (Value::Table(there), Value::Table(entries)) => {
                for (name, entry) in entries {
                    match there.iter_mut().find(|(known, _)| *known == name) {
                        Some(known) if wins => *known = (name, entry),
                        Some(_) => {}
                        None => there.push((name, entry)),
                    }
                }
            }
            (Value::List(there), Value::List(legs)) => {
                let id = |leg: &Node| leg.get("id").map(Node::json);
                for leg in legs {
                    match there.iter_mut().find(|known| id(known).is_some() && id(known) == id(&leg)) {
                        Some(known) => *known = leg,
                        None => there.push(leg),
                    }
                }
            }
            (_, value) if wins => *old = Node { value, at: node.at },
            _ => {}
        }
    }
}

/// Puts each step in the place of the one with its id, wherever that is nested; new ones go to the end. A group that is
/// replaced keeps those of its children that the new one does not have.
fn replace(base: &mut Vec<StepDef>, steps: Vec<StepDef>) {
    let mut known = HashSet::new();
    walk(base, &mut |s| {
        known.insert(Arc::clone(&s.id.value));
    });
    for step in steps {
        put(base, step, None, &mut known);
    }
}

/// Puts one step, which the file that it is from has below the step `under`; of `known` ids, those that were not replaced
/// yet.
fn put(base: &mut Vec<StepDef>, mut step: StepDef, under: Option<&Text>, known: &mut HashSet<Arc<str>>) {
    let id = step.id.clone();
    let children = std::mem::take(&mut step.children);
    // A file that names an id twice is wrong, and `check` says so: the second one is kept.
    let replaces = known.remove(&id.value);
    let stays = |group: &Text| find(base, group).is_some_and(|group| holds(&group.children, &id));
    if replaces && under.is_none_or(stays) {
        if let Some(old) = find(base, &id) {
            step.children = std::mem::take(&mut old.children);
            *old = step;
        }
    } else {
        // It stands elsewhere now, with what is below it; unless that is the very group.
        let around = |old: &StepDef| under.is_some_and(|group| holds(&old.children, group));
        if replaces
            && find(base, &id).is_some_and(|old| !around(old))
            && let Some(old) = take(base, &id)
        {
            step.children = old.children;
        }
        if let Some(group) = under.and_then(|group| find(base, group)) {
            group.children.push(step);
        } else {
            base.push(step);
        }
    }
    for child in children {
        put(base, child, Some(&id), known);
    }
}

fn holds(steps: &[StepDef], id: &Text) -> bool {
    steps.iter().any(|step| step.id == *id || holds(&step.children, id))
}

fn find<'s>(steps: &'s mut [StepDef], id: &Text) -> Option<&'s mut StepDef> {
    steps.iter_mut().find_map(|step| if step.id == *id { Some(step) } else { find(&mut step.children, id) })
}

fn take(steps: &mut Vec<StepDef>, id: &Text) -> Option<StepDef> {
    match steps.iter().position(|step| step.id == *id) {
        Some(at) => Some(steps.remove(at)),
        None => steps.iter_mut().find_map(|step| take(&mut step.children, id)),
    }
}
