//! Parsing a command line; a wrong one is told in JSON to those who asked for JSON.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{CliError, Kind};

/// What takes the place of a verb that is none here but is known elsewhere.
pub type Instead = fn(&str) -> Option<&'static str>;

/// The parsed command line of this process, or the exit code when that is all there is to do.
pub fn parse<C: clap::Parser>(instead: Instead) -> Result<C, ExitCode> {
    parse_from(std::env::args_os().collect(), instead)
}

fn parse_from<C: clap::Parser>(args: Vec<OsString>, instead: Instead) -> Result<C, ExitCode> {
    if let Some(cli) = parse_called(&args) {
        return Ok(cli);
    }
    C::try_parse_from(&args).map_err(|error| {
        let json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
        let help = matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        );
        let verb = match error.get(ContextKind::InvalidSubcommand) {
            Some(ContextValue::String(verb)) if first_word(&args).is_some_and(|word| word == verb.as_str()) => {
                instead(verb)
            }
            _ => None,
        };
        if let Some(words) = verb {
            let mut told = told(&error);
            told.hints = vec![words.to_owned()];
            return told.report(json);
        }
        if json && !help {
            return told(&error).report(true);
        }
        // A reader that has gone away needs no help.
        let _ = error.print();
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}

/// The first argument that is no flag: the verb, but for the value of a flag that stands before it.
fn first_word(args: &[OsString]) -> Option<&OsString> {
    args.iter().skip(1).find(|arg| !arg.as_encoded_bytes().starts_with(b"-"))
}

/// The parsed command line, by a parser that knows no verb but the one that is called.
///
/// clap gives a copy of each global flag to each verb it knows: for one verb of eighty that is most of the time and
/// memory that a start takes. Whatever this parser does not take is left to the whole one, which knows how to tell it.
fn parse_called<C: clap::Parser>(args: &[OsString]) -> Option<C> {
    let whole = C::command();
    let word = first_word(args)?;
    let verb = whole.find_subcommand(word)?.clone();
    let one = Command::new(whole.get_name().to_owned())
        .args(whole.get_arguments().cloned())
        .subcommand(verb)
        .subcommand_required(true);
    C::from_arg_matches_mut(&mut one.try_get_matches_from(args).ok()?).ok()
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
        #[arg(short = 'C', global = true)]
        dir: Option<String>,
        #[command(subcommand)]
        verb: Verb,
    }

    #[derive(Debug, PartialEq, clap::Subcommand)]
    enum Verb {
        #[command(alias = "new")]
        Create {
            title: Option<String>,
        },
        Show,
    }

    #[test]
    fn the_parser_of_one_verb_takes_what_the_whole_one_takes() {
        let parsed = |line: &str| {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let one = parse_called::<Cli>(&args).map(|cli| (cli.dir, cli.verb));
            let whole = <Cli as clap::Parser>::try_parse_from(&args).ok().map(|cli| (cli.dir, cli.verb));
            (one, whole)
        };
        for line in ["bd show", "bd new show", "bd -C=here create a", "bd create -C here a", "bd show -C create"] {
            let (one, whole) = parsed(line);
            assert!(one.is_some() && one == whole, "{line}: {one:?}, {whole:?}");
        }
        // The folder stands where a verb is looked for: left to the whole parser.
        let (one, whole) = parsed("bd -C create show");
        assert!(one.is_none() && whole.is_some(), "{one:?}, {whole:?}");
        for line in ["bd", "bd shw", "bd show --nope", "bd show --help", "bd --help"] {
            assert_eq!(parsed(line), (None, None), "{line}");
        }
    }

    #[test]
    fn what_the_parser_says_becomes_a_message_and_hints() {
        let error = <Cli as clap::Parser>::try_parse_from(["bd", "creat"]).expect_err("no such verb");
        let told = told(&error);
        assert_eq!((told.kind, told.message.as_str()), (Kind::Usage, "unrecognized subcommand 'creat'"));
        assert_eq!(told.hints, ["a similar subcommand exists: 'create'"]);
    }
}
