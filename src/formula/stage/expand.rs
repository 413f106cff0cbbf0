//! Expansions: a step is replaced by the template of another formula.
//!
//! Inline (`expand` of a step), by id (`compose.expand`) or by pattern (`compose.map`). The first steps of the
//! template get what the step needed, and whoever needed the step needs the template's last one.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::def::{ExpandRule, Formula, Kind, StepDef, TextVars, Times, count, text_bound, walk};
use super::super::vars::fill_single;
use super::super::{Diagnostic, Glob, Text};
use super::again::{self, Scope};
use super::control::{self, fill_texts};
use super::{Cx, Renamed, branch};

/// Replaces each step that has `expand`, also in templates that were put in.
///
/// What they make is counted first: templates that hold templates may ask for more steps than there is memory.
pub(in super::super) fn inline(cx: &mut Cx<'_>, steps: Vec<StepDef>) -> Vec<StepDef> {
    if !fits(cx, &steps) {
        return steps;
    }
    let mut renamed = Renamed::default();
    let mut steps = inline_in(cx, steps, &mut renamed, 0);
    renamed.apply(&mut steps);
    steps
}

/// Whether what the expansions of `steps` make keeps to the limits; says so if not.
fn fits(cx: &mut Cx<'_>, steps: &[StepDef]) -> bool {
    let mut first: Option<Text> = None;
    walk(steps, &mut |s| first = first.take().or_else(|| s.expand.as_deref().cloned()));
    let Some(first) = first else { return true };
    let mut known = Weights::new();
    match weight(cx, steps, &mut known, 0) {
        Err(endless) => {
            cx.over = true;
            cx.report.push(
                Diagnostic::error("too-deep", format!("expansion `{endless}` contains itself, on and on"))
                    .at(&endless.at, "here again")
                    .help(format!("{} levels are allowed, the limit is `formula.max_depth`", cx.limits.depth)),
            );
            false
        }
        Ok(sum) => sum <= cx.limits.steps || cx.allow(sum, &first.at),
    }
}

/// How many steps each expansion becomes; none while that is being found out.
type Weights = HashMap<Arc<str>, Option<u64>>;

/// How many steps these become, at least; an expansion that contains itself is an error.
fn weight(cx: &mut Cx<'_>, steps: &[StepDef], known: &mut Weights, depth: usize) -> Result<u64, Text> {
    let mut sum: u64 = 0;
    for step in steps {
        let named = step.expand.as_deref().filter(|with| !with.as_str().contains('{'));
        let one = match (named, &step.repeat) {
            (Some(with), _) => weight_of(cx, with, known, depth)?,
            (None, Some(repeat)) => {
                let times = if let Times::Count(n) = &repeat.times { *n } else { 1 };
                times.saturating_mul(weight(cx, &repeat.body, known, depth)?)
            }
            (None, None) => weight(cx, &step.children, known, depth)?.saturating_add(1),
        };
        sum = sum.saturating_add(one);
    }
    Ok(sum)
}

fn weight_of(cx: &mut Cx<'_>, with: &Text, known: &mut Weights, depth: usize) -> Result<u64, Text> {
    match known.get(&with.value) {
        Some(Some(weight)) => return Ok(*weight),
        Some(None) => return Err(with.clone()),
        None => {}
    }
    known.insert(Arc::clone(&with.value), None);
    let loaded = if depth > cx.limits.depth { None } else { cx.whole(with.as_str(), &with.at) };
    let weight = match loaded {
        Some(expansion) => weight(cx, &expansion.template, known, depth + 1)?,
        // What is wrong with it is told where it is put in.
        None => 1,
    };
    known.insert(Arc::clone(&with.value), Some(weight));
    Ok(weight)
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
                cx.replace(renamed, &step.id, &made, made.len());
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
    // An expansion that is not there is told also where the rule selects nothing.
    for rule in expand.iter().chain(map) {
        let _ = cx.whole(rule.with.as_str(), &rule.with.at);
    }
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
        step.children = replace(cx, std::mem::take(&mut step.children), rule, selects, renamed);
        let chosen = selects(step.id.as_str());
        match chosen.then(|| instance(cx, &step, &rule.with, &rule.vars)).flatten() {
            None => out.push(step),
            Some(made) => {
                cx.replace(renamed, &step.id, &made, made.len());
                out.extend(made);
            }
        }
    }
    out
}

/// The template called `with`, filled for `target`. `None` after an error.
fn instance(cx: &mut Cx<'_>, target: &StepDef, with: &Text, vars: &TextVars) -> Option<Vec<StepDef>> {
    let expansion = cx.whole(with.as_str(), &with.at)?;
    if expansion.kind != Kind::Expansion || expansion.template.is_empty() {
        let what = if expansion.kind == Kind::Expansion { "has no [[template]]" } else { "is not an expansion" };
        cx.report.push(
            Diagnostic::error("not-an-expansion", format!("`{with}` {what}"))
                .at(&with.at, "cannot take the place of a step")
                .help("an expansion has type = \"expansion\" and [[template]] steps"),
        );
        return None;
    }
    if !cx.allow(count(&expansion.template), &with.at) {
        return None;
    }
    let values = values(cx, &expansion, with, vars, target)?;
    let texts = [Some(&target.id), target.title.as_ref(), target.description.as_ref()].into_iter().flatten();
    let longest = texts.chain(values.values()).map(|t| t.as_str().len()).max().unwrap_or(0);
    if !cx.allow_text(text_bound(&expansion.template, longest), &with.at) {
        return None;
    }
    Some(filled(cx, target, &expansion, &values))
}

/// The expansion's defaults, under what the rule gives.
fn values(cx: &mut Cx<'_>, expansion: &Formula, with: &Text, vars: &TextVars, target: &StepDef) -> Option<TextVars> {
    // The number of a round is still open.
    let var = cx.scope(target.id.as_str()).and_then(|scope| scope.var.clone());
    let first = |name: &str| (Some(name) == var.as_deref()).then(|| "1".to_owned());
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
            Some(value) => {
                let text = fill_single(value.as_str(), first);
                let text = text.as_deref().unwrap_or(value.as_str());
                whole &= super::check::value(cx, name, def, text, Some(&value.at));
            }
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
    let mut copies: Vec<StepDef> = expansion.template.iter().map(|s| copy(s, &value)).collect();
    let known = cx.rounds.len();
    let around = cx.scope(target.id.as_str()).cloned();
    if let Some(around) = &around {
        into_round(cx, &mut copies, target, around);
    }
    let mut made = control::apply(cx, copies);
    if cx.rounds.len() > known && around.is_some() {
        control::one_until(cx, &mut made, known);
    }
    let own = control::ids(&made);
    let (first, last) = (target.until.as_ref().map(|_| "until"), target.on_complete.as_ref().map(|_| "on_complete"));
    control::may_go(cx, &made, target, first, last);
    for begins in made.iter_mut().filter(|s| s.begins(&own)) {
        control::hold(cx, begins, target);
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
    if let Some(ends) = made.iter_mut().find(|step| step.until.is_none()) {
        ends.until.clone_from(&target.until);
    }
    if let Some(first) = made.first_mut() {
        first.children.extend(target.children.iter().cloned());
    }
    if let Some(last) = made.last_mut() {
        last.on_complete = last.on_complete.take().or_else(|| target.on_complete.clone());
        last.acceptance = last.acceptance.take().or_else(|| target.acceptance.clone());
    }
    made
}

/// Takes what is put in for a step of a round into that round: it comes again with it.
fn into_round(cx: &mut Cx<'_>, copies: &mut [StepDef], target: &StepDef, around: &Scope) {
    if let Some(var) = around.var.as_deref() {
        again::ranges(cx, copies, var);
    }
    let whole = target.id.as_str();
    let named = |id: &str| cx.made_for(whole, |of| id.replace(whole, of));
    let mut names = HashMap::new();
    walk(copies, &mut |step| {
        names.insert(Arc::clone(&step.id.value), named(step.id.as_str()));
    });
    let follow = |text: &Text| names.get(&text.value).map(|name| text.with(name.as_str()));
    each_copy(copies, &mut |step| {
        step.id = follow(&step.id).unwrap_or_else(|| step.id.clone());
        for edge in step.needs.iter_mut().chain(&mut step.depends_on) {
            *edge = follow(edge).unwrap_or_else(|| edge.clone());
        }
        if let Some(of) = step.children_of().and_then(|of| follow(&of)) {
            step.waits_for = Some(Box::new(of.with(format!("children-of({of})"))));
        }
    });
}

/// Calls `f` on each step, those in the bodies of loops too.
fn each_copy(steps: &mut [StepDef], f: &mut dyn FnMut(&mut StepDef)) {
    for step in steps {
        f(step);
        each_copy(&mut step.children, f);
        if let Some(repeat) = &mut step.repeat {
            each_copy(&mut Arc::make_mut(repeat).body, f);
        }
    }
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
        if let Times::Range(range) = &mut repeat.times {
            fill(range);
        }
        repeat.body = repeat.body.iter().map(|s| copy(s, value)).collect();
    }
    step.children = step.children.iter().map(|c| copy(c, value)).collect();
    step
}
