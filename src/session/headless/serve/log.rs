//! The log of a session: what the program wrote, in at most two files.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Size in bytes at which the log becomes `<log>.1` and a new one begins.
const CAP: u64 = 4 << 20;

pub(super) struct Log {
    path: PathBuf,
    file: Option<File>,
    size: u64,
}

impl Log {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file: Some(file), size })
    }

    /// Adds `bytes`. A log that cannot be written (disk full, town removed) must not stop the agent: it is tried
    /// again with the next bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        if self.size > CAP {
            let mut older = self.path.clone().into_os_string();
            older.push(".1");
            let _ = std::fs::rename(&self.path, older);
            self.file = None;
            self.size = 0;
        }
        if self.file.is_none() {
            self.file = OpenOptions::new().create(true).append(true).open(&self.path).ok();
        }
        if let Some(file) = &mut self.file
            && file.write_all(bytes).is_ok()
        {
            self.size += bytes.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_does_not_grow_for_ever() {
        let dir = tempfile::tempdir().expect("temp folder");
        let path = dir.path().join("deep/a.log");
        let mut log = Log::open(&path).expect("log");
        for _ in 0..40 {
            log.write(&vec![b'x'; 1 << 19]);
        }
        let sizes: u64 = std::fs::read_dir(path.parent().expect("folder"))
            .expect("list")
            .map(|e| e.expect("entry").metadata().expect("size").len())
            .sum();
        assert!(sizes <= 3 * CAP, "{sizes}");
        assert!(path.with_extension("log.1").exists());
    }
}
