//! Patrols in the daemon: which are due, their cycles, and what becomes of these.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::judge::Judged;
use crate::base::Time;
use crate::policy::{Cycle, EventKind, Plan, Reads, Snapshot};
use crate::store::{IssueType, Read, Store, StoreError};
use crate::town::roles::patrols::{self, Circumstances, Due};
use crate::town::roles::snapshot::Beads;
use crate::town::roles::{Effect, Roles, Scope, Seen, events, execute_cycle};
use crate::town::{Acting, TownError};

/// At most so many events are looked through for one that makes a patrol due.
const EVENTS: usize = 500;
/// What the schedules of a place are held against.
pub(super) struct At<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) seen: &'a BTreeMap<crate::base::Address, Seen>,
    pub(super) now: Time,
    pub(super) woke_ms: Option<i64>,
    pub(super) busy: bool,
    /// How far the events were looked through for each patrol that one of them makes due.
    pub(super) heard_to: &'a HeardTo,
}

/// The last event that was looked at for a patrol, by rig and name.
pub(super) type HeardTo = BTreeMap<(String, String), i64>;

/// The patrols of a place that are due now; notes when the next one is.
pub(super) fn due(
    r: &Read<'_>,
    beads: &mut Beads<'_, '_>,
    roles: &Roles,
    at: &At<'_>,
    out: &mut Judged,
) -> Result<Vec<Arc<Plan>>, StoreError> {
    let plans = roles.patrols(at.scope);
    if plans.is_empty() {
        return Ok(plans);
    }
    let last_event = r.last_event()?;
    let mut due = Vec::new();
    for plan in plans {
        let Some(schedule) = patrols::get(r, at.scope.name(), &plan.name)? else { continue };
        let heard = match plan.on {
            Some(kind) => heard(r, beads, at, (&plan.name, kind), schedule.seq, out)?,
            None => false,
        };
        let (now_ms, woke_ms, busy) = (at.now.millis(), at.woke_ms, at.busy);
        match schedule.due(Circumstances { now_ms, woke_ms, busy, last_event, heard }) {
            Due::Now => due.push(plan),
            Due::At(ms) => out.wake_at(Some(ms)),
            Due::Never => {}
        }
    }
    Ok(due)
}

/// Whether an event of this kind came that the last cycle, which ended at `seq`, did not know of.
fn heard(
    r: &Read<'_>,
    beads: &mut Beads<'_, '_>,
    at: &At<'_>,
    (name, on): (&str, EventKind),
    seq: i64,
    out: &mut Judged,
) -> Result<bool, StoreError> {
    let key = (at.scope.name().to_owned(), name.to_owned());
    let from = at.heard_to.get(&key).map_or(seq, |known| seq.max(*known));
    let new = r.events_after(from, EVENTS)?;
    let last = new.last().map(|e| e.seq);
    let more = new.len() == EVENTS;
    for event in new {
        let Some(kind) = events::kind(&event) else { continue };
        // A letter is a bead that was created.
        let letters = on == EventKind::MailReceived && kind == EventKind::BeadCreated;
        if kind != on && !letters {
            continue;
        }
        let about_it = match at.scope.rig() {
            Some(rig) => {
                let fact = events::fact(r, beads, rig, at.seen, &event, at.now.millis())?;
                fact.is_some_and(|fact| fact.kind == on)
            }
            None if matches!(on, EventKind::MailReceived | EventKind::BeadCreated) => {
                let bead = crate::base::BeadId::new(&event.subject).ok().map(|id| r.bead(&id)).transpose()?.flatten();
                bead.is_some_and(|b| (b.issue_type == IssueType::MESSAGE) == (on == EventKind::MailReceived))
            }
            None => true,
        };
        if about_it {
            return Ok(true);
        }
    }
    out.heard.extend(last.map(|last| (key, last)));
    if more {
        out.wake_at(Some(at.now.millis()));
    }
    Ok(false)
}

/// Judges a cycle of each patrol that is due.
pub(super) fn judge(
    due: Vec<Arc<Plan>>,
    roles: &mut Roles,
    scope: Scope<'_>,
    snapshot: &Arc<Snapshot>,
    reads: &dyn Reads,
    out: &mut Judged,
) {
    for plan in due {
        let Some(engine) = roles.engine_for(scope, &plan.role) else { continue };
        let mut cycle = engine.cycle(&plan, snapshot, reads);
        out.warn(&plan.role, std::mem::take(&mut cycle.warnings));
        out.cycles.push((plan, cycle));
    }
}

/// Carries out a cycle and writes down what it came to. What cannot be written down ends this cycle, not the daemon.
pub(super) fn carry_out(
    cx: &Acting<'_>,
    store: &mut Store,
    scope: Scope<'_>,
    plan: &Plan,
    cycle: &Cycle,
) -> Result<Effect, TownError> {
    let result = execute_cycle(cx, store, scope, &plan.role, &cycle.decisions, &|w, refused| {
        patrols::close(w, scope, plan, cycle, refused)
    });
    match result {
        Err(TownError::Store(error)) if error.is_fault() => Err(TownError::Store(error)),
        Err(error) => {
            tracing::error!(patrol = plan.name, %error, "a cycle cannot be written down");
            let why = crate::policy::Diagnostic::bare(error.to_string());
            let failed = Cycle { failure: Some((String::new(), why)), ..Cycle::default() };
            execute_cycle(cx, store, scope, &plan.role, &[], &|w, refused| {
                patrols::close(w, scope, plan, &failed, refused)
            })
        }
        done => done,
    }
}
