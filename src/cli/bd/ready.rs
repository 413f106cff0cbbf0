//! `bd ready`: what can be taken up now.

use super::{Context, arg, render};
use crate::cli::CliError;
use crate::store::{IssueType, ReadyQuery, ReadySort, Status};

/// Lists what can be taken up or gone on with now: open or in progress, not held back, not deferred, no machinery.
///
/// What somebody has begun is listed too, so that work that was left is not forgotten; `--status open` lists only what
/// nobody has begun, `--unassigned` what is nobody's.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// At most so many; 0 for all.
    #[arg(short = 'n', long, default_value_t = 10)]
    limit: usize,
    /// Only this priority.
    #[arg(short, long, value_parser = arg::priority)]
    priority: Option<u8>,
    /// Only those of this one.
    #[arg(short, long)]
    assignee: Option<String>,
    /// Only those of nobody.
    #[arg(short, long)]
    unassigned: bool,
    /// The order.
    #[arg(short, long, value_enum, default_value_t = Order::Hybrid)]
    sort: Order,
    /// With all of these labels, separated by commas.
    #[arg(short, long = "label", visible_alias = "labels", value_delimiter = ',')]
    label: Vec<String>,
    /// With at least one of these labels.
    #[arg(long, value_delimiter = ',', value_name = "LABEL")]
    label_any: Vec<String>,
    /// Only this type; also one that is otherwise left out, as gate.
    #[arg(short = 't', long = "type", value_parser = arg::issue_type)]
    issue_type: Option<IssueType>,
    /// Only this status: `open` for what nobody has begun.
    #[arg(long, value_parser = arg::status)]
    status: Option<Status>,
    /// Only what is below this bead, at any depth.
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// Only the steps of this molecule; wisps too.
    #[arg(long, value_name = "ID")]
    mol: Option<String>,
    /// Instead: molecules of which a gate is closed, a step is ready, and nobody has them.
    #[arg(long, conflicts_with = "mol")]
    gated: bool,
    /// A flag of other trackers: lists are always made for people to read.
    #[arg(long, hide = true)]
    pretty: bool,
    /// Only molecules of this type.
    #[arg(long, value_name = "TYPE")]
    mol_type: Option<String>,
    /// Ids with this prefix.
    #[arg(long)]
    prefix: Option<String>,
    /// Also those deferred to a later time.
    #[arg(long)]
    include_deferred: bool,
}

/// The order of ready work.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Order {
    /// Filed within two days by priority, then the older ones by age.
    Hybrid,
    /// By priority, then age.
    Priority,
    /// By age.
    Oldest,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    if args.gated {
        return super::mol::ready::gated(cx);
    }
    cx.read(|r| {
        let molecule = args.mol.as_deref().map(|id| r.resolve(id)).transpose()?;
        let wisps = match &molecule {
            Some(id) => r.need(id)?.ephemeral,
            None => false,
        };
        let parent = args.parent.as_deref().map(|id| r.resolve(id)).transpose()?;
        let query = ReadyQuery {
            now: Some(cx.now()),
            sort: match args.sort {
                Order::Hybrid => ReadySort::Hybrid,
                Order::Priority => ReadySort::Priority,
                Order::Oldest => ReadySort::Oldest,
            },
            status: args.status,
            issue_type: args.issue_type,
            priority: args.priority,
            assignee: args.assignee,
            unassigned: args.unassigned,
            labels: args.label,
            labels_any: args.label_any,
            under: molecule.or(parent),
            prefix: args.prefix.map(|p| p.trim_end_matches('-').to_owned()),
            mol_type: args.mol_type,
            include_deferred: args.include_deferred,
            ephemeral: wisps,
            limit: (args.limit > 0).then_some(args.limit),
        };
        let mut beads = r.ready(&query)?;
        render::own(&mut beads);
        cx.out.print(&beads, |beads| render::lines(beads, "nothing is ready; `bd blocked` says what is held back"));
        Ok(())
    })
}
