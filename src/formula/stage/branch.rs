//! `compose.branch` (fork and join) and `compose.gate` (a condition before a step).

use std::collections::HashMap;
use std::sync::Arc;

use super::super::def::{Compose, StepDef, walk, walk_mut};
use super::super::{Diagnostic, Text};
use super::Cx;
use super::control::html_escaped;

/// Adds the edges and labels of `compose`.
pub(in super::super) fn apply(cx: &mut Cx<'_>, steps: &mut [StepDef], compose: &Compose) {
    if compose.branch.is_empty() && compose.gate.is_empty() {
        return;
    }
    let mut needs: HashMap<Arc<str>, Vec<Text>> = HashMap::new();
    let mut held: HashMap<Arc<str>, Vec<Text>> = HashMap::new();
    for branch in &compose.branch {
        let named = std::iter::once(&branch.from).chain(&branch.steps).chain(&branch.join);
        let named: Vec<Text> = named.map(|id| cx.last(id)).collect();
        // All of them are looked at, so that all that are unknown are reported.
        if named.iter().filter(|id| !known(cx, steps, id)).count() > 0 {
            continue;
        }
        for step in &branch.steps {
            for begins in cx.begin(step) {
                needs.entry(begins.value).or_default().push(cx.last(&branch.from));
            }
            for joins in branch.join.iter().flat_map(|join| cx.begin(join)) {
                needs.entry(joins.value).or_default().push(cx.last(step));
            }
        }
    }
    for gate in &compose.gate {
        if known(cx, steps, &cx.first(&gate.before)) {
            for begins in cx.begin(&gate.before) {
                held.entry(begins.value).or_default().push(gate.condition.clone());
            }
        }
    }
    walk_mut(steps, &mut |step| {
        for need in needs.get(&step.id.value).into_iter().flatten() {
            step.need(need);
        }
        if let Some(conditions) = held.get(&step.id.value) {
            step.labels.extend(conditions.iter().map(label));
            step.hold(conditions);
        }
    });
}

/// The label that a gate rule leaves on its step, as the original wrote it.
fn label(condition: &Text) -> Text {
    let json = serde_json::json!({ "condition": condition.as_str() }).to_string();
    condition.with(format!("gate:{}", html_escaped(&json)))
}

/// Whether a step has that id; says so if not.
pub(super) fn known(cx: &mut Cx<'_>, steps: &[StepDef], id: &Text) -> bool {
    let mut ids: Vec<&str> = Vec::new();
    walk(steps, &mut |s| ids.push(s.id.as_str()));
    let found = ids.contains(&id.as_str());
    if !found && !cx.is_lost(id.as_str()) {
        cx.report.push(
            Diagnostic::error("unknown-step", format!("there is no step `{id}`"))
                .at(&id.at, "not a step")
                .suggest(id.as_str(), ids),
        );
    }
    found
}
