//! What can be taken up now: answered from partial indexes that hold nothing else.

use rusqlite::types::Value as Sql;

use super::Read;
use super::find::Where;
use crate::store::row::{COLUMNS, Stored, nanos};
use crate::store::{Bead, ReadyQuery, ReadySort, StoreError};

const RECENT_MS: i64 = 48 * 3_600_000;

/// One scan of one index, already in its order.
#[derive(Debug)]
pub(in crate::store) struct Scan {
    /// The rows, as the end of a statement.
    rows: String,
    /// Their order and how many, after the rows.
    order: String,
    pub(in crate::store) values: Vec<Sql>,
}

impl Scan {
    /// The statement that reads the beads.
    pub(in crate::store) fn sql(&self) -> String {
        format!("SELECT {COLUMNS} {}{}", self.rows, self.order)
    }

    /// The statement that counts them, whatever their order and limit.
    pub(in crate::store) fn counting(&self) -> String {
        format!("SELECT count(*) {}", self.rows)
    }
}

impl Read<'_> {
    /// What can be taken up now.
    ///
    /// A type that is otherwise left out, a status or wisps, when asked for, are judged by the same conditions.
    pub fn ready(&self, query: &ReadyQuery) -> Result<Vec<Bead>, StoreError> {
        let limit = query.limit.unwrap_or(usize::MAX);
        let mut found: Vec<Stored> = Vec::new();
        let batches = self.seen_batches()?;
        for scan in scans(query, &batches) {
            found.extend(self.rows(&scan.sql(), rusqlite::params_from_iter(scan.values), Stored::read)?);
        }
        let cut = query.now.map(|now| nanos(now.plus_millis(-RECENT_MS)));
        found.sort_by_cached_key(|stored| key(query.sort, cut, &stored.bead));
        found.dedup_by_key(|stored| stored.num);
        found.truncate(limit);
        Ok(found.into_iter().map(|stored| stored.bead).collect())
    }

    /// How many can be taken up now; the limit of the query does not matter.
    pub fn ready_count(&self, query: &ReadyQuery) -> Result<usize, StoreError> {
        let scans = scans(query, &self.seen_batches()?);
        scans.into_iter().map(|scan| self.one((scan.counting(), scan.values))).sum()
    }
}

/// The order: old or recent, priority, age, id.
fn key(sort: ReadySort, cut: Option<i64>, bead: &Bead) -> (bool, u8, i64, crate::base::BeadId) {
    let created = nanos(bead.created_at);
    let (old, priority) = match sort {
        ReadySort::Hybrid => match cut {
            Some(cut) if created <= cut => (true, 0),
            _ => (false, bead.priority),
        },
        ReadySort::Priority => (false, bead.priority),
        ReadySort::Oldest => (false, 0),
    };
    (old, priority, created, bead.id.clone())
}

/// The scans that together hold the first `limit` answers.
pub(in crate::store) fn scans(query: &ReadyQuery, batches: &[i64]) -> Vec<Scan> {
    let unusual = query.ephemeral
        || query.status.is_some()
        || query.issue_type.as_ref().is_some_and(crate::store::IssueType::is_machinery);
    if unusual {
        return vec![plain(query)];
    }
    let mut scans = Vec::new();
    for batch in batches {
        let mut base = Where::default();
        base.and("b.batch = ?", [Sql::Integer(*batch)]);
        base.and("b.ready = 1", []);
        extra(&mut base, query);
        if query.assignee.is_some() || query.unassigned {
            // Grouped by assignee the index gives priority order; others are sorted from its few rows.
            let order = if query.sort == ReadySort::Priority { Some("b.priority, b.created_ns") } else { None };
            if query.sort == ReadySort::Priority || !query.unassigned {
                scans.push(scan("ready_assignee", base, order, order.and(query.limit)));
                continue;
            }
        }
        match query.sort {
            ReadySort::Priority => {
                scans.push(scan("ready_priority", base, Some("b.priority, b.created_ns"), query.limit));
            }
            ReadySort::Oldest => scans.push(scan("ready_created", base, Some("b.created_ns"), query.limit)),
            ReadySort::Hybrid => {
                let Some(now) = query.now else {
                    scans.push(scan("ready_priority", base, Some("b.priority, b.created_ns"), query.limit));
                    continue;
                };
                let cut = nanos(now.plus_millis(-RECENT_MS));
                for priority in 0..=4 {
                    let mut recent = Where { sql: base.sql.clone(), values: base.values.clone() };
                    recent.and("b.priority = ? AND b.created_ns > ?", [Sql::Integer(priority), Sql::Integer(cut)]);
                    scans.push(scan("ready_priority", recent, Some("b.created_ns"), query.limit));
                }
                base.and("b.created_ns <= ?", [Sql::Integer(cut)]);
                scans.push(scan("ready_created", base, Some("b.created_ns"), query.limit));
            }
        }
    }
    // Deferred ones whose time has come since the last write, or all of them when asked for.
    if query.now.is_some() || query.include_deferred {
        let mut later = Where::default();
        later.and("b.ready = 2", []);
        later.and(super::SEEN, []);
        if !query.include_deferred
            && let Some(now) = query.now
        {
            later.and("b.defer_ns <= ?", [Sql::Integer(nanos(now))]);
        }
        extra(&mut later, query);
        scans.push(scan("ready_later", later, None, None));
    }
    scans
}

fn scan(index: &str, conditions: Where, order: Option<&str>, limit: Option<usize>) -> Scan {
    let order = order.map_or(String::new(), |o| format!(" ORDER BY {o}"));
    let limit = limit.map_or(String::new(), |n| format!(" LIMIT {n}"));
    let rows = format!("FROM beads b INDEXED BY {index} WHERE {}", conditions.sql);
    Scan { rows, order: order + &limit, values: conditions.values }
}

/// Ready by the same conditions, but for wisps, a named status or a type of machinery.
fn plain(query: &ReadyQuery) -> Scan {
    let mut base = Where::default();
    base.and("b.over = 0 AND b.blockers = 0 AND b.pinned = 0 AND b.is_template = 0", []);
    base.and(if query.ephemeral { "b.ephemeral = 1" } else { "b.ephemeral = 0 AND instr(b.id, '-wisp-') = 0" }, []);
    match &query.status {
        Some(status) => base.and("b.status = ?", [Sql::Text(status.to_string())]),
        None => base.and("b.status IN ('open', 'in_progress')", []),
    }
    if query.issue_type.is_none() {
        base.and(
            "b.issue_type NOT IN ('merge-request', 'gate', 'molecule', 'message', 'agent', 'role', 'rig', 'convoy', 'event', 'slot')",
            [],
        );
    }
    if let Some(now) = query.now
        && !query.include_deferred
    {
        base.and("(b.defer_ns IS NULL OR b.defer_ns <= ?)", [Sql::Integer(nanos(now))]);
    }
    base.and(super::SEEN, []);
    extra(&mut base, query);
    let index = match (query.ephemeral, &query.issue_type, &query.status) {
        (true, ..) => "INDEXED BY wisps",
        (_, Some(_), _) => "INDEXED BY open_type",
        (_, None, Some(_)) => "INDEXED BY by_status",
        _ => "",
    };
    Scan { rows: format!("FROM beads b {index} WHERE {}", base.sql), order: String::new(), values: base.values }
}

/// Conditions that no index of ready beads decides.
fn extra(conditions: &mut Where, query: &ReadyQuery) {
    if let Some(kind) = &query.issue_type {
        conditions.and("b.issue_type = ?", [Sql::Text(kind.to_string())]);
    }
    if let Some(priority) = query.priority {
        conditions.and("b.priority = ?", [Sql::Integer(i64::from(priority))]);
    }
    if query.unassigned {
        conditions.and("b.assignee = ''", []);
    } else if let Some(assignee) = &query.assignee {
        conditions.and("b.assignee = ?", [Sql::Text(assignee.clone())]);
    }
    conditions.labels(&query.labels, &query.labels_any);
    conditions.under(query.under.as_ref());
    conditions.prefix(query.prefix.as_ref());
    if let Some(mol_type) = &query.mol_type {
        conditions.mol_type(mol_type);
    }
}
