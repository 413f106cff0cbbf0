//! A rig: a project of the town, with its configuration and its bare clone.

use std::path::{Path, PathBuf};

use super::error::TownError;
use super::layout::Town;
use crate::base::{BeadId, Prefix, RigName, WorkerName, path, text};
use crate::config::{ConfigError, Overrides, RigConfig};
use crate::formula::{Layer, Library, Limits, Places};
use crate::git::{GitError, Oid, Repo};
use crate::store::Store;

/// One rig, its configuration read.
#[derive(Debug, Clone)]
pub struct Rig {
    /// Its name, which is that of its folder.
    pub name: RigName,
    /// What holds for it.
    pub config: RigConfig,
    town: Town,
}

/// The rigs of a town: those that can be opened, and those whose configuration is broken.
#[derive(Debug, Default)]
pub struct Rigs {
    /// By name.
    pub rigs: Vec<Rig>,
    /// By name.
    pub broken: Vec<BrokenRig>,
}

/// A rig whose `rig.toml` cannot be used.
#[derive(Debug)]
pub struct BrokenRig {
    /// Its name.
    pub name: RigName,
    /// What is wrong, and where.
    pub error: ConfigError,
}

impl BrokenRig {
    /// What is wrong, where, and what to do.
    pub fn text(&self) -> String {
        let hint = self.error.hint.as_ref().map(|hint| format!("\n  {hint}")).unwrap_or_default();
        format!("rig {}: {}{hint}\n  mend it; nothing new is begun in {} until then", self.name, self.error, self.name)
    }
}

impl Rig {
    /// Its folder.
    pub fn dir(&self) -> PathBuf {
        self.town.rig_dir(&self.name)
    }

    /// `rig.toml`.
    pub fn config_path(&self) -> PathBuf {
        self.town.rig_config_path(&self.name)
    }

    /// What its bead ids start with.
    pub fn prefix(&self) -> &Prefix {
        &self.config.prefix
    }

    /// Opens its bare clone.
    pub fn repo(&self) -> Result<Repo, TownError> {
        Ok(Repo::open(&self.town.repo_dir(&self.name))?)
    }

    /// Opens its bare clone for a fetch or a push, which go to the address that `rig.toml` names now.
    pub fn repo_at_remote(&self) -> Result<Repo, GitError> {
        let repo = Repo::open(&self.town.repo_dir(&self.name))?;
        repo.set_remote_url("origin", &self.remote())?;
        Ok(repo)
    }

    /// `url` as git is to have it: a path that is not absolute begins at the folder of `rig.toml`; `~` is git's to know.
    fn remote(&self) -> String {
        let url = &self.config.url;
        // As git tells a host from a path.
        let host = url.split('/').next().is_some_and(|first| first.contains(':'));
        if host || url.starts_with(['/', '~']) {
            return url.clone();
        }
        path::plain(&self.dir().join(url)).display().to_string()
    }

    /// The worktree of a worker.
    pub fn worktree(&self, worker: &WorkerName) -> PathBuf {
        self.town.worktree(&self.name, worker)
    }

    /// The folder in which scratch worktrees of gates are made.
    pub fn refinery_dir(&self) -> PathBuf {
        self.dir().join("refinery")
    }

    /// Policies of this rig.
    pub fn lua_dir(&self) -> PathBuf {
        self.dir().join("lua")
    }

    /// Formulas of this rig.
    pub fn formulas_dir(&self) -> PathBuf {
        self.dir().join("formulas")
    }

    /// The remote's target branch as last fetched or pushed: `refs/remotes/origin/<target>`.
    pub fn target_ref(&self) -> String {
        format!("refs/remotes/origin/{}", self.config.target)
    }

    /// The commit that the target branch is at, as last fetched or pushed.
    pub fn target_tip(&self, repo: &Repo) -> Result<Oid, TownError> {
        repo.oid_of(&self.target_ref())?.ok_or_else(|| {
            TownError::refused(format!("the remote of rig {} has no branch `{}`", self.name, self.config.target))
                .hint(format!("push a first commit to it, or set `target` in {}", self.config_path().display()))
        })
    }

    /// Where formulas that belong to this rig are found: the rig, the town, the built-in ones. Patrols are looked for here:
    /// what the daemon does by itself is not for a repository to say.
    pub fn library(&self) -> Library {
        let places = Places { rig: Some(self.dir()), town: Some(self.town.root().to_owned()), ..Places::default() };
        Library::new(places.folders()).with_limits(self.town.formula_limits())
    }

    /// Where formulas for work in this rig are found by whoever is in this work tree and has this home. What the rig's
    /// repository keeps is found in any case, as it is on the target branch.
    pub fn library_around(&self, work_tree: Option<&Path>, home: Option<&Path>) -> Library {
        let places = Places {
            work_tree: work_tree.map(Path::to_owned),
            tracker: None,
            rig: Some(self.dir()),
            town: Some(self.town.root().to_owned()),
            home: home.map(Path::to_owned),
        };
        let mut library = Library::new(places.folders()).with_limits(self.town.formula_limits());
        let kept = self.kept_formulas(library.limits().file_bytes);
        library.add_repository(kept);
        library
    }

    /// The formulas on the target branch: file name, what it is called in messages, text.
    pub fn kept_formulas(&self, most: u64) -> Vec<(String, String, String)> {
        const FOLDER: &str = ".beads/formulas";
        // Work in a rig whose repository cannot be read is refused where it begins.
        let files = self.repo().and_then(|repo| {
            let tip = self.target_tip(&repo)?;
            Ok(repo.files_in(tip, FOLDER, most)?)
        });
        let shown = |file: &str| format!("{}:{}:{FOLDER}/{file}", self.name, self.config.target);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        files.unwrap_or_default().into_iter().map(|(file, bytes)| (file.clone(), shown(&file), text(bytes))).collect()
    }
}

impl Town {
    /// Where formulas for the whole town are found: the town, the built-in ones.
    pub fn library(&self) -> Library {
        Library::new([(Layer::Town, self.formulas_dir())]).with_limits(self.formula_limits())
    }

    /// How large a formula may become, as the settings have it; a store that cannot be read tells so elsewhere.
    fn formula_limits(&self) -> Limits {
        let settings = Store::open(&self.beads_dir()).and_then(|store| store.read(|r| r.settings()));
        Limits::of(settings.unwrap_or_default().iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }

    /// The file that configures the rig called `name`, which makes it one.
    pub fn need_rig(&self, name: &RigName) -> Result<PathBuf, TownError> {
        let path = self.rig_config_path(name);
        if path.is_file() {
            return Ok(path);
        }
        let names = self.rig_names()?;
        let error = TownError::not_found(format!("no rig `{name}` in this town"));
        Err(match text::similar(name.as_str(), names.iter().map(RigName::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None if names.is_empty() => error.hint(format!("add it: gt rig add {name} URL-OR-PATH")),
            None => error.hint("see which there are: gt rig list"),
        })
    }

    /// Opens the rig called `name`.
    pub fn rig(&self, name: &RigName, overrides: &Overrides) -> Result<Rig, TownError> {
        let path = self.need_rig(name)?;
        let config = RigConfig::load(&self.config()?, &path, overrides)?;
        Ok(Rig { name: name.clone(), config, town: self.clone() })
    }

    /// Opens all rigs, by name. One that cannot be opened fails them all: for what must know every rig.
    pub fn rigs(&self) -> Result<Vec<Rig>, TownError> {
        let Rigs { rigs, broken } = self.rigs_apart()?;
        match broken.into_iter().next() {
            Some(BrokenRig { error, .. }) => Err(error.into()),
            None => Ok(rigs),
        }
    }

    /// Opens the rigs one by one: one whose configuration is broken takes none of the others away.
    pub fn rigs_apart(&self) -> Result<Rigs, TownError> {
        let town = self.config()?;
        let mut all = Rigs::default();
        for name in self.rig_names()? {
            match RigConfig::load(&town, &self.rig_config_path(&name), &Overrides::default()) {
                Ok(config) => all.rigs.push(Rig { name, config, town: self.clone() }),
                Err(error) => all.broken.push(BrokenRig { name, error }),
            }
        }
        Ok(all)
    }

    /// The rig that a bead belongs to, by the prefix of its id; none for beads of the town.
    pub fn rig_of(&self, bead: &BeadId) -> Result<Option<Rig>, TownError> {
        let Rigs { rigs, broken } = self.rigs_apart()?;
        match (rigs.into_iter().find(|rig| rig.prefix().as_str() == bead.prefix()), broken.into_iter().next()) {
            (Some(rig), _) => Ok(Some(rig)),
            // It may be that one's.
            (None, Some(BrokenRig { error, .. })) => Err(error.into()),
            (None, None) => Ok(None),
        }
    }
}
