//! Lua aspects: a pure function over the steps of a formula, in the sandbox and within the limits of a policy.
//!
//! The compiler asks through its trait [`Aspects`]. Each step is judged twice, the second time in reverse order: a
//! function that remembers what it saw gives two answers, and that is an error.

use std::sync::Arc;
use std::time::Instant;

use mlua::{Function, Value};

use super::check;
use super::diagnostic::Diagnostic;
use super::engine::Limits;
use super::facts::Snapshot;
use super::layer::{Layer, LayerSource};
use super::reads::NoReads;
use super::schema::Fact;
use super::vm::{self, Failure, Vm};
use crate::base::text;
use crate::formula::{self, Advice, AspectFile, Aspects, At, NewStep, Report, StepView};

/// Records are dropped after that many steps: a formula may have a million.
const FRESH: usize = 512;

/// Bytes of text that the advice of one aspect may hold for one formula.
const TEXTS: usize = 64 << 20;

/// Evaluates Lua aspects.
#[derive(Debug, Clone, Copy, Default)]
pub struct LuaAspects {
    limits: Limits,
}

impl LuaAspects {
    /// Others than the usual limits.
    pub fn with_limits(limits: Limits) -> Self {
        Self { limits }
    }
}

impl Aspects for LuaAspects {
    fn advise(&self, aspect: &AspectFile, steps: &[StepView]) -> Result<Vec<Advice>, Report> {
        let source = LayerSource::new(Layer::Town, aspect.source.path.clone(), aspect.source.text.clone());
        let report = |errors: &[Diagnostic]| {
            let mut report = Report::default();
            for error in errors {
                report.push(finding(aspect, error));
            }
            report
        };
        let errors = check::sources(std::slice::from_ref(&source));
        if !errors.is_empty() {
            return Err(report(&errors));
        }
        let mut asked = Asked::open(&source, self.limits, steps).map_err(|d| report(&[d]))?;
        let first = asked.all(0..steps.len()).map_err(|d| report(&[d]))?;
        let mut second = asked.all((0..steps.len()).rev()).map_err(|d| report(&[d]))?;
        second.reverse();
        if let Some(index) = differing(&first, &second) {
            let mut error = asked.whole(format!("asked twice about step `{}`, it gives two answers", steps[index].id));
            error.help = Some("advice may depend on the step alone, not on what was seen before".into());
            return Err(report(&[error]));
        }
        let flat = |(step, said): (usize, Said)| said.into_iter().map(move |(after, new)| Advice { step, after, new });
        Ok(first.into_iter().flat_map(flat).collect())
    }
}

/// The advice for one step: comes after it or before, and what comes there.
type Said = Vec<(bool, NewStep)>;

/// An aspect that is loaded, and the steps that it is asked about.
struct Asked<'s> {
    vm: Vm,
    advise: Function,
    /// Where `gt.aspect` was called.
    line: u32,
    steps: &'s [StepView],
    limits: Limits,
}

impl<'s> Asked<'s> {
    fn open(source: &LayerSource, limits: Limits, steps: &'s [StepView]) -> Result<Self, Diagnostic> {
        let (vm, advise, line) = vm::load_aspect(source, limits)?;
        Ok(Self { vm, advise, line, steps, limits })
    }

    fn all(&mut self, order: impl ExactSizeIterator<Item = usize>) -> Result<Vec<(usize, Said)>, Diagnostic> {
        // A pass over a town has some hundred subjects; a formula may have any number of steps.
        let passes = 1 + order.len() / 10_000;
        let time = self.limits.pass * u32::try_from(passes).unwrap_or(u32::MAX);
        let started = Instant::now();
        let (mut all, mut bytes) = (Vec::new(), 0);
        for (n, index) in order.enumerate() {
            if n % FRESH == 0 {
                self.vm.begin_pass(&Arc::new(Snapshot::default())).map_err(|e| self.vm.diagnose(&e))?;
            }
            let said = self.one(&self.steps[index])?;
            bytes += said.iter().map(|(_, new)| size(new)).sum::<usize>();
            if bytes > TEXTS {
                return Err(self.whole(format!("its advice holds more than {} MB of text", TEXTS >> 20)));
            }
            if started.elapsed() > time {
                let all = text::count(self.steps.len(), "step");
                return Err(self.whole(format!("{all} took it longer than {} ms", time.as_millis())));
            }
            if !said.is_empty() {
                all.push((index, said));
            }
        }
        Ok(all)
    }

    fn one(&self, step: &StepView) -> Result<Said, Diagnostic> {
        let fact = Fact::FormulaStep(Arc::new(step.clone()));
        let ask = || -> mlua::Result<Value> {
            self.vm.begin(Some(fact.clone()))?;
            self.vm.record(fact.clone()).map(Value::UserData)
        };
        let record = ask().map_err(|e| self.vm.diagnose(&e))?;
        let said = self
            .vm
            .call::<Value>(&self.advise, record, &NoReads)
            .and_then(|value| self.vm.guarded(|_| vm::advice_of(&value)));
        said.map_err(|failure| {
            let mut error = match failure {
                Failure::Error(d) | Failure::Tripped(d) => d,
                Failure::Unreadable(what) => Diagnostic::bare(format!("unreadable: {what}")),
            };
            error.message = format!("step `{}`: {}", step.id, error.message);
            if error.line == 0 {
                error.line = self.line;
            }
            error
        })
    }

    /// An error about the aspect as a whole.
    fn whole(&self, message: String) -> Diagnostic {
        let mut error = Diagnostic::bare(message);
        error.line = self.line;
        error.help = Some("advice is for few steps, and short".into());
        error
    }
}

/// The first step about which the two answers differ.
fn differing(first: &[(usize, Said)], second: &[(usize, Said)]) -> Option<usize> {
    let apart = first.iter().zip(second).find(|(a, b)| a != b).map(|(a, b)| a.0.min(b.0));
    apart.or_else(|| first.get(second.len()).or_else(|| second.get(first.len())).map(|(index, _)| *index))
}

fn size(new: &NewStep) -> usize {
    new.id.len() + new.title.len() + new.description.len() + new.labels.iter().map(String::len).sum::<usize>()
}

/// A finding of the policy engine as one of the compiler.
fn finding(aspect: &AspectFile, error: &Diagnostic) -> formula::Diagnostic {
    let source = &aspect.source.text;
    // What is missing at the end of the file is missing after its last line.
    let line = (error.line.max(1) as usize).min(source.trim_end().lines().count().max(1)) - 1;
    let start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let written = source[start..].lines().next().unwrap_or_default();
    let chars = |n: usize| written.char_indices().nth(n).map_or(written.len(), |(i, _)| i);
    let range = if let Some((column, width)) = error.column {
        let first = column.saturating_sub(1) as usize;
        start + chars(first)..start + chars(first + width as usize)
    } else {
        let lead = written.len() - written.trim_start().len();
        start + lead..start + written.trim_end().len().max(lead)
    };
    formula::Diagnostic::error("lua-aspect", format!("aspect `{}`: {}", aspect.name, error.message))
        .at(&At::new(&aspect.source, range), "here")
        .maybe_help(error.help.clone())
}
