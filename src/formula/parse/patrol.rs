//! `[patrol]`: the role whose policy does the steps, and what starts a cycle.

use super::super::Diagnostic;
use super::super::def::PatrolDef;
use super::super::syntax::Fields;
use crate::base::span::Span;

/// What `on` can name: the kinds of events that policies hear of.
pub const EVENTS: [&str; 8] = [
    "bead_created",
    "bead_closed",
    "step_closed",
    "mr_merged",
    "mr_failed",
    "mail_received",
    "agent_exited",
    "convoy_landed",
];

/// A cycle costs a look at the town: more often than this is a slip.
const SHORTEST: Span = Span::seconds(1);

pub(super) fn patrol(fields: &Fields<'_>) -> Option<PatrolDef> {
    let node = fields.node("patrol")?;
    let table = fields.reader.fields("the table `patrol`", "patrol", node)?;
    let filled = |key| table.text(key).filter(|t| !t.as_str().trim().is_empty());
    let def = PatrolDef {
        role: filled("role"),
        every: filled("every"),
        on: filled("on"),
        digest: filled("digest"),
        at: node.at.clone(),
    };
    table.finish();
    if let Some(every) = &def.every {
        let wrong = match every.as_str().parse::<Span>() {
            Ok(span) if span >= SHORTEST => None,
            Ok(_) => Some(format!("`{every}` is shorter than {SHORTEST}")),
            Err(error) => Some(error.to_string()),
        };
        if let Some(wrong) = wrong {
            fields.reader.push(Diagnostic::error("every", wrong).at(&every.at, "here").help("write it as 30m or 12h"));
        }
    }
    if let Some(on) = def.on.as_ref().filter(|on| !EVENTS.contains(&on.as_str())) {
        fields.reader.push(
            Diagnostic::error("event", format!("there is no event `{on}`"))
                .at(&on.at, "unknown event")
                .help(format!("the events are {}", EVENTS.join(", ")))
                .suggest(on.as_str(), EVENTS),
        );
    }
    Some(def)
}
