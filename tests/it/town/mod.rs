//! The town's verbs, from outside: real git, a real store, real sessions.

mod attended;
mod config;
mod conversations;
mod convoy;
mod deeds;
mod done;
mod elsewhere;
mod examples;
pub(crate) mod faults;
mod formulas;
mod install;
mod lifecycle;
mod newcomer;
mod reads;
mod requests;
mod reviews;
mod rework;
mod rig;
mod runtimes;
mod screens;
mod silence;
mod sling;
mod stories;
mod supervision;
mod surroundings;
mod unsling;
mod waits;

use std::path::{Path, PathBuf};

use gastown::base::{BeadId, Clock, SystemClock};
use gastown::queue::{self, Event, Words};
use gastown::store::{Stamp, Store};
use serde_json::Value;

use crate::support::{Ran, Sandbox};

/// A town with one rig `app` (prefix `gt`) whose remote is a bare repository. Workers of the runtime `idle` do
/// nothing, so that a test can act in their place; `script` ones work.
pub(crate) struct TestTown {
    pub(crate) sandbox: Sandbox,
    pub(crate) root: PathBuf,
    pub(crate) remote: PathBuf,
}

impl TestTown {
    pub(crate) fn new() -> Self {
        let town = Self::without_rig();
        town.gt(&["rig", "add", "app", &town.remote.display().to_string(), "--prefix", "gt"]).ok();
        town
    }

    pub(crate) fn without_rig() -> Self {
        let sandbox = Sandbox::new();
        let remote = make_remote(&sandbox, "remote.git", &[("Makefile", "test:\n\ttrue\n"), ("README", "one\n")]);
        let root = sandbox.path().join("town");
        sandbox.gt(sandbox.path(), &["install", "town", "--host", "headless"]).ok();
        let text = std::fs::read_to_string(root.join("town.toml")).expect("town.toml");
        let idle = "runtime = \"idle\"\n[runtimes.idle]\nprogram = \"sleep\"\nargs = [\"100000\"]\nprompt = \"none\"\n";
        std::fs::write(root.join("town.toml"), format!("{text}\n{idle}")).expect("town.toml");
        Self { sandbox, root, remote }
    }

    pub(crate) fn gt(&self, args: &[&str]) -> Ran {
        self.sandbox.gt(&self.root, args)
    }

    pub(crate) fn bd(&self, args: &[&str]) -> Ran {
        self.sandbox.bd(&self.root, args)
    }

    /// Files a bead of the rig.
    pub(crate) fn bead(&self, title: &str) -> String {
        self.bd(&["create", title, "--rig", "app", "-q"]).ok()
    }

    /// Slings without a daemon, so that nothing acts but the test.
    pub(crate) fn sling(&self, bead: &str) -> Value {
        self.gt(&["sling", bead, "app", "--no-start", "--json"]).json()[0].clone()
    }

    pub(crate) fn worktree(&self, worker: &str) -> PathBuf {
        self.root.join("app/polecats").join(worker)
    }

    /// Runs `gt` as the worker would: in its worktree.
    pub(crate) fn as_worker(&self, worker: &str, args: &[&str]) -> Ran {
        self.sandbox.gt(&self.worktree(worker), args)
    }

    /// Writes and commits a file in a worker's worktree.
    pub(crate) fn commit(&self, worker: &str, file: &str, text: &str) {
        let tree = self.worktree(worker);
        std::fs::write(tree.join(file), text).expect("file");
        self.sandbox.git(&tree, &["add", "-A"]).ok();
        self.sandbox.git(&tree, &["commit", "-q", "-m", &format!("change {file}")]).ok();
    }

    /// Closes all steps on a worker's hook.
    pub(crate) fn all_steps(&self, worker: &str) {
        while !self.as_worker(worker, &["hook", "--field", "step.name"]).ok().is_empty() {
            let _ = self.as_worker(worker, &["step", "done"]).ok();
        }
    }

    pub(crate) fn show(&self, bead: &str) -> Value {
        let shown = self.bd(&["show", bead, "--json"]).json();
        shown.get(0).cloned().unwrap_or(shown)
    }

    pub(crate) fn status_of(&self, bead: &str) -> String {
        self.show(bead)["status"].as_str().expect("a status").to_owned()
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.root.join(".beads")).expect("store")
    }

    /// Hands in what a worker has made, with all steps closed. Gives the merge request and the commit.
    pub(crate) fn hand_in(&self, worker: &str) -> (BeadId, String) {
        self.all_steps(worker);
        let done = self.as_worker(worker, &["done", "--json"]).json();
        let text = |key: &str| done[key].as_str().expect(key).to_owned();
        (BeadId::new(text("mr")).expect("an id"), text("commit"))
    }

    /// Moves a merge request as the queue would.
    pub(crate) fn steps(&self, mr: &BeadId, events: &[Event], words: &Words) {
        let stamp = Stamp::new("app/refinery", SystemClock.now());
        let moved = self.store().write(&stamp, |w| {
            for event in events {
                queue::step(w, mr, event.clone(), words)?;
            }
            Ok::<_, queue::QueueError>(())
        });
        moved.expect("moved");
    }

    /// A gate fails on a merge request, and the policy leaves it at that.
    pub(crate) fn fail(&self, mr: &BeadId) {
        let words = Words::why("gate test: exit code 1").with("gate", "test").with("output", "no good at all");
        let built = Event::Built { commit: "c0ffee".into() };
        self.steps(mr, &[Event::Taken, built, Event::GateFailed], &words);
    }

    /// From now on the rig's remote is at `url`.
    pub(crate) fn move_remote(&self, url: &str) {
        let path = self.root.join("app/rig.toml");
        let text = std::fs::read_to_string(&path).expect("rig.toml");
        let old = text.lines().find(|line| line.starts_with("url = ")).expect("an address");
        write(&path, &text.replace(old, &format!("url = \"{url}\"")));
    }

    /// The agents of the town, as JSON.
    pub(crate) fn agents(&self) -> Vec<Value> {
        self.gt(&["agents", "--all", "--json"]).json().as_array().expect("a list").clone()
    }
}

/// A bare repository with one commit on `main` that holds `files`.
pub(crate) fn make_remote(sandbox: &Sandbox, name: &str, files: &[(&str, &str)]) -> PathBuf {
    let remote = sandbox.path().join(name);
    let seed = sandbox.folder(&format!("seed-{name}"));
    sandbox.git(sandbox.path(), &["init", "-q", "--bare", name]).ok();
    sandbox.git(&seed, &["init", "-q"]).ok();
    for (file, text) in files {
        write(&seed.join(file), text);
    }
    sandbox.git(&seed, &["add", "-A"]).ok();
    sandbox.git(&seed, &["commit", "-q", "--allow-empty", "-m", "first"]).ok();
    sandbox.git(&seed, &["push", "-q", &remote.display().to_string(), "HEAD:main"]).ok();
    remote
}

pub(crate) fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
    std::fs::write(path, text).expect("file");
}

/// The last lines of an error that are hints, without the word.
pub(crate) fn hints(stderr: &str) -> Vec<String> {
    stderr.lines().filter_map(|line| line.trim().strip_prefix("hint: ")).map(str::to_owned).collect()
}
