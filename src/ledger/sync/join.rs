//! Two branches of the ledger become one: a merge commit whose files are merged one by one.

use std::collections::{BTreeMap, BTreeSet};

use super::settle::{Settled, settle};
use crate::base::{BeadId, Time};
use crate::git::{Ident, Oid, Repo};
use crate::ledger::{LedgerError, canonical, direct, layout, merge};

/// A file that the remote has otherwise than we do.
pub(super) struct Change {
    pub(super) id: BeadId,
    ours: Option<String>,
    pub(super) theirs: String,
}

/// The beads' files in which `theirs` differs from `ours`, as far as `theirs` has them, and what else is there.
pub(super) fn changes(repo: &Repo, ours: Option<Oid>, theirs: Oid) -> Result<(Vec<Change>, Vec<String>), LedgerError> {
    let git = repo.raw();
    let tree = |tip: Oid| -> Result<_, LedgerError> { Ok(git.find_commit(tip)?.tree()?) };
    let (our_tree, their_tree) = (ours.map(tree).transpose()?, tree(theirs)?);
    let diff = git.diff_tree_to_tree(our_tree.as_ref(), Some(&their_tree), None)?;
    let (mut found, mut odd) = (Vec::new(), Vec::new());
    for delta in diff.deltas() {
        let (old, new) = (delta.old_file(), delta.new_file());
        // What only we have stays: a deletion is a file that says so.
        if new.id().is_zero() {
            continue;
        }
        let path = new.path().map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
        let id = path.rsplit('/').next().and_then(|name| BeadId::new(name.strip_suffix(".json")?).ok());
        let Some(id) = id.filter(|id| joined(&layout::path(id)) == path) else {
            odd.push(format!("{path}: not where a bead's file is"));
            continue;
        };
        let text = |oid: Oid| -> Result<Option<String>, LedgerError> {
            Ok(String::from_utf8(git.find_blob(oid)?.content().to_vec()).ok())
        };
        let ours = if old.id().is_zero() { None } else { text(old.id())? };
        match text(new.id())? {
            Some(theirs) => found.push(Change { id, ours, theirs }),
            None => odd.push(format!("{path}: no UTF-8")),
        }
    }
    Ok((found, odd))
}

/// The commit that has both: the remote's own when it has all that we have, else a new merge commit. Written and
/// flushed, and no branch moved.
pub(super) fn commit(
    repo: &Repo,
    branch: &str,
    ours: Option<Oid>,
    theirs: Oid,
    changes: &[Change],
    now: Time,
) -> Result<Oid, LedgerError> {
    let Some(ours) = ours else { return Ok(theirs) };
    let git = repo.raw();
    let (our_commit, their_commit) = (git.find_commit(ours)?, git.find_commit(theirs)?);
    let mut update = git2::build::TreeUpdateBuilder::new();
    let mut written = Vec::new();
    let mut paths = BTreeSet::new();
    for (id, file) in files(repo, ours, theirs, changes)? {
        let path = joined(&layout::path(&id));
        let oid = git.blob(file.as_bytes())?;
        written.push(oid);
        update.upsert(path.as_str(), oid, git2::FileMode::Blob);
        paths.insert(path);
    }
    let tree = update.create_updated(git, &our_commit.tree()?)?;
    if tree == their_commit.tree_id() && repo.is_ancestor(ours, theirs)? {
        return Ok(theirs);
    }
    let tree = git.find_tree(tree)?;
    written.push(tree.id());
    for path in &paths {
        let folders = std::path::Path::new(path).ancestors().skip(1).filter(|p| !p.as_os_str().is_empty());
        for folder in folders {
            written.push(tree.get_path(folder)?.id());
        }
    }
    let who = Ident::town().signature(now)?;
    let name = branch.strip_prefix("refs/heads/").unwrap_or(branch);
    let message = format!("{name}: merge {}\n", crate::base::text::count(changes.len(), "bead"));
    let commit = git.commit(None, &who, &who, &message, &tree, &[&our_commit, &their_commit])?;
    written.push(commit);
    direct::flush(repo, &written)?;
    Ok(commit)
}

/// The files in which the merge differs from `ours`; as `theirs` has them when that says the same.
fn files(repo: &Repo, ours: Oid, theirs: Oid, changes: &[Change]) -> Result<BTreeMap<BeadId, String>, LedgerError> {
    let mut all: BTreeMap<BeadId, Vec<String>> = BTreeMap::new();
    let at = |tip: Oid, id: &BeadId| -> Result<Option<String>, LedgerError> {
        let bytes = repo.file_at(tip, &joined(&layout::path(id)))?;
        Ok(bytes.and_then(|b| String::from_utf8(b).ok()))
    };
    for change in changes {
        let parts = all.entry(change.id.clone()).or_default();
        // A file that cannot be merged is kept as the side has it that can be read; both stay in the history.
        let settled = match &change.ours {
            Some(ours) => settle(ours, &change.theirs),
            None => canonical(&change.theirs).map(|stays| Settled { stays, moved: None }),
        };
        let Ok(Settled { stays, moved }) = settled else {
            let ours_is_odd = change.ours.as_ref().is_none_or(|ours| canonical(ours).is_err());
            if ours_is_odd {
                parts.push(change.theirs.clone());
            }
            continue;
        };
        parts.push(stays);
        if let Some(moved) = moved {
            let (ours, theirs) = (at(ours, &moved.to)?, at(theirs, &moved.to)?);
            let parts = all.entry(moved.to).or_default();
            parts.push(moved.doc);
            parts.extend(ours.into_iter().chain(theirs));
        }
    }
    let mut files = BTreeMap::new();
    for (id, parts) in all {
        let odd = |e| LedgerError::odd(&id, e);
        let Some(doc) = parts.into_iter().map(Ok).reduce(|a, b| merge(&a?, &b?)).transpose().map_err(odd)? else {
            continue;
        };
        let same = |text: &String| *text == doc || canonical(text).is_ok_and(|text| text == doc);
        if at(ours, &id)?.as_ref().is_some_and(same) {
            continue;
        }
        let theirs = at(theirs, &id)?.filter(same);
        files.insert(id, theirs.unwrap_or(doc));
    }
    Ok(files)
}

fn joined((outer, inner, name): &(String, String, String)) -> String {
    format!("{outer}/{inner}/{name}")
}
