//! The molecule on a hook, as the town's verbs see it.

use std::cell::Cell;

use serde::Serialize;

use super::agent::{self, AgentRow};
use super::around::Acting;
use super::error::TownError;
use super::layout::Town;
use crate::base::{BeadId, Prefix};
use crate::config::Overrides;
use crate::formula::{Glob, Library, Mode, Options, Proto, Vars, compile_proto};
use crate::git::{GitError, worktree_state};
use crate::molecule::{self, Advance, MoleculeError, Outside, PourOpts, Worker};
use crate::policy::LuaAspects;
use crate::store::{Bead, Close, Read, Status, StoreError, Write};

/// A step of the molecule on a hook.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepView {
    /// The bead of the step.
    pub id: BeadId,
    /// The id of the step in its formula: `design`.
    pub name: String,
    /// Its title.
    pub title: String,
    /// What is to be done.
    pub description: String,
    /// Where it stands.
    pub status: Status,
    /// When it is closed, there may be more steps.
    #[serde(skip)]
    pub grows: bool,
}

impl StepView {
    fn of(bead: Bead) -> Self {
        let name = molecule::step_name(&bead).unwrap_or(bead.id.as_str()).to_owned();
        let grows = bead.metadata.contains_key("on_complete") && !bead.is_over();
        Self { grows, id: bead.id, name, title: bead.title, description: bead.description, status: bead.status }
    }
}

/// Whether a bead is a step, or the molecule of another bead: a part of that one's work and none of its own.
pub fn is_part(bead: &Bead) -> bool {
    ["step", "for"].iter().any(|key| bead.metadata.contains_key(*key))
}

/// All steps of a molecule that are work, in order.
pub fn steps(r: &Read<'_>, root: &BeadId) -> Result<Vec<StepView>, StoreError> {
    let live = molecule::steps(r, root)?.into_iter().filter(|b| b.status != Status::TOMBSTONE);
    Ok(live.map(StepView::of).collect())
}

/// The step to work on: the first in progress, else the first that is ready.
pub fn current(r: &Read<'_>, root: &BeadId) -> Result<Option<StepView>, StoreError> {
    match molecule::current(r, root) {
        Ok(step) => Ok(step.map(StepView::of)),
        Err(MoleculeError::Store(error)) => Err(error),
        Err(other) => Err(StoreError::Invalid { field: "molecule", reason: other.to_string() }),
    }
}

/// What a change touches. Git takes its time in a large work tree and no transaction waits for it: whoever finds in one
/// that git has to be asked undoes it, and begins again with the answer.
#[derive(Debug, Default)]
pub struct Touched {
    paths: Option<Result<Vec<String>, String>>,
    wanted: Cell<bool>,
}

impl Touched {
    /// Whether a path that matches one of the globs is touched, or why that cannot be told.
    pub fn by(&self, globs: &[String]) -> Result<bool, String> {
        match &self.paths {
            Some(Ok(paths)) => Ok(any(globs, paths)),
            Some(Err(why)) => Err(why.clone()),
            None => {
                self.wanted.set(true);
                Err("git was not asked yet".to_owned())
            }
        }
    }

    /// Refuses where an answer was wanted that is not there, so that the transaction is undone.
    pub fn answered(&self) -> Result<(), TownError> {
        if self.wanted.get() { Err(TownError::refused("what the change touches is asked first")) } else { Ok(()) }
    }
}

/// Does `attempt`; where that wanted to know what the change touches, asks for it and does it once more.
pub fn deciding<T, E>(
    mut attempt: impl FnMut(&Touched) -> Result<T, E>,
    ask: impl FnOnce() -> Result<Vec<String>, String>,
) -> Result<T, E> {
    let blind = Touched::default();
    let done = attempt(&blind);
    if !blind.wanted.get() {
        return done;
    }
    attempt(&Touched { paths: Some(ask()), wanted: Cell::default() })
}

/// Closes a step and takes up the next for the agent of `row`. Steps that only some changes need are decided by
/// what the agent's branch really touches. Gives the next step, and why it cannot be told whether it is needed.
pub(super) fn close_step(
    w: &mut Write<'_>,
    cx: &Acting<'_>,
    row: Option<&AgentRow>,
    root: &BeadId,
    step: &BeadId,
    note: Option<&str>,
    touched: &Touched,
) -> Result<(Option<StepView>, Option<String>), TownError> {
    let touches = |globs: &[String]| touched.by(globs);
    let assignee = row.map(|row| row.address.to_string());
    let folder = row.and_then(|row| row.worktree.as_deref());
    let outside = folder.map(|folder| Outside { folder, env: &cx.around.env });
    // The molecule is on its hook, and so are the steps of whoever worked on it before.
    let worker = assignee.as_deref().map_or(Worker::Nobody, Worker::Holder);
    let then = Advance { worker, touches: Some(&touches), outside };
    let done = molecule::close_step(w, root, step, Close::because(note.unwrap_or("done")), then)?;
    touched.answered()?;
    Ok((done.next.map(StepView::of), done.undecided))
}

/// Whoever has the molecule on the hook, and a worktree.
pub fn worker_of(r: &Read<'_>, root: &BeadId) -> Result<Option<AgentRow>, StoreError> {
    let hooks = r.hooks()?;
    let Some(hook) = hooks.iter().find(|hook| hook.molecule.as_ref() == Some(root)) else { return Ok(None) };
    Ok(agent::get(r, &hook.agent)?.filter(|row| row.worktree.is_some()))
}

/// The paths that the agent's branch changes, and those that its worktree has changed or added since the last commit.
pub fn touched(town: &Town, row: &AgentRow) -> Result<Vec<String>, String> {
    let (Some(rig), Some(branch), Some(worktree)) = (row.rig(), &row.branch, &row.worktree) else {
        return Err(format!("{} has no worktree", row.address));
    };
    let rig = town.rig(rig, &Overrides::default()).map_err(|error| error.to_string())?;
    let of_git = |error: GitError| error.to_string();
    let repo = rig.repo().map_err(|error| error.to_string())?;
    let head = repo.oid_of(&format!("refs/heads/{branch}")).map_err(of_git)?;
    let head = head.ok_or_else(|| format!("the branch {branch} is gone"))?;
    let target = rig.target_tip(&repo).map_err(|error| error.to_string())?;
    let stat = repo.diff_stat(target, head).map_err(of_git)?;
    let state = worktree_state(worktree).map_err(of_git)?;
    Ok(stat.paths().map(str::to_owned).chain(state.dirty).chain(state.untracked).collect())
}

/// Whether one of the paths matches one of the globs.
fn any(globs: &[String], paths: &[String]) -> bool {
    let matches = |glob: &String| Glob::new(glob).map_or(true, |glob| paths.iter().any(|path| glob.matches(path)));
    globs.iter().any(matches)
}

/// Cooks a formula for a bead that is not known yet: with its placeholders, and with what Lua aspects add.
pub(super) fn cook(library: &Library, name: &str, vars: &Vars) -> Result<Proto, TownError> {
    let options = Options { vars, mode: Mode::Compile, aspects: &LuaAspects::default() };
    compile_proto(library, name, options).map(|(proto, _)| proto).map_err(TownError::Formula)
}

/// The values for a bead's molecule: those that were given, and what its formula wants to know of the bead.
pub(super) fn values(proto: &Proto, given: &Vars, bead: &BeadId, title: &str) -> Vars {
    let mut vars = given.clone();
    // Formulas that speak of a feature or an issue mean the work at hand.
    for (name, value) in [("feature", title), ("title", title), ("issue", bead.as_str())] {
        if proto.vars.contains_key(name) {
            vars.entry(name.into()).or_insert_with(|| value.into());
        }
    }
    vars
}

/// Makes a molecule for a bead. Gives its root.
pub(super) fn pour(
    w: &mut Write<'_>,
    proto: &Proto,
    bead: &BeadId,
    title: &str,
    assignee: Option<String>,
    given: &Vars,
) -> Result<BeadId, TownError> {
    molecule::freeze(w, proto)?;
    let opts = PourOpts {
        for_bead: Some(bead.clone()),
        assignee,
        prefix: Prefix::new(bead.prefix()).ok(),
        title: Some(format!("{}: {title}", proto.formula)),
        ..PourOpts::default()
    };
    Ok(molecule::pour(w, proto, &values(proto, given, bead, title), &opts)?.root)
}
