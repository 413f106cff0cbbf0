//! `gt rig add NAME URL-OR-PATH`.

use crate::base::text::last_lines;
use crate::base::{Prefix, RigName};
use crate::cli::CliError;
use crate::cli::gt::Context;
use crate::config::{Landing, Overrides};
use crate::town::rig_add::{self, AddOpts, Added};
use crate::town::{standing, unchecked};

/// Clones a project into the town and finds the command that tests it. The project itself is only read.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the town calls it.
    name: RigName,
    /// An address that git can clone, or a path.
    source: String,
    /// What the ids of its beads start with; made of the name when left out.
    #[arg(long)]
    prefix: Option<Prefix>,
    /// The branch that changes land on; the remote's default when left out.
    #[arg(long, visible_alias = "branch")]
    target: Option<String>,
    /// The path itself is the remote, even if it is a clone of another repository.
    #[arg(long)]
    local: bool,
    /// Do not run the test command now.
    #[arg(long)]
    no_try: bool,
    /// What happens to changes that pass: hold or direct.
    #[arg(long, value_parser = landing)]
    landing: Option<Landing>,
    /// Read the issues that the project tracks in `.beads/issues.jsonl` into the town's tracker.
    #[arg(long)]
    adopt: bool,
}

fn landing(text: &str) -> Result<Landing, String> {
    match text {
        "hold" => Ok(Landing::Hold),
        "direct" => Ok(Landing::Direct),
        _ => Err("hold or direct".into()),
    }
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let (place, mut store) = cx.open()?;
    let path = cx.env.path(&args.source);
    let source = if path.is_dir() { path.display().to_string() } else { args.source };
    let opts = AddOpts {
        prefix: args.prefix,
        target: args.target,
        local: args.local,
        try_gate: !args.no_try,
        landing: args.landing,
        adopt: args.adopt,
    };
    cx.out.note(&format!("cloning {source} …"));
    let added = rig_add::add(&place.acting(), &mut store, &args.name, &source, &opts, &mut |_| {})?;
    let runtime = place.town.rig(&added.rig, &Overrides::default())?.config.runtime;
    let unchecked = unchecked::tell(&place.acting(), &mut store, &runtime)?;
    for warning in added.warnings.iter().chain(&unchecked) {
        cx.out.note(&format!("note: {warning}"));
    }
    cx.out.print(&added, text);
    if added.tracked_issues > 0 {
        let rig = place.town.rig_dir(&added.rig);
        cx.out.note(&format!(
            "the project tracks {} in .beads/issues.jsonl: `git -C {} show origin/{}:.beads/issues.jsonl | bd import -` adopts them",
            crate::base::text::count(added.tracked_issues, "issue"),
            rig.join(".repo.git").display(),
            added.target,
        ));
    }
    Ok(())
}

fn text(added: &Added) -> String {
    let gate = match (&added.gate, &added.tried) {
        (None, _) => "none found: nothing lands until [gates.NAME] is in rig.toml".to_owned(),
        (Some((command, because)), None) => format!("{command}   (found {because}; not run)"),
        (Some((command, because)), Some(run)) => {
            format!("{command}   (found {because}; ran on {}: {})", added.target, rig_add::first_run(run))
                + &printed(added)
        }
    };
    let landing = match added.landing {
        Landing::Hold => "hold     each change waits for your `gt review`; or set landing = \"direct\" in rig.toml",
        Landing::Direct => "direct   what passes its gates is pushed",
    };
    let adopted = added.adopted.as_ref().map(|done| {
        let repaired = crate::base::text::count(done.findings.len(), "line");
        format!("   {} adopted, {repaired} repaired or left out", crate::base::text::count(done.created, "issue"))
    });
    format!(
        "✓ rig {}   cloned in {:.1} s\n  target   {} of {}\n  beads    {}-…{}\n  gate     {gate}\n  landing  {landing}\n\
         Next:  bd create \"what is to be done\" --rig {}, then gt sling ID {}",
        added.rig,
        added.cloned_ms as f64 / 1000.0,
        added.target,
        added.remote,
        added.prefix,
        adopted.unwrap_or_default(),
        added.rig,
        added.rig,
    )
}

/// The end of what the gate printed when it did not pass, and where all of it is.
fn printed(added: &Added) -> String {
    let (Some(run), Some(path)) = (&added.tried, &added.printed) else { return String::new() };
    let lines =
        last_lines(&run.output, standing::LAST).into_iter().chain([format!("(all that was kept: {})", path.display())]);
    lines.map(|line| format!("\n             {line}")).collect()
}
