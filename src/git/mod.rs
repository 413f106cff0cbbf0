//! Git: objects, refs, history, differences and merges through libgit2; everything that touches a work tree or
//! the network (filters, large files, credentials) through the `git` program.
//!
//! A rig keeps one bare repository. Its remote's branches are `refs/remotes/origin/*`; `refs/heads/*` are ours,
//! one branch per piece of work; `refs/gt/*` holds what must not be lost. Automatic garbage collection is off and
//! all refs have reflogs, so an object that was once there stays.
//!
//! Promises:
//! - Nothing is lost: a worktree or a ref goes away only through [`Repo::retire`] or [`Repo::delete_ref_if`],
//!   which prove that each commit stays reachable, after dirty, untracked and staged contents were committed to
//!   `refs/gt/preserve/<agent>/<time>`.
//! - Refs move by compare-and-swap, here and on the remote.
//! - Merges are built in the object database; no checkout is touched.
//! - Every operation may be interrupted and run again; a lock that a killed one left keeps nobody out.
//! - No hook of the user's runs, no prompt waits for an answer nobody gives, and each command ends in time.

mod around;
mod changes;
mod clone;
mod conflict;
mod dead;
mod error;
mod exchange;
mod fetch;
mod history;
mod preserve;
mod program;
mod push;
mod refs;
mod repo;
mod retire;
mod stack;
mod state;
mod worktree;

pub use around::work_tree_around;
pub use changes::changed_since;
pub use conflict::{ConflictHunk, ConflictKind};
pub use error::{Cause, GitError};
pub use fetch::{Fetched, RefChange};
pub use git2::Oid;
pub use history::{DiffStat, FileStat, Nothing};
pub use preserve::{Preserved, Saved, SavedRef};
pub use program::{MARK_VAR, Version, running_below, version};
pub use push::Push;
pub use repo::{Ident, Repo};
pub use retire::{Retire, Retired};
pub use stack::{StackItem, Stacked};
pub use state::{InProgress, WorktreeState, worktree_state};
pub use worktree::{Worktree, WorktreeInfo};

pub(crate) use history::trailers;
pub(crate) use program::Git;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod remote_tests;
#[cfg(test)]
mod retire_tests;
