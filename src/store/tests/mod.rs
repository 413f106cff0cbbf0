//! The store on a real file in a temporary folder.

mod blocking;
mod corpus;
mod counts;
mod formats;
mod gates;
mod hostile;
mod lifecycle;
mod messy;
mod model;
mod plans;
mod rules;
mod writers;

use super::*;
use crate::base::{BeadId, Prefix, Time};

pub(super) const T0: i64 = 1_767_225_600_000;

/// A new store of a town, which goes away with its folder.
pub(crate) fn temporary(prefix: &str, now: Time) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let prefix = Prefix::new(prefix).expect("prefix");
    let store = Store::create(&dir.path().join(".beads"), &prefix, now).expect("create");
    (dir, store)
}

/// A store that goes away with the test.
pub(super) struct Temp {
    pub(super) store: Store,
    pub(super) now: i64,
    pub(super) dir: tempfile::TempDir,
}

impl Temp {
    pub(super) fn new() -> Self {
        let (dir, store) = temporary("gt", Time::from_millis(T0));
        Self { store, now: T0, dir }
    }

    /// One transaction, a second after the one before.
    pub(super) fn write<T>(
        &mut self,
        f: impl FnOnce(&mut Write<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.now += 1_000;
        self.store.write(&Stamp::new("tester", Time::from_millis(self.now)), f)
    }

    pub(super) fn read<T>(&self, f: impl FnOnce(&Read<'_>) -> Result<T, StoreError>) -> T {
        self.store.read(f).expect("read")
    }

    pub(super) fn add(&mut self, title: &str) -> BeadId {
        self.write(|w| Ok(w.create(NewBead::titled(title))?.id)).expect("create")
    }

    pub(super) fn child(&mut self, parent: &BeadId, title: &str) -> BeadId {
        let new = NewBead { parent: Some(parent.clone()), ..NewBead::titled(title) };
        self.write(|w| Ok(w.create(new)?.id)).expect("create")
    }

    pub(super) fn dep(&mut self, issue: &BeadId, kind: DepKind, target: &BeadId) {
        self.write(|w| w.add_dep(issue, NewDep::new(kind, target.clone()))).expect("edge");
    }

    pub(super) fn close(&mut self, id: &BeadId, reason: &str) -> Closed {
        self.write(|w| w.close(id, Close::because(reason))).expect("close")
    }

    pub(super) fn ready(&self) -> Vec<String> {
        let query = ReadyQuery { now: Some(Time::from_millis(self.now)), ..ReadyQuery::default() };
        self.read(|r| r.ready(&query)).into_iter().map(|b| b.title).collect()
    }
}

pub(super) fn id(text: &str) -> BeadId {
    BeadId::new(text).expect("id")
}
