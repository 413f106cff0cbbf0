//! The dispatcher: hears of everything in one order and is the only one that decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::bell::Bell;
use super::bus::{self, Batch, Sender, Wake};
use super::client::{QueueStatus, Reply, Request, Status};
use super::components::FileWatch;
use super::hands::Hands;
use super::judge::Cursors;
use super::lock::DaemonLock;
use super::merges::Merges;
use super::patrol::HeardTo;
use super::reload::{Fingerprint, Texts};
use super::run::{DaemonError, World};
use super::{drain, keep};
use crate::base::process::{ExitWatch, ProcId};
use crate::base::{RigName, Time};
use crate::policy::Limits;
use crate::store::{Stamp, Store};
use crate::town::roles::Roles;
use crate::town::roles::evidence::Looker;
use crate::town::trouble::Troubles;
use crate::town::{Rig, lifecycle, set_back};

/// Without any wake, the store is looked at this often: a wake may be lost.
const FALLBACK: Duration = Duration::from_secs(30);
/// When the store says no, it is tried again after this, later each time up to the longest wait.
const FIRST_AGAIN: Duration = Duration::from_secs(1);
const LONGEST_AGAIN: Duration = Duration::from_secs(60);
/// When a look for which there was no other reason than the time had no effect, the next such look comes no sooner than
/// after this: ten workers that fall silent one after the other cost few looks and not ten.
const GATHER_MS: i64 = 5_000;
/// Wall clock and running time may differ by so much between two wakes; more is a leap: the machine slept, or somebody
/// set the clock.
const LEAP_MS: i64 = 10_000;
/// Wakes that come thicker than this are answered together.
const BREATH: Duration = Duration::from_millis(15);

/// Why a dispatcher ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to, so.
    Asked(&'static str),
    /// The town is gone.
    TownGone,
}

/// The dispatcher.
pub struct Dispatcher {
    pub(super) world: Arc<World>,
    pub(super) store: Store,
    lock: Arc<DaemonLock>,
    pub(super) files: FileWatch,
    pub(super) exits: ExitWatch,
    pub(super) watched: BTreeSet<ProcId>,
    pub(super) roles: Roles,
    /// The last good policies of earlier daemons were read.
    pub(super) recalled: bool,
    pub(super) rigs: Vec<Rig>,
    pub(super) prefixes: Vec<(String, RigName)>,
    pub(super) looker: Looker,
    pub(super) cursors: Cursors,
    pub(super) hands: Hands,
    pub(super) merges: Merges,
    /// When the remote of a rig was last looked at, for those that wait for another target.
    pub(super) looked: BTreeMap<RigName, Time>,
    pub(super) drainer: Bell,
    pub(super) keeper: Bell,
    /// Rigs whose configuration cannot be read, and why.
    pub(super) broken: Troubles,
    /// Queues that ended with an error when they last ended, and which.
    pub(super) queue_troubles: BTreeMap<RigName, String>,
    /// What the configuration was made of when it was last read.
    pub(super) config: Texts,
    /// The files of configuration and policies as they were when they were last read.
    pub(super) files_seen: Fingerprint,
    pub(super) status: Status,
    pub(super) seen_version: Option<u64>,
    /// Failures of the store in a row, and when it is tried again.
    faults: u32,
    again: Option<Instant>,
    /// When the machine last woke from a sleep.
    pub(super) woke_ms: Option<i64>,
    /// How far the events were looked through for patrols.
    pub(super) heard_to: HeardTo,
    /// Wall clock and running time at the last wake.
    pace: (Time, Instant),
}

/// What was heard of and not done yet: it outlives a store that cannot be read for a while.
#[derive(Debug, Default)]
struct Missed {
    look: bool,
    config: bool,
    /// The queues are to settle what a dead daemon left.
    settle: bool,
    /// The clock may have been set back since times were written down.
    set_back: bool,
    /// Nothing was heard until the time was up.
    nothing: bool,
}

impl Missed {
    fn add(&mut self, batch: &Batch) {
        self.look |= batch.store || batch.agents || batch.done;
        self.config |= batch.config;
        self.nothing |= batch.timed_out;
    }
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("status", &self.status).finish_non_exhaustive()
    }
}

/// What a trouble is about that concerns everything.
const STORE: &str = "store";

impl Dispatcher {
    /// A dispatcher that holds the town's lock. Loads configuration and policies.
    pub fn new(
        world: Arc<World>,
        store: Store,
        lock: Arc<DaemonLock>,
        bus: Sender,
        files: FileWatch,
    ) -> Result<Self, DaemonError> {
        let ring = bus.clone();
        let exits = ExitWatch::start(move |_: ProcId| {
            let _ = ring.send(Wake::Agent);
        });
        let exits = exits.map_err(|error| DaemonError::Io { what: "cannot watch processes", error })?;
        let now = world.clock.now();
        let status = Status {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            started_at: Some(now),
            ..Status::default()
        };
        Ok(Self {
            hands: Hands::new(Arc::clone(&world), bus.clone()),
            merges: Merges::new(Arc::clone(&world), bus),
            drainer: drain::start(Arc::clone(&world)),
            keeper: keep::start(Arc::clone(&world)),
            world,
            store,
            lock,
            files,
            exits,
            looked: BTreeMap::new(),
            watched: BTreeSet::new(),
            roles: Roles::new(Limits::default()),
            recalled: false,
            rigs: Vec::new(),
            prefixes: Vec::new(),
            looker: Looker::new(now),
            cursors: Cursors::new(),
            broken: Troubles::new(),
            queue_troubles: BTreeMap::new(),
            config: Texts::default(),
            files_seen: Fingerprint::new(),
            status,
            seen_version: None,
            faults: 0,
            again: None,
            woke_ms: None,
            heard_to: HeardTo::new(),
            pace: (now, Instant::now()),
        })
    }

    /// Serves the bus until asked to stop or the town is gone. A store that cannot be read or written, or a disk that
    /// is full, ends nothing: it is tried again, later each time.
    pub fn run(mut self, inbox: &mpsc::Receiver<Wake>) -> Result<Ended, DaemonError> {
        let mut missed = Missed { config: true, settle: true, set_back: true, ..Missed::default() };
        let mut deadline = Instant::now();
        loop {
            let batch = bus::next(inbox, deadline);
            missed.set_back |= self.mind_the_clock();
            if !self.lock.still_there() {
                self.merges.end_gates(&self.rigs);
                return Ok(Ended::TownGone);
            }
            missed.add(&batch);
            let mut stop = batch.stop;
            if stop.is_none() && self.again.is_none_or(|again| again <= Instant::now()) {
                match self.attend(&mut missed) {
                    Ok(why) => {
                        stop = why;
                        if self.faults > 0 {
                            (self.faults, self.again) = (0, None);
                            self.status.troubles.remove(STORE);
                        }
                    }
                    Err(error) => self.falter(&error),
                }
            }
            let asked = batch.asks.iter().any(|(request, _)| *request == Request::Stop);
            for (request, answer) in batch.asks {
                let _ = answer.send(self.answer(&request));
            }
            if asked {
                stop = Some("asked on its socket");
            }
            if let Some(why) = stop {
                self.merges.end_gates(&self.rigs);
                return Ok(Ended::Asked(why));
            }
            deadline = self.deadline();
            std::thread::sleep(BREATH);
        }
    }

    /// Does what was heard of; what it comes to is struck from `missed`. Gives why the daemon is to end, if it is.
    fn attend(&mut self, missed: &mut Missed) -> Result<Option<&'static str>, DaemonError> {
        if !self.store.in_place() {
            self.store = Store::open(&self.world.town.beads_dir())?;
            (self.seen_version, missed.look) = (None, true);
        }
        if missed.config || self.roles.waiting() || (missed.nothing && self.files_changed()) {
            self.reload()?;
            self.looker.forget_screens();
            (missed.config, missed.look) = (false, true);
        }
        if !self.store.read(lifecycle::is_up)? {
            return Ok(Some("the town is down; bring it up: gt start"));
        }
        if missed.set_back {
            self.store.write(&Self::stamp(&self.world), set_back::settle)?;
            missed.set_back = false;
        }
        if std::mem::take(&mut missed.settle) {
            for rig in &self.rigs {
                self.merges.settle(rig);
            }
            missed.look = true;
        }
        if missed.look {
            self.look()?;
        } else if self.worth_a_look()? && !self.look()? {
            // Nothing but time has passed, and nothing came of it: what comes next may be gathered with its like.
            let soonest = self.world.clock.now().plus_millis(GATHER_MS);
            self.status.next = self.status.next.map(|next| next.max(soonest));
        }
        *missed = Missed::default();
        Ok(None)
    }

    /// Notes what went wrong with the store, opens it anew, and sees to it that this is tried again, later each time.
    fn falter(&mut self, error: &DaemonError) {
        let wait = (FIRST_AGAIN * 2_u32.pow(self.faults.min(10))).min(LONGEST_AGAIN);
        self.faults = self.faults.saturating_add(1);
        self.again = Some(Instant::now() + wait);
        tracing::error!(%error, wait_ms = wait.as_millis() as u64, "nothing can be done; it is tried again");
        self.status.troubles.insert(STORE.to_owned(), error.to_string());
        // What was to be kept of them may not have been written.
        self.recalled = false;
        match Store::open(&self.world.town.beads_dir()) {
            Ok(store) => (self.store, self.seen_version) = (store, None),
            Err(error) => tracing::error!(%error, "the store cannot be opened"),
        }
    }

    /// When the machine has slept, or its clock was set, what is timed begins anew, once: nobody is silent for the
    /// hours that nobody could speak in. True when the clock was set back.
    fn mind_the_clock(&mut self) -> bool {
        let (wall, ran) = (self.world.clock.now(), Instant::now());
        let (was, at) = std::mem::replace(&mut self.pace, (wall, ran));
        let leap = (wall.millis() - was.millis()) - ran.duration_since(at).as_millis() as i64;
        if leap.abs() > LEAP_MS {
            tracing::warn!(leap_ms = leap, "the clock has leapt; silences are counted from now");
            self.looker.begin_anew(wall);
            self.woke_ms = Some(wall.millis());
            self.status.next = Some(wall);
            self.looked.clear();
        }
        leap < -LEAP_MS
    }

    /// Nothing was heard: did a wake get lost, or has the time of a rule come?
    fn worth_a_look(&self) -> Result<bool, DaemonError> {
        let version = Some(self.store.data_version()?);
        let due = self.status.next.is_some_and(|t| t <= self.world.clock.now());
        let retry = self.hands.next().is_some_and(|t| t <= Instant::now());
        Ok(version != self.seen_version || due || retry || self.status.passes == 0)
    }

    fn deadline(&self) -> Instant {
        let now = Instant::now();
        let soon = now + Duration::from_millis(1);
        if let Some(again) = self.again {
            return again.max(soon);
        }
        if self.roles.waiting() {
            return soon;
        }
        let mut deadline = now + FALLBACK;
        if let Some(next) = self.status.next {
            let wait = (next.millis() - self.world.clock.now().millis()).max(1);
            deadline = deadline.min(now + Duration::from_millis(wait as u64));
        }
        if let Some(retry) = self.hands.next() {
            deadline = deadline.min(retry.max(soon));
        }
        deadline
    }

    fn answer(&mut self, request: &Request) -> Reply {
        match request {
            Request::Stop | Request::Wake => Reply::Ok,
            Request::Status => {
                self.status.queues = self
                    .merges
                    .in_hand()
                    .map(|(rig, ids)| QueueStatus {
                        rig: rig.to_string(),
                        in_hand: ids.iter().map(ToString::to_string).collect(),
                    })
                    .collect();
                Reply::Status(Box::new(self.status.clone()))
            }
        }
    }

    pub(super) fn stamp(world: &World) -> Stamp {
        Stamp::new("deacon", world.clock.now())
    }
}
