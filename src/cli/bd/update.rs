//! `bd update`: changes beads, or claims one.

use super::{Context, arg, close, context, last, render, words};
use crate::base::{BeadId, text};
use crate::cli::{CliError, Kind};
use crate::molecule;
use crate::store::{Bead, Close, DepKind, IssueType, NewDep, Patch, Status, Write};

/// Changes beads: all that are named or none.
///
/// More than 100 are changed in transactions of 100, so that others need not wait; what was done before one of them failed
/// stays, and the error says how many that are.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids, or enough of them to be clear; the bead you changed last when none is given.
    ids: Vec<String>,
    /// Take it: only if it is open and nobody's; it becomes yours and in progress.
    #[arg(long)]
    claim: bool,
    /// Where it stands.
    #[arg(short, long, value_parser = arg::status)]
    status: Option<Status>,
    /// 0 (critical) to 4 (backlog).
    #[arg(short, long, value_parser = arg::priority)]
    priority: Option<u8>,
    /// One line that says what is to be done.
    #[arg(long)]
    title: Option<String>,
    /// task, bug, feature, epic, chore, …
    #[arg(short = 't', long = "type", value_parser = arg::issue_type)]
    issue_type: Option<IssueType>,
    /// Who is to do it; empty for nobody.
    #[arg(short, long)]
    assignee: Option<String>,
    /// What it is about; `-` reads stdin.
    #[arg(short, long, visible_alias = "body", allow_hyphen_values = true)]
    description: Option<String>,
    /// What it is about, from a file; `-` reads stdin.
    #[arg(long, value_name = "FILE", conflicts_with = "description")]
    body_file: Option<std::path::PathBuf>,
    /// How it is to be done.
    #[arg(long)]
    design: Option<String>,
    /// What was learnt.
    #[arg(long)]
    notes: Option<String>,
    /// Added to what was learnt, on a line of its own.
    #[arg(long, conflicts_with = "notes")]
    append_notes: Option<String>,
    /// When it is done.
    #[arg(long)]
    acceptance: Option<String>,
    /// Its name in another tracker; empty for none.
    #[arg(long, value_name = "REF")]
    external_ref: Option<String>,
    /// How long it may take, in minutes.
    #[arg(short, long, value_name = "MINUTES")]
    estimate: Option<i64>,
    /// When it is due; empty for never.
    #[arg(long, value_name = "WHEN")]
    due: Option<String>,
    /// Not before; empty for at once.
    #[arg(long, value_name = "WHEN")]
    defer: Option<String>,
    /// Labels to add, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "LABEL")]
    add_label: Vec<String>,
    /// Labels to remove.
    #[arg(long, value_delimiter = ',', value_name = "LABEL")]
    remove_label: Vec<String>,
    /// All labels it is to have.
    #[arg(long, value_delimiter = ',', value_name = "LABEL")]
    set_labels: Option<Vec<String>>,
    /// The bead it is a part of; empty for none.
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// Keep it in view: true or false.
    #[arg(long)]
    pinned: Option<bool>,
    /// For gates: what is waited for.
    #[arg(long, value_name = "ID")]
    await_id: Option<String>,
    /// A metadata key: KEY=VALUE, where VALUE is JSON or text; KEY= removes it. May be given again.
    #[arg(long, value_name = "KEY=VALUE")]
    meta: Vec<String>,
    /// The agent session, kept when this closes a bead.
    #[arg(long, env = "CLAUDE_SESSION_ID", hide_env_values = true)]
    session: Option<String>,
}

impl Args {
    /// Something is to be changed that is no field of the bead itself.
    fn changes_more(&self) -> bool {
        self.append_notes.is_some()
            || self.parent.is_some()
            || self.set_labels.is_some()
            || !self.add_label.is_empty()
            || !self.remove_label.is_empty()
    }
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let description = match (&args.description, &args.body_file) {
        (Some(text), _) => Some(arg::text_or_stdin(text.clone())?),
        (None, Some(path)) => Some(arg::file_or_stdin(path)?),
        (None, None) => None,
    };
    let patch = patch(cx, &args, description)?;
    if !args.claim && !args.changes_more() && patch == Patch::default() {
        let hint = "--status, --priority, --title, --type, --assignee, --description, --notes, --add-label, --parent, --due, …; \
                    or take it with --claim (all of them: bd update --help)";
        return Err(CliError::new(Kind::Usage, "nothing that is to be changed is named").hint(hint));
    }
    // Of many beads nothing is changed either when one of them is not there.
    let many = args.ids.len() > CHUNK;
    let ids = if many { cx.read(|r| context::resolve_all(r, &args.ids))? } else { Vec::new() };
    let mut beads: Vec<Bead> = Vec::new();
    if many {
        for ids in ids.chunks(CHUNK) {
            beads.extend(one_transaction(cx, &args, &patch, |_| Ok(ids.to_vec())).map_err(|mut error| {
                if !beads.is_empty() {
                    error.causes.push(format!("{} named before were changed", text::count(beads.len(), "bead")));
                }
                error
            })?);
        }
    } else {
        beads = one_transaction(cx, &args, &patch, |w| last::meant(w, &args.ids, "update"))?;
    }
    render::own(&mut beads);
    cx.out.print(&beads, |beads| render::done(beads));
    Ok(())
}

/// So many beads are changed in one transaction.
const CHUNK: usize = 100;

fn one_transaction(
    cx: &Context,
    args: &Args,
    patch: &Patch,
    ids: impl FnOnce(&Write<'_>) -> Result<Vec<BeadId>, CliError>,
) -> Result<Vec<Bead>, CliError> {
    cx.write(|w| {
        words::check(w, args.status.as_ref(), args.issue_type.as_ref())?;
        let ids = ids(w)?;
        if let Some(id) = ids.last() {
            last::touch(w, id)?;
        }
        ids.iter().map(|id| change(cx, w, id, args, patch.clone())).collect()
    })
}

fn change(cx: &Context, w: &mut Write<'_>, id: &BeadId, args: &Args, mut patch: Patch) -> Result<Bead, CliError> {
    if args.claim {
        let who = args.assignee.clone().unwrap_or_else(|| cx.place().actor(&cx.env));
        w.claim(id, &who)?;
        patch.assignee = None;
    }
    let mut closed = false;
    if patch.status.as_ref().is_some_and(|s| *s == "closed") {
        closed = !w.need(id)?.is_over();
        patch.status = None;
        let session = args.session.clone().unwrap_or_default();
        w.close(id, Close { session, ..Close::default() })?;
    }
    if let Some(more) = &args.append_notes {
        let notes = w.need(id)?.notes;
        patch.notes = Some(if notes.is_empty() { more.clone() } else { format!("{notes}\n{more}") });
    }
    w.update(id, patch)?;
    if let Some(labels) = &args.set_labels {
        for old in w.labels(id)?.iter().filter(|label| !labels.contains(label)) {
            w.remove_label(id, old)?;
        }
    }
    for label in args.set_labels.iter().flatten().chain(&args.add_label).filter(|label| !label.is_empty()) {
        w.add_label(id, label)?;
    }
    for label in &args.remove_label {
        w.remove_label(id, label)?;
    }
    if let Some(parent) = &args.parent {
        for old in w.parents(id)? {
            w.remove_dep(id, &old, Some(&DepKind::PARENT_CHILD))?;
        }
        if !parent.is_empty() {
            let parent = w.resolve(parent)?;
            w.add_dep(id, NewDep::new(DepKind::PARENT_CHILD, parent))?;
        }
    }
    if closed {
        // With the output that was set beside it.
        let bead = w.need(id)?;
        molecule::follow(w, &bead, Some(close::outside(cx)))?;
        crate::town::convoy::check(w, id)?;
    }
    Ok(w.need(id)?)
}

fn patch(cx: &Context, args: &Args, description: Option<String>) -> Result<Patch, CliError> {
    let when = |text: &Option<String>| -> Result<_, CliError> {
        match text.as_deref() {
            None => Ok(None),
            Some("") => Ok(Some(None)),
            Some(text) => Ok(Some(Some(arg::when(text, cx.now())?))),
        }
    };
    let mut patch = Patch {
        title: args.title.clone(),
        description,
        design: args.design.clone(),
        acceptance_criteria: args.acceptance.clone(),
        notes: args.notes.clone(),
        status: args.status.clone(),
        priority: args.priority,
        issue_type: args.issue_type.clone(),
        assignee: args.assignee.clone(),
        estimated_minutes: args.estimate.map(Some),
        due_at: when(&args.due)?,
        defer_until: when(&args.defer)?,
        external_ref: args.external_ref.clone().map(|name| Some(name).filter(|name| !name.is_empty())),
        pinned: args.pinned,
        ..Patch::default()
    };
    if let Some(id) = &args.await_id {
        patch.other.insert("await_id".to_owned(), id.clone().into());
    }
    for pair in &args.meta {
        patch.meta.push(arg::meta(pair)?);
    }
    Ok(patch)
}
