//! A hermetic place to run `gt`, `bd` and `git` in: own HOME, own git config, nothing of the caller's environment.
//!
//! Whatever a test starts is gone when its [`Sandbox`] is dropped: every process whose working directory,
//! command line or environment names the sandbox's folder is killed and waited for.

mod processes;

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A temporary folder with a HOME, and a way to run programs in it.
pub(crate) struct Sandbox {
    // Dropped after `Drop::drop` has ended every process in it.
    dir: tempfile::TempDir,
}

/// What a program printed and how it ended.
#[derive(Debug, Clone)]
#[must_use]
pub(crate) struct Ran {
    pub(crate) command: String,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("gt-t-").tempdir().expect("temporary folder");
        std::fs::create_dir(dir.path().join("home")).expect("home");
        let sandbox = Self { dir };
        std::fs::write(
            sandbox.home().join(".gitconfig"),
            "[user]\n\tname = Test Person\n\temail = test@example.org\n[init]\n\tdefaultBranch = main\n[protocol \"file\"]\n\tallow = always\n",
        )
        .expect("git config");
        sandbox
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// `name` below the sandbox, made if missing.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(&path).expect("folder");
        path
    }

    /// The folder of the programs under test.
    pub(crate) fn bin() -> PathBuf {
        Path::new(env!("CARGO_BIN_EXE_gt")).parent().expect("a folder").to_owned()
    }

    /// The PATH that programs get: ours first, then the machine's.
    pub(crate) fn search_path() -> String {
        format!("{}:{}", Self::bin().display(), std::env::var("PATH").unwrap_or_default())
    }

    /// A command with this sandbox's environment and nothing of the caller's.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, cwd: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(cwd)
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", Self::search_path())
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("USER", "tester")
            .env("TMPDIR", self.folder("tmp"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null());
        command
    }

    /// Runs a program to its end.
    pub(crate) fn run(&self, program: &str, cwd: &Path, args: &[&str]) -> Ran {
        let path = match program {
            "gt" => PathBuf::from(env!("CARGO_BIN_EXE_gt")),
            "bd" => PathBuf::from(env!("CARGO_BIN_EXE_bd")),
            other => PathBuf::from(other),
        };
        let mut command = self.command(path, cwd);
        command.args(args);
        finish(command, format!("{program} {}", args.join(" ")))
    }

    /// As [`Self::run`], with something to read.
    pub(crate) fn run_with_input(&self, program: &str, cwd: &Path, args: &[&str], input: &str) -> Ran {
        let file = self.folder("tmp").join("stdin");
        std::fs::write(&file, input).expect("stdin");
        let mut command = self.command(Self::bin().join(program), cwd);
        command.args(args).stdin(std::fs::File::open(&file).expect("stdin"));
        finish(command, format!("{program} {}", args.join(" ")))
    }

    /// Runs a program of ours below `strace` and fails unless it is one process with one thread that talks to no network.
    #[track_caller]
    pub(crate) fn only_reads(&self, program: &str, cwd: &Path, args: &[&str]) {
        let (log, program) = (self.path().join("strace.log"), Self::bin().join(program));
        let (log_text, program) = (log.display().to_string(), program.display().to_string());
        let calls = "trace=execve,execveat,fork,vfork,clone,clone3,socket,connect";
        let all = [&["-f", "-e", calls, "-o", &log_text, &program], args].concat();
        self.run("strace", cwd, &all).ok();
        let seen = std::fs::read_to_string(log).expect("the log of strace");
        let made = |call: &str| seen.lines().filter(|line| line.contains(&format!(" {call}"))).count();
        assert_eq!(made("execve"), 1, "{args:?} started a program:\n{seen}");
        let more: usize = ["fork(", "vfork(", "clone(", "clone3("].iter().map(|call| made(call)).sum();
        assert_eq!(more, 0, "{args:?} started a process or a thread:\n{seen}");
        assert!(!seen.contains("AF_INET"), "{args:?} opened the network:\n{seen}");
    }

    pub(crate) fn gt(&self, cwd: &Path, args: &[&str]) -> Ran {
        self.run("gt", cwd, args)
    }

    pub(crate) fn bd(&self, cwd: &Path, args: &[&str]) -> Ran {
        self.run("bd", cwd, args)
    }

    pub(crate) fn git(&self, cwd: &Path, args: &[&str]) -> Ran {
        self.run("git", cwd, args)
    }

    /// The processes of this sandbox, each with its number and its command line.
    pub(crate) fn processes(&self) -> Vec<String> {
        processes::all_in(self.dir.path()).into_iter().map(|(_, what)| what).collect()
    }

    /// A text with this sandbox's folder replaced by `$BOX`, for snapshots.
    pub(crate) fn tidy(&self, text: &str) -> String {
        text.replace(&self.path().display().to_string(), "$BOX")
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let left = processes::end_all_in(self.dir.path(), Duration::from_secs(10));
        assert!(left.is_empty() || std::thread::panicking(), "these processes of the test outlived it: {left:?}");
    }
}

/// Runs a prepared command to its end.
pub(crate) fn finish(mut command: Command, name: String) -> Ran {
    // A program that a test has just written is still open in whatever another test is forking at that moment.
    let out = eventually(&name, || match command.output() {
        Err(e) if e.kind() == std::io::ErrorKind::ExecutableFileBusy => None,
        ran => Some(ran.unwrap_or_else(|e| panic!("{name}: {e}"))),
    });
    Ran {
        command: name,
        code: out.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
    }
}

impl Ran {
    /// The standard output of a run that must succeed, without the last line feed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{} failed\nstdout: {}\nstderr: {}", self.command, self.stdout, self.stderr);
        self.stdout.trim_end_matches('\n').to_owned()
    }

    /// The messages of a run that must fail.
    #[track_caller]
    pub(crate) fn fails(self) -> String {
        assert_ne!(self.code, 0, "{} should have failed\nstdout: {}", self.command, self.stdout);
        self.stderr
    }

    /// The standard output of a run that must succeed, as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        let text = self.clone().ok();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: no JSON: {e}\n{text}", self.command))
    }
}

/// Waits until `check` gives something, or fails the test naming what it waited for.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a program is installed; says on stderr that the test is skipped when it is not. Not with `eprintln!`: of a
/// test that passes, the harness shows nothing of that.
pub(crate) fn has(program: &str) -> bool {
    let found = std::env::var("PATH").unwrap_or_default().split(':').any(|dir| Path::new(dir).join(program).is_file());
    if !found {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let _ = writeln!(std::io::stderr(), "skipped: {test}: {program} is not installed");
    }
    found
}
