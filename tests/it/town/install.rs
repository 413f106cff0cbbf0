//! `gt install`.

use super::hints;
use crate::support::Sandbox;

#[test]
fn installing_twice_changes_nothing_and_says_so() {
    let sandbox = Sandbox::new();
    let first = sandbox.gt(sandbox.path(), &["install", "town"]).ok();
    assert!(first.contains("town made at"), "{first}");
    let town = sandbox.path().join("town");
    let before = std::fs::read(town.join("town.toml")).expect("town.toml");
    let again = sandbox.gt(sandbox.path(), &["install", "town"]).ok();
    assert!(again.contains("is a town already; nothing was changed"), "{again}");
    assert_eq!(std::fs::read(town.join("town.toml")).expect("town.toml"), before);
}

#[test]
fn a_second_install_makes_what_is_missing() {
    let sandbox = Sandbox::new();
    sandbox.gt(sandbox.path(), &["install", "town"]).ok();
    std::fs::remove_dir_all(sandbox.path().join("town/lua")).expect("remove");
    let made = sandbox.gt(sandbox.path(), &["install", "town", "--json"]).json();
    assert_eq!(made["already"], true);
    assert_eq!(made["made"], serde_json::json!(["lua/roles/"]));
}

#[test]
fn a_town_is_not_scattered_over_what_is_in_a_folder() {
    let sandbox = Sandbox::new();
    let full = sandbox.folder("full");
    std::fs::write(full.join("notes.txt"), "mine").expect("a file");
    let names =
        || -> Vec<_> { std::fs::read_dir(&full).expect("read").map(|e| e.expect("entry").file_name()).collect() };
    for args in [&["install"][..], &["install", "."], &["install", "../full"]] {
        let ran = sandbox.gt(&full, args);
        assert_eq!(ran.code, 5, "{args:?}: {}", ran.stderr);
        let path = format!("{} is not empty (it has `notes.txt`) and is no town", full.display());
        assert!(ran.stderr.contains(&path), "{args:?}: {}", ran.stderr);
        assert!(hints(&ran.stderr)[0].ends_with("gt install ~/gt"), "{}", ran.stderr);
        assert_eq!(names(), ["notes.txt"]);
    }
    // A folder of somebody else's that happens to be called like one of ours.
    let logs = sandbox.folder("other");
    std::fs::create_dir(logs.join("logs")).expect("a folder");
    assert_eq!(sandbox.gt(&logs, &["install"]).code, 5);
    // An empty folder, and one in which an install was cut short, become the town that was asked for.
    let empty = sandbox.folder("empty");
    sandbox.gt(&empty, &["install"]).ok();
    std::fs::remove_file(empty.join("town.toml")).expect("cut short");
    std::fs::remove_dir_all(empty.join("lua")).expect("cut short");
    let again = sandbox.gt(&empty, &["install", "--json"]).json();
    assert_eq!((again["already"].as_bool(), again["root"].as_str()), (Some(false), empty.to_str()));
}

#[test]
fn outside_a_town_every_verb_says_how_to_make_one() {
    let sandbox = Sandbox::new();
    for verb in [&["status"][..], &["hook"], &["convoy", "list"], &["start"], &["rig", "list"]] {
        let ran = sandbox.gt(sandbox.path(), verb);
        assert_eq!(ran.code, 4, "{}", ran.command);
        assert!(ran.stderr.contains("gt install"), "{}", ran.stderr);
    }
}
