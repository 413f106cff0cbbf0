//! Wisps that are over go by themselves: a few at a time, so that nobody waits for it.

use super::Write;
use crate::base::{BeadId, Time};
use crate::store::row::{self, nanos};
use crate::store::{Bead, Close, DepKind, StoreError};

const TABLE: &str = "wisps";
const CURSOR: &str = "cursor";

/// What is to go.
#[derive(Debug, Clone, Copy)]
pub struct Sweep {
    /// Wisps that are closed, and nothing happened to them since.
    pub over_before: Time,
    /// Open ones to which nothing happened since are closed as abandoned; none are when this is `None`.
    pub idle_before: Option<Time>,
    /// So many wisps are looked at.
    pub limit: usize,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Wisps that are gone.
    pub erased: usize,
    /// Wisps that were closed as abandoned.
    pub abandoned: usize,
    /// There are more to be looked at.
    pub more: bool,
}

impl Write<'_> {
    /// Looks at a few wisps, going on from where the last sweep ended, and erases those whose molecule is over.
    /// One that came in a file of issues belongs to the file, and stays.
    ///
    /// The parts of a wisp go before the wisp itself, and none goes while it is on a hook or part of one that is open.
    pub fn sweep_wisps(&mut self, sweep: &Sweep) -> Result<Swept, StoreError> {
        let from = self.local_or_none::<(i64, i64)>(TABLE, CURSOR)?;
        let (ns, num) = from.unwrap_or((i64::MIN, 0));
        let old = self.rows(
            "SELECT b.id, b.updated_ns, b.num FROM beads b INDEXED BY wisps
             WHERE b.ephemeral = 1 AND b.updated_ns >= ?1 AND b.updated_ns < ?2 AND (b.updated_ns > ?1 OR b.num > ?3)
               AND b.batch = 0 AND NOT EXISTS (SELECT 1 FROM source_lines s WHERE s.bead = b.num)
             ORDER BY b.updated_ns, b.num LIMIT ?4",
            (ns, nanos(sweep.over_before), num, sweep.limit as i64),
            |r| Ok((row::id(&r.get::<_, String>(0)?)?, r.get::<_, i64>(1)?, r.get::<_, i64>(2)?)),
        )?;
        let mut swept = Swept { more: old.len() == sweep.limit, ..Swept::default() };
        for (id, ..) in &old {
            self.sweep_one(id, sweep, &mut swept)?;
        }
        match old.last().filter(|_| swept.more) {
            Some((_, ns, num)) => self.put_local(TABLE, CURSOR, &serde_json::json!([ns, num]))?,
            None if from.is_some() => _ = self.delete_local(TABLE, CURSOR)?,
            None => {}
        }
        Ok(swept)
    }

    fn sweep_one(&mut self, id: &BeadId, sweep: &Sweep, swept: &mut Swept) -> Result<(), StoreError> {
        let Some(bead) = self.bead(id)? else { return Ok(()) };
        let top = self.top_wisp(&bead)?;
        if self.is_hooked(id)? || self.is_hooked(&top.id)? {
            return Ok(());
        }
        let parts = self.has_wisps_below(id)?;
        if top.is_over() {
            if top.updated_at < sweep.over_before && !parts {
                self.delete(id, "swept")?;
                swept.erased += 1;
            }
        } else if let Some(idle) = sweep.idle_before
            && top.id == *id
            && bead.updated_at < idle
            && !self.touched_below(id, idle)?
        {
            self.close(id, Close { force: true, ..Close::because("abandoned: nothing happened for long") })?;
            swept.abandoned += 1;
        }
        Ok(())
    }

    /// The wisp that this one is part of, at the top; itself when it is part of none.
    fn top_wisp(&self, bead: &Bead) -> Result<Bead, StoreError> {
        let mut top = bead.clone();
        // Bounded: a damaged store may hold a circle of parents.
        for _ in 0..64 {
            let parent = self.deps(&top.id)?.into_iter().find(|d| d.kind == DepKind::PARENT_CHILD);
            match parent.map(|edge| self.bead(&edge.depends_on_id)).transpose()?.flatten() {
                Some(parent) if parent.ephemeral => top = parent,
                _ => break,
            }
        }
        Ok(top)
    }

    fn is_hooked(&self, id: &BeadId) -> Result<bool, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT 1 FROM hooks WHERE bead = ?1 OR molecule = ?1")?;
        Ok(statement.exists([id.as_str()])?)
    }

    fn has_wisps_below(&self, id: &BeadId) -> Result<bool, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT 1 FROM deps d JOIN beads b ON b.id = d.issue_id
             WHERE d.depends_on_id = ?1 AND d.kind = 'parent-child' AND d.live = 1 AND b.ephemeral = 1",
        )?;
        Ok(statement.exists([id.as_str()])?)
    }

    /// Whether something happened below a wisp since.
    fn touched_below(&self, id: &BeadId, since: Time) -> Result<bool, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "WITH RECURSIVE below (id) AS (
                 SELECT issue_id FROM deps WHERE depends_on_id = ?1 AND kind = 'parent-child' AND live = 1
                 UNION
                 SELECT d.issue_id FROM below JOIN deps d ON d.depends_on_id = below.id
                 WHERE d.kind = 'parent-child' AND d.live = 1)
             SELECT 1 FROM below JOIN beads b ON b.id = below.id WHERE b.updated_ns >= ?2",
        )?;
        Ok(statement.exists((id.as_str(), nanos(since)))?)
    }
}
