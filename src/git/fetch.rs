//! Fetching: what the remote has now. Nothing is pruned, and a branch that was rewritten keeps its old tip.

use std::collections::BTreeMap;
use std::time::Duration;

use super::program::NETWORK;
use super::{GitError, Oid, Repo};

/// What a fetch changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Remote branches that moved or appeared.
    pub changed: Vec<RefChange>,
}

/// One branch of the remote that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefChange {
    /// The full name here, as in `refs/remotes/origin/main`.
    pub refname: String,
    /// Where it was.
    pub old: Option<Oid>,
    /// Where it is.
    pub new: Oid,
    /// The remote rewrote the branch: the new tip does not contain the old one.
    pub rewritten: bool,
}

impl Repo {
    /// Fetches all branches of `origin`.
    pub fn fetch(&self) -> Result<Fetched, GitError> {
        self.fetch_with("origin", &mut |_| {})
    }

    /// Fetches all branches of `remote`, which must be configured; `progress` gets git's progress lines.
    ///
    /// The old tip of a branch that the remote rewrote stays reachable as
    /// `refs/gt/rewritten/<remote>/<branch>/<short id>`.
    pub fn fetch_with(&self, remote: &str, progress: &mut dyn FnMut(&str)) -> Result<Fetched, GitError> {
        self.fetch_within(remote, NETWORK, progress)
    }

    /// Fetches as [`Repo::fetch_with`] does, and gives up after `limit`: a remote that does not answer in time is one
    /// that cannot be reached.
    pub fn fetch_within(
        &self,
        remote: &str,
        limit: Duration,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Fetched, GitError> {
        let prefix = format!("refs/remotes/{remote}/");
        let before: BTreeMap<String, Oid> = self.refs(&prefix)?.into_iter().collect();
        let done = self
            .program()
            .args(["fetch", "--progress", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules"])
            .args(["--no-prune", "--", remote])
            .limit(limit)
            .each_line(progress)
            .run()
            .map_err(|error| match error {
                GitError::Timeout { .. } => {
                    GitError::Unreachable { remote: self.shown(remote), message: error.to_string() }
                }
                other => other,
            })?;
        if done.code != 0 {
            return Err(GitError::Unreachable { remote: self.shown(remote), message: complaint(&done.stderr) });
        }
        if self.raw().find_reference(&format!("{prefix}HEAD")).is_err() {
            self.learn_default_branch(remote)?;
        }
        self.refresh()?;
        let head = format!("{prefix}HEAD");
        let mut changed = Vec::new();
        for (refname, new) in self.refs(&prefix)? {
            let old = before.get(&refname).copied();
            if refname == head || old == Some(new) {
                continue;
            }
            let rewritten = match old {
                Some(old) => !self.is_ancestor(old, new)?,
                None => false,
            };
            if let (true, Some(old)) = (rewritten, old) {
                let branch = refname.strip_prefix("refs/remotes/").unwrap_or(&refname);
                let keep = format!("refs/gt/rewritten/{branch}/{}", &old.to_string()[..10]);
                self.set_ref(&keep, old, self.oid_of(&keep)?, "fetch: the remote rewrote this branch")?;
            }
            changed.push(RefChange { refname, old, new, rewritten });
        }
        Ok(Fetched { changed })
    }

    /// A remote as people know it: its address if there is one.
    pub(super) fn shown(&self, remote: &str) -> String {
        self.remote_url(remote).unwrap_or_else(|| remote.to_owned())
    }
}

/// The lines of git's stderr that say what is wrong, without progress.
pub(super) fn complaint(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.split(['\n', '\r']).map(str::trim).filter(|l| !l.is_empty()).collect();
    let telling = |l: &&&str| ["fatal:", "error:", "remote:", "ssh:", "!"].iter().any(|p| l.starts_with(p));
    let chosen: Vec<&str> = lines.iter().filter(telling).copied().collect();
    let chosen = if chosen.is_empty() { lines } else { chosen };
    crate::base::text::printable(&chosen.join("; ")).chars().take(600).collect()
}
