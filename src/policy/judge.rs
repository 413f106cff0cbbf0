//! A pass: every rule on every subject, and one event on the rules that listen to it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use mlua::Value;

use super::action::{Action, Subject};
use super::decision::{Because, Decision, Judgement, Outcome, Pass, Rung};
use super::engine::{Engine, Loaded, Noted};
use super::facts::{BeadFact, EventFact, Snapshot};
use super::ladder::{Climb, LadderKey, Ladders, Place};
use super::reads::Reads;
use super::rules::{Height, Rule};
use super::schema::Fact;
use super::vm::{Body, Built, Failure, Per, PolicyError, Reset, RungPart, Says, State, collect, truth};
use crate::base::earliest;

/// When an undecided rule is judged again if nothing changes.
const AGAIN_MS: i64 = 60_000;

/// What a rule says about a subject at one height of its layers.
enum Verdict {
    Held,
    Waiting(Option<i64>),
    Act { actions: Vec<Action>, left: Vec<Built>, rung: Option<Rung>, climb: Option<Climb> },
    Undecided(String),
}

impl Verdict {
    /// Whether two judgements of the same facts say the same.
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Held, Self::Held) => true,
            (Self::Waiting(a), Self::Waiting(b)) => a == b,
            (Self::Undecided(a), Self::Undecided(b)) => a == b,
            (Self::Act { actions: a, .. }, Self::Act { actions: b, .. }) => a == b,
            _ => false,
        }
    }
}

/// A verdict with what led to it.
struct Ruling {
    verdict: Verdict,
    because: Vec<Because>,
    next_ms: Option<i64>,
}

/// A decision that may lose to another one.
struct Candidate {
    decision: Decision,
    /// What it must share with no other disruptive decision.
    group: Option<String>,
    beats: Vec<String>,
}

impl Engine {
    /// Judges every rule on every subject of the snapshot.
    pub fn pass(&mut self, snapshot: &Arc<Snapshot>, reads: &dyn Reads, ladders: &mut dyn Ladders) -> Pass {
        let mut pass = Pass::default();
        let mut candidates = Vec::new();
        let began = Instant::now();
        let Some(count) = self.begin(snapshot, &mut pass) else { return pass };
        for index in 0..count {
            let Some(Says::Each(class)) = self.says(index, snapshot, &mut pass) else { continue };
            for fact in subjects(class, snapshot) {
                if began.elapsed() > self.limits.pass {
                    let ms = self.limits.pass.as_millis();
                    let late = super::Diagnostic::bare(format!("the pass of `{}` took longer than {ms} ms", self.role));
                    self.say(late, &mut pass.warnings);
                    pass.next_ms = earliest(pass.next_ms, Some(snapshot.now_ms + AGAIN_MS));
                    return finish(pass, candidates);
                }
                self.one(index, &fact, snapshot, reads, Some(ladders), &mut pass, &mut candidates);
            }
        }
        finish(pass, candidates)
    }

    /// Judges the rules that listen to this event. Each event is to be given once; when a judgement is
    /// [`Outcome::Undecided`], it is to be given again.
    pub fn on_event(&mut self, event: &Arc<EventFact>, snapshot: &Arc<Snapshot>, reads: &dyn Reads) -> Pass {
        let mut pass = Pass::default();
        let mut candidates = Vec::new();
        let Some(count) = self.begin(snapshot, &mut pass) else { return pass };
        for index in 0..count {
            if self.says(index, snapshot, &mut pass) == Some(Says::On(event.kind)) {
                let fact = Fact::Event(Arc::clone(event));
                self.one(index, &fact, snapshot, reads, None, &mut pass, &mut candidates);
            }
        }
        let mut pass = finish(pass, candidates);
        for decision in &mut pass.decisions {
            decision.event = Some(event.seq);
        }
        pass.next_ms = None;
        pass
    }

    fn begin(&mut self, snapshot: &Arc<Snapshot>, pass: &mut Pass) -> Option<usize> {
        let began = self.loaded(snapshot).and_then(|loaded| {
            loaded.vm.begin_pass(snapshot).map_err(|e| loaded.vm.diagnose(&e))?;
            Ok(loaded.rules.len())
        });
        began.map_err(|error| self.say(error, &mut pass.warnings)).ok()
    }

    fn says(&mut self, index: usize, snapshot: &Arc<Snapshot>, pass: &mut Pass) -> Option<Says> {
        match self.loaded(snapshot) {
            Ok(loaded) => Some(loaded.rules[index].on),
            Err(error) => {
                self.say(error, &mut pass.warnings);
                None
            }
        }
    }

    /// One rule on one subject: from the highest layer down, until one gives an answer.
    #[expect(clippy::too_many_arguments, reason = "the parts of a pass, used only here")]
    fn one(
        &mut self,
        index: usize,
        fact: &Fact,
        snapshot: &Arc<Snapshot>,
        reads: &dyn Reads,
        mut ladders: Option<&mut dyn Ladders>,
        pass: &mut Pass,
        candidates: &mut Vec<Candidate>,
    ) {
        let subject = match fact {
            Fact::Event(event) => Fact::event_subject(event),
            other => other.subject().unwrap_or(Subject::Town),
        };
        let owner = self.role.clone();
        let (mut top, mut failed) = (None, Vec::new());
        for height in
            (0..usize::MAX).take_while(|h| self.height(index, *h, snapshot)).collect::<Vec<_>>().into_iter().rev()
        {
            let loaded = match self.loaded(snapshot) {
                Ok(loaded) => loaded,
                Err(error) => {
                    self.say(error, &mut pass.warnings);
                    break;
                }
            };
            let rule = &loaded.rules[index];
            let at = &rule.heights[height];
            let origin = self.origin(&rule.name, at.at());
            top.get_or_insert_with(|| origin.clone());
            if let Some(overran) = self.rests(&rule.name, at.layer) {
                failed.push(overran);
                continue;
            }
            let ladder = ladders.as_mut().map(|l| &mut **l as &mut dyn Ladders);
            let call = Call { loaded: &loaded, rule, at, role: &owner, fact, now_ms: snapshot.now_ms, reads };
            let mut answer = call.judge(ladder);
            if let (true, Ok(first)) = (self.twice, &answer) {
                let ladder = ladders.as_mut().map(|l| &mut **l as &mut dyn Ladders);
                let second = call.judge(ladder);
                if let Err(failure) = second {
                    answer = Err(failure);
                } else if !second.is_ok_and(|second| second.verdict.same(&first.verdict)) {
                    let error = PolicyError::new(format!("`{}` answers differently on the same facts", rule.name));
                    let error = error.about(&rule.name).help("a rule keeps no state of its own: gt.remember does");
                    answer = Err(Failure::Error(loaded.vm.at(error, &at.file, at.line)));
                }
            }
            let ruling = match answer {
                Ok(ruling) => ruling,
                Err(failure) => match self.note(failure, &rule.name, at.layer, &mut pass.warnings) {
                    Noted::Undecided(why) => {
                        Ruling { verdict: Verdict::Undecided(why), because: call.because(), next_ms: None }
                    }
                    Noted::Failed(why) => {
                        failed.push(why);
                        continue;
                    }
                },
            };
            pass.next_ms = earliest(pass.next_ms, ruling.next_ms);
            let because = [failed, ruling.because].concat();
            let outcome = match ruling.verdict {
                Verdict::Held => Outcome::Held,
                Verdict::Waiting(until_ms) => Outcome::Waiting { until_ms },
                Verdict::Undecided(why) => {
                    pass.next_ms = earliest(pass.next_ms, Some(snapshot.now_ms + AGAIN_MS));
                    Outcome::Undecided { why }
                }
                Verdict::Act { actions, left, rung, climb } => {
                    for built in left {
                        self.unreturned(&loaded, &built, pass);
                    }
                    if actions.is_empty() {
                        pass.judged.push(Judgement { origin, subject, outcome: Outcome::Held, because });
                        return;
                    }
                    let group = actions.iter().any(Action::is_disruptive).then(|| group(fact)).flatten();
                    let decision = Decision {
                        origin,
                        subject,
                        actions,
                        because,
                        rung,
                        climb,
                        event: None,
                        at_ms: snapshot.now_ms,
                    };
                    candidates.push(Candidate { decision, group, beats: at.beats.clone() });
                    return;
                }
            };
            pass.judged.push(Judgement { origin, subject, outcome, because });
            return;
        }
        if let Some(origin) = top {
            pass.judged.push(Judgement { origin, subject, outcome: Outcome::Failed, because: failed });
        }
    }

    fn height(&mut self, index: usize, height: usize, snapshot: &Arc<Snapshot>) -> bool {
        self.loaded(snapshot).is_ok_and(|loaded| loaded.rules[index].heights.len() > height)
    }

    fn unreturned(&mut self, loaded: &Loaded, built: &Built, pass: &mut Pass) {
        let verb = built.action.verb();
        let error = PolicyError::new(format!("`{verb}` was built and not returned")).about(verb);
        let error = error.help("an action does nothing until it is returned");
        let warning = match &built.at {
            Some((file, line)) => loaded.vm.at(error, file, *line),
            None => super::Diagnostic::bare(error.message),
        };
        self.say(warning, &mut pass.warnings);
    }
}

/// One disruptive decision for each subject; `beats` decides, else the order of declaration.
fn finish(mut pass: Pass, candidates: Vec<Candidate>) -> Pass {
    let mut groups: HashMap<&str, Vec<&Candidate>> = HashMap::new();
    for candidate in &candidates {
        if let Some(group) = &candidate.group {
            groups.entry(group).or_default().push(candidate);
        }
    }
    let beaten = |c: &Candidate| {
        let rivals = groups.get(c.group.as_deref()?)?;
        let loses = |c: &Candidate| rivals.iter().any(|r| r.beats.contains(&c.decision.origin.rule));
        let winner = rivals.iter().find(|r| !loses(r)).or(rivals.first())?;
        (!std::ptr::eq(*winner, c)).then(|| winner.decision.origin.rule.clone())
    };
    let lost: Vec<Option<String>> = candidates.iter().map(beaten).collect();
    for (candidate, lost) in candidates.into_iter().zip(lost) {
        let decision = candidate.decision;
        pass.judged.push(Judgement {
            origin: decision.origin.clone(),
            subject: decision.subject.clone(),
            outcome: lost.clone().map_or(Outcome::Acted, |to| Outcome::Lost { to }),
            because: decision.because.clone(),
        });
        if lost.is_none() {
            pass.decisions.push(decision);
        }
    }
    pass
}

/// The subjects of `each.NAME`.
fn subjects(class: &str, snapshot: &Snapshot) -> Vec<Fact> {
    match class {
        "worker" => {
            let workers = snapshot.polecats.iter().filter(|p| p.bead.is_some());
            workers.cloned().map(Fact::Worker).collect()
        }
        "polecat" => snapshot.polecats.iter().cloned().map(Fact::Polecat).collect(),
        "bead" => snapshot.beads.iter().cloned().map(Fact::Bead).collect(),
        _ => snapshot.mrs.iter().cloned().map(Fact::Mr).collect(),
    }
}

fn bead_of(fact: &Fact) -> Option<&BeadFact> {
    match fact {
        Fact::Bead(b) => Some(b),
        Fact::Polecat(p) | Fact::Worker(p) => p.bead.as_deref(),
        Fact::Mr(m) => Some(&m.bead),
        _ => None,
    }
}

/// Two disruptive decisions with the same group are on one subject: its bead, else the agent.
fn group(fact: &Fact) -> Option<String> {
    bead_of(fact).map(|b| b.id.to_string()).or_else(|| Some(fact.key().1))
}

/// One call of a rule at one height.
struct Call<'a> {
    loaded: &'a Loaded,
    rule: &'a Rule,
    at: &'a Height,
    role: &'a str,
    fact: &'a Fact,
    now_ms: i64,
    reads: &'a dyn Reads,
}

impl Call<'_> {
    fn because(&self) -> Vec<Because> {
        State::of(self.loaded.vm.lua()).map(|mut s| std::mem::take(&mut s.trace.because)).unwrap_or_default()
    }

    fn internal(&self, error: mlua::Error) -> Failure {
        Failure::Error(self.loaded.vm.diagnose(&error))
    }

    fn judge(&self, mut ladders: Option<&mut dyn Ladders>) -> Result<Ruling, Failure> {
        let vm = &self.loaded.vm;
        vm.begin(Some(self.fact.clone())).map_err(|e| self.internal(e))?;
        let subject = vm.record(self.fact.clone()).map_err(|e| self.internal(e))?;
        let town = vm.town().map_err(|e| self.internal(e))?;
        let holds = match &self.at.when {
            None => true,
            Some(when) => {
                let value: Value = vm.call(&when.function, (&subject, &town, when.base.as_ref()), self.reads)?;
                let wrong = |e| Failure::Error(vm.at(e, &self.at.file, self.at.line));
                truth(&value).map_err(wrong)?
            }
        };
        let flips = State::of(vm.lua()).ok().and_then(|s| s.trace.deadline(self.now_ms));
        let key = self.key();
        let unread = |e: super::reads::Unreadable| Failure::Unreadable(format!("the ladder's place: {e}"));
        let mut place = match &ladders {
            Some(ladders) => ladders.place(&key).map_err(unread)?,
            None => None,
        };
        if !holds {
            if place.is_some()
                && matches!(self.at.body, Body::Act(_))
                && let Some(ladders) = &mut ladders
            {
                ladders.forget(&key);
            }
            return Ok(Ruling { verdict: Verdict::Held, because: self.because(), next_ms: flips });
        }
        let mut next_ms = flips;
        if let (Some(at), Body::Ladder(_)) = (place, &self.at.body)
            && self.is_over(&at, &mut next_ms)
        {
            if let Some(ladders) = &mut ladders {
                ladders.forget(&key);
            }
            place = None;
        }
        let step = match &self.at.body {
            Body::Act(_) if place.is_some() => Step::Wait(None),
            Body::Act(_) => Step::Act(Place { rung: 0, times: 1, at_ms: self.now_ms }, None),
            Body::Ladder(rungs) => next_step(rungs, place, self.now_ms),
        };
        let (place, rung) = match step {
            Step::Wait(until) => {
                let next_ms = earliest(next_ms, until);
                return Ok(Ruling { verdict: Verdict::Waiting(until), because: self.because(), next_ms });
            }
            Step::Act(place, rung) => (place, rung),
        };
        let returned: Value = match &self.at.body {
            Body::Act(act) => vm.call(act, (&subject, &town, self.at.act_base.as_ref()), self.reads)?,
            Body::Ladder(rungs) => {
                let part = &rungs[place.rung as usize];
                if place.times < part.times || place.rung as usize + 1 < rungs.len() {
                    next_ms = earliest(next_ms, Some(self.now_ms + part.wait_ms.max(1)));
                }
                vm.call(&part.act, (&subject, &town), self.reads)?
            }
        };
        let (actions, left) = collect(vm.lua(), &returned).map_err(|e| {
            let error = e.downcast_ref::<PolicyError>().cloned();
            Failure::Error(vm.at(error.unwrap_or_else(|| PolicyError::new(e.to_string())), &self.at.file, self.at.line))
        })?;
        let because = self.because();
        if actions.is_empty() && left.is_empty() {
            // Nothing to do this time; the rung is not used up.
            return Ok(Ruling { verdict: Verdict::Held, because, next_ms });
        }
        let climb = ladders.is_some().then_some(Climb { key, place });
        Ok(Ruling { verdict: Verdict::Act { actions, left, rung, climb }, because, next_ms })
    }

    /// Whether the ladder begins again.
    fn is_over(&self, place: &Place, next_ms: &mut Option<i64>) -> bool {
        match self.at.reset {
            Reset::Never => false,
            Reset::Progress => bead_of(self.fact).and_then(|b| b.progress_ms).is_some_and(|at| {
                // What a clock that was set back puts into the future is no news, however often it is looked at.
                at > place.at_ms && at <= self.now_ms
            }),
            Reset::After(ms) => {
                let over = place.at_ms + ms;
                if over > self.now_ms {
                    *next_ms = earliest(*next_ms, Some(over));
                }
                over <= self.now_ms
            }
        }
    }

    fn key(&self) -> LadderKey {
        let default = match self.fact {
            Fact::Mr(_) => Per::Mr,
            Fact::Polecat(_) => Per::Agent,
            _ => Per::Bead,
        };
        let id = match (self.at.per.unwrap_or(default), self.fact) {
            (Per::Bead, fact) => bead_of(fact).map(|b| b.id.to_string()),
            (Per::Agent, Fact::Mr(m)) => Some(m.worker.clone()),
            (Per::Agent | Per::Mr, _) => None,
        };
        let id = id.unwrap_or_else(|| self.fact.key().1);
        LadderKey(format!("{}/{}/{id}", self.role, self.rule.name))
    }
}

enum Step {
    Wait(Option<i64>),
    Act(Place, Option<Rung>),
}

/// Where a ladder goes from its place.
fn next_step(rungs: &[RungPart], place: Option<Place>, now_ms: i64) -> Step {
    let (rung, times) = match place {
        None => (0, 1),
        Some(place) => {
            // A reload may have made the ladder shorter.
            let last = (rungs.len() - 1) as u32;
            let (rung, times) = if place.rung > last { (last, u32::MAX) } else { (place.rung, place.times) };
            let part = &rungs[rung as usize];
            let due = place.at_ms + part.wait_ms;
            let next = if times < part.times { (rung, times + 1) } else { (rung + 1, 1) };
            if next.0 > last {
                return Step::Wait(None);
            }
            if now_ms < due {
                return Step::Wait(Some(due));
            }
            next
        }
    };
    let shown = Rung { rung: rung + 1, of: rungs.len() as u32, time: times, times: rungs[rung as usize].times };
    Step::Act(Place { rung, times, at_ms: now_ms }, Some(shown))
}
