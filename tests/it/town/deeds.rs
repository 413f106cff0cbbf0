//! What the core does with a decision of a policy: within budgets, and the journal says what happened.

use gastown::base::{Address, BeadId, Clock, SystemClock};
use gastown::config::Overrides;
use gastown::policy::{Action, Decision, Layer, Origin, Subject};
use gastown::store::Stamp;
use gastown::town::roles::{Desk, Outcome, Scope, execute};
use gastown::town::{Acting, Surroundings, Town, budget, retire};

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
    execute(&cx, &mut town.store(), Scope::Rig(&rig), &decision, None, &mut Desk::default()).expect("no fault")
}

fn spend_restarts(town: &TestTown, bead: &BeadId) {
    let stamp = Stamp::new("app/witness", SystemClock.now());
    let spent = town.store().write(&stamp, |w| {
        while budget::take(w, retire::RESTART, bead, retire::MOST_RESTARTS)? {}
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
