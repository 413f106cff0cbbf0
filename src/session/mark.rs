//! The mark: an environment variable by which every process of a session is recognised, even one that has left
//! its parents, its process group and its terminal.
//!
//! Programs that are started from inside a session but do not belong to it (the daemon above all) must be
//! started without [`MARK_VAR`].

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::base::process::{ProcId, marked};

/// The name of the variable.
pub const MARK_VAR: &str = "GT_SESSION_MARK";

/// In place of a session's name, or before it: the host's own process. No session can be called so.
pub(super) const OF_THE_HOST: &str = "=host";

/// Every process of the town's sessions and session hosts that lives, the calling one left out.
///
/// Empty is the proof that nothing of the town's agents is left.
pub fn living(runtime_dir: &Path) -> Vec<ProcId> {
    marked(&mark_prefix(runtime_dir), true)
}

/// `NAME=value`: what the marks of all sessions and session hosts of a town begin with.
pub fn mark_prefix(runtime_dir: &Path) -> String {
    format!("{MARK_VAR}={}/", folder_hash(runtime_dir))
}

/// `NAME=value` for the session `name` on a host of this kind.
pub(super) fn mark(runtime_dir: &Path, kind: &str, name: &str) -> String {
    format!("{}{name}", kind_prefix(runtime_dir, kind))
}

/// What the marks of all sessions on a host of this kind begin with.
pub(super) fn kind_prefix(runtime_dir: &Path, kind: &str) -> String {
    format!("{}{kind}/", mark_prefix(runtime_dir))
}

/// Sixteen hex digits that stand for a folder, whatever symbolic links lead to it.
pub(super) fn folder_hash(dir: &Path) -> String {
    let dir = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let digest = Sha256::digest(dir.as_os_str().as_bytes());
    data_encoding::HEXLOWER.encode(&digest[..8])
}
