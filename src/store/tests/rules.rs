//! What is ready, blocked and closable, rule by rule, and where the rules here differ on purpose.

use super::*;

fn with(temp: &mut Temp, title: &str, change: impl FnOnce(&mut NewBead)) -> BeadId {
    let mut new = NewBead::titled(title);
    change(&mut new);
    temp.write(|w| Ok(w.create(new)?.id)).expect("create")
}

fn set(temp: &mut Temp, id: &BeadId, status: &str) {
    temp.write(|w| w.update(id, Patch::status(status.into()))).expect("status");
}

fn asked(temp: &Temp, query: ReadyQuery) -> Vec<String> {
    let query = ReadyQuery { now: Some(Time::from_millis(temp.now)), ..query };
    temp.read(|r| r.ready(&query)).into_iter().map(|b| b.title).collect()
}

#[test]
fn only_a_bead_that_is_open_in_some_way_holds_others_back() {
    for (status, holds) in [
        ("open", true),
        ("in_progress", true),
        ("blocked", true),
        ("deferred", true),
        ("hooked", true),
        ("pinned", false),
        ("closed", false),
        ("a_word_of_ones_own", false),
    ] {
        let mut temp = Temp::new();
        let (blocker, held) = (temp.add("blocker"), temp.add("held"));
        temp.dep(&held, DepKind::BLOCKS, &blocker);
        set(&mut temp, &blocker, status);
        assert_eq!(!temp.ready().contains(&"held".to_owned()), holds, "{status}");
    }
    let mut temp = Temp::new();
    let (blocker, held) = (temp.add("blocker"), temp.add("held"));
    temp.dep(&held, DepKind::BLOCKS, &blocker);
    temp.write(|w| w.delete(&blocker, "")).expect("delete");
    assert_eq!(temp.ready(), ["held"], "what is deleted holds nothing back");
}

#[test]
fn only_four_kinds_of_edges_hold_back() {
    for kind in DepKind::KNOWN.iter().copied().chain(["authored-by", "my-own"]) {
        let mut temp = Temp::new();
        let (target, bead) = (temp.add("target"), temp.add("bead"));
        temp.child(&target, "its child");
        temp.dep(&bead, DepKind::new(kind), &target);
        let free = temp.ready().contains(&"bead".to_owned());
        let holds = matches!(kind, "blocks" | "conditional-blocks" | "waits-for");
        assert_eq!(free, !holds, "{kind}");
    }
}

#[test]
fn a_hooked_condition_holds_back_as_any_open_one_does() {
    let mut temp = Temp::new();
    let (condition, bead) = (temp.add("condition"), temp.add("bead"));
    temp.dep(&bead, DepKind::CONDITIONAL_BLOCKS, &condition);
    set(&mut temp, &condition, "hooked");
    assert!(!temp.ready().contains(&"bead".to_owned()));
    for (reason, runs) in [("merged", false), ("Tests FAILED twice", true), ("won't fix", true), ("done", false)] {
        temp.close(&condition, reason);
        assert_eq!(temp.ready().contains(&"bead".to_owned()), runs, "{reason}");
    }
}

#[test]
fn a_child_of_two_parents_is_held_back_by_either_and_a_relative_by_none() {
    let mut temp = Temp::new();
    let (blocker, held, free) = (temp.add("blocker"), temp.add("held"), temp.add("free"));
    let child = temp.child(&held, "child");
    temp.dep(&child, DepKind::PARENT_CHILD, &free);
    let relative = temp.add("relative");
    temp.dep(&relative, DepKind::RELATED, &held);
    temp.dep(&held, DepKind::BLOCKS, &blocker);
    assert_eq!(temp.ready(), ["blocker", "free", "relative"]);
    temp.close(&blocker, "done");
    assert!(temp.ready().contains(&"child".to_owned()));
}

#[test]
fn what_is_not_somebodys_next_piece_of_work_is_not_ready_unless_asked_for() {
    let mut temp = Temp::new();
    temp.add("work");
    with(&mut temp, "pinned", |new| new.pinned = true);
    with(&mut temp, "template", |new| new.is_template = true);
    with(&mut temp, "wisp", |new| new.ephemeral = true);
    let begun = temp.add("begun");
    set(&mut temp, &begun, "in_progress");
    let deferred = temp.add("deferred");
    set(&mut temp, &deferred, "deferred");
    with(&mut temp, "later", |new| new.defer_until = Some(Time::from_millis(T0 + 1_000_000_000)));
    for kind in IssueType::KNOWN {
        with(&mut temp, kind, |new| new.issue_type = Some(IssueType::new(kind)));
    }
    let mut ready = temp.ready();
    ready.sort();
    assert_eq!(ready, ["begun", "bug", "chore", "decision", "epic", "feature", "task", "work"]);
    for kind in ["gate", "message", "merge-request", "molecule", "agent", "convoy"] {
        assert_eq!(asked(&temp, ReadyQuery { issue_type: Some(kind.into()), ..ReadyQuery::default() }), [kind]);
    }
    let later = asked(&temp, ReadyQuery { include_deferred: true, ..ReadyQuery::default() });
    assert!(later.contains(&"later".to_owned()) && !later.contains(&"deferred".to_owned()));
    assert_eq!(asked(&temp, ReadyQuery { ephemeral: true, ..ReadyQuery::default() }), ["wisp"]);
    assert_eq!(asked(&temp, ReadyQuery { status: Some(Status::DEFERRED), ..ReadyQuery::default() }), ["deferred"]);
}

#[test]
fn ready_work_is_chosen_by_who_has_it_and_by_labels() {
    let mut temp = Temp::new();
    with(&mut temp, "ada's", |new| {
        new.assignee = "ada".to_owned();
        new.labels = vec!["red".to_owned(), "big".to_owned()];
    });
    with(&mut temp, "nobody's", |new| new.labels = vec!["red".to_owned()]);
    let labels = |all: &[&str]| all.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
    let ada = || ReadyQuery { assignee: Some("ada".to_owned()), ..ReadyQuery::default() };
    assert_eq!(asked(&temp, ada()), ["ada's"]);
    assert_eq!(asked(&temp, ReadyQuery { unassigned: true, ..ada() }), ["nobody's"], "unassigned wins");
    assert_eq!(asked(&temp, ReadyQuery { labels: labels(&["red", "big"]), ..ReadyQuery::default() }), ["ada's"]);
    assert_eq!(asked(&temp, ReadyQuery { labels_any: labels(&["big", "x"]), ..ReadyQuery::default() }), ["ada's"]);
    assert_eq!(asked(&temp, ReadyQuery { priority: Some(0), ..ReadyQuery::default() }), [""; 0]);
}

#[test]
fn each_order_is_what_it_says() {
    let mut temp = Temp::new();
    for (title, priority) in [("old low", 3), ("old high", 0)] {
        with(&mut temp, title, |new| new.priority = Some(priority));
    }
    temp.now += 3 * 24 * 3_600_000;
    for (title, priority) in [("new low", 3), ("new high", 0)] {
        with(&mut temp, title, |new| new.priority = Some(priority));
    }
    for (sort, order) in [
        (ReadySort::Hybrid, ["new high", "new low", "old low", "old high"]),
        (ReadySort::Priority, ["old high", "new high", "old low", "new low"]),
        (ReadySort::Oldest, ["old low", "old high", "new low", "new high"]),
    ] {
        assert_eq!(asked(&temp, ReadyQuery { sort, ..ReadyQuery::default() }), order, "{sort:?}");
    }
}

#[test]
fn circles_of_any_kinds_are_refused_but_relations_go_both_ways() {
    for (there, back) in [
        (DepKind::BLOCKS, DepKind::BLOCKS),
        (DepKind::BLOCKS, DepKind::DISCOVERED_FROM),
        (DepKind::RELATED, DepKind::WAITS_FOR),
        (DepKind::PARENT_CHILD, DepKind::BLOCKS),
    ] {
        let mut temp = Temp::new();
        let (a, b) = (temp.add("a"), temp.add("b"));
        temp.dep(&a, there.clone(), &b);
        let refused = temp.write(|w| w.add_dep(&b, NewDep::new(back.clone(), a.clone())));
        assert!(matches!(refused, Err(StoreError::Cycle { .. })), "{there} {back}");
        temp.dep(&b, DepKind::RELATES_TO, &a);
    }
}

#[test]
fn what_may_not_be_closed_is_refused_and_force_goes_so_far() {
    let mut temp = Temp::new();
    let (blocker, held) = (temp.add("blocker"), temp.add("held"));
    temp.dep(&held, DepKind::BLOCKS, &blocker);
    let child = temp.child(&held, "child");
    let pinned = with(&mut temp, "pinned", |new| new.pinned = true);
    let template = with(&mut temp, "template", |new| new.is_template = true);
    let gone = temp.add("gone");
    temp.write(|w| w.delete(&gone, "")).expect("delete");
    let close = |temp: &mut Temp, id: &BeadId, force: bool| {
        temp.write(|w| w.close(id, Close { force, ..Close::because("done") })).map(|closed| closed.bead.close_reason)
    };
    assert!(matches!(close(&mut temp, &held, false), Err(StoreError::Blocked { by, .. }) if by == [blocker.clone()]));
    assert!(matches!(close(&mut temp, &pinned, false), Err(StoreError::Refused { .. })));
    for never in [&template, &gone] {
        assert!(matches!(close(&mut temp, never, true), Err(StoreError::Refused { .. })), "{never}");
    }
    assert!(close(&mut temp, &child, false).is_ok(), "what only its parent holds back may be closed");
    assert!(close(&mut temp, &held, true).is_ok() && close(&mut temp, &pinned, true).is_ok());
    let again = temp.write(|w| w.close(&child, Close::because("better")));
    assert_eq!(again.expect("again").bead.close_reason, "better", "closing again gives a new reason");
}

#[test]
fn an_epic_can_be_closed_when_it_has_children_and_all_are() {
    let mut temp = Temp::new();
    let epic = with(&mut temp, "epic", |new| new.issue_type = Some(IssueType::EPIC));
    let done = |temp: &Temp| temp.read(|r| r.epic_count(&epic)).is_done();
    assert!(!done(&temp), "no children");
    let (a, b) = (temp.child(&epic, "a"), temp.child(&epic, "b"));
    temp.close(&a, "done");
    assert!(!done(&temp));
    temp.write(|w| w.delete(&b, "")).expect("delete");
    assert!(done(&temp), "a deleted child is no child any more");
    temp.child(&epic, "c");
    assert!(!done(&temp));
}

#[test]
fn an_explicit_child_id_is_minded_when_the_next_is_made() {
    let mut temp = Temp::new();
    let parent = temp.add("parent");
    let explicit = id(&format!("{parent}.7"));
    with(&mut temp, "seventh", |new| {
        new.id = Some(explicit);
        new.parent = Some(parent.clone());
    });
    let next = temp.child(&parent, "next");
    assert_eq!(next.as_str(), format!("{parent}.8"));
    let deep = temp.child(&next, "deep");
    let deeper = temp.child(&deep, "deeper");
    let too_deep = NewBead { parent: Some(deeper), ..NewBead::titled("too deep") };
    assert!(matches!(temp.write(|w| w.create(too_deep)), Err(StoreError::Invalid { field: "parent", .. })));
}

#[test]
fn blocked_lists_what_was_put_aside_and_what_waits_for_open_beads() {
    let mut temp = Temp::new();
    let (a, b, c) = (temp.add("a"), temp.add("b"), temp.add("c"));
    temp.dep(&b, DepKind::BLOCKS, &a);
    temp.child(&b, "below b");
    temp.dep(&c, DepKind::CONDITIONAL_BLOCKS, &a);
    let aside = temp.add("aside");
    set(&mut temp, &aside, "blocked");
    let listed = temp.read(|r| r.blocked(None));
    let told: Vec<_> = listed.iter().map(|one| (one.bead.title.as_str(), one.blocked_by_count)).collect();
    assert_eq!(told, [("b", 1), ("aside", 0)], "only `blocks` edges are counted, and nothing is inherited");
}

#[test]
fn beads_that_are_alike_to_the_nanosecond_all_get_an_id_of_their_own() {
    let mut t = Temp::new();
    let ids = t
        .write(|w| (0..400).map(|_| Ok(w.create(NewBead::titled("again"))?.id)).collect::<Result<Vec<_>, _>>())
        .expect("create");
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 400);
}

#[test]
fn edges_of_one_instant_are_listed_by_what_they_say_in_every_clone() {
    let mut t = Temp::new();
    let mut ends = [t.add("one"), t.add("two"), t.add("three")];
    ends.sort();
    let drawn: Vec<NewDep> = ends.iter().rev().map(|end| NewDep::new(DepKind::RELATED, end.clone())).collect();
    let bead = t.write(|w| w.create(NewBead { deps: drawn, ..NewBead::titled("last") })).expect("create").id;
    let listed: Vec<BeadId> = t.read(|r| r.deps(&bead)).into_iter().map(|dep| dep.depends_on_id).collect();
    assert_eq!(listed, ends);
}
