//! Lands a batch: build the stack, test its tip, push exactly that, write it down.
//!
//! Every step is written before the next is begun, and [`Driver::settle`] finishes or takes back what a
//! dead daemon left, so that a crash between any two steps ends in the same state. Whether something is
//! merged is asked of git, never of a note.

mod blame;
mod deliver;
mod stack;

use std::collections::BTreeMap;

use super::bench::{Bench, Outcome};
use super::error::QueueError;
use super::lock::MergeLock;
use super::machine::{Event, State};
use super::push;
use super::request::{Request, Words, step};
use super::wait;
use crate::base::{BeadId, Clock, RigName};
use crate::config::Landing;
use crate::git::{GitError, Oid, Repo};
use crate::store::{DecisionRow, Stamp, Store, StoreError, Write};

/// How often a batch is rebuilt when others push to the target at the same time.
const REBUILDS: usize = 3;

/// What else belongs into the transaction of a landing: closing the bead, its convoy, taking leave of the worker.
pub type OnLanded<'a> = dyn Fn(&mut Write<'_>, &Request, &str) -> Result<(), StoreError> + 'a;

/// What else belongs into the transaction that sends back a change with nothing to land, for this reason: its way back to
/// its worker.
pub type OnNothing<'a> = dyn Fn(&mut Write<'_>, &BeadId, &str) -> Result<(), QueueError> + 'a;

/// What the domain does in the transactions of the queue.
#[derive(Clone, Copy)]
pub struct Follow<'a> {
    /// When a change has landed.
    pub landed: &'a OnLanded<'a>,
    /// When there is nothing of it to land.
    pub nothing: &'a OnNothing<'a>,
}

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
    /// The gates of the rig that the policy left out this time.
    pub left_out: Vec<String>,
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
    /// Those that went back because they change nothing.
    pub nothing: Vec<BeadId>,
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
    follow: Follow<'a>,
    /// What gates said of the target by itself, in this attempt.
    on_target: BTreeMap<String, Outcome>,
    report: Report,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Turn {
    /// The batch is over.
    Over,
    /// The target moved meanwhile: it must be built anew.
    Anew,
    /// The remote does not take them together: this one is tried by itself.
    Alone(BeadId),
}

/// A member of the stack: the request and its own merge commit.
#[derive(Debug, Clone)]
struct Layer {
    id: BeadId,
    commit: Oid,
}

/// Why the queue waits for the remote, and what to do about it.
fn cannot_fetch(error: &GitError) -> String {
    error.hint().map_or_else(|| error.to_string(), |hint| format!("{error} ({hint})"))
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
        follow: Follow<'a>,
    ) -> Self {
        Self { site, repo, store, lock, clock, follow, on_target: BTreeMap::new(), report: Report::default() }
    }

    /// Takes the batch through the queue. What cannot land goes back to its worker or waits again.
    ///
    /// Takes nothing while it is not known whether an earlier push has arrived: [`Driver::settle`] finds that out.
    pub fn run(&mut self, job: &Job) -> Result<Report, QueueError> {
        if let Some(intent) = self.store.read(|r| push::get(r, &self.site.rig))? {
            let short = intent.new.get(..10).unwrap_or(&intent.new);
            self.pause(&format!("it is not known yet whether {short} has arrived on {}", intent.target))?;
            return Ok(std::mem::take(&mut self.report));
        }
        let mut members = self.take(job)?;
        if members.is_empty() {
            return Ok(std::mem::take(&mut self.report));
        }
        let mut outrun = false;
        for _ in 0..REBUILDS {
            outrun = false;
            match self.attempt(&members) {
                Ok(Turn::Over) => break,
                Ok(Turn::Anew) => {
                    members = self.retake(&members)?;
                    outrun = !members.is_empty();
                }
                Ok(Turn::Alone(id)) => {
                    members.retain(|m| m.id == id);
                    members = self.retake(&members)?;
                }
                Err(error) => {
                    self.leave(&members, &error.to_string())?;
                    return Err(error);
                }
            }
            if members.is_empty() {
                break;
            }
        }
        let why = format!("others push to {} faster than it can be tested", self.site.target);
        self.leave(&members, &why)?;
        if outrun {
            self.pause(&why)?;
        }
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
                wait::forget(w, id)?;
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

    /// One build of the batch.
    fn attempt(&mut self, members: &[Request]) -> Result<Turn, QueueError> {
        let ids: Vec<BeadId> = members.iter().map(|m| m.id.clone()).collect();
        self.on_target.clear();
        if self.site.bench.gates.is_empty() && self.site.left_out.is_empty() {
            self.put_back(&ids, "the rig has no gate")?;
            self.pause("the rig has no gate: nothing lands untested; add [gates.NAME] with a command to rig.toml")?;
            return Ok(Turn::Over);
        }
        if let Some(why) = self.fetch()? {
            self.put_back(&ids, "the remote cannot be read")?;
            self.pause(&why)?;
            return Ok(Turn::Over);
        }
        let base = self.tip_of(&self.site.target)?;
        let layers = self.build(base, members)?;
        let Some(top) = layers.last().cloned() else { return Ok(Turn::Over) };
        self.built(&layers, top.commit)?;
        match self.test(base, top.commit)? {
            Outcome::Pass(tested) => self.deliver(base, &layers, members, &tested),
            Outcome::Bad(run) => self.diagnose(base, &layers, members, run),
            Outcome::Uncovered => self.one_by_one(&layers),
        }
    }

    /// Gets what the remote has now. Gives why it cannot be reached, if that is so.
    fn fetch(&self) -> Result<Option<String>, QueueError> {
        match self.repo.fetch() {
            Ok(_) => Ok(None),
            Err(error @ GitError::Unreachable { .. }) => Ok(Some(cannot_fetch(&error))),
            Err(error) => Err(error.into()),
        }
    }

    /// Gets what the remote has now, for those that wait for another target. Where it cannot be reached the rig pauses.
    pub fn look(&mut self) -> Result<Report, QueueError> {
        let rig = &self.site.rig;
        if let Some(why) = self.fetch()? {
            self.pause(&why)?;
        } else if let Some(pause) = self.store.read(|r| wait::pause(r, rig))?
            && pause.breakdowns == 0
            && !pause.holds(self.clock.now())
        {
            // What it was about may have been the remote.
            self.write(|w| Ok(wait::end_pause(w, rig)?))?;
        }
        Ok(std::mem::take(&mut self.report))
    }

    /// Together they change nothing that a gate is about (one takes back what another does), so the first goes alone.
    fn one_by_one(&mut self, layers: &[Layer]) -> Result<Turn, QueueError> {
        let ids: Vec<BeadId> = layers.iter().map(|l| l.id.clone()).collect();
        self.put_back(&ids, "no gate is about what its batch changes; they go one by one")?;
        Ok(ids.into_iter().next().map_or(Turn::Over, Turn::Alone))
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
        let paths = self.paths(base, commit)?;
        self.site.bench.test(&self.lock, &self.repo, self.store, self.clock, commit, Some(&paths))
    }

    /// What `commit` changes on the way from `base`; of a file that was renamed, both names.
    fn paths(&self, base: Oid, commit: Oid) -> Result<Vec<String>, QueueError> {
        Ok(self.repo.diff_stat(base, commit)?.paths().map(str::to_owned).collect())
    }

    /// Where a branch of the remote was at the last fetch.
    fn tip_of(&self, branch: &str) -> Result<Oid, QueueError> {
        let tip = self.repo.oid_of(&format!("refs/remotes/origin/{branch}"))?;
        tip.ok_or_else(|| GitError::NoSuch(format!("branch `{branch}` at the remote")).into())
    }

    fn write<T>(&mut self, f: impl FnOnce(&mut Write<'_>) -> Result<T, QueueError>) -> Result<T, QueueError> {
        let by = Stamp::new(format!("{}/refinery", self.site.rig), self.clock.now());
        self.store.write(&by, f)
    }
}
