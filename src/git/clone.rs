//! Making a rig's bare repository, and finding its default branch.

use std::path::Path;

use super::program::{self, NETWORK};
use super::{GitError, Repo};

/// Settings of our own repositories: nothing is thrown away behind our back, and commits are flushed.
const SETTINGS: [(&str, &str); 8] = [
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("core.logAllRefUpdates", "always"),
    ("gc.reflogExpire", "never"),
    ("gc.reflogExpireUnreachable", "never"),
    ("core.fsync", "committed"),
    ("core.fsyncMethod", "batch"),
    ("receive.denyDeletes", "true"),
];

impl Repo {
    /// Clones `source` (an address or a path) as a bare repository at `dest`.
    ///
    /// Remote branches arrive as `refs/remotes/origin/*`; `refs/heads/*` stays ours. May be interrupted and run
    /// again: what was fetched is kept. `progress` gets git's progress lines.
    pub fn clone(source: &str, dest: &Path, progress: &mut dyn FnMut(&str)) -> Result<Self, GitError> {
        program::version()?;
        let repo = Self::create(dest)?;
        match repo.remote_url("origin") {
            Some(url) if url == source => {}
            Some(url) => {
                let is = format!("a repository of `{url}`");
                return Err(GitError::PathTaken { path: dest.to_owned(), is });
            }
            None => {
                let mut config = repo.raw().config()?.open_level(git2::ConfigLevel::Local)?;
                config.set_str("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")?;
                config.set_str("remote.origin.url", source)?;
            }
        }
        repo.fetch_with("origin", progress)?;
        if let Ok(branch) = repo.default_branch() {
            // HEAD of a bare repository is what new worktrees and people's own clones start from.
            repo.program().args(["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")]).ok()?;
        }
        Self::open(dest)
    }

    /// Makes an empty bare repository with our settings at `dest`, or opens the one that is there.
    pub fn create(dest: &Path) -> Result<Self, GitError> {
        if dest.exists() && !dest.join("HEAD").exists() {
            let empty = std::fs::read_dir(dest).is_ok_and(|mut entries| entries.next().is_none());
            let ours = dest.join("objects").is_dir() || dest.join("refs").is_dir();
            if !empty && !ours {
                return Err(GitError::PathTaken { path: dest.to_owned(), is: "not a git repository".to_owned() });
            }
        }
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).mkpath(true).external_template(false).initial_head("main");
        git2::Repository::init_opts(dest, &options)?;
        let repo = Self::open(dest)?;
        let config = repo.raw().config()?;
        if SETTINGS.iter().any(|(key, value)| config.get_string(key).ok().as_deref() != Some(*value)) {
            let mut config = config.open_level(git2::ConfigLevel::Local)?;
            for (key, value) in SETTINGS {
                config.set_str(key, value)?;
            }
        }
        Ok(repo)
    }

    /// The branch that the remote calls its default, as in `main`, without asking the network.
    ///
    /// From `origin/HEAD`; else `main`, `master`, or the only branch there is.
    pub fn default_branch(&self) -> Result<String, GitError> {
        const REMOTE: &str = "refs/remotes/origin/";
        if let Ok(head) = self.raw().find_reference("refs/remotes/origin/HEAD")
            && let Some(target) = head.symbolic_target_bytes()
            && let Some(name) = String::from_utf8_lossy(target).strip_prefix(REMOTE)
        {
            return Ok(name.to_owned());
        }
        let mut names: Vec<String> = self
            .refs(REMOTE)?
            .into_iter()
            .filter_map(|(name, _)| name.strip_prefix(REMOTE).map(str::to_owned))
            .filter(|name| name != "HEAD")
            .collect();
        for usual in ["main", "master"] {
            if names.iter().any(|n| n == usual) {
                return Ok(usual.to_owned());
            }
        }
        match (names.pop(), names.len()) {
            (Some(only), 0) => Ok(only),
            _ => Err(GitError::NoSuch("default branch: the remote has no commits, or no HEAD".to_owned())),
        }
    }

    /// Asks the remote which branch is its default and remembers it.
    pub(super) fn learn_default_branch(&self, remote: &str) -> Result<(), GitError> {
        // Fails on an empty remote, which is for `default_branch` to report.
        self.program().args(["remote", "set-head", remote, "--auto"]).limit(NETWORK).run().map(drop)
    }
}
