//! Conflicts as data: which lines of which file, and what each side has there.

use super::{GitError, Repo};

/// One place where two changes cannot both stand.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ConflictHunk {
    /// The file.
    pub path: String,
    /// What kind of conflict it is.
    pub kind: ConflictKind,
    /// First line on the target's side, from 1; 0 when it is about the whole file.
    pub start: usize,
    /// Last line on the target's side; `start - 1` when the target has no line there.
    pub end: usize,
    /// The target's lines.
    pub ours: String,
    /// The lines that both came from.
    pub base: String,
    /// The lines of the change that was to be merged.
    pub theirs: String,
}

/// Kinds of conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictKind {
    /// Both changed the same lines.
    Content,
    /// Both added the file, differently.
    BothAdded,
    /// The target deleted the file and the change edited it.
    DeletedInTarget,
    /// The change deleted the file and the target edited it.
    DeletedInChange,
    /// Not text, a link, a submodule or a mode: whole file.
    WholeFile,
}

impl ConflictHunk {
    /// The hunk for people and models: where, why, and both sides between conflict markers.
    pub fn text(&self) -> String {
        let place = match self.kind {
            ConflictKind::Content | ConflictKind::BothAdded if self.start > 0 && self.end > self.start => {
                format!("{}:{}-{}", self.path, self.start, self.end)
            }
            ConflictKind::Content | ConflictKind::BothAdded if self.start > 0 => {
                format!("{}:{}", self.path, self.start)
            }
            _ => self.path.clone(),
        };
        let reason = match self.kind {
            ConflictKind::Content => "both sides changed these lines",
            ConflictKind::BothAdded => "both sides added this file",
            ConflictKind::DeletedInTarget => "the target deleted this file, your change edits it",
            ConflictKind::DeletedInChange => "your change deletes this file, the target edited it",
            ConflictKind::WholeFile => "both sides changed this file and it cannot be merged by lines",
        };
        if self.start == 0 {
            return format!("{place}: {reason}\n");
        }
        format!(
            "{place}: {reason}\n<<<<<<< target\n{}||||||| before\n{}=======\n{}>>>>>>> your change\n",
            ended(&self.ours),
            ended(&self.base),
            ended(&self.theirs)
        )
    }
}

fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

/// Longer than any marker that a file would hold by itself.
const MARKER: usize = 37;

/// All conflicts of a merged index, in order of path and line.
pub(super) fn hunks(repo: &Repo, index: &git2::Index) -> Result<Vec<ConflictHunk>, GitError> {
    let mut out = Vec::new();
    for conflict in index.conflicts()? {
        let conflict = conflict?;
        let any = conflict.our.as_ref().or(conflict.their.as_ref()).or(conflict.ancestor.as_ref());
        let path = any.map(|e| String::from_utf8_lossy(&e.path).into_owned()).unwrap_or_default();
        let whole = |kind| ConflictHunk {
            path: path.clone(),
            kind,
            start: 0,
            end: 0,
            ours: String::new(),
            base: String::new(),
            theirs: String::new(),
        };
        match (&conflict.ancestor, &conflict.our, &conflict.their) {
            (base, Some(our), Some(their)) => {
                let kind = if base.is_some() { ConflictKind::Content } else { ConflictKind::BothAdded };
                match merged_text(repo, base.as_ref(), our, their)? {
                    Some(text) => {
                        out.extend(parse(&text).into_iter().map(|h| ConflictHunk { path: path.clone(), kind, ..h }));
                    }
                    None => out.push(whole(ConflictKind::WholeFile)),
                }
            }
            (_, None, Some(_)) => out.push(whole(ConflictKind::DeletedInTarget)),
            (_, Some(_), None) => out.push(whole(ConflictKind::DeletedInChange)),
            (_, None, None) => out.push(whole(ConflictKind::WholeFile)),
        }
    }
    out.sort_by(|a, b| (&a.path, a.start).cmp(&(&b.path, b.start)));
    Ok(out)
}

/// The file with conflict markers; none if it is not text on both sides, or if its lines agree after all
/// (then the modes differ).
fn merged_text(
    repo: &Repo,
    base: Option<&git2::IndexEntry>,
    our: &git2::IndexEntry,
    their: &git2::IndexEntry,
) -> Result<Option<String>, GitError> {
    let content = |entry: &git2::IndexEntry| -> Result<Option<Vec<u8>>, GitError> {
        // A submodule or a symbolic link has no lines to merge.
        if !matches!(entry.mode, 0o100_644 | 0o100_755) {
            return Ok(None);
        }
        let blob = repo.raw().find_blob(entry.id)?;
        Ok((!blob.is_binary()).then(|| blob.content().to_vec()))
    };
    let before = match base {
        Some(entry) => content(entry)?,
        None => Some(Vec::new()),
    };
    let (Some(before), Some(ours), Some(theirs)) = (before, content(our)?, content(their)?) else {
        return Ok(None);
    };
    let (mut a, mut b, mut c) = (git2::MergeFileInput::new(), git2::MergeFileInput::new(), git2::MergeFileInput::new());
    a.content(&before);
    b.content(&ours);
    c.content(&theirs);
    let mut options = git2::MergeFileOptions::new();
    options.style_diff3(true).marker_size(MARKER as u16);
    options.ancestor_label("base").our_label("ours").their_label("theirs");
    let result = git2::merge_file(&a, &b, &c, Some(&mut options))?;
    let text = String::from_utf8_lossy(result.content()).into_owned();
    Ok((!result.is_automergeable()).then_some(text))
}

fn parse(text: &str) -> Vec<ConflictHunk> {
    #[derive(PartialEq)]
    enum Side {
        Both,
        Ours,
        Base,
        Theirs,
    }
    let marker = |line: &str, c: char| {
        line.chars().take(MARKER).filter(|x| *x == c).count() == MARKER && line.chars().nth(MARKER) != Some(c)
    };
    let (mut out, mut side, mut line_no) = (Vec::new(), Side::Both, 0);
    for line in text.split_inclusive('\n') {
        if side == Side::Both && marker(line, '<') {
            side = Side::Ours;
            let empty = String::new;
            let (path, ours, base, theirs) = (empty(), empty(), empty(), empty());
            out.push(ConflictHunk {
                path,
                kind: ConflictKind::Content,
                start: line_no + 1,
                end: line_no,
                ours,
                base,
                theirs,
            });
            continue;
        }
        let Some(hunk) = out.last_mut().filter(|_| side != Side::Both) else {
            line_no += 1;
            continue;
        };
        match side {
            Side::Ours if marker(line, '|') => side = Side::Base,
            Side::Base if marker(line, '=') => side = Side::Theirs,
            Side::Theirs if marker(line, '>') => side = Side::Both,
            Side::Ours => {
                line_no += 1;
                hunk.end = line_no;
                hunk.ours.push_str(line);
            }
            Side::Base => hunk.base.push_str(line),
            Side::Theirs => hunk.theirs.push_str(line),
            Side::Both => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::fixture::Fixture;
    use crate::git::{Ident, StackItem, Stacked};

    fn conflict(base: &[(&str, &str)], ours: &[(&str, &str)], theirs: &[(&str, &str)]) -> Vec<ConflictHunk> {
        let f = Fixture::new();
        let root = f.commit_on("refs/heads/base", None, base);
        let a = f.commit_on("refs/heads/a", Some(root), ours);
        let b = f.commit_on("refs/heads/b", Some(root), theirs);
        let item = StackItem { commit: b, message: "b".to_owned(), trailers: vec![], author: Ident::town() };
        match f.repo().stack(a, &[item], &Ident::town(), f.now).expect("stack").remove(0) {
            Stacked::Conflict(hunks) => hunks,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn line_numbers_count_the_targets_lines() {
        let base = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n";
        let ours = "0\n1\n2\nx\ny\n4\n5\n6\n7\n8\n9\n10\n11\n13\n14\n";
        let theirs = "1\n2\nz\n4\n5\n6\n7\n8\n9\n10\n11\nQ\n13\n14\n";
        let hunks = conflict(&[("f", base)], &[("f", ours)], &[("f", theirs)]);
        assert_eq!(hunks.len(), 2, "{hunks:?}");
        assert_eq!((hunks[0].start, hunks[0].end, hunks[0].ours.as_str()), (4, 5, "x\ny\n"));
        assert_eq!(
            (hunks[1].start, hunks[1].end, hunks[1].ours.as_str(), hunks[1].theirs.as_str()),
            (14, 13, "", "Q\n")
        );
        assert!(hunks[0].text().starts_with("f:4-5: both sides changed these lines\n<<<<<<< target\nx\ny\n|||||||"));
    }

    #[test]
    fn deletions_and_binaries_are_conflicts_of_whole_files() {
        let base = [("f", "1\n"), ("g", "\0\u{1}")];
        let deleted = conflict(&base, &[("g", "\0\u{1}")], &[("f", "2\n"), ("g", "\0\u{1}")]);
        assert_eq!(deleted[0].kind, ConflictKind::DeletedInTarget);
        let deleted = conflict(&base, &[("f", "2\n"), ("g", "\0\u{1}")], &[("g", "\0\u{1}")]);
        assert_eq!(deleted[0].kind, ConflictKind::DeletedInChange);
        let binary = conflict(&base, &[("f", "1\n"), ("g", "\0\u{2}")], &[("f", "1\n"), ("g", "\0\u{3}")]);
        assert_eq!((binary[0].kind, binary[0].start), (ConflictKind::WholeFile, 0));
        let added = conflict(&[("f", "1\n")], &[("f", "1\n"), ("n", "a\n")], &[("f", "1\n"), ("n", "b\n")]);
        assert_eq!((added[0].kind, added[0].start), (ConflictKind::BothAdded, 1));
    }

    #[test]
    fn markers_in_a_file_are_only_text() {
        let m = "<<<<<<< a\n=======\n>>>>>>> b\n";
        let hunks = conflict(&[("f", "x\n")], &[("f", &format!("{m}o\n"))], &[("f", &format!("{m}t\n"))]);
        assert_eq!(hunks.len(), 1);
        assert!(hunks[0].ours.contains("o\n"));
    }
}
