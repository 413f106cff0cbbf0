//! The merge queues of a town: one thread per rig that has work, fed with batches that the policy chose.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use super::bus::{Sender, Wake};
use super::guard::guarded;
use super::run::World;
use crate::base::{BeadId, RigName};
use crate::config::Overrides;
use crate::queue::bench;
use crate::queue::driver::{Driver, Follow, Job, Report, Site};
use crate::queue::{MergeLock, QueueError, Request, wait};
use crate::store::{Stamp, Store, Write};
use crate::town::rework::{self, Evidence};
use crate::town::{Rig, TownError, land};

/// What the thread of a rig is to do.
enum Task {
    /// Finish or take back what a dead daemon left.
    Settle,
    /// See whether the target has moved.
    Look,
    /// Take a batch through the queue.
    Run(Job),
}

/// What came of it.
#[derive(Debug)]
pub struct Ended {
    /// The rig.
    pub rig: RigName,
    /// It only saw whether the target has moved: whatever made the queue fail was not tried again.
    pub looked: bool,
    /// The rig got another configuration meanwhile: what waits because of the former one waits for nothing.
    pub overtaken: bool,
    /// What happened, or what went wrong.
    pub result: Result<Report, String>,
}

/// The threads.
#[derive(Debug)]
pub struct Merges {
    world: Arc<World>,
    bus: Sender,
    busy: BTreeMap<RigName, Vec<BeadId>>,
    overtaken: BTreeSet<RigName>,
    done: (mpsc::Sender<Ended>, mpsc::Receiver<Ended>),
    stop: Arc<AtomicBool>,
}

impl Merges {
    /// No thread yet.
    pub fn new(world: Arc<World>, bus: Sender) -> Self {
        Self {
            world,
            bus,
            busy: BTreeMap::new(),
            overtaken: BTreeSet::new(),
            done: mpsc::channel(),
            stop: Arc::default(),
        }
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
        let mut all: Vec<Ended> = self.done.1.try_iter().collect();
        for ended in &mut all {
            self.busy.remove(&ended.rig);
            ended.overtaken = self.overtaken.remove(&ended.rig);
        }
        all
    }

    /// The rig has another configuration than what works on it, if anything does, went by when it began.
    pub fn overtaken(&mut self, rig: &RigName) {
        if self.busy(rig) {
            self.overtaken.insert(rig.clone());
        }
    }

    /// Settles what a dead daemon left of this rig's queue.
    pub fn settle(&mut self, rig: &Rig) {
        self.drive(rig, &[], Task::Settle, Vec::new());
    }

    /// Sees whether the target of `rig` has moved.
    pub fn look(&mut self, rig: &Rig) {
        self.drive(rig, &[], Task::Look, Vec::new());
    }

    /// Takes a batch through the queue of `rig`, tested with the gates of these names.
    pub fn start(&mut self, rig: &Rig, gates: &[String], job: Job) {
        let members = job.members.clone();
        self.drive(rig, gates, Task::Run(job), members);
    }

    fn drive(&mut self, rig: &Rig, gates: &[String], task: Task, members: Vec<BeadId>) {
        // It may have been taken out of the town since its configuration was read.
        if !rig.config_path().is_file() {
            return;
        }
        let (world, site, own) = (Arc::clone(&self.world), self.site(rig, gates), rig.clone());
        let looked = matches!(task, Task::Look);
        self.spawn(&rig.name, members, looked, move || drive(&world, &own, &site, task));
    }

    /// Works on a rig in a thread of its own, unless one does already. Whatever becomes of `work`, the rig is free
    /// again when it has ended.
    fn spawn<W>(&mut self, rig: &RigName, members: Vec<BeadId>, looked: bool, work: W)
    where
        W: FnOnce() -> Result<Report, QueueError> + Send + 'static,
    {
        if self.busy(rig) {
            return;
        }
        self.busy.insert(rig.clone(), members);
        let (bus, done, name) = (self.bus.clone(), self.done.0.clone(), rig.clone());
        let thread = move || {
            let result = guarded(work).and_then(|done| done.map_err(|error| error.to_string()));
            let _ = done.send(Ended { rig: name, looked, overtaken: false, result });
            let _ = bus.send(Wake::Done);
        };
        if let Err(error) = std::thread::Builder::new().name(format!("queue {rig}")).spawn(thread) {
            tracing::error!(%error, "no thread can be started");
            self.busy.remove(rig);
        }
    }

    /// Ends the gates that run, and lets none begin; their requests are put back when the town comes up again.
    pub fn end_gates(&self, rigs: &[Rig]) {
        self.stop.store(true, Ordering::SeqCst);
        for rig in rigs.iter().filter(|rig| self.busy(&rig.name)) {
            bench::end_marked(&scratch(rig));
        }
    }

    fn site(&self, rig: &Rig, gates: &[String]) -> Site {
        // A required gate runs whatever was answered.
        let (chosen, left_out): (Vec<_>, Vec<_>) =
            rig.config.gates.iter().partition(|(name, gate)| gate.required || gates.contains(name));
        Site {
            rig: rig.name.clone(),
            target: rig.config.target.clone(),
            landing: rig.config.landing,
            bench: bench::Bench {
                scratch: scratch(rig),
                env: self.world.gate_env.clone(),
                gates: chosen.into_iter().map(|(name, gate)| (name.clone(), gate.clone())).collect(),
                actor: format!("{}/refinery", rig.name),
                stop: Arc::clone(&self.stop),
            },
            left_out: left_out.into_iter().map(|(name, _)| name.clone()).collect(),
        }
    }
}

fn scratch(rig: &Rig) -> std::path::PathBuf {
    rig.refinery_dir().join("merge")
}

fn drive(world: &World, rig: &Rig, site: &Site, task: Task) -> Result<Report, QueueError> {
    let folder = rig.refinery_dir();
    let lock = MergeLock::take(&folder, &rig.name)
        .map_err(|error| QueueError::Io { what: format!("lock {}", folder.display()), error })?;
    let mut store = Store::open(&world.town.beads_dir())?;
    let Some(lock) = lock else {
        let by = Stamp::new(format!("{}/refinery", rig.name), world.clock.now());
        let why = format!("another process holds {}", folder.join("merge.lock").display());
        store.write(&by, |w| wait::set_pause(w, &rig.name, &why))?;
        return Ok(Report { paused: Some(why), ..Report::default() });
    };
    // Nothing lands at an address that was taken out of `rig.toml` a moment ago.
    let now = world.town.rig(&rig.name, &Overrides::default());
    let repo = now.as_ref().unwrap_or(rig).repo_at_remote()?;
    let on_landed = |w: &mut Write<'_>, request: &Request, commit: &str| {
        land::landed(w, &request.id, &request.mr, commit).map(|_| ())
    };
    let by = format!("{}/refinery", rig.name);
    let on_nothing = |w: &mut Write<'_>, mr: &BeadId, why: &str| {
        let evidence = Evidence { why: why.to_owned(), text: String::new() };
        match rework::plan(w, &world.acting(&by), mr, &evidence) {
            Ok(_) => Ok(()),
            Err(TownError::Store(error)) => Err(QueueError::Store(error)),
            Err(error) => Err(QueueError::NoWayBack { mr: mr.clone(), why: error.to_string() }),
        }
    };
    let follow = Follow { landed: &on_landed, nothing: &on_nothing };
    let mut driver = Driver::new(site, repo, &mut store, lock, &*world.clock, follow);
    match task {
        Task::Settle => {
            site.bench.end_leftovers();
            driver.settle()
        }
        Task::Look => driver.look(),
        Task::Run(job) => {
            let settled = driver.settle()?;
            if settled.paused.is_some() { Ok(settled) } else { driver.run(&job) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SystemClock;
    use crate::town::{MARKER, Surroundings, Town};

    #[test]
    fn a_queue_that_panics_frees_its_rig_and_says_what_happened() {
        let dir = tempfile::tempdir().expect("folder");
        std::fs::write(dir.path().join(MARKER), "").expect("marker");
        let world = World {
            town: Town::at(dir.path()).expect("town"),
            around: Surroundings::default(),
            gate_env: Vec::new(),
            clock: Arc::new(SystemClock),
        };
        let (bus, woken) = mpsc::channel();
        let mut merges = Merges::new(Arc::new(world), bus);
        let rig = RigName::new("app").expect("name");
        merges.spawn(&rig, Vec::new(), false, || panic!("no {} here", "way"));
        let wake = woken.recv_timeout(std::time::Duration::from_secs(10)).expect("the dispatcher is woken");
        assert!(matches!(wake, Wake::Done));
        let ended = merges.ended();
        assert_eq!(ended[0].result, Err("it panicked: no way here".to_owned()));
        assert!(!merges.busy(&rig), "it can work again");
    }
}
