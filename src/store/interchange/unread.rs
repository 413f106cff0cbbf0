//! What of a file was never read here: what is written over it would lose that.

use std::collections::{BTreeSet, HashSet};

use super::import::{foreign, read_file};
use super::lines::split;
use crate::base::BeadId;
use crate::store::read::SEEN;
use crate::store::{Read, StoreError};

/// What is looked at of a line that can be read.
#[derive(serde::Deserialize)]
struct Named {
    id: BeadId,
}

/// What of a file of issues was never read here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    /// Beads that the store has neither now nor as deleted ones, nor had as wisps.
    pub beads: BTreeSet<BeadId>,
    /// Lines of which an import reads nothing, counted from 1.
    pub lines: Vec<usize>,
}

impl Read<'_> {
    /// What of a file of issues was never read here. `exported` is what is to take its place: of lines that stand there
    /// nothing needs to be found out.
    pub fn unread(&self, file: &[u8], exported: &[u8]) -> Result<Unread, StoreError> {
        let same: HashSet<&[u8]> = exported.split(|byte| *byte == b'\n').collect();
        let (mut named, mut odd, mut numbers) = (BTreeSet::new(), Vec::new(), Vec::new());
        let mut unread = Unread::default();
        for line in split(file) {
            if line.bytes.is_some_and(|bytes| same.contains(bytes)) {
                continue;
            }
            if let Ok(Named { id }) = serde_json::from_str(&line.text) {
                named.insert(id);
            } else if foreign(&line.text).is_some() {
                unread.lines.push(line.number);
            } else {
                odd.extend_from_slice(line.text.as_bytes());
                odd.push(b'\n');
                numbers.push(line.number);
            }
        }
        if !odd.is_empty() {
            // As an import would read them.
            let (beads, findings) = read_file(&odd, self.prefix()?.as_str());
            named.extend(beads.into_iter().map(|bead| bead.id));
            let lost = findings.iter().filter(|finding| finding.lost);
            unread.lines.extend(lost.filter_map(|finding| numbers.get(finding.line - 1).copied()));
            unread.lines.sort_unstable();
            unread.lines.dedup();
        }
        if !named.is_empty() {
            let sql = format!("SELECT b.id FROM beads b WHERE {SEEN}");
            for id in self.rows(&sql, [], |row| Ok(row.get::<_, String>(0)?))? {
                named.remove(id.as_str());
            }
        }
        for id in named {
            if !self.is_erased(&id)? {
                unread.beads.insert(id);
            }
        }
        Ok(unread)
    }
}
