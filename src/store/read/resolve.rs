//! From what people type to an id.

use super::Read;
use crate::base::BeadId;
use crate::base::text;
use crate::store::error::HANDFUL;
use crate::store::{StoreError, row};

impl Read<'_> {
    /// The id that `text` means: exact, without its prefix, or any part of the hash that only one bead has.
    ///
    /// Deleted beads answer only to their whole id, and a child never to that of its parent, also when there is none
    /// any more.
    pub fn resolve(&self, text: &str) -> Result<BeadId, StoreError> {
        let text = text.trim();
        if let Ok(id) = BeadId::new(text)
            && self.stored(&id)?.is_some()
        {
            return Ok(id);
        }
        if let Ok(id) = BeadId::new(format!("{}-{text}", self.prefix()?))
            && self.stored(&id)?.is_some()
        {
            return Ok(id);
        }
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        if text.is_empty() || !plain {
            return Err(self.not_found(text)?);
        }
        // One pass over the ids alone: the index on `id` covers it.
        let mut statement = self
            .conn
            .prepare_cached("SELECT b.id, b.num FROM beads b WHERE instr(b.id, ?1) > 0 ORDER BY b.id LIMIT 500")?;
        let wanted = text.to_ascii_lowercase();
        let mut rows = statement.query([&wanted])?;
        let (mut whole, mut part) = (Vec::new(), Vec::new());
        while let Some(r) = rows.next()? {
            let id = row::id(&r.get::<_, String>(0)?)?;
            let hash = &id.as_str()[id.prefix().len().min(id.as_str().len())..];
            let hash = hash.strip_prefix('-').unwrap_or(hash);
            let below = |whole: &str| whole.strip_prefix(&wanted).is_some_and(|rest| rest.starts_with('.'));
            if below(hash) || below(id.as_str()) {
                continue;
            }
            if hash == wanted {
                whole.push(id);
            } else if hash.contains(&wanted) || id.as_str().starts_with(&wanted) {
                part.push(id);
            }
        }
        drop(rows);
        for mut found in [whole, part] {
            let mut seen = Vec::new();
            for id in found.drain(..) {
                if seen.len() > HANDFUL {
                    break;
                }
                if self.bead(&id)?.is_some_and(|b| b.status != "tombstone") {
                    seen.push(id);
                }
            }
            match seen.len() {
                0 => {}
                1 => return Ok(seen.remove(0)),
                _ => return Err(StoreError::Ambiguous { given: text.to_owned(), matches: seen }),
            }
        }
        if let Ok(id) = BeadId::new(text)
            && self.is_erased(&id)?
        {
            return Err(StoreError::Erased(id));
        }
        Err(self.not_found(text)?)
    }

    /// The error that there is no bead `given`, with an id like it.
    pub(in crate::store) fn not_found(&self, given: &str) -> Result<StoreError, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id FROM beads INDEXED BY open_updated WHERE over = 0 ORDER BY updated_ns DESC LIMIT 2000",
        )?;
        let ids = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        let similar = text::similar(given, ids.iter().map(String::as_str)).map(str::to_owned);
        Ok(StoreError::NotFound { given: given.chars().take(80).collect(), similar })
    }
}
