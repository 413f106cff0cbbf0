//! `bd mol current`: which step is to be done now.

use serde_json::{Value, json};

use super::super::Context;
use crate::cli::CliError;
use crate::molecule::{self, StepLine, StepState};

/// Says which step is to be done now.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The molecule, one of its steps, or the bead it was poured for; yours when none is given
    molecule: Option<String>,
    /// Whose molecules
    #[arg(long = "for", value_name = "NAME")]
    who: Option<String>,
    /// At most so many steps
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Only these steps, counted from 1, as in 10-20
    #[arg(long, value_name = "A-B", value_parser = range)]
    range: Option<(usize, usize)>,
}

fn range(text: &str) -> Result<(usize, usize), String> {
    let (from, to) = text.split_once('-').ok_or("use A-B, as in 10-20")?;
    match (from.trim().parse(), to.trim().parse()) {
        (Ok(from), Ok(to)) if 1 <= from && from <= to => Ok((from, to)),
        _ => Err("use A-B with 1 or more and A not after B".to_owned()),
    }
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let who = match &args.who {
        Some(who) => who.clone(),
        None => cx.stamp().actor,
    };
    let all = cx.read(|r| {
        let roots = match &args.molecule {
            Some(named) => vec![super::meant(r, Some(named), &who)?],
            None => super::mine(r, &who)?.into_iter().map(|b| b.id).collect(),
        };
        roots.iter().map(|root| Ok((r.need(root)?, molecule::lines(r, root)?))).collect::<Result<Vec<_>, CliError>>()
    })?;
    let value: Vec<Value> = all
        .iter()
        .map(|(root, lines)| {
            let current = lines.iter().find(|l| l.is_current);
            let next = lines.iter().find(|l| !l.is_current && l.status == StepState::Ready);
            let mut one = json!({
                "molecule_id": root.id, "molecule_title": root.title, "steps": shown(lines, &args),
                "completed": lines.iter().filter(|l| l.status == StepState::Done).count(), "total": lines.len(),
            });
            if !root.assignee.is_empty() {
                one["assignee"] = root.assignee.as_str().into();
            }
            if let Some(line) = current {
                one["current_step"] = json!(line.issue);
            }
            if let Some(line) = next {
                one["next_step"] = json!(line.issue);
            }
            one
        })
        .collect();
    cx.out.print(&value, |_| {
        let page = |(root, lines): &(_, Vec<StepLine>)| super::show::page_of(root, lines, shown(lines, &args));
        let pages: Vec<String> = all.iter().map(page).collect();
        if pages.is_empty() { format!("{who} works on no molecule") } else { pages.join("\n") }
    });
    Ok(())
}

/// The steps that were asked for; of a long molecule, without being asked, those around the current one.
fn shown<'l>(lines: &'l [StepLine], args: &Args) -> &'l [StepLine] {
    let (from, to) = match args.range {
        Some((from, to)) => (from - 1, to),
        None if lines.len() > 100 && args.limit.is_none() => {
            let at = lines.iter().position(|l| l.is_current).unwrap_or(0).saturating_sub(5);
            (at, at + 40)
        }
        None => (0, lines.len()),
    };
    let take = to.saturating_sub(from).min(args.limit.unwrap_or(usize::MAX));
    let from = from.min(lines.len());
    &lines[from..(from + take).min(lines.len())]
}
