//! `bd gate check`: looks whether what gates wait for has happened.

use serde_json::{Value, json};

use super::super::Context;
use super::gh::{self, Verdict};
use crate::base::{BeadId, Time, text};
use crate::cli::{CliError, Kind};
use crate::molecule::{self, CONDITION, Outside};
use crate::store::{Bead, Close, Patch, Read, Status, opens_at};

/// The metadata key that says why a gate needs a person.
pub(super) const ESCALATED: &str = "escalated";

/// Looks at open gates. What could not be found out is no pass: such a gate stays closed, and the exit code is 6.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only these gates.
    ids: Vec<String>,
    /// Only gates of this type, as in timer, or gh for both of GitHub.
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only say what would be opened.
    #[arg(long)]
    dry_run: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let now = cx.now();
    let outside = super::super::close::outside(cx);
    let gates = cx.read(|r| {
        let mut gates = match args.ids.as_slice() {
            [] => super::gates(r, false)?,
            ids => ids.iter().map(|id| super::need(r, id)).collect::<Result<_, _>>()?,
        };
        gates.retain(|gate| !gate.is_over() && args.kind.as_ref().is_none_or(|kind| is(gate, kind)));
        let local = gates.iter().map(|gate| look(r, gate, now, outside)).collect::<Result<Vec<_>, _>>()?;
        Ok(gates.into_iter().zip(local).collect::<Vec<_>>())
    })?;
    // The network is asked outside of every transaction.
    let looked: Vec<(Bead, Verdict, Option<String>)> = gates
        .into_iter()
        .map(|(gate, local)| match local {
            Some(verdict) => (gate, verdict, None),
            None if gate.await_type == "gh:run" => {
                let (verdict, found) = gh::workflow_run(&gate, &cx.env.cwd);
                (gate, verdict, found)
            }
            None => {
                let verdict = gh::pull_request(&gate, &cx.env.cwd);
                (gate, verdict, None)
            }
        })
        .collect();
    if !args.dry_run && looked.iter().any(|(_, verdict, found)| found.is_some() || changes(verdict)) {
        cx.write(|w| looked.iter().try_for_each(|(gate, verdict, found)| record(w, gate, verdict, found.as_deref())))?;
    }
    report(cx, &looked, args.dry_run)
}

fn is(gate: &Bead, kind: &str) -> bool {
    gate.await_type == kind || gate.await_type.split_once(':').is_some_and(|(group, _)| group == kind)
}

fn changes(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Resolved(_) | Verdict::Escalated(_))
}

/// What the tracker itself knows about a gate; none when GitHub must be asked.
fn look(r: &Read<'_>, gate: &Bead, now: Time, outside: Outside<'_>) -> Result<Option<Verdict>, CliError> {
    Ok(Some(match gate.await_type.as_str() {
        "gh:run" | "gh:pr" => return Ok(None),
        "timer" => match opens_at(gate) {
            Some(at) if at <= now => Verdict::Resolved("its time has come".to_owned()),
            Some(at) => Verdict::Pending(format!("opens at {at}")),
            None => Verdict::Escalated("a timer without a timeout never opens by itself".to_owned()),
        },
        "bead" => {
            let name = gate.await_id.split_once(':').map_or(gate.await_id.as_str(), |(_, id)| id);
            match BeadId::new(name).ok().map(|id| r.bead(&id)).transpose()?.flatten() {
                None => Verdict::Escalated(format!("there is no bead `{}`", text::headline(&gate.await_id, 80))),
                Some(bead) if bead.status == Status::CLOSED => Verdict::Resolved(format!("{} is closed", bead.id)),
                Some(bead) if bead.is_over() => Verdict::Escalated(format!("{} was deleted", bead.id)),
                Some(bead) => Verdict::Pending(format!("{} is {}", bead.id, bead.status)),
            }
        }
        CONDITION => match molecule::holds(r, gate, outside)? {
            Some(true) => Verdict::Resolved(format!("{} holds", gate.await_id)),
            Some(false) => Verdict::Pending(format!("{} does not hold", gate.await_id)),
            None => Verdict::Escalated("only the gate rule of a formula makes a gate that can be judged".to_owned()),
        },
        _ => Verdict::Pending("waits for somebody: bd gate resolve".to_owned()),
    }))
}

/// Opens the gate, or notes what was found, unless somebody else has changed it meanwhile.
fn record(
    w: &mut crate::store::Write<'_>,
    gate: &Bead,
    verdict: &Verdict,
    found: Option<&str>,
) -> Result<(), CliError> {
    let now = w.need(&gate.id)?;
    if now.is_over() || now.await_id != gate.await_id {
        return Ok(());
    }
    if let Some(run) = found {
        let mut patch = Patch::default();
        patch.other.insert("await_id".to_owned(), run.into());
        w.update(&gate.id, patch)?;
    }
    match verdict {
        Verdict::Resolved(reason) => {
            w.close(&gate.id, Close { force: true, ..Close::because(reason) })?;
        }
        Verdict::Escalated(reason) => {
            w.update(&gate.id, Patch::default().with_meta(ESCALATED, reason.as_str()))?;
        }
        Verdict::Pending(_) | Verdict::CouldNotRun(_) => {}
    }
    Ok(())
}

fn report(cx: &Context, looked: &[(Bead, Verdict, Option<String>)], dry_run: bool) -> Result<(), CliError> {
    let word = |verdict: &Verdict| match verdict {
        Verdict::Resolved(_) => "resolved",
        Verdict::Pending(_) => "pending",
        Verdict::Escalated(_) => "escalated",
        Verdict::CouldNotRun(_) => "could-not-run",
    };
    let why = |verdict: &Verdict| match verdict {
        Verdict::Resolved(why) | Verdict::Pending(why) | Verdict::Escalated(why) | Verdict::CouldNotRun(why) => {
            why.clone()
        }
    };
    let count = |name: &str| looked.iter().filter(|(_, verdict, _)| word(verdict) == name).count();
    let unknown = count("could-not-run");
    let rows: Vec<Value> = looked
        .iter()
        .map(|(gate, verdict, found)| {
            json!({
                "gate_id": gate.id, "await_type": gate.await_type,
                "await_id": found.as_deref().unwrap_or(&gate.await_id), "outcome": word(verdict), "reason": why(verdict),
            })
        })
        .collect();
    let value = json!({
        "checked": looked.len(), "resolved": count("resolved"), "pending": count("pending"),
        "escalated": count("escalated"), "could_not_run": unknown, "dry_run": dry_run, "gates": rows,
    });
    cx.out.print(&value, |_| {
        let lines = looked.iter().map(|(gate, verdict, _)| format!("{}  {}  {}", gate.id, word(verdict), why(verdict)));
        let text = lines.collect::<Vec<_>>().join("\n");
        if text.is_empty() { "no gate is to be looked at".to_owned() } else { text }
    });
    if unknown > 0 {
        cx.out.note(&format!("{} could not be looked at and stay closed", text::count(unknown, "gate")));
        return Err(CliError::silent(Kind::Timeout));
    }
    Ok(())
}
