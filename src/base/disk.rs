//! How much room there is on a disk.

use std::path::Path;

/// The bytes that may still be written on the disk of `path`; none where that is not known.
pub fn left(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok().filter(|disk| disk.f_blocks > 0)?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_on_a_disk_that_is_there() {
        let dir = tempfile::tempdir().expect("folder");
        assert!(left(dir.path()).is_some_and(|bytes| bytes > 0));
        assert_eq!(left(&dir.path().join("nothing")), None);
    }
}
