//! How agents' programs are begun: what is typed to them, what a person is told of them, and where they begin.

use std::os::unix::fs::PermissionsExt as _;

use super::TestTown;
use crate::support::{eventually, has};

/// Says that it is ready, and writes down the first line it reads.
const TYPIST: &str =
    "#!/bin/sh\necho starting\nprintf 'ready> '\nread -r line\necho \"$line\" > told\nexec sleep 600\n";

/// A town with the runtime `typist`.
fn town(keys: &str) -> TestTown {
    let town = TestTown::new();
    let program = town.sandbox.path().join("typist");
    super::write(&program, TYPIST);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("mode");
    let path = town.root.join("town.toml");
    let text = std::fs::read_to_string(&path).expect("town.toml");
    let program = program.display();
    super::write(&path, &format!("{text}\n[runtimes.typist]\nprogram = \"{program}\"\nprompt = \"typed\"\n{keys}"));
    town
}

fn is_told(host: &str, keys: &str) {
    let town = town(keys);
    let bead = town.bead("x");
    town.gt(&["sling", &bead, "app", "--no-start", "--runtime", "typist", "--host", host]).ok();
    let told = eventually("the program has read its first line", || {
        std::fs::read_to_string(town.worktree("toast").join("told")).ok().filter(|text| text.ends_with('\n'))
    });
    assert!(told.contains("gt prime"), "{told}");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_program_that_takes_no_argument_is_typed_its_first_prompt() {
    is_told("headless", "");
    is_told("headless", "[runtimes.typist.signs]\nready = ['ready>']\n");
    if has("tmux") {
        is_told("tmux", "");
    }
}

#[test]
fn a_program_that_ends_before_it_could_be_told_is_named() {
    let town = town("");
    super::write(&town.sandbox.path().join("typist"), "#!/bin/sh\nexit 3\n");
    let bead = town.bead("x");
    town.gt(&["sling", &bead, "app", "--no-start", "--runtime", "typist"]).ok();
    let why = town.gt(&["why", "toast"]).ok();
    assert!(why.contains("not told to begin") && why.contains("its program has ended"), "{why}");
}

#[test]
fn a_first_prompt_that_a_dialog_keeps_back_is_seen_in_the_status() {
    let town = town("[[runtimes.typist.signs.dialog]]\nname = \"trust\"\npattern = 'ready>'\n");
    let bead = town.bead("x");
    town.gt(&["sling", &bead, "app", "--no-start", "--runtime", "typist"]).ok();
    for command in ["status", "agents"] {
        let shown = town.gt(&[command]).ok();
        let told = "may not have been told to begin (a dialog is open (trust)";
        assert!(shown.contains(told) && shown.contains("gt polecat attach toast"), "{command}: {shown}");
    }
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_person_is_told_once_of_a_program_that_works_without_asking() {
    let town = town("args = [\"--yes\"]\nunchecked = [\"--yes\"]\n");
    let sling = |runtime: &str| {
        let bead = town.bead("x");
        town.gt(&["sling", &bead, "app", "--no-start", "--runtime", runtime])
    };
    assert!(!sling("idle").stderr.contains("permission"));
    let said = sling("typist").stderr;
    assert!(said.contains("permission checks off (--yes)") && said.contains("[runtimes.typist] in"), "{said}");
    assert!(!sling("typist").stderr.contains("permission"), "once");
    let path = town.root.join("town.toml");
    let text = std::fs::read_to_string(&path).expect("town.toml");
    super::write(&path, &text.replace("runtime = \"idle\"", "runtime = \"claude\""));
    let added = town.gt(&["rig", "add", "more", &town.remote.display().to_string(), "--no-try"]);
    assert!(added.stderr.contains("(--dangerously-skip-permissions)"), "{}", added.stderr);
}

#[test]
fn a_worker_that_begins_without_the_remote_says_where_it_begins_and_why() {
    let town = TestTown::new();
    let bead = town.bead("x");
    std::fs::rename(&town.remote, town.sandbox.path().join("away.git")).expect("moved away");
    let slung = town.gt(&["sling", &bead, "app", "--no-start"]);
    let told = ["no repository at", "ls-remote", "begun at main as last seen"];
    assert!(told.iter().all(|told| slung.stderr.contains(told)), "{}", slung.stderr);
    assert!(slung.ok().contains("toast"));
    let why = town.gt(&["why", &bead]).ok();
    assert!(why.contains("begun on the target as last seen: no repository at"), "{why}");
    assert!(town.worktree("toast").join("Makefile").is_file());
}
