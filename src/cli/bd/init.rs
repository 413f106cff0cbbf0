//! `bd init`: makes a tracker in this repository, and changes no file that git tracks.

use std::path::{Path, PathBuf};

use super::place::Place;
use super::{Context, exclude, import};
use crate::base::Prefix;
use crate::base::fault::{Point, pass};
use crate::cli::CliError;
use crate::ledger::Ledger;
use crate::store::{Store, StoreError, interchange};

/// Where a repository tracks its issues.
const TRACKED: &str = ".beads/issues.jsonl";

/// Makes `.beads/` in the main work tree of the repository (or here, outside of one).
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What ids begin with; the folder's name when left out.
    #[arg(short, long)]
    prefix: Option<String>,
    /// Read beads from FILE; `.beads/issues.jsonl` when FILE is left out.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = TRACKED)]
    from_jsonl: Option<PathBuf>,
    // Flags of other trackers for what is always so here: nothing that git tracks changes, and no hook is installed.
    #[arg(long, hide = true)]
    stealth: bool,
    #[arg(long, hide = true)]
    skip_hooks: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let place = cx.place();
    if let Some(town) = &place.town {
        return Err(CliError::refused(format!(
            "this folder belongs to the town {}, which has a tracker",
            town.display()
        ))
        .hint("`bd create` files beads in it; `bd where` says where it is"));
    }
    let tracked = tracked(cx, &place.beads_dir);
    let adopted =
        args.from_jsonl.map(|file| if file == Path::new(TRACKED) { tracked.clone() } else { cx.env.path(file) });
    // Read before anything is made.
    let text = adopted.as_deref().map(|path| {
        std::fs::read(path).map_err(|e| CliError::path(path, &e, "name the file: bd init --from-jsonl FILE"))
    });
    let text = text.transpose()?;
    let prefix = match args.prefix {
        Some(prefix) => Prefix::new(prefix.trim_end_matches('-'))?,
        None => guess_prefix(place, text.clone().or_else(|| std::fs::read(&tracked).ok()).as_deref()),
    };
    if !place.beads_dir.join("beads.db").exists() && lost_database(&place.beads_dir) {
        return Err(CliError::refused(format!(
            "{} has a ledger with beads, and its database is gone",
            place.beads_dir.display()
        ))
        .hint("`bd restore` makes the database anew from it; `bd uninstall --force` removes it for good"));
    }
    match Store::create(&place.beads_dir, &prefix, cx.now()) {
        Ok(_) => {}
        Err(error @ StoreError::StoreExists(_)) => {
            if let Err(foreign @ StoreError::Foreign(_)) = Store::open(&place.beads_dir) {
                return Err(foreign.into());
            }
            // One that was killed may not have come so far.
            exclude::hide(&place.beads_dir)?;
            let error = CliError::from(error);
            return Err(match adopted {
                Some(path) => error.hint(format!("`bd import {}` reads the issues into it", path.display())),
                None => error,
            });
        }
        Err(error) => return Err(error.into()),
    }
    pass(Point::InitMade);
    let hidden = exclude::hide(&place.beads_dir)?;
    let stamp = cx.stamp();
    let imported = text.map(|text| cx.change_store(|store| Ok(store.import(&stamp, &text)?))).transpose()?;
    let left = (imported.is_none() && tracked.is_file()).then_some(&tracked);
    let value = serde_json::json!({
        "beads_dir": place.beads_dir, "prefix": prefix, "excluded_through": hidden, "importable": left,
        "imported": imported,
    });
    if let (true, Some(done)) = (cx.out.json, &imported) {
        return import::answer_json(cx, value, done, import::IN);
    }
    cx.out.print(&value, |_| {
        let in_it = imported.as_ref().map(|done| format!("\n{}", import::told(done))).unwrap_or_default();
        format!("✓ tracker in {}, ids like {prefix}-a3f{in_it}", place.beads_dir.display())
    });
    if let Some(path) = left {
        cx.out.note(&format!("{} is there: `bd import {}` adopts it", path.display(), path.display()));
    } else if imported.is_none() {
        cx.out.note("next: bd create \"the first thing to do\"");
    }
    match (imported, adopted) {
        (Some(done), Some(path)) => import::report(&path.display().to_string(), &done, import::IN),
        _ => Ok(()),
    }
}

/// The issues that the repository tracks, there or not. A bare one has them in its work trees alone.
fn tracked(cx: &Context, beads_dir: &Path) -> PathBuf {
    let beside = beads_dir.join("issues.jsonl");
    match cx.env.work_tree().map(|tree| tree.join(TRACKED)) {
        Some(in_tree) if !beside.is_file() && in_tree.is_file() => in_tree,
        _ => beside,
    }
}

/// Whether a ledger is in the folder that has beads, or cannot be read: a new database beside it would not be the one
/// that it was written from.
pub(super) fn lost_database(beads_dir: &Path) -> bool {
    match Ledger::open(beads_dir) {
        Ok(None) => false,
        Ok(Some(ledger)) => ledger.prefixes().map_or(true, |prefixes| !prefixes.is_empty()),
        Err(_) => true,
    }
}

/// The prefix of most tracked issues, else the name of the folder as far as it can be one.
fn guess_prefix(place: &Place, tracked: Option<&[u8]>) -> Prefix {
    let first = tracked.and_then(interchange::main_prefix);
    first.unwrap_or_else(|| {
        let folder = place.beads_dir.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or("bd");
        let name: String = folder
            .trim_end_matches(".git")
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(24)
            .collect();
        let name = name.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
        Prefix::new(name).unwrap_or_else(|_| Prefix::new("bd").expect("a good prefix"))
    })
}
