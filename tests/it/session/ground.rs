//! A runtime folder with one session host on it, and nothing left of it afterwards.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gastown::base::process::ProcId;
use gastown::session::{HeadlessHost, Host, SessionSpec, TmuxHost, living};

use crate::support::{Sandbox, eventually, has};

pub(super) struct Ground {
    pub(super) host: Box<dyn Host>,
    pub(super) runtime: PathBuf,
    pub(super) sandbox: Sandbox,
}

impl Ground {
    pub(super) fn headless() -> Self {
        let sandbox = Sandbox::new();
        let runtime = sandbox.folder("town/.runtime");
        let host = HeadlessHost::new(&runtime, &gt()).expect("host");
        Self { host: Box::new(host), runtime, sandbox }
    }

    /// `None`, said on stderr, when tmux is not installed.
    pub(super) fn tmux() -> Option<Self> {
        if !has("tmux") {
            return None;
        }
        let sandbox = Sandbox::new();
        let runtime = sandbox.folder("town/.runtime");
        let host = TmuxHost::new(&runtime, &gt(), &Sandbox::search_path()).expect("host");
        Some(Self { host: Box::new(host), runtime, sandbox })
    }

    /// A session that runs `sh -c script`.
    pub(super) fn sh(&self, name: &str, script: &str) -> SessionSpec {
        self.argv(name, &["sh", "-c", script])
    }

    pub(super) fn argv(&self, name: &str, argv: &[&str]) -> SessionSpec {
        let argv = argv.iter().map(|a| (*a).to_owned()).collect();
        let log = self.sandbox.path().join(format!("town/logs/{name}.log"));
        let mut spec = SessionSpec::new(name, argv, self.sandbox.folder("work"), log);
        spec.env.push(("PATH".to_owned(), Sandbox::search_path()));
        spec
    }

    pub(super) fn start(&self, name: &str, script: &str) -> ProcId {
        let started = self.host.start(&self.sh(name, script)).expect("starts");
        assert!(!started.already);
        started.proc
    }

    /// Waits until the screen holds `text`; gives the screen.
    pub(super) fn see(&self, name: &str, text: &str) -> String {
        eventually(&format!("`{text}` on the screen of {name}"), || {
            Some(self.host.screen(name, 50).expect("screen")).filter(|s| s.contains(text))
        })
    }

    /// Waits for the end of a session's program; gives its exit code. The kernel knows of the end before the host has
    /// written down how it came, which takes as long as the disk does.
    pub(super) fn end(&self, name: &str) -> i32 {
        let ended = || Some(self.host.probe(name).expect("probe")).filter(|p| !p.alive)?.exit;
        eventually("the program's end and exit code", ended)
    }

    pub(super) fn alive(&self, name: &str) -> bool {
        self.host.probe(name).expect("probe").alive
    }

    /// Every living process of this town's sessions.
    pub(super) fn living(&self) -> Vec<ProcId> {
        living(&self.runtime)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let stopped = self.host.shutdown_all(Duration::from_millis(100));
        let left = self.living();
        if !std::thread::panicking() {
            stopped.expect("stopped");
            assert!(left.is_empty(), "left behind: {left:?}");
        }
    }
}

fn gt() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_gt")).to_owned()
}
