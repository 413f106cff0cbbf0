//! What a verb of the town cannot do, why, and what to do next.

use std::path::Path;

use crate::config::ConfigError;
use crate::formula::Report;
use crate::git::GitError;
use crate::queue::QueueError;
use crate::session::SessionError;
use crate::store::{Bead, Status, StoreError};

/// An error of the town.
#[derive(Debug, thiserror::Error)]
pub enum TownError {
    /// The request cannot be carried out as given.
    #[error("{message}")]
    User {
        /// What is wrong.
        message: String,
        /// What to do next.
        hints: Vec<String>,
    },
    /// What was named does not exist.
    #[error("{message}")]
    NotFound {
        /// What.
        message: String,
        /// What to do next.
        hints: Vec<String>,
    },
    /// A precondition does not hold.
    #[error("{message}")]
    Refused {
        /// Which.
        message: String,
        /// The command that mends it.
        hints: Vec<String>,
    },
    /// A name is not a good one.
    #[error(transparent)]
    Name(#[from] crate::base::NameError),
    /// A file of configuration is wrong.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// A formula is wrong.
    #[error("{0}")]
    Formula(Report),
    /// The store said no, or cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Git said no.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The merge queue said no.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// A molecule could not be poured or advanced.
    #[error(transparent)]
    Molecule(#[from] crate::molecule::MoleculeError),
    /// A session could not be started, read or stopped.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A `[runtimes.NAME]` table is wrong.
    #[error(transparent)]
    Runtime(#[from] crate::session::RuntimeError),
    /// A file or folder of the town cannot be read or written.
    #[error("cannot {verb} {path}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On which file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
}

impl TownError {
    /// The request cannot be carried out as given.
    pub fn user(message: impl Into<String>) -> Self {
        Self::User { message: message.into(), hints: Vec::new() }
    }

    /// What was named does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::NotFound { message: message.into(), hints: Vec::new() }
    }

    /// A precondition does not hold.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), hints: Vec::new() }
    }

    /// Nothing is done with a bead that is closed or deleted.
    pub(super) fn over(bead: &Bead) -> Self {
        if bead.status == Status::TOMBSTONE {
            return Self::refused(format!("{} was deleted", bead.id)).hint("file it anew: bd create TITLE");
        }
        Self::refused(format!("{} is {}", bead.id, bead.status)).hint(format!("open it again: bd reopen {}", bead.id))
    }

    pub(crate) fn io(verb: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { verb, path: path.display().to_string(), source }
    }

    /// Adds what to do next, to the errors that are made here.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::User { hints, .. } | Self::NotFound { hints, .. } | Self::Refused { hints, .. } = &mut self {
            hints.push(hint.into());
        }
        self
    }

    /// What to do next.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::User { hints, .. } | Self::NotFound { hints, .. } | Self::Refused { hints, .. } => hints.clone(),
            Self::Config(error) => error.hint.clone().into_iter().collect(),
            Self::Git(error) => error.hint().into_iter().collect(),
            Self::Queue(QueueError::Malformed(lost)) => {
                vec![format!("close it, and have its bead go on from what was handed in: gt queue mend {}", lost.mr)]
            }
            Self::Molecule(_)
            | Self::Name(_)
            | Self::Runtime(_)
            | Self::Queue(_)
            | Self::Store(_)
            | Self::Session(_)
            | Self::Formula(_)
            | Self::Io { .. } => Vec::new(),
        }
    }
}
