//! What a work tree holds: head, branch, changes, and operations that were begun and not ended.

use std::path::Path;

use super::{Git, GitError, Oid};

/// The state of one work tree. A read: no lock is taken, nothing is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorktreeState {
    /// The commit that is checked out; none before the first commit.
    pub head: Option<Oid>,
    /// The short name of the branch; none when detached.
    pub branch: Option<String>,
    /// Tracked files that differ from HEAD, staged or not.
    pub dirty: Vec<String>,
    /// Files that git does not know and does not ignore. A nested repository is one entry ending in `/`.
    pub untracked: Vec<String>,
    /// Files in conflict (also in `dirty`).
    pub unmerged: Vec<String>,
    /// A merge, rebase or the like that waits for its end.
    pub in_progress: Option<InProgress>,
}

impl WorktreeState {
    /// Nothing to commit and nothing begun.
    pub fn clean(&self) -> bool {
        self.dirty.is_empty() && self.untracked.is_empty() && self.in_progress.is_none()
    }
}

/// Operations that leave a work tree in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InProgress {
    /// `git merge` with conflicts.
    Merge,
    /// `git rebase`.
    Rebase,
    /// `git am`.
    Apply,
    /// `git cherry-pick`.
    CherryPick,
    /// `git revert`.
    Revert,
    /// `git bisect`.
    Bisect,
}

impl InProgress {
    /// The git command that it belongs to.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Rebase => "rebase",
            Self::Apply => "am",
            Self::CherryPick => "cherry-pick",
            Self::Revert => "revert",
            Self::Bisect => "bisect",
        }
    }
}

/// Reads the state of the work tree at `path`.
pub fn worktree_state(path: &Path) -> Result<WorktreeState, GitError> {
    let out = Git::in_tree(path)
        .args(["status", "--porcelain=v2", "-z", "--branch", "--untracked-files=all", "--ignore-submodules=none"])
        .arg("--no-ahead-behind")
        .bytes()
        .map_err(|e| match e {
            GitError::Failed { ref message, .. } if message.contains("not a git repository") => {
                GitError::NotARepository(path.to_owned())
            }
            other => other,
        })?;
    let mut state = parse(&String::from_utf8_lossy(&out));
    let repo = git2::Repository::open(path)?;
    state.in_progress = in_progress(repo.path());
    Ok(state)
}

fn parse(text: &str) -> WorktreeState {
    let mut state = WorktreeState::default();
    let mut records = text.split('\0');
    while let Some(record) = records.next() {
        let Some((kind, rest)) = record.split_once(' ') else { continue };
        let path = |fields: usize| rest.splitn(fields, ' ').last().unwrap_or_default().to_owned();
        match kind {
            "#" => {
                if let Some(oid) = rest.strip_prefix("branch.oid ") {
                    state.head = Oid::from_str(oid).ok();
                } else if let Some(name) = rest.strip_prefix("branch.head ") {
                    state.branch = (name != "(detached)").then(|| name.to_owned());
                }
            }
            "1" => state.dirty.push(path(8)),
            "2" => {
                state.dirty.push(path(9));
                state.dirty.extend(records.next().map(str::to_owned));
            }
            "u" => {
                state.dirty.push(path(10));
                state.unmerged.push(path(10));
            }
            "?" => state.untracked.push(rest.to_owned()),
            _ => {}
        }
    }
    state
}

fn in_progress(git_dir: &Path) -> Option<InProgress> {
    let has = |name: &str| git_dir.join(name).exists();
    Some(if has("rebase-merge") || has("rebase-apply/rebasing") {
        InProgress::Rebase
    } else if has("rebase-apply") {
        InProgress::Apply
    } else if has("MERGE_HEAD") {
        InProgress::Merge
    } else if has("CHERRY_PICK_HEAD") {
        InProgress::CherryPick
    } else if has("REVERT_HEAD") {
        InProgress::Revert
    } else if has("BISECT_LOG") {
        InProgress::Bisect
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::fixture::Fixture;

    #[test]
    fn names_with_blanks_and_renames_are_read() {
        let text = "# branch.oid 0123456789012345678901234567890123456789\0# branch.head gt/toast/gt-a1\0\
                    1 .M N... 100644 100644 100644 aa bb a b.txt\0\
                    2 R. N... 100644 100644 100644 aa bb R100 new name\0old name\0\
                    u UU N... 100644 100644 100644 100644 a b c both ways\0? un tracked\0";
        let state = parse(text);
        assert_eq!(state.branch.as_deref(), Some("gt/toast/gt-a1"));
        assert_eq!(state.dirty, ["a b.txt", "new name", "old name", "both ways"]);
        assert_eq!(
            (state.unmerged.as_slice(), state.untracked.as_slice()),
            (&["both ways".to_owned()][..], &["un tracked".to_owned()][..])
        );
    }

    #[test]
    fn a_work_tree_tells_its_state() {
        let f = Fixture::new();
        let seed = f.at("seed");
        assert!(worktree_state(&seed).expect("state").clean());
        f.write("seed/new/deep.txt", "x");
        f.write("seed/README.md", "changed\n");
        let state = worktree_state(&seed).expect("state");
        assert_eq!((state.dirty, state.untracked), (vec!["README.md".to_owned()], vec!["new/deep.txt".to_owned()]));
        assert!(matches!(worktree_state(f.dir.path()), Err(GitError::NotARepository(_))));
    }

    #[test]
    fn a_merge_that_waits_is_seen() {
        let f = Fixture::new();
        let seed = f.at("seed");
        f.git("seed", &["switch", "-qc", "side"]);
        f.write("seed/README.md", "side\n");
        f.git("seed", &["commit", "-qam", "side"]);
        f.git("seed", &["switch", "-q", "main"]);
        f.write("seed/README.md", "main\n");
        f.git("seed", &["commit", "-qam", "main"]);
        assert!(!f.try_git("seed", &["merge", "side"]));
        let state = worktree_state(&seed).expect("state");
        assert_eq!(state.in_progress, Some(InProgress::Merge));
        assert_eq!(state.unmerged, ["README.md"]);
        assert!(!f.try_git("seed", &["rebase", "side"]));
    }
}
