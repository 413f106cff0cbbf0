//! The demo's promises, derived again from outside: only `git`, `ps`, `tmux -S` and `--json` look at the kept town.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Ran, Sandbox, eventually};

/// A finished demo whose town was kept.
struct Kept {
    sandbox: Sandbox,
    dir: PathBuf,
    outcome: Value,
    ran: Ran,
}

fn demo(flags: &[&str]) -> Kept {
    let sandbox = Sandbox::new();
    let dir = sandbox.path().join("kept");
    let mut args = vec!["demo", "--json", "--keep", dir.to_str().expect("utf-8")];
    args.extend(flags);
    let ran = sandbox.gt(sandbox.path(), &args);
    // What the demo says of itself is judged last: what can be seen from outside comes first.
    let outcome = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| ran.clone().json());
    Kept { sandbox, dir, outcome, ran }
}

impl Kept {
    fn town(&self) -> PathBuf {
        self.dir.join("town")
    }

    fn json(&self, program: &str, args: &[&str]) -> Value {
        let mut all = args.to_vec();
        all.push("--json");
        self.sandbox.run(program, &self.town(), &all).json()
    }

    fn remote(&self, args: &[&str]) -> String {
        self.sandbox.git(&self.dir.join("sample.git"), args).ok()
    }

    /// The beads that the convoy tracks.
    fn beads(&self) -> Vec<String> {
        let convoys = self.json("gt", &["convoy", "list", "--all"]);
        let id = convoys[0]["id"].as_str().expect("one convoy").to_owned();
        let status = self.json("gt", &["convoy", "status", &id]);
        let tracked = status["tracked"].as_array().expect("tracked beads");
        tracked.iter().map(|b| b["id"].as_str().expect("id").to_owned()).collect()
    }

    /// Every promise.
    fn verify(&self) {
        let beads = self.beads();
        assert_eq!(beads.len(), 5, "four beads and the one that was found on the way");
        self.every_bead_is_closed_by_its_merge(&beads);
        self.every_pushed_tree_was_tested();
        self.no_closed_step_ran_twice();
        self.one_conflict_was_reworked(&beads);
        self.the_policy_decided_what_landed_first();
        self.somebody_elses_push_was_kept();
        self.nothing_lives();
        self.ran.clone().ok();
        assert_eq!(self.outcome["held"], true);
    }

    /// The town's own refinery.lua admits nothing before what is labelled `first`.
    fn the_policy_decided_what_landed_first(&self) {
        let first = self.json("bd", &["list", "--all", "--label", "first"]);
        let log =
            self.remote(&["log", "--first-parent", "--reverse", "--format=%(trailers:key=Gt-Bead,valueonly)", "main"]);
        let landed = log.lines().find(|line| !line.is_empty());
        assert_eq!(landed, first[0]["id"].as_str(), "{log}");
    }

    /// The target moved while a gate ran: what was tested then was not pushed over it.
    fn somebody_elses_push_was_kept(&self) {
        self.remote(&["merge-base", "--is-ancestor", "refs/demo/somebody", "main"]);
        assert_eq!(self.remote(&["show", "main:SOMEBODY.md"]), "By somebody else.");
    }

    fn every_bead_is_closed_by_its_merge(&self, beads: &[String]) {
        let log = self.remote(&[
            "log",
            "--first-parent",
            "--format=%H %(trailers:key=Gt-Bead,valueonly,separator=%x2C) %(trailers:key=Gt-Source,valueonly,separator=%x2C)",
            "main",
        ]);
        let mut landed: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for line in log.lines() {
            if let [commit, bead, source] = line.split(' ').collect::<Vec<_>>()[..] {
                landed.entry(bead).or_default().push((commit, source));
            }
        }
        for bead in beads {
            let shown = self.json("bd", &["show", bead]);
            assert_eq!(shown[0]["status"], "closed", "{bead}");
            let merges =
                landed.get(bead.as_str()).unwrap_or_else(|| panic!("{bead} is closed and did not land\n{log}"));
            assert_eq!(merges.len(), 1, "{bead} landed more than once: {merges:?}");
            let (commit, source) = merges[0];
            self.remote(&["merge-base", "--is-ancestor", source, "main"]);
            let files = self.remote(&["diff", "--name-only", &format!("{commit}^1"), commit]);
            assert!(!files.is_empty(), "the landing of {bead} changed nothing");
        }
        assert_eq!(landed.keys().filter(|b| !b.is_empty()).count(), beads.len(), "something else landed\n{log}");
        assert!(!self.remote(&["show", "main:src/cli.sh"]).contains("<<<<"), "conflict markers landed");
        for line in ["verbose=", "strict="] {
            assert!(self.remote(&["show", "main:src/cli.sh"]).contains(line), "{line} was lost");
        }
    }

    /// The target moved only by pushes that replaced the commit they were built on, each to a tree that the gate saw.
    fn every_pushed_tree_was_tested(&self) {
        let noted =
            std::fs::read_to_string(self.town().join("sample/.repo.git/tested-trees")).expect("the gate's notes");
        let tested: BTreeSet<&str> = noted.lines().collect();
        let moves = std::fs::read_to_string(self.dir.join("pushes")).expect("the remote's notes");
        let mut at = self.remote(&["rev-list", "--max-parents=0", "main"]);
        for line in moves.lines() {
            let [old, new, reference] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            if reference != "refs/heads/main" {
                continue;
            }
            self.remote(&["merge-base", "--is-ancestor", &at, new]);
            self.remote(&["merge-base", "--is-ancestor", old, new]);
            let tree = self.remote(&["rev-parse", &format!("{new}^{{tree}}")]);
            assert!(tested.contains(tree.as_str()), "{new} was pushed and its tree {tree} was never tested");
            new.clone_into(&mut at);
        }
        assert_eq!(self.remote(&["rev-parse", "main"]), at, "the target moved without a push");
    }

    fn no_closed_step_ran_twice(&self) {
        let steps = std::fs::read_to_string(self.dir.join("evidence/steps")).expect("the workers' notes");
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for line in steps.lines() {
            *seen.entry(line).or_default() += 1;
        }
        // A kill may cut a worker between the last line of a step and its closing: that step is not a closed one.
        // The design steps of the two held workers were closed before anything was killed.
        let crashed = self.outcome["recovered"].as_array().is_some_and(|r| !r.is_empty());
        let once = |line: &str| !crashed || matches!(line, "parser design" | "errors design");
        assert!(seen.iter().all(|(l, n)| *n == 1 || !once(l)), "a closed step ran again: {seen:?}");
        assert_eq!(seen.len(), 5 * 4 + 1, "four steps for each bead and one rework: {seen:?}");
    }

    fn one_conflict_was_reworked(&self, beads: &[String]) {
        let attempts: Vec<usize> = beads
            .iter()
            .map(|bead| {
                let requests = self.json("bd", &["list", "--all", "--type", "merge-request", "--limit", "0"]);
                let requests = requests.as_array().expect("a list");
                requests.iter().filter(|r| r["metadata"]["mr"]["bead"] == bead.as_str()).count()
            })
            .collect();
        assert_eq!(attempts.iter().sum::<usize>(), beads.len() + 1, "one bead was handed in twice: {attempts:?}");
    }

    fn nothing_lives(&self) {
        let processes = self.sandbox.run("ps", Path::new("/"), &["-eww", "-o", "pid=,args="]).ok();
        let here = self.dir.display().to_string();
        let mine: Vec<&str> = processes.lines().filter(|line| line.contains(&here)).collect();
        assert!(mine.is_empty(), "still alive: {mine:#?}");
        let socket = self.town().join(".runtime/tmux.sock");
        let tmux = self.sandbox.command("tmux", &self.dir).arg("-S").arg(socket).arg("list-sessions").output();
        assert!(tmux.is_err() || !tmux.expect("tmux ran").status.success(), "a tmux server still answers");
    }
}

#[test]
fn the_demo_on_headless_hosts_keeps_every_promise() {
    demo(&["--headless"]).verify();
}

#[test]
fn the_demo_on_tmux_keeps_every_promise() {
    if !crate::support::has("tmux") {
        return;
    }
    demo(&[]).verify();
}

#[test]
fn the_demo_keeps_every_promise_while_things_are_killed() {
    let kept = demo(&["--headless", "--crash"]);
    kept.verify();
    assert_eq!(kept.outcome["recovered"].as_array().map(Vec::len), Some(3));
}

#[test]
fn the_demo_on_tmux_survives_the_kills_too() {
    if !crate::support::has("tmux") {
        return;
    }
    let kept = demo(&["--crash"]);
    kept.verify();
    assert_eq!(kept.outcome["recovered"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_folder_with_something_in_it_is_not_touched() {
    let sandbox = Sandbox::new();
    let dir = sandbox.folder("mine");
    std::fs::write(dir.join("precious"), "x").expect("write");
    let message = sandbox.gt(sandbox.path(), &["demo", "--keep", "mine"]).fails();
    assert!(message.contains("is not empty"), "{message}");
    assert_eq!(std::fs::read_dir(&dir).expect("list").count(), 1);
}

#[test]
fn the_demo_needs_no_program_but_gt_sh_and_git() {
    let sandbox = Sandbox::new();
    let alone = sandbox.folder("alone").join("gt");
    std::fs::copy(env!("CARGO_BIN_EXE_gt"), &alone).expect("copied");
    let mut command = sandbox.command(&alone, sandbox.path());
    let bare = sandbox.folder("bare");
    let path = std::env::var("PATH").expect("PATH");
    for program in ["sh", "git"] {
        let found = path.split(':').map(|dir| Path::new(dir).join(program)).find(|file| file.is_file());
        std::os::unix::fs::symlink(found.expect("installed"), bare.join(program)).expect("linked");
    }
    command.env("PATH", &bare);
    command.args(["demo", "--headless"]);
    let said = crate::support::finish(command, "gt demo".to_owned()).ok();
    assert!(said.contains("0 model tokens spent on supervision"), "{said}");
}

#[test]
fn a_demo_that_is_interrupted_leaves_no_process_and_no_folder() {
    use std::os::unix::process::ExitStatusExt as _;

    let sandbox = Sandbox::new();
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_gt"), sandbox.path());
        command.args(["demo", "--headless"]).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
        let child = command.spawn().expect("gt demo");
        let towns = || -> Vec<PathBuf> {
            let temporary = std::fs::read_dir(sandbox.path().join("tmp")).expect("tmp").flatten().map(|e| e.path());
            temporary.filter(|p| p.display().to_string().contains("gt-demo-")).collect()
        };
        let daemon = eventually("the demo's daemon", || {
            let town = towns().first()?.join("town");
            gastown::daemon::lock::is_held(&town).ok()?.then(|| gastown::daemon::lock::holder(&town)).flatten()
        });
        sandbox.run("kill", sandbox.path(), &[&format!("-{signal}"), &child.id().to_string()]).ok();
        let out = child.wait_with_output().expect("ended");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!((out.status.code(), out.status.signal()), (Some(code), None), "SIG{signal}: {said}");
        assert!(said.contains("the town is shut down and its folder is removed"), "{said}");
        assert_eq!(towns(), Vec::<PathBuf>::new(), "SIG{signal}");
        assert_eq!(gastown::base::process::ProcId::of(daemon), None, "SIG{signal}: the daemon lives");
    }
}

#[test]
fn a_demo_whose_worker_dies_again_and_again_says_why_and_where_to_look() {
    let sandbox = Sandbox::new();
    let git = sandbox.folder("bin").join("git");
    let real = std::env::var("PATH").expect("PATH");
    let real = real.split(':').map(|dir| Path::new(dir).join("git")).find(|file| file.is_file()).expect("git");
    let full = "case $* in *Gt-Step*) echo 'no room is left' >&2; exit 1 ;; esac";
    super::town::write(&git, &format!("#!/bin/sh\n{full}\nexec {} \"$@\"\n", real.display()));
    std::fs::set_permissions(&git, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_gt"), sandbox.path());
    let path = format!("{}:{}", sandbox.path().join("bin").display(), Sandbox::search_path());
    command.env("PATH", path).args(["demo", "--headless", "--keep", "kept"]);
    let said = crate::support::finish(command, "gt demo".to_owned()).fails();
    for part in ["died again and again", "no room is left", "the changes cannot be committed"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // What it names shows the same, now that the town is down.
    let hint = said.split_once("gt -C ").expect("a hint").1.lines().next().expect("a line");
    let args: Vec<&str> = std::iter::once("-C").chain(hint.split(' ')).collect();
    let screen = sandbox.gt(sandbox.path(), &args).ok();
    assert!(screen.contains("no room is left"), "{screen}");
}
