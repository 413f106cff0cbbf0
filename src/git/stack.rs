//! Stacks of merges, built in the object database: base + A + B + C, each a merge commit on the one before.
//!
//! A member that conflicts is reported and left out; the rest go on. No work tree, no ref is touched.

use super::conflict::hunks;
use super::{ConflictHunk, GitError, Ident, Nothing, Oid, Repo};
use crate::base::Time;

/// One change to merge.
#[derive(Debug, Clone)]
pub struct StackItem {
    /// The exact commit that was submitted.
    pub commit: Oid,
    /// The message of the merge commit, without trailers.
    pub message: String,
    /// Trailers, in order, as in `("Gt-MR", "hq-7f2")`.
    pub trailers: Vec<(String, String)>,
    /// Who did the work: the author of the merge commit.
    pub author: Ident,
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stacked {
    /// Merged; the commit is the top of the stack so far.
    Merged(Oid),
    /// It conflicts with what is below; never empty.
    Conflict(Vec<ConflictHunk>),
    /// It adds nothing to what is below.
    AddsNothing(Nothing),
}

impl Repo {
    /// Merges `items` in order on `base`; the answer has one entry for each.
    ///
    /// The same arguments give the same commits, so that a repetition after a crash finds its own work.
    pub fn stack(
        &self,
        base: Oid,
        items: &[StackItem],
        committer: &Ident,
        when: Time,
    ) -> Result<Vec<Stacked>, GitError> {
        let mut top = base;
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            let result = self.merge_one(top, item, committer, when)?;
            if let Stacked::Merged(oid) = &result {
                top = *oid;
            }
            out.push(result);
        }
        Ok(out)
    }

    fn merge_one(&self, top: Oid, item: &StackItem, committer: &Ident, when: Time) -> Result<Stacked, GitError> {
        if self.is_ancestor(item.commit, top)? {
            return Ok(Stacked::AddsNothing(Nothing::Landed));
        }
        let (ours, theirs) = (self.raw().find_commit(top)?, self.raw().find_commit(item.commit)?);
        let mut index = self.raw().merge_commits(&ours, &theirs, None)?;
        if index.has_conflicts() {
            return Ok(Stacked::Conflict(hunks(self, &index)?));
        }
        let tree = index.write_tree_to(self.raw())?;
        if tree == ours.tree_id() {
            return Ok(Stacked::AddsNothing(self.merged_nothing(item.commit, top)?));
        }
        let tree = self.raw().find_tree(tree)?;
        let (author, committer) = (item.author.signature(when)?, committer.signature(when)?);
        let text = message(&item.message, &item.trailers);
        Ok(Stacked::Merged(self.raw().commit(None, &author, &committer, &text, &tree, &[&ours, &theirs])?))
    }
}

/// `message` with `trailers` as its last paragraph; line feeds in values are dropped.
pub(crate) fn message(message: &str, trailers: &[(String, String)]) -> String {
    let mut text = message.trim().replace('\0', "");
    text.push('\n');
    if !trailers.is_empty() {
        text.push('\n');
    }
    for (key, value) in trailers {
        let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        text.extend([key, ": ", value.trim(), "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    fn item(commit: Oid, name: &str) -> StackItem {
        StackItem {
            commit,
            message: format!("{name} work"),
            trailers: vec![("Gt-MR".to_owned(), format!("hq-{name}"))],
            author: Ident::agent(&format!("app/polecats/{name}")),
        }
    }

    #[test]
    fn a_conflicting_member_is_left_out_and_the_rest_go_on() {
        let fix = Fixture::new();
        let base = fix.commit_on("refs/heads/base", None, &[("a.txt", "1\n2\n3\n"), ("b.txt", "b\n")]);
        let a = fix.commit_on("refs/heads/a", Some(base), &[("a.txt", "1\nA\n3\n"), ("b.txt", "b\n")]);
        let b = fix.commit_on("refs/heads/b", Some(base), &[("a.txt", "1\nB\n3\n"), ("b.txt", "b\n")]);
        let c = fix.commit_on("refs/heads/c", Some(base), &[("a.txt", "1\n2\n3\n"), ("b.txt", "c\n")]);
        let d = fix.commit_on("refs/heads/d", Some(base), &[("a.txt", "1\nA\n3\n"), ("b.txt", "c\n")]);
        let items = [item(a, "a"), item(b, "b"), item(c, "c"), item(d, "d"), item(a, "a")];
        let repo = fix.repo();
        let out = repo.stack(base, &items, &Ident::town(), fix.now).expect("stack");
        let Stacked::Merged(_) = out[0] else { panic!("{out:?}") };
        let Stacked::Conflict(hunks) = &out[1] else { panic!("{out:?}") };
        assert_eq!((hunks[0].path.as_str(), hunks[0].start, hunks[0].end), ("a.txt", 2, 2));
        assert_eq!((hunks[0].ours.as_str(), hunks[0].base.as_str(), hunks[0].theirs.as_str()), ("A\n", "2\n", "B\n"));
        let Stacked::Merged(top) = out[2] else { panic!("{out:?}") };
        assert_eq!(out[3], Stacked::AddsNothing(Nothing::Same));
        assert_eq!(out[4], Stacked::AddsNothing(Nothing::Landed));
        assert_eq!(repo.file_at(top, "a.txt").expect("read").as_deref(), Some(&b"1\nA\n3\n"[..]));
        assert_eq!(repo.file_at(top, "b.txt").expect("read").as_deref(), Some(&b"c\n"[..]));
        assert_eq!(repo.trailer(top, "gt-mr").expect("read").as_deref(), Some("hq-c"));
        assert_eq!(repo.find_trailer(top, "Gt-MR", "hq-b", Some(base)).expect("walk"), None);
        assert!(repo.find_trailer(top, "Gt-MR", "hq-a", Some(base)).expect("walk").is_some());
        // The same again: the same commits.
        assert_eq!(repo.stack(base, &items, &Ident::town(), fix.now).expect("stack"), out);
    }

    #[test]
    fn a_value_cannot_forge_a_trailer() {
        let trailers = [("Gt-Source".to_owned(), "x\nGt-MR: other".to_owned())];
        assert_eq!(message("t\n\n", &trailers), "t\n\nGt-Source: x Gt-MR: other\n");
    }
}
