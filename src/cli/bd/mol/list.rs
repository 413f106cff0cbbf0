//! `bd mol list`: the molecules that are open.

use std::fmt::Write as _;

use serde_json::json;

use super::super::Context;
use crate::base::text::headline;
use crate::cli::CliError;
use crate::molecule;

/// Lists open molecules and wisps.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only those of this one
    #[arg(long = "for", value_name = "NAME")]
    who: Option<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let all = cx.read(|r| {
        let roots = match &args.who {
            Some(who) => super::mine(r, who)?,
            None => super::roots(r)?,
        };
        roots.iter().map(|b| Ok((b.clone(), molecule::progress(r, &b.id)?))).collect::<Result<Vec<_>, CliError>>()
    })?;
    let value: Vec<_> = all
        .iter()
        .map(|(b, p)| {
            json!({
                "id": b.id, "title": b.title, "formula": b.meta_str("formula"), "for": b.meta_str("for"),
                "assignee": b.assignee, "ephemeral": b.ephemeral, "total": p.total, "completed": p.completed,
                "current_step_id": p.current_step_id,
            })
        })
        .collect();
    cx.out.print(&value, |_| {
        let mut out = String::new();
        for (b, p) in &all {
            let phase = if b.ephemeral { "wisp" } else { "mol" };
            let _ = writeln!(out, "{}  {phase}  {}/{}  {}", b.id, p.completed, p.total, headline(&b.title, 80));
        }
        if out.is_empty() { "no open molecules".to_owned() } else { out }
    });
    Ok(())
}
