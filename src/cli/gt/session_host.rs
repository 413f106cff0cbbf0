//! `gt session-host`: the processes behind sessions. Not for people; `gt` and its session hosts call it.

use std::os::fd::AsFd;
use std::path::PathBuf;

use super::Context;
use crate::cli::{CliError, Kind, output};
use crate::session::{SessionError, exec_stage, headless};

/// What to be.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// Start a host that outlives its caller
    Spawn { file: PathBuf },
    /// Be the host of one agent
    Run { file: PathBuf },
    /// Become an agent's program
    Stage {
        file: PathBuf,
        /// Make standard input the controlling terminal of a new session
        #[arg(long)]
        own_terminal: bool,
    },
    /// Tell a town's daemon that something has happened
    Wake { socket: PathBuf },
    /// Show a headless session on this terminal; Ctrl-] lets go of it
    Attach { socket: PathBuf },
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let failed = |what: &str, e: std::io::Error| CliError::new(Kind::Internal, format!("{what}: {e}"));
    match args.part {
        Part::Spawn { file } => {
            let gt = std::env::current_exe().map_err(|e| failed("this program cannot be found", e))?;
            let line = headless::spawn(&file, &gt).map_err(|e| failed("the session host did not start", e))?;
            output::line(line.trim_end());
            Ok(())
        }
        Part::Run { file } => {
            headless::serve(&file, std::io::stdout()).map_err(|e| failed("the session host failed", e))
        }
        Part::Stage { file, own_terminal } => {
            let vars = std::env::vars_os().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?)));
            let error: SessionError = exec_stage(&file, own_terminal, vars);
            Err(CliError::from_error(Kind::Internal, &error))
        }
        Part::Wake { socket } => {
            headless::wake_up(&socket);
            Ok(())
        }
        Part::Attach { socket } => {
            cx.out.note("attached; Ctrl-] lets go of the session and leaves it running");
            let mut screen = std::io::stdout();
            match headless::attach::attach(&socket, std::io::stdin().as_fd(), &mut screen) {
                Ok(headless::attach::Ended::Detached) => cx.out.note("\r\ndetached; the session runs on"),
                Ok(headless::attach::Ended::Gone) => cx.out.note("\r\nthe session has ended"),
                Err(e) => return Err(CliError::new(Kind::NotFound, format!("the session cannot be shown: {e}"))),
            }
            Ok(())
        }
    }
}
