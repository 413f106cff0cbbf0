//! `bd list`: beads by any combination of conditions.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::select::Select;
use super::{Context, render};
use crate::base::{BeadId, text};
use crate::cli::CliError;
use crate::store::{Bead, Dep, Read, Sort, Status};

/// Lists beads. Closed ones, templates and gates are left out unless asked for.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    select: Select,
    /// Closed ones too.
    #[arg(long)]
    all: bool,
    /// Only what can be taken up now.
    #[arg(long)]
    ready: bool,
    /// Templates too.
    #[arg(long)]
    include_templates: bool,
    /// Gates too.
    #[arg(long)]
    include_gates: bool,
    /// At most so many; 0 for all.
    #[arg(short = 'n', long, default_value_t = 50)]
    limit: usize,
    /// The order.
    #[arg(long, value_enum, default_value_t = Order::Priority)]
    sort: Order,
    /// The order turned round.
    #[arg(short, long)]
    reverse: bool,
    /// Each with all its texts.
    #[arg(long, conflicts_with = "tree")]
    long: bool,
    /// Children below their parents.
    #[arg(long, alias = "pretty")]
    tree: bool,
    /// Ids alone, one a line.
    #[arg(long, conflicts_with_all = ["long", "tree"])]
    ids_only: bool,
    /// As a graph of the beads listed and the edges between them.
    #[arg(long, value_enum, conflicts_with_all = ["long", "tree", "ids_only", "json"])]
    format: Option<Format>,
}

/// How a list is drawn as a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For Graphviz.
    Dot,
    /// A line for each edge, for tsort and the program digraph: a bead and what it depends on.
    Digraph,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Order {
    Priority,
    Created,
    Updated,
    Closed,
    Id,
    Title,
    Status,
    Type,
    Assignee,
}

impl Order {
    pub(super) fn sort(self) -> Sort {
        match self {
            Self::Priority => Sort::Priority,
            Self::Created => Sort::Created,
            Self::Updated => Sort::Updated,
            Self::Closed => Sort::Closed,
            Self::Id => Sort::Id,
            Self::Title => Sort::Title,
            Self::Status => Sort::Status,
            Self::Type => Sort::Type,
            Self::Assignee => Sort::Assignee,
        }
    }
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    cx.read(|r| {
        let all = args.all || args.select.any_status();
        let mut filter = args.select.filter(r, cx.now())?;
        if filter.statuses.is_empty()
            && filter.not_statuses.is_empty()
            && !all
            && filter.closed_after.is_none()
            && filter.closed_before.is_none()
        {
            filter.not_statuses.push(Status::CLOSED);
        }
        if !args.include_templates {
            filter.template = Some(false);
        }
        if !args.include_gates && !filter.types.iter().any(|t| *t == "gate") {
            filter.not_types.push(crate::store::IssueType::GATE);
        }
        filter.ready = args.ready;
        filter.sort = args.sort.sort();
        filter.reverse = args.reverse;
        filter.limit = (args.limit > 0).then_some(args.limit + 1);
        if cx.out.json && args.limit == 0 {
            cx.out.print_json(&render::all_counted(r, &filter)?);
            return Ok(());
        }
        let mut beads = r.find(&filter)?;
        let more = args.limit > 0 && beads.len() > args.limit;
        if more {
            beads.truncate(args.limit);
        }
        if let Some(format) = args.format {
            let edges = between(r, &beads)?;
            cx.out.print(&beads, |beads| drawn(format, beads, &edges));
        } else if cx.out.json {
            cx.out.print(&render::counted(r, &mut beads)?, |_| String::new());
        } else if args.ids_only {
            cx.out.print(&beads, |beads| beads.iter().map(|b| b.id.to_string()).collect::<Vec<_>>().join("\n"));
        } else if args.tree {
            let parents = beads.iter().map(|b| r.parents(&b.id)).collect::<Result<Vec<_>, _>>()?;
            cx.out.print(&beads, |beads| tree(beads, &parents));
        } else if args.long {
            print_long(cx, r, &beads)?;
        } else {
            cx.out.print(&beads, |beads| render::lines(beads, "no beads match"));
        }
        if more {
            cx.out.note(&format!("the first {}; --limit 0 shows all", args.limit));
        }
        Ok(())
    })
}

/// Prints beads with all their texts.
pub(super) fn print_long(cx: &Context, r: &Read<'_>, beads: &[Bead]) -> Result<(), CliError> {
    let whole = beads.iter().map(|b| render::whole(r, b)).collect::<Result<Vec<_>, _>>()?;
    cx.out.print(&whole, |all| all.iter().map(render::page).collect::<Vec<_>>().join("\n"));
    Ok(())
}

/// The edges that begin and end at one of `beads`.
fn between(r: &Read<'_>, beads: &[Bead]) -> Result<Vec<Dep>, CliError> {
    let ids: HashSet<&BeadId> = beads.iter().map(|bead| &bead.id).collect();
    let mut edges = Vec::new();
    for bead in beads {
        edges.extend(r.deps(&bead.id)?.into_iter().filter(|dep| ids.contains(&dep.depends_on_id)));
    }
    Ok(edges)
}

fn drawn(format: Format, beads: &[Bead], edges: &[Dep]) -> String {
    let mut out = String::new();
    match format {
        Format::Digraph => {
            let joined: HashSet<&BeadId> = edges.iter().flat_map(|e| [&e.issue_id, &e.depends_on_id]).collect();
            for id in beads.iter().map(|bead| &bead.id).filter(|id| !joined.contains(id)) {
                // Alone; a line with one word is nothing to tsort.
                let _ = writeln!(out, "{id} {id}");
            }
            for edge in edges {
                let _ = writeln!(out, "{} {}", edge.issue_id, edge.depends_on_id);
            }
        }
        Format::Dot => {
            let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            out.push_str("digraph beads {\n  rankdir=LR;\n  node [shape=box];\n");
            for bead in beads {
                let (title, status) = (quoted(&text::headline(&bead.title, 60)), quoted(bead.status.as_str()));
                let _ = writeln!(out, "  \"{0}\" [label=\"{0}\\n{title}\\n{status}\"];", bead.id);
            }
            for edge in edges {
                let kind = quoted(edge.kind.as_str());
                let _ = writeln!(out, "  \"{}\" -> \"{}\" [label=\"{kind}\"];", edge.issue_id, edge.depends_on_id);
            }
            out.push('}');
        }
    }
    out
}

/// The beads in their order, each below its parent where that is listed too.
fn tree(beads: &[Bead], parents: &[Vec<BeadId>]) -> String {
    let places: HashMap<&BeadId, usize> = beads.iter().enumerate().map(|(n, bead)| (&bead.id, n)).collect();
    let mut below: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut tops = Vec::new();
    for (n, parents) in parents.iter().enumerate() {
        match parents.iter().find_map(|id| places.get(id)) {
            Some(parent) => below.entry(*parent).or_default().push(n),
            None => tops.push(n),
        }
    }
    let mut out = String::new();
    let mut shown = HashSet::new();
    // What hangs in a circle has no top: whatever was not shown at the end is one.
    for top in tops.into_iter().chain(0..beads.len()) {
        let mut work = vec![(top, 0)];
        while let Some((n, depth)) = work.pop() {
            if shown.insert(n) {
                out.push_str(&format!("{}{}\n", "  ".repeat(depth), render::line(&beads[n])));
                work.extend(below.get(&n).into_iter().flatten().rev().map(|child| (*child, depth + 1)));
            }
        }
    }
    if out.is_empty() { "no beads match".to_owned() } else { out }
}
