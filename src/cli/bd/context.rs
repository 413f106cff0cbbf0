//! What every verb gets: surroundings, output, and the store that belongs here.

use std::cell::{Cell, OnceCell, RefCell};
use std::time::{Duration, Instant};

use super::place::Place;
use crate::base::{BeadId, Time};
use crate::cli::env::Env;
use crate::cli::{CliError, Output};
use crate::store::{Read, Stamp, Store, StoreError, Write};

/// What every verb gets.
#[derive(Debug)]
pub struct Context {
    /// Where the command runs.
    pub env: Env,
    /// How it prints.
    pub out: Output,
    place: OnceCell<Place>,
    store: RefCell<Option<Store>>,
    wrote: Cell<bool>,
    /// Nothing may be changed.
    pub(super) readonly: bool,
}

impl Context {
    /// A context; the store is opened by the first verb that needs it.
    pub fn new(env: Env, out: Output) -> Self {
        Self { env, out, place: OnceCell::new(), store: RefCell::new(None), wrote: Cell::new(false), readonly: false }
    }

    /// Runs `f` on the same store in other surroundings: a command of a batch.
    pub(super) fn with_output<T>(&self, env: Env, out: Output, f: impl FnOnce(&Self) -> T) -> T {
        let place = self.place.clone();
        let (store, wrote, readonly) = (RefCell::new(self.store.take()), Cell::new(false), self.readonly);
        let inner = Self { env, out, place, store, wrote, readonly };
        let answer = f(&inner);
        self.wrote.set(self.wrote.get() || inner.wrote.get());
        self.store.replace(inner.store.take());
        answer
    }

    /// Where the tracker is.
    pub(super) fn place(&self) -> &Place {
        self.place.get_or_init(|| Place::find(&self.env))
    }

    /// Who acts, now.
    pub(super) fn stamp(&self) -> Stamp {
        Stamp::new(self.place().actor(&self.env), self.env.now())
    }

    /// The present.
    pub(super) fn now(&self) -> Time {
        self.env.now()
    }

    /// Answers from one snapshot of the store.
    pub(super) fn read<T>(&self, f: impl FnOnce(&Read<'_>) -> Result<T, CliError>) -> Result<T, CliError> {
        let mut slot = self.store.borrow_mut();
        let store = self.opened(&mut slot)?;
        self.open_timers(store)?;
        store.read(f)
    }

    /// Opens timer gates whose time has come, so that every answer is as if somebody had watched the clock. Nearly
    /// always there are none, and nothing is written. Where nothing can be written, the gates wait for who can.
    fn open_timers(&self, store: &mut Store) -> Result<(), CliError> {
        let now = self.env.now();
        while store.read::<_, CliError>(|r| Ok(!r.timers_due(now, 1)?.is_empty()))? {
            if store.write::<_, StoreError>(&Stamp::new("timer", now), |_| Ok(())).is_err() {
                break;
            }
            self.wrote.set(true);
        }
        Ok(())
    }

    /// One transaction; it is on disk when this returns.
    pub(super) fn write<T>(&self, f: impl FnOnce(&mut Write<'_>) -> Result<T, CliError>) -> Result<T, CliError> {
        self.write_as(self.stamp(), f)
    }

    /// As [`Self::write`], in the name of somebody else.
    pub(super) fn write_as<T>(
        &self,
        stamp: Stamp,
        f: impl FnOnce(&mut Write<'_>) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let mut slot = self.store.borrow_mut();
        let answer = self.opened(&mut slot)?.write(&stamp, f)?;
        self.wrote.set(true);
        Ok(answer)
    }

    /// As [`Self::write`], but a rehearsal undoes everything once its answer is known.
    pub(super) fn write_or_rehearse<T>(
        &self,
        rehearse: bool,
        f: impl FnOnce(&mut Write<'_>) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        if !rehearse {
            return self.write(f);
        }
        let stamp = self.stamp();
        let mut slot = self.store.borrow_mut();
        let done = self.opened(&mut slot)?.write::<(), Undone<T>>(&stamp, |w| match f(w) {
            Ok(answer) => Err(Undone::Rehearsed(answer)),
            Err(error) => Err(Undone::Failed(error)),
        });
        match done {
            Err(Undone::Rehearsed(answer)) => Ok(answer),
            Err(Undone::Failed(error)) => Err(error),
            Ok(()) => Err(CliError::new(crate::cli::Kind::Internal, "a rehearsal was written")),
        }
    }

    /// The store itself, for what neither reads nor writes beads.
    pub(super) fn with_store<T>(&self, f: impl FnOnce(&mut Store) -> Result<T, CliError>) -> Result<T, CliError> {
        let mut slot = self.store.borrow_mut();
        f(self.opened(&mut slot)?)
    }

    /// As [`Self::with_store`], for what writes in transactions of its own.
    pub(super) fn change_store<T>(&self, f: impl FnOnce(&mut Store) -> Result<T, CliError>) -> Result<T, CliError> {
        let answer = self.with_store(f)?;
        self.wrote.set(true);
        Ok(answer)
    }

    fn opened<'s>(&self, slot: &'s mut Option<Store>) -> Result<&'s mut Store, CliError> {
        let store = match slot.take() {
            Some(store) => store,
            None if self.readonly => Store::open_to_read(&self.place().beads_dir)?,
            None => Store::open(&self.place().beads_dir)?,
        };
        Ok(slot.insert(store))
    }

    /// What follows a write once its answer is printed: the town's daemon is told. Where none runs, what killed bulk work
    /// left and old wisps go here, and a backlog of the ledger that is long or old is worked off, for a moment.
    pub(super) fn after(&self) {
        if !self.wrote.get() {
            return;
        }
        if let Some(town) = self.place.get().and_then(|place| place.town.as_ref()) {
            wake(&town.join(".runtime/wake"));
            if crate::daemon::lock::is_held(town).unwrap_or(true) {
                return;
            }
        }
        let started = Instant::now();
        // What could not be swept is swept after a later write.
        let _ = self.with_store(|store| Ok(crate::molecule::sweep(store, self.env.now(), MOMENT)?));
        let Some(rest) = MOMENT.checked_sub(started.elapsed()) else { return };
        if let Err(error) = self.with_store(|store| drain(store, self.env.now(), rest)) {
            self.out.note(&format!("note: the write is safe; its ledger entry has to wait: {}", error.message));
        }
    }
}

/// A backlog shorter than this waits, as long as it is younger than [`OLD_MS`].
const LONG: usize = 200;
const OLD_MS: i64 = 30_000;
/// How long a command tidies up and works for the ledger once it has printed.
const MOMENT: Duration = Duration::from_millis(50);
/// The time until the next command has to do such a share of the ledger's work.
const REST_MS: i64 = 30_000;

/// Works off a part of a ledger backlog that is long or old, unless a command before has just done so.
fn drain(store: &mut Store, now: Time, time: Duration) -> Result<(), CliError> {
    let last =
        crate::ledger::last_drain(store.beads_dir()).and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    if last.is_some_and(|at| (0..REST_MS).contains(&(now.millis() - at.as_millis() as i64))) {
        return Ok(());
    }
    let (waiting, oldest) = store.read::<_, CliError>(|r| Ok(r.outbox_backlog_to(LONG + 1)?))?;
    let old = oldest.is_some_and(|at| now.millis() - at.millis() > OLD_MS);
    if waiting > LONG || old {
        crate::ledger::drain(store, Some(time)).map_err(|e| CliError::from_error(crate::cli::Kind::Store, &e))?;
    }
    Ok(())
}

/// One datagram that nobody waits for; it may be lost.
fn wake(path: &std::path::Path) {
    if let Ok(socket) = std::os::unix::net::UnixDatagram::unbound() {
        let _ = socket.set_nonblocking(true);
        let _ = socket.send_to(b"1", path);
    }
}

/// The ids that texts mean, in their order.
pub(super) fn resolve_all(read: &Read<'_>, texts: &[String]) -> Result<Vec<BeadId>, CliError> {
    texts.iter().map(|text| read.resolve(text).map_err(CliError::from)).collect()
}

/// Why a rehearsed transaction was undone.
enum Undone<T> {
    Rehearsed(T),
    Failed(CliError),
}

impl<T> From<crate::store::StoreError> for Undone<T> {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Failed(error.into())
    }
}
