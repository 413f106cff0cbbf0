//! `bd duplicate` and `bd supersede`: a bead that another one takes the place of is closed and points there.

use serde_json::json;

use super::close::outside;
use super::{Context, last};
use crate::cli::CliError;
use crate::molecule;
use crate::store::{Close, DepKind, NewDep};

/// The same thing as another bead.
#[derive(Debug, clap::Args)]
pub struct Duplicate {
    /// The bead to close.
    id: String,
    /// The one that stays.
    #[arg(long, value_name = "ID")]
    of: String,
}

/// Replaced by another bead.
#[derive(Debug, clap::Args)]
pub struct Supersede {
    /// The bead to close.
    id: String,
    /// The one that takes its place.
    #[arg(long = "with", value_name = "ID")]
    by: String,
}

/// Runs `bd duplicate`.
pub(super) fn duplicate(cx: &Context, args: Duplicate) -> Result<(), CliError> {
    let (gone, stays) = close_for(cx, &args.id, &args.of, DepKind::DUPLICATES)?;
    let value = json!({ "duplicate": gone, "canonical": stays, "status": "closed" });
    cx.out.print(&value, |_| format!("✓ closed {gone}, a duplicate of {stays}"));
    Ok(())
}

/// Runs `bd supersede`.
pub(super) fn supersede(cx: &Context, args: Supersede) -> Result<(), CliError> {
    let (gone, stays) = close_for(cx, &args.id, &args.by, DepKind::SUPERSEDES)?;
    let value = json!({ "superseded": gone, "replacement": stays, "status": "closed" });
    cx.out.print(&value, |_| format!("✓ closed {gone}, superseded by {stays}"));
    Ok(())
}

/// Draws the edge and closes the bead that goes, whatever it waits for.
fn close_for(cx: &Context, gone: &str, stays: &str, kind: DepKind) -> Result<(String, String), CliError> {
    cx.write(|w| {
        let (gone, stays) = (w.resolve(gone)?, w.resolve(stays)?);
        let (reason, from, to) = match kind.as_str() {
            "duplicates" => (format!("duplicate of {stays}"), &gone, &stays),
            _ => (format!("superseded by {stays}"), &stays, &gone),
        };
        w.add_dep(from, NewDep::new(kind, to.clone()))?;
        molecule::close(w, &gone, Close { force: true, ..Close::because(reason) }, Some(outside(cx)))?;
        crate::town::convoy::check(w, &gone)?;
        last::touch(w, &gone)?;
        Ok((gone.to_string(), stays.to_string()))
    })
}
