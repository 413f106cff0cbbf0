//! A gate: a command that must pass on the merged tree before anything lands.

use serde::{Deserialize, Serialize};

use crate::base::span::Span;

/// `[gates.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// What is run, in the root of the merged tree.
    pub command: Command,
    /// After this long it is stopped, and has not passed.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
    /// A policy may leave out a gate that is not required; never one that is.
    #[serde(default = "yes")]
    pub required: bool,
    /// Runs once more after a failure before anybody is blamed.
    #[serde(default)]
    pub flaky: bool,
    /// A regular expression that its output matches when tests really ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proves: Option<String>,
    /// Globs of the paths it is about; empty for every change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
}

impl Gate {
    /// A required gate for every change, with ten minutes.
    pub fn new(command: Command) -> Self {
        Self { command, timeout: ten_minutes(), required: true, flaky: false, proves: None, paths: Vec::new() }
    }
}

fn ten_minutes() -> Span {
    Span::seconds(600)
}

fn yes() -> bool {
    true
}

/// A program with its arguments, or a line for `sh -c`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `command = ["cargo", "test"]`: run as it is, never by a shell.
    Argv(Vec<String>),
    /// `command = "make test && ./check"`: the user's own shell line.
    Shell(String),
}

impl Command {
    /// The arguments to start it with; the first is the program.
    pub fn argv(&self) -> Vec<String> {
        match self {
            Self::Argv(argv) => argv.clone(),
            Self::Shell(line) => vec!["sh".into(), "-c".into(), line.clone()],
        }
    }
}

impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Argv(argv) => f.pad(&argv.join(" ")),
            Self::Shell(line) => f.pad(line),
        }
    }
}

impl Serialize for Command {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Argv(argv) => argv.serialize(s),
            Self::Shell(line) => s.serialize_str(line),
        }
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> serde::de::Visitor<'de> for Visitor {
    type Value = Command;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of program and arguments, or one text for `sh -c`")
    }

    fn visit_str<E: serde::de::Error>(self, line: &str) -> Result<Command, E> {
        if line.trim().is_empty() {
            return Err(E::custom("the command of a gate must not be empty: it would always pass"));
        }
        Ok(Command::Shell(line.to_owned()))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Command, A::Error> {
        let mut argv: Vec<String> = Vec::new();
        while let Some(arg) = seq.next_element()? {
            argv.push(arg);
        }
        if argv.first().is_none_or(String::is_empty) {
            return Err(serde::de::Error::custom("the command of a gate must name a program"));
        }
        Ok(Command::Argv(argv))
    }
}
