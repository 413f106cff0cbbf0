//! Reading `issues.jsonl`: staged in short transactions, seen all at once.

use std::collections::BTreeMap;

use serde::Serialize;

use super::clash;
use super::line::{ParsedLine, format_line, parse_line};
use super::lines::{Line, is_conflict_marker, split};
use crate::base::fault::{Point, pass};
use crate::base::{BeadId, Prefix};
use crate::store::{Batch, Bead, Stamp, Store, StoreError};

/// Beads written in one transaction: a few tens of milliseconds.
const CHUNK: usize = 400;
/// What the batches of an import are called.
const BATCH: &str = "import";
/// Held by the one import that is at work.
const LOCK: &str = "import.lock";

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
    pub(in crate::store) source: Option<Vec<u8>>,
    /// Where it stands, counted from 1.
    pub(super) number: usize,
    /// Whether it says when the bead was made.
    pub(super) dated: bool,
}

impl Store {
    /// Imports the text of an `issues.jsonl`. Lines that can be read come in, whatever the others are like.
    ///
    /// A bead that is here is changed only by a newer line; one that was deleted here stays deleted.
    pub fn import(&mut self, by: &Stamp, text: &[u8]) -> Result<Imported, StoreError> {
        let mut report = Imported::default();
        let _alone = self.hold(LOCK)?;
        self.drop_left_over(by)?;
        let prefix = self.prefix()?;
        let mut incoming = read_lines(text, prefix.as_str(), &mut report);
        let here = self.read(|r| clash::tell_apart(r, &mut incoming, prefix.as_str(), &mut report.findings))?;
        let (mut new, mut newer) = (Vec::new(), Vec::new());
        for (id, line) in incoming {
            match here.get(id.as_str()) {
                None => new.push(line),
                Some(there) if there.deleted => report.deleted_here += 1,
                Some(there) if line.bead.updated_at > there.updated => newer.push(line),
                Some(_) => report.unchanged += 1,
            }
        }
        report.created = new.len();
        report.updated = newer.len();
        let batch = self.write::<_, StoreError>(by, |w| w.new_batch(BATCH))?;
        let staged = self.stage_import(by, batch, &new, &newer);
        if let Err(error) = staged {
            self.write::<_, StoreError>(by, |w| w.discard(batch))?;
            return Err(error);
        }
        pass(Point::ImportPublished);
        while self.write::<_, StoreError>(by, |w| w.settle(4 * CHUNK))? {}
        Ok(report)
    }

    /// Drops what an import left that was killed: it holds ids. Only the holder of the lock may do it.
    fn drop_left_over(&mut self, by: &Stamp) -> Result<(), StoreError> {
        if self.read::<_, StoreError>(|r| r.staged(BATCH))?.is_empty() {
            return Ok(());
        }
        self.write(by, |w| w.staged(BATCH)?.into_iter().try_for_each(|batch| w.discard(batch)))
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
            pass(Point::ImportStaged);
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

/// The beads of a file by id.
fn read_lines(file: &[u8], prefix: &str, report: &mut Imported) -> BTreeMap<BeadId, Incoming> {
    let mut incoming: BTreeMap<BeadId, Incoming> = BTreeMap::new();
    for line in split(file) {
        let mut found = |id: &str, text: String, lost| {
            report.findings.push(Finding { line: line.number, id: id.to_owned(), text, lost });
        };
        line.notes.iter().for_each(|note| found("", note.clone(), false));
        if is_conflict_marker(&line.text) {
            found(
                "",
                "a conflict marker; both sides are read, and of one bead the newer line counts".to_owned(),
                false,
            );
            continue;
        }
        let mut parts = objects(&line.text);
        if parts.len() > 1 {
            found("", format!("{} objects stand on one line", parts.len()), false);
        }
        let whole = parts.len() == 1;
        for part in parts.drain(..) {
            match parse_line(part, prefix) {
                Err(reason) => found("", reason, true),
                Ok(ParsedLine { bead, repairs, dated }) => {
                    for repair in repairs {
                        found(bead.id.as_str(), repair, false);
                    }
                    let source = source(&bead, &line, whole);
                    if let Some(note) =
                        add(&mut incoming, Incoming { bead, source, number: line.number, dated }, prefix)
                    {
                        found(&note.0, note.1, false);
                    }
                }
            }
        }
    }
    incoming
}

/// The objects of a line; nearly always the line itself.
fn objects(text: &str) -> Vec<&str> {
    if !text.contains("}{") && !text.contains("} {") && !text.contains("},{") {
        return vec![text];
    }
    let (mut parts, mut rest) = (Vec::new(), text);
    loop {
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<serde::de::IgnoredAny>();
        let end = match stream.next() {
            Some(Ok(_)) => stream.byte_offset(),
            _ => rest.len(),
        };
        parts.push(&rest[..end]);
        let next = rest[end..].trim_start_matches([',', ' ', '\t']);
        if !next.starts_with('{') {
            // What else follows the last object is told when that is read.
            if let Some(last) = parts.pop() {
                let start = last.as_ptr() as usize - text.as_ptr() as usize;
                parts.push(&text[start..]);
            }
            return parts;
        }
        rest = next;
    }
}

/// The bytes of the line, when our writer would not reproduce them, or would not write the bead.
fn source(bead: &Bead, line: &Line<'_>, whole: bool) -> Option<Vec<u8>> {
    let bytes = line.bytes.filter(|_| whole)?;
    (bead.ephemeral || format_line(bead).as_bytes() != bytes).then(|| bytes.to_vec())
}

/// Adds a bead. Of two lines for one bead the newer counts, the later one of equals; two beads that were made at
/// different times are not one, and the second gets another id. Says which it was.
fn add(all: &mut BTreeMap<BeadId, Incoming>, mut line: Incoming, prefix: &str) -> Option<(String, String)> {
    let id = line.bead.id.clone();
    let Some(there) = all.get(&id) else {
        all.insert(id, line);
        return None;
    };
    let (a, b) = (&there.bead, &line.bead);
    if a.created_at != b.created_at && a.title != b.title {
        if let Some(other) = clash::other_id(&id, b.created_at, prefix) {
            let note = format!(
                "the id comes twice for two beads; `{}` is {other} now",
                crate::base::text::headline(&b.title, 40)
            );
            line.bead.dependencies.iter_mut().for_each(|dep| dep.issue_id = other.clone());
            line.bead.comments.iter_mut().for_each(|comment| comment.issue_id = other.clone());
            line.bead.id = other.clone();
            line.source = None;
            all.insert(other, line);
            return Some((id.to_string(), note));
        }
    }
    if a.updated_at <= b.updated_at {
        all.insert(id.clone(), line);
    }
    Some((id.to_string(), "the id comes twice; the newer line counts".to_owned()))
}

/// The beads of a file as they would be imported, and what would be said of it; nothing is written.
pub fn read_file(file: &[u8], prefix: &str) -> (Vec<Bead>, Vec<Finding>) {
    let mut report = Imported::default();
    let incoming = read_lines(file, prefix, &mut report);
    (incoming.into_values().map(|line| line.bead).collect(), report.findings)
}

/// What most ids of a file begin with.
pub fn main_prefix(file: &[u8]) -> Option<Prefix> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in split(file).iter().take(1000) {
        if let Ok(parsed) = parse_line(&line.text, "") {
            *counts.entry(parsed.bead.id.prefix().to_owned()).or_default() += 1;
        }
    }
    counts.into_iter().max_by_key(|(_, n)| *n).and_then(|(prefix, _)| Prefix::new(prefix).ok())
}
