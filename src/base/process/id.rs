//! The name of a process that stays true after it has ended.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::platform::{self, Row};

/// A process, named so that a later process with the same number is another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcId {
    /// Process id.
    pub pid: u32,
    /// Start time, in clock ticks since boot (Linux) or a hash of it (elsewhere).
    pub start_ticks: u64,
    /// The boot it belongs to.
    pub boot_id: String,
}

impl ProcId {
    /// The process that has the number `pid` now; `None` when there is none or it is a zombie.
    pub fn of(pid: u32) -> Option<Self> {
        platform::process(pid).filter(|row| !row.zombie).map(|row| Self::from_row(&row))
    }

    /// The calling process.
    pub fn own() -> Self {
        let pid = std::process::id();
        Self::of(pid).unwrap_or_else(|| Self { pid, start_ticks: 0, boot_id: platform::boot_id().to_owned() })
    }

    /// The process that had the number `pid` and has ended already: never alive.
    pub(crate) fn ended(pid: u32) -> Self {
        Self { pid, start_ticks: 0, boot_id: platform::boot_id().to_owned() }
    }

    /// The process of a child that is not yet collected. One that has ended already keeps its name until it is.
    pub(crate) fn of_child(child: &std::process::Child) -> Self {
        let pid = child.id();
        platform::process(pid).map_or_else(|| Self::ended(pid), |row| Self::from_row(&row))
    }

    /// Whether it leads a session of its own, as servers do that have left their terminal.
    pub(crate) fn own_session(&self) -> bool {
        self.row().is_some_and(|row| row.session == row.pid)
    }

    /// Sends it a signal; false when it has ended or belongs to somebody else.
    pub fn signal(&self, signal: rustix::process::Signal) -> bool {
        self.boot_id == platform::boot_id() && platform::signal(self.pid, self.start_ticks, signal)
    }

    pub(crate) fn from_row(row: &Row) -> Self {
        Self { pid: row.pid, start_ticks: row.start, boot_id: platform::boot_id().to_owned() }
    }

    /// Whether exactly this process still runs. A zombie does not run.
    pub fn alive(&self) -> bool {
        self.row().is_some_and(|row| !row.zombie)
    }

    pub(crate) fn row(&self) -> Option<Row> {
        if self.boot_id != platform::boot_id() {
            return None;
        }
        platform::process(self.pid).filter(|row| row.start == self.start_ticks)
    }

    /// The process that started it, or that took it over.
    pub fn parent(&self) -> Option<Self> {
        Self::of(self.row()?.parent)
    }

    /// Its living children.
    pub fn children(&self) -> Vec<Self> {
        if !self.alive() {
            return Vec::new();
        }
        let rows = platform::processes();
        rows.iter().filter(|r| !r.zombie && r.parent == self.pid).map(Self::from_row).collect()
    }

    /// Itself and all its living descendants; empty when it has ended.
    pub fn tree(&self) -> Vec<Self> {
        if !self.alive() {
            return Vec::new();
        }
        let rows = platform::processes();
        let pids = descendants(&rows, HashSet::from([self.pid]));
        rows.iter().filter(|r| !r.zombie && pids.contains(&r.pid)).map(Self::from_row).collect()
    }

    /// A descriptor that becomes readable when this process ends; `None` when it has already ended, or on a
    /// system that has no such thing.
    pub fn exit_fd(&self) -> Option<std::os::fd::OwnedFd> {
        let fd = platform::exit_fd(self.pid)?;
        // Checked after opening: the descriptor pins whatever process owned the number then.
        self.alive().then_some(fd)
    }
}

impl fmt::Display for ProcId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pid)
    }
}

/// `roots` and everything below them.
pub(super) fn descendants(rows: &[Row], mut found: HashSet<u32>) -> HashSet<u32> {
    loop {
        let before = found.len();
        for row in rows {
            if found.contains(&row.parent) {
                found.insert(row.pid);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_is_alive_until_it_ends_and_a_reused_number_is_another() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat");
        let id = ProcId::of(child.id()).expect("runs");
        assert!(id.alive());
        assert!(ProcId::own().tree().contains(&id));
        let other = ProcId { start_ticks: id.start_ticks + 1, ..id.clone() };
        assert!(!other.alive());
        let earlier_boot = ProcId { boot_id: "another".into(), ..id.clone() };
        assert!(!earlier_boot.alive());
        drop(child.stdin.take());
        child.wait().expect("ends");
        assert!(!id.alive());
        assert!(id.tree().is_empty());
    }

    #[test]
    fn a_child_that_ended_before_anybody_looked_has_a_name_and_is_not_alive() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat");
        let running = ProcId::of(child.id()).expect("runs");
        drop(child.stdin.take());
        rustix::process::waitid(
            rustix::process::WaitId::Pid(rustix::process::Pid::from_child(&child)),
            rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT,
        )
        .expect("ends");
        assert_eq!(ProcId::of(child.id()), None);
        let ended = ProcId::of_child(&child);
        assert!(!ended.alive() && ended.pid == running.pid);
        child.wait().expect("collected");
    }

    #[test]
    fn it_survives_a_round_trip_through_json() {
        let id = ProcId::own();
        let text = serde_json::to_string(&id).expect("json");
        assert_eq!(serde_json::from_str::<ProcId>(&text).expect("read"), id);
    }
}
