//! The ledger file of a bead: canonical JSON, with the stamps that let copies merge without a base.
//!
//! The keys of the bead stand in the order of the format, then `_v`:
//! `{"clock": {"*": stamp, "<field>": stamp}, "labels": {"<label>": [added, removed?]},
//! "deps": {"<target>|<kind>": […]}, "comments": {"<uid>": […]}}`. Members that were removed stay in `_v`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::row::{self, Stored};
use super::stamp::Tick;
use super::{Bead, Dep, DepKind, Map, Read, StoreError};
use crate::base::BeadId;

impl Read<'_> {
    /// The ledger file of a bead as it stands here; none for a wisp, and for a bead that is not here.
    pub fn ledger_doc(&self, id: &BeadId) -> Result<Option<String>, StoreError> {
        match self.stored(id)?.filter(|stored| !stored.bead.ephemeral) {
            Some(stored) => ledger_file(self, &stored).map(Some),
            None => Ok(None),
        }
    }

    /// The beads that have a ledger file, by id: all but wisps, deleted ones too.
    pub fn ledger_ids(&self) -> Result<Vec<BeadId>, StoreError> {
        let sql = format!("SELECT b.id FROM beads b WHERE b.ephemeral = 0 AND {} ORDER BY b.id", super::read::SEEN);
        self.rows(&sql, [], |r| row::id(&r.get::<_, String>(0)?))
    }
}

/// The ledger file of `stored`, ended by a line feed.
pub(super) fn ledger_file(read: &Read<'_>, stored: &Stored) -> Result<String, StoreError> {
    let mut bead = stored.bead.clone();
    let mut deps = BTreeMap::new();
    for edge in read.edges_ever(&bead.id)? {
        deps.insert(edge_name(&edge.dep.depends_on_id, &edge.dep.kind), stamp_pair(edge.added, edge.removed));
        bead.dependencies.extend(edge.live.then_some(edge.dep));
    }
    bead.dependencies.sort_by(|a, b| (&a.depends_on_id, &a.kind).cmp(&(&b.depends_on_id, &b.kind)));
    let odd = |e: serde_json::Error| StoreError::Damaged { path: "beads.db".into(), detail: e.to_string() };
    let mut file = match serde_json::to_value(&bead).map_err(odd)? {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    let (comments, comment_stamps) = comments(read, stored.num)?;
    if !comments.is_empty() {
        file.insert("comments".to_owned(), comments.into());
    }
    let mut stamps = Map::new();
    let mut clock: Map = serde_json::from_str(&stored.stamps).map_err(odd)?;
    clock.sort_keys();
    stamps.insert("clock".to_owned(), clock.into());
    let sets = [
        ("labels", pairs(read, "SELECT label, added, removed FROM labels WHERE bead = ?1 ORDER BY label", stored.num)?),
        ("deps", deps.into_iter().collect()),
        ("comments", comment_stamps),
    ];
    for (name, set) in sets {
        if !set.is_empty() {
            stamps.insert(name.to_owned(), set.into());
        }
    }
    file.insert("_v".to_owned(), stamps.into());
    Ok(format!("{}\n", Value::Object(file)))
}

/// What an edge is called in `_v`.
fn edge_name(target: &impl std::fmt::Display, kind: &impl std::fmt::Display) -> String {
    format!("{target}|{kind}")
}

fn pairs(read: &Read<'_>, sql: &str, num: i64) -> Result<Map, StoreError> {
    let rows = read
        .rows(sql, [num], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?, r.get::<_, Option<String>>(2)?)))?;
    Ok(rows.into_iter().map(|(key, added, removed)| (key, stamp_pair(added, removed))).collect())
}

fn stamp_pair(added: String, removed: Option<String>) -> Value {
    match removed {
        Some(removed) => json!([added, removed]),
        None => json!([added]),
    }
}

/// The live comments by their lasting names, and the stamps of all.
fn comments(read: &Read<'_>, num: i64) -> Result<(Vec<Value>, Map), StoreError> {
    let rows = read.rows(
        "SELECT uid, id, author, text, created_at, live, added, removed, other FROM comments WHERE bead = ?1 ORDER BY uid",
        [num],
        |r| {
            let live: bool = r.get(5)?;
            let mut value = json!({
                "uid": r.get::<_, String>(0)?, "id": r.get::<_, i64>(1)?, "author": r.get::<_, String>(2)?,
                "text": r.get::<_, String>(3)?, "created_at": r.get::<_, String>(4)?,
            });
            for (key, more) in row::unpacked(&r.get::<_, String>(8)?)? {
                if value.get(&key).is_none() {
                    value[key] = more;
                }
            }
            Ok((r.get::<_, String>(0)?, live.then_some(value), stamp_pair(r.get(6)?, r.get(7)?)))
        },
    )?;
    let mut values = Vec::new();
    let mut stamps = Map::new();
    for (uid, value, stamp) in rows {
        values.extend(value);
        stamps.insert(uid, stamp);
    }
    Ok((values, stamps))
}

/// When a member of a set came and last went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) added: String,
    pub(super) removed: Option<String>,
}

/// The keys of a comment in a ledger file.
const SAID: [&str; 5] = ["uid", "id", "author", "text", "created_at"];

/// A comment as a ledger file has it.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) id: i64,
    pub(super) author: String,
    pub(super) text: String,
    pub(super) created_at: String,
    /// Keys that this program does not know.
    pub(super) other: Map,
}

/// A ledger file, read: a bead with the stamps of all its parts. A member of a set without a value was removed.
#[derive(Debug, Clone)]
pub struct LedgerDoc {
    /// The bead with its live labels and edges.
    pub(super) bead: Bead,
    pub(super) clock: Map,
    pub(super) labels: Vec<(String, Span)>,
    pub(super) deps: Vec<(BeadId, DepKind, Span, Option<Dep>)>,
    pub(super) comments: Vec<(String, Span, Option<Said>)>,
}

impl LedgerDoc {
    /// Reads a ledger file; the error says why it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut file: Map = serde_json::from_str(text).map_err(|e| format!("no JSON object: {e}"))?;
        let take = |map: &mut Map, key: &str| match map.shift_remove(key) {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        };
        let mut stamps = take(&mut file, "_v");
        let said = match file.shift_remove("comments") {
            Some(Value::Array(all)) => all,
            _ => Vec::new(),
        };
        let clock = take(&mut stamps, "clock");
        let mut sets = ["labels", "deps", "comments"].map(|name| spans(take(&mut stamps, name)));
        let bead: Bead = serde_json::from_value(Value::Object(file)).map_err(|e| e.to_string())?;
        let unstamped = || Span { added: String::new(), removed: None };
        let [label_spans, dep_spans, comment_spans] = &mut sets;
        let mut labels: Vec<(String, Span)> = Vec::new();
        for label in &bead.labels {
            labels.push((label.clone(), label_spans.remove(label).unwrap_or_else(unstamped)));
        }
        labels.extend(std::mem::take(label_spans));
        let mut deps = Vec::new();
        for dep in &bead.dependencies {
            let span = dep_spans.remove(&edge_name(&dep.depends_on_id, &dep.kind)).unwrap_or_else(unstamped);
            deps.push((dep.depends_on_id.clone(), dep.kind.clone(), span, Some(dep.clone())));
        }
        for (name, span) in std::mem::take(dep_spans) {
            if let Some((target, kind)) = name.split_once('|')
                && let Ok(target) = BeadId::new(target)
            {
                deps.push((target, DepKind::new(kind), span, None));
            }
        }
        let mut comments = Vec::new();
        for value in said {
            let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
            let mut other = value.as_object().cloned().unwrap_or_default();
            other.retain(|key, _| !SAID.contains(&key.as_str()));
            let said = Said {
                id: value["id"].as_i64().unwrap_or_default(),
                author: text("author"),
                text: text("text"),
                created_at: text("created_at"),
                other,
            };
            let span = comment_spans.remove(&text("uid")).unwrap_or_else(unstamped);
            comments.push((text("uid"), span, Some(said)));
        }
        comments.extend(std::mem::take(comment_spans).into_iter().map(|(uid, span)| (uid, span, None)));
        Ok(Self { bead, clock, labels, deps, comments })
    }

    /// The bead with its live labels and edges.
    pub fn bead(&self) -> &Bead {
        &self.bead
    }

    /// The newest clock value in it.
    pub(super) fn newest(&self) -> Tick {
        let clock = self.clock.values().filter_map(Value::as_str);
        let spans = self.labels.iter().map(|(_, s)| s).chain(self.deps.iter().map(|(_, _, s, _)| s));
        let spans = spans.chain(self.comments.iter().map(|(_, s, _)| s));
        let members = spans.flat_map(|s| [Some(s.added.as_str()), s.removed.as_deref()]).flatten();
        clock.chain(members).filter_map(Tick::parse).max().unwrap_or_default()
    }
}

fn spans(pairs: Map) -> BTreeMap<String, Span> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let span = |pair: &Value| Span { added: text(pair.get(0)).unwrap_or_default(), removed: text(pair.get(1)) };
    pairs.iter().map(|(name, pair)| (name.clone(), span(pair))).collect()
}
