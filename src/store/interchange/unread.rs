//! Which beads of a file were never read here: what is written over it would lose them.

use std::collections::{BTreeSet, HashSet};

use super::import::read_file;
use super::lines::split;
use crate::base::BeadId;
use crate::store::read::SEEN;
use crate::store::{Read, StoreError};

/// What is looked at of a line that can be read.
#[derive(serde::Deserialize)]
struct Named {
    id: BeadId,
}

impl Read<'_> {
    /// The beads of a file of issues that this store has neither now nor as deleted ones, nor had as wisps. `exported` is what is to take
    /// its place: of lines that stand there nothing needs to be found out.
    pub fn unread(&self, file: &[u8], exported: &[u8]) -> Result<BTreeSet<BeadId>, StoreError> {
        let same: HashSet<&[u8]> = exported.split(|byte| *byte == b'\n').collect();
        let (mut named, mut odd) = (BTreeSet::new(), Vec::new());
        for line in split(file) {
            if line.bytes.is_some_and(|bytes| same.contains(bytes)) {
                continue;
            }
            if let Ok(Named { id }) = serde_json::from_str(&line.text) {
                named.insert(id);
            } else {
                odd.extend_from_slice(line.text.as_bytes());
                odd.push(b'\n');
            }
        }
        if !odd.is_empty() {
            // As an import would read them.
            named.extend(read_file(&odd, self.prefix()?.as_str()).0.into_iter().map(|bead| bead.id));
        }
        if !named.is_empty() {
            let sql = format!("SELECT b.id FROM beads b WHERE {SEEN}");
            for id in self.rows(&sql, [], |row| Ok(row.get::<_, String>(0)?))? {
                named.remove(id.as_str());
            }
        }
        let mut unread = BTreeSet::new();
        for id in named {
            if !self.is_erased(&id)? {
                unread.insert(id);
            }
        }
        Ok(unread)
    }
}
