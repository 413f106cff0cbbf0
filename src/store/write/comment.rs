//! Comments.

use super::Write;
use crate::base::BeadId;
use crate::store::order::uid;
use crate::store::row::packed;
use crate::store::{Comment, StoreError};

/// A number that no comment of the bead is listed with: of those that share one, each but the first has a later one.
/// One near the largest integer, of a file, does not count: none could follow it.
const NEXT_NUMBER: &str = "SELECT 1 + max(
         (SELECT coalesce(max(num), 0) FROM comments),
         (SELECT coalesce(max(id), 0) + count(*) - count(DISTINCT id)
          FROM comments WHERE bead = ?1 AND id < 4611686018427387904))";

impl Write<'_> {
    /// Adds a comment by the actor of this write.
    pub fn add_comment(&mut self, id: &BeadId, text: &str) -> Result<Comment, StoreError> {
        if text.trim().is_empty() {
            return Err(StoreError::invalid("comment", "it is empty"));
        }
        let stored = self.need_living(id, "comment on")?;
        let mut comment = Comment {
            id: 0,
            issue_id: id.clone(),
            author: self.by.actor.clone(),
            text: text.to_owned(),
            created_at: self.by.now,
            extra: crate::store::Map::new(),
        };
        // The same words, said twice at one instant, are two comments all the same.
        while self.has_comment(stored.num, &comment)? {
            comment.created_at = comment.created_at.plus_millis(1);
        }
        comment.id = self.insert_comment(stored.num, &comment)?;
        self.bump(&stored.bead)?;
        self.emit("commented", id.as_str(), serde_json::json!({ "comment": comment.id, "text": text }))?;
        self.touch(id, format!("comment: {}", crate::base::text::headline(text, 60)));
        Ok(comment)
    }

    /// Writes a comment; its number is `comment.id`, or a new one when that is 0.
    pub(super) fn insert_comment(&mut self, num: i64, comment: &Comment) -> Result<i64, StoreError> {
        let number = match comment.id {
            0 => self.conn.prepare_cached(NEXT_NUMBER)?.query_row([num], |r| r.get(0))?,
            id => id,
        };
        let stamp = self.stamp_over("");
        self.run(
            "INSERT INTO comments (bead, uid, id, author, text, created_at, added, other) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (bead, uid) DO NOTHING",
            (
                num,
                uid(comment),
                number,
                &comment.author,
                &comment.text,
                comment.created_at.to_string(),
                stamp,
                packed(&comment.extra),
            ),
        )?;
        Ok(number)
    }

    fn has_comment(&self, num: i64, comment: &Comment) -> Result<bool, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT 1 FROM comments WHERE bead = ?1 AND uid = ?2")?;
        Ok(statement.exists((num, uid(comment)))?)
    }
}
