//! `help VERB…` of both programs: what `VERB… --help` prints.

use clap::error::ErrorKind;

use super::CliError;
use super::parse::told;

/// Says how the program or a verb of it is used.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The verb, and the verb of that verb where it has some; the whole program when left out.
    verb: Vec<String>,
}

/// Prints the help of a verb of `program`, whose command line is `command`.
pub fn print(args: &Args, command: clap::Command, program: &str) -> Result<(), CliError> {
    let line = std::iter::once(program).chain(args.verb.iter().map(String::as_str)).chain(["--help"]);
    match command.try_get_matches_from(line) {
        Err(help) if help.kind() == ErrorKind::DisplayHelp => {
            // A reader that has gone away needs no help.
            let _ = help.print();
            Ok(())
        }
        Err(error) => Err(told(&error).hint(format!("see the verbs: {program} --help"))),
        Ok(_) => Ok(()),
    }
}
