//! What can go wrong with git, and what to do about it.

use std::path::PathBuf;
use std::time::Duration;

use super::Oid;

/// An error of the git layer. [`GitError::hint`] names the next step.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no `git` program.
    #[error("the `git` program was not found")]
    Missing,
    /// The `git` program is older than we need.
    #[error("git {found} is too old: {needed} or newer is needed")]
    TooOld {
        /// What `git --version` said.
        found: String,
        /// The oldest version that will do.
        needed: String,
    },
    /// A path that is no git repository.
    #[error("`{0}` is not a git repository")]
    NotARepository(PathBuf),
    /// A git repository of somebody else, which git does not open for us.
    #[error("`{0}` belongs to another user of this machine")]
    NotOurs(PathBuf),
    /// `git` ended with an error.
    #[error("git {what} failed: {message}")]
    Failed {
        /// The subcommand.
        what: String,
        /// What it printed on stderr, trimmed.
        message: String,
    },
    /// `git` did not end in time and was stopped.
    #[error("git {what} did not end within {} s", .limit.as_secs())]
    Timeout {
        /// The subcommand.
        what: String,
        /// The time it was given.
        limit: Duration,
    },
    /// The remote could not be read, for the reason that `cause` names.
    #[error("{} `{remote}`: {message}", .cause.says())]
    Unreachable {
        /// The remote's name or address.
        remote: String,
        /// What kind of reason it is.
        cause: Cause,
        /// What git said.
        message: String,
    },
    /// A ref is not where the caller saw it.
    #[error("{refname} moved: expected {}, found {}", show(.expected.as_ref()), show(.found.as_ref()))]
    Moved {
        /// The full name of the ref.
        refname: String,
        /// Where it was to be; none for "absent".
        expected: Option<Oid>,
        /// Where it is.
        found: Option<Oid>,
    },
    /// A ref, branch or commit that does not exist.
    #[error("there is no {0}")]
    NoSuch(String),
    /// A ref that is there and says nothing that can be read: a power cut leaves such files.
    #[error("{refname} is there and cannot be read: {reason}")]
    BrokenRef {
        /// The full ref name.
        refname: String,
        /// The repository.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The path for a worktree is taken by something else.
    #[error("`{path}` exists and is {is}")]
    PathTaken {
        /// The path.
        path: PathBuf,
        /// What is there.
        is: String,
    },
    /// The branch is checked out in another worktree.
    #[error("branch `{branch}` is checked out at `{path}`")]
    BranchInUse {
        /// The short branch name.
        branch: String,
        /// The worktree that has it.
        path: PathBuf,
    },
    /// Going on would make commits or contents unreachable. Nothing was changed.
    #[error("refused: {what} would lose {} ({})", crate::base::text::count(.lost.len(), "commit"), short_list(.lost))]
    WouldLose {
        /// What was asked for.
        what: String,
        /// Commits that nothing else reaches.
        lost: Vec<Oid>,
    },
    /// A file operation failed.
    #[error("cannot {what} `{path}`")]
    Io {
        /// The verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The object database refused.
    #[error("git objects: {}", .0.message())]
    Object(#[from] git2::Error),
}

/// Why a remote could not be read, as far as git's own words tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No answer, or one that git did not understand.
    Network,
    /// The remote does not let this machine in.
    Denied,
    /// There is no repository at that address.
    NoRepository,
    /// The repository does not have the branch or ref that was asked for.
    NoRef,
    /// This machine's disk is full.
    DiskFull,
}

impl Cause {
    /// From what git printed in the C locale. What is nearest to the root of it comes first: who is not let in is told
    /// by most servers, in the same breath, that there is no such repository.
    pub(super) fn of(said: &str) -> Self {
        const WORDS: [(Cause, &[&str]); 4] = [
            (Cause::DiskFull, &["No space left on device", "Disk quota exceeded"]),
            (
                Cause::Denied,
                &[
                    "Permission denied",
                    "Authentication failed",
                    "could not read Username",
                    "could not read Password",
                    "terminal prompts disabled",
                    "Host key verification failed",
                    "returned error: 401",
                    "returned error: 403",
                ],
            ),
            (Cause::NoRef, &["couldn't find remote ref"]),
            (
                Cause::NoRepository,
                &[
                    "does not appear to be a git repository",
                    "not a git repository",
                    "epository not found",
                    "does not exist",
                    "returned error: 404",
                    "No such remote",
                ],
            ),
        ];
        let found = WORDS.into_iter().find(|(_, words)| words.iter().any(|word| said.contains(word)));
        found.map_or(Self::Network, |(cause, _)| cause)
    }

    fn says(self) -> &'static str {
        match self {
            Self::Network => "cannot reach",
            Self::Denied => "not let in by",
            Self::NoRepository => "no repository at",
            Self::NoRef => "no such branch or ref in",
            Self::DiskFull => "the disk is full, nothing can be fetched from",
        }
    }

    fn hint(self, remote: &str) -> String {
        match self {
            Self::Network => {
                format!("see whether `git ls-remote {remote}` works from this machine without asking a question")
            }
            Self::Denied => format!(
                "give git a key or a token for it that asks nobody: `git ls-remote {remote}` has to work by itself"
            ),
            Self::NoRepository => {
                format!(
                    "see whether the address is right (`url` in rig.toml, or the setting `sync.remote`): git ls-remote {remote}"
                )
            }
            Self::NoRef => format!("see which there are: git ls-remote --heads {remote}"),
            Self::DiskFull => "free some space, then run it again: df -h".to_owned(),
        }
    }
}

impl GitError {
    /// A remote that git could not read, by what it said.
    pub(crate) fn unreachable(remote: impl Into<String>, said: &str) -> Self {
        Self::Unreachable { remote: remote.into(), cause: Cause::of(said), message: super::fetch::complaint(said) }
    }

    /// What the user can do next, if there is something to say.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing => "install git and see that it is on PATH".to_owned(),
            Self::TooOld { needed, .. } => format!("install git {needed} or newer"),
            Self::NotOurs(path) => {
                let path = path.display();
                format!(
                    "nothing is wrong with it: give it to yourself with `chown -R`, run this as its owner, or trust it: \
                     git config --global --add safe.directory {path}"
                )
            }
            Self::NotARepository(path) => format!("look at `git -C {} status`", path.display()),
            Self::Unreachable { remote, cause, .. } => cause.hint(remote),
            Self::Timeout { .. } => "look at the network, or at a credential prompt that nobody sees".to_owned(),
            Self::PathTaken { path, .. } => format!("move `{}` out of the way, or choose another name", path.display()),
            Self::BranchInUse { path, .. } => format!("use the worktree at `{}`", path.display()),
            Self::WouldLose { .. } => "save the commits with `git branch NAME COMMIT`, then run it again".to_owned(),
            Self::Moved { .. } => "somebody else moved it; look at it and run the command again".to_owned(),
            Self::BrokenRef { refname, path, .. } => {
                let (file, path) = (path.join(refname), path.display());
                let file = file.display();
                format!(
                    "`git -C {path} fsck --lost-found` names the commits that it may have stood at; remove \
                     {file}, then `git -C {path} update-ref {refname} COMMIT`"
                )
            }
            Self::NoSuch(_) | Self::Failed { .. } | Self::Io { .. } | Self::Object(_) => return None,
        })
    }

    /// Whether something was not let near what it looked for, which may be sound all the same.
    pub fn is_kept_out(&self) -> bool {
        match self {
            Self::NotOurs(_) | Self::Io { .. } => true,
            Self::Object(error) => error.code() == git2::ErrorCode::Owner || error.class() == git2::ErrorClass::Os,
            _ => false,
        }
    }

    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}

fn show(oid: Option<&Oid>) -> String {
    oid.map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

fn short_list(oids: &[Oid]) -> String {
    let shown: Vec<String> = oids.iter().take(3).map(|o| o.to_string()[..10].to_owned()).collect();
    if oids.len() > 3 { format!("{}, …", shown.join(", ")) } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_kept_out_does_not_call_it_broken() {
        let error = |code, class| GitError::from(git2::Error::new(code, class, "x"));
        let (generic, owner) = (git2::ErrorCode::GenericError, git2::ErrorCode::Owner);
        assert!(error(owner, git2::ErrorClass::Config).is_kept_out(), "another user's");
        assert!(error(generic, git2::ErrorClass::Os).is_kept_out(), "no permission");
        assert!(!error(generic, git2::ErrorClass::Zlib).is_kept_out(), "a damaged object");
        assert!(!error(git2::ErrorCode::NotFound, git2::ErrorClass::Odb).is_kept_out(), "a lost object");
        let hint = GitError::NotOurs("/x/ledger.git".into()).hint().unwrap_or_default();
        assert!(hint.contains("safe.directory /x/ledger.git"), "{hint}");
    }
}
