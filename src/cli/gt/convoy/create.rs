//! `gt convoy create TITLE BEAD…`.

use crate::base::{Address, BeadId, text};
use crate::cli::CliError;
use crate::cli::gt::{Context, place};
use crate::town::convoy::{self, ConvoyOpts};
use crate::town::{TownError, poured, wake};

/// Makes a convoy: beads that are to land together.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What it is about.
    title: String,
    /// Its beads; for a poured molecule, the bead that it is for (one is filed where there is none).
    beads: Vec<String>,
    /// Who gets mail when it lands; the Mayor when no address is given.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "mayor")]
    notify: Option<Address>,
    /// The person who owns the town gets mail when it lands.
    #[arg(long)]
    human: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let (here, mut store) = cx.open()?;
    if args.beads.is_empty()
        && let Ok(id) = BeadId::new(&args.title)
        && let Some(bead) = store.read(|r| r.bead(&id)).map_err(TownError::from)?
    {
        return Err(CliError::user(format!("{id} is a bead, and a convoy needs a title before its beads"))
            .hint(format!("gt convoy create {:?} {id}", text::headline(&bead.title, 60))));
    }
    let notify = args.notify.into_iter().chain(args.human.then_some(Address::Overseer)).collect();
    let opts = ConvoyOpts { notify, active: false };
    let status = store.write(&here.acting().stamp(), |w| {
        let mut ids = Vec::with_capacity(args.beads.len());
        for text in &args.beads {
            let id = place::bead(w, text)?;
            ids.push(poured::file(w, &id, None)?);
        }
        let made = convoy::create(w, &args.title, &ids, &opts)?;
        convoy::status(w, &made.id, here.acting().now())
    });
    let status = status.map_err(|e: TownError| e)?;
    wake(&here.town);
    cx.out.print(&status, |s| {
        let next = match s.tracked.first() {
            Some(first) => format!("gt sling {} RIG   its other beads follow as they become ready", first.id),
            None => format!("gt convoy add {} BEAD…", s.id),
        };
        format!("✓ convoy {} \"{}\": {}\nNext:  {next}", s.id, s.title, text::count(s.total, "bead"))
    });
    Ok(())
}
