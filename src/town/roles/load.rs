//! The roles of a town: their layers, their settings, and the engines in charge.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Scope;
use super::good::{self, Good};
use super::trial::{Place, Test, Trials, tests};
use crate::base::{RigName, RoleName};
use crate::formula::Functions;
use crate::policy::{
    self, DeclaredPatrol, Engine, Layer, LayerSource, Limits, LuaAspects, Plan, Plans, Proof, Registry, Reload, plans,
};
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
    /// The revision that the files have is not in charge; else it is, and went wrong.
    #[serde(default)]
    pub refused: bool,
}

/// The engines of all rigs.
#[derive(Debug, Default)]
pub struct Roles {
    registry: Registry,
    good: Good,
    trials: Trials,
    names: BTreeMap<RigName, BTreeSet<String>>,
    unreadable: BTreeMap<(RigName, String), String>,
    judged: BTreeSet<Warning>,
    /// The roles that act for the whole town.
    town_wide: BTreeSet<String>,
    /// The patrols of each rig; of the town under an empty name.
    patrols: BTreeMap<String, Vec<Arc<Plan>>>,
    /// What is wrong with patrols that cannot be run.
    unfit: Vec<Warning>,
}

impl Roles {
    /// No engine yet.
    pub fn new(limits: Limits) -> Self {
        Self { registry: Registry::new(limits), ..Self::default() }
    }

    /// Reads the last good revisions, which stand in for what does not load when nothing is in charge yet.
    pub fn recall(&mut self, r: &Read<'_>) -> Result<(), StoreError> {
        self.good = Good::read(r)?;
        Ok(())
    }

    /// Whether a revision is good now that is not kept yet.
    pub fn good_differ(&self) -> bool {
        self.good.differs(self.registry.sound())
    }

    /// Keeps what is good now.
    pub fn save_good(&mut self, w: &mut Write<'_>) -> Result<(), StoreError> {
        self.good.save(w, self.registry.sound())
    }

    /// Whether a policy waits for its tests: another reload is due.
    pub fn waiting(&self) -> bool {
        self.trials.waiting()
    }

    /// Loads a role anew. What does not load, or whose tests fail, leaves the last good revision in charge, also one of
    /// an earlier daemon; that one was tested when it was new.
    fn load(
        &mut self,
        key: &str,
        role: &str,
        (layers, settings): (&[LayerSource], &toml::Table),
        tests: &[Test<'_>],
    ) -> Reload {
        let is_good = |good: good::Sources| good.layers == layers && good.settings == *settings;
        let new = !tests.is_empty() && !self.good.of(key, role).is_some_and(is_good);
        let mut proof = new.then(|| self.trials.proof(tests));
        let proof = proof.as_mut().map(|proof| proof as &mut dyn Proof);
        let reload = self.registry.reload(key, role, (layers, settings), proof);
        if matches!(reload, Reload::Kept(_)) {
            let lower = &layers[..layers.len().saturating_sub(1)];
            self.stand_in(key, role, good::below(role, lower, settings));
        }
        reload
    }

    /// Loads a role anew from its files.
    fn load_from(
        &mut self,
        key: &str,
        role: &str,
        places: &[Place<'_>],
        settings: &toml::Table,
    ) -> std::io::Result<Reload> {
        let layers = layers_of(places.iter().map(|place| (place.layer, &*place.folder)), role)?;
        let tests = tests(role, &layers, places)?;
        Ok(self.load(key, role, (&layers, settings), &tests))
    }

    /// Puts the last good revision in charge of a role that has none, or else the first of `below` that loads.
    fn stand_in(&mut self, key: &str, role: &str, below: Vec<good::Sources>) {
        let last = self.good.of(key, role).map(|sources| (sources, false));
        for (sources, below) in last.into_iter().chain(below.into_iter().map(|sources| (sources, true))) {
            if self.registry.stand_in(key, role, (&sources.layers, &sources.settings), below) {
                return;
            }
        }
    }

    /// Reads the layers of every role of `rigs` again and swaps in what changed and loads. Gives the roles
    /// that changed, as `rig/role revision`.
    pub fn reload(&mut self, town: &Town, rigs: &[Rig]) -> Vec<String> {
        let mut swapped = Vec::new();
        self.trials.begin();
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
                let settings = rig.config.role(role);
                let places = [town_place(town, role), rig_place(rig, role)];
                let key = key(&rig.name, role);
                match self.load_from(&key, role, &places, &settings) {
                    Ok(reload) => match reload {
                        Reload::Swapped(revision) => {
                            self.judged.retain(|w| w.rig != rig.name.as_str() || w.role != *role);
                            swapped.push(format!("{key} {revision}"));
                        }
                        Reload::Kept(kept) => tracing::warn!(rig = %rig.name, %kept, "a policy does not load"),
                        Reload::Unchanged => {}
                    },
                    Err(error) => {
                        tracing::warn!(rig = %rig.name, role, %error, "a policy cannot be read");
                        self.unreadable.insert((rig.name.clone(), role.clone()), error.to_string());
                        let shipped: Vec<LayerSource> = policy::builtin(role).into_iter().collect();
                        let below = good::below(role, &shipped, &settings);
                        self.stand_in(&key, role, below);
                    }
                }
            }
            self.names.insert(rig.name.clone(), wanted);
        }
        self.reload_town(town, rigs, &mut swapped);
        self.plan(town, rigs);
        swapped
    }

    /// Loads the roles that act for the whole town, without the layers of rigs.
    fn reload_town(&mut self, town: &Town, rigs: &[Rig], swapped: &mut Vec<String>) {
        let wide = |name: &String| {
            rigs.iter().any(|rig| self.registry.get(&key(&rig.name, name)).is_some_and(Engine::is_town_wide))
        };
        let wanted: BTreeSet<String> =
            self.names.values().flatten().cloned().collect::<BTreeSet<_>>().into_iter().filter(wide).collect();
        for role in self.town_wide.difference(&wanted) {
            self.registry.remove(&town_key(role));
        }
        // A town file that cannot be read is said elsewhere; what was loaded stays.
        if let Ok(config) = town.config() {
            for role in &wanted {
                let reload = self.load_from(&town_key(role), role, &[town_place(town, role)], &config.role(role));
                if let Ok(Reload::Swapped(revision)) = reload {
                    swapped.push(format!("{role} {revision}"));
                }
            }
        }
        self.town_wide = wanted;
    }

    /// Finds the patrols of all rigs and of the town.
    fn plan(&mut self, town: &Town, rigs: &[Rig]) {
        let mut patrols = BTreeMap::new();
        let mut unfit = Vec::new();
        let mut add = |rig: &str, found: Plans| {
            let found = found.over(self.patrols.get(rig).map_or(&[], Vec::as_slice));
            patrols.insert(rig.to_owned(), found.plans);
            unfit.extend(found.wrong.into_iter().map(|wrong| Warning {
                rig: rig.to_owned(),
                role: wrong.role,
                place: wrong.error.place(),
                text: wrong.error.to_string(),
                refused: false,
            }));
        };
        for rig in rigs {
            let names = self.names.get(&rig.name).into_iter().flatten();
            let engines = names.filter_map(|name| {
                let engine = self.registry.get(&key(&rig.name, name)).filter(|e| !e.is_town_wide())?;
                Some((name.clone(), engine))
            });
            add(rig.name.as_str(), plans(&rig.library(), &engines.collect(), &LuaAspects::default()));
        }
        let engines =
            self.town_wide.iter().filter_map(|name| Some((name.clone(), self.registry.get(&town_key(name))?)));
        add("", plans(&town.library(), &engines.collect(), &LuaAspects::default()));
        unfit.sort();
        unfit.dedup_by(|a, b| a.text == b.text);
        self.patrols = patrols;
        self.unfit = unfit;
    }

    /// The patrols of a rig, or of the town.
    pub fn patrols(&self, scope: Scope<'_>) -> Vec<Arc<Plan>> {
        self.patrols.get(scope.name()).cloned().unwrap_or_default()
    }

    /// All patrols with their rig; an empty one is the town.
    pub fn all_patrols(&self) -> impl Iterator<Item = (&str, &Plan)> {
        self.patrols.iter().flat_map(|(rig, plans)| plans.iter().map(move |plan| (rig.as_str(), &**plan)))
    }

    /// The engine in charge of a role, for a rig or for the town.
    pub fn engine_for(&mut self, scope: Scope<'_>, role: &str) -> Option<&mut Engine> {
        match scope.rig() {
            Some(rig) => self.registry.engine(&key(&rig.name, role)),
            None => self.registry.engine(&town_key(role)),
        }
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
    pub fn judged_badly(&mut self, scope: Scope<'_>, role: &str, errors: &[policy::Diagnostic]) -> bool {
        let before = self.judged.len();
        for error in errors {
            self.judged.insert(Warning {
                rig: scope.name().to_owned(),
                role: role.into(),
                place: error.place(),
                text: error.warning(role),
                refused: false,
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
            all.push(Warning { rig, role: kept.role.clone(), place, text: kept.to_string(), refused: true });
        }
        for ((rig, role), text) in &self.unreadable {
            let text = format!("warning: {role} of {rig} stays as it is: {text}");
            all.push(Warning { rig: rig.to_string(), role: role.clone(), place: String::new(), text, refused: true });
        }
        all.extend(self.unfit.iter().cloned());
        all.sort();
        all
    }

    /// Whether something else is wrong now than what stands where `gt status` reads it.
    pub fn warnings_differ(&self, r: &Read<'_>) -> Result<bool, StoreError> {
        let (ns, name) = WARNINGS;
        Ok(r.local_or_none::<Value>(ns, name)?.unwrap_or_else(|| json!([])) != json!(self.warnings()))
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

/// No rig has an empty name.
fn town_key(role: &str) -> String {
    format!("/{role}")
}

/// The roles that have a file in this `lua` folder.
fn with_files(lua: &Path) -> std::io::Result<BTreeSet<String>> {
    let folder = lua.join("roles");
    let named = |e: &std::io::Error| std::io::Error::new(e.kind(), format!("{} cannot be read: {e}", folder.display()));
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries.collect::<Result<Vec<_>, _>>().map_err(|e| named(&e))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(named(&e)),
    };
    let files = entries.iter().map(std::fs::DirEntry::path).filter(|p| p.extension().is_some_and(|e| e == "lua"));
    let stems = files.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    Ok(stems.filter(|stem| !stem.ends_with("_test") && RoleName::new(stem.as_str()).is_ok()).collect())
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
        roles.extend(with_files(&folder)?);
    }
    leave_out(rig, &mut roles);
    Ok(roles)
}

/// The patrols that files of the town, and of a rig whose `lua` folder is given, declare in Lua: for those who look at
/// formulas. A file that does not load has none here; `gt policy check` says why.
pub fn lua_patrols(town: &Town, rig_lua: Option<&Path>) -> Vec<DeclaredPatrol> {
    let mut folders = vec![(Layer::Town, town.lua_dir())];
    folders.extend(rig_lua.map(|dir| (Layer::Rig, dir.to_owned())));
    let mut found = Vec::new();
    let roles: BTreeSet<String> = folders.iter().flat_map(|(_, dir)| with_files(dir).unwrap_or_default()).collect();
    for role in roles {
        let Ok(layers) = layers_of(folders.iter().map(|(layer, folder)| (*layer, &**folder)), &role) else { continue };
        // Loading a role takes a VM, which most files are not worth here.
        if !layers.iter().any(|l| l.text.contains(".patrol")) {
            continue;
        }
        let settings = town.config().map(|c| c.role(&role)).unwrap_or_default();
        if let Ok(engine) = Engine::load(&role, &layers, &settings) {
            found.extend(engine.declared_patrols().iter().cloned());
        }
    }
    found
}

/// The functions of a role, of the town and of a rig whose `lua` folder is given: for those who look at formulas. Where
/// its files cannot be read or do not load, nothing is known; `gt policy check` says why.
pub fn functions(town: &Town, rig_lua: Option<&Path>, role: &str) -> Functions {
    let mut folders = vec![(Layer::Town, town.lua_dir())];
    folders.extend(rig_lua.map(|dir| (Layer::Rig, dir.to_owned())));
    let mut roles: BTreeSet<String> = policy::builtin_roles().map(str::to_owned).collect();
    roles.extend(folders.iter().flat_map(|(_, dir)| with_files(dir).unwrap_or_default()));
    if !roles.contains(role) {
        return Functions::NoRole(roles.into_iter().collect());
    }
    let Ok(layers) = layers_of(folders.iter().map(|(layer, folder)| (*layer, &**folder)), role) else {
        return Functions::Unknown;
    };
    let settings = town.config().map(|config| config.role(role)).unwrap_or_default();
    Engine::load(role, &layers, &settings).map_or(Functions::Unknown, |engine| Functions::Of(engine.runs()))
}

/// Where a layer of the whole town stands. A town file that cannot be read is said elsewhere.
fn town_place<'a>(town: &'a Town, role: &'a str) -> Place<'a> {
    Place {
        layer: Layer::Town,
        folder: town.lua_dir(),
        settings: Box::new(|| town.config().map(|config| config.role(role)).unwrap_or_default()),
        library: Box::new(|| town.library()),
    }
}

fn rig_place<'a>(rig: &'a Rig, role: &'a str) -> Place<'a> {
    Place {
        layer: Layer::Rig,
        folder: rig.lua_dir(),
        settings: Box::new(|| rig.config.role(role)),
        library: Box::new(|| rig.library()),
    }
}

fn layers_of<'a>(
    folders: impl IntoIterator<Item = (Layer, &'a Path)>,
    role: &str,
) -> std::io::Result<Vec<LayerSource>> {
    let mut layers: Vec<LayerSource> = policy::builtin(role).into_iter().collect();
    for (layer, folder) in folders {
        layers.extend(LayerSource::read(layer, folder, role)?);
    }
    Ok(layers)
}
