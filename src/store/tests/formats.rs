//! Two versions of the program on one store.

use super::*;

/// An older format.
fn aged(t: &Temp) {
    let sql =
        "DROP INDEX deps_removed; DROP INDEX finished; DROP INDEX by_status; CREATE INDEX by_status ON beads (status, priority, created_ns);
               PRAGMA user_version = 5";
    t.store.connection().execute_batch(sql).expect("the older format");
}

#[test]
fn a_program_that_has_the_store_open_refuses_once_a_newer_one_has_changed_its_format() {
    let mut t = Temp::new();
    let id = t.add("before");
    // As a program of tomorrow would do it, beside this one.
    let newer = rusqlite::Connection::open(t.dir.path().join(".beads/beads.db")).expect("open");
    newer.pragma_update(None, "user_version", schema::NEWEST + 1).expect("version");
    let refused = |error: StoreError| matches!(error, StoreError::Version { found, .. } if found == schema::NEWEST + 1);
    assert!(refused(t.store.read(|r| r.need(&id)).expect_err("a read")));
    assert!(refused(t.write(|w| w.create(NewBead::titled("after")).map(drop)).expect_err("a write")));
    assert!(refused(t.store.begin_group().expect_err("a group")));
    let beads = |sql: &str| newer.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("count");
    assert_eq!(beads("SELECT count(*) FROM beads"), 1, "nothing was written");
    newer.pragma_update(None, "user_version", schema::NEWEST).expect("version");
    assert_eq!(t.add("after").prefix(), "gt", "nothing is left open or locked");
}

#[test]
fn an_older_store_is_brought_up_once_while_others_have_it_open_and_read() {
    let mut t = Temp::new();
    let id = t.add("before");
    aged(&t);
    let dir = t.dir.path().join(".beads");
    // An older program in the middle of a read: it goes on with what it saw.
    let old = rusqlite::Connection::open(dir.join("beads.db")).expect("open");
    old.execute_batch("BEGIN; SELECT count(*) FROM beads").expect("a snapshot");
    let openers: Vec<_> = (0..4)
        .map(|_| {
            let dir = dir.clone();
            std::thread::spawn(move || Store::open(&dir).map(drop))
        })
        .collect();
    for opener in openers {
        opener.join().expect("joined").expect("opened");
    }
    let title = |sql: &str| old.query_row(sql, [], |row| row.get::<_, String>(0)).expect("title");
    assert_eq!(title("SELECT title FROM beads INDEXED BY by_status WHERE status = 'open'"), "before");
    old.execute_batch("COMMIT").expect("end");
    // Ours was open all the time and knows the format that is there now.
    assert_eq!(t.read(|r| r.need(&id)).title, "before");
    t.add("after");
    let plan = t.read(|r| r.tally(Time::from_millis(t.now), None, None));
    assert_eq!(plan.total, 2);
}
