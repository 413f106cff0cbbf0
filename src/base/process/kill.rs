//! Ending processes: all of a tree, politely first, and never anybody else's.

use std::collections::{BTreeSet, HashSet};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::id::descendants;
use super::{ProcId, pause, wait_readable};
use crate::base::platform::{self, Row};

/// How long the kernel may take to end processes that were sent SIGKILL.
const HARD_LIMIT: Duration = Duration::from_secs(10);

/// Processes that could not be ended.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{} could not be ended: pid {}", crate::base::text::count(.0.len(), "process"), pids(.0))]
pub struct Survivors(pub Vec<ProcId>);

fn pids(ids: &[ProcId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Ends `root` and everything below it; see [`kill_all`].
pub fn kill_tree(root: &ProcId, grace: Duration) -> Result<(), Survivors> {
    kill_all(std::slice::from_ref(root), None, grace)
}

/// Every living process that was started with `mark` (`NAME=value`) in its environment; with `prefix`, an entry
/// that begins so is enough. The calling process is left out.
pub fn marked(mark: &str, prefix: bool) -> Vec<ProcId> {
    let own = std::process::id();
    let rows = platform::processes();
    let others: Vec<&Row> = rows.iter().filter(|r| !r.zombie && r.pid != own).collect();
    let hits = environments(&others, mark, prefix);
    others.iter().zip(hits).filter(|(_, hit)| *hit).map(|(row, _)| ProcId::from_row(row)).collect()
}

/// Which of `rows` have the mark. A process that is just becoming another program shows no environment at all
/// for a moment, so those are looked at again.
fn environments(rows: &[&Row], mark: &str, prefix: bool) -> Vec<bool> {
    let look = |row: &&Row| platform::environment_has(row.pid, mark, prefix);
    let mut hits: Vec<Option<bool>> = rows.iter().map(look).collect();
    for _ in 0..3 {
        if hits.iter().all(Option::is_some) {
            break;
        }
        pause(Duration::from_millis(1));
        for (hit, row) in hits.iter_mut().zip(rows).filter(|(hit, _)| hit.is_none()) {
            *hit = look(row);
        }
    }
    hits.into_iter().map(|hit| hit == Some(true)).collect()
}

/// Ends `roots`, everything below them, their terminal sessions, and all processes marked with `mark`.
///
/// SIGTERM first; after `grace` everything still there is frozen (so that nothing forks away) and killed. Ok
/// means that all were seen dead. The calling process is never touched, even when it is one of them.
pub fn kill_all(roots: &[ProcId], mark: Option<&str>, grace: Duration) -> Result<(), Survivors> {
    let mut prey = Prey { roots: roots.to_vec(), mark, known: BTreeSet::new() };
    let polite = Instant::now() + grace;
    let mut told = HashSet::new();
    let mut left = prey.living();
    while !left.is_empty() && Instant::now() < polite {
        for id in &left {
            if told.insert(id.clone()) {
                platform::signal(id.pid, id.start_ticks, Signal::TERM);
                // A stopped process hears nothing until it is continued.
                platform::signal(id.pid, id.start_ticks, Signal::CONT);
            }
        }
        wait_for_one(&left, polite);
        left = prey.living();
    }
    let hard = Instant::now() + HARD_LIMIT;
    while !left.is_empty() && Instant::now() < hard {
        freeze(&mut prey);
        for id in &prey.living() {
            platform::signal(id.pid, id.start_ticks, Signal::KILL);
        }
        wait_for_all(&left, hard);
        left = prey.living();
    }
    if left.is_empty() { Ok(()) } else { Err(Survivors(left)) }
}

fn freeze(prey: &mut Prey<'_>) {
    let mut frozen = HashSet::new();
    loop {
        let fresh: Vec<_> = prey.living().into_iter().filter(|id| frozen.insert(id.clone())).collect();
        if fresh.is_empty() {
            return;
        }
        for id in &fresh {
            platform::signal(id.pid, id.start_ticks, Signal::STOP);
        }
    }
}

struct Prey<'a> {
    roots: Vec<ProcId>,
    mark: Option<&'a str>,
    known: BTreeSet<ProcId>,
}

impl Prey<'_> {
    /// Everything that belongs to the prey and lives, including what has appeared since the last look.
    fn living(&mut self) -> Vec<ProcId> {
        let own = std::process::id();
        let rows = platform::processes();
        let of = |row: &Row| ProcId::from_row(row);
        let mut pids: HashSet<u32> = HashSet::new();
        if let Some(mark) = self.mark {
            let running: Vec<&Row> = rows.iter().filter(|r| !r.zombie).collect();
            let hits = environments(&running, mark, false);
            pids.extend(running.iter().zip(hits).filter(|(_, hit)| *hit).map(|(row, _)| row.pid));
        }
        for row in &rows {
            let id = of(row);
            // What once belonged belongs for good; a zombie still leads to its children's session.
            if self.known.contains(&id) || self.roots.contains(&id) || self.in_session(row, &rows) {
                pids.insert(row.pid);
            }
        }
        pids.remove(&own);
        let mut tree = descendants(&rows, pids);
        tree.remove(&own);
        let living: Vec<ProcId> = rows.iter().filter(|r| !r.zombie && tree.contains(&r.pid)).map(of).collect();
        self.known.extend(living.iter().cloned());
        living
    }

    /// Whether `row` is in the terminal session that a root leads. Only sessions whose leader is that root, alive
    /// or gone without a successor to its number, count: a later session of the same number is not ours.
    fn in_session(&self, row: &Row, rows: &[Row]) -> bool {
        self.roots.iter().any(|root| {
            row.session == root.pid
                && root.boot_id == platform::boot_id()
                && row.start >= root.start_ticks
                && rows.iter().find(|r| r.pid == root.pid).is_some_and(|r| r.start == root.start_ticks)
        })
    }
}

fn wait_for_one(ids: &[ProcId], deadline: Instant) {
    let fds: Vec<_> = ids.iter().filter_map(ProcId::exit_fd).collect();
    if fds.is_empty() {
        pause(Duration::from_millis(10));
        return;
    }
    // At most a step: new processes may appear meanwhile.
    let step = deadline.min(Instant::now() + Duration::from_millis(100));
    wait_readable(&fds.iter().map(AsFd::as_fd).collect::<Vec<_>>(), Some(step));
}

fn wait_for_all(ids: &[ProcId], deadline: Instant) {
    let step = deadline.min(Instant::now() + Duration::from_millis(200));
    for id in ids {
        match id.exit_fd() {
            Some(fd) => {
                wait_readable(&[fd.as_fd()], Some(step));
            }
            None if id.alive() => pause(Duration::from_millis(5)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    /// Starts `sh -c script` and waits for the line `up`.
    fn up(script: &str, mark: Option<&str>) -> (Child, ProcId) {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some((name, value)) = mark.and_then(|m| m.split_once('=')) {
            command.env(name, value);
        }
        let mut child = command.spawn().expect("sh");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("a line");
        assert_eq!(line, "up\n");
        let id = ProcId::of(child.id()).expect("runs");
        (child, id)
    }

    const STUBBORN: &str = "trap '' TERM HUP; sh -c 'trap \"\" TERM HUP; echo up; while :; do sleep 1000; done'; :";

    #[test]
    fn a_tree_that_ignores_term_is_gone() {
        let (mut child, id) = up(STUBBORN, None);
        let tree = id.tree();
        assert!(tree.len() >= 2, "{tree:?}");
        kill_tree(&id, Duration::from_millis(50)).expect("ended");
        assert!(tree.iter().all(|p| !p.alive()));
        child.wait().expect("collected");
    }

    #[test]
    fn an_orphan_is_found_by_its_mark() {
        let mark = format!("GT_TEST_MARK={}-orphan", std::process::id());
        let (mut child, id) = up("(setsid sh -c 'echo up; exec sleep 1000' &) ; exec cat", Some(&mark));
        drop(child.stdin.take());
        child.wait().expect("collected");
        assert!(!id.alive());
        let orphans = marked(&mark, false);
        assert!(!orphans.is_empty());
        kill_all(&[id], Some(&mark), Duration::ZERO).expect("ended");
        assert!(orphans.iter().all(|p| !p.alive()));
        assert!(marked(&mark, false).is_empty());
    }

    #[test]
    fn another_process_with_the_number_is_left_alone() {
        let (mut child, id) = up("echo up; exec cat", None);
        let old = ProcId { start_ticks: id.start_ticks + 1, ..id.clone() };
        kill_tree(&old, Duration::ZERO).expect("nothing to do");
        assert!(id.alive());
        kill_tree(&id, Duration::from_secs(5)).expect("ended");
        child.wait().expect("collected");
    }

    #[test]
    fn a_stopped_process_ends_within_its_grace() {
        let (mut child, id) = up("echo up; kill -STOP $$; exec cat", None);
        kill_tree(&id, Duration::from_secs(5)).expect("ended");
        child.wait().expect("collected");
        assert!(!id.alive());
    }
}
