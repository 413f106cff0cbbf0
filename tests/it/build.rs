//! The build script says what is missing on a machine before anything long is begun.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::support::{Ran, Sandbox, finish, has};

/// The build script, and a folder that is all of its PATH.
struct Machine {
    sandbox: Sandbox,
    script: PathBuf,
}

impl Machine {
    /// A machine with a C compiler, a C++ compiler and this git. None when there is nothing to build the script with.
    fn new(git: &str) -> Option<Self> {
        if !has("rustc") || !has("cc") {
            return None;
        }
        let sandbox = Sandbox::new();
        let script = sandbox.path().join("build-script");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
        let mut rustc = sandbox.command("rustc", sandbox.path());
        // A toolchain that is chosen by its HOME is found there.
        if let Some(home) = std::env::var_os("HOME") {
            rustc.env("HOME", home);
        }
        rustc.args(["--edition", "2024", "--crate-name", "build_script", "-o"]).arg(&script).arg(source);
        let _ = finish(rustc, "rustc build.rs".into()).ok();
        let machine = Self { sandbox, script };
        for program in ["cc", "c++"] {
            machine.install(program, "cc 12.2.0");
        }
        machine.install("git", git);
        Some(machine)
    }

    fn install(&self, program: &str, says: &str) {
        let path = self.sandbox.folder("machine").join(program);
        std::fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    }

    fn remove(&self, program: &str) {
        std::fs::remove_file(self.sandbox.folder("machine").join(program)).expect("removed");
    }

    /// The errors and warnings of the script.
    fn says(&self) -> Vec<String> {
        let mut command = self.sandbox.command(&self.script, self.sandbox.path());
        command.env("PATH", self.sandbox.folder("machine"));
        let ran: Ran = finish(command, "the build script".into());
        let lines = ran.ok();
        let told = lines.lines().filter_map(|l| l.strip_prefix("cargo::error=").or(l.strip_prefix("cargo::warning=")));
        told.map(str::to_owned).collect()
    }
}

#[test]
fn a_machine_that_has_everything_is_told_nothing() {
    let Some(machine) = Machine::new("git version 2.38.0") else { return };
    assert_eq!(machine.says(), Vec::<String>::new());
    machine.install("git", "git version 2.47.3 (Apple Git-1)");
    assert_eq!(machine.says(), Vec::<String>::new());
}

#[test]
fn what_is_missing_is_named_with_what_to_do() {
    let Some(machine) = Machine::new("git version 2.37.9") else { return };
    assert_eq!(machine.says(), ["git 2.37 is too old: install git 2.38 or newer and run again"]);
    machine.install("git", "something else");
    assert!(
        matches!(&machine.says()[..], [one] if one.contains("printed \"something else\\n\"; git 2.38 or newer is needed"))
    );
    for program in ["git", "cc", "c++"] {
        machine.remove(program);
    }
    let says = machine.says();
    let expected =
        ["a C compiler is missing (`cc`)", "a C++ compiler is missing (`c++`)", "git is missing: install git 2.38"];
    assert_eq!(says.len(), expected.len(), "{says:?}");
    for (said, expected) in says.iter().zip(expected) {
        assert!(said.starts_with(expected) && said.contains("run again"), "{said}");
    }
}
