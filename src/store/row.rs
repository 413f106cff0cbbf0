//! A bead as a row: which column holds what, both ways.

use rusqlite::Row;
use rusqlite::types::Value as Sql;
use serde_json::Value;

use super::{Bead, Map, StoreError};
use crate::base::{BeadId, Time};

/// The columns a bead is read from, in the order of [`Stored::read`]. The table goes by `b`.
pub(super) const COLUMNS: &str = "b.num, b.id, b.batch, b.status, b.priority, b.issue_type, b.assignee, b.pinned, \
    b.ephemeral, b.is_template, b.blockers, b.children, b.open_children, b.created_at, b.updated_at, \
    b.closed_at, b.due_at, b.defer_until, b.created_by, b.owner, b.external_ref, b.labels, b.title, b.close_reason, \
    b.stamps, b.metadata, b.other, b.description, b.design, b.acceptance_criteria, b.notes";

/// A bead with what the store keeps beside it.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) num: i64,
    pub(super) batch: i64,
    pub(super) blockers: i64,
    pub(super) children: i64,
    pub(super) open_children: i64,
    pub(super) stamps: String,
    pub(super) bead: Bead,
}

impl Stored {
    /// Reads a row selected with [`COLUMNS`].
    pub(super) fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let id = id(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
        let text = |i: usize| row.get::<_, String>(i);
        let flag = |i: usize| row.get::<_, i64>(i).map(|n| n != 0);
        let mut bead = Bead::bare(id, text(22)?, time(row, 13)?.unwrap_or(Time::from_millis(0)));
        if let Some(other) = row.get_ref(26)?.as_str_or_null().map_err(rusqlite::Error::from)? {
            bead = with_other(&bead, other)?;
        }
        bead.status = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?.into();
        bead.priority = row.get::<_, i64>(4)?.clamp(0, 4) as u8;
        bead.issue_type = row.get_ref(5)?.as_str().map_err(rusqlite::Error::from)?.into();
        bead.assignee = text(6)?;
        bead.pinned = flag(7)?;
        bead.ephemeral = flag(8)?;
        bead.is_template = flag(9)?;
        bead.updated_at = time(row, 14)?.unwrap_or(bead.created_at);
        bead.closed_at = time(row, 15)?;
        bead.due_at = time(row, 16)?;
        bead.defer_until = time(row, 17)?;
        bead.created_by = text(18)?;
        bead.owner = text(19)?;
        bead.external_ref = row.get(20)?;
        let labels = row.get_ref(21)?.as_str().map_err(rusqlite::Error::from)?;
        bead.labels = labels.split('\n').filter(|l| !l.is_empty()).map(str::to_owned).collect();
        bead.close_reason = text(23)?;
        if let Some(metadata) = row.get_ref(25)?.as_str_or_null().map_err(rusqlite::Error::from)? {
            bead.metadata = serde_json::from_str(metadata).map_err(|e| odd(&bead.id, "metadata", &e))?;
        }
        bead.description = text(27)?;
        bead.design = text(28)?;
        bead.acceptance_criteria = text(29)?;
        bead.notes = text(30)?;
        Ok(Self {
            num: row.get(0)?,
            batch: row.get(2)?,
            blockers: row.get(10)?,
            children: row.get(11)?,
            open_children: row.get(12)?,
            stamps: text(24)?,
            bead,
        })
    }
}

/// The columns of a bead that its own fields decide.
pub(super) fn values(bead: &Bead) -> Vec<(&'static str, Sql)> {
    values_with(bead, object(&other(bead)))
}

fn object(map: &Map) -> Sql {
    if map.is_empty() { Sql::Null } else { Sql::Text(Value::Object(map.clone()).to_string()) }
}

/// As [`values`], where the column `other` is known already.
pub(super) fn values_with(bead: &Bead, other: Sql) -> Vec<(&'static str, Sql)> {
    let text = |t: &str| Sql::Text(t.to_owned());
    let flag = |f: bool| Sql::Integer(i64::from(f));
    let opt = |t: Option<String>| t.map_or(Sql::Null, Sql::Text);
    let ns = |t: Option<Time>| t.map_or(Sql::Null, |t| Sql::Integer(nanos(t)));
    let stamp = |t: Option<Time>| opt(t.map(|t| t.to_string()));
    vec![
        ("status", text(bead.status.as_str())),
        ("priority", Sql::Integer(i64::from(bead.priority))),
        ("issue_type", text(bead.issue_type.as_str())),
        ("assignee", text(&bead.assignee)),
        ("pinned", flag(bead.pinned)),
        ("ephemeral", flag(bead.ephemeral)),
        ("is_template", flag(bead.is_template)),
        ("outside", Sql::Integer(outside(bead).count() as i64)),
        ("created_ns", ns(Some(bead.created_at))),
        ("updated_ns", ns(Some(bead.updated_at))),
        ("closed_ns", ns(bead.closed_at)),
        ("due_ns", ns(bead.due_at)),
        ("defer_ns", ns(bead.defer_until)),
        ("created_at", stamp(Some(bead.created_at))),
        ("updated_at", stamp(Some(bead.updated_at))),
        ("closed_at", stamp(bead.closed_at)),
        ("due_at", stamp(bead.due_at)),
        ("defer_until", stamp(bead.defer_until)),
        ("created_by", text(&bead.created_by)),
        ("owner", text(&bead.owner)),
        ("external_ref", opt(bead.external_ref.clone())),
        ("labels", Sql::Text(bead.labels.join("\n"))),
        ("title", text(&bead.title)),
        ("close_reason", text(&bead.close_reason)),
        ("metadata", object(&bead.metadata)),
        ("other", other),
        ("description", text(&bead.description)),
        ("design", text(&bead.design)),
        ("acceptance_criteria", text(&bead.acceptance_criteria)),
        ("notes", text(&bead.notes)),
    ]
}

/// Where dependencies are kept whose target is no bead id; written back among the others.
pub(super) const ODD_DEPENDENCIES: &str = "~dependencies";

/// What a bead waits for in other projects: targets of its `blocks` edges to `external:…`.
pub(super) fn outside(bead: &Bead) -> impl Iterator<Item = &str> {
    let odd = bead.extra.get(ODD_DEPENDENCIES).and_then(Value::as_array).into_iter().flatten();
    odd.filter(|dep| dep["type"] == "blocks")
        .filter_map(|dep| dep["depends_on_id"].as_str())
        .filter(|target| target.starts_with("external:"))
}

/// Keys that have a column or a table of their own.
const OWN: &[&str] = &[
    "id",
    "title",
    "description",
    "design",
    "acceptance_criteria",
    "notes",
    "status",
    "priority",
    "issue_type",
    "assignee",
    "owner",
    "created_at",
    "created_by",
    "updated_at",
    "closed_at",
    "close_reason",
    "due_at",
    "defer_until",
    "external_ref",
    "metadata",
    "labels",
    "dependencies",
    "comments",
    "ephemeral",
    "pinned",
    "is_template",
];

/// Whether `key` has a column or a table of its own, so that it is not part of a bead's other keys.
pub(super) fn is_own(key: &str) -> bool {
    OWN.contains(&key)
}

/// The keys of a bead that share the column `other`.
pub(super) fn other(bead: &Bead) -> Map {
    let Ok(Value::Object(mut all)) = serde_json::to_value(bead) else { return Map::new() };
    all.retain(|key, _| !is_own(key));
    all
}

/// `bead` with the keys of `other` (JSON text) set.
fn with_other(bead: &Bead, other: &str) -> Result<Bead, StoreError> {
    let keys: Map = serde_json::from_str(other).map_err(|e| odd(&bead.id, "other", &e))?;
    set_other(bead, keys).map_err(|e| odd(&bead.id, "other", &e))
}

/// Sets `keys` without a detour, if they are only those that every poured step has; false, and nothing set, if not.
pub(super) fn set_plain(bead: &mut Bead, keys: &Map) -> bool {
    let plain = |(key, value): (&String, &Value)| {
        matches!(key.as_str(), "source_formula" | "source_location") && value.as_str().is_some_and(|v| !v.is_empty())
    };
    if !keys.iter().all(plain) {
        return false;
    }
    let text = |key: &str| keys.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    bead.source_formula = text("source_formula");
    bead.source_location = text("source_location");
    true
}

/// `bead` with `keys` set in place of all its other keys.
pub(super) fn set_other(bead: &Bead, keys: Map) -> Result<Bead, serde_json::Error> {
    let mut all = Map::new();
    all.insert("id".into(), Value::String(bead.id.to_string()));
    for key in ["created_at", "updated_at"] {
        all.insert(key.into(), Value::String("1970-01-01T00:00:00Z".into()));
    }
    all.extend(keys.into_iter().filter(|(key, _)| !is_own(key)));
    let new: Bead = serde_json::from_value(Value::Object(all))?;
    Ok(Bead {
        title: bead.title.clone(),
        description: bead.description.clone(),
        design: bead.design.clone(),
        acceptance_criteria: bead.acceptance_criteria.clone(),
        notes: bead.notes.clone(),
        status: bead.status.clone(),
        priority: bead.priority,
        issue_type: bead.issue_type.clone(),
        assignee: bead.assignee.clone(),
        owner: bead.owner.clone(),
        created_at: bead.created_at,
        created_by: bead.created_by.clone(),
        updated_at: bead.updated_at,
        closed_at: bead.closed_at,
        close_reason: bead.close_reason.clone(),
        due_at: bead.due_at,
        defer_until: bead.defer_until,
        external_ref: bead.external_ref.clone(),
        metadata: bead.metadata.clone(),
        labels: bead.labels.clone(),
        dependencies: bead.dependencies.clone(),
        comments: bead.comments.clone(),
        ephemeral: bead.ephemeral,
        pinned: bead.pinned,
        is_template: bead.is_template,
        ..new
    })
}

/// Nanoseconds since the epoch, clamped to what a column holds (the years 1677-2262).
pub(super) fn nanos(time: Time) -> i64 {
    i64::try_from(time.nanos()).unwrap_or(if time.nanos() < 0 { i64::MIN } else { i64::MAX })
}

/// An id read from the store.
pub(super) fn id(text: &str) -> Result<BeadId, StoreError> {
    BeadId::new(text).map_err(|e| StoreError::Damaged { path: "beads.db".into(), detail: e.to_string() })
}

/// A JSON object as it is kept in a column: empty for none.
pub(super) fn packed(map: &Map) -> String {
    if map.is_empty() { String::new() } else { Value::Object(map.clone()).to_string() }
}

/// The JSON object of a column that [`packed`] filled.
pub(super) fn unpacked(text: &str) -> Result<Map, StoreError> {
    let odd = |e: serde_json::Error| StoreError::Damaged { path: "beads.db".into(), detail: e.to_string() };
    if text.is_empty() { Ok(Map::new()) } else { serde_json::from_str(text).map_err(odd) }
}

/// A time read from column `i`.
pub(super) fn time(row: &Row<'_>, i: usize) -> Result<Option<Time>, StoreError> {
    let Some(text) = row.get_ref(i)?.as_str_or_null().map_err(rusqlite::Error::from)? else { return Ok(None) };
    parse_time(text).map(Some)
}

/// A time read from the store.
pub(super) fn parse_time(text: &str) -> Result<Time, StoreError> {
    text.parse().map_err(|e| StoreError::Damaged { path: "beads.db".into(), detail: format!("{e}") })
}

fn odd(id: &BeadId, column: &str, error: &serde_json::Error) -> StoreError {
    StoreError::Damaged { path: "beads.db".into(), detail: format!("{column} of {id}: {error}") }
}
