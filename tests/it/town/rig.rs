//! `gt rig add`.

use std::collections::BTreeMap;
use std::path::Path;

use super::{TestTown, make_remote, write};
use crate::support::eventually;

/// Every file below a folder with its bytes.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.insert(path.display().to_string(), std::fs::read(&path).unwrap_or_default());
            }
        }
    }
    all
}

#[test]
fn a_clone_that_fails_leaves_no_rig_and_no_part_of_one() {
    let town = TestTown::without_rig();
    let names = || -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(&town.root)
            .expect("town")
            .chain(std::fs::read_dir(town.root.join(".runtime")).expect("runtime"))
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    let before = names();
    let error = town.gt(&["rig", "add", "app", "/nowhere/at/all.git"]).fails();
    assert!(error.contains("no repository at `/nowhere/at/all.git`") && error.contains("git ls-remote"), "{error}");
    assert_eq!(names(), before);
    assert_eq!(town.gt(&["rig", "list", "--json"]).json(), serde_json::json!([]));
    town.gt(&["rig", "add", "app", &town.remote.display().to_string()]).ok();
}

#[test]
fn the_gate_is_found_and_run_once_and_nothing_lands_before_the_owner_says_so() {
    let town = TestTown::without_rig();
    let before = contents(&town.remote);
    let added = town.gt(&["rig", "add", "app", &town.remote.display().to_string(), "--json"]).json();
    assert_eq!(added["gate"], serde_json::json!(["make test", "Makefile"]));
    assert_eq!(added["tried"]["verdict"], "pass");
    assert_eq!(added["landing"], "hold");
    assert_eq!(added["prefix"], "app");
    assert_eq!(added["target"], "main");
    assert_eq!(contents(&town.remote), before, "the user's repository is only read");
    let scratch: Vec<_> = std::fs::read_dir(town.root.join("app/refinery")).expect("refinery").flatten().collect();
    assert!(scratch.is_empty(), "{scratch:?}");
}

#[test]
fn a_gate_that_fails_on_the_target_is_kept_and_told() {
    let town = TestTown::without_rig();
    let remote = make_remote(&town.sandbox, "red.git", &[("Makefile", "test:\n\t@echo no good; exit 3\n")]);
    let added = town.gt(&["rig", "add", "red", &remote.display().to_string()]).ok();
    assert!(added.contains("ran on main: FAIL"), "{added}");
    assert!(added.lines().any(|line| line.trim() == "no good"), "the end of what it printed: {added}");
    let kept = added.split("all that was kept: ").nth(1).and_then(|rest| rest.split(')').next()).expect("its place");
    assert!(std::fs::read_to_string(kept).expect("kept").contains("no good"));
    let toml = std::fs::read_to_string(town.root.join("red/rig.toml")).expect("rig.toml");
    assert!(toml.contains("[gates.test]"), "{toml}");
}

#[test]
fn a_project_without_a_test_command_is_told_that_nothing_lands() {
    let town = TestTown::without_rig();
    let remote = make_remote(&town.sandbox, "bare.git", &[("README", "x\n")]);
    let added = town.gt(&["rig", "add", "plain", &remote.display().to_string()]).ok();
    assert!(added.contains("none found: nothing lands until"), "{added}");
}

#[test]
fn names_and_prefixes_are_taken_once() {
    let town = TestTown::new();
    let remote = town.remote.display().to_string();
    assert!(town.gt(&["rig", "add", "app", &remote]).fails().contains("is a rig already"));
    let error = town.gt(&["rig", "add", "other", &remote, "--prefix", "gt"]).fails();
    assert!(error.contains("the prefix `gt` is taken"), "{error}");
    let added = town.gt(&["rig", "add", "gt", &remote, "--json"]).json();
    assert_eq!(added["prefix"], "gt2");
    assert_eq!(town.gt(&["rig", "add", "mayor", &remote]).code, 2, "a folder of the town");
}

#[test]
fn a_clone_of_something_stands_for_what_it_was_cloned_from() {
    let town = TestTown::without_rig();
    let mine = town.sandbox.path().join("mine");
    town.sandbox.git(town.sandbox.path(), &["clone", "-q", &town.remote.display().to_string(), "mine"]).ok();
    let before = contents(&mine);
    let ran = town.gt(&["rig", "add", "app", &mine.display().to_string(), "--json"]);
    assert_eq!(ran.json()["remote"], town.remote.display().to_string());
    assert_eq!(contents(&mine), before, "the user's clone is only read");
}

#[test]
fn issues_that_a_project_tracks_are_named_and_adopted_when_told() {
    let town = TestTown::without_rig();
    let line = r#"{"id":"old-1","title":"tracked","status":"open","priority":2,"issue_type":"task","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}"#;
    let files = [("Makefile", "test:\n\ttrue\n"), (".beads/issues.jsonl", line)];
    let remote = make_remote(&town.sandbox, "tracked.git", &files).display().to_string();
    let named = town.gt(&["rig", "add", "one", &remote, "--no-try"]).stderr;
    assert!(named.contains("tracks 1 issue") && named.contains("bd import -"), "{named}");
    let adopted = town.gt(&["rig", "add", "two", &remote, "--no-try", "--adopt", "--json"]).json();
    assert_eq!((&adopted["prefix"], &adopted["adopted"]["created"]), (&"old".into(), &1.into()));
    assert_eq!(town.bd(&["show", "old-1", "--json"]).json()[0]["title"], "tracked");
    // A third with the same prefix: its issues would be work for the second.
    let clash = town.gt(&["rig", "add", "three", &remote, "--no-try", "--adopt"]);
    assert_ne!(clash.code, 0);
    assert!(clash.stderr.contains("those of the rig `two`") && clash.stderr.contains("--adopt"), "{}", clash.stderr);
    assert!(!town.root.join("three").exists(), "nothing is left of it");
}

#[test]
fn a_rig_whose_configuration_is_broken_takes_nothing_else_away() {
    let town = TestTown::new();
    let other = make_remote(&town.sandbox, "other.git", &[("README", "x\n")]);
    town.gt(&["rig", "add", "other", &other.display().to_string(), "--no-try"]).ok();
    let bead = town.bead("x");
    town.sling(&bead);
    let path = town.root.join("other/rig.toml");
    let text = std::fs::read_to_string(&path).expect("rig.toml");
    let line = text.lines().count() + 1;
    super::write(&path, &format!("{text}no such\n"));
    let place = format!("other/rig.toml:{line}:");

    let status = town.gt(&["status"]).ok();
    assert!(status.contains("app  1 worker") && status.contains(&place) && status.contains("mend it"), "{status}");
    assert_eq!(town.gt(&["status", "--json"]).json()["broken"], serde_json::json!(["other"]));
    let list = town.gt(&["rig", "list"]);
    assert!(list.stderr.contains(&place) && list.stderr.contains("mend it"), "{}", list.stderr);
    assert!(list.ok().starts_with("app "));
    for command in [["agents"].as_slice(), &["convoy", "status"], &["queue"], &["review"], &["why", &bead], &["hook"]] {
        town.gt(command).ok();
    }
    town.sling(&town.bead("y"));
}

#[test]
fn a_rig_is_added_while_another_is_broken_and_takes_no_prefix_of_it() {
    let town = TestTown::new();
    let (path, remote) = (town.root.join("app/rig.toml"), town.remote.display().to_string());
    let text = std::fs::read_to_string(&path).expect("rig.toml");
    let add = |name: &str, more: &[&str]| town.gt(&[&["rig", "add", name, &remote, "--no-try"], more].concat());
    super::write(&path, &format!("wrong = 1\n{text}"));
    add("more", &[]).ok();
    let taken = add("again", &["--prefix", "gt"]);
    assert!(taken.code != 0 && taken.stderr.contains("taken by the rig `app`"), "{}", taken.stderr);
    super::write(&path, "= nothing =\n");
    let added = add("third", &[]);
    assert!(added.stderr.contains("rig.toml of app cannot be read"), "{}", added.stderr);
    added.ok();
}

#[test]
fn a_folder_without_a_remote_takes_changes_once_its_owner_did_what_the_note_says() {
    let town = TestTown::without_rig();
    let mine = town.sandbox.folder("mine");
    for args in [&["init", "-q", "-b", "main"][..], &["commit", "-q", "--allow-empty", "-m", "first"]] {
        town.sandbox.git(&mine, args).ok();
    }
    super::write(&mine.join("Makefile"), "test:\n\ttrue\n");
    town.sandbox.git(&mine, &["add", "-A"]).ok();
    town.sandbox.git(&mine, &["commit", "-q", "-m", "second"]).ok();
    let note = town.gt(&["rig", "add", "app", &mine.display().to_string(), "--prefix", "gt"]).stderr;
    let at = note.find("git -C").expect("a command");
    let command = note[at..].lines().next().expect("a line");
    town.sandbox.run("sh", &mine, &["-c", command]).ok();
    let again = town.gt(&["rig", "add", "two", &mine.display().to_string(), "--no-try"]).stderr;
    assert!(again.contains("changes land in it") && !again.contains("refuses"), "{again}");

    let text = "```sh\necho hello > hello.txt\n```";
    let bead = town.bd(&["create", "hello", "--rig", "app", "--description", text, "-q"]).ok();
    town.gt(&["sling", &bead, "app", "--runtime", "script"]).ok();
    eventually("its gates have passed", || {
        let all = town.gt(&["review", "--json"]).json();
        all.as_array()?.iter().any(|r| r["waits_for_you"] == true).then_some(())
    });
    town.gt(&["review", "accept", &bead]).ok();
    eventually("it is in the folder", || mine.join("hello.txt").is_file().then_some(()));
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_rig_is_taken_out_only_when_nothing_is_open_and_comes_back_with_all_that_was_made() {
    let town = TestTown::new();
    let (bead, other) = (town.bead("x"), town.bead("y"));
    town.sling(&bead);
    let remove = |more: &[&str]| town.gt(&[&["rig", "remove", "app"], more].concat());
    let busy = remove(&["--keep-open"]);
    assert_eq!(busy.code, 5, "{}", busy.stdout);
    assert!(busy.stderr.contains("rig app is still at work: app/polecats/toast"), "{}", busy.stderr);
    town.commit("toast", "new.txt", "x\n");
    let (mr, commit) = town.hand_in("toast");
    town.fail(&mr);
    assert!(remove(&[]).fails().contains(&format!("{mr} (failed)")));
    town.gt(&["unsling", &bead]).ok();
    assert_eq!(town.agents().len(), 0, "its worker goes, and what it made stays");
    let open = remove(&[]);
    assert!(open.stderr.contains("rig app has 2 open beads: "), "{}", open.stderr);
    assert!(open.stderr.contains(&bead) && open.stderr.contains(&other), "{}", open.stderr);
    assert!(open.stderr.contains("gt rig remove app --keep-open"), "{}", open.stderr);
    assert!(town.root.join("app/rig.toml").is_file());

    town.gt(&["start"]).ok();
    let removed = remove(&["--keep-open", "--json"]).json();
    assert_eq!(town.gt(&["rig", "list", "--json"]).json(), serde_json::json!([]));
    assert!(!town.root.join("app").exists());
    assert_eq!(town.status_of(&bead), "open");
    assert!(!town.gt(&["status"]).ok().contains("\napp "));
    // The daemon may have begun to look at it before.
    eventually("no trouble with it", || (!town.gt(&["status"]).ok().contains("warning")).then_some(()));
    assert!(town.gt(&["sling", &bead, "app"]).code != 0);
    let (from, kept) = (removed["from"].as_str().expect("a path"), removed["kept"].as_str().expect("a path"));
    std::fs::rename(kept, from).expect("back");
    let repo = town.root.join("app/.repo.git");
    assert!(town.sandbox.git(&repo, &["for-each-ref", "--contains", &commit]).ok().contains("refs/gt/"));
    town.gt(&["sling", &bead, "app"]).ok();
    assert_eq!(town.status_of(&bead), "in_progress");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_rig_is_added_while_the_configuration_of_another_is_broken() {
    let town = TestTown::new();
    write(&town.root.join("app/rig.toml"), "lnading = \"hold\"\n");
    let added = town.gt(&["rig", "add", "more", &town.remote.display().to_string(), "--prefix", "mo", "--no-try"]);
    assert!(added.stderr.contains("rig.toml of app cannot be read"), "{}", added.stderr);
    added.ok();
    assert!(town.root.join("more/rig.toml").is_file());
}
