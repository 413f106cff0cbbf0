//! What somebody runs into who knows the README only: each dead end names the way out, each word is true.

use gastown::base::{BeadId, Clock as _, SystemClock};
use gastown::queue::{Event, Words};
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
    assert_eq!(prime["ready"], serde_json::json!([{ "id": free, "title": "free" }]));
    let text = town.gt(&["prime", "--text"]).ok();
    assert!(text.contains(&free) && !text.contains(&taken), "{text}");
    // The command that it names for more of it.
    let more = text.split_once("(more: `bd ").and_then(|(_, rest)| rest.split_once('`')).expect("a command").0;
    let said = town.bd(&more.split(' ').collect::<Vec<_>>()).ok();
    assert!(said.contains(&free) && !said.contains(&taken), "{more}: {said}");
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
fn the_worker_of_a_change_that_came_back_goes_when_its_bead_is_closed_or_given_back() {
    let came_back = || {
        let town = TestTown::new();
        let bead = town.bead("x");
        town.sling(&bead);
        town.commit("toast", "a.txt", "a\n");
        let (mr, commit) = town.hand_in("toast");
        town.fail(&mr);
        (town, bead, commit)
    };
    let (town, bead, _) = came_back();
    town.bd(&["close", &bead]).ok();
    town.gt(&["start"]).ok();
    eventually("its worker to go", || town.agents().is_empty().then_some(()));
    town.gt(&["shutdown"]).ok();

    let (town, bead, _) = came_back();
    town.bd(&["close", &bead]).ok();
    let said = town.gt(&["unsling", &bead]).ok();
    assert!(said.contains("is closed; its worker is gone, and what it made is kept"), "{said}");
    assert!(town.agents().is_empty());

    let (town, bead, commit) = came_back();
    town.gt(&["unsling", &bead]).ok();
    assert!(town.agents().is_empty());
    // The next one goes on from there.
    town.sling(&bead);
    assert_eq!(town.sandbox.git(&town.worktree("toast"), &["rev-parse", "HEAD"]).ok(), commit);
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

#[test]
fn the_same_mistake_has_one_code_and_one_hint_in_both_programs() {
    let town = TestTown::new();
    for n in 0..2 {
        town.bd(&["create", "x", "--id", &format!("gt-same{n}"), "--force"]).ok();
    }
    // Unknown, ambiguous, and a title that is none.
    for (bd, gt, code) in [
        (&["show", "nope"][..], &["why", "nope"][..], 4),
        (&["close", "nope"], &["sling", "nope", "app", "--no-start"], 4),
        (&["show", "same"], &["why", "same"], 1),
        (&["update", "same", "-p", "1"], &["sling", "same", "app", "--no-start"], 1),
        (&["show", "same"], &["review", "accept", "same"], 1),
        (&["create", ""], &["convoy", "create", ""], 1),
    ] {
        let (by_bd, by_gt) = (town.bd(bd), town.gt(gt));
        assert_eq!((by_bd.code, by_gt.code), (code, code), "{bd:?}, {gt:?}: {}{}", by_bd.stderr, by_gt.stderr);
        assert_eq!(by_bd.stderr, by_gt.stderr, "{bd:?}, {gt:?}");
        assert!(!hints(&by_gt.stderr).is_empty(), "{}", by_gt.stderr);
    }
    // A formula that is not there, by name and by path, and a rig.
    let bead = town.bead("x");
    for args in [
        &["sling", &bead, "app", "--formula", "nope", "--no-start"][..],
        &["formula", "run", "nope", "--rig", "app"],
        &["formula", "run", "./nope.formula.toml", "--rig", "app"],
        &["queue", "--rig", "nope"],
    ] {
        let error = town.gt(args);
        assert_eq!(error.code, 4, "{args:?}: {}{}", error.stdout, error.stderr);
        assert!(
            error.stderr.contains("error: there is no f") || error.stderr.contains("error: no rig"),
            "{}",
            error.stderr
        );
        assert!(!hints(&error.stderr).is_empty(), "{args:?}: {}", error.stderr);
    }
    assert_eq!(town.bd(&["cook", "./nope.formula.toml"]).code, 4);
    let error = town.gt(&["policy", "check", "../nope.lua"]);
    assert_eq!(error.code, 4, "{}", error.stderr);
    let path = town.root.parent().expect("a folder").join("nope.lua");
    assert!(error.stderr.contains(&format!("{} cannot be read", path.display())), "{}", error.stderr);
    assert!(hints(&error.stderr)[0].contains("gt policy check"), "{}", error.stderr);
}

#[test]
fn a_message_says_how_to_mark_it_read_as_long_as_it_is_not() {
    let town = TestTown::without_rig();
    let id = town.bd(&["create", "hello", "-t", "message", "-a", "overseer", "-q"]).ok();
    let unread = || town.gt(&["status", "--json"]).json()["mail"].clone();
    let shown = town.bd(&["show", &id]).ok();
    assert!(shown.contains(&format!("unread; mark it read: bd close {id}")), "{shown}");
    assert_eq!(unread(), 1, "looking at it changes nothing");
    for said in [town.gt(&["status"]).ok(), town.gt(&["prime", "--text"]).ok()] {
        assert!(said.contains("bd close ID") && said.contains("marks one read"), "{said}");
    }
    town.bd(&["close", &id]).ok();
    assert_eq!(unread(), 0);
    assert!(!town.bd(&["show", &id]).ok().contains("unread"));
}

#[test]
fn a_town_is_not_made_inside_a_repository_or_another_town() {
    let town = TestTown::without_rig();
    let inside = town.gt(&["install", "sub/town"]);
    assert_eq!(inside.code, 5, "{}", inside.stderr);
    assert!(inside.stderr.contains("is inside the town"), "{}", inside.stderr);
    let sandbox = &town.sandbox;
    let repo = sandbox.folder("project");
    sandbox.git(&repo, &["init", "-q", "-b", "main"]).ok();
    for folder in [".", "town"] {
        let refused = sandbox.gt(&repo, &["install", folder]);
        assert_eq!(refused.code, 5, "{}", refused.stderr);
        assert!(refused.stderr.contains("is inside the git repository"), "{}", refused.stderr);
        assert_eq!(hints(&refused.stderr), ["name a folder of its own for the town, outside of it: gt install ~/gt"]);
    }
    assert!(!repo.join("town").exists() && !repo.join("town.toml").exists());
    std::fs::write(repo.join(".gitignore"), "town/\n").expect("a file");
    sandbox.gt(&repo, &["install", "town"]).ok();
}

#[test]
fn a_rig_or_runtime_with_a_wrong_name_is_answered_with_the_near_one() {
    let town = TestTown::new();
    let error = town.bd(&["create", "x", "--rig", "appp"]);
    assert_eq!((error.code, hints(&error.stderr)), (4, vec!["did you mean `app`?".to_owned()]), "{}", error.stderr);
    let config = town.root.join("town.toml");
    let text = std::fs::read_to_string(&config).expect("town.toml");
    let wrong = text.replace("runtime = \"idle\"", "runtime = \"scrpt\"");
    assert_ne!(wrong, text);
    std::fs::write(&config, wrong).expect("town.toml");
    let status = town.gt(&["status"]).ok();
    assert!(status.contains("town.toml: there is no runtime `scrpt`; did you mean `script`?"), "{status}");
    std::fs::write(&config, text).expect("town.toml");
    assert!(!town.gt(&["status"]).ok().contains("no runtime"), "one of the town's own is known");
}

#[test]
fn a_second_word_about_a_change_says_what_is_so() {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    town.commit("toast", "a.txt", "a\n");
    let (mr, _) = town.hand_in("toast");
    let config = town.root.join("app/rig.toml");
    let text = std::fs::read_to_string(&config).expect("rig.toml");
    let at = text.find("[gates").expect("a gate");
    std::fs::write(&config, &text[..at]).expect("rig.toml");
    let error = town.gt(&["review", "accept", &bead]).fails();
    assert!(error.contains("its rig has no gate") && error.contains("add [gates.NAME] to"), "{error}");
    std::fs::write(&config, &text).expect("rig.toml");
    let error = town.gt(&["review", "accept", &bead]).fails();
    assert!(error.contains("its gates run first"), "{error}");
    let tested = Event::Built { commit: "c0ffee".into() };
    let passed = Event::Passed { commit: "c0ffee".into() };
    town.steps(&mr, &[Event::Taken, tested, passed, Event::HeldForReview], &Words::default());
    town.gt(&["review", "accept", &bead]).ok();
    let error = town.gt(&["review", "accept", &bead]).fails();
    assert!(error.contains("is accepted already"), "{error}");
}

#[test]
fn a_session_is_shown_on_a_terminal_only() {
    let town = TestTown::new();
    town.sling(&town.bead("x"));
    let refused = town.gt(&["polecat", "attach", "toast"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (5, ""), "{}", refused.stderr);
    assert_eq!(hints(&refused.stderr), ["see its screen: gt peek toast"]);
    town.gt(&["mayor", "attach"]).fails();
    assert!(town.agents().iter().all(|agent| agent["address"] != "mayor"), "it was not started for nobody");
}

#[test]
fn what_is_named_and_not_there_is_told_with_its_path() {
    let town = TestTown::without_rig();
    let gone = town.root.join("gone").display().to_string();
    for ran in [town.gt(&["-C", "gone", "status"]), town.bd(&["-C", "gone", "list"]), town.bd(&["import", &gone])] {
        assert_eq!(ran.code, 4, "{}: {}", ran.command, ran.stderr);
        assert!(ran.stderr.contains(&gone) && !hints(&ran.stderr).is_empty(), "{}", ran.stderr);
    }
    let said = town.gt(&["policy", "test"]);
    assert!(said.stderr.contains("lua/roles/NAME_test.lua"), "{}", said.stderr);
    said.ok();
}

#[test]
fn the_policies_that_are_documented_load_and_pass_their_test() {
    let town = TestTown::new();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_to_string(shipped.join("docs/policies.md")).expect("docs/policies.md");
    let blocks: Vec<&str> = docs.split("```lua\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    for block in &blocks {
        let place = block.lines().next().and_then(|line| line.strip_prefix("-- ")).expect("where it belongs");
        super::write(&town.root.join(place), block);
    }
    assert_eq!(blocks.len(), 4);
    // The test of an aspect is about the example that it names.
    let aspect = std::fs::read_to_string(shipped.join("examples/formulas/four-eyes.lua")).expect("the example");
    super::write(&town.root.join(".beads/formulas/four-eyes.lua"), &aspect);
    let settings = docs.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("settings");
    let config = town.root.join("town.toml");
    let text = std::fs::read_to_string(&config).expect("town.toml");
    std::fs::write(&config, format!("{text}\n{settings}")).expect("town.toml");
    town.gt(&["policy", "check"]).ok();
    let said = town.gt(&["policy", "test"]).ok();
    assert!(said.contains("✓ a hotfix goes first") && said.contains("2 cases, 0 failed"), "{said}");
    assert!(town.gt(&["policy", "show"]).ok().contains("8m"));
    for command in ["facts", "types"] {
        town.gt(&["policy", command]).ok();
    }
}

#[test]
fn what_a_worker_showed_last_is_there_after_it_has_landed() {
    let town = TestTown::new();
    let text = "```sh\necho one of a kind\necho hello > hello.txt\n```";
    let bead = town.bd(&["create", "hello", "--rig", "app", "--description", text, "-q"]).ok();
    let rig = town.root.join("app/rig.toml");
    let toml = std::fs::read_to_string(&rig).expect("rig.toml").replace("\"hold\"", "\"direct\"");
    std::fs::write(&rig, toml).expect("rig.toml");
    town.gt(&["sling", &bead, "app", "--runtime", "script"]).ok();
    eventually("its worker is gone", || town.agents().is_empty().then_some(()));
    let seen = town.gt(&["peek", &bead]);
    assert!(seen.stderr.contains("is gone; this was last on its screen"), "{}", seen.stderr);
    assert!(seen.ok().contains("one of a kind"));
    let why = town.gt(&["why", "app/polecats/toast"]).ok();
    assert!(why.contains("not here now") && why.contains("was started") && why.contains("was taken down"), "{why}");
    assert!(town.gt(&["why", "app/polecats/nobody"]).fails().contains("nothing is known of app/polecats/nobody"));
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_script_for_no_step_is_told_on_its_bead() {
    let town = TestTown::new();
    let bead = town.bd(&["create", "x", "--rig", "app", "--description", "```sh build\ntrue\n```", "-q"]).ok();
    town.gt(&["sling", &bead, "app", "--no-start", "--runtime", "script"]).ok();
    let said = eventually("the worker says what is wrong", || {
        let said = town.bd(&["comments", &bead]).ok();
        said.contains("no block of the description names a step of").then_some(said)
    });
    assert!(said.contains("(steps: ") && said.contains("implement"), "{said}");
    assert_ne!(town.status_of(&bead), "closed");
}

#[test]
fn work_that_the_witness_could_not_sling_is_in_the_status_with_the_reason() {
    let town = TestTown::new();
    let (convoy, first) = convoy(&town);
    let second = town.bead("needs a program that is not there");
    town.gt(&["convoy", "add", &convoy, &second]).ok();
    town.bd(&["update", &second, "--meta", "runtime=amp"]).ok();
    town.gt(&["sling", &first, "app"]).ok();
    let said = eventually("the refusal is in the status", || {
        let said = town.gt(&["status"]).ok();
        said.contains("not begun: ").then_some(said)
    });
    assert!(said.contains(&format!("not begun: {second}: Amp is not installed")), "{said}");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_rig_with_more_beads_than_its_policies_look_at_says_so_and_overlooks_no_convoy() {
    let town = TestTown::new();
    let line = |n: usize| {
        format!(
            r#"{{"id":"gt-x{n}","title":"t{n}","status":"open","priority":2,"issue_type":"task","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}}"#
        )
    };
    let all: Vec<String> = (0..5001).map(line).collect();
    std::fs::write(town.root.join("many.jsonl"), all.join("\n")).expect("written");
    town.bd(&["import", "many.jsonl"]).ok();
    let (first, last) = (town.bead("first"), town.bd(&["create", "last", "-p", "4", "--rig", "app", "-q"]).ok());
    town.gt(&["convoy", "create", "Both", &first, &last]).ok();
    town.gt(&["sling", &first, "app"]).ok();
    eventually("the least urgent of all to be slung", || (town.status_of(&last) == "in_progress").then_some(()));
    let said = eventually("the status to say so", || {
        let said = town.gt(&["status"]).ok();
        said.contains("beads of app: ").then_some(said)
    });
    assert!(said.contains("are open, and policies look at the 5000 most urgent"), "{said}");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_worker_whose_steps_are_all_closed_is_told_to_hand_in() {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    town.all_steps("toast");
    let said = town.as_worker("toast", &["step", "done"]).fails();
    assert!(said.contains("are closed") && said.contains("hint: hand it in: gt done"), "{said}");
}

#[test]
fn what_is_wrong_with_a_rig_or_its_address_is_told_at_once() {
    let town = TestTown::new();
    let ran = town.gt(&["rig", "add", "gamma", "/nonexist"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    super::write(&town.root.join("app/rig.toml"), "prefix = 3\n");
    let ran = town.gt(&["start"]);
    assert!(ran.stderr.contains("warning: ") && ran.stderr.contains("app/rig.toml:1:"), "{}", ran.stderr);
    ran.ok();
    town.gt(&["shutdown"]).ok();
}
