//! A repository of ours, opened.

use std::path::{Path, PathBuf};

use super::{Git, GitError, Oid};
use crate::base::Time;

/// The bare repository of a rig (or any repository, for reading).
///
/// `Send` but not `Sync`: open one per thread, it costs well under a millisecond.
pub struct Repo {
    path: PathBuf,
    git: git2::Repository,
}

/// Who made a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident {
    /// As in `app/polecats/toast`.
    pub name: String,
    /// As in `toast@app.gastown`.
    pub email: String,
}

impl Ident {
    /// The name under which Gas Town itself commits.
    pub fn town() -> Self {
        Self { name: "Gas Town".to_owned(), email: "gt@localhost".to_owned() }
    }

    /// An agent, by its address: `app/polecats/toast` commits as `app/polecats/toast <app.polecats.toast@localhost>`.
    pub fn agent(address: &str) -> Self {
        let local: String =
            address.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '.' }).collect();
        Self { name: address.to_owned(), email: format!("{}@localhost", local.trim_matches('.')) }
    }

    /// As libgit2 wants it; characters that would break a commit header are dropped.
    pub(crate) fn signature(&self, when: Time) -> Result<git2::Signature<'static>, GitError> {
        let clean = |text: &str, fallback: &str| {
            let text: String = text.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>')).collect();
            let text = text.trim_matches(|c: char| c.is_whitespace() || ".,:;\"'\\".contains(c)).to_owned();
            if text.is_empty() { fallback.to_owned() } else { text }
        };
        let at = git2::Time::new(when.millis().div_euclid(1000), 0);
        Ok(git2::Signature::new(&clean(&self.name, "Gas Town"), &clean(&self.email, "gt@localhost"), &at)?)
    }
}

impl Repo {
    /// Opens the repository at `path`: a bare one, or the shared one behind a work tree.
    pub fn open(path: &Path) -> Result<Self, GitError> {
        let found = git2::Repository::open(path).map_err(|e| match e.code() {
            git2::ErrorCode::NotFound => GitError::NotARepository(path.to_owned()),
            git2::ErrorCode::Owner => GitError::NotOurs(path.to_owned()),
            _ => GitError::Object(e),
        })?;
        let common = found.commondir().to_owned();
        let git = if found.is_worktree() { git2::Repository::open(&common)? } else { found };
        Ok(Self { path: common, git })
    }

    /// The git folder that holds objects and refs.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn raw(&self) -> &git2::Repository {
        &self.git
    }

    /// A run of the `git` program in this repository, with no work tree.
    pub(crate) fn program<'a>(&self) -> Git<'a> {
        Git::bare(&self.path)
    }

    /// Sees objects that another process has just written.
    pub(crate) fn refresh(&self) -> Result<(), GitError> {
        Ok(self.git.odb()?.refresh()?)
    }

    /// The commit that `spec` names: a full or short id, a branch, a ref.
    pub fn resolve(&self, spec: &str) -> Result<Oid, GitError> {
        let object = self.git.revparse_single(spec).map_err(|_| GitError::NoSuch(format!("commit `{spec}`")))?;
        let commit = object.peel_to_commit().map_err(|_| GitError::NoSuch(format!("commit `{spec}`")))?;
        Ok(commit.id())
    }

    /// First line of the message of a commit.
    pub fn subject(&self, commit: Oid) -> Result<String, GitError> {
        let commit = self.git.find_commit(commit)?;
        Ok(commit.summary_bytes().map(|b| String::from_utf8_lossy(b).into_owned()).unwrap_or_default())
    }

    /// When a commit was made, as its committer said.
    pub fn commit_time(&self, commit: Oid) -> Result<Time, GitError> {
        Ok(Time::from_millis(self.git.find_commit(commit)?.time().seconds().saturating_mul(1000)))
    }

    /// The tree of a commit: what a gate's verdict is about.
    pub fn tree_of(&self, commit: Oid) -> Result<Oid, GitError> {
        Ok(self.git.find_commit(commit)?.tree_id())
    }

    /// The branch that is checked out in its work tree and to which git therefore refuses pushes.
    pub fn guarded_branch(&self) -> Option<String> {
        let allowed = self.git.config().ok().and_then(|c| c.get_string("receive.denyCurrentBranch").ok());
        let allowed = allowed.is_some_and(|how| {
            ["updateinstead", "ignore", "warn", "false"].contains(&how.to_ascii_lowercase().as_str())
        });
        if self.git.is_bare() || allowed {
            return None;
        }
        let head = self.git.find_reference("HEAD").ok()?;
        let target = head.symbolic_target_bytes()?;
        String::from_utf8(target.to_vec()).ok()?.strip_prefix("refs/heads/").map(str::to_owned)
    }

    /// Address of a remote, as configured.
    pub fn remote_url(&self, remote: &str) -> Option<String> {
        let config = self.git.config().ok()?;
        config.get_string(&format!("remote.{remote}.url")).ok()
    }

    /// Has a remote be at `url` from now on.
    pub fn set_remote_url(&self, remote: &str, url: &str) -> Result<(), GitError> {
        if self.remote_url(remote).as_deref() == Some(url) {
            return Ok(());
        }
        tracing::info!(repo = %self.path.display(), remote, url, "the remote is at another address now");
        let mut config = self.git.config()?.open_level(git2::ConfigLevel::Local)?;
        Ok(config.set_str(&format!("remote.{remote}.url"), url)?)
    }
}

impl std::fmt::Debug for Repo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repo").field("path", &self.path).finish_non_exhaustive()
    }
}
