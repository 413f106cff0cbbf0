//! The merge queues of a town: one thread per rig that has work, fed with batches that the policy chose.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use super::bus::{Sender, Wake};
use super::guard::guarded;
use super::run::World;
use crate::base::{BeadId, RigName};
use crate::git::Repo;
use crate::queue::bench;
use crate::queue::driver::{Driver, Job, Report, Site};
use crate::queue::{MergeLock, QueueError, Request};
use crate::store::{Store, Write};
use crate::town::{Rig, land};

/// What the thread of a rig is to do.
enum Task {
    /// Finish or take back what a dead daemon left.
    Settle,
    /// Take a batch through the queue.
    Run(Job),
}

/// What came of it.
#[derive(Debug)]
pub struct Ended {
    /// The rig.
    pub rig: RigName,
    /// What happened, or what went wrong.
    pub result: Result<Report, String>,
}

/// The threads.
#[derive(Debug)]
pub struct Merges {
    world: Arc<World>,
    bus: Sender,
    busy: BTreeMap<RigName, Vec<BeadId>>,
    done: (mpsc::Sender<Ended>, mpsc::Receiver<Ended>),
}

impl Merges {
    /// No thread yet.
    pub fn new(world: Arc<World>, bus: Sender) -> Self {
        Self { world, bus, busy: BTreeMap::new(), done: mpsc::channel() }
    }

    /// Whether the queue of this rig works on something.
    pub fn busy(&self, rig: &RigName) -> bool {
        self.busy.contains_key(rig)
    }

    /// What each rig has in hand.
    pub fn in_hand(&self) -> impl Iterator<Item = (&RigName, &Vec<BeadId>)> {
        self.busy.iter()
    }

    /// What has ended since the last call.
    pub fn ended(&mut self) -> Vec<Ended> {
        let all: Vec<Ended> = self.done.1.try_iter().collect();
        for ended in &all {
            self.busy.remove(&ended.rig);
        }
        all
    }

    /// Settles what a dead daemon left of this rig's queue.
    pub fn settle(&mut self, rig: &Rig) {
        self.spawn(rig, site(&self.world, rig, &[]), Task::Settle, Vec::new());
    }

    /// Takes a batch through the queue of `rig`, tested with the gates of these names.
    pub fn start(&mut self, rig: &Rig, gates: &[String], job: Job) {
        let members = job.members.clone();
        self.spawn(rig, site(&self.world, rig, gates), Task::Run(job), members);
    }

    fn spawn(&mut self, rig: &Rig, site: Site, task: Task, members: Vec<BeadId>) {
        if self.busy(&rig.name) {
            return;
        }
        self.busy.insert(rig.name.clone(), members);
        let (world, bus, done, rig) = (Arc::clone(&self.world), self.bus.clone(), self.done.0.clone(), rig.clone());
        let name = rig.name.clone();
        let work = move || {
            let result = guarded(|| drive(&world, &rig, &site, task).map_err(|e| e.to_string())).and_then(|r| r);
            let _ = done.send(Ended { rig: rig.name.clone(), result });
            let _ = bus.send(Wake::Done);
        };
        if let Err(error) = std::thread::Builder::new().name(format!("queue {name}")).spawn(work) {
            tracing::error!(%error, "no thread can be started");
            self.busy.remove(&name);
        }
    }

    /// Ends the gates that run; their requests are put back when the town comes up again.
    pub fn end_gates(&self, rigs: &[Rig]) {
        for rig in rigs.iter().filter(|rig| self.busy(&rig.name)) {
            bench::end_marked(&scratch(rig));
        }
    }
}

fn scratch(rig: &Rig) -> std::path::PathBuf {
    rig.refinery_dir().join("merge")
}

fn site(world: &World, rig: &Rig, gates: &[String]) -> Site {
    // A required gate runs whatever was answered.
    let chosen = rig.config.gates.iter().filter(|(name, gate)| gate.required || gates.contains(name));
    Site {
        rig: rig.name.clone(),
        target: rig.config.target.clone(),
        landing: rig.config.landing,
        bench: bench::Bench {
            scratch: scratch(rig),
            env: world.gate_env.clone(),
            gates: chosen.map(|(name, gate)| (name.clone(), gate.clone())).collect(),
            actor: format!("{}/refinery", rig.name),
        },
    }
}

fn drive(world: &World, rig: &Rig, site: &Site, task: Task) -> Result<Report, QueueError> {
    let folder = rig.refinery_dir();
    let lock = MergeLock::take(&folder, &rig.name)
        .map_err(|error| QueueError::Io { what: format!("lock {}", folder.display()), error })?;
    let Some(lock) = lock else { return Ok(Report::default()) };
    let mut store = Store::open(&world.town.beads_dir())?;
    let repo = Repo::open(&world.town.repo_dir(&rig.name))?;
    let on_landed = |w: &mut Write<'_>, request: &Request, commit: &str| {
        land::landed(w, &request.id, &request.mr, commit).map(|_| ())
    };
    let mut driver = Driver::new(site, repo, &mut store, lock, &*world.clock, &on_landed);
    match task {
        Task::Settle => {
            site.bench.end_leftovers();
            driver.settle()
        }
        Task::Run(job) => {
            driver.settle()?;
            driver.run(&job)
        }
    }
}
