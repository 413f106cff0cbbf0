//! Gates: the commands that a merge must pass, and what their ending means.
//!
//! The verdict is a pure function of how the command ended. It fails closed: whatever is not proven to
//! have run and passed is no pass.

use globset::{Glob, GlobSetBuilder};
use serde::{Deserialize, Serialize};

use crate::config::Gate;

/// Whether a change of `paths` needs this gate. A pattern that cannot be read means that it does.
pub fn applies(gate: &Gate, paths: &[String]) -> bool {
    if gate.paths.is_empty() {
        return true;
    }
    let mut set = GlobSetBuilder::new();
    for pattern in &gate.paths {
        let Ok(glob) = Glob::new(pattern) else { return true };
        set.add(glob);
    }
    set.build().map_or(true, |set| paths.iter().any(|p| set.is_match(p)))
}

/// How a gate's command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending<'a> {
    /// It exited with this code.
    Exit(i32),
    /// A signal ended it.
    Signal(i32),
    /// It was killed at its time limit.
    TimedOut,
    /// It could not be started.
    NotStarted(&'a str),
}

/// What a gate says of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "why", rename_all = "kebab-case")]
pub enum Verdict {
    /// It ran and all is well. Only this merges.
    Pass,
    /// It ran and something is wrong.
    Fail(String),
    /// It did not run, or nothing shows that it did.
    CouldNotRun(String),
    /// The change touches nothing that it is about.
    NotApplicable,
}

impl Verdict {
    /// The word on screens and in JSON.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail(_) => "fail",
            Self::CouldNotRun(_) => "could-not-run",
            Self::NotApplicable => "not-applicable",
        }
    }
}

// The same numbers on Linux and macOS.
const HUP: i32 = 1;
const INT: i32 = 2;
const KILL: i32 = 9;
const TERM: i32 = 15;

/// The verdict for a command that ended so, having printed `output`.
///
/// A program that crashes itself (abort, segmentation fault) fails; one that somebody else kills could
/// not run. `sh` reports a killed child as 128 plus the signal.
pub fn verdict(proves: Option<&str>, ending: Ending<'_>, output: &str) -> Verdict {
    let could_not = |why: String| Verdict::CouldNotRun(why);
    match ending {
        Ending::NotStarted(why) => could_not(format!("could not be started: {why}")),
        Ending::TimedOut => could_not("reached its time limit and was killed".into()),
        Ending::Signal(n) if matches!(n, HUP | INT | KILL | TERM) => could_not(format!("was killed by signal {n}")),
        Ending::Signal(n) => Verdict::Fail(format!("crashed with signal {n}")),
        Ending::Exit(127) => could_not("exit code 127: a command was not found".into()),
        Ending::Exit(126) => could_not("exit code 126: a command is not executable".into()),
        Ending::Exit(code) if matches!(code - 128, HUP | INT | KILL | TERM) => {
            could_not(format!("exit code {code}: a command was killed by signal {}", code - 128))
        }
        Ending::Exit(0) => match proves.map(|p| (p, regex::Regex::new(p))) {
            None => Verdict::Pass,
            Some((_, Ok(pattern))) if pattern.is_match(output) => Verdict::Pass,
            Some((p, Ok(_))) => could_not(format!("exited with 0, but its output has nothing that matches `{p}`")),
            Some((p, Err(_))) => could_not(format!("its `proves` is no regular expression: `{p}`")),
        },
        Ending::Exit(code) => Verdict::Fail(format!("exit code {code}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_command_that_ran_and_succeeded_passes() {
        let v = |ending, output| verdict(None, ending, output).word();
        assert_eq!(v(Ending::Exit(0), ""), "pass");
        assert_eq!(v(Ending::Exit(1), ""), "fail");
        assert_eq!(v(Ending::Exit(101), ""), "fail");
        assert_eq!(v(Ending::Signal(6), ""), "fail");
        for ending in [
            Ending::Exit(127),
            Ending::Exit(126),
            Ending::Exit(137),
            Ending::Exit(143),
            Ending::Signal(KILL),
            Ending::Signal(TERM),
            Ending::TimedOut,
            Ending::NotStarted("no such file"),
        ] {
            assert_eq!(v(ending, "ok"), "could-not-run", "{ending:?}");
        }
    }

    #[test]
    fn a_gate_that_must_prove_itself_and_does_not_could_not_run() {
        let proves = Some(r"\b[1-9]\d* passed");
        assert_eq!(verdict(proves, Ending::Exit(0), "12 passed"), Verdict::Pass);
        assert_eq!(verdict(proves, Ending::Exit(0), "0 passed").word(), "could-not-run");
        assert_eq!(verdict(proves, Ending::Exit(1), "0 passed").word(), "fail");
        assert_eq!(verdict(Some("("), Ending::Exit(0), "(").word(), "could-not-run");
    }

    #[test]
    fn a_gate_with_paths_is_for_changes_that_touch_them() {
        let gate =
            |paths: &str| toml::from_str::<Gate>(&format!("command = \"make docs\"\npaths = {paths}")).expect("a gate");
        assert!(applies(&gate("[]"), &["a.rs".into()]));
        assert!(applies(&gate("[\"docs/**\"]"), &["a.rs".into(), "docs/x.md".into()]));
        assert!(!applies(&gate("[\"docs/**\"]"), &["a.rs".into()]));
        assert!(applies(&gate("[\"docs/[\"]"), &["a.rs".into()]), "unreadable means needed");
    }
}
