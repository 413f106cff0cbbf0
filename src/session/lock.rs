//! One at a time per session: a file lock, so that it holds between processes and ends with them.

use std::fs::File;
use std::path::Path;

use super::{SessionError, SessionName};

/// Waits for the lock `purpose` of session `name` in `folder`. It is let go when the file is dropped.
pub(super) fn lock(folder: &Path, name: &SessionName, purpose: &str) -> Result<File, SessionError> {
    let path = folder.join(format!("{name}.{purpose}"));
    let what = || format!("locking {}", path.display());
    std::fs::create_dir_all(folder).map_err(SessionError::io(what()))?;
    let file = File::options().create(true).append(true).open(&path).map_err(SessionError::io(what()))?;
    file.lock().map_err(SessionError::io(what()))?;
    Ok(file)
}
