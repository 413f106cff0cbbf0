//! Packing what drains have left as loose objects and small packs. History is never shortened.

use std::path::Path;
use std::time::Duration;

use super::{LedgerError, hold::hold, layout};
use crate::git::Repo;

/// Loose objects from which packing pays.
const LOOSE: usize = 3000;
/// Packs from which joining them pays.
const PACKS: usize = 30;
const LIMIT: Duration = Duration::from_secs(1800);

/// What packing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repacked {
    /// Bytes before.
    pub before: u64,
    /// Bytes after.
    pub after: u64,
}

/// Whether the ledger beside the store in `beads_dir` has enough to pack. Looks at file names only.
pub fn wants_repack(beads_dir: &Path) -> bool {
    let objects = beads_dir.join(layout::FOLDER).join("objects");
    let count = |folder: &str| std::fs::read_dir(objects.join(folder)).map_or(0, Iterator::count);
    // Objects spread evenly over 256 folders: four tell enough.
    let loose: usize = ["00", "55", "aa", "ff"].iter().map(|f| count(f)).sum::<usize>() * 64;
    loose >= LOOSE || count("pack") >= PACKS * 3
}

/// Packs the ledger: small packs and loose objects are joined, the large old packs stay as they are; `whole`
/// joins everything, for the smallest size.
pub fn repack(beads_dir: &Path, whole: bool) -> Result<Option<Repacked>, LedgerError> {
    let path = beads_dir.join(layout::FOLDER);
    if !path.join("HEAD").exists() {
        return Ok(None);
    }
    let repo = Repo::open(&path)?;
    // Packing all drops what no branch reaches, which a drain may be about to reach.
    let mine = whole.then(|| hold(beads_dir)).transpose()?;
    let before = size(&path.join("objects"));
    let git = repo.program().arg("repack").limit(LIMIT);
    if whole {
        git.args(["-a", "-d", "-q", "--depth=50", "--window=20"])
    } else {
        git.args(["-d", "-q", "--geometric=2"])
    }
    .ok()?;
    // Whoever holds the ledger takes git's locks of its refs for those of the dead.
    let _mine = mine.map_or_else(|| hold(beads_dir), Ok)?;
    repo.program().args(["pack-refs", "--all"]).ok()?;
    Ok(Some(Repacked { before, after: size(&path.join("objects")) }))
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => size(&entry.path()),
            Ok(meta) => std::os::unix::fs::MetadataExt::blocks(&meta) * 512,
            Err(_) => 0,
        })
        .sum()
}
