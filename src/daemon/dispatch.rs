//! The dispatcher: hears of everything in one order and is the only one that decides.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde_json::json;

use super::bus::{self, Sender, Wake};
use super::client::{QueueStatus, Reply, Request, Status};
use super::components::FileWatch;
use super::drain::Drainer;
use super::hands::Hands;
use super::judge::{self, Cursors, Judged, Look};
use super::keep::Keeper;
use super::lock::DaemonLock;
use super::merges::Merges;
use super::run::{DaemonError, World};
use crate::base::process::{ExitWatch, ProcId};
use crate::base::{BeadId, RigName, Time};
use crate::config::Overrides;
use crate::policy::Limits;
use crate::queue::wait;
use crate::store::{Stamp, Store, StoreError, Write};
use crate::town::roles::evidence::{Looker, exit_facts};
use crate::town::roles::{self, Outcome, Roles, events};
use crate::town::{AgentRow, AgentState, Rig, agent, intent, lifecycle};

/// Without any wake, the store is looked at this often: a wake may be lost.
const FALLBACK: Duration = Duration::from_secs(30);
/// So many looks in a row may each have an effect before the dispatcher listens again.
const ROUNDS: usize = 8;
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
    world: Arc<World>,
    store: Store,
    lock: DaemonLock,
    files: FileWatch,
    exits: ExitWatch,
    watched: BTreeSet<u32>,
    roles: Roles,
    rigs: Vec<Rig>,
    prefixes: Vec<(String, RigName)>,
    looker: Looker,
    cursors: Cursors,
    hands: Hands,
    merges: Merges,
    drainer: Drainer,
    keeper: Keeper,
    config_error: Option<String>,
    /// What the configuration was made of when it was last read.
    config: Vec<Option<Vec<u8>>>,
    status: Status,
    seen_version: Option<u64>,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Dispatcher {
    /// A dispatcher that holds the town's lock. Loads configuration and policies.
    pub fn new(
        world: Arc<World>,
        store: Store,
        lock: DaemonLock,
        bus: Sender,
        files: FileWatch,
    ) -> Result<Self, DaemonError> {
        let ring = bus.clone();
        let exits = ExitWatch::start(move |_: ProcId| {
            let _ = ring.send(Wake::Agent);
        });
        let exits = exits.map_err(|error| DaemonError::Io { what: "cannot watch processes", error })?;
        let status = Status {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            started_at: Some(world.clock.now()),
            ..Status::default()
        };
        Ok(Self {
            hands: Hands::new(Arc::clone(&world), bus.clone()),
            merges: Merges::new(Arc::clone(&world), bus),
            drainer: Drainer::start(Arc::clone(&world)),
            keeper: Keeper::start(Arc::clone(&world)),
            world,
            store,
            lock,
            files,
            exits,
            watched: BTreeSet::new(),
            roles: Roles::new(Limits::default()),
            rigs: Vec::new(),
            prefixes: Vec::new(),
            looker: Looker::default(),
            cursors: Cursors::new(),
            config_error: None,
            config: Vec::new(),
            status,
            seen_version: None,
        })
    }

    /// Serves the bus until asked to stop or the town is gone.
    pub fn run(mut self, inbox: &mpsc::Receiver<Wake>) -> Result<Ended, DaemonError> {
        self.reload()?;
        for rig in &self.rigs {
            self.merges.settle(rig);
        }
        let mut deadline = Instant::now();
        loop {
            let batch = bus::next(inbox, deadline);
            let mut stop = batch.stop;
            if !self.lock.still_there() {
                self.merges.end_gates(&self.rigs);
                return Ok(Ended::TownGone);
            }
            if batch.config {
                self.reload()?;
            }
            if stop.is_none() {
                if !self.store.read(lifecycle::is_up)? {
                    stop = Some("the town is down");
                } else if batch.config || batch.store || batch.agents || batch.done || self.worth_a_look(deadline)? {
                    self.look()?;
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

    /// Nothing was heard: did a wake get lost, or has the time of a rule come?
    fn worth_a_look(&mut self, deadline: Instant) -> Result<bool, DaemonError> {
        let version = Some(self.store.data_version()?);
        let due = self.status.next.is_some_and(|t| t <= self.world.clock.now());
        let retry = self.hands.next().is_some_and(|t| t <= Instant::now());
        let first = self.status.passes == 0;
        Ok(version != self.seen_version || due || retry || (first && deadline <= Instant::now()))
    }

    fn deadline(&self) -> Instant {
        let mut deadline = Instant::now() + FALLBACK;
        if let Some(next) = self.status.next {
            let wait = (next.millis() - self.world.clock.now().millis()).max(1);
            deadline = deadline.min(Instant::now() + Duration::from_millis(wait as u64));
        }
        if let Some(retry) = self.hands.next() {
            deadline = deadline.min(retry.max(Instant::now() + Duration::from_millis(1)));
        }
        deadline
    }

    /// Reads configuration and policies again; what is broken leaves the last good in charge.
    fn reload(&mut self) -> Result<(), DaemonError> {
        self.read_rigs()?;
        let swapped = self.roles.reload(&self.world.town, &self.rigs);
        for policy in &swapped {
            tracing::info!(policy, "a policy is in charge");
        }
        self.watch_files();
        let paths = std::iter::once(self.world.town.config_path()).chain(self.rigs.iter().map(Rig::config_path));
        let config: Vec<Option<Vec<u8>>> = paths.map(|path| std::fs::read(path).ok()).collect();
        let changed = config != self.config || !swapped.is_empty();
        self.config = config;
        let config_error = self.config_error.clone();
        let rigs: Vec<RigName> = self.rigs.iter().map(|r| r.name.clone()).collect();
        let (roles, by) = (&self.roles, Self::stamp(&self.world));
        self.store.write(&by, |w| {
            roles.save_warnings(w)?;
            save_config_error(w, config_error.as_deref())?;
            for rig in rigs.iter().filter(|_| changed) {
                // What made the queue wait may just have been mended.
                wait::end_pause(w, rig)?;
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(())
    }

    /// Opens every rig; one whose configuration is broken stays as it was.
    fn read_rigs(&mut self) -> Result<(), DaemonError> {
        let mut rigs = Vec::new();
        let mut errors = Vec::new();
        for name in self.world.town.rig_names()? {
            match self.world.town.rig(&name, &Overrides::default()) {
                Ok(rig) => rigs.push(rig),
                Err(error) => {
                    tracing::warn!(rig = %name, %error, "the configuration cannot be read; the last good one stays");
                    errors.push(error.to_string());
                    rigs.extend(self.rigs.iter().find(|r| r.name == name).cloned());
                }
            }
        }
        errors.dedup();
        self.prefixes = rigs.iter().map(|r| (r.prefix().to_string(), r.name.clone())).collect();
        self.rigs = rigs;
        self.config_error = (!errors.is_empty()).then(|| errors.join("\n"));
        Ok(())
    }

    fn watch_files(&mut self) {
        let town = &self.world.town;
        let mut places: Vec<(PathBuf, bool)> =
            vec![(town.root().to_owned(), false), (town.lua_dir(), true), (town.formulas_dir(), true)];
        for rig in &self.rigs {
            places.push((rig.dir(), false));
            places.push((rig.lua_dir(), true));
            places.push((rig.formulas_dir(), true));
        }
        let watched = self.files.set(&places);
        tracing::debug!(watched, "watching policies and configuration");
    }

    /// Looks at everything until a look has no effect.
    fn look(&mut self) -> Result<(), DaemonError> {
        for _ in 0..ROUNDS {
            self.seen_version = Some(self.store.data_version()?);
            if !self.round()? {
                self.drainer.ring();
                self.keeper.ring();
                return Ok(());
            }
        }
        // Something keeps having effects: go on, but hear of the rest of the world in between.
        self.status.next = Some(self.world.clock.now().plus_millis(100));
        Ok(())
    }

    /// One look at everything; true when it had an effect.
    fn round(&mut self) -> Result<bool, DaemonError> {
        self.status.passes += 1;
        let mut effect = false;
        for ended in self.merges.ended() {
            effect = true;
            match ended.result {
                Ok(report) => tracing::info!(rig = %ended.rig, ?report, "the queue has ended a batch"),
                Err(error) => {
                    tracing::error!(rig = %ended.rig, %error, "the queue failed");
                    self.status.trouble = Some(format!("queue of {}: {error}", ended.rig));
                    let by = Self::stamp(&self.world);
                    self.store.write(&by, |w| wait::set_pause(w, &ended.rig, &error).map(|_| ()))?;
                }
            }
        }
        let rows = self.store.read(agent::all)?;
        self.watch_agents(&rows);
        effect |= self.note_exits(&rows)?;
        let intents = self.store.read(intent::all)?;
        self.hands.turn(&mut self.store, intents)?;
        let mut next: Option<i64> = None;
        for index in 0..self.rigs.len() {
            let rig = self.rigs[index].clone();
            let judged = self.judge(&rig, &rows)?;
            next = next.into_iter().chain(judged.next_ms).min();
            effect |= self.act(&rig, judged)?;
        }
        self.status.next = next.map(Time::from_millis);
        let last = self.seen_event()?;
        self.status.seen_event = last;
        Ok(effect)
    }

    fn seen_event(&self) -> Result<i64, StoreError> {
        self.store.read(|r| {
            let last = r.last_event()?;
            Ok(last)
        })
    }

    fn watch_agents(&mut self, rows: &[AgentRow]) {
        for row in rows {
            if let Some(proc) = &row.proc
                && row.wants_session()
                && self.watched.insert(proc.pid)
            {
                self.exits.add(proc.clone());
            }
        }
        let pids: BTreeSet<u32> = rows.iter().filter_map(|r| r.proc.as_ref()).map(|p| p.pid).collect();
        self.watched.retain(|pid| pids.contains(pid));
    }

    /// An agent whose process is gone while its work is not: that is an event, once.
    fn note_exits(&mut self, rows: &[AgentRow]) -> Result<bool, DaemonError> {
        let mut any = false;
        for row in rows.iter().filter(|r| matches!(r.state, AgentState::Working | AgentState::Waiting)) {
            if row.proc.as_ref().is_none_or(ProcId::alive) {
                continue;
            }
            let by = Self::stamp(&self.world);
            any |= self.store.write(&by, |w| {
                let Some(mut now) = agent::get(w, &row.address)? else { return Ok(false) };
                let busy = intent::get(w, &row.address)?.is_some();
                if now.state != row.state || now.proc != row.proc || busy {
                    return Ok(false);
                }
                now.state = AgentState::Dead;
                agent::put(w, &now)?;
                w.emit("agent_exited", &row.address.to_string(), exit_facts(row).into())?;
                Ok::<_, StoreError>(true)
            })?;
        }
        Ok(any)
    }

    fn judge(&mut self, rig: &Rig, rows: &[AgentRow]) -> Result<Judged, DaemonError> {
        let repo = rig.repo().ok();
        let own: Vec<AgentRow> = rows.iter().filter(|r| r.rig() == Some(&rig.name)).cloned().collect();
        let seen = self.looker.look(&self.world.acting("deacon"), repo.as_ref(), &own);
        let look = Look {
            rig,
            rigs: &self.prefixes,
            seen: &seen,
            repo: repo.as_ref(),
            queue_free: rig.config.refinery && !self.merges.busy(&rig.name),
        };
        Ok(judge::judge(&self.world, &self.store, &mut self.roles, &self.cursors, &look)?)
    }

    /// Carries out what was decided.
    fn act(&mut self, rig: &Rig, judged: Judged) -> Result<bool, DaemonError> {
        let mut effect = false;
        let mut news = false;
        for (role, warnings) in &judged.warnings {
            news |= self.roles.judged_badly(&rig.name, role, warnings);
        }
        for (decision, cursor) in &judged.decisions {
            let by = format!("{}/{}", rig.name, decision.origin.role);
            let cx = self.world.acting(&by);
            match roles::execute(&cx, &mut self.store, rig, decision, *cursor)? {
                Outcome::Done(done) => {
                    effect = true;
                    self.status.actions += decision.actions.len() as u64;
                    tracing::info!(rule = decision.origin.rule, subject = %decision.subject, "decided");
                    for after in done.after {
                        self.hands.after(after);
                    }
                }
                Outcome::Refused(why) => {
                    tracing::debug!(rule = decision.origin.rule, subject = %decision.subject, why, "refused");
                }
            }
        }
        self.remember(rig, &judged, news)?;
        if let Some(batch) = judged.batch {
            // What was just decided may concern its members; the next look sees it.
            if !effect {
                self.merges.start(rig, &batch.gates, batch.job);
            }
        }
        Ok(effect)
    }

    fn remember(&mut self, rig: &Rig, judged: &Judged, warnings: bool) -> Result<(), DaemonError> {
        let mut stored = Vec::new();
        for (role, cursor, must) in &judged.cursors {
            let key = (rig.name.clone(), role.clone());
            let new = self.cursors.insert(key, *cursor) != Some(*cursor);
            if *must && new {
                stored.push((role, *cursor));
            }
        }
        let notes: BTreeMap<&BeadId, &String> = judged.notes.iter().map(|(id, why)| (id, why)).collect();
        let changed = self.store.read(|r| {
            let mut changed = Vec::new();
            for (id, why) in notes {
                if wait::note(r, id)?.as_ref() != Some(why) {
                    changed.push((id, why));
                }
            }
            Ok::<_, StoreError>(changed)
        })?;
        if stored.is_empty() && changed.is_empty() && !warnings && !judged.ladders.has_forgotten() {
            return Ok(());
        }
        let (roles, by) = (&self.roles, Self::stamp(&self.world));
        self.store.write(&by, |w| {
            for (role, cursor) in stored {
                events::set_cursor(w, &rig.name, role, cursor)?;
            }
            for (id, why) in changed {
                wait::set_note(w, id, why)?;
            }
            judged.ladders.save(w)?;
            roles.save_warnings(w)
        })?;
        Ok(())
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

    fn stamp(world: &World) -> Stamp {
        Stamp::new("deacon", world.clock.now())
    }
}

fn save_config_error(w: &mut Write<'_>, error: Option<&str>) -> Result<(), StoreError> {
    const KEY: (&str, &str) = ("town", "config_error");
    match error {
        Some(text) => w.put_local(KEY.0, KEY.1, &json!(text)),
        None => w.delete_local(KEY.0, KEY.1).map(|_| ()),
    }
}
