//! Opening, reading and writing a store.

use std::path::{Path, PathBuf};

use super::{Read, Stamp, StoreError, Write};
use crate::base::{Prefix, Time};

/// An open store.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    conn: rusqlite::Connection,
}

impl Store {
    /// Makes the folder and an empty store in it, whose own prefix is `prefix`.
    pub fn create(beads_dir: &Path, prefix: &Prefix, now: Time) -> Result<Self, StoreError> {
        todo!("{beads_dir:?} {prefix} {now}")
    }

    /// Opens the store in `beads_dir` for reading and writing; changes nothing.
    pub fn open(beads_dir: &Path) -> Result<Self, StoreError> {
        todo!("{beads_dir:?}")
    }

    /// Answers from one snapshot.
    pub fn read<T, E: From<StoreError>>(&self, f: impl FnOnce(&Read<'_>) -> Result<T, E>) -> Result<T, E> {
        f(&Read { conn: &self.conn })
    }

    /// One transaction: waits for the write lock, runs `f`, commits. `Err` from `f` undoes everything.
    pub fn write<T, E: From<StoreError>>(
        &mut self,
        by: &Stamp,
        f: impl FnOnce(&mut Write<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        f(&mut Write { read: Read { conn: &self.conn }, by })
    }

    /// A number that changes when another connection has written.
    pub fn data_version(&self) -> Result<u64, StoreError> {
        todo!()
    }

    /// The folder of the store.
    pub fn beads_dir(&self) -> &Path {
        &self.dir
    }

    /// The name of this copy of the store among all copies.
    pub fn replica(&self) -> Result<String, StoreError> {
        todo!()
    }

    /// The store's own prefix.
    pub fn prefix(&self) -> Result<Prefix, StoreError> {
        todo!()
    }
}
