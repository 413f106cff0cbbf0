//! `examples/town` in a real town: its patrol, its convoy formula, and its formula that extends and weaves.

use std::path::Path;

use super::TestTown;
use crate::support::eventually;

fn example() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/town")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(from).expect("the example").flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("copied");
        }
    }
}

/// A town with the example copied over it, whose workers are scripts.
fn town() -> TestTown {
    let town = TestTown::new();
    for folder in ["lua", ".beads/formulas"] {
        copy(&example().join(folder), &town.root.join(folder));
    }
    let config = town.root.join("town.toml");
    let text =
        std::fs::read_to_string(&config).expect("town.toml").replace("runtime = \"idle\"", "runtime = \"script\"");
    let more = std::fs::read_to_string(example().join("town.toml")).expect("the example");
    std::fs::write(&config, format!("{text}\n{more}")).expect("town.toml");
    town
}

#[test]
fn the_patrol_of_the_example_tells_the_overseer_and_leaves_a_digest() {
    let town = town();
    town.gt(&["policy", "check"]).ok();
    let tested = town.gt(&["policy", "test"]).ok();
    assert!(tested.contains("2 cases, 0 failed"), "{tested}");
    town.bd(&["create", "which licence?", "--rig", "app", "--labels", "needs-person"]).ok();
    town.gt(&["start"]).ok();
    let row = || {
        let rows = town.gt(&["patrol", "list", "--json"]).json();
        rows.as_array()?.iter().find(|row| row["name"] == "morning").cloned()
    };
    let before = eventually("the patrol", row);
    assert_eq!(
        (&before["role"], &before["every"], &before["rig"]),
        (&"clerk".into(), &"1d".into(), &serde_json::Value::Null)
    );
    town.gt(&["patrol", "run", "morning"]).ok();
    let after = eventually("its digest", || row().filter(|row| row["digest"].is_string()));
    assert_eq!(after["outcome"], "1 beads waited for a person");
    let mail = town.bd(&["list", "--all", "--type", "message", "--json"]).json();
    assert_eq!((&mail[0]["assignee"], &mail[0]["title"]), (&"overseer".into(), &"1 beads wait for you".into()));
    assert!(town.gt(&["patrol", "list"]).ok().contains("every 1d"));
    town.gt(&["shutdown"]).ok();
}

#[test]
fn the_convoy_formula_of_the_example_has_three_legs_and_a_last_one() {
    let town = town();
    let given = ["--var", "version=1.4", "--var", "since=v1.3", "--json"];
    let made = town.gt(&[&["formula", "run", "release-notes"][..], &given].concat()).json();
    let titles: Vec<&str> = made["legs"].as_array().expect("legs").iter().filter_map(|l| l["title"].as_str()).collect();
    assert_eq!(
        titles,
        [
            "Notes on 1.4 for those who use it",
            "Notes on 1.4 for those who run it",
            "Notes on 1.4 for those who build on it"
        ]
    );
    let first = town.show(made["legs"][0]["bead"].as_str().expect("id"));
    assert!(first["description"].as_str().expect("text").contains("notes/1.4-users.md"), "{first}");
    let refused = town.gt(&["formula", "run", "release-notes", "--var", "version=1.4"]).fails();
    assert!(refused.contains("input `since` is missing (the tag of the last release)"), "{refused}");
}

#[test]
fn the_extended_formula_of_the_example_is_worked_through_with_its_aspect() {
    let town = town();
    town.bd(&["formula", "check", "careful", "morning", "release-notes"]).ok();
    town.gt(&["start"]).ok();
    let text = "```sh changelog\necho '- hello' >> CHANGELOG.md\n```\n";
    let id = town.bd(&["create", "hello", "--rig", "app", "-q", "--description", text]).ok();
    town.gt(&["sling", &id, "app", "--formula", "careful"]).ok();
    let mr = eventually("the work to be handed in", || {
        let queue = town.bd(&["list", "--all", "--type", "merge-request", "--json"]).json();
        queue.as_array()?.first().cloned()
    });
    assert!(mr["id"].is_string(), "{mr}");
    let log = town.sandbox.git(&town.root.join("app/.repo.git"), &["log", "--all", "--format=%s"]).ok();
    assert!(log.contains("hello (changelog)"), "the step that was woven in did it: {log}");
    town.gt(&["shutdown"]).ok();
}
