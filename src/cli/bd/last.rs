//! The bead that somebody changed last: what `update` and `close` mean when they are given no id.
//!
//! It is kept for each actor, in the transaction of the change, so that nobody ever closes a neighbour's bead.

use super::context::resolve_all;
use crate::base::BeadId;
use crate::cli::CliError;
use crate::store::{StoreError, Write};

const TABLE: &str = "last-touched";

/// Remembers the bead that the actor of this write changed.
pub(super) fn touch(w: &mut Write<'_>, id: &BeadId) -> Result<(), StoreError> {
    let actor = w.by().actor.clone();
    w.put_local(TABLE, &actor, &id.as_str().into())
}

/// The beads that are meant: those named, else the one that the actor changed last.
pub(super) fn meant(w: &Write<'_>, texts: &[String], verb: &str) -> Result<Vec<BeadId>, CliError> {
    if !texts.is_empty() {
        return resolve_all(w, texts);
    }
    let actor = &w.by().actor;
    let last = w.local_or_none::<String>(TABLE, actor)?.map(|id| w.resolve(&id));
    match last {
        Some(Ok(id)) if w.need(&id)?.is_over() => {
            Err(CliError::refused(format!("no id was given, and {id}, which {actor} changed last, is closed already"))
                .hint(format!("bd {verb} ID")))
        }
        Some(Ok(id)) => Ok(vec![id]),
        Some(Err(_)) | None => Err(CliError::user(format!("no id was given, and {actor} has changed no bead yet"))
            .hint(format!("bd {verb} ID"))),
    }
}
