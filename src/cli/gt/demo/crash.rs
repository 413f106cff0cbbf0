//! `--crash`: kills a worker in the middle of its molecule, then the daemon, then what hosts the sessions.
//!
//! Kills with SIGKILL and restarts nothing: it waits until the town has brought each back by itself, and only
//! then lets the held step go on.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::place::Place;
use super::sample::Beads;
use super::watch::Watch;
use crate::base::process::ProcId;
use crate::cli::CliError;
use crate::store::Event;
use crate::town::agent::{self, AgentRow, HostKind};

/// How long the town may take to bring one thing back.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was killed and how long it was away.
pub(super) struct Recovery {
    /// What it was.
    pub(super) what: String,
    /// From the kill until it worked again.
    pub(super) away: Duration,
}

/// The three kills, one after another, between the events of a running demo.
pub(super) struct Crash<'a> {
    place: &'a Place,
    beads: &'a Beads,
    stage: Stage,
    /// What came back so far.
    pub(super) recovered: Vec<Recovery>,
}

enum Stage {
    Worker,
    WorkerAway(Away),
    DaemonAway(Away),
    HostAway(Away),
    Over,
}

struct Away {
    since: Instant,
    what: String,
    old: ProcId,
}

impl<'a> Crash<'a> {
    /// Nothing is killed yet.
    pub(super) fn new(place: &'a Place, beads: &'a Beads) -> Self {
        Self { place, beads, stage: Stage::Worker, recovered: Vec::new() }
    }

    /// All three were killed and came back.
    pub(super) fn over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Does what is due: kills the next, or sees whether the last is back. Gives lines to show.
    pub(super) fn advance(&mut self, watch: &Watch) -> Result<Vec<String>, CliError> {
        let mut lines = Vec::new();
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Worker => {
                // The implement step of `parser` is held; its design step is closed: the middle of a molecule.
                self.stage = match (Self::row(watch, &self.beads.parser)?, closed(watch, &self.beads.parser)) {
                    (Some(AgentRow { proc: Some(old), address, .. }), true) if old.alive() => {
                        Stage::WorkerAway(Self::kill(old, format!("worker {}", address.short()), watch, &mut lines)?)
                    }
                    _ => Stage::Worker,
                };
            }
            Stage::WorkerAway(away) => {
                let row = Self::row(watch, &self.beads.parser)?;
                if row.and_then(|r| r.proc).is_some_and(|p| p != away.old && p.alive()) {
                    self.back(away, watch, &mut lines);
                    self.let_go("parser")?;
                    let daemon = self.daemon()?;
                    self.stage = Stage::DaemonAway(Self::kill(daemon, "daemon".into(), watch, &mut lines)?);
                } else {
                    self.stage = Stage::WorkerAway(Self::patient(away)?);
                }
            }
            Stage::DaemonAway(away) => {
                let back = self.daemon().ok().filter(|p| *p != away.old && p.alive());
                // The worker of `errors` is held in its implement step while its host is killed.
                let row = Self::row(watch, &self.beads.errors)?;
                match (back, row) {
                    (Some(_), Some(row))
                        if closed(watch, &self.beads.errors) && row.proc.as_ref().is_some_and(ProcId::alive) =>
                    {
                        self.back(away, watch, &mut lines);
                        let (what, host) = Self::host_of(&row)?;
                        self.stage = Stage::HostAway(Away {
                            old: row.proc.clone().expect("just seen"),
                            ..Self::kill(host, what, watch, &mut lines)?
                        });
                    }
                    _ => self.stage = Stage::DaemonAway(Self::patient(away)?),
                }
            }
            Stage::HostAway(away) => {
                let row = Self::row(watch, &self.beads.errors)?;
                if row.and_then(|r| r.proc).is_some_and(|p| p != away.old && p.alive()) {
                    self.back(away, watch, &mut lines);
                    self.let_go("errors")?;
                } else {
                    self.stage = Stage::HostAway(Self::patient(away)?);
                }
            }
            Stage::Over => {}
        }
        Ok(lines)
    }

    fn kill(old: ProcId, what: String, watch: &Watch, lines: &mut Vec<String>) -> Result<Away, CliError> {
        let pid = rustix::process::Pid::from_raw(old.pid as i32)
            .ok_or_else(|| CliError::user(format!("the {what} has no process")))?;
        rustix::process::kill_process(pid, rustix::process::Signal::KILL)
            .map_err(|e| CliError::user(format!("the {what} (pid {}) cannot be killed: {e}", old.pid)))?;
        lines.push(watch.stamp("CRASH", &format!("{what} killed (SIGKILL, pid {})", old.pid)));
        Ok(Away { since: Instant::now(), what, old })
    }

    fn back(&mut self, away: Away, watch: &Watch, lines: &mut Vec<String>) {
        let took = away.since.elapsed();
        lines.push(watch.stamp("", &format!("{} back after {:.2} s, by itself", away.what, took.as_secs_f64())));
        self.recovered.push(Recovery { what: away.what, away: took });
    }

    fn patient(away: Away) -> Result<Away, CliError> {
        if away.since.elapsed() < PATIENCE {
            return Ok(away);
        }
        Err(CliError::new(
            crate::cli::Kind::Timeout,
            format!("the {} did not come back within {PATIENCE:?}", away.what),
        ))
    }

    fn let_go(&self, name: &str) -> Result<(), CliError> {
        let path = self.place.evidence().join(format!("go-{name}"));
        fs::write(&path, "").map_err(|e| CliError::user(format!("{} cannot be written: {e}", path.display())))
    }

    /// The worker of a bead.
    fn row(watch: &Watch, bead: &str) -> Result<Option<AgentRow>, CliError> {
        let rows = watch.store().read(|r| agent::all(r).map_err(CliError::from))?;
        Ok(rows.into_iter().find(|row| row.bead.as_ref().is_some_and(|b| b.as_str() == bead)))
    }

    /// The process that holds the daemon's lock.
    fn daemon(&self) -> Result<ProcId, CliError> {
        let path = self.place.town().join(".runtime/daemon.lock");
        process_named_in(&path, "daemon")
    }

    /// What hosts a worker's session, which is its parent: the town's tmux server, or its own session host.
    fn host_of(row: &AgentRow) -> Result<(String, ProcId), CliError> {
        let host = row.proc.as_ref().and_then(ProcId::parent);
        let host = host.ok_or_else(|| CliError::user("what hosts the worker has gone already"))?;
        let what = match row.host {
            HostKind::Tmux => "tmux server".to_owned(),
            HostKind::Headless => format!("session host of {}", row.name()),
        };
        Ok((what, host))
    }
}

/// Whether the design step of a bead is closed; its implement step is held then.
fn closed(watch: &Watch, bead: &str) -> bool {
    let is = |event: &Event, key: &str, value: &str| event.payload.get(key).and_then(Value::as_str) == Some(value);
    watch.events.iter().any(|e| e.kind == "step_closed" && is(e, "bead", bead) && is(e, "step", "design"))
}

fn process_named_in(path: &PathBuf, what: &str) -> Result<ProcId, CliError> {
    let text =
        fs::read_to_string(path).map_err(|e| CliError::user(format!("{} cannot be read: {e}", path.display())))?;
    let gone = || CliError::user(format!("no {what} is running"));
    text.trim().parse().ok().and_then(ProcId::of).ok_or_else(gone)
}
