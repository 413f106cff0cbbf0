//! The `git` program: arguments as a list, no prompt, no hook, the C locale, and an end in time.
//!
//! The one place that starts it. It runs in the repository or work tree that it is about, for the folder in which we were called
//! may be gone: a worker can have its own worktree taken down. A command stopped at its limit is stopped with all its children.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use super::{GitError, dead};
use crate::base::process::{self, Cmd, ProcId, RunError, run_watching};

/// The oldest git that has all we use.
const OLDEST: (u32, u32) = (2, 38);
/// For what only touches this machine.
const LOCAL: Duration = Duration::from_secs(120);
/// For what talks to a remote.
pub(super) const NETWORK: Duration = Duration::from_secs(600);
/// The variable that marks a run of git, and what it starts, with the repository or work tree that it was started in.
pub const MARK_VAR: &str = "GT_GIT";
/// So often a command is run again because the lock of a ref was in its way; after that once more.
const TRIES: usize = 4;
/// How much of the output is kept, each of stdout and stderr.
const CAP: usize = 512 << 20;

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

/// The runs of git in repositories and work trees below `folder` that are not over: git itself and its children, such
/// as the `ssh` of a fetch.
///
/// Left out is what has made itself a daemon of the person's: a credential cache, the master of shared connections.
pub fn running_below(folder: &Path) -> Vec<ProcId> {
    let mut found = process::marked(&format!("{MARK_VAR}={}/", folder.display()), true);
    found.retain(|id| !id.own_session());
    found
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
    cmd: Cmd,
    what: String,
    lines: Option<&'a mut dyn FnMut(&str)>,
    /// The repository, where dead locks are taken out of its way.
    home: Option<PathBuf>,
}

impl<'a> Git<'a> {
    fn plain() -> Self {
        let mut cmd = Cmd::new("git").timeout(LOCAL).cap(CAP);
        for name in INHERITED {
            cmd = cmd.env_remove(name);
        }
        cmd = cmd.envs([
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_EDITOR", "true"),
            ("GIT_SEQUENCE_EDITOR", "true"),
            ("GIT_PAGER", "cat"),
            ("LC_ALL", "C"),
            ("SSH_ASKPASS", "false"),
            ("SSH_ASKPASS_REQUIRE", "force"),
        ]);
        #[cfg(test)]
        {
            cmd =
                cmd.envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("HOME", "/nonexistent")]);
            cmd = cmd.env_remove("XDG_CONFIG_HOME");
        }
        cmd = cmd.args(["-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "-c", "gc.auto=0"]);
        cmd = cmd.args(["-c", "maintenance.auto=false", "-c", "core.fsync=committed", "-c", "core.fsmonitor=false"]);
        Self { cmd, what: String::new(), lines: None, home: None }
    }

    /// In a repository without a work tree, named by its git folder. Where the lock of a ref is in its way it waits for
    /// it, and takes it away when its holder is gone.
    pub fn bare(git_dir: &Path) -> Self {
        let mut this = Self::plain();
        this.home = Some(git_dir.to_owned());
        let mut flag = OsString::from("--git-dir=");
        flag.push(git_dir);
        this.cmd = this.cmd.env(MARK_VAR, git_dir).arg(flag).cwd(git_dir);
        this
    }

    /// In a work tree.
    pub fn in_tree(path: &Path) -> Self {
        let mut this = Self::plain();
        this.cmd = this.cmd.env(MARK_VAR, path).cwd(path);
        this
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        let arg = arg.as_ref();
        if self.what.is_empty() {
            self.what = arg.to_string_lossy().into_owned();
        }
        self.cmd = self.cmd.arg(arg);
        self
    }

    pub fn args<S: AsRef<OsStr>>(self, args: impl IntoIterator<Item = S>) -> Self {
        args.into_iter().fold(self, Git::arg)
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.cmd = self.cmd.env(name, value);
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.cmd = self.cmd.stdin(bytes);
        self
    }

    pub fn limit(mut self, limit: Duration) -> Self {
        self.cmd = self.cmd.timeout(limit);
        self
    }

    /// Hands each line of stderr (progress ends in a carriage return) to `f` when the command has printed it.
    pub fn each_line(mut self, f: &'a mut dyn FnMut(&str)) -> Self {
        self.lines = Some(f);
        self
    }

    /// Runs it; a non-zero exit is not an error here.
    pub fn run(mut self) -> Result<Done, GitError> {
        for _ in 0..TRIES {
            let done = self.once()?;
            let Some(home) = self.home.as_ref().filter(|_| done.code != 0) else { return Ok(done) };
            let locks = dead::in_the_way(home, &done.stderr);
            if locks.is_empty() || !locks.iter().all(|lock| dead::outlived(home, lock)) {
                return Ok(done);
            }
        }
        self.once()
    }

    fn once(&mut self) -> Result<Done, GitError> {
        let (cmd, what) = (&self.cmd, self.what.clone());
        let mut line = Vec::new();
        let done = run_watching(cmd, &mut |bytes| {
            if let Some(f) = self.lines.as_mut() {
                feed(&mut line, bytes, *f);
            }
        });
        let done = match done {
            Err(RunError::NotFound(_)) => return Err(GitError::Missing),
            Err(e) => return Err(GitError::Failed { what, message: e.to_string() }),
            Ok(done) if done.timed_out => return Err(GitError::Timeout { what, limit: cmd.timeout }),
            Ok(done) if done.truncated => {
                return Err(GitError::Failed { what, message: format!("more than {CAP} bytes of output") });
            }
            Ok(done) => done,
        };
        let code = done.status.unwrap_or_else(|| 128 + done.signal.unwrap_or(0));
        let stderr = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        Ok(Done { code, stdout: done.stdout, stderr })
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
        let message = if done.stderr.is_empty() { format!("exit code {}", done.code) } else { done.stderr };
        Err(GitError::Failed { what, message })
    }
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
        let started = std::time::Instant::now();
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
