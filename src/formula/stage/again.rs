//! Loops with `until` while their rounds are still to come: what is in the first of them, and where its number stands.
//!
//! The number of the round stays open in the texts, as `{var}`, through all stages, so that it is also where an
//! expansion or advice took it to. [`number`] fills in the first one at the end and keeps for the others what it filled.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, json};

use super::super::def::{StepDef, Times, walk_mut};
use super::super::vars::{fill_json, fill_single};
use super::super::{Diagnostic, RoundTexts};
use super::control::fill_texts;
use super::{Cx, freeze};

/// What [`RoundTexts`] call the id of the step's gate, and how long it waits.
pub(crate) const GATE_ID: &str = "gate_id";
pub(crate) const GATE_TIMEOUT: &str = "gate_timeout";

/// The first round of a loop that goes on until a condition holds.
#[derive(Debug, Clone)]
pub(in super::super) struct Scope {
    /// As in `review.iter1`; its steps are called `review.iter1.STEP`.
    pub(in super::super) id: String,
    /// What its number is called.
    pub(super) var: Option<Arc<str>>,
}

impl Scope {
    /// What a step in it is called in the body.
    pub(super) fn short<'s>(&self, step: &'s str) -> Option<&'s str> {
        step.strip_prefix(self.id.as_str())?.strip_prefix('.')
    }
}

impl Cx<'_> {
    /// The round that the step `id` is in; the innermost, where loops are nested.
    pub(super) fn scope(&self, id: &str) -> Option<&Scope> {
        self.rounds.iter().filter(|scope| scope.short(id).is_some()).max_by_key(|scope| scope.id.len())
    }

    /// The name of a step that is made for the step `of`, as `name` makes it from that: for a step in a round it is in the
    /// round too, and comes again with it.
    pub(super) fn made_for(&self, of: &str, name: impl Fn(&str) -> String) -> String {
        let plain = name(of);
        match self.scope(of) {
            Some(scope) if scope.short(&plain).is_none() => {
                format!("{}.{}", scope.id, name(scope.short(of).unwrap_or(of)))
            }
            _ => plain,
        }
    }
}

/// Reports ranges of loops that ask for the number of a round that may come again as it is, and takes the first one.
pub(super) fn ranges(cx: &mut Cx<'_>, steps: &mut [StepDef], var: &str) {
    let first = |name: &str| (name == var).then(|| "1".to_owned());
    for step in steps {
        ranges(cx, &mut step.children, var);
        let Some(repeat) = &mut step.repeat else { continue };
        let repeat = Arc::make_mut(repeat);
        if let Times::Range(range) = &mut repeat.times
            && let Some(filled) = fill_single(range.as_str(), first)
        {
            if cx.news("range", &range.at) {
                let message =
                    format!("the range `{range}` asks for the number of a round, and the next has the same steps");
                cx.report.push(
                    Diagnostic::by_layer(&range.at, "range", message, "; each has those of the first")
                        .at(&range.at, "here")
                        .help(
                            "a range may ask for variables of the formula, and for the numbers of loops with a `count`",
                        ),
                );
            }
            *range = range.with(filled);
        }
        // In its body a loop's own number hides another one of that name.
        if repeat.var.as_ref().is_none_or(|own| own.as_str() != var) {
            ranges(cx, &mut repeat.body, var);
        }
    }
}

/// Fills the number of the first round into the texts of its steps, and keeps for the next ones what has it.
pub(in super::super) fn number(cx: &Cx<'_>, steps: &mut [StepDef]) {
    if cx.rounds.is_empty() {
        return;
    }
    let scopes: HashMap<&str, &Scope> = cx.rounds.iter().map(|scope| (scope.id.as_str(), scope)).collect();
    walk_mut(steps, &mut |step| {
        let id = Arc::clone(&step.id.value);
        // The innermost is the longest of the names that it begins with.
        let Some(scope) = id.rmatch_indices('.').find_map(|(dot, _)| scopes.get(&id[..dot])) else { return };
        if let (Some(until), Some((name, _))) = (&mut step.until, scope.id.rsplit_once(".iter")) {
            Arc::make_mut(until).end = Some(cx.last(&step.id.with(name)).value);
        }
        let Some(var) = scope.var.as_deref() else { return };
        step.round = unfilled(step, var).map(Arc::new);
        fill_texts(step, &|name| (name == var).then(|| "1".to_owned()));
    });
}

/// What of a step has `{var}` in it.
fn unfilled(step: &StepDef, var: &str) -> Option<RoundTexts> {
    let one = |name: &str| (name == var).then(String::new);
    let named = |text: &str| fill_single(text, one).is_some();
    let (title, description) = (step.title.as_ref(), step.description.as_ref());
    let boxed = [("notes", &step.notes), ("acceptance", &step.acceptance), ("assignee", &step.assignee)];
    let boxed = boxed.into_iter().map(|(key, text)| (key, text.as_deref()));
    let gate = step.gate.as_deref();
    let (gate, timeout) = (gate.and_then(|gate| gate.id.as_ref()), gate.and_then(|gate| gate.timeout.as_ref()));
    let plain = [("title", title), ("description", description), (GATE_ID, gate), (GATE_TIMEOUT, timeout)];
    let texts: BTreeMap<String, String> = plain
        .into_iter()
        .chain(boxed)
        .filter_map(|(key, text)| Some((key.to_owned(), text?.as_str().to_owned())))
        .filter(|(_, text)| named(text))
        .collect();
    let mut labels: Vec<String> = step.labels.iter().map(|label| label.as_str().to_owned()).collect();
    if !labels.iter().any(|label| named(label)) {
        labels.clear();
    }
    let free = step.metadata.iter().flat_map(|metadata| metadata.iter()).map(|(key, json)| (key.clone(), json.clone()));
    let on_complete = step.on_complete.as_deref().map(|on| ("on_complete".to_owned(), json!(freeze::on_complete(on))));
    let only_if = step.touches.as_deref().map(|globs| ("only_if".to_owned(), json!(freeze::only_if(globs))));
    let metadata: Map<_, _> =
        free.chain(on_complete).chain(only_if).filter(|(_, json)| fill_json(json, &one).is_some()).collect();
    let any = !texts.is_empty() || !labels.is_empty() || !metadata.is_empty();
    any.then(|| RoundTexts { var: var.to_owned(), texts, labels, metadata, ..RoundTexts::default() })
}
