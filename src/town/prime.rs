//! `gt prime`: who you are, what is on your hook, which step you are on, and the next command.
//!
//! One snapshot of the store and no program: it is fast enough to be the first thing in every session.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::around::Acting;
use super::error::TownError;
use super::hook::{self, HookView, REWORK};
use super::retire::{LEFT_OFF, LEFT_OFF_FILES};
use super::roles::keep;
use super::{agent, budget, mol};
use crate::base::{Address, BeadId, RigName, text};
use crate::store::{Filter, IssueType, Read, ReadyQuery, Status};

/// What an agent is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prime {
    /// Who it is.
    pub agent: Address,
    /// `worker`, `crew`, `mayor`, `overseer`, or the name of a role.
    pub role: String,
    /// The town's folder.
    pub town: PathBuf,
    /// Its rig.
    pub rig: Option<RigName>,
    /// Its worktree.
    pub worktree: Option<PathBuf>,
    /// Its branch.
    pub branch: Option<String>,
    /// Its hook.
    pub hook: HookView,
    /// The commit that an earlier worker left off at, when this one goes on from there.
    pub left_off: Option<String>,
    /// The ref with the files that the earlier worker had not committed.
    pub left_off_files: Option<String>,
    /// Unread mail.
    pub mail: usize,
    /// Work that nobody has and that nothing holds back, the first few: for who gives work, and not for workers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ready: Vec<Free>,
    /// Commands, the next one first.
    pub next: Vec<String>,
}

/// Work that nobody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Free {
    /// The bead.
    pub id: BeadId,
    /// Its title.
    pub title: String,
}

/// So much of it is named.
const NAMED: usize = 5;

/// Gathers what `agent` is told.
pub fn prime(cx: &Acting<'_>, r: &Read<'_>, agent: &Address) -> Result<Prime, TownError> {
    let row = agent::get(r, agent)?;
    let hook = hook::view(r, agent)?;
    let bead = match &hook.bead {
        Some(work) => r.bead(&work.id)?,
        None => None,
    };
    let meta = |key: &str| bead.as_ref().and_then(|b| b.meta_str(key)).map(str::to_owned);
    let unread = Filter {
        types: vec![IssueType::MESSAGE],
        statuses: vec![Status::OPEN],
        assignee: Some(agent.to_string()),
        ..Filter::default()
    };
    Ok(Prime {
        role: role(agent),
        town: cx.town.root().to_owned(),
        rig: agent.rig().cloned(),
        worktree: row.as_ref().and_then(|row| row.worktree.clone()),
        branch: row.and_then(|row| row.branch),
        left_off: meta(LEFT_OFF),
        left_off_files: meta(LEFT_OFF_FILES),
        mail: r.count(&unread)?,
        ready: if gives_work(agent) && hook.bead.is_none() { free(cx, r)? } else { Vec::new() },
        next: next(agent, &hook),
        agent: agent.clone(),
        hook,
    })
}

fn gives_work(agent: &Address) -> bool {
    !matches!(agent, Address::Polecat(..) | Address::Crew(..))
}

/// What may be given to a worker now. What is in quarantine or held back waits for a person's word.
fn free(cx: &Acting<'_>, r: &Read<'_>) -> Result<Vec<Free>, TownError> {
    let query = ReadyQuery { now: Some(cx.now()), unassigned: true, limit: Some(20 * NAMED), ..ReadyQuery::default() };
    let mut free = Vec::new();
    for bead in r.ready(&query)? {
        let held = keep::hold(r, bead.id.as_str(), cx.now().millis())?.is_some();
        let work = bead.status == Status::OPEN && !bead.issue_type.is_machinery() && !mol::is_part(&bead);
        if work && !held && budget::why_quarantined(&bead).is_none() && free.len() < NAMED {
            free.push(Free { id: bead.id, title: bead.title });
        }
    }
    Ok(free)
}

fn role(agent: &Address) -> String {
    match agent {
        Address::Polecat(..) => "worker".into(),
        Address::Crew(..) => "crew".into(),
        other => other.short().to_owned(),
    }
}

fn next(agent: &Address, hook: &HookView) -> Vec<String> {
    let commands: &[&str] = match (agent, &hook.bead, &hook.step) {
        (_, Some(_), Some(_)) => &["gt step done", "gt hook"],
        (_, Some(_), None) => &["gt done", "gt done --no-change REASON"],
        (Address::Polecat(..) | Address::Crew(..), None, _) => &["gt hook"],
        (_, None, _) => &["gt convoy list", "gt status"],
    };
    commands.iter().map(|c| (*c).to_owned()).collect()
}

impl Prime {
    /// As text for people and models.
    pub fn text(&self) -> String {
        let mut t = String::new();
        let place = match &self.rig {
            Some(rig) => format!("{} of rig {rig}", article(&self.role)),
            None => article(&self.role),
        };
        let _ = writeln!(t, "You are {}: {place}, in the town {}.", self.agent, self.town.display());
        if let Some(path) = &self.worktree {
            let branch = self.branch.as_deref().unwrap_or("none");
            let _ = writeln!(t, "Worktree: {} on branch {branch}. Work only there.", path.display());
        }
        if self.mail > 0 {
            let mail = text::count(self.mail, "message");
            let list = format!("bd list --type message --assignee {}", self.agent);
            let _ = writeln!(t, "Mail: {mail} unread. `{list}` lists them, `bd close ID` marks one read.");
        }
        let Some(bead) = &self.hook.bead else {
            t += match self.agent {
                Address::Polecat(..) | Address::Crew(..) => {
                    "\nNothing is on your hook. You are done; there is nothing to look for.\n"
                }
                _ => "\nTown: `gt status`. Convoys: `gt convoy list`. Give work: `gt sling BEAD RIG`.\n",
            };
            self.free(&mut t);
            return t;
        };
        let _ = writeln!(t, "\nOn your hook: {} {} (P{})", bead.id, bead.title, bead.priority);
        if !bead.description.is_empty() {
            let _ = writeln!(t, "\n{}\n", text::printable(&bead.description).trim_end());
        }
        self.steps(&mut t);
        t += &self.orders();
        t
    }

    fn free(&self, t: &mut String) {
        if self.ready.is_empty() {
            return;
        }
        *t += "Work that nobody has (more: `bd ready --unassigned`; what is labelled `quarantine` there waits for a person):\n";
        for Free { id, title } in &self.ready {
            let _ = writeln!(t, "  {id} {}", text::headline(title, 80));
        }
    }

    fn steps(&self, t: &mut String) {
        if let Some(molecule) = &self.hook.molecule {
            let marks: Vec<String> = molecule
                .steps
                .iter()
                .map(|(name, status)| {
                    let now = self.hook.step.as_ref().is_some_and(|s| s.name == *name) && !status.is_over();
                    let mark = if status.is_over() {
                        "✓"
                    } else if now {
                        "▶"
                    } else {
                        "○"
                    };
                    format!("{mark} {name}")
                })
                .collect();
            let _ = writeln!(t, "Steps ({} of {} closed): {}", molecule.closed, molecule.total, marks.join("  "));
        }
        if let Some(step) = &self.hook.step {
            let _ = writeln!(t, "\nYour step now: {} ({}) {}", step.name, step.id, step.title);
            if !step.description.is_empty() && step.description != step.title {
                let _ = writeln!(t, "{}", text::printable(&step.description).trim_end());
            }
        }
        if let Some(commit) = &self.left_off {
            let short = commit.get(..12).unwrap_or(commit);
            let _ = writeln!(
                t,
                "\nAn earlier worker left off at {short}, where your branch begins. Read it: git log -p {short}"
            );
        }
        if let Some(refname) = &self.left_off_files {
            let _ = writeln!(t, "What it had not committed is in {refname}: git diff HEAD {refname}");
        }
    }

    fn orders(&self) -> String {
        match &self.hook.step {
            Some(step) if step.name == REWORK => "\nYour change did not land; the step says why. Bring your branch up to the \
                 target (git merge), mend it, commit, then: gt step done, and gt done.\n"
                .into(),
            Some(_) => "\nDo this step, commit what you changed, then: gt step done. It prints the next step.\n\
                 When no step is left: gt done. File what you find on the way: bd create TITLE --deps discovered-from:ID\n"
                .into(),
            None => "\nNo step is left to begin. When all is committed: gt done\n".into(),
        }
    }
}

fn article(role: &str) -> String {
    match role {
        "worker" => "a worker".into(),
        "crew" => "one of the crew".into(),
        other => format!("the {other}"),
    }
}
