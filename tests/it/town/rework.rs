//! What came back from the queue for the last time: a person's word lets it go on from what was handed in.

use gastown::base::{BeadId, SystemClock};
use gastown::queue::{Event, Words};
use gastown::town::rework::{self, Evidence};
use gastown::town::{Acting, Surroundings, Town, agent, retire};

use super::{TestTown, hints};

fn slung() -> (TestTown, String) {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    town.commit("toast", "new.txt", "x\n");
    (town, bead)
}

/// Acts as a policy of the rig would.
fn as_policy<T>(town: &TestTown, act: impl FnOnce(&Acting<'_>) -> T) -> T {
    let place = Town::at(&town.root).expect("town");
    let around = Surroundings {
        gt: env!("CARGO_BIN_EXE_gt").into(),
        path: crate::support::Sandbox::search_path(),
        ..Surroundings::default()
    };
    act(&Acting { town: &place, by: "app/refinery", clock: &SystemClock, around: &around })
}

fn budget(town: &TestTown, what: &str, bead: &str) -> u32 {
    let id = BeadId::new(bead).expect("an id");
    town.store().read(|r| gastown::town::budget::spent(r, what, &id)).expect("read").times
}

fn head(town: &TestTown, worker: &str) -> String {
    town.sandbox.git(&town.worktree(worker), &["rev-parse", "HEAD"]).ok()
}

#[test]
fn a_change_that_came_back_for_the_last_time_is_sent_back_to_its_worker_on_a_persons_word() {
    let (town, bead) = slung();
    let (mr, commit) = town.hand_in("toast");
    town.fail(&mr);
    let why = town.gt(&["why", &bead]).ok();
    assert!(why.contains(&format!("gt review back {bead}")) && why.contains(&format!("gt sling {bead} app")), "{why}");
    for shown in [town.gt(&["review"]).ok(), town.gt(&["status"]).ok()] {
        assert!(shown.contains("gate test: exit code 1"), "{shown}");
        assert!(shown.contains("no good at all") && shown.contains(&format!("gt review output {mr}")), "{shown}");
        assert!(shown.contains(&format!("gt review back {bead} --comment TEXT")), "{shown}");
    }
    let back = town.gt(&["review", "back", &bead, "--comment", "try it so"]);
    assert!(back.stderr.contains("toast: the town is down; it begins with the town: gt start"), "{}", back.stderr);
    let back = back.ok();
    assert!(back.contains("goes back to app/polecats/toast"), "{back}");
    assert_eq!(town.as_worker("toast", &["hook", "--field", "step.name"]).ok(), "rework");
    assert!(town.as_worker("toast", &["prime"]).ok().contains("try it so"));
    assert!(!town.gt(&["status"]).ok().contains("came back"), "somebody works on it");
    assert!(town.gt(&["why", &bead]).ok().contains("no good at all"), "that is what it works at");
    assert_eq!(head(&town, "toast"), commit);
    assert_eq!(budget(&town, "rework", &bead), 0, "what a person asks for is no failure of the change");
    let again = town.gt(&["review", "back", mr.as_str(), "--comment", "again"]).fails();
    assert!(again.contains("is on the hook of app/polecats/toast again"), "{again}");
    // It is handed in anew, and lands or comes back as any other.
    town.commit("toast", "better.txt", "x\n");
    let (next, _) = town.hand_in("toast");
    assert_ne!(next, mr);
}

#[test]
fn slung_again_it_goes_on_from_what_was_handed_in_and_its_former_worker_goes() {
    let (town, bead) = slung();
    let (mr, commit) = town.hand_in("toast");
    town.fail(&mr);
    let would = town.gt(&["sling", &bead, "app", "--dry-run"]).ok();
    assert!(would.contains(&format!("go on from what was handed in as {mr}")), "{would}");
    let plan = town.sling(&bead);
    assert_eq!((plan["worker"].as_str(), plan["from"].as_str()), (Some("app/polecats/nux"), Some(commit.as_str())));
    assert_eq!(head(&town, "nux"), commit);
    assert_eq!(town.as_worker("nux", &["hook", "--field", "step.name"]).ok(), "rework", "its steps stay closed");
    let prime = town.as_worker("nux", &["prime"]).ok();
    assert!(prime.contains("gate test: exit code 1") && prime.contains("no good at all"), "{prime}");
    let agents = town.agents();
    assert_eq!(agents.len(), 1, "{agents:?}");
    assert!(!town.worktree("toast").exists());
    // Given back before it has done anything, it is still known where it goes on.
    town.gt(&["unsling", &bead]).ok();
    assert_eq!(town.sling(&bead)["from"], commit.as_str());
    town.commit("toast", "better.txt", "x\n");
    town.all_steps("toast");
    let done = town.as_worker("toast", &["done", "--json"]).json();
    assert_eq!(done["attempt"], 1, "a person has said that it goes on");
    assert_eq!(town.show(&bead)["metadata"]["left_off"], serde_json::Value::Null, "it is handed in now");
}

#[test]
fn what_came_back_waits_like_any_other_when_all_workers_are_busy() {
    let (town, bead) = slung();
    let (mr, _) = town.hand_in("toast");
    town.fail(&mr);
    let path = town.root.join("app/rig.toml");
    let text = std::fs::read_to_string(&path).expect("rig.toml");
    std::fs::write(&path, format!("workers = 1\n{text}")).expect("rig.toml");
    let other = town.bead("other");
    town.sling(&other);
    let plan = town.sling(&bead);
    assert!(plan["worker"].is_null(), "{plan}");
    let shown = town.show(&bead);
    assert_eq!((shown["status"].as_str(), shown["assignee"].as_str().unwrap_or_default()), (Some("open"), ""));
}

#[test]
fn a_bead_whose_reworks_are_used_up_goes_on_from_its_commit_with_whole_budgets() {
    for by_label in [false, true] {
        let (town, bead) = slung();
        let (mr, commit) = town.hand_in("toast");
        town.fail(&mr);
        let id = BeadId::new(bead.as_str()).expect("an id");
        let evidence = Evidence { why: "gate test failed".into(), text: String::new() };
        as_policy(&town, |cx| {
            let mut store = town.store();
            let intents = store.write(&cx.stamp(), |w| {
                for _ in 0..rework::LIMIT {
                    gastown::town::budget::take(w, "rework", &id, rework::LIMIT)?;
                    gastown::town::budget::take(w, "restart", &id, 3)?;
                }
                rework::plan(w, cx, &mr, &evidence)
            });
            for intent in intents.expect("planned") {
                gastown::town::finish(cx, &mut store, &intent).expect("finished");
            }
        });
        let shown = town.show(&bead);
        assert_eq!(shown["metadata"]["left_off"], commit.as_str());
        assert_eq!(shown["labels"], serde_json::json!(["quarantine"]));
        assert!(town.agents().is_empty(), "its worker is gone");
        let status = town.gt(&["status"]).ok();
        let told: Vec<_> = status.lines().filter(|line| line.contains(&bead) && line.contains("go on: ")).collect();
        assert!(told.len() == 1 && told[0].contains("gt review back"), "one next command: {status}");
        for shown in [town.gt(&["review"]).ok(), town.gt(&["why", &bead]).ok()] {
            assert!(shown.contains(&format!("gt sling --force {bead} app")), "{shown}");
        }
        assert!(!status.contains("in quarantine"), "{status}");
        let refused = town.gt(&["sling", &bead, "app", "--no-start"]);
        assert_eq!(hints(&refused.stderr)[0], format!("when it is mended: gt sling --force {bead} app"));
        assert_eq!(budget(&town, "rework", &bead), rework::LIMIT);
        let force = if by_label {
            town.bd(&["label", "remove", &bead, "quarantine"]).ok();
            vec!["sling", &bead, "app", "--no-start"]
        } else {
            vec!["sling", "--force", &bead, "app", "--no-start"]
        };
        town.gt(&force).ok();
        assert_eq!(head(&town, "toast"), commit);
        assert_eq!((budget(&town, "rework", &bead), budget(&town, "restart", &bead)), (0, 0));
        let shown = town.show(&bead);
        assert_eq!(shown["metadata"]["quarantined"], serde_json::Value::Null);
        assert!(!shown["labels"].to_string().contains("quarantine"), "the queue would leave it out: {shown}");
    }
}

#[test]
fn a_change_does_not_go_back_to_another_worker_that_has_taken_the_name() {
    let (town, bead) = slung();
    let (mr, commit) = town.hand_in("toast");
    let toast = "app/polecats/toast".parse().expect("address");
    as_policy(&town, |cx| retire::retire(cx, &mut town.store(), &toast, "its name is wanted").expect("retired"));
    let other = town.bead("other");
    assert_eq!(town.sling(&other)["worker"], "app/polecats/toast");
    town.commit("toast", "other.txt", "x\n");
    let _ = town.hand_in("toast");
    town.up();
    let back = town.gt(&["review", "back", mr.as_str(), "--comment", "again"]).ok();
    assert!(back.contains("goes back to app/polecats/nux"), "{back}");
    assert_eq!(head(&town, "nux"), commit);
    let row = town.store().read(|r| agent::need(r, &toast)).expect("row");
    assert_eq!(row.bead.map(|id| id.to_string()), Some(other));
    assert_eq!(town.as_worker("nux", &["hook", "--field", "bead.id"]).ok(), bead);
}

#[test]
fn a_worker_does_not_judge_changes() {
    let (town, bead) = slung();
    let _ = town.hand_in("toast");
    for verb in [&["review", "accept", &bead][..], &["review", "back", &bead, "--comment", "x"]] {
        let ran = town.as_worker("toast", verb);
        assert_eq!(ran.code, 5, "{}", ran.stderr);
        assert!(ran.stderr.contains("workers do not judge changes"), "{}", ran.stderr);
    }
}

#[test]
fn a_request_that_waits_again_says_why() {
    let (town, bead) = slung();
    let (mr, _) = town.hand_in("toast");
    let words = Words::why("gate test: exit code 127: a command was not found");
    town.steps(&mr, &[Event::Taken, Event::PutBack], &words);
    let why = town.gt(&["why", &bead]).ok();
    assert!(why.contains(&format!("{mr} waits again: gate test: exit code 127")), "{why}");
    let happened = town.gt(&["why", mr.as_str(), "--json"]).json()["happened"].clone();
    assert_eq!((&happened[0]["what"], happened.as_array().map(Vec::len)), (&"waits again".into(), Some(1)));
    assert!(town.gt(&["review"]).ok().contains("exit code 127"));
}
