//! `gt install [PATH]`: makes a town.

use std::path::PathBuf;

use super::Context;
use crate::base::process;
use crate::cli::CliError;
use crate::config::HostChoice;
use crate::town::install::{self, InstallOpts};

/// Makes a town: the folder that holds projects, workers and all work state.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its folder, empty or a town already; made if missing. The one you are in when left out.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// What people call it.
    #[arg(long)]
    name: Option<String>,
    /// What workers run: claude, codex, script, …
    #[arg(long)]
    runtime: Option<String>,
    /// Where they run: auto, tmux or headless.
    #[arg(long, value_parser = super::sling::host)]
    host: Option<HostChoice>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    crate::git::version().map_err(crate::town::TownError::from)?;
    let root = cx.env.path(expand(&args.path, cx));
    let host = args.host;
    let opts = InstallOpts { name: args.name, runtime: args.runtime, host: args.host };
    let (_, made) = install::install(&root, &opts, cx.env.now())?;
    let tmux = process::find_program("tmux", &cx.env.path).is_some();
    cx.out.print(&made, |made| {
        let root = made.root.display();
        if made.already && made.made.is_empty() {
            return format!("✓ {root} is a town already; nothing was changed");
        }
        let what = if made.already { "completed" } else { "made" };
        let headless = host == Some(HostChoice::Headless);
        let sessions = if headless {
            "headless (as asked)"
        } else if tmux {
            "tmux (a server of its own)"
        } else {
            "headless (tmux is not installed)"
        };
        format!(
            "✓ town {what} at {root}\n  sessions  {sessions}\n\
             Next:  cd {root}\n       gt rig add myproject URL-OR-PATH     a project for the town to work on\n       \
             gt start                             the daemon that watches and merges"
        )
    });
    Ok(())
}

/// `~` and `~/x` as a shell would read them, for callers that are no shell.
fn expand(path: &std::path::Path, cx: &Context) -> PathBuf {
    match (path.strip_prefix("~"), &cx.env.home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}
