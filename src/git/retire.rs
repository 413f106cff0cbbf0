//! Removing a work tree: the one way, and only with proof that nothing is lost.

use std::fs;
use std::path::{Path, PathBuf};

use super::preserve::Holdings;
use super::worktree::WorktreeInfo;
use super::{GitError, Oid, Preserved, Repo, Worktree};
use crate::base::Time;

/// What to remove.
#[derive(Debug, Clone)]
pub struct Retire<'a> {
    /// The work tree.
    pub worktree: &'a Path,
    /// The address of the agent whose work it is.
    pub agent: &'a str,
    /// The current time.
    pub now: Time,
    /// Delete its branch as well.
    pub delete_branch: bool,
    /// Save, prove and say what would be removed, and remove nothing.
    pub dry_run: bool,
}

/// What was removed, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// What was saved first.
    pub preserved: Preserved,
    /// The work tree that is gone; none if it was gone before.
    pub removed: Option<PathBuf>,
    /// The branch that is gone, and where it was.
    pub branch: Option<(String, Oid)>,
}

/// How often a work tree may change under our hands before we give up.
const TRIES: usize = 5;

impl Repo {
    /// Saves what the work tree holds, proves that every commit and every file of it is reachable from a ref that
    /// stays, and only then removes it. May be interrupted anywhere and run again.
    ///
    /// Files that the repository ignores (build output) go with it.
    pub fn retire(&self, what: &Retire<'_>) -> Result<Retired, GitError> {
        let _mine = self.lock_tree(what.worktree)?;
        self.sweep();
        let Some(info) = self.worktree_at(what.worktree)? else {
            let preserved = Preserved { head: None, branch: None, clean: false, saved: None };
            return Ok(Retired { preserved, removed: None, branch: None });
        };
        let refname = info.branch.as_ref().map(|b| format!("refs/heads/{b}"));
        let going: Vec<&str> = refname.as_deref().into_iter().filter(|_| what.delete_branch).collect();
        let mut preserved = self.preserve_without(&info, what.agent, what.now, &going)?;
        let mut tries = 0;
        let holds = loop {
            let holds = self.holdings(&info)?;
            if self.proven(&holds, &going, what.agent)? {
                break holds;
            }
            tries += 1;
            if tries == TRIES {
                let lost = self.lost_without(&going, &holds.roots())?;
                return Err(GitError::WouldLose { what: format!("removing `{}`", info.path.display()), lost });
            }
            // It changed while we saved it: save the newer state, too.
            let again = self.preserve_without(&info, what.agent, what.now, &going)?;
            preserved.clean &= again.clean;
            preserved.saved = again.saved.or(preserved.saved);
        };
        let branch = match (&info.branch, holds.head) {
            (Some(name), Some(tip)) if what.delete_branch => Some((name.clone(), tip)),
            _ => None,
        };
        if !what.dry_run {
            self.remove(&info)?;
            if let (Some(refname), Some((_, tip))) = (&refname, &branch) {
                self.drop_ref(refname, *tip)?;
            }
        }
        Ok(Retired { preserved, removed: Some(info.path), branch })
    }

    /// The proof: all commits reachable without the refs that go, and the files and the index as they are now
    /// saved or equal to HEAD.
    fn proven(&self, holds: &Holdings, going: &[&str], agent: &str) -> Result<bool, GitError> {
        if !self.lost_without(going, &holds.roots())?.is_empty() {
            return Ok(false);
        }
        let mut kept: Vec<Oid> = Vec::new();
        if let Some(head) = holds.head {
            kept.push(self.tree_of(head)?);
        } else {
            kept.push(self.raw().treebuilder(None)?.write()?);
        }
        let saved = self.saved(agent)?;
        for state in &saved {
            kept.push(self.tree_of(state.commit)?);
            if let Some(staged) = state.staged {
                kept.push(self.tree_of(staged)?);
            }
        }
        let nested_saved =
            holds.nested.iter().all(|path| saved.iter().any(|s| s.nested.iter().any(|(p, _)| p == path)));
        Ok(kept.contains(&holds.tree) && kept.contains(&holds.staged) && nested_saved)
    }

    /// Moves the folder and its private folder aside, each at once, and deletes them there.
    fn remove(&self, info: &WorktreeInfo) -> Result<(), GitError> {
        let trash = self.path().join("gt-trash");
        fs::create_dir_all(&trash).map_err(GitError::io("create", &trash))?;
        let place = tempfile::Builder::new().prefix("worktree-").tempdir_in(&trash);
        let place = place.map_err(GitError::io("create a folder in", &trash))?.keep();
        if info.path.exists() && !info.missing && fs::rename(&info.path, place.join("files")).is_err() {
            // Another file system: in place, then.
            delete(&info.path)?;
        }
        fs::rename(&info.admin, place.join("admin")).map_err(GitError::io("remove", &info.admin))?;
        delete(&place)
    }

    /// Deletes what an interrupted removal left.
    fn sweep(&self) {
        let trash = self.path().join("gt-trash");
        for entry in fs::read_dir(trash).into_iter().flatten().flatten() {
            // Tried again at the next removal.
            drop(delete(&entry.path()));
        }
    }

    /// Drops the private folder of a work tree whose files are gone, after saving what it still names.
    pub(super) fn forget_missing(&self, info: &WorktreeInfo) -> Result<(), GitError> {
        let gone = WorktreeInfo { missing: true, ..info.clone() };
        let holds = self.holdings(&gone)?;
        let head_tree = match holds.head {
            Some(head) => self.tree_of(head)?,
            None => holds.staged,
        };
        if holds.staged != head_tree || !self.lost_without(&[], &holds.roots())?.is_empty() {
            let agent = info.admin.file_name().map(|n| format!("missing/{}", n.to_string_lossy())).unwrap_or_default();
            let at = info.admin.join("logs/HEAD").metadata().and_then(|m| m.modified()).ok();
            let at = at.and_then(|t| jiff::Timestamp::try_from(t).ok()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
            self.preserve_without(&gone, &agent, Time::utc(at), &[])?;
        }
        self.remove(&gone)
    }

    /// Brings a saved state back as a work tree at `path`: HEAD, files and index as they were, on its branch if
    /// that is free, else detached. Nested repositories stay under their refs.
    pub fn restore(&self, refname: &str, path: &Path) -> Result<Worktree, GitError> {
        let saved = self.saved("")?.into_iter().find(|s| s.refname == refname);
        let saved = saved.ok_or_else(|| GitError::NoSuch(format!("saved state `{refname}`")))?;
        let head = saved.head.unwrap_or(saved.commit);
        let free = |branch: &String| -> Result<bool, GitError> {
            let at = self.oid_of(&format!("refs/heads/{branch}"))?;
            let used = self.worktrees()?.iter().any(|w| w.branch.as_ref() == Some(branch));
            Ok(!used && (at.is_none() || at == Some(head)))
        };
        let tree = match saved.branch {
            Some(branch) if free(&branch)? => self.worktree_add(path, &branch, head)?,
            _ => self.worktree_add_detached(path, head)?,
        };
        let git = || super::Git::in_tree(path);
        git().args(["read-tree", "--reset", "-u", &format!("{}^{{tree}}", saved.commit)]).ok()?;
        let index = saved.staged.unwrap_or(head);
        git().args(["read-tree", "--reset", &format!("{index}^{{tree}}")]).ok()?;
        git().args(["update-index", "-q", "--refresh"]).run()?;
        Ok(tree)
    }
}

/// Deletes a folder; read-only folders in it (module caches) are made writable first.
fn delete(path: &Path) -> Result<(), GitError> {
    if fs::remove_dir_all(path).is_ok() || !path.exists() {
        return Ok(());
    }
    writable(path);
    fs::remove_dir_all(path).map_err(GitError::io("remove", path))
}

fn writable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(meta) = path.symlink_metadata() else { return };
    if meta.is_dir() {
        drop(fs::set_permissions(path, fs::Permissions::from_mode(meta.permissions().mode() | 0o700)));
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            writable(&entry.path());
        }
    }
}
