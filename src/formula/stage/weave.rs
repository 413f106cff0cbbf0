//! Aspects: steps woven before and after other steps, by advice written in TOML or given by a Lua function.
//!
//! What comes before a step takes over what the step needed; what comes after holds the step's dependents,
//! unless it says `gates = false`.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::def::{Formula, Kind, Pointcut, Rule, StepDef, text_bound, walk, walk_mut};
use super::super::vars::fill_single;
use super::super::{AspectFile, At, Diagnostic, Glob, OnlyIf, Report, Text, Woven};
use super::Cx;

/// What a Lua aspect may know of a step: the frozen text, variables still unfilled.
#[derive(Debug, Clone, PartialEq)]
pub struct StepView {
    /// Unique in the formula.
    pub id: String,
    /// The title, or the id.
    pub title: String,
    /// What to do.
    pub description: String,
    /// `task` unless the formula says otherwise.
    pub kind: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Ids of the steps that it needs.
    pub needs: Vec<String>,
    /// Free keys.
    pub metadata: Map<String, Value>,
    /// The formula that is being cooked.
    pub formula: String,
}

/// One piece of advice of a Lua aspect.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// Index of the step in the list that was given.
    pub step: usize,
    /// Comes after the step, else before.
    pub after: bool,
    /// What comes there.
    pub new: NewStep,
}

/// A step that an aspect adds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewStep {
    /// `{id}` is the step; an id without it becomes `<id>-<step>`, for it must be unique. Other texts are finished.
    pub id: String,
    /// The id, when empty.
    pub title: String,
    /// What to do.
    pub description: String,
    /// `task` when none.
    pub kind: Option<String>,
    /// Its labels.
    pub labels: Vec<String>,
    /// Holds the dependents of the step that it comes after.
    pub gates: bool,
    /// Decided when the step comes up.
    pub only_if: Option<OnlyIf>,
    /// In a patrol: the function that does it.
    pub run: Option<String>,
}

/// Evaluates Lua aspects. The policy engine supplies it; without one a Lua aspect is an error.
pub trait Aspects {
    /// The advice of one aspect for the steps of one formula: a pure function of its arguments.
    fn advise(&self, aspect: &AspectFile, steps: &[StepView]) -> Result<Vec<Advice>, Report>;

    /// The functions that a role's policy has for the steps of patrols.
    fn functions(&self, _role: &str) -> Functions {
        Functions::Unknown
    }
}

/// What is known of the functions of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Functions {
    /// Nothing: its policies are elsewhere, or do not load.
    Unknown,
    /// Their names.
    Of(Vec<String>),
    /// There is no such role; these there are.
    NoRole(Vec<String>),
}

/// No Lua at all.
#[derive(Debug, Clone, Copy)]
pub struct NoAspects;

impl Aspects for NoAspects {
    fn advise(&self, aspect: &AspectFile, _: &[StepView]) -> Result<Vec<Advice>, Report> {
        Err(Diagnostic::error("lua-aspect", format!("`{}` is a Lua aspect, and no Lua engine is here", aspect.name))
            .at(&At::new(&aspect.source, 0..0), "this file")
            .into())
    }
}

/// Weaves the formula's own advice.
pub(in super::super) fn own(cx: &mut Cx<'_>, steps: Vec<StepDef>, formula: &Formula) -> Vec<StepDef> {
    unselected(cx, &steps, formula);
    rules(cx, steps, &formula.advice, &formula.pointcuts)
}

/// Tells of own advice and pointcuts that select no step. Those of an aspect are for many formulas, and cannot be judged.
fn unselected(cx: &mut Cx<'_>, steps: &[StepDef], formula: &Formula) {
    // Nothing follows from what is missing because it was wrong.
    let none = formula.advice.is_empty() && formula.pointcuts.is_empty();
    if none || cx.is_over() || cx.has_lost() {
        return;
    }
    let mut flat: Vec<&StepDef> = Vec::new();
    walk(steps, &mut |step| flat.push(step));
    let cuts = formula.pointcuts.iter().filter_map(|cut| Selects::of([&cut.glob, &cut.kind, &cut.label]));
    let cuts: Vec<(Selects<'_>, bool)> = cuts
        .map(|cut| {
            let any = cut.any(&flat, |_| true);
            (cut, any)
        })
        .collect();
    for (cut, _) in cuts.iter().filter(|(_, any)| !any) {
        no_match(cx, &flat, formula, "pointcut", cut.parts);
    }
    let cut = |step: &StepDef| cuts.iter().any(|(cut, any)| *any && cut.selects(step));
    for rule in &formula.advice {
        let Some(selects) = Selects::of([&rule.target, &rule.kind, &rule.label]) else { continue };
        if !selects.any(&flat, |_| true) {
            no_match(cx, &flat, formula, "advice", selects.parts);
        } else if cuts.iter().any(|(_, any)| *any)
            && !selects.any(&flat, cut)
            && let Some(first) = rule.first()
        {
            let message = "no pointcut selects a step that this advice is for";
            cx.report.push(Diagnostic::warning("no-match", message).at(&first.at, "selects nothing"));
        }
    }
}

/// Which steps a piece of advice or a pointcut is for.
struct Selects<'a> {
    /// A pattern of ids, a type, a label.
    parts: [Option<&'a Text>; 3],
    glob: Option<Glob>,
}

impl<'a> Selects<'a> {
    /// None for what is no pattern, which was told where it was read.
    fn of(parts: [&'a Option<Text>; 3]) -> Option<Self> {
        let parts = parts.map(Option::as_ref);
        let glob = parts[0].map(|pattern| Glob::new(pattern.as_str())).transpose().ok()?;
        Some(Self { parts, glob })
    }

    fn selects(&self, step: &StepDef) -> bool {
        selected(step, self.glob.as_ref(), self.parts[1], self.parts[2])
    }

    /// Whether one of the steps is selected for which `also` holds.
    fn any(&self, steps: &[&StepDef], also: impl Fn(&StepDef) -> bool) -> bool {
        steps.iter().any(|step| self.selects(step) && also(step))
    }
}

/// Tells that nothing is as `parts` (a pattern of ids, a type, a label) say.
fn no_match(cx: &mut Cx<'_>, flat: &[&StepDef], formula: &Formula, what: &str, parts: [Option<&Text>; 3]) {
    let Some(first) = parts.into_iter().flatten().next() else { return };
    let ids = || flat.iter().map(|step| step.id.as_str());
    let glob = parts[0].and_then(|pattern| Glob::new(pattern.as_str()).ok());
    let pattern = parts[0].filter(|_| glob.is_some_and(|glob| !ids().any(|id| glob.matches(id))));
    let Some(pattern) = pattern else {
        let message = format!("no step is as this {what} says");
        cx.report.push(Diagnostic::warning("no-match", message).at(&first.at, "selects nothing"));
        return;
    };
    // A plain name is meant for one step. A pattern, or what stands in a parent, may be for others.
    let plain = !pattern.as_str().contains(['*', '?', '[', '{']);
    let own = pattern.at.source.path == formula.source.path;
    let message = format!("no step matches `{pattern}`");
    let finding = if plain && own && !flat.is_empty() {
        Diagnostic::by_layer(&pattern.at, "no-match", message, "")
    } else {
        Diagnostic::warning("no-match", message)
    };
    let inner = format!(".{pattern}");
    let round = ids().any(|id| id.ends_with(&inner)).then(|| format!("did you mean `*{inner}`?"));
    let woven =
        || "advice is for steps that are there before any of the same file is woven in; an aspect of its own sees them";
    let help = round.or_else(|| adds(formula, pattern).then(|| woven().to_owned()));
    cx.report.push(finding.at(&pattern.at, "selects nothing").suggest(pattern.as_str(), ids()).maybe_help(help));
}

/// Whether the formula's own advice adds steps of that name.
fn adds(formula: &Formula, name: &Text) -> bool {
    formula.advice.iter().flat_map(Rule::sides).flatten().any(|new| {
        let pattern = new.id.as_str().replace("{step.id}", "*").replace("{id}", "*");
        Glob::new(&pattern).is_ok_and(|pattern| pattern.matches(name.as_str()))
    })
}

/// Weaves the aspects of `compose.aspects`, in order: a later one sees the steps of an earlier one.
pub(in super::super) fn aspects(cx: &mut Cx<'_>, mut steps: Vec<StepDef>, formula: &Formula) -> Vec<StepDef> {
    for name in &formula.compose.aspects {
        match cx.library.find_lua(name.as_str()) {
            Err(report) => report.findings.into_iter().for_each(|f| cx.report.push(f)),
            Ok(Some(file)) => steps = lua(cx, steps, &file, formula),
            Ok(None) => {
                let Some(aspect) = cx.whole(name.as_str(), &name.at) else { continue };
                if aspect.kind == Kind::Aspect {
                    steps = rules(cx, steps, &aspect.advice, &aspect.pointcuts);
                } else {
                    cx.report.push(
                        Diagnostic::error("not-an-aspect", format!("`{name}` is not an aspect"))
                            .at(&name.at, format!("a formula of type {}", aspect.kind.word()))
                            .help("an aspect has type = \"aspect\" and [[advice]]"),
                    );
                }
            }
        }
    }
    steps
}

/// What is to be put around one step.
#[derive(Default)]
struct Around {
    before: Vec<StepDef>,
    after: Vec<(StepDef, bool)>,
}

/// For each of the steps that are there now, by id.
type Plan = HashMap<Arc<str>, Around>;

fn rules(cx: &mut Cx<'_>, steps: Vec<StepDef>, rules: &[Rule], pointcuts: &[Pointcut]) -> Vec<StepDef> {
    if rules.is_empty() {
        return steps;
    }
    let cuts: Vec<(Option<Glob>, &Pointcut)> =
        pointcuts.iter().map(|p| (p.glob.as_ref().and_then(|g| Glob::new(g.as_str()).ok()), p)).collect();
    let targets: Vec<Option<Glob>> =
        rules.iter().map(|r| r.target.as_ref().and_then(|t| Glob::new(t.as_str()).ok())).collect();
    // What they add is counted before any of it is made.
    let mut chosen: Vec<(&StepDef, &Rule)> = Vec::new();
    let (mut added, mut bytes, limits) = (0_u64, 0, cx.limits);
    walk(&steps, &mut |step| {
        if bytes > limits.bytes || added > limits.steps {
            return;
        }
        if !cuts.is_empty()
            && !cuts.iter().any(|(glob, cut)| selected(step, glob.as_ref(), cut.kind.as_ref(), cut.label.as_ref()))
        {
            return;
        }
        for (rule, glob) in rules.iter().zip(&targets) {
            if rule.target.is_some() && glob.is_none()
                || !selected(step, glob.as_ref(), rule.kind.as_ref(), rule.label.as_ref())
            {
                continue;
            }
            let texts = [Some(&step.id), step.title.as_ref(), step.description.as_ref()].into_iter().flatten();
            let longest = texts.map(|t| t.as_str().len()).max().unwrap_or(0);
            bytes = rule.sides().into_iter().map(|s| text_bound(s, longest)).fold(bytes, u64::saturating_add);
            added += rule.sides().into_iter().map(<[StepDef]>::len).sum::<usize>() as u64;
            chosen.push((step, rule));
        }
    });
    let place = rules.first().and_then(|r| r.target.as_ref()).or_else(|| steps.first().map(|s| &s.id));
    if place.is_some_and(|place| !cx.allow(added, &place.at) || !cx.allow_text(bytes, &place.at)) {
        return steps;
    }
    let mut plan = Plan::new();
    for (step, rule) in chosen {
        let around = plan.entry(Arc::clone(&step.id.value)).or_default();
        let before = rule.before.iter().chain(&rule.around_before);
        around.before.extend(before.map(|new| about(cx, new, step)));
        let after = rule.after.iter().chain(&rule.around_after);
        around.after.extend(after.map(|new| (about(cx, new, step), rule.gates)));
    }
    carry_out(steps, plan)
}

/// All that is given must hold.
fn selected(step: &StepDef, glob: Option<&Glob>, kind: Option<&Text>, label: Option<&Text>) -> bool {
    glob.is_none_or(|g| g.matches(step.id.as_str()))
        && kind.is_none_or(|k| step.kind.as_ref().map_or("task", Text::as_str) == k.as_str())
        && label.is_none_or(|l| step.labels.contains(l))
}

/// The new step with `{step.id}` and its like filled from the step that it is for.
fn about(cx: &Cx<'_>, new: &StepDef, step: &StepDef) -> StepDef {
    let about = |id: &str, name: &str| match name {
        "step.id" | "id" => Some(id.to_owned()),
        "step.title" | "title" => Some(step.title().to_owned()),
        "step.description" => Some(step.description.as_ref().map_or("", Text::as_str).to_owned()),
        _ => None,
    };
    let mut new = new.clone();
    let named = |of: &str| fill_single(new.id.as_str(), |name| about(of, name)).unwrap_or_else(|| new.id.to_string());
    new.id = new.id.with(cx.made_for(step.id.as_str(), named));
    super::control::fill_texts(&mut new, &|name| about(step.id.as_str(), name));
    new
}

fn lua(cx: &mut Cx<'_>, steps: Vec<StepDef>, file: &AspectFile, formula: &Formula) -> Vec<StepDef> {
    let mut views = Vec::new();
    let mut flat: Vec<&StepDef> = Vec::new();
    walk(&steps, &mut |s| {
        flat.push(s);
        views.push(view(s, formula));
    });
    let advice = match cx.aspects.advise(file, &views) {
        Ok(advice) => advice,
        Err(report) => {
            report.findings.into_iter().for_each(|f| cx.report.push(f));
            return steps;
        }
    };
    let here = At::new(&file.source, 0..0);
    if !cx.allow(advice.len() as u64, &here) {
        return steps;
    }
    cx.sources.push((file.name.clone(), file.source.path.clone(), file.source.layer.word().to_owned()));
    let revision = super::freeze::revision(&file.source.text);
    cx.woven.push(Woven { aspect: file.name.clone(), path: file.source.path.clone(), revision });
    let mut plan = Plan::new();
    for one in advice {
        let Some(step) = flat.get(one.step) else { continue };
        let text = |t: &str| Text::new(t, here.clone());
        let named = |of: &str| {
            let whose = |name: &str| (name == "id").then(|| of.to_owned());
            fill_single(&one.new.id, whose).unwrap_or_else(|| format!("{}-{of}", one.new.id))
        };
        let id = cx.made_for(step.id.as_str(), named);
        let side = if one.after { "after" } else { "before" };
        let mut new = StepDef::new(text(&id), file.name.as_str().into(), format!("advise.{side}").into());
        new.title = (!one.new.title.is_empty()).then(|| text(&one.new.title));
        new.description = (!one.new.description.is_empty()).then(|| text(&one.new.description));
        new.kind = one.new.kind.as_deref().map(text);
        new.labels = one.new.labels.iter().map(|l| text(l)).collect();
        new.touches = one.new.only_if.as_ref().map(|o| o.touches.iter().map(|g| text(g)).collect());
        new.run = one.new.run.as_deref().map(|run| Box::new(text(run)));
        let around = plan.entry(Arc::clone(&step.id.value)).or_default();
        if one.after {
            around.after.push((new, one.new.gates));
        } else {
            around.before.push(new);
        }
    }
    carry_out(steps, plan)
}

fn view(step: &StepDef, formula: &Formula) -> StepView {
    let string = |t: &Option<Text>| t.as_ref().map(|t| t.as_str().to_owned());
    let mut needs: Vec<String> = step.depends_on.iter().map(|t| t.as_str().to_owned()).collect();
    needs.extend(step.needs.iter().map(|t| t.as_str().to_owned()));
    StepView {
        id: step.id.as_str().to_owned(),
        title: step.title().to_owned(),
        description: string(&step.description).unwrap_or_default(),
        kind: string(&step.kind).unwrap_or_else(|| "task".to_owned()),
        labels: step.labels.iter().map(|t| t.as_str().to_owned()).collect(),
        needs,
        metadata: step.metadata.as_deref().cloned().unwrap_or_default(),
        formula: formula.name.as_str().to_owned(),
    }
}

fn carry_out(steps: Vec<StepDef>, mut plan: Plan) -> Vec<StepDef> {
    // Dependents first: they wait for the last step after the one they need that gates.
    let held: HashMap<Arc<str>, Text> = plan
        .iter()
        .filter_map(|(id, around)| {
            let (last, _) = around.after.iter().rev().find(|(_, gates)| *gates)?;
            Some((Arc::clone(id), last.id.clone()))
        })
        .collect();
    let mut steps = steps;
    if !held.is_empty() {
        walk_mut(&mut steps, &mut |step| {
            let more: Vec<Text> =
                step.needs.iter().chain(&step.depends_on).filter_map(|n| held.get(&n.value)).cloned().collect();
            for id in more {
                step.need(&id);
            }
        });
    }
    insert(steps, &mut plan)
}

fn insert(steps: Vec<StepDef>, plan: &mut Plan) -> Vec<StepDef> {
    let mut out = Vec::with_capacity(steps.len());
    for mut step in steps {
        step.children = insert(std::mem::take(&mut step.children), plan);
        let Some(around) = plan.remove(&step.id.value) else {
            out.push(step);
            continue;
        };
        let target = step.id.clone();
        let mut previous: Option<Text> = None;
        for mut new in around.before {
            match &previous {
                None => {
                    new.needs.clone_from(&step.needs);
                    new.depends_on.clone_from(&step.depends_on);
                }
                Some(id) => new.need(id),
            }
            previous = Some(new.id.clone());
            adopt(&mut new, &step);
            out.push(new);
        }
        if let Some(id) = &previous {
            step.need(id);
        }
        let context = step.clone_context();
        out.push(step);
        let mut previous = target;
        for (mut new, _) in around.after {
            new.need(&previous);
            previous = new.id.clone();
            adopt(&mut new, &context);
            out.push(new);
        }
    }
    out
}

/// What is woven around a step that may be left out is left out with it.
fn adopt(new: &mut StepDef, step: &StepDef) {
    new.condition.extend(step.condition.iter().cloned());
}

impl StepDef {
    /// The step without its texts and children.
    fn clone_context(&self) -> Self {
        let mut copy = Self::new(self.id.clone(), Arc::clone(&self.formula), Arc::clone(&self.location));
        copy.condition.clone_from(&self.condition);
        copy
    }
}
