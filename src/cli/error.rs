//! The one error of the command line: what went wrong, what kind it is, and what to do next.

use std::fmt;
use std::process::ExitCode;

/// What kind of failure it was; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line is wrong.
    Usage,
    /// The request cannot be carried out as given.
    User,
    /// A file of configuration, a formula or a policy is wrong.
    Config,
    /// What was named does not exist.
    NotFound,
    /// A precondition does not hold: the message says which, the hint how to mend it.
    Refused,
    /// Something outside did not answer in time.
    Timeout,
    /// The store or the ledger cannot be read or written.
    Store,
    /// A defect of this program.
    Internal,
}

impl Kind {
    /// The exit code, as documented in `docs/exit-codes.md`.
    pub const fn code(self) -> u8 {
        match self {
            Self::User => 1,
            Self::Usage => 2,
            Self::Config => 3,
            Self::NotFound => 4,
            Self::Refused => 5,
            Self::Timeout => 6,
            Self::Store => 7,
            Self::Internal => 70,
        }
    }

    /// The word for it in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Usage => "usage",
            Self::Config => "config",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Store => "store",
            Self::Internal => "internal",
        }
    }
}

/// An error on its way to the user.
#[derive(Debug)]
pub struct CliError {
    /// Decides the exit code.
    pub kind: Kind,
    /// A lower-case fragment: what could not be done.
    pub message: String,
    /// Causes, outermost first.
    pub causes: Vec<String>,
    /// What to do next, one sentence each, naming a command where there is one.
    pub hints: Vec<String>,
    /// It was told already, beside an answer: only the exit code is left to give.
    pub said: bool,
}

impl CliError {
    /// An error of `kind`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hints: Vec::new(), said: false }
    }

    /// An error of `kind` made of an error value and its causes.
    pub fn from_error(kind: Kind, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut this = Self::new(kind, error.to_string());
        let mut next = error.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if !this.message.contains(&text) {
                this.causes.push(text);
            }
            next = cause.source();
        }
        this
    }

    /// The answer that was printed says it all: nothing more is printed, only the exit code tells.
    pub fn silent(kind: Kind) -> Self {
        Self::new(kind, "")
    }

    /// The request cannot be carried out as given.
    pub fn user(message: impl Into<String>) -> Self {
        Self::new(Kind::User, message)
    }

    /// What was named does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// A file or folder that a person named and that cannot be read: one that is not there does not exist.
    pub fn path(path: &std::path::Path, error: &std::io::Error, hint: &str) -> Self {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        let kind = if missing { Kind::NotFound } else { Kind::User };
        Self::new(kind, format!("{} cannot be read: {error}", path.display())).hint(hint)
    }

    /// A precondition does not hold.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message)
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The error as JSON, as it stands under the key `error`.
    pub fn object(&self) -> serde_json::Value {
        serde_json::json!({
            "kind": self.kind.word(), "code": self.kind.code(), "message": self.message,
            "causes": self.causes, "hints": self.hints,
        })
    }

    /// Prints the error (JSON on stdout with `json`, text on stderr without) and gives its exit code.
    pub fn report(&self, json: bool) -> ExitCode {
        if self.message.is_empty() || self.said {
            return ExitCode::from(self.kind.code());
        }
        if json {
            crate::cli::output::line(&serde_json::json!({ "error": self.object() }).to_string());
        } else {
            crate::cli::output::message(&self.to_string());
        }
        ExitCode::from(self.kind.code())
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        for cause in &self.causes {
            write!(f, "\n  because: {cause}")?;
        }
        for hint in &self.hints {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CliError {}

impl From<crate::base::NameError> for CliError {
    fn from(error: crate::base::NameError) -> Self {
        Self::user(error.to_string())
    }
}
