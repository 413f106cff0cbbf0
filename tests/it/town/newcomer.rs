//! What somebody runs into who knows the README only: each dead end names the way out, each word is true.

use gastown::base::{BeadId, Clock as _, SystemClock};
use gastown::store::Stamp;

use super::{TestTown, hints};
use crate::support::eventually;

/// The convoy of a new bead, and the bead.
fn convoy(town: &TestTown) -> (String, String) {
    let bead = town.bead("x");
    let made = town.gt(&["convoy", "create", "C", &bead, "--json"]).json();
    (made["id"].as_str().expect("an id").to_owned(), bead)
}

#[test]
fn a_bead_in_quarantine_is_shown_with_why_and_the_next_command() {
    let town = TestTown::new();
    let (_, bead) = convoy(&town);
    let id = BeadId::new(bead.as_str()).expect("an id");
    town.store()
        .write(&Stamp::new("test", SystemClock.now()), |w| gastown::town::budget::quarantine(w, &id, "it died again"))
        .expect("written");
    for command in [["convoy", "status"].as_slice(), &["status"]] {
        let said = town.gt(command).ok();
        let told = ["in quarantine", "it died again", &format!("go on: gt sling --force {bead}")];
        assert!(told.iter().all(|told| said.contains(told)), "{command:?}: {said}");
    }
    let status = town.gt(&["status", "--json"]).json();
    assert_eq!(status["quarantined"][0]["bead"], bead.as_str());
    town.gt(&["sling", "--force", &bead, "app", "--no-start"]).ok();
    for command in [["convoy", "status"].as_slice(), &["status"]] {
        let said = town.gt(command).ok();
        assert!(!said.contains("quarantine"), "{command:?}: {said}");
    }
}

#[test]
fn a_person_is_told_of_work_that_nobody_has() {
    let town = TestTown::new();
    let (taken, free) = (town.bead("taken"), town.bead("free"));
    town.sling(&taken);
    let prime = town.gt(&["prime", "--json"]).json();
    let next: Vec<&str> = prime["next"].as_array().expect("a list").iter().filter_map(|n| n.as_str()).collect();
    let command = next.iter().find_map(|c| c.strip_prefix("bd ")).expect("a command of bd");
    let said = town.bd(&command.split(' ').collect::<Vec<_>>()).ok();
    assert!(said.contains(&free) && !said.contains(&taken), "{command}: {said}");
    assert!(town.gt(&["prime", "--text"]).ok().contains(&format!("`bd {command}`")));
}

/// Slings a bead, hands it in, deletes it; gives the bead, its request and the commit.
fn deleted(town: &TestTown) -> (String, BeadId, String) {
    let bead = town.bead("x");
    town.sling(&bead);
    town.commit("toast", "a.txt", "a\n");
    let (mr, commit) = town.hand_in("toast");
    std::fs::write(town.worktree("toast").join("left.txt"), "not committed\n").expect("a file");
    town.bd(&["delete", &bead, "--force"]).ok();
    (bead, mr, commit)
}

fn nothing_is_left_of_it(town: &TestTown, mr: &BeadId, commit: &str) {
    assert!(town.agents().is_empty(), "its worker is gone");
    assert_eq!(town.status_of(mr.as_str()), "closed");
    let repo = town.root.join("app/.repo.git");
    let refs = town.sandbox.git(&repo, &["for-each-ref", "--contains", commit]).ok();
    assert!(refs.contains(commit) && refs.contains("refs/gt/"), "what it made is kept: {refs}");
    assert!(town.sandbox.git(&repo, &["for-each-ref", "refs/gt/preserve"]).ok().contains("toast"));
}

#[test]
fn the_worker_of_a_deleted_bead_is_taken_down_by_a_persons_word() {
    let town = TestTown::new();
    let (bead, mr, commit) = deleted(&town);
    let said = town.gt(&["unsling", &bead]).ok();
    assert!(said.contains("its worker is gone, and what it made is kept"), "{said}");
    nothing_is_left_of_it(&town, &mr, &commit);
    assert!(town.gt(&["unsling", &bead]).ok().contains("nobody has it"));
}

#[test]
fn the_worker_of_a_deleted_bead_is_taken_down_by_the_daemon() {
    let town = TestTown::new();
    let (_, mr, commit) = deleted(&town);
    town.gt(&["start"]).ok();
    eventually("its worker to go", || town.agents().is_empty().then_some(()));
    nothing_is_left_of_it(&town, &mr, &commit);
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_convoy_that_was_closed_by_hand_has_not_landed() {
    let town = TestTown::new();
    let (id, bead) = convoy(&town);
    town.bd(&["close", &id, "--force"]).ok();
    for command in [["convoy", "list", "--all"], ["convoy", "status", &id]] {
        let said = town.gt(&command).ok();
        assert!(said.contains("closed, 0 of 1 done") && !said.contains("landed") && !said.contains('✓'), "{said}");
    }
    let empty = town.gt(&["convoy", "create", "Empty", "--json"]).json()["id"].as_str().expect("an id").to_owned();
    town.bd(&["close", &empty, "--force"]).ok();
    assert!(town.gt(&["convoy", "status", &empty]).ok().contains("closed, 0 of 0 done"));

    let error = town.gt(&["convoy", "create", &bead]).fails();
    assert!(error.contains(&format!("{bead} is a bead")), "{error}");
    assert_eq!(hints(&error), [format!("gt convoy create \"x\" {bead}")]);
}
