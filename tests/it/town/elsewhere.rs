//! Towns with more than one rig: whose work a bead is.

use super::{TestTown, hints, make_remote, write};

/// A town with a second rig `lib`, prefix `li`.
fn two_rigs() -> TestTown {
    let town = TestTown::new();
    let remote = make_remote(&town.sandbox, "lib.git", &[("Makefile", "test:\n\ttrue\n")]);
    town.gt(&["rig", "add", "lib", &remote.display().to_string(), "--prefix", "li"]).ok();
    town
}

#[test]
fn a_bead_of_another_rig_is_slung_only_by_force_and_stays_in_view() {
    let town = two_rigs();
    let bead = town.bead("x");
    for more in [&["--no-start"][..], &["--dry-run"]] {
        let refused = town.gt(&[&["sling", &bead, "lib"], more].concat());
        assert_eq!(refused.code, 5, "{}", refused.stderr);
        assert!(refused.stderr.contains(&format!("{bead} belongs to rig app, not to lib")), "{}", refused.stderr);
        let advised = [
            format!("sling it there: gt sling {bead} app"),
            format!("into lib all the same: gt sling --force {bead} lib"),
        ];
        assert_eq!(hints(&refused.stderr), advised);
    }
    assert!(town.agents().is_empty() && town.status_of(&bead) == "open");
    town.gt(&["sling", "--force", &bead, "lib", "--no-start"]).ok();
    assert_eq!(town.agents()[0]["address"], "lib/polecats/toast");
    let tree = town.root.join("lib/polecats/toast");
    std::fs::write(tree.join("new.txt"), "x\n").expect("a file");
    town.sandbox.git(&tree, &["add", "-A"]).ok();
    town.sandbox.git(&tree, &["commit", "-q", "-m", "new"]).ok();
    while !town.sandbox.gt(&tree, &["hook", "--field", "step.name"]).ok().is_empty() {
        town.sandbox.gt(&tree, &["step", "done"]).ok();
    }
    let done = town.sandbox.gt(&tree, &["done", "--json"]).json();
    let mr = gastown::base::BeadId::new(done["mr"].as_str().expect("a request")).expect("an id");
    let shown = |command: &[&str]| town.gt(command).ok();
    assert!(shown(&["review"]).contains(&bead) && shown(&["why", &bead]).contains("waits for its turn"));
    // Not elsewhere while it is in that queue, whatever is wanted.
    assert!(town.gt(&["sling", "--force", &bead, "app", "--no-start"]).fails().contains("has been handed in"));
    town.fail(&mr);
    for command in [&["review"][..], &["status"], &["why", &bead]] {
        assert!(shown(command).contains("gate test: exit code 1"), "{command:?}: {}", shown(command));
    }
}

#[test]
fn a_rig_is_not_taken_out_while_a_bead_of_another_prefix_is_its_own_or_its_own_are_not_known() {
    let town = two_rigs();
    let bead = town.bead("x");
    town.gt(&["sling", "--force", &bead, "lib", "--no-start"]).ok();
    town.gt(&["unsling", &bead]).ok();
    let refused = town.gt(&["rig", "remove", "lib"]);
    assert!(
        refused.code == 5 && refused.stderr.contains(&format!("rig lib has 1 open bead: {bead}")),
        "{}",
        refused.stderr
    );
    let config = town.root.join("lib/rig.toml");
    let text = std::fs::read_to_string(&config).expect("its configuration");
    write(&config, &format!("lnading = \"hold\"\n{text}"));
    let refused = town.gt(&["rig", "remove", "lib"]);
    assert!(
        refused.code == 5 && refused.stderr.contains("it cannot be told which beads are of rig lib"),
        "{}",
        refused.stderr
    );
    assert!(town.root.join("lib").is_dir());
    town.gt(&["rig", "remove", "lib", "--keep-open"]).ok();
}

#[test]
fn a_change_that_came_back_in_one_rig_is_not_lost_to_another() {
    let town = two_rigs();
    let bead = town.bead("x");
    town.sling(&bead);
    town.commit("toast", "new.txt", "x\n");
    let (mr, commit) = town.hand_in("toast");
    town.fail(&mr);
    let refused = town.gt(&["sling", "--force", &bead, "lib", "--no-start"]);
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    assert!(
        refused.stderr.contains(&format!("{bead} came back in rig app: {mr} failed its gates")),
        "{}",
        refused.stderr
    );
    assert_eq!(hints(&refused.stderr)[0], format!("go on there: gt sling {bead} app"));
    assert!(town.gt(&["review"]).ok().contains(&bead));
    // The way out that the refusal names.
    assert_eq!(hints(&refused.stderr)[1], format!("take it away from there first: gt unsling {bead}"));
    town.gt(&["unsling", &bead]).ok();
    town.gt(&["sling", "--force", &bead, "lib", "--no-start"]).ok();
    let worker = town.agents().into_iter().find(|agent| agent["bead"] == bead.as_str()).expect("a worker");
    assert_eq!((&worker["address"], &worker["state"]), (&"lib/polecats/toast".into(), &"working".into()));
    assert!(!town.gt(&["why", &bead]).ok().contains(&format!("{mr} is")), "that is over");
    let repo = town.root.join("app/.repo.git");
    assert!(town.sandbox.git(&repo, &["for-each-ref", "--contains", &commit]).ok().contains("refs/gt/"));
}

#[test]
fn a_bead_that_goes_to_another_rig_begins_anew_there_and_what_was_made_stays_and_is_named() {
    let town = two_rigs();
    let bead = town.bead("x");
    let mut here = ("app", "lib");
    let sling = |force: bool, rig: &str, more: &str| {
        let mut args = vec!["sling", &bead, rig, more];
        args.extend(force.then_some("--force"));
        town.gt(&args).ok()
    };
    sling(false, "app", "--no-start");
    // Away by force, and home again by the plain command.
    for force in [true, false] {
        let (from, to) = here;
        let tree = town.root.join(from).join("polecats/toast");
        write(&tree.join("new.txt"), "x\n");
        town.sandbox.git(&tree, &["add", "-A"]).ok();
        town.sandbox.git(&tree, &["commit", "-q", "-m", "new"]).ok();
        while !town.sandbox.gt(&tree, &["hook", "--field", "step.name"]).ok().is_empty() {
            town.sandbox.gt(&tree, &["step", "done"]).ok();
        }
        let commit = town.sandbox.git(&tree, &["rev-parse", "HEAD"]).ok();
        let former = town.sandbox.gt(&tree, &["hook", "--field", "molecule.id"]).ok();
        let unslung = town.gt(&["unsling", &bead]).ok();
        assert!(unslung.contains(&format!("gt sling {bead} {from}")), "{unslung}");
        for said in [sling(force, to, "--dry-run"), sling(force, to, "--no-start")] {
            let (_, at) = said.split_once(&format!("what was made in {from} stays there (")).expect(&said);
            let (at, _) = at.split_once(')').expect("a ref");
            assert!(at.starts_with("refs/"), "{said}");
            let repo = town.root.join(from).join(".repo.git");
            town.sandbox.git(&repo, &["merge-base", "--is-ancestor", &commit, at]).ok();
        }
        let tree = town.root.join(to).join("polecats/toast");
        let field = |name: &str| town.sandbox.gt(&tree, &["hook", "--field", name]).ok();
        assert_ne!(field("molecule.id"), former);
        assert_eq!(field("step.name"), "design", "no step was done here");
        assert_eq!(town.status_of(&former), "closed");
        let prime = town.sandbox.gt(&tree, &["prime"]).ok();
        assert!(!prime.contains("left off"), "{prime}");
        assert!(town.bd(&["comments", &bead]).ok().contains(&format!("what was made in {from} stays there")));
        here = (to, from);
    }
    // Nothing was made here: given back and slung again, it goes on as it is.
    town.gt(&["unsling", &bead]).ok();
    sling(false, "app", "--no-start");
    assert_eq!(town.agents()[0]["state"], "working");
}

#[test]
fn a_bead_belongs_where_it_was_slung_by_force_until_it_is_slung_home() {
    let town = two_rigs();
    let bead = town.bead("x");
    let slung = |args: &[&str]| {
        let plan = town.gt(&[&["sling", &bead, "--no-start", "--json"], args].concat()).json()[0]["rig"].clone();
        let why = town.gt(&["unsling", &bead]).ok();
        assert!(why.contains(&format!("gt sling {bead} {}", plan.as_str().expect("a rig"))), "{why}");
        plan
    };
    assert_eq!(slung(&["lib", "--force"]), "lib");
    assert_eq!(slung(&[]), "lib");
    assert_eq!(slung(&["lib"]), "lib");
    town.bd(&["update", &bead, "--add-label", "quarantine"]).ok();
    for shown in [town.gt(&["status"]).ok(), town.gt(&["why", &bead]).ok()] {
        assert!(shown.contains(&format!("gt sling --force {bead} lib")), "{shown}");
    }
    assert_eq!(slung(&["app", "--force"]), "app");
    assert_eq!(slung(&[]), "app");
    assert!(town.gt(&["sling", &bead, "lib", "--no-start"]).fails().contains("belongs to rig app"));
}

#[test]
fn only_what_is_on_a_hook_is_taken_off_it() {
    let town = TestTown::new();
    let (bead, other) = (town.bead("x"), town.bead("y"));
    let refused = town.gt(&["unsling", &bead]);
    assert_eq!(refused.code, 5, "{}", refused.stdout);
    assert!(refused.stderr.contains(&format!("{bead} is on no hook")), "{}", refused.stderr);
    assert_eq!(hints(&refused.stderr), [format!("keep it from being slung: bd defer {bead}")]);
    town.sling(&other);
    let convoy = town.gt(&["convoy", "list", "--json"]).json()[0]["id"].as_str().expect("an id").to_owned();
    let refused = town.gt(&["unsling", &convoy]);
    assert!(refused.code == 5 && refused.stderr.contains("is a convoy, which is on no hook"), "{}", refused.stderr);
    assert_eq!(hints(&refused.stderr), [format!("name a bead that is worked on: gt convoy status {convoy}")]);
    assert_eq!(town.status_of(&convoy), "open");
    town.gt(&["unsling", &other]).ok();
    let again = town.gt(&["unsling", &other]);
    assert!(again.stderr.contains("held back already"), "{}", again.stderr);
    assert_eq!(hints(&again.stderr), [format!("go on: gt sling {other}")]);
    town.gt(&["unsling", &other, "--requeue"]).ok();
    // What is in the queue is on no hook either.
    town.sling(&other);
    town.commit("toast", "new.txt", "x\n");
    let (mr, _) = town.hand_in("toast");
    let queued = town.gt(&["unsling", &other]);
    let why = format!("{other} has been handed in: {mr} waits in the queue");
    assert!(queued.code == 5 && queued.stderr.contains(&why), "{}", queued.stderr);
    assert_eq!(hints(&queued.stderr), [format!("send it back to its worker: gt review back {other} --comment TEXT")]);
}

#[test]
fn a_dry_run_of_several_beads_says_what_the_real_one_does() {
    let town = TestTown::new();
    let path = town.root.join("app/rig.toml");
    let text = std::fs::read_to_string(&path).expect("rig.toml");
    std::fs::write(&path, format!("workers = 2\n{text}")).expect("rig.toml");
    let (a, b, c) = (town.bead("a"), town.bead("b"), town.bead("c"));
    let sling = |more: &[&str]| town.gt(&[&["sling", &a, &b, &c, "app"], more].concat());
    let said = sling(&["--dry-run"]).ok();
    let plans = sling(&["--dry-run", "--json"]).json();
    assert!(town.agents().is_empty());
    let one = format!("would make a convoy \"Work: a and 2 others\" of {a}, {b}, {c}");
    assert_eq!(said.matches("convoy").count(), 1, "{said}");
    assert!(said.contains(&one) && said.contains("app/polecats/toast") && said.contains("app/polecats/nux"), "{said}");
    assert!(said.contains(&format!("would not start {c} now: it waits for a worker: all 2 workers")), "{said}");
    let real = sling(&["--no-start", "--json"]).json();
    for (nth, key) in
        (0..3).flat_map(|n| ["bead", "worker", "branch", "waits", "new_convoy", "formula"].map(|k| (n, k)))
    {
        assert_eq!(plans[nth][key], real[nth][key], "{nth} {key}");
    }
    let convoys = town.gt(&["convoy", "list", "--json"]).json();
    assert_eq!((convoys.as_array().map(Vec::len), &convoys[0]["title"]), (Some(1), &"Work: a and 2 others".into()));
}
