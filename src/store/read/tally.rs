//! The store in numbers: counted from indexes, no bead is read.

use rusqlite::types::Value as Sql;

use super::find::Where;
use super::{Read, SEEN};
use crate::base::{BeadId, Time};
use crate::store::row::{self, nanos};
use crate::store::{Group, ReadyQuery, ReadySort, Recent, StoreError, Tally};

const NANOS_OF_AN_HOUR: f64 = 3_600_000_000_000.0;

impl Group {
    /// What beads are counted by; none for labels, which have a table of their own.
    fn column(self) -> Option<&'static str> {
        Some(match self {
            Self::Status => "b.status",
            Self::Priority => "'P' || b.priority",
            Self::Type => "b.issue_type",
            Self::Assignee => "b.assignee",
            Self::Labels => return None,
        })
    }
}

impl Read<'_> {
    /// How many beads pass `filter`, by what they have in `group`; a bead counts for each of its labels.
    pub fn count_by(&self, filter: &crate::store::Filter, group: Group) -> Result<Vec<(String, usize)>, StoreError> {
        let mut found = Vec::new();
        let Some(filter) = self.narrowed(filter)? else { return Ok(found) };
        let filter = &*filter;
        for part in super::find::parts(filter, self.seen_batches()?) {
            let (sql, values) = match group.column() {
                Some(column) => super::find::grouping(filter, part, column),
                None => super::find::labelled(filter, part),
            };
            found.extend(self.rows(&sql, rusqlite::params_from_iter(values), |row| {
                Ok((row.get(0)?, row.get::<_, i64>(1)? as usize))
            })?);
        }
        Ok(found)
    }

    /// The store in numbers, wisps left out: all of it, or what is assigned to one; `since` asks for what has happened
    /// from then on.
    pub fn tally(&self, now: Time, assignee: Option<&str>, since: Option<Time>) -> Result<Tally, StoreError> {
        let query = ReadyQuery {
            now: Some(now),
            sort: ReadySort::Priority,
            assignee: assignee.map(str::to_owned),
            ..ReadyQuery::default()
        };
        let mut tally = Tally {
            ready: self.ready_count(&query)?,
            blocked: self.blocked_count(assignee)?,
            closable_epics: self.closable_epics()?,
            lead_hours: self.lead_hours()?,
            ..Tally::default()
        };
        let from = since.map_or(i64::MAX, nanos);
        let (sql, values) = by_status(assignee, from);
        let mut created = 0;
        for (status, n, pinned, new) in self.rows(&sql, rusqlite::params_from_iter(values), |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?))
        })? {
            if status != "tombstone" {
                tally.total += n as usize;
                tally.pinned += pinned as usize;
                created += new as usize;
            }
            tally.by_status.insert(status.as_str().into(), n as usize);
        }
        if since.is_some() {
            tally.recent = Some(Recent {
                created,
                closed: self.one(finished("b.closed_ns >= ?", assignee, from))?,
                updated: self.one(open_since(assignee, from))?
                    + self.one(finished("b.updated_ns >= ? AND b.status = 'closed'", assignee, from))?,
            });
        }
        Ok(tally)
    }

    /// The number that a statement answers with.
    pub(super) fn one(&self, (sql, values): (String, Vec<Sql>)) -> Result<usize, StoreError> {
        let mut statement = self.conn.prepare_cached(&sql)?;
        Ok(statement.query_row(rusqlite::params_from_iter(values), |row| row.get::<_, i64>(0))? as usize)
    }

    fn closable_epics(&self) -> Result<usize, StoreError> {
        let sql = format!(
            "SELECT b.id FROM beads b INDEXED BY open_type
             WHERE b.issue_type = 'epic' AND b.over = 0 AND b.children > 0 AND b.open_children <= 0 AND {SEEN}"
        );
        let mut n = 0;
        for id in self.rows(&sql, [], |row| row::id(&row.get::<_, String>(0)?))? {
            let id: BeadId = id;
            n += usize::from(self.epic_count(&id)?.is_done());
        }
        Ok(n)
    }

    /// From filing to closing, on average, of the thousand beads closed last.
    fn lead_hours(&self) -> Result<f64, StoreError> {
        let mut statement = self.conn.prepare_cached(&lead())?;
        let nanos: Option<f64> = statement.query_row([], |row| row.get(0))?;
        Ok(nanos.unwrap_or(0.0) / NANOS_OF_AN_HOUR)
    }
}

/// What every count looks at: beads that last, are seen, and belong to `assignee` when one is named.
fn lasting(first: &str, value: Option<i64>, assignee: Option<&str>) -> Where {
    let mut conditions = Where::default();
    conditions.and(first, value.map(Sql::Integer));
    conditions.and("b.ephemeral = 0", []);
    conditions.and(SEEN, []);
    if let Some(assignee) = assignee {
        conditions.and("b.assignee = ?", [Sql::Text(assignee.to_owned())]);
    }
    conditions
}

/// Status, number of beads, of pinned ones, and of those created since.
pub(in crate::store) fn by_status(assignee: Option<&str>, from: i64) -> (String, Vec<Sql>) {
    let mut conditions = lasting("1", None, assignee);
    conditions.values.insert(0, Sql::Integer(from));
    let sql = format!(
        "SELECT b.status, count(*), sum(b.pinned), sum(b.created_ns >= ?) FROM beads b INDEXED BY by_status
         WHERE {} GROUP BY b.status",
        conditions.sql
    );
    (sql, conditions.values)
}

/// How many beads with a time of closing meet `condition`, deleted ones left out.
pub(in crate::store) fn finished(condition: &str, assignee: Option<&str>, from: i64) -> (String, Vec<Sql>) {
    let conditions = lasting(condition, Some(from), assignee);
    let sql = format!(
        "SELECT count(*) FROM beads b INDEXED BY finished
         WHERE b.closed_ns IS NOT NULL AND b.status <> 'tombstone' AND {}",
        conditions.sql
    );
    (sql, conditions.values)
}

/// How many open beads have changed since.
pub(in crate::store) fn open_since(assignee: Option<&str>, from: i64) -> (String, Vec<Sql>) {
    let conditions = lasting("b.updated_ns >= ?", Some(from), assignee);
    let sql = format!("SELECT count(*) FROM beads b INDEXED BY open_updated WHERE b.over = 0 AND {}", conditions.sql);
    (sql, conditions.values)
}

/// The mean of filing to closing, in nanoseconds.
pub(in crate::store) fn lead() -> String {
    format!(
        "SELECT avg(took) FROM (
             SELECT max(0, b.closed_ns - b.created_ns) AS took FROM beads b INDEXED BY finished
             WHERE b.closed_ns IS NOT NULL AND b.status = 'closed' AND {SEEN} ORDER BY b.closed_ns DESC LIMIT 1000)"
    )
}
