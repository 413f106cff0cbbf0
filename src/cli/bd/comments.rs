//! `bd comments`: what was said about a bead.

use super::{Context, arg};
use crate::base::text;
use crate::cli::CliError;
use crate::store::Comment;

/// Reads and writes comments.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// The bead whose comments to read.
    id: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Say something about a bead
    Add {
        /// The bead.
        id: String,
        /// What to say; `-` reads stdin.
        text: Option<String>,
        /// From a file; `-` reads stdin.
        #[arg(short, long, conflicts_with = "text")]
        file: Option<std::path::PathBuf>,
        /// Who says it; you when left out.
        #[arg(short, long, value_name = "NAME")]
        author: Option<String>,
    },
    /// Read the comments of a bead
    List {
        /// The bead.
        id: String,
    },
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    match (args.what, args.id) {
        (Some(What::Add { id, text, file, author }), _) => {
            let text = match (text, file) {
                (Some(text), _) => arg::text_or_stdin(text)?,
                (None, Some(path)) => arg::file_or_stdin(&path)?,
                (None, None) => {
                    return Err(CliError::user("there is nothing to say").hint("bd comments add ID \"text\""));
                }
            };
            let mut stamp = cx.stamp();
            stamp.actor = author.unwrap_or(stamp.actor);
            let comment = cx.write_as(stamp, |w| {
                let id = w.resolve(&id)?;
                Ok(w.add_comment(&id, text.trim_end_matches('\n'))?)
            })?;
            cx.out.print(&comment, |c| format!("✓ comment {} on {}", c.id, c.issue_id));
            Ok(())
        }
        (Some(What::List { id }), _) | (None, Some(id)) => cx.read(|r| {
            let comments = r.comments(&r.resolve(&id)?)?;
            cx.out.print(&comments, |all| all.iter().map(told).collect::<Vec<_>>().join("\n"));
            Ok(())
        }),
        (None, None) => Err(CliError::user("whose comments?").hint("bd comments ID, or bd comments add ID \"text\"")),
    }
}

fn told(comment: &Comment) -> String {
    let body = text::printable(&comment.text).replace('\n', "\n  ");
    format!("{} at {}\n  {body}\n", text::headline(&comment.author, 80), comment.created_at)
}
