//! Hooks as their agents see them: what hangs there, which step is next, and what came back from the queue.

use serde::Serialize;

use super::error::TownError;
use super::mol::{self, StepView};
use crate::base::{Address, BeadId, Time};
use crate::queue::{MR_KEY, MrMeta};
use crate::store::{Bead, Hook, Read, Status, StoreError};

/// What is on an agent's hook.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HookView {
    /// Whose hook.
    pub agent: Address,
    /// `empty`, `work` or `rework`.
    pub state: &'static str,
    /// The work.
    pub bead: Option<Work>,
    /// The molecule that the work goes through.
    pub molecule: Option<Molecule>,
    /// The step to work on now; none when all are closed or wait for something.
    pub step: Option<StepView>,
    /// The fencing token.
    pub epoch: Option<i64>,
    /// Since when it hangs there.
    pub since: Option<Time>,
}

/// The bead on a hook.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Work {
    /// Its id.
    pub id: BeadId,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Its status.
    pub status: Status,
    /// 0 is most urgent.
    pub priority: u8,
}

/// The molecule on a hook.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Molecule {
    /// The bead of its root.
    pub id: BeadId,
    /// The formula it was poured from.
    pub formula: String,
    /// How many steps are closed.
    pub closed: usize,
    /// How many there are.
    pub total: usize,
    /// The steps in order: name and status.
    pub steps: Vec<(String, Status)>,
    /// A step that is open may bring more of them.
    #[serde(skip)]
    pub grows: bool,
}

/// The step that a conflict or a failed gate adds.
pub const REWORK: &str = "rework";

/// Reads an agent's hook.
pub fn view(r: &Read<'_>, agent: &Address) -> Result<HookView, TownError> {
    let Some(hook) = r.hook(agent)? else {
        return Ok(HookView {
            agent: agent.clone(),
            state: "empty",
            bead: None,
            molecule: None,
            step: None,
            epoch: None,
            since: None,
        });
    };
    let bead = r.need(&hook.bead)?;
    let (mut molecule, mut step) = (None, None);
    if let Some(root) = &hook.molecule {
        let steps = mol::steps(r, root)?;
        let formula = r.bead(root)?.and_then(|b| b.meta_str("formula").map(str::to_owned)).unwrap_or_default();
        molecule = Some(Molecule {
            id: root.clone(),
            formula,
            closed: steps.iter().filter(|s| s.status.is_over()).count(),
            total: steps.len(),
            grows: steps.iter().any(|s| s.grows),
            steps: steps.into_iter().map(|s| (s.name, s.status)).collect(),
        });
        step = mol::current(r, root)?;
    }
    let state = if step.as_ref().is_some_and(|s| s.name == REWORK) { REWORK } else { "work" };
    Ok(HookView {
        agent: agent.clone(),
        state,
        bead: Some(Work {
            id: bead.id,
            title: bead.title,
            description: bead.description,
            status: bead.status,
            priority: bead.priority,
        }),
        molecule,
        step,
        epoch: Some(hook.epoch),
        since: Some(hook.since),
    })
}

/// The hold of an agent. Also for a [`crate::store::Write`], whose own `hook` makes one.
pub fn held(r: &Read<'_>, agent: &Address) -> Result<Option<Hook>, StoreError> {
    r.hook(agent)
}

/// The names that [`HookView::field`] answers to.
pub const FIELDS: &[&str] = &[
    "agent",
    "state",
    "bead.id",
    "bead.title",
    "bead.description",
    "bead.status",
    "bead.priority",
    "molecule.id",
    "molecule.formula",
    "molecule.progress",
    "molecule.steps",
    "molecule.grows",
    "step.id",
    "step.name",
    "step.title",
    "step.description",
    "epoch",
];

impl HookView {
    /// One value as text, for scripts; empty when there is none.
    pub fn field(&self, name: &str) -> Result<String, TownError> {
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let (bead, molecule, step) = (self.bead.as_ref(), self.molecule.as_ref(), self.step.as_ref());
        Ok(match name {
            "agent" => self.agent.to_string(),
            "state" => self.state.to_owned(),
            "bead.id" => text(bead.map(|b| b.id.as_str())),
            "bead.title" => text(bead.map(|b| b.title.as_str())),
            "bead.description" => text(bead.map(|b| b.description.as_str())),
            "bead.status" => text(bead.map(|b| b.status.as_str())),
            "bead.priority" => bead.map(|b| b.priority.to_string()).unwrap_or_default(),
            "molecule.id" => text(molecule.map(|m| m.id.as_str())),
            "molecule.formula" => text(molecule.map(|m| m.formula.as_str())),
            "molecule.progress" => molecule.map(|m| format!("{}/{}", m.closed, m.total)).unwrap_or_default(),
            "molecule.steps" => {
                let names = molecule.iter().flat_map(|m| &m.steps).map(|(name, _)| name.as_str());
                names.collect::<Vec<_>>().join(" ")
            }
            "molecule.grows" => molecule.filter(|m| m.grows).map_or("", |_| "yes").to_owned(),
            "step.id" => text(step.map(|s| s.id.as_str())),
            "step.name" => text(step.map(|s| s.name.as_str())),
            "step.title" => text(step.map(|s| s.title.as_str())),
            "step.description" => text(step.map(|s| s.description.as_str())),
            "epoch" => self.epoch.map(|e| e.to_string()).unwrap_or_default(),
            other => {
                let error = TownError::user(format!("a hook has no field `{other}`"));
                return Err(match crate::base::text::similar(other, FIELDS.iter().copied()) {
                    Some(near) => error.hint(format!("did you mean `{near}`? All: {}", FIELDS.join(", "))),
                    None => error.hint(format!("fields: {}", FIELDS.join(", "))),
                });
            }
        })
    }
}

/// The merge request that a bead was last handed in with, unless it came back to a worker.
pub fn last_request(r: &Read<'_>, bead: &Bead) -> Result<Option<(BeadId, MrMeta)>, TownError> {
    let Some(id) = bead.meta_str(MR_KEY).and_then(|mr| BeadId::new(mr).ok()) else { return Ok(None) };
    let Some(mr) = r.bead(&id)? else { return Ok(None) };
    let meta = MrMeta::of(&mr)?;
    // One that somebody closed by hand means nothing any more.
    Ok((meta.state.is_final() || !mr.is_over()).then_some((id, meta)))
}

/// The merge request of a bead that is not final yet, if there is one.
pub fn open_request(r: &Read<'_>, bead: &Bead) -> Result<Option<(BeadId, MrMeta)>, TownError> {
    Ok(last_request(r, bead)?.filter(|(_, meta)| !meta.state.is_final()))
}
