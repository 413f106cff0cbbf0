//! Configuration and policies, read again when they change; what is broken leaves the last good in charge.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::dispatch::Dispatcher;
use super::run::DaemonError;
use crate::base::RigName;
use crate::config::Overrides;
use crate::policy::Plan;
use crate::queue::wait;
use crate::store::StoreError;
use crate::town::roles::patrols;
use crate::town::trouble::Troubles;

/// What tells one state of the watched files from another: each file with its size, time and number.
pub(super) type Fingerprint = Vec<(PathBuf, u64, Option<SystemTime>, u64)>;

/// The texts of the town's configuration and of its rigs', as they were before they were understood.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Texts {
    town: Option<Vec<u8>>,
    rigs: BTreeMap<RigName, Option<Vec<u8>>>,
}

impl Dispatcher {
    /// Reads configuration and policies again; what is broken leaves the last good in charge.
    ///
    /// The watch is set and the fingerprint is taken before anything is read, so that what is written meanwhile is
    /// seen as a change. The places of a rig that is new are watched after it was read, and are not in the
    /// fingerprint: that is a difference, so the next look reads everything once more.
    pub(super) fn reload(&mut self) -> Result<(), DaemonError> {
        self.watch_files();
        self.files_seen = self.fingerprint();
        let config = self.read_rigs()?;
        self.watch_files();
        if !self.recalled {
            self.store.read(|r| self.roles.recall(r))?;
            self.recalled = true;
        }
        let swapped = self.roles.reload(&self.world.town, &self.rigs);
        for policy in &swapped {
            tracing::info!(policy, "a policy is in charge");
        }
        let changed = config != self.config || !swapped.is_empty();
        let mut queues = Vec::new();
        for rig in self.rigs.iter().filter(|_| changed) {
            let refinery = self.roles.engine(&rig.name, "refinery").map(|e| e.revision().to_owned());
            queues.push((rig.name.clone(), goes_by(&config, &rig.name, refinery.as_deref())));
        }
        let (roles, by) = (&mut self.roles, Self::stamp(&self.world));
        let plans: Vec<(&str, &Plan)> = roles.all_patrols().collect();
        if self.store.read(|r| patrols::differ(r, &plans))? {
            self.store.write(&by, |w| patrols::enroll(w, &plans))?;
        }
        if changed || roles.good_differ() || self.store.read(|r| roles.warnings_differ(r))? {
            let others = self.store.write(&by, |w| {
                roles.save_good(w)?;
                roles.save_warnings(w)?;
                let mut others = Vec::new();
                for (rig, digest) in &queues {
                    // What made the queue wait may just have been mended.
                    if wait::configured(w, rig, digest)? {
                        others.push(rig);
                    }
                }
                Ok::<_, StoreError>(others)
            })?;
            for rig in others {
                self.merges.overtaken(rig);
            }
        }
        self.config = config;
        Ok(())
    }

    /// Opens every rig; one whose configuration is broken stays as it was. Returns the configuration of the town and
    /// of its rigs as it was before they were opened.
    fn read_rigs(&mut self) -> Result<Texts, DaemonError> {
        let (mut rigs, mut broken) = (Vec::new(), Troubles::new());
        let town = &self.world.town;
        let mut config = Texts { town: std::fs::read(town.config_path()).ok(), ..Texts::default() };
        for name in town.rig_names()? {
            config.rigs.insert(name.clone(), std::fs::read(town.rig_config_path(&name)).ok());
            match self.world.town.rig(&name, &Overrides::default()) {
                Ok(rig) => rigs.push(rig),
                Err(error) => {
                    tracing::warn!(rig = %name, %error, "the configuration cannot be read; the last good one stays");
                    broken.insert(format!("rig {name}"), error.to_string());
                    rigs.extend(self.rigs.iter().find(|r| r.name == name).cloned());
                }
            }
        }
        self.prefixes = rigs.iter().map(|r| (r.prefix().to_string(), r.name.clone())).collect();
        self.rigs = rigs;
        self.broken = broken;
        Ok(config)
    }

    /// The folders that say what is to happen, each with or without what is below it.
    fn places(&self) -> Vec<(PathBuf, bool)> {
        let town = &self.world.town;
        let mut places: Vec<(PathBuf, bool)> =
            vec![(town.root().to_owned(), false), (town.lua_dir(), true), (town.formulas_dir(), true)];
        for rig in &self.rigs {
            places.push((rig.dir(), false));
            places.push((rig.lua_dir(), true));
            places.push((rig.formulas_dir(), true));
        }
        places
    }

    fn watch_files(&mut self) {
        let watched = self.files.set(&self.places());
        tracing::debug!(watched, "watching policies and configuration");
    }

    /// Whether a file is another one than when it was last read, although nobody said so: the system may have no
    /// watch to give, and what a link leads to is watched by nobody.
    pub(super) fn files_changed(&self) -> bool {
        self.fingerprint() != self.files_seen
    }

    fn fingerprint(&self) -> Fingerprint {
        let mut all = Fingerprint::new();
        for (place, below) in self.places() {
            note(&place, below, &mut all);
        }
        all
    }
}

/// A digest of what a rig's queue goes by: its configuration, the town's, and the Refinery. It is of the texts that were
/// there before the rig was opened: one that is half written then gives another digest than the whole one after it.
fn goes_by(config: &Texts, rig: &RigName, refinery: Option<&str>) -> String {
    let mut hash = Sha256::new();
    for text in [config.town.as_ref(), config.rigs.get(rig).and_then(Option::as_ref)] {
        hash.update(text.map_or(&[][..], Vec::as_slice));
        hash.update([0]);
    }
    hash.update(refinery.unwrap_or_default());
    data_encoding::HEXLOWER.encode(&hash.finalize()[..16])
}

/// Adds the files of a folder that mean something, in order of name.
fn note(folder: &Path, below: bool, all: &mut Fingerprint) {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        let Ok(meta) = std::fs::metadata(&path) else { continue };
        if meta.is_dir() {
            if below {
                note(&path, below, all);
            }
        } else if path.extension().is_some_and(|e| e == "lua" || e == "toml") {
            let of = (meta.len(), meta.modified().ok(), meta.ino());
            all.push((path, of.0, of.1, of.2));
        }
    }
}
