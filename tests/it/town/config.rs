//! Errors in town.toml and rig.toml.

use super::TestTown;

#[test]
fn an_error_in_a_file_is_shown_with_line_column_and_what_was_meant() {
    let town = TestTown::new();
    let bead = town.bead("x");
    let path = town.root.join("app/rig.toml");
    let text = std::fs::read_to_string(&path).expect("rig.toml");
    std::fs::write(&path, text.replace("landing = \"hold\"", "landnig = \"hold\"")).expect("rig.toml");
    let ran = town.gt(&["sling", &bead, "app"]);
    assert_eq!(ran.code, 3);
    let line = text.lines().position(|l| l.starts_with("landing")).expect("landing") + 1;
    let shown = town.sandbox.tidy(&ran.stderr);
    assert!(shown.contains(&format!("app/rig.toml:{line}:1: unknown key `landnig`")), "{shown}");
    assert!(shown.contains("^^^^^^^"), "{shown}");
    assert!(shown.contains("hint: did you mean `landing`?"), "{shown}");
}

#[test]
fn a_wrong_key_of_a_runtime_is_shown_with_its_place_by_all_that_read_the_town() {
    let town = TestTown::new();
    let path = town.root.join("town.toml");
    let text = std::fs::read_to_string(&path).expect("town.toml");
    let line = text.lines().count() + 2;
    for (key, said) in [
        ("programm = \"x\"", "unknown key `programm`"),
        ("args = \"x\"", "invalid type: string \"x\", expected a sequence"),
        ("[runtimes.x.signs]\nbsy = []", "unknown key `bsy`"),
    ] {
        std::fs::write(&path, format!("{text}[runtimes.x]\n{key}\n")).expect("town.toml");
        for verb in [&["rig", "list"][..], &["start"]] {
            let ran = town.gt(verb);
            assert_eq!(ran.code, 3, "{verb:?} {key}: {}", ran.stderr);
            let line = line + key.lines().count() - 1;
            assert!(ran.stderr.contains(&format!("town.toml:{line}:")) && ran.stderr.contains(said), "{}", ran.stderr);
        }
        let status = town.gt(&["status"]);
        assert!(format!("{}{}", status.stdout, status.stderr).contains(said), "{}{}", status.stdout, status.stderr);
    }
}

#[test]
fn a_wrong_value_in_the_town_is_an_error_of_every_verb_that_needs_it() {
    let town = TestTown::new();
    let path = town.root.join("town.toml");
    let text = std::fs::read_to_string(&path).expect("town.toml");
    std::fs::write(&path, format!("host = \"tmuks\"\n{}", text.replace("host = \"headless\"", ""))).expect("town.toml");
    let bead = town.bead("x");
    let ran = town.gt(&["sling", &bead, "app"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("town.toml:1:8"), "{}", ran.stderr);
    assert!(ran.stderr.contains("did you mean `tmux`?"), "{}", ran.stderr);
    assert_eq!(town.status_of(&bead), "open", "nothing was changed");
}
