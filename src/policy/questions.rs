//! The Refinery's questions: one answer each, from the highest layer that gives a good one, else the safe one.

use std::sync::Arc;

use mlua::{Function, Lua, Table, Value};

use super::action::{Action, Severity, Subject};
use super::decision::{Answer, Because, Decision, Origin};
use super::engine::{Engine, Loaded, Noted};
use super::facts::{MrFact, Snapshot};
use super::layer::Layer;
use super::reads::Reads;
use super::rules::base;
use super::schema::Fact;
use super::vm::{Failure, PolicyError, Question, REFINERY, State, a, collect, fact_of, strings};

/// A question with the functions of its layers, lowest first.
#[derive(Debug)]
pub(super) struct Asked {
    name: &'static str,
    levels: Vec<Level>,
}

#[derive(Debug, Clone)]
struct Level {
    question: Question,
    base: Option<Function>,
}

/// Stacks the answers of the layers.
pub(super) fn compose(lua: &Lua, questions: &[Question]) -> mlua::Result<Vec<Asked>> {
    let mut all: Vec<Asked> = Vec::new();
    for question in questions {
        let index = if let Some(index) = all.iter().position(|a| a.name == question.name) {
            index
        } else {
            all.push(Asked { name: question.name, levels: Vec::new() });
            all.len() - 1
        };
        let below = all[index].levels.last();
        let base = below.map(|b| base(lua, &b.question.function, b.base.as_ref())).transpose()?;
        all[index].levels.push(Level { question: question.clone(), base });
    }
    Ok(all)
}

impl<T> Answer<T> {
    /// The answer that the core gives by itself.
    fn safe(value: T) -> Self {
        Self { value, origin: None, because: Vec::new(), reasons: Vec::new(), warnings: Vec::new(), undecided: None }
    }
}

/// What one layer's function is asked with.
type Ask<'a, R> = &'a dyn Fn(&Loaded, &Level) -> Result<R, Failure>;

impl Engine {
    /// May this merge request enter the queue? Safe answer: no. The word why is in `reasons`.
    pub fn admit(&mut self, mr: &Arc<MrFact>, snapshot: &Arc<Snapshot>, reads: &dyn Reads) -> Answer<bool> {
        let ask = |loaded: &Loaded, level: &Level| {
            let (yes, why): (Value, Value) = call_mr(loaded, level, mr, reads)?;
            let Value::Boolean(yes) = yes else {
                return Err(wrong(loaded, level, format!("admit must answer true or false, not {}", a(&yes))));
            };
            let why = if let Value::String(s) = why { Some(s.to_string_lossy()) } else { None };
            Ok((yes, why))
        };
        // A layer that would have said no must not be passed over because it failed.
        let answer = self.ask("admit", false, snapshot, &ask);
        let subject = || Subject::Mr(mr.id.clone());
        let mut out = answer.map_or_safe(false, |(yes, _)| *yes);
        if let Some((yes, why)) = answer.value {
            if !yes {
                out.reasons.push((subject(), why.unwrap_or_else(|| "not admitted".into())));
            }
        } else {
            let failed = out.because.iter().find_map(|b| match b {
                Because::Failed { message, .. } => Some(format!("the rule failed: {message}")),
                _ => None,
            });
            out.reasons.push((subject(), failed.unwrap_or_else(|| "the question `admit` has no answer".into())));
        }
        out
    }

    /// The queue in policy order, highest first, ties by arrival. Safe answer: order of arrival.
    pub fn order(
        &mut self,
        queue: &[Arc<MrFact>],
        snapshot: &Arc<Snapshot>,
        reads: &dyn Reads,
    ) -> Answer<Vec<Arc<MrFact>>> {
        let ask = |loaded: &Loaded, level: &Level| {
            let mut ranks = Vec::new();
            for mr in queue {
                let given: Value = call_mr(loaded, level, mr, reads)?;
                let rank = given.as_f64().or_else(|| given.as_i64().map(|n| n as f64));
                let rank = match rank {
                    Some(rank) if !rank.is_nan() => rank,
                    Some(_) => return Err(wrong(loaded, level, "order must answer a number, not nan".into())),
                    None => return Err(wrong(loaded, level, format!("order must answer a number, not {}", a(&given)))),
                };
                ranks.push((rank, Arc::clone(mr)));
            }
            Ok(ranks)
        };
        let answer = self.ask("order", true, snapshot, &ask);
        let mut out = answer.map_or_safe(queue.to_vec(), |ranks| {
            let mut ranks = ranks.clone();
            ranks.sort_by(|a, b| b.0.total_cmp(&a.0));
            ranks.into_iter().map(|(_, mr)| mr).collect()
        });
        if let Some(ranks) = &answer.value {
            let shown = |(rank, mr): &(f64, Arc<MrFact>)| Because::Read {
                what: format!("order {}", mr.id),
                value: format!("{rank:.3}"),
            };
            // The ranks say more than what the last of the calls has read.
            out.because.retain(|b| matches!(b, Because::Failed { .. }));
            out.because.extend(ranks.iter().take(20).map(shown));
        }
        out
    }

    /// Which of the (ordered, not empty) queue to build together. Safe answer: the first alone.
    pub fn batch(
        &mut self,
        queue: &[Arc<MrFact>],
        snapshot: &Arc<Snapshot>,
        reads: &dyn Reads,
    ) -> Answer<Vec<Arc<MrFact>>> {
        let first = || queue.iter().take(1).cloned().collect::<Vec<_>>();
        if queue.is_empty() {
            return Answer::safe(Vec::new());
        }
        let ask = |loaded: &Loaded, level: &Level| {
            let vm = &loaded.vm;
            let own = |e: mlua::Error| Failure::Error(vm.diagnose(&e));
            vm.begin(None).map_err(own)?;
            let list = vm.records(queue.iter().cloned().map(Fact::Mr).collect()).map_err(own)?;
            let town = vm.town().map_err(own)?;
            let got: Value = vm.call(&level.question.function, (list, town, level.base.clone()), reads)?;
            chosen(&got, queue).map_err(|text| wrong(loaded, level, text))
        };
        let answer = self.ask("batch", false, snapshot, &ask);
        answer.map_or_safe(first(), Clone::clone)
    }

    /// The gates for this batch, out of those that the rig has. Safe answer: all of them. Required ones cannot be
    /// dropped.
    pub fn gates(
        &mut self,
        batch: &[Arc<MrFact>],
        all: &[String],
        required: &[String],
        snapshot: &Arc<Snapshot>,
        reads: &dyn Reads,
    ) -> Answer<Vec<String>> {
        let ask = |loaded: &Loaded, level: &Level| {
            let vm = &loaded.vm;
            let own = |e: mlua::Error| Failure::Error(vm.diagnose(&e));
            vm.begin(None).map_err(own)?;
            let list = vm.records(batch.iter().cloned().map(Fact::Mr).collect()).map_err(own)?;
            let town = vm.town().map_err(own)?;
            let got: Value = vm.call(&level.question.function, (list, town, level.base.clone()), reads)?;
            if got.is_nil() {
                return Ok(None);
            }
            let names = strings(&got, "gates must answer a list of names, or nil for all of them")
                .map_err(|e| wrong(loaded, level, e.to_string()))?;
            match names.iter().find(|n| !all.contains(n)) {
                Some(bad) => Err(wrong(loaded, level, format!("the rig has no gate `{bad}`: {}", all.join(", ")))),
                None => Ok(Some(names)),
            }
        };
        let answer = self.ask("gates", false, snapshot, &ask);
        // nil means: those that the rig has.
        answer.map_or_safe(all.to_vec(), |names| match names {
            None => all.to_vec(),
            Some(names) => all.iter().filter(|g| names.contains(g) || required.contains(g)).cloned().collect(),
        })
    }

    /// What to do about a conflict. Safe answer: hold it and escalate.
    pub fn on_conflict(
        &mut self,
        mr: &Arc<MrFact>,
        snapshot: &Arc<Snapshot>,
        reads: &dyn Reads,
    ) -> Answer<Option<Decision>> {
        self.decide("on_conflict", mr, snapshot, reads, true)
    }

    /// What to do about a failed gate. Safe answer: hold it and escalate.
    pub fn on_failure(
        &mut self,
        mr: &Arc<MrFact>,
        snapshot: &Arc<Snapshot>,
        reads: &dyn Reads,
    ) -> Answer<Option<Decision>> {
        self.decide("on_failure", mr, snapshot, reads, true)
    }

    /// What else to do after it landed. Safe answer: nothing.
    pub fn after_merge(
        &mut self,
        mr: &Arc<MrFact>,
        snapshot: &Arc<Snapshot>,
        reads: &dyn Reads,
    ) -> Answer<Option<Decision>> {
        self.decide("after_merge", mr, snapshot, reads, false)
    }

    fn decide(
        &mut self,
        name: &'static str,
        mr: &Arc<MrFact>,
        snapshot: &Arc<Snapshot>,
        reads: &dyn Reads,
        held: bool,
    ) -> Answer<Option<Decision>> {
        let ask = |loaded: &Loaded, level: &Level| {
            let returned: Value = call_mr(loaded, level, mr, reads)?;
            let (actions, _) = collect(loaded.vm.lua(), &returned).map_err(|e| wrong(loaded, level, e.to_string()))?;
            Ok(actions)
        };
        let answer = self.ask(name, true, snapshot, &ask);
        let undecided = answer.undecided.is_some();
        let mut out = answer.map_or_safe(None, |actions| Some(actions.clone()));
        let subject = Subject::Mr(mr.id.clone());
        let (actions, origin) = match (out.value.take(), &out.origin) {
            (Some(actions), Some(origin)) => (actions, origin.clone()),
            _ if held && !undecided => (hold(name, mr), self.own(name)),
            _ => (Vec::new(), self.own(name)),
        };
        let decision = Decision {
            origin,
            subject,
            actions,
            because: out.because.clone(),
            rung: None,
            climb: None,
            event: None,
            at_ms: snapshot.now_ms,
        };
        let value = (!decision.actions.is_empty()).then_some(decision);
        Answer { value, ..out.void() }
    }

    /// The core's own word, where no layer has a good one.
    fn own(&self, name: &str) -> Origin {
        Origin {
            role: REFINERY.into(),
            rule: name.into(),
            layer: Layer::Builtin,
            revision: self.revision().to_owned(),
            file: String::new(),
            line: 0,
        }
    }

    /// Asks the layers, highest first. A failure goes to the layer below if `fall`, else it is the end.
    fn ask<R>(
        &mut self,
        name: &'static str,
        fall: bool,
        snapshot: &Arc<Snapshot>,
        ask: Ask<'_, R>,
    ) -> Answer<Option<R>> {
        let mut out = Answer::safe(None);
        let mut height = usize::MAX;
        let mut first = true;
        loop {
            let loaded = match self.loaded(snapshot) {
                Ok(loaded) => loaded,
                Err(error) => {
                    self.say(error, &mut out.warnings);
                    return out;
                }
            };
            if let Err(error) = loaded.vm.begin_pass(snapshot) {
                out.warnings.push(loaded.vm.diagnose(&error));
                return out;
            }
            let levels = loaded.questions.iter().find(|a| a.name == name).map_or(&[][..], |a| &a.levels);
            height = height.min(levels.len());
            if height == 0 || !(first || fall) {
                return out;
            }
            height -= 1;
            let level = &levels[height];
            let question = &level.question;
            if let Some(overran) = self.rests(name, question.layer) {
                out.because.push(overran);
                first = false;
                continue;
            }
            first = false;
            match ask(&loaded, level) {
                Ok(value) => {
                    let at = (question.layer, question.file.as_str(), question.line);
                    out.origin = Some(self.origin(name, at));
                    if let Ok(mut state) = State::of(loaded.vm.lua()) {
                        out.because.append(&mut state.trace.because);
                        out.reasons = std::mem::take(&mut state.notes);
                    }
                    out.value = Some(value);
                    return out;
                }
                Err(failure) => match self.note(failure, name, question.layer, &mut out.warnings) {
                    Noted::Undecided(why) => {
                        out.undecided = Some(why);
                        return out;
                    }
                    Noted::Failed(why) => out.because.push(why),
                },
            }
        }
    }
}

impl<R> Answer<Option<R>> {
    fn map_or_safe<T>(&self, safe: T, map: impl FnOnce(&R) -> T) -> Answer<T> {
        Answer {
            value: self.value.as_ref().map_or(safe, map),
            origin: self.origin.clone(),
            because: self.because.clone(),
            reasons: self.reasons.clone(),
            warnings: self.warnings.clone(),
            undecided: self.undecided.clone(),
        }
    }

    fn void<T>(self) -> Answer<Option<T>> {
        Answer {
            value: None,
            origin: self.origin,
            because: self.because,
            reasons: self.reasons,
            warnings: self.warnings,
            undecided: self.undecided,
        }
    }
}

fn call_mr<R: mlua::FromLuaMulti>(
    loaded: &Loaded,
    level: &Level,
    mr: &Arc<MrFact>,
    reads: &dyn Reads,
) -> Result<R, Failure> {
    let vm = &loaded.vm;
    let own = |e: mlua::Error| Failure::Error(vm.diagnose(&e));
    let fact = Fact::Mr(Arc::clone(mr));
    vm.begin(Some(fact.clone())).map_err(own)?;
    let record = vm.record(fact).map_err(own)?;
    let town = vm.town().map_err(own)?;
    vm.call(&level.question.function, (record, town, level.base.clone()), reads)
}

fn wrong(loaded: &Loaded, level: &Level, text: String) -> Failure {
    let question = &level.question;
    let error = PolicyError::new(text).about(question.name);
    Failure::Error(loaded.vm.at(error, &question.file, question.line))
}

/// Members of the queue, each once, at least one, in the queue's order.
fn chosen(got: &Value, queue: &[Arc<MrFact>]) -> Result<Vec<Arc<MrFact>>, String> {
    let Value::Table(list) = got else {
        return Err(format!("batch must answer a list of merge requests, not {}", a(got)));
    };
    let mut ids = Vec::new();
    for item in Table::sequence_values::<Value>(list) {
        let item = item.map_err(|e| e.to_string())?;
        match fact_of(&item) {
            Some(Fact::Mr(mr)) if queue.iter().any(|q| q.id == mr.id) => ids.push(mr.id.clone()),
            Some(Fact::Mr(mr)) => {
                return Err(format!("batch must answer members of the queue, and {} is not in it", mr.id));
            }
            _ => {
                return Err(format!(
                    "batch must answer a list of merge requests, and one of its items is {}",
                    a(&item)
                ));
            }
        }
    }
    if ids.is_empty() {
        return Err("batch must answer at least one merge request".into());
    }
    Ok(queue.iter().filter(|q| ids.contains(&q.id)).cloned().collect())
}

fn hold(name: &str, mr: &MrFact) -> Vec<Action> {
    let subject = Subject::Mr(mr.id.clone());
    let why = format!("no policy could answer `{name}`");
    vec![
        Action::Hold { what: subject.clone(), why: why.clone(), until_ms: None },
        Action::Escalate { about: subject, severity: Severity::High, text: format!("{} is held: {why}", mr.id) },
    ]
}
