//! `gt review`: changes that wait for your word.

use std::io::Read as _;

use clap::Subcommand;

use super::{Context, place};
use crate::base::Address;
use crate::base::text::{count, headline, printable, unmarked};
use crate::cli::CliError;
use crate::town::review::{self, Review};
use crate::town::standing::Standing;
use crate::town::{Finish, TownError};

/// Lists the changes in the queue and those that came back; those that wait for your word come first.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List them (what `gt review` alone does)
    List,
    /// Show a change as a patch
    Diff {
        /// The bead, or its merge request.
        id: String,
    },
    /// Show what the gate printed that a change failed, or that it waits for
    Output {
        /// The bead, or its merge request.
        id: String,
    },
    /// Let changes land: all that are named, or none when one of them may not
    Accept {
        /// Beads, or their merge requests.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Send a change back to its worker; that is no failure: its attempts and budgets begin anew. In a town that is down the
    /// worker begins with the town
    Back {
        /// The bead, or its merge request.
        id: String,
        /// What is to be done about it; `-` reads it from the standard input.
        #[arg(short, long, value_name = "TEXT")]
        comment: String,
    },
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let (here, mut store) = cx.open()?;
    let acting = here.acting();
    let judges = matches!(args.verb, Some(Verb::Accept { .. } | Verb::Back { .. }));
    if judges && matches!(here.me, Address::Polecat(..)) {
        return Err(CliError::refused(format!("{} is a worker, and workers do not judge changes", here.me))
            .hint("say what you think of it: bd comments add ID TEXT"));
    }
    let id = |text: &str| store.read(|r| place::bead(r, text));
    match args.verb {
        None | Some(Verb::List) => {
            let all = store.read(|r| review::list(&acting, r))?;
            if all.is_empty() {
                cx.out.note("nothing is in the queue");
            }
            cx.out.print(&all, |all| all.iter().map(|r| line(r, cx.out.quiet)).collect::<Vec<_>>().join("\n"));
        }
        Some(Verb::Diff { id: text }) => {
            let (diff, history) = store.read(|r| review::diff(&acting, r, &place::bead(r, &text)?))?;
            if let Some(history) = history {
                cx.out.note(&history.text());
            }
            cx.out.print(&serde_json::json!({ "diff": diff }), |_| diff.clone());
        }
        Some(Verb::Output { id: text }) => {
            let output = store.read(|r| review::output(&acting, r, &place::bead(r, &text)?))?;
            cx.out.print(&serde_json::json!({ "output": output }), |_| printable(&output));
        }
        Some(Verb::Accept { ids }) => {
            let ids = ids.iter().map(|text| id(text)).collect::<Result<Vec<_>, _>>()?;
            let accepted = review::accept(&acting, &mut store, &ids)?;
            let line = |r: &Review| format!("✓ {} ({}) may land on its target", r.bead, r.mr);
            cx.out.print(&accepted, |all| all.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
        Some(Verb::Back { id: text, comment }) => {
            let id = id(&text)?;
            let comment = words(comment)?;
            let (back, finish) = review::back(&acting, &mut store, &id, &comment)?;
            cx.out.print(&back, |r| format!("✓ {} goes back to {} with your comment", r.bead, r.worker));
            if let Finish::Waits(why) = finish {
                cx.out.note(&format!("{}: {why}", back.worker));
            }
        }
    }
    Ok(())
}

fn words(comment: String) -> Result<String, CliError> {
    let mut text = comment;
    if text == "-" {
        text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|e| CliError::user(format!("stdin cannot be read: {e}")))?;
        text = unmarked(text);
    }
    if text.trim().is_empty() {
        return Err(TownError::user("the comment is empty").hint("say what is to be done: --comment TEXT").into());
    }
    Ok(text)
}

/// A change for people; `bare` without what may be done about it.
fn line(r: &Review, bare: bool) -> String {
    let gates: Vec<String> = r
        .evidence
        .get("gates")
        .and_then(|v| v.as_array())
        .into_iter()
        .flatten()
        .filter_map(|run| Some(format!("{} {}", run["gate"].as_str()?, run["verdict"].as_str()?)))
        .collect();
    let paths: Vec<&str> = r.paths.iter().take(3).map(String::as_str).collect();
    let more = r.paths.len().saturating_sub(3);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let history = r.sent_back.as_ref().map_or(String::new(), |back| format!("\n    {}", back.text()));
    let printed: String = r.printed.iter().map(|line| format!("\n      {line}")).collect();
    let next = if r.waits_for_you && bare {
        String::new()
    } else if r.waits_for_you {
        format!("\n    gt review diff {0} · gt review accept {0} · gt review back {0} --comment TEXT", r.bead)
    } else if r.state.is_final() {
        let why = r.why.as_ref().map_or(String::new(), |why| format!("\n    {why}"));
        let next = format!("\n    gt review diff {0} · gt review back {0} --comment TEXT · {1}", r.bead, r.sling);
        format!("{why}{printed}{}", if bare { "" } else { &next })
    } else {
        let asked = |waits: &Standing| if waits.by_itself && !waits.offers { " (nothing is asked of you)" } else { "" };
        let waits = r.waits.as_ref().map_or(String::new(), |it| format!("\n    {}{}", it.text, asked(it)));
        waits + &printed
    };
    format!(
        "{}  {:<44} {:<8} {} in {}{more}  by {}{}{}{history}{next}",
        r.bead,
        headline(&r.title, 44),
        r.state.word(),
        count(r.lines as usize, "line"),
        paths.join(", "),
        r.worker.short(),
        if r.attempt > 1 { format!(", attempt {}", r.attempt) } else { String::new() },
        if gates.is_empty() { String::new() } else { format!("   {}", gates.join(", ")) },
    )
}
