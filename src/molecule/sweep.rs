//! Wisps go by themselves: closed ones after a day, open ones to which nothing happened for a week are closed first.
//!
//! The settings `wisp.keep` and `wisp.abandon` say other times, or `never`.

use std::time::{Duration, Instant};

use super::MoleculeError;
use crate::base::Time;
use crate::base::span::Span;
use crate::store::{KINDS, Read, Stamp, Store, StoreError, Sweep};

/// How long a closed wisp stays, and after how long an open one to which nothing happens counts as abandoned.
pub const SETTINGS: [(&str, Span); 2] =
    [("wisp.keep", Span::seconds(24 * 3600)), ("wisp.abandon", Span::seconds(7 * 24 * 3600))];

/// Between two sweeps, unless the last one left something.
const PAUSE_MS: i64 = 60_000;
/// So many wisps are looked at in one sweep: a few milliseconds.
const AT_ONCE: usize = 32;
/// When wisps are there and none is old: look again after this.
const LATER_MS: i64 = 600_000;

/// So many beads of a large molecule are put with the others, or dropped, in one go.
const SETTLED_AT_ONCE: usize = 200;
/// Until the next of them.
const SETTLE_MS: i64 = 100;

const TABLE: &str = "wisps";
const AT: &str = "swept";

/// Drops what bulk work left unseen that was killed, in short turns and for about `time`; true when more is left.
fn sweep_left(store: &mut Store, now: Time, time: Duration) -> Result<bool, MoleculeError> {
    let by = Stamp::new("sweep", now);
    let started = Instant::now();
    for note in KINDS {
        while store.drop_left(&by, note, SETTLED_AT_ONCE)? {
            if started.elapsed() >= time {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Puts a part of what was published as a large batch with the others; true when more is left.
fn settle(store: &mut Store, by: &Stamp) -> Result<bool, StoreError> {
    Ok(store.read::<_, StoreError>(|r| r.is_unsettled())? && store.write(by, |w| w.settle(SETTLED_AT_ONCE))?)
}

/// Sweeps once if it is time to; says when it will be time again, or nothing when there is no wisp.
///
/// What was left by bulk work that was killed goes first, for about `time` and at least a turn. What was published as a
/// large batch is then put with the others, a part each time, for it is not swept before. Otherwise nothing is written
/// while no wisp is old.
pub fn sweep(store: &mut Store, now: Time, time: Duration) -> Result<Option<Time>, MoleculeError> {
    let by = Stamp::new("sweep", now);
    // One look for all: this follows each write of whoever has no daemon.
    let (batches, due, keep, abandon, any) = store.read::<_, StoreError>(|r| {
        let last = r.local_or_none::<i64>(TABLE, AT)?;
        // A clock that ran back does not put sweeping off for long.
        let due = last.is_none_or(|last| now.millis() >= last + PAUSE_MS || now.millis() < last);
        let [keep, abandon] = SETTINGS;
        Ok((r.has_batches()?, due, span(r, keep)?, span(r, abandon)?, r.oldest_wisp()?))
    })?;
    if batches && (sweep_left(store, now, time)? || settle(store, &by)?) {
        return Ok(Some(now.plus_millis(SETTLE_MS)));
    }
    let (Some(oldest), Some(keep)) = (any, keep) else { return Ok(None) };
    let before = |span: Span| now.plus_millis(-span.as_millis());
    if oldest >= before(keep) {
        return Ok(Some(now.plus_millis(LATER_MS)));
    }
    if !due {
        return Ok(Some(now.plus_millis(PAUSE_MS)));
    }
    let swept = store.write::<_, StoreError>(&by, |w| {
        let order = Sweep { over_before: before(keep), idle_before: abandon.map(before), limit: AT_ONCE };
        let swept = w.sweep_wisps(&order)?;
        // Where nothing went, those that stay are looked through at leisure.
        let at = if swept.more && swept.erased > 0 { 0 } else { now.millis() };
        w.put_local(TABLE, AT, &at.into())?;
        Ok(swept)
    })?;
    Ok(Some(now.plus_millis(match (swept.more, swept.erased) {
        (true, 1..) => 0,
        (true, 0) => PAUSE_MS,
        (false, _) => LATER_MS,
    })))
}

/// A setting, or what holds without it; none for `never`.
fn span(r: &Read<'_>, (key, default): (&str, Span)) -> Result<Option<Span>, StoreError> {
    Ok(match r.setting(key)? {
        None => Some(default),
        Some(text) if text == "never" => None,
        Some(text) => Some(text.parse().unwrap_or(default)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Prefix;
    use crate::store::{Close, Filter, NewBead};

    #[test]
    fn what_was_left_goes_for_the_time_that_is_given_and_at_least_a_turn() {
        let dir = tempfile::tempdir().expect("folder");
        let now = Time::from_millis(1_767_225_600_000);
        let mut store = Store::create(dir.path(), &Prefix::new("gt").expect("prefix"), now).expect("store");
        let leave = |store: &mut Store| {
            let beads = (0..3 * SETTLED_AT_ONCE).map(|n| NewBead::titled(format!("step {n}"))).collect();
            let left = store.write::<_, StoreError>(&Stamp::new("tester", now), |w| {
                let batch = w.new_batch("create")?;
                w.stage(batch, beads)
            });
            left.expect("staged");
        };
        let left = |store: &Store| store.left("create").expect("read").len();
        leave(&mut store);
        let mut turns = 0;
        while left(&store) > 0 {
            sweep(&mut store, now, Duration::ZERO).expect("sweep");
            turns += 1;
        }
        assert_eq!(turns, 4, "the last one finds that nothing is left");
        leave(&mut store);
        sweep(&mut store, now, Duration::from_secs(600)).expect("sweep");
        assert_eq!(left(&store), 0);
    }

    #[test]
    fn the_wisps_of_a_large_batch_are_settled_and_then_swept() {
        let dir = tempfile::tempdir().expect("folder");
        let at = |s: i64| Time::from_millis(1_767_225_600_000 + s * 1_000);
        let mut store = Store::create(dir.path(), &Prefix::new("gt").expect("prefix"), at(0)).expect("store");
        let mut write = |f: &mut dyn FnMut(&mut crate::store::Write<'_>) -> Result<(), StoreError>| {
            store.write::<_, StoreError>(&Stamp::new("tester", at(0)), f).expect("write");
        };
        write(&mut |w| {
            let batch = w.new_batch("pour")?;
            let wisp = |n| NewBead { ephemeral: true, ..NewBead::titled(format!("wisp {n}")) };
            let ids = w.stage(batch, (0..1_100).map(wisp).collect())?;
            w.publish(batch)?;
            ids.iter().take(40).try_for_each(|id| w.close(id, Close::because("done")).map(drop))
        });
        let day = 24 * 3_600;
        let mut rounds = 0;
        while store.read::<_, StoreError>(|r| r.is_unsettled()).expect("read") {
            sweep(&mut store, at(2 * day), Duration::ZERO).expect("sweep");
            rounds += 1;
        }
        assert!(rounds > 3, "a part each time, not {rounds}");
        let wisps = |store: &Store| {
            let all = Filter { ephemeral: Some(true), ..Filter::default() };
            store.read::<_, StoreError>(|r| r.count(&all)).expect("count")
        };
        for n in 1..50 {
            sweep(&mut store, at(2 * day + n * 61), Duration::ZERO).expect("sweep");
        }
        assert_eq!(wisps(&store), 1_060, "the closed ones have gone");
    }
}
