//! The roles of a town: their layers, their settings, and the engines in charge.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::base::{RigName, RoleName};
use crate::policy::{self, Engine, Layer, LayerSource, Limits, Registry, Reload};
use crate::store::{Read, StoreError, Write};
use crate::town::{Rig, Town};

/// Where the warnings of policies are kept for `gt status`.
pub const WARNINGS: (&str, &str) = ("town", "policy_warnings");

/// In place of a role's name: which roles there are cannot be read.
const ALL: &str = "every role";

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
            let known = self.names.get(&rig.name);
            self.unreadable.remove(&(rig.name.clone(), ALL.to_owned()));
            let wanted = match roles_of(town, rig) {
                Ok(wanted) => wanted,
                // Nobody knows which roles there are: those that were there stay.
                Err(error) => {
                    let wanted = known.cloned().unwrap_or_else(|| shipped(rig));
                    self.unreadable.insert((rig.name.clone(), ALL.to_owned()), error.to_string());
                    wanted
                }
            };
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
                        tracing::warn!(rig = %rig.name, role, %error, "a policy cannot be read");
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
            let text = format!("warning: {role} of {rig} stays as it is: {text}");
            all.push(Warning { rig: rig.to_string(), role: role.clone(), place: String::new(), text });
        }
        all.sort();
        all
    }

    /// Whether something else is wrong now than what stands where `gt status` reads it.
    pub fn warnings_differ(&self, r: &Read<'_>) -> Result<bool, StoreError> {
        let (ns, name) = WARNINGS;
        Ok(r.local(ns, name)?.unwrap_or_else(|| json!([])) != json!(self.warnings()))
    }

    /// Writes the warnings down where `gt status` reads them, if they differ from what stands there.
    pub fn save_warnings(&self, w: &mut Write<'_>) -> Result<(), StoreError> {
        let (ns, name) = WARNINGS;
        if self.warnings_differ(w)? {
            w.put_local(ns, name, &json!(self.warnings()))?;
        }
        Ok(())
    }
}

fn key(rig: &RigName, role: &str) -> String {
    format!("{rig}/{role}")
}

/// The shipped roles that are switched on.
fn shipped(rig: &Rig) -> BTreeSet<String> {
    let mut roles: BTreeSet<String> = policy::builtin_roles().map(str::to_owned).collect();
    leave_out(rig, &mut roles);
    roles
}

fn leave_out(rig: &Rig, roles: &mut BTreeSet<String>) {
    if !rig.config.witness {
        roles.remove("witness");
    }
    if !rig.config.refinery {
        roles.remove("refinery");
    }
}

/// The shipped roles that are switched on, and those that the town or the rig has files for.
fn roles_of(town: &Town, rig: &Rig) -> std::io::Result<BTreeSet<String>> {
    let mut roles = shipped(rig);
    for folder in [town.lua_dir(), rig.lua_dir()] {
        let folder = folder.join("roles");
        let named =
            |e: &std::io::Error| std::io::Error::new(e.kind(), format!("{} cannot be read: {e}", folder.display()));
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries.collect::<Result<Vec<_>, _>>().map_err(|e| named(&e))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(named(&e)),
        };
        for path in entries.iter().map(std::fs::DirEntry::path).filter(|p| p.extension().is_some_and(|e| e == "lua")) {
            let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
            if !stem.ends_with("_test") && RoleName::new(stem).is_ok() {
                roles.insert(stem.to_owned());
            }
        }
    }
    leave_out(rig, &mut roles);
    Ok(roles)
}

fn layers(town: &Town, rig: &Rig, role: &str) -> std::io::Result<Vec<LayerSource>> {
    let mut layers: Vec<LayerSource> = policy::builtin(role).into_iter().collect();
    layers.extend(LayerSource::read(Layer::Town, &town.lua_dir(), role)?);
    layers.extend(LayerSource::read(Layer::Rig, &rig.lua_dir(), role)?);
    Ok(layers)
}
