//! `gt queue`: what waits to be merged, and why.

use serde::Serialize;

use super::{Context, place};
use crate::base::{BeadId, RigName, Time};
use crate::cli::CliError;
use crate::queue::{self, State, push, wait};
use crate::store::Read;
use crate::town::standing::{self, Outlook};
use crate::town::{Acting, TownError, lost_request, unreadable};

/// Show the merge queue of a rig, or of all.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The rig; all of them when absent.
    #[arg(short, long, global = true)]
    rig: Option<String>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the queue (what `gt queue` alone does)
    List,
    /// End the pause of a queue and the waits of its requests: try everything again now, also after a push of which
    /// nothing can be read
    Retry,
    /// Let go of a merge request whose hold cannot be read (gt status names it), or close one that cannot be read itself;
    /// its bead goes on from what was handed in
    Mend {
        /// The merge request.
        mr: String,
    },
}

#[derive(Debug, Serialize)]
struct Queue {
    rig: RigName,
    paused: Option<wait::Pause>,
    #[serde(skip)]
    waits: Option<String>,
    requests: Vec<Line>,
}

/// A request that is held no longer.
#[derive(Debug, Serialize)]
struct Released {
    mr: BeadId,
    released: bool,
}

#[derive(Debug, Serialize)]
struct Line {
    id: String,
    bead: String,
    title: String,
    state: State,
    priority: u8,
    worker: String,
    attempt: u32,
    queued_at: Time,
    age_seconds: i64,
    why: Option<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (place, mut store) = cx.open()?;
    let rigs = match &args.rig {
        Some(name) => vec![place::rig(&place, cx, Some(name))?],
        None => place.town.rig_names()?,
    };
    if let Some(Verb::Mend { mr }) = &args.verb {
        let id = store.read(|r| place::bead(r, mr))?;
        if lost_request::let_go(&place.acting(), &mut store, &id)? {
            cx.out.print(&Released { mr: id, released: true }, |it| format!("✓ {} is held no longer", it.mr));
            return Ok(());
        }
        let closed = lost_request::close(&place.acting(), &mut store, &id)?;
        cx.out.print(&closed, mended);
        return Ok(());
    }
    if matches!(args.verb, Some(Verb::Retry)) {
        store.write(&place.acting().stamp(), |w| {
            for rig in &rigs {
                push::mend(w, rig)?;
                wait::retry(w, rig)?;
            }
            Ok::<_, TownError>(())
        })?;
        crate::town::wake(&place.town);
    }
    let acting = place.acting();
    let queues =
        store.read(|r| rigs.iter().map(|rig| read(&acting, r, rig)).collect::<Result<Vec<Queue>, TownError>>())?;
    for lost in store.read(unreadable::all).map_err(TownError::from)?.iter().filter(|lost| lost.is_request()) {
        cx.out.note(&format!("warning: {}", lost.text()));
    }
    cx.out.print(&queues, |queues| text_of(queues));
    Ok(())
}

fn mended(closed: &lost_request::Closed) -> String {
    let mut text = format!("✓ {} is closed", closed.mr);
    match (&closed.bead, &closed.commit) {
        (Some(bead), Some(commit)) => {
            text += &format!("; {bead} is open and goes on from {commit}: gt sling {bead}");
        }
        (Some(bead), None) => {
            text += &format!(
                "; {bead} is open; no ref holds what was handed in, so it begins at the target: gt sling {bead}"
            );
        }
        (None, _) => text += "; no bead waits for it",
    }
    text
}

fn read(cx: &Acting<'_>, r: &Read<'_>, rig: &RigName) -> Result<Queue, TownError> {
    let now = cx.now();
    let (outlook, mut requests, open) = (Outlook::of(cx, r, rig)?, Vec::new(), queue::open(r, rig)?);
    let paused = standing::paused(r, rig, &open, now)?;
    for request in open {
        let waits = outlook.standing(r, &request)?.filter(|_| !request.state().in_hand());
        requests.push(Line {
            id: request.id.to_string(),
            bead: request.mr.bead.to_string(),
            title: r.bead(&request.mr.bead)?.map_or(request.title.clone(), |b| b.title),
            state: request.state(),
            priority: request.priority,
            worker: request.mr.worker.to_string(),
            attempt: request.mr.attempt,
            queued_at: request.at,
            age_seconds: (now.millis() - request.at.millis()).max(0) / 1000,
            why: waits.map(|waits| waits.text),
        });
    }
    Ok(Queue { rig: rig.clone(), paused: wait::pause(r, rig)?.filter(|p| p.holds(now)), waits: paused, requests })
}

fn text_of(queues: &[Queue]) -> String {
    let mut lines = Vec::new();
    for queue in queues {
        lines.push(format!("{}  {}", queue.rig, crate::base::text::count(queue.requests.len(), "merge request")));
        if let Some(why) = &queue.waits {
            lines.push(format!("  paused: {why}"));
        }
        for line in &queue.requests {
            let age = crate::base::span::Span::seconds(line.age_seconds);
            lines.push(format!(
                "  {:<14} {:<9} P{} {:>7}  {:<10} {} {}",
                line.id,
                line.state,
                line.priority,
                age.to_string(),
                line.worker.rsplit('/').next().unwrap_or_default(),
                line.bead,
                crate::base::text::headline(&line.title, 50)
            ));
            if let Some(why) = &line.why {
                lines.push(format!("  {:<14} {why}", ""));
            }
        }
    }
    lines.join("\n")
}
