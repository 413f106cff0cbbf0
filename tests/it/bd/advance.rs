//! Closing a step and taking up the next, and the bead that is meant when none is named.

use serde_json::json;

use super::Repo;

const FORMULA: &str = "formula = \"trip\"\n[[steps]]\nid = \"pack\"\n[[steps]]\nid = \"walk\"\nneeds = [\"pack\"]\n";

fn poured() -> (Repo, String, String, String) {
    let repo = Repo::new();
    let folder = repo.dir.join(".beads/formulas");
    std::fs::create_dir_all(&folder).expect("folder");
    std::fs::write(folder.join("trip.formula.toml"), FORMULA).expect("formula");
    let made = repo.bd(&["mol", "pour", "trip", "--json"]).json();
    let id = |value: &serde_json::Value| value.as_str().expect("id").to_owned();
    let steps = &made["id_mapping"];
    let (root, pack, walk) = (id(&made["new_epic_id"]), id(&steps["trip.pack"]), id(&steps["trip.walk"]));
    (repo, root, pack, walk)
}

#[test]
fn closing_a_step_takes_up_the_next_until_the_molecule_is_complete() {
    let (repo, root, pack, walk) = poured();
    let done = repo.bd(&["close", &pack, "--continue", "--reason", "packed", "--json"]).json();
    assert_eq!((&done["closed"][0]["id"], &done["closed"][0]["close_reason"]), (&json!(pack), &json!("packed")));
    let went = &done["continue"];
    assert_eq!((&went["closed_step"]["id"], &went["next_step"]["id"]), (&json!(pack), &json!(walk)));
    assert_eq!(
        (&went["next_step"]["status"], &went["next_step"]["assignee"]),
        (&json!("in_progress"), &json!("Test Person"))
    );
    assert_eq!(
        (&went["auto_advanced"], &went["molecule_complete"], &went["molecule_id"]),
        (&json!(true), &json!(false), &json!(root))
    );
    // The next step is the bead that was changed last.
    let done = repo.bd(&["close", "--continue", "--json"]).json();
    assert_eq!((&done["closed"][0]["id"], &done["continue"]["molecule_complete"]), (&json!(walk), &json!(true)));
    assert_eq!(done["continue"].get("next_step"), None);
}

#[test]
fn without_taking_it_up_the_next_step_is_only_said() {
    let (repo, _, pack, walk) = poured();
    let done = repo.bd(&["close", &pack, "--continue", "--no-auto", "--json"]).json();
    assert_eq!(
        (&done["continue"]["next_step"]["id"], &done["continue"]["auto_advanced"]),
        (&json!(walk), &json!(false))
    );
    assert_eq!(repo.bd(&["show", &walk, "--json"]).json()[0]["status"], "open");
}

#[test]
fn a_step_that_waits_is_not_closed_by_going_on() {
    let (repo, _, pack, walk) = poured();
    let ran = repo.bd(&["close", &walk, "--continue"]);
    assert_eq!(ran.code, 5);
    assert!(ran.fails().contains(&format!("waits for {pack}")));
}

#[test]
fn children_of_an_epic_are_worked_off_one_after_the_other() {
    let repo = Repo::new();
    let epic = repo.add("epic", &["-t", "epic"]);
    let (a, b) = (repo.add("a", &["--parent", &epic]), repo.add("b", &["--parent", &epic, "-p", "0"]));
    let done = repo.bd(&["close", &a, "--continue", "--json"]).json();
    assert_eq!((&done["continue"]["next_step"]["id"], &done["continue"]["molecule_id"]), (&json!(b), &json!(epic)));
    let done = repo.bd(&["close", &b, "--continue", "--json"]).json();
    assert_eq!(done["continue"]["molecule_complete"], true);
    let lone = repo.add("lone", &[]);
    let done = repo.bd(&["close", &lone, "--continue", "--json"]).json();
    assert_eq!((&done["closed"][0]["id"], &done["continue"]), (&json!(lone), &json!(null)));
}

#[test]
fn without_an_id_the_bead_is_meant_that_the_same_actor_changed_last() {
    let repo = Repo::new();
    let none = repo.bd(&["--actor", "ada", "close"]);
    assert_eq!(none.code, 1);
    assert!(none.fails().contains("ada has changed no bead yet"));
    let a = repo.bd(&["--actor", "ada", "create", "a", "-q"]).ok();
    let b = repo.bd(&["--actor", "bob", "create", "b", "-q"]).ok();
    assert_eq!(repo.bd(&["--actor", "ada", "update", "-p", "0", "--json"]).json()[0]["id"], json!(a));
    assert_eq!(repo.bd(&["--actor", "bob", "close", "--json"]).json()[0]["id"], json!(b));
    let again = repo.bd(&["--actor", "bob", "close", "-r", "another reason"]);
    assert_eq!(again.code, 5);
    assert!(again.fails().contains("is closed already"));
    assert_eq!(repo.bd(&["show", &b, "--json"]).json()[0]["close_reason"], "Closed");
}
