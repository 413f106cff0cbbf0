//! Places at which a write can be cut off, all of them, by name.
//!
//! A test arms one and the process ends there as if killed: no destructor runs, no buffer is written. Nothing is
//! armed unless a program's command line says so; passing a place then costs one load.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

macro_rules! points {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A place in the course of a write.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Point {
            $($(#[$doc])* $variant,)*
        }

        impl Point {
            /// Every place.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name, as in `store.written`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

points! {
    /// A transaction of the store has begun.
    StoreBegun = "store.begun",
    /// All of a transaction is written, and it is not committed.
    StoreWritten = "store.written",
    /// A transaction is committed, and nobody has been told.
    StoreCommitted = "store.committed",
    /// A new store is built under another name.
    StoreBuilt = "store.built",
    /// A new store has its name.
    StoreNamed = "store.named",
    /// A part of an import is staged.
    ImportStaged = "import.staged",
    /// An import is published, and not yet merged into the visible beads.
    ImportPublished = "import.published",
    /// Some beads that were here are as the newer lines of an import have them.
    ImportOverwritten = "import.overwritten",
    /// A file is written under another name.
    FileWritten = "file.written",
    /// A file has its name, and its folder is not flushed.
    FileRenamed = "file.renamed",
    /// The objects of a drain are written, and no branch has moved.
    DrainWritten = "drain.written",
    /// A branch of the ledger has moved, and its rows are not acknowledged.
    DrainMoved = "drain.moved",
    /// Rows of the outbox are acknowledged.
    DrainAcknowledged = "drain.acknowledged",
    /// A sync has said what it is about to do.
    SyncIntended = "sync.intended",
    /// The remote's beads are here, and not merged.
    SyncFetched = "sync.fetched",
    /// A part of the remote's new beads is staged.
    SyncStaged = "sync.staged",
    /// The store has what the remote had.
    SyncAdopted = "sync.adopted",
    /// The merge commit is written, and the branch has not moved.
    SyncBuilt = "sync.built",
    /// The branch is at the merge.
    SyncMoved = "sync.moved",
    /// The remote has a branch of ours.
    SyncPushed = "sync.pushed",
    /// Some of the beads that are to go together are gathered.
    LeaveGathered = "leave.gathered",
    /// Beads that went together are hidden, and none is removed.
    LeaveHidden = "leave.hidden",
    /// Some of the beads that are hidden are removed.
    LeaveRemoved = "leave.removed",
    /// A restored store is built, and not in place.
    RestoreBuilt = "restore.built",
    /// The old store is out of the way, and the new one is not in place.
    RestoreAside = "restore.aside",
    /// The restored store is in place.
    RestoreNamed = "restore.named",
    /// A new tracker's store is made, and git is not told to overlook it.
    InitMade = "init.made",
    /// It is written down what is to be done to an agent (its work hangs on its hook, or comes off it), and nothing is done.
    ActBegun = "act.begun",
    /// A worker's worktree is there, and no session.
    SpawnTree = "spawn.tree",
    /// It is written down that a worker's first prompt is being typed, and nothing is typed.
    SpawnTelling = "spawn.telling",
    /// A worker's session runs, and its row does not know.
    SpawnStarted = "spawn.started",
    /// It is written down that a word is being said, and nothing is typed.
    NudgeIntended = "nudge.intended",
    /// A word is typed, and nobody knows what became of it.
    NudgeSent = "nudge.sent",
    /// The commit that is handed in is held by a ref, and nothing is queued.
    DoneHeld = "done.held",
    /// The session of a worker that goes has ended, and its worktree is there.
    RetireStopped = "retire.stopped",
    /// What a worker that goes has made is kept, its worktree is gone, and its row is there.
    RetireKept = "retire.kept",
    /// A batch has passed its gates, and nobody knows.
    BatchTested = "batch.tested",
    /// It is written down what will be pushed, and nothing is pushed.
    PushIntended = "push.intended",
    /// The remote has a batch, and the ledger does not say so.
    PushArrived = "push.arrived",
}

static ARMED: AtomicBool = AtomicBool::new(false);
static FAULT: Mutex<Option<(Point, u32)>> = Mutex::new(None);

/// Arms a place, as `name` or `name:count`: the process ends when it comes there for the count-th time.
pub fn arm(text: &str) -> Result<(), String> {
    let (name, count) = text.split_once(':').unwrap_or((text, "1"));
    let point = Point::ALL.iter().find(|point| point.name() == name);
    let point = *point.ok_or_else(|| format!("there is no fault point `{name}`"))?;
    let count = count.parse().map_err(|_| format!("`{count}` is no number"))?;
    if let Ok(mut fault) = FAULT.lock() {
        *fault = Some((point, count));
        ARMED.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// The write has come to `point`.
#[inline]
pub fn pass(point: Point) {
    if ARMED.load(Ordering::Relaxed) {
        count_down(point);
    }
    #[cfg(test)]
    tests::cut(point);
}

#[cold]
fn count_down(at: Point) {
    let Ok(mut fault) = FAULT.lock() else { return };
    if let Some((point, count)) = fault.as_mut()
        && *point == at
    {
        *count = count.saturating_sub(1);
        if *count == 0 {
            std::process::abort();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::Point;

    thread_local! {
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// Runs `f`, cut off at the `n`-th place that it passes (from 0); none when it was. Locks and transactions end
    /// as they do when a process is killed.
    pub(crate) fn cut_off<T>(n: u32, f: impl FnOnce() -> T) -> Option<T> {
        LEFT.set(Some(n));
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
        LEFT.set(None);
        match done {
            Ok(value) => Some(value),
            Err(payload) if payload.is::<Point>() => None,
            Err(payload) => std::panic::resume_unwind(payload),
        }
    }

    pub(super) fn cut(point: Point) {
        match LEFT.get() {
            Some(0) if !std::thread::panicking() => std::panic::resume_unwind(Box::new(point)),
            Some(n) if n > 0 => LEFT.set(Some(n - 1)),
            _ => {}
        }
    }

    #[test]
    fn names_are_told_apart_and_wrong_ones_refused() {
        let names: std::collections::BTreeSet<&str> = Point::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
        assert!(super::arm("store.nothing").is_err() && super::arm("store.begun:x").is_err());
        assert_eq!(cut_off(0, || super::pass(Point::StoreBegun)), None);
        assert_eq!(cut_off(1, || super::pass(Point::StoreBegun)), Some(()));
    }
}
