//! Filing, changing, closing, deleting; what is kept and what is told.

use serde_json::json;

use super::*;
use crate::base::Address;

#[test]
fn a_bead_reads_back_as_it_was_filed() {
    let mut t = Temp::new();
    let mut other = Map::new();
    other.insert("mol_type".into(), "swarm".into());
    other.insert("from_the_future".into(), json!({ "a": [1, 2.5] }));
    let new = NewBead {
        description: "why".into(),
        priority: Some(0),
        issue_type: Some(IssueType::BUG),
        labels: vec!["b".into(), "a".into(), "b".into()],
        metadata: json!({ "k": 1 }).as_object().cloned().expect("object"),
        defer_until: Some("2030-01-01T00:00:00+02:00".parse().expect("time")),
        other,
        ..NewBead::titled("Fix login")
    };
    let made = t.write(|w| w.create(new)).expect("create");
    let read = t.read(|r| r.need(&made.id));
    assert_eq!(read, made);
    assert_eq!((read.labels.as_slice(), read.priority), (["a".to_owned(), "b".to_owned()].as_slice(), 0));
    assert_eq!(read.mol_type, "swarm");
    assert_eq!(read.extra["from_the_future"], json!({ "a": [1, 2.5] }));
    assert_eq!(read.defer_until.expect("deferred").to_string(), "2030-01-01T00:00:00+02:00");
    assert_eq!(read.created_by, "tester");
    assert_eq!(read.id.prefix(), "gt");
}

#[test]
fn a_refused_change_leaves_nothing_behind() {
    let mut t = Temp::new();
    let a = t.add("a");
    let refused = t.write(|w| {
        w.update(&a, Patch { title: Some("changed".into()), ..Patch::default() })?;
        w.update(&a, Patch { priority: Some(9), ..Patch::default() })
    });
    assert!(matches!(refused, Err(StoreError::Invalid { field: "priority", .. })), "{refused:?}");
    assert_eq!(t.read(|r| r.need(&a)).title, "a");
    assert!(t.read(|r| Ok(r.last_event()? == 1)));
}

#[test]
fn closing_keeps_reason_and_time_and_reopening_drops_them() {
    let mut t = Temp::new();
    let a = t.add("a");
    let closed = t.close(&a, "done at last").bead;
    assert_eq!((closed.close_reason.as_str(), closed.closed_at), ("done at last", Some(Time::from_millis(t.now))));
    let open = t.write(|w| w.reopen(&a, "not yet")).expect("reopen");
    assert_eq!((open.close_reason.as_str(), open.closed_at, open.status), ("", None, Status::OPEN));
    assert_eq!(t.read(|r| r.comments(&a))[0].text, "Reopened: not yet");
    let kinds: Vec<String> = t.read(|r| r.history(&a)).into_iter().map(|e| e.kind).collect();
    assert_eq!(kinds, ["created", "closed", "reopened", "commented"]);
}

#[test]
fn only_one_of_two_claims_succeeds() {
    let mut t = Temp::new();
    let a = t.add("a");
    t.write(|w| w.claim(&a, "one")).expect("claim");
    let second = t.write(|w| w.claim(&a, "two"));
    assert!(matches!(second, Err(StoreError::Claimed { ref by, .. }) if by == "one"), "{second:?}");
    let bead = t.read(|r| r.need(&a));
    assert_eq!((bead.status, bead.assignee.as_str()), (Status::IN_PROGRESS, "one"));
    assert!(bead.started_at.is_some());
}

#[test]
fn a_deleted_bead_leaves_a_tombstone_and_no_edges() {
    let mut t = Temp::new();
    let (a, b) = (t.add("a"), t.add("b"));
    t.dep(&b, DepKind::BLOCKS, &a);
    t.write(|w| w.delete(&a, "not wanted")).expect("delete");
    let gone = t.read(|r| r.need(&a));
    assert_eq!(
        (gone.status, gone.delete_reason.as_str(), gone.original_type.as_str()),
        (Status::TOMBSTONE, "not wanted", "task")
    );
    assert!(t.read(|r| r.deps(&b)).is_empty());
    assert_eq!(t.ready(), ["b"]);
    assert_eq!(t.read(|r| r.find(&Filter::default())).len(), 1);
}

#[test]
fn a_wisp_never_reaches_the_outbox_and_leaves_nothing() {
    let mut t = Temp::new();
    let wisp = t.write(|w| w.create(NewBead { ephemeral: true, ..NewBead::titled("patrol") })).expect("create");
    assert!(wisp.id.as_str().starts_with("gt-wisp-"), "{}", wisp.id);
    t.write(|w| w.add_label(&wisp.id, "x")).expect("label");
    assert!(t.read(|r| r.outbox(0, 10)).is_empty());
    assert!(t.ready().is_empty());
    let query = ReadyQuery { ephemeral: true, ..ReadyQuery::default() };
    assert_eq!(t.read(|r| r.ready(&query)).len(), 1);
    t.write(|w| w.delete(&wisp.id, "")).expect("delete");
    assert!(t.read(|r| r.bead(&wisp.id)).is_none());
}

#[test]
fn of_the_edges_to_a_wisp_nothing_stays_removed_ones_included() {
    let mut t = Temp::new();
    let [lasts, other] = ["lasts", "other"].map(|title| t.add(title));
    let wisp = t.write(|w| w.create(NewBead { ephemeral: true, ..NewBead::titled("patrol") })).expect("create").id;
    t.dep(&lasts, DepKind::BLOCKS, &wisp);
    t.dep(&other, DepKind::RELATED, &wisp);
    t.dep(&lasts, DepKind::BLOCKS, &other);
    t.write(|w| w.remove_dep(&lasts, &wisp, None)).expect("removed");
    t.write(|w| w.remove_dep(&lasts, &other, None)).expect("removed");
    t.write(|w| w.delete(&wisp, "")).expect("delete");
    let left = t.read(|r| r.rows("SELECT depends_on_id FROM deps", [], |row| Ok(row.get::<_, String>(0)?)));
    assert_eq!(left, [other.to_string()], "a merge has to know of this removal");
}

#[test]
fn each_transaction_puts_one_ledger_file_per_bead_into_the_outbox() {
    let mut t = Temp::new();
    let a = t.add("a");
    t.write(|w| {
        w.add_label(&a, "red")?;
        w.add_label(&a, "blue")?;
        w.remove_label(&a, "red")?;
        w.update(&a, Patch::default().with_meta("k", "v"))
    })
    .expect("write");
    let rows = t.read(|r| r.outbox(0, 10));
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].summary, format!("{a}: created: a"));
    assert_eq!(rows[1].summary, format!("{a}: label +red; label +blue; label -red; updated metadata.k"));
    let doc: serde_json::Value = serde_json::from_str(&rows[1].doc).expect("json");
    assert_eq!(doc["labels"], json!(["blue"]));
    let red = &doc["_v"]["labels"]["red"];
    assert!(red[0].as_str() < red[1].as_str(), "removed after it was added: {red}");
    let clock = &doc["_v"]["clock"];
    assert!(clock["*"].as_str() < clock["metadata.k"].as_str(), "{clock}");
    t.write(|w| w.ack_outbox_rows(&[rows[0].seq])).expect("ack");
    assert_eq!(t.read(|r| r.outbox(0, 10)).len(), 1);
}

#[test]
fn the_clock_of_stamps_goes_on_when_the_machines_runs_back() {
    let mut t = Temp::new();
    let a = t.add("a");
    t.now -= 3_600_000;
    t.write(|w| w.update(&a, Patch { title: Some("later".into()), ..Patch::default() })).expect("update");
    let rows = t.read(|r| r.outbox(0, 10));
    let doc: serde_json::Value = serde_json::from_str(&rows[1].doc).expect("json");
    assert!(doc["_v"]["clock"]["*"].as_str() < doc["_v"]["clock"]["title"].as_str());
    let bead = t.read(|r| r.need(&a));
    assert_eq!(bead.updated_at, bead.created_at);
}

#[test]
fn one_bead_a_hook_and_an_old_epoch_is_stale() {
    let mut t = Temp::new();
    let (a, b) = (t.add("a"), t.add("b"));
    let toast: Address = "app/polecats/toast".parse().expect("address");
    let nux: Address = "app/polecats/nux".parse().expect("address");
    let hook = t.write(|w| w.hook(&toast, &a, None)).expect("hook");
    assert!(matches!(t.write(|w| w.hook(&toast, &b, None)), Err(StoreError::Hooked { .. })));
    assert!(matches!(t.write(|w| w.hook(&nux, &a, None)), Err(StoreError::Hooked { .. })));
    assert!(matches!(t.write(|w| w.delete(&a, "")), Err(StoreError::Hooked { .. })));
    t.write(|w| w.unhook(&toast, hook.epoch)).expect("unhook");
    let again = t.write(|w| w.hook(&toast, &a, Some(&b))).expect("hook");
    assert!(again.epoch > hook.epoch);
    let stale = t.write(|w| w.unhook(&toast, hook.epoch));
    assert!(matches!(stale, Err(StoreError::Stale { now: Some(n), .. }) if n == again.epoch), "{stale:?}");
    assert_eq!(t.read(|r| r.hook_of(&a)), Some(again));
}

#[test]
fn children_are_numbered_and_their_number_is_never_given_twice() {
    let mut t = Temp::new();
    let epic = t.add("epic");
    let first = t.child(&epic, "one");
    assert_eq!(first.as_str(), format!("{epic}.1"));
    t.write(|w| w.create(NewBead { id: Some(id(&format!("{epic}.7"))), ..NewBead::titled("seven") })).expect("create");
    assert_eq!(t.child(&epic, "next").as_str(), format!("{epic}.8"));
    let deep = t.child(&first, "deep");
    let deeper = t.child(&deep, "deeper");
    assert_eq!(deeper.as_str(), format!("{epic}.1.1.1"));
    let too_deep = NewBead { parent: Some(deeper), ..NewBead::titled("x") };
    assert!(matches!(t.write(|w| w.create(too_deep)), Err(StoreError::Invalid { field: "parent", .. })));
    let titles: Vec<String> = t.read(|r| r.children(&epic)).into_iter().map(|b| b.title).collect();
    assert_eq!(titles, ["one", "next"], "seven was given no parent");
}

#[test]
fn a_short_id_is_enough_while_it_is_clear() {
    let mut t = Temp::new();
    for name in ["gt-abc", "gt-abd", "gt-wisp-xyz", "hq-q1"] {
        t.write(|w| w.create(NewBead { id: Some(id(name)), ..NewBead::titled(name) })).expect("create");
    }
    let resolve = |text: &str| t.store.read(|r| r.resolve(text));
    assert_eq!(resolve("gt-abc").expect("exact").as_str(), "gt-abc");
    assert_eq!(resolve("abc").expect("without prefix").as_str(), "gt-abc");
    assert_eq!(resolve("xy").expect("part").as_str(), "gt-wisp-xyz");
    assert_eq!(resolve("q1").expect("other prefix").as_str(), "hq-q1");
    assert!(matches!(resolve("ab"), Err(StoreError::Ambiguous { ref matches, .. }) if matches.len() == 2));
    assert!(matches!(resolve("gt-abq"), Err(StoreError::NotFound { similar: Some(_), .. })));
    assert!(matches!(resolve("'; --"), Err(StoreError::NotFound { .. })));
}

#[test]
fn words_are_found_in_every_text_after_every_change() {
    let mut t = Temp::new();
    let a = t
        .write(|w| w.create(NewBead { description: "the parser eats commas".into(), ..NewBead::titled("Fix it") }))
        .expect("create")
        .id;
    t.add("Other");
    let found = |t: &Temp, words: &str| t.read(|r| r.search(words, &Filter::default())).len();
    assert_eq!((found(&t, "COMMAS pars"), found(&t, "comma"), found(&t, "semicolons")), (1, 1, 0));
    t.write(|w| w.update(&a, Patch { description: Some("semicolons".into()), ..Patch::default() })).expect("update");
    assert_eq!((found(&t, "commas"), found(&t, "semicolons")), (0, 1));
    // Why a wisp was closed is not looked at.
    let wisp = t.write(|w| w.create(NewBead { ephemeral: true, ..NewBead::titled("patrol") })).expect("create").id;
    for (id, reason) in [(&a, "eaten"), (&wisp, "nothing seen")] {
        t.write(|w| w.close(id, Close::because(reason)).map(drop)).expect("close");
    }
    assert_eq!((found(&t, "eaten"), found(&t, "patrol"), found(&t, "nothing")), (1, 1, 0));
}

#[test]
fn no_store_and_a_broken_store_are_errors_and_not_empty() {
    let t = Temp::new();
    assert!(matches!(Store::open(&t.dir.path().join("elsewhere")), Err(StoreError::NoStore(_))));
    let again = Store::create(&t.dir.path().join(".beads"), &Prefix::new("x").expect("prefix"), Time::from_millis(0));
    assert!(matches!(again, Err(StoreError::StoreExists(_))));
    let broken = t.dir.path().join("broken");
    std::fs::create_dir(&broken).expect("folder");
    for text in
        ["", "not a database at all, but long enough to have a header of its own, or nearly so, one hundred bytes"]
    {
        std::fs::write(broken.join("beads.db"), text).expect("file");
        let opened = Store::open(&broken);
        assert!(matches!(opened, Err(StoreError::Damaged { .. })), "{opened:?}");
    }
    std::fs::copy(t.dir.path().join(".beads/beads.db"), broken.join("beads.db")).expect("copy");
    let conn = rusqlite::Connection::open(broken.join("beads.db")).expect("open");
    conn.pragma_update(None, "user_version", 99).expect("version");
    drop(conn);
    assert!(matches!(Store::open(&broken), Err(StoreError::Version { found: 99, .. })));
}

#[test]
fn a_batch_is_seen_by_nobody_until_it_is_published_and_then_whole() {
    let mut t = Temp::new();
    let (root, blocker) = (t.add("visible root"), t.add("blocker"));
    let batch = t.write(|w| w.new_batch("pour")).expect("batch");
    let mut last: Option<BeadId> = None;
    for chunk in 0..3 {
        let previous = last.clone();
        let ids = t
            .write(|w| {
                let deps = match previous {
                    Some(id) => vec![NewDep::new(DepKind::BLOCKS, id)],
                    None => vec![NewDep::new(DepKind::BLOCKS, blocker.clone())],
                };
                w.stage(
                    batch,
                    vec![NewBead { parent: Some(root.clone()), deps, ..NewBead::titled(format!("step {chunk}")) }],
                )
            })
            .expect("stage");
        last = ids.first().cloned();
    }
    let step = last.expect("staged");
    assert!(t.read(|r| r.bead(&step)).is_none());
    assert!(t.read(|r| r.children(&root)).is_empty());
    assert!(t.read(|r| r.search("step", &Filter::default())).is_empty());
    assert_eq!(t.read(|r| r.epic_count(&root)).total, 0);
    assert_eq!(t.read(|r| r.outbox(0, 99)).len(), 2);
    t.close(&blocker, "done");
    t.write(|w| w.publish(batch)).expect("publish");
    assert_eq!(t.read(|r| r.epic_count(&root)).total, 3);
    assert_eq!(t.read(|r| r.children(&root)).len(), 3);
    assert_eq!(t.ready(), ["visible root", "step 0"]);
    assert_eq!(t.read(|r| r.outbox(0, 99)).len(), 2 + 1 + 3);
    let dropped = t.write(|w| w.new_batch("x")).expect("batch");
    t.write(|w| w.stage(dropped, vec![NewBead::titled("never")])).expect("stage");
    t.write(|w| w.stage(dropped, vec![NewBead::titled("never again")])).expect("stage");
    let now = crate::base::Time::from_millis(i64::MAX / 1_000_000);
    assert_eq!(t.read(|r| r.staged_before(now)), [dropped]);
    assert!(t.write(|w| w.discard_some(dropped, 1)).expect("discard"), "one is left");
    assert!(t.write(|w| w.discard_some(dropped, 1)).expect("discard"));
    assert!(!t.write(|w| w.discard_some(dropped, 1)).expect("discard"));
    assert_eq!(t.read(|r| r.staged_before(now)), []);
    assert!(t.read(|r| r.find(&Filter { title_contains: Some("never".into()), ..Filter::default() })).is_empty());
}

#[test]
fn a_large_batch_is_listed_in_order_with_the_others_before_it_is_settled() {
    let mut t = Temp::new();
    let alone = |title: &str, priority| NewBead { priority: Some(priority), ..NewBead::titled(title) };
    let made = t.write(|w| Ok([w.create(alone("before", 1))?, w.create(alone("last", 4))?]));
    assert!(made.is_ok());
    let batch = t.write(|w| w.new_batch("pour")).expect("batch");
    let beads = (0..1_100).map(|n| alone(&format!("step {n}"), 1)).collect();
    t.write(|w| w.stage(batch, beads)).expect("stage");
    t.write(|w| w.publish(batch)).expect("publish");
    assert!(t.read(|r| r.is_unsettled()));
    let open = Filter { not_statuses: vec![Status::CLOSED], ..Filter::default() };
    let listed =
        |t: &Temp, filter: &Filter| t.read(|r| r.find(filter)).into_iter().map(|b| b.title).collect::<Vec<_>>();
    let few = Filter { limit: Some(3), ..open.clone() };
    let all = |t: &Temp| (listed(t, &open), listed(t, &few), t.read(|r| r.count(&open)));
    let unsettled = all(&t);
    assert_eq!(unsettled.1[0], "before");
    assert_eq!(listed(&t, &Filter { reverse: true, ..few.clone() })[0], "last");
    let waiting = |t: &Temp| t.read(|r| r.outbox(0, 10_000)).into_iter().map(|row| row.seq).collect::<Vec<_>>();
    let batched = |t: &Temp| {
        let sql = "SELECT coalesce(sum(many), 0) FROM outbox WHERE batch <> 0";
        t.read(|r| r.rows(sql, [], |row| Ok(row.get::<_, i64>(0)?)))[0]
    };
    let (whole, mut left) = (waiting(&t), batched(&t));
    assert_eq!(left, 1_100);
    while t.write(|w| w.settle(200)).expect("settle") {
        let now = batched(&t);
        assert!(left - now <= 200, "no transaction moves more: {left} {now}");
        assert_eq!(waiting(&t), whole, "readers see no difference");
        left = now;
    }
    assert_eq!((batched(&t), waiting(&t)), (0, whole));
    assert!(!t.read(|r| r.is_unsettled()));
    assert_eq!(all(&t), unsettled);
}

#[test]
fn a_small_batch_is_settled_at_once_and_leaves_a_large_one_as_it_is() {
    let mut t = Temp::new();
    let publish = |t: &mut Temp, note: &str, many: usize| {
        let batch = t.write(|w| w.new_batch(note)).expect("batch");
        let beads = (0..many).map(|n| NewBead::titled(format!("{note} {n}"))).collect();
        t.write(|w| w.stage(batch, beads)).expect("stage");
        t.write(|w| w.publish(batch)).expect("publish");
        batch
    };
    let batched = |t: &Temp, table: &str| {
        let sql = format!("SELECT count(*) FROM {table} WHERE batch <> 0");
        t.read(|r| r.rows(&sql, [], |row| Ok(row.get::<_, i64>(0)?)))[0]
    };
    let large = publish(&mut t, "pour", 1_100);
    let small = publish(&mut t, "import", 3);
    assert_eq!((batched(&t, "beads"), batched(&t, "outbox")), (1_100, 1_100));
    assert!(!t.write(|w| w.settle_batch(small, 10)).expect("settle"), "nothing of it is left");
    let other = publish(&mut t, "sync", 1_001);
    while t.write(|w| w.settle_batch(other, 400)).expect("settle") {}
    assert_eq!((batched(&t, "beads"), batched(&t, "outbox")), (1_100, 1_100));
    while t.write(|w| w.settle_batch(large, 400)).expect("settle") {}
    assert!(!t.read(|r| r.is_unsettled()));
}

#[test]
fn a_word_that_most_beads_have_gives_the_newest() {
    let mut t = Temp::new();
    t.write(|w| (0..1_100).try_for_each(|n| w.create(NewBead::titled(format!("bead {n}"))).map(drop))).expect("create");
    let found = |t: &Temp, words: &str| {
        let few = Filter { limit: Some(2), sort: Sort::Best, ..Filter::default() };
        t.read(|r| r.search(words, &few)).into_iter().map(|b| b.title).collect::<Vec<_>>()
    };
    assert_eq!(found(&t, "bead"), ["bead 1099", "bead 1098"]);
    assert_eq!(found(&t, "bead 1042"), ["bead 1042"]);
}
