//! Locks on files that another process may hold: waiting for them has an end, and says who holds them.

use std::fs::{File, TryLockError};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::platform;

/// How long this process waits for a lock, in milliseconds.
static PATIENCE: AtomicU64 = AtomicU64::new(30_000);

/// The longest wait, in milliseconds: `SQLite` counts no further. These are 24 days.
const LONGEST: u64 = i32::MAX as u64;

/// From now on this process waits so long for a lock that others hold; half a minute unless told.
pub fn set_patience(patience: Duration) {
    PATIENCE.store(u64::try_from(patience.as_millis()).unwrap_or(LONGEST).min(LONGEST), Ordering::Relaxed);
}

/// How long this process waits for a lock that others hold.
pub fn patience() -> Duration {
    Duration::from_millis(PATIENCE.load(Ordering::Relaxed))
}

/// Why a lock could not be had.
#[derive(Debug)]
pub enum LockError {
    /// Somebody held it for all the time that we had.
    Held {
        /// So long was waited.
        waited: Duration,
        /// Who holds it, where the system tells.
        holder: Option<u32>,
    },
    /// The system refused.
    Io(io::Error),
}

impl LockError {
    /// The same, where it is `file` that all wait for, after so long a wait.
    #[must_use]
    pub fn held_by(self, file: &File, waited: Duration) -> Self {
        match self {
            Self::Held { .. } => Self::Held { waited, holder: platform::lock_holder(file) },
            other @ Self::Io(_) => other,
        }
    }
}

/// How a file is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By nobody else.
    Alone,
    /// Together with others who share it.
    Shared,
}

/// Locks `file`; waits as long as [`patience`] says, in the order in which the system wakes those who wait.
///
/// After an error drop the file: somebody may still be waiting on it for us, and gives the lock back when it comes.
pub fn wait(file: &File, how: How) -> Result<(), LockError> {
    wait_for(file, how, patience())
}

/// As [`wait`], for another while than [`patience`] says.
pub fn wait_for(file: &File, how: How, patience: Duration) -> Result<(), LockError> {
    let tried = match how {
        How::Alone => file.try_lock(),
        How::Shared => file.try_lock_shared(),
    };
    match tried {
        Ok(()) => return Ok(()),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
    }
    // The system has no lock that waits for a while, so a thread waits for as long as it takes. It hands over what it
    // got, or lets it go when nobody takes it any more.
    let theirs = file.try_clone().map_err(LockError::Io)?;
    let (hand_over, got) = sync_channel::<io::Result<()>>(0);
    let blocked = move || {
        let locked = match how {
            How::Alone => theirs.lock(),
            How::Shared => theirs.lock_shared(),
        };
        let held = locked.is_ok();
        if hand_over.send(locked).is_err() && held {
            let _ = theirs.unlock();
        }
    };
    let thread = std::thread::Builder::new().name("lock".to_owned()).stack_size(64 * 1024);
    thread.spawn(blocked).map_err(LockError::Io)?;
    match got.recv_timeout(patience) {
        Ok(locked) => locked.map_err(LockError::Io),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            Err(LockError::Held { waited: patience, holder: platform::lock_holder(file) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_names_the_holder_and_leaves_the_lock_to_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.lock");
        let open = || File::options().create(true).truncate(false).write(true).open(&path).expect("a file");
        let held = open();
        wait(&held, How::Alone).expect("free");
        let refused = wait_for(&open(), How::Shared, Duration::from_millis(20));
        let Err(LockError::Held { waited, holder }) = refused else { panic!("it is held") };
        assert_eq!(waited, Duration::from_millis(20));
        if cfg!(target_os = "linux") {
            assert_eq!(holder, Some(std::process::id()));
        }
        held.unlock().expect("unlock");
        // Whoever waited in vain gives it back as soon as it comes.
        wait(&open(), How::Alone).expect("free again");
    }

    #[test]
    fn whoever_waits_gets_it_when_it_comes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.lock");
        let open = || File::options().create(true).truncate(false).write(true).open(&path).expect("a file");
        let held = open();
        wait(&held, How::Alone).expect("free");
        let waiting = open();
        let waiter = std::thread::spawn(move || wait_for(&waiting, How::Alone, Duration::from_secs(60)).is_ok());
        drop(held);
        assert!(waiter.join().expect("joins"));
    }
}
