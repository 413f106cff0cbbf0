//! Middling backlogs: the objects are made in memory and written as one pack, so that a few flushes are enough.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use super::{LedgerError, direct};
use crate::base::atomic;
use crate::base::fault::{Point, pass};
use crate::git::{Oid, Repo};
use crate::store::OutboxRow;

/// Before the object store on disk, whose priorities are 1 and 2.
const FIRST: i32 = 100;

/// Commits `rows` in order until about half of the time is over (at least one; packing takes as long again) and moves
/// the branches in `tips`; how many.
pub(super) fn write(
    repo: &Repo,
    replica: &str,
    rows: &[&OutboxRow],
    tips: &mut BTreeMap<String, Option<Oid>>,
    left: Option<Duration>,
) -> Result<usize, LedgerError> {
    // Opened once more: what is added to an object database stays with it.
    let memory = Repo::open(repo.path())?;
    let odb = memory.raw().odb()?;
    let _objects = odb.add_new_mempack_backend(FIRST)?;
    let made = direct::commits(&memory, replica, rows, tips, left.map(|l| l / 2))?;
    let mut pack = memory.raw().packbuilder()?;
    for oid in &made.objects {
        pack.insert_object(*oid, None)?;
    }
    let folder = repo.path().join("objects/pack");
    pack.write(&folder, 0)?;
    let name = pack.name()?.unwrap_or_default().to_owned();
    for path in ["pack", "idx"].map(|kind| folder.join(format!("pack-{name}.{kind}"))) {
        File::open(&path).and_then(|file| file.sync_all()).map_err(LedgerError::io("flush", &path))?;
    }
    atomic::sync_folder(&folder).map_err(LedgerError::io("flush", &folder))?;
    repo.refresh()?;
    pass(Point::DrainWritten);
    let count = made.count;
    made.publish(repo, tips)?;
    Ok(count)
}
