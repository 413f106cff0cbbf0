//! Full-text search.

use rusqlite::types::Value as Sql;

use super::find::{Where, order};
use super::{Read, SEEN};
use crate::store::row::{COLUMNS, Stored};
use crate::store::{Bead, Filter, Sort, StoreError};

/// Words that more beads than this have say nothing about which of them is meant.
const COMMON: usize = 1_000;

impl Read<'_> {
    /// Beads whose id or text has all these words (the last may be unfinished), in the order of the filter. Best first
    /// means newest first where the words are in more than a thousand beads.
    pub fn search(&self, words: &str, filter: &Filter) -> Result<Vec<Bead>, StoreError> {
        let Some(query) = fts_query(words) else { return Ok(Vec::new()) };
        let mut found = self
            .conn
            .prepare_cached(&format!("SELECT 1 FROM bead_text WHERE bead_text MATCH ?1 LIMIT 1 OFFSET {COMMON}"))?;
        let (sql, values) = statement(query.clone(), filter, found.exists([query])?);
        self.rows(&sql, rusqlite::params_from_iter(values), |row| Ok(Stored::read(row)?.bead))
    }
}

/// The statement of a search; words that are `common` are not ranked, so that it ends with the last bead it shows.
pub(in crate::store) fn statement(query: String, filter: &Filter, common: bool) -> (String, Vec<Sql>) {
    let mut conditions = Where::default();
    conditions.and("bead_text MATCH ?", [Sql::Text(query)]);
    conditions.filter(filter);
    conditions.and(SEEN, []);
    let order = match filter.sort {
        Sort::Best if common => "bead_text.rowid DESC".to_owned(),
        Sort::Best => "bead_text.rank, b.num".to_owned(),
        _ => order(filter),
    };
    let limit = filter.limit.map_or(String::new(), |n| format!(" LIMIT {n}"));
    let sql = format!(
        "SELECT {COLUMNS} FROM bead_text CROSS JOIN beads b ON b.num = bead_text.rowid
         WHERE {} ORDER BY {order}{limit}",
        conditions.sql
    );
    (sql, conditions.values)
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
