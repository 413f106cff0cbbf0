//! A bead, with every key of the interchange format in its order.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Dep, IssueType, Map, Status};
use crate::base::{BeadId, Time};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// A piece of work, a message, a convoy, a merge request: everything the town knows is a bead.
///
/// The order of the fields is the order of the keys in `issues.jsonl` and `--json`; empty ones are left out.
/// Labels are always filled in (sorted); `dependencies` and `comments` only by [`super::Read::whole`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bead {
    /// Its id.
    pub id: BeadId,
    /// One line, 1-500 bytes.
    #[serde(default)]
    pub title: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// How it is to be done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub design: String,
    /// When it is done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub acceptance_criteria: String,
    /// What was learnt.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// The specification it comes from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub spec_id: String,
    /// Where it stands.
    #[serde(default)]
    pub status: Status,
    /// 0 critical … 4 backlog.
    #[serde(default)]
    pub priority: u8,
    /// What kind of thing it is.
    #[serde(default)]
    pub issue_type: IssueType,
    /// Who has it; empty for nobody.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub assignee: String,
    /// Whom it belongs to (an e-mail address).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// How long it may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_minutes: Option<i64>,
    /// When it was filed.
    pub created_at: Time,
    /// Who filed it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    /// When it last changed.
    pub updated_at: Time,
    /// When work began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Time>,
    /// Why it was closed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub close_reason: String,
    /// The agent session that closed it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub closed_by_session: String,
    /// When it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Time>,
    /// Not before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defer_until: Option<Time>,
    /// Its name in another tracker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_ref: Option<String>,
    /// The tracker it came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source_system: String,
    /// Anything that the tracker itself gives no meaning.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map,
    /// How often it was compacted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub compaction_level: i64,
    /// When it was compacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compacted_at: Option<Time>,
    /// The commit that holds it as it was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compacted_at_commit: Option<String>,
    /// Its size before, in bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub original_size: i64,
    /// Its labels, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// What it depends on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dep>,
    /// What was said about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<Comment>,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Time>,
    /// Who deleted it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub deleted_by: String,
    /// Why it was deleted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub delete_reason: String,
    /// What it was before it was deleted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub original_type: String,
    /// For messages: who sent it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sender: String,
    /// A wisp: lives in this store only and never reaches the ledger.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ephemeral: bool,
    /// Kept in view and never worked off.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pinned: bool,
    /// A pattern to make beads from, not work itself.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_template: bool,
    /// What this compound was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bonded_from: Option<Value>,
    /// Who made what this bead describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator: Option<Value>,
    /// Who checked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validations: Option<Value>,
    /// How good it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality_score: Option<Value>,
    /// A flag in some versions of the format and a number in others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crystallizes: Option<Value>,
    /// For gates: what is waited for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub await_type: String,
    /// For gates: which one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub await_id: String,
    /// For gates: how long, in nanoseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// For gates: who is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiters: Vec<String>,
    /// For slots: who holds it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub holder: String,
    /// The formula this was poured from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source_formula: String,
    /// Where in that formula.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source_location: String,
    /// For agents of other systems: the bead on the hook.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hook_bead: String,
    /// For agents of other systems: the bead of the role.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub role_bead: String,
    /// For agents of other systems: what the agent does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub agent_state: String,
    /// For agents of other systems: when it was last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_activity: Option<Time>,
    /// For agents of other systems: its role.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub role_type: String,
    /// For agents of other systems: its rig.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rig: String,
    /// For molecules: swarm, patrol or work.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mol_type: String,
    /// For work: mutex or open competition.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub work_type: String,
    /// For events: what happened.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub event_kind: String,
    /// For events: who did it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// For events: to what.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// For events: JSON text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub payload: String,
    /// Keys that this program does not know; kept through every round trip.
    // The one open-ended format we read: `flatten` is exactly "the rest".
    #[serde(flatten)]
    pub extra: Map,
}

impl Bead {
    /// A bead with nothing but the required fields.
    pub fn bare(id: BeadId, title: impl Into<String>, at: Time) -> Self {
        Self {
            id,
            title: title.into(),
            description: String::new(),
            design: String::new(),
            acceptance_criteria: String::new(),
            notes: String::new(),
            spec_id: String::new(),
            status: Status::OPEN,
            priority: 2,
            issue_type: IssueType::TASK,
            assignee: String::new(),
            owner: String::new(),
            estimated_minutes: None,
            created_at: at,
            created_by: String::new(),
            updated_at: at,
            started_at: None,
            closed_at: None,
            close_reason: String::new(),
            closed_by_session: String::new(),
            due_at: None,
            defer_until: None,
            external_ref: None,
            source_system: String::new(),
            metadata: Map::new(),
            compaction_level: 0,
            compacted_at: None,
            compacted_at_commit: None,
            original_size: 0,
            labels: Vec::new(),
            dependencies: Vec::new(),
            comments: Vec::new(),
            deleted_at: None,
            deleted_by: String::new(),
            delete_reason: String::new(),
            original_type: String::new(),
            sender: String::new(),
            ephemeral: false,
            pinned: false,
            is_template: false,
            bonded_from: None,
            creator: None,
            validations: None,
            quality_score: None,
            crystallizes: None,
            await_type: String::new(),
            await_id: String::new(),
            timeout: 0,
            waiters: Vec::new(),
            holder: String::new(),
            source_formula: String::new(),
            source_location: String::new(),
            hook_bead: String::new(),
            role_bead: String::new(),
            agent_state: String::new(),
            last_activity: None,
            role_type: String::new(),
            rig: String::new(),
            mol_type: String::new(),
            work_type: String::new(),
            event_kind: String::new(),
            actor: String::new(),
            target: String::new(),
            payload: String::new(),
            extra: Map::new(),
        }
    }

    /// Closed or deleted.
    pub fn is_over(&self) -> bool {
        self.status.is_over()
    }

    /// Closed for a reason that says that the work failed.
    pub fn has_failed(&self) -> bool {
        self.status == Status::CLOSED && super::write::is_failure(&self.close_reason)
    }

    /// Whether it carries `label`.
    pub fn has_label(&self, label: &str) -> bool {
        self.labels.iter().any(|l| l == label)
    }

    /// A string in its metadata.
    pub fn meta_str(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).and_then(Value::as_str)
    }
}

/// Something said about a bead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Its number in this store.
    pub id: i64,
    /// The bead.
    pub issue_id: BeadId,
    /// Who said it.
    pub author: String,
    /// What was said.
    pub text: String,
    /// When.
    pub created_at: Time,
    /// Keys that this program does not know; kept through every round trip.
    #[serde(flatten)]
    pub extra: Map,
}
