//! The mark: an environment variable by which every process of a session is recognised, even one that has left
//! its parents, its process group and its terminal.
//!
//! Programs that are started from inside a session but do not belong to it (the daemon above all) must be
//! started without [`MARK_VAR`].

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sha2::{Digest, Sha256};

/// The name of the variable.
pub const MARK_VAR: &str = "GT_SESSION_MARK";

/// `NAME=value` for the session `name` of the town whose runtime folder is `runtime_dir`.
pub fn mark(runtime_dir: &Path, name: &str) -> String {
    format!("{}{name}", mark_prefix(runtime_dir))
}

/// What the marks of all sessions of a town begin with.
pub fn mark_prefix(runtime_dir: &Path) -> String {
    format!("{MARK_VAR}={}/", folder_hash(runtime_dir))
}

/// Sixteen hex digits that stand for a folder, whatever symbolic links lead to it.
pub(super) fn folder_hash(dir: &Path) -> String {
    let dir = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let digest = Sha256::digest(dir.as_os_str().as_bytes());
    data_encoding::HEXLOWER.encode(&digest[..8])
}
