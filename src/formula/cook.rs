//! The whole pipeline.

use std::sync::Arc;

use super::def::{Compose, Formula, Kind, StepDef, VarDef, walk, walk_mut};
use super::explain::{Change, Trace};
use super::stage::{
    Cx, again, branch, check, conditions, control, convoy, expand, extends, freeze, patrol, placeholders, weave,
};
use super::{Aspects, Diagnostic, Library, NoAspects, Proto, Report, Text, Var, Vars, Woven, fill};

/// Whether placeholders stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// `{{name}}` stays: the protomolecule serves any values.
    #[default]
    Compile,
    /// Every variable that is used gets its value now; one without is an error.
    Runtime,
    /// As `Compile`, for a molecule that is to be poured of it: a variable is an error that pouring would find without a
    /// value.
    Pour,
}

/// How to cook.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Values of variables. They decide loops; texts are filled only with [`Mode::Runtime`]. Names that the formula
    /// does not declare are allowed.
    pub vars: &'a Vars,
    /// Whether placeholders stay.
    pub mode: Mode,
    /// Evaluates Lua aspects.
    pub aspects: &'a dyn Aspects,
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("vars", &self.vars).field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// What cooking gives.
#[derive(Debug, Clone)]
pub struct Cooked {
    /// The frozen template.
    pub proto: Proto,
    /// Warnings.
    pub warnings: Report,
    /// What each stage did.
    pub trace: Trace,
    pub(crate) formula: Formula,
}

/// Cooks the formula `name` and keeps its placeholders. Warnings are dropped and Lua aspects refused; [`compile`]
/// keeps the ones and knows the others.
pub fn cook(library: &Library, name: &str, vars: &Vars) -> Result<Proto, Report> {
    compile_proto(library, name, Options { vars, mode: Mode::Compile, aspects: &NoAspects }).map(|(proto, _)| proto)
}

/// Cooks the formula `name`. The error holds everything that was found, warnings too.
pub fn compile(library: &Library, name: &str, options: Options<'_>) -> Result<Cooked, Report> {
    let Done { formula, sources, woven, more, report, trace } =
        finished(library, name, options, &[], Trace::default())?;
    let proto = freeze::freeze(&formula, freeze::flat(&formula.steps), sources, woven, more);
    Ok(Cooked { proto, warnings: report, trace, formula })
}

/// As [`compile`], for those who want the protomolecule alone, and the warnings. Takes half the memory, which counts
/// where a loop makes a million steps.
pub fn compile_proto(library: &Library, name: &str, options: Options<'_>) -> Result<(Proto, Report), Report> {
    proto_within(library, name, options, &[])
}

fn proto_within(
    library: &Library,
    name: &str,
    options: Options<'_>,
    within: &[&str],
) -> Result<(Proto, Report), Report> {
    let Done { mut formula, sources, woven, more, report, .. } =
        finished(library, name, options, within, Trace::off())?;
    let flat = freeze::into_flat(std::mem::take(&mut formula.steps));
    Ok((freeze::freeze(&formula, flat, sources, woven, more), report))
}

/// The formulas that steps bond when they are closed, cooked: closing a step is to read no file. `within` are the
/// formulas that asked for this one.
fn bonds(cx: &mut Cx<'_>, library: &Library, options: Options<'_>, steps: &[StepDef], within: &[&str]) -> Vec<Proto> {
    let mut asked: Vec<Text> = Vec::new();
    walk(steps, &mut |s| {
        if let Some(on) = s.on_complete.as_ref().filter(|on| !asked.contains(&on.bond)) {
            asked.push(on.bond.clone());
        }
    });
    let mut protos = Vec::new();
    for bond in asked {
        // Values are known only when the step is closed.
        let options = Options { vars: &Vars::new(), mode: Mode::Compile, ..options };
        let cooked = if within.contains(&bond.as_str()) {
            Err("it bonds itself in the end".to_owned())
        } else {
            proto_within(library, bond.as_str(), options, within).map_err(|report| {
                let first = report.findings.into_iter().find(|f| f.severity == super::Severity::Error);
                first.map_or_else(String::new, |f| f.message)
            })
        };
        match cooked {
            Ok((proto, _)) => protos.push(proto),
            Err(why) => cx.report.push(
                Diagnostic::warning("bond", format!("`{bond}` cannot be bonded when the step is closed: {why}"))
                    .at(&bond.at, "asked for here"),
            ),
        }
    }
    protos
}

/// A formula whose stages are done.
struct Done {
    formula: Formula,
    sources: Vec<(String, String, String)>,
    woven: Vec<Woven>,
    /// Rounds and bonds.
    more: (Vec<String>, Vec<Proto>),
    report: Report,
    trace: Trace,
}

fn finished(
    library: &Library,
    name: &str,
    options: Options<'_>,
    within: &[&str],
    mut trace: Trace,
) -> Result<Done, Report> {
    let beside = library.beside(name);
    let library = beside.as_ref().unwrap_or(library);
    let (mut formula, mut sources, mut report) = find(library, name, options, &mut trace)?;
    // Loops are decided by values, so the defaults count before anything is unrolled.
    let mut values: Vars =
        formula.vars.iter().filter_map(|(k, def)| Some((k.clone(), def.var.default.clone()?))).collect();
    values.extend(options.vars.iter().map(|(k, v)| (k.clone(), v.clone())));
    let mut cx = Cx::new(library, options.aspects, &values);
    let steps = stages(&mut cx, &formula, &mut trace);
    for point in &mut formula.compose.bond_points {
        point.after.iter_mut().for_each(|id| *id = cx.last(id));
        if let Some(before) = &mut point.before {
            let mut begin = cx.begin(before).into_iter();
            *before = begin.next().unwrap_or_else(|| before.clone());
            point.also_before = begin.collect();
        }
    }
    check::values(&mut cx, &formula);
    if options.mode != Mode::Runtime {
        placeholders::slips(&mut cx, &formula, options.vars);
    }
    if options.mode != Mode::Compile {
        placeholders::missing(&mut cx, &formula, &steps, options.vars, options.mode);
        check::filled(&mut cx, &steps);
    }
    if options.mode == Mode::Runtime {
        placeholders::fit(&mut cx, &formula, &steps);
    }
    let path: Vec<&str> = within.iter().copied().chain([formula.name.as_str(), name]).collect();
    let bonded = bonds(&mut cx, library, options, &steps, &path);
    let rounds = std::mem::take(&mut cx.rounds).into_iter().map(|scope| scope.id).collect();
    let more = (rounds, bonded);
    for source in std::mem::take(&mut cx.sources) {
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    let woven = std::mem::take(&mut cx.woven);
    merge(&mut report, cx.report);
    report.sort();
    if report.failed() {
        return Err(report);
    }
    formula.steps = steps;
    if options.mode == Mode::Runtime {
        substitute(&mut formula, &values);
        settle(&mut formula, &values);
    }
    Ok(Done { formula, sources, woven, more, report, trace })
}

type Loaded = (Formula, Vec<(String, String, String)>, Report);

/// Parses and extends.
fn find(library: &Library, name: &str, options: Options<'_>, trace: &mut Trace) -> Result<Loaded, Report> {
    let none = Vars::new();
    let mut cx = Cx::new(library, options.aspects, &none);
    let resolved = cx.load(name, None).and_then(|loaded| {
        trace.start(&loaded.steps);
        extends::resolve(&mut cx, &loaded)
    });
    let Some(formula) = resolved else {
        cx.report.sort();
        return Err(cx.report);
    };
    trace.note("extends", &formula.steps);
    Ok((formula, cx.sources, cx.report))
}

/// Findings of the second round that the first made too are not said twice.
fn merge(report: &mut Report, more: Report) {
    for finding in more.findings {
        let known = report
            .findings
            .iter()
            .any(|f| f.code == finding.code && f.message == finding.message && f.place() == finding.place());
        if !known {
            report.push(finding);
        }
    }
}

fn stages(cx: &mut Cx<'_>, formula: &Formula, trace: &mut Trace) -> Vec<StepDef> {
    let mut steps = formula.steps.clone();
    cx.allow(super::def::count(&steps), &formula.name.at);
    steps = control::apply(cx, steps);
    trace.note("loops", &steps);
    branch::apply(cx, &mut steps, &formula.compose);
    trace.note("branch", &steps);
    // The advice of an aspect is for others; the steps that it has of its own are checked as any.
    if formula.kind != Kind::Aspect {
        steps = weave::own(cx, steps, formula);
        trace.note("advice", &steps);
        steps = expand::inline(cx, steps);
        let Compose { expand: by_id, map, .. } = &formula.compose;
        steps = expand::rules(cx, steps, by_id, map);
        trace.note("expand", &steps);
        steps = weave::aspects(cx, steps, formula);
        trace.note("aspects", &steps);
    }
    again::number(cx, &mut steps);
    if !cx.is_over() {
        conditions::settle(cx, &mut steps);
        check::graph(cx, &steps, formula);
        patrol::check(cx, &steps, formula);
        convoy::check(cx, formula);
    }
    steps
}

/// What is filled in has no other value when the protomolecule is poured.
fn settle(formula: &mut Formula, values: &Vars) {
    for (name, value) in values {
        let at = &formula.name.at;
        let undeclared = || VarDef { var: Var::default(), at: at.clone(), default_at: at.clone() };
        let var = &mut formula.vars.entry(name.clone()).or_insert_with(undeclared).var;
        (var.default, var.required, var.fixed) = (Some(value.clone()), false, true);
    }
}

/// Fills the texts that pouring would fill.
fn substitute(formula: &mut Formula, values: &Vars) {
    let filled = |text: &mut Text| {
        if text.as_str().contains("{{") {
            *text = text.with(fill(text.as_str(), values));
        }
    };
    formula.description.iter_mut().for_each(filled);
    walk_mut(&mut formula.steps, &mut |s| {
        s.title.iter_mut().chain(&mut s.description).for_each(filled);
        s.labels.iter_mut().for_each(filled);
        [&mut s.notes, &mut s.acceptance, &mut s.assignee].into_iter().flatten().for_each(|text| filled(text));
        if let Some(gate) = &mut s.gate {
            Arc::make_mut(gate).id.iter_mut().for_each(filled);
        }
        if let Some(globs) = &mut s.touches {
            Arc::make_mut(globs).iter_mut().for_each(filled);
        }
        if let Some(on) = &mut s.on_complete {
            Arc::make_mut(on).vars.values_mut().for_each(filled);
        }
    });
}

impl Cooked {
    /// The variables used in texts, in order of first appearance.
    pub fn used_vars(&self) -> Vec<String> {
        let used = placeholders::used(&self.formula.steps, &self.formula, true);
        used.into_iter().map(|(name, _)| name.to_owned()).collect()
    }

    /// How many steps stand at the top level.
    pub fn top_level(&self) -> usize {
        self.formula.steps.len()
    }

    /// Where each step came from, in order.
    pub fn origins(&self) -> Vec<Change> {
        let mut out = Vec::new();
        walk(&self.formula.steps, &mut |s| out.push(Change::of(s)));
        out.extend(convoy::parts(&self.formula).map(|(id, location)| {
            let file = id.at.source.path.as_str();
            let from = self.proto.sources.iter().find(|(_, path, _)| path == file);
            let formula = from.map_or(self.proto.formula.as_str(), |(name, ..)| name.as_str());
            Change::at(&id, formula, location)
        }));
        out
    }
}
