//! `gt sling BEAD… RIG`.

use std::collections::HashSet;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use super::Context;
use super::place;
use crate::base::{Address, BeadId, RigName};
use crate::cli::{CliError, formula_error};
use crate::config::HostChoice;
use crate::store::Store;
use crate::town::convoy;
use crate::town::sling::{self, Foreseen, Plan, SlingOpts, Slung};
use crate::town::{TownError, lifecycle, poured, unchecked};

/// Who waits longer than this is told for what.
const LONG: Duration = Duration::from_secs(2);

/// Gives work to a new worker of a rig: own worktree, own branch, own session.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One or more beads or poured molecules, and the rig; without a rig, the one that the beads belong to: where they
    /// were slung last, else that of their prefix.
    #[arg(required = true, value_name = "BEAD… RIG")]
    what: Vec<String>,
    /// What the worker runs: claude, codex, script, …; holds for what its convoy brings later, too.
    #[arg(long)]
    runtime: Option<String>,
    /// Where it runs: auto, tmux or headless.
    #[arg(long, value_parser = host)]
    host: Option<HostChoice>,
    /// The formula that the work goes through; "" for none.
    #[arg(long)]
    formula: Option<String>,
    /// A value for a variable of the formula.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = formula_error::var)]
    vars: Vec<(String, String)>,
    /// Make no convoy for beads that are in none.
    #[arg(long)]
    no_convoy: bool,
    /// Sling a bead that is blocked, deferred, in quarantine or of another rig all the same.
    #[arg(short, long)]
    force: bool,
    /// Do not start the town's daemon.
    #[arg(long)]
    no_start: bool,
    /// Say what would be done, and do nothing.
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// Reads the name of a session host.
pub(super) fn host(text: &str) -> Result<HostChoice, String> {
    match text {
        "auto" => Ok(HostChoice::Auto),
        "tmux" => Ok(HostChoice::Tmux),
        "headless" => Ok(HostChoice::Headless),
        _ => Err("auto, tmux or headless".into()),
    }
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (here, mut store) = cx.open()?;
    if matches!(here.me, Address::Polecat(..)) {
        return Err(CliError::refused(format!("{} is a worker, and workers do not sling", here.me))
            .hint("file what you found; it joins the convoy: bd create TITLE --deps discovered-from:ID"));
    }
    let acting = here.acting();
    let (texts, named) = split(&here, &args.what)?;
    let mut beads: Vec<BeadId> =
        store.read(|r| texts.iter().map(|text| place::bead(r, text)).collect::<Result<_, TownError>>())?;
    let mut named_before = HashSet::new();
    beads.retain(|id| named_before.insert(id.clone()));
    let formula = args.formula.as_deref().map(|name| formula_error::path(&cx.env.cwd, name));
    let overrides = cx.overrides(args.runtime.as_deref(), args.host, formula.as_deref());
    let name = match named {
        Some(name) => name,
        None => rig_of(&here, cx, &store, &beads)?,
    };
    let rig = here.town.rig(&name, &overrides)?;
    let vars = args.vars.iter().cloned().collect();
    let work_tree = cx.env.work_tree().map(Path::to_owned);
    let (convoy, force) = (!args.no_convoy, args.force);
    let opts = SlingOpts { overrides, vars, work_tree, convoy, force, abroad: force };
    if args.dry_run {
        let ready = sling::prepare(&acting, rig, &opts)?;
        let foreseen = store.read(|r| sling::foresee(&acting, r, &ready, &beads))?;
        cx.out.print(&foreseen.plans, |_| would_all(&foreseen));
        return Ok(());
    }
    let begun = acting.now();
    let long = format!("asking {} what is new (at most 30 s), then the session is started …", rig.config.url);
    let slung = patiently(cx, &long, || sling::sling(&acting, &mut store, rig, &beads, &opts))?;
    let started = !args.no_start && start_town(&here, &mut store)?;
    let up = started || store.read(lifecycle::is_up).map_err(TownError::from)?;
    for one in &slung {
        if let Some(note) = unchecked::tell(&acting, &mut store, &one.plan.runtime)? {
            cx.out.note(&format!("note: {note}"));
        }
        for why in store.read(|r| sling::older_target(r, one, begun)).map_err(TownError::from)? {
            cx.out.note(&format!("warning: {why}"));
        }
        if let Some(trouble) = &one.trouble {
            cx.out.note(&format!("warning: {} has no session yet: {trouble}", one.plan.bead));
        }
    }
    let plans: Vec<&Plan> = slung.iter().map(|s| &s.plan).collect();
    cx.out.print(&plans, |_| {
        let mut lines: Vec<String> = slung.iter().map(|one| did(one, up)).collect();
        if started {
            lines.push("  town started; watch: gt status".into());
        }
        lines.join("\n")
    });
    if let Some(error) = slung.into_iter().find_map(|one| one.trouble) {
        return Err(CliError::from(error).hint("the work is on the hook; the daemon tries again: gt status"));
    }
    Ok(())
}

/// Does something that may take long; when it does, says what it is.
fn patiently<T>(cx: &Context, what: &str, act: impl FnOnce() -> T) -> T {
    let (over, end) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if end.recv_timeout(LONG) == Err(mpsc::RecvTimeoutError::Timeout) {
                cx.out.note(what);
            }
        });
        let done = act();
        drop(over);
        done
    })
}

/// Brings the town up if it is down, and its daemon. True when it was down.
fn start_town(here: &place::Place, store: &mut crate::store::Store) -> Result<bool, CliError> {
    if store.read(lifecycle::is_up).map_err(TownError::from)? {
        return Ok(false);
    }
    here.around().remember(&here.town)?;
    store.write(&here.acting().stamp(), |w| lifecycle::set_up(w).map_err(TownError::from))?;
    super::revive::start_daemon(here)?;
    Ok(true)
}

/// Beads, and the rig when the last word names one.
fn split(here: &place::Place, what: &[String]) -> Result<(Vec<String>, Option<RigName>), CliError> {
    let Some((last, beads)) = what.split_last() else { return Ok((Vec::new(), None)) };
    let named = RigName::new(last).ok().filter(|name| here.town.rig_config_path(name).is_file());
    match named {
        Some(_) if beads.is_empty() => Err(CliError::user("which bead?").hint(format!("gt sling BEAD {last}"))),
        Some(name) => Ok((beads.to_vec(), Some(name))),
        None if beads.is_empty() => Ok((what.to_vec(), None)),
        // Two or more words, and the last is no rig: a slip in its name, or one more bead.
        None if last.contains('-') => Ok((what.to_vec(), None)),
        None => Err(here
            .town
            .rig(&RigName::new(last)?, &crate::config::Overrides::default())
            .err()
            .map_or_else(|| CliError::not_found(format!("no rig `{last}`")), CliError::from)),
    }
}

/// The rig that the first bead was slung into before, else the one of its prefix, else the one that its convoy was
/// slung into.
fn rig_of(here: &place::Place, cx: &Context, store: &Store, beads: &[BeadId]) -> Result<RigName, CliError> {
    if let Some(first) = beads.first() {
        let (own, convoys) = store.read(|r| {
            let first = &poured::meant(r, first)?;
            let convoys = convoy::of(r, first)?;
            Ok::<_, TownError>((convoy::slung_to(&r.need(first)?), convoys.iter().find_map(convoy::slung_to)))
        })?;
        let of_prefix = here.town.rig_of(first)?.map(|rig| rig.name);
        if let Some(name) = own.or(of_prefix).or(convoys) {
            return Ok(name);
        }
    }
    place::rig(here, cx, None)
}

fn convoys(plan: &Plan) -> String {
    let ids: Vec<&str> = plan.convoys.iter().map(BeadId::as_str).collect();
    if ids.is_empty() { String::new() } else { format!("   convoy {}", ids.join(", ")) }
}

/// What becomes of a bead that waits, once that is over.
fn later(plan: &Plan, up: bool) -> String {
    match (plan.by_itself, up) {
        (true, true) => "it is slung by itself when that is over".to_owned(),
        (true, false) => "it is slung by itself when that is over and the town is up: gt start".to_owned(),
        (false, _) => {
            let why = if plan.convoys.is_empty() { "it is in no convoy" } else { "the rig's witness is off" };
            format!("nothing slings it later ({why}): gt sling {} {}", plan.bead, plan.rig)
        }
    }
}

fn did(one: &Slung, up: bool) -> String {
    let plan = &one.plan;
    let stays = plan.stays.as_ref().map_or(String::new(), |stays| format!("\n  {}", stays.text()));
    let done = match (&plan.worker, &plan.waits) {
        (Some(worker), _) => {
            let through = plan.asked.as_ref().map_or(String::new(), |root| format!("   molecule {root}"));
            format!("✓ {} -> {worker} ({}, {}){through}{}", plan.bead, plan.runtime, plan.host.word(), convoys(plan))
        }
        (None, Some(why)) => {
            format!("○ {} {why}; {}{}", plan.bead, later(plan, up), convoys(plan))
        }
        (None, None) => match &plan.held {
            Some(worker) => format!("✓ {} is on the hook of {worker} already{}", plan.bead, convoys(plan)),
            None => format!("○ {}", plan.bead),
        },
    };
    done + &stays
}

/// Bead by bead, and the convoy that they share.
fn would_all(foreseen: &Foreseen) -> String {
    let mut lines: Vec<String> = foreseen.plans.iter().map(would).collect();
    if let Some(title) = &foreseen.convoy {
        let mut ids: Vec<&str> =
            foreseen.plans.iter().filter(|plan| plan.new_convoy).map(|p| p.bead.as_str()).collect();
        ids.dedup();
        lines.push(format!("would make a convoy \"{title}\" of {}", ids.join(", ")));
    }
    lines.join("\n")
}

fn would(plan: &Plan) -> String {
    let filed = plan.asked.as_ref() == Some(&plan.bead);
    let mut lines = Vec::new();
    if filed {
        lines.push(format!("would file a bead \"{}\" in {}, to be worked on with {}", plan.title, plan.rig, plan.bead));
    }
    let work = if filed { "it".to_owned() } else { format!("{} \"{}\"", plan.bead, plan.title) };
    lines.push(match (&plan.worker, &plan.waits) {
        (Some(worker), _) => format!("would sling {work} to {worker}"),
        (None, None) if plan.held.is_some() => format!("{} is worked on already: nothing to do", plan.bead),
        (_, why) => format!("would not start {} now: it {}", plan.bead, why.as_deref().unwrap_or("waits")),
    });
    if let Some(branch) = &plan.branch {
        if let Some(mr) = &plan.came_back {
            lines.push(format!("  go on from what was handed in as {mr}, and take its former worker down"));
        }
        let from = plan.from.as_deref().map_or(String::new(), |c| format!(" at {}", c.get(..12).unwrap_or(c)));
        lines.push(format!("  make a worktree on branch {branch}{from}"));
    }
    if let Some(stays) = &plan.stays {
        lines.push(format!("  begin anew: {}", stays.text()));
    }
    match (&plan.molecule, &plan.formula) {
        (Some(id), _) if plan.branch.is_some() => lines.push(format!("  go on with molecule {id}")),
        (None, Some(formula)) => lines.push(format!("  pour formula {formula}")),
        _ => {}
    }
    if plan.branch.is_some() {
        lines.push(format!("  start {} on {}", plan.runtime, plan.host.word()));
    }
    lines.join("\n")
}
