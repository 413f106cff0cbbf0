//! Lands a batch: build the stack, test its tip, push exactly that, write it down.
//!
//! Every step is written before the next is begun, and [`Driver::settle`] finishes or takes back what a
//! dead daemon left, so that a crash between any two steps ends in the same state. Whether something is
//! merged is asked of git, never of a note.

use std::collections::BTreeSet;

use serde_json::json;

use super::bench::{Bench, Outcome, Run, Tested};
use super::error::QueueError;
use super::lock::MergeLock;
use super::machine::{Event, State};
use super::push::{self, Intent};
use super::request::{Request, Words, open, step};
use super::wait;
use crate::base::{BeadId, Clock, RigName};
use crate::config::Landing;
use crate::git::{ConflictHunk, GitError, Ident, Oid, Push, Repo, StackItem, Stacked};
use crate::store::{DecisionRow, Stamp, Store, StoreError, Write};

/// How often a batch is rebuilt when others push to the target at the same time.
const REBUILDS: usize = 3;

/// What else belongs into the transaction of a landing: closing the bead, its convoy, taking leave of the worker.
pub type OnLanded<'a> = dyn Fn(&mut Write<'_>, &Request, &str) -> Result<(), StoreError> + 'a;

/// The rig that is served.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its name.
    pub rig: RigName,
    /// The branch of `origin` that changes land on.
    pub target: String,
    /// What happens to a change that passed.
    pub landing: Landing,
    /// Where the gates run, and which.
    pub bench: Bench,
}

/// One batch, as the policy chose it.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// The members in the order in which they are stacked.
    pub members: Vec<BeadId>,
    /// The decisions that led to it, recorded when its members are taken.
    pub decisions: Vec<DecisionRow>,
}

/// What came of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Those that landed, in order.
    pub landed: Vec<BeadId>,
    /// Those that went back with a conflict.
    pub conflicts: Vec<BeadId>,
    /// Those that went back because a gate failed.
    pub failed: Vec<BeadId>,
    /// Those that passed and wait for a person.
    pub held: Vec<BeadId>,
    /// Why the rig pauses now, if it does.
    pub paused: Option<String>,
}

/// Serves one rig, for as long as it holds the rig's merge lock.
pub struct Driver<'a> {
    site: &'a Site,
    repo: Repo,
    store: &'a mut Store,
    lock: MergeLock,
    clock: &'a dyn Clock,
    on_landed: &'a OnLanded<'a>,
    report: Report,
}

/// A member of the stack: the request and its own merge commit.
#[derive(Debug, Clone)]
struct Layer {
    id: BeadId,
    commit: Oid,
}

impl std::fmt::Debug for Driver<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("site", &self.site).field("report", &self.report).finish_non_exhaustive()
    }
}

impl<'a> Driver<'a> {
    /// A driver for `site`, whose objects are in `repo`.
    pub fn new(
        site: &'a Site,
        repo: Repo,
        store: &'a mut Store,
        lock: MergeLock,
        clock: &'a dyn Clock,
        on_landed: &'a OnLanded<'a>,
    ) -> Self {
        Self { site, repo, store, lock, clock, on_landed, report: Report::default() }
    }

    /// Finishes or takes back what was in hand when the last driver of this rig ended.
    pub fn settle(&mut self) -> Result<Report, QueueError> {
        let rig = &self.site.rig;
        let (intent, open) = self.store.read(|r| Ok::<_, StoreError>((push::get(r, rig)?, open(r, rig)?.0)))?;
        if let Some(intent) = intent {
            match self.repo.fetch() {
                Ok(_) => {}
                Err(GitError::Unreachable { message, .. }) => {
                    self.pause(&format!("the remote cannot be reached: {message}"))?;
                    return Ok(std::mem::take(&mut self.report));
                }
                Err(error) => return Err(error.into()),
            }
            let tip = self.tip()?;
            let new = oid(&intent.new)?;
            if self.repo.is_ancestor(new, tip)? {
                self.land(&intent)?;
            } else {
                self.take_back(&intent, "the push did not arrive")?;
            }
        }
        let stray: Vec<BeadId> = open.into_iter().filter(|q| q.state().in_hand()).map(|q| q.id).collect();
        self.write(|w| {
            for id in &stray {
                if Request::load(w, id)?.state().in_hand() {
                    step(w, id, Event::Interrupted, &Words::default())?;
                }
            }
            Ok(())
        })?;
        Ok(std::mem::take(&mut self.report))
    }

    /// Takes the batch through the queue. What cannot land goes back to its worker or waits again.
    pub fn run(&mut self, job: &Job) -> Result<Report, QueueError> {
        let mut members = self.take(job)?;
        if members.is_empty() {
            return Ok(std::mem::take(&mut self.report));
        }
        for _ in 0..REBUILDS {
            match self.attempt(&members) {
                Ok(true) => break,
                Ok(false) => members = self.retake(&members)?,
                Err(error) => {
                    self.leave(&members, &error.to_string())?;
                    return Err(error);
                }
            }
            if members.is_empty() {
                break;
            }
        }
        self.leave(&members, "others push to the target faster than it can be tested")?;
        Ok(std::mem::take(&mut self.report))
    }

    /// Leaves nothing in hand, except what a push that may have arrived still holds.
    fn leave(&mut self, members: &[Request], why: &str) -> Result<(), QueueError> {
        if self.store.read(|r| push::get(r, &self.site.rig))?.is_some() {
            return Ok(());
        }
        let ids: Vec<BeadId> = members.iter().map(|m| m.id.clone()).collect();
        self.put_back(&ids, why)
    }

    /// Takes those members that still wait, as far as the rig's way of landing lets them go together.
    fn take(&mut self, job: &Job) -> Result<Vec<Request>, QueueError> {
        let hold = self.site.landing != Landing::Direct;
        self.write(|w| {
            let mut taken: Vec<Request> = Vec::new();
            for id in &job.members {
                let request = Request::load(w, id)?;
                if request.state() != State::Queued {
                    continue;
                }
                // Whoever reviews a change must see what it does by itself.
                let alone = hold && request.mr.approved.is_none();
                if alone && !taken.is_empty() {
                    break;
                }
                step(w, id, Event::Taken, &Words::default())?;
                wait::end_wait(w, id)?;
                taken.push(request);
                if alone {
                    break;
                }
            }
            if !taken.is_empty() {
                for decision in &job.decisions {
                    w.record(decision)?;
                }
            }
            Ok(taken)
        })
    }

    fn retake(&mut self, members: &[Request]) -> Result<Vec<Request>, QueueError> {
        let job = Job { members: members.iter().map(|m| m.id.clone()).collect(), decisions: Vec::new() };
        self.take(&job)
    }

    /// One build of the batch. True when it is over, false when the target moved and it must be built anew.
    fn attempt(&mut self, members: &[Request]) -> Result<bool, QueueError> {
        let ids: Vec<BeadId> = members.iter().map(|m| m.id.clone()).collect();
        if self.site.bench.gates.is_empty() {
            self.put_back(&ids, "the rig has no gate")?;
            self.pause("the rig has no gate: nothing lands untested; add [gates.NAME] with a command to rig.toml")?;
            return Ok(true);
        }
        if let Err(error) = self.repo.fetch() {
            let GitError::Unreachable { message, .. } = error else { return Err(error.into()) };
            self.put_back(&ids, "the remote cannot be reached")?;
            self.pause(&format!("the remote cannot be reached: {message}"))?;
            return Ok(true);
        }
        let base = self.tip()?;
        let layers = self.build(base, members)?;
        let Some(top) = layers.last().cloned() else { return Ok(true) };
        self.built(&layers, top.commit)?;
        match self.test(base, top.commit)? {
            Outcome::Pass(tested) => self.deliver(base, &layers, members, &tested),
            Outcome::CouldNotRun(run) => self.stuck(&layers, &run),
            Outcome::Fail(run) => self.diagnose(base, &layers, members, &run),
        }
    }

    /// Stacks the members on `base`; those that do not go on it are dealt with and left out.
    fn build(&mut self, base: Oid, members: &[Request]) -> Result<Vec<Layer>, QueueError> {
        let mut items = Vec::new();
        let mut stackable = Vec::new();
        for member in members {
            match self.item(member) {
                Ok(item) => {
                    items.push(item);
                    stackable.push(member);
                }
                Err(QueueError::Git(GitError::NoSuch(_))) => {
                    let why = format!("its commit {} is not in the rig's repository", member.mr.commit);
                    self.write(|w| {
                        step(w, &member.id, Event::PutBack, &Words::default())?;
                        step(w, &member.id, Event::Rejected, &Words::why(why))
                    })?;
                }
                Err(error) => return Err(error),
            }
        }
        let (who, now) = (Ident::town(), self.clock.now());
        let stacked = self.repo.stack(base, &items, &who, now)?;
        let mut layers = Vec::new();
        for ((member, item), result) in stackable.into_iter().zip(items).zip(stacked) {
            match result {
                Stacked::Merged(commit) => layers.push(Layer { id: member.id.clone(), commit }),
                Stacked::AlreadyMerged(_) => {
                    if self.repo.landed(item.commit, base)?.is_some() {
                        self.already_there(&member.id)?;
                    } else {
                        self.put_back(std::slice::from_ref(&member.id), "another of its batch brings the same")?;
                    }
                }
                Stacked::Conflict(_) => match self.repo.stack(base, &[item], &who, now)?.pop() {
                    Some(Stacked::Conflict(hunks)) => self.conflict(&member.id, base, &hunks)?,
                    _ => self.put_back(
                        std::slice::from_ref(&member.id),
                        "conflicts with another of its batch, which goes first",
                    )?,
                },
            }
        }
        Ok(layers)
    }

    fn item(&self, request: &Request) -> Result<StackItem, QueueError> {
        let worker = request.mr.worker.to_string();
        let commit = self.repo.resolve(&request.mr.commit)?;
        let title = self.store.read(|r| Ok::<_, StoreError>(r.bead(&request.mr.bead)?.map(|b| b.title)))?;
        let title = title.unwrap_or_else(|| request.title.clone());
        Ok(StackItem {
            commit,
            message: format!(
                "{} {} ({})",
                request.mr.bead,
                crate::base::text::headline(&title, 100),
                request.mr.worker.short()
            ),
            trailers: vec![
                ("Gt-MR".into(), request.id.to_string()),
                ("Gt-Bead".into(), request.mr.bead.to_string()),
                ("Gt-Source".into(), request.mr.commit.clone()),
            ],
            author: Ident::agent(&worker),
        })
    }

    /// A gate failed on the tip. Finds out whose fault it is: the target's own, or one member's.
    fn diagnose(&mut self, base: Oid, layers: &[Layer], members: &[Request], failed: &Run) -> Result<bool, QueueError> {
        match self.test_only(base, &failed.gate)? {
            Outcome::CouldNotRun(run) => return self.stuck(layers, &run),
            Outcome::Fail(_) => return self.red_target(base, layers, members, failed),
            Outcome::Pass(_) => {}
        }
        // The stack passes up to `good` members (the target alone does) and fails with `bad` of them.
        let (mut good, mut bad, mut blame) = (0, layers.len(), failed.clone());
        let mut proof = None;
        while bad - good > 1 {
            let middle = good.midpoint(bad);
            let cut = &layers[..middle];
            let top = cut[middle - 1].commit;
            self.built(cut, top)?;
            match self.test(base, top)? {
                Outcome::Pass(tested) => (good, proof) = (middle, Some(tested)),
                Outcome::Fail(run) => (bad, blame) = (middle, run),
                Outcome::CouldNotRun(run) => return self.stuck(layers, &run),
            }
        }
        let culprit = &layers[bad - 1];
        let words = Words::why(blame.line())
            .with("gate", blame.gate.clone())
            .with("output", blame.output.clone())
            .with("target", base.to_string())
            .with("target_passes", true);
        self.write(|w| step(w, &culprit.id, Event::GateFailed, &words))?;
        self.report.failed.push(culprit.id.clone());
        let after: Vec<BeadId> = layers[bad..].iter().map(|l| l.id.clone()).collect();
        self.put_back(&after, &format!("{} of its batch failed a gate", culprit.id))?;
        match proof {
            Some(tested) => {
                // The last cut that was tested may have been a larger one.
                self.built(&layers[..good], tested.commit())?;
                self.deliver(base, &layers[..good], members, &tested)
            }
            None => Ok(true),
        }
    }

    /// The target fails the gate by itself: nobody is blamed, and whoever mends it may land.
    fn red_target(
        &mut self,
        base: Oid,
        layers: &[Layer],
        members: &[Request],
        failed: &Run,
    ) -> Result<bool, QueueError> {
        let why = format!("{} fails on {} itself: {}", failed.gate, self.site.target, failed.line());
        for (index, layer) in layers.iter().enumerate() {
            let Some(member) = members.iter().find(|m| m.id == layer.id) else { continue };
            if layers.len() > 1 {
                let rest: Vec<BeadId> = layers[index..].iter().map(|l| l.id.clone()).collect();
                let Some(alone) = self.build_alone(base, member)? else {
                    self.put_back(&rest[..1], &why)?;
                    continue;
                };
                self.built(std::slice::from_ref(&alone), alone.commit)?;
                match self.test(base, alone.commit)? {
                    Outcome::Pass(tested) => {
                        self.put_back(&rest[1..], "another of its batch mends the target first")?;
                        return self.deliver(base, &[alone], members, &tested);
                    }
                    Outcome::CouldNotRun(run) => return self.stuck(&layers[index..], &run),
                    Outcome::Fail(_) => {}
                }
            }
            self.write(|w| {
                wait::set_wait(w, &layer.id, &why, &base.to_string())?;
                step(w, &layer.id, Event::PutBack, &Words::why(why.clone()))
            })?;
        }
        Ok(true)
    }

    fn build_alone(&self, base: Oid, member: &Request) -> Result<Option<Layer>, QueueError> {
        let item = self.item(member)?;
        match self.repo.stack(base, &[item], &Ident::town(), self.clock.now())?.pop() {
            Some(Stacked::Merged(commit)) => Ok(Some(Layer { id: member.id.clone(), commit })),
            _ => Ok(None),
        }
    }

    /// Everything passed. Lands it, or holds it for a person. False when the target moved meanwhile.
    fn deliver(
        &mut self,
        base: Oid,
        layers: &[Layer],
        members: &[Request],
        tested: &Tested,
    ) -> Result<bool, QueueError> {
        let approved = |id: &BeadId| members.iter().any(|m| m.id == *id && m.mr.approved.is_some());
        let passed = Event::Passed { commit: tested.commit().to_string() };
        let runs = serde_json::to_value(tested.runs()).expect("plain data serialises");
        if self.site.landing != Landing::Direct && !layers.iter().all(|l| approved(&l.id)) {
            let words = Words::why("passed its gates; waits for your review: gt review")
                .with("gates", runs)
                .with("tested", json!({ "commit": tested.commit().to_string(), "on": base.to_string() }));
            self.write(|w| {
                for layer in layers {
                    step(w, &layer.id, passed.clone(), &Words::default())?;
                    step(w, &layer.id, Event::HeldForReview, &words)?;
                }
                Ok(())
            })?;
            self.report.held.extend(layers.iter().map(|l| l.id.clone()));
            return Ok(true);
        }
        let intent = Intent {
            target: self.site.target.clone(),
            old: base.to_string(),
            new: tested.commit().to_string(),
            members: layers.iter().map(|l| (l.id.clone(), l.commit.to_string())).collect(),
            at: self.clock.now(),
        };
        self.write(|w| {
            for layer in layers {
                step(w, &layer.id, passed.clone(), &Words::default())?;
            }
            Ok(push::put(w, &self.site.rig, &intent)?)
        })?;
        self.push(base, &intent, tested)
    }

    fn push(&mut self, base: Oid, intent: &Intent, tested: &Tested) -> Result<bool, QueueError> {
        let refname = format!("refs/heads/{}", self.site.target);
        match self.repo.push_cas("origin", &refname, tested.commit(), base)? {
            Push::Pushed => {
                let ours = format!("refs/remotes/origin/{}", self.site.target);
                // The next fetch would see it too; this saves waiting for it.
                if let Err(error) = self.repo.set_ref(&ours, tested.commit(), Some(base), "pushed by the merge queue") {
                    tracing::debug!(%error, "the remote's branch is seen at the next fetch");
                }
                self.land(intent)?;
                Ok(true)
            }
            Push::Rejected { moved: true, reason } => {
                tracing::info!(rig = %self.site.rig, %reason, "the target moved; building anew");
                self.take_back(intent, "the target moved while it was tested")?;
                Ok(false)
            }
            Push::Rejected { moved: false, reason } => {
                self.take_back(intent, &format!("the remote refused the push: {reason}"))?;
                self.pause(&format!("the remote refuses pushes to {}: {reason}", self.site.target))?;
                Ok(true)
            }
            Push::Unreachable(message) => {
                // It may have arrived: the intent stays, and the next look at the remote decides.
                self.pause(&format!("the remote cannot be reached: {message}"))?;
                Ok(true)
            }
        }
    }

    /// Records that the intent's commit is on the target: requests, beads and convoys in one transaction.
    fn land(&mut self, intent: &Intent) -> Result<(), QueueError> {
        let (rig, on_landed) = (&self.site.rig, self.on_landed);
        let landed = self.write(|w| {
            let mut landed = Vec::new();
            for (id, own) in &intent.members {
                let request = Request::load(w, id)?;
                if request.state() == State::Merged {
                    continue;
                }
                let short = &own[..own.len().min(10)];
                let words = Words {
                    landed: Some(own.clone()),
                    ..Words::why(format!("merged into {} as {short}", intent.target))
                };
                step(w, id, Event::Landed { commit: intent.new.clone() }, &words)?;
                on_landed(w, &request, own)?;
                landed.push(id.clone());
            }
            push::delete(w, rig)?;
            wait::end_pause(w, rig)?;
            w.emit("pushed", rig.as_str(), json!({ "target": intent.target, "old": intent.old, "new": intent.new }))?;
            Ok(landed)
        })?;
        self.report.landed.extend(landed);
        Ok(())
    }

    fn already_there(&mut self, id: &BeadId) -> Result<(), QueueError> {
        let on_landed = self.on_landed;
        let target = self.site.target.clone();
        self.write(|w| {
            let request = Request::load(w, id)?;
            step(w, id, Event::AlreadyThere, &Words::why(format!("{target} has it already")))?;
            Ok(on_landed(w, &request, &request.mr.commit)?)
        })?;
        self.report.landed.push(id.clone());
        Ok(())
    }

    fn conflict(&mut self, id: &BeadId, base: Oid, hunks: &[ConflictHunk]) -> Result<(), QueueError> {
        let files: BTreeSet<&str> = hunks.iter().map(|h| h.path.as_str()).collect();
        let places: Vec<String> = hunks.iter().map(place).collect();
        let words = Words::why(format!("conflicts with {} in {}", self.site.target, places.join(", ")))
            .with("files", json!(files))
            .with("hunks", json!(hunks.iter().map(ConflictHunk::text).collect::<Vec<_>>()))
            .with("target", base.to_string());
        self.write(|w| step(w, id, Event::Conflicted, &words))?;
        self.report.conflicts.push(id.clone());
        Ok(())
    }

    /// A gate could not run: nobody is blamed, and the rig waits.
    fn stuck(&mut self, layers: &[Layer], run: &Run) -> Result<bool, QueueError> {
        let ids: Vec<BeadId> = layers.iter().map(|l| l.id.clone()).collect();
        self.put_back(&ids, &run.line())?;
        self.pause(&run.line())?;
        Ok(true)
    }

    fn take_back(&mut self, intent: &Intent, why: &str) -> Result<(), QueueError> {
        let rig = &self.site.rig;
        self.write(|w| {
            for (id, _) in &intent.members {
                if Request::load(w, id)?.state().in_hand() {
                    step(w, id, Event::PutBack, &Words::why(why))?;
                }
            }
            Ok(push::delete(w, rig)?)
        })
    }

    /// Back to waiting, those of `ids` that are in hand.
    fn put_back(&mut self, ids: &[BeadId], why: &str) -> Result<(), QueueError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.write(|w| {
            for id in ids {
                if Request::load(w, id)?.state().in_hand() {
                    step(w, id, Event::PutBack, &Words::why(why))?;
                }
            }
            Ok(())
        })
    }

    fn built(&mut self, layers: &[Layer], top: Oid) -> Result<(), QueueError> {
        let built = Event::Built { commit: top.to_string() };
        self.write(|w| {
            for layer in layers {
                step(w, &layer.id, built.clone(), &Words::default())?;
            }
            Ok(())
        })
    }

    fn pause(&mut self, why: &str) -> Result<(), QueueError> {
        let rig = &self.site.rig;
        self.write(|w| Ok(wait::set_pause(w, rig, why)?))?;
        self.report.paused = Some(why.to_owned());
        Ok(())
    }

    fn test(&mut self, base: Oid, commit: Oid) -> Result<Outcome, QueueError> {
        let paths: Vec<String> = self.repo.diff_stat(base, commit)?.paths().map(str::to_owned).collect();
        self.site.bench.test(&self.lock, &self.repo, self.store, self.clock, commit, &paths)
    }

    /// Runs one gate on a commit, whatever it changes.
    fn test_only(&mut self, commit: Oid, gate: &str) -> Result<Outcome, QueueError> {
        let mut bench = self.site.bench.clone();
        bench.gates.retain(|(name, _)| name == gate);
        for (_, gate) in &mut bench.gates {
            gate.paths.clear();
        }
        bench.test(&self.lock, &self.repo, self.store, self.clock, commit, &[])
    }

    /// Where the remote's target was at the last fetch.
    fn tip(&self) -> Result<Oid, QueueError> {
        let refname = format!("refs/remotes/origin/{}", self.site.target);
        let tip = self.repo.oid_of(&refname)?;
        tip.ok_or_else(|| GitError::NoSuch(format!("branch `{}` at the remote", self.site.target)).into())
    }

    fn write<T>(&mut self, f: impl FnOnce(&mut Write<'_>) -> Result<T, QueueError>) -> Result<T, QueueError> {
        let by = Stamp::new(format!("{}/refinery", self.site.rig), self.clock.now());
        self.store.write(&by, f)
    }
}

fn oid(text: &str) -> Result<Oid, QueueError> {
    Oid::from_str(text).map_err(|_| GitError::NoSuch(format!("commit `{text}`")).into())
}

/// Where a conflict is: `src/cli.rs:14-18`.
fn place(hunk: &ConflictHunk) -> String {
    match (hunk.start, hunk.end) {
        (0, _) => hunk.path.clone(),
        (start, end) if end > start => format!("{}:{start}-{end}", hunk.path),
        (start, _) => format!("{}:{start}", hunk.path),
    }
}
