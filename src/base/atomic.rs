//! Files that are either the old or the new text, whatever happens in between.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::fault::{Point, pass};

/// Replaces `path` with `bytes`: a temporary file beside it, flushed, renamed, and the folder flushed.
///
/// The folder must exist. Readers see the old or the new text, never a part. The mode of an existing file is
/// kept; a new one gets 0644 less the umask. Where `path` is a link, it stays one: the file that it leads to is replaced.
/// What is no file, such as a pipe or a device, is written to as it is.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let there = std::fs::metadata(path).ok();
    if there.as_ref().is_some_and(|meta| !meta.is_file()) {
        return File::options().write(true).open(path)?.write_all(bytes);
    }
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    write_as(path, bytes, there.map_or_else(|| Permissions::from_mode(0o644), |meta| meta.permissions()))
}

/// As [`write()`], with this mode, which it gets once it is whole: nobody reads what is secret, or runs what is half
/// written.
pub fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    write_as(path, bytes, Permissions::from_mode(mode))
}

fn write_as(path: &Path, bytes: &[u8], permissions: Permissions) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".gt-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    pass(Point::FileWritten);
    file.persist(path).map_err(|e| e.error)?;
    pass(Point::FileRenamed);
    sync_folder(folder)
}

/// Flushes a folder, so that a rename or a new file in it survives a crash.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_text_is_replaced_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().expect("temp folder");
        let path = dir.path().join("a.toml");
        super::write(&path, b"one").expect("write");
        super::write(&path, b"two").expect("write");
        assert_eq!(std::fs::read(&path).expect("read"), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 1);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("a.toml", &link).expect("link");
        super::write(&link, b"three").expect("write");
        assert!(link.is_symlink() && std::fs::read(&path).expect("read") == b"three");
    }

    #[test]
    fn a_pipe_is_written_to() {
        let dir = tempfile::tempdir().expect("temp folder");
        let path = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("pipe");
        let reader = std::thread::spawn({
            let path = path.clone();
            move || std::fs::read(path)
        });
        super::write(&path, b"all of it").expect("write");
        assert_eq!(reader.join().expect("joins").expect("read"), b"all of it");
        assert!(super::write(dir.path(), b"x").is_err(), "a folder is no place for text");
    }
}
