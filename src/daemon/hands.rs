//! Hands: threads that carry out what is on disk as an intent, or say something to an agent.
//!
//! Worktrees and sessions take tens of milliseconds to seconds; the dispatcher does not wait for them. At most
//! `MOST` hands work at once. What fails, or panics, is tried again, later each time and not for ever: see
//! [`crate::town::tries`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde_json::json;

use super::bus::{Sender, Wake};
use super::guard::guarded;
use super::run::World;
use crate::base::Address;
use crate::ledger;
use crate::store::{IssueType, NewBead, Stamp, Store, StoreError, Write};
use crate::town::nudges;
use crate::town::roles::After;
use crate::town::tries::{self, Tries};
use crate::town::{self, Finish, Intent, TownError};

const MOST: usize = 4;
/// When no thread can be started, the next attempt comes after this.
const NO_THREAD: Duration = Duration::from_secs(1);
/// While a person is attached to a session, it is looked at again after this.
const ATTENDED: Duration = Duration::from_secs(3);

#[derive(Clone)]
enum Job {
    Intent(Intent),
    After(After),
}

impl Job {
    fn agent(&self) -> &Address {
        match self {
            Self::Intent(intent) => &intent.agent,
            Self::After(After::Nudge(nudge)) => &nudge.to,
            Self::After(After::Repack) => &Address::Deacon,
        }
    }
}

/// A job and what came of it.
type Over = (Job, Result<Finish, TownError>);

/// An intent that has failed, or has to wait.
#[derive(Debug)]
struct Failed {
    intent: Intent,
    /// When it is tried again; never when its budget is spent.
    again: Option<Instant>,
}

/// What a hand does with its job.
type Carry = fn(&World, &Job) -> Result<Finish, TownError>;

/// The pool.
pub struct Hands {
    world: Arc<World>,
    bus: Sender,
    carry: Carry,
    waiting: VecDeque<Job>,
    busy: BTreeSet<Address>,
    failed: BTreeMap<Address, Failed>,
    done: (mpsc::Sender<Over>, mpsc::Receiver<Over>),
    /// What an earlier daemon was to say has been taken up.
    recalled: bool,
}

impl std::fmt::Debug for Hands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hands").field("busy", &self.busy).field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl Hands {
    /// Hands that ring `bus` when they are done.
    pub fn new(world: Arc<World>, bus: Sender) -> Self {
        Self::carrying(world, bus, carry_out)
    }

    fn carrying(world: Arc<World>, bus: Sender, carry: Carry) -> Self {
        Self {
            world,
            bus,
            carry,
            waiting: VecDeque::new(),
            busy: BTreeSet::new(),
            failed: BTreeMap::new(),
            done: mpsc::channel(),
            recalled: false,
        }
    }

    /// Collects what is done, then takes up the intents that nobody works on and whose time has come.
    pub fn turn(&mut self, store: &mut Store, intents: Vec<Intent>) -> Result<(), StoreError> {
        while let Ok((job, result)) = self.done.1.try_recv() {
            self.ended(store, &job, result)?;
        }
        self.failed.retain(|agent, failed| intents.iter().any(|i| i.agent == *agent && *i == failed.intent));
        for intent in intents {
            if !self.failed.contains_key(&intent.agent)
                && let Some(tries) = store.read(|r| tries::get(r, &intent))?
            {
                // It failed under an earlier daemon.
                self.remember(&intent, &tries);
            }
            let known = |job: &Job| matches!(job, Job::Intent(i) if i.agent == intent.agent);
            let failed = self.failed.get(&intent.agent);
            let later = failed.is_some_and(|f| f.again.is_none_or(|again| again > Instant::now()));
            if !later && !self.busy.contains(&intent.agent) && !self.waiting.iter().any(known) {
                self.waiting.push_back(Job::Intent(intent));
            }
        }
        if !self.recalled {
            // Behind the intents: who is to be started first can be spoken to then.
            let left = store.read(nudges::all)?.into_iter();
            self.waiting.extend(left.map(|nudge| Job::After(After::Nudge(nudge))));
            self.recalled = true;
        }
        self.start();
        Ok(())
    }

    /// Takes up what follows a decision.
    pub fn after(&mut self, after: After) {
        self.waiting.push_back(Job::After(after));
        self.start();
    }

    /// When the next failure is tried again.
    pub fn next(&self) -> Option<Instant> {
        // Whoever waits for a free hand is taken up when one is free.
        let at_hand = |agent: &Address| self.busy.contains(agent) || self.waiting.iter().any(|j| j.agent() == agent);
        self.failed.iter().filter(|(agent, _)| !at_hand(agent)).filter_map(|(_, f)| f.again).min()
    }

    /// Notes when an intent is to be tried again.
    fn remember(&mut self, intent: &Intent, tries: &Tries) {
        let now = self.world.clock.now();
        let left = tries.again(now).map(|at| Duration::from_millis((at.millis() - now.millis()).max(0) as u64));
        let again = left.map(|left| Instant::now() + left);
        self.failed.insert(intent.agent.clone(), Failed { intent: intent.clone(), again });
    }

    fn start(&mut self) {
        let mut passed = VecDeque::new();
        while self.busy.len() < MOST
            && let Some(job) = self.waiting.pop_front()
        {
            if self.busy.contains(job.agent()) {
                passed.push_back(job);
                continue;
            }
            self.busy.insert(job.agent().clone());
            let (world, bus, done) = (Arc::clone(&self.world), self.bus.clone(), self.done.0.clone());
            let (carry, mine) = (self.carry, job.clone());
            let work = move || {
                let log = || world.town.daemon_log();
                let panicked =
                    |words| Err(TownError::refused(words).hint(format!("its last words are in {}", log().display())));
                let result = guarded(|| carry(&world, &mine)).unwrap_or_else(panicked);
                let _ = done.send((mine, result));
                let _ = bus.send(Wake::Done);
            };
            if let Err(error) = std::thread::Builder::new().name("hand".into()).spawn(work) {
                tracing::error!(%error, "no thread can be started");
                self.busy.remove(job.agent());
                if let Job::Intent(intent) = job {
                    let again = Some(Instant::now() + NO_THREAD);
                    self.failed.insert(intent.agent.clone(), Failed { intent, again });
                }
            }
        }
        passed.append(&mut self.waiting);
        self.waiting = passed;
    }

    fn ended(&mut self, store: &mut Store, job: &Job, result: Result<Finish, TownError>) -> Result<(), StoreError> {
        self.busy.remove(job.agent());
        let by = Stamp::new("deacon", self.world.clock.now());
        let error = match (job, result) {
            (Job::Intent(intent), Ok(Finish::Waits(_))) => {
                let again = Some(Instant::now() + ATTENDED);
                self.failed.insert(intent.agent.clone(), Failed { intent: intent.clone(), again });
                return Ok(());
            }
            (Job::Intent(intent), Ok(_)) => {
                return match self.failed.remove(&intent.agent) {
                    Some(_) => store.write(&by, |w| tries::succeeded(w, intent)),
                    None => Ok(()),
                };
            }
            (Job::After(_), Ok(_)) => return Ok(()),
            (_, Err(error)) => error,
        };
        tracing::warn!(agent = %job.agent(), %error, "an action failed");
        match job {
            // It is asked for again by the next patrol that finds it needed.
            Job::After(After::Repack) => Ok(()),
            Job::After(After::Nudge(nudge)) => store.write(&by, |w| nudges::failed(w, nudge, &error.to_string())),
            Job::Intent(intent) => {
                let tries = store.write(&by, |w| note_failure(w, intent, &error))?;
                self.remember(intent, &tries);
                Ok(())
            }
        }
    }
}

/// Draws on the budget of an intent, journals the failure once for each reason, and tells the overseer when it
/// lasts and when it is given up.
fn note_failure(w: &mut Write<'_>, intent: &Intent, error: &TownError) -> Result<Tries, StoreError> {
    let why = error.to_string();
    let (tries, news) = tries::failed(w, intent, &why)?;
    if news {
        let what = json!({ "what": intent.act, "why": why, "hints": error.hints() });
        w.emit("action_failed", &intent.agent.to_string(), what)?;
    }
    let next = match tries.times {
        tries::TELL_AFTER => "It is tried again by itself.",
        tries::MOST => "It was tried often enough and is left alone now. Mend the cause, then: gt start",
        _ => return Ok(tries),
    };
    let hints: String = error.hints().iter().map(|hint| format!("\n{hint}")).collect();
    w.create(NewBead {
        description: format!("{why}\n{hints}\n{next}"),
        issue_type: Some(IssueType::MESSAGE),
        assignee: "overseer".into(),
        priority: Some(1),
        labels: vec!["from:deacon".into()],
        ..NewBead::titled(format!("{} cannot be {}", intent.agent, tries::verb(&intent.act)))
    })?;
    Ok(tries)
}

fn carry_out(world: &World, job: &Job) -> Result<Finish, TownError> {
    let mut store = Store::open(&world.town.beads_dir())?;
    match job {
        Job::Intent(intent) => town::finish(&world.acting(&intent.by), &mut store, intent),
        Job::After(After::Repack) => {
            let packed = ledger::repack(&world.town.beads_dir(), false)
                .map_err(|error| TownError::refused(format!("the ledger cannot be packed: {error}")))?;
            tracing::info!(?packed, "the ledger is packed");
            Ok(Finish::Done)
        }
        Job::After(After::Nudge(nudge)) => {
            nudges::say(&world.acting("deacon"), &mut store, nudge)?;
            Ok(Finish::Done)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet as Set;

    use super::*;
    use crate::base::{Prefix, SystemClock, Time};
    use crate::town::intent::{self, Act};
    use crate::town::{Surroundings, Town};

    fn world(dir: &std::path::Path) -> Arc<World> {
        std::fs::write(dir.join("town.toml"), "").expect("town.toml");
        let town = Town::at(dir).expect("a town");
        Store::create(&town.beads_dir(), &Prefix::new("hq").expect("prefix"), Time::from_millis(0)).expect("store");
        let around = Surroundings::default();
        Arc::new(World { town, around, gate_env: Vec::new(), clock: Arc::new(SystemClock) })
    }

    fn nudge(world: &World, to: &Address) -> nudges::Nudge {
        let (to, text, at) = (to.clone(), "go on".to_owned(), world.clock.now());
        nudges::Nudge { key: "k".into(), to, text, at, climb: None, bead: None, begun: None }
    }

    #[test]
    fn what_an_earlier_daemon_was_to_say_is_said_or_journaled_as_unsaid() {
        let dir = tempfile::tempdir().expect("tempdir");
        let world = world(dir.path());
        let mut store = Store::open(&world.town.beads_dir()).expect("store");
        let to: Address = "app/polecats/toast".parse().expect("address");
        store
            .write(&Stamp::new("app/witness", world.clock.now()), |w| nudges::put(w, &nudge(&world, &to)))
            .expect("decided");
        let (bus, heard) = mpsc::channel();
        let mut hands = Hands::new(Arc::clone(&world), bus);
        hands.turn(&mut store, Vec::new()).expect("turned");
        heard.recv_timeout(Duration::from_secs(30)).expect("tried");
        hands.turn(&mut store, Vec::new()).expect("turned");
        let events = store.read(|r| r.events_of(&to.to_string())).expect("read");
        assert_eq!(events.iter().map(|e| e.kind.as_str()).collect::<Vec<_>>(), ["nudge_failed"], "no such agent");
        assert_eq!(store.read(nudges::all).expect("read"), []);
    }

    #[test]
    fn who_is_to_be_started_is_started_before_it_is_spoken_to() {
        let dir = tempfile::tempdir().expect("tempdir");
        let world = world(dir.path());
        let mut store = Store::open(&world.town.beads_dir()).expect("store");
        let who: Address = "app/polecats/toast".parse().expect("address");
        let intent = Intent::new(who.clone(), "deacon", Time::from_millis(7), Act::Stop { why: "test".into() });
        store
            .write(&Stamp::new("app/witness", world.clock.now()), |w| nudges::put(w, &nudge(&world, &who)))
            .expect("decided");
        let (bus, _heard) = mpsc::channel();
        let mut hands = Hands::carrying(Arc::clone(&world), bus, |_, _| Ok(Finish::Done));
        hands.turn(&mut store, vec![intent]).expect("turned");
        assert_eq!(hands.busy, Set::from([who]));
        let waiting: Vec<_> = hands.waiting.iter().map(|job| matches!(job, Job::After(After::Nudge(_)))).collect();
        assert_eq!(waiting, [true], "what is left is the word");
    }

    #[test]
    fn a_hand_that_panics_is_free_again_and_the_failure_is_journaled_once_and_counted() {
        let dir = tempfile::tempdir().expect("tempdir");
        let world = world(dir.path());
        let mut store = Store::open(&world.town.beads_dir()).expect("store");
        let who: Address = "app/polecats/toast".parse().expect("address");
        let intent = Intent::new(who.clone(), "deacon", Time::from_millis(7), Act::Stop { why: "test".into() });
        let by = Stamp::new("deacon", world.clock.now());
        store.write(&by, |w| intent::put(w, &intent)).expect("written");
        let (bus, heard) = mpsc::channel();
        let mut hands = Hands::carrying(Arc::clone(&world), bus, |_, _| panic!("on purpose"));
        for times in 1..=2 {
            // Its time has come again.
            hands.failed.values_mut().for_each(|f| f.again = Some(Instant::now()));
            hands.turn(&mut store, vec![intent.clone()]).expect("turned");
            assert_eq!(hands.busy, Set::from([who.clone()]));
            heard.recv_timeout(Duration::from_secs(30)).expect("done");
            hands.turn(&mut store, vec![intent.clone()]).expect("turned");
            assert!(hands.busy.is_empty());
            let tries = store.read(|r| tries::get(r, &intent)).expect("read").expect("counted");
            assert_eq!((tries.times, tries.why.as_str()), (times, "it panicked: on purpose"));
        }
        let events = store.read(|r| r.events_of(&who.to_string())).expect("read");
        assert_eq!(events.iter().filter(|e| e.kind == "action_failed").count(), 1);
        // Another daemon goes on where this one stopped.
        let mut next = Hands::carrying(Arc::clone(&world), hands.bus.clone(), |_, _| Ok(Finish::Done));
        next.turn(&mut store, vec![intent.clone()]).expect("turned");
        assert!(next.busy.is_empty() && next.next().is_some());
    }
}
