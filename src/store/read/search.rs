//! Full-text search.

use rusqlite::types::Value as Sql;

use super::find::Where;
use super::{Read, SEEN};
use crate::store::row::{COLUMNS, Stored};
use crate::store::{Bead, Filter, StoreError};

impl Read<'_> {
    /// Beads whose id or text has all these words (the last may be unfinished), best first.
    pub fn search(&self, words: &str, filter: &Filter) -> Result<Vec<Bead>, StoreError> {
        let Some(query) = fts_query(words) else { return Ok(Vec::new()) };
        let mut conditions = Where::default();
        conditions.and("bead_text MATCH ?", [Sql::Text(query)]);
        conditions.filter(filter);
        conditions.and(SEEN, []);
        let limit = filter.limit.map_or(String::new(), |n| format!(" LIMIT {n}"));
        let sql = format!(
            "SELECT {COLUMNS} FROM bead_text CROSS JOIN beads b ON b.num = bead_text.rowid
             WHERE {} ORDER BY bead_text.rank, b.num{limit}",
            conditions.sql
        );
        self.rows(&sql, rusqlite::params_from_iter(conditions.values), |row| Ok(Stored::read(row)?.bead))
    }
}

/// Each word quoted, so that nothing in it is syntax; the last one may go on.
fn fts_query(words: &str) -> Option<String> {
    let mut quoted: Vec<String> = words
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"")))
        .collect();
    quoted.last_mut()?.push('*');
    Some(quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::fts_query;

    #[test]
    fn nothing_a_person_types_is_syntax() {
        assert_eq!(fts_query("fix \"login OR"), Some("\"fix\" \"\"\"login\" \"OR\"*".to_owned()));
        assert_eq!(fts_query(" - * "), None);
    }
}
