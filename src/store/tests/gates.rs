//! Gates that open by themselves, wisps that go by themselves, and a store of the format before these.

use serde_json::json;

use super::*;

const HOUR: i64 = 3_600_000;

fn gate(temp: &mut Temp, kind: &str, rest: &[(&str, serde_json::Value)]) -> BeadId {
    let mut new = NewBead { issue_type: Some(IssueType::GATE), ..NewBead::titled("gate") };
    new.other.insert("await_type".to_owned(), kind.into());
    new.other.extend(rest.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    temp.write(|w| Ok(w.create(new)?.id)).expect("gate")
}

fn status(temp: &Temp, id: &BeadId) -> String {
    temp.read(|r| r.need(id)).status.to_string()
}

#[test]
fn a_timer_opens_with_the_first_write_after_its_time_and_not_before() {
    let mut temp = Temp::new();
    let held = temp.add("held");
    temp.child(&held, "below");
    let timer = gate(&mut temp, "timer", &[("timeout", json!(HOUR * 1_000_000))]);
    let filed = temp.now;
    let endless = gate(&mut temp, "timer", &[]);
    temp.dep(&held, DepKind::BLOCKS, &timer);
    assert_eq!(temp.read(|r| r.next_timer()), Some(Time::from_millis(filed + HOUR)));
    temp.now = filed + HOUR - 2_000;
    temp.add("a second too early");
    assert_eq!((status(&temp, &timer), temp.ready()), ("open".to_owned(), vec!["a second too early".to_owned()]));
    temp.now = filed + HOUR;
    assert_eq!(temp.read(|r| r.timers_due(Time::from_millis(filed + HOUR), 9)), [timer.clone()]);
    temp.add("in time");
    assert_eq!((status(&temp, &timer), status(&temp, &endless)), ("closed".to_owned(), "open".to_owned()));
    assert_eq!(temp.ready(), ["held", "below", "a second too early", "in time"]);
    assert_eq!(temp.read(|r| r.next_timer()), None);
}

#[test]
fn many_timers_open_a_few_at_a_time_and_hidden_ones_never() {
    let mut temp = Temp::new();
    for _ in 0..60 {
        gate(&mut temp, "timer", &[("timeout", json!(HOUR * 1_000_000))]);
    }
    let batch = temp.write(|w| w.new_batch("hidden")).expect("batch");
    let mut new = NewBead { issue_type: Some(IssueType::GATE), ..NewBead::titled("hidden") };
    new.other.extend([("await_type".to_owned(), json!("timer")), ("timeout".to_owned(), json!(1))]);
    temp.write(|w| w.stage(batch, vec![new])).expect("stage");
    temp.now += 2 * HOUR;
    let due = |temp: &Temp| temp.read(|r| r.timers_due(Time::from_millis(temp.now), 100)).len();
    assert_eq!(due(&temp), 60);
    temp.add("one write");
    assert_eq!(due(&temp), 10);
    temp.add("another");
    assert_eq!(due(&temp), 0);
    temp.write(|w| w.publish(batch)).expect("publish");
    assert_eq!(due(&temp), 1, "once it is seen it is due");
}

#[test]
fn a_gate_of_a_pattern_is_no_gate() {
    let mut temp = Temp::new();
    let mut new = NewBead { issue_type: Some(IssueType::GATE), is_template: true, ..NewBead::titled("pattern") };
    new.other.extend([("await_type".to_owned(), json!("timer")), ("timeout".to_owned(), json!(1))]);
    let pattern = temp.write(|w| Ok(w.create(new)?.id)).expect("pattern");
    temp.now += HOUR;
    temp.add("a write");
    assert_eq!((status(&temp, &pattern), temp.read(|r| r.next_timer())), ("open".to_owned(), None));
}

#[test]
fn a_gate_on_a_bead_opens_in_the_transaction_that_closes_it() {
    let mut temp = Temp::new();
    let (first, held) = (temp.add("first"), temp.add("held"));
    let outer = gate(&mut temp, "bead", &[("await_id", json!(format!("rig:{first}")))]);
    let inner = gate(&mut temp, "bead", &[("await_id", json!(outer))]);
    temp.dep(&held, DepKind::BLOCKS, &inner);
    let closed = temp.close(&first, "done");
    assert_eq!(closed.unblocked, [held], "a gate may wait for another");
    assert_eq!((status(&temp, &outer), status(&temp, &inner)), ("closed".to_owned(), "closed".to_owned()));
    let late = gate(&mut temp, "bead", &[("await_id", json!(first))]);
    assert_eq!(status(&temp, &late), "closed", "what it waits for was closed before");
    let other = temp.add("other");
    let waits = gate(&mut temp, "bead", &[("await_id", json!(other))]);
    temp.write(|w| w.delete(&other, "")).expect("delete");
    assert_eq!(status(&temp, &waits), "open", "a deleted bead was not closed");
}

#[test]
fn a_gate_holds_back_nothing_that_it_waits_for() {
    let mut temp = Temp::new();
    let (first, second) = (temp.add("first"), temp.add("second"));
    let part = temp.child(&first, "part");
    temp.dep(&second, DepKind::BLOCKS, &first);
    let own = gate(&mut temp, "bead", &[("await_id", json!(first))]);
    let inner = gate(&mut temp, "bead", &[("await_id", json!(part))]);
    let later = gate(&mut temp, "bead", &[("await_id", json!(format!("rig:{second}")))]);
    for waits in [&own, &inner, &later] {
        let refused = temp.write(|w| w.add_dep(&first, NewDep::new(DepKind::BLOCKS, waits.clone())));
        assert!(matches!(&refused, Err(StoreError::Cycle { path }) if path.contains(waits)), "{refused:?}");
    }
    temp.dep(&second, DepKind::BLOCKS, &own);
    temp.close(&first, "done");
    assert_eq!(status(&temp, &own), "closed");
}

#[test]
fn a_store_of_an_older_format_is_brought_to_the_newest_when_it_is_opened() {
    let mut temp = Temp::new();
    let timer = gate(&mut temp, "timer", &[("timeout", json!(HOUR * 1_000_000))]);
    temp.store
        .connection()
        .execute_batch(
            "DROP INDEX deps_removed; DROP INDEX finished; DROP INDEX gate_timers; DROP INDEX gate_awaits; ALTER TABLE beads DROP COLUMN opens_ns;
             ALTER TABLE beads DROP COLUMN awaits; DROP TABLE protos; DROP INDEX outbox_batch; DROP INDEX batched;
             ALTER TABLE outbox DROP COLUMN many; ALTER TABLE outbox DROP COLUMN pack;
             ALTER TABLE deps DROP COLUMN other; ALTER TABLE comments DROP COLUMN other; PRAGMA user_version = 1",
        )
        .expect("the older format");
    let dir = temp.dir.path().join(".beads");
    let store = Store::open(&dir).expect("open");
    assert_eq!(store.read(|r| r.need(&timer)).expect("read").title, "gate");
    assert!(store.read(|r| r.next_timer()).expect("read").is_some());
    store.connection().execute_batch("PRAGMA user_version = 99").expect("a newer format");
    assert!(matches!(Store::open(&dir), Err(StoreError::Version { found: 99, .. })));
}

fn wisp(temp: &mut Temp, parent: Option<&BeadId>) -> BeadId {
    let new = NewBead { ephemeral: true, parent: parent.cloned(), ..NewBead::titled("wisp") };
    temp.write(|w| Ok(w.create(new)?.id)).expect("wisp")
}

fn sweep(temp: &mut Temp, limit: usize) -> Swept {
    let (over_before, idle_before) = (temp.now - 24 * HOUR, temp.now - 168 * HOUR);
    let order =
        Sweep { over_before: Time::from_millis(over_before), idle_before: Some(Time::from_millis(idle_before)), limit };
    temp.write(|w| w.sweep_wisps(&order)).expect("sweep")
}

fn wisps(temp: &Temp) -> usize {
    temp.read(|r| r.count(&Filter { ephemeral: Some(true), ..Filter::default() }))
}

#[test]
fn a_wisp_that_is_over_goes_after_its_parts_and_an_open_one_keeps_its_closed_steps() {
    let mut temp = Temp::new();
    temp.add("lasts");
    let (done, open) = (wisp(&mut temp, None), wisp(&mut temp, None));
    let parts: Vec<BeadId> = (0..3).map(|_| wisp(&mut temp, Some(&done))).collect();
    let step = wisp(&mut temp, Some(&open));
    temp.close(&step, "done");
    temp.close(&done, "done");
    temp.now += 25 * HOUR;
    let mut rounds = 0;
    while wisps(&temp) > 2 {
        let swept = sweep(&mut temp, 2);
        assert!(swept.erased <= 2 && swept.abandoned == 0, "{swept:?}");
        rounds += 1;
        assert!(rounds < 20, "the closed step of the open wisp is in the way");
    }
    assert_eq!(temp.read(|r| r.bead(&parts[0])), None);
    assert_eq!(temp.read(|r| r.bead(&done)), None);
    assert_eq!((status(&temp, &open), status(&temp, &step)), ("open".to_owned(), "closed".to_owned()));
    assert_eq!(temp.ready(), ["lasts"]);
}

#[test]
fn a_young_a_hooked_and_a_busy_wisp_stay_and_an_abandoned_one_is_closed_first() {
    let mut temp = Temp::new();
    let (idle, busy, held) = (wisp(&mut temp, None), wisp(&mut temp, None), wisp(&mut temp, None));
    let agent: crate::base::Address = "gt/polecats/ada".parse().expect("address");
    temp.write(|w| w.hook(&agent, &held, None)).expect("hook");
    temp.now += 200 * HOUR;
    wisp(&mut temp, Some(&busy));
    let young = wisp(&mut temp, None);
    temp.close(&young, "done");
    assert_eq!(sweep(&mut temp, 32), Swept { erased: 0, abandoned: 1, more: false });
    assert_eq!((status(&temp, &idle), status(&temp, &busy)), ("closed".to_owned(), "open".to_owned()));
    assert_eq!(status(&temp, &held), "open");
    temp.now += 25 * HOUR;
    assert_eq!(sweep(&mut temp, 32), Swept { erased: 2, abandoned: 0, more: false });
    assert_eq!(temp.read(|r| r.bead(&idle)), None);
    assert_eq!(wisps(&temp), 3, "the busy one with its part, and the one on the hook");
}

#[test]
fn sweeping_leaves_nothing_in_the_outbox() {
    let mut temp = Temp::new();
    let gone = wisp(&mut temp, None);
    temp.close(&gone, "done");
    temp.now += 25 * HOUR;
    sweep(&mut temp, 32);
    assert_eq!((wisps(&temp), temp.read(|r| r.outbox_backlog()).0), (0, 0));
}

#[test]
fn a_clashing_file_s_gate_and_wait_follow_the_bead_of_that_file() {
    let mut temp = Temp::new();
    temp.write(|w| Ok(w.create(NewBead { id: Some(id("gt-1")), ..NewBead::titled("ours") })?.id)).expect("ours");
    let at = "2020-01-01T00:00:00Z";
    let bead = |id: &str, rest: serde_json::Value| {
        let mut bead =
            json!({"id": id, "title": format!("their {id}"), "status": "open", "created_at": at, "updated_at": at});
        bead.as_object_mut().expect("object").extend(rest.as_object().expect("object").clone());
        format!("{bead}\n")
    };
    let waits = json!({"dependencies": [{"issue_id": "gt-4", "depends_on_id": "gt-2", "type": "waits-for",
        "created_at": at, "metadata": "{\"gate\":\"all-children\",\"spawner_id\":\"gt-1\"}"}]});
    let gate = json!({"issue_type": "gate", "await_type": "bead", "await_id": "rig:gt-1"});
    let text = [bead("gt-1", json!({})), bead("gt-2", json!({})), bead("gt-3", gate), bead("gt-4", waits)].concat();
    temp.store.import(&Stamp::new("tester", Time::from_millis(T0 + 60_000)), text.as_bytes()).expect("import");
    let gate = temp.read(|r| r.need(&id("gt-3")));
    let theirs = id(gate.await_id.strip_prefix("rig:").expect("a rig"));
    assert_eq!(temp.read(|r| r.need(&theirs)).title, "their gt-1");
    let waits = temp.read(|r| r.deps(&id("gt-4"))).remove(0);
    assert_eq!(waits.metadata, format!("{{\"gate\":\"all-children\",\"spawner_id\":\"{theirs}\"}}"));
}

#[test]
fn a_gate_that_is_read_in_with_its_closed_bead_opens_and_so_does_one_that_waited_for_it() {
    let mut temp = Temp::new();
    let early = gate(&mut temp, "bead", &[("await_id", json!("gt-1"))]);
    let at = "2020-01-01T00:00:00Z";
    let closed = json!({"id": "gt-1", "title": "first", "status": "closed", "created_at": at, "updated_at": at, "closed_at": at});
    let line = |id: &str, template: bool, updated: &str| {
        json!({"id": id, "title": id, "status": "open", "issue_type": "gate", "await_type": "bead", "await_id": "gt-1",
            "is_template": template, "created_at": at, "updated_at": updated})
    };
    let text = format!("{}\n{closed}\n{}\n", line("gt-2", false, at), line("gt-3", true, at));
    let by = |s: i64| Stamp::new("tester", Time::from_millis(T0 + s * 60_000));
    temp.store.import(&by(1), text.as_bytes()).expect("import");
    let found = [&early, &id("gt-2"), &id("gt-3")].map(|gate| status(&temp, gate));
    assert_eq!(found, ["closed", "closed", "open"]);
    // A newer line that brings the gate back does not shut it.
    let text = format!("{}\n", line("gt-2", false, "2027-01-01T00:00:00Z"));
    temp.store.import(&by(2), text.as_bytes()).expect("import");
    assert_eq!(status(&temp, &id("gt-2")), "closed");
}
