//! Filing a bead.

use rusqlite::types::Value as Sql;
use rusqlite::{OptionalExtension, Statement, params_from_iter};

use super::Write;
use super::edge::LASTING_CHILD;
use crate::base::{BeadId, Prefix};
use crate::store::{Bead, DepKind, IssueType, NewBead, NewDep, Stamp, Status, StoreError, id, row};

/// The longest title, in bytes.
const TITLE_MAX: usize = 500;
/// The label of patterns: a bead that has it is one.
pub(super) const TEMPLATE: &str = "template";
/// What is refused where the parent was deleted.
const CHILD: &str = "file a child of";
/// How deep child ids may nest, unless the setting `hierarchy.max-depth` says otherwise.
const DEPTH_MAX: usize = 3;

impl Write<'_> {
    /// Files a bead: makes its id, draws its edges, counts it with its parent.
    pub fn create(&mut self, mut new: NewBead) -> Result<Bead, StoreError> {
        let parent = match &new.parent {
            Some(parent) => Some(self.need_living(parent, CHILD)?.bead),
            None => None,
        };
        let (id, mut deps) = (new.id.take(), std::mem::take(&mut new.deps));
        let (under, prefix) = (new.parent.take(), new.prefix.take());
        let mut bead = fresh(self.by, new)?;
        bead.id = self.choose_id(id, under.as_ref(), prefix, &bead)?;
        self.insert(&bead)?;
        if let Some(parent) = parent
            && !deps.iter().any(|d| d.kind == DepKind::PARENT_CHILD && d.depends_on_id == parent.id)
        {
            deps.insert(0, NewDep::new(DepKind::PARENT_CHILD, parent.id));
        }
        self.announce(&bead, &deps)?;
        for dep in deps {
            self.link(&bead, &dep, false)?;
        }
        self.open_if_over(&bead)?;
        self.need(&bead.id)
    }

    /// Gives a bead that is here other contents, as if it had been filed with them: fields and labels. Who made it and
    /// when, its comments and its edges stay.
    ///
    /// Refused when it was deleted: every other copy that knows of that would delete it again.
    pub fn rewrite(&mut self, id: &BeadId, new: NewBead) -> Result<Bead, StoreError> {
        let old = self.need_living(id, "rewrite")?;
        let mut bead = fresh(self.by, new)?;
        bead.id = id.clone();
        (bead.created_at, bead.created_by) = (old.bead.created_at, old.bead.created_by.clone());
        // What the ledger has once lasts.
        bead.ephemeral &= old.bead.ephemeral;
        // Labels are a set of their own, of which each comes and goes with a stamp.
        let labels = std::mem::replace(&mut bead.labels, old.bead.labels.clone());
        self.save(old, bead.clone())?;
        for gone in bead.labels.iter().filter(|label| !labels.contains(label)) {
            self.remove_label(id, gone)?;
        }
        for label in &labels {
            self.add_label(id, label)?;
        }
        self.need(id)
    }

    fn choose_id(
        &mut self,
        given: Option<BeadId>,
        given_parent: Option<&BeadId>,
        prefix: Option<Prefix>,
        bead: &Bead,
    ) -> Result<BeadId, StoreError> {
        if let Some(id) = given {
            if self.is_taken(&id)? {
                return Err(StoreError::Exists(id));
            }
            if let Some(parent) = id.parent() {
                // Under another parent it is a child of that one: what stands before the dot is part of a name.
                let its_own = given_parent.is_none_or(|given| *given == parent);
                if its_own && self.need_living(&parent, CHILD)?.bead.ephemeral && !bead.ephemeral {
                    return Err(StoreError::Refused { verb: LASTING_CHILD, id: parent, what: "a wisp" });
                }
                let number = id.as_str().rsplit('.').next().and_then(|n| n.parse::<i64>().ok()).unwrap_or(0);
                self.run("UPDATE beads SET next_child = max(next_child, ?2) WHERE id = ?1", (parent.as_str(), number))?;
            }
            return Ok(id);
        }
        match (given_parent, prefix) {
            (Some(parent), None) => self.child_id(parent),
            (_, Some(prefix)) => self.hash_id(&prefix, bead),
            (None, None) => {
                let prefix = self.prefix()?;
                self.hash_id(&prefix, bead)
            }
        }
    }

    /// How deep child ids may nest below a bead of the top.
    pub fn max_id_levels(&self) -> Result<usize, StoreError> {
        Ok(self.setting("hierarchy.max-depth")?.and_then(|v| v.parse().ok()).unwrap_or(DEPTH_MAX))
    }

    /// How many levels an id is below the top.
    pub fn id_levels(&self, id: &BeadId) -> usize {
        std::iter::successors(id.parent(), BeadId::parent).count()
    }

    fn child_id(&mut self, parent: &BeadId) -> Result<BeadId, StoreError> {
        let (max, depth) = (self.max_id_levels()?, self.id_levels(parent) + 1);
        if depth > max {
            let reason = format!("`{parent}` is {max} levels deep already (setting hierarchy.max-depth)");
            return Err(StoreError::invalid("parent", reason));
        }
        let mut statement = self
            .conn
            .prepare_cached("UPDATE beads SET next_child = next_child + 1 WHERE id = ?1 RETURNING next_child")?;
        loop {
            let number: i64 = statement.query_row([parent.as_str()], |r| r.get(0))?;
            let id = BeadId::new(format!("{parent}.{number}"))
                .map_err(|_| StoreError::invalid("parent", format!("`{parent}` is too long for a child id")))?;
            if !self.is_taken(&id)? {
                return Ok(id);
            }
        }
    }

    fn hash_id(&mut self, prefix: &Prefix, bead: &Bead) -> Result<BeadId, StoreError> {
        let wisp = bead.ephemeral && !prefix.as_str().ends_with("-wisp");
        let prefix = if wisp { format!("{prefix}-wisp") } else { prefix.to_string() };
        let mut count = self.conn.prepare_cached("SELECT n FROM id_counts WHERE prefix = ?1")?;
        let n: i64 = count.query_row([&prefix], |r| r.get(0)).optional()?.unwrap_or(0);
        let number = |key: &str| -> Result<Option<f64>, StoreError> {
            Ok(self.setting(key)?.and_then(|v| v.parse::<f64>().ok()))
        };
        let (low, high) = (*id::LENGTHS.start(), *id::LENGTHS.end());
        let shortest = number("min_hash_length")?.map_or(low, |v| (v as usize).clamp(low, high));
        let longest = number("max_hash_length")?.map_or(high, |v| (v as usize).clamp(shortest, high));
        let chance = number("max_collision_prob")?.unwrap_or(0.25);
        for len in id::length_for(n, chance, shortest, longest)..=high {
            // Beads that are alike use up the first nonces of every length. At the last one each goes on where the
            // number of beads is, which no bead before it has tried: their ids cost the same however many there are.
            let further = u32::try_from(n).unwrap_or(0).max(10);
            let more = if len == high { further..further.saturating_add(100_000) } else { 0..0 };
            for nonce in (0..10).chain(more) {
                let hash =
                    id::hash(&bead.title, &bead.description, &bead.created_by, bead.created_at.nanos(), nonce, len);
                let id = BeadId::new(format!("{prefix}-{hash}"))
                    .map_err(|e| StoreError::invalid("prefix", e.to_string()))?;
                if !self.is_taken(&id)? {
                    return Ok(id);
                }
            }
        }
        Err(StoreError::invalid("id", format!("no free id with the prefix `{prefix}` could be made")))
    }

    /// Whether any row has this id, hidden ones too.
    pub(super) fn is_taken(&self, id: &BeadId) -> Result<bool, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT 1 FROM beads WHERE id = ?1")?;
        Ok(statement.exists([id.as_str()])?)
    }

    /// Adds the row, its labels and its text, and judges edges that already lead to it.
    pub(super) fn insert(&mut self, bead: &Bead) -> Result<i64, StoreError> {
        let mut columns = vec!["id", "batch", "stamps", "defer_over"];
        let stamp = self.stamp_over("");
        let stamps = serde_json::json!({ "*": stamp }).to_string();
        let over = bead.defer_until.is_some_and(|t| t <= self.by.now);
        let mut values = vec![
            Sql::Text(bead.id.to_string()),
            Sql::Integer(self.staging),
            Sql::Text(stamps),
            Sql::Integer(i64::from(over)),
        ];
        for (column, value) in row::values(bead) {
            columns.push(column);
            values.push(value);
        }
        let marks = vec!["?"; columns.len()].join(", ");
        let sql = format!("INSERT INTO beads ({}) VALUES ({marks})", columns.join(", "));
        self.run(&sql, params_from_iter(values))?;
        let num = self.conn.last_insert_rowid();
        for label in &bead.labels {
            self.run("INSERT INTO labels (bead, label, added) VALUES (?1, ?2, ?3)", (num, label, &stamp))?;
        }
        self.index_text(num, bead)?;
        if bead.id.parent().is_none() {
            self.run(
                "INSERT INTO id_counts VALUES (?1, 1) ON CONFLICT (prefix) DO UPDATE SET n = n + 1",
                [bead.id.prefix()],
            )?;
        }
        if self
            .conn
            .prepare_cached("SELECT 1 FROM deps WHERE depends_on_id = ?1 AND live = 1")?
            .exists([bead.id.as_str()])?
        {
            self.adopt_dangling(&bead.id)?;
        }
        Ok(num)
    }

    /// Writes the text that full-text search looks at.
    pub(super) fn index_text(&self, num: i64, bead: &Bead) -> Result<(), StoreError> {
        index_text(&mut *self.conn.prepare_cached(INDEX_TEXT)?, num, bead)
    }

    fn announce(&mut self, bead: &Bead, deps: &[NewDep]) -> Result<(), StoreError> {
        if self.staging == 0 {
            let payload = serde_json::json!({
                "title": bead.title, "type": bead.issue_type, "priority": bead.priority, "status": bead.status,
                "assignee": bead.assignee, "labels": bead.labels, "ephemeral": bead.ephemeral,
                "deps": deps.iter().map(|d| serde_json::json!({ "type": d.kind, "depends_on": d.depends_on_id }))
                    .collect::<Vec<_>>(),
            });
            self.emit("created", bead.id.as_str(), payload)?;
        }
        self.touch(&bead.id, format!("created: {}", bead.title));
        Ok(())
    }
}

/// The bead without its id, checked.
pub(in crate::store) fn fresh(by: &Stamp, new: NewBead) -> Result<Bead, StoreError> {
    check_title(&new.title)?;
    let nobody = BeadId::new("x").map_err(|e| StoreError::invalid("id", e.to_string()))?;
    let mut bead = Bead::bare(nobody, new.title, by.now);
    let mut other = new.other;
    other.retain(|_, value| !value.is_null());
    if !row::set_plain(&mut bead, &other) {
        bead = row::set_other(&bead, other).map_err(|e| StoreError::invalid("bead", e.to_string()))?;
    }
    bead.description = new.description;
    bead.design = new.design;
    bead.acceptance_criteria = new.acceptance_criteria;
    bead.notes = new.notes;
    bead.status = new.status.unwrap_or_default();
    bead.priority = new.priority.unwrap_or(2);
    bead.issue_type = new.issue_type.unwrap_or_default();
    bead.assignee = new.assignee;
    bead.owner = new.owner;
    bead.created_by = if new.created_by.is_empty() { by.actor.clone() } else { new.created_by };
    bead.estimated_minutes = new.estimated_minutes;
    bead.due_at = new.due_at;
    bead.defer_until = new.defer_until;
    bead.external_ref = new.external_ref;
    bead.metadata = new.metadata;
    bead.labels = new.labels;
    bead.labels.sort();
    bead.labels.dedup();
    bead.labels.iter().try_for_each(|l| super::label::check_label(l))?;
    bead.ephemeral = new.ephemeral;
    bead.pinned = new.pinned;
    bead.is_template = new.is_template || bead.has_label(TEMPLATE);
    if bead.status == "closed" {
        bead.closed_at.get_or_insert(by.now);
    } else if bead.status == "in_progress" {
        bead.started_at.get_or_insert(by.now);
    }
    check(&bead)?;
    Ok(bead)
}

/// Writes the text that full-text search looks at; for [`index_text`].
pub(super) const INDEX_TEXT: &str = "INSERT OR REPLACE INTO bead_text
     (rowid, id, title, description, design, acceptance_criteria, notes, close_reason)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// Runs [`INDEX_TEXT`].
pub(super) fn index_text(statement: &mut Statement<'_>, num: i64, bead: &Bead) -> Result<(), StoreError> {
    let [title, description, design, acceptance, notes, reason] = texts(bead);
    statement.execute((num, bead.id.as_str(), title, description, design, acceptance, notes, reason))?;
    Ok(())
}

/// What full-text search looks at beside the id. Of a wisp it is not why it was closed: it is gone soon after, and its
/// text would have to be taken out and put in again for that, a third of what closing it writes.
pub(super) fn texts(bead: &Bead) -> [&str; 6] {
    let reason = if bead.ephemeral { "" } else { bead.close_reason.as_str() };
    [&bead.title, &bead.description, &bead.design, &bead.acceptance_criteria, &bead.notes, reason]
}

/// Refuses an empty or too long title.
pub(super) fn check_title(title: &str) -> Result<(), StoreError> {
    if title.trim().is_empty() {
        return Err(StoreError::invalid("title", "it is empty"));
    }
    if title.len() > TITLE_MAX {
        let reason =
            format!("it has {} bytes, and {TITLE_MAX} are allowed; put the rest into the description", title.len());
        return Err(StoreError::invalid("title", reason));
    }
    if title.contains(['\n', '\r', '\0']) {
        return Err(StoreError::invalid("title", "it must be one line"));
    }
    Ok(())
}

/// Refuses values that the format does not allow.
pub(super) fn check(bead: &Bead) -> Result<(), StoreError> {
    if bead.priority > 4 {
        return Err(StoreError::invalid(
            "priority",
            format!("{} is not one of 0 (critical) to 4 (backlog)", bead.priority),
        ));
    }
    let word = |text: &str| !text.is_empty() && text.len() <= 50 && !text.contains(|c: char| c.is_control());
    if !word(bead.status.as_str()) {
        return Err(StoreError::invalid("status", format!("use one of {}", Status::KNOWN.join(", "))));
    }
    if !word(bead.issue_type.as_str()) {
        return Err(StoreError::invalid("type", format!("use one of {}", IssueType::KNOWN.join(", "))));
    }
    if bead.estimated_minutes.is_some_and(|n| n < 0) {
        return Err(StoreError::invalid("estimate", "it is less than nothing"));
    }
    Ok(())
}
