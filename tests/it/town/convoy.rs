//! `gt convoy`.

use super::{TestTown, hints};

#[test]
fn a_convoy_of_chosen_beads_is_shown_with_what_they_wait_for() {
    let town = TestTown::new();
    let (a, b) = (town.bead("first"), town.bead("second"));
    town.bd(&["dep", "add", &b, &a]).ok();
    let made = town.gt(&["convoy", "create", "Feature X", &a, &b, "--notify", "--human", "--json"]).json();
    let id = made["id"].as_str().expect("id").to_owned();
    assert!(id.starts_with("hq-cv-"), "{id}");
    assert_eq!(made["total"], 2);
    let status = town.gt(&["convoy", "status", &id]).ok();
    assert!(status.contains("\"Feature X\"  open, 0 of 2"), "{status}");
    assert!(status.contains(&format!("waits for {a}")), "{status}");
    assert_eq!(town.gt(&["convoy", "status", "1", "--json"]).json()["id"], id.as_str());
    let error = town.gt(&["convoy", "create", "Y", "gt-nosuch"]).fails();
    assert!(error.contains("gt-nosuch"), "{error}");
    assert_eq!(town.gt(&["convoy", "list", "--json"]).json().as_array().expect("list").len(), 1);
    assert!(town.gt(&["convoy", "add", &a, &b]).fails().contains("is a task, not a convoy"));
}

#[test]
fn a_convoy_answers_to_its_title_and_what_is_none_names_the_next_step() {
    let town = TestTown::new();
    for args in [&["convoy", "status"][..], &["convoy", "status", "1"]] {
        let error = town.gt(args);
        assert_eq!(error.code, 4, "{}", error.stderr);
        assert!(error.stderr.contains("there is no convoy yet"), "{}", error.stderr);
        assert!(hints(&error.stderr)[0].contains("gt convoy create"), "{}", error.stderr);
    }
    let (a, b) = (town.bead("first"), town.bead("second"));
    let make = |title: &str| {
        let made = town.gt(&["convoy", "create", title, &a, "--json"]).json();
        made["id"].as_str().expect("an id").to_owned()
    };
    let id = make("Feature X");
    let shown = |convoy: &str| town.gt(&["convoy", "status", convoy, "--json"]).json()["id"].clone();
    assert_eq!(shown("Feature X"), id.as_str());
    assert!(town.gt(&["convoy", "add", "Feature X", &b]).ok().contains(&b));
    let error = town.gt(&["convoy", "status", "Feature"]);
    assert_eq!(error.code, 4, "{}", error.stderr);
    assert!(error.stderr.contains("there is no convoy `Feature`"), "{}", error.stderr);
    assert_eq!(hints(&error.stderr), ["see them: gt convoy list --all"]);
    let error = town.gt(&["convoy", "status", "7"]).fails();
    assert!(
        error.contains("no open convoy has the number 7") && hints(&error) == ["see them: gt convoy list"],
        "{error}"
    );
    // Of two with one title, the open one is meant; if both are, neither.
    let second = make("Feature X");
    let error = town.gt(&["convoy", "status", "Feature X"]).fails();
    assert!(error.contains("2 convoys are called `Feature X`"), "{error}");
    assert!(error.contains(&id) && error.contains(&second) && error.contains("gt convoy list"), "{error}");
    town.bd(&["close", &id, "--force"]).ok();
    assert_eq!(shown("Feature X"), second.as_str());
}

#[test]
fn a_discovered_bead_joins_the_convoy_of_what_it_was_found_in() {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    let tree = town.worktree("toast");
    let found = town
        .sandbox
        .bd(&tree, &["create", "found on the way", "--deps", &format!("discovered-from:{bead}"), "-q"])
        .ok();
    assert!(found.starts_with("gt-"), "{found}");
    let convoy = town.gt(&["convoy", "list", "--json"]).json()[0].clone();
    let ids: Vec<&str> = convoy["tracked"].as_array().expect("list").iter().filter_map(|t| t["id"].as_str()).collect();
    assert_eq!(ids, [bead.as_str(), found.as_str()]);
    town.all_steps("toast");
    let done = town.as_worker("toast", &["done", "--no-change", "nothing", "--json"]).json();
    assert_eq!(done["convoys"], serde_json::json!([]), "it waits for what was found");
}

#[test]
fn a_landed_convoy_opens_again_when_work_is_added_and_tells_who_asked() {
    let town = TestTown::new();
    let (a, b) = (town.bead("a"), town.bead("b"));
    let id = town.gt(&["convoy", "create", "C", &a, "--human", "--json"]).json()["id"].as_str().expect("id").to_owned();
    town.gt(&["sling", &a, "app", "--no-start"]).ok();
    town.all_steps("toast");
    let _ = town.as_worker("toast", &["done", "--no-change", "nothing"]).ok();
    assert_eq!(town.status_of(&id), "closed");
    let mail = town.bd(&["list", "--all", "--type", "message", "--json"]).json();
    assert_eq!(mail[0]["assignee"], "overseer");
    assert!(mail[0]["title"].as_str().expect("title").contains("Convoy landed: C"), "{mail}");
    town.gt(&["convoy", "add", &id, &b]).ok();
    assert_eq!(town.status_of(&id), "open");
}

#[test]
fn a_convoy_lands_too_when_its_last_bead_is_closed_by_hand() {
    let town = TestTown::new();
    let (a, b) = (town.bead("a"), town.bead("b"));
    let id = town.gt(&["convoy", "create", "C", &a, &b, "--json"]).json()["id"].as_str().expect("id").to_owned();
    town.bd(&["close", &a]).ok();
    assert_eq!(town.status_of(&id), "open");
    town.bd(&["close", &b]).ok();
    assert_eq!(town.status_of(&id), "closed");
}
