//! The merge lock of a rig: whoever holds it may build, test and push for that rig.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use crate::base::RigName;

/// Proof of holding a rig's merge lock. The kernel lets go of it when the process ends.
#[derive(Debug)]
pub struct MergeLock {
    rig: RigName,
    file: File,
}

impl MergeLock {
    /// Takes the lock kept in `folder` (the rig's `refinery/`); `None` when somebody else has it. A rig that was taken out of
    /// the town gets no folder again by it.
    pub fn take(folder: &Path, rig: &RigName) -> io::Result<Option<Self>> {
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let path = folder.join("merge.lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { rig: rig.clone(), file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The rig it is for.
    pub fn rig(&self) -> &RigName {
        &self.rig
    }
}

impl Drop for MergeLock {
    /// Closing the file would let go too, but not before a process that was just being started, and has the file
    /// until it runs its own program, has closed it as well.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rig_has_one_merge_at_a_time() {
        let dir = tempfile::tempdir().expect("tempdir");
        let rig = RigName::new("app").expect("name");
        let held = MergeLock::take(dir.path(), &rig).expect("io").expect("free");
        assert_eq!(held.rig(), &rig);
        assert!(MergeLock::take(dir.path(), &rig).expect("io").is_none());
        drop(held);
        assert!(MergeLock::take(dir.path(), &rig).expect("io").is_some());
        let gone = dir.path().join("gone");
        assert!(MergeLock::take(&gone.join("refinery"), &rig).is_err() && !gone.exists());
    }
}
