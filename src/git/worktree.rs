//! Work trees of a rig's repository: made in two steps that can each be repeated, found, brought back.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::{Git, GitError, Oid, Repo};

/// A work tree that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worktree {
    /// Where it is.
    pub path: PathBuf,
    /// The short name of its branch; none when detached.
    pub branch: Option<String>,
    /// The commit that is checked out.
    pub head: Oid,
    /// Made (or completed) by this call; false if it was there.
    pub created: bool,
}

/// A work tree that the repository knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorktreeInfo {
    /// Where it is, or was.
    pub path: PathBuf,
    /// Its private folder in the repository: HEAD, index, reflog.
    pub admin: PathBuf,
    /// The short name of its branch; none when detached.
    pub branch: Option<String>,
    /// The commit of its HEAD.
    pub head: Option<Oid>,
    /// Its folder is gone.
    pub missing: bool,
}

impl WorktreeInfo {
    /// Whether it is there with all its files, which somebody may have worked on since.
    pub fn is_whole(&self) -> bool {
        !self.missing && complete(&self.admin)
    }
}

impl Repo {
    /// Makes a work tree at `path` on branch `branch`, created at `start` if it does not exist.
    ///
    /// If that work tree is there, it is left as it is; if its making was interrupted, it is completed. An
    /// existing branch is checked out where it is and never moved.
    pub fn worktree_add(&self, path: &Path, branch: &str, start: Oid) -> Result<Worktree, GitError> {
        self.add(path, Some(branch), start)
    }

    /// Makes a work tree at `path` with no branch, at `commit`. If it is there, it is moved to `commit` provided
    /// that it is clean; if its making was interrupted, it is completed.
    pub fn worktree_add_detached(&self, path: &Path, commit: Oid) -> Result<Worktree, GitError> {
        let there = self.add(path, None, commit)?;
        if there.head == commit {
            return Ok(there);
        }
        let done = Git::in_tree(path).args(["checkout", "--quiet", "--detach", &commit.to_string(), "--"]).run()?;
        if done.code != 0 {
            return Err(GitError::Failed { what: "checkout".to_owned(), message: done.stderr });
        }
        Ok(Worktree { head: commit, created: true, ..there })
    }

    /// All work trees of this repository, in order of path.
    pub fn worktrees(&self) -> Result<Vec<WorktreeInfo>, GitError> {
        let folder = self.path().join("worktrees");
        let mut found = Vec::new();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(found),
            Err(e) => return Err(GitError::io("read", folder)(e)),
        };
        for entry in entries {
            let admin = entry.map_err(GitError::io("read", &folder))?.path();
            let Ok(text) = fs::read_to_string(admin.join("gitdir")) else { continue };
            let dot_git = admin.join(text.trim_end());
            let Some(path) = dot_git.parent().map(real) else { continue };
            let head = fs::read_to_string(admin.join("HEAD")).unwrap_or_default();
            let branch = head.trim().strip_prefix("ref: refs/heads/").map(str::to_owned);
            let head = match &branch {
                Some(branch) => self.oid_of(&format!("refs/heads/{branch}"))?,
                None => Oid::from_str(head.trim()).ok(),
            };
            found.push(WorktreeInfo { missing: !dot_git.exists(), path, admin, branch, head });
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// The work tree at `path`, if this repository has one there.
    pub fn worktree_at(&self, path: &Path) -> Result<Option<WorktreeInfo>, GitError> {
        let path = real(path);
        Ok(self.worktrees()?.into_iter().find(|w| w.path == path))
    }

    fn add(&self, path: &Path, branch: Option<&str>, start: Oid) -> Result<Worktree, GitError> {
        let _mine = self.lock_tree(path)?;
        let (info, begun) = self.find_or_begin(path, branch, start)?;
        if let Some(wanted) = branch
            && info.branch.as_deref() != Some(wanted)
        {
            let on = info.branch.as_deref().unwrap_or("no branch");
            return Err(GitError::PathTaken { path: path.to_owned(), is: format!("a worktree on {on}") });
        }
        let created = begun || !complete(&info.admin);
        if created {
            checkout(&info, path)?;
        }
        Ok(Worktree { path: path.to_owned(), branch: info.branch, head: info.head.unwrap_or(start), created })
    }

    fn find_or_begin(&self, path: &Path, branch: Option<&str>, start: Oid) -> Result<(WorktreeInfo, bool), GitError> {
        // git itself is not safe against two `worktree add` at once.
        let _all = lock(self.path().join("gt-worktrees.lock"))?;
        if let Some(found) = self.worktree_at(path)? {
            if !found.missing && (complete(&found.admin) || !only_dot_git(path)) {
                return Ok((found, false));
            }
            // Its folder is gone, or it died before a file was checked out. What its private folder still holds
            // (a reflog, an index) is kept before the folder goes.
            self.forget_missing(&found)?;
        }
        self.begin(path, branch, start)?;
        let found = self.worktree_at(path)?;
        let found =
            found.ok_or_else(|| GitError::NoSuch(format!("worktree at `{}` after making it", path.display())))?;
        Ok((found, true))
    }

    /// Held while the work tree at `path` is made or removed.
    pub(super) fn lock_tree(&self, path: &Path) -> Result<File, GitError> {
        let name = Oid::hash_object(git2::ObjectType::Blob, real(path).as_os_str().as_encoded_bytes())?;
        let folder = self.path().join("gt-locks");
        fs::create_dir_all(&folder).map_err(GitError::io("create", &folder))?;
        lock(folder.join(name.to_string()))
    }

    /// Step one: the private folder and the `.git` file, no files yet.
    fn begin(&self, path: &Path, branch: Option<&str>, start: Oid) -> Result<(), GitError> {
        if path.exists() && !only_dot_git(path) {
            return Err(GitError::PathTaken { path: path.to_owned(), is: "not a worktree of this rig".to_owned() });
        }
        if path.join(".git").is_file() {
            fs::remove_file(path.join(".git")).map_err(GitError::io("remove", path.join(".git")))?;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(GitError::io("create", parent))?;
        }
        let start = start.to_string();
        let mut git = self.program().args(["worktree", "add", "--quiet", "--no-checkout"]);
        match branch {
            None => git = git.arg("--detach").arg("--").arg(path).arg(&start),
            Some(branch) => {
                let refname = format!("refs/heads/{branch}");
                if !git2::Reference::is_valid_name(&refname) || branch.starts_with('-') {
                    return Err(GitError::NoSuch(format!("branch name `{branch}`: git does not allow it")));
                }
                if let Some(other) = self.worktrees()?.into_iter().find(|w| w.branch.as_deref() == Some(branch)) {
                    return Err(GitError::BranchInUse { branch: branch.to_owned(), path: other.path });
                }
                git = if self.oid_of(&refname)?.is_some() {
                    git.arg("--").arg(path).arg(branch)
                } else {
                    git.arg("--no-track").arg("-b").arg(branch).arg("--").arg(path).arg(&start)
                };
            }
        }
        git.ok().map(drop)
    }
}

/// Step two: the files. The index is written last, so a work tree without one is not complete; nobody has worked
/// in it, because it is handed out only when it is.
fn checkout(info: &WorktreeInfo, path: &Path) -> Result<(), GitError> {
    // Left by a git that was killed; its writer is gone, because we hold the tree's lock.
    let stale = info.admin.join("index.lock");
    if stale.exists() {
        fs::remove_file(&stale).map_err(GitError::io("remove", stale))?;
    }
    Git::in_tree(path).args(["reset", "--quiet", "--hard", "--no-recurse-submodules"]).ok()?;
    Ok(())
}

pub(super) fn lock(path: PathBuf) -> Result<File, GitError> {
    let file = File::create(&path).map_err(GitError::io("create", &path))?;
    file.lock().map_err(GitError::io("lock", &path))?;
    Ok(file)
}

fn complete(admin: &Path) -> bool {
    admin.join("index").exists()
}

/// A folder that holds nothing but perhaps the `.git` file of a work tree.
fn only_dot_git(path: &Path) -> bool {
    fs::read_dir(path)
        .is_ok_and(|mut entries| entries.all(|e| e.is_ok_and(|e| e.file_name() == ".git" && e.path().is_file())))
}

/// `path` with links resolved as far as it exists.
pub(super) fn real(path: &Path) -> PathBuf {
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => real(parent).join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::fixture::Fixture;

    fn main_tip(f: &Fixture) -> Oid {
        f.repo().oid_of("refs/remotes/origin/main").expect("read").expect("main")
    }

    #[test]
    fn adding_again_changes_nothing() {
        let f = Fixture::new();
        let (repo, start, path) = (f.repo(), main_tip(&f), f.at("polecats/toast"));
        let made = repo.worktree_add(&path, "gt/toast/gt-a1", start).expect("add");
        assert!(made.created);
        f.write("polecats/toast/README.md", "work\n");
        f.git("polecats/toast", &["commit", "-qam", "work"]);
        f.write("polecats/toast/more.txt", "more\n");
        let again = repo.worktree_add(&path, "gt/toast/gt-a1", start).expect("add");
        assert!(!again.created);
        assert_ne!(again.head, start);
        assert!(path.join("more.txt").exists());
        assert_eq!(repo.worktrees().expect("list").len(), 1);
    }

    #[test]
    fn an_interrupted_making_is_completed() {
        let f = Fixture::new();
        let (repo, start, path) = (f.repo(), main_tip(&f), f.at("p/toast"));
        // Killed after step one.
        repo.begin(&path, Some("b"), start).expect("begin");
        assert!(repo.worktree_add(&path, "b", start).expect("add").created);
        assert_eq!(fs::read_to_string(path.join("README.md")).expect("file"), "hello\n");
        // Killed in step two: files half there, the index not.
        let admin = repo.worktree_at(&path).expect("find").expect("there").admin;
        fs::rename(admin.join("index"), admin.join("index.lock")).expect("rename");
        fs::remove_file(path.join("README.md")).expect("remove");
        assert!(repo.worktree_add(&path, "b", start).expect("add").created);
        assert!(path.join("README.md").exists());
        assert!(crate::git::worktree_state(&path).expect("state").clean());
    }

    #[test]
    fn a_killed_git_worktree_add_is_begun_again() {
        let f = Fixture::new();
        let (repo, start, path) = (f.repo(), main_tip(&f), f.at("p/toast"));
        repo.begin(&path, Some("b"), start).expect("begin");
        fs::remove_dir_all(&path).expect("remove");
        let admin = repo.worktree_at(&path).expect("find").expect("there").admin;
        fs::write(admin.join("locked"), "initializing").expect("write");
        let made = repo.worktree_add(&path, "b", start).expect("add");
        assert!(made.created && path.join("README.md").exists());
        assert_eq!(repo.worktrees().expect("list").len(), 1);
    }

    #[test]
    fn what_is_in_the_way_is_not_touched() {
        let f = Fixture::new();
        let (repo, start) = (f.repo(), main_tip(&f));
        f.write("p/mine/notes.txt", "mine");
        assert!(matches!(repo.worktree_add(&f.at("p/mine"), "b", start), Err(GitError::PathTaken { .. })));
        assert!(f.at("p/mine/notes.txt").exists());
        repo.worktree_add(&f.at("p/a"), "b", start).expect("add");
        assert!(matches!(repo.worktree_add(&f.at("p/c"), "b", start), Err(GitError::BranchInUse { .. })));
        assert!(matches!(repo.worktree_add(&f.at("p/a"), "other", start), Err(GitError::PathTaken { .. })));
        assert!(repo.worktree_add(&f.at("p/d"), "a..b", start).is_err());
    }

    #[test]
    fn a_scratch_tree_moves_from_commit_to_commit() {
        let f = Fixture::new();
        let repo = f.repo();
        let one = f.commit_on("refs/heads/one", None, &[("a", "1")]);
        let two = f.commit_on("refs/heads/two", None, &[("a", "2")]);
        let path = f.at("refinery/scratch");
        repo.worktree_add_detached(&path, one).expect("add");
        assert_eq!(repo.worktree_add_detached(&path, two).expect("add").head, two);
        assert_eq!(fs::read_to_string(path.join("a")).expect("read"), "2");
    }

    #[test]
    fn two_at_once_make_one() {
        let f = Fixture::new();
        let (start, path) = (main_tip(&f), f.at("p/toast"));
        std::thread::scope(|s| {
            let one = || f.repo().worktree_add(&path, "b", start).map(drop);
            let threads: Vec<_> = (0..4).map(|_| s.spawn(one)).collect();
            for thread in threads {
                thread.join().expect("thread").expect("add");
            }
        });
        assert!(crate::git::worktree_state(&path).expect("state").clean());
    }
}
