//! `gt demo`: the whole of Gas Town on real parts, in a throw-away town, with its promises checked.
//!
//! Everything is done through the same commands that a person types; the rest of this module watches and checks.

mod crash;
mod interrupt;
mod place;
mod report;
mod sample;
mod verify;
mod watch;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::crash::Crash;
use self::interrupt::Interrupt;
use self::place::Place;
use self::watch::Watch;
use super::Context;
use crate::cli::{CliError, Kind, output};
use crate::store::Status;

/// How long the whole story may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(150);

/// Show Gas Town at work: offline, no account, no model.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Kill a worker, the daemon and the session host on the way; all come back by themselves.
    #[arg(long)]
    crash: bool,
    /// Run workers on headless session hosts, also where tmux exists.
    #[arg(long)]
    headless: bool,
    /// Keep everything in DIR, which must not exist yet or be empty.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// What a demo found out; `--json` prints it.
#[derive(Debug, serde::Serialize)]
struct Outcome {
    held: bool,
    checks: Vec<verify::Check>,
    seconds: f64,
    /// Seconds until each killed thing was back.
    recovered: Vec<(String, f64)>,
    town: Option<PathBuf>,
}

/// Runs the demo. Fails unless every promise held.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let started = Instant::now();
    let interrupt = Interrupt::catch()?;
    let say = |text: &str| {
        if !cx.out.json && !cx.out.quiet && !output::try_line(text) {
            interrupt.reader_gone();
        }
    };
    let place = Place::make(&cx.env, args.keep.as_deref(), interrupt.clone())?;
    let host = if args.headless || !place.has("tmux") { "headless" } else { "tmux" };
    let on = if host == "tmux" { "in a tmux server of its own" } else { "on headless session hosts" };
    let root = place.root().display();
    say(&format!("Throw-away town in {root} · scripted workers {on} · no model, no network · nothing else is written"));

    let story = tell(&place, &args, host, &say);
    // Whatever happened, nothing may stay alive.
    let stopped = place.shut_down();
    if let Some(code) = interrupt.code() {
        return Err(ended_early(place, stopped, code));
    }
    let (mut checks, recovered) = story?;
    let alive = place.processes();
    let quiet = stopped.is_ok() && alive.is_empty();
    let what = if quiet { "no process left".to_owned() } else { format!("still alive: {}", alive.join(", ")) };
    checks.push(verify::Check { what, held: quiet });

    let outcome = Outcome {
        held: checks.iter().all(|c| c.held),
        checks,
        seconds: started.elapsed().as_secs_f64(),
        recovered: recovered.iter().map(|r| (r.what.clone(), r.away.as_secs_f64())).collect(),
        town: place.kept().then(|| place.town()),
    };
    cx.out.print(&outcome, report::end);
    if outcome.held {
        return Ok(());
    }
    let broken: Vec<&str> = outcome.checks.iter().filter(|c| !c.held).map(|c| c.what.as_str()).collect();
    let error = CliError::new(Kind::Internal, format!("a promise was broken: {}", broken.join("; ")));
    Err(hinting(error, place.see(None)))
}

/// Ends the program after a signal: the town is down, its folder gone unless it is to be kept. Comes back only with what
/// went wrong in that.
fn ended_early(place: Place, stopped: Result<(), CliError>, code: i32) -> CliError {
    let alive = place.processes();
    if let Err(error) = stopped {
        return error.hint(format!("the town of the demo is in {}", place.town().display()));
    }
    if !alive.is_empty() {
        return CliError::refused(format!("of the demo's town there still lives: {}", alive.join(", ")));
    }
    let kept = place.kept().then(|| place.root().to_owned());
    drop(place);
    match kept {
        Some(root) => output::message(&format!("ended early; the town is shut down and kept in {}", root.display())),
        None => output::message("ended early; the town is shut down and its folder is removed"),
    }
    std::process::exit(code);
}

type Told = (Vec<verify::Check>, Vec<crash::Recovery>);

/// The story: install, add the rig, file the beads, sling, watch until the convoy has landed, check.
fn tell(place: &Place, args: &Args, host: &str, say: &dyn Fn(&str)) -> Result<Told, CliError> {
    let begun = Instant::now();
    let stamp = |who: &str, what: &str| format!("{:04.1}  {who:<9} {what}", begun.elapsed().as_secs_f64());
    sample::make_remote(place)?;
    place.gt(&["install", &place.town().display().to_string(), "--runtime", "script", "--host", host])?;
    let remote = place.remote().display().to_string();
    // It is the demo's own remote: finished work may land without a person's word.
    place.gt(&["rig", "add", "sample", &remote, "--prefix", "gt", "--landing", "direct"])?;
    say(&stamp("town", "installed, rig sample (remote: a bare repository, 3 commits)"));

    let beads = sample::file_beads(place, args.crash)?;
    let first = [&beads.parser, &beads.errors, &beads.docs, &beads.flags];
    let mut create = vec!["convoy", "create", "Demo", "--json"];
    create.extend(first.iter().map(|id| id.as_str()));
    let convoy: Value = serde_json::from_str(&place.gt(&create)?)
        .map_err(|e| CliError::new(Kind::Internal, format!("`gt convoy create --json` gave no JSON: {e}")))?;
    let convoy = convoy.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();

    let mut watch = Watch::open(&place.town().join(".beads"), begun)?;
    for (id, name) in
        [(&beads.parser, "parser"), (&beads.errors, "errors"), (&beads.docs, "docs"), (&beads.flags, "flags")]
    {
        watch.name(id, name);
    }
    say(&stamp(
        "work",
        &format!("{} parser · {} errors · {} docs (needs parser) · {} flags", first[0], first[1], first[2], first[3]),
    ));
    say(&stamp("convoy", &format!("{convoy} \"Demo\": beads that land together")));
    let policy = place.town().join("lua/roles/refinery.lua");
    std::fs::write(&policy, sample::POLICY)
        .map_err(|e| CliError::user(format!("{} cannot be written: {e}", policy.display())))?;
    say(&stamp("policy", "lua/roles/refinery.lua of this town: what is labelled `first` (flags) lands first"));
    place.gt(&["start"])?;
    place.gt(&["sling", &beads.parser, &beads.errors, &beads.flags, "sample"])?;

    let mut crash = args.crash.then(|| Crash::new(place, &beads));
    let convoy_id = watch.store().read(|r| r.resolve(&convoy).map_err(CliError::from))?;
    loop {
        place.interrupt().check()?;
        for line in watch.news()? {
            say(&line);
        }
        if let Some(crash) = &mut crash {
            for line in crash.advance(&watch)? {
                say(&line);
            }
        }
        if let Some(worker) = watch.given_up() {
            return Err(given_up(place, &worker));
        }
        let landed = watch.store().read(|r| Ok::<_, CliError>(r.need(&convoy_id)?.status == Status::CLOSED))?;
        if landed && crash.as_ref().is_none_or(Crash::over) && Place::settled(&watch)? {
            break;
        }
        if begun.elapsed() > PATIENCE {
            let error = CliError::new(Kind::Timeout, format!("the convoy did not land within {PATIENCE:?}"));
            return Err(hinting(error, place.see(None)));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    for line in watch.news()? {
        say(&line);
    }
    let tracked = tracked(&watch, &convoy_id)?;
    let checks = verify::all(place, &watch, &tracked, &beads.flags, args.crash)?;
    say(&report::evidence(place, &watch, &convoy)?);
    Ok((checks, crash.map(|c| c.recovered).unwrap_or_default()))
}

/// A worker that dies whenever it is brought back: what it had on its screen says why.
fn given_up(place: &Place, worker: &str) -> CliError {
    let mut error = CliError::new(Kind::Internal, format!("worker {worker} died again and again"));
    let screen = place.gt(&["peek", worker, "8"]).unwrap_or_default();
    error.causes.extend(screen.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
    hinting(error, place.see(Some(worker)))
}

fn hinting(error: CliError, hints: Vec<String>) -> CliError {
    hints.into_iter().fold(error, CliError::hint)
}

/// The beads that the convoy tracked in the end.
fn tracked(watch: &Watch, convoy: &crate::base::BeadId) -> Result<Vec<String>, CliError> {
    let deps = watch.store().read(|r| r.deps(convoy).map_err(CliError::from))?;
    Ok(deps.into_iter().filter(|d| d.kind.as_str() == "tracks").map(|d| d.depends_on_id.to_string()).collect())
}
