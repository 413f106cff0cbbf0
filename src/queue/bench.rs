//! The test bench of a rig: a scratch checkout of a merged tree in which the gates run.
//!
//! It promises that a [`Tested`] exists only for a commit on whose tree every gate that it needs passed.
//! What passed once on a tree, with the same command in the same environment, is not run again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::error::QueueError;
use super::gate::{Ending, Verdict, applies, verdict};
use super::lock::MergeLock;
use crate::base::process::{self, Cmd, RunError};
use crate::base::{Clock, Time, text};
use crate::config::Gate;
use crate::git::{Git, Oid, Repo};
use crate::store::{Stamp, Store, StoreError, Write};

/// The local namespace of gates that passed.
const PASSED: &str = "gate";
/// So many passes are remembered.
const KEEP: usize = 200;
/// So much of a gate's output becomes evidence.
const TAIL: usize = 6000;
/// The variable that marks the processes of a bench, so that those of a dead daemon can be found.
pub const MARK_VAR: &str = "GT_BENCH";

/// What the marks of all gates that run below `folder` begin with.
pub fn mark_prefix(folder: &Path) -> String {
    format!("{MARK_VAR}={}/", folder.display())
}

/// What one gate said of one commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The gate's name.
    pub gate: String,
    /// What it said.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// It passed on this very tree before and was not run again.
    pub cached: bool,
    /// The end of what it printed; empty when it passed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
}

/// Proof that every gate passed on the tree of a commit.
#[derive(Debug, Clone)]
pub struct Tested {
    commit: Oid,
    tree: Oid,
    runs: Vec<Run>,
}

impl Tested {
    /// The commit that was checked out.
    pub fn commit(&self) -> Oid {
        self.commit
    }

    /// Its tree.
    pub fn tree(&self) -> Oid {
        self.tree
    }

    /// What the gates said.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }
}

/// What came of testing a commit.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// All gates that it needs passed.
    Pass(Tested),
    /// This gate failed, or could not run.
    Bad(Run),
    /// No gate is about what it changes, so nothing is known.
    Uncovered,
}

/// A rig's bench.
#[derive(Debug, Clone)]
pub struct Bench {
    /// Where the tree is checked out; nothing in it is anybody's work.
    pub scratch: PathBuf,
    /// The whole environment of gates.
    pub env: Vec<(String, String)>,
    /// The gates to run, in order.
    pub gates: Vec<(String, Gate)>,
    /// Who tests, for the events: `<rig>/refinery`.
    pub actor: String,
    /// Set when the town goes down: no gate is begun any more, and how one ended whose end this was says nothing.
    pub stop: Arc<AtomicBool>,
}

impl Bench {
    /// Whether a gate is about a change of `paths`.
    pub fn covers(&self, paths: &[String]) -> bool {
        self.gates.iter().any(|(_, gate)| applies(gate, paths))
    }

    /// Tests `commit`, which changes `paths`, against the gates; without `paths` against all of them. Needs the rig's
    /// merge lock: there is one scratch.
    pub fn test(
        &self,
        _lock: &MergeLock,
        repo: &Repo,
        store: &mut Store,
        clock: &dyn Clock,
        commit: Oid,
        paths: Option<&[String]>,
    ) -> Result<Outcome, QueueError> {
        let tree = repo.tree_of(commit)?;
        let (mut runs, mut checked_out) = (Vec::new(), false);
        for (name, gate) in &self.gates {
            if paths.is_some_and(|paths| !applies(gate, paths)) {
                runs.push(Run::short(name, Verdict::NotApplicable));
                continue;
            }
            let key = self.key(tree, gate);
            if store.read(|r| r.local_or_none::<Passed>(PASSED, &key))?.is_some() {
                runs.push(Run { cached: true, ..Run::short(name, Verdict::Pass) });
                continue;
            }
            if self.stopped() {
                return Err(QueueError::Stopped);
            }
            if !checked_out {
                self.check_out(repo, commit)?;
                checked_out = true;
            }
            let mut run = self.run(name, gate);
            if gate.flaky && run.failed() && !self.stopped() {
                run = self.run(name, gate);
            }
            let passed = run.verdict == Verdict::Pass;
            if !passed && self.stopped() {
                return Err(QueueError::Stopped);
            }
            self.note(store, clock, commit, tree, &key, &run)?;
            if !passed {
                return Ok(Outcome::Bad(run));
            }
            runs.push(run);
        }
        let passed = runs.iter().any(|run| run.verdict == Verdict::Pass);
        Ok(if passed { Outcome::Pass(Tested { commit, tree, runs }) } else { Outcome::Uncovered })
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Runs one gate in the scratch folder as it is.
    pub fn run(&self, name: &str, gate: &Gate) -> Run {
        let argv = gate.command.argv();
        let cmd = Cmd::new(argv.first().map_or("", String::as_str))
            .args(argv.iter().skip(1))
            .cwd(&self.scratch)
            .env_clear()
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .env(MARK_VAR, &self.scratch)
            .env("GT_GATE", name)
            .timeout(gate.timeout.duration())
            .cap(1 << 20);
        match process::run(&cmd) {
            Ok(done) => {
                let output = format!("{}{}", done.stdout_text(), done.stderr_text());
                let not_started = "no exit code";
                let ending = match (done.timed_out, done.status, done.signal) {
                    (true, ..) => Ending::TimedOut,
                    (_, Some(code), _) => Ending::Exit(code),
                    (_, _, Some(signal)) => Ending::Signal(signal),
                    _ => Ending::NotStarted(not_started),
                };
                let verdict = verdict(gate.proves.as_deref(), ending, &output);
                let output = if verdict == Verdict::Pass { String::new() } else { tail(&output) };
                let ms = u64::try_from(done.elapsed.as_millis()).unwrap_or(u64::MAX);
                Run { gate: name.into(), verdict, ms, cached: false, output }
            }
            Err(RunError::NotFound(program)) => {
                Run::short(name, Verdict::CouldNotRun(format!("there is no program `{program}`")))
            }
            Err(error) => Run::short(name, verdict(None, Ending::NotStarted(&error.to_string()), "")),
        }
    }

    /// Makes the scratch a clean checkout of `commit`. Ignored files stay: they are caches of the build.
    fn check_out(&self, repo: &Repo, commit: Oid) -> Result<(), QueueError> {
        let id = commit.to_string();
        if self.scratch.join(".git").exists() && self.switch(&id).is_ok() {
            return Ok(());
        }
        match std::fs::remove_dir_all(&self.scratch) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(QueueError::io(format!("empty the scratch checkout {}", self.scratch.display()), e));
            }
            _ => {}
        }
        repo.worktree_add_detached(&self.scratch, commit)?;
        Ok(())
    }

    fn switch(&self, id: &str) -> Result<(), QueueError> {
        Git::in_tree(&self.scratch).args(["checkout", "--force", "--detach", "--quiet", id]).ok()?;
        Git::in_tree(&self.scratch).args(["clean", "-ffdq"]).ok()?;
        Ok(())
    }

    /// Names a tree, a gate's definition and its environment.
    fn key(&self, tree: Oid, gate: &Gate) -> String {
        let mut hash = Sha256::new();
        hash.update(serde_json::to_vec(gate).expect("plain data serialises"));
        for (name, value) in &self.env {
            hash.update(format!("\0{name}={value}"));
        }
        format!("{tree}-{}", data_encoding::HEXLOWER.encode(&hash.finalize()[..8]))
    }

    /// Writes down what a gate said, and remembers a pass.
    fn note(
        &self,
        store: &mut Store,
        clock: &dyn Clock,
        commit: Oid,
        tree: Oid,
        key: &str,
        run: &Run,
    ) -> Result<(), StoreError> {
        let by = Stamp::new(self.actor.clone(), clock.now());
        let rig = self.actor.split('/').next().unwrap_or_default().to_owned();
        store.write(&by, |w| {
            if run.verdict == Verdict::Pass {
                forget_old(w)?;
                w.put_local(PASSED, key, &json!(Passed { at: by.now, ms: run.ms }))?;
            }
            let mut payload = serde_json::to_value(run).expect("plain data serialises");
            payload["commit"] = json!(commit.to_string());
            payload["tree"] = json!(tree.to_string());
            w.emit("gate_ran", &rig, payload).map(|_| ())
        })
    }

    /// Ends the gates that a dead daemon left running in this scratch.
    pub fn end_leftovers(&self) {
        end_marked(&self.scratch);
    }
}

/// Ends every process that was started as a gate in `scratch`.
pub fn end_marked(scratch: &Path) {
    end(&process::marked(&format!("{MARK_VAR}={}", scratch.display()), false), scratch);
}

/// Ends every process that was started as a gate below `folder`, and none of a neighbour whose name begins alike.
pub fn end_below(folder: &Path) {
    end(&process::marked(&mark_prefix(folder), true), folder);
}

fn end(left: &[process::ProcId], folder: &Path) {
    if !left.is_empty() {
        tracing::info!(folder = %folder.display(), count = left.len(), "ending gates that outlived their daemon");
        let _ = process::kill_all(left, None, Duration::from_millis(300));
    }
}

/// A gate that passed, as it is remembered.
#[derive(Serialize, Deserialize)]
struct Passed {
    at: Time,
    ms: u64,
}

fn forget_old(w: &mut Write<'_>) -> Result<(), StoreError> {
    let all = w.local_texts(PASSED)?.into_iter();
    let mut all: Vec<_> =
        all.map(|(key, text)| (serde_json::from_str::<Passed>(&text).ok().map(|p| p.at), key)).collect();
    if all.len() < KEEP {
        return Ok(());
    }
    // What cannot be read goes first.
    all.sort();
    for (_, key) in all.iter().take(KEEP / 2) {
        w.delete_local(PASSED, key)?;
    }
    Ok(())
}

fn tail(output: &str) -> String {
    let start = output.len().saturating_sub(TAIL);
    let start = (start..output.len()).find(|i| output.is_char_boundary(*i)).unwrap_or(output.len());
    output[start..].lines().map(text::printable).collect::<Vec<_>>().join("\n")
}

impl Run {
    fn short(gate: &str, verdict: Verdict) -> Self {
        Self { gate: gate.to_owned(), verdict, ms: 0, cached: false, output: String::new() }
    }

    /// It ran, and something is wrong.
    pub fn failed(&self) -> bool {
        matches!(self.verdict, Verdict::Fail(_))
    }

    /// In one line: `gate test: exit code 1`.
    pub fn line(&self) -> String {
        match &self.verdict {
            Verdict::Fail(why) | Verdict::CouldNotRun(why) => format!("gate {}: {why}", self.gate),
            other => format!("gate {}: {}", self.gate, other.word()),
        }
    }
}
