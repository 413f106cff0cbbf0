//! Local tables and settings.

use serde_json::Value;

use super::Write;
use crate::store::StoreError;

impl Write<'_> {
    /// Keeps a protomolecule; false when one of that id is there already.
    pub fn put_proto(&mut self, id: &str, formula: &str, steps: usize, proto: &[u8]) -> Result<bool, StoreError> {
        let now = self.by.now.to_string();
        let sql = "INSERT OR IGNORE INTO protos (id, formula, steps, kept_at, proto) VALUES (?1, ?2, ?3, ?4, ?5)";
        Ok(self.run(sql, (id, formula, steps as i64, now, proto))? > 0)
    }

    /// Sets a value of a local table.
    pub fn put_local(&mut self, ns: &str, key: &str, value: &Value) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO local VALUES (?1, ?2, ?3) ON CONFLICT (ns, key) DO UPDATE SET value = excluded.value",
            (ns, key, value.to_string()),
        )?;
        Ok(())
    }

    /// Removes a value of a local table; false when there is none.
    pub fn delete_local(&mut self, ns: &str, key: &str) -> Result<bool, StoreError> {
        Ok(self.run("DELETE FROM local WHERE ns = ?1 AND key = ?2", (ns, key))? > 0)
    }

    /// Sets a setting; `None` removes it.
    pub fn set_setting(&mut self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        match value {
            Some(value) => self.run(
                "INSERT INTO settings VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, value),
            )?,
            None => self.run("DELETE FROM settings WHERE key = ?1", [key])?,
        };
        Ok(())
    }
}
