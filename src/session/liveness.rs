//! The three facts by which an agent is judged, gathered and never mixed: its processes, its screen, and the
//! file that it (or its client) writes as it works.

use std::path::Path;
use std::time::SystemTime;

use super::{Host, Probe, SessionError};
use crate::base::Time;
use crate::base::process::ProcId;

/// Whether the agent's processes run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Processes {
    /// They run: the leader, and how many in all.
    Running {
        /// The agent's own process.
        leader: ProcId,
        /// Processes of its tree, itself included.
        count: usize,
    },
    /// The leader has ended, with this code where it is known.
    Ended(Option<i32>),
}

/// What was seen of one agent. Times are absolute; what they mean is not decided here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Liveness {
    /// Whether it runs.
    pub processes: Processes,
    /// When its terminal was last written to.
    pub screen: Option<Time>,
    /// When its heartbeat or transcript file was last written to.
    pub heartbeat: Option<Time>,
    /// A person is looking at it.
    pub attached: bool,
}

impl Liveness {
    /// Whether the agent's process runs.
    pub fn running(&self) -> bool {
        matches!(self.processes, Processes::Running { .. })
    }

    /// The latest sign of life; `None` when there never was one.
    pub fn last_sign(&self) -> Option<Time> {
        self.screen.max(self.heartbeat)
    }
}

/// Looks at the session `name`. `heartbeat` is a file that the agent's client writes to as it works.
pub fn observe(host: &dyn Host, name: &str, heartbeat: Option<&Path>) -> Result<Liveness, SessionError> {
    let probe = host.probe(name)?;
    Ok(of_probe(&probe, heartbeat))
}

/// As [`observe`], from a probe that was made before (of a whole list at once, say).
pub fn of_probe(probe: &Probe, heartbeat: Option<&Path>) -> Liveness {
    let leader = probe.pid.as_ref().filter(|_| probe.alive);
    Liveness {
        processes: leader.map_or(Processes::Ended(probe.exit), |leader| Processes::Running {
            leader: leader.clone(),
            count: leader.tree().len(),
        }),
        screen: probe.changed,
        heartbeat: heartbeat.and_then(changed),
        attached: probe.attached,
    }
}

/// When `file` was last written to.
pub fn changed(file: &Path) -> Option<Time> {
    let since = std::fs::metadata(file).ok()?.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Time::from_millis(i64::try_from(since.as_millis()).ok()?))
}
