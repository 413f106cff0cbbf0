//! A store made from the ledger alone is the store that the ledger was made from.

use std::path::PathBuf;

use super::*;
use crate::base::{BeadId, Prefix, Time};
use crate::store::{Close, DepKind, NewBead, NewDep, Patch, ReadyQuery, Stamp, Store, StoreError, Write};

const START: i64 = 1_767_225_600_000;

struct Place {
    dir: tempfile::TempDir,
    store: Store,
    now: i64,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temp folder");
        let prefix = Prefix::new("gt").expect("prefix");
        let store = Store::create(&dir.path().join(".beads"), &prefix, Time::from_millis(START)).expect("store");
        Self { dir, store, now: START }
    }

    fn beads(&self) -> PathBuf {
        self.dir.path().join(".beads")
    }

    fn write<T>(&mut self, f: impl FnOnce(&mut Write<'_>) -> Result<T, StoreError>) -> T {
        self.now += 1_000;
        self.store.write(&Stamp::new("tess", Time::from_millis(self.now)), f).expect("write")
    }

    fn add(&mut self, new: NewBead) -> BeadId {
        self.write(|w| Ok(w.create(new)?.id))
    }

    fn ready(&self) -> Vec<String> {
        let ready = self.store.read::<_, StoreError>(|r| r.ready(&ReadyQuery::default())).expect("ready");
        ready.into_iter().map(|b| b.id.to_string()).collect()
    }
}

/// A store with one of everything that the ledger keeps.
fn filled() -> Place {
    let mut t = Place::new();
    let epic = t.add(NewBead { issue_type: Some("epic".into()), ..NewBead::titled("epic") });
    let child =
        t.add(NewBead { parent: Some(epic.clone()), labels: vec!["a".into(), "b".into()], ..NewBead::titled("child") });
    let other = t.add(NewBead { parent: Some(epic.clone()), ..NewBead::titled("other") });
    t.write(|w| w.add_dep(&other, NewDep::new(DepKind::BLOCKS, child.clone())));
    t.write(|w| w.add_dep(&other, NewDep::new(DepKind::new("related"), epic.clone())));
    t.write(|w| w.remove_dep(&other, &epic, Some(&DepKind::new("related"))));
    t.write(|w| w.remove_label(&child, "a"));
    t.write(|w| w.add_comment(&child, "said <b> & so\nin two lines"));
    let mut other_keys = crate::store::Map::new();
    other_keys.insert("x_future".into(), serde_json::json!({ "z": [1, 2.5], "a": null }));
    t.write(|w| w.update(&child, Patch { other: other_keys, ..Patch::default() }.with_meta("k", 7)));
    let gone = t.add(NewBead::titled("gone"));
    t.write(|w| w.delete(&gone, "a mistake"));
    let done = t.add(NewBead { prefix: Some(Prefix::new("hq").expect("prefix")), ..NewBead::titled("done") });
    t.write(|w| w.close(&done, Close::because("it is")));
    t.add(NewBead { ephemeral: true, ..NewBead::titled("a wisp") });
    t
}

#[test]
fn a_restored_store_says_the_same_as_the_lost_one() {
    let mut t = filled();
    drain(&mut t.store, None).expect("drain");
    let (before, ready, beads) = (dump(&t.store).expect("dump"), t.ready(), t.beads());
    assert!(before.contains("x_future") && before.contains("a mistake") && !before.contains("a wisp"), "{before}");
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(beads.join(format!("beads.db{end}")));
    }
    let done = restore(&beads, None, false, Time::from_millis(t.now)).expect("restore");
    assert_eq!((done.beads, done.prefix.as_str(), done.replaced.is_some()), (5, "gt", false));
    t.store = Store::open(&beads).expect("open");
    assert_eq!(dump(&t.store).expect("dump"), before);
    assert_eq!(t.ready(), ready);
    assert!(t.store.read::<_, StoreError>(|r| r.outbox(0, 1)).expect("outbox").is_empty());
    // Children go on being counted, and a write made after the loss is later than all before it, on any clock.
    t.now = START - 86_400_000;
    let epic = t.store.read::<_, StoreError>(|r| r.resolve("epic").or_else(|_| r.resolve(&ready[0]))).expect("epic");
    let next = t.add(NewBead { parent: Some(epic.clone()), ..NewBead::titled("third") });
    assert_eq!(next.as_str(), format!("{epic}.3"));
    t.write(|w| w.update(&epic, Patch { title: Some("renamed".into()), ..Patch::default() }));
    let row = t.store.read::<_, StoreError>(|r| r.outbox(0, 10)).expect("outbox").pop().expect("a row");
    let old = Ledger::open(&beads).expect("open").expect("there").doc(&epic).expect("doc").expect("there");
    assert!(merge(&old, &row.doc).expect("merges").contains("renamed"));
}

#[test]
fn edges_of_beads_that_came_in_bulk_are_in_the_ledger() {
    let mut t = Place::new();
    let line = |id: &str, to: &str| {
        let times = r#""created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z""#;
        let dep = format!(
            r#"{{"issue_id":"{id}","depends_on_id":"{to}","type":"blocks","created_at":"2026-01-01T00:00:00Z"}}"#
        );
        format!(r#"{{"id":"{id}","title":"t","status":"open","priority":2,{times},"dependencies":[{dep}]}}"#) + "\n"
    };
    let by = Stamp::new("tess", Time::from_millis(START));
    t.store.import(&by, (line("gt-a", "gt-b") + &line("gt-b", "gt-c")).as_bytes()).expect("import");
    drain(&mut t.store, None).expect("drain");
    assert_eq!(compare(&t.store).expect("compare"), Compared::default());
    let before = dump(&t.store).expect("dump");
    restore(&t.beads(), None, true, Time::from_millis(t.now)).expect("restore");
    assert_eq!(dump(&Store::open(&t.beads()).expect("open")).expect("dump"), before);
    assert!(before.contains(r#""depends_on_id":"gt-b""#), "{before}");
}

#[test]
fn a_store_that_is_there_is_replaced_only_when_told_and_kept_aside() {
    let mut t = filled();
    drain(&mut t.store, None).expect("drain");
    let now = Time::from_millis(t.now);
    let refused = restore(&t.beads(), None, false, now);
    assert!(matches!(refused, Err(LedgerError::Store(StoreError::StoreExists(_)))), "{refused:?}");
    let before = dump(&t.store).expect("dump");
    let done = restore(&t.beads(), Some(Prefix::new("new").expect("prefix")), true, now).expect("restore");
    let kept = done.replaced.expect("kept aside");
    assert!(kept.is_file());
    let new = Store::open(&t.beads()).expect("open");
    assert_eq!((new.prefix().expect("prefix").as_str(), dump(&new).expect("dump")), ("new", before));
}

#[test]
fn a_write_through_a_store_that_was_opened_before_goes_to_the_new_one() {
    let mut t = filled();
    let mut group = Store::open(&t.beads()).expect("open");
    let now = Time::from_millis(t.now);
    let done = restore(&t.beads(), None, true, now).expect("restore");
    assert_eq!(done.unrecorded, None);
    let log = done.replaced.expect("kept aside").with_extension(format!("replaced-{}-wal", now.millis()));
    assert_eq!(std::fs::metadata(log).map_or(0, |log| log.len()), 0, "the old file says it all");
    let id = t.add(NewBead::titled("after"));
    group.begin_group().expect("begin");
    let by = Stamp::new("tess", Time::from_millis(t.now + 1));
    let in_group = group.write::<_, StoreError>(&by, |w| w.create(NewBead::titled("in a group"))).expect("create").id;
    group.end_group(true).expect("end");
    let new = Store::open(&t.beads()).expect("open");
    for id in [id, in_group] {
        assert!(new.read::<_, StoreError>(|r| r.bead(&id)).expect("read").is_some(), "{id} is in the new store");
    }
}

#[test]
fn no_log_of_a_database_that_is_gone_comes_to_stand_beside_the_new_one() {
    let mut t = filled();
    let beads = t.beads();
    drain(&mut t.store, None).expect("drain");
    let before = dump(&t.store).expect("dump");
    t.add(NewBead::titled("only in the log"));
    std::fs::remove_file(beads.join("beads.db")).expect("remove");
    assert!(std::fs::metadata(beads.join("beads.db-wal")).expect("a log").len() > 0);
    let done = restore(&beads, None, false, Time::from_millis(t.now)).expect("restore");
    assert_eq!(done.replaced, None);
    let new = Store::open(&beads).expect("open");
    assert_eq!((dump(&new).expect("dump"), new.check().expect("check")), (before, Vec::new()));
}

#[test]
fn without_a_ledger_nothing_is_made() {
    let dir = tempfile::tempdir().expect("temp folder");
    let nothing = restore(dir.path(), None, false, Time::from_millis(START));
    assert!(matches!(nothing, Err(LedgerError::NoLedger(_))), "{nothing:?}");
    assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 0, "no lock either");
}
