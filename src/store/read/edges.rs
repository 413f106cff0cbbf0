//! Edges, children and the graph they make.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Row};

use super::{Read, SEEN, seen_batches};
use crate::base::BeadId;
use crate::store::order;
use crate::store::row::{self, COLUMNS, Stored};
use crate::store::{Bead, Dep, DepKind, EpicCount, StoreError};

const EDGE: &str = "d.issue_id, d.depends_on_id, d.kind, d.created_at, d.created_by, d.metadata, d.thread_id, d.other";
const EDGE_SEEN: &str = concat!("(d.batch = 0 OR d.batch IN (", seen_batches!(), "))");

/// An edge that is or was, with when it came and last went.
pub(in crate::store) struct Ever {
    pub(in crate::store) dep: Dep,
    pub(in crate::store) live: bool,
    pub(in crate::store) added: String,
    pub(in crate::store) removed: Option<String>,
}

/// How many edges begin and end at each bead.
#[derive(Debug)]
pub struct EdgeCounts {
    from: HashMap<String, usize>,
    to: HashMap<String, usize>,
}

impl EdgeCounts {
    /// How many beads this one depends on, and how many depend on it.
    pub fn of(&self, id: &BeadId) -> (usize, usize) {
        let count = |map: &HashMap<String, usize>| map.get(id.as_str()).copied().unwrap_or(0);
        (count(&self.from), count(&self.to))
    }
}

fn edge(row: &Row<'_>) -> Result<Dep, StoreError> {
    Ok(Dep {
        issue_id: row::id(&row.get::<_, String>(0)?)?,
        depends_on_id: row::id(&row.get::<_, String>(1)?)?,
        kind: DepKind::new(&row.get::<_, String>(2)?),
        created_at: row::time(row, 3)?.unwrap_or(crate::base::Time::from_millis(0)),
        created_by: row.get(4)?,
        metadata: row.get(5)?,
        thread_id: row.get(6)?,
        extra: row::unpacked(&row.get::<_, String>(7)?)?,
    })
}

/// As [`EDGE_SEEN`], with the edges of the batch `?2` that this transaction is staging.
const EDGE_HERE: &str = concat!("(d.batch = 0 OR d.batch = ?2 OR d.batch IN (", seen_batches!(), "))");

impl Read<'_> {
    /// What it depends on.
    pub fn deps(&self, id: &BeadId) -> Result<Vec<Dep>, StoreError> {
        self.edges(&format!("SELECT {EDGE} FROM deps d WHERE d.issue_id = ?1 AND d.live = 1 AND {EDGE_HERE}"), id)
    }

    /// The edges of a bead that the ledger knows of: removed ones too, and none that leads to a wisp.
    pub(in crate::store) fn edges_ever(&self, id: &BeadId) -> Result<Vec<Ever>, StoreError> {
        let sql =
            format!("SELECT {EDGE}, d.spawner, d.live, d.batch, d.added, d.removed FROM deps d WHERE d.issue_id = ?1");
        let mut statement = self.conn.prepare_cached(&sql)?;
        let mut rows = statement.query([id.as_str()])?;
        let mut edges = Vec::new();
        while let Some(row) = rows.next()? {
            let dep = edge(row)?;
            if self.leads_to_wisp(dep.depends_on_id.as_str(), row.get::<_, Option<String>>(8)?.as_deref())? {
                continue;
            }
            let (live, batch): (bool, i64) = (row.get(9)?, row.get(10)?);
            let live = live && (batch == 0 || batch == self.staging || self.is_seen(batch)?);
            edges.push(Ever { dep, live, added: row.get(11)?, removed: row.get(12)? });
        }
        Ok(edges)
    }

    /// What depends on it.
    pub fn dependents(&self, id: &BeadId) -> Result<Vec<Dep>, StoreError> {
        self.edges(&format!("SELECT {EDGE} FROM deps d WHERE d.depends_on_id = ?1 AND d.live = 1 AND {EDGE_HERE}"), id)
    }

    fn edges(&self, sql: &str, id: &BeadId) -> Result<Vec<Dep>, StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query((id.as_str(), self.staging))?;
        let mut edges = Vec::new();
        while let Some(row) = rows.next()? {
            edges.push(edge(row)?);
        }
        order::edges(&mut edges);
        Ok(edges)
    }

    /// Every live edge, by dependent. For whole-graph questions.
    pub fn all_deps(&self) -> Result<Vec<Dep>, StoreError> {
        let mut statement =
            self.conn.prepare_cached(&format!("SELECT {EDGE} FROM deps d WHERE d.live = 1 AND {EDGE_SEEN}"))?;
        let mut rows = statement.query([])?;
        let mut edges = Vec::new();
        while let Some(row) = rows.next()? {
            edges.push(edge(row)?);
        }
        order::edges(&mut edges);
        edges.sort_by(|a, b| a.issue_id.cmp(&b.issue_id));
        Ok(edges)
    }

    /// Whether this is a wisp; of what is not here its id tells.
    pub fn is_wisp(&self, id: &str) -> Result<bool, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT ephemeral FROM beads WHERE id = ?1")?;
        let found: Option<bool> = statement.query_row([id], |r| r.get(0)).optional()?;
        Ok(found.unwrap_or_else(|| id.contains("-wisp-")))
    }

    /// Whether a wisp is at the end of an edge, or what it waits for.
    pub(in crate::store) fn leads_to_wisp(&self, target: &str, spawner: Option<&str>) -> Result<bool, StoreError> {
        let waits = spawner.filter(|spawner| *spawner != target);
        Ok(self.is_wisp(target)? || waits.map_or(Ok(false), |spawner| self.is_wisp(spawner))?)
    }

    /// How many beads it depends on, and how many depend on it.
    pub fn edge_counts(&self, id: &BeadId) -> Result<(usize, usize), StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT (SELECT count(*) FROM deps WHERE issue_id = ?1 AND live = 1),
                    (SELECT count(*) FROM deps WHERE depends_on_id = ?1 AND live = 1)",
        )?;
        Ok(statement
            .query_row([id.as_str()], |row| Ok((row.get::<_, i64>(0)? as usize, row.get::<_, i64>(1)? as usize)))?)
    }

    /// [`Self::edge_counts`] of all beads: for many of them one pass over each index is cheaper than so many look-ups.
    pub fn all_edge_counts(&self) -> Result<EdgeCounts, StoreError> {
        let counts = |column: &str| -> Result<HashMap<String, usize>, StoreError> {
            let sql = format!("SELECT {column}, count(*) FROM deps WHERE live = 1 GROUP BY {column}");
            let rows = self.rows(&sql, [], |r| Ok((r.get(0)?, r.get::<_, i64>(1)? as usize)))?;
            Ok(rows.into_iter().collect())
        };
        Ok(EdgeCounts { from: counts("issue_id")?, to: counts("depends_on_id")? })
    }

    /// Edges of beads that are here to beads that are not: from, to.
    pub fn orphaned_deps(&self) -> Result<Vec<(BeadId, BeadId)>, StoreError> {
        self.rows(
            "SELECT d.issue_id, d.depends_on_id FROM deps d WHERE d.live = 1 AND d.batch = 0
               AND EXISTS (SELECT 1 FROM beads b WHERE b.id = d.issue_id AND b.status <> 'tombstone')
               AND NOT EXISTS (SELECT 1 FROM beads b WHERE b.id = d.depends_on_id) ORDER BY 1, 2",
            [],
            |r| Ok((row::id(&r.get::<_, String>(0)?)?, row::id(&r.get::<_, String>(1)?)?)),
        )
    }

    /// Its parents: usually one or none.
    pub fn parents(&self, id: &BeadId) -> Result<Vec<BeadId>, StoreError> {
        let edges = self.deps(id)?;
        Ok(edges.into_iter().filter(|d| d.kind == DepKind::PARENT_CHILD).map(|d| d.depends_on_id).collect())
    }

    /// Its children, by child number, then age.
    pub fn children(&self, id: &BeadId) -> Result<Vec<Bead>, StoreError> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM deps d JOIN beads b ON b.id = d.issue_id
             WHERE d.depends_on_id = ?1 AND d.kind = 'parent-child' AND d.live = 1
               AND b.status <> 'tombstone' AND {SEEN}"
        ))?;
        let mut rows = statement.query([id.as_str()])?;
        let mut children = Vec::new();
        while let Some(row) = rows.next()? {
            let stored = Stored::read(row)?;
            let number =
                stored.bead.id.as_str().strip_prefix(id.as_str()).and_then(|rest| rest.strip_prefix('.')?.parse().ok());
            children.push((number.unwrap_or(u64::MAX), stored.num, stored.bead));
        }
        children.sort_by_key(|(number, num, _)| (*number, *num));
        Ok(children.into_iter().map(|(_, _, bead)| bead).collect())
    }

    /// Its children, counted. Deleted children whose edge is still there (only imports have them) are not closed.
    pub fn epic_count(&self, id: &BeadId) -> Result<EpicCount, StoreError> {
        let stored = self.need_stored(id)?;
        let (total, open) = (stored.children.max(0) as usize, stored.open_children.max(0) as usize);
        let mut closed = total.saturating_sub(open);
        let any_gone = "SELECT 1 FROM beads INDEXED BY by_status WHERE status = 'tombstone'";
        if closed > 0 && self.conn.prepare_cached(any_gone)?.exists([])? {
            let mut gone = self.conn.prepare_cached(
                "SELECT count(*) FROM deps d JOIN beads b ON b.id = d.issue_id
                 WHERE d.depends_on_id = ?1 AND d.kind = 'parent-child' AND d.live = 1 AND b.status = 'tombstone'",
            )?;
            closed = closed.saturating_sub(gone.query_row([id.as_str()], |r| r.get::<_, i64>(0))? as usize);
        }
        Ok(EpicCount { total, closed })
    }

    /// A way from `from` to `to` along live edges (all kinds but `relates-to`) and from gates to the beads that they wait
    /// for, both ends included.
    pub(in crate::store) fn path(&self, from: &BeadId, to: &BeadId) -> Result<Option<Vec<BeadId>>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT depends_on_id FROM (SELECT depends_on_id, num FROM deps
                                        WHERE issue_id = ?1 AND live = 1 AND kind <> 'relates-to' ORDER BY num)
             UNION ALL SELECT awaits FROM beads WHERE id = ?1 AND awaits IS NOT NULL AND over = 0",
        )?;
        let mut came: HashMap<String, Option<String>> = [(from.to_string(), None)].into();
        let mut queue = std::collections::VecDeque::from([from.to_string()]);
        while let Some(at) = queue.pop_front() {
            if at == to.as_str() {
                let mut path = vec![row::id(&at)?];
                let mut at = at;
                while let Some(Some(before)) = came.get(&at) {
                    path.push(row::id(before)?);
                    at.clone_from(before);
                }
                path.reverse();
                return Ok(Some(path));
            }
            for next in statement.query_map([&at], |row| row.get::<_, String>(0))? {
                let next = next?;
                if !came.contains_key(&next) {
                    came.insert(next.clone(), Some(at.clone()));
                    queue.push_back(next);
                }
            }
        }
        Ok(None)
    }
}
