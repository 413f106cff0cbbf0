//! The daemon's parent: starts it, and starts it again when it dies, within a budget.
//!
//! Small and without threads on purpose: it is what must not fail. A daemon that was asked to stop, or
//! that found another one running, is not started again. The budget is a file beside the lock, so that a new
//! supervisor goes on where the last one stopped; once it is spent, only `gt start` gives a new one.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::base::{Clock, Time, atomic};

/// Exit code of a daemon that found another one at work.
pub const ALREADY_RUNNING: u8 = 75;
/// Exit code of a daemon whose town is gone: starting again is no help.
pub const NO_TOWN: u8 = 66;

const WINDOW_MS: i64 = 600_000;
const MOST: usize = 10;
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// So often a supervisor that waits asks whether it may stop waiting.
const LISTEN: Duration = Duration::from_millis(100);

/// How often the daemon died lately.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The deaths within the last ten minutes, in milliseconds since 1970.
    deaths: Vec<i64>,
    /// Since when it is not started again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spent_at: Option<Time>,
}

impl Budget {
    /// Where the budget of a town's daemon is.
    pub fn path(town: &Path) -> PathBuf {
        town.join(".runtime/restarts.json")
    }

    /// What is left for the town's daemon: all of it when nothing, or nothing readable, is written down.
    pub fn load(town: &Path) -> Self {
        let text = std::fs::read_to_string(Self::path(town)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Writes it down.
    pub fn save(&self, town: &Path) -> io::Result<()> {
        atomic::write(&Self::path(town), &serde_json::to_vec(self)?)
    }

    /// A person says that it may be tried again.
    pub fn refill(town: &Path) -> io::Result<()> {
        match std::fs::remove_file(Self::path(town)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Since when the daemon is not started again, because it died too often.
    pub fn spent_at(&self) -> Option<Time> {
        self.spent_at
    }

    /// Counts a death at `now`; the wait before the next start, or none when the budget is spent.
    pub fn spend(&mut self, now: Time) -> Option<Duration> {
        let ms = now.millis();
        // A clock that was set back makes old deaths look like coming ones.
        self.deaths.retain(|death| (0..=WINDOW_MS).contains(&(ms - death)));
        self.deaths.push(ms);
        let n = self.deaths.len();
        if n > MOST {
            self.spent_at.get_or_insert(now);
        }
        (self.spent_at.is_none()).then(|| (FIRST_WAIT * 2u32.pow(n as u32 - 1)).min(LONGEST_WAIT))
    }
}

/// Why supervision ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The daemon was asked to stop.
    Stopped,
    /// Another daemon runs this town.
    AlreadyRunning,
    /// The town is gone.
    NoTown,
    /// It died too often within ten minutes.
    BudgetSpent,
}

/// Runs `exe args...` in `town` until it ends for good; `log` gets a line for each death.
pub fn supervise(
    exe: &Path,
    args: &[String],
    town: &Path,
    clock: &dyn Clock,
    mut log: impl FnMut(&str),
) -> io::Result<Ended> {
    if Budget::load(town).spent_at().is_some() {
        return Ok(Ended::BudgetSpent);
    }
    // What could not be written down is remembered as long as this supervisor lives.
    let mut unsaved = None;
    loop {
        let child = Command::new(exe)
            .args(args)
            .current_dir(town)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn();
        // That it cannot even be started, as while its program is being replaced, is a death like others.
        let death = match child {
            Ok(mut child) => {
                let status = child.wait()?;
                if let Some(ended) = final_word(status) {
                    return Ok(ended);
                }
                format!("ended with {status}")
            }
            Err(error) => format!("cannot be started: {error}"),
        };
        if !town.join("town.toml").exists() {
            return Ok(Ended::NoTown);
        }
        let mut budget = unsaved.take().unwrap_or_else(|| Budget::load(town));
        let wait = budget.spend(clock.now());
        if let Err(error) = budget.save(town) {
            log(&format!("this death cannot be written down: {error}"));
            unsaved = Some(budget);
        }
        let Some(wait) = wait else {
            log("the daemon died too often and is not started again until somebody types: gt start");
            return Ok(Ended::BudgetSpent);
        };
        log(&format!("the daemon {death}; starting it again in {} ms", wait.as_millis()));
        rest(wait, || unsaved.is_none() && !Budget::path(town).exists());
    }
}

/// Waits for so long, or until a person has given the budget back: they are not to wait for what they have forgiven.
fn rest(wait: Duration, forgiven: impl Fn() -> bool) {
    let end = Instant::now() + wait;
    while !forgiven() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(LISTEN));
    }
}

fn final_word(status: ExitStatus) -> Option<Ended> {
    match status.code() {
        Some(0) => Some(Ended::Stopped),
        Some(code) if code == i32::from(ALREADY_RUNNING) => Some(Ended::AlreadyRunning),
        Some(code) if code == i32::from(NO_TOWN) => Some(Ended::NoTown),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SystemClock;

    #[test]
    fn a_budget_waits_longer_each_time_and_then_ends() {
        let mut budget = Budget::default();
        let at = |s: i64| Time::from_millis(s * 1000);
        let waits: Vec<u128> = (0..10).map(|n| budget.spend(at(n)).expect("within").as_millis()).collect();
        assert_eq!(waits[..4], [50, 100, 200, 400]);
        assert!(waits.is_sorted());
        assert_eq!(budget.spend(at(11)), None);
        assert_eq!(budget.spend(at(5000)), None, "until a person says so");
        let mut slow = Budget::default();
        for n in 0..30 {
            assert!(slow.spend(at(n * 70)).is_some(), "old deaths are forgotten");
        }
        assert!(slow.spend(at(5)).is_some(), "and so are those of a clock that was set back");
    }

    #[test]
    fn the_next_supervisor_goes_on_with_what_is_left_of_the_budget() {
        let town = tempfile::tempdir().expect("tempdir");
        std::fs::create_dir(town.path().join(".runtime")).expect("mkdir");
        std::fs::write(town.path().join("town.toml"), "").expect("write");
        let clock = SystemClock;
        let mut budget = Budget::default();
        for _ in 0..MOST {
            assert!(budget.spend(clock.now()).is_some());
        }
        budget.save(town.path()).expect("saved");
        let run = || {
            let script = "echo x >> runs; exit 1".to_owned();
            supervise(Path::new("/bin/sh"), &["-c".into(), script], town.path(), &clock, |_| {}).expect("runs")
        };
        assert_eq!(run(), Ended::BudgetSpent);
        assert_eq!(run(), Ended::BudgetSpent);
        let runs = || std::fs::read_to_string(town.path().join("runs")).expect("runs").lines().count();
        assert_eq!(runs(), 1, "the last one was spent, and none was left for the next supervisor");
        Budget::refill(town.path()).expect("refilled");
        assert_eq!(Budget::load(town.path()), Budget::default());
    }

    #[test]
    fn a_child_that_dies_is_started_again_until_it_stops_by_itself() {
        let town = tempfile::tempdir().expect("tempdir");
        std::fs::write(town.path().join("town.toml"), "").expect("write");
        std::fs::create_dir(town.path().join(".runtime")).expect("mkdir");
        let script = "echo x >> runs; [ $(wc -l < runs) -ge 3 ] && exit 0; kill -9 $$";
        let mut lines = Vec::new();
        let ended = supervise(Path::new("/bin/sh"), &["-c".into(), script.into()], town.path(), &SystemClock, |l| {
            lines.push(l.to_owned());
        })
        .expect("runs");
        assert_eq!(ended, Ended::Stopped);
        assert_eq!(lines.len(), 2, "{lines:?}");
    }

    #[test]
    fn a_child_that_finds_another_daemon_is_left_alone() {
        let town = tempfile::tempdir().expect("tempdir");
        let run = |script: &str| {
            supervise(Path::new("/bin/sh"), &["-c".into(), script.into()], town.path(), &SystemClock, |_| {})
        };
        assert_eq!(run("exit 75").expect("runs"), Ended::AlreadyRunning);
        assert_eq!(run("exit 66").expect("runs"), Ended::NoTown);
        assert_eq!(run("exit 1").expect("runs"), Ended::NoTown, "its folder is no town any more");
    }
}
