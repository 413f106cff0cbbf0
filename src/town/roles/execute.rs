//! Carries out what a policy decided: checks it again, does it in one transaction, journals it.
//!
//! A decision is carried out whole or refused whole. A refusal uses no rung of a ladder and is written down
//! once per reason. What has to be done to sessions afterwards comes back as intents, which are on disk by
//! then, and as [`After`].

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::desk::Desk;
use super::keep::{self, Hold};
use super::reads::subject_key;
use super::scope::Scope;
use super::{desk, events, ladders};
use crate::base::text::{count, headline};
use crate::base::{Address, BeadId};
use crate::molecule;
use crate::policy::{Action, BeadRef, Because, Decision, NewBead as Wanted, Origin, Subject};
use crate::queue::{self, MrMeta, Request};
use crate::store::{
    Close, DecisionRow, DepKind, IssueType, NewBead, NewDep, Patch, Read, Stamp, Store, StoreError, Write,
};
use crate::town::nudges::{self, Nudge};
use crate::town::{Acting, Intent, TownError, agent, budget, convoy, hosts, retire, rework, sling};

/// The outcome of a decision that was carried out.
pub const DONE: &str = "done";
/// The local namespace in which the rates of actions stand.
const RATES: &str = "rate";
const HOUR_MS: i64 = 3_600_000;
/// No action may be done to one subject more often than this within an hour.
const MOST_RATE: usize = 60;

/// What is still to be done once the transaction is on disk.
#[derive(Debug, Clone, PartialEq)]
pub enum After {
    /// Say something to an agent. It is on disk by then.
    Nudge(Nudge),
    /// Pack the ledger.
    Repack,
}

/// What a decision brought about.
#[derive(Debug, Default)]
pub struct Effect {
    /// Intents that were written down and wait to be finished.
    pub intents: Vec<Intent>,
    /// What else follows.
    pub after: Vec<After>,
}

/// What became of a decision.
#[derive(Debug)]
pub enum Outcome {
    /// It is done; this follows.
    Done(Effect),
    /// It was refused, for this reason; nothing changed.
    Refused(String),
}

/// Why a decision is not carried out: a reason to journal, or a fault to report.
pub(super) enum No {
    Refused(String),
    Fault(TownError),
}

impl From<StoreError> for No {
    fn from(error: StoreError) -> Self {
        Self::from(TownError::from(error))
    }
}

impl From<TownError> for No {
    fn from(error: TownError) -> Self {
        match error {
            TownError::Store(e) if e.is_fault() => Self::Fault(TownError::Store(e)),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<queue::QueueError> for No {
    fn from(error: queue::QueueError) -> Self {
        match error {
            queue::QueueError::Store(e) => Self::from(e),
            other => Self::Refused(other.to_string()),
        }
    }
}

pub(super) type Step<T = ()> = Result<T, No>;

/// Carries out one decision. `cursor` is written with it: an event is acted upon once, also after a crash.
///
/// `desk` is shared by the decisions of one look; what it holds is written by [`Desk::close`].
pub fn execute(
    cx: &Acting<'_>,
    store: &mut Store,
    scope: Scope<'_>,
    decision: &Decision,
    cursor: Option<events::Cursor>,
    desk: &mut Desk,
) -> Result<Outcome, TownError> {
    let by = Stamp::new(scope.actor(&decision.origin.role), cx.now());
    let heard = |w: &mut Write<'_>| match (cursor, scope.rig()) {
        (Some(cursor), Some(rig)) => events::set_cursor(w, &rig.name, &decision.origin.role, cursor),
        _ => Ok(()),
    };
    let result = prepare(cx, store, scope, decision, desk).and_then(|()| {
        store.write(&by, |w| {
            let mut effect = Effect::default();
            apply(cx, w, scope, desk, decision, &mut effect)?;
            heard(w)?;
            Ok::<_, No>(effect)
        })
    });
    match result {
        Ok(effect) => {
            desk.done(scope, decision);
            Ok(Outcome::Done(effect))
        }
        Err(No::Fault(error)) => Err(error),
        Err(No::Refused(why)) => {
            match cursor {
                None => desk.refused(scope, decision, &why),
                Some(_) => store.write(&by, |w| {
                    desk::note_refusal(w, scope.name(), decision, &why)?;
                    forget_rates(w)?;
                    heard(w)
                })?,
            }
            Ok(Outcome::Refused(why))
        }
    }
}

/// What a cycle writes at its end. It hears why decisions were refused, in their order.
pub type AtEnd<'a> = dyn Fn(&mut Write<'_>, &[Option<String>]) -> Result<(), TownError> + 'a;

/// Carries out the decisions of one cycle and what `close` writes, in one transaction: after a crash all of it
/// happened, or nothing did. A decision that is refused is left out; `close` hears why, in the order of the decisions.
pub fn execute_cycle(
    cx: &Acting<'_>,
    store: &mut Store,
    scope: Scope<'_>,
    role: &str,
    decisions: &[Decision],
    close: &AtEnd<'_>,
) -> Result<Effect, TownError> {
    let by = Stamp::new(scope.actor(role), cx.now());
    let mut desk = Desk::default();
    let mut refused: Vec<Option<String>> = vec![None; decisions.len()];
    for (decision, refused) in decisions.iter().zip(&mut refused) {
        match prepare(cx, store, scope, decision, &mut desk) {
            Ok(()) => {}
            Err(No::Fault(error)) => return Err(error),
            Err(No::Refused(why)) => *refused = Some(why),
        }
    }
    loop {
        let result = store.write(&by, |w| {
            let mut effect = Effect::default();
            if refused.iter().any(Option::is_some) {
                forget_rates(w)?;
            }
            for (index, decision) in decisions.iter().enumerate() {
                match &refused[index] {
                    None => apply(cx, w, scope, &desk, decision, &mut effect).map_err(|no| (index, no))?,
                    Some(why) => desk::note_refusal(w, scope.name(), decision, why)?,
                }
            }
            close(w, &refused).map_err(|error| (decisions.len(), No::Fault(error)))?;
            Ok::<_, Stopped>(effect)
        });
        match result {
            Ok(effect) => return Ok(effect),
            Err(Stopped(_, No::Fault(error))) => return Err(error),
            // Without it, then: it is left out of the next try, so that there are no more tries than decisions.
            Err(Stopped(index, No::Refused(why))) => refused[index] = Some(why),
        }
    }
}

/// Which decision stopped a transaction, and why.
struct Stopped(usize, No);

impl From<(usize, No)> for Stopped {
    fn from((index, no): (usize, No)) -> Self {
        Self(index, no)
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self(usize::MAX, No::Fault(error.into()))
    }
}

/// Does what a decision says, and journals it.
fn apply(
    cx: &Acting<'_>,
    w: &mut Write<'_>,
    scope: Scope<'_>,
    desk: &Desk,
    decision: &Decision,
    effect: &mut Effect,
) -> Step {
    let mut made: Vec<Option<BeadId>> = vec![None; decision.actions.len()];
    let mut instead = None;
    for (index, action) in decision.actions.iter().enumerate() {
        rate(w, action)?;
        let mut act = Act { cx, w, scope, desk, made: &mut made, effect, decision, instead: None };
        act.carry_out(index, action)?;
        instead = act.instead.or(instead);
    }
    if let Some(climb) = &decision.climb {
        ladders::climb(w, climb)?;
    }
    desk::forget_refusal(w, scope.name(), decision)?;
    w.record(&row(decision, scope.name(), w.by().now, instead.as_deref().unwrap_or(DONE)))?;
    Ok(())
}

/// The journal's row of a decision; `rig` is empty for a decision of the town.
pub fn row(decision: &Decision, rig: &str, at: crate::base::Time, outcome: &str) -> DecisionRow {
    DecisionRow {
        actions: json!(decision.actions),
        rung: decision.rung.map(|r| r.rung),
        outcome: outcome.to_owned(),
        ..answered(&decision.origin, rig, subject_key(&decision.subject), &decision.because, at)
    }
}

/// The journal's row of an answer, before what it means is put in: who gave it, about what, because of what.
pub fn answered(
    origin: &Origin,
    rig: &str,
    subject: String,
    because: &[Because],
    at: crate::base::Time,
) -> DecisionRow {
    DecisionRow {
        seq: 0,
        at,
        role: origin.role.clone(),
        rig: rig.to_owned(),
        rule: origin.rule.clone(),
        layer: origin.layer.to_string(),
        revision: origin.revision.clone(),
        file: origin.file.clone(),
        line: origin.line,
        subject,
        actions: Value::Null,
        because: json!(because),
        rung: None,
        outcome: DONE.to_owned(),
    }
}

/// What has to be looked at before the transaction: free places, runtimes, formulas, terminals.
fn prepare(cx: &Acting<'_>, store: &Store, scope: Scope<'_>, decision: &Decision, desk: &mut Desk) -> Step {
    for action in &decision.actions {
        match action {
            Action::Sling { to, .. } => desk.prepare_sling(cx, store, scope, to.as_deref())?,
            Action::Restart { who, .. } => {
                let row = store.read(|r| agent::need(r, who))?;
                if hosts::open(cx, row.host)?.probe(&row.session).is_ok_and(|p| p.attached) {
                    return Err(No::Refused(format!("a person is attached to {who}")));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// No rule, however wrong, does one thing to one subject more often than this in an hour.
fn rate(w: &mut Write<'_>, action: &Action) -> Step {
    let (subject, most) = match action {
        Action::Nudge { to, .. } => (to.to_string(), 12),
        Action::Restart { who, .. } | Action::Stop { who, .. } => (who.to_string(), 12),
        Action::Sling { bead: BeadRef::Id(id), .. } => (id.to_string(), 12),
        Action::Requeue { what, .. } | Action::Hold { what, .. } | Action::Quarantine { what } => {
            (subject_key(what), 12)
        }
        Action::Escalate { about, .. } | Action::Ask { about, .. } => (subject_key(about), 12),
        Action::Comment { bead: BeadRef::Id(id), .. } | Action::Update { bead: BeadRef::Id(id), .. } => {
            (id.to_string(), 30)
        }
        Action::Repack => ("ledger".to_owned(), 6),
        Action::Create(_) => ("new".to_owned(), MOST_RATE),
        Action::Mail { to, .. } => (to.clone(), 30),
        _ => return Ok(()),
    };
    let key = format!("{}:{}:{subject}", w.by().actor, action.verb());
    let now = w.by().now.millis();
    let mut times: Vec<i64> = match w.local_row(RATES, &key)? {
        Some(Ok(times)) => times,
        // Nobody knows how often: as often as it may. Whoever writes the refusal down gives this an hour, too.
        Some(Err(_)) => vec![now; most],
        None => {
            forget_rates(w)?;
            Vec::new()
        }
    };
    times.retain(|t| now - t < HOUR_MS && *t <= now);
    if times.len() >= most {
        return Err(No::Refused(format!("{} {subject}: {most} times within an hour is enough", action.verb())));
    }
    times.push(now);
    w.put_local(RATES, &key, &json!(times))?;
    Ok(())
}

/// Whether a rate cannot be read, so that [`forget_rates`] has something to do at once.
pub(super) fn has_damaged_rates(r: &Read<'_>) -> Result<bool, StoreError> {
    Ok(r.local_texts(RATES)?.iter().any(|(_, text)| serde_json::from_str::<Vec<i64>>(text).is_err()))
}

/// Drops the rates of what was not done within the last hour, so that the table holds no more than an hour's worth. One
/// that cannot be read counts as used up for an hour from now.
pub(super) fn forget_rates(w: &mut Write<'_>) -> Result<(), StoreError> {
    let now = w.by().now.millis();
    for (key, text) in w.local_texts(RATES)? {
        match serde_json::from_str::<Vec<i64>>(&text) {
            Ok(times) if times.iter().all(|t| now - t >= HOUR_MS) => {
                w.delete_local(RATES, &key)?;
            }
            Ok(_) => {}
            Err(_) => w.put_local(RATES, &key, &json!(vec![now; MOST_RATE]))?,
        }
    }
    Ok(())
}

/// One decision on its way, inside its transaction.
struct Act<'a, 'w, 's> {
    cx: &'a Acting<'a>,
    w: &'w mut Write<'s>,
    scope: Scope<'a>,
    desk: &'a Desk,
    made: &'w mut Vec<Option<BeadId>>,
    effect: &'w mut Effect,
    decision: &'a Decision,
    /// What was done instead of the action, when its budget is used up: the journal says that.
    instead: Option<String>,
}

impl Act<'_, '_, '_> {
    fn carry_out(&mut self, index: usize, action: &Action) -> Step {
        match action {
            Action::Nudge { to, text } => {
                let bead = agent::need(self.w, to)?.bead;
                let decision = self.decision;
                let alone = decision.actions.iter().all(|action| matches!(action, Action::Nudge { .. }));
                let about = subject_key(&decision.subject);
                let nudge = Nudge {
                    key: format!("{}:{}:{about}:{index}", self.w.by().actor, decision.origin.rule),
                    to: to.clone(),
                    bead,
                    text: text.clone(),
                    at: self.w.by().now,
                    climb: decision.climb.clone().filter(|_| alone && decision.rung.is_some()),
                    begun: None,
                };
                nudges::put(self.w, &nudge)?;
                self.effect.after.push(After::Nudge(nudge));
                Ok(())
            }
            Action::Restart { who, resume } => self.restart(who, *resume),
            Action::Stop { who, why } => {
                let intent = retire::stop_plan(self.w, who, why)?;
                self.effect.intents.push(intent);
                Ok(())
            }
            Action::Requeue { what, why } => self.requeue(what, why),
            Action::Rework { mr, why } => self.rework(mr, why),
            Action::Quarantine { what } => self.quarantine(what),
            Action::Hold { what, why, until_ms } => {
                let id = self.id(what)?;
                keep::set_hold(self.w, id.as_str(), &Hold { why: why.clone(), until_ms: *until_ms })?;
                self.w.emit("held", id.as_str(), json!({ "why": why, "until_ms": until_ms }))?;
                Ok(())
            }
            Action::Escalate { about, severity, text } => {
                let subject = subject_key(&self.real(about)?);
                let priority = match severity.as_str() {
                    "critical" => 0,
                    "high" => 1,
                    "medium" => 2,
                    _ => 3,
                };
                let title = headline(text, 120);
                let labels = vec![format!("severity:{}", severity.as_str())];
                // What is in quarantine by the same decision is told of here alone.
                let secluded = self.id(about).ok().filter(|id| self.secludes(id));
                let more = match secluded {
                    Some(id) => budget::particulars(self.w, &id)?,
                    None => String::new(),
                };
                self.letter("overseer", &title, &format!("{text}{more}"), Some(priority), labels)?;
                self.w.emit("escalated", &subject, json!({ "severity": severity.as_str(), "text": text }))?;
                Ok(())
            }
            Action::Mail { to, subject, body } => {
                let to: Address = to.parse().map_err(|e: crate::base::NameError| No::Refused(e.to_string()))?;
                self.letter(&to.to_string(), subject, body, None, Vec::new())
            }
            Action::Sling { bead, to } => self.sling(bead, to.as_deref()),
            Action::Create(new) => {
                let id = self.create(new)?;
                self.made[index] = Some(id);
                Ok(())
            }
            Action::Update { bead, fields } => self.update(bead, fields),
            Action::Close { bead, why } => {
                let id = self.bead(bead)?;
                if let Some(hook) = self.w.hook_of(&id)? {
                    return Err(No::Refused(format!("{id} is on the hook of {}", hook.agent)));
                }
                molecule::close(self.w, &id, Close::because(why.clone()), None)?;
                convoy::check(self.w, &id)?;
                Ok(())
            }
            Action::Comment { bead, text } => {
                let id = self.bead(bead)?;
                self.w.add_comment(&id, text)?;
                Ok(())
            }
            Action::Ask { about, name, to, text, choices, tokens } => {
                if to != "overseer" {
                    return Err(No::Refused("no model is set up to answer questions of policies".into()));
                }
                let subject = self.real(about)?;
                let key = keep::key(&subject, self.scope.name()).unwrap_or_default();
                let question = json!({ "text": text, "choices": choices, "tokens": tokens, "to": to });
                if keep::ask(self.w, &key, name, &question)? {
                    let body = format!("{text}\n\nChoices: {}", choices.join(", "));
                    self.letter("overseer", &format!("Question about {key}: {name}"), &body, Some(1), Vec::new())?;
                }
                Ok(())
            }
            Action::Burn { bead } => {
                let id = self.bead(bead)?;
                let hooks = self.w.hooks()?;
                if let Some(hook) = hooks.iter().find(|h| h.bead == id || h.molecule.as_ref() == Some(&id)) {
                    return Err(No::Refused(format!("{id} is on the hook of {}", hook.agent)));
                }
                molecule::burn(self.w, &id, false).map_err(|e| No::from(TownError::from(e)))?;
                Ok(())
            }
            Action::Repack => {
                self.effect.after.push(After::Repack);
                Ok(())
            }
            Action::Remember { on, values, until_ms } => {
                let subject = self.real(on)?;
                let key = keep::key(&subject, self.scope.name()).unwrap_or_default();
                keep::remember(self.w, &key, values, *until_ms)?;
                Ok(())
            }
        }
    }

    /// The bead that a reference means now.
    fn bead(&self, bead: &BeadRef) -> Step<BeadId> {
        match bead {
            BeadRef::Id(id) => Ok(id.clone()),
            BeadRef::Made(index) => {
                let made = self.made.get(*index).cloned().flatten();
                made.ok_or_else(|| No::Refused("it needs a bead that was not made".into()))
            }
        }
    }

    /// The subject with beads that were just made put in.
    fn real(&self, subject: &Subject) -> Step<Subject> {
        match subject {
            Subject::Made(index) => Ok(Subject::Bead(self.bead(&BeadRef::Made(*index))?)),
            other => Ok(other.clone()),
        }
    }

    fn id(&self, subject: &Subject) -> Step<BeadId> {
        match self.real(subject)? {
            Subject::Bead(id) | Subject::Mr(id) => Ok(id),
            Subject::Agent(address) => match crate::town::hook::held(self.w, &address)? {
                Some(hook) => Ok(hook.bead),
                None => Err(No::Refused(format!("{address} has nothing on its hook"))),
            },
            Subject::Town | Subject::Made(_) => Err(No::Refused("the town is no bead".into())),
        }
    }

    fn restart(&mut self, who: &Address, resume: bool) -> Step {
        let row = agent::need(self.w, who)?;
        if crate::town::intent::stands(self.w, who)? {
            return Err(No::Refused(format!("{who} is being started or stopped")));
        }
        if row.state == agent::AgentState::Done {
            return Err(No::Refused(format!("{who} has handed in its work")));
        }
        if row.rig().is_none() {
            return Err(No::Refused(format!("{who} is no worker of a rig")));
        }
        match retire::restart_plan(self.w, who, resume)? {
            retire::Restart::Granted(intent) => self.effect.intents.push(*intent),
            retire::Restart::Quarantined(intent) => {
                self.effect.intents.push(*intent);
                self.instead = Some(format!("quarantined instead: {}", retire::used_up()));
            }
        }
        Ok(())
    }

    fn requeue(&mut self, what: &Subject, why: &str) -> Step {
        let bead = match self.real(what)? {
            Subject::Mr(mr) => {
                let request = Request::load(self.w, &mr)?;
                if request.state().in_hand() {
                    return Err(No::Refused(format!("{mr} is {} right now", request.state())));
                }
                if !request.state().is_final() {
                    queue::reject(self.w, &mr, why)?;
                }
                let row = agent::get(self.w, &request.mr.worker)?;
                if row.is_some_and(|row| row.state == agent::AgentState::Done) {
                    let intent = retire::plan(self.w, &request.mr.worker, why, None)?;
                    self.effect.intents.push(intent);
                }
                request.mr.bead
            }
            other => self.id(&other)?,
        };
        let intent = retire::requeue_plan(self.w, &bead, why)?;
        self.effect.intents.extend(intent);
        Ok(())
    }

    fn rework(&mut self, mr: &BeadId, why: &str) -> Step {
        let request = Request::load(self.w, mr)?;
        if request.state().in_hand() {
            return Err(No::Refused(format!("{mr} is {} right now", request.state())));
        }
        let line = if why.is_empty() { request.mr.why.clone().unwrap_or_default() } else { why.to_owned() };
        let evidence = rework::Evidence { why: line, text: evidence_text(&request.mr) };
        let intent = rework::plan(self.w, self.cx, mr, &evidence)?;
        self.effect.intents.extend(intent);
        Ok(())
    }

    fn quarantine(&mut self, what: &Subject) -> Step {
        let id = self.id(what)?;
        let origin = &self.decision.origin;
        let said = self.decision.actions.iter().find_map(|action| match action {
            Action::Escalate { about, text, .. } => self.id(about).is_ok_and(|about| about == id).then_some(text),
            _ => None,
        });
        let reason = said.map_or_else(|| format!("rule {} gives it up", origin.rule), |text| headline(text, 160));
        let restarts = budget::spent(self.w, retire::RESTART, &id).map_or(0, |spent| spent.times);
        let after =
            if restarts > 0 { format!("after {}, ", count(restarts as usize, "restart")) } else { String::new() };
        let why = format!("{reason} ({after}rule {}, {}:{})", origin.rule, origin.file, origin.line);
        if said.is_some() {
            budget::seclude(self.w, &id, &why)?;
        } else {
            budget::quarantine(self.w, &id, &why)?;
        }
        if let Some(hook) = self.w.hook_of(&id)? {
            let intent = retire::plan(self.w, &hook.agent, "its bead is in quarantine", Some(&id))?;
            self.effect.intents.push(intent);
        }
        Ok(())
    }

    /// Whether the decision puts this bead into quarantine.
    fn secludes(&self, id: &BeadId) -> bool {
        let of = |action: &Action| match action {
            Action::Quarantine { what } => self.id(what).is_ok_and(|what| what == *id),
            _ => false,
        };
        self.decision.actions.iter().any(of)
    }

    fn sling(&mut self, bead: &BeadRef, to: Option<&str>) -> Step {
        let id = self.bead(bead)?;
        let ready = self.desk.ready(self.scope, to)?;
        let now = self.w.by().now.millis();
        if let Some(hold) = keep::hold(self.w, id.as_str(), now)? {
            return Err(No::Refused(format!("{id} is held: {}", hold.why)));
        }
        let mut plan = sling::decide(self.w, ready, &id)?;
        if let Some(waits) = &plan.waits {
            return Err(No::Refused(format!("{id} {waits}")));
        }
        let intent = sling::commit(self.w, self.cx, ready, &mut plan)?;
        self.effect.intents.extend(intent);
        Ok(())
    }

    fn create(&mut self, new: &Wanted) -> Step<BeadId> {
        let mut deps = Vec::new();
        if let Some(from) = &new.found_in {
            deps.push(NewDep::new(DepKind::DISCOVERED_FROM, from.clone()));
        }
        if let Some(epic) = &new.epic {
            deps.push(NewDep::new(DepKind::PARENT_CHILD, epic.clone()));
        }
        let bead = self.w.create(NewBead {
            prefix: self.scope.rig().map(|rig| rig.prefix().clone()),
            description: new.description.clone().unwrap_or_default(),
            issue_type: new.kind.as_deref().map(IssueType::from_alias),
            priority: new.priority.map(|p| p.clamp(0, 4) as u8),
            labels: new.labels.clone(),
            deps,
            ..NewBead::titled(new.title.clone())
        })?;
        if let Some(from) = &new.found_in {
            convoy::adopt(self.w, &bead.id, from)?;
        }
        Ok(bead.id)
    }

    fn update(&mut self, bead: &BeadRef, fields: &serde_json::Map<String, Value>) -> Step {
        let id = self.bead(bead)?;
        let mut patch = Patch::default();
        let text = |v: &Value| v.as_str().map(str::to_owned);
        for (name, value) in fields {
            match name.as_str() {
                "title" => patch.title = text(value),
                "description" => patch.description = text(value),
                "notes" => patch.notes = text(value),
                "priority" => patch.priority = value.as_i64().map(|p| p.clamp(0, 4) as u8),
                "assignee" => patch.assignee = text(value),
                "labels" => {
                    let wanted: Vec<String> = value.as_array().into_iter().flatten().filter_map(text).collect();
                    for old in self.w.labels(&id)?.iter().filter(|l| !wanted.contains(l)) {
                        self.w.remove_label(&id, old)?;
                    }
                    for label in &wanted {
                        self.w.add_label(&id, label)?;
                    }
                }
                "status" => {
                    let status = value.as_str().unwrap_or_default();
                    // Closing and hooking have their own verbs, which mind what hangs on them.
                    if !matches!(status, "open" | "blocked" | "deferred" | "in_progress") {
                        return Err(No::Refused(format!("a policy cannot set the status `{status}`")));
                    }
                    patch.status = Some(crate::store::Status::new(status));
                }
                other => return Err(No::Refused(format!("a policy cannot change `{other}` of a bead"))),
            }
        }
        self.w.update(&id, patch)?;
        Ok(())
    }

    fn letter(&mut self, to: &str, title: &str, body: &str, priority: Option<u8>, mut labels: Vec<String>) -> Step {
        labels.push(format!("from:{}", self.w.by().actor));
        self.w.create(NewBead {
            description: body.to_owned(),
            issue_type: Some(IssueType::MESSAGE),
            assignee: to.to_owned(),
            priority,
            labels,
            ..NewBead::titled(title)
        })?;
        Ok(())
    }
}

/// What a worker needs to see of a request that came back.
pub fn evidence_text(mr: &MrMeta) -> String {
    let mut text = String::new();
    if let Some(hunks) = mr.evidence.get("hunks").and_then(Value::as_array) {
        let _ = write!(text, "Bring {} into your branch, resolve, commit, then hand it in again:\n\n", mr.target);
        let _ = writeln!(text, "    git merge origin/{}", mr.target);
        for hunk in hunks.iter().filter_map(Value::as_str) {
            let _ = write!(text, "\n```\n{}\n```\n", hunk.trim_end());
        }
    }
    let words = |key: &str| mr.evidence.get(key).and_then(Value::as_str).unwrap_or_default();
    if mr.evidence.contains_key("gate") {
        let onto = words("target");
        let here = if words("verdict") == "could-not-run" { "could not run" } else { "ran" };
        let there = if words("target_says") == "fail" { "it runs (and fails)" } else { "it passes" };
        let _ = write!(
            text,
            "The gate `{}` {here} on your change merged with {} ({}); {there} without it. {}\n\n```\n{}\n```\n",
            words("gate"),
            mr.target,
            &onto[..onto.len().min(10)],
            mr.why.as_deref().unwrap_or_default(),
            words("output").trim_end()
        );
    }
    text
}
