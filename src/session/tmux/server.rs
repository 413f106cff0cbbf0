//! The tmux commands, each one argument vector, in an environment of our own.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::super::socket::socket_folder;
use super::super::{Probe, SessionError, SessionName, SessionSpec, mark};
use crate::base::Time;
use crate::base::process::{Cmd, Done, ProcId, find_program, marked, pause, run};

const TIMEOUT: Duration = Duration::from_secs(10);
const OLDEST: (u32, u32) = (3, 2);
/// Lines of scrollback that each pane keeps.
const HISTORY: &str = "5000";

#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) runtime_dir: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) tmux: PathBuf,
    gt: PathBuf,
    path: String,
    version: OnceLock<()>,
}

/// One pane, as tmux tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pane {
    pub(super) session: String,
    pub(super) id: String,
    pub(super) attached: bool,
    server: u32,
    pid: u32,
    dead: bool,
    status: Option<i32>,
    signal: Option<i32>,
    changed: Option<Time>,
    title: String,
}

// The title comes last: it alone may hold the separator.
const FORMAT: &str = "#{session_name}|#{pane_id}|#{pid}|#{pane_pid}|#{pane_dead}|#{pane_dead_status}|#{pane_dead_signal}|\
                      #{session_attached}|#{window_activity}|#{pane_title}";

impl Pane {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(10, '|');
        let mut next = || fields.next();
        Some(Self {
            session: next()?.to_owned(),
            id: next()?.to_owned(),
            server: next()?.parse().ok()?,
            pid: next()?.parse().ok()?,
            dead: next()? == "1",
            status: next()?.parse().ok(),
            signal: next()?.parse().ok(),
            attached: next()? != "0",
            changed: next()?.parse::<i64>().ok().map(|s| Time::from_millis(s.saturating_mul(1000))),
            title: next()?.to_owned(),
        })
    }

    /// The running process that leads it.
    pub(super) fn leader(&self) -> Option<ProcId> {
        if self.dead { None } else { ProcId::of(self.pid) }
    }

    /// tmux learns of a program's end in two steps: its terminal closes, its status arrives.
    fn settled(&self) -> bool {
        if self.dead { self.status.is_some() || self.signal.is_some() } else { self.leader().is_some() }
    }

    pub(super) fn probe(&self) -> Probe {
        let pid = self.leader();
        Probe {
            alive: pid.is_some(),
            pid,
            attached: self.attached,
            exit: self.status.or_else(|| self.signal.map(|s| 128 + s)).filter(|_| self.dead),
            changed: self.changed,
            title: Some(self.title.clone()).filter(|t| !t.is_empty()),
        }
    }
}

/// Whether a message of tmux says that the target, or the whole server, is not there.
pub(super) fn is_missing(message: &str) -> bool {
    const SAID: &[&str] = &[
        "can't find session",
        "can't find pane",
        "can't find window",
        "no current session",
        "no current target",
        "no server running",
        "error connecting to",
        "server exited",
        "lost server",
    ];
    SAID.iter().any(|said| message.contains(said))
}

impl Server {
    pub(super) fn new(runtime_dir: &Path, gt: &Path, path: &str) -> Result<Self, SessionError> {
        let tmux =
            find_program("tmux", path).ok_or_else(|| SessionError::NoTmux("and it is not installed".to_owned()))?;
        let name = "tmux.sock";
        let socket = socket_folder(runtime_dir, name.len())?.join(name);
        Ok(Self {
            runtime_dir: runtime_dir.to_owned(),
            socket,
            tmux,
            gt: gt.to_owned(),
            path: path.to_owned(),
            version: OnceLock::new(),
        })
    }

    /// Where locks and start files of the sessions lie.
    pub(super) fn sessions(&self) -> PathBuf {
        self.runtime_dir.join("sessions")
    }

    /// tmux with an environment that holds nothing of the caller's but the path.
    fn cmd(&self, args: &[&str]) -> Cmd {
        let mark = mark::mark(&self.runtime_dir, super::KIND, mark::OF_THE_HOST);
        let (name, value) = mark.split_once('=').unwrap_or((super::super::MARK_VAR, ""));
        // The server stays behind as a process of its own; it must not be taken for a leftover.
        Cmd::new(&self.tmux)
            .args(["-u", "-f", "/dev/null", "-S"])
            .arg(&self.socket)
            .args(args)
            .env_clear()
            .env("PATH", &self.path)
            .env("LANG", "C.UTF-8")
            .env("SHELL", "/bin/sh")
            .env(name, value)
            .timeout(TIMEOUT)
            .keep_background()
    }

    pub(super) fn run(&self, args: &[&str], stdin: &[u8]) -> Result<Done, SessionError> {
        let done = run(&self.cmd(args).stdin(stdin))?;
        if done.success() {
            return Ok(done);
        }
        let said = done.stderr_text();
        let message = if said.trim().is_empty() { done.ending() } else { said.trim().to_owned() };
        Err(SessionError::Tmux { command: args.first().copied().unwrap_or_default().to_owned(), message })
    }

    pub(super) fn check_version(&self) -> Result<(), SessionError> {
        if self.version.get().is_some() {
            return Ok(());
        }
        let done = run(&Cmd::new(&self.tmux).arg("-V").env_clear().timeout(TIMEOUT))?;
        let said = done.stdout_text();
        match version(&said) {
            Some(found) if found < OLDEST => Err(SessionError::NoTmux(format!("this is {}", said.trim()))),
            // A development version has no number: it is newer.
            _ => {
                let _ = self.version.set(());
                Ok(())
            }
        }
    }

    /// Whether a server listens. Asks the kernel, not a program.
    pub(super) fn answers(&self) -> bool {
        UnixStream::connect(&self.socket).is_ok()
    }

    /// The first pane of every session; none when there is no server.
    pub(super) fn panes(&self) -> Result<Vec<Pane>, SessionError> {
        let mut panes = self.all_panes()?;
        let mut seen = std::collections::HashSet::new();
        // A person may have split a window: the agent's is the oldest pane.
        panes.sort_by_key(|p| p.id.trim_start_matches('%').parse::<u64>().unwrap_or(u64::MAX));
        panes.retain(|p| seen.insert(p.session.clone()));
        Ok(panes)
    }

    /// All panes of one session.
    pub(super) fn panes_of(&self, name: &SessionName) -> Result<Vec<Pane>, SessionError> {
        let mut panes = self.all_panes()?;
        panes.retain(|p| p.session == name.as_str());
        Ok(panes)
    }

    /// All panes, once tmux has noticed the end of every program that has ended, and how it ended.
    fn all_panes(&self) -> Result<Vec<Pane>, SessionError> {
        let deadline = Instant::now() + Duration::from_millis(300);
        loop {
            let panes = self.panes_now()?;
            let Some(unsettled) = panes.iter().find(|p| !p.settled()) else { return Ok(panes) };
            if Instant::now() >= deadline {
                return Ok(panes);
            }
            // A server can miss the one SIGCHLD that told of this end (seen with 3.3a, in some percent of all
            // ends): it would never collect the program, nor learn its status. Hearing it again does no harm.
            if let Some(server) = ProcId::of(unsettled.server) {
                server.signal(Signal::CHILD);
            }
            pause(Duration::from_millis(5));
        }
    }

    fn panes_now(&self) -> Result<Vec<Pane>, SessionError> {
        if !self.answers() {
            return Ok(Vec::new());
        }
        match self.run(&["list-panes", "-a", "-F", FORMAT], &[]) {
            Ok(done) => Ok(done.stdout_text().lines().filter_map(Pane::parse).collect()),
            Err(SessionError::Tmux { message, .. }) if is_missing(&message) => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }

    /// The server's own process, even when it no longer answers.
    pub(super) fn process(&self) -> Option<ProcId> {
        let mark = mark::mark(&self.runtime_dir, super::KIND, mark::OF_THE_HOST);
        let found = marked(&mark, false);
        // Clients carry the mark too, and so does a pane until its program has replaced the last stage: the
        // server is the oldest that leads a session.
        found.into_iter().filter(ProcId::own_session).min_by_key(|p| p.start_ticks)
    }

    /// Starts the program of `stage` in a new session; the server too, when there is none.
    pub(super) fn new_session(
        &self,
        name: &SessionName,
        spec: &SessionSpec,
        stage: &Path,
    ) -> Result<u32, SessionError> {
        let (columns, rows) = (spec.size.0.to_string(), spec.size.1.to_string());
        let gt = self.gt.display().to_string();
        let stage = stage.display().to_string();
        let cwd = spec.cwd.display().to_string();
        let wake = spec.wake.as_ref().map(|w| format!("GT_WAKE={}", w.display()));
        let program = format!("GT_BIN={gt}");
        let mut args = vec!["start-server", ";"];
        for setting in SETTINGS {
            args.extend(*setting);
            args.push(";");
        }
        args.extend(["new-session", "-d", "-P", "-F", "#{pane_pid}", "-s", name.as_str()]);
        args.extend(["-x", &columns, "-y", &rows, "-c", &cwd, "-e", &program]);
        if let Some(wake) = &wake {
            args.extend(["-e", wake]);
        }
        args.extend(["--", &gt, "session-host", "stage", &stage]);
        let target = format!("={name}:");
        if wake.is_some() {
            args.extend([";", "set-hook", "-w", "-t", &target, "pane-died", WAKE]);
        }
        let done = self.run(&args, &[])?;
        let said = done.stdout_text();
        said.trim().parse().map_err(|_| SessionError::Start {
            name: name.to_string(),
            message: format!("tmux answered `{}`", said.trim()),
        })
    }

    /// Removes the session and what it showed.
    pub(super) fn forget(&self, name: &SessionName) -> Result<(), SessionError> {
        match self.run(&["kill-session", "-t", &format!("={name}")], &[]) {
            Ok(_) => Ok(()),
            Err(SessionError::Tmux { message, .. }) if is_missing(&message) => Ok(()),
            // The last session takes the server with it, sometimes before it has answered.
            Err(_) if !self.answers() => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// The visible screen and, for more than its rows, scrollback.
    pub(super) fn capture(&self, target: &str, lines: usize) -> Result<String, SessionError> {
        let start = format!("-{lines}");
        let mut args = vec!["capture-pane", "-p", "-t", target];
        if lines > 50 {
            args.extend(["-S", &start]);
        }
        Ok(self.run(&args, &[])?.stdout_text())
    }
}

/// The paths come from the session's environment: nothing is built into the command.
const WAKE: &str = "run-shell -b 'exec \"$GT_BIN\" session-host wake \"$GT_WAKE\"'";

/// Given anew at each start: they cost nothing and a person may have changed them.
const SETTINGS: &[&[&str]] = &[
    &["set-option", "-g", "history-limit", HISTORY],
    &["set-option", "-g", "default-shell", "/bin/sh"],
    &["set-option", "-g", "default-terminal", "screen-256color"],
    &["set-option", "-g", "window-size", "latest"],
    &["set-option", "-s", "escape-time", "10"],
    &["set-option", "-s", "exit-empty", "on"],
    &["set-option", "-s", "focus-events", "on"],
    &["set-option", "-gw", "remain-on-exit", "on"],
    // Unknown before 3.3, where a line in the pane says that it is dead.
    &["set-option", "-gwq", "remain-on-exit-format", ""],
];

fn version(said: &str) -> Option<(u32, u32)> {
    let number = said.split_whitespace().last()?.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut parts = number.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next().and_then(|p| p.parse().ok()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(version("tmux 3.3a\n"), Some((3, 3)));
        assert_eq!(version("tmux next-3.6"), Some((3, 6)));
        assert_eq!(version("tmux openbsd-7.4"), Some((7, 4)));
        assert_eq!(version("tmux master"), None);
    }

    #[test]
    fn a_title_may_hold_anything() {
        let pane = Pane::parse("a|%3|7|12|1||9|0|1795345819|x | y").expect("parsed");
        assert_eq!((pane.title.as_str(), pane.probe().exit), ("x | y", Some(137)));
        assert_eq!(Pane::parse("garbage"), None);
    }
}
