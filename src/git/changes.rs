//! What the work in a folder has changed, for those who have nothing but the folder.

use std::collections::BTreeSet;
use std::path::Path;

use super::{GitError, Oid, Repo, worktree_state};
use crate::base::Time;

/// The paths that the work tree at `folder` has changed: what its branch adds to the default branch, what was
/// committed since `since`, and what is not committed yet. Rather a path too many than one too few: whoever has
/// merged others' work since then gets that too.
pub fn changed_since(folder: &Path, since: Time) -> Result<Vec<String>, GitError> {
    let state = worktree_state(folder)?;
    let mut paths: BTreeSet<String> = state.dirty.into_iter().chain(state.untracked).collect();
    if let Some(head) = state.head {
        let repo = Repo::open(folder)?;
        if let Some(base) = repo.left_default_at(head)? {
            paths.extend(repo.between(Some(base), head)?);
        }
        let before = repo.last_before(head, since)?;
        if before != Some(head) {
            paths.extend(repo.between(before, head)?);
        }
    }
    Ok(paths.into_iter().collect())
}

impl Repo {
    /// Where `head` left the default branch: the remote's, else the local `main` or `master`.
    fn left_default_at(&self, head: Oid) -> Result<Option<Oid>, GitError> {
        let remote = self.default_branch().ok().map(|name| format!("refs/remotes/origin/{name}"));
        for name in remote.iter().map(String::as_str).chain(["refs/heads/main", "refs/heads/master"]) {
            if let Some(tip) = self.oid_of(name)? {
                return self.merge_base(tip, head);
            }
        }
        Ok(None)
    }

    /// The last commit before a time on the way back from `head` by first parents; none when all are later.
    fn last_before(&self, head: Oid, time: Time) -> Result<Option<Oid>, GitError> {
        let mut commit = self.raw().find_commit(head)?;
        // Commits know whole seconds: one of the same second may be a later one.
        while commit.time().seconds() >= time.millis().div_euclid(1000) {
            if commit.parent_count() == 0 {
                return Ok(None);
            }
            commit = commit.parent(0)?;
        }
        Ok(Some(commit.id()))
    }

    /// The paths in which two commits differ; without the first, all of the second.
    fn between(&self, from: Option<Oid>, to: Oid) -> Result<Vec<String>, GitError> {
        let old = from.map(|from| self.raw().find_commit(from).and_then(|c| c.tree())).transpose()?;
        let new = self.raw().find_commit(to)?.tree()?;
        let diff = self.raw().diff_tree_to_tree(old.as_ref(), Some(&new), None)?;
        let both = diff.deltas().flat_map(|delta| {
            let path = |file: git2::DiffFile<'_>| file.path_bytes().map(|b| String::from_utf8_lossy(b).into_owned());
            path(delta.old_file()).into_iter().chain(path(delta.new_file())).collect::<Vec<_>>()
        });
        Ok(both.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    #[test]
    fn a_change_is_what_the_branch_adds_what_came_since_and_what_is_not_committed() {
        let fixture = Fixture::new();
        let all = fixture.at("work");
        fixture.git(".", &["init", "-q", "work"]);
        let commit = |name: &str, at: &str| {
            fixture.write(&format!("work/{name}"), name);
            fixture.git("work", &["add", "."]);
            fixture.git("work", &["-c", &format!("user.name={at}"), "commit", "-q", "-m", name]);
        };
        let touched = |since: Time| changed_since(&all, since).expect("can be told");
        fixture.write("work/new", "new");
        assert_eq!(touched(Time::from_millis(0)), ["new"], "nothing is committed yet");
        commit("a", "one");
        assert_eq!(touched(Time::from_millis(0)), ["a", "new"], "all is later");
        let later = Time::from_millis(i64::MAX / 2);
        assert_eq!(touched(later), Vec::<String>::new(), "all is earlier, and on the default branch");
        fixture.git("work", &["checkout", "-q", "-b", "topic"]);
        commit("b", "two");
        fixture.write("work/a", "changed");
        assert_eq!(touched(later), ["a", "b"]);
    }
}
