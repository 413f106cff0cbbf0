//! `bd close`: closes beads, and on request takes up the next step.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Context, last, render};
use crate::base::{BeadId, text};
use crate::cli::CliError;
use crate::git::changed_since;
use crate::molecule::{self, Advance, Outside, Worker};
use crate::store::{Bead, Close, DepKind, IssueType, Read, ReadyQuery, StoreError, Write};
use crate::town::Town;
use crate::town::mol::{self, Touched};

/// Closes beads.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids, or enough of them to be clear; the bead you changed last when none is given.
    ids: Vec<String>,
    /// Why.
    #[arg(short, long, default_value = "Closed")]
    reason: String,
    /// Also a pinned bead, and one that waits for open ones.
    #[arg(short, long)]
    force: bool,
    /// Also say what can be taken up now that could not before.
    #[arg(long)]
    suggest_next: bool,
    /// Take up the next step of the same molecule or epic: yours or nobody's, never one that somebody else has.
    #[arg(long = "continue", conflicts_with = "suggest_next")]
    go_on: bool,
    /// With --continue: only say which step is next.
    #[arg(long, requires = "go_on")]
    no_auto: bool,
    /// The agent session that closes it.
    #[arg(long, env = "CLAUDE_SESSION_ID", hide_env_values = true)]
    session: Option<String>,
}

impl Args {
    fn how(&self) -> Close {
        Close { reason: self.reason.clone(), force: self.force, session: self.session.clone().unwrap_or_default() }
    }
}

/// So many beads are closed in one transaction, so that other writers need not wait for thousands.
const CHUNK: usize = 100;

/// Runs the verb. Those that can be closed are, whatever is refused for the others; in JSON the error stands beside them.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    if args.go_on {
        return go_on(cx, &args);
    }
    let mut all = Outcome::default();
    if args.ids.is_empty() {
        cx.write(|w| {
            for id in last::meant(w, &[], "close")? {
                all.close(w, &id, args.how(), outside(cx))?;
            }
            Ok(())
        })?;
    }
    for texts in args.ids.chunks(CHUNK) {
        let refused = cx.write(|w| {
            let mut refused = Vec::new();
            for text in texts {
                match w.resolve(text).and_then(|id| all.close(w, &id, args.how(), outside(cx))) {
                    Ok(()) => {}
                    Err(error) if error.is_fault() => return Err(error.into()),
                    Err(error) => refused.push(error.into()),
                }
            }
            if let Some(bead) = all.closed.last() {
                last::touch(w, &bead.id)?;
            }
            Ok(refused)
        })?;
        all.refused.extend(refused);
    }
    all.report(cx, args.suggest_next)
}

/// What conditions of loops and gates are judged by: the work tree around, and the environment.
pub(super) fn outside(cx: &Context) -> Outside<'_> {
    let cwd = &cx.env.cwd;
    Outside { folder: cx.env.work_tree().unwrap_or(cwd), env: &cx.env.all }
}

/// The work tree around. In a town only what lies below it is one of its work trees.
fn own_work_tree(cx: &Context) -> Option<&Path> {
    let tree = cx.env.work_tree()?;
    let inside = |town: &PathBuf| tree != town && tree.starts_with(town);
    cx.place().town.as_ref().is_none_or(inside).then_some(tree)
}

/// What came of closing several.
#[derive(Debug, Default)]
struct Outcome {
    closed: Vec<Bead>,
    unblocked: Vec<Bead>,
    refused: Vec<CliError>,
}

impl Outcome {
    fn close(&mut self, w: &mut Write<'_>, id: &BeadId, how: Close, outside: Outside<'_>) -> Result<(), StoreError> {
        let (done, more) = molecule::close(w, id, how, Some(outside))?;
        self.closed.extend(more);
        // Outside a town there are no convoys, and this finds none.
        crate::town::convoy::check(w, &done.bead.id)?;
        // With what became of its fan-out.
        self.closed.push(w.need(&done.bead.id)?);
        for id in done.unblocked {
            self.unblocked.push(w.need(&id)?);
        }
        Ok(())
    }

    fn report(mut self, cx: &Context, suggest_next: bool) -> Result<(), CliError> {
        let closed: std::collections::HashSet<&BeadId> = self.closed.iter().map(|bead| &bead.id).collect();
        self.unblocked.retain(|bead| !closed.contains(&bead.id));
        render::own(&mut self.closed);
        render::own(&mut self.unblocked);
        let error = refusal(self.refused);
        match error {
            Some(mut error) if cx.out.json && !self.closed.is_empty() => {
                let mut value = json!({ "closed": self.closed, "error": error.object() });
                if suggest_next {
                    value["unblocked"] = json!(self.unblocked);
                }
                cx.out.print(&value, |_| String::new());
                warn(&self.closed);
                error.said = true;
                return Err(error);
            }
            Some(_) if self.closed.is_empty() => {}
            _ if suggest_next && !self.unblocked.is_empty() => {
                let value = json!({ "closed": self.closed, "unblocked": self.unblocked });
                let free = render::lines(&self.unblocked, "");
                cx.out.print(&value, |_| format!("{}\nnow ready:\n{free}", told(&self.closed)));
            }
            _ => cx.out.print(&self.closed, |closed| told(closed)),
        }
        warn(&self.closed);
        error.map_or(Ok(()), Err)
    }
}

/// Why not all were closed, as one error.
fn refusal(refused: Vec<CliError>) -> Option<CliError> {
    let mut refused = refused.into_iter();
    let mut first = refused.next()?;
    let also: Vec<String> = refused.map(|error| error.message).collect();
    if !also.is_empty() {
        let others = text::count(also.len(), "other");
        first.causes.push(format!("and {others} could not be closed: {}", also.join("; ")));
    }
    Some(first)
}

/// What is above a bead and has a next step.
enum Above {
    Molecule(BeadId),
    Epic(Box<Bead>),
}

/// Closes one step and takes up the next.
fn go_on(cx: &Context, args: &Args) -> Result<(), CliError> {
    if args.ids.len() > 1 {
        return Err(CliError::user("--continue goes on from one step, and several were named")
            .hint("close the others first, and this one with --continue"));
    }
    let who = cx.place().actor(&cx.env);
    let now = cx.now();
    let town = cx.place().town.as_deref().and_then(|root| Town::find(root, None).ok());
    let here = own_work_tree(cx);
    let asked = RefCell::new(None);
    let attempt = |touched: &Touched| {
        cx.write(|w| {
            let step = last::meant(w, &args.ids, "close --continue")?.remove(0);
            let above = above(w, &step)?;
            let mut undecided = None;
            let (closed, next, complete) = match &above {
                Some(Above::Molecule(root)) => {
                    let worker = if town.is_some() { mol::worker_of(w, root)? } else { None };
                    let holds = worker.as_ref().is_some_and(|row| row.address.to_string() == who);
                    asked.replace(Some((worker, w.need(root)?.created_at)));
                    let touches = |globs: &[String]| touched.by(globs);
                    let worker = match (holds, args.no_auto) {
                        (true, true) => Worker::Nobody,
                        (true, false) => Worker::Holder(&who),
                        (false, true) => Worker::Asking(&who),
                        (false, false) => Worker::Among(&who),
                    };
                    let then = Advance { worker, touches: Some(&touches), outside: Some(outside(cx)) };
                    let done = molecule::close_step(w, root, &step, args.how(), then)?;
                    touched.answered()?;
                    undecided = done.undecided;
                    (done.closed, done.next, done.complete)
                }
                Some(Above::Epic(epic)) => {
                    let closed = w.close(&step, args.how())?.bead;
                    let count = w.epic_count(&epic.id)?;
                    (vec![closed], next_of(w, epic, now, (!args.no_auto).then_some(who.as_str()))?, count.is_done())
                }
                None => (vec![w.close(&step, args.how())?.bead], None, false),
            };
            for bead in &closed {
                crate::town::convoy::check(w, &bead.id)?;
            }
            last::touch(w, next.as_ref().map_or(&step, |next| &next.id))?;
            Ok((closed, w.need(&step)?, next, above, complete, undecided))
        })
    };
    let (closed, step, next, above, complete, undecided) =
        mol::deciding(attempt, || match (&town, &*asked.borrow(), here) {
            (Some(town), Some((Some(worker), _)), _) => mol::touched(town, worker),
            (_, Some((_, poured)), Some(tree)) => changed_since(tree, *poured).map_err(|error| error.to_string()),
            _ => Err("nobody works on it in a worktree, and this folder is in none".to_owned()),
        })?;
    let root = match &above {
        Some(Above::Molecule(id)) => Some(id),
        Some(Above::Epic(bead)) => Some(&bead.id),
        None => None,
    };
    let mut value = json!({ "closed": closed, "continue": Value::Null });
    if let Some(root) = root {
        value["continue"] = json!({
            "closed_step": step, "auto_advanced": next.is_some() && !args.no_auto,
            "molecule_complete": complete, "molecule_id": root,
        });
        if let Some(next) = &next {
            value["continue"]["next_step"] = json!(next);
        }
        if let Some(why) = &undecided {
            value["continue"]["undecided"] = json!(why);
            cx.out.note(&format!(
                "note: the next step is to be done, for it cannot be told whether the change needs it: {why}"
            ));
        }
    }
    warn(&closed);
    cx.out.print(&value, |_| {
        let mut lines = vec![told(&closed)];
        match (&next, root) {
            (Some(next), _) => lines.push(format!("next  {}", render::line(next))),
            (None, Some(root)) if complete => lines.push(format!("all steps of {root} are closed")),
            (None, Some(root)) => lines.push(format!("no step of {root} can be taken up now")),
            (None, None) => {}
        }
        lines.join("\n")
    });
    Ok(())
}

/// The molecule that a step belongs to, else the nearest epic above a bead.
fn above(r: &Read<'_>, id: &BeadId) -> Result<Option<Above>, CliError> {
    let bead = r.need(id)?;
    if molecule::is_step(&bead)
        && let Some(root) = whole(r, id)?
    {
        return Ok(Some(Above::Molecule(root)));
    }
    let mut at = bead;
    // Bounded: a damaged ledger may hold a circle of parents.
    for _ in 0..64 {
        let Some(edge) = r.deps(&at.id)?.into_iter().find(|d| d.kind == DepKind::PARENT_CHILD) else {
            return Ok(None);
        };
        let Some(parent) = r.bead(&edge.depends_on_id)? else { return Ok(None) };
        if parent.issue_type == IssueType::EPIC {
            return Ok(Some(Above::Epic(Box::new(parent))));
        }
        at = parent;
    }
    Ok(None)
}

/// The molecule to go on in. Where one hangs in another that is the outer one, but what somebody has on the hook is all
/// that was given to them, and the steps of a wisp are ready by themselves.
fn whole(r: &Read<'_>, step: &BeadId) -> Result<Option<BeadId>, CliError> {
    let mut roots = molecule::roots_of(r, step)?.into_iter();
    let Some(mut whole) = roots.next() else { return Ok(None) };
    for outer in roots {
        let hooked = r.hooks()?.iter().any(|hook| hook.molecule.as_ref() == Some(&whole));
        if hooked || r.need(&outer)?.ephemeral != r.need(&whole)?.ephemeral {
            break;
        }
        whole = outer;
    }
    Ok(Some(whole))
}

/// The first bead below an epic that is ready and nobody's, claimed for `who`.
fn next_of(
    w: &mut Write<'_>,
    epic: &Bead,
    now: crate::base::Time,
    who: Option<&str>,
) -> Result<Option<Bead>, CliError> {
    let query = ReadyQuery {
        now: Some(now),
        under: Some(epic.id.clone()),
        unassigned: true,
        status: Some(crate::store::Status::OPEN),
        ephemeral: epic.ephemeral,
        limit: Some(1),
        ..ReadyQuery::default()
    };
    let next = w.ready(&query)?.into_iter().next();
    match (next, who) {
        (Some(next), Some(who)) => Ok(Some(w.claim(&next.id, who)?)),
        (next, _) => Ok(next),
    }
}

/// Says what the fan-out of these steps could not pour.
fn warn(closed: &[Bead]) {
    for step in closed {
        crate::cli::output::not_poured(step.id.as_str(), &molecule::fan_out_failures(step));
    }
}

fn told(closed: &[Bead]) -> String {
    let lines = closed.iter().map(|bead| format!("✓ closed {}  {}", bead.id, text::headline(&bead.title, 80)));
    lines.collect::<Vec<_>>().join("\n")
}
