//! Where the tracker is: found by looking at folders and a few small files, without starting anything.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::base::text::{similar, unmarked};
use crate::base::{Address, Prefix};
use crate::cli::CliError;
use crate::cli::env::Env;
use crate::config::ConfigError;
use crate::town::TownError;

/// The folder of the tracker, and how it was found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Place {
    /// The folder that holds `beads.db`.
    pub(crate) beads_dir: PathBuf,
    /// The root of the town, when the tracker is a town's.
    pub(crate) town: Option<PathBuf>,
    /// The rig of the town whose folder we are in.
    pub(crate) rig: Option<String>,
    /// In words: why this folder.
    pub(crate) why: String,
}

impl Place {
    /// Finds the tracker that belongs to where we are; it need not exist yet.
    pub(crate) fn find(env: &Env) -> Self {
        if let Some(town) = &env.town {
            let town = env.path(town);
            return Self::in_town(&town, &env.cwd, "GT_TOWN names the town".to_owned());
        }
        if let Some(dir) = &env.beads_dir {
            let beads_dir = env.path(dir);
            let why = "BEADS_DIR or --db names the folder".to_owned();
            // The tracker of a town is worked with as from inside the town: its daemon is told.
            let around =
                beads_dir.parent().filter(|dir| beads_dir.ends_with(".beads") && dir.join("town.toml").is_file());
            if let Some(town) = around {
                return Self::in_town(town, &env.cwd, why);
            }
            return Self { beads_dir, town: None, rig: None, why };
        }
        if let Some(town) = env.cwd.ancestors().find(|dir| dir.join("town.toml").is_file()) {
            return Self::in_town(town, &env.cwd, format!("{} is a town", town.display()));
        }
        if let Some(root) = main_work_tree(&env.cwd) {
            let why = format!("{} is the main work tree of this repository", root.display());
            return Self { beads_dir: root.join(".beads"), town: None, rig: None, why };
        }
        if let Some(dir) = env.cwd.ancestors().find(|dir| dir.join(".beads/beads.db").is_file()) {
            let why = format!("{} has a tracker", dir.display());
            return Self { beads_dir: dir.join(".beads"), town: None, rig: None, why };
        }
        let why = "this folder belongs to no town and no git repository".to_owned();
        Self { beads_dir: env.cwd.join(".beads"), town: None, rig: None, why }
    }

    fn in_town(town: &Path, cwd: &Path, why: String) -> Self {
        let first = cwd.strip_prefix(town).ok().and_then(|below| below.iter().next()).and_then(|name| name.to_str());
        let rig = first.filter(|name| town.join(name).join("rig.toml").is_file()).map(str::to_owned);
        Self { beads_dir: town.join(".beads"), town: Some(town.to_owned()), rig, why }
    }

    /// The prefix that `rig.toml` of a rig of this town gives to ids.
    pub(crate) fn rig_prefix(&self, rig: &str) -> Result<Prefix, CliError> {
        let Some(town) = &self.town else {
            return Err(CliError::user(format!("there is no rig `{rig}`: this tracker belongs to no town")));
        };
        let path = town.join(rig).join("rig.toml");
        if !path.is_file() {
            return Err(self.no_rig(rig));
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|e| CliError::user(format!("{} cannot be read: {e}", path.display())))?;
        let table: toml::Table =
            toml::from_str(&text).map_err(|e| TownError::from(ConfigError::parse(&path, &text, &e)))?;
        let prefix = table.get("prefix").and_then(toml::Value::as_str).unwrap_or(rig);
        Ok(Prefix::new(prefix.to_lowercase())?)
    }

    fn no_rig(&self, rig: &str) -> CliError {
        let rigs = self.rigs();
        let error = CliError::not_found(format!("there is no rig `{rig}` in this town"));
        match similar(rig, rigs.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None if rigs.is_empty() => error.hint(format!("add it: gt rig add {rig} URL-OR-PATH")),
            None => error.hint("see which there are: gt rig list"),
        }
    }

    /// The rigs of this town.
    pub(crate) fn rigs(&self) -> Vec<String> {
        let entries = self.town.as_ref().and_then(|town| std::fs::read_dir(town).ok());
        let folders = entries.into_iter().flatten().flatten().filter(|e| e.path().join("rig.toml").is_file());
        let mut names: Vec<String> = folders.filter_map(|e| e.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Who acts: a flag or variable, the agent that works in this folder, git's user, the machine's user.
    pub(crate) fn actor(&self, env: &Env) -> String {
        if let Some(actor) = env.actor.clone().or_else(|| env.role.clone()) {
            return actor;
        }
        if let Some(address) = self.agent(&env.cwd) {
            return address.to_string();
        }
        git_user(env).or_else(|| env.user.clone()).unwrap_or_else(|| "unknown".to_owned())
    }

    /// The agent whose own folder this is.
    fn agent(&self, cwd: &Path) -> Option<Address> {
        let below = cwd.strip_prefix(self.town.as_ref()?).ok()?;
        let parts: Vec<&str> = below.iter().filter_map(|part| part.to_str()).collect();
        let address = match *parts.as_slice() {
            ["mayor" | "deacon", ..] => parts[0].to_owned(),
            [rig, group @ ("polecats" | "crew"), name, ..] => format!("{rig}/{group}/{name}"),
            [rig, role @ ("witness" | "refinery"), ..] => format!("{rig}/{role}"),
            _ => return None,
        };
        address.parse().ok()
    }
}

/// The main work tree of the repository that `cwd` is in; of a bare repository, its own folder.
pub(crate) fn main_work_tree(cwd: &Path) -> Option<PathBuf> {
    for dir in cwd.ancestors() {
        let dot_git = dir.join(".git");
        if dot_git.is_dir() {
            return Some(dir.to_owned());
        }
        if let Ok(text) = std::fs::read_to_string(&dot_git) {
            let git_dir = dir.join(text.trim().strip_prefix("gitdir:")?.trim());
            let Ok(common) = std::fs::read_to_string(git_dir.join("commondir")) else {
                // A bare repository that is only pointed to, or else a submodule, or a repository whose folder is elsewhere.
                let config = std::fs::read_to_string(git_dir.join("config")).unwrap_or_default();
                let bare = setting(&config, "core", "bare").is_some_and(|bare| bare.eq_ignore_ascii_case("true"));
                // One that was made beside the pointer is there.
                let bare = bare && !dir.join(".beads/beads.db").is_file();
                return if bare { git_dir.canonicalize().ok() } else { Some(dir.to_owned()) };
            };
            let common = git_dir.join(common.trim()).canonicalize().ok()?;
            let inside = common.file_name().is_some_and(|name| name == ".git");
            return if inside { common.parent().map(Path::to_owned) } else { Some(common) };
        }
    }
    None
}

/// The folder that git calls common: where `info/exclude` is.
pub(crate) fn git_common_dir(root: &Path) -> Option<PathBuf> {
    let dot_git = root.join(".git");
    if dot_git.is_dir() {
        return Some(dot_git);
    }
    if let Ok(text) = std::fs::read_to_string(&dot_git) {
        return Some(root.join(text.trim().strip_prefix("gitdir:")?.trim()));
    }
    root.join("objects").is_dir().then(|| root.to_owned())
}

/// `user.name` out of the repository's and the user's git configuration, read by hand.
fn git_user(env: &Env) -> Option<String> {
    let repository = main_work_tree(&env.cwd).and_then(|root| git_common_dir(&root)).map(|dir| dir.join("config"));
    let home = env.home.as_ref();
    let files = [repository, home.map(|h| h.join(".gitconfig")), home.map(|h| h.join(".config/git/config"))];
    files.into_iter().flatten().find_map(|path| setting(&unmarked(std::fs::read_to_string(path).ok()?), "user", "name"))
}

/// What a git configuration says last of a key.
fn setting(config: &str, section: &str, key: &str) -> Option<String> {
    let mut inside = false;
    let mut found = None;
    for line in config.lines().map(str::trim) {
        if let Some(named) = line.strip_prefix('[') {
            inside = named.trim_end_matches(']').trim().eq_ignore_ascii_case(section);
        } else if inside
            && let Some((name, value)) = line.split_once('=')
            && name.trim().eq_ignore_ascii_case(key)
        {
            found = Some(value.trim().trim_matches('"').to_owned());
        }
    }
    found.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::setting;

    #[test]
    fn the_name_is_found_in_a_git_configuration() {
        let config = "[core]\n\tname = no\n[user]\n\temail = a@b\n\tname = \"Ada L\"\n[alias]\n\tname = no\n";
        assert_eq!(setting(config, "user", "name").as_deref(), Some("Ada L"));
        assert_eq!(setting("[user]\n\temail = a", "user", "name"), None);
    }
}
