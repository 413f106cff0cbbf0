//! Git's own locks whose holder is gone.
//!
//! Whoever changes a ref, `git` or libgit2, makes `REF.lock` beside it, writes there and renames it. A process that is
//! killed in between leaves that file; nothing in it says whose it was, and nobody can change the ref any more. It is
//! held for as long as a few bytes take to write, so one that stays as it is for [`GRACE`] is dead, and goes.
//!
//! The lock of an index is another matter: a commit holds it while its hooks and its editor run. It goes where it is known
//! that nobody works in the tree: [`Repo::forget_locks_of`].

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::worktree::lock;
use super::{GitError, Repo};
use crate::base::process::pause;

/// So long a lock that is held for a moment only may stay the same before it counts as left behind.
const GRACE: Duration = Duration::from_secs(2);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);
/// Held by whoever takes a dead lock away, in the repository's folder: of two who found it dead, the second looks again.
const TAKING: &str = "gt-dead-locks.lock";

/// Waits until git's lock at `path`, in the repository at `home`, is gone: given back by its holder, or taken away because
/// that one is dead. False where it stays.
pub(super) fn outlived(home: &Path, path: &Path) -> bool {
    let mut since = Instant::now();
    let Some(mut seen) = Seen::of(path) else { return true };
    while since.elapsed() < GRACE {
        pause(LOOK);
        match Seen::of(path) {
            None => return true,
            Some(now) if now != seen => (seen, since) = (now, Instant::now()),
            Some(_) => {}
        }
    }
    let Ok(_taking) = lock(home.join(TAKING)) else { return false };
    if Seen::of(path).is_none_or(|now| now != seen) {
        return true;
    }
    tracing::warn!(lock = %path.display(), "a lock of git's whose holder is gone is taken away");
    fs::remove_file(path).is_ok()
}

/// The locks that git says are in its way, of those in the folder `home` that are held for a moment only.
///
/// Nothing outside of that folder is believed: what a remote prints comes the same way.
pub(super) fn in_the_way(home: &Path, said: &str) -> Vec<PathBuf> {
    let home = super::worktree::real(home);
    let named = said.lines().filter_map(|line| {
        let (_, rest) = line.split_once("Unable to create '")?;
        let (path, _) = rest.split_once("': File exists")?;
        let path = super::worktree::real(Path::new(path));
        let name = path.file_name()?.to_str()?;
        let brief = name.ends_with(".lock") && !["index.lock", "shallow.lock"].contains(&name);
        (brief && path.starts_with(&home)).then_some(path)
    });
    let mut found: Vec<PathBuf> = named.collect();
    found.dedup();
    found
}

/// What tells one lock from the next of that name.
#[derive(PartialEq)]
struct Seen(u64, i64, i64, u64);

impl Seen {
    fn of(path: &Path) -> Option<Self> {
        let meta = fs::symlink_metadata(path).ok()?;
        Some(Self(meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.len()))
    }
}

impl Repo {
    /// Drops the locks of index, HEAD and branch that a killed git left in the work tree at `path`. The caller knows that
    /// nobody works there now.
    pub fn forget_locks_of(&self, path: &Path) -> Result<(), GitError> {
        let Some(tree) = self.worktree_at(path)? else { return Ok(()) };
        let branch = tree.branch.map(|branch| self.path().join(format!("refs/heads/{branch}.lock")));
        for left in ["index.lock", "HEAD.lock"].map(|name| tree.admin.join(name)).into_iter().chain(branch) {
            match fs::remove_file(&left) {
                Ok(()) => tracing::warn!(lock = %left.display(), "a lock that a killed git left is taken away"),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(GitError::io("remove", left)(e)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::fixture::Fixture;

    const REF: &str = "refs/gt/mr/gt-mr-1";

    #[test]
    fn a_ref_whose_lock_was_left_behind_can_be_set_and_dropped() {
        let f = Fixture::new();
        let repo = f.repo();
        let one = f.commit_on("refs/heads/one", None, &[("a", "1")]);
        f.write(&format!(".repo.git/{REF}.lock"), "");
        repo.set_ref(REF, one, None, "handed in").expect("set in spite of the lock");
        assert_eq!(repo.oid_of(REF).expect("read"), Some(one));
        f.write(&format!(".repo.git/{REF}.lock"), "");
        f.write(".repo.git/packed-refs.lock", "half a li");
        repo.delete_ref_if(REF, one).expect("dropped in spite of both locks");
        assert_eq!(repo.oid_of(REF).expect("read"), None);
    }

    #[test]
    fn a_fetch_goes_through_what_a_killed_fetch_left() {
        let f = Fixture::new();
        f.write("seed/more.txt", "more\n");
        f.git("seed", &["add", "-A"]);
        f.git("seed", &["commit", "-qm", "more"]);
        f.git("seed", &["push", "-q", "../remote.git", "main"]);
        f.write(".repo.git/refs/remotes/origin/main.lock", "");
        f.repo().fetch().expect("fetched");
        let main = f.repo().oid_of("refs/remotes/origin/main").expect("read").map(|oid| oid.to_string());
        assert_eq!(main, Some(f.git("seed", &["rev-parse", "HEAD"])));
    }

    #[test]
    fn a_lock_that_is_given_back_is_not_taken() {
        let f = Fixture::new();
        let path = f.at(".repo.git/x.lock");
        fs::write(&path, "").expect("write");
        std::thread::scope(|s| {
            let waiting = s.spawn(|| outlived(&f.at(".repo.git"), &path));
            // Its holder writes now and then, which keeps it, and gives it back.
            let begun = Instant::now();
            for n in 1.. {
                fs::write(&path, "x".repeat(n)).expect("write");
                if begun.elapsed() > GRACE + GRACE / 4 {
                    break;
                }
                pause(GRACE / 20);
            }
            assert!(path.exists(), "it was taken from a living holder");
            fs::remove_file(&path).expect("given back");
            assert!(waiting.join().expect("joins"));
        });
    }

    #[test]
    fn only_brief_locks_of_this_repository_count() {
        let f = Fixture::new();
        let at = |name: &str| f.at(name).display().to_string();
        let said = format!(
            "error: cannot lock ref 'refs/a': Unable to create '{}': File exists.\n\
             fatal: Unable to create '{}': File exists.\nfatal: Unable to create '{}': File exists.\n\
             fatal: Unable to create '{}': File exists.\nfatal: Unable to create '{}': File exists.",
            at(".repo.git/refs/a.lock"),
            at(".repo.git/worktrees/toast/index.lock"),
            at("elsewhere/refs/a.lock"),
            at(".repo.git/../elsewhere/a.lock"),
            at(".repo.git/refs/a"),
        );
        assert_eq!(
            in_the_way(&f.at(".repo.git"), &said),
            [super::super::worktree::real(&f.at(".repo.git/refs/a.lock"))]
        );
    }

    #[test]
    fn a_tree_whose_git_was_killed_takes_commits_again() {
        let f = Fixture::new();
        let repo = f.repo();
        let start = repo.oid_of("refs/remotes/origin/main").expect("read").expect("main");
        repo.worktree_add(&f.at("p/toast"), "gt/toast/gt-a1", start).expect("add");
        for lock in ["worktrees/toast/index.lock", "worktrees/toast/HEAD.lock", "refs/heads/gt/toast/gt-a1.lock"] {
            f.write(&format!(".repo.git/{lock}"), "");
        }
        f.write("p/toast/new.txt", "new\n");
        assert!(!f.try_git("p/toast", &["add", "-A"]));
        repo.forget_locks_of(&f.at("p/toast")).expect("forgotten");
        f.git("p/toast", &["add", "-A"]);
        f.git("p/toast", &["commit", "-qm", "new"]);
        repo.forget_locks_of(&f.at("p/nobody")).expect("no such tree: nothing to do");
    }
}
