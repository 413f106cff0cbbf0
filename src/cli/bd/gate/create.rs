//! `bd gate create`.

use super::super::{Context, arg, last};
use crate::base::span::Span;
use crate::base::text;
use crate::cli::CliError;
use crate::store::{DepKind, IssueType, NewBead, NewDep};

/// Makes a gate.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What it waits for.
    #[arg(short = 't', long = "type", value_enum, default_value_t = Kind::Human)]
    kind: Kind,
    /// Which: the bead, the run (a number, or a workflow's name for its next run), or the number of the pull request.
    #[arg(long = "await", visible_alias = "await-id", value_name = "ID")]
    await_id: Option<String>,
    /// For a timer: after how long it opens, as in 2h.
    #[arg(long, value_name = "SPAN")]
    timeout: Option<Span>,
    /// The beads that it holds back, separated by commas; may be given again.
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    blocks: Vec<String>,
    /// One line that says what is waited for.
    #[arg(long)]
    title: Option<String>,
    /// What it is about; `-` reads stdin.
    #[arg(short, long, visible_alias = "reason")]
    description: Option<String>,
    /// The bead it is a part of.
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// A wisp: stays in this store and never reaches the ledger.
    #[arg(long)]
    ephemeral: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Somebody who runs `bd gate resolve`.
    Human,
    /// Time.
    Timer,
    /// The closing of a bead.
    Bead,
    /// A workflow run of GitHub that succeeds.
    #[value(name = "gh:run")]
    GhRun,
    /// A pull request of GitHub that is merged.
    #[value(name = "gh:pr")]
    GhPr,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Timer => "timer",
            Self::Bead => "bead",
            Self::GhRun => "gh:run",
            Self::GhPr => "gh:pr",
        }
    }
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let kind = args.kind.word();
    let needs = |what: &str| Err(CliError::user(format!("a {kind} gate needs {what}")));
    match (args.kind, &args.await_id, args.timeout) {
        (Kind::Timer, _, None) => return needs("--timeout").map_err(|e: CliError| e.hint("--timeout 2h")),
        (Kind::Timer, _, Some(span)) if span.as_millis() <= 0 => return needs("a --timeout above zero"),
        (Kind::Bead | Kind::GhRun | Kind::GhPr, None, _) => return needs("--await ID"),
        (Kind::Human | Kind::Bead | Kind::GhRun | Kind::GhPr, _, Some(_)) => {
            return Err(CliError::user(format!(
                "only a timer has a --timeout; a {kind} gate waits as long as it takes"
            )));
        }
        _ => {}
    }
    let description = args.description.clone().map(arg::text_or_stdin).transpose()?.unwrap_or_default();
    let (gate, row) = cx.write(|w| {
        let mut new = NewBead {
            description,
            issue_type: Some(IssueType::GATE),
            ephemeral: args.ephemeral,
            parent: args.parent.as_deref().map(|id| w.resolve(id)).transpose()?,
            ..NewBead::default()
        };
        new.other.insert("await_type".to_owned(), kind.into());
        let mut subject = args.await_id.clone().unwrap_or_default();
        if args.kind == Kind::Bead {
            // Kept whole, so that it means the same when more beads come.
            let id = subject.rsplit(':').next().unwrap_or_default();
            let id = w.resolve(id)?;
            if !args.ephemeral && w.need(&id)?.ephemeral {
                return Err(CliError::refused(format!("a gate that lasts cannot wait for {id}: it is a wisp"))
                    .hint("make the gate a wisp, too: --ephemeral; wisps never reach the ledger"));
            }
            subject = id.to_string();
        }
        if !subject.is_empty() {
            new.other.insert("await_id".to_owned(), subject.clone().into());
        }
        if let Some(span) = args.timeout {
            new.other.insert("timeout".to_owned(), span.as_millis().saturating_mul(1_000_000).into());
            subject = span.to_string();
        }
        new.title =
            args.title.clone().unwrap_or_else(|| text::headline(format!("Gate: {kind} {subject}").trim_end(), 120));
        let gate = w.create(new)?;
        for held in &args.blocks {
            let held = w.resolve(held)?;
            w.add_dep(&held, NewDep::new(DepKind::BLOCKS, gate.id.clone()))?;
        }
        last::touch(w, &gate.id)?;
        let gate = w.need(&gate.id)?;
        let row = super::row(w, &gate)?;
        Ok((gate, row))
    })?;
    let id_only = cx.out.quiet;
    cx.out.print(&row, |row| if id_only { gate.id.to_string() } else { format!("✓ {}", super::line(&gate, row)) });
    Ok(())
}
