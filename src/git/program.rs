//! The `git` program: arguments as a list, no prompt, no hook, the C locale, and an end in time.
//!
//! The one place that starts it. A command stopped at its limit is stopped with all its children.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::GitError;

/// The oldest git that has all we use.
const OLDEST: (u32, u32) = (2, 38);
/// For what only touches this machine.
const LOCAL: Duration = Duration::from_secs(120);
/// For what talks to a remote.
pub(super) const NETWORK: Duration = Duration::from_secs(600);
/// How much of the output is kept, each of stdout and stderr.
const CAP: usize = 64 << 20;

/// Variables by which a calling git (we may run inside a hook) would redirect ours.
const INHERITED: [&str; 16] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_GRAFT_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_QUARANTINE_PATH",
    "GIT_TRACE",
];

/// A version of git, as in 2.47.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 2 in 2.47.3.
    pub major: u32,
    /// 47 in 2.47.3.
    pub minor: u32,
    /// 3 in 2.47.3.
    pub patch: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The version of the `git` program on PATH, once per process; an error if it is missing or too old.
pub fn version() -> Result<Version, GitError> {
    static FOUND: OnceLock<Version> = OnceLock::new();
    if let Some(found) = FOUND.get() {
        return Ok(*found);
    }
    let text = Git::plain().arg("--version").ok()?;
    let found = parse_version(&text).filter(|v| (v.major, v.minor) >= OLDEST).ok_or_else(|| GitError::TooOld {
        found: text.trim().to_owned(),
        needed: format!("{}.{}", OLDEST.0, OLDEST.1),
    })?;
    Ok(*FOUND.get_or_init(|| found))
}

fn parse_version(text: &str) -> Option<Version> {
    let digits = text.trim().strip_prefix("git version ")?;
    let mut parts = digits.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let mut next = || parts.next()?.ok();
    Some(Version { major: next()?, minor: next()?, patch: next().unwrap_or(0) })
}

/// What a finished command left.
#[derive(Debug)]
pub(crate) struct Done {
    /// The exit code; 128 + n for a signal.
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// One run of `git`.
pub(crate) struct Git<'a> {
    command: Command,
    what: String,
    stdin: Option<Vec<u8>>,
    limit: Duration,
    lines: Option<&'a mut dyn FnMut(&str)>,
}

impl<'a> Git<'a> {
    fn plain() -> Self {
        let mut command = Command::new("git");
        for name in INHERITED {
            command.env_remove(name);
        }
        command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_EDITOR", "true")
            .env("GIT_SEQUENCE_EDITOR", "true")
            .env("GIT_PAGER", "cat")
            .env("LC_ALL", "C")
            .env("SSH_ASKPASS", "false")
            .env("SSH_ASKPASS_REQUIRE", "force");
        #[cfg(test)]
        command
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", "/nonexistent")
            .env_remove("XDG_CONFIG_HOME");
        command.args(["-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false"]);
        command.args(["-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.fsync=committed"]);
        Self { command, what: String::new(), stdin: None, limit: LOCAL, lines: None }
    }

    /// In a repository without a work tree, named by its git folder.
    pub fn bare(git_dir: &Path) -> Self {
        let mut this = Self::plain();
        let mut flag = OsString::from("--git-dir=");
        flag.push(git_dir);
        this.command.arg(flag);
        this
    }

    /// In a work tree.
    pub fn in_tree(path: &Path) -> Self {
        let mut this = Self::plain();
        this.command.arg("-C").arg(path);
        this
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        let arg = arg.as_ref();
        if self.what.is_empty() {
            self.what = arg.to_string_lossy().into_owned();
        }
        self.command.arg(arg);
        self
    }

    pub fn args<S: AsRef<OsStr>>(self, args: impl IntoIterator<Item = S>) -> Self {
        args.into_iter().fold(self, Git::arg)
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Hands each line of stderr (progress ends in a carriage return) to `f` when the command has printed it.
    pub fn each_line(mut self, f: &'a mut dyn FnMut(&str)) -> Self {
        self.lines = Some(f);
        self
    }

    /// Runs it; a non-zero exit is not an error here.
    pub fn run(mut self) -> Result<Done, GitError> {
        let what = self.what.clone();
        let failed = |message: String| GitError::Failed { what: what.clone(), message };
        self.command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let started = Instant::now();
        let mut child = self.command.spawn().map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => GitError::Missing,
            _ => failed(e.to_string()),
        })?;
        let group = rustix::process::Pid::from_child(&child);
        if let (Some(bytes), Some(mut pipe)) = (self.stdin.take(), child.stdin.take()) {
            // A command that ends without reading its input is judged by its exit code.
            std::thread::spawn(move || drop(pipe.write_all(&bytes)));
        }
        let (events, inbox) = mpsc::channel();
        let stdout = Arc::new(Mutex::new(Vec::new()));
        let stderr = Arc::new(Mutex::new(Vec::new()));
        if let Some(pipe) = child.stdout.take() {
            collect(pipe, Arc::clone(&stdout), events.clone(), false);
        }
        if let Some(pipe) = child.stderr.take() {
            collect(pipe, Arc::clone(&stderr), events.clone(), true);
        }
        std::thread::spawn(move || drop(events.send(Event::Exit(child.wait()))));

        let (mut status, mut open, mut line) = (None, 2, Vec::new());
        let mut deadline = started + self.limit;
        loop {
            match inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Event::Exit(exit)) => {
                    status = Some(exit.map_err(|e| failed(e.to_string()))?);
                    // What a left-over grandchild may still print is not waited for.
                    deadline = Instant::now() + Duration::from_millis(500);
                }
                Ok(Event::Closed) => open -= 1,
                Ok(Event::Text(bytes)) => {
                    if let Some(f) = self.lines.as_mut() {
                        feed(&mut line, &bytes, *f);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) if status.is_some() => break,
                Err(_) => {
                    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
                    return Err(GitError::Timeout { what, limit: self.limit });
                }
            }
            if status.is_some() && open == 0 {
                break;
            }
        }
        let take = |cell: &Mutex<Vec<u8>>| cell.lock().map(|mut v| std::mem::take(&mut *v)).unwrap_or_default();
        let code = status.map_or(-1, |s| {
            use std::os::unix::process::ExitStatusExt;
            s.code().unwrap_or_else(|| 128 + s.signal().unwrap_or(0))
        });
        Ok(Done { code, stdout: take(&stdout), stderr: String::from_utf8_lossy(&take(&stderr)).trim().to_owned() })
    }

    /// Runs it; a non-zero exit is an error. Gives stdout as text.
    pub fn ok(self) -> Result<String, GitError> {
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }

    /// Runs it; a non-zero exit is an error. Gives stdout.
    pub fn bytes(self) -> Result<Vec<u8>, GitError> {
        let what = self.what.clone();
        let done = self.run()?;
        if done.code == 0 {
            return Ok(done.stdout);
        }
        let message = if done.stderr.is_empty() { format!("exit {}", done.code) } else { done.stderr };
        Err(GitError::Failed { what, message })
    }
}

enum Event {
    Text(Vec<u8>),
    Closed,
    Exit(std::io::Result<std::process::ExitStatus>),
}

fn collect(mut pipe: impl Read + Send + 'static, into: Arc<Mutex<Vec<u8>>>, events: mpsc::Sender<Event>, show: bool) {
    std::thread::spawn(move || {
        let mut chunk = vec![0; 16 << 10];
        while let Ok(n) = pipe.read(&mut chunk) {
            if n == 0 {
                break;
            }
            if let Ok(mut kept) = into.lock() {
                let room = CAP.saturating_sub(kept.len());
                kept.extend_from_slice(&chunk[..n.min(room)]);
            }
            if show && events.send(Event::Text(chunk[..n].to_vec())).is_err() {
                break;
            }
        }
        drop(events.send(Event::Closed));
    });
}

fn feed(line: &mut Vec<u8>, bytes: &[u8], f: &mut dyn FnMut(&str)) {
    for byte in bytes {
        if matches!(byte, b'\n' | b'\r') {
            if !line.is_empty() {
                f(&String::from_utf8_lossy(line));
                line.clear();
            }
        } else {
            line.push(*byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_all_vendors_are_read() {
        let v = |t| parse_version(t).map(|v| v.to_string());
        assert_eq!(v("git version 2.47.3\n").as_deref(), Some("2.47.3"));
        assert_eq!(v("git version 2.39.5 (Apple Git-154)").as_deref(), Some("2.39.5"));
        assert_eq!(v("git version 2.45.windows.1").as_deref(), Some("2.45.0"));
        assert_eq!(v("hub version 2"), None);
        assert!(version().is_ok());
    }

    #[test]
    fn a_command_that_hangs_is_stopped_with_its_children() {
        let started = Instant::now();
        let git = Git::plain().args(["-c", "alias.hang=!sleep 60 & sleep 60", "hang"]);
        let result = git.limit(Duration::from_millis(300)).run();
        assert!(matches!(result, Err(GitError::Timeout { .. })), "{result:?}");
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn progress_is_handed_out_line_by_line() {
        let (mut line, mut seen) = (Vec::new(), Vec::new());
        feed(&mut line, b"10%\r20", &mut |l| seen.push(l.to_owned()));
        feed(&mut line, b"%\r\ndone\n", &mut |l| seen.push(l.to_owned()));
        assert_eq!(seen, ["10%", "20%", "done"]);
    }
}
