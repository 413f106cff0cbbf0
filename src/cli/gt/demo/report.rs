//! What the demo prints at its end: the evidence, the checks, and where to go from here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Outcome;
use super::place::Place;
use super::watch::Watch;
use crate::cli::CliError;

/// The state of the convoy, the history of the target, and who did what in how long.
pub(super) fn evidence(place: &Place, watch: &Watch, convoy: &str) -> Result<String, CliError> {
    let status = place.gt(&["convoy", "status", convoy])?;
    let graph = place.git(&place.remote(), &["log", "--graph", "--format=%h %s", "main"])?;
    Ok(format!("\n{status}\n\n{graph}\n\n{}", work(watch)))
}

/// One line for each bead: its workers, and the time from being slung to its landing.
fn work(watch: &Watch) -> String {
    let mut slung: BTreeMap<&str, (i64, String)> = BTreeMap::new();
    let mut lines = Vec::new();
    for event in &watch.events {
        let text = |key: &str| event.payload.get(key).and_then(Value::as_str).unwrap_or_default();
        match event.kind.as_str() {
            "slung" => {
                let worker = text("agent").rsplit('/').next().unwrap_or_default().to_owned();
                slung.entry(&event.subject).or_insert((event.at.millis(), worker));
            }
            "mr_merged" => {
                if let Some((since, worker)) = slung.get(text("bead")) {
                    let seconds = (event.at.millis() - since) as f64 / 1000.0;
                    lines.push(format!("{:<10} {worker:<9} slung to landed {seconds:.1} s", text("bead")));
                }
            }
            _ => {}
        }
    }
    lines.join("\n")
}

/// The checks and the next commands.
pub(super) fn end(outcome: &Outcome) -> String {
    let mut text = String::from("\n");
    for check in &outcome.checks {
        text.push_str(&format!("{} {}\n", if check.held { "✓" } else { "✗" }, check.what));
    }
    for (what, seconds) in &outcome.recovered {
        text.push_str(&format!("✓ {what} killed, back by itself after {seconds:.2} s\n"));
    }
    text.push_str(&format!("{:.1} s in all\n\n", outcome.seconds));
    let look = match &outcome.town {
        Some(town) => format!("gt -C {} why BEAD", town.display()),
        None => "gt demo --keep ~/gt-demo     keeps everything; then: gt -C ~/gt-demo/town why BEAD".to_owned(),
    };
    text.push_str(&format!("Look:    {look}\n"));
    text.push_str("Harder:  gt demo --crash             the same while worker, daemon and session host are killed\n");
    text.push_str("Yours:   gt install ~/gt && cd ~/gt && gt rig add myproject ~/src/myproject\n");
    text
}
