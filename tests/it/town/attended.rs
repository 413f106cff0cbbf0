//! While a person is attached to a session, it is left alone.

use std::io::Write as _;
use std::process::{Child, Stdio};

use gastown::session::{HeadlessHost, Host as _, headless};

use super::TestTown;
use super::unsling::the_witness_goes_on;
use crate::support::{eventually, has};

/// A person who looks at a worker's session, on a terminal of their own.
struct Person {
    client: Child,
}

impl Person {
    fn attach(town: &TestTown, worker: &str) -> Self {
        let mut client = town.sandbox.command("script", &town.root);
        client.args(["-qec", &format!("gt polecat attach {worker}"), "/dev/null"]);
        client.env("SHELL", "/bin/sh").env("TERM", "xterm");
        client.stdin(Stdio::piped()).stdout(Stdio::null());
        let client = client.spawn().expect("script");
        eventually("the person is there", || attached(town, worker).then_some(()));
        Self { client }
    }

    fn leave(mut self, town: &TestTown, worker: &str) {
        let mut keys = self.client.stdin.take().expect("keys");
        keys.write_all(&[headless::attach::DETACH]).expect("typed");
        drop(keys);
        self.client.wait().expect("ended");
        eventually("the person has gone", || (!attached(town, worker)).then_some(()));
    }
}

fn attached(town: &TestTown, worker: &str) -> bool {
    let host = HeadlessHost::new(&town.root.join(".runtime"), env!("CARGO_BIN_EXE_gt").as_ref()).expect("host");
    host.probe(&format!("app-polecats-{worker}")).expect("probe").attached
}

/// A town with a worker that has committed something.
fn begun() -> (TestTown, String) {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    town.commit("toast", "new.txt", "x\n");
    (town, bead)
}

#[test]
fn a_rework_waits_while_a_person_is_attached_and_says_so() {
    if !has("script") {
        return;
    }
    let (town, bead) = begun();
    let _ = town.hand_in("toast");
    let pid = town.agents()[0]["pid"].clone();
    let person = Person::attach(&town, "toast");
    town.up();
    let back = town.gt(&["review", "back", &bead, "--comment", "name it better"]);
    assert!(back.stderr.contains("a person is attached to its session; it is started anew"), "{}", back.stderr);
    let _ = back.ok();
    assert_eq!((&town.agents()[0]["pid"], &town.agents()[0]["running"]), (&pid, &true.into()));
    for command in [&["status"][..], &["why", &bead], &["why", "toast"]] {
        let said = town.gt(command).ok();
        assert!(said.contains("a person is attached to its session"), "{command:?}: {said}");
    }
    person.leave(&town, "toast");
    town.gt(&["start"]).ok();
    eventually("the worker begins anew", || {
        let agent = town.agents()[0].clone();
        (agent["state"] == "working" && agent["running"] == true && agent["pid"] != pid).then_some(())
    });
    assert!(!town.gt(&["status"]).ok().contains("a person is attached"));
    town.gt(&["shutdown"]).ok();
}

#[test]
fn what_is_taken_off_its_hook_keeps_its_worker_while_a_person_is_attached_and_is_slung_by_nobody_then() {
    if !has("script") {
        return;
    }
    let (town, bead) = begun();
    let person = Person::attach(&town, "toast");
    town.gt(&["start"]).ok();
    let said = town.gt(&["unsling", &bead]).ok();
    assert!(said.contains("is still on its hook: a person is attached"), "{said}");
    assert!(town.worktree("toast").join("new.txt").is_file());
    assert_eq!(town.agents()[0]["running"], true);
    person.leave(&town, "toast");
    // The daemon goes on by itself.
    eventually("the worker is gone", || town.agents().is_empty().then_some(()));
    assert!(!town.worktree("toast").exists());
    the_witness_goes_on(&town);
    assert_eq!(town.status_of(&bead), "open");
    town.gt(&["shutdown"]).ok();
}
