//! Reading `issues.jsonl`: new beads are staged in short transactions and seen all at once; newer lines of beads that
//! are here follow, each of them whole, a few in a transaction.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::clash::{self, Standing};
use super::line::{ParsedLine, format_line, parse_line};
use super::lines::{Line, is_conflict_marker, split};
use super::members::{self, Guesses};
use crate::base::fault::{Point, pass};
use crate::base::{BeadId, Prefix};
use crate::store::order;
use crate::store::row::ODD_DEPENDENCIES;
use crate::store::{Batch, Bead, Map, Read, Stamp, Store, StoreError, Write};

/// Beads written in one transaction: a few tens of milliseconds.
const CHUNK: usize = 400;
/// Newer lines written in one transaction, for the same time: what is here is compared, and judged again.
const NEWER: usize = 50;
/// What the batches of an import are called, one of [`super::super::KINDS`].
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
    /// Lines that are no beads and say so, such as the memories of other trackers: written back as they are.
    #[serde(skip)]
    pub(super) foreign: Vec<String>,
}

impl Imported {
    /// Whether a line for a bead that is here counts; tallies it if not.
    fn counts(&mut self, line: &Incoming, there: Option<&Standing>) -> bool {
        match there {
            Some(there) if !there.deleted && line.bead.updated_at > there.updated => return true,
            // It says the same, and leads where it led to nothing when it came in first.
            Some(there) if !there.deleted && line.rejoined && there.odd && line.bead.updated_at == there.updated => {
                return true;
            }
            Some(there) if !there.deleted => self.unchanged += 1,
            _ => self.deleted_here += 1,
        }
        false
    }
}

/// A line on its way in.
#[derive(Debug, Clone)]
pub(in crate::store) struct Incoming {
    pub(in crate::store) bead: Bead,
    /// What of its edges and comments the line does not state.
    pub(in crate::store) guesses: Guesses,
    /// The line itself, when our writer would not reproduce it, or would not write it.
    pub(in crate::store) source: Option<Vec<u8>>,
    /// Where it stands, counted from 1.
    pub(super) number: usize,
    /// Whether it says when the bead was made.
    pub(super) dated: bool,
    /// The edges that other lines of the file show for the bead: this one does not say that they were removed.
    pub(in crate::store) spared: Vec<String>,
    /// Whether edges of it lead to a bead that got another id.
    pub(super) rejoined: bool,
    /// Whether the file has dependencies in its lines, so that one without them says that there are none.
    pub(in crate::store) tells_edges: bool,
}

impl Incoming {
    /// The edges that the file shows for the bead, as they are noted.
    pub(in crate::store) fn shows(&self) -> Vec<String> {
        let mut all = shown(&self.bead);
        for edge in &self.spared {
            if !all.contains(edge) {
                all.push(edge.clone());
            }
        }
        all
    }
}

impl Incoming {
    /// Takes the comments over that the other line for the bead alone has.
    fn join_comments(&mut self, other: &mut Self) {
        let have: HashSet<String> = self.bead.comments.iter().map(order::uid).collect();
        for (n, comment) in other.bead.comments.drain(..).enumerate() {
            if !have.contains(&order::uid(&comment)) {
                self.guesses.guess_comment(self.bead.comments.len(), &other.guesses, n);
                self.bead.comments.push(comment);
            }
        }
    }
}

/// The beads of a text by their ids, and where those of them stand that are here.
type Compared = (BTreeMap<BeadId, Incoming>, HashMap<String, Standing>);

impl Store {
    /// Imports the text of an `issues.jsonl`. Lines that can be read come in, whatever the others are like.
    ///
    /// A bead that is here is changed only by a newer line; one that was deleted here stays deleted.
    ///
    /// New beads are seen all at once. Newer lines are written after them, each whole or not at all; an import that
    /// is cut off among them has written some, and done again it writes the others.
    pub fn import(&mut self, by: &Stamp, text: &[u8]) -> Result<Imported, StoreError> {
        let mut report = Imported::default();
        let _alone = self.hold(LOCK)?;
        self.drop_left_over(by)?;
        let _none_leaves = self.none_leaving(by, CHUNK)?;
        let (incoming, here) = self.compared(text, &mut report)?;
        let (mut new, mut known) = (Vec::new(), Vec::new());
        for (id, line) in incoming {
            if here.contains_key(id.as_str()) { known.push(line) } else { new.push(line) }
        }
        self.note_shown(by, &known, &here)?;
        report.created = new.len();
        let batch = self.write::<_, StoreError>(by, |w| w.new_batch(BATCH))?;
        let staged = self.stage_import(by, batch, &new);
        if let Err(error) = staged {
            self.write::<_, StoreError>(by, |w| w.discard(batch))?;
            return Err(error);
        }
        pass(Point::ImportPublished);
        while self.write::<_, StoreError>(by, |w| w.settle_batch(batch, 4 * CHUNK))? {}
        let newer: Vec<Incoming> =
            known.into_iter().filter(|line| report.counts(line, here.get(line.bead.id.as_str()))).collect();
        for chunk in newer.chunks(NEWER) {
            self.overwrite(by, chunk, &mut report)?;
            pass(Point::ImportOverwritten);
        }
        self.write::<_, StoreError>(by, |w| {
            let payload = serde_json::json!({ "created": report.created, "updated": report.updated });
            w.keep_foreign(&report.foreign)?;
            w.emit("imported", "issues.jsonl", payload).map(|_| ())
        })?;
        Ok(report)
    }

    /// What an import of the text would do as things are now. Edges that newer lines no longer have are found by the
    /// import itself.
    pub fn import_would(&self, text: &[u8]) -> Result<Imported, StoreError> {
        let mut report = Imported::default();
        let (incoming, here) = self.compared(text, &mut report)?;
        for (id, line) in &incoming {
            match here.get(id.as_str()) {
                None => report.created += 1,
                there => report.updated += usize::from(report.counts(line, there)),
            }
        }
        Ok(report)
    }

    /// The beads of the text, and those of them that are here.
    fn compared(&self, text: &[u8], report: &mut Imported) -> Result<Compared, StoreError> {
        let prefix = self.prefix()?;
        let mut incoming = read_lines(text, prefix.as_str(), report);
        let here = self.read(|r| {
            rejoin(&mut incoming, prefix.as_str(), &mut report.findings, |id| Ok(r.bead(id)?.is_some()))?;
            let here = clash::tell_apart(r, &mut incoming, prefix.as_str(), &mut report.findings)?;
            tell_orphans(r, &incoming, &mut report.findings)?;
            Ok::<_, StoreError>(here)
        })?;
        report.findings.sort_by_key(|finding| finding.line);
        Ok((incoming, here))
    }

    /// Brings beads that are here to the state of newer lines, in one transaction. Others may have written since the
    /// file was compared, so each is looked at again.
    fn overwrite(&mut self, by: &Stamp, chunk: &[Incoming], report: &mut Imported) -> Result<(), StoreError> {
        self.write::<_, StoreError>(by, |w| {
            let here = clash::standing(w, chunk.iter().map(|line| &line.bead.id))?;
            for line in chunk {
                if report.counts(line, here.get(line.bead.id.as_str())) {
                    for text in w.overwrite(line)? {
                        let id = line.bead.id.to_string();
                        report.findings.push(Finding { line: line.number, id, text, lost: false });
                    }
                    report.updated += 1;
                }
            }
            w.hold_circles(chunk.iter().map(|line| &line.bead))
        })
    }

    /// Notes which edges the file shows of beads that stand in it as they are here: a later line without them says
    /// that they were removed.
    fn note_shown(
        &mut self,
        by: &Stamp,
        known: &[Incoming],
        here: &HashMap<String, Standing>,
    ) -> Result<(), StoreError> {
        let noted = self.read::<_, StoreError>(|r| r.shown_edges())?;
        let as_here = |line: &&Incoming| {
            let there = here.get(line.bead.id.as_str());
            let edges = line.shows();
            there.is_some_and(|there| !there.deleted && there.updated == line.bead.updated_at)
                && !edges.is_empty()
                && noted.get(line.bead.id.as_str()) != Some(&edges)
        };
        let lines: Vec<&Incoming> = known.iter().filter(as_here).collect();
        for chunk in lines.chunks(CHUNK) {
            self.write::<_, StoreError>(by, |w| {
                chunk.iter().try_for_each(|line| w.note_shown_edges(&line.bead.id, line.shows()))
            })?;
        }
        Ok(())
    }

    /// Drops what an import left that was killed: it holds ids. Only the holder of the lock may do it.
    fn drop_left_over(&mut self, by: &Stamp) -> Result<(), StoreError> {
        if self.read::<_, StoreError>(|r| r.staged(BATCH))?.is_empty() {
            return Ok(());
        }
        self.write(by, |w| w.staged(BATCH)?.into_iter().try_for_each(|batch| w.discard(batch)))
    }

    fn stage_import(&mut self, by: &Stamp, batch: Batch, new: &[Incoming]) -> Result<(), StoreError> {
        for chunk in new.chunks(CHUNK) {
            self.write::<_, StoreError>(by, |w| chunk.iter().try_for_each(|line| w.stage_line(batch, line)))?;
            pass(Point::ImportStaged);
        }
        for chunk in new.chunks(CHUNK) {
            self.write::<_, StoreError>(by, |w| chunk.iter().try_for_each(|line| w.stage_edges(batch, &line.bead)))?;
        }
        self.write::<_, StoreError>(by, |w| {
            w.publish(batch)?;
            w.hold_circles(new.iter().map(|line| &line.bead))
        })
    }
}

/// Tells of lines whose id says that they are parts of a bead that is neither here nor in the file.
fn tell_orphans(
    r: &Read<'_>,
    incoming: &BTreeMap<BeadId, Incoming>,
    findings: &mut Vec<Finding>,
) -> Result<(), StoreError> {
    for (id, line) in incoming {
        let Some(parent) = id.parent() else { continue };
        if !incoming.contains_key(&parent) && r.bead(&parent)?.is_none() {
            let text = format!("its parent {parent} is neither here nor in the file; kept without one");
            findings.push(Finding { line: line.number, id: id.to_string(), text, lost: false });
        }
    }
    Ok(())
}

/// Where lines that are no beads are kept.
const FOREIGN: (&str, &str) = ("import", "foreign lines");

impl Read<'_> {
    /// The lines of imported files that are no beads, in their order.
    pub(super) fn foreign_lines(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.local_or_none(FOREIGN.0, FOREIGN.1)?.unwrap_or_default())
    }
}

impl Write<'_> {
    fn keep_foreign(&mut self, lines: &[String]) -> Result<(), StoreError> {
        let mut kept = self.foreign_lines()?;
        let before = kept.len();
        for line in lines {
            if !kept.contains(line) {
                kept.push(line.clone());
            }
        }
        if kept.len() > before {
            self.put_local(FOREIGN.0, FOREIGN.1, &serde_json::json!(kept))?;
        }
        Ok(())
    }
}

/// The edges that a line shows, as they are noted.
pub(in crate::store) fn shown(bead: &Bead) -> Vec<String> {
    bead.dependencies.iter().map(|dep| format!("{}|{}", dep.depends_on_id, dep.kind)).collect()
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
            found("", "a conflict marker; both sides are read".to_owned(), false);
            continue;
        }
        let mut parts = objects(&line.text);
        if parts.len() > 1 {
            found("", format!("{} objects stand on one line", parts.len()), false);
        }
        let whole = parts.len() == 1;
        for part in parts.drain(..) {
            match parse_line(part, prefix) {
                Err(_) if whole && let Some(kind) = foreign(&line.text) => {
                    found("", format!("no bead but a line of the kind `{kind}`; kept as it is"), false);
                    report.foreign.push(line.text.to_string());
                }
                Err(reason) => found("", reason, true),
                Ok(ParsedLine { bead, repairs, dated, guesses }) => {
                    for repair in repairs {
                        found(bead.id.as_str(), repair, false);
                    }
                    let source = source(&bead, &line, whole);
                    let (number, spared) = (line.number, Vec::new());
                    let (rejoined, tells_edges) = (false, false);
                    let read = Incoming { bead, guesses, source, number, dated, spared, rejoined, tells_edges };
                    if let Some(note) = add(&mut incoming, read, prefix) {
                        found(&note.0, note.1, false);
                    }
                }
            }
        }
    }
    let edges = |bead: &Bead| !bead.dependencies.is_empty() || bead.extra.contains_key(ODD_DEPENDENCIES);
    let tells = incoming.values().any(|line| edges(&line.bead));
    for line in incoming.values_mut() {
        line.tells_edges = tells;
    }
    incoming
}

/// Lets edges to ids that can be none lead to the beads that got others, in the file or, as `here` says, in the store.
fn rejoin(
    incoming: &mut BTreeMap<BeadId, Incoming>,
    prefix: &str,
    findings: &mut Vec<Finding>,
    here: impl Fn(&BeadId) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let odd: Vec<BeadId> = incoming
        .values()
        .filter(|line| line.bead.extra.contains_key(ODD_DEPENDENCIES))
        .map(|line| line.bead.id.clone())
        .collect();
    for id in odd {
        let Some(mut line) = incoming.remove(&id) else { continue };
        let there =
            |target: &BeadId| Ok::<_, StoreError>(incoming.contains_key(target) || *target == id || here(target)?);
        // Our writer will not reproduce it any more.
        let source = format_line(&order::listed(&line.bead)).into_bytes();
        line.source.get_or_insert(source);
        let edges = line.bead.dependencies.len();
        for text in members::rejoin(&mut line.bead, &mut line.guesses, prefix, there)? {
            findings.push(Finding { line: line.number, id: id.to_string(), text, lost: false });
        }
        line.rejoined = line.bead.dependencies.len() > edges;
        incoming.insert(id, line);
    }
    Ok(())
}

/// The kind of a line that says itself that it is no bead: under `_type`, as newer versions of the format have it.
pub(super) fn foreign(text: &str) -> Option<String> {
    let object: Map = serde_json::from_str(text).ok()?;
    object.get("_type")?.as_str().filter(|kind| *kind != "issue").map(str::to_owned)
}

/// What may stand between two objects on one line: some files end their lines with a carriage return alone.
const BETWEEN: [char; 6] = [',', ' ', '\t', '\r', '\0', '\u{feff}'];

/// The objects of a line; nearly always the line itself.
fn objects(text: &str) -> Vec<&str> {
    let after = |(at, _): (usize, &str)| text[at + 1..].trim_start_matches(BETWEEN).starts_with('{');
    let list = text.trim_start().strip_prefix('[').map(str::trim_start).filter(|inner| inner.starts_with('{'));
    if list.is_none() && !text.match_indices('}').any(after) {
        return vec![text];
    }
    let text = list.unwrap_or(text);
    let (mut parts, mut rest) = (Vec::new(), text);
    loop {
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<serde::de::IgnoredAny>();
        let end = match stream.next() {
            Some(Ok(_)) => stream.byte_offset(),
            _ => rest.len(),
        };
        parts.push(&rest[..end]);
        let next = rest[end..].trim_start_matches(BETWEEN);
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
    (bead.ephemeral || format_line(&order::listed(bead)).as_bytes() != bytes).then(|| bytes.to_vec())
}

/// Adds a bead. Of two lines for one bead the one that deletes it counts, then the newer, the later one of equals; it
/// takes no edge and no comment away that the other shows. Two beads that were made at different times are not one, and the second gets another id. Says which it
/// was.
fn add(all: &mut BTreeMap<BeadId, Incoming>, mut line: Incoming, prefix: &str) -> Option<(String, String)> {
    let id = line.bead.id.clone();
    let Some(there) = all.get_mut(&id) else {
        all.insert(id, line);
        return None;
    };
    let (a, b) = (&there.bead, &line.bead);
    if a.created_at != b.created_at
        && a.title != b.title
        && let Some(other) = clash::other_id(&id, b.created_at, prefix)
    {
        let note =
            format!("the id comes twice for two beads; `{}` is {other} now", crate::base::text::headline(&b.title, 40));
        clash::follow(&mut line, &BTreeMap::from([(id.clone(), other.clone())]));
        all.insert(other, line);
        return Some((id.to_string(), note));
    }
    let rank = |bead: &Bead| (bead.status == "tombstone", bead.updated_at);
    let counts = if rank(a).0 == rank(b).0 { "the newer line" } else { "the line that deletes it" };
    if rank(a) <= rank(b) {
        std::mem::swap(there, &mut line);
    }
    there.join_comments(&mut line);
    // The two sides of a conflict have not seen each other: that one has an edge and the other has not says nothing.
    there.spared.append(&mut line.spared);
    there.spared.extend(shown(&line.bead));
    Some((id.to_string(), format!("the id comes twice; {counts} counts")))
}

/// The beads of a file as they would be imported, and what would be said of it; nothing is written.
pub fn read_file(file: &[u8], prefix: &str) -> (Vec<Bead>, Vec<Finding>) {
    let mut report = Imported::default();
    let mut incoming = read_lines(file, prefix, &mut report);
    // Nothing is asked of a store, so nothing can fail.
    let _ = rejoin(&mut incoming, prefix, &mut report.findings, |_| Ok(false));
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
