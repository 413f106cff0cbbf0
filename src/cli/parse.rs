//! Parsing a command line; a wrong one is told in JSON to those who asked for JSON.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;

use super::{CliError, Kind};

/// The parsed command line of this process, or the exit code when that is all there is to do.
pub fn parse<C: clap::Parser>() -> Result<C, ExitCode> {
    parse_from(std::env::args_os().collect())
}

fn parse_from<C: clap::Parser>(args: Vec<OsString>) -> Result<C, ExitCode> {
    C::try_parse_from(&args).map_err(|error| {
        let json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
        let help = matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        );
        if json && !help {
            return told(&error).report(true);
        }
        // A reader that has gone away needs no help.
        let _ = error.print();
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}

/// What clap says, as an error of ours: its first lines are the message, its tips are hints.
pub(crate) fn told(error: &clap::Error) -> CliError {
    let text = error.render().to_string();
    let mut message: Vec<&str> = Vec::new();
    let mut hints: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(tip) = line.strip_prefix("tip: ") {
            hints.push(tip.to_owned());
        } else if line.starts_with("Usage:") || line.starts_with("For more information") {
            break;
        } else {
            message.push(line);
        }
    }
    let message = message.join(" ");
    let mut told = CliError::new(Kind::Usage, message.strip_prefix("error: ").unwrap_or(&message));
    told.hints = hints;
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Cli {
        #[command(subcommand)]
        _verb: Verb,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Verb {
        Create,
    }

    #[test]
    fn what_the_parser_says_becomes_a_message_and_hints() {
        let error = <Cli as clap::Parser>::try_parse_from(["bd", "creat"]).expect_err("no such verb");
        let told = told(&error);
        assert_eq!((told.kind, told.message.as_str()), (Kind::Usage, "unrecognized subcommand 'creat'"));
        assert_eq!(told.hints, ["a similar subcommand exists: 'create'"]);
    }
}
