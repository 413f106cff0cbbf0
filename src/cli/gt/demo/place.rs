//! The throw-away place of a demo: one folder with its own HOME, and a way to run programs in it.
//!
//! Nothing outside the folder is written; the environment of the caller does not reach what runs here.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::interrupt::Interrupt;
use crate::cli::{CliError, env::Env};

/// The folder of one demo. Removed when dropped, unless it is to be kept.
pub(super) struct Place {
    root: PathBuf,
    temporary: Option<tempfile::TempDir>,
    search_path: String,
    exe: PathBuf,
    bd: PathBuf,
    interrupt: Interrupt,
}

impl Place {
    /// Makes the folder: `keep`, which must be missing or empty, or a temporary one.
    pub(super) fn make(env: &Env, keep: Option<&Path>, interrupt: Interrupt) -> Result<Self, CliError> {
        let failed = |what: &Path, e: std::io::Error| CliError::user(format!("{} cannot be made: {e}", what.display()));
        let (root, temporary) = if let Some(dir) = keep {
            let dir = env.path(dir);
            std::fs::create_dir_all(&dir).map_err(|e| failed(&dir, e))?;
            let empty = std::fs::read_dir(&dir).map_err(|e| failed(&dir, e))?.next().is_none();
            if !empty {
                return Err(CliError::user(format!("{} is not empty", dir.display()))
                    .hint("name a folder that does not exist yet: the demo writes nothing into yours"));
            }
            (dir.canonicalize().map_err(|e| failed(&dir, e))?, None)
        } else {
            let temporary = tempfile::Builder::new()
                .prefix("gt-demo-")
                .tempdir()
                .map_err(|e| CliError::user(format!("no temporary folder can be made: {e}")).hint("set TMPDIR"))?;
            let root = temporary.path().canonicalize().map_err(|e| failed(temporary.path(), e))?;
            (root, Some(temporary))
        };
        let exe = std::env::current_exe()
            .map_err(|e| CliError::new(crate::cli::Kind::Internal, format!("this program cannot find itself: {e}")))?;
        let folder = exe.parent().map(Path::to_path_buf).unwrap_or_default();
        let mut search_path = format!("{}:{}", folder.display(), env.path);
        let mut bd = exe.with_file_name("bd");
        if !bd.is_file() {
            // This program was built alone; by that name it is the other one.
            bd = root.join("bin/bd");
            let linked = std::fs::create_dir_all(root.join("bin")).and_then(|()| std::os::unix::fs::symlink(&exe, &bd));
            linked.map_err(|e| failed(&bd, e))?;
            search_path = format!("{}:{search_path}", root.join("bin").display());
        }
        let place = Self { root, temporary, search_path, exe, bd, interrupt };
        for dir in [place.home(), place.evidence(), place.scratch()] {
            std::fs::create_dir_all(&dir).map_err(|e| failed(&dir, e))?;
        }
        let config = place.home().join(".gitconfig");
        let text = "[user]\n\tname = Gas Town Demo\n\temail = demo@example.org\n[init]\n\tdefaultBranch = main\n";
        std::fs::write(&config, text).map_err(|e| failed(&config, e))?;
        Ok(place)
    }

    /// The folder itself.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the folder stays when the demo ends.
    pub(super) fn kept(&self) -> bool {
        self.temporary.is_none()
    }

    /// Whether the demo is to end before its end.
    pub(super) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// How to see why something went wrong: what the daemon wrote down, and what this worker had on its screen, or any.
    pub(super) fn see(&self, worker: Option<&str>) -> Vec<String> {
        let (again, root) = if self.kept() {
            (String::new(), self.root.display().to_string())
        } else {
            ("run it again with --keep DIR, then: ".to_owned(), "DIR".to_owned())
        };
        let screen = format!("{again}gt -C {root}/town peek {}", worker.unwrap_or("NAME"));
        let log = crate::town::Town::at(&self.town()).map(|town| town.daemon_log());
        let name = log.ok().and_then(|path| Some(path.strip_prefix(&self.root).ok()?.display().to_string()));
        let name = name.unwrap_or_else(|| "town/logs".to_owned());
        vec![format!("what a worker had on its screen: {screen}"), format!("what the daemon did: {root}/{name}")]
    }

    /// The town's folder.
    pub(super) fn town(&self) -> PathBuf {
        self.root.join("town")
    }

    /// The bare repository that plays the rig's remote.
    pub(super) fn remote(&self) -> PathBuf {
        self.root.join("sample.git")
    }

    /// Where workers leave a line for each step they run, and where the holds of `--crash` are lifted.
    pub(super) fn evidence(&self) -> PathBuf {
        self.root.join("evidence")
    }

    fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    fn scratch(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// A command in this place's environment.
    pub(super) fn command(&self, program: &Path, cwd: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(cwd)
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", &self.search_path)
            .env("TMPDIR", self.scratch())
            .env("LC_ALL", "C.UTF-8")
            .env("USER", "demo")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null())
            // Ctrl-C is for the demo: what it has begun is ended in order.
            .process_group(0);
        command
    }

    /// Runs `gt` in the town and gives what it printed.
    pub(super) fn gt(&self, args: &[&str]) -> Result<String, CliError> {
        let exe = self.exe.clone();
        let cwd = if self.town().is_dir() { self.town() } else { self.root.clone() };
        self.run(&exe, "gt", &cwd, args)
    }

    /// Runs `bd` in the town and gives what it printed.
    pub(super) fn bd(&self, args: &[&str]) -> Result<String, CliError> {
        self.run(&self.bd, "bd", &self.town(), args)
    }

    /// Runs `git` in `cwd` and gives what it printed.
    pub(super) fn git(&self, cwd: &Path, args: &[&str]) -> Result<String, CliError> {
        self.run(Path::new("git"), "git", cwd, args)
    }

    /// Whether a program is on this place's PATH.
    pub(super) fn has(&self, program: &str) -> bool {
        self.search_path.split(':').any(|dir| Path::new(dir).join(program).is_file())
    }

    /// Whether every worker has been taken down after its work landed.
    pub(super) fn settled(watch: &super::watch::Watch) -> Result<bool, CliError> {
        let rows = watch.store().read(|r| crate::town::agent::all(r).map_err(CliError::from))?;
        Ok(rows.iter().all(|row| !matches!(row.address, crate::base::Address::Polecat(..))))
    }

    /// The processes that still work in this place.
    pub(super) fn processes(&self) -> Vec<String> {
        let home = format!("HOME={}", self.home().display());
        let sessions = crate::session::mark_prefix(&self.town().join(".runtime"));
        let mut found = crate::base::process::marked(&home, false);
        found.extend(crate::base::process::marked(&sessions, true));
        found.iter().map(ToString::to_string).collect()
    }

    /// Ends the town, whatever came.
    pub(super) fn shut_down(&self) -> Result<(), CliError> {
        if !self.town().is_dir() {
            return Ok(());
        }
        self.finish(&self.exe, "gt", &self.town(), &["shutdown"]).map(drop)
    }

    /// Runs a program, unless the demo is to end.
    fn run(&self, program: &Path, name: &str, cwd: &Path, args: &[&str]) -> Result<String, CliError> {
        self.interrupt.check()?;
        self.finish(program, name, cwd, args)
    }

    fn finish(&self, program: &Path, name: &str, cwd: &Path, args: &[&str]) -> Result<String, CliError> {
        let shown = format!("{name} {}", args.join(" "));
        let Output { status, stdout, stderr } = self
            .command(program, cwd)
            .args(args)
            .output()
            .map_err(|e| CliError::user(format!("`{shown}` cannot be started: {e}")))?;
        if !status.success() {
            let text = String::from_utf8_lossy(if stderr.is_empty() { &stdout } else { &stderr }).into_owned();
            let mut error = CliError::user(format!("`{shown}` failed"));
            error.causes.push(text.trim().to_owned());
            return Err(error);
        }
        Ok(String::from_utf8_lossy(&stdout).trim_end().to_owned())
    }
}
