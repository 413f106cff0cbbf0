//! The lines by which git overlooks the tracker's own files, in the exclude file of the repository.
//!
//! The block says how the file was before, so that taking it out leaves every byte as it was.

use std::io;
use std::path::{Path, PathBuf};

use super::place::git_common_dir;
use crate::base::atomic;
use crate::cli::CliError;

/// What git is told to overlook; `issues.jsonl` and formulas stay yours to track.
pub(super) const HIDDEN: [&str; 6] = [
    ".beads/beads.db*",
    ".beads/journal.db*",
    ".beads/*.lock",
    ".beads/restore.new/",
    ".beads/ledger.git*/",
    ".beads/last-touched",
];
const BEGIN: &str = "# bd: begin (delete this block with .beads";
const END: &str = "# bd: end";
/// How the file was before, as the first line of the block says it.
const AS_IT_WAS: [(&str, Before); 3] =
    [(")", Before::Lines), ("; its last line had no end)", Before::NoEnd), ("; it was not there)", Before::None)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Lines,
    NoEnd,
    None,
}

/// Adds the block; gives the file, or nothing outside of a repository.
pub(super) fn hide(beads_dir: &Path) -> Result<Option<PathBuf>, CliError> {
    let Some(path) = file(beads_dir) else { return Ok(None) };
    let failed = |e: io::Error| CliError::user(format!("{}: {e}", path.display()));
    let old = read(&path).map_err(failed)?;
    if block(old.as_deref().unwrap_or_default()).is_none() {
        let new = with_block(old.as_deref());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        write(&path, &new).map_err(failed)?;
    }
    Ok(Some(path))
}

/// Whether git overlooks all of them; always outside of a repository.
pub(super) fn is_hidden(beads_dir: &Path) -> Result<bool, CliError> {
    let Some(path) = file(beads_dir) else { return Ok(true) };
    let text = read(&path).map_err(|e| CliError::user(format!("{}: {e}", path.display())))?.unwrap_or_default();
    Ok(HIDDEN.iter().all(|hidden| text.lines().any(|line| line == *hidden)))
}

/// Takes the block out again; gives the file if there was one.
pub(super) fn unhide(beads_dir: &Path) -> Result<Option<PathBuf>, CliError> {
    let Some(path) = file(beads_dir) else { return Ok(None) };
    let failed = |e: io::Error| CliError::user(format!("{}: {e}", path.display()));
    let Some(old) = read(&path).map_err(failed)? else { return Ok(None) };
    let Some((rest, before)) = without_block(&old) else { return Ok(None) };
    if before == Before::None && rest.is_empty() {
        std::fs::remove_file(&path).map_err(failed)?;
        // Only where it was made for the file, and is empty again.
        let _ = path.parent().map(std::fs::remove_dir);
    } else {
        write(&path, &rest).map_err(failed)?;
    }
    Ok(Some(path))
}

fn file(beads_dir: &Path) -> Option<PathBuf> {
    Some(beads_dir.parent().and_then(git_common_dir)?.join("info/exclude"))
}

/// The file, each byte of it as one character: it may be in any encoding, and what is looked for is ASCII.
fn read(path: &Path) -> io::Result<Option<String>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes.into_iter().map(char::from).collect())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Writes what [`read`] gave, changed.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let bytes: Vec<u8> = text.chars().filter_map(|c| u8::try_from(c).ok()).collect();
    atomic::write(path, &bytes)
}

fn with_block(old: Option<&str>) -> String {
    let (gap, before) = match old {
        None => ("", Before::None),
        Some(text) if text.is_empty() || text.ends_with('\n') => ("", Before::Lines),
        Some(_) => ("\n", Before::NoEnd),
    };
    let how = AS_IT_WAS.iter().find(|(_, b)| *b == before).map_or("", |(how, _)| how);
    format!("{}{gap}{BEGIN}{how}\n{}\n{END}\n", old.unwrap_or_default(), HIDDEN.join("\n"))
}

/// Where the block begins and ends: its first line, lines of ours, its last one, and nothing between them. What follows a
/// first line that lost the others is somebody's own.
fn block(text: &str) -> Option<std::ops::Range<usize>> {
    let (mut start, mut end) = (None, 0);
    for line in text.split_inclusive('\n') {
        let at = end;
        end += line.len();
        let line = line.trim_end();
        match start {
            _ if line.starts_with(BEGIN) => start = Some(at),
            Some(start) if line == END => return Some(start..end),
            // Other versions hide other files.
            Some(_) if line.starts_with(".beads/") => {}
            _ => start = None,
        }
    }
    None
}

fn without_block(text: &str) -> Option<(String, Before)> {
    let range = block(text)?;
    let first = text[range.clone()].lines().next()?;
    let before =
        AS_IT_WAS.iter().find(|(how, _)| first.strip_prefix(BEGIN) == Some(*how)).map_or(Before::Lines, |(_, b)| *b);
    let (mut head, tail) = (&text[..range.start], &text[range.end..]);
    if before == Before::NoEnd && tail.is_empty() {
        head = head.strip_suffix('\n').unwrap_or(head);
    }
    Some((format!("{head}{tail}"), before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_comes_and_goes_without_a_trace() {
        for old in [None, Some(""), Some("a\n"), Some("a"), Some("a\n\n"), Some("# bd: end\n"), Some("\n\n\n")] {
            let with = with_block(old);
            assert!(with.starts_with(old.unwrap_or_default()) && with.contains(".beads/*.lock\n"), "{with}");
            let (without, before) = without_block(&with).expect("the block is there");
            assert_eq!((without.as_str(), before == Before::None), (old.unwrap_or_default(), old.is_none()));
        }
        let later = format!("{}mine\n", with_block(Some("a")));
        assert_eq!(without_block(&later).expect("the block is there").0, "a\nmine\n");
        assert_eq!(without_block("a\n"), None);
    }

    #[test]
    fn only_a_whole_block_is_ours() {
        let whole = with_block(Some(""));
        let first = whole.lines().next().expect("a first line");
        for old in [
            format!("keep\n{first}\nmine/\n"),
            format!("{first}\n.beads/*.lock\n"),
            format!("{first}\n.beads/*.lock\nmine/\n{END}\n"),
            format!("{first}\nmine # bd: end\n"),
            format!("mine\n{END}\n"),
        ] {
            assert_eq!(without_block(&old), None, "{old}");
            let (without, _) = without_block(&with_block(Some(&old))).expect("the whole one");
            assert_eq!(without, old);
        }
        let of_another_version = format!("a\n{first}\n.beads/other.file\n{END}\r\nb\n");
        assert_eq!(without_block(&of_another_version).expect("a block").0, "a\nb\n");
    }
}
