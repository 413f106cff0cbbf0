//! One look of the policies at one rig: facts in, decisions and the next batch out. Writes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::journal::{self, Admission};
use super::patrol::{self, HeardTo};
use super::run::World;
use crate::base::{Address, BeadId, RigName, Time, earliest};
use crate::git::Repo;
use crate::policy::{
    Answer, Cycle, Decision, Diagnostic, Engine, EventFact, EventKind, MrFact, Outcome, Plan, Reads, Snapshot, Subject,
};
use crate::queue::driver::Job;
use crate::queue::{Request, State, push, wait};
use crate::store::{Event, Read, Store, StoreError};
use crate::town::Rig;
use crate::town::roles::events::{self, Cursor};
use crate::town::roles::snapshot::{Beads, Homes};
use crate::town::roles::{Made, Roles, Scope, Seen, StoredLadders, TownReads, keep, snapshot};

/// The role that answers the questions of the merge queue.
pub(super) const REFINERY: &str = "refinery";
/// At most so many events are judged in one look.
const EVENTS: usize = 500;
/// What is undecided is looked at again after this.
const AGAIN_MS: i64 = 15_000;
/// Whatever the policy's order: who has waited this long goes first, so that nobody waits for ever.
const MAX_WAIT_MS: i64 = 4 * 3_600_000;

/// How far each role has got, as the daemon remembers it; the store may be a little behind.
pub type Cursors = BTreeMap<(RigName, String), Cursor>;

/// What a look brought.
#[derive(Debug, Default)]
pub struct Judged {
    /// What to do, in order, each with the cursor to store with it.
    pub decisions: Vec<(Decision, Option<Cursor>)>,
    /// How far roles have got; true when that must be stored now.
    pub cursors: Vec<(String, Cursor, bool)>,
    /// The places on ladders, some of which may be forgotten now.
    pub ladders: StoredLadders,
    /// The next batch.
    pub batch: Option<Batch>,
    /// The queue has something in hand that no thread works on: what became of it must be found out first.
    pub settle: bool,
    /// A request waits for another target, and it is time to see whether the remote has one.
    pub look: bool,
    /// Why requests wait, for those that could be in a batch.
    pub notes: Vec<(BeadId, String)>,
    /// Whether the Refinery lets requests into the queue, for each that it was asked about.
    pub(super) admissions: Vec<Admission>,
    /// How far the events were looked through for patrols.
    pub(super) heard: Vec<((String, String), i64)>,
    /// The cycles of patrols that were due.
    pub cycles: Vec<(Arc<Plan>, Cycle)>,
    /// Errors of policies.
    pub warnings: Vec<(String, Vec<Diagnostic>)>,
    /// What a person must know when there are more open beads than policies look at.
    pub overlooked: Option<String>,
    /// The next moment at which something can differ although nothing happened.
    pub next_ms: Option<i64>,
}

/// A batch that the Refinery chose.
#[derive(Debug)]
pub struct Batch {
    /// Its members and the decisions behind it.
    pub job: Job,
    /// The gates that it is tested with, beside the required ones.
    pub gates: Vec<String>,
}

/// What is looked at.
#[derive(Debug)]
pub struct Look<'a> {
    /// The rig.
    pub rig: &'a Rig,
    /// All rigs: prefix and name.
    pub rigs: &'a [(String, RigName)],
    /// What was seen of its agents.
    pub seen: &'a BTreeMap<Address, Seen>,
    /// Its repository.
    pub repo: Option<&'a Repo>,
    /// Its queue could take a batch.
    pub queue_free: bool,
    /// When its remote was last looked at for those that wait for another target.
    pub looked: Option<Time>,
    /// What the rigs before it found of the beads of convoys.
    pub homes: &'a Homes,
    /// When the machine last woke from a sleep.
    pub woke_ms: Option<i64>,
    /// How far the events were looked through for patrols.
    pub(super) heard_to: &'a HeardTo,
}

/// Lets all roles of a rig look at it.
pub fn judge(
    world: &World,
    store: &Store,
    roles: &mut Roles,
    cursors: &Cursors,
    look: &Look<'_>,
) -> Result<Judged, StoreError> {
    let cx = world.acting("deacon");
    let now = cx.now();
    store.read(|r| {
        let mut out = Judged { ladders: StoredLadders::read(r)?, ..Judged::default() };
        let mut beads = Beads::new(r, look.rigs, look.homes, now.millis())?;
        let mut made = snapshot(r, &mut beads, look.rig, look.seen, now.millis())?;
        out.wake_at(made.next_ms);
        out.overlooked = made.overlooked.take();
        let mut heard = Vec::new();
        for role in roles.of(&look.rig.name) {
            let Some(engine) = roles.engine(&look.rig.name, &role) else { continue };
            heard.push((role.clone(), hear(r, &mut beads, engine, cursors, look, &role, now.millis())?));
        }
        let scope = Scope::Rig(look.rig);
        let busy = made.snapshot.polecats.iter().any(|p| p.bead.is_some()) || !made.snapshot.mrs.is_empty();
        let at = patrol::At { scope, seen: look.seen, now, woke_ms: look.woke_ms, busy, heard_to: look.heard_to };
        let due = patrol::due(r, &mut beads, roles, &at, &mut out)?;
        let reads = TownReads::new(&cx, r, scope, look.repo, &made.snapshot, beads);
        for (role, heard) in heard {
            let Some(engine) = roles.engine(&look.rig.name, &role) else { continue };
            out.events(engine, &role, heard, &made.snapshot, &reads);
            let pass = engine.pass(&made.snapshot, &reads, &mut out.ladders);
            out.wake_at(pass.next_ms);
            if pass.judged.iter().any(|j| matches!(j.outcome, Outcome::Undecided { .. })) {
                out.wake_at(Some(now.millis() + AGAIN_MS));
            }
            out.decisions.extend(pass.decisions.into_iter().map(|d| (d, None)));
            out.warn(&role, pass.warnings);
            if role == REFINERY && look.queue_free {
                out.choose(r, engine, look, &made, &reads, now)?;
            }
        }
        patrol::judge(due, roles, scope, &made.snapshot, &reads, &mut out);
        Ok(out)
    })
}

/// Lets the roles that act for the whole town do their patrols.
pub(super) fn judge_town(
    world: &World,
    store: &Store,
    roles: &mut Roles,
    rigs: &[(String, RigName)],
    woke_ms: Option<i64>,
    heard_to: &HeardTo,
) -> Result<Judged, StoreError> {
    let cx = world.acting("deacon");
    let now = cx.now();
    store.read(|r| {
        let mut out = Judged::default();
        let homes = Homes::default();
        let mut beads = Beads::new(r, rigs, &homes, now.millis())?;
        let (scope, seen) = (Scope::Town, BTreeMap::new());
        let at = patrol::At { scope, seen: &seen, now, woke_ms, busy: !r.hooks()?.is_empty(), heard_to };
        let due = patrol::due(r, &mut beads, roles, &at, &mut out)?;
        if due.is_empty() {
            return Ok(out);
        }
        let memory = keep::memory(r, &keep::key(&Subject::Town, scope.name()).unwrap_or_default(), now.millis())?;
        let snapshot = Arc::new(Snapshot { now_ms: now.millis(), memory, ..Snapshot::default() });
        let reads = TownReads::new(&cx, r, scope, None, &snapshot, beads);
        patrol::judge(due, roles, scope, &snapshot, &reads, &mut out);
        Ok(out)
    })
}

/// The events that a role has still to hear of.
struct Heard {
    from: Cursor,
    events: Vec<Arc<EventFact>>,
    last: i64,
}

fn hear(
    r: &Read<'_>,
    beads: &mut Beads<'_, '_>,
    engine: &Engine,
    cursors: &Cursors,
    look: &Look<'_>,
    role: &str,
    now_ms: i64,
) -> Result<Heard, StoreError> {
    let known = cursors.get(&(look.rig.name.clone(), role.to_owned())).copied();
    let stored = events::cursor(r, &look.rig.name, role)?;
    let Some(from) = known.max_by_seq(stored) else {
        // A new role hears of what happens from now on.
        let last = r.last_event()?;
        return Ok(Heard { from: Cursor { seq: last, part: 0 }, events: Vec::new(), last });
    };
    let mut listens = engine.events();
    if role == REFINERY {
        listens.extend([EventKind::MrMerged, EventKind::MrFailed]);
    }
    let new = r.events_after(from.seq, EVENTS)?;
    let last = new.last().map_or(from.seq, |e| e.seq);
    let mut facts = Vec::new();
    let wanted = |e: &Event| {
        events::kind(e).is_some_and(|kind| {
            let mail = kind == EventKind::BeadCreated && listens.contains(&EventKind::MailReceived);
            mail || listens.contains(&kind)
        })
    };
    for event in new.iter().filter(|e| wanted(e)) {
        if let Some(fact) = events::fact(r, beads, look.rig, look.seen, event, now_ms)?
            && listens.contains(&fact.kind)
        {
            facts.push(Arc::new(fact));
        }
    }
    Ok(Heard { from, events: facts, last })
}

trait Further {
    fn max_by_seq(self, other: Option<Cursor>) -> Option<Cursor>;
}

impl Further for Option<Cursor> {
    fn max_by_seq(self, other: Option<Cursor>) -> Option<Cursor> {
        match (self, other) {
            (Some(a), Some(b)) => Some(if (a.seq, a.part) >= (b.seq, b.part) { a } else { b }),
            (a, b) => a.or(b),
        }
    }
}

impl Judged {
    pub(super) fn wake_at(&mut self, at: Option<i64>) {
        self.next_ms = earliest(self.next_ms, at);
    }

    pub(super) fn warn(&mut self, role: &str, warnings: Vec<Diagnostic>) {
        if !warnings.is_empty() {
            self.warnings.push((role.to_owned(), warnings));
        }
    }

    fn events(&mut self, engine: &mut Engine, role: &str, heard: Heard, snapshot: &Arc<Snapshot>, reads: &dyn Reads) {
        let mut at = heard.from;
        let relevant = !heard.events.is_empty();
        for event in heard.events {
            let pass = engine.on_event(&event, snapshot, reads);
            let undecided = pass.judged.iter().any(|j| matches!(j.outcome, Outcome::Undecided { .. }));
            self.warn(role, pass.warnings);
            let mut decisions = pass.decisions;
            let mut undecided = undecided;
            if let (true, Some(mr)) = (role == REFINERY, &event.mr)
                && let Some(answer) = follow_up(engine, &event, mr, snapshot, reads)
            {
                self.warn(role, answer.warnings);
                undecided |= answer.undecided.is_some();
                decisions.extend(answer.value);
            }
            if undecided {
                self.wake_at(Some(snapshot.now_ms + AGAIN_MS));
                self.cursors.push((role.to_owned(), at, relevant));
                return;
            }
            let count = decisions.len();
            for (index, decision) in decisions.into_iter().enumerate().skip(at.part) {
                let after = if index + 1 == count {
                    Cursor { seq: event.seq, part: 0 }
                } else {
                    Cursor { seq: at.seq, part: index + 1 }
                };
                self.decisions.push((decision, Some(after)));
            }
            at = Cursor { seq: event.seq, part: 0 };
        }
        let last = Cursor { seq: heard.last.max(at.seq), part: 0 };
        let far = last.seq - heard.from.seq >= EVENTS as i64;
        if last != heard.from || heard.from.seq == heard.last {
            self.cursors.push((role.to_owned(), last, relevant || far));
        }
    }

    /// Asks the Refinery for the next batch.
    fn choose(
        &mut self,
        r: &Read<'_>,
        engine: &mut Engine,
        look: &Look<'_>,
        made: &Made,
        reads: &dyn Reads,
        now: Time,
    ) -> Result<(), StoreError> {
        let rig = look.rig;
        let tip = look.repo.and_then(|repo| rig.target_tip(repo).ok()).map(|oid| oid.to_string());
        if let Some(pause) = wait::pause(r, &rig.name)?
            && pause.holds_at(now, tip.as_deref())
        {
            if !pause.is_final() {
                self.await_target(pause.look_at(look.looked), pause.until, now);
            }
            return Ok(());
        }
        if push::stands(r, &rig.name)? || made.requests.iter().any(|request| request.state().in_hand()) {
            self.settle = true;
            return Ok(());
        }
        let mut queue = Vec::new();
        for (request, fact) in made.requests.iter().zip(&made.snapshot.mrs) {
            if self.may_wait(r, request, (tip.as_deref(), look.looked), now)? {
                continue;
            }
            let answer = engine.admit(fact, &made.snapshot, reads);
            self.again(answer.undecided.as_ref(), now);
            // An answer that goes by a length of time changes although nothing happens.
            answer.because.iter().for_each(|fact| self.wake_at(fact.flips_ms()));
            if answer.undecided.is_some() {
                self.reasons(&answer.reasons);
            } else {
                self.admissions.push(Admission::new(&rig.name, engine, &request.id, &answer, now));
                if answer.value {
                    queue.push(Arc::clone(fact));
                }
            }
            self.warn(REFINERY, answer.warnings);
        }
        if queue.is_empty() {
            return Ok(());
        }
        let mut order = engine.order(&queue, &made.snapshot, reads);
        // The sort is stable: among those who have waited too long, arrival decides, as in `queue`.
        let overdue: Vec<Arc<MrFact>> =
            queue.iter().filter(|mr| now.millis() - mr.queued_ms > MAX_WAIT_MS).cloned().collect();
        order.value.retain(|mr| !overdue.iter().any(|o| o.id == mr.id));
        order.value.splice(0..0, overdue.iter().cloned());
        let mut batch = engine.batch(&order.value, &made.snapshot, reads);
        if let Some(first) = overdue.first()
            && !batch.value.iter().any(|mr| mr.id == first.id)
        {
            batch.value = vec![Arc::clone(first)];
            batch.reasons.push((Subject::Mr(first.id.clone()), "has waited too long: goes first, alone".into()));
        }
        self.reasons(&batch.reasons);
        let all: Vec<String> = rig.config.gates.keys().cloned().collect();
        let required: Vec<String> =
            rig.config.gates.iter().filter(|(_, gate)| gate.required).map(|(name, _)| name.clone()).collect();
        let gates = engine.gates(&batch.value, &all, &required, &made.snapshot, reads);
        for undecided in [&order.undecided, &batch.undecided, &gates.undecided] {
            self.again(undecided.as_ref(), now);
        }
        let undecided = order.undecided.is_some() || batch.undecided.is_some() || gates.undecided.is_some();
        if !undecided && !batch.value.is_empty() {
            let decisions = journal::rows(&rig.name, engine, (&order, &batch, &gates), now);
            let members = batch.value.iter().map(|mr| mr.id.clone()).collect();
            self.batch = Some(Batch { job: Job { members, decisions }, gates: gates.value });
        }
        for warnings in [order.warnings, batch.warnings, gates.warnings] {
            self.warn(REFINERY, warnings);
        }
        Ok(())
    }

    /// Whether a request is not for the queue now: it is held, in hand, or waits for another target, which was last seen
    /// at this tip and then.
    fn may_wait(
        &mut self,
        r: &Read<'_>,
        request: &Request,
        (tip, looked): (Option<&str>, Option<Time>),
        now: Time,
    ) -> Result<bool, StoreError> {
        if request.state() != State::Queued || keep::hold(r, request.id.as_str(), now.millis())?.is_some() {
            return Ok(true);
        }
        let Some(wait) = wait::wait(r, &request.id)? else { return Ok(false) };
        if !wait.holds(now, tip) {
            return Ok(false);
        }
        self.await_target(wait.look_at(looked), wait.until, now);
        self.notes.push((request.id.clone(), wait.why));
        Ok(true)
    }

    /// Something waits until then, and perhaps for another target: for that the remote is looked at, now or later.
    fn await_target(&mut self, look_at: Option<Time>, until: Time, now: Time) {
        self.look |= look_at.is_some_and(|at| at <= now);
        self.wake_at(Some(look_at.unwrap_or(until).min(until).millis()));
    }

    fn reasons(&mut self, reasons: &[(Subject, String)]) {
        for (subject, why) in reasons {
            if let Subject::Mr(id) | Subject::Bead(id) = subject {
                self.notes.push((id.clone(), why.clone()));
            }
        }
    }

    fn again(&mut self, undecided: Option<&String>, now: Time) {
        if undecided.is_some() {
            self.wake_at(Some(now.millis() + AGAIN_MS));
        }
    }
}

/// What the Refinery says to a request that landed or came back.
fn follow_up(
    engine: &mut Engine,
    event: &EventFact,
    mr: &Arc<MrFact>,
    snapshot: &Arc<Snapshot>,
    reads: &dyn Reads,
) -> Option<Answer<Option<Decision>>> {
    match event.kind {
        EventKind::MrMerged => Some(engine.after_merge(mr, snapshot, reads)),
        // A gate is named when one failed.
        EventKind::MrFailed if mr.gate.is_some() => Some(engine.on_failure(mr, snapshot, reads)),
        EventKind::MrFailed => Some(engine.on_conflict(mr, snapshot, reads)),
        _ => None,
    }
}
