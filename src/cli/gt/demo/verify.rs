//! What the demo promises, checked on the town, the remote and the evidence that the workers left.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::place::Place;
use super::watch::Watch;
use crate::base::{Address, text};
use crate::cli::CliError;
use crate::store::{Event, Status, StoreError};

/// One promise and whether it held.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Check {
    /// The promise, with its figures.
    pub(super) what: String,
    /// Whether it held.
    pub(super) held: bool,
}

fn check(held: bool, what: impl Into<String>) -> Check {
    Check { what: what.into(), held }
}

/// Checks everything that can be checked while the town is up.
pub(super) fn all(
    place: &Place,
    watch: &Watch,
    beads: &[String],
    first: &str,
    crashed: bool,
) -> Result<Vec<Check>, CliError> {
    let mut checks = Vec::new();
    let closed = watch.store().read(|r| {
        let mut closed = 0;
        for id in beads {
            let id = r.resolve(id)?;
            closed += usize::from(r.need(&id)?.status == Status::CLOSED);
        }
        Ok::<_, StoreError>(closed)
    })?;
    checks.push(check(closed == beads.len(), format!("{closed} of {} beads closed", beads.len())));

    let landed = landed(place)?;
    let mut per_bead: BTreeMap<&str, usize> = BTreeMap::new();
    for commit in &landed {
        *per_bead.entry(commit.bead.as_str()).or_default() += 1;
    }
    let once = beads.iter().all(|id| per_bead.get(id.as_str()) == Some(&1)) && landed.len() == beads.len();
    checks.push(check(once, format!("{} landed, each exactly once", landed.len())));

    let passed: BTreeSet<&str> = watch
        .events
        .iter()
        .filter(|e| e.kind == "gate_ran" && e.payload.get("verdict").and_then(Value::as_str) == Some("pass"))
        .filter_map(|e| e.payload.get("tree").and_then(Value::as_str))
        .collect();
    let pushed: Vec<&str> = watch
        .events
        .iter()
        .filter(|e| e.kind == "pushed")
        .filter_map(|e| e.payload.get("new").and_then(Value::as_str))
        .collect();
    let mut tested = !pushed.is_empty();
    for commit in &pushed {
        let tree = place.git(&place.remote(), &["rev-parse", &format!("{commit}^{{tree}}")])?;
        tested &= passed.contains(tree.as_str());
    }
    checks.push(check(tested, format!("the gate passed on every pushed tree ({})", pushed.len())));

    let oldest = landed.last().map(|l| l.bead.as_str());
    checks.push(check(oldest == Some(first), format!("the town's policy was followed: {first} landed first")));
    let kept = place.git(&place.remote(), &["merge-base", "--is-ancestor", "refs/demo/somebody", "main"]).is_ok();
    checks.push(check(kept, "what somebody else pushed while a gate ran was kept, and tested again with"));

    let conflicts = watch.count("rework", "");
    checks.push(check(conflicts == 1, format!("{conflicts} conflict sent back and reworked")));
    let joined = watch.count("convoy_joined", "");
    checks.push(check(joined == 1, format!("{joined} bead found on the way joined the convoy")));
    checks.push(steps(place, beads.len(), crashed)?);

    checks.push(supervision(&watch.events));
    let decisions = watch.store().read(|r| r.decision_count().map_err(CliError::from))?;
    checks.push(check(decisions > 0, format!("{decisions} decisions journaled")));
    Ok(checks)
}

/// No session supervised: each that was ever started was a worker's, for a bead, and ran the scripted worker. The rows
/// of agents would not tell, since who is done has none any more; every start leaves an event.
fn supervision(events: &[Event]) -> Check {
    let started: Vec<&Event> = events.iter().filter(|e| e.kind == "agent_started").collect();
    let worked = |event: &Event| {
        let text = |key: &str| event.payload.get(key).and_then(Value::as_str);
        let worker = matches!(event.subject.parse(), Ok(Address::Polecat(..)));
        worker && text("bead").is_some() && text("runtime") == Some("script")
    };
    let other: BTreeSet<&str> = started.iter().filter(|e| !worked(e)).map(|e| e.subject.as_str()).collect();
    let sessions = text::count(started.len(), "session");
    let words = if other.is_empty() {
        format!("{sessions} started, each a scripted worker's")
    } else {
        format!("other sessions: {}", other.into_iter().collect::<Vec<_>>().join(", "))
    };
    let held = !started.is_empty() && started.iter().all(|e| worked(e));
    check(held, format!("0 model tokens spent on supervision: {words}"))
}

/// Steps that were closed are not run again: each step of each bead left its line once.
///
/// A kill may cut a worker between the last line of a step and its closing; such a step is run again, rightly. The
/// design steps of the held workers were closed for certain before anything was killed.
fn steps(place: &Place, beads: usize, crashed: bool) -> Result<Check, CliError> {
    let path = place.evidence().join("steps");
    let text = std::fs::read_to_string(&path)
        .map_err(|e| CliError::user(format!("{} cannot be read: {e}", path.display())))?;
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines() {
        *seen.entry(line).or_default() += 1;
    }
    let may_repeat = |line: &str| crashed && !matches!(line, "parser design" | "errors design");
    let again: Vec<&str> = seen.iter().filter(|(l, n)| **n > 1 && !may_repeat(l)).map(|(l, _)| *l).collect();
    // Four steps for each bead, and one rework.
    let complete = seen.len() == beads * 4 + 1;
    let words =
        if again.is_empty() { "no closed step ran again".to_owned() } else { format!("again: {}", again.join(", ")) };
    Ok(check(again.is_empty() && complete, format!("{} steps run, {words}", seen.len())))
}

/// A commit on the target that landed a bead.
struct Landed {
    bead: String,
}

/// The landed commits, by the trailers on the first-parent line of the remote's target.
fn landed(place: &Place) -> Result<Vec<Landed>, CliError> {
    let format =
        "--format=%(trailers:key=Gt-MR,valueonly,separator=%x2C)%x09%(trailers:key=Gt-Bead,valueonly,separator=%x2C)";
    let log = place.git(&place.remote(), &["log", "--first-parent", format, "main"])?;
    let mut all = Vec::new();
    for line in log.lines() {
        let (request, bead) = line.split_once('\t').unwrap_or_default();
        if !request.trim().is_empty() {
            all.push(Landed { bead: bead.trim().to_owned() });
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::Time;

    fn started(subject: &str, payload: Value) -> Event {
        let (kind, actor) = ("agent_started".to_owned(), "deacon".to_owned());
        Event { seq: 1, kind, subject: subject.to_owned(), actor, at: Time::from_millis(0), payload }
    }

    #[test]
    fn a_session_that_supervised_breaks_the_promise() {
        let worker = started("app/polecats/toast", json!({ "bead": "gt-1", "runtime": "script" }));
        assert!(supervision(std::slice::from_ref(&worker)).held);
        for (subject, payload) in [
            ("app/witness", json!({ "bead": "gt-1", "runtime": "claude" })),
            ("app/refinery", json!({ "runtime": "script" })),
            ("mayor", json!({ "cause": "attach", "runtime": "claude" })),
            ("app/polecats/nux", json!({ "bead": "gt-2", "runtime": "claude" })),
            ("app/polecats/nux", json!({ "bead": "gt-2" })),
        ] {
            let told = supervision(&[worker.clone(), started(subject, payload)]);
            assert!(!told.held && told.what.contains(subject), "{}", told.what);
        }
        assert!(!supervision(&[]).held, "where nothing was seen, nothing is known");
    }
}
