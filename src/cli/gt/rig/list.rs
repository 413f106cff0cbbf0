//! `gt rig list`.

use crate::cli::CliError;
use crate::cli::gt::Context;
use crate::town::rig_add;

/// Lists the projects of the town.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub(super) fn run(cx: &Context, _: Args) -> Result<(), CliError> {
    let place = cx.place()?;
    let (rigs, broken) = rig_add::list(&place.acting())?;
    for rig in &broken {
        cx.out.note(&format!("warning: {}", rig.text()));
    }
    if rigs.is_empty() && broken.is_empty() {
        cx.out.note("no project yet: gt rig add NAME URL-OR-PATH");
    }
    cx.out.print(&rigs, |rigs| {
        let lines: Vec<String> = rigs
            .iter()
            .map(|rig| {
                let gates: Vec<&str> = rig.gates.iter().map(|(_, command)| command.as_str()).collect();
                let gates = if gates.is_empty() { "no gate".to_owned() } else { gates.join(", ") };
                format!(
                    "{:<16} {:<6} {} of {}   {gates}   landing {}   runtime {}",
                    rig.rig,
                    format!("{}-", rig.prefix),
                    rig.target,
                    rig.remote,
                    rig.landing,
                    rig.runtime
                )
            })
            .collect();
        lines.join("\n")
    });
    Ok(())
}
