//! What is held back, and by what.

use super::Read;
use crate::base::BeadId;
use crate::store::row::{COLUMNS, Stored};
use crate::store::{Blocked, StoreError, row};

/// What is held back by itself, in the words of its index.
const HELD: &str = "b.over = 0 AND (b.blockers > 0 OR b.outside > 0 OR b.status IN ('blocked', 'deferred'))
                   AND b.pinned = 0 AND b.ephemeral = 0";

impl Read<'_> {
    /// Beads that are put aside (status blocked or deferred) or wait for open ones, by priority; `under` keeps
    /// those below a bead. Pinned beads, wisps and those held back through their parent alone are not listed.
    pub fn blocked(&self, under: Option<&BeadId>) -> Result<Vec<Blocked>, StoreError> {
        let below = under.map(|top| self.below(top)).transpose()?;
        let mut blocked = Vec::new();
        for batch in self.seen_batches()? {
            let mut statement = self.conn.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM beads b INDEXED BY held_back
                 WHERE b.batch = ?1 AND {HELD}
                 ORDER BY b.priority, b.created_ns"
            ))?;
            let mut rows = statement.query([batch])?;
            while let Some(found) = rows.next()? {
                let bead = Stored::read(found)?.bead;
                if !bead.status.is_openish() || below.as_ref().is_some_and(|ids| !ids.contains(bead.id.as_str())) {
                    continue;
                }
                let mut blocked_by: Vec<String> = self.blockers(&bead.id)?.iter().map(ToString::to_string).collect();
                blocked_by.extend(row::outside(&bead).map(str::to_owned));
                let put_aside = matches!(bead.status.as_str(), "blocked" | "deferred");
                if put_aside || !blocked_by.is_empty() {
                    blocked.push(Blocked { bead, blocked_by_count: blocked_by.len(), blocked_by });
                }
            }
        }
        blocked.sort_by_key(|b| (b.bead.priority, b.bead.created_at));
        Ok(blocked)
    }

    /// How many are held back; of one assignee, when one is named.
    pub(super) fn blocked_count(&self, assignee: Option<&str>) -> Result<usize, StoreError> {
        let whose = assignee.map_or("", |_| "AND b.assignee = ?");
        let sql = format!(
            "SELECT count(*) FROM beads b INDEXED BY held_back
             WHERE {HELD} AND b.status IN ('open', 'in_progress', 'blocked', 'deferred', 'hooked')
               AND (b.outside > 0 OR b.status IN ('blocked', 'deferred') OR EXISTS (
                    SELECT 1 FROM deps d WHERE d.issue_id = b.id AND d.live = 1 AND d.active = 1 AND d.kind = 'blocks'))
               AND {} {whose}",
            super::SEEN
        );
        self.one((sql, assignee.map(|a| rusqlite::types::Value::Text(a.to_owned())).into_iter().collect()))
    }

    /// Whether something holds the bead back: its own edges, or its parent.
    pub fn is_blocked(&self, id: &BeadId) -> Result<bool, StoreError> {
        Ok(self.need_stored(id)?.blockers > 0)
    }

    /// The open beads that it waits for by `blocks` edges.
    pub fn blockers(&self, id: &BeadId) -> Result<Vec<BeadId>, StoreError> {
        self.active(id, "AND kind = 'blocks'")
    }

    /// All that holds the bead back now: targets of its active edges of any kind, its parent among them.
    pub fn held_by(&self, id: &BeadId) -> Result<Vec<BeadId>, StoreError> {
        self.active(id, "")
    }

    fn active(&self, id: &BeadId, condition: &str) -> Result<Vec<BeadId>, StoreError> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT depends_on_id FROM deps WHERE issue_id = ?1 AND live = 1 AND active = 1 {condition} ORDER BY num"
        ))?;
        let mut rows = statement.query([id.as_str()])?;
        let mut ids = Vec::new();
        while let Some(r) = rows.next()? {
            ids.push(row::id(&r.get::<_, String>(0)?)?);
        }
        Ok(ids)
    }

    /// The ids below `top`, at any depth.
    pub(in crate::store) fn below(&self, top: &BeadId) -> Result<std::collections::HashSet<String>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "WITH RECURSIVE below (id) AS (
                 SELECT issue_id FROM deps WHERE depends_on_id = ?1 AND kind = 'parent-child' AND live = 1
                 UNION
                 SELECT d.issue_id FROM below JOIN deps d ON d.depends_on_id = below.id
                 WHERE d.kind = 'parent-child' AND d.live = 1)
             SELECT id FROM below",
        )?;
        let ids = statement.query_map([top.as_str()], |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }
}
