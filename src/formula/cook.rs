//! The whole pipeline.

use super::def::{Compose, Formula, Kind, StepDef, walk, walk_mut};
use super::explain::{Change, Trace};
use super::stage::{Cx, branch, check, control, expand, extends, freeze, weave};
use super::{Aspects, Diagnostic, Library, NoAspects, Proto, Report, Text, Vars, fill};

/// Whether placeholders stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// `{{name}}` stays: the protomolecule serves any values.
    #[default]
    Compile,
    /// Every variable that is used gets its value now; one without is an error.
    Runtime,
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
    compile(library, name, Options { vars, mode: Mode::Compile, aspects: &NoAspects }).map(|cooked| cooked.proto)
}

/// Cooks the formula `name`. The error holds everything that was found, warnings too.
pub fn compile(library: &Library, name: &str, options: Options<'_>) -> Result<Cooked, Report> {
    let (formula, mut sources, mut report) = find(library, name, options)?;
    // Loops are decided by values, so the defaults count before anything is unrolled.
    let mut values: Vars =
        formula.vars.iter().filter_map(|(k, def)| Some((k.clone(), def.var.default.clone()?))).collect();
    values.extend(options.vars.iter().map(|(k, v)| (k.clone(), v.clone())));
    let mut cx = Cx::new(library, options.aspects, &values);
    let mut trace = Trace::default();
    let steps = stages(&mut cx, &formula, &mut trace);
    check::values(&mut cx, &formula);
    if options.mode == Mode::Runtime {
        all_filled(&mut cx, &formula, &steps);
    }
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
    let mut formula = formula;
    formula.steps = steps;
    if options.mode == Mode::Runtime {
        substitute(&mut formula, &values);
    }
    let proto = freeze::freeze(&formula, &formula.steps, sources, woven);
    Ok(Cooked { proto, warnings: report, trace, formula })
}

type Loaded = (Formula, Vec<(String, String, String)>, Report);

/// Parses and extends.
fn find(library: &Library, name: &str, options: Options<'_>) -> Result<Loaded, Report> {
    let none = Vars::new();
    let mut cx = Cx::new(library, options.aspects, &none);
    let resolved = cx.load(name, None).and_then(|loaded| extends::resolve(&mut cx, &loaded));
    let Some(formula) = resolved else {
        cx.report.sort();
        return Err(cx.report);
    };
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
    trace.start(&steps);
    steps = control::apply(cx, steps);
    trace.note("loops", &steps);
    branch::apply(cx, &mut steps, &formula.compose);
    trace.note("branch", &steps);
    if formula.kind == Kind::Aspect {
        // The advice of an aspect is for others.
        return steps;
    }
    steps = weave::own(cx, steps, formula);
    trace.note("advice", &steps);
    steps = expand::inline(cx, steps);
    let Compose { expand: by_id, map, .. } = &formula.compose;
    steps = expand::rules(cx, steps, by_id, map);
    trace.note("expand", &steps);
    steps = weave::aspects(cx, steps, formula);
    trace.note("aspects", &steps);
    if !cx.report.findings.iter().any(|f| f.code == "too-many-steps") {
        check::graph(cx, &steps, formula);
    }
    steps
}

fn all_filled(cx: &mut Cx<'_>, formula: &Formula, steps: &[StepDef]) {
    let missing = check::unfilled(steps, formula, cx.vars);
    if missing.is_empty() {
        return;
    }
    let mut finding =
        Diagnostic::error("missing-var", format!("these variables have no value: {}", missing.join(", "))).help(
            format!("give them: {}", missing.iter().map(|m| format!("--var {m}=…")).collect::<Vec<_>>().join(" ")),
        );
    if let Some(def) = missing.iter().find_map(|m| formula.vars.get(&**m)) {
        finding = finding.at(&def.at, "declared without a default");
    }
    cx.report.push(finding);
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
        [&mut s.title, &mut s.description, &mut s.notes, &mut s.acceptance].into_iter().flatten().for_each(filled);
        if let Some(gate) = &mut s.gate {
            std::sync::Arc::make_mut(gate).id.iter_mut().for_each(filled);
        }
    });
}

impl Cooked {
    /// The variables used in texts, in order of first appearance.
    pub fn used_vars(&self) -> Vec<String> {
        let none = Vars::new();
        check::unfilled(&self.formula.steps, &self.formula, &none).iter().map(ToString::to_string).collect()
    }

    /// How many steps stand at the top level.
    pub fn top_level(&self) -> usize {
        self.formula.steps.len()
    }

    /// Where each step came from, in order.
    pub fn origins(&self) -> Vec<Change> {
        let mut out = Vec::new();
        walk(&self.formula.steps, &mut |s| out.push(Change::of(s)));
        out
    }
}
