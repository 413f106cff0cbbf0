//! The shipped rules, as they decide over time.

use std::fmt::Write as _;
use std::sync::Arc;

use gastown::policy::{
    Action, ConvoyFact, Engine, MemoryLadders, NoReads, Outcome, Pass, PolecatState, Snapshot, builtin, builtin_roles,
};

use super::facts::*;

fn witness() -> Engine {
    load("witness", &[builtin("witness").expect("shipped")]).expect("it loads")
}

fn shown(pass: &Pass) -> String {
    let mut out = String::new();
    for decision in &pass.decisions {
        for action in &decision.actions {
            let rung = decision.rung.map(|r| format!(" {}/{}", r.rung, r.of)).unwrap_or_default();
            let rule = &decision.origin.rule;
            writeln!(out, "+{}m {} {} {rule}{rung}", decision.at_ms / MINUTE, action.verb(), decision.subject)
                .expect("a string");
        }
    }
    out
}

/// Runs passes from deadline to deadline, carrying out each decision on the ladders alone.
fn run(engine: &mut Engine, minutes: i64, facts: impl Fn(i64) -> Snapshot) -> String {
    let (mut now, mut out, mut ladders) = (0, String::new(), MemoryLadders::default());
    while now <= minutes * MINUTE {
        let pass = engine.pass(&Arc::new(facts(now)), &NoReads, &mut ladders);
        assert!(pass.warnings.is_empty(), "{}", said(&pass.warnings));
        out.push_str(&shown(&pass));
        for climb in pass.decisions.iter().filter_map(|d| d.climb.as_ref()) {
            ladders.climb(climb);
        }
        match pass.next_ms {
            Some(next) if next > now => now = next,
            Some(next) => panic!("at {now} it wants to look again at {next}"),
            None => break,
        }
    }
    out
}

#[test]
fn every_shipped_role_loads() {
    for role in builtin_roles() {
        load(role, &[builtin(role).expect("shipped")]).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn a_silent_worker_climbs_the_ladder_by_deadlines_alone() {
    let silent = |now| Snapshot {
        polecats: vec![Arc::new(polecat("toast", PolecatState::Silent, Some(bead("gt-1"))))],
        ..snapshot(now)
    };
    insta::assert_snapshot!(run(&mut witness(), 120, silent), @r"
    +5m nudge toast nudge-silent 1/4
    +10m nudge toast nudge-silent 1/4
    +15m restart toast nudge-silent 2/4
    +25m requeue toast nudge-silent 3/4
    +45m quarantine toast nudge-silent 4/4
    +45m escalate toast nudge-silent 4/4
    ");
}

#[test]
fn a_ready_bead_of_an_active_convoy_is_slung_and_others_are_not() {
    let mut held = active(bead("gt-2"));
    held.held = true;
    let mut waiting = active(bead("gt-3"));
    waiting.convoy = Some(ConvoyFact { id: id("hq-cv-2"), active: false });
    let mut hooked = active(bead("gt-4"));
    hooked.hooked = true;
    let beads = [active(bead("gt-1")), held, waiting, hooked, bead("gt-5")].map(Arc::new).to_vec();
    let pass = witness().pass(&Arc::new(Snapshot { beads, ..snapshot(0) }), &NoReads, &mut MemoryLadders::default());
    insta::assert_snapshot!(shown(&pass), @"+0m sling gt-1 feed-convoy");
    assert_eq!(pass.judged.iter().filter(|j| j.outcome == Outcome::Held).count(), 4);
    assert!(matches!(&pass.decisions[0].actions[..], [Action::Sling { to: None, .. }]));
}
