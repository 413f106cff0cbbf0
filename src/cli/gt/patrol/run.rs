//! `gt patrol run`.

use serde_json::json;

use crate::base::text::similar;
use crate::cli::CliError;
use crate::cli::gt::Context;
use crate::daemon::lock;
use crate::store::StoreError;
use crate::town::roles::patrols;
use crate::town::{TownError, wake};

/// Start a cycle of a patrol now. The daemon does it; `gt patrol list` shows what came of it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The patrol, as `gt patrol list` names it.
    name: String,
    /// Only in this rig.
    #[arg(long)]
    rig: Option<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (place, mut store) = cx.open()?;
    if !lock::is_held(place.town.root()).unwrap_or(false) {
        return Err(CliError::user("no daemon runs this town, and it is the daemon that does patrols").hint("gt start"));
    }
    let all = store.read(patrols::all).map_err(TownError::from)?;
    let rigs: Vec<&String> = all
        .iter()
        .filter(|(rig, name, _)| *name == args.name && args.rig.as_ref().is_none_or(|only| only == rig))
        .map(|(rig, ..)| rig)
        .collect();
    if rigs.is_empty() {
        let names: Vec<&str> = all.iter().map(|(_, name, _)| name.as_str()).collect();
        let error = CliError::not_found(match &args.rig {
            Some(rig) => format!("rig {rig} has no patrol `{}`", args.name),
            None => format!("there is no patrol `{}`", args.name),
        });
        return Err(match similar(&args.name, names).filter(|near| *near != args.name) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("see which there are: gt patrol list"),
        });
    }
    let by = place.acting().stamp();
    store
        .write(&by, |w| {
            for rig in &rigs {
                patrols::ask(w, rig, &args.name)?;
            }
            Ok::<_, StoreError>(())
        })
        .map_err(TownError::from)?;
    wake(&place.town);
    let places: Vec<&str> = rigs.iter().map(|rig| if rig.is_empty() { "town" } else { rig.as_str() }).collect();
    cx.out.note(&format!("✓ {} is asked for: {}", args.name, places.join(", ")));
    cx.out.print(&json!({ "patrol": args.name, "in": places }), |_| String::new());
    Ok(())
}
