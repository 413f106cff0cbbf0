//! Hands: threads that carry out what is on disk as an intent, or say something to an agent.
//!
//! Worktrees and sessions take tens of milliseconds to seconds; the dispatcher does not wait for them. At most
//! [`MOST`] hands work at once. What fails is tried again, later each time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde_json::json;

use super::bus::{Sender, Wake};
use super::run::World;
use crate::base::Address;
use crate::store::{IssueType, NewBead, Stamp, Store, StoreError};
use crate::town::intent::Act;
use crate::town::roles::After;
use crate::town::{self, Intent, TownError, agent, hosts};

const MOST: usize = 4;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// After so many failures in a row somebody is told.
const TELL_AFTER: u32 = 4;

enum Job {
    Intent(Intent),
    After(After),
}

impl Job {
    fn agent(&self) -> &Address {
        match self {
            Self::Intent(intent) => &intent.agent,
            Self::After(After::Nudge { to, .. }) => to,
        }
    }
}

/// A job and what came of it.
type Over = (Job, Result<(), TownError>);

#[derive(Debug)]
struct Failed {
    intent: Intent,
    times: u32,
    again: Instant,
}

/// The pool.
pub struct Hands {
    world: Arc<World>,
    bus: Sender,
    waiting: VecDeque<Job>,
    busy: BTreeSet<Address>,
    failed: BTreeMap<Address, Failed>,
    done: (mpsc::Sender<Over>, mpsc::Receiver<Over>),
    /// Actions that were carried out.
    pub count: u64,
}

impl std::fmt::Debug for Hands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hands").field("busy", &self.busy).field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl Hands {
    /// Hands that ring `bus` when they are done.
    pub fn new(world: Arc<World>, bus: Sender) -> Self {
        Self {
            world,
            bus,
            waiting: VecDeque::new(),
            busy: BTreeSet::new(),
            failed: BTreeMap::new(),
            done: mpsc::channel(),
            count: 0,
        }
    }

    /// Collects what is done, then takes up the intents that nobody works on and whose time has come.
    pub fn turn(&mut self, store: &mut Store, intents: Vec<Intent>) -> Result<(), StoreError> {
        while let Ok((job, result)) = self.done.1.try_recv() {
            self.ended(store, &job, result)?;
        }
        self.failed.retain(|agent, failed| intents.iter().any(|i| i.agent == *agent && *i == failed.intent));
        for intent in intents {
            let known = |job: &Job| matches!(job, Job::Intent(i) if i.agent == intent.agent);
            let later = self.failed.get(&intent.agent).is_some_and(|f| f.again > Instant::now());
            if !later && !self.busy.contains(&intent.agent) && !self.waiting.iter().any(known) {
                self.waiting.push_back(Job::Intent(intent));
            }
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
        self.failed.iter().filter(|(agent, _)| !self.busy.contains(*agent)).map(|(_, f)| f.again).min()
    }

    /// Nothing is being done.
    pub fn idle(&self) -> bool {
        self.busy.is_empty() && self.waiting.is_empty()
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
            let work = move || {
                let result = carry_out(&world, &job);
                let _ = done.send((job, result));
                let _ = bus.send(Wake::Done);
            };
            if let Err(error) = std::thread::Builder::new().name("hand".into()).spawn(work) {
                tracing::error!(%error, "no thread can be started");
            }
        }
        passed.append(&mut self.waiting);
        self.waiting = passed;
    }

    fn ended(&mut self, store: &mut Store, job: &Job, result: Result<(), TownError>) -> Result<(), StoreError> {
        self.busy.remove(job.agent());
        self.count += 1;
        let Err(error) = result else {
            if let Job::Intent(intent) = job {
                self.failed.remove(&intent.agent);
            }
            return Ok(());
        };
        tracing::warn!(agent = %job.agent(), %error, "an action failed");
        let Job::Intent(intent) = job else { return Ok(()) };
        let before = self.failed.get(&intent.agent).filter(|f| f.intent == *intent).map_or(0, |f| f.times);
        let wait = (FIRST_WAIT * 2u32.pow(before.min(10))).min(LONGEST_WAIT);
        let failed = Failed { intent: intent.clone(), times: before + 1, again: Instant::now() + wait };
        self.failed.insert(intent.agent.clone(), failed);
        if before + 1 == TELL_AFTER {
            let by = Stamp::new("deacon", self.world.clock.now());
            let what = json!({ "what": intent.act, "why": error.to_string(), "hints": error.hints() });
            store.write(&by, |w| {
                w.emit("action_failed", &intent.agent.to_string(), what)?;
                let hints: String = error.hints().iter().map(|hint| format!("\n{hint}")).collect();
                w.create(NewBead {
                    description: format!("{error}\n{hints}\nIt is tried again by itself."),
                    issue_type: Some(IssueType::MESSAGE),
                    assignee: "overseer".into(),
                    priority: Some(1),
                    labels: vec!["from:deacon".into()],
                    ..NewBead::titled(format!("{} cannot be {}", intent.agent, verb(intent)))
                })?;
                Ok::<_, StoreError>(())
            })?;
        }
        Ok(())
    }
}

fn verb(intent: &Intent) -> &'static str {
    match intent.act {
        Act::Spawn(_) => "started",
        Act::Done(_) => "handed in",
        Act::Retire { .. } => "taken down",
        Act::Stop { .. } => "stopped",
    }
}

fn carry_out(world: &World, job: &Job) -> Result<(), TownError> {
    let mut store = Store::open(&world.town.beads_dir())?;
    match job {
        Job::Intent(intent) => town::finish(&world.acting(&intent.by), &mut store, intent).map(|_| ()),
        Job::After(After::Nudge { to, text }) => {
            let cx = world.acting("deacon");
            let row = store.read(|r| agent::need(r, to))?;
            let signs = hosts::runtimes(&cx)?.get(&row.runtime).map(|r| r.signs.clone()).unwrap_or_default();
            let delivery = hosts::open(&cx, row.host)?.send(&row.session, text, &signs)?;
            let by = Stamp::new("deacon", world.clock.now());
            let what = json!({ "text": text, "delivery": delivery });
            store.write(&by, |w| w.emit("nudged", &to.to_string(), what).map(|_| ())).map_err(TownError::from)
        }
    }
}
