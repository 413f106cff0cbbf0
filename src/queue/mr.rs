//! A merge request as its bead keeps it: `metadata.mr` of a bead of type `merge-request`.

use serde::{Deserialize, Serialize};

use super::error::{Malformed, QueueError};
use super::machine::State;
use crate::base::{Address, BeadId, RigName, Time};
use crate::store::{Bead, IssueType, Map, Patch, StoreError, Write};

/// The key of [`MrMeta`] in the metadata of a merge request; in that of a work bead, the id of its request.
pub const MR_KEY: &str = "mr";

/// One change on its way to the target branch. Commits are full hexadecimal ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MrMeta {
    /// The rig.
    pub rig: RigName,
    /// The bead that the change is for.
    pub bead: BeadId,
    /// Who made it.
    pub worker: Address,
    /// The branch it was made on.
    pub branch: String,
    /// The commit that was handed in, and the only one that lands.
    pub commit: String,
    /// The branch it is to land on.
    pub target: String,
    /// The ref that holds the commit, whatever becomes of the branch: `refs/gt/mr/<id>`.
    pub source_ref: String,
    /// 1 for the first request of the bead, one more after each rework; 1 again after a person's word.
    pub attempt: u32,
    /// Where it stands.
    pub state: State,
    /// When it was handed in.
    pub queued_at: Time,
    /// Lines that were added or removed, against the target as it was when it was handed in.
    #[serde(default)]
    pub lines: u64,
    /// The paths it touches.
    #[serde(default)]
    pub paths: Vec<String>,
    /// The word of a person, which a rig that holds its landings waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Approval>,
    /// The commit on the target that it landed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landed: Option<String>,
    /// Why it is held, failed, conflicts or was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What the queue found: gate results, conflicts.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub evidence: Map,
}

/// Who let a held change land.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The person.
    pub by: String,
    /// When.
    pub at: Time,
}

impl MrMeta {
    /// The particulars of a merge request.
    pub fn of(mr: &Bead) -> Result<Self, QueueError> {
        if mr.issue_type != IssueType::MERGE_REQUEST {
            let reason = format!("{} is a {}, not a merge request", mr.id, mr.issue_type);
            return Err(StoreError::Invalid { field: "metadata.mr", reason }.into());
        }
        let malformed = |why: String| Malformed { mr: mr.id.clone(), why };
        let value = mr.metadata.get(MR_KEY).ok_or_else(|| malformed("it has no metadata.mr".into()))?;
        Ok(serde_json::from_value(value.clone()).map_err(|e| malformed(format!("metadata.mr: {e}")))?)
    }

    /// As the value of [`MR_KEY`].
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("plain data serialises")
    }

    /// Writes it back to its bead.
    pub fn save(&self, w: &mut Write<'_>, mr: &BeadId) -> Result<(), StoreError> {
        w.update(mr, Patch::default().with_meta(MR_KEY, self.to_value())).map(|_| ())
    }
}
