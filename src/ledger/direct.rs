//! Short backlogs: loose objects, written in this process, flushed before the branches move.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::time::{Duration, Instant};

use super::{LedgerError, layout};
use crate::base::fault::{Point, pass};
use crate::git::{Ident, Oid, Repo};
use crate::store::OutboxRow;

const FILE: i32 = 0o100_644;
const FOLDER: i32 = 0o040_000;

/// Commits `rows` in order until the time is over (at least one) and moves the branches in `tips`; how many.
pub(super) fn write(
    repo: &Repo,
    replica: &str,
    rows: &[&OutboxRow],
    tips: &mut BTreeMap<String, Option<Oid>>,
    left: Option<Duration>,
) -> Result<usize, LedgerError> {
    let made = commits(repo, replica, rows, tips, left)?;
    flush(repo, &made.objects)?;
    pass(Point::DrainWritten);
    let count = made.count;
    made.publish(repo, tips)?;
    Ok(count)
}

/// Commits that no branch has yet.
pub(super) struct Made {
    /// How many.
    pub(super) count: usize,
    /// What they consist of; some may have been there before.
    pub(super) objects: Vec<Oid>,
    heads: HashMap<String, Oid>,
}

/// Makes the commits of `rows` in order, on the branches in `tips`, until the time is over (at least one).
pub(super) fn commits(
    repo: &Repo,
    replica: &str,
    rows: &[&OutboxRow],
    tips: &BTreeMap<String, Option<Oid>>,
    left: Option<Duration>,
) -> Result<Made, LedgerError> {
    let started = Instant::now();
    let mut made = Made { count: 0, objects: Vec::new(), heads: HashMap::new() };
    for row in rows {
        if made.count > 0 && left.is_some_and(|l| started.elapsed() >= l) {
            break;
        }
        let branch = layout::branch(row.bead.prefix());
        let parent = made.heads.get(&branch).copied().or_else(|| tips.get(&branch).copied().flatten());
        let head = commit(repo, replica, row, parent, &mut made.objects)?;
        made.heads.insert(branch, head);
        made.count += 1;
    }
    Ok(made)
}

impl Made {
    /// Moves the branches, whose commits are on disk.
    pub(super) fn publish(self, repo: &Repo, tips: &mut BTreeMap<String, Option<Oid>>) -> Result<(), LedgerError> {
        for (branch, head) in self.heads {
            let old = tips.get(&branch).copied().flatten();
            move_branch(repo, &branch, head, old)?;
            pass(Point::DrainMoved);
            tips.insert(branch, Some(head));
        }
        Ok(())
    }
}

/// Moves a branch from `old` to `head` and flushes it.
pub(super) fn move_branch(repo: &Repo, branch: &str, head: Oid, old: Option<Oid>) -> Result<(), LedgerError> {
    repo.set_ref(branch, head, old, "ledger")?;
    let path = repo.path().join(branch);
    // A packed ref has no file of its own; a moved one always has.
    if let Ok(file) = File::open(&path) {
        file.sync_all().map_err(LedgerError::io("flush", &path))?;
    }
    Ok(())
}

fn commit(
    repo: &Repo,
    replica: &str,
    row: &OutboxRow,
    parent: Option<Oid>,
    written: &mut Vec<Oid>,
) -> Result<Oid, LedgerError> {
    let git = repo.raw();
    let parent = parent.map(|oid| git.find_commit(oid)).transpose()?;
    let root = parent.as_ref().map(git2::Commit::tree).transpose()?;
    let (outer, inner, name) = layout::path(&row.bead);
    let below = |tree: Option<&git2::Tree<'_>>, name: &str| -> Result<Option<Oid>, LedgerError> {
        Ok(tree.and_then(|t| t.get_name(name).map(|e| e.id())))
    };
    let outer_tree = below(root.as_ref(), &outer)?.map(|oid| git.find_tree(oid)).transpose()?;
    let inner_tree = below(outer_tree.as_ref(), &inner)?.map(|oid| git.find_tree(oid)).transpose()?;
    let mut put = |tree: Option<&git2::Tree<'_>>, name: &str, oid: Oid, mode: i32| -> Result<Oid, LedgerError> {
        let mut builder = git.treebuilder(tree)?;
        builder.insert(name, oid, mode)?;
        let tree = builder.write()?;
        written.extend([oid, tree]);
        Ok(tree)
    };
    let blob = git.blob(row.doc.as_bytes())?;
    let inner_oid = put(inner_tree.as_ref(), &name, blob, FILE)?;
    let outer_oid = put(outer_tree.as_ref(), &inner, inner_oid, FOLDER)?;
    let root_oid = put(root.as_ref(), &outer, outer_oid, FOLDER)?;
    let tree = git.find_tree(root_oid)?;
    let (author, committer) = (layout::author(row).signature(row.at)?, Ident::town().signature(row.at)?);
    let parents: Vec<_> = parent.iter().collect();
    let oid = git.commit(None, &author, &committer, &layout::message(row, replica), &tree, &parents)?;
    written.push(oid);
    Ok(oid)
}

/// Flushes new loose objects; one that is not loose is in a pack, which was flushed when it was made.
pub(super) fn flush(repo: &Repo, written: &[Oid]) -> Result<(), LedgerError> {
    let mut oids = written.to_vec();
    oids.sort_unstable();
    oids.dedup();
    let objects = repo.path().join("objects");
    for oid in oids {
        let hex = oid.to_string();
        let path = objects.join(&hex[..2]).join(&hex[2..]);
        if let Ok(file) = File::open(&path) {
            file.sync_all().map_err(LedgerError::io("flush", &path))?;
        }
    }
    Ok(())
}
