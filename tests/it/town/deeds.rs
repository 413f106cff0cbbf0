//! What the core does with a decision of a policy: within budgets, and the journal says what happened.

use gastown::base::{Address, BeadId, Clock, SystemClock};
use gastown::config::Overrides;
use gastown::policy::{Action, BeadRef, Decision, LadderKey, Ladders as _, Layer, Origin, Subject};
use gastown::store::Stamp;
use gastown::town::roles::{Desk, Outcome, Scope, StoredLadders, execute};
use gastown::town::roles::{events, ladders};
use gastown::town::{Acting, AgentState, Surroundings, Town, agent, budget, retire};

use super::TestTown;

fn slung() -> (TestTown, BeadId, Address) {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    (town, BeadId::new(bead).expect("an id"), "app/polecats/toast".parse().expect("an address"))
}

/// Carries out one action about `who` for the Witness of the rig.
fn witness_does(town: &TestTown, who: &Address, action: Action) -> Outcome {
    let place = Town::at(&town.root).expect("town");
    let around = Surroundings { gt: env!("CARGO_BIN_EXE_gt").into(), ..Surroundings::default() };
    let cx = Acting { town: &place, by: "deacon", clock: &SystemClock, around: &around };
    let rig = place.rig(&"app".parse().expect("a name"), &Overrides::default()).expect("rig");
    let origin = Origin {
        role: "witness".into(),
        rule: "test".into(),
        layer: Layer::Rig,
        revision: "0".into(),
        file: "witness.lua".into(),
        line: 1,
    };
    let decision = Decision {
        origin,
        subject: Subject::Agent(who.clone()),
        actions: vec![action],
        because: Vec::new(),
        rung: None,
        climb: None,
        event: None,
        at_ms: cx.now().millis(),
    };
    let (mut store, mut desk) = (town.store(), Desk::default());
    let outcome = execute(&cx, &mut store, Scope::Rig(&rig), &decision, None, &mut desk).expect("no fault");
    desk.close(&Stamp::new("deacon", cx.now()), &mut store).expect("written down");
    outcome
}

fn spend_restarts(town: &TestTown, bead: &BeadId) {
    let stamp = Stamp::new("app/witness", SystemClock.now());
    let spent = town.store().write(&stamp, |w| {
        while budget::take(w, retire::RESTART, bead, gastown::policy::MOST_RESTARTS)? {}
        Ok::<_, gastown::store::StoreError>(())
    });
    spent.expect("spent");
}

fn restarts(town: &TestTown, bead: &BeadId) -> u32 {
    town.store().read(|r| budget::spent(r, retire::RESTART, bead)).expect("read").times
}

#[test]
fn a_restart_beyond_the_budget_is_journaled_as_the_quarantine_that_it_was() {
    let (town, bead, toast) = slung();
    town.gt(&["agents", "--all"]).ok();
    spend_restarts(&town, &bead);
    let done = witness_does(&town, &toast, Action::Restart { who: toast.clone(), resume: true });
    let Outcome::Done(effect) = done else { panic!("{done:?}") };
    assert_eq!(effect.intents.len(), 1, "its worker goes");
    let rows = town.store().read(|r| r.decisions(&toast.to_string())).expect("read");
    assert!(rows[0].outcome.starts_with("quarantined instead: its worker was started again"), "{}", rows[0].outcome);
    assert_eq!(town.show(bead.as_str())["labels"], serde_json::json!(["quarantine"]));
}

#[test]
fn a_closed_step_gives_the_budget_of_restarts_back() {
    let (town, bead, _) = slung();
    spend_restarts(&town, &bead);
    town.as_worker("toast", &["step", "done"]).ok();
    assert_eq!(restarts(&town, &bead), 0);
}

pub(super) fn damage(town: &TestTown, table: &'static str, key: &str) {
    let stamp = Stamp::new("test", SystemClock.now());
    town.store().write(&stamp, |w| w.put_local(table, key, &"damaged".into())).expect("written");
    let conn = rusqlite::Connection::open(town.root.join(".beads/beads.db")).expect("open");
    let broken = "UPDATE local SET value = '{oops' WHERE ns = ?1 AND key = ?2";
    assert_eq!(conn.execute(broken, [table, key]).expect("damaged"), 1);
}

#[test]
fn a_row_that_is_no_json_stops_nothing_but_its_own_subject_and_is_told_with_its_mend() {
    let (town, bead, _) = slung();
    for (table, key) in [
        ("ladder", "witness/nudge-silent/other-1"),
        ("budget", "restart:other-1"),
        ("refused", "app/witness/r/other-1"),
        ("patrol", "app/other"),
        ("gate", "other"),
        ("ledger", "other"),
        ("memory", "other"),
    ] {
        damage(&town, table, key);
    }
    let other = town.bead("y");
    town.sling(&other);
    town.store().write(&Stamp::new("test", SystemClock.now()), ladders::set_back).expect("read");
    let rows = town.store().read(StoredLadders::read).expect("read");
    assert!(rows.place(&LadderKey("witness/nudge-silent/other-1".into())).is_err(), "closed for its own subject");
    assert_eq!(rows.place(&LadderKey(format!("witness/nudge-silent/{bead}"))), Ok(None));
    for key in ["ladder row of witness/nudge-silent/other-1", "budget row of restart:other-1"] {
        let status = town.gt(&["status"]).ok();
        assert!(status.lines().any(|line| line.contains(key) && line.ends_with(": gt start")), "{status}");
    }
    town.gt(&["start"]).ok();
    let status = town.gt(&["status"]).ok();
    assert!(!status.contains("cannot be read"), "{status}");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_hold_that_cannot_be_read_holds_until_a_person_lets_go() {
    let town = TestTown::new();
    let bead = town.bead("x");
    damage(&town, "hold", &bead);
    let id = BeadId::new(bead.as_str()).expect("an id");
    let rig: Address = "app/refinery".parse().expect("an address");
    let slung = witness_does(&town, &rig, Action::Sling { bead: BeadRef::Id(id), to: None });
    assert!(matches!(&slung, Outcome::Refused(why) if why.contains("cannot be read")), "{slung:?}");
    let status = town.gt(&["status"]).ok();
    assert!(status.contains(&format!("it stays held: gt sling {bead}")), "{status}");
    town.sling(&bead);
    assert!(!town.gt(&["status"]).ok().contains("stays held"));
}

#[test]
fn a_request_whose_hold_cannot_be_read_is_let_go_by_the_command_that_the_status_names() {
    let (town, _, _) = slung();
    town.commit("toast", "x.txt", "x\n");
    let (mr, _) = town.hand_in("toast");
    damage(&town, "hold", mr.as_str());
    let mend = format!("it stays held: gt queue mend {mr}");
    assert!(town.gt(&["status"]).ok().contains(&mend));
    assert!(town.gt(&["queue", "mend", mr.as_str()]).ok().contains("held no longer"));
    assert!(!town.gt(&["status"]).ok().contains("stays held"));
    let again = town.gt(&["queue", "mend", mr.as_str()]);
    assert!(again.code != 0 && again.stderr.contains("can be read"), "{}", again.stderr);
    let bead = town.bead("held");
    damage(&town, "hold", &bead);
    assert!(town.gt(&["queue", "mend", &bead]).fails().contains("is no merge request"));
    assert!(town.gt(&["status"]).ok().contains(&format!("it stays held: gt sling {bead}")), "that one is left alone");
}

#[test]
fn a_word_that_cannot_be_read_is_told_until_a_person_has_it_forgotten() {
    let town = TestTown::new();
    damage(&town, "nudge", "app/witness:nudge-silent:gt-1:0");
    let told = "the nudge row of app/witness:nudge-silent:gt-1:0 cannot be read";
    let status = town.gt(&["status"]).ok();
    assert!(status.contains(told) && status.contains("to forget it: gt start"), "{status}");
    town.gt(&["start"]).ok();
    assert!(!town.gt(&["status"]).ok().contains(told));
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_place_in_the_events_that_cannot_be_read_is_an_error_until_a_person_says_to_go_on() {
    let town = TestTown::new();
    damage(&town, "cursor", "app/witness");
    let rig = "app".parse().expect("a name");
    let error = town.store().read(|r| events::cursor(r, &rig, "witness")).expect_err("nobody knows");
    assert!(error.to_string().contains("gt start"), "{error}");
    let stamp = Stamp::new("overseer", SystemClock.now());
    town.store().write(&stamp, events::mend_cursors).expect("mended");
    assert_eq!(town.store().read(|r| events::cursor(r, &rig, "witness")).expect("read"), None);
}

#[test]
fn rates_are_forgotten_after_an_hour_and_count_as_used_up_when_they_cannot_be_read() {
    let (town, _, toast) = slung();
    let stamp = Stamp::new("test", SystemClock.now());
    let old = serde_json::json!([stamp.now.millis() - 3_600_001]);
    town.store().write(&stamp, |w| w.put_local("rate", "app/witness:nudge:gone", &old)).expect("written");
    let nudge = || Action::Nudge { to: toast.clone(), text: "go on".into() };
    assert!(matches!(witness_does(&town, &toast, nudge()), Outcome::Done(_)));
    let kept = town.store().read(gastown::town::nudges::all).expect("read");
    assert_eq!(kept[0].to, toast, "what is decided is on disk before it is said");
    let key = "app/witness:nudge:app/polecats/toast";
    assert_eq!(town.store().read(|r| r.local_keys("rate")).expect("read"), [key]);
    damage(&town, "rate", key);
    let again = witness_does(&town, &toast, nudge());
    assert!(matches!(&again, Outcome::Refused(why) if why.contains("within an hour is enough")), "{again:?}");
    // Refused from now on for an hour, not for ever.
    let rate = town.store().read(|r| r.local_row::<Vec<i64>>("rate", key)).expect("read").expect("a row");
    assert!(rate.is_ok_and(|times| times.iter().all(|at| *at >= stamp.now.millis())), "it is written anew");
}

#[test]
fn a_worker_at_a_dialog_has_a_line_of_its_own_until_it_goes_on() {
    let (town, _, toast) = slung();
    let stamp = Stamp::new("deacon", SystemClock.now());
    let sees = |dialog: Option<&str>| {
        let noted = town.store().write(&stamp, |w| {
            let mut row = agent::need(w, &toast)?;
            row.state = if row.state == AgentState::Spawning { AgentState::Working } else { row.state };
            let news = row.waits_at(dialog);
            agent::put(w, &row)?;
            Ok::<_, gastown::town::TownError>((news, row.state))
        });
        (noted.expect("noted"), town.gt(&["status"]).ok())
    };
    let ((news, state), status) = sees(Some("permission"));
    assert_eq!((news, state), (true, AgentState::Waiting));
    assert!(status.contains("waits for you at its dialog `permission`: gt polecat attach toast"), "{status}");
    assert!(!sees(Some("permission")).0.0, "no news");
    let ((news, state), status) = sees(None);
    assert_eq!((news, state), (true, AgentState::Working));
    assert!(!status.contains("dialog"), "{status}");
}

#[test]
fn a_step_that_a_policy_closes_releases_what_waited_for_it_but_not_what_it_knows_nothing_of() {
    let town = TestTown::new();
    let text = "formula = \"f\"\n[[steps]]\nid = \"test\"\n[[steps]]\nid = \"ship\"\n[[steps]]\nid = \"tell\"\n\
        [[compose.gate]]\nbefore = \"ship\"\ncondition = \"test.status == 'closed'\"\n\
        [[compose.gate]]\nbefore = \"tell\"\ncondition = \"env.QUIET != 'yes'\"\n";
    let formulas = town.root.join(".beads/formulas");
    std::fs::create_dir_all(&formulas).expect("a folder");
    std::fs::write(formulas.join("f.formula.toml"), text).expect("written");
    let poured = town.bd(&["mol", "pour", "f", "--json"]).json();
    let id = |name: &str| BeadId::new(poured["id_mapping"][name].as_str().expect("an id")).expect("an id");
    let waits = |step: &BeadId| town.store().read(|r| r.is_blocked(step)).expect("read");
    let (test, ship, tell) = (id("f.test"), id("f.ship"), id("f.tell"));
    assert!(waits(&ship) && waits(&tell));
    let close = Action::Close { bead: BeadRef::Id(test), why: "seen to be done".into() };
    let done = witness_does(&town, &"app/polecats/toast".parse().expect("an address"), close);
    assert!(matches!(done, Outcome::Done(_)), "{done:?}");
    assert!(!waits(&ship), "released in the same transaction");
    assert!(waits(&tell), "a policy knows of no environment");
    town.bd(&["gate", "check"]).ok();
    assert!(!waits(&tell));
}
