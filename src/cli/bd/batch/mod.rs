//! `bd batch`: many commands out of stdin, as one transaction or each as its own.

mod words;

use clap::{CommandFactory as _, FromArgMatches as _};
use serde_json::{Value, json};

use super::{Cli, Context, Verb};
use crate::base::text;
use crate::cli::{CliError, Output, output};

/// Runs the commands that stand on stdin, one a line, as one transaction: all of them or none.
///
/// A line is a command without `bd`, with words quoted as in a shell (and `\n` in double quotes); nothing else of a shell is
/// known. Empty lines and
/// lines that begin with `#` are left out. A line cannot read stdin: `-` for a text or a file is refused. `@3` stands for the bead that the command on line 3 filed or changed, also in
/// `blocks:@3`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Each command is a transaction of its own, and those after one that failed are run all the same.
    #[arg(long)]
    each: bool,
}

/// One transaction holds up every other writer while it lasts.
const LONGEST: usize = 200;

/// A command that was run.
struct Ran {
    line: usize,
    text: String,
    result: Result<Value, CliError>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let stdin = super::arg::batch()?;
    let lines: Vec<(usize, &str)> = stdin
        .lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .collect();
    if args.each { one_each(cx, &lines) } else { all_or_none(cx, &lines) }
}

fn all_or_none(cx: &Context, lines: &[(usize, &str)]) -> Result<(), CliError> {
    if lines.len() > LONGEST {
        return Err(CliError::user(format!(
            "{} commands are too many for one transaction of at most {LONGEST}",
            lines.len()
        ))
        .hint("give fewer, or run them with --each; `bd create --stdin` files any number of beads"));
    }
    let nothing = |line: usize, mut error: CliError| {
        error.message = format!("line {line}: {}; nothing was changed", error.message);
        error
    };
    // All that needs no store comes first, while nobody has to wait.
    let mut parser = Cli::command();
    let mut ready = Vec::new();
    for (line, text) in lines {
        let command = prepare(&mut parser, text).map_err(|error| nothing(*line, error))?;
        ready.push((*line, *text, command));
    }
    cx.with_store(|store| Ok(store.begin_group()?))?;
    let mut done = Vec::new();
    let mut failed = None;
    for (line, text, command) in ready {
        match command.run(cx, &mut parser, &done) {
            Ok(value) => done.push(Ran { line, text: text.to_owned(), result: Ok(value) }),
            Err(error) => {
                failed = Some(nothing(line, error));
                break;
            }
        }
    }
    cx.with_store(|store| Ok(store.end_group(failed.is_none())?))?;
    if let Some(error) = failed {
        return Err(error);
    }
    report(cx, &done);
    Ok(())
}

fn one_each(cx: &Context, lines: &[(usize, &str)]) -> Result<(), CliError> {
    let mut parser = Cli::command();
    let mut done = Vec::new();
    for (line, text) in lines {
        let result = prepare(&mut parser, text).and_then(|command| command.run(cx, &mut parser, &done));
        done.push(Ran { line: *line, text: (*text).to_owned(), result });
    }
    report(cx, &done);
    let mut failed = done.iter().filter_map(|ran| ran.result.as_ref().err().map(|error| (ran.line, error)));
    let Some((line, first)) = failed.next() else { return Ok(()) };
    cx.out.note(&format!("{} failed, the first on line {line}", text::count(1 + failed.count(), "command")));
    Err(CliError::silent(first.kind))
}

/// A command that is to be run.
enum Command {
    /// Parsed.
    Parsed(Box<Cli>),
    /// Its words, with references to beads that are not known yet.
    Words(Vec<String>),
}

/// Reads a line, and parses it unless it refers to the bead of another one.
fn prepare(parser: &mut clap::Command, text: &str) -> Result<Command, CliError> {
    let mut words = words::split(text).map_err(CliError::user)?;
    if words.first().is_none_or(|word| word != "bd") {
        words.insert(0, "bd".to_owned());
    }
    if words.iter().any(|word| reference(word).is_some()) {
        return Ok(Command::Words(words));
    }
    parse(parser, &words).map(|cli| Command::Parsed(Box::new(cli)))
}

/// Parses words. The parser puts together the arguments of each verb once, however many lines use it.
fn parse(parser: &mut clap::Command, words: &[String]) -> Result<Cli, CliError> {
    let matches = parser.try_get_matches_from_mut(words);
    let cli = matches.and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches));
    let cli = cli.map_err(|error| crate::cli::parse::told(&error))?;
    if cli.globals.directory.is_some() {
        return Err(CliError::user("a command of a batch works where the batch does, without -C"));
    }
    if cli.globals.readonly || cli.globals.lock_timeout.is_some() {
        return Err(CliError::user(
            "--readonly and --lock-timeout hold for a batch as a whole: give them to `bd batch`",
        ));
    }
    if let Some(why) = alone(&cli.verb) {
        let verb = words.iter().skip(1).find(|word| !word.starts_with('-')).map_or("", String::as_str);
        return Err(CliError::user(format!("`bd {verb}` cannot be part of a batch: {why}")));
    }
    Ok(cli)
}

impl Command {
    /// Runs the command and keeps what it would have printed.
    fn run(self, cx: &Context, parser: &mut clap::Command, done: &[Ran]) -> Result<Value, CliError> {
        let cli = match self {
            Self::Parsed(cli) => *cli,
            Self::Words(mut words) => {
                for word in &mut words {
                    refer(word, done)?;
                }
                parse(parser, &words)?
            }
        };
        let mut env = cx.env.clone();
        env.actor = cli.globals.actor.or(env.actor);
        let out = Output { json: true, quiet: true };
        let (ran, printed) = output::capture(|| cx.with_output(env, out, |cx| super::dispatch(cx, cli.verb)));
        // What was told stood in its answer, which is not printed.
        ran.map_err(|error| CliError { said: false, ..error })?;
        Ok(serde_json::from_str(&printed.join("\n")).unwrap_or_else(|_| Value::String(printed.join("\n"))))
    }
}

/// Why a verb cannot be run among others.
fn alone(verb: &Verb) -> Option<&'static str> {
    match verb {
        Verb::Batch(_) => Some("it is one"),
        Verb::Init(_) | Verb::Completion(_) => Some("it does not work on beads"),
        Verb::Import(_) | Verb::Export(_) => Some("it reads or writes all beads at once"),
        Verb::Restore(_) | Verb::Uninstall(_) => Some("it takes the tracker away that the others work with"),
        Verb::Sync(_) | Verb::History(_) | Verb::Doctor(_) => Some("it waits for others, who wait for us"),
        Verb::Gate(args) if args.asks_outside() => Some("nobody may wait for the network while others wait for us"),
        _ => None,
    }
}

/// The kind of dependency, empty if none, and the line of `@N` or `type:@N`.
fn reference(word: &str) -> Option<(&str, usize)> {
    let (kind, name) = word.rsplit_once(':').map_or(("", word), |(kind, name)| (kind, name));
    Some((kind, name.strip_prefix('@')?.parse().ok()?))
}

/// Puts the id of an earlier command's bead in place of a reference.
fn refer(word: &mut String, done: &[Ran]) -> Result<(), CliError> {
    let Some((kind, line)) = reference(word) else { return Ok(()) };
    let ran = done.iter().find(|ran| ran.line == line).and_then(|ran| ran.result.as_ref().ok());
    let Some(id) = ran.and_then(id_of) else {
        return Err(CliError::user(format!("`@{line}`: no command on line {line} filed or changed a bead before")));
    };
    *word = if kind.is_empty() { id.to_owned() } else { format!("{kind}:{id}") };
    Ok(())
}

/// The bead that an answer is about.
fn id_of(answer: &Value) -> Option<&str> {
    let first = answer.get(0).unwrap_or(answer);
    ["id", "issue_id", "new_epic_id"].iter().find_map(|key| first[key].as_str())
}

fn report(cx: &Context, done: &[Ran]) {
    let rows: Vec<Value> = done
        .iter()
        .map(|ran| match &ran.result {
            Ok(value) => json!({ "line": ran.line, "command": ran.text, "ok": true, "value": value }),
            Err(error) => json!({ "line": ran.line, "command": ran.text, "ok": false, "error": error.object() }),
        })
        .collect();
    cx.out.print(&rows, |_| {
        let told = |ran: &Ran| {
            let command = text::headline(&ran.text, 80);
            match &ran.result {
                Ok(value) => {
                    format!("✓ {}  {command}  {}", ran.line, id_of(value).unwrap_or_default()).trim_end().to_owned()
                }
                Err(error) => format!("✗ {}  {command}\n    {}", ran.line, error.to_string().replace('\n', "\n    ")),
            }
        };
        done.iter().map(told).collect::<Vec<_>>().join("\n")
    });
}
