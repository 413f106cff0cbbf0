//! One daemon per town: a file lock held for life, and the question whether the town is still there.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the lock of a town's daemon is.
pub fn path(town: &Path) -> PathBuf {
    town.join(".runtime/daemon.lock")
}

/// Where the lock of the daemon's supervisor is.
pub fn supervisor_path(town: &Path) -> PathBuf {
    town.join(".runtime/supervisor.lock")
}

/// Held as long as this daemon lives. The kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct DaemonLock {
    file: File,
    path: PathBuf,
}

impl DaemonLock {
    /// Takes the lock; `None` when another daemon has it.
    pub fn take(town: &Path) -> io::Result<Option<Self>> {
        Self::take_at(path(town))
    }

    /// Takes the lock of the town's supervisor; `None` when there is another one.
    pub fn take_supervisor(town: &Path) -> io::Result<Option<Self>> {
        Self::take_at(supervisor_path(town))
    }

    fn take_at(path: PathBuf) -> io::Result<Option<Self>> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        // Whoever merely asks (`is_held`) has the lock for an instant; a daemon has it for long.
        let mut patience = 30;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if patience == 0 => return Ok(None),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
                Err(TryLockError::Error(e)) => return Err(e),
            }
            patience -= 1;
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Some(Self { file, path }))
    }

    /// The lock's file is still the one at its path: false when the town was removed or replaced.
    pub fn still_there(&self) -> bool {
        match (self.file.metadata(), std::fs::metadata(&self.path)) {
            (Ok(ours), Ok(theirs)) => ours.ino() == theirs.ino() && ours.dev() == theirs.dev(),
            _ => false,
        }
    }
}

/// Whether a daemon of this town is running. A town without a lock file has none.
pub fn is_held(town: &Path) -> io::Result<bool> {
    held(&path(town))
}

/// The process id of the town's supervisor, while there is one.
pub fn supervisor(town: &Path) -> Option<u32> {
    let path = supervisor_path(town);
    held(&path).unwrap_or(false).then(|| written(&path)).flatten()
}

fn held(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// The process id that the running daemon wrote into its lock.
pub fn holder(town: &Path) -> Option<u32> {
    written(&path(town))
}

fn written(path: &Path) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_town_has_one_daemon_and_notices_when_it_is_gone() {
        let town = tempfile::tempdir().expect("tempdir");
        std::fs::create_dir(town.path().join(".runtime")).expect("mkdir");
        assert!(!is_held(town.path()).expect("readable"));
        let lock = DaemonLock::take(town.path()).expect("io").expect("free");
        assert!(is_held(town.path()).expect("readable"));
        assert!(DaemonLock::take(town.path()).expect("io").is_none());
        assert_eq!(holder(town.path()), Some(std::process::id()));
        assert!(lock.still_there());
        std::fs::remove_dir_all(town.path().join(".runtime")).expect("rm");
        assert!(!lock.still_there());
        drop(lock);
        assert!(!is_held(town.path()).expect("readable"));
    }

    #[test]
    fn a_town_has_one_supervisor_beside_its_daemon() {
        let town = tempfile::tempdir().expect("tempdir");
        std::fs::create_dir(town.path().join(".runtime")).expect("mkdir");
        assert_eq!(supervisor(town.path()), None);
        let lock = DaemonLock::take_supervisor(town.path()).expect("io").expect("free");
        assert_eq!(supervisor(town.path()), Some(std::process::id()));
        assert!(DaemonLock::take_supervisor(town.path()).expect("io").is_none());
        assert!(!is_held(town.path()).expect("readable"));
        drop(lock);
        assert_eq!(supervisor(town.path()), None);
    }
}
