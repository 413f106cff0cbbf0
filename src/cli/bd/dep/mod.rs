//! `bd dep`: what depends on what.

pub(super) mod change;
pub(super) mod cycles;
pub(super) mod list;
mod tree;

use super::{Context, arg};
use crate::cli::CliError;
use crate::store::DepKind;

/// Draws, removes and shows edges between beads.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// With --blocks: the bead that the other one waits for.
    #[arg(requires = "blocks")]
    id: Option<String>,
    /// The bead that waits: `bd dep A --blocks B` is `bd dep add B A`.
    #[arg(long, requires = "id", value_name = "ID")]
    blocks: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Make a bead depend on another: `bd dep add B A` means that B waits for A
    Add {
        /// The bead that depends.
        id: String,
        /// What it depends on.
        #[arg(required_unless_present = "blocked_by")]
        on: Option<String>,
        /// What it depends on, as a flag.
        #[arg(long, visible_alias = "depends-on", conflicts_with = "on", value_name = "ID")]
        blocked_by: Option<String>,
        /// What the edge means.
        #[arg(short = 't', long = "type", default_value = "blocks", value_parser = arg::dep_kind)]
        kind: DepKind,
        /// JSON text that goes with the edge.
        #[arg(long, default_value = "")]
        metadata: String,
    },
    /// Remove the edges between two beads
    #[command(visible_alias = "rm")]
    Remove {
        /// The bead that depends.
        id: String,
        /// What it depends on.
        on: String,
        /// Only the edge that means this.
        #[arg(short = 't', long = "type", value_parser = arg::dep_kind)]
        kind: Option<DepKind>,
    },
    /// List what a bead depends on, or what depends on it
    List {
        /// The bead.
        id: String,
        /// down: what it depends on; up: what depends on it.
        #[arg(long, value_enum, default_value_t = Direction::Down)]
        direction: Direction,
        /// Only edges that mean this.
        #[arg(short = 't', long = "type", value_parser = arg::dep_kind)]
        kind: Option<DepKind>,
    },
    /// Show the whole tree below or above a bead
    Tree(tree::Args),
    /// Find circles
    Cycles,
}

/// Which way edges are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Direction {
    /// What it depends on.
    Down,
    /// What depends on it.
    Up,
    /// Both.
    Both,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    if let (Some(id), Some(waits)) = (&args.id, &args.blocks) {
        return change::add(cx, waits, id, DepKind::BLOCKS, String::new());
    }
    let Some(what) = args.what else {
        return Err(CliError::user("which dependencies?").hint("bd dep add B A says that B waits for A; bd dep --help"));
    };
    match what {
        What::Add { id, on, blocked_by, kind, metadata } => {
            change::add(cx, &id, &on.or(blocked_by).unwrap_or_default(), kind, metadata)
        }
        What::Remove { id, on, kind } => change::remove(cx, &id, &on, kind.as_ref()),
        What::List { id, direction, kind } => list::run(cx, &id, direction, kind.as_ref()),
        What::Tree(args) => tree::run(cx, args),
        What::Cycles => cycles::run(cx),
    }
}
