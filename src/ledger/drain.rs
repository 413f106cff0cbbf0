//! From the outbox into the ledger: one commit per transition, at least once and never twice.
//!
//! Rows are committed, the branches move, and then one transaction drops the rows and notes where the branches are.
//! A branch that is not where it was noted was moved by a drain that died before that transaction (or by a sync):
//! the commits since then say by their trailer which rows they hold.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::hold::{hold, try_hold};
use super::{LedgerError, direct, fast, layout, pack};
use crate::base::fault::{Point, pass};
use crate::git::{Oid, Repo};
use crate::store::{OutboxRow, Stamp, Store, Write};

/// Rows that are read and acknowledged together.
const CHUNK: usize = 2000;
/// The same, when there is too little time for more.
const SMALL_CHUNK: usize = 250;
/// From here on one pack is cheaper than loose objects, of which each is flushed.
const MIDDLING: usize = 16;
/// From here on one `git fast-import` is cheaper than loose objects.
const LONG: usize = 200;
/// Time that a long backlog needs at least; with less, a part of it is packed here.
const LONG_TIME: Duration = Duration::from_secs(2);
/// Local table of the store in which the drain notes the branches.
const NOTES: &str = "ledger";

/// What a drain did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drained {
    /// Commits made.
    pub commits: usize,
    /// Something is left: the time was over, or another process is draining.
    pub left: bool,
}

/// Commits what waits in the outbox; at most for `budget` (all of it without one).
///
/// With a budget it gives way to another drain that is running; without one it waits for it.
pub fn drain(store: &mut Store, budget: Option<Duration>) -> Result<Drained, LedgerError> {
    let started = Instant::now();
    let folder = store.beads_dir().to_owned();
    if store.read(|r| r.outbox(0, 1))?.is_empty() {
        return Ok(Drained::default());
    }
    if store.is_readonly() {
        return Ok(Drained { commits: 0, left: true });
    }
    let mine = if budget.is_some() { try_hold(&folder)? } else { Some(hold(&folder)?) };
    let Some(mine) = mine else { return Ok(Drained { commits: 0, left: true }) };
    drain_held(store, &mine, budget.map(|budget| (started, budget)))
}

/// As [`drain`], for who holds the ledger: at most for a time that began at an instant.
pub(super) fn drain_held(
    store: &mut Store,
    _mine: &File,
    budget: Option<(Instant, Duration)>,
) -> Result<Drained, LedgerError> {
    let mut done = Drained::default();
    let repo = open_or_create(store.beads_dir())?;
    let replica = store.replica()?;
    loop {
        // Read under the lock: another drain may have taken what was there before.
        let left = budget.map(|(started, whole)| whole.saturating_sub(started.elapsed()));
        let long_enough = left.is_none_or(|l| l >= LONG_TIME);
        let rows = store.read(|r| r.outbox(0, if long_enough { CHUNK } else { SMALL_CHUNK }))?;
        if rows.is_empty() {
            return Ok(done);
        }
        if done.commits > 0 && left.is_some_and(|l| l.is_zero()) {
            return Ok(Drained { left: true, ..done });
        }
        let (made, acked) = chunk(store, &repo, &replica, &rows, left)?;
        done.commits += made;
        if acked < rows.len() {
            done.left = true;
            return Ok(done);
        }
    }
}

/// When something was last drained in the ledger beside the store in `beads_dir`.
pub fn last_drain(beads_dir: &Path) -> Option<SystemTime> {
    // Opening it for a drain empties it, empty as it is.
    std::fs::metadata(beads_dir.join(layout::LOCK)).and_then(|lock| lock.modified()).ok()
}

/// Commits as many of `rows` as the time allows and acknowledges them: (commits made, rows acknowledged).
fn chunk(
    store: &mut Store,
    repo: &Repo,
    replica: &str,
    rows: &[OutboxRow],
    left: Option<Duration>,
) -> Result<(usize, usize), LedgerError> {
    let notes: BTreeMap<String, String> = store.read(|r| r.local_texts(NOTES))?.into_iter().collect();
    let mut have = HashSet::new();
    let mut tips: BTreeMap<String, Option<Oid>> = BTreeMap::new();
    for row in rows {
        let Entry::Vacant(slot) = tips.entry(layout::branch(row.bead.prefix())) else { continue };
        let tip = repo.oid_of(slot.key())?;
        // Where a branch was last that cannot be read, all of it is looked through.
        let known = notes.get(slot.key()).and_then(|text| serde_json::from_str::<String>(text).ok());
        let known = known.and_then(|tip| Oid::from_str(&tip).ok());
        if let Some(tip) = tip.filter(|tip| Some(*tip) != known) {
            committed_since(repo, replica, tip, known, &mut have)?;
        }
        slot.insert(tip);
    }
    let todo: Vec<&OutboxRow> = rows.iter().filter(|r| !have.contains(&r.seq)).collect();
    let made = match todo.len() {
        LONG.. if left.is_none_or(|l| l >= LONG_TIME) => fast::write(repo, replica, &todo, &mut tips)?,
        MIDDLING.. => pack::write(repo, replica, &todo, &mut tips, left)?,
        _ => direct::write(repo, replica, &todo, &mut tips, left)?,
    };
    let last = todo.get(made).map_or(rows.len(), |next| rows.iter().position(|r| r.seq == next.seq).unwrap_or(0));
    let seqs: Vec<i64> = rows[..last].iter().map(|r| r.seq).collect();
    let Some(newest) = rows[..last].last() else { return Ok((made, 0)) };
    store.write(&Stamp::new("ledger", newest.at), |w| {
        w.ack_outbox_rows(&seqs)?;
        tips.iter().filter_map(|(branch, tip)| Some((branch, (*tip)?))).try_for_each(|(b, tip)| note(w, b, tip))
    })?;
    pass(Point::DrainAcknowledged);
    Ok((made, last))
}

/// Notes where a branch is.
pub(super) fn note(w: &mut Write<'_>, branch: &str, tip: Oid) -> Result<(), LedgerError> {
    Ok(w.put_local(NOTES, branch, &Value::String(tip.to_string()))?)
}

/// Adds the outbox rows of this replica that `tip` has and `known` has not.
fn committed_since(
    repo: &Repo,
    replica: &str,
    tip: Oid,
    known: Option<Oid>,
    have: &mut HashSet<i64>,
) -> Result<(), LedgerError> {
    let mut walk = repo.raw().revwalk()?;
    walk.push(tip)?;
    if let Some(known) = known.filter(|k| repo.raw().find_commit(*k).is_ok()) {
        walk.hide(known)?;
    }
    for oid in walk {
        let text = repo.trailer(oid?, layout::OUTBOX)?;
        let seq = text.as_deref().and_then(|t| t.rsplit_once('/')).filter(|(whose, _)| *whose == replica);
        have.extend(seq.and_then(|(_, seq)| seq.parse::<i64>().ok()));
    }
    Ok(())
}

/// Forgets where the branches are: the ledger is another.
pub(super) fn forget(w: &mut Write<'_>) -> Result<(), LedgerError> {
    for branch in w.local_keys(NOTES)? {
        w.delete_local(NOTES, &branch)?;
    }
    Ok(())
}

/// The ledger beside the store; made if there is none.
pub(super) fn open_or_create(beads_dir: &Path) -> Result<Repo, LedgerError> {
    let path = beads_dir.join(layout::FOLDER);
    match Repo::open(&path) {
        Ok(repo) if repo.raw().config()?.get_string("gc.auto").is_ok() => Ok(repo),
        Err(error) if error.is_kept_out() => Err(error.into()),
        _ => Ok(Repo::create(&path)?),
    }
}
