//! What is ready and what is held back.

use super::*;

#[test]
fn a_bead_waits_for_its_blocker() {
    let mut t = Temp::new();
    let (a, b) = (t.add("a"), t.add("b"));
    t.dep(&b, DepKind::BLOCKS, &a);
    assert_eq!(t.ready(), ["a"]);
    assert_eq!(t.read(|r| r.blockers(&b)), std::slice::from_ref(&a));
    assert_eq!(t.read(|r| r.blocked(None)).len(), 1);
    let refused = t.write(|w| w.close(&b, Close::default()));
    assert!(matches!(refused, Err(StoreError::Blocked { ref by, .. }) if *by == [a.clone()]), "{refused:?}");
    assert_eq!(t.close(&a, "").unblocked, std::slice::from_ref(&b));
    assert_eq!(t.ready(), ["b"]);
    t.write(|w| w.reopen(&a, "")).expect("reopen");
    assert_eq!(t.ready(), ["a"]);
    t.write(|w| w.update(&a, Patch::status(Status::new("custom")))).expect("update");
    assert_eq!(t.ready(), ["b"], "a status of somebody's own does not block");
}

#[test]
fn what_holds_back_a_parent_holds_back_all_below() {
    let mut t = Temp::new();
    let (gate, epic) = (t.add("gate"), t.add("epic"));
    let child = t.child(&epic, "child");
    let grandchild = t.child(&child, "grandchild");
    t.dep(&epic, DepKind::BLOCKS, &gate);
    assert_eq!(t.ready(), ["gate"]);
    assert!(t.read(|r| r.is_blocked(&grandchild)));
    let closed = t.close(&gate, "");
    assert_eq!(closed.unblocked.len(), 3);
    assert_eq!(t.ready(), ["epic", "child", "grandchild"]);
    t.dep(&child, DepKind::RELATED, &gate);
    let other = t.add("other");
    t.dep(&child, DepKind::PARENT_CHILD, &other);
    let late = t.add("late");
    t.dep(&other, DepKind::BLOCKS, &late);
    assert_eq!(t.ready(), ["epic", "late"], "one of two parents is held back");
    t.write(|w| w.remove_dep(&other, &late, None)).expect("remove");
    assert_eq!(t.ready(), ["epic", "child", "grandchild", "other", "late"]);
}

#[test]
fn a_chain_of_parents_may_be_long() {
    let mut t = Temp::new();
    let (gate, top) = (t.add("gate"), t.add("top"));
    let mut last = top.clone();
    for n in 0..60 {
        let next = t.add(&format!("n{n}"));
        t.dep(&next, DepKind::PARENT_CHILD, &last);
        last = next;
    }
    t.dep(&top, DepKind::BLOCKS, &gate);
    assert_eq!(t.ready(), ["gate"]);
}

#[test]
fn a_conditional_step_runs_only_after_a_failure() {
    let mut t = Temp::new();
    let (a, b) = (t.add("a"), t.add("b"));
    t.dep(&b, DepKind::CONDITIONAL_BLOCKS, &a);
    assert_eq!(t.ready(), ["a"]);
    for over in ["done", "skipped: nothing touches src/error/**"] {
        t.close(&a, over);
        assert!(t.ready().is_empty(), "{over}");
    }
    t.close(&a, "Tests FAILED twice");
    assert_eq!(t.ready(), ["b"]);
}

#[test]
fn waiting_for_children_counts_them_as_they_come_and_go() {
    let mut t = Temp::new();
    let (spawner, all, any) = (t.add("spawner"), t.add("all"), t.add("any"));
    t.dep(&all, DepKind::WAITS_FOR, &spawner);
    let gate =
        NewDep { metadata: r#"{"gate":"any-children"}"#.into(), ..NewDep::new(DepKind::WAITS_FOR, spawner.clone()) };
    t.write(|w| w.add_dep(&any, gate)).expect("edge");
    assert_eq!(t.ready(), ["spawner", "all"], "no children: all of them are done, none of them is");
    let (one, two) = (t.child(&spawner, "one"), t.child(&spawner, "two"));
    assert_eq!(t.ready(), ["spawner", "one", "two"]);
    t.close(&one, "");
    assert_eq!(t.ready(), ["spawner", "any", "two"]);
    t.close(&two, "");
    assert_eq!(t.ready(), ["spawner", "all", "any"]);
    t.child(&spawner, "three");
    assert_eq!(t.ready(), ["spawner", "any", "three"]);
    assert_eq!(t.read(|r| r.epic_count(&spawner)), EpicCount { total: 3, closed: 2 });
}

#[test]
fn circles_are_refused() {
    let mut t = Temp::new();
    let (a, b, c) = (t.add("a"), t.add("b"), t.add("c"));
    t.dep(&a, DepKind::BLOCKS, &b);
    t.dep(&b, DepKind::DISCOVERED_FROM, &c);
    let refused = t.write(|w| w.add_dep(&c, NewDep::new(DepKind::RELATED, a.clone())));
    let Err(StoreError::Cycle { path }) = refused else { panic!("{refused:?}") };
    assert_eq!(path, [c.clone(), a.clone(), b.clone(), c.clone()]);
    assert!(matches!(t.write(|w| w.add_dep(&a, NewDep::new(DepKind::BLOCKS, a.clone()))), Err(StoreError::SelfDep(_))));
    t.dep(&c, DepKind::RELATES_TO, &a);
    t.dep(&a, DepKind::RELATES_TO, &c);
}

#[test]
fn an_epic_is_no_child_of_a_task() {
    let mut t = Temp::new();
    let task = t.add("task");
    let epic = t
        .write(|w| w.create(NewBead { issue_type: Some(IssueType::EPIC), ..NewBead::titled("e") }))
        .expect("create")
        .id;
    assert!(t.write(|w| w.add_dep(&epic, NewDep::new(DepKind::PARENT_CHILD, task.clone()))).is_err());
}

#[test]
fn a_deferred_bead_is_ready_when_its_time_has_come() {
    let mut t = Temp::new();
    let until = Some(Time::from_millis(T0 + 60_000));
    t.write(|w| w.create(NewBead { defer_until: until, ..NewBead::titled("later") })).expect("create");
    let put_off = t.add("put off");
    t.write(|w| w.update(&put_off, Patch::status(Status::DEFERRED))).expect("update");
    assert!(t.ready().is_empty());
    let all = ReadyQuery { now: Some(Time::from_millis(t.now)), include_deferred: true, ..ReadyQuery::default() };
    assert_eq!(t.read(|r| r.ready(&all)).len(), 1);
    t.now += 100_000;
    assert_eq!(t.ready(), ["later"], "without any write in between");
    t.add("now");
    assert_eq!(t.ready(), ["later", "now"]);
}

#[test]
fn the_order_is_recent_by_priority_then_old_by_age() {
    let mut t = Temp::new();
    let day = 86_400_000;
    for (title, age_days, priority) in [("old low", 9, 4), ("older", 10, 2), ("new low", 1, 3), ("new high", 0, 1)] {
        let at = Stamp::new("x", Time::from_millis(T0 - age_days * day));
        let new = NewBead { priority: Some(priority), ..NewBead::titled(title) };
        t.store.write(&at, |w| w.create(new)).expect("create");
    }
    assert_eq!(t.ready(), ["new high", "new low", "older", "old low"]);
    let mut query = ReadyQuery {
        now: Some(Time::from_millis(T0)),
        sort: ReadySort::Priority,
        limit: Some(2),
        ..ReadyQuery::default()
    };
    let titles = |t: &Temp, q: &ReadyQuery| t.read(|r| r.ready(q)).into_iter().map(|b| b.title).collect::<Vec<_>>();
    assert_eq!(titles(&t, &query), ["new high", "older"]);
    query.sort = ReadySort::Oldest;
    assert_eq!(titles(&t, &query), ["older", "old low"]);
    query.sort = ReadySort::Hybrid;
    assert_eq!(titles(&t, &query), ["new high", "new low"]);
}
