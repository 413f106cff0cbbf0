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

/// Steps that only some changes need, after `pack`.
const PICKY: &str = "formula = \"picky\"\n[[steps]]\nid = \"pack\"\n\
    [[steps]]\nid = \"doors\"\nneeds = [\"pack\"]\nonly_if = { touches = [\"src/auth/**\"] }\n\
    [[steps]]\nid = \"words\"\nneeds = [\"doors\"]\nonly_if = { touches = [\"docs/**\"] }\n\
    [[steps]]\nid = \"leave\"\nneeds = [\"words\"]\n";

/// Pours it in `dir`, closes its first step from there, and gives what was said and the ids of its steps.
fn picky(repo: &Repo, dir: &std::path::Path) -> (serde_json::Value, serde_json::Value) {
    let file = repo.dir.join(".beads/formulas/picky.formula.toml");
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    std::fs::write(file, PICKY).expect("written");
    let made = repo.sandbox.bd(dir, &["mol", "pour", "picky", "--json"]).json();
    let pack = made["id_mapping"]["picky.pack"].as_str().expect("id").to_owned();
    (repo.sandbox.bd(dir, &["close", &pack, "--continue", "--json"]).json(), made["id_mapping"].clone())
}

#[test]
fn a_step_for_some_changes_is_skipped_where_the_work_tree_touches_nothing_of_it() {
    let repo = Repo::new();
    let git = |args: &[&str]| repo.sandbox.git(&repo.dir, args).ok();
    std::fs::create_dir_all(repo.dir.join("docs")).expect("a folder");
    std::fs::write(repo.dir.join("docs/a.md"), "a").expect("written");
    git(&["add", "docs"]);
    git(&["commit", "-q", "-m", "long ago", "--date", "2020-01-01T00:00:00Z"]);
    // What was there before the molecule is no part of its change, whoever's clock says what.
    repo.sandbox
        .run("sh", &repo.dir, &["-c", "GIT_COMMITTER_DATE=2020-01-01T00:00:00Z git commit -q --amend --no-edit"])
        .ok();
    std::fs::create_dir_all(repo.dir.join("src/auth")).expect("a folder");
    std::fs::write(repo.dir.join("src/auth/login.rs"), "fn login() {}").expect("written");
    let (done, steps) = picky(&repo, &repo.dir);
    assert_eq!(done["continue"]["next_step"]["id"], steps["picky.doors"], "a file that is not committed counts");
    assert_eq!(done["continue"].get("undecided"), None);
    git(&["add", "src"]);
    git(&["commit", "-q", "-m", "log in"]);
    let done = repo.bd(&["close", "--continue", "--json"]).json();
    assert_eq!(done["continue"]["next_step"]["id"], steps["picky.leave"]);
    let skipped = &done["closed"][1];
    assert_eq!(
        (&skipped["id"], &skipped["close_reason"]),
        (&steps["picky.words"], &json!("skipped: nothing touches docs/**"))
    );
}

#[test]
fn a_step_for_some_changes_is_taken_up_with_the_reason_where_there_is_no_work_tree_to_ask() {
    let sandbox = crate::support::Sandbox::new();
    let dir = sandbox.folder("plain");
    sandbox.bd(&dir, &["init", "--prefix", "pl"]).ok();
    let repo = Repo { sandbox, dir };
    let (done, steps) = picky(&repo, &repo.dir);
    assert_eq!(done["continue"]["next_step"]["id"], steps["picky.doors"]);
    let why = done["continue"]["undecided"].as_str().expect("a reason");
    assert!(why.contains("this folder is in none"), "{why}");
    let ran = repo.bd(&["close", "--continue"]);
    assert!(ran.stderr.contains("cannot be told whether the change needs it"), "{}", ran.stderr);
}
