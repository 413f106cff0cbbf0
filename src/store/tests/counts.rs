//! Numbers that are counted from indexes are those of the beads themselves.

use super::*;

#[test]
fn the_numbers_of_the_store_are_those_of_its_beads() {
    let mut t = Temp::new();
    let epic = t.write(|w| Ok(w.create(NewBead { issue_type: Some(IssueType::EPIC), ..NewBead::titled("epic") })?.id));
    let epic = epic.expect("epic");
    let child = t.child(&epic, "child");
    let (first, second, third) = (t.add("first"), t.add("second"), t.add("third"));
    t.dep(&second, DepKind::BLOCKS, &first);
    t.write(|w| w.create(NewBead { ephemeral: true, ..NewBead::titled("a wisp") }).map(drop)).expect("wisp");
    let mine = Patch { assignee: Some("ada".into()), ..Patch::default() };
    t.write(|w| w.update(&first, mine).map(drop)).expect("update");
    t.close(&child, "done");
    let gone = t.add("gone");
    t.write(|w| w.delete(&gone, "")).expect("delete");
    t.write(|w| w.update(&third, Patch { status: Some(Status::DEFERRED), ..Patch::default() }).map(drop))
        .expect("update");
    let now = Time::from_millis(t.now);
    for assignee in [None, Some("ada")] {
        for since in [T0, t.now - 1_500] {
            let since = Time::from_millis(since);
            let tally = t.read(|r| r.tally(now, assignee, Some(since)));
            let lasting =
                || Filter { ephemeral: Some(false), assignee: assignee.map(str::to_owned), ..Filter::default() };
            let count = |filter: Filter| t.read(|r| r.find(&filter)).len();
            assert_eq!(tally.total, count(lasting()));
            for status in [Status::OPEN, Status::CLOSED, Status::DEFERRED, Status::TOMBSTONE] {
                let n = tally.by_status.get(status.as_str()).copied().unwrap_or(0);
                assert_eq!(n, count(Filter { statuses: vec![status.clone()], ..lasting() }), "{status}");
            }
            let query = ReadyQuery { now: Some(now), assignee: assignee.map(str::to_owned), ..ReadyQuery::default() };
            assert_eq!(tally.ready, t.read(|r| r.ready(&query)).len());
            let blocked = t.read(|r| r.blocked(None));
            let whose = |b: &&Blocked| assignee.is_none_or(|me| b.bead.assignee == me);
            assert_eq!(tally.blocked, blocked.iter().filter(whose).count());
            let recent = tally.recent.expect("asked for");
            assert_eq!(recent.created, count(Filter { created_after: Some(since), ..lasting() }));
            assert_eq!(recent.closed, count(Filter { closed_after: Some(since), ..lasting() }));
            assert_eq!(recent.updated, count(Filter { updated_after: Some(since), ..lasting() }));
            assert_eq!(tally.closable_epics, 1, "its only child is closed");
            assert!(tally.lead_hours > 0.0);
        }
    }
    let by = t.read(|r| r.count_by(&Filter::default(), Group::Assignee));
    let total: usize = by.iter().map(|(_, n)| n).sum();
    assert_eq!(total, t.read(|r| r.find(&Filter::default())).len());
    assert!(by.contains(&("ada".to_owned(), 1)), "{by:?}");
}
