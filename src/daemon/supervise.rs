//! The daemon's parent: starts it, and starts it again when it dies, within a budget.
//!
//! Small and without threads on purpose: it is what must not fail. A daemon that was asked to stop, or
//! that found another one running, is not started again.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::base::{Clock, Time};

/// Exit code of a daemon that found another one at work.
pub const ALREADY_RUNNING: u8 = 75;
/// Exit code of a daemon whose town is gone: starting again is no help.
pub const NO_TOWN: u8 = 66;

const WINDOW_MS: i64 = 600_000;
const MOST: usize = 10;
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How many restarts are left, and how long to wait before the next.
#[derive(Debug, Default)]
pub struct Budget {
    deaths: VecDeque<i64>,
}

impl Budget {
    /// Counts a death at `now`; the wait before the next start, or none when the budget is spent.
    pub fn spend(&mut self, now: Time) -> Option<Duration> {
        let now = now.millis();
        while self.deaths.front().is_some_and(|&t| now - t > WINDOW_MS) {
            self.deaths.pop_front();
        }
        self.deaths.push_back(now);
        let n = self.deaths.len();
        (n <= MOST).then(|| (FIRST_WAIT * 2u32.pow(n as u32 - 1)).min(LONGEST_WAIT))
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
    let mut budget = Budget::default();
    loop {
        let status = Command::new(exe)
            .args(args)
            .current_dir(town)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?
            .wait()?;
        if let Some(ended) = final_word(status) {
            return Ok(ended);
        }
        if !town.join("town.toml").exists() {
            return Ok(Ended::NoTown);
        }
        let Some(wait) = budget.spend(clock.now()) else {
            log("the daemon died too often and is not started again; the next gt command in this town will try");
            return Ok(Ended::BudgetSpent);
        };
        log(&format!("the daemon ended with {status}; starting it again in {} ms", wait.as_millis()));
        std::thread::sleep(wait);
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
        assert_eq!(budget.spend(at(2000)).expect("old deaths are forgotten").as_millis(), 50);
    }

    #[test]
    fn a_child_that_dies_is_started_again_until_it_stops_by_itself() {
        let town = tempfile::tempdir().expect("tempdir");
        std::fs::write(town.path().join("town.toml"), "").expect("write");
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
