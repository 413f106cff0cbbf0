//! The schedules of patrols, kept in the store, and what is left of a cycle: a digest, or nothing.
//!
//! A patrol is due some time after its last cycle or when an event of its kind came, but never in a place where
//! nothing has happened since and nobody works. Each cycle is one transaction with all that it brings about.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Scope;
use crate::base::text::headline;
use crate::base::{BeadId, Time};
use crate::formula::Vars;
use crate::molecule::{self, PourOpts};
use crate::policy::{Cycle, Plan};
use crate::store::{Close, DecisionRow, Read, StoreError, Write};
use crate::town::TownError;

/// The local namespace of schedules.
const PATROLS: &str = "patrol";
/// What could not be judged is tried again after this, or after the patrol's own time if that is shorter.
const AGAIN_MS: i64 = 300_000;
/// What came due while the machine slept is done this long after it woke, or after the patrol's own time if that is
/// shorter: once, however often it was missed.
const AFTER_SLEEP_MS: i64 = 60_000;

/// Where a patrol stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The role.
    pub role: String,
    /// A cycle is due this long after the last one, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<i64>,
    /// The kind of event that makes one due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// The steps, in order.
    pub steps: Vec<String>,
    /// The end of the last cycle, or when the patrol was first seen.
    pub last_ms: i64,
    /// The last event that the last cycle knew of.
    pub seq: i64,
    /// Not before this moment, when the last try found something unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<i64>,
    /// A person wants it now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
    /// How many cycles there have been.
    #[serde(default)]
    pub cycles: u64,
    /// What the last one came to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub outcome: String,
    /// Why the last one ended early, if it did: the same failure is told once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The last digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<BeadId>,
}

/// When the next cycle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Now.
    Now,
    /// At this moment, if nothing makes it due before.
    At(i64),
    /// When something happens.
    Never,
}

/// What a schedule is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// The present.
    pub now_ms: i64,
    /// When the machine last woke from a sleep, if it did.
    pub woke_ms: Option<i64>,
    /// Somebody works here, or something waits to land.
    pub busy: bool,
    /// The last event of the store.
    pub last_event: i64,
    /// An event of the patrol's kind came.
    pub heard: bool,
}

impl Schedule {
    /// After what time a cycle that could not be judged is tried again.
    fn again_ms(&self) -> i64 {
        self.every_ms.map_or(AGAIN_MS, |every| every.min(AGAIN_MS))
    }

    /// When the next cycle is.
    pub fn due(&self, at: Circumstances) -> Due {
        if self.asked {
            return Due::Now;
        }
        if let Some(retry) = self.retry_ms.filter(|retry| *retry > at.now_ms) {
            return Due::At(retry);
        }
        if at.heard {
            return Due::Now;
        }
        let Some(every) = self.every_ms else { return Due::Never };
        if !at.busy && at.last_event == self.seq {
            return Due::Never;
        }
        // A clock that was set back must not put it off for ever.
        let last = self.last_ms.min(at.now_ms);
        let mut due = last.saturating_add(every);
        if let Some(woke) = at.woke_ms.filter(|woke| last < *woke && due <= *woke) {
            due = woke.saturating_add(every.min(AFTER_SLEEP_MS));
        }
        if due <= at.now_ms { Due::Now } else { Due::At(due) }
    }
}

fn key(rig: &str, name: &str) -> String {
    format!("{rig}/{name}")
}

/// Where the patrol of a rig stands; of the town when `rig` is empty.
pub fn get(r: &Read<'_>, rig: &str, name: &str) -> Result<Option<Schedule>, StoreError> {
    r.local_or_none(PATROLS, &key(rig, name))
}

fn put(w: &mut Write<'_>, rig: &str, name: &str, schedule: &Schedule) -> Result<(), StoreError> {
    w.put_local(PATROLS, &key(rig, name), &json!(schedule))
}

/// All schedules that can be read: rig (empty for the town), name, and where it stands. Another is written anew when
/// the patrols are next enrolled.
pub fn all(r: &Read<'_>) -> Result<Vec<(String, String, Schedule)>, StoreError> {
    let one = |(key, text): (String, String)| {
        let (rig, name) = key.split_once('/')?;
        Some((rig.to_owned(), name.to_owned(), serde_json::from_str(&text).ok()?))
    };
    Ok(r.local_texts(PATROLS)?.into_iter().filter_map(one).collect())
}

/// The schedule that a patrol has from now on, given the one that it had.
fn enrolled(plan: &Plan, known: Option<Schedule>, now_ms: i64, seq: i64) -> Schedule {
    let mut schedule = known.unwrap_or(Schedule { last_ms: now_ms, seq, ..Schedule::default() });
    schedule.role.clone_from(&plan.role);
    schedule.every_ms = plan.every.map(crate::base::span::Span::as_millis);
    schedule.on = plan.on.map(|kind| kind.as_str().to_owned());
    schedule.steps = plan.steps.iter().map(|s| s.id.clone()).collect();
    schedule
}

/// Whether other patrols, `(rig, plan)`, are written down than there are.
pub fn differ(r: &Read<'_>, plans: &[(&str, &Plan)]) -> Result<bool, StoreError> {
    let known = all(r)?;
    let same = |(rig, plan): &(&str, &Plan)| {
        let found = known.iter().find(|(r, name, _)| r == rig && *name == plan.name);
        found.is_some_and(|(.., s)| enrolled(plan, Some(s.clone()), 0, 0) == *s)
    };
    Ok(known.len() != plans.len() || !plans.iter().all(same))
}

/// Writes down the patrols there are: a new one begins to count now, one that is gone is forgotten.
pub fn enroll(w: &mut Write<'_>, plans: &[(&str, &Plan)]) -> Result<(), StoreError> {
    let (now_ms, seq) = (w.by().now.millis(), w.last_event()?);
    let mut gone = all(w)?;
    for (rig, plan) in plans {
        let at = gone.iter().position(|(r, name, _)| r == rig && *name == plan.name);
        let known = at.map(|at| gone.swap_remove(at).2);
        put(w, rig, &plan.name, &enrolled(plan, known, now_ms, seq))?;
    }
    for (rig, name, _) in gone {
        w.delete_local(PATROLS, &key(&rig, &name))?;
    }
    Ok(())
}

/// The last cycle of a patrol was now at the latest, also when the clock was set back since. Says how many were moved.
pub fn set_back(w: &mut Write<'_>) -> Result<usize, StoreError> {
    let now_ms = w.by().now.millis();
    let mut moved = 0;
    for (rig, name, known) in all(w)? {
        let mut schedule = known.clone();
        schedule.last_ms = known.last_ms.min(now_ms);
        schedule.retry_ms = known.retry_ms.map(|at| at.min(now_ms + schedule.again_ms()));
        if schedule != known {
            put(w, &rig, &name, &schedule)?;
            moved += 1;
        }
    }
    Ok(moved)
}

/// A person wants a cycle now. False when there is no such patrol.
pub fn ask(w: &mut Write<'_>, rig: &str, name: &str) -> Result<bool, StoreError> {
    let Some(mut schedule) = get(w, rig, name)? else { return Ok(false) };
    schedule.asked = true;
    put(w, rig, name, &schedule).map(|()| true)
}

/// Writes down what a cycle came to, in the transaction of what it does: a wisp that is squashed at once when there is
/// something to remember, and where the patrol stands now. `refused` is why decisions were left out.
pub fn close(
    w: &mut Write<'_>,
    scope: Scope<'_>,
    plan: &Plan,
    cycle: &Cycle,
    refused: &[Option<String>],
) -> Result<(), TownError> {
    let mut schedule = get(w, scope.name(), &plan.name)?.unwrap_or_default();
    let now = w.by().now;
    schedule.asked = false;
    if let Some(why) = &cycle.undecided {
        schedule.retry_ms = Some(now.millis() + schedule.again_ms());
        schedule.outcome = format!("undecided: {why}");
        return Ok(put(w, scope.name(), &plan.name, &schedule)?);
    }
    let failure = cycle.failure.as_ref().map(|(step, why)| format!("{step}: {}", why.message));
    let news = failure != schedule.failure;
    let acted = refused.iter().filter(|r| r.is_none()).count();
    let worth_it = if failure.is_some() { news || acted > 0 } else { refused.is_empty() || acted > 0 };
    schedule.outcome = "nothing to do".into();
    if let Some(text) = cycle.digest.as_ref().filter(|_| worth_it) {
        let text = with_refusals(text, cycle, refused);
        schedule.outcome = headline(&text, 200);
        schedule.digest = Some(record(w, scope, plan, cycle, &text)?);
    } else if acted > 0 {
        schedule.outcome = "done, without a record".into();
    } else if let Some(why) = refused.iter().flatten().next() {
        schedule.outcome = format!("refused: {why}");
    }
    if let Some(why) = &failure {
        schedule.outcome = format!("failed: {why}");
        if news {
            w.record(&failed(scope, plan, cycle, now))?;
        }
    }
    schedule.failure = failure;
    schedule.retry_ms = None;
    schedule.last_ms = now.millis();
    schedule.cycles += 1;
    // What this cycle itself brought about is no reason for the next one.
    schedule.seq = w.last_event()?;
    Ok(put(w, scope.name(), &plan.name, &schedule)?)
}

fn with_refusals(text: &str, cycle: &Cycle, refused: &[Option<String>]) -> String {
    let mut text = text.to_owned();
    for (decision, why) in cycle.decisions.iter().zip(refused) {
        if let Some(why) = why {
            text.push_str(&format!("\n{} was refused: {why}", decision.origin.rule));
        }
    }
    text
}

/// The cycle as a wisp, squashed to its digest.
fn record(w: &mut Write<'_>, scope: Scope<'_>, plan: &Plan, cycle: &Cycle, text: &str) -> Result<BeadId, TownError> {
    molecule::freeze(w, &plan.proto)?;
    let prefix = scope.rig().map(|rig| rig.prefix().clone());
    let opts = PourOpts { ephemeral: true, prefix, ..PourOpts::default() };
    let poured = molecule::pour(w, &plan.proto, &Vars::new(), &opts)?;
    for (name, id) in &poured.steps {
        if let Some(step) = cycle.steps.iter().find(|s| s.id == *name) {
            w.close(id, Close { force: true, ..Close::because(step.outcome.clone()) })?;
        }
    }
    Ok(molecule::squash(w, &poured.root, Some(text), false)?.digest_id)
}

/// The journal's row of a cycle that ended early.
fn failed(scope: Scope<'_>, plan: &Plan, cycle: &Cycle, at: Time) -> DecisionRow {
    let (step, why) = cycle.failure.clone().unwrap_or_else(|| (String::new(), crate::policy::Diagnostic::bare("")));
    DecisionRow {
        seq: 0,
        at,
        role: plan.role.clone(),
        rig: scope.name().to_owned(),
        rule: format!("{}/{step}", plan.name),
        layer: String::new(),
        revision: plan.proto.id.clone(),
        file: why.file,
        line: why.line,
        subject: "town".into(),
        actions: json!([]),
        because: json!([]),
        rung: None,
        outcome: format!("failed: {}", why.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn hourly() -> Schedule {
        Schedule { every_ms: Some(HOUR), last_ms: 0, seq: 7, ..Schedule::default() }
    }

    fn at(now_ms: i64) -> Circumstances {
        Circumstances { now_ms, woke_ms: None, busy: false, last_event: 8, heard: false }
    }

    #[test]
    fn a_patrol_is_due_its_time_after_the_last_cycle() {
        assert_eq!(hourly().due(at(10)), Due::At(HOUR));
        assert_eq!(hourly().due(at(HOUR)), Due::Now);
        let back = Schedule { last_ms: 50 * HOUR, ..hourly() };
        assert_eq!(back.due(at(HOUR)), Due::At(2 * HOUR), "a clock that was set back puts nothing off for ever");
    }

    #[test]
    fn where_nothing_has_happened_no_cycle_is_due() {
        let idle = Circumstances { last_event: 7, ..at(90 * HOUR) };
        assert_eq!(hourly().due(idle), Due::Never);
        assert_eq!(hourly().due(Circumstances { busy: true, ..idle }), Due::Now);
        assert_eq!(Schedule { asked: true, ..hourly() }.due(idle), Due::Now);
        assert_eq!(Schedule { every_ms: None, ..hourly() }.due(at(90 * HOUR)), Due::Never);
    }

    #[test]
    fn an_event_makes_it_due_and_an_unreadable_fact_puts_it_off() {
        let on = Schedule { every_ms: None, ..hourly() };
        let heard = Circumstances { heard: true, ..at(1) };
        assert_eq!(on.due(heard), Due::Now);
        assert_eq!(Schedule { retry_ms: Some(500), ..on }.due(heard), Due::At(500));
    }

    #[test]
    fn what_came_due_in_a_sleep_starts_once_and_a_minute_after_it() {
        let woke = |now_ms| Circumstances { woke_ms: Some(20 * HOUR), ..at(now_ms) };
        assert_eq!(hourly().due(woke(20 * HOUR)), Due::At(20 * HOUR + AFTER_SLEEP_MS));
        assert_eq!(hourly().due(woke(20 * HOUR + AFTER_SLEEP_MS)), Due::Now);
        // After that cycle the sleep is forgotten.
        let after = Schedule { last_ms: 20 * HOUR + AFTER_SLEEP_MS, ..hourly() };
        assert_eq!(after.due(woke(20 * HOUR + AFTER_SLEEP_MS)), Due::At(21 * HOUR + AFTER_SLEEP_MS));
        // One that was not yet due keeps its time.
        let young = Schedule { last_ms: 20 * HOUR - 10, ..hourly() };
        assert_eq!(young.due(woke(20 * HOUR)), Due::At(21 * HOUR - 10));
    }
}
