//! Lists: any combination of conditions, in any order.

use std::borrow::Cow;
use std::fmt::Write as _;

use rusqlite::params;
use rusqlite::types::Value as Sql;

use super::{Read, SEEN};
use crate::store::row::{COLUMNS, Stored, id, nanos};
use crate::store::{Bead, Filter, Sort, Status, StoreError};

/// A WHERE clause as it grows, with the values of its parameters.
#[derive(Debug, Default)]
pub(in crate::store) struct Where {
    pub(in crate::store) sql: String,
    pub(in crate::store) values: Vec<Sql>,
}

impl Where {
    /// Adds `AND condition`; each `?` in it takes the next of `values`.
    pub(in crate::store) fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Sql>) {
        let joint = if self.sql.is_empty() { "" } else { " AND " };
        let _ = write!(self.sql, "{joint}{condition}");
        self.values.extend(values);
    }

    fn one_of<'t>(&mut self, column: &str, words: impl ExactSizeIterator<Item = &'t str>, not: bool) {
        if words.len() == 0 {
            return;
        }
        let marks = vec!["?"; words.len()].join(", ");
        let not = if not { "NOT " } else { "" };
        self.and(&format!("{column} {not}IN ({marks})"), words.map(|w| Sql::Text(w.to_owned())));
    }

    pub(in crate::store) fn labels(&mut self, all: &[String], any: &[String]) {
        for label in all {
            self.and(
                "EXISTS (SELECT 1 FROM labels l WHERE l.bead = b.num AND l.label = ? AND l.live = 1)",
                [Sql::Text(label.clone())],
            );
        }
        if !any.is_empty() {
            let marks = vec!["?"; any.len()].join(", ");
            self.and(
                &format!(
                    "EXISTS (SELECT 1 FROM labels l WHERE l.bead = b.num AND l.label IN ({marks}) AND l.live = 1)"
                ),
                any.iter().map(|l| Sql::Text(l.clone())),
            );
        }
    }

    pub(in crate::store) fn mol_type(&mut self, mol_type: &str) {
        self.and("json_extract(b.other, '$.mol_type') = ?", [Sql::Text(mol_type.to_owned())]);
    }

    pub(in crate::store) fn prefix(&mut self, prefix: Option<&String>) {
        if let Some(prefix) = prefix {
            // '.' follows '-' in ASCII, so this is the range of all ids that begin with the prefix and a '-'.
            self.and("b.id >= ? AND b.id < ?", [Sql::Text(format!("{prefix}-")), Sql::Text(format!("{prefix}."))]);
        }
    }

    pub(in crate::store) fn under(&mut self, top: Option<&crate::base::BeadId>) {
        if let Some(top) = top {
            self.and(
                "b.id IN (WITH RECURSIVE below (id) AS (
                     SELECT issue_id FROM deps WHERE depends_on_id = ? AND kind = 'parent-child' AND live = 1
                     UNION SELECT d.issue_id FROM below JOIN deps d ON d.depends_on_id = below.id
                           WHERE d.kind = 'parent-child' AND d.live = 1)
                 SELECT id FROM below)",
                [Sql::Text(top.to_string())],
            );
        }
    }

    pub(in crate::store) fn filter(&mut self, filter: &Filter) {
        let text = |t: &str| Sql::Text(t.to_owned());
        let number = |n: u8| Sql::Integer(i64::from(n));
        self.one_of("b.id", filter.ids.iter().map(crate::base::BeadId::as_str), false);
        self.one_of("b.status", filter.statuses.iter().map(crate::store::Status::as_str), false);
        self.one_of("b.status", filter.not_statuses.iter().map(crate::store::Status::as_str), true);
        self.one_of("b.issue_type", filter.types.iter().map(crate::store::IssueType::as_str), false);
        self.one_of("b.issue_type", filter.not_types.iter().map(crate::store::IssueType::as_str), true);
        if !filter.statuses.iter().any(|s| *s == "tombstone") {
            self.and("b.status <> 'tombstone'", []);
        }
        if is_open_only(filter) {
            self.and("b.over = 0", []);
        }
        for (condition, value) in [
            ("b.priority = ?", filter.priority),
            ("b.priority >= ?", filter.priority_min),
            ("b.priority <= ?", filter.priority_max),
        ] {
            if let Some(n) = value {
                self.and(condition, [number(n)]);
            }
        }
        if let Some(assignee) = &filter.assignee {
            self.and("b.assignee = ?", [text(assignee)]);
        }
        if filter.unassigned {
            self.and("b.assignee = ''", []);
        }
        self.labels(&filter.labels, &filter.labels_any);
        if filter.no_labels {
            self.and("b.labels = ''", []);
        }
        self.under(filter.under.as_ref());
        self.prefix(filter.prefix.as_ref());
        for (column, words) in [
            ("title", &filter.title_contains),
            ("description", &filter.desc_contains),
            ("notes", &filter.notes_contains),
        ] {
            if let Some(words) = words {
                self.and(&format!("instr(lower(b.{column}), lower(?)) > 0"), [text(words)]);
            }
        }
        if filter.empty_description {
            self.and("b.description = ''", []);
        }
        for (condition, time) in [
            ("b.created_ns >= ?", filter.created_after),
            ("b.created_ns < ?", filter.created_before),
            ("b.updated_ns >= ?", filter.updated_after),
            ("b.updated_ns < ?", filter.updated_before),
            ("b.closed_ns >= ?", filter.closed_after),
            ("b.closed_ns < ?", filter.closed_before),
            ("b.due_ns >= ?", filter.due_after),
            ("b.due_ns < ?", filter.due_before),
            ("(b.status = 'deferred' OR b.defer_ns > ?)", filter.deferred_at),
        ] {
            if let Some(time) = time {
                self.and(condition, [Sql::Integer(nanos(time))]);
            }
        }
        for (column, flag) in
            [("ephemeral", filter.ephemeral), ("pinned", filter.pinned), ("is_template", filter.template)]
        {
            if let Some(flag) = flag {
                self.and(&format!("b.{column} = {}", i64::from(flag)), []);
            }
        }
        if let Some(mol_type) = &filter.mol_type {
            self.mol_type(mol_type);
        }
        if filter.ready {
            self.and("b.ready = 1", []);
        }
        for (key, value) in &filter.meta {
            self.and("json_extract(b.metadata, '$.\"' || ? || '\"') = ?", [text(&key.replace('"', "")), text(value)]);
        }
    }
}

/// Whether the filter lets no closed or deleted bead through.
fn is_open_only(filter: &Filter) -> bool {
    if filter.statuses.is_empty() {
        filter.not_statuses.iter().any(|s| *s == "closed")
    } else {
        filter.statuses.iter().all(|s| !s.is_over())
    }
}

/// The index that begins with the batch and gives the usual order.
const BY_BATCH: &str = "INDEXED BY open_priority";

/// The index that serves the filter and its order best, where the planner cannot be left to guess.
fn index(filter: &Filter) -> &'static str {
    let forward = matches!(filter.sort, Sort::Priority | Sort::Best);
    if !filter.ids.is_empty() || filter.under.is_some() {
        ""
    } else if is_open_only(filter) && filter.types.len() == 1 {
        "INDEXED BY open_type"
    } else if is_open_only(filter) && filter.assignee.as_deref().is_some_and(|a| !a.is_empty()) {
        ""
    } else if is_open_only(filter) && filter.statuses.len() != 1 && forward {
        BY_BATCH
    } else if filter.statuses.len() == 1 {
        "INDEXED BY by_status"
    } else {
        ""
    }
}

/// What is looked through one after the other: each of the batches where an index gives the order in each of them,
/// else what is seen at once.
pub(in crate::store) fn parts(filter: &Filter, batches: Vec<i64>) -> Vec<Option<i64>> {
    if batches.len() == 1 || index(filter) == BY_BATCH { batches.into_iter().map(Some).collect() } else { vec![None] }
}

pub(super) fn order(filter: &Filter) -> String {
    let (up, down) = if filter.reverse { ("DESC", "ASC") } else { ("ASC", "DESC") };
    match filter.sort {
        Sort::Priority | Sort::Best => format!("b.priority {up}, b.created_ns {up}, b.id {up}"),
        Sort::Created => format!("b.created_ns {down}, b.id {up}"),
        Sort::Updated => format!("b.updated_ns {down}, b.id {up}"),
        Sort::Closed => format!("b.closed_ns {down}, b.id {up}"),
        Sort::Id => format!("b.id {up}"),
        Sort::Title => format!("lower(b.title) {up}, b.id {up}"),
        Sort::Status => format!("b.status {up}, b.priority {up}, b.created_ns {up}"),
        Sort::Type => format!("b.issue_type {up}, b.priority {up}, b.created_ns {up}"),
        Sort::Assignee => format!("b.assignee {up}, b.priority {up}, b.created_ns {up}"),
    }
}

/// Whether the first of many are asked for in the usual order, closed ones among them: no index has all of them in
/// that order, but one has those of each status.
fn by_each_status(filter: &Filter) -> bool {
    let whole = filter.ids.is_empty() && filter.under.is_none() && filter.statuses.len() != 1;
    whole && filter.limit.is_some() && matches!(filter.sort, Sort::Priority | Sort::Best) && !is_open_only(filter)
}

/// `filter` for each of the statuses in `all` that it lets through.
pub(in crate::store) fn each_status(filter: &Filter, all: Vec<Status>) -> Vec<Filter> {
    let named = |status: &Status| match filter.statuses.as_slice() {
        [] => *status != "tombstone" && !filter.not_statuses.contains(status),
        some => some.contains(status) && !filter.not_statuses.contains(status),
    };
    let one = |status| Filter { statuses: vec![status], not_statuses: Vec::new(), ..filter.clone() };
    all.into_iter().filter(named).map(one).collect()
}

/// So many beads with a label are looked at one by one; those of a label that more have are met on the way.
const FEW: u16 = 200;

/// The beads that carry a label.
pub(in crate::store) const CARRYING: &str = "SELECT b.id FROM labels l INDEXED BY labels_label
     CROSS JOIN beads b ON b.num = l.bead WHERE l.label = ?1 AND l.live = 1 LIMIT ?2";

/// Each status that beads have.
pub(in crate::store) const STATUSES: &str = "WITH RECURSIVE found (status) AS (
     SELECT min(status) FROM beads
     UNION ALL SELECT (SELECT min(b.status) FROM beads b WHERE b.status > found.status) FROM found
               WHERE found.status IS NOT NULL)
 SELECT status FROM found WHERE status IS NOT NULL";

impl Read<'_> {
    /// The beads that pass `filter`.
    pub fn find(&self, filter: &Filter) -> Result<Vec<Bead>, StoreError> {
        let mut found = Vec::new();
        self.each::<StoreError>(filter, |bead| {
            found.push(bead);
            Ok(())
        })?;
        Ok(found)
    }

    /// Gives the beads that pass `filter` one by one, in their order.
    pub fn each<E: From<StoreError>>(&self, filter: &Filter, give: impl FnMut(Bead) -> Result<(), E>) -> Result<(), E> {
        let Some(filter) = self.narrowed(filter)? else { return Ok(()) };
        let filter = &*filter;
        let statements: Vec<(String, Vec<Sql>)> = if by_each_status(filter) {
            each_status(filter, self.statuses()?).iter().map(|filter| statement(filter, None)).collect()
        } else {
            parts(filter, self.seen_batches()?).into_iter().map(|part| statement(filter, part)).collect()
        };
        if let [one] = statements.as_slice() {
            return self.each_of(one, give);
        }
        let mut found: Vec<Bead> = Vec::new();
        for one in &statements {
            self.each_of::<StoreError>(one, |bead| {
                found.push(bead);
                Ok(())
            })?;
        }
        found.sort_by_cached_key(|bead| (bead.priority, nanos(bead.created_at), bead.id.clone()));
        if filter.reverse {
            found.reverse();
        }
        found.into_iter().take(filter.limit.unwrap_or(usize::MAX)).try_for_each(give)
    }

    fn each_of<E: From<StoreError>>(
        &self,
        (sql, values): &(String, Vec<Sql>),
        mut give: impl FnMut(Bead) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self.conn.prepare_cached(sql).map_err(StoreError::from)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values)).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            give(Stored::read(row)?.bead)?;
        }
        Ok(())
    }

    /// The statuses that beads have, each found with one step into an index.
    fn statuses(&self) -> Result<Vec<Status>, StoreError> {
        self.rows(STATUSES, [], |row| Ok(Status::new(&row.get::<_, String>(0)?)))
    }

    /// `filter` with the ids of those that carry its label, where these are few: else each bead of a long list is
    /// asked for a label that hardly any has. None where no bead carries it.
    pub(super) fn narrowed<'f>(&self, filter: &'f Filter) -> Result<Option<Cow<'f, Filter>>, StoreError> {
        let Some(label) = filter.labels.first().filter(|_| filter.ids.is_empty()) else {
            return Ok(Some(Cow::Borrowed(filter)));
        };
        let ids = self.rows(CARRYING, params![label, FEW + 1], |row| id(&row.get::<_, String>(0)?))?;
        Ok(match ids.len() {
            0 => None,
            n if n <= usize::from(FEW) => Some(Cow::Owned(Filter { ids, ..filter.clone() })),
            _ => Some(Cow::Borrowed(filter)),
        })
    }

    /// How many beads pass `filter`; its order and limit do not matter.
    pub fn count(&self, filter: &Filter) -> Result<usize, StoreError> {
        let Some(filter) = self.narrowed(filter)? else { return Ok(0) };
        let filter = &*filter;
        let mut n = 0;
        for part in parts(filter, self.seen_batches()?) {
            n += self.one(counting(filter, part))?;
        }
        Ok(n)
    }
}

impl Where {
    /// Of this batch alone, or of all that are seen.
    fn part(&mut self, batch: Option<i64>) {
        match batch {
            Some(batch) => self.and("b.batch = ?", [Sql::Integer(batch)]),
            None => self.and(SEEN, []),
        }
    }
}

/// The statement of a count, in one batch or in all that are seen.
pub(in crate::store) fn counting(filter: &Filter, batch: Option<i64>) -> (String, Vec<Sql>) {
    let (rows, values) = passing(filter, batch);
    (format!("SELECT count(*) {rows}"), values)
}

/// The statement of a count by `column`.
pub(super) fn grouping(filter: &Filter, batch: Option<i64>, column: &str) -> (String, Vec<Sql>) {
    let (rows, values) = passing(filter, batch);
    (format!("SELECT {column}, count(*) {rows} GROUP BY 1"), values)
}

/// The statement of a count by label: a bead counts for each of its labels, one without any for the empty one.
pub(in crate::store) fn labelled(filter: &Filter, batch: Option<i64>) -> (String, Vec<Sql>) {
    let labels = "LEFT JOIN labels own ON own.bead = b.num AND own.live = 1";
    let (rows, values) = passing_with(filter, batch, labels);
    (format!("SELECT coalesce(own.label, ''), count(*) {rows} GROUP BY 1"), values)
}

/// The rows that pass, as the end of a statement.
fn passing(filter: &Filter, batch: Option<i64>) -> (String, Vec<Sql>) {
    passing_with(filter, batch, "")
}

fn passing_with(filter: &Filter, batch: Option<i64>, joined: &str) -> (String, Vec<Sql>) {
    let mut conditions = Where::default();
    conditions.filter(filter);
    conditions.part(batch);
    (format!("FROM beads b {} {joined} WHERE {}", index(filter), conditions.sql), conditions.values)
}

/// The statement of a list, in one batch, where an index gives the order, or in all that are seen.
pub(in crate::store) fn statement(filter: &Filter, batch: Option<i64>) -> (String, Vec<Sql>) {
    let (rows, values) = passing(filter, batch);
    let limit = filter.limit.map_or(String::new(), |n| format!(" LIMIT {n}"));
    (format!("SELECT {COLUMNS} {rows} ORDER BY {}{limit}", order(filter)), values)
}
