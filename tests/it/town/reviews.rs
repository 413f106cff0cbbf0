//! `gt review`: what it shows of a change, and what a person's word does.

use gastown::base::BeadId;
use gastown::queue::{Event, Words};

use super::{TestTown, hints};
use crate::support::eventually;

/// A town, a bead of it that was handed in, and its merge request.
fn handed_in() -> (TestTown, String, BeadId) {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    town.commit("toast", "new.txt", "x\n");
    let (mr, _) = town.hand_in("toast");
    (town, bead, mr)
}

/// Lets the queue pass a change, which the rig then holds.
fn hold(town: &TestTown, mr: &BeadId) {
    let commit = || "c0ffee".to_owned();
    let events =
        [Event::Taken, Event::Built { commit: commit() }, Event::Passed { commit: commit() }, Event::HeldForReview];
    town.steps(mr, &events, &Words::default());
}

#[test]
fn what_is_sent_back_in_a_town_that_is_down_begins_with_the_town() {
    let (town, bead, mr) = handed_in();
    let before = town.agents()[0].clone();
    let back = town.gt(&["review", "back", &bead, "--comment", "name it better"]);
    assert!(back.stderr.contains("the town is down; it begins with the town: gt start"), "{}", back.stderr);
    back.ok();
    let after = town.agents()[0].clone();
    assert_eq!((&after["state"], &after["pid"]), (&"spawning".into(), &before["pid"]), "nobody was started");
    for command in [&["status"][..], &["why", &bead]] {
        let said = town.gt(command).ok();
        assert!(said.contains("the town is down; it begins with the town: gt start"), "{command:?}: {said}");
    }
    assert_eq!(town.show(mr.as_str())["metadata"]["mr"]["state"], "rejected");
    assert!(town.as_worker("toast", &["prime"]).ok().contains("name it better"));
    town.gt(&["start"]).ok();
    let started = || Some(town.agents()[0].clone()).filter(|a| a["state"] == "working" && a["pid"] != before["pid"]);
    let agent = eventually("the worker to begin anew", started);
    assert_eq!(agent["running"], true);
    assert!(!town.gt(&["status"]).ok().contains("it begins with the town"));
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_change_that_comes_back_as_it_was_is_shown_as_unchanged_with_what_was_said() {
    let (town, bead, _) = handed_in();
    assert!(!town.gt(&["review"]).ok().contains("sent back"));
    let back = || town.gt(&["review", "back", &bead, "--comment", "name it better"]).ok();
    back();
    let (mr, _) = town.hand_in("toast");
    let unchanged = "unchanged since it came back; sent back 1 time: name it better";
    for command in [&["review"][..], &["why", &bead]] {
        let said = town.gt(command).ok();
        assert!(said.contains(unchanged), "{command:?}: {said}");
    }
    let diff = town.gt(&["review", "diff", mr.as_str()]);
    assert!(diff.stderr.contains(unchanged) && !diff.stdout.contains("sent back"), "{}", diff.stderr);
    let told = town.gt(&["review", "--json"]).json()[0]["sent_back"].clone();
    assert_eq!(told, serde_json::json!({ "times": 1, "by_queue": 0, "unchanged": true, "why": "name it better" }));
    // Another commit of the same files is no change either, and a real one is.
    back();
    let tree = town.worktree("toast");
    town.sandbox.git(&tree, &["commit", "-q", "--allow-empty", "-m", "nothing"]).ok();
    let _ = town.hand_in("toast");
    assert!(town.gt(&["review"]).ok().contains("unchanged since it came back; sent back 2 times:"));
    back();
    town.commit("toast", "better.txt", "x\n");
    let _ = town.hand_in("toast");
    let said = town.gt(&["review"]).ok();
    assert!(said.contains("sent back 3 times: name it better") && !said.contains("unchanged"), "{said}");
}

#[test]
fn what_a_person_said_of_a_change_outlives_a_failed_gate_and_a_newer_target_makes_no_other_change_of_it() {
    let (town, bead, _) = handed_in();
    town.gt(&["review", "back", &bead, "--comment", "name it better"]).ok();
    let (mr, _) = town.hand_in("toast");
    town.fail(&mr);
    town.gt(&["sling", &bead, "app", "--no-start"]).ok();
    // The target goes on, and the same change is put on top of it.
    let seed = town.sandbox.path().join("seed-remote.git");
    super::write(&seed.join("other.txt"), "by somebody else\n");
    town.sandbox.git(&seed, &["add", "-A"]).ok();
    town.sandbox.git(&seed, &["commit", "-q", "-m", "other"]).ok();
    town.sandbox.git(&seed, &["push", "-q", &town.remote.display().to_string(), "HEAD:main"]).ok();
    let agents = town.agents();
    let next = agents.iter().find(|a| a["state"] == "working" && a["bead"] == bead.as_str()).expect("a worker");
    let worker = next["address"].as_str().and_then(|address| address.rsplit('/').next()).expect("a name").to_owned();
    let tree = town.worktree(&worker);
    town.sandbox.git(&tree, &["fetch", "-q", "origin"]).ok();
    town.sandbox.git(&tree, &["rebase", "-q", "origin/main"]).ok();
    let _ = town.hand_in(&worker);
    let told = "unchanged since it came back; sent back 1 time: name it better; \
                came back 1 time from the queue: gate test: exit code 1";
    let said = town.gt(&["review"]).ok();
    assert!(said.contains(told), "{said}");
}

#[test]
fn a_quiet_review_names_the_changes_and_no_commands() {
    let (town, bead, mr) = handed_in();
    hold(&town, &mr);
    let commands = format!("gt review accept {bead}");
    assert!(town.gt(&["review"]).ok().contains(&commands));
    let quiet = town.gt(&["review", "-q"]).ok();
    assert!(quiet.contains(&bead) && !quiet.contains("gt review"), "{quiet}");
}

#[test]
fn what_cannot_be_accepted_says_what_is_so_and_what_to_do() {
    let (town, bead, mr) = handed_in();
    let accept = || town.gt(&["review", "accept", &bead]).fails();
    let waiting = accept();
    assert!(waiting.contains(&format!("{mr} waits in the queue: waits for its turn")), "{waiting}");
    assert_eq!(hints(&waiting), ["its gates run first; then accept it: gt review"]);
    town.fail(&mr);
    let failed = accept();
    assert!(failed.contains(&format!("{mr} failed its gates: gate test: exit code 1")), "{failed}");
    let ways = [
        format!("send it back to its worker: gt review back {bead} --comment TEXT"),
        format!("or to another one: gt sling {bead} app"),
    ];
    assert_eq!(hints(&failed), ways);
    town.gt(&["review", "back", &bead, "--comment", "again"]).ok();
    let rejected = town.gt(&["review", "accept", mr.as_str()]).fails();
    assert!(rejected.contains(&format!("{bead} is worked on again")), "{rejected}");
    let (next, _) = town.hand_in("toast");
    let former = town.gt(&["review", "accept", mr.as_str()]).fails();
    assert_eq!(hints(&former), [format!("{bead} was handed in again; name it: gt review accept {bead}")]);
    town.steps(&next, &[Event::Taken, Event::Conflicted], &Words::why("conflict in README"));
    let conflict = accept();
    let told = format!("{next} does not merge cleanly with its target: conflict in README");
    assert!(conflict.contains(&told), "{conflict}");
}

#[test]
fn what_a_rule_keeps_out_is_refused_with_the_words_of_the_rule() {
    let (town, bead, mr) = handed_in();
    let rule = "local gt = require \"gt\"\nlocal refinery = gt.extend(\"refinery\")\n\
        refinery.admit(function() return false, \"closed for today\" end)\n";
    super::write(&town.root.join("lua/roles/refinery.lua"), rule);
    town.gt(&["start"]).ok();
    let accept = || town.gt(&["review", "accept", &bead]).fails();
    let refused =
        eventually("the rule to keep it out", || Some(accept()).filter(|said| said.contains("closed for today")));
    assert!(refused.contains("waits in the queue: not admitted: closed for today ("), "{refused}");
    assert_eq!(hints(&refused)[0], format!("a rule keeps it out; what it looked at: gt why {mr}"));
    town.gt(&["shutdown"]).ok();
}

#[test]
fn several_changes_are_accepted_at_once_or_none_of_them() {
    let (town, a, first) = handed_in();
    let b = town.bead("y");
    town.sling(&b);
    town.commit("nux", "other.txt", "y\n");
    let (second, _) = town.hand_in("nux");
    hold(&town, &first);
    let approved = |mr: &BeadId| !town.show(mr.as_str())["metadata"]["mr"]["approved"].is_null();
    assert!(town.gt(&["review", "accept", &a, &b]).fails().contains(&format!("{second} waits in the queue")));
    assert!(!approved(&first));
    hold(&town, &second);
    let said = town.gt(&["review", "accept", &a, &b]).ok();
    assert!(said.contains(&a) && said.contains(&b) && approved(&first) && approved(&second), "{said}");
}
