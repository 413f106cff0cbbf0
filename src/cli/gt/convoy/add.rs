//! `gt convoy add CONVOY BEAD…`.

use crate::cli::CliError;
use crate::cli::gt::{Context, place};
use crate::town::{TownError, convoy, poured, wake};

/// Adds beads to a convoy; a closed one is opened again.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The convoy: its id or its title.
    convoy: String,
    /// The beads; for a poured molecule, the bead that it is for.
    #[arg(required = true)]
    beads: Vec<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (here, mut store) = cx.open()?;
    let (id, added) = store.write(&here.acting().stamp(), |w| {
        let id = place::convoy(w, &args.convoy)?;
        let mut beads = Vec::with_capacity(args.beads.len());
        for text in &args.beads {
            let bead = place::bead(w, text)?;
            beads.push(poured::file(w, &bead, None)?);
        }
        let added = convoy::add(w, &id, &beads)?;
        Ok::<_, TownError>((id, added))
    })?;
    wake(&here.town);
    cx.out.print(&serde_json::json!({ "id": id, "added": added }), |_| {
        if added.is_empty() {
            return format!("✓ {id} has them all already");
        }
        let list: Vec<&str> = added.iter().map(crate::base::BeadId::as_str).collect();
        format!("✓ {id} + {}", list.join(", "))
    });
    Ok(())
}
