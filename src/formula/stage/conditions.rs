//! Conditions on the running molecule, of gate rules and of loops with `until`: each step that they name is one, by the
//! name that it has when all stages are done.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::condition::{RUNTIME_FORMS, Runtime};
use super::super::def::{StepDef, walk, walk_mut};
use super::super::{Diagnostic, Text};
use super::Cx;

/// Follows the names to what came in the place of these steps, and reports those that are none.
pub(in super::super) fn settle(cx: &mut Cx<'_>, steps: &mut [StepDef]) {
    let mut any = false;
    walk(steps, &mut |step| any |= step.held.is_some() || step.until.is_some());
    if !any {
        return;
    }
    let ids = super::control::ids(steps);
    walk_mut(steps, &mut |step| {
        if let Some(held) = &step.held {
            let of = Of { before: Some(&step.id), scope: None };
            let settled: Vec<Text> = held.iter().filter_map(|text| of.settled(cx, &ids, text)).collect();
            step.held = (!settled.is_empty()).then(|| settled.into());
        }
        if let Some(until) = &mut step.until {
            let scope = cx.scope(step.id.as_str()).map(|scope| scope.id.clone());
            let scope = scope.as_deref();
            match (Of { before: None, scope }.settled(cx, &ids, &until.condition)) {
                Some(condition) if condition != until.condition => Arc::make_mut(until).condition = condition,
                Some(_) => {}
                None => step.until = None,
            }
        }
    });
}

/// What a condition belongs to.
struct Of<'a> {
    /// The step that it holds, of a gate rule.
    before: Option<&'a Text>,
    /// The first round of the loop that it ends.
    scope: Option<&'a str>,
}

impl Of<'_> {
    /// The condition with the names that its steps have now; none for a rule that is left out.
    fn settled(&self, cx: &mut Cx<'_>, ids: &HashSet<Arc<str>>, text: &Text) -> Option<Text> {
        // What cannot be parsed was reported where it was read.
        let Ok(condition) = Runtime::parse(text.as_str()) else { return Some(text.clone()) };
        if let Some(before) = self.before.filter(|_| condition.of_itself()) {
            let message = format!("the gate before `{before}` asks for something of `{before}` itself");
            let finding = Diagnostic::by_layer(&text.at, "condition", message, "; it holds nothing");
            let help = "name the step that is meant, as in STEP.status == 'complete'";
            cx.report.push(finding.at(&text.at, "never holds before it has begun").help(help));
            return None;
        }
        let (mut changed, mut unknown) = (false, false);
        for name in condition.steps() {
            if let Some(found) = self.find(cx, ids, &text.with(name)) {
                changed |= found != name;
            } else if !self.is_lost(cx, name) {
                self.unknown(cx, ids, &text.with(name));
                unknown = true;
            }
        }
        // In a formula that is used all the same, nothing could make it hold.
        if unknown && !text.at.source.layer.strict() {
            return None;
        }
        if !changed {
            return Some(text.clone());
        }
        let followed =
            condition.renamed(&|name| self.find(cx, ids, &text.with(name)).unwrap_or_else(|| name.to_owned()));
        Some(text.with(followed.to_string()))
    }

    /// The step of that name: of the round, else of the formula.
    fn find(&self, cx: &Cx<'_>, ids: &HashSet<Arc<str>>, name: &Text) -> Option<String> {
        let inside = self.scope.map(|scope| (scope, name.with(format!("{scope}.{name}"))));
        if let Some((scope, full)) = inside {
            let last = cx.last(&full);
            if ids.contains(&last.value) {
                let round = last.as_str().strip_prefix(scope).and_then(|rest| rest.strip_prefix('.'));
                return Some(round.unwrap_or(last.as_str()).to_owned());
            }
        }
        // A loop in a loop sees the round that it is in, and all see the steps of the formula.
        let around = self.scope.into_iter().flat_map(|scope| scope.rmatch_indices('.').map(|(at, _)| &scope[..at]));
        let around = around.map(|scope| name.with(format!("{scope}.{name}"))).chain(std::iter::once(name.clone()));
        let mut found = around.map(|full| cx.last(&full)).filter(|last| ids.contains(&last.value));
        found.next().map(|last| last.as_str().to_owned())
    }

    fn is_lost(&self, cx: &Cx<'_>, name: &str) -> bool {
        cx.is_lost(name) || self.scope.is_some_and(|scope| cx.is_lost(&format!("{scope}.{name}")))
    }

    fn unknown(&self, cx: &mut Cx<'_>, ids: &HashSet<Arc<str>>, name: &Text) {
        let (whose, near): (String, Vec<&str>) = match (self.before, self.scope) {
            (Some(before), _) => (format!("the gate before `{before}`"), ids.iter().map(|id| &**id).collect()),
            (None, scope) => {
                let inside =
                    |id: &'_ Arc<str>| -> bool { scope.is_some_and(|scope| id.starts_with(&format!("{scope}."))) };
                let skip = scope.map_or(0, |scope| scope.len() + 1);
                ("the loop".to_owned(), ids.iter().filter(|id| inside(id)).map(|id| &id[skip..]).collect())
            }
        };
        let message = format!("the condition of {whose} names `{name}`, which is no step");
        // Programs that execute no condition do not look at what it names.
        let then = if self.before.is_some() { "; it holds nothing" } else { "; there is one round" };
        let finding = Diagnostic::by_layer(&name.at, "unknown-step", message, then);
        cx.report.push(finding.at(&name.at, "in this condition").help(RUNTIME_FORMS).suggest(name.as_str(), near));
    }
}
