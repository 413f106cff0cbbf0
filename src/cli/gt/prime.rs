//! `gt prime`: who you are and what to do.

use std::io::IsTerminal;

use super::Context;
use crate::base::Address;
use crate::cli::CliError;
use crate::town::prime;

/// Tells an agent who it is, what is on its hook, and the next command. Typed by a person in the town, on a
/// terminal, it opens the Mayor's office.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the text, also on a terminal.
    #[arg(long)]
    text: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (here, store) = cx.open()?;
    let person = here.me == Address::Overseer && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if person && !args.text && !cx.out.json {
        drop(store);
        return super::mayor::attach(cx);
    }
    let prime = store.read(|r| prime::prime(&here.acting(), r, &here.me))?;
    cx.out.print(&prime, prime::Prime::text);
    Ok(())
}
