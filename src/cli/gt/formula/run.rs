//! `gt formula run NAME`.

use std::fmt::Write as _;

use serde_json::json;

use crate::base::Address;
use crate::base::text::count;
use crate::cli::gt::{Context, place};
use crate::cli::{CliError, formula_error};
use crate::config::Overrides;
use crate::formula::Vars;
use crate::formula::convoy::{Filled, Plan, plan};
use crate::town::convoy::ConvoyOpts;
use crate::town::formula_run::{RunOpts, Started, start};
use crate::town::{TownError, wake};

/// Make the convoy of a convoy formula: its legs, and the synthesis that waits for them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The formula, as `bd formula list` names it, or a path.
    name: String,
    /// The value of an input.
    #[arg(long = "var", alias = "input", value_name = "NAME=VALUE", value_parser = formula_error::var)]
    vars: Vec<(String, String)>,
    /// Only the legs of this preset.
    #[arg(long)]
    preset: Option<String>,
    /// The rig whose workers do it; the one around, or the only one.
    #[arg(long)]
    rig: Option<String>,
    /// The convoy's title; the formula and its inputs when none is given.
    #[arg(long)]
    title: Option<String>,
    /// Sling the legs at once, and the synthesis when they are done.
    #[arg(long)]
    sling: bool,
    /// Who gets mail when it lands; the Mayor when no address is given.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "mayor")]
    notify: Option<Address>,
    /// Print what would be made, and make nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let (here, mut store) = cx.open()?;
    let rig = here.town.rig(&place::rig(&here, cx, args.rig.as_deref())?, &Overrides::default())?;
    let vars: Vars = args.vars.into_iter().collect();
    let name = formula_error::path(&cx.env.cwd, &args.name);
    let library = rig.library_around(cx.env.work_tree(), cx.env.home.as_deref());
    let plan = plan(&library, &name, &vars, args.preset.as_deref())
        .map_err(|report| formula_error::wrong(cx.out, &args.name, "cannot be run", &report))?;
    if args.dry_run {
        let filled = plan.fill("hq-cv-…");
        let value = json!({
            "dry_run": true, "formula": plan.proto.formula, "proto": plan.proto.id, "rig": rig.name,
            "inputs": plan.values, "title": args.title.as_ref().unwrap_or(&filled.title), "legs": filled.legs,
            "synthesis": filled.synthesis,
        });
        cx.out.print(&value, |_| planned(&plan, &filled));
        return Ok(());
    }
    let convoy = ConvoyOpts { notify: args.notify.into_iter().collect(), active: args.sling };
    let opts = RunOpts { prefix: rig.prefix().clone(), title: args.title, convoy };
    let made = store.write(&here.acting().stamp(), |w| start(w, &plan, &opts)).map_err(|e: TownError| e)?;
    wake(&here.town);
    cx.out.print(&made, |made| told(made, rig.name.as_str(), args.sling));
    Ok(())
}

fn planned(plan: &Plan, filled: &Filled) -> String {
    let mut out = format!("would make the convoy \"{}\" with {}\n", filled.title, count(filled.legs.len(), "leg"));
    for (name, value) in plan.values.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(out, "  {name} = {value}");
    }
    for part in filled.legs.iter().chain(&filled.synthesis) {
        let waits =
            if part.needs.is_empty() { String::new() } else { format!("   waits for {}", part.needs.join(", ")) };
        let _ = write!(out, "\n{}: {}{waits}\n", part.id, part.title);
        for line in part.description.trim_end().lines() {
            let _ = writeln!(out, "    {line}");
        }
    }
    out
}

fn told(made: &Started, rig: &str, slung: bool) -> String {
    let mut out = format!("✓ convoy {} \"{}\": {}\n", made.convoy, made.title, count(made.legs.len(), "leg"));
    for part in &made.legs {
        let _ = writeln!(out, "  {}  {}", part.bead, part.title);
    }
    if let Some(last) = &made.synthesis {
        let _ = writeln!(out, "  {}  {}, when what it waits for is done", last.bead, last.title);
    }
    let first = made.legs.first().map_or(made.convoy.as_str(), |leg| leg.bead.as_str());
    let next = if slung {
        format!("Next:  gt convoy status {}   its legs are slung as workers are free", made.convoy)
    } else {
        format!("Next:  gt sling {first} {rig}   the others follow as they become ready")
    };
    out + &next
}
