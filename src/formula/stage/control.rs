//! Loops: the body once per round, rounds one after the other.
//!
//! A body step becomes `LOOP.iterN.STEP`. The first round has what the loop's step has (its needs, gate and
//! condition), and whoever needs the loop needs the last step of the last round.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::def::{LoopDef, StepDef, Times, UntilDef, count, text_bound, walk, walk_mut};
use super::super::vars::{fill_json, fill_single};
use super::super::{Diagnostic, Text, fill, range};
use super::{Cx, Renamed, again};

/// Unrolls all loops, also those in children.
///
/// What they make is counted first: a few nested loops may ask for more steps than there is memory.
pub(in super::super) fn apply(cx: &mut Cx<'_>, steps: Vec<StepDef>) -> Vec<StepDef> {
    let sizes: Vec<u64> = steps.iter().map(|s| weight(cx, s)).collect();
    let sum = sizes.iter().fold(0, |sum: u64, size| sum.saturating_add(*size));
    if sum > cx.limits.steps {
        let largest = sizes.iter().enumerate().max_by_key(|(_, size)| **size).map_or(0, |(i, _)| i);
        cx.allow(sum, &steps[largest].id.at.clone());
        return steps;
    }
    let mut renamed = Renamed::default();
    let mut steps = unroll(cx, steps, &mut renamed, 0);
    renamed.apply(&mut steps);
    steps
}

fn unroll(cx: &mut Cx<'_>, steps: Vec<StepDef>, renamed: &mut Renamed, depth: usize) -> Vec<StepDef> {
    let mut out = Vec::with_capacity(steps.len());
    for mut step in steps {
        if cx.is_over() || !cx.deep(depth, &step.id.at) {
            continue;
        }
        match step.repeat.take() {
            None => {
                step.children = unroll(cx, std::mem::take(&mut step.children), renamed, depth + 1);
                out.push(step);
            }
            Some(body) => {
                let (made, first) = rounds(cx, &step, &body, renamed, depth);
                cx.replace(renamed, &step.id, &made, first);
                out.extend(made);
            }
        }
    }
    out
}

/// How many steps it becomes, as far as that can be known before.
fn weight(cx: &Cx<'_>, step: &StepDef) -> u64 {
    let below = |steps: &[StepDef]| steps.iter().fold(0, |sum: u64, s| sum.saturating_add(weight(cx, s)));
    match &step.repeat {
        None => below(&step.children).saturating_add(1),
        Some(body) => {
            let times = match &body.times {
                Times::Count(n) => *n,
                Times::Until(_) => 1,
                Times::Range(text) => filled_range(cx, text)
                    .1
                    .map_or(1, |(from, to)| u64::try_from(to - from).unwrap_or(0).saturating_add(1)),
            };
            times.saturating_mul(below(&body.body))
        }
    }
}

/// A range with its variables filled, and its bounds. Both `{disks}` and `{{disks}}` name a variable here.
fn filled_range(cx: &Cx<'_>, text: &Text) -> (String, Result<(i64, i64), String>) {
    let filled = fill(text.as_str(), cx.vars);
    let filled = fill_single(&filled, |name| cx.vars.get(name).cloned()).unwrap_or(filled);
    let bounds = range::range(&filled);
    (filled, bounds)
}

/// The steps of all rounds, and how many of them are the first one.
fn rounds(
    cx: &mut Cx<'_>,
    step: &StepDef,
    body: &LoopDef,
    renamed: &mut Renamed,
    depth: usize,
) -> (Vec<StepDef>, usize) {
    if let Some(child) = step.children.first() {
        cx.report.push(
            Diagnostic::error("loop", format!("the loop `{}` has children; its steps belong into its body", step.id))
                .at(&child.id.at, "this child"),
        );
    }
    no_bead(cx, step);
    let Some((from, to)) = bounds(cx, body) else { return (Vec::new(), 0) };
    let times = u64::try_from(to - from).unwrap_or(0) + 1;
    if body.body.is_empty() || !cx.allow(times.saturating_mul(count(&body.body)), &body.at) {
        return (Vec::new(), 0);
    }
    // The variable is a number.
    if !cx.allow_text(times.saturating_mul(text_bound(&body.body, 20)), &body.at) {
        return (Vec::new(), 0);
    }
    let mut inside = HashSet::new();
    walk(&body.body, &mut |s| {
        inside.insert(Arc::clone(&s.id.value));
    });
    let again = matches!(body.times, Times::Until(_));
    let known = cx.rounds.len();
    let mut out: Vec<StepDef> = Vec::with_capacity((times as usize).saturating_mul(body.body.len()));
    let mut first = 0;
    for (i, value) in (from..=to).enumerate() {
        let round = Round {
            prefix: format!("{}.iter{}", step.id, i + 1),
            suffix: format!(".iter{}", i + 1),
            inside: &inside,
            // The number of a round that may come again stays open until all stages are done.
            var: body.var.as_ref().filter(|_| !again),
            value,
        };
        let mut made: Vec<StepDef> = body.body.iter().map(|s| round.copy(s)).collect();
        if let Some(var) = body.var.as_ref().filter(|_| again) {
            again::ranges(cx, &mut made, var.as_str());
        }
        // Edges may name the loops in the body until all of them are unrolled.
        let mut own = ids(&made);
        let mut made = unroll(cx, made, renamed, depth + 1);
        own.extend(ids(&made));
        let before = out.last().map(|last| last.id.clone());
        if before.is_none() {
            may_go(cx, &made, step, again.then_some("until"), None);
        }
        for begins in made.iter_mut().filter(|s| s.begins(&own)) {
            match &before {
                None => {
                    let own = begins.gate.is_some();
                    hold(cx, begins, step);
                    if let (true, false, Some(gate)) = (again, own, &mut begins.gate) {
                        Arc::make_mut(gate).once = true;
                    }
                }
                Some(last) => begins.need(last),
            }
        }
        for one in &mut made {
            inherit(one, step);
        }
        out.extend(made);
        if i == 0 {
            first = out.len();
        }
    }
    if again {
        one_until(cx, &mut out, known);
    }
    if let (Times::Until(until), Some(head)) = (&body.times, out.first_mut()) {
        head.labels.push(until.condition.with(until_label(until)));
        head.until =
            Some(Arc::new(UntilDef { var: body.var.as_ref().map(|var| Arc::clone(&var.value)), ..until.clone() }));
        let var = body.var.as_ref().map(|var| Arc::clone(&var.value));
        cx.rounds.push(again::Scope { id: format!("{}.iter1", step.id), var });
    }
    (out, first)
}

/// Reports what a loop's step asks for that only a bead can have: there is none of it.
fn no_bead(cx: &mut Cx<'_>, step: &StepDef) {
    let asked = [
        ("on_complete", step.on_complete.is_some()),
        ("only_if", step.touches.is_some()),
        ("metadata", step.metadata.is_some()),
        ("acceptance", step.acceptance.as_ref().is_some_and(|text| !text.as_str().is_empty())),
        ("expand", step.expand.is_some()),
    ];
    for (what, _) in asked.into_iter().filter(|(_, asked)| *asked) {
        let message = format!("the loop `{}` has `{what}`, and only the steps of its body become beads", step.id);
        cx.report.push(
            Diagnostic::by_layer(&step.id.at, "loop", message, "; it is left out")
                .at(&step.id.at, "this loop")
                .help(format!("give `{what}` to the step of the body that it is meant for")),
        );
    }
}

/// Reports a step that may be left out by its own condition though it bears, at one end of what came in the place of
/// `step`, what `step` asks for: that would be left out with it. `first` is what only the first of them bears, `last` what
/// only the last.
pub(super) fn may_go(
    cx: &mut Cx<'_>,
    made: &[StepDef],
    step: &StepDef,
    first: Option<&'static str>,
    last: Option<&'static str>,
) {
    let own = ids(made);
    let alone = |one: &StepDef| one.condition.iter().any(|c| !made.iter().all(|other| other.condition.contains(c)));
    let held = [
        ("gate", step.gate.is_some()),
        ("waits_for", step.waits_for.is_some()),
        ("gate rule", step.held.as_ref().is_some_and(|held| !held.is_empty())),
    ];
    let held = held.into_iter().find(|(_, asked)| *asked).map(|(what, _)| what);
    let mut borne: Vec<(&StepDef, &str)> = Vec::new();
    // Each that begins bears a copy: it is missed where another one needs it, and would begin in its place.
    let needed =
        |one: &StepDef| made.iter().any(|other| other.needs.iter().chain(&other.depends_on).any(|id| *id == one.id));
    if let Some(what) = held {
        borne.extend(made.iter().filter(|one| one.begins(&own) && needed(one)).map(|one| (one, what)));
    }
    borne.extend(made.first().zip(first));
    borne.extend(made.last().zip(last));
    // What comes after needs the last one, and without it what that needed.
    borne.extend(made.last().filter(|end| made.len() > 1 && end.begins(&own)).map(|end| (end, "end")));
    for (one, what) in borne.into_iter().filter(|(one, _)| alone(one)) {
        let message = format!("`{}` may be left out by its condition, and the {what} of `{}` with it", one.id, step.id);
        cx.report.push(
            Diagnostic::by_layer(&one.id.at, "may-go", message, "")
                .at(&one.id.at, "this step bears it")
                .help("put a step there that has no condition, or give all of them the same one"),
        );
    }
}

/// Reports the loops with `until` among `steps`, which are in a round of another one; `known` rounds were there before.
///
/// A round that holds rounds would have to come again with the first of them alone. Where another program's words are
/// taken as they are, such a loop has one round.
pub(super) fn one_until(cx: &mut Cx<'_>, steps: &mut [StepDef], known: usize) {
    let mut inner: Vec<Arc<UntilDef>> = Vec::new();
    walk_mut(steps, &mut |step| {
        let until = step.until.take();
        inner.extend(until.filter(|until| inner.iter().all(|told| told.condition.at != until.condition.at)));
    });
    cx.rounds.truncate(known);
    for until in inner {
        let at = &until.condition.at;
        let message = "a loop with `until` stands in a round of another one";
        cx.report.push(
            Diagnostic::by_layer(at, "loop", message, "; it has one round").at(at, "the inner one").help(
                "give one of them a `count`, or make the inner one a formula that a step bonds with `on_complete`",
            ),
        );
    }
}

fn bounds(cx: &mut Cx<'_>, body: &LoopDef) -> Option<(i64, i64)> {
    match &body.times {
        Times::Until(_) => Some((1, 1)),
        Times::Count(n) => Some((1, i64::try_from(*n).unwrap_or(i64::MAX - 1))),
        Times::Range(text) => {
            let (filled, bounds) = filled_range(cx, text);
            match bounds {
                Ok(bounds) => Some(bounds),
                Err(_) if !cx.news("range", &text.at) => None,
                Err(reason) => {
                    let shown = if filled == text.as_str() { String::new() } else { format!(" (`{filled}`)") };
                    let known: Vec<&str> = cx.vars.keys().map(String::as_str).collect();
                    let error =
                        Diagnostic::error("range", format!("the range `{text}`{shown} is not understood: {reason}"));
                    let error = error.at(&text.at, "here");
                    cx.report.push(match missing(&filled) {
                        Some(name) => error
                            .help(format!("`{name}` has no value: declare it with a default, or give --var {name}=…"))
                            .suggest(name, known),
                        None => error.help("a range is as in 1..10 or 1..2^{disks}-1"),
                    });
                    None
                }
            }
        }
    }
}

/// The name in the first placeholder that is left.
fn missing(text: &str) -> Option<&str> {
    let rest = text.split_once('{')?.1.trim_start_matches('{');
    rest.split_once('}').map(|(name, _)| name.trim())
}

/// The label that an unbounded loop leaves on its first step, as the original wrote it.
fn until_label(until: &UntilDef) -> String {
    let json = serde_json::json!({ "max": until.max, "until": until.condition.as_str() });
    format!("loop:{}", html_escaped(&json.to_string()))
}

/// JSON with `<`, `>` and `&` as escapes.
pub(super) fn html_escaped(json: &str) -> String {
    json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

/// The ids of all these steps, children too.
pub(super) fn ids(steps: &[StepDef]) -> HashSet<Arc<str>> {
    let mut ids = HashSet::new();
    walk(steps, &mut |s| {
        ids.insert(Arc::clone(&s.id.value));
    });
    ids
}

/// What the step asks for in whose place others came comes before those of them that begin.
pub(super) fn hold(cx: &mut Cx<'_>, begins: &mut StepDef, step: &StepDef) {
    // Its own come last, as in the file that is read from top to bottom.
    let (needs, depends_on) = (std::mem::take(&mut begins.needs), std::mem::take(&mut begins.depends_on));
    begins.needs.clone_from(&step.needs);
    begins.depends_on.clone_from(&step.depends_on);
    for id in &needs {
        begins.need(id);
    }
    for id in depends_on {
        if !begins.needs.contains(&id) && !begins.depends_on.contains(&id) {
            begins.depends_on.push(id);
        }
    }
    let lost = (begins.gate.is_some() && step.gate.is_some(), begins.waits_for.is_some() && step.waits_for.is_some());
    let news = (lost.0 || lost.1) && cx.news("two-holds", &begins.id.at);
    for (_, what) in [(lost.0, "gate"), (lost.1, "waits_for")].into_iter().filter(|(lost, _)| *lost && news) {
        let message = format!("`{}` has a {what} of its own beside that of `{}`", begins.id, step.id);
        cx.report.push(
            Diagnostic::by_layer(&step.id.at, "two-holds", message, ", which is left out")
                .at(&begins.id.at, "this step begins what came in its place")
                .help("a step has one: drop one of them, or put a step before it that has the other"),
        );
    }
    begins.waits_for = begins.waits_for.take().or_else(|| step.waits_for.clone());
    begins.gate = begins.gate.take().or_else(|| step.gate.clone());
    begins.hold(step.held.as_deref().unwrap_or_default());
}

/// What holds for the loop's step holds for each of its steps.
fn inherit(one: &mut StepDef, step: &StepDef) {
    one.condition.extend(step.condition.iter().cloned());
    for label in &step.labels {
        if !one.labels.contains(label) {
            one.labels.push(label.clone());
        }
    }
    one.assignee = one.assignee.take().or_else(|| step.assignee.clone());
    one.priority = one.priority.or(step.priority);
}

/// One round of a loop: how the texts of its body change.
struct Round<'a> {
    prefix: String,
    suffix: String,
    inside: &'a HashSet<Arc<str>>,
    var: Option<&'a Text>,
    value: i64,
}

impl Round<'_> {
    fn copy(&self, step: &StepDef) -> StepDef {
        let mut step = step.clone();
        step.id = step.id.with(format!("{}.{}", self.prefix, step.id));
        step.location = format!("{}{}", step.location, self.suffix).into();
        self.rewrite(&mut step, &HashSet::new());
        step.children = step.children.iter().map(|c| self.copy(c)).collect();
        step
    }

    /// Fills the loop's variable and redirects edges; ids in `hidden` belong to an inner loop.
    fn rewrite(&self, step: &mut StepDef, hidden: &HashSet<Arc<str>>) {
        for edge in step.needs.iter_mut().chain(&mut step.depends_on) {
            if self.inside.contains(&edge.value) && !hidden.contains(&edge.value) {
                *edge = edge.with(format!("{}.{edge}", self.prefix));
            }
        }
        if let Some(of) = step.children_of()
            && self.inside.contains(&of.value)
            && !hidden.contains(&of.value)
        {
            step.waits_for = Some(Box::new(of.with(format!("children-of({}.{of})", self.prefix))));
        }
        if let Some(var) = self.var {
            let value = self.value.to_string();
            fill_texts(step, &|name| (name == var.as_str()).then(|| value.clone()));
        }
        if let Some(inner) = &mut step.repeat {
            let inner = Arc::make_mut(inner);
            let mut hidden = hidden.clone();
            walk(&inner.body, &mut |s| {
                hidden.insert(Arc::clone(&s.id.value));
            });
            if let (Times::Range(range), Some(var)) = (&mut inner.times, self.var) {
                let value = self.value.to_string();
                if let Some(text) = fill_single(range.as_str(), |name| (name == var.as_str()).then(|| value.clone())) {
                    *range = range.with(text);
                }
            }
            for body in &mut inner.body {
                self.rewrite_all(body, &hidden);
            }
        }
    }

    fn rewrite_all(&self, step: &mut StepDef, hidden: &HashSet<Arc<str>>) {
        self.rewrite(step, hidden);
        for child in &mut step.children {
            self.rewrite_all(child, hidden);
        }
    }
}

/// Fills single-brace placeholders in all that is said of a step; ids and edges are left alone.
pub(super) fn fill_texts(step: &mut StepDef, value: &dyn Fn(&str) -> Option<String>) {
    let fill = |text: &mut Text| {
        if let Some(new) = fill_single(text.as_str(), value) {
            *text = text.with(new);
        }
    };
    let open = |text: &Text| text.as_str().contains('{');
    step.title.iter_mut().chain(&mut step.description).for_each(fill);
    let boxed = [&mut step.notes, &mut step.assignee, &mut step.acceptance];
    boxed.into_iter().flatten().for_each(|text| fill(text));
    step.labels.iter_mut().for_each(fill);
    // One that came to nothing says nothing.
    step.labels.retain(|label| !label.as_str().trim().is_empty());
    step.condition.iter_mut().for_each(fill);
    // What is shared is copied only where something in it changes.
    if let Some(gate) = &mut step.gate
        && [&gate.id, &gate.timeout].into_iter().flatten().any(open)
    {
        let gate = Arc::make_mut(gate);
        [&mut gate.id, &mut gate.timeout].into_iter().flatten().for_each(fill);
    }
    if let Some(vars) = &mut step.expand_vars
        && vars.values().any(open)
    {
        Arc::make_mut(vars).values_mut().for_each(fill);
    }
    if let Some(on) = &mut step.on_complete
        && on.vars.values().any(open)
    {
        Arc::make_mut(on).vars.values_mut().for_each(fill);
    }
    if let Some(globs) = &mut step.touches
        && globs.iter().any(open)
    {
        Arc::make_mut(globs).iter_mut().for_each(fill);
    }
    if let Some(metadata) = &mut step.metadata {
        let changed: Vec<_> =
            metadata.iter().filter_map(|(key, json)| Some((key.clone(), fill_json(json, value)?))).collect();
        if !changed.is_empty() {
            Arc::make_mut(metadata).extend(changed);
        }
    }
}
