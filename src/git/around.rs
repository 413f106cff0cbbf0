//! The repository that a folder belongs to.

use std::path::{Path, PathBuf};

/// The work tree that `folder` is in, also when the folder is not there yet. None in a folder that the repository
/// ignores: what is in it is no part of the repository.
pub fn work_tree_around(folder: &Path) -> Option<PathBuf> {
    let there = folder.ancestors().find(|dir| dir.is_dir())?;
    let repo = git2::Repository::discover(there).ok()?;
    let tree = repo.workdir()?;
    let below = there.canonicalize().ok()?.join(folder.strip_prefix(there).ok()?);
    let inner = below.strip_prefix(tree.canonicalize().ok()?).ok()?;
    // A folder is ignored by what ignores its files, too: `target/`.
    let ignored = inner != Path::new("") && repo.is_path_ignored(inner.join("town.toml")).unwrap_or(false);
    (!ignored).then(|| tree.to_owned())
}
