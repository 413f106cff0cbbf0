//! Tests of policies, written in Lua beside them: `roles/witness_test.lua` tests the role `witness`.
//!
//! A case gets a town in memory with a virtual clock, and the real engine judges it. Every rule is judged twice on the
//! same facts: one that answers differently keeps state, and the case fails; so does one that brings a warning.
//! Aspects are tested by what they weave, see [`run_aspect_tests`].

mod aspect;
mod facts;
mod module;
mod shelf;
mod town;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mlua::{Function, Lua};

use super::diagnostic::Diagnostic;
use super::engine::{Engine, Limits};
use super::layer::LayerSource;
use super::patrol::plans;
use super::vm::{Failure, Vm, load_test};
use crate::formula::{Aspects, Library};

pub use aspect::run_aspect_tests;

/// What a role under test is made of: its layers, lowest first, and its settings.
pub type Sources<'a> = &'a dyn Fn(&str) -> Option<(Vec<LayerSource>, toml::Table)>;

/// What became of a test file.
#[derive(Debug, Clone, Default)]
pub struct TestReport {
    /// Each case and each line of a rule table.
    pub cases: Vec<TestCase>,
    /// What `expect` got where it wanted something else: line of the call, and the text to put there.
    pub accept: Vec<(u32, String)>,
}

/// One case.
#[derive(Debug, Clone)]
pub struct TestCase {
    /// Its name.
    pub name: String,
    /// Why it failed.
    pub failure: Option<Diagnostic>,
}

impl TestReport {
    /// Whether every case held, and there was one.
    pub fn is_good(&self) -> bool {
        !self.cases.is_empty() && self.cases.iter().all(|c| c.failure.is_none())
    }

    /// The test file with the texts of `expect` replaced by what happened.
    pub fn accepted(&self, text: &str) -> String {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (line, got) in self.accept.iter().rev() {
            let Some(first) = lines.iter().skip(*line as usize - 1).position(|l| l.contains("[[")) else { continue };
            let first = first + *line as usize - 1;
            let Some(last) = lines.iter().skip(first).position(|l| l.contains("]]")) else { continue };
            let indent: String = lines[first].chars().take_while(|c| c.is_whitespace()).collect();
            let body = got.lines().map(|l| format!("{indent}  {l}"));
            let open = lines[first].split_once("[[").map_or(String::new(), |(head, _)| format!("{head}[["));
            let tail = lines[first + last].split_once("]]").map_or(String::new(), |(_, t)| format!("{indent}]]{t}"));
            let new: Vec<String> = std::iter::once(open).chain(body).chain([tail]).collect();
            lines.splice(first..=first + last, new);
        }
        lines.join("\n") + "\n"
    }
}

/// What the Lua side of a test file shares with this one.
#[derive(Default)]
struct Bench {
    /// Name, line and body of each.
    cases: Vec<(String, u32, Function)>,
    report: TestReport,
}

impl Limits {
    /// For tests that somebody waits for: what must stop is an endless loop, and machines that run tests are busy.
    pub fn of_tests() -> Self {
        Self { time: Duration::from_secs(10), pass: Duration::from_secs(60), ..Self::default() }
    }
}

/// Runs one test file. Its name says which role it tests; `library` has the formulas of its patrols. `limits` are those
/// of each call of a test and of each call that the role gets from it.
pub fn run_tests(
    file: &LayerSource,
    sources: Sources<'_>,
    library: &Library,
    aspects: &dyn Aspects,
    limits: Limits,
) -> TestReport {
    let bench = Arc::new(Mutex::new(Bench::default()));
    let stem = file.path.rsplit('/').next().unwrap_or_default();
    let role = stem.strip_suffix("_test.lua").unwrap_or(stem).to_owned();
    let failed = |diagnostic: Diagnostic| failed(file, diagnostic);
    let Some((layers, settings)) = sources(&role) else {
        return failed(Diagnostic::bare(format!("there is no role `{role}` to test")));
    };
    let load = move || -> Result<Engine, Vec<Diagnostic>> {
        let mut engine = Engine::load_with(&role, &layers, &settings, limits)?;
        engine.judge_twice();
        Ok(engine)
    };
    let plans = match load() {
        Ok(engine) => plans(library, &[(engine.role().to_owned(), &engine)].into(), aspects).over(&[]),
        Err(errors) => {
            return failed(errors.into_iter().next().unwrap_or_else(|| Diagnostic::bare("it does not load")));
        }
    };
    if let Some(wrong) = plans.wrong.into_iter().find(|wrong| !wrong.role.is_empty()) {
        return failed(wrong.error);
    }
    let plans = Arc::new(plans.plans);
    match load_test(file, limits, |lua| module::module(lua, Arc::clone(&bench), Arc::new(load), plans)) {
        Ok(vm) => run_cases(&vm, file, &bench, module::case),
        Err(error) => failed(error),
    }
}

/// The report on a file that does not load.
fn failed(file: &LayerSource, diagnostic: Diagnostic) -> TestReport {
    let name = format!("{} loads", file.path);
    TestReport { cases: vec![TestCase { name, failure: Some(placed(file, 0, diagnostic)) }], accept: Vec::new() }
}

/// What overruns is stopped at no known place: then it is that of the case, or the file.
fn placed(file: &LayerSource, line: u32, mut diagnostic: Diagnostic) -> Diagnostic {
    if diagnostic.file.is_empty() {
        (diagnostic.file, diagnostic.line) = (file.path.clone(), line);
        let text = file.text.lines().nth((line as usize).wrapping_sub(1));
        text.unwrap_or_default().clone_into(&mut diagnostic.excerpt);
    }
    diagnostic
}

/// Runs what a test file has declared.
fn run_cases(
    vm: &Vm,
    file: &LayerSource,
    bench: &Mutex<Bench>,
    run: impl Fn(&Lua, &Function) -> mlua::Result<()>,
) -> TestReport {
    let take = || std::mem::take(&mut bench.lock().unwrap_or_else(PoisonError::into_inner).cases);
    for (name, line, function) in take() {
        let failure = match vm.guarded(|lua| run(lua, &function)) {
            Ok(()) => None,
            Err(Failure::Error(d) | Failure::Tripped(d)) => Some(placed(file, line, d)),
            Err(Failure::Unreadable(what)) => Some(placed(file, line, Diagnostic::bare(format!("unreadable: {what}")))),
        };
        bench.lock().unwrap_or_else(PoisonError::into_inner).report.cases.push(TestCase { name, failure });
    }
    let mut bench = bench.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut bench.report)
}
