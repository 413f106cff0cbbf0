//! Reading `issues.jsonl`: staged in short transactions, seen all at once.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::line::{format_line, parse_line};
use crate::base::{BeadId, Time};
use crate::store::{Batch, Bead, Read, Stamp, Store, StoreError};

/// Beads written in one transaction: a few tens of milliseconds.
const CHUNK: usize = 400;

/// Something about a line that its owner should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The line, counted from 1.
    pub line: usize,
    /// The bead, as far as it is known.
    pub id: String,
    /// What was found and what was done.
    pub text: String,
    /// Nothing of the line was imported.
    pub lost: bool,
}

/// What came of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Beads that were not here.
    pub created: usize,
    /// Beads that were here and older.
    pub updated: usize,
    /// Beads that were here, the same or newer.
    pub unchanged: usize,
    /// Beads that were deleted here and stay so.
    pub deleted_here: usize,
    /// Lines repaired, and lines that could not be read.
    pub findings: Vec<Finding>,
}

/// A line on its way in.
#[derive(Debug, Clone)]
pub(in crate::store) struct Incoming {
    pub(in crate::store) bead: Bead,
    /// The line itself, when our writer would not reproduce it, or would not write it.
    pub(in crate::store) source: Option<String>,
}

impl Store {
    /// Imports the text of an `issues.jsonl`. Lines that can be read come in, whatever the others are like.
    ///
    /// A bead that is here is changed only by a newer line; one that was deleted here stays deleted.
    pub fn import(&mut self, by: &Stamp, text: &[u8]) -> Result<Imported, StoreError> {
        let mut report = Imported::default();
        let incoming = read_lines(text, &mut report);
        let here = self.read::<_, StoreError>(|r| standing(r, incoming.keys()))?;
        let (mut new, mut newer) = (Vec::new(), Vec::new());
        for (id, line) in incoming {
            match here.get(id.as_str()) {
                None => new.push(line),
                Some((true, _)) => report.deleted_here += 1,
                Some((false, updated)) if line.bead.updated_at > *updated => newer.push(line),
                Some(_) => report.unchanged += 1,
            }
        }
        report.created = new.len();
        report.updated = newer.len();
        let batch = self.write::<_, StoreError>(by, |w| w.new_batch("import"))?;
        let staged = self.stage_import(by, batch, &new, &newer);
        if let Err(error) = staged {
            self.write::<_, StoreError>(by, |w| w.discard(batch))?;
            return Err(error);
        }
        while self.write::<_, StoreError>(by, |w| w.settle(4 * CHUNK))? {}
        Ok(report)
    }

    fn stage_import(
        &mut self,
        by: &Stamp,
        batch: Batch,
        new: &[Incoming],
        newer: &[Incoming],
    ) -> Result<(), StoreError> {
        for chunk in new.chunks(CHUNK) {
            self.write::<_, StoreError>(by, |w| chunk.iter().try_for_each(|line| w.stage_line(batch, line)))?;
        }
        for chunk in new.chunks(CHUNK) {
            self.write::<_, StoreError>(by, |w| chunk.iter().try_for_each(|line| w.stage_edges(batch, &line.bead)))?;
        }
        self.write::<_, StoreError>(by, |w| {
            w.publish(batch)?;
            newer.iter().try_for_each(|line| w.overwrite(line))?;
            w.hold_circles(new.iter().chain(newer).map(|line| &line.bead))?;
            let payload = serde_json::json!({ "created": new.len(), "updated": newer.len() });
            w.emit("imported", "issues.jsonl", payload).map(|_| ())
        })
    }
}

/// The beads of a file by id; of two lines for one bead the newer.
fn read_lines(text: &[u8], report: &mut Imported) -> BTreeMap<BeadId, Incoming> {
    let mut incoming: BTreeMap<BeadId, Incoming> = BTreeMap::new();
    for (number, bytes) in (1..).zip(text.split(|b| *b == b'\n')) {
        let line = String::from_utf8_lossy(bytes);
        let line = line.trim_end_matches('\r');
        if line.trim().is_empty() {
            continue;
        }
        let mut found = |id: &str, text: String, lost| {
            report.findings.push(Finding { line: number, id: id.to_owned(), text, lost });
        };
        if std::str::from_utf8(bytes).is_err() {
            found("", "bytes that are no UTF-8 became U+FFFD".to_owned(), false);
        }
        match parse_line(line.trim_start_matches('\u{feff}')) {
            Err(reason) => found("", reason, true),
            Ok(parsed) => {
                for repair in parsed.repairs {
                    found(parsed.bead.id.as_str(), repair, false);
                }
                let kept = parsed.bead.ephemeral || format_line(&parsed.bead) != line;
                let source = kept.then(|| line.to_owned());
                let id = parsed.bead.id.clone();
                let older = incoming.get(&id).is_some_and(|there| there.bead.updated_at > parsed.bead.updated_at);
                if incoming.contains_key(&id) {
                    found(id.as_str(), "the id comes twice; the newer line counts".to_owned(), false);
                }
                if !older {
                    incoming.insert(id, Incoming { bead: parsed.bead, source });
                }
            }
        }
    }
    incoming
}

/// Of beads that are here: whether they are deleted, and when they last changed.
fn standing<'i>(
    r: &Read<'_>,
    ids: impl Iterator<Item = &'i BeadId>,
) -> Result<HashMap<String, (bool, Time)>, StoreError> {
    let mut here = HashMap::new();
    for id in ids {
        if let Some(bead) = r.bead(id)? {
            here.insert(id.to_string(), (bead.status == "tombstone", bead.updated_at));
        }
    }
    Ok(here)
}
