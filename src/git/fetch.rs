//! Fetching: what the remote has now. Nothing is pruned, and a branch that was rewritten keeps its old tip.

use std::collections::BTreeMap;
use std::time::Duration;

use super::program::NETWORK;
use super::{Cause, GitError, Oid, Repo};

/// One fetch may tell of a part of the branches that are in the way.
const MOST_ROUNDS: usize = 10;

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
        let mut rounds = 0;
        while let Some(said) = self.fetch_once(remote, limit, progress)? {
            rounds += 1;
            if rounds > MOST_ROUNDS || !(self.make_room(&prefix, &said)? || moved_meanwhile(&said)) {
                return Err(GitError::unreachable(self.shown(remote), &said));
            }
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
                self.set_aside(branch, old, "fetch: the remote rewrote this branch")?;
            }
            changed.push(RefChange { refname, old, new, rewritten });
        }
        Ok(Fetched { changed })
    }

    /// Fetches once. Gives what git says when it fails.
    fn fetch_once(
        &self,
        remote: &str,
        limit: Duration,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Option<String>, GitError> {
        let done = self
            .program()
            .args(["fetch", "--progress", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules"])
            .args(["--no-prune", "--", remote])
            .limit(limit)
            .each_line(progress)
            .run()
            .map_err(|error| match error {
                GitError::Timeout { .. } => GitError::unreachable(self.shown(remote), &error.to_string()),
                other => other,
            })?;
        Ok((done.code != 0).then_some(done.stderr))
    }

    /// Moves branches of the remote out of the way that it cannot have any more, since it has one now that needs their
    /// name for a folder, or the other way about (`feature` and `feature/x`). Whether there was one.
    fn make_room(&self, prefix: &str, said: &str) -> Result<bool, GitError> {
        self.refresh()?;
        let mut moved = false;
        for refname in said.lines().filter_map(in_the_way) {
            let Some(branch) = refname.strip_prefix("refs/remotes/").filter(|_| refname.starts_with(prefix)) else {
                continue;
            };
            if let Some(tip) = self.oid_of(refname)? {
                self.set_aside(branch, tip, "fetch: the remote has another branch where this one was")?;
                self.drop_ref(refname, tip)?;
                moved = true;
            }
        }
        Ok(moved)
    }

    /// Keeps the tip that a branch of a remote had, under `refs/gt/rewritten/`.
    fn set_aside(&self, branch: &str, tip: Oid, why: &str) -> Result<(), GitError> {
        let keep = format!("refs/gt/rewritten/{branch}/{}", &tip.to_string()[..10]);
        self.set_ref(&keep, tip, self.oid_of(&keep)?, why)
    }

    /// Asks `remote` (a name or an address) where those of its refs are now that match `pattern`, as in `refs/heads/*`.
    pub(super) fn refs_at(
        &self,
        remote: &str,
        pattern: &str,
        limit: Duration,
    ) -> Result<BTreeMap<String, Oid>, GitError> {
        let done = match self.program().args(["ls-remote", "--quiet", "--", remote, pattern]).limit(limit).run() {
            Err(error @ GitError::Timeout { .. }) => {
                return Err(GitError::unreachable(self.shown(remote), &error.to_string()));
            }
            done => done?,
        };
        if done.code != 0 {
            return Err(GitError::unreachable(self.shown(remote), &done.stderr));
        }
        // It also gives refs that end in the pattern.
        let stem = pattern.trim_end_matches('*');
        let each = String::from_utf8_lossy(&done.stdout);
        let each = each.lines().filter_map(|line| line.split_once('\t')).filter(|(_, name)| name.starts_with(stem));
        Ok(each.filter_map(|(oid, name)| Some((name.to_owned(), Oid::from_str(oid).ok()?))).collect())
    }

    /// Asks `remote` for the names of the branches that it has now.
    pub fn branches_at(&self, remote: &str) -> Result<Vec<String>, GitError> {
        let heads = self.refs_at(remote, "refs/heads/*", NETWORK)?;
        Ok(heads.keys().filter_map(|name| name.strip_prefix("refs/heads/")).map(str::to_owned).collect())
    }

    /// A remote as people know it: its address if there is one.
    pub(super) fn shown(&self, remote: &str) -> String {
        self.remote_url(remote).unwrap_or_else(|| remote.to_owned())
    }
}

/// The ref that git says another one cannot be made beside, in a line like
/// `error: cannot lock ref 'NEW': 'OLD' exists; cannot create 'NEW'`.
fn in_the_way(line: &str) -> Option<&str> {
    let before = line.split_once("' exists; cannot create '")?.0;
    before.rsplit_once('\'').map(|(_, name)| name)
}

/// Whether git stopped because another fetch of this repository moved a ref, or holds it, since it looked: the remote was there.
fn moved_meanwhile(said: &str) -> bool {
    said.lines().any(|line| {
        let met = [" but expected ", "reference already exists", ".lock': File exists"];
        line.contains("cannot lock ref '") && met.iter().any(|words| line.contains(words))
    })
}

/// The lines of git's stderr that say what is wrong, without progress.
pub(super) fn complaint(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.split(['\n', '\r']).map(str::trim).filter(|l| !l.is_empty()).collect();
    let telling = |l: &&&str| {
        let marked = ["fatal:", "error:", "remote:", "ssh:", "!"].iter().any(|p| l.starts_with(p));
        // What ssh says of a key has no such mark.
        marked || Cause::of(l) != Cause::Network
    };
    let chosen: Vec<&str> = lines.iter().filter(telling).copied().collect();
    let chosen = if chosen.is_empty() { lines } else { chosen };
    crate::base::text::printable(&chosen.join("; ")).chars().take(600).collect()
}
