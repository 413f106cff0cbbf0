//! The Refinery's questions: good answers are used, bad ones become the safe one.

use std::sync::Arc;

use gastown::policy::{Action, Engine, Layer, MrFact, NoReads, Snapshot, Subject, builtin};

use super::facts::*;

const HOUR: i64 = 60 * MINUTE;

fn shipped() -> Engine {
    load("refinery", &[builtin("refinery").expect("shipped")]).expect("it loads")
}

fn with(text: &str) -> Engine {
    let head = "local gt = require 'gt'\nlocal refinery = gt.extend 'refinery'\n";
    extended("refinery", &format!("{head}{text}")).unwrap_or_else(|e| panic!("{e}"))
}

fn now() -> Arc<Snapshot> {
    Arc::new(snapshot(2 * HOUR))
}

fn queue() -> Vec<Arc<MrFact>> {
    let make = |n: u32, priority: i64, queued_ms: i64| {
        let mut bead = bead(&format!("gt-{n}"));
        bead.priority = priority;
        Arc::new(MrFact { queued_ms, ..mr(&format!("gt-mr{n}"), bead) })
    };
    vec![make(1, 2, HOUR), make(2, 0, 2 * HOUR), make(3, 2, 2 * HOUR), make(4, 4, 0)]
}

fn ids(all: &[Arc<MrFact>]) -> Vec<&str> {
    all.iter().map(|m| m.id.as_str()).collect()
}

#[test]
fn shipped_order_is_priority_with_ageing() {
    let order = shipped().order(&queue(), &now(), &NoReads);
    // An hour is worth two priorities: 1 has 0, 2 has 0 and came later, 4 has 0, 3 has -2.
    assert_eq!(ids(&order.value), ["gt-mr1", "gt-mr2", "gt-mr4", "gt-mr3"]);
    assert_eq!(order.origin.expect("the shipped layer").layer, Layer::Builtin);
}

#[test]
fn shipped_batch_has_a_size_and_leaves_out_what_failed_before() {
    let mut all = queue();
    Arc::make_mut(&mut all[1]).attempt = 2;
    let batch = shipped().batch(&all, &now(), &NoReads);
    assert_eq!(ids(&batch.value), ["gt-mr1", "gt-mr3", "gt-mr4"]);
    assert_eq!(batch.reasons, [(Subject::Mr(id("gt-mr2")), "has failed before, goes alone".into())]);
}

#[test]
fn a_held_merge_request_is_not_admitted_and_says_why() {
    let open = shipped().admit(&queue()[0], &now(), &NoReads);
    assert!(open.value);
    let held = Arc::new(MrFact { held: true, ..(*queue()[0]).clone() });
    let answer = shipped().admit(&held, &now(), &NoReads);
    assert!(!answer.value);
    assert_eq!(answer.reasons[0].1, "held for a person");
}

#[test]
fn a_refinery_that_admits_nothing_admits_nothing() {
    let answer =
        with("refinery.admit(function() return false, 'closed for today' end)").admit(&queue()[0], &now(), &NoReads);
    assert!(!answer.value);
    assert_eq!(answer.origin.expect("the town").layer, Layer::Town);
}

#[test]
fn an_admit_that_errs_does_not_fall_to_a_layer_that_would_say_yes() {
    for body in ["error('x')", "return 'yes'", "return nil", "return mr.nothing"] {
        let text = format!("refinery.admit(function(mr) local mr = mr; {body} end)");
        let answer = with(&text).admit(&queue()[0], &now(), &NoReads);
        assert!(!answer.value, "{body}");
        assert_eq!(answer.warnings.len(), 1, "{body}");
    }
}

#[test]
fn a_wrong_answer_is_told_with_what_it_must_be() {
    let told = |text: &str, ask: &dyn Fn(&mut Engine) -> Vec<gastown::policy::Diagnostic>| {
        let warnings = ask(&mut with(text));
        assert_eq!(warnings.len(), 1, "{text}");
        warnings[0].warning("refinery").lines().next().unwrap_or_default().to_owned()
    };
    let admit = |engine: &mut Engine| engine.admit(&queue()[0], &now(), &NoReads).warnings;
    let order = |engine: &mut Engine| engine.order(&queue(), &now(), &NoReads).warnings;
    let batch = |engine: &mut Engine| engine.batch(&queue(), &now(), &NoReads).warnings;
    insta::assert_snapshot!(told("refinery.admit(function() return 'yes' end)", &admit), @"warning: refinery: admit must answer true or false, not a string");
    insta::assert_snapshot!(told("refinery.order(function() return 'x' end)", &order), @"warning: refinery: order must answer a number, not a string");
    insta::assert_snapshot!(told("refinery.order(function() return nil end)", &order), @"warning: refinery: order must answer a number, not nil");
    insta::assert_snapshot!(told("refinery.batch(function(q) return q[1] end)", &batch), @"warning: refinery: batch must answer a list of merge requests, not an mr");
    insta::assert_snapshot!(told("refinery.batch(function(q) return { 1 } end)", &batch), @"warning: refinery: batch must answer a list of merge requests, and one of its items is a number");
}

#[test]
fn an_order_that_errs_falls_to_the_layer_below() {
    for body in ["error('x')", "return 'high'", "return 0/0", "return nil"] {
        let answer = with(&format!("refinery.order(function(mr) {body} end)")).order(&queue(), &now(), &NoReads);
        assert_eq!(ids(&answer.value), ["gt-mr1", "gt-mr2", "gt-mr4", "gt-mr3"], "{body}");
        assert_eq!(answer.warnings.len(), 1, "{body}");
        assert_eq!(answer.origin.expect("below").layer, Layer::Builtin);
    }
}

#[test]
fn a_batch_that_errs_is_a_batch_of_one() {
    for body in
        ["error('x')", "return {}", "return nil", "return queue[1]", "return { queue[1].bead }", "return town.queue"]
    {
        let mut snapshot = snapshot(2 * HOUR);
        snapshot.mrs = mrs(vec![mr("gt-mr9", bead("gt-9"))]);
        let engine = &mut with(&format!("refinery.batch(function(queue, town) {body} end)"));
        let answer = engine.batch(&queue(), &Arc::new(snapshot), &NoReads);
        assert_eq!(ids(&answer.value), ["gt-mr1"], "{body}");
        assert_eq!(answer.warnings.len(), 1, "{body}");
    }
}

#[test]
fn base_is_the_answer_of_the_layer_below() {
    let text =
        "refinery.order(function(mr, town, base) return base(mr, town) + (mr.bead:has('hotfix') and 100 or 0) end)";
    let mut all = queue();
    let mut bead = bead("gt-3");
    bead.labels = vec!["hotfix".into()];
    Arc::make_mut(&mut all[2]).bead = Arc::new(bead);
    assert_eq!(ids(&with(text).order(&all, &now(), &NoReads).value)[0], "gt-mr3");
}

#[test]
fn gates_may_be_added_and_chosen_but_required_ones_not_dropped() {
    let all = ["test", "lint", "slow"].map(String::from).to_vec();
    let required = [String::from("test")];
    let ask = |text: &str| {
        let answer = with(text).gates(&queue(), &all, &required, &now(), &NoReads);
        (answer.value.join(" "), answer.warnings.len())
    };
    assert_eq!(ask(""), ("test lint slow".into(), 0));
    assert_eq!(ask("refinery.gates(function() return { 'slow' } end)"), ("test slow".into(), 0));
    assert_eq!(ask("refinery.gates(function() return {} end)"), ("test".into(), 0));
    assert_eq!(ask("refinery.gates(function() return { 'tests' } end)"), ("test lint slow".into(), 1));
}

#[test]
fn a_conflict_goes_back_to_its_worker_until_a_person_must_look() {
    let verbs = |mr: &Arc<MrFact>| {
        let answer = shipped().on_conflict(mr, &now(), &NoReads);
        let decision = answer.value.expect("a decision");
        decision.actions.iter().map(Action::verb).collect::<Vec<_>>()
    };
    let mut mr = Arc::clone(&queue()[0]);
    assert_eq!(verbs(&mr), ["rework"]);
    Arc::make_mut(&mut mr).attempt = 3;
    assert_eq!(verbs(&mr), ["hold", "escalate"]);
}

#[test]
fn a_failure_names_the_gate_and_a_policy_that_errs_everywhere_holds() {
    let mut mr = Arc::clone(&queue()[0]);
    Arc::make_mut(&mut mr).gate = Some("test".into());
    let decision = shipped().on_failure(&mr, &now(), &NoReads).value.expect("a decision");
    assert_eq!(decision.actions, [Action::Rework { mr: id("gt-mr1"), why: "gate test failed".into() }]);

    let text = "local gt = require 'gt'\nlocal r = gt.role('refinery', { api = 1, scope = 'rig', doc = '' })\n\
                r.on_failure(function() error('x') end)";
    let answer = alone("refinery", text).expect("it loads").on_failure(&mr, &now(), &NoReads);
    let decision = answer.value.expect("the core's own");
    assert_eq!(decision.actions.iter().map(Action::verb).collect::<Vec<_>>(), ["hold", "escalate"]);
    assert_eq!(answer.warnings.len(), 1);
}

#[test]
fn an_unreadable_diff_leaves_the_question_undecided() {
    let text = "refinery.batch(function(queue) return gt.take(queue, function(mr) return mr.lines < 10 end) end)";
    let mut all = queue();
    Arc::make_mut(&mut all[1]).lines = None;
    let answer = with(text).batch(&all, &now(), &NoReads);
    assert_eq!(answer.undecided.as_deref(), Some("its diff"));
    assert!(answer.warnings.is_empty());
}
