//! The roles of a town: their layers, their settings, and the engines in charge.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::base::{RigName, RoleName};
use crate::policy::{self, Engine, Layer, LayerSource, Limits, Registry, Reload};
use crate::store::{StoreError, Write};
use crate::town::{Rig, Town};

/// Where the warnings of policies are kept for `gt status`.
pub const WARNINGS: (&str, &str) = ("town", "policy_warnings");

/// What is wrong with a policy, while another revision is in charge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Warning {
    /// The rig.
    pub rig: String,
    /// The role.
    pub role: String,
    /// `file:line:col`, as far as known.
    pub place: String,
    /// The whole message, several lines.
    pub text: String,
}

/// The engines of all rigs.
#[derive(Debug, Default)]
pub struct Roles {
    registry: Registry,
    names: BTreeMap<RigName, BTreeSet<String>>,
    unreadable: BTreeMap<(RigName, String), String>,
    judged: BTreeSet<Warning>,
}

impl Roles {
    /// No engine yet.
    pub fn new(limits: Limits) -> Self {
        Self { registry: Registry::new(limits), ..Self::default() }
    }

    /// Reads the layers of every role of `rigs` again and swaps in what changed and loads. Gives the roles
    /// that changed, as `rig/role revision`.
    pub fn reload(&mut self, town: &Town, rigs: &[Rig]) -> Vec<String> {
        let mut swapped = Vec::new();
        let gone: Vec<RigName> = self.names.keys().filter(|n| !rigs.iter().any(|r| r.name == **n)).cloned().collect();
        for rig in gone {
            for role in self.names.remove(&rig).unwrap_or_default() {
                self.registry.remove(&key(&rig, &role));
            }
        }
        for rig in rigs {
            let wanted = roles_of(town, rig);
            for role in self.names.get(&rig.name).cloned().unwrap_or_default().difference(&wanted) {
                self.registry.remove(&key(&rig.name, role));
            }
            for role in &wanted {
                self.unreadable.remove(&(rig.name.clone(), role.clone()));
                match layers(town, rig, role) {
                    Ok(layers) => {
                        let key = key(&rig.name, role);
                        match self.registry.reload(&key, role, &layers, &rig.config.role(role)) {
                            Reload::Swapped(revision) => {
                                self.judged.retain(|w| w.rig != rig.name.as_str() || w.role != *role);
                                swapped.push(format!("{key} {revision}"));
                            }
                            Reload::Kept(kept) => tracing::warn!(rig = %rig.name, %kept, "a policy does not load"),
                            Reload::Unchanged => {}
                        }
                    }
                    Err(error) => {
                        self.unreadable.insert((rig.name.clone(), role.clone()), error.to_string());
                    }
                }
            }
            self.names.insert(rig.name.clone(), wanted);
        }
        swapped
    }

    /// The roles of a rig that have an engine, by name.
    pub fn of(&self, rig: &RigName) -> Vec<String> {
        self.names.get(rig).into_iter().flatten().cloned().collect()
    }

    /// The engine in charge of a role.
    pub fn engine(&mut self, rig: &RigName, role: &str) -> Option<&mut Engine> {
        self.registry.engine(&key(rig, role))
    }

    /// Notes what went wrong while a policy was judged. True when it is news.
    pub fn judged_badly(&mut self, rig: &RigName, role: &str, errors: &[policy::Diagnostic]) -> bool {
        let before = self.judged.len();
        for error in errors {
            self.judged.insert(Warning {
                rig: rig.to_string(),
                role: role.into(),
                place: error.place(),
                text: error.to_string(),
            });
        }
        self.judged.len() != before
    }

    /// Everything that is wrong now.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut all: Vec<Warning> = self.judged.iter().cloned().collect();
        for (key, kept) in self.registry.kept() {
            let rig = key.split('/').next().unwrap_or_default().to_owned();
            let place = kept.errors.first().map(policy::Diagnostic::place).unwrap_or_default();
            all.push(Warning { rig, role: kept.role.clone(), place, text: kept.to_string() });
        }
        for ((rig, role), text) in &self.unreadable {
            all.push(Warning { rig: rig.to_string(), role: role.clone(), place: String::new(), text: text.clone() });
        }
        all.sort();
        all
    }

    /// Writes the warnings down where `gt status` reads them, if they differ from what stands there.
    pub fn save_warnings(&self, w: &mut Write<'_>) -> Result<(), StoreError> {
        let value = serde_json::to_value(self.warnings()).expect("plain data serialises");
        let (ns, name) = WARNINGS;
        if w.local(ns, name)?.as_ref() != Some(&value) {
            w.put_local(ns, name, &value)?;
        }
        Ok(())
    }
}

fn key(rig: &RigName, role: &str) -> String {
    format!("{rig}/{role}")
}

/// The shipped roles that are switched on, and those that the town or the rig has files for.
fn roles_of(town: &Town, rig: &Rig) -> BTreeSet<String> {
    let mut roles: BTreeSet<String> = policy::builtin_roles().map(str::to_owned).collect();
    for folder in [town.lua_dir(), rig.lua_dir()] {
        let entries = std::fs::read_dir(folder.join("roles")).into_iter().flatten().flatten();
        for path in entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "lua")) {
            let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
            if !stem.ends_with("_test") && RoleName::new(stem).is_ok() {
                roles.insert(stem.to_owned());
            }
        }
    }
    if !rig.config.witness {
        roles.remove("witness");
    }
    if !rig.config.refinery {
        roles.remove("refinery");
    }
    roles
}

fn layers(town: &Town, rig: &Rig, role: &str) -> std::io::Result<Vec<LayerSource>> {
    let mut layers: Vec<LayerSource> = policy::builtin(role).into_iter().collect();
    layers.extend(LayerSource::read(Layer::Town, &town.lua_dir(), role)?);
    layers.extend(LayerSource::read(Layer::Rig, &rig.lua_dir(), role)?);
    Ok(layers)
}
