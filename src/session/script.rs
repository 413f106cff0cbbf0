//! The scripted worker: a shell script that does what a bead's description says, step by step.

use std::path::{Path, PathBuf};

use super::SessionError;

/// Its text. POSIX sh; needs git, and `gt` in its `PATH`.
pub const SCRIPT_WORKER: &str = include_str!("script_worker.sh");

/// Writes it to `<runtime_dir>/script-worker`, executable, unless it is there already. Says where it is.
pub fn write_script_worker(runtime_dir: &Path) -> Result<PathBuf, SessionError> {
    let path = runtime_dir.join("script-worker");
    if std::fs::read(&path).is_ok_and(|text| text == SCRIPT_WORKER.as_bytes()) {
        return Ok(path);
    }
    let what = || format!("writing {}", path.display());
    crate::base::atomic::write_with_mode(&path, SCRIPT_WORKER.as_bytes(), 0o755).map_err(SessionError::io(what()))?;
    Ok(path)
}
