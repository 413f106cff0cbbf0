//! `gt unsling`: a person's word about a bead holds, whatever the Witness would do.

use gastown::base::{BeadId, Clock as _, SystemClock};
use gastown::store::Stamp;

use super::TestTown;
use crate::support::eventually;

/// Puts another ready bead into the convoy and waits until the Witness has slung it: it has looked at all of them.
pub(super) fn the_witness_goes_on(town: &TestTown) {
    let convoy = town.gt(&["convoy", "list", "--json"]).json()[0]["id"].as_str().expect("a convoy").to_owned();
    let other = town.bead("another");
    town.gt(&["convoy", "add", &convoy, &other]).ok();
    eventually("the other bead to be slung", || (town.status_of(&other) == "in_progress").then_some(()));
}

#[test]
fn what_a_person_takes_off_its_hook_stays_off_until_a_person_slings_it() {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    town.gt(&["start"]).ok();
    let said = town.gt(&["unsling", &bead, "--reason", "not now"]).ok();
    assert!(said.contains(&format!("held back until you say: gt sling {bead}")), "{said}");
    the_witness_goes_on(&town);
    assert_eq!((town.status_of(&bead).as_str(), &town.show(&bead)["metadata"]["workers"]), ("open", &1.into()));
    let why = format!("took it off its hook: not now; go on: gt sling {bead}");
    for command in [&["convoy", "status"][..], &["why", &bead]] {
        let said = town.gt(command).ok();
        assert!(said.contains(&why), "{command:?}: {said}");
    }

    town.gt(&["sling", &bead]).ok();
    assert_eq!(town.status_of(&bead), "in_progress");
    let said = town.gt(&["why", &bead]).ok();
    assert!(!said.contains("go on: gt sling") && said.contains("let go on"), "{said}");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn of_a_bead_in_quarantine_every_word_names_the_command_that_lets_it_go_on() {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    let id = BeadId::new(bead.as_str()).expect("an id");
    let by = Stamp::new("test", SystemClock.now());
    town.store().write(&by, |w| gastown::town::budget::quarantine(w, &id, "it died again")).expect("written");
    let mail = town.store().read(|r| gastown::town::budget::particulars(r, &id)).expect("read");
    assert!(mail.contains(&format!("Go on: gt sling --force {bead} app")), "{mail}");
    let why = town.gt(&["why", &bead]).ok();
    assert!(why.contains(&format!("in quarantine: it died again; go on: gt sling --force {bead}")), "{why}");
    let said = town.gt(&["unsling", &bead]).ok();
    let advised = said.split_once("until you say: gt ").expect("a command").1.trim().to_owned();
    // Its worker's rig is named; a bead that is at home goes there without that, too.
    let plain = advised.strip_suffix(" app").expect("the rig that its work is in");
    for command in [["why", &bead], ["convoy", "status"]] {
        let said = town.gt(&command).ok();
        assert!(said.contains(&format!("go on: gt {plain}")), "{command:?}: {said}");
    }
    town.gt(&advised.split(' ').collect::<Vec<_>>()).ok();
    assert_eq!(town.status_of(&bead), "in_progress", "gt {advised}");
}

#[test]
fn what_is_given_to_the_next_worker_is_slung_by_the_witness_also_after_it_was_held() {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    town.gt(&["start"]).ok();
    let workers = || town.show(&bead)["metadata"]["workers"].as_i64();
    town.gt(&["unsling", &bead, "--requeue"]).ok();
    eventually("a second worker", || (workers() == Some(2) && town.status_of(&bead) == "in_progress").then_some(()));
    town.gt(&["unsling", &bead]).ok();
    the_witness_goes_on(&town);
    assert_eq!((workers(), town.status_of(&bead).as_str()), (Some(2), "open"));
    town.gt(&["unsling", &bead, "--requeue"]).ok();
    eventually("a third worker", || (workers() == Some(3)).then_some(()));
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_bead_is_taken_off_its_hook_also_from_within_the_worktree_that_goes() {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    let said = town.as_worker("toast", &["unsling", &bead]).ok();
    assert!(said.contains(&format!("✓ {bead} is open again")), "{said}");
    assert!(!town.worktree("toast").exists() && town.gt(&["agents", "--json"]).json() == serde_json::json!([]));
}
