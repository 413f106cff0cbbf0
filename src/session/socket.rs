//! Where Unix sockets lie: in the town, unless their path would be too long for the kernel.

use std::fs::DirBuilder;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::SessionError;
use super::mark::folder_hash;

/// `sun_path` holds 108 bytes on Linux and 104 on macOS, with the final zero. Some room is kept.
const LONGEST: usize = 100;
/// Which short folder was chosen stands in this file, so that it is found again wherever the town is moved.
const RECORD: &str = "sockets";

/// The folder for the sockets of `folder`, the longest of whose names has `longest_name` bytes. Both exist
/// afterwards; the folder can be entered by its owner only when it is outside the town.
pub(super) fn socket_folder(folder: &Path, longest_name: usize) -> Result<PathBuf, SessionError> {
    create(folder, 0o755)?;
    if folder.as_os_str().as_bytes().len() + 1 + longest_name <= LONGEST {
        return Ok(folder.to_owned());
    }
    let record = folder.join(RECORD);
    let known = std::fs::read_to_string(&record).ok().map(|t| PathBuf::from(t.trim_end()));
    let uid = rustix::process::getuid().as_raw();
    let base = PathBuf::from(format!("/tmp/gt-{uid}"));
    let short = known.filter(|k| k.starts_with(&base)).unwrap_or_else(|| base.join(folder_hash(folder)));
    create(&base, 0o700)?;
    own(&base, uid)?;
    create(&short, 0o700)?;
    own(&short, uid)?;
    let text = format!("{}\n", short.display());
    crate::base::atomic::write(&record, text.as_bytes())
        .map_err(SessionError::io(format!("writing {}", record.display())))?;
    Ok(short)
}

fn create(folder: &Path, mode: u32) -> Result<(), SessionError> {
    let result = DirBuilder::new().recursive(true).mode(mode).create(folder);
    result.map_err(SessionError::io(format!("creating {}", folder.display())))
}

/// In a folder that everybody may write to, somebody else may have been first.
fn own(folder: &Path, uid: u32) -> Result<(), SessionError> {
    let what = || format!("using {}", folder.display());
    let meta = std::fs::symlink_metadata(folder).map_err(SessionError::io(what()))?;
    if meta.is_dir() && meta.uid() == uid && meta.mode().trailing_zeros() >= 6 {
        return Ok(());
    }
    let refusal = std::io::Error::other("it is not a folder of ours alone");
    Err(SessionError::io(what())(refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_gets_a_short_folder_that_is_found_again() {
        let dir = tempfile::tempdir().expect("temp folder");
        assert_eq!(socket_folder(dir.path(), 10).expect("folder"), dir.path());
        let deep = dir.path().join("x".repeat(90));
        let short = socket_folder(&deep, 20).expect("folder");
        assert!(short.as_os_str().len() < 60 && short.is_dir());
        let moved = dir.path().join("y".repeat(90));
        std::fs::rename(&deep, &moved).expect("rename");
        assert_eq!(socket_folder(&moved, 20).expect("folder"), short);
        std::fs::remove_dir(&short).expect("removed");
    }
}
