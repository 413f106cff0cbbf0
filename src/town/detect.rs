//! Finding a project's test command from the files at its root.

use crate::config::{Command, Gate};

/// A gate that was found, and why it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// What is run.
    pub gate: Gate,
    /// The file that says so.
    pub because: &'static str,
}

/// Scripts that are test commands by their name, in order.
const SCRIPTS: [&str; 5] = ["run-tests", "run-tests.sh", "run_tests.sh", "test.sh", "runtests.sh"];

/// Finds the test command of a project. `names` are the names at the root of its tree (folders end in `/`),
/// `read` gives the text of a file there.
pub fn detect(names: &[String], read: impl Fn(&str) -> Option<String>) -> Option<Detected> {
    let has = |name: &str| names.iter().any(|n| n == name);
    let found = |because: &'static str, argv: &[&str]| {
        let argv = argv.iter().map(|arg| (*arg).to_owned()).collect();
        Some(Detected { gate: Gate::new(Command::Argv(argv)), because })
    };
    if has("Cargo.toml") {
        return found("Cargo.toml", &["cargo", "test"]);
    }
    if has("package.json") && read("package.json").is_some_and(|text| npm_test(&text)) {
        return found("package.json", &["npm", "test"]);
    }
    for (file, program) in [
        ("justfile", "just"),
        ("Justfile", "just"),
        ("Makefile", "make"),
        ("makefile", "make"),
        ("GNUmakefile", "make"),
    ] {
        if has(file) && read(file).is_some_and(|text| target(&text, program == "just")) {
            return found(file, &[program, "test"]);
        }
    }
    if has("go.mod") {
        return found("go.mod", &["go", "test", "./..."]);
    }
    for file in ["pytest.ini", "tox.ini", "pyproject.toml", "setup.cfg"] {
        if has(file) && (has("tests/") || has("test/") || read(file).is_some_and(|text| text.contains("pytest"))) {
            return found(file, &["python3", "-m", "pytest"]);
        }
    }
    if let Some(script) = SCRIPTS.into_iter().find(|script| has(script)) {
        return found(script, &["sh", script]);
    }
    None
}

/// Whether `package.json` has a test script of its own; `npm init` writes one that only fails.
fn npm_test(text: &str) -> bool {
    let json: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    json["scripts"]["test"].as_str().is_some_and(|script| !script.contains("no test specified"))
}

/// Whether a makefile has a target `test`, or a justfile a recipe of that name.
fn target(text: &str, just: bool) -> bool {
    text.lines().any(|line| {
        let Some(rest) = line.strip_prefix("test").or_else(|| line.strip_prefix("@test").filter(|_| just)) else {
            return false;
        };
        if just {
            let Some((head, tail)) = rest.split_once(':') else { return false };
            return (head.is_empty() || head.starts_with(' ')) && !tail.starts_with('=');
        }
        rest.trim_start().strip_prefix(':').is_some_and(|tail| !tail.starts_with('='))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Option<String> {
        let names: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        let read = |name: &str| files.iter().find(|(n, _)| *n == name).map(|(_, text)| (*text).to_owned());
        detect(&names, read).map(|d| format!("{} ({})", d.gate.command, d.because))
    }

    #[test]
    fn each_kind_of_project_has_its_command() {
        for (files, expected) in [
            (&[("Cargo.toml", ""), ("Makefile", "test:\n")][..], "cargo test (Cargo.toml)"),
            (&[("package.json", r#"{"scripts":{"test":"jest"}}"#)], "npm test (package.json)"),
            (&[("Makefile", "all: x\n\ntest: all\n\t./t\n")], "make test (Makefile)"),
            (&[("justfile", "test filter='':\n  cargo test\n")], "just test (justfile)"),
            (&[("go.mod", "")], "go test ./... (go.mod)"),
            (&[("pyproject.toml", ""), ("tests/", "")], "python3 -m pytest (pyproject.toml)"),
            (&[("run-tests.sh", "")], "sh run-tests.sh (run-tests.sh)"),
        ] {
            assert_eq!(of(files).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_only_looks_like_a_test_command_is_none() {
        assert_eq!(of(&[("README.md", "")]), None);
        assert_eq!(
            of(&[("package.json", r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#)]),
            None
        );
        assert_eq!(of(&[("package.json", "not json")]), None);
        assert_eq!(of(&[("Makefile", "testing:\n\nTEST := 1\ntest := 2\n\ttest:\n")]), None);
    }
}
