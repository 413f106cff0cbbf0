//! `bd create`: files beads: one from flags, or many from a file or stdin.

mod draft;
mod kinds;
mod many;
mod read;

use super::{Context, arg, last, render, words};
use crate::base::{BeadId, Prefix};
use crate::cli::{CliError, Kind};
use crate::store::{Bead, DepKind, IssueType, NewBead, NewDep, Read, Write};

/// What is said of one bead and can be meant for no other.
const OF_ONE: [&str; 21] = [
    "title",
    "title_flag",
    "id",
    "description",
    "body_file",
    "design",
    "acceptance",
    "notes",
    "waits_for",
    "external_ref",
    "estimate",
    "due",
    "defer",
    "mol_type",
    "meta",
    "role_type",
    "agent_rig",
    "event_category",
    "event_actor",
    "event_target",
    "event_payload",
];

/// Files a bead, or with --file or --stdin many, all or none.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// One line that says what is to be done.
    title: Option<String>,
    /// File every bead of a Markdown file: `## Title`, its description, then sections such as `### Priority`, `### Type`,
    /// `### Labels`, `### Dependencies` (ids, `type:id`, or titles of the same file), `### Parent`; `-` reads stdin.
    /// The other flags hold for those beads that do not say otherwise.
    #[arg(short, long, value_name = "FILE", conflicts_with = "stdin", conflicts_with_all = OF_ONE)]
    file: Option<std::path::PathBuf>,
    /// File a bead for each line of stdin: a title, or a JSON object with the keys that `bd show --json` has.
    #[arg(long, conflicts_with_all = OF_ONE)]
    stdin: bool,
    /// The same as a flag.
    #[arg(long = "title", conflicts_with = "title", value_name = "TITLE")]
    title_flag: Option<String>,
    /// task, bug, feature, epic, chore, …
    #[arg(short = 't', long = "type", value_parser = arg::issue_type)]
    issue_type: Option<IssueType>,
    /// 0 (critical) to 4 (backlog); 2 when left out.
    #[arg(short, long, value_parser = arg::priority)]
    priority: Option<u8>,
    /// What it is about; `-` reads stdin.
    #[arg(short, long, visible_alias = "body", allow_hyphen_values = true)]
    description: Option<String>,
    /// What it is about, from a file; `-` reads stdin.
    #[arg(long, value_name = "FILE", conflicts_with = "description")]
    body_file: Option<std::path::PathBuf>,
    /// How it is to be done.
    #[arg(long)]
    design: Option<String>,
    /// When it is done.
    #[arg(long)]
    acceptance: Option<String>,
    /// What is known.
    #[arg(long)]
    notes: Option<String>,
    /// Who is to do it.
    #[arg(short, long)]
    assignee: Option<String>,
    /// Labels, separated by commas; may be given again.
    #[arg(short, long = "labels", visible_alias = "label", value_delimiter = ',')]
    labels: Vec<String>,
    /// What it depends on: `type:id` or `id` (which blocks it), separated by commas; may be given again.
    #[arg(long, value_delimiter = ',', value_name = "TYPE:ID")]
    deps: Vec<String>,
    /// The bead it is a part of; the id becomes PARENT.n.
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// Wait for the children of this bead.
    #[arg(long, value_name = "ID")]
    waits_for: Option<String>,
    /// Which children: all-children or any-children.
    #[arg(long, value_name = "GATE", default_value = "all-children", value_parser = ["all-children", "any-children"])]
    waits_for_gate: String,
    /// This id instead of a made one.
    #[arg(long)]
    id: Option<String>,
    /// What the id begins with; the rig's prefix inside a rig, else the tracker's.
    #[arg(long, conflicts_with_all = ["id", "rig"])]
    prefix: Option<String>,
    /// The rig whose prefix the id gets.
    #[arg(long, alias = "repo", conflicts_with = "id")]
    rig: Option<String>,
    /// A wisp: stays in this store and never reaches the ledger.
    #[arg(long)]
    ephemeral: bool,
    /// Its name in another tracker, as in gh-9.
    #[arg(long, value_name = "REF")]
    external_ref: Option<String>,
    /// How long it may take, in minutes.
    #[arg(short, long, value_name = "MINUTES")]
    estimate: Option<i64>,
    /// When it is due: a date, a time, or 2d.
    #[arg(long, value_name = "WHEN")]
    due: Option<String>,
    /// Not before: a date, a time, or 2d.
    #[arg(long, value_name = "WHEN")]
    defer: Option<String>,
    /// For molecules: swarm, patrol or work.
    #[arg(long, value_name = "TYPE")]
    mol_type: Option<String>,
    /// A metadata key: KEY=VALUE, where VALUE is JSON or text; may be given again.
    #[arg(long, value_name = "KEY=VALUE")]
    meta: Vec<String>,
    #[command(flatten)]
    kinds: kinds::Kinds,
    /// Print the id alone.
    #[arg(long)]
    silent: bool,
    /// Show what would be filed, and file nothing.
    #[arg(long)]
    dry_run: bool,
    /// Also an id whose prefix belongs to nobody here.
    #[arg(long)]
    force: bool,
}

impl Args {
    /// Only what `bd q` takes.
    pub(super) fn quick(
        title: String,
        issue_type: Option<IssueType>,
        priority: Option<u8>,
        labels: Vec<String>,
    ) -> Self {
        Self { title: Some(title), issue_type, priority, labels, ..Self::default() }
    }
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    if args.file.is_some() || args.stdin {
        return many::run(cx, &args);
    }
    let id_only = args.silent || cx.out.quiet;
    let dry_run = args.dry_run;
    let bead = make(cx, args)?;
    cx.out.print(&bead, |bead| match (id_only, dry_run) {
        (true, _) => bead.id.to_string(),
        (false, true) => format!("would file  {}", render::line(bead)),
        (false, false) => format!("✓ {}", render::line(bead)),
    });
    Ok(())
}

/// Files the bead, or with a dry run only makes it up.
pub(super) fn make(cx: &Context, mut args: Args) -> Result<Bead, CliError> {
    let Some(title) = args.title.take().or(args.title_flag.take()) else {
        return Err(CliError::new(Kind::Usage, "a title is needed")
            .hint("bd create \"what is to be done\", or many at once: bd create --file PLAN.md"));
    };
    let description = match (args.description.take(), args.body_file.take()) {
        (Some(text), _) => arg::text_or_stdin(text)?,
        (None, Some(path)) => arg::file_or_stdin(&path)?,
        (None, None) => String::new(),
    };
    let when = |text: &Option<String>| text.as_ref().map(|t| arg::when(t, cx.now())).transpose();
    let mut new = NewBead {
        id: args.id.as_deref().map(BeadId::new).transpose()?,
        prefix: prefix(cx, &args)?,
        title,
        description,
        design: args.design.clone().unwrap_or_default(),
        acceptance_criteria: args.acceptance.clone().unwrap_or_default(),
        notes: args.notes.clone().unwrap_or_default(),
        priority: args.priority,
        issue_type: args.issue_type.clone(),
        assignee: args.assignee.clone().unwrap_or_default(),
        labels: args.labels.iter().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect(),
        ephemeral: args.ephemeral,
        external_ref: args.external_ref.clone(),
        estimated_minutes: args.estimate,
        due_at: when(&args.due)?,
        defer_until: when(&args.defer)?,
        ..NewBead::default()
    };
    if let Some(mol_type) = &args.mol_type {
        new.other.insert("mol_type".to_owned(), mol_type.clone().into());
    }
    for pair in &args.meta {
        let (key, value) = arg::meta(pair)?;
        new.metadata.extend(value.map(|value| (key, value)));
    }
    args.kinds.fill(&mut new)?;
    if args.kinds.validate {
        kinds::validate(&new)?;
    }
    let (bead, deps) = cx.write_or_rehearse(args.dry_run, |w| {
        if let Some(id) = &new.id {
            check_id(cx, w, id, args.force)?;
        }
        words::check(w, None, new.issue_type.as_ref())?;
        new.parent = args.parent.as_deref().map(|id| w.resolve(id)).transpose()?;
        new.deps = deps(w, &args)?;
        let deps = new.deps.clone();
        let bead = w.create(new)?;
        adopt(cx, w, &bead.id, &deps)?;
        last::touch(w, &bead.id)?;
        Ok((bead, deps))
    })?;
    for dep in &deps {
        words::note_kind(cx, &dep.kind);
    }
    Ok(bead)
}

/// In a town, what was found while working on a bead of a convoy joins that convoy.
fn adopt(cx: &Context, w: &mut Write<'_>, id: &BeadId, deps: &[NewDep]) -> Result<(), CliError> {
    if cx.place().town.is_some() {
        for dep in deps.iter().filter(|dep| dep.kind == DepKind::DISCOVERED_FROM) {
            crate::town::convoy::adopt(w, id, &dep.depends_on_id)?;
        }
    }
    Ok(())
}

/// The prefix asked for, or the one of the rig whose folder we are in; none leaves it to the store.
fn prefix(cx: &Context, args: &Args) -> Result<Option<Prefix>, CliError> {
    let place = cx.place();
    if let Some(prefix) = &args.prefix {
        return Ok(Some(Prefix::new(prefix.trim_end_matches('-'))?));
    }
    if let Some(rig) = &args.rig {
        return place.rig_prefix(rig).map(Some);
    }
    match &place.rig {
        Some(rig) if args.id.is_none() && args.parent.is_none() => place.rig_prefix(rig).map(Some),
        _ => Ok(None),
    }
}

/// Refuses an explicit id whose prefix nobody here has.
fn check_id(cx: &Context, r: &Read<'_>, id: &BeadId, force: bool) -> Result<(), CliError> {
    let own = r.prefix()?;
    let known = |prefix: &Prefix| id.as_str().strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('-'));
    if force || known(&own) {
        return Ok(());
    }
    let place = cx.place();
    let rigs = place.rigs();
    if rigs.iter().any(|rig| place.rig_prefix(rig).is_ok_and(|prefix| known(&prefix))) {
        return Ok(());
    }
    Err(CliError::refused(format!("the id `{id}` does not begin with `{own}-`")).hint("--force files it all the same"))
}

/// What `type:id` or `id` asks for: the kind of the edge and the text of its end.
fn edge(text: &str) -> Result<(DepKind, &str), CliError> {
    arg::no_other_project(text)?;
    match text.split_once(':') {
        Some((kind, id)) => Ok((arg::dep_kind(kind.trim()).map_err(CliError::user)?, id.trim())),
        None => Ok((DepKind::BLOCKS, text.trim())),
    }
}

/// The edges asked for.
fn deps(w: &Write<'_>, args: &Args) -> Result<Vec<NewDep>, CliError> {
    let mut deps = Vec::new();
    for text in args.deps.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
        let (kind, id) = edge(text)?;
        deps.push(NewDep::new(kind, w.resolve(id)?));
    }
    if let Some(spawner) = &args.waits_for {
        let spawner = w.resolve(spawner)?;
        let metadata = serde_json::json!({ "gate": args.waits_for_gate, "spawner_id": spawner }).to_string();
        deps.push(NewDep { metadata, ..NewDep::new(DepKind::WAITS_FOR, spawner) });
    }
    Ok(deps)
}
