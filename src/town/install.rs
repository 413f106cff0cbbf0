//! `gt install`: makes a town, or completes one.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::TownError;
use super::layout::{MARKER, Town};
use crate::base::{Prefix, Time, atomic};
use crate::config::HostChoice;
use crate::git;
use crate::store::{Store, StoreError};

/// What stands in a new `town.toml`.
#[derive(Debug, Clone, Default)]
pub struct InstallOpts {
    /// The town's name; that of the folder when left out.
    pub name: Option<String>,
    /// The runtime of workers; `claude` when left out.
    pub runtime: Option<String>,
    /// Where sessions run; `auto` when left out.
    pub host: Option<HostChoice>,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Installed {
    /// The folder of the town.
    pub root: PathBuf,
    /// It was a town before.
    pub already: bool,
    /// What was made, relative to the root.
    pub made: Vec<String>,
}

const FOLDERS: [&str; 8] =
    [".beads/formulas", "lua/roles", "mayor", "deacon", "logs/agents", ".runtime", ".trash", ".beads"];

/// Makes the town at `root`. Run again, it makes what is missing and changes nothing that is there.
///
/// `town.toml` is written last: a crash before leaves a folder that is no town yet and can be installed again.
pub fn install(root: &Path, opts: &InstallOpts, now: Time) -> Result<(Town, Installed), TownError> {
    if root.exists() && !root.is_dir() {
        return Err(TownError::user(format!("{} is a file", root.display())).hint("name a folder: gt install ~/gt"));
    }
    let already = root.join(MARKER).is_file();
    if !already {
        refuse_inside(root)?;
        refuse_among_others(root)?;
    }
    let mut made = Vec::new();
    for folder in FOLDERS {
        let path = root.join(folder);
        if !path.is_dir() {
            std::fs::create_dir_all(&path).map_err(|e| TownError::io("make", &path, e))?;
            made.push(format!("{folder}/"));
        }
    }
    match Store::create(&root.join(".beads"), &Prefix::new("hq")?, now) {
        Ok(_) => made.push(".beads/beads.db".into()),
        Err(StoreError::StoreExists(_)) => drop(Store::open(&root.join(".beads"))?),
        Err(error) => return Err(error.into()),
    }
    crate::session::write_script_worker(&root.join(".runtime"))?;
    if !already {
        let path = root.join(MARKER);
        atomic::write(&path, text(opts).as_bytes()).map_err(|e| TownError::io("write", &path, e))?;
        made.push(MARKER.into());
    }
    made.sort();
    let town = Town::at(root)?;
    town.config()?;
    let root = town.root().to_owned();
    Ok((town, Installed { root, already, made }))
}

/// A new town has a folder of its own: its files are no part of a repository, and commands know one town only.
fn refuse_inside(root: &Path) -> Result<(), TownError> {
    let what = if let Some(town) = Town::around(root) {
        format!("the town {}", town.root().display())
    } else if let Some(tree) = git::work_tree_around(root) {
        format!("the git repository {}", tree.display())
    } else {
        return Ok(());
    };
    Err(TownError::refused(format!("{} is inside {what}", root.display()))
        .hint("name a folder of its own for the town, outside of it: gt install ~/gt"))
}

/// A new town is not scattered over what somebody keeps there. What an install that was cut short has left is no
/// hindrance.
fn refuse_among_others(root: &Path) -> Result<(), TownError> {
    let entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(TownError::io("read", root, error)),
    };
    let mut ours = Vec::new();
    for entry in entries {
        let name = entry.map_err(|e| TownError::io("read", root, e))?.file_name();
        if !FOLDERS.iter().any(|folder| Path::new(folder).iter().next() == Some(&name)) {
            return Err(not_empty(root, &name.to_string_lossy()));
        }
        ours.push(name);
    }
    match ours.first() {
        Some(first) if !ours.iter().any(|name| name == ".beads") => Err(not_empty(root, &first.to_string_lossy())),
        _ => Ok(()),
    }
}

fn not_empty(root: &Path, found: &str) -> TownError {
    TownError::refused(format!("{} is not empty (it has `{found}`) and is no town", root.display()))
        .hint("name a folder of its own for the town; it is made if it is missing: gt install ~/gt")
}

fn text(opts: &InstallOpts) -> String {
    let line = |key: &str, value: Option<String>, default: &str, what: &str| {
        let (mark, value) = match value {
            Some(value) => ("", toml::Value::String(value).to_string()),
            None => ("#", format!("\"{default}\"")),
        };
        format!("# {what}\n{mark}{key} = {value}\n\n")
    };
    let mut text = String::from(
        "# A town of gt. Every key has a default; those below are the ones that people change first.\n\
         # A rig's own rig.toml says more, and wins.\n\n",
    );
    text += &line("name", opts.name.clone(), "gt", "What people call this town.");
    text += &line(
        "runtime",
        opts.runtime.clone(),
        "claude",
        "What works: claude, codex, gemini, opencode, cursor, amp, copilot, script, or a [runtimes.NAME] of yours.",
    );
    text += &line("host", opts.host.map(|h| h.to_string()), "auto", "Where it runs: auto, tmux or headless.");
    text += &line("formula", None, "shiny", "The formula that slung work goes through; \"\" for none.");
    text += "# How many workers a rig may have at once; a change that is sent back is taken up beyond that.\n#workers = 8\n\n";
    text += "# Parts that you do without: their work is then yours.\n#[components]\n#witness = true\n#refinery = true\n#mayor = true\n";
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_is_written_can_be_read_and_says_what_was_asked() {
        let plain = crate::config::TownConfig::parse(Path::new("/x/gt/town.toml"), &text(&InstallOpts::default()));
        assert_eq!(plain.expect("reads").name(), "gt");
        let opts = InstallOpts {
            name: Some("a \"b\"".into()),
            runtime: Some("script".into()),
            host: Some(HostChoice::Headless),
        };
        let config = crate::config::TownConfig::parse(Path::new("town.toml"), &text(&opts)).expect("reads");
        assert_eq!((config.name().as_str(), config.runtime()), ("a \"b\"", "script"));
        assert_eq!(config.host(), HostChoice::Headless);
    }
}
