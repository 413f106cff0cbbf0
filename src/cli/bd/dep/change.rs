//! `bd dep add` and `bd dep remove`.

use crate::base::BeadId;
use crate::cli::CliError;
use crate::cli::bd::{Context, arg, words};
use crate::store::{DepKind, NewDep};

/// Draws an edge.
pub(in crate::cli::bd) fn add(
    cx: &Context,
    id: &str,
    on: &str,
    kind: DepKind,
    metadata: String,
) -> Result<(), CliError> {
    if !metadata.is_empty() && serde_json::from_str::<serde_json::Value>(&metadata).is_err() {
        return Err(CliError::user("the metadata is no JSON"));
    }
    arg::no_other_project(on)?;
    let dep = cx.write(|w| {
        let (id, on) = (w.resolve(id)?, w.resolve(on)?);
        let dep = w.add_dep(&id, NewDep { metadata, ..NewDep::new(kind, on) })?;
        if dep.kind == DepKind::RELATES_TO {
            w.add_dep(&dep.depends_on_id, NewDep::new(DepKind::RELATES_TO, id))?;
        }
        Ok(dep)
    })?;
    words::note_kind(cx, &dep.kind);
    let value = serde_json::json!({
        "status": "added", "issue_id": dep.issue_id, "depends_on_id": dep.depends_on_id, "type": dep.kind,
    });
    cx.out.print(&value, |_| format!("✓ {} {} {}", dep.issue_id, reads(&dep.kind), dep.depends_on_id));
    Ok(())
}

/// Removes edges.
pub(in crate::cli::bd) fn remove(cx: &Context, id: &str, on: &str, kind: Option<&DepKind>) -> Result<(), CliError> {
    let gone = cx.write(|w| {
        let id = w.resolve(id)?;
        // An edge may lead to a bead that is not here.
        let there = BeadId::new(on).ok();
        let edges = w.deps(&id)?;
        let on = match there.filter(|on| edges.iter().any(|dep| dep.depends_on_id == *on)) {
            Some(on) => on,
            None => w.resolve(on)?,
        };
        let gone = w.remove_dep(&id, &on, kind)?;
        if gone.iter().any(|dep| dep.kind == DepKind::RELATES_TO) {
            match w.remove_dep(&on, &id, Some(&DepKind::RELATES_TO)) {
                Ok(_) | Err(crate::store::StoreError::NoDep { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(gone)
    })?;
    let Some(first) = gone.first() else { return Ok(()) };
    let value = serde_json::json!({
        "status": "removed", "issue_id": first.issue_id, "depends_on_id": first.depends_on_id,
    });
    cx.out.print(&value, |_| format!("✓ {} no longer depends on {}", first.issue_id, first.depends_on_id));
    Ok(())
}

fn reads(kind: &DepKind) -> String {
    match kind.as_str() {
        "blocks" => "waits for".to_owned(),
        "parent-child" => "is a part of".to_owned(),
        other => other.to_owned(),
    }
}
