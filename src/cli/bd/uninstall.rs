//! `bd uninstall`: takes the tracker out of this repository and leaves all else as it was.

use std::path::{Path, PathBuf};

use super::sync::{Asked, ask};
use super::{Context, exclude};
use crate::base::text;
use crate::cli::{CliError, Kind};
use crate::store::{Store, StoreError};

/// Removes the tracker's database, ledger and locks, and the lines that hide them from git. What you track
/// yourself below `.beads` stays.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also when there are beads that are nowhere else.
    #[arg(long)]
    force: bool,
    /// Say what would be removed.
    #[arg(long)]
    dry_run: bool,
}

/// The locks that are made as they are needed; nothing is ever written in them.
const LOCKS: [&str; 9] = [
    "write.lock",
    "next.lock",
    "log.lock",
    "ledger.lock",
    "sync.lock",
    "import.lock",
    "create.lock",
    "pour.lock",
    "burn.lock",
];
/// The ledger, and where a restore builds.
const FOLDERS: [&str; 2] = ["ledger.git", "restore.new"];
/// What `SQLite` keeps beside a database.
const SIDES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let place = cx.place();
    if let Some(town) = &place.town {
        return Err(CliError::refused(format!("the tracker here is that of the town {}", town.display()))
            .hint("`bd where` says which tracker belongs to a folder"));
    }
    let dir = &place.beads_dir;
    if ours(dir)?.is_empty() && !dir.join("beads.db").exists() {
        return Err(CliError::not_found(format!("there is no tracker in {}", dir.display()))
            .hint("`bd where` says where it is looked for"));
    }
    if let Err(foreign @ StoreError::Foreign(_)) = Store::open(dir) {
        let mut error = CliError::refused(foreign.to_string());
        error.hints = vec![format!(
            "nothing was removed; move it aside first: mv {0}/beads.db {0}/beads.db.other",
            dir.display()
        )];
        return Err(error);
    }
    // Whoever forces it need not be told what the remote has.
    let (alone, why) = if args.force { (None, None) } else { only_here(cx, dir)? };
    // Looked for now: whoever opened the database made its log.
    let ours = ours(dir)?;
    if !args.dry_run && !args.force && alone != Some(0) {
        let what = alone.map_or("a database or ledger that cannot be read".to_owned(), |n| text::count(n, "bead"));
        let mut error = CliError::refused(format!("{} has {what} that may be nowhere else", dir.display()))
            .hint("`bd export -o FILE` or `bd sync --remote URL` keeps them; `bd uninstall --force` removes them");
        error.causes.extend(why);
        return Err(error);
    }
    let value = serde_json::json!({ "beads_dir": dir, "remove": ours, "only_here": alone, "dry_run": args.dry_run });
    if args.dry_run {
        cx.out.print(&value, |_| {
            let lines: Vec<String> = ours.iter().map(|path| path.display().to_string()).collect();
            format!("would remove\n  {}", lines.join("\n  "))
        });
        return Ok(());
    }
    remove(&ours)?;
    exclude::unhide(dir)?;
    // The folder goes when nothing of the user's is in it.
    let kept = std::fs::remove_dir(dir).is_err() && dir.exists();
    cx.out.print(&value, |_| {
        let rest = if kept { "; what you track below it stays" } else { "" };
        format!("✓ the tracker in {} is gone{rest}", dir.display())
    });
    Ok(())
}

fn remove(ours: &[PathBuf]) -> Result<(), CliError> {
    for (before, path) in ours.iter().enumerate() {
        let folder = path.is_dir();
        let removed = if folder { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        removed.map_err(|e| {
            let hint = if before == 0 && !folder {
                "check the permissions of the folder; nothing was changed"
            } else {
                "check the permissions of the folder, then run it again with --force: what is left goes"
            };
            CliError::new(Kind::Store, format!("{} cannot be removed: {e}", path.display())).hint(hint)
        })?;
    }
    Ok(())
}

/// The files and folders below `.beads` that are the tracker's own.
fn ours(dir: &Path) -> Result<Vec<PathBuf>, CliError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(CliError::user(format!("{}: {e}", dir.display()))),
    };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| is_ours(&entry.path(), name)))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    Ok(found)
}

/// Whether this program makes files of that name, and this can be one of them.
fn is_ours(path: &Path, name: &str) -> bool {
    if LOCKS.contains(&name) {
        return std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == 0);
    }
    let numbered = |head: &str| {
        let rest =
            name.strip_prefix(head).map(|rest| SIDES.iter().find_map(|end| rest.strip_suffix(end)).unwrap_or(rest));
        rest.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let database = |base: &str| name.strip_prefix(base).is_some_and(|end| end.is_empty() || SIDES.contains(&end));
    FOLDERS.contains(&name)
        || database("beads.db")
        || database("beads.db.new")
        || numbered("beads.db.replaced-")
        || numbered("beads.db.left-")
        || numbered("ledger.git.broken-")
}

/// How many beads are, as far as can be known, in no other place: neither on a remote, which is asked, nor in
/// `issues.jsonl`; and why it is not known better. None for the number when nothing can be read.
fn only_here(cx: &Context, dir: &Path) -> Result<(Option<usize>, Option<String>), CliError> {
    if !dir.join("beads.db").exists() {
        let lost = super::init::lost_database(dir);
        let why = "its database is gone, and its ledger is here: `bd restore` makes the one anew from the other";
        return Ok(if lost { (None, Some(why.to_owned())) } else { (Some(0), None) });
    }
    if Store::open(dir).is_err() {
        return Ok((None, None));
    }
    let (beads, exported) = cx.read(|r| Ok((r.ledger_ids()?.len(), r.export()?)))?;
    let tracked = std::fs::read(dir.join("issues.jsonl")).unwrap_or_default();
    if beads == 0 || tracked == exported {
        return Ok((Some(0), None));
    }
    let Some(Asked { url, has_all }) = ask(cx)? else { return Ok((Some(beads), None)) };
    Ok(match has_all {
        Ok(true) => (Some(0), None),
        Ok(false) => (Some(beads), Some(format!("`{url}` has not all of it: `bd sync` sends it"))),
        Err(error) => {
            (Some(beads), Some(format!("whether `{url}` has all of it could not be asked: {}", error.message)))
        }
    })
}
