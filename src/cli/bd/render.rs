//! How beads look, for people and as JSON.

use std::fmt::Write as _;

use serde::Serialize;
use serde::ser::{SerializeSeq as _, Serializer as _};
use serde_json::Value;

use crate::base::text;
use crate::cli::CliError;
use crate::store::{Bead, Dep, DepKind, Filter, IssueType, Map, Read, interchange};

/// One line: id, priority, type, status where it is not open, title, who has it.
pub(super) fn line(bead: &Bead) -> String {
    let mut line = format!("{}  P{}  {}", bead.id, bead.priority, bead.issue_type);
    if bead.status != "open" {
        let _ = write!(line, "  {}", bead.status);
    }
    let _ = write!(line, "  {}", text::headline(&bead.title, 100));
    if !bead.assignee.is_empty() {
        let _ = write!(line, "  @{}", text::headline(&bead.assignee, 60));
    }
    if !bead.labels.is_empty() {
        let _ = write!(line, "  [{}]", text::printable(&bead.labels.join(", ")));
    }
    line
}

/// Lines for a list, with a word for an empty one.
pub(super) fn lines<'b>(beads: impl IntoIterator<Item = &'b Bead>, none: &str) -> String {
    let mut out = String::new();
    for bead in beads {
        out.push_str(&line(bead));
        out.push('\n');
    }
    if out.is_empty() { none.to_owned() } else { out }
}

/// Beads that something was done to.
pub(super) fn done(beads: &[Bead]) -> String {
    beads.iter().map(|bead| format!("✓ {}", line(bead))).collect::<Vec<_>>().join("\n")
}

/// What is found out for an answer. A line that was read in may have such keys of its own, as one has that was an answer.
const FOUND_OUT: [&str; 6] =
    ["dependency_count", "dependent_count", "dependents", "parent", "blocked_by", "blocked_by_count"];

/// Takes out of a bead what only the store means, and what could be taken for what this program finds out itself.
pub(super) fn own_keys(bead: &mut Bead) {
    bead.extra.retain(|key, _| !key.starts_with('~') && !FOUND_OUT.contains(&key.as_str()));
}

/// [`own_keys`] of beads that are an answer.
pub(super) fn own(beads: &mut [Bead]) {
    beads.iter_mut().for_each(own_keys);
}

/// A bead as a JSON object.
pub(super) fn object(bead: &Bead) -> Map {
    let mut bead = bead.clone();
    own_keys(&mut bead);
    match serde_json::to_value(&bead) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// From so many beads on, their edges are not looked up one by one.
const MANY: usize = 100;

/// A bead with the number of edges from and to it.
#[derive(Debug, Serialize)]
pub(super) struct Counted<'b> {
    #[serde(flatten)]
    bead: &'b Bead,
    dependency_count: usize,
    dependent_count: usize,
}

impl<'b> Counted<'b> {
    fn new(bead: &'b mut Bead, (dependency_count, dependent_count): (usize, usize)) -> Self {
        own_keys(bead);
        Self { bead, dependency_count, dependent_count }
    }
}

/// Beads with the number of edges from and to each, as `list` and `search` give them.
pub(super) fn counted<'b>(read: &Read<'_>, beads: &'b mut [Bead]) -> Result<Vec<Counted<'b>>, CliError> {
    let counts = if beads.len() < MANY {
        beads.iter().map(|bead| read.edge_counts(&bead.id)).collect::<Result<Vec<_>, _>>()?
    } else {
        let all = read.all_edge_counts()?;
        beads.iter().map(|bead| all.of(&bead.id)).collect()
    };
    Ok(beads.iter_mut().zip(counts).map(|(bead, counts)| Counted::new(bead, counts)).collect())
}

/// The JSON of all beads that pass `filter`, as [`counted`] has them. Written bead by bead: each takes several times as
/// much room as its text.
pub(super) fn all_counted(read: &Read<'_>, filter: &Filter) -> Result<String, CliError> {
    let counts = read.all_edge_counts()?;
    let mut json = Vec::new();
    let mut serializer = serde_json::Serializer::pretty(&mut json);
    let mut list = serializer.serialize_seq(None).expect(SERIALISES);
    read.each::<CliError>(filter, |mut bead| {
        let counts = counts.of(&bead.id);
        list.serialize_element(&Counted::new(&mut bead, counts)).expect(SERIALISES);
        Ok(())
    })?;
    list.end().expect(SERIALISES);
    Ok(String::from_utf8(json).expect(SERIALISES))
}

/// Nothing of a bead is no JSON, and memory takes all that is written to it.
const SERIALISES: &str = "beads serialise";

/// A bead with all around it: beads it depends on and that depend on it, comments, parent.
pub(super) fn whole(read: &Read<'_>, bead: &Bead) -> Result<Map, CliError> {
    let mut map = object(bead);
    let (deps, dependents) = (read.deps(&bead.id)?, read.dependents(&bead.id)?);
    let comments = read.comments(&bead.id)?;
    for (key, edges, end) in [("dependencies", &deps, true), ("dependents", &dependents, false)] {
        if !edges.is_empty() {
            let list =
                edges.iter().map(|dep| neighbour(read, dep, end).map(Value::Object)).collect::<Result<Vec<_>, _>>()?;
            map.insert(key.to_owned(), list.into());
        }
    }
    if !comments.is_empty() {
        let comments = comments.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>();
        map.insert("comments".to_owned(), comments.unwrap_or_default().into());
    }
    if let Some(parent) = deps.iter().find(|d| d.kind == DepKind::PARENT_CHILD) {
        map.insert("parent".to_owned(), parent.depends_on_id.to_string().into());
    }
    Ok(map)
}

/// The bead at the far end of an edge, with the kind of the edge; only the id when it is not here.
pub(super) fn neighbour(read: &Read<'_>, dep: &Dep, target: bool) -> Result<Map, CliError> {
    let id = if target { &dep.depends_on_id } else { &dep.issue_id };
    let mut map = match read.bead(id)? {
        Some(bead) => object(&bead),
        None => [("id".to_owned(), id.to_string().into()), ("missing".to_owned(), true.into())].into_iter().collect(),
    };
    map.insert("dependency_type".to_owned(), dep.kind.as_str().into());
    Ok(map)
}

/// A bead and all around it, for people.
pub(super) fn page(bead: &Map) -> String {
    let get = |key: &str| bead.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut out = format!("{}  {}\n", get("id"), text::headline(get("title"), 200));
    let _ = writeln!(
        out,
        "  {} · P{} · {}{}",
        get("status"),
        bead.get("priority").and_then(Value::as_u64).unwrap_or_default(),
        get("issue_type"),
        if get("assignee").is_empty() { String::new() } else { format!(" · {}", text::headline(get("assignee"), 80)) }
    );
    let _ = writeln!(
        out,
        "  created {} by {} · updated {}",
        get("created_at"),
        text::headline(get("created_by"), 80),
        get("updated_at")
    );
    if get("issue_type") == IssueType::MESSAGE.as_str() && get("status") == "open" {
        let _ = writeln!(out, "  unread; mark it read: bd close {}", get("id"));
    }
    for key in ["closed_at", "close_reason", "due_at", "defer_until", "external_ref"] {
        if !get(key).is_empty() {
            let _ = writeln!(out, "  {} {}", key.replace('_', " "), text::headline(get(key), 200));
        }
    }
    let labels: Vec<&str> =
        bead.get("labels").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if !labels.is_empty() {
        let _ = writeln!(out, "  labels {}", text::printable(&labels.join(", ")));
    }
    if let Some(metadata) = bead.get("metadata") {
        let _ = writeln!(out, "  metadata {}", text::printable(&interchange::unwrapped(&metadata.to_string())));
    }
    for (key, title) in [
        ("description", "Description"),
        ("design", "Design"),
        ("acceptance_criteria", "Acceptance"),
        ("notes", "Notes"),
    ] {
        if !get(key).is_empty() {
            let _ = write!(out, "\n{title}\n");
            for line in text::printable(get(key)).lines() {
                let _ = writeln!(out, "  {line}");
            }
        }
    }
    for (key, title) in [("dependencies", "Depends on"), ("dependents", "Depended on by")] {
        let all: Vec<&Value> = bead.get(key).and_then(Value::as_array).into_iter().flatten().collect();
        if !all.is_empty() {
            let _ = write!(out, "\n{title}\n");
        }
        for one in all {
            let get = |key: &str| one[key].as_str().unwrap_or_default();
            let status = if one["missing"] == true { "not here" } else { get("status") };
            let _ = writeln!(
                out,
                "  {}  {}  {}  {}",
                get("dependency_type"),
                get("id"),
                status,
                text::headline(get("title"), 80)
            );
        }
    }
    for comment in bead.get("comments").and_then(Value::as_array).into_iter().flatten() {
        let get = |key: &str| comment[key].as_str().unwrap_or_default();
        let _ = write!(out, "\n{} at {}\n", text::headline(get("author"), 80), get("created_at"));
        for line in text::printable(get("text")).lines() {
            let _ = writeln!(out, "  {line}");
        }
    }
    out
}
