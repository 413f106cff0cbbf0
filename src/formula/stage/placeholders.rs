//! `{{name}}` in the texts of a formula: which names they ask for, which have no value, and which look like a slip.

use std::collections::HashSet;

use super::super::def::{Formula, StepDef, walk};
use super::super::vars::{filled_len, names_in};
use super::super::{At, Diagnostic, Mode, Text, Vars};
use super::Cx;
use crate::base::text::slip_of;

/// Calls `found` with each text of a step that placeholders are filled in; the flag says that it is a condition.
fn texts<'s>(step: &'s StepDef, found: &mut dyn FnMut(&'s Text, bool)) {
    let gate = step.gate.as_ref().and_then(|g| g.id.as_ref());
    let until = step.until.as_ref().map(|until| &until.condition);
    let held = step.held.iter().flat_map(|held| held.iter());
    let globs = step.touches.iter().flat_map(|globs| globs.iter());
    let given = step.on_complete.iter().flat_map(|on| on.vars.values());
    let timeout = step.gate.as_ref().and_then(|g| g.timeout.as_ref());
    let boxed = [&step.notes, &step.acceptance, &step.assignee].map(|text| text.as_deref());
    [step.title.as_ref(), step.description.as_ref(), gate, timeout, until]
        .into_iter()
        .chain(boxed)
        .flatten()
        .chain(held.chain(globs).chain(given).chain(&step.labels))
        .for_each(|text| found(text, false));
    step.condition.iter().for_each(|text| found(text, true));
}

/// As [`texts`], of the whole formula.
fn all_texts<'s>(steps: &'s [StepDef], formula: &'s Formula, found: &mut dyn FnMut(&'s Text, bool)) {
    formula.description.iter().for_each(|text| found(text, false));
    walk(steps, &mut |step| texts(step, found));
}

/// The variables of the final texts, each with the text that asks for it first, in order; those that only conditions ask
/// for are left out without `conditions`.
pub(in super::super) fn used<'s>(
    steps: &'s [StepDef],
    formula: &'s Formula,
    conditions: bool,
) -> Vec<(&'s str, &'s Text)> {
    let mut used: Vec<(&str, &Text)> = Vec::new();
    let mut seen = HashSet::new();
    all_texts(steps, formula, &mut |text, condition| {
        if !condition || conditions {
            used.extend(names_in(text.as_str()).filter(|name| seen.insert(*name)).map(|name| (name, text)));
        }
    });
    used
}

/// Reports each variable that must have a value in this mode and has none.
pub(in super::super) fn missing(cx: &mut Cx<'_>, formula: &Formula, steps: &[StepDef], given: &Vars, mode: Mode) {
    let pour = mode == Mode::Pour;
    let used = used(steps, formula, !pour);
    let mut missing: Vec<(&str, Option<&Text>)> = used
        .iter()
        .filter(|(name, _)| !cx.vars.contains_key(*name) && (!pour || formula.vars.contains_key(*name)))
        .map(|(name, text)| (*name, Some(*text)))
        .collect();
    // To pour, what is required must be given, also where no text asks for it.
    let unasked = formula.vars.iter().filter(|(name, def)| {
        pour && def.var.required && !cx.vars.contains_key(*name) && !used.iter().any(|(other, _)| other == name)
    });
    missing.extend(unasked.map(|(name, _)| (name.as_str(), None)));
    for (name, text) in missing {
        let declared = formula.vars.get(name);
        let error = Diagnostic::error("missing-var", format!("variable `{name}` has no value"));
        let used = text.map(|text| (place(text, name), "used here"));
        let declared_at = declared.map(|def| (def.at.clone(), "declared without a default"));
        let mut places = used.into_iter().chain(declared_at);
        let error = match places.next() {
            Some((at, label)) => error.at(&at, label),
            None => error,
        };
        let error = places.fold(error, |error, (at, label)| error.also(&at, label));
        // A value that was given under a name that nothing has was meant for this one.
        let unused = |other: &&String| !formula.vars.contains_key(*other) && !used_by(steps, formula, other);
        let strays = given.keys().filter(unused).map(String::as_str);
        let error = match slip_of(name, strays) {
            Some(stray) => error.help(format!("give it: --var {name}=…; nothing is called `{stray}`")),
            None => error.help(format!("give it: --var {name}=…")),
        };
        let meant = slip_of(name, formula.vars.keys().map(String::as_str)).filter(|_| declared.is_none());
        cx.report.push(error.maybe_help(meant.map(|meant| format!("did you mean `{meant}`?"))));
    }
}

fn used_by(steps: &[StepDef], formula: &Formula, name: &str) -> bool {
    used(steps, formula, true).iter().any(|(used, _)| *used == name)
}

/// Warns of names in the texts as they are written that are declared nowhere and look like one that is.
pub(in super::super) fn slips(cx: &mut Cx<'_>, formula: &Formula, given: &Vars) {
    if formula.vars.is_empty() {
        return;
    }
    let mut told: Vec<String> = Vec::new();
    as_written(&formula.steps, &mut |step| {
        texts(step, &mut |text, _| {
            for name in names_in(text.as_str()) {
                if formula.vars.contains_key(name) || given.contains_key(name) || told.iter().any(|t| t == name) {
                    continue;
                }
                let Some(meant) = slip_of(name, formula.vars.keys().map(String::as_str)) else { continue };
                told.push(name.to_owned());
                cx.report.push(
                    Diagnostic::warning("undeclared-var", format!("`{{{{{name}}}}}` is declared nowhere"))
                        .at(&place(text, name), "stays as it is unless it is given with --var")
                        .help(format!("did you mean `{meant}`?")),
                );
            }
        });
    });
}

/// Calls `f` on each step, those in the bodies of loops too.
fn as_written<'s>(steps: &'s [StepDef], f: &mut dyn FnMut(&'s StepDef)) {
    for step in steps {
        f(step);
        as_written(&step.children, f);
        if let Some(repeat) = &step.repeat {
            as_written(&repeat.body, f);
        }
    }
}

/// Where a text asks for a variable.
fn place(text: &Text, name: &str) -> At {
    text.part(&format!("{{{{{name}}}}}")).unwrap_or_else(|| text.at.clone())
}

/// Reports texts that would be too long when they are filled: counted before one of them is made.
pub(in super::super) fn fit(cx: &mut Cx<'_>, formula: &Formula, steps: &[StepDef]) {
    let (mut bytes, mut largest): (u64, (u64, Option<&Text>)) = (0, (0, None));
    all_texts(steps, formula, &mut |text, _| {
        let own = filled_len(text.as_str(), cx.vars);
        bytes = bytes.saturating_add(own);
        if own > largest.0 {
            largest = (own, Some(text));
        }
    });
    let at = largest.1.map_or_else(|| formula.name.at.clone(), |text| text.at.clone());
    cx.allow_bytes(bytes, &at);
}
