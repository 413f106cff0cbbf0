//! `gt done` and `gt step done`.

use super::{TestTown, hints};

fn slung() -> (TestTown, String) {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    (town, bead)
}

#[test]
fn what_is_missing_is_refused_all_at_once_with_the_commands_that_mend_it() {
    let (town, bead) = slung();
    std::fs::write(town.worktree("toast").join("new.txt"), "x\n").expect("file");
    let ran = town.as_worker("toast", &["done"]);
    assert_eq!(ran.code, 5);
    for part in
        ["1 file not committed (new.txt)", "no commit that main lacks", "4 steps open: design, implement, test, submit"]
    {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let mend = hints(&ran.stderr);
    assert!(mend.iter().any(|h| h.contains("git add -A && git commit")), "{mend:?}");
    assert!(mend.iter().any(|h| h.contains("gt done --no-change REASON")), "{mend:?}");
    assert!(mend.iter().any(|h| h.contains("gt step done")), "{mend:?}");
    assert_eq!(town.status_of(&bead), "in_progress");

    town.commit("toast", "new.txt", "x\n");
    let ran = town.as_worker("toast", &["done", "--no-change", "nothing to do"]);
    assert!(ran.stderr.contains("1 commit beyond main"), "{}", ran.stderr);
    town.all_steps("toast");
    std::fs::write(town.worktree("toast").join("README"), "two\n").expect("file");
    let ran = town.as_worker("toast", &["done"]);
    assert!(ran.stderr.contains("1 file not committed (README)"), "{}", ran.stderr);
}

#[test]
fn what_a_step_gave_is_json_or_an_error_that_says_where_it_breaks() {
    let (town, _) = slung();
    let ran = town.as_worker("toast", &["step", "done", "--output", "not json {"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    for part in ["expected ident at line 1 column 2", r#"'{"files": [{"path": "a.rs"}]}'"#] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let step = town.as_worker("toast", &["hook", "--field", "step.id"]).ok();
    assert_eq!(town.as_worker("toast", &["hook", "--field", "step.name"]).ok(), "design", "nothing was closed");
    town.as_worker("toast", &["step", "done", "--output", r#"{"n": [1, "two"]}"#]).ok();
    assert_eq!(town.show(&step)["metadata"]["output"], serde_json::json!({ "n": [1, "two"] }));
}

#[test]
fn a_merge_that_was_begun_is_refused() {
    let (town, _) = slung();
    let tree = town.worktree("toast");
    town.commit("toast", "README", "mine\n");
    town.sandbox.git(&tree, &["checkout", "-q", "-b", "side", "HEAD~1"]).ok();
    town.commit("toast", "README", "theirs\n");
    assert_ne!(town.sandbox.git(&tree, &["merge", "-q", "gt/toast/side", "-m", "x"]).code, 0);
    let branch = town.sandbox.git(&tree, &["for-each-ref", "--format=%(refname:short)", "refs/heads/gt/toast"]).ok();
    assert_ne!(town.sandbox.git(&tree, &["merge", "-q", &branch]).code, 0, "a conflict");
    town.all_steps("toast");
    let ran = town.as_worker("toast", &["done"]);
    assert!(ran.stderr.contains("a git merge is unfinished"), "{}", ran.stderr);
}

#[test]
fn the_commit_that_is_checked_out_is_queued_and_held_by_a_ref_of_ours() {
    let (town, bead) = slung();
    town.commit("toast", "new.txt", "one\ntwo\n");
    town.all_steps("toast");
    let head = town.sandbox.git(&town.worktree("toast"), &["rev-parse", "HEAD"]).ok();
    let done = town.as_worker("toast", &["done", "--json"]).json();
    assert_eq!(done["outcome"], "queued");
    assert_eq!((done["commit"].as_str(), done["lines"].as_i64()), (Some(head.as_str()), Some(2)));
    assert_eq!(done["paths"], serde_json::json!(["new.txt"]));
    let mr = done["mr"].as_str().expect("id").to_owned();
    let repo = town.root.join("app/.repo.git");
    assert_eq!(town.sandbox.git(&repo, &["rev-parse", &format!("refs/gt/mr/{mr}")]).ok(), head);
    assert_eq!(town.status_of(&bead), "in_progress", "closed only when it has landed");
    assert_eq!(town.show(&bead)["metadata"]["mr"], mr.as_str());
    assert_eq!(town.show(&mr)["metadata"]["mr"]["state"], "queued");
    assert_eq!(town.as_worker("toast", &["hook", "--field", "bead.id"]).ok(), "");
    assert_eq!(town.agents()[0]["state"], "done");
    assert!(town.worktree("toast").is_dir(), "kept until it has landed");
    let again = town.as_worker("toast", &["done"]);
    assert!(again.stderr.contains("nothing is on the hook"), "{}", again.stderr);
    let error = town.gt(&["sling", &bead, "app", "--no-start"]).fails();
    assert!(error.contains("has been handed in"), "{error}");
    let review = town.gt(&["review", "--json"]).json();
    assert_eq!((review[0]["bead"].as_str(), review[0]["state"].as_str()), (Some(bead.as_str()), Some("queued")));
    assert!(town.gt(&["review", "diff", &bead]).ok().contains("+two"));
}

#[test]
fn the_last_step_is_closed_by_handing_in() {
    let (town, _) = slung();
    town.commit("toast", "new.txt", "x\n");
    for next in ["implement", "test", "submit"] {
        assert_eq!(town.as_worker("toast", &["step", "done"]).ok(), next);
    }
    let _ = town.as_worker("toast", &["done"]).ok();
    let steps = town.bd(&["list", "--all", "--json"]).json();
    let open: Vec<&str> = steps
        .as_array()
        .expect("list")
        .iter()
        .filter(|b| b["metadata"]["step"].is_string() && b["status"] != "closed")
        .filter_map(|b| b["title"].as_str())
        .collect();
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn work_that_needs_no_change_is_closed_with_its_reason_and_its_convoy_lands() {
    let (town, bead) = slung();
    town.all_steps("toast");
    let done = town.as_worker("toast", &["done", "--no-change", "it works already", "--json"]).json();
    assert_eq!(done["outcome"], "no_change");
    assert_eq!(town.status_of(&bead), "closed");
    assert_eq!(town.show(&bead)["close_reason"], "no change: it works already");
    assert_eq!(done["convoys"][0]["total"], 1);
    assert_eq!(town.gt(&["convoy", "list", "--json"]).json(), serde_json::json!([]));
}

#[test]
fn a_branch_whose_commits_come_to_nothing_is_handed_in_only_with_a_reason() {
    let (town, bead) = slung();
    let tree = town.worktree("toast");
    town.commit("toast", "new.txt", "x\n");
    town.sandbox.git(&tree, &["rm", "-q", "new.txt"]).ok();
    town.sandbox.git(&tree, &["commit", "-q", "-m", "gone"]).ok();
    town.all_steps("toast");
    let ran = town.as_worker("toast", &["done"]);
    let why = "the branch changes nothing against main: its commits together come to nothing";
    assert!(ran.code == 5 && ran.stderr.contains(why), "{}", ran.stderr);
    assert!(hints(&ran.stderr)[0].contains("gt done --no-change REASON"), "{}", ran.stderr);
    assert_eq!(town.gt(&["review", "--json"]).json(), serde_json::json!([]));
    town.as_worker("toast", &["done", "--no-change", "it was a try"]).ok();
    assert_eq!(town.show(&bead)["close_reason"], "no change: it was a try");
}

#[test]
fn a_change_that_is_sent_back_is_on_the_same_workers_hook_with_the_comment() {
    let (town, bead) = slung();
    town.commit("toast", "new.txt", "x\n");
    town.all_steps("toast");
    let mr = town.as_worker("toast", &["done", "--json"]).json()["mr"].as_str().expect("id").to_owned();
    town.gt(&["review", "back", &bead, "--comment", "name it better"]).ok();
    assert_eq!(town.show(&mr)["metadata"]["mr"]["state"], "rejected");
    assert_eq!(town.as_worker("toast", &["hook", "--field", "state"]).ok(), "rework");
    assert_eq!(town.as_worker("toast", &["hook", "--field", "step.name"]).ok(), "rework");
    let prime = town.as_worker("toast", &["prime"]).ok();
    assert!(prime.contains("name it better"), "{prime}");
    town.commit("toast", "better.txt", "x\n");
    let _ = town.as_worker("toast", &["step", "done"]).ok();
    let again = town.as_worker("toast", &["done", "--json"]).json();
    assert_eq!(again["attempt"], 1, "what a reviewer asks for is no failure of the change");
    assert_ne!(again["mr"], mr.as_str());
}

#[test]
fn work_that_was_closed_meanwhile_is_not_handed_in_and_stays_closed_when_it_is_given_back() {
    let (town, bead) = slung();
    town.commit("toast", "new.txt", "x\n");
    town.all_steps("toast");
    town.bd(&["close", &bead]).ok();
    let ran = town.as_worker("toast", &["done"]);
    assert!(ran.stderr.contains("was closed meanwhile"), "{}", ran.stderr);
    assert!(hints(&ran.stderr)[0].contains(&format!("gt unsling {bead}")), "{}", ran.stderr);
    town.gt(&["unsling", &bead]).ok();
    assert_eq!(town.status_of(&bead), "closed");
    assert!(town.agents().is_empty());
}
