//! `bd batch`: many commands out of stdin, as one transaction or each as its own.

mod words;

use serde_json::{Value, json};

use super::{Cli, Context, Verb};
use crate::base::text;
use crate::cli::{CliError, Output, output};

/// Runs the commands that stand on stdin, one a line, as one transaction: all of them or none.
///
/// A line is a command without `bd`, with words quoted as in a shell (and `\n` in double quotes); nothing else of a shell is
/// known. Empty lines and
/// lines that begin with `#` are left out. `@3` stands for the bead that the command on line 3 filed or changed, also in
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
    let stdin = super::arg::stdin()?;
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
    cx.with_store(|store| Ok(store.begin_group()?))?;
    let mut done = Vec::new();
    let mut failed = None;
    for (line, text) in lines {
        let ran = command(cx, *line, text, &done);
        if let Err(mut error) = ran.result {
            error.message = format!("line {line}: {}; nothing was changed", error.message);
            failed = Some(error);
            break;
        }
        done.push(ran);
    }
    cx.with_store(|store| Ok(store.end_group(failed.is_none())?))?;
    if let Some(error) = failed {
        return Err(error);
    }
    report(cx, &done);
    Ok(())
}

fn one_each(cx: &Context, lines: &[(usize, &str)]) -> Result<(), CliError> {
    let mut done = Vec::new();
    for (line, text) in lines {
        let ran = command(cx, *line, text, &done);
        done.push(ran);
    }
    report(cx, &done);
    let mut failed = done.iter().filter_map(|ran| ran.result.as_ref().err().map(|error| (ran.line, error)));
    let Some((line, first)) = failed.next() else { return Ok(()) };
    cx.out.note(&format!("{} failed, the first on line {line}", text::count(1 + failed.count(), "command")));
    Err(CliError::silent(first.kind))
}

/// Runs one command and keeps what it would have printed.
fn command(cx: &Context, line: usize, text: &str, done: &[Ran]) -> Ran {
    let result = (|| {
        let mut words = words::split(text).map_err(CliError::user)?;
        if words.first().is_some_and(|word| word == "bd") {
            words.remove(0);
        }
        for word in &mut words {
            refer(word, done)?;
        }
        words.insert(0, "bd".to_owned());
        let cli = <Cli as clap::Parser>::try_parse_from(&words).map_err(|error| crate::cli::parse::told(&error))?;
        if cli.globals.directory.is_some() {
            return Err(CliError::user("a command of a batch works where the batch does, without -C"));
        }
        if let Some(why) = alone(&cli.verb) {
            return Err(CliError::user(format!("`bd {}` cannot be part of a batch: {why}", words[1])));
        }
        let mut env = cx.env.clone();
        env.actor = cli.globals.actor.or(env.actor);
        let out = Output { json: true, quiet: true };
        let (ran, printed) = output::capture(|| cx.with_output(env, out, |cx| super::dispatch(cx, cli.verb)));
        ran?;
        Ok(serde_json::from_str(&printed.join("\n")).unwrap_or_else(|_| Value::String(printed.join("\n"))))
    })();
    Ran { line, text: text.to_owned(), result }
}

/// Why a verb cannot be run among others.
fn alone(verb: &Verb) -> Option<&'static str> {
    match verb {
        Verb::Batch(_) => Some("it is one"),
        Verb::Init(_) | Verb::Completion(_) => Some("it does not work on beads"),
        Verb::Import(_) | Verb::Export(_) => Some("it reads or writes all beads at once"),
        Verb::Gate(args) if args.asks_outside() => Some("nobody may wait for the network while others wait for us"),
        _ => None,
    }
}

/// Puts the id of an earlier command's bead in place of `@N` or `type:@N`.
fn refer(word: &mut String, done: &[Ran]) -> Result<(), CliError> {
    let (kind, name) = word.rsplit_once(':').map_or(("", word.as_str()), |(kind, name)| (kind, name));
    let Some(line) = name.strip_prefix('@').and_then(|digits| digits.parse::<usize>().ok()) else { return Ok(()) };
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
