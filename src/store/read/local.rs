//! What belongs to this store alone: local tables, settings, hooks.

use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension, Row, params};
use serde::de::DeserializeOwned;

use super::Read;
use crate::base::{Address, BeadId};
use crate::store::{Hook, StoreError, row};

fn hook(row: &Row<'_>) -> Result<Hook, StoreError> {
    let agent: String = row.get(0)?;
    let agent = agent
        .parse::<Address>()
        .map_err(|e| StoreError::Damaged { path: "beads.db".into(), detail: format!("a hook's agent: {e}") })?;
    Ok(Hook {
        agent,
        bead: row::id(&row.get::<_, String>(1)?)?,
        molecule: row.get::<_, Option<String>>(2)?.map(|t| row::id(&t)).transpose()?,
        epoch: row.get(3)?,
        since: row::parse_time(&row.get::<_, String>(4)?)?,
    })
}

/// A column as text, whatever it holds.
fn lossy(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    })
}

impl Read<'_> {
    /// A protomolecule as it was kept.
    pub fn proto(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT proto FROM protos WHERE id = ?1")?;
        Ok(statement.query_row([id], |row| row.get(0)).optional()?)
    }

    /// A kept protomolecule, if it has at most `most` bytes.
    pub fn small_proto(&self, id: &str, most: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement =
            self.conn.prepare_cached("SELECT proto FROM protos WHERE id = ?1 AND length(proto) <= ?2")?;
        Ok(statement.query_row((id, most as i64), |row| row.get(0)).optional()?)
    }

    /// Whether a protomolecule of that id is kept.
    pub fn has_proto(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.conn.prepare_cached("SELECT 1 FROM protos WHERE id = ?1")?.exists([id])?)
    }

    /// The protomolecules that are kept: id, formula and number of steps, by id.
    pub fn protos(&self) -> Result<Vec<(String, String, usize)>, StoreError> {
        self.rows("SELECT id, formula, steps FROM protos ORDER BY id", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.cast_unsigned() as usize))
        })
    }

    /// A value of a local table as it stands there, be it JSON or not.
    pub fn local_text(&self, ns: &str, key: &str) -> Result<Option<String>, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT value FROM local WHERE ns = ?1 AND key = ?2")?;
        Ok(statement.query_row(params![ns, key], |row| lossy(row, 0)).optional()?)
    }

    /// A row of a local table, or why what stands there cannot be read: that must not look like no row.
    pub fn local_row<T: DeserializeOwned>(&self, ns: &str, key: &str) -> Result<Option<Result<T, String>>, StoreError> {
        Ok(self.local_text(ns, key)?.map(|text| serde_json::from_str(&text).map_err(|e| e.to_string())))
    }

    /// A row of a local table that only saves work or is written again by itself: one that cannot be read is none.
    pub fn local_or_none<T: DeserializeOwned>(&self, ns: &str, key: &str) -> Result<Option<T>, StoreError> {
        Ok(self.local_row(ns, key)?.and_then(Result::ok))
    }

    /// All of a local table as it stands there, by key.
    pub fn local_texts(&self, ns: &str) -> Result<Vec<(String, String)>, StoreError> {
        self.rows("SELECT key, value FROM local WHERE ns = ?1 ORDER BY key", [ns], |row| {
            Ok((lossy(row, 0)?, lossy(row, 1)?))
        })
    }

    /// The keys of a local table.
    pub fn local_keys(&self, ns: &str) -> Result<Vec<String>, StoreError> {
        self.rows("SELECT key FROM local WHERE ns = ?1", [ns], |row| Ok(lossy(row, 0)?))
    }

    /// Whether there is a value of this key, whatever it is.
    pub fn has_local(&self, ns: &str, key: &str) -> Result<bool, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT 1 FROM local WHERE ns = ?1 AND key = ?2")?;
        Ok(statement.exists(params![ns, key])?)
    }

    /// A setting of the store.
    pub fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT value FROM settings WHERE key = ?1")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?)
    }

    /// All settings, by key.
    pub fn settings(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.rows("SELECT key, value FROM settings ORDER BY key", [], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// What an agent holds.
    pub fn hook(&self, agent: &Address) -> Result<Option<Hook>, StoreError> {
        self.one_hook("agent", &agent.to_string())
    }

    /// Who holds a bead.
    pub fn hook_of(&self, bead: &BeadId) -> Result<Option<Hook>, StoreError> {
        self.one_hook("bead", bead.as_str())
    }

    /// All hooks, by agent.
    pub fn hooks(&self) -> Result<Vec<Hook>, StoreError> {
        self.rows("SELECT agent, bead, molecule, epoch, since FROM hooks ORDER BY agent", [], hook)
    }

    fn one_hook(&self, column: &str, value: &str) -> Result<Option<Hook>, StoreError> {
        let sql = format!("SELECT agent, bead, molecule, epoch, since FROM hooks WHERE {column} = ?1");
        Ok(self.rows(&sql, [value], hook)?.pop())
    }
}
