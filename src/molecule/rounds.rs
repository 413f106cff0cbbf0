//! Loops with `until`: when the last step of a round is closed, the condition decides whether there is another one.
//!
//! The steps of a round have metadata `round_of`; its first step says under `loop` how long it goes on. The next round
//! is made in the transaction that closes the last one, and whoever waited for the old round waits for the new one too:
//! nobody sees a moment in which the loop seems over.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::beads::{fits, gate_title, nanos};
use super::now::Now;
use super::{MoleculeError, Outside, view};
use crate::base::BeadId;
use crate::formula::condition::Runtime;
use crate::formula::{GATE_ID, GATE_TIMEOUT, RoundTexts, Until, fill, fill_json, fill_single, with_texts};
use crate::store::{Bead, DepKind, Filter, NewBead, NewDep, Patch, Sort, StoreError, Write};

/// Begins the next round if `step` was the last of one and the condition does not hold. Gives the new beads.
pub(super) fn next(w: &mut Write<'_>, step: &Bead, outside: Option<Outside<'_>>) -> Result<Vec<BeadId>, MoleculeError> {
    let Some(scope) = step.meta_str("round_of").map(str::to_owned) else { return Ok(Vec::new()) };
    let Some(root) = super::root_of(w, &step.id)?.map(|root| root.id) else { return Ok(Vec::new()) };
    let mut round = of_round(w, &root, &scope)?;
    round.sort_by_key(view::order);
    let Some((head, until)) = round.iter().find_map(|b| {
        let until: Until = serde_json::from_value(b.metadata.get("loop")?.clone()).ok()?;
        Some((b.id.clone(), until))
    }) else {
        return Ok(Vec::new());
    };
    let Some((name, number)) = numbered(&scope) else { return Ok(Vec::new()) };
    let end = until.end.as_ref().map(|end| with_names(end, &format!("{name}.iter1"), &scope));
    let end = end.and_then(|end| round.iter().find(|b| super::step_name(b) == Some(&end)));
    // A gate that is still open holds nobody any more.
    if round.iter().any(|b| super::is_step(b) && !b.is_over()) {
        // Where its condition left the end out, who would need that needs what it needed.
        if end.is_none_or(|end| end.id == step.id) {
            hold_on(w, &round, step)?;
        }
        return Ok(Vec::new());
    }
    if !of_round(w, &root, &format!("{name}.iter{}", number + 1))?.is_empty() {
        // A step of it was opened and closed again.
        return Ok(Vec::new());
    }
    let until = Until { until: in_round(&until.until, until.var.as_deref().unwrap_or_default(), number), ..until };
    let condition = Runtime::parse(&until.until).ok();
    // A molecule may be large: all of it is read only for a condition on a step outside of the round.
    let inside = |name: &&str| {
        let is = |n: &str| n == *name || n.strip_prefix(&scope).and_then(|rest| rest.strip_prefix('.')) == Some(*name);
        round.iter().any(|b| super::step_name(b).is_some_and(is))
    };
    let steps = match condition.as_ref().map(|condition| condition.steps().iter().all(inside)) {
        Some(false) => view::own_steps(w, &root)?,
        _ => round.iter().filter(|b| super::is_step(b)).cloned().collect(),
    };
    let state = Now { r: w, steps: &steps, step: Some(step), scope: Some(&scope), outside };
    let held = condition.is_some_and(|condition| state.holds(&condition));
    if held || number >= until.max {
        let how = if held { "held" } else { "did not hold in the last round" };
        w.update(&head, Patch::default().with_meta("loop_ended", format!("round {number}: {} {how}", until.until)))?;
        return Ok(Vec::new());
    }
    copy(w, &round, &scope, Next { name, number: number + 1, max: until.max, end })
}

/// The beads of one round in the molecule `root`; not those of molecules that hang in it, which may have the same formula.
fn of_round(w: &Write<'_>, root: &BeadId, scope: &str) -> Result<Vec<Bead>, MoleculeError> {
    let meta = vec![("round_of".to_owned(), scope.to_owned())];
    let found = w.find(&Filter { under: Some(root.clone()), meta, sort: Sort::Id, ..Filter::default() })?;
    let mut own: HashMap<BeadId, bool> = HashMap::new();
    let mut round = Vec::with_capacity(found.len());
    for bead in found {
        let Some(parent) = w.parents(&bead.id)?.into_iter().next() else { continue };
        let is_own = match own.get(&parent) {
            Some(is_own) => *is_own,
            None => super::root_of(w, &parent)?.is_some_and(|nearest| nearest.id == *root),
        };
        own.insert(parent, is_own);
        round.extend(is_own.then_some(bead));
    }
    Ok(round)
}

/// Lets those who wait for the end of the round wait for what is still open of it: only then is it known whether there is
/// another one.
fn hold_on(w: &mut Write<'_>, round: &[Bead], end: &Bead) -> Result<(), MoleculeError> {
    let open: Vec<&Bead> = round.iter().filter(|b| super::is_step(b) && !b.is_over()).collect();
    // The last of them close after the others.
    let mut needed: HashSet<BeadId> = HashSet::new();
    for bead in &open {
        needed.extend(w.deps(&bead.id)?.into_iter().map(|dep| dep.depends_on_id));
    }
    for dependent in w.dependents(&end.id)? {
        let waits = [DepKind::BLOCKS, DepKind::WAITS_FOR].contains(&dependent.kind);
        if waits && round.iter().all(|b| b.id != dependent.issue_id) {
            for last in open.iter().filter(|b| !needed.contains(&b.id)) {
                wait(w, &dependent.issue_id, NewDep::new(DepKind::BLOCKS, last.id.clone()))?;
            }
        }
    }
    Ok(())
}

/// Draws an edge, unless what it leads to waits for `bead`.
fn wait(w: &mut Write<'_>, bead: &BeadId, edge: NewDep) -> Result<(), MoleculeError> {
    match w.add_dep(bead, edge) {
        Ok(_) | Err(StoreError::Cycle { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// `text` with the number of the round.
fn in_round(text: &str, var: &str, number: u32) -> String {
    fill_single(text, |name| (name == var && !var.is_empty()).then(|| number.to_string()))
        .unwrap_or_else(|| text.to_owned())
}

/// The round that is to come.
struct Next<'r> {
    /// The loop, and the number of the round.
    name: &'r str,
    number: u32,
    /// How many there may be.
    max: u32,
    /// The end of the round before.
    end: Option<&'r Bead>,
}

/// `L.iter3` as `L` and 3.
pub(super) fn numbered(scope: &str) -> Option<(&str, u32)> {
    let (name, number) = scope.rsplit_once(".iter")?;
    let number = number.parse().ok().filter(|number| (1..u32::MAX).contains(number))?;
    Some((name, number))
}

/// `text` with the names of steps in the round `scope`, as in `review.iter1.STEP`, as those in `next`.
fn with_names(text: &str, scope: &str, next: &str) -> String {
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for (at, _) in text.match_indices(&format!("{scope}.")) {
        let before = text[..at].strip_suffix("gate-").unwrap_or(&text[..at]);
        // The end of another name.
        let within = before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if !within && at >= from {
            out.push_str(&text[from..at]);
            out.push_str(next);
            from = at + scope.len();
        }
    }
    out.push_str(&text[from..]);
    out
}

/// Makes the beads of `round` again, open, under the names of the next one.
fn copy(
    w: &mut Write<'_>,
    round: &[Bead],
    scope: &str,
    Next { name, number, max, end }: Next<'_>,
) -> Result<Vec<BeadId>, MoleculeError> {
    let (first, next) = (format!("{name}.iter1"), format!("{name}.iter{number}"));
    let next = next.as_str();
    // All rounds stand behind the first one and before what comes after that, one behind the other.
    let last = round.iter().filter_map(|b| b.metadata.get("order")?.as_f64()).fold(0.0, f64::max).floor();
    let order = |at: usize| {
        let (at, size) = (at as f64, round.len() as f64);
        last + (f64::from(number - 2) * size + at + 1.0) / (f64::from(max) * size + 1.0)
    };
    let renamed = |text: &str| with_names(text, scope, next);
    let mut again: HashMap<BeadId, BeadId> = HashMap::new();
    for (at, bead) in round.iter().enumerate() {
        let parent = w.parents(&bead.id)?.into_iter().next().map(|p| again.get(&p).cloned().unwrap_or(p));
        let mut metadata = bead.metadata.clone();
        for key in ["output", "outcome", "on_complete_failures", "loop_ended"] {
            metadata.remove(key);
        }
        for key in ["step", "gate_of"] {
            if let Some(name) = metadata.get(key).and_then(Value::as_str).map(renamed) {
                metadata.insert(key.into(), name.into());
            }
        }
        metadata.insert("round_of".into(), next.into());
        if metadata.contains_key("order") {
            metadata.insert("order".into(), order(at).into());
        }
        let mut other = crate::store::Map::new();
        for (key, value) in [
            ("source_formula", json!(bead.source_formula)),
            ("source_location", json!(bead.source_location)),
            ("await_type", json!(bead.await_type)),
            ("await_id", json!(bead.await_id)),
            ("timeout", json!(bead.timeout)),
        ] {
            if value != json!("") && value != json!(0) {
                other.insert(key.into(), value);
            }
        }
        let texts =
            bead.metadata.get("round").and_then(|texts| serde_json::from_value::<RoundTexts>(texts.clone()).ok());
        let texts = texts.unwrap_or_default();
        let var = |name: &str| (name == texts.var && !name.is_empty()).then(|| number.to_string());
        let with_vars = |text: &str| fill(text, &texts.vars);
        for (key, value) in &texts.metadata {
            let mut value = fill_json(value, &var).unwrap_or_else(|| value.clone());
            // Free metadata is poured as it is.
            if ["on_complete", "only_if"].contains(&key.as_str()) {
                value = with_texts(&value, &|text| Some(with_vars(text))).unwrap_or(value);
            }
            metadata.insert(key.clone(), value);
        }
        // The formula has the names of the first round.
        let filled = |text: &String, of: u32, scope: &str| {
            with_vars(&with_names(&in_round(text, &texts.var, of), &first, scope))
        };
        let anew = |key: &str| texts.texts.get(key).map(|text| filled(text, number, next));
        let waits_for = anew(GATE_ID);
        if let Some(id) = &waits_for {
            other.insert("await_id".into(), id.as_str().into());
        }
        if let Some(wait) = anew(GATE_TIMEOUT).and_then(|timeout| nanos(&timeout)) {
            other.insert("timeout".into(), wait.into());
        }
        // Of this round's labels, those that name it.
        let label = |label: &String| {
            let named = texts.labels.iter().find(|text| filled(text, number - 1, scope) == *label);
            named.map_or_else(|| renamed(label), |text| filled(text, number, next))
        };
        let new = NewBead {
            // A step without a title is called by its name, and what is woven around it may be called after that.
            title: match (anew("title"), &waits_for) {
                (Some(title), _) => fits(&title),
                (None, Some(id)) => gate_title(&bead.await_type, id),
                (None, None) => fits(&renamed(&bead.title)),
            },
            description: anew("description").unwrap_or_else(|| renamed(&bead.description)),
            acceptance_criteria: anew("acceptance").unwrap_or_else(|| renamed(&bead.acceptance_criteria)),
            // What was noted in this round stays with it, and whoever took it up need not take up the next.
            notes: anew("notes").unwrap_or_default(),
            assignee: anew("assignee").unwrap_or_default(),
            priority: Some(bead.priority),
            issue_type: Some(bead.issue_type.clone()),
            labels: bead.labels.iter().map(label).collect(),
            ephemeral: bead.ephemeral,
            parent,
            metadata,
            other,
            ..NewBead::default()
        };
        let made = w.create(new)?.id;
        again.insert(bead.id.clone(), made);
    }
    for bead in round {
        let Some(made) = again.get(&bead.id).cloned() else { continue };
        for dep in w.deps(&bead.id)? {
            if let Some(target) = again.get(&dep.depends_on_id).filter(|_| dep.kind != DepKind::PARENT_CHILD) {
                let edge = NewDep { depends_on_id: target.clone(), kind: dep.kind, metadata: dep.metadata };
                w.add_dep(&made, edge)?;
            }
        }
        for dependent in w.dependents(&bead.id)? {
            let case = dependent.kind == DepKind::CONDITIONAL_BLOCKS;
            let waits = case || [DepKind::BLOCKS, DepKind::WAITS_FOR].contains(&dependent.kind);
            if !waits || again.contains_key(&dependent.issue_id) {
                continue;
            }
            // How the last round ends decides.
            if case {
                w.remove_dep(&dependent.issue_id, &bead.id, Some(&dependent.kind))?;
            }
            let edge = NewDep { depends_on_id: made.clone(), kind: dependent.kind, metadata: dependent.metadata };
            wait(w, &dependent.issue_id, edge)?;
        }
    }
    // What begins it comes after the end of the one before, as in a loop that is counted.
    let steps: HashSet<&BeadId> = round.iter().filter(|b| super::is_step(b)).map(|b| &b.id).collect();
    for bead in round.iter().filter(|b| super::is_step(b)) {
        let (Some(end), Some(made)) = (end, again.get(&bead.id)) else { continue };
        if w.deps(&bead.id)?.iter().all(|dep| !steps.contains(&dep.depends_on_id)) {
            wait(w, made, NewDep::new(DepKind::BLOCKS, end.id.clone()))?;
        }
    }
    w.emit("round_begun", next, json!({ "steps": again.len() }))?;
    Ok(round.iter().filter_map(|b| again.get(&b.id).cloned()).collect())
}
