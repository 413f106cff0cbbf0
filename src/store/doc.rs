//! The ledger file of a bead: canonical JSON, with the stamps that let copies merge without a base.
//!
//! The keys of the bead stand in the order of the format, then `_v`:
//! `{"clock": {"*": stamp, "<field>": stamp}, "labels": {"<label>": [added, removed?]},
//! "deps": {"<target>|<kind>": […]}, "comments": {"<uid>": […]}}`. Members that were removed stay in `_v`.

use serde_json::{Value, json};

use super::row::Stored;
use super::{Map, Read, StoreError};

/// The ledger file of `stored`, ended by a line feed.
pub(super) fn ledger_file(read: &Read<'_>, stored: &Stored) -> Result<String, StoreError> {
    let mut bead = stored.bead.clone();
    bead.dependencies = read.deps(&bead.id)?;
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
        (
            "deps",
            pairs(
                read,
                "SELECT d.depends_on_id || '|' || d.kind, d.added, d.removed FROM deps d
                 JOIN beads b ON b.id = d.issue_id WHERE b.num = ?1 ORDER BY 1",
                stored.num,
            )?,
        ),
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
        "SELECT uid, id, author, text, created_at, live, added, removed FROM comments WHERE bead = ?1 ORDER BY uid",
        [num],
        |r| {
            let live: bool = r.get(5)?;
            let value = json!({
                "uid": r.get::<_, String>(0)?, "id": r.get::<_, i64>(1)?, "author": r.get::<_, String>(2)?,
                "text": r.get::<_, String>(3)?, "created_at": r.get::<_, String>(4)?,
            });
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
