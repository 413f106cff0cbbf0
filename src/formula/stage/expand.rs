//! Expansions: a step is replaced by the template of another formula.
//!
//! Inline (`expand` of a step), by id (`compose.expand`) or by pattern (`compose.map`). The first steps of the
//! template get what the step needed, and whoever needed the step needs the template's last one.

use std::sync::Arc;

use super::super::def::{ExpandRule, Formula, Kind, StepDef, TextVars, count, text_bound, walk};
use super::super::vars::fill_single;
use super::super::{Diagnostic, Glob, Text};
use super::control::{self, fill_texts};
use super::{Cx, Renamed, branch};

/// Replaces each step that has `expand`, also in templates that were put in.
pub(in super::super) fn inline(cx: &mut Cx<'_>, steps: Vec<StepDef>) -> Vec<StepDef> {
    let mut renamed = Renamed::default();
    let mut steps = inline_in(cx, steps, &mut renamed, 0);
    renamed.apply(&mut steps);
    steps
}

fn inline_in(cx: &mut Cx<'_>, steps: Vec<StepDef>, renamed: &mut Renamed, depth: usize) -> Vec<StepDef> {
    let mut out = Vec::with_capacity(steps.len());
    for mut step in steps {
        let Some(with) = step.expand.take() else {
            step.children = inline_in(cx, std::mem::take(&mut step.children), renamed, depth + 1);
            out.push(step);
            continue;
        };
        if !cx.deep(depth, &with.at) {
            continue;
        }
        let vars = step.expand_vars.take().map(|v| (*v).clone()).unwrap_or_default();
        match instance(cx, &step, &with, &vars) {
            None => out.push(step),
            Some(made) => {
                let made = inline_in(cx, made, renamed, depth + 1);
                cx.replace(renamed, &step.id, &made);
                out.extend(made);
            }
        }
    }
    out
}

/// Carries out `compose.expand` and then `compose.map`.
pub(in super::super) fn rules(
    cx: &mut Cx<'_>,
    mut steps: Vec<StepDef>,
    expand: &[ExpandRule],
    map: &[ExpandRule],
) -> Vec<StepDef> {
    for rule in expand {
        if branch::known(cx, &steps, &rule.target) {
            steps = one_rule(cx, steps, rule, &|id| id == rule.target.as_str());
        }
    }
    for rule in map {
        let Ok(glob) = Glob::new(rule.target.as_str()) else { continue };
        let mut any = false;
        walk(&steps, &mut |s| any |= glob.matches(s.id.as_str()));
        if any {
            steps = one_rule(cx, steps, rule, &|id| glob.matches(id));
        } else {
            cx.report.push(
                Diagnostic::warning("no-match", format!("no step matches `{}`", rule.target))
                    .at(&rule.target.at, "selects nothing"),
            );
        }
    }
    steps
}

fn one_rule(cx: &mut Cx<'_>, steps: Vec<StepDef>, rule: &ExpandRule, selects: &dyn Fn(&str) -> bool) -> Vec<StepDef> {
    let mut renamed = Renamed::default();
    let steps = replace(cx, steps, rule, selects, &mut renamed);
    let mut steps = inline(cx, steps);
    renamed.apply(&mut steps);
    steps
}

fn replace(
    cx: &mut Cx<'_>,
    steps: Vec<StepDef>,
    rule: &ExpandRule,
    selects: &dyn Fn(&str) -> bool,
    renamed: &mut Renamed,
) -> Vec<StepDef> {
    let mut out = Vec::with_capacity(steps.len());
    for mut step in steps {
        if selects(step.id.as_str()) {
            if let Some(made) = instance(cx, &step, &rule.with, &rule.vars) {
                cx.replace(renamed, &step.id, &made);
                out.extend(made);
                continue;
            }
        } else {
            step.children = replace(cx, std::mem::take(&mut step.children), rule, selects, renamed);
        }
        out.push(step);
    }
    out
}

/// The template called `with`, filled for `target`. `None` after an error.
fn instance(cx: &mut Cx<'_>, target: &StepDef, with: &Text, vars: &TextVars) -> Option<Vec<StepDef>> {
    let loaded = cx.load(with.as_str(), Some(&with.at))?;
    let expansion = super::extends::resolve(cx, &loaded)?;
    if expansion.kind != Kind::Expansion || expansion.template.is_empty() {
        let what = if expansion.kind == Kind::Expansion { "has no [[template]]" } else { "is not an expansion" };
        cx.report.push(
            Diagnostic::error("not-an-expansion", format!("`{with}` {what}"))
                .at(&with.at, "cannot take the place of a step")
                .help("an expansion has type = \"expansion\" and [[template]] steps"),
        );
        return None;
    }
    if let Some(child) = target.children.first() {
        cx.report.push(
            Diagnostic::error("expand", format!("step `{}` has children and cannot be replaced", target.id))
                .at(&child.id.at, "this child would be lost"),
        );
        return None;
    }
    if !cx.allow(count(&expansion.template), &with.at) {
        return None;
    }
    let values = values(cx, &expansion, with, vars)?;
    let texts = [Some(&target.id), target.title.as_ref(), target.description.as_ref()].into_iter().flatten();
    let longest = texts.chain(values.values()).map(|t| t.as_str().len()).max().unwrap_or(0);
    if !cx.allow_text(text_bound(&expansion.template, longest), &with.at) {
        return None;
    }
    Some(filled(cx, target, &expansion, &values))
}

/// The expansion's defaults, under what the rule gives.
fn values(cx: &mut Cx<'_>, expansion: &Formula, with: &Text, vars: &TextVars) -> Option<TextVars> {
    let mut values: TextVars = expansion
        .vars
        .iter()
        .filter_map(|(name, def)| Some((name.clone(), Text::new(def.var.default.as_deref()?, def.default_at.clone()))))
        .collect();
    for (name, value) in vars {
        values.insert(name.clone(), value.clone());
    }
    let mut whole = true;
    for (name, def) in &expansion.vars {
        match values.get(name) {
            None if def.var.required => {
                cx.report.push(
                    Diagnostic::error("missing-var", format!("expansion `{with}` needs a value for `{name}`"))
                        .at(&with.at, "used here")
                        .also(&def.at, format!("`{name}` is declared"))
                        .help("give it in expand_vars or in the rule's vars"),
                );
                whole = false;
            }
            Some(value) => whole &= super::check::value(cx, name, def, value.as_str(), Some(&value.at)),
            None => {}
        }
    }
    whole.then_some(values)
}

fn filled(cx: &mut Cx<'_>, target: &StepDef, expansion: &Formula, values: &TextVars) -> Vec<StepDef> {
    let value = |name: &str| -> Option<String> {
        match name {
            "target" | "target.id" => Some(target.id.as_str().to_owned()),
            "target.title" => Some(target.title().to_owned()),
            "target.description" => Some(target.description.as_ref().map_or("", Text::as_str).to_owned()),
            _ => values.get(name).map(|v| v.as_str().to_owned()),
        }
    };
    let copies: Vec<StepDef> = expansion.template.iter().map(|s| copy(s, &value)).collect();
    let mut made = control::apply(cx, copies);
    for step in made.iter_mut().filter(|s| s.is_root()) {
        step.needs.clone_from(&target.needs);
        step.depends_on.clone_from(&target.depends_on);
        step.waits_for = step.waits_for.take().or_else(|| target.waits_for.clone());
        step.gate = step.gate.take().or_else(|| target.gate.clone());
    }
    for step in &mut made {
        step.condition.extend(target.condition.iter().cloned());
        for label in &target.labels {
            if !step.labels.contains(label) {
                step.labels.push(label.clone());
            }
        }
        step.assignee = step.assignee.take().or_else(|| target.assignee.clone());
        step.priority = step.priority.or(target.priority);
        step.touches = step.touches.take().or_else(|| target.touches.clone());
        step.metadata = step.metadata.take().or_else(|| target.metadata.clone());
    }
    if let Some(last) = made.last_mut() {
        last.on_complete = last.on_complete.take().or_else(|| target.on_complete.clone());
        last.acceptance = last.acceptance.take().or_else(|| target.acceptance.clone());
    }
    made
}

fn copy(step: &StepDef, value: &dyn Fn(&str) -> Option<String>) -> StepDef {
    let mut step = step.clone();
    let fill = |text: &mut Text| {
        if let Some(new) = fill_single(text.as_str(), value) {
            *text = text.with(new);
        }
    };
    fill(&mut step.id);
    step.needs.iter_mut().chain(&mut step.depends_on).for_each(fill);
    step.kind.iter_mut().for_each(fill);
    [&mut step.waits_for, &mut step.expand, &mut step.run].into_iter().flatten().for_each(|text| fill(text));
    fill_texts(&mut step, value);
    if let Some(repeat) = &mut step.repeat {
        let repeat = Arc::make_mut(repeat);
        if let super::super::def::Times::Range(range) = &mut repeat.times {
            fill(range);
        }
        repeat.body = repeat.body.iter().map(|s| copy(s, value)).collect();
    }
    step.children = step.children.iter().map(|c| copy(c, value)).collect();
    step
}
