//! `bd search`: finds beads by their words.

use super::list::Order;
use super::select::Select;
use super::{Context, render};
use crate::cli::CliError;
use crate::store::Sort;

/// Finds beads whose id, title or texts have all the words, best first; the last word may be unfinished.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The words.
    #[arg(required = true)]
    words: Vec<String>,
    #[command(flatten)]
    select: Select,
    /// At most so many; 0 for all.
    #[arg(short = 'n', long, default_value_t = 50)]
    limit: usize,
    /// This order; best first when left out.
    #[arg(long, value_enum)]
    sort: Option<Order>,
    /// The order of --sort turned round.
    #[arg(short, long, requires = "sort")]
    reverse: bool,
    /// Each with all its texts.
    #[arg(long)]
    long: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    cx.read(|r| {
        let mut filter = args.select.filter(r, cx.now())?;
        filter.limit = (args.limit > 0).then_some(args.limit);
        filter.sort = args.sort.map_or(Sort::Best, Order::sort);
        filter.reverse = args.reverse;
        let mut beads = r.search(&args.words.join(" "), &filter)?;
        if cx.out.json {
            cx.out.print(&render::counted(r, &mut beads)?, |_| String::new());
        } else if args.long {
            super::list::print_long(cx, r, &beads)?;
        } else {
            cx.out.print(&beads, |beads| render::lines(beads, "no bead has these words"));
        }
        Ok(())
    })
}
