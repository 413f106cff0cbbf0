//! What must hold of a patrol: somebody runs it, something starts it, and each of its steps names a function.

use super::super::def::{Formula, Kind, StepDef, walk};
use super::super::{Diagnostic, Functions, Text};
use super::Cx;

/// Checks a patrol with its final steps; of other formulas only that they have no `[patrol]`.
pub(in super::super) fn check(cx: &mut Cx<'_>, steps: &[StepDef], formula: &Formula) {
    if formula.kind != Kind::Patrol {
        if let Some(def) = &formula.patrol {
            let message = format!("a {} has no schedule", formula.kind.word());
            cx.report.push(
                Diagnostic::error("patrol", message).at(&def.at, "this table").help("write type = \"patrol\" above it"),
            );
        }
        by_hand(cx, steps);
        return;
    }
    let name = &formula.name;
    let def = formula.patrol.as_ref();
    let missing = |what: &str, help: &str| {
        Diagnostic::error("patrol", format!("patrol `{name}` {what}"))
            .at(def.map_or(&name.at, |d| &d.at), "here")
            .help(help)
    };
    if def.is_none_or(|d| d.role.is_none()) {
        cx.report.push(missing("does not say whose it is", "[patrol] with role = \"deacon\", or another role"));
    }
    if def.is_none_or(|d| d.every.is_none() && d.on.is_none()) {
        cx.report.push(missing("never starts", "[patrol] with every = \"1h\" or on = \"mr_merged\""));
    }
    if steps.is_empty() {
        cx.report.push(missing("has no steps", "[[steps]] with id and run"));
    }
    walk(steps, &mut |step| {
        if let Some((what, at)) = unfit(step)
            && cx.news("patrol", at)
        {
            cx.report.push(
                Diagnostic::error("patrol", format!("step `{}` of a patrol has {what}", step.id)).at(at, "here").help(
                    "the daemon runs each step at once: run = \"NAME\" is a function of the role's Lua policy, \
                     role.run(\"NAME\", function(run, town) … end)",
                ),
            );
        }
    });
    if let Some(role) = def.and_then(|def| def.role.as_ref()) {
        functions(cx, steps, role, def.and_then(|def| def.digest.as_ref()));
    }
}

/// The role and the functions that are named are there, where it is known which there are.
fn functions(cx: &mut Cx<'_>, steps: &[StepDef], role: &Text, digest: Option<&Text>) {
    let known = match cx.aspects.functions(role.as_str()) {
        Functions::Unknown => return,
        Functions::NoRole(roles) => {
            cx.report.push(
                Diagnostic::error("role", format!("there is no role `{role}`"))
                    .at(&role.at, "no such role")
                    .help(format!("the roles are {}", roles.join(", ")))
                    .suggest(role.as_str(), roles.iter().map(String::as_str)),
            );
            return;
        }
        Functions::Of(known) => known,
    };
    let mut asked: Vec<&Text> = digest.into_iter().collect();
    walk(steps, &mut |step| asked.extend(step.run.as_deref().filter(|run| !run.as_str().trim().is_empty())));
    for run in asked.into_iter().filter(|run| !known.iter().any(|name| name == run.as_str())) {
        cx.report.push(
            Diagnostic::error("run", format!("the role `{role}` has no function `{run}`"))
                .at(&run.at, "no such function")
                .help(format!("{role}.run(\"{run}\", function(run, town) … end) in lua/roles/{role}.lua"))
                .suggest(run.as_str(), known.iter().map(String::as_str)),
        );
    }
}

/// Warns of functions that nobody runs: outside of patrols a worker does the steps.
fn by_hand(cx: &mut Cx<'_>, steps: &[StepDef]) {
    let mut first: Option<(&StepDef, &Text)> = None;
    let mut more = 0;
    walk(steps, &mut |step| {
        if let Some(run) = &step.run {
            match first {
                None => first = Some((step, run)),
                Some(_) => more += 1,
            }
        }
    });
    let Some((step, run)) = first else { return };
    let others = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    cx.report.push(
        Diagnostic::warning("run", format!("step `{}`{others} names a function, and nobody runs it", step.id))
            .at(&run.at, "kept, and not run")
            .help("the daemon runs steps of patrols alone: type = \"patrol\", or leave it to a worker"),
    );
}

/// What keeps the daemon from doing a step by itself, at once.
fn unfit(step: &StepDef) -> Option<(&'static str, &super::super::At)> {
    let id: &Text = &step.id;
    if !step.children.is_empty() {
        return Some(("children", &id.at));
    }
    if step.gate.is_some() || step.held.is_some() {
        return Some(("a gate", &id.at));
    }
    if let Some(waits) = &step.waits_for {
        return Some(("waits_for", &waits.at));
    }
    if step.until.is_some() {
        return Some(("a loop that ends by itself", &id.at));
    }
    if step.on_complete.is_some() || step.touches.is_some() {
        return Some(("what only work has (on_complete, only_if)", &id.at));
    }
    step.run.as_ref().is_none_or(|r| r.as_str().trim().is_empty()).then_some(("no `run`", &id.at))
}
