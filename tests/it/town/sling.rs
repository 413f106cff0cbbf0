//! `gt sling`: what it decides, refuses and leaves behind.

use super::{TestTown, hints};
use crate::support::eventually;

#[test]
fn a_slung_bead_has_a_worker_a_worktree_a_molecule_and_a_convoy() {
    let town = TestTown::new();
    let bead = town.bead("say hello");
    let plan = town.sling(&bead);
    assert_eq!(plan["worker"], "app/polecats/toast");
    assert_eq!(plan["branch"], format!("gt/toast/{bead}"));
    let tree = town.worktree("toast");
    assert_eq!(town.sandbox.git(&tree, &["branch", "--show-current"]).ok(), format!("gt/toast/{bead}"));
    assert_eq!(town.sandbox.git(&tree, &["status", "--porcelain"]).ok(), "", "nothing of ours is in the tree");
    assert_eq!(town.status_of(&bead), "in_progress");
    assert_eq!(town.as_worker("toast", &["hook", "--field", "bead.id"]).ok(), bead);
    assert_eq!(town.as_worker("toast", &["hook", "--field", "step.name"]).ok(), "design");
    assert_eq!(town.as_worker("toast", &["hook", "--field", "molecule.formula"]).ok(), "shiny");
    let convoys = town.gt(&["convoy", "list", "--json"]).json();
    assert_eq!(convoys[0]["title"], "Work: say hello");
    assert_eq!(convoys[0]["tracked"][0]["worker"], "app/polecats/toast");
    assert_eq!(town.agents()[0]["running"], true);
}

#[test]
fn a_runtime_that_is_not_installed_is_an_error_before_anything_is_changed() {
    let town = TestTown::new();
    let bead = town.bead("x");
    let before = town.show(&bead);
    let ran = town.gt(&["sling", &bead, "app", "--runtime", "codex"]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("no `codex` on PATH"), "{}", ran.stderr);
    assert!(hints(&ran.stderr)[0].contains("installed on this machine:"), "{}", ran.stderr);
    assert!(hints(&ran.stderr)[0].contains("script"), "{}", ran.stderr);
    assert_eq!(town.show(&bead), before);
    assert!(town.agents().is_empty());
    assert_eq!(town.gt(&["convoy", "list", "--all", "--json"]).json(), serde_json::json!([]));
    let ran = town.gt(&["sling", &bead, "app", "--runtime", "codexx"]);
    assert!(ran.stderr.contains("did you mean `codex`?"), "{}", ran.stderr);
}

#[test]
fn a_dry_run_says_what_the_real_one_does_and_does_nothing() {
    let town = TestTown::new();
    let bead = town.bead("x");
    let before = town.show(&bead);
    let plan = town.gt(&["sling", &bead, "app", "--dry-run", "--json"]).json()[0].clone();
    assert_eq!(town.show(&bead), before);
    assert!(town.agents().is_empty());
    let real = town.sling(&bead);
    for key in ["worker", "branch", "runtime", "host", "formula", "new_convoy"] {
        assert_eq!(plan[key], real[key], "{key}");
    }
}

#[test]
fn work_that_is_closed_or_no_work_is_refused_with_the_way_out() {
    let town = TestTown::new();
    let (bead, other) = (town.bead("x"), town.bead("y"));
    town.sling(&bead);
    // Asked for again, it is as it was: the same worker, and no second one.
    let again = town.gt(&["sling", &bead, "app", "--no-start"]).ok();
    assert!(again.contains("on the hook of app/polecats/toast already"), "{again}");
    assert_eq!(town.agents().len(), 1);
    town.bd(&["close", &other]).ok();
    assert!(town.gt(&["sling", &other, "app", "--no-start"]).fails().contains("bd reopen"));
    let convoy = town.gt(&["convoy", "list", "--json"]).json()[0]["id"].as_str().expect("id").to_owned();
    assert!(town.gt(&["sling", &convoy, "app", "--no-start"]).fails().contains("is a convoy, not work"));
    let error = town.gt(&["sling", &bead, "apq", "--no-start"]).fails();
    assert!(error.contains("did you mean `app`?"), "{error}");
    assert!(town.gt(&["sling", "gt-nosuch", "app", "--no-start"]).code == 4);
}

#[test]
fn several_beads_share_a_convoy_and_a_blocked_one_waits() {
    let town = TestTown::new();
    let (a, b, c) = (town.bead("a"), town.bead("b"), town.bead("c"));
    town.bd(&["dep", "add", &c, &a]).ok();
    let plans = town.gt(&["sling", &a, &b, &c, "app", "--no-start", "--json"]).json();
    assert_eq!(plans[0]["worker"], "app/polecats/toast");
    assert_eq!(plans[1]["worker"], "app/polecats/nux");
    assert!(plans[2]["worker"].is_null());
    assert_eq!(plans[2]["waits"], format!("waits for {a}"));
    assert_eq!(town.status_of(&c), "open");
    let convoys = town.gt(&["convoy", "list", "--json"]).json();
    assert_eq!(convoys.as_array().expect("list").len(), 1);
    assert_eq!((convoys[0]["total"].as_i64(), convoys[0]["active"].as_bool()), (Some(3), Some(true)));
}

#[test]
fn a_bead_that_waits_says_whether_anything_slings_it_later() {
    let town = TestTown::new();
    let (a, b) = (town.bead("a"), town.bead("b"));
    town.bd(&["dep", "add", &b, &a]).ok();
    let alone = town.gt(&["sling", &b, "app", "--no-convoy", "--no-start"]).ok();
    let later = format!("waits for {a}; nothing slings it later (it is in no convoy): gt sling {b} app");
    assert!(alone.contains(&later), "{alone}");
    let said = town.gt(&["sling", &b, "app", "--no-start"]).ok();
    assert!(said.contains("slung by itself when that is over and the town is up: gt start"), "{said}");
    let path = town.root.join("app/rig.toml");
    let text = std::fs::read_to_string(&path).expect("rig.toml");
    std::fs::write(&path, format!("{text}\n[components]\nwitness = false\n")).expect("rig.toml");
    let said = town.gt(&["sling", &b, "app", "--no-start"]).ok();
    assert!(said.contains("nothing slings it later (the rig's witness is off)"), "{said}");
}

#[test]
fn the_runtime_that_was_named_holds_for_what_is_slung_later() {
    let town = TestTown::new();
    let path = town.root.join("town.toml");
    let text = std::fs::read_to_string(&path).expect("town.toml");
    let other = "[runtimes.other]\nprogram = \"sleep\"\nargs = [\"100000\"]\nprompt = \"none\"\n";
    std::fs::write(&path, format!("{text}{other}").replace("runtime = \"idle\"", "runtime = \"amp\""))
        .expect("town.toml");
    let (first, waits, follows) = (town.bead("first"), town.bead("waits"), town.bead("follows"));
    town.bd(&["dep", "add", &waits, &first]).ok();
    let plan = town.gt(&["sling", &waits, "app", "--runtime", "other", "--no-start", "--json"]).json();
    let convoy = plan[0]["convoys"][0].as_str().expect("a convoy").to_owned();
    town.gt(&["start"]).ok();
    town.bd(&["close", &first]).ok();
    town.gt(&["convoy", "add", &convoy, &follows]).ok();
    let slung = || {
        let of = |bead: &String| town.agents().into_iter().find(|a| a["bead"] == bead.as_str());
        Some([of(&waits)?["runtime"].clone(), of(&follows)?["runtime"].clone()])
    };
    assert_eq!(eventually("both to be slung", slung), ["other", "other"]);
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_rig_has_no_more_workers_than_it_may() {
    let town = TestTown::new();
    let path = town.root.join("app/rig.toml");
    let text = std::fs::read_to_string(&path).expect("rig.toml");
    std::fs::write(&path, format!("workers = 1\n{text}")).expect("rig.toml");
    let (a, b) = (town.bead("a"), town.bead("b"));
    assert_eq!(town.sling(&a)["worker"], "app/polecats/toast");
    let plan = town.sling(&b);
    assert!(plan["worker"].is_null());
    assert!(plan["waits"].as_str().expect("why").contains("busy"), "{plan}");
}

#[test]
fn a_sling_that_died_between_intent_and_act_is_finished_by_the_next_start() {
    let town = TestTown::new();
    let bead = town.bead("x");
    // The worktree's place is taken, so the acting half fails after the intent was written.
    std::fs::create_dir_all(town.root.join("app/polecats")).expect("folder");
    let blocked = town.root.join("app/polecats/toast");
    std::os::unix::fs::symlink("/nonexistent/place", &blocked).expect("link");
    // A taken name is not given out, so take the next one's place instead of the first's.
    let plan = town.gt(&["sling", &bead, "app", "--dry-run", "--json"]).json()[0].clone();
    assert_eq!(plan["worker"], "app/polecats/nux");
    std::fs::remove_file(&blocked).expect("unlink");
    std::fs::remove_dir(town.root.join("app/polecats")).expect("remove");
    std::fs::write(town.root.join("app/polecats"), "in the way").expect("file");
    let ran = town.gt(&["sling", &bead, "app", "--no-start"]);
    assert_ne!(ran.code, 0);
    assert_eq!(town.status_of(&bead), "hooked", "decided and written down");
    assert_eq!(town.agents()[0]["state"], "spawning");
    std::fs::remove_file(town.root.join("app/polecats")).expect("unlink");
    town.gt(&["start"]).ok();
    crate::support::eventually("the worker is at work", || {
        (town.agents()[0]["state"] == "working" && town.agents()[0]["running"] == true).then_some(())
    });
    assert_eq!(town.as_worker("toast", &["hook", "--field", "bead.id"]).ok(), bead);
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_bead_that_is_closed_before_its_worker_begins_stays_closed_and_the_worker_goes() {
    let town = TestTown::new();
    let bead = town.bead("x");
    let polecats = town.root.join("app/polecats");
    let _ = std::fs::remove_dir(&polecats);
    std::fs::write(&polecats, "in the way").expect("file");
    assert_ne!(town.gt(&["sling", &bead, "app", "--no-start"]).code, 0);
    assert_eq!(town.agents()[0]["state"], "spawning");
    town.bd(&["close", &bead]).ok();
    std::fs::remove_file(&polecats).expect("unlink");
    town.gt(&["start"]).ok();
    crate::support::eventually("the worker goes", || town.agents().is_empty().then_some(()));
    assert_eq!(town.status_of(&bead), "closed");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn work_that_is_given_back_goes_on_where_it_was_left() {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    town.commit("toast", "half.txt", "half\n");
    let _ = town.as_worker("toast", &["step", "done"]).ok();
    std::fs::write(town.worktree("toast").join("loose.txt"), "not committed\n").expect("file");
    let left = town.sandbox.git(&town.worktree("toast"), &["rev-parse", "HEAD"]).ok();
    town.gt(&["unsling", &bead]).ok();
    assert_eq!(town.status_of(&bead), "open");
    assert!(!town.worktree("toast").exists());
    assert!(town.agents().is_empty());
    let kept = town.show(&bead)["metadata"]["left_off_files"].as_str().expect("a ref").to_owned();
    let repo = town.root.join("app/.repo.git");
    assert_eq!(town.sandbox.git(&repo, &["show", &format!("{kept}:loose.txt")]).ok(), "not committed");
    town.sling(&bead);
    assert_eq!(town.sandbox.git(&town.worktree("toast"), &["rev-parse", "HEAD"]).ok(), left);
    assert_eq!(
        town.as_worker("toast", &["hook", "--field", "step.name"]).ok(),
        "implement",
        "a closed step stays closed"
    );
    let prime = town.as_worker("toast", &["prime"]).ok();
    assert!(prime.contains("left off at") && prime.contains(&kept), "{prime}");
    // Given back once more with other files: those of the first worker are told too.
    std::fs::write(town.worktree("toast").join("other.txt"), "not committed either\n").expect("file");
    town.gt(&["unsling", &bead]).ok();
    let shown = town.show(&bead);
    assert_ne!(shown["metadata"]["left_off_files"], kept.as_str());
    let told = shown["comments"][0]["text"].as_str().unwrap_or_default();
    assert_eq!(told, format!("what an earlier worker had not committed is in {kept}"));
}

/// Commits a line to `file` in the worktree of toast, with git alone.
fn commit_line(town: &TestTown, file: &str, line: &str) -> String {
    let tree = town.worktree("toast");
    std::fs::write(tree.join(file), format!("{line}\n")).expect("file");
    town.sandbox.git(&tree, &["add", "-A"]).ok();
    town.sandbox.git(&tree, &["commit", "-qm", line]).ok();
    town.sandbox.git(&tree, &["rev-parse", "HEAD"]).ok()
}

#[test]
fn work_that_is_given_back_in_the_middle_of_a_rebase_loses_no_commit() {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    let tree = town.worktree("toast");
    let git = |args: &[&str]| town.sandbox.git(&tree, args);
    let branch = git(&["symbolic-ref", "--short", "HEAD"]).ok();
    let begun = git(&["rev-parse", "HEAD"]).ok();
    git(&["checkout", "-qb", "side"]).ok();
    commit_line(&town, "both.txt", "side");
    git(&["checkout", "-q", &branch]).ok();
    commit_line(&town, "first.txt", "first");
    let last = commit_line(&town, "both.txt", "mine");
    assert_ne!(git(&["rebase", "-q", "side"]).code, 0, "it stops in the conflict");
    assert_ne!(git(&["rev-parse", "HEAD"]).ok(), last);
    town.gt(&["unsling", &bead]).ok();
    assert_eq!(town.show(&bead)["metadata"]["left_off"], last.as_str());
    town.sling(&bead);
    assert_eq!(git(&["rev-parse", "HEAD"]).ok(), last);
    // And from a commit that is on no branch at all.
    git(&["checkout", "-q", "--detach", &begun]).ok();
    let loose = commit_line(&town, "loose.txt", "loose");
    town.gt(&["unsling", &bead]).ok();
    let told = town.show(&bead)["comments"].to_string();
    let kept = told.split("left behind are in ").nth(1).and_then(|rest| rest.split('"').next()).expect("a ref");
    let repo = town.root.join("app/.repo.git");
    town.sandbox.git(&repo, &["merge-base", "--is-ancestor", &last, kept]).ok();
    town.sling(&bead);
    assert_eq!(git(&["rev-parse", "HEAD"]).ok(), loose, "the branch of that name begins there");
    assert_eq!(git(&["symbolic-ref", "--short", "HEAD"]).ok(), branch);
}

#[test]
fn a_worker_comes_back_to_its_worktree_however_it_left_it() {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    let tree = town.worktree("toast");
    for left in [&["checkout", "-q", "--detach"][..], &["checkout", "-qb", "feature/x"]] {
        town.sandbox.git(&tree, left).ok();
        town.gt(&["shutdown"]).ok();
        town.gt(&["start"]).ok();
        crate::support::eventually("the worker is back", || (town.agents()[0]["running"] == true).then_some(()));
    }
    // Also when what it made there comes back.
    town.gt(&["shutdown"]).ok();
    town.commit("toast", "a.txt", "a\n");
    let (mr, commit) = town.hand_in("toast");
    town.fail(&mr);
    town.gt(&["review", "back", &bead, "--comment", "more"]).ok();
    town.gt(&["start"]).ok();
    crate::support::eventually("the worker is back", || (town.agents()[0]["running"] == true).then_some(()));
    assert_eq!(town.sandbox.git(&tree, &["rev-parse", "HEAD"]).ok(), commit);
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_bead_that_is_named_twice_is_slung_once_and_a_deleted_one_is_filed_anew() {
    let town = TestTown::new();
    let (bead, gone) = (town.bead("x"), town.bead("y"));
    let plans = town.gt(&["sling", &bead, &bead, "app", "-n", "--json"]).json();
    assert_eq!(plans.as_array().map(Vec::len), Some(1), "{plans}");
    town.bd(&["delete", &gone, "--force"]).ok();
    let refused = town.gt(&["sling", &gone, "app", "-n"]).fails();
    assert!(refused.contains("was deleted") && refused.contains("bd create TITLE"), "{refused}");
}

#[test]
fn a_worker_does_not_sling() {
    let town = TestTown::new();
    let (a, b) = (town.bead("a"), town.bead("b"));
    town.sling(&a);
    let ran = town.as_worker("toast", &["sling", &b, "app", "--no-start"]);
    assert_eq!(ran.code, 5);
    assert!(hints(&ran.stderr)[0].contains("discovered-from"), "{}", ran.stderr);
    assert_eq!(town.status_of(&b), "open");
}

#[test]
fn a_poured_molecule_is_slung_with_a_bead_of_its_title() {
    let town = TestTown::new();
    let poured = town.bd(&["mol", "pour", "shiny", "--var", "feature=auth", "--title", "Auth", "--json"]).json();
    let root = poured["new_epic_id"].as_str().expect("an id").to_owned();
    let before = town.show(&root);
    let would = town.gt(&["sling", &root, "app", "--dry-run"]).ok();
    assert!(would.starts_with(&format!("would file a bead \"Auth\" in app, to be worked on with {root}")), "{would}");
    assert!(would.contains(&format!("go on with molecule {root}")) && would.contains("gt/toast/gt-…"), "{would}");
    assert_eq!(town.show(&root), before);
    assert!(town.agents().is_empty());

    let plan = town.sling(&root);
    let work = plan["bead"].as_str().expect("a bead").to_owned();
    assert!(work.starts_with("gt-") && plan["asked"] == root, "{plan}");
    assert_eq!(town.show(&work)["title"], "Auth");
    assert_eq!(town.as_worker("toast", &["hook", "--field", "bead.id"]).ok(), work);
    assert_eq!(town.as_worker("toast", &["hook", "--field", "molecule.id"]).ok(), root);
    assert_eq!(town.as_worker("toast", &["hook", "--field", "step.id"]).ok(), format!("{root}.1"));
    let again = town.gt(&["sling", &root, "app", "--no-start"]).ok();
    assert!(again.contains(&format!("{work} is on the hook of app/polecats/toast already")), "{again}");
    let convoys = town.gt(&["convoy", "list", "--json"]).json();
    assert_eq!(
        (convoys.as_array().expect("a list").len(), &convoys[0]["tracked"][0]["id"]),
        (1, &work.as_str().into())
    );
    // A wisp is nobody's work.
    let wisp = town.bd(&["mol", "wisp", "shiny", "--json"]).json();
    let refused = town.gt(&["sling", wisp["new_epic_id"].as_str().expect("an id"), "app", "--no-start"]).fails();
    assert!(refused.contains("is a molecule, not work"), "{refused}");
}

#[test]
fn the_molecule_that_was_poured_for_a_bead_is_the_one_it_goes_through() {
    let town = TestTown::new();
    let bead = town.bead("ship it");
    let poured = town.bd(&["mol", "pour", "release", "--var", "version=1.2.0", "--for", &bead, "--json"]).json();
    let root = poured["new_epic_id"].as_str().expect("an id");
    let refused = town.bd(&["mol", "pour", "shiny", "--for", &bead]);
    assert_eq!(refused.code, 5);
    assert!(refused.stderr.contains(&format!("{bead} has a molecule already: {root}")), "{}", refused.stderr);
    let refused = town.gt(&["sling", &bead, "app", "--no-start", "--formula", "shiny"]);
    assert_eq!(refused.code, 5);
    let why = format!("{bead} goes on with molecule {root} of formula release, not with shiny");
    assert!(refused.stderr.contains(&why), "{}", refused.stderr);
    town.sling(&bead);
    assert_eq!(town.as_worker("toast", &["hook", "--field", "molecule.id"]).ok(), root);
    assert_eq!(town.as_worker("toast", &["hook", "--field", "step.title"]).ok(), "Set the version to 1.2.0");
    // The way out that the refusal names.
    let other = town.bead("another");
    let first = town.bd(&["mol", "pour", "shiny", "--for", &other, "-q"]).ok();
    town.bd(&["mol", "burn", &first, "--force"]).ok();
    let second = town.bd(&["mol", "pour", "shiny", "--for", &other, "-q"]).ok();
    assert_eq!(town.show(&other)["metadata"]["molecule"], second);
}

#[test]
fn a_formula_that_wants_a_value_is_given_it_with_the_sling() {
    let town = TestTown::new();
    let (bead, later) = (town.bead("ship it"), town.bead("ship more"));
    let before = town.show(&bead);
    let sling = |bead: &str, more: &[&str]| {
        town.gt(&[&["sling", bead, "app", "--no-start", "--formula", "release"], more].concat())
    };
    for more in [&[][..], &["--dry-run"]] {
        let refused = sling(&bead, more).fails();
        assert!(refused.contains("missing required variables: version"), "{refused}");
        assert_eq!(hints(&refused), ["give them: --var version=…"]);
    }
    assert!(sling(&bead, &["--dry-run", "--var", "version=soon"]).fails().contains("`soon` is no value of variable"));
    assert_eq!(town.show(&bead), before);
    let would = sling(&bead, &["--dry-run", "--var", "version=1.2.0"]).ok();
    assert!(would.contains("pour formula release"), "{would}");
    sling(&bead, &["--var", "version=1.2.0"]).ok();
    assert_eq!(town.as_worker("toast", &["hook", "--field", "step.title"]).ok(), "Set the version to 1.2.0");

    // Whoever slings a bead when its turn has come knows neither formula nor values: they are poured at once.
    town.bd(&["dep", "add", &later, &bead]).ok();
    sling(&later, &["--var", "version=1.3.0"]).ok();
    town.bd(&["close", &bead, "--force"]).ok();
    let refused = sling(&later, &["--var", "version=2.0.0"]).fails();
    assert!(refused.contains("which has its values already"), "{refused}");
    let plan = town.sling(&later);
    let worker = plan["worker"].as_str().and_then(|w| w.rsplit('/').next()).expect("a worker");
    assert_eq!(town.as_worker(worker, &["hook", "--field", "step.title"]).ok(), "Set the version to 1.3.0");
}
