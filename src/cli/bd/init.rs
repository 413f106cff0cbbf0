//! `bd init`: makes a tracker in this repository, and changes no file that git tracks.

use std::path::{Path, PathBuf};

use super::Context;
use super::place::{Place, git_common_dir};
use crate::base::{Prefix, atomic};
use crate::cli::CliError;
use crate::store::Store;

/// What git is told to overlook; `issues.jsonl` and formulas stay yours to track.
const HIDDEN: [&str; 7] = [
    "# bd: begin (delete this block with .beads)",
    ".beads/beads.db*",
    ".beads/journal.db*",
    ".beads/write.lock",
    ".beads/ledger.git/",
    ".beads/last-touched",
    "# bd: end",
];

/// Makes `.beads/` in the main work tree of the repository (or here, outside of one).
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What ids begin with; the folder's name when left out.
    #[arg(short, long)]
    prefix: Option<String>,
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
    let prefix = match args.prefix {
        Some(prefix) => Prefix::new(prefix.trim_end_matches('-'))?,
        None => guess_prefix(place),
    };
    Store::create(&place.beads_dir, &prefix, cx.now())?;
    let hidden = hide(&place.beads_dir)?;
    let jsonl = place.beads_dir.join("issues.jsonl");
    let value = serde_json::json!({
        "beads_dir": place.beads_dir, "prefix": prefix, "excluded_through": hidden,
        "importable": jsonl.is_file().then_some(&jsonl),
    });
    cx.out.print(&value, |_| format!("✓ tracker in {}, ids like {prefix}-a3f", place.beads_dir.display()));
    if jsonl.is_file() {
        cx.out.note(&format!("{} is there: `bd import {}` adopts it", jsonl.display(), jsonl.display()));
    } else {
        cx.out.note("next: bd create \"the first thing to do\"");
    }
    Ok(())
}

/// The prefix of the tracked issues, else the name of the folder as far as it can be one.
fn guess_prefix(place: &Place) -> Prefix {
    let tracked = std::fs::read_to_string(place.beads_dir.join("issues.jsonl")).ok();
    let first = tracked.as_deref().and_then(|text| {
        let issue: serde_json::Value = serde_json::from_str(text.lines().next()?).ok()?;
        let id = crate::base::BeadId::new(issue["id"].as_str()?).ok()?;
        Prefix::new(id.prefix()).ok()
    });
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

/// Adds the block to `info/exclude`; gives the file, or nothing outside of a repository.
fn hide(beads_dir: &Path) -> Result<Option<PathBuf>, CliError> {
    let Some(git_dir) = beads_dir.parent().and_then(git_common_dir) else { return Ok(None) };
    let path = git_dir.join("info/exclude");
    let failed = |e: std::io::Error| CliError::user(format!("{}: {e}", path.display()));
    let old = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(failed(e)),
    };
    if !old.lines().any(|line| line == HIDDEN[0]) {
        std::fs::create_dir_all(git_dir.join("info")).map_err(failed)?;
        let gap = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
        let new = format!("{old}{gap}{}\n", HIDDEN.join("\n"));
        atomic::write(&path, new.as_bytes()).map_err(failed)?;
    }
    Ok(Some(path))
}
