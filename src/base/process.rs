//! Child processes and other processes: run one with a limit, name one for good, end a whole tree.
//!
//! Nothing here is a shell: programs are started by argument vectors. A process is named by pid, start time
//! and boot, so a reused pid is never taken for the old one and never signalled.

mod exits;
mod id;
mod kill;
mod run;

pub use exits::ExitWatch;
pub use id::ProcId;
pub use kill::{Survivors, kill_all, kill_tree, marked};
pub use run::{Cmd, Done, RunError, run, run_watching};

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The executable called `program`: itself when it has a `/`, else the first one in the folders of `path`
/// (written as in `PATH`; relative folders are ignored).
pub fn find_program(program: &str, path: &str) -> Option<PathBuf> {
    let candidates: Vec<PathBuf> = if program.contains('/') {
        vec![PathBuf::from(program)]
    } else {
        std::env::split_paths(path).filter(|p| p.is_absolute()).map(|p| p.join(program)).collect()
    };
    candidates.into_iter().find(|p| is_executable(p))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// Waits until one of `fds` can be read (or has hung up) or `deadline` has passed; says which.
pub(crate) fn wait_readable(fds: &[BorrowedFd<'_>], deadline: Option<Instant>) -> Vec<bool> {
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    poll_until(&mut polled, deadline);
    polled.iter().map(|p| !p.revents().is_empty()).collect()
}

/// `poll` with a deadline; an interruption is just an early return with nothing ready.
pub(crate) fn poll_until(polled: &mut [PollFd<'_>], deadline: Option<Instant>) {
    let left = deadline.map(|d| timespec(d.saturating_duration_since(Instant::now())));
    let _ = poll(polled, left.as_ref());
}

fn timespec(d: Duration) -> Timespec {
    Timespec { tv_sec: d.as_secs().min(1 << 30) as i64, tv_nsec: i64::from(d.subsec_nanos()) }
}

/// Waits for nothing but time, on a descriptor that never becomes readable.
pub(crate) fn pause(d: Duration) {
    poll_until(&mut [], Some(Instant::now() + d));
}
