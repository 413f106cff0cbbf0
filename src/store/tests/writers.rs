//! Several that write to one store.

use std::fs::File;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::*;
use crate::store::lock::{Locked, Queue};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn whoever_waits_for_the_store_comes_before_those_who_ask_later() {
    let t = Temp::new();
    let dir = t.store.beads_dir().to_owned();
    let take = || Locked::take(Queue::open(&dir).expect("open"), &dir).expect("lock");
    let (say, order) = channel();
    let held = take();
    std::thread::scope(|scope| {
        let waits = say.clone();
        scope.spawn(move || {
            let _lock = take();
            waits.send("who waited").expect("told");
        });
        let next = File::open(dir.join("next.lock")).expect("open");
        let begun = Instant::now();
        while next.try_lock().is_ok() {
            next.unlock().expect("unlock");
            assert!(begun.elapsed() < PATIENCE, "nobody waits for the store");
            std::thread::yield_now();
        }
        // As a writer does that has the next transaction ready.
        drop(held);
        let _lock = take();
        say.send("who let it go").expect("told");
    });
    assert_eq!(order.try_iter().collect::<Vec<_>>(), ["who waited", "who let it go"]);
}

#[test]
fn the_log_stays_short_while_several_write_without_a_pause() {
    const WRITERS: usize = 3;
    let t = Temp::new();
    let dir = t.store.beads_dir().to_owned();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let dir = &dir;
            scope.spawn(move || {
                let mut store = Store::open(dir).expect("open");
                for n in 0..40 {
                    let by = Stamp::new("tester", Time::from_millis(T0 + n));
                    let description = format!("{writer} {n} ").repeat(100_000);
                    let new = NewBead { description, ..NewBead::titled("a long one") };
                    store.write::<_, StoreError>(&by, |w| w.create(new).map(drop)).expect("written");
                }
            });
        }
    });
    // More than 60 MB were written; a log that began anew keeps some of its file.
    let log = std::fs::metadata(dir.join("beads.db-wal")).expect("the log").len();
    assert!(log < 30 * 1024 * 1024, "{log} bytes");
    assert_eq!(t.read(|r| r.find(&Filter::default())).len(), WRITERS * 40);
}

#[test]
fn a_group_and_bulk_work_leave_no_long_log_either() {
    let mut t = Temp::new();
    let long = || NewBead { description: "so long ".repeat(100_000), ..NewBead::titled("a long one") };
    let log = t.dir.path().join(".beads/beads.db-wal");
    let length = || std::fs::metadata(&log).expect("the log").len();
    for _ in 0..20 {
        t.store.begin_group().expect("a group");
        t.write(|w| w.create(long()).map(drop)).expect("written");
        t.store.end_group(true).expect("kept");
    }
    assert!(length() < 8 * 1024 * 1024, "{} bytes after groups", length());
    let by = Stamp::new("tester", Time::from_millis(T0 + 100_000));
    let bulk =
        |store: &mut Store| (0..20).try_for_each(|_| store.write::<_, StoreError>(&by, |w| w.create(long()).map(drop)));
    t.store.bulk(bulk).expect("written");
    assert!(length() < 8 * 1024 * 1024, "{} bytes after bulk work", length());
}
