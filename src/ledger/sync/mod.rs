//! Exchanging the ledger with a remote that the user named: fetch, merge file by file, adopt, push.
//!
//! Each step can be repeated: a sync that died anywhere is only late, and the next one ends it. The store takes what
//! the remote has before a branch moves, so that a branch never says more than the store knows. The push replaces
//! exactly what was fetched; when somebody else was faster, the round begins again, a bounded number of times.

mod apart;
mod join;
mod settle;
mod take;

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use super::hold::{forget_dead_locks, hold};
use super::{LedgerError, direct, drain, drain::open_or_create, layout};
use crate::base::fault::{Point, pass};
use crate::base::lock::{self, How};
use crate::base::{BeadId, Time, process};
use crate::git::{GitError, Oid, Push, Repo};
use crate::store::{Stamp, Store, StoreError};

/// How often a sync begins again because somebody else pushed meanwhile.
const ROUNDS: u32 = 30;
/// Branches of the ledger, here and on the remote.
const OURS: &str = "refs/heads/beads/";
/// Where the remote's branches are kept as they were fetched.
const THEIRS: &str = "refs/remotes/sync/beads/";
/// Local table of the store in which syncs are noted.
const NOTES: &str = "sync";
/// Held by the one sync that is at work.
const LOCK: &str = "sync.lock";

/// What a sync did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Synced {
    /// Beads that came from the remote, new or changed.
    pub received: usize,
    /// Transitions that went to the remote.
    pub sent: usize,
    /// Beads that had to take another id, because two clones had given one: from, to.
    pub renamed: Vec<(BeadId, BeadId)>,
    /// Files of the remote that are no beads, and why; they stay in the ledger.
    pub left_out: Vec<String>,
    /// How often it began again because somebody else pushed meanwhile.
    pub again: u32,
}

/// Where this copy stands towards the remote, as of the last fetch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SyncStatus {
    /// When the last sync ended.
    pub last: Option<Time>,
    /// With which repository.
    #[serde(skip)]
    pub last_url: Option<String>,
    /// A sync began then and did not end; the next one ends it.
    pub unfinished: Option<Time>,
    /// Transitions that wait for the ledger.
    pub backlog: usize,
    /// Commits here that the remote has not.
    pub ahead: usize,
    /// Commits of the remote that are not merged here.
    pub behind: usize,
}

/// Waits, for a while, until no sync is at work; none is while the file lives.
pub(super) fn one_at_a_time(beads_dir: &Path) -> Result<File, LedgerError> {
    let path = beads_dir.join(LOCK);
    // What another program keeps under that name stays as it is.
    let lock = File::options().create(true).truncate(false).write(true).open(&path);
    let lock = lock.map_err(LedgerError::io("create", &path))?;
    lock::wait(&lock, How::Alone).map_err(|error| StoreError::lock(path, error))?;
    Ok(lock)
}

/// A remote, and how long each exchange with it may take.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Its address.
    pub url: String,
    /// After this a fetch or a push is ended, with all that it started.
    pub limit: Duration,
}

impl Remote {
    /// The repository at `url`, which is given two minutes for each exchange.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), limit: Duration::from_secs(120) }
    }

    fn slow(&self) -> LedgerError {
        LedgerError::Slow { url: self.url.clone(), limit: self.limit }
    }
}

/// Exchanges everything with a remote.
pub fn sync(store: &mut Store, remote: &Remote, by: &Stamp) -> Result<Synced, LedgerError> {
    let folder = store.beads_dir().to_owned();
    let _alone = one_at_a_time(&folder)?;
    {
        // These refs are a sync's own, and packed under the lock of the ledger.
        let _mine = hold(&folder)?;
        forget_dead_locks(&folder, THEIRS);
    }
    let intent = json!({ "at": by.now.to_string() });
    store.write::<_, LedgerError>(by, |w| Ok(w.put_local(NOTES, "intent", &intent)?))?;
    pass(Point::SyncIntended);
    take::drop_left_over(store, by)?;
    let mut done = Synced::default();
    while !round(store, remote, by, &mut done)? {
        done.again += 1;
        if done.again >= ROUNDS {
            return Err(LedgerError::Busy { url: remote.url.clone(), rounds: ROUNDS });
        }
        // Those who lost the same race do not all run again at the same moment.
        let apart = u64::from(std::process::id()) * 7919 % 60;
        process::pause(Duration::from_millis(apart + 10 * u64::from(done.again)));
    }
    let last = json!({ "at": by.now.to_string(), "url": remote.url });
    store.write::<_, LedgerError>(by, |w| {
        w.put_local(NOTES, "last", &last)?;
        w.delete_local(NOTES, "intent")?;
        Ok(())
    })?;
    Ok(done)
}

/// What a sync would receive and send; fetches, and changes nothing else.
pub fn rehearse(store: &Store, remote: &Remote) -> Result<Synced, LedgerError> {
    let repo = open_or_create(store.beads_dir())?;
    fetch(&repo, remote)?;
    let mut would = Synced::default();
    for branch in branches(&repo)? {
        if let Some(theirs) = branch.theirs.filter(|theirs| !has(&repo, branch.ours, *theirs)) {
            would.received += join::changes(&repo, branch.ours, theirs)?.0.len();
        }
        would.sent += missing(&repo, branch.ours, branch.theirs)?;
    }
    would.sent += store.read::<_, LedgerError>(|r| Ok(r.outbox_backlog()?))?.0;
    Ok(would)
}

/// Merges ledger files into the store.
pub(super) fn take_in(store: &mut Store, by: &Stamp, files: &[(BeadId, String)]) -> Result<(), LedgerError> {
    take::take(store, by, files).map(drop)
}

/// Where this copy stands, without asking the remote.
pub fn status(store: &Store) -> Result<SyncStatus, LedgerError> {
    let at = |note: Option<Value>| note.and_then(|n| n["at"].as_str().and_then(|t| t.parse::<Time>().ok()));
    let mut status = store.read::<_, LedgerError>(|r| {
        Ok(SyncStatus {
            last: at(r.local_or_none(NOTES, "last")?),
            last_url: r.local_or_none::<Value>(NOTES, "last")?.and_then(|n| n["url"].as_str().map(str::to_owned)),
            unfinished: at(r.local_or_none(NOTES, "intent")?),
            backlog: r.outbox_backlog()?.0,
            ..SyncStatus::default()
        })
    })?;
    if let Some(ledger) = super::Ledger::open(store.beads_dir())? {
        for branch in branches(ledger.repo())? {
            status.ahead += missing(ledger.repo(), branch.ours, branch.theirs)?;
            status.behind += missing(ledger.repo(), branch.theirs, branch.ours)?;
        }
    }
    Ok(status)
}

/// A branch as it is here and as the remote had it.
struct Branch {
    name: String,
    ours: Option<Oid>,
    theirs: Option<Oid>,
}

/// One round; false when somebody else pushed meanwhile.
fn round(store: &mut Store, remote: &Remote, by: &Stamp, done: &mut Synced) -> Result<bool, LedgerError> {
    drain(store, None)?;
    let repo = open_or_create(store.beads_dir())?;
    fetch(&repo, remote)?;
    pass(Point::SyncFetched);
    for branch in branches(&repo)? {
        if let Some(theirs) = branch.theirs {
            receive(store, &repo, &branch.name, theirs, by, done)?;
        }
    }
    // Edges that follow a renamed bead are changes of our own.
    drain(store, None)?;
    for branch in branches(&repo)? {
        let Some(ours) = branch.ours.filter(|ours| Some(*ours) != branch.theirs) else { continue };
        let sent = missing(&repo, Some(ours), branch.theirs)?;
        let expected = branch.theirs.unwrap_or(Oid::ZERO_SHA1);
        let began = Instant::now();
        match repo.push_within(&remote.url, &branch.name, ours, expected, remote.limit)? {
            Push::Pushed => done.sent += sent,
            // Who holds the ref may be another copy that pushes.
            Push::Moved(_) | Push::Refused { by_rule: false, .. } => return Ok(false),
            Push::Refused { by_rule: true, reason } => {
                return Err(LedgerError::Rejected { url: remote.url.clone(), reason });
            }
            Push::Unreachable(_) if began.elapsed() >= remote.limit => return Err(remote.slow()),
            Push::Unreachable(message) => {
                return Err(LedgerError::Remote(GitError::unreachable(&remote.url, &message)));
            }
        }
        repo.set_ref(&theirs_name(&branch.name), ours, branch.theirs, "sync: pushed")?;
        pass(Point::SyncPushed);
    }
    Ok(true)
}

/// Brings what the remote's branch has into the store, then into ours.
fn receive(
    store: &mut Store,
    repo: &Repo,
    branch: &str,
    theirs: Oid,
    by: &Stamp,
    done: &mut Synced,
) -> Result<(), LedgerError> {
    // No drain moves the branch from here on.
    let _mine = hold(store.beads_dir())?;
    let ours = repo.oid_of(branch)?;
    if has(repo, ours, theirs) {
        return Ok(());
    }
    own_name_elsewhere(store, repo, ours, theirs, by)?;
    let (changes, odd) = join::changes(repo, ours, theirs)?;
    done.left_out.extend(odd);
    let incoming: Vec<(BeadId, String)> = changes.iter().map(|c| (c.id.clone(), c.theirs.clone())).collect();
    let taken = take::take(store, by, &incoming)?;
    pass(Point::SyncAdopted);
    done.received += taken.changed;
    done.renamed.extend(taken.renamed);
    done.left_out.extend(taken.left_out);
    let tip = join::commit(repo, branch, ours, theirs, &changes, by.now)?;
    pass(Point::SyncBuilt);
    direct::move_branch(repo, branch, tip, ours)?;
    pass(Point::SyncMoved);
    store.write(by, |w| super::drain::note(w, branch, tip))
}

/// A copy of this folder, made by copying files, goes by our name: we take another.
fn own_name_elsewhere(
    store: &mut Store,
    repo: &Repo,
    ours: Option<Oid>,
    theirs: Oid,
    by: &Stamp,
) -> Result<(), LedgerError> {
    let Some(ours) = ours else { return Ok(()) };
    let replica = store.replica()?;
    let mut walk = repo.raw().revwalk()?;
    walk.push(theirs)?;
    walk.hide(ours)?;
    for oid in walk {
        let row = repo.trailer(oid?, layout::OUTBOX)?;
        if row.as_deref().and_then(|row| row.rsplit_once('/')).is_some_and(|(name, _)| name == replica) {
            return store.write(by, |w| Ok(w.rename_replica()?));
        }
    }
    Ok(())
}

fn fetch(repo: &Repo, remote: &Remote) -> Result<(), LedgerError> {
    repo.fetch_from(&remote.url, &format!("+{OURS}*:{THEIRS}*"), remote.limit).map_err(|error| match error {
        GitError::Timeout { .. } => remote.slow(),
        error @ GitError::Unreachable { .. } => LedgerError::Remote(error),
        error => error.into(),
    })
}

fn theirs_name(branch: &str) -> String {
    branch.replacen(OURS, THEIRS, 1)
}

/// The branches that either side has, by name.
fn branches(repo: &Repo) -> Result<Vec<Branch>, LedgerError> {
    let mut all: std::collections::BTreeMap<String, (Option<Oid>, Option<Oid>)> = std::collections::BTreeMap::new();
    for (name, oid) in repo.refs(OURS)? {
        all.entry(name).or_default().0 = Some(oid);
    }
    for (name, oid) in repo.refs(THEIRS)? {
        all.entry(name.replacen(THEIRS, OURS, 1)).or_default().1 = Some(oid);
    }
    Ok(all.into_iter().map(|(name, (ours, theirs))| Branch { name, ours, theirs }).collect())
}

/// Whether `tip` contains `commit`.
fn has(repo: &Repo, tip: Option<Oid>, commit: Oid) -> bool {
    tip.is_some_and(|tip| repo.is_ancestor(commit, tip).unwrap_or(false))
}

/// How many commits of `tip` the branch at `base` has not.
fn missing(repo: &Repo, tip: Option<Oid>, base: Option<Oid>) -> Result<usize, LedgerError> {
    let Some(tip) = tip else { return Ok(0) };
    let mut walk = repo.raw().revwalk()?;
    walk.push(tip)?;
    if let Some(base) = base {
        walk.hide(base)?;
    }
    Ok(walk.count())
}

#[cfg(test)]
mod tests;
