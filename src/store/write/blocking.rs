//! Who holds whom back: edges are judged one by one when something they look at changes.
//!
//! `deps.active` says that an edge holds its bead back now, and `beads.blockers` counts the active edges that
//! start at a bead, so nothing is ever counted by scanning. A bead with active edges is held back; that makes
//! the parent-child edges of its children active in turn.

use rusqlite::OptionalExtension;
use serde_json::Value;

use super::Write;
use crate::base::BeadId;
use crate::store::read::seen_batches;
use crate::store::{DepKind, Status, StoreError, row};

/// What a step is closed with that nothing needs. The files that are named after it may be called after failures.
pub const SKIPPED: &str = "skipped: nothing touches ";
/// Words in a close reason that mean failure.
const FAILURE: [&str; 11] = [
    "failed",
    "rejected",
    "wontfix",
    "won't fix",
    "canceled",
    "cancelled",
    "abandoned",
    "blocked",
    "error",
    "timeout",
    "aborted",
];

/// Whether a close reason says that the work failed.
pub(in crate::store) fn is_failure(reason: &str) -> bool {
    if reason.starts_with(SKIPPED) {
        return false;
    }
    let reason = reason.to_lowercase();
    FAILURE.iter().any(|word| reason.contains(word))
}

/// An edge as judging sees it.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    pub(super) num: i64,
    pub(super) issue: String,
    pub(super) target: String,
    pub(super) kind: DepKind,
    pub(super) active: bool,
    pub(super) spawner: Option<String>,
    pub(super) any_child: bool,
}

/// What a waits-for edge waits for, out of its metadata.
pub(super) fn waits_for(kind: &DepKind, target: &BeadId, metadata: &str) -> (Option<String>, bool) {
    if *kind != DepKind::WAITS_FOR {
        return (None, false);
    }
    let value: Value = serde_json::from_str(metadata).unwrap_or(Value::Null);
    let spawner = value["spawner_id"].as_str().filter(|s| !s.is_empty()).unwrap_or(target.as_str());
    (Some(spawner.to_owned()), value["gate"] == "any-children")
}

const EDGE: &str = "SELECT num, issue_id, depends_on_id, kind, active, spawner, any_child FROM deps";

impl Write<'_> {
    pub(super) fn edges(&self, condition: &str, params: impl rusqlite::Params) -> Result<Vec<Edge>, StoreError> {
        self.rows(&format!("{EDGE} WHERE live = 1 AND {condition}"), params, |r| {
            Ok(Edge {
                num: r.get(0)?,
                issue: r.get(1)?,
                target: r.get(2)?,
                kind: DepKind::new(&r.get::<_, String>(3)?),
                active: r.get(4)?,
                spawner: r.get(5)?,
                any_child: r.get(6)?,
            })
        })
    }

    /// Whether an edge holds its bead back as things are now.
    pub(super) fn judge(&self, edge: &Edge) -> Result<bool, StoreError> {
        if !edge.kind.affects_ready() {
            return Ok(false);
        }
        let looked_at = edge.spawner.as_ref().unwrap_or(&edge.target);
        let mut statement = self.conn.prepare_cached(concat!(
            "SELECT status, close_reason, blockers, children, open_children FROM beads b
             WHERE id = ?1 AND (b.batch = 0 OR b.batch = ?2 OR b.batch IN (",
            seen_batches!(),
            "))"
        ))?;
        let found = statement
            .query_row((looked_at, self.staging), |r| {
                Ok((
                    r.get::<_, String>(0)?,
                    r.get::<_, String>(1)?,
                    r.get::<_, i64>(2)?,
                    r.get::<_, i64>(3)?,
                    r.get::<_, i64>(4)?,
                ))
            })
            .optional()?;
        let Some((status, reason, blockers, children, open)) = found else {
            // Waiting for one child of something that is not here waits; all else is not held back by it.
            return Ok(edge.kind == DepKind::WAITS_FOR && edge.any_child);
        };
        let status = Status::new(&status);
        if status == Status::TOMBSTONE {
            // What was drawn elsewhere while it was deleted here came by a merge, and holds nobody back.
            return Ok(false);
        }
        Ok(match edge.kind.as_str() {
            "blocks" => status.is_openish(),
            "conditional-blocks" => status.is_openish() || (status == "closed" && !is_failure(&reason)),
            "waits-for" if edge.any_child => open == children,
            "waits-for" => open > 0,
            _ => blockers > 0,
        })
    }

    /// Makes an edge active or not, counts it, and passes on what follows for the children.
    pub(super) fn set_active(&mut self, edge: &Edge, active: bool) -> Result<(), StoreError> {
        let mut work = vec![(edge.num, edge.issue.clone(), active)];
        while let Some((num, issue, active)) = work.pop() {
            if self.run("UPDATE deps SET active = ?2 WHERE num = ?1 AND active <> ?2", (num, active))? == 0 {
                continue;
            }
            let delta = if active { 1 } else { -1 };
            let counted = self
                .conn
                .prepare_cached("UPDATE beads SET blockers = blockers + ?2 WHERE id = ?1 RETURNING blockers, status")?
                .query_row((&issue, delta), |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?)))
                .optional()?;
            let Some((blockers, status)) = counted else { continue };
            let crossed = if active { blockers == 1 } else { blockers == 0 };
            let status = Status::new(&status);
            if !crossed || status == Status::TOMBSTONE {
                continue;
            }
            if !active && status.is_openish() {
                self.unblocked.push(row::id(&issue)?);
            }
            for child in self.edges("depends_on_id = ?1 AND kind = 'parent-child'", [&issue])? {
                if child.active != active {
                    work.push((child.num, child.issue, active));
                }
            }
        }
        Ok(())
    }

    /// Judges whether the children of `id` are held back with it: what was staged below it did not know of the change.
    pub fn judge_children(&mut self, id: &BeadId) -> Result<(), StoreError> {
        let edges = self.edges("depends_on_id = ?1 AND kind = 'parent-child'", [id.as_str()])?;
        self.judge_again(edges)
    }

    fn judge_again(&mut self, edges: Vec<Edge>) -> Result<(), StoreError> {
        for edge in edges {
            let active = self.judge(&edge)?;
            if active != edge.active {
                self.set_active(&edge, active)?;
            }
        }
        Ok(())
    }

    /// The status or the close reason of `id` changed: judges what looks at them, and opens the gates that wait for it.
    pub(super) fn status_changed(&mut self, id: &BeadId, was: &Status, is: &Status) -> Result<(), StoreError> {
        self.judge_status(id, was, is)?;
        if *is == Status::CLOSED && *was != Status::CLOSED {
            self.open_gates_on(id)?;
        }
        Ok(())
    }

    /// The status or the close reason of `id` changed: judges what looks at them.
    pub(super) fn judge_status(&mut self, id: &BeadId, was: &Status, is: &Status) -> Result<(), StoreError> {
        let edges = self.edges("depends_on_id = ?1 AND kind IN ('blocks', 'conditional-blocks')", [id.as_str()])?;
        self.judge_again(edges)?;
        if *was == Status::TOMBSTONE || *is == Status::TOMBSTONE {
            let below = self.edges("depends_on_id = ?1 AND kind = 'parent-child'", [id.as_str()])?;
            self.judge_again(below)?;
            let waiting = self.edges("spawner = ?1 AND spawner IS NOT NULL", [id.as_str()])?;
            self.judge_again(waiting)?;
        }
        if was.is_over() == is.is_over() {
            return Ok(());
        }
        let delta = if is.is_over() { -1 } else { 1 };
        for parent in self.edges("issue_id = ?1 AND kind = 'parent-child'", [id.as_str()])? {
            self.count_child(&parent.target, 0, delta)?;
        }
        Ok(())
    }

    /// Changes the counts of a parent, and judges what waits for its children.
    pub(super) fn count_child(&mut self, parent: &str, all: i64, open: i64) -> Result<(), StoreError> {
        self.run(
            "UPDATE beads SET children = children + ?2, open_children = open_children + ?3 WHERE id = ?1",
            (parent, all, open),
        )?;
        let waiting = self.edges("spawner = ?1 AND spawner IS NOT NULL", [parent])?;
        self.judge_again(waiting)
    }

    /// A bead came to be to which edges already led: counts its children and judges those edges.
    pub(super) fn adopt_dangling(&mut self, id: &BeadId) -> Result<(), StoreError> {
        let waiting = self.edges("depends_on_id = ?1", [id.as_str()])?;
        let (mut children, mut open) = (0, 0);
        for edge in waiting.iter().filter(|edge| edge.kind == DepKind::PARENT_CHILD) {
            if let Some(child) = self.stored(&row::id(&edge.issue)?)? {
                children += 1;
                open += i64::from(!child.bead.is_over());
            }
        }
        if children > 0 {
            self.count_child(id.as_str(), children, open)?;
        } else {
            let waiting = self.edges("spawner = ?1 AND spawner IS NOT NULL", [id.as_str()])?;
            self.judge_again(waiting)?;
        }
        self.judge_again(waiting)
    }
}
