//! One cycle of a patrol: its steps on one snapshot, each seeing what the ones before returned.

use std::sync::Arc;
use std::time::Instant;

use mlua::{MultiValue, Table, Value};

use super::{Level, Plan, PlannedStep};
use crate::policy::action::{Action, Subject};
use crate::policy::decision::{Because, Decision};
use crate::policy::diagnostic::Diagnostic;
use crate::policy::engine::{Engine, Loaded, Noted};
use crate::policy::facts::Snapshot;
use crate::policy::reads::Reads;
use crate::policy::schema::Fact;
use crate::policy::vm::{Failure, PolicyError, State, a, are_actions, collect};

/// What a cycle came to. Nothing of it is done yet.
#[derive(Debug, Clone, Default)]
pub struct Cycle {
    /// The steps that were judged, in order.
    pub steps: Vec<StepDone>,
    /// What they ask for, one decision for each step with actions.
    pub decisions: Vec<Decision>,
    /// What the cycle is to be remembered by; `None` when it is not.
    pub digest: Option<String>,
    /// The step at which it ended early, and why.
    pub failure: Option<(String, Diagnostic)>,
    /// A fact could not be read: nothing of this counts, and it is judged again.
    pub undecided: Option<String>,
    /// Errors on the way, each said once per revision.
    pub warnings: Vec<Diagnostic>,
}

/// A step that was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepDone {
    /// Its id.
    pub id: String,
    /// What it came to, in a few words: `mail overseer`, `3 found`.
    pub outcome: String,
}

impl Cycle {
    /// Whether something happened that is worth a record.
    pub fn did_something(&self) -> bool {
        !self.decisions.is_empty() || self.failure.is_some() || self.digest.is_some()
    }
}

/// What a step answered.
struct Answer {
    result: Value,
    actions: Vec<Action>,
    because: Vec<Because>,
    left: Option<Diagnostic>,
}

/// What all layers of a function said.
enum Said<T> {
    /// The answer, the height of the layer that gave it, and which ones failed before.
    Answer(T, usize, Vec<Because>),
    Undecided(String),
    Failed(Diagnostic),
}

impl Engine {
    /// Judges the steps of a patrol in order. Ends at the first that fails.
    pub fn cycle(&mut self, plan: &Plan, snapshot: &Arc<Snapshot>, reads: &dyn Reads) -> Cycle {
        let mut out = Cycle::default();
        let began = Instant::now();
        let begun = self.loaded(snapshot).and_then(|loaded| {
            let own = |e: mlua::Error| loaded.vm.diagnose(&e);
            loaded.vm.begin_pass(snapshot).map_err(own)?;
            let run = loaded.vm.lua().create_table().map_err(own)?;
            Ok((loaded, run))
        });
        let (loaded, run) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                out.failure = Some((String::new(), error));
                return out;
            }
        };
        for step in &plan.steps {
            if began.elapsed() > self.limits.pass {
                let ms = self.limits.pass.as_millis();
                let late = Diagnostic::bare(format!("patrol `{}` takes longer than {ms} ms", plan.name));
                out.failure = Some((step.id.clone(), late));
                break;
            }
            let name = format!("{}/{}", plan.name, step.id);
            let twice = self.twice;
            let ask = |loaded: &Loaded, level: &Level| judge(loaded, level, &run, reads, twice);
            match self.said(&loaded, &step.run, &name, &mut out.warnings, &ask) {
                Said::Answer(mut answer, height, failed) => {
                    answer.because.splice(0..0, failed);
                    self.done(&loaded, step, (name, height), answer, &run, snapshot, &mut out);
                }
                Said::Undecided(why) => {
                    return Cycle { undecided: Some(why), warnings: out.warnings, ..Cycle::default() };
                }
                Said::Failed(why) => {
                    out.failure = Some((step.id.clone(), why));
                    break;
                }
            }
            if out.failure.is_some() {
                break;
            }
        }
        self.remember(plan, &loaded, &run, reads, &mut out);
        out
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a cycle, used only here")]
    fn done(
        &mut self,
        loaded: &Loaded,
        step: &PlannedStep,
        (name, height): (String, usize),
        answer: Answer,
        run: &Table,
        snapshot: &Arc<Snapshot>,
        out: &mut Cycle,
    ) {
        if let Some(left) = answer.left {
            self.say(left, &mut out.warnings);
        }
        out.steps.push(StepDone { id: step.id.clone(), outcome: outcome(&answer.result, &answer.actions) });
        if let Err(error) = run.raw_set(step.id.as_str(), answer.result) {
            out.failure = Some((step.id.clone(), loaded.vm.diagnose(&error)));
            return;
        }
        if answer.actions.is_empty() {
            return;
        }
        let Some(level) = loaded.runs.iter().find(|r| r.name == step.run).and_then(|r| r.levels.get(height)) else {
            return;
        };
        out.decisions.push(Decision {
            origin: self.origin(&name, (level.layer, &level.file, level.line)),
            subject: Subject::Town,
            actions: answer.actions,
            because: answer.because,
            rung: None,
            climb: None,
            event: None,
            at_ms: snapshot.now_ms,
        });
    }

    /// What the cycle is remembered by.
    fn remember(&mut self, plan: &Plan, loaded: &Loaded, run: &Table, reads: &dyn Reads, out: &mut Cycle) {
        if let (None, Some(digest)) = (&out.failure, &plan.digest) {
            let name = format!("{}/digest", plan.name);
            let ask = |loaded: &Loaded, level: &Level| {
                let (text, _) = call(loaded, level, run, reads)?;
                match text {
                    Value::Nil => Ok(None),
                    Value::String(s) => Ok(Some(s.to_string_lossy())),
                    other => Err(wrong(loaded, level, format!("a digest must be a text or nil, not {}", a(&other)))),
                }
            };
            match self.said(loaded, digest, &name, &mut out.warnings, &ask) {
                Said::Answer(text, ..) => {
                    out.digest = text;
                    return;
                }
                Said::Undecided(why) => {
                    *out =
                        Cycle { undecided: Some(why), warnings: std::mem::take(&mut out.warnings), ..Cycle::default() };
                    return;
                }
                Said::Failed(why) => out.failure = Some(("digest".into(), why)),
            }
        }
        let mut lines: Vec<String> = Vec::new();
        if let Some((step, why)) = &out.failure {
            let place = if why.file.is_empty() { String::new() } else { format!(" ({})", why.place()) };
            lines.push(format!("ended at step {step}: {}{place}", why.message));
        }
        if out.failure.is_some() || !out.decisions.is_empty() {
            lines.extend(out.steps.iter().map(|s| format!("{}: {}", s.id, s.outcome)));
        }
        out.digest = (!lines.is_empty()).then(|| lines.join("\n"));
    }

    /// Asks the layers of a function, highest first; one that fails leaves the answer to the one below.
    fn said<T>(
        &mut self,
        loaded: &Loaded,
        run: &str,
        name: &str,
        warnings: &mut Vec<Diagnostic>,
        ask: &dyn Fn(&Loaded, &Level) -> Result<T, Failure>,
    ) -> Said<T> {
        let levels = loaded.runs.iter().find(|r| r.name == run).map_or(&[][..], |r| &r.levels);
        let mut failed = Vec::new();
        let mut last = Diagnostic::bare(format!("the role `{}` has no function `{run}`", self.role));
        for (height, level) in levels.iter().enumerate().rev() {
            if let Some(overran) = self.rests(name, level.layer) {
                failed.push(overran);
                last = Diagnostic::bare(format!("`{name}` rests until its file changes"));
                continue;
            }
            match ask(loaded, level) {
                Ok(answer) => return Said::Answer(answer, height, failed),
                Err(failure) => {
                    let (tripped, why) = match &failure {
                        Failure::Error(d) => (false, d.clone()),
                        Failure::Tripped(d) => (true, d.clone()),
                        Failure::Unreadable(_) => (false, Diagnostic::bare("")),
                    };
                    match self.note(failure, name, level.layer, warnings) {
                        Noted::Undecided(what) => return Said::Undecided(what),
                        Noted::Failed(why) => failed.push(why),
                    }
                    last = why;
                    if tripped {
                        // The VM is gone, and with it what earlier steps returned.
                        break;
                    }
                }
            }
        }
        Said::Failed(last)
    }
}

/// Calls a function: what it returned first and second.
fn call(loaded: &Loaded, level: &Level, run: &Table, reads: &dyn Reads) -> Result<(Value, Value), Failure> {
    let vm = &loaded.vm;
    let own = |e: mlua::Error| Failure::Error(vm.diagnose(&e));
    let snapshot = Arc::clone(&State::of(vm.lua()).map_err(own)?.snapshot);
    vm.begin(Some(Fact::Town(snapshot))).map_err(own)?;
    let town = vm.town().map_err(own)?;
    let returned: MultiValue = vm.call(&level.function, (run, town, level.base.as_ref()), reads)?;
    if returned.len() > 2 {
        return Err(wrong(
            loaded,
            level,
            "a step must return a result, or actions, or a result and then actions".into(),
        ));
    }
    let mut returned = returned.into_iter();
    Ok((returned.next().unwrap_or(Value::Nil), returned.next().unwrap_or(Value::Nil)))
}

fn wrong(loaded: &Loaded, level: &Level, text: String) -> Failure {
    Failure::Error(loaded.vm.at(PolicyError::new(text), &level.file, level.line))
}

fn judge(loaded: &Loaded, level: &Level, run: &Table, reads: &dyn Reads, twice: bool) -> Result<Answer, Failure> {
    let answer = judge_once(loaded, level, run, reads)?;
    if twice {
        let second = judge_once(loaded, level, run, reads)?;
        if second.actions != answer.actions {
            let error = PolicyError::new("this step answers differently on the same facts");
            let error = error.help("a step keeps no state of its own: gt.remember does");
            return Err(Failure::Error(loaded.vm.at(error, &level.file, level.line)));
        }
        return Ok(second);
    }
    Ok(answer)
}

fn judge_once(loaded: &Loaded, level: &Level, run: &Table, reads: &dyn Reads) -> Result<Answer, Failure> {
    let (first, second) = call(loaded, level, run, reads)?;
    let (result, actions) = if are_actions(&first) && second.is_nil() { (Value::Nil, first) } else { (first, second) };
    let lua = loaded.vm.lua();
    let (actions, left) = collect(lua, &actions).map_err(|e| Failure::Error(loaded.vm.diagnose(&e)))?;
    let because = State::of(lua).map(|mut s| std::mem::take(&mut s.trace.because)).unwrap_or_default();
    let left = left.first().map(|built| {
        let verb = built.action.verb();
        let error = PolicyError::new(format!("`{verb}` was built and not returned")).about(verb);
        let error = error.help("an action does nothing until it is returned");
        match &built.at {
            Some((file, line)) => loaded.vm.at(error, file, *line),
            None => Diagnostic::bare(error.message),
        }
    });
    Ok(Answer { result, actions, because, left })
}

/// A step's answer in a few words.
fn outcome(result: &Value, actions: &[Action]) -> String {
    let mut parts: Vec<String> = Vec::new();
    match result {
        Value::Table(list) => match list.raw_len() {
            0 => {}
            n => parts.push(format!("{n} found")),
        },
        Value::String(text) => parts.push(crate::base::text::headline(&text.to_string_lossy(), 120)),
        Value::Number(n) => parts.push(n.to_string()),
        Value::Integer(n) => parts.push(n.to_string()),
        Value::Boolean(b) => parts.push(b.to_string()),
        _ => {}
    }
    parts.extend(actions.iter().map(Action::to_string));
    if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
}
