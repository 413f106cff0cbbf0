//! Paths as people type them and as they are shown.

use std::path::{Component, Path, PathBuf};

/// `path` without `.` and `..`. A `..` behind a link stays: it leads elsewhere than the text says.
pub fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir if path.is_absolute() => {}
            Component::ParentDir if out.file_name().is_some() && !out.is_symlink() => {
                out.pop();
            }
            // There is nothing above the root.
            Component::ParentDir if out.has_root() && out.parent().is_none() => {}
            _ => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_back_is_left_out_unless_a_link_leads_elsewhere() {
        for (given, shown) in [
            ("/t/../p", "/p"),
            ("/t/./a//b/", "/t/a/b"),
            ("/../a", "/a"),
            ("a/../b", "b"),
            ("../a", "../a"),
            ("/", "/"),
        ] {
            assert_eq!(plain(Path::new(given)), Path::new(shown), "{given}");
        }
        let dir = tempfile::tempdir().expect("folder");
        let (deep, link) = (dir.path().join("a/b"), dir.path().join("link"));
        std::fs::create_dir_all(&deep).expect("folders");
        std::os::unix::fs::symlink(&deep, &link).expect("link");
        let behind = link.join("../c");
        assert_eq!(plain(&behind), behind);
    }
}
