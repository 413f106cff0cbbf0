//! The order in which edges and comments are listed, and the numbers of the comments.
//!
//! Both follow from what they say and from nothing that one copy of the store has alone, so that two copies in the
//! same state show and export the same.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::{Bead, Comment, Dep};

/// The lasting name of a comment, by what it says alone: in every clone the same, wherever it came from.
pub(super) fn uid(comment: &Comment) -> String {
    let Comment { issue_id, author, text, created_at, .. } = comment;
    let content = format!("{issue_id}|{author}|{}|{text}", created_at.nanos());
    data_encoding::HEXLOWER.encode(&Sha256::digest(content)[..10])
}

/// A comment with its row and its lasting name.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) row: i64,
    pub(super) uid: String,
    pub(super) comment: Comment,
}

/// Puts the comments of a bead into order: oldest first. Of those with one number, which two clones may have given,
/// the first keeps it, and each other has the next that is free.
pub(super) fn list(mut all: Vec<Said>) -> Vec<Said> {
    all.sort_by(|a, b| {
        let key = |said: &Said| (said.comment.created_at, said.comment.id);
        key(a).cmp(&key(b)).then_with(|| a.uid.cmp(&b.uid))
    });
    let mut taken: HashSet<i64> = all.iter().map(|said| said.comment.id).collect();
    if taken.len() == all.len() {
        return all;
    }
    let (mut had, mut next) = (HashSet::new(), HashMap::new());
    for Said { comment, .. } in &mut all {
        if !had.insert(comment.id) {
            let free = next.entry(comment.id).or_insert(comment.id);
            while !taken.insert(*free) {
                *free = free.checked_add(1).unwrap_or(1);
            }
            comment.id = *free;
        }
    }
    all
}

/// Puts the edges of a bead, or those to it, into order: first drawn, first listed.
pub(super) fn edges(all: &mut [Dep]) {
    all.sort_by(|a, b| {
        let ends = (&a.depends_on_id, &a.issue_id, &a.kind);
        a.created_at.cmp(&b.created_at).then_with(|| ends.cmp(&(&b.depends_on_id, &b.issue_id, &b.kind)))
    });
}

/// The bead with its edges and comments as they will be listed when it is in the store: each once, in order.
pub(super) fn listed(bead: &Bead) -> Cow<'_, Bead> {
    if bead.dependencies.len() < 2 && bead.comments.len() < 2 {
        return Cow::Borrowed(bead);
    }
    let mut bead = bead.clone();
    edges(&mut bead.dependencies);
    let mut names = HashSet::new();
    let said =
        std::mem::take(&mut bead.comments).into_iter().map(|comment| Said { row: 0, uid: uid(&comment), comment });
    let said = list(said.filter(|said| names.insert(said.uid.clone())).collect());
    bead.comments = said.into_iter().map(|said| said.comment).collect();
    Cow::Owned(bead)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{BeadId, Time};

    fn said(id: i64, at: i64, text: &str) -> Said {
        let issue_id = BeadId::new("gt-a").expect("id");
        let created_at = Time::from_millis(at);
        let comment = Comment {
            id,
            issue_id,
            author: "ada".into(),
            text: text.into(),
            created_at,
            extra: super::super::Map::new(),
        };
        Said { row: 0, uid: uid(&comment), comment }
    }

    #[test]
    fn comments_are_listed_by_age_and_each_has_a_number_of_its_own() {
        let listed = |all: Vec<Said>| -> Vec<(i64, String)> {
            list(all).into_iter().map(|said| (said.comment.id, said.comment.text)).collect()
        };
        let all = || vec![said(2, 30, "c"), said(5, 40, "d"), said(2, 10, "a"), said(3, 20, "b"), said(2, 50, "e")];
        let wanted = [(2, "a"), (3, "b"), (4, "c"), (5, "d"), (6, "e")].map(|(id, text)| (id, text.to_owned()));
        assert_eq!(listed(all()), wanted);
        assert_eq!(listed(all().into_iter().rev().collect()), wanted, "however they stand in the table");
        let last = i64::MAX;
        let full = listed(vec![said(last, 1, "a"), said(last, 2, "b"), said(1, 3, "c")]);
        assert_eq!(full.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [last, 2, 1]);
    }
}
