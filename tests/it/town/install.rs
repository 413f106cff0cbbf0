//! `gt install`.

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
fn outside_a_town_every_verb_says_how_to_make_one() {
    let sandbox = Sandbox::new();
    for verb in [&["status"][..], &["hook"], &["convoy", "list"], &["start"], &["rig", "list"]] {
        let ran = sandbox.gt(sandbox.path(), verb);
        assert_eq!(ran.code, 4, "{}", ran.command);
        assert!(ran.stderr.contains("gt install"), "{}", ran.stderr);
    }
}
