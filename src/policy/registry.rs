//! The engines of a town, swapped whole. A revision that does not load, or of which its proof has an objection, leaves
//! the last good one in charge.

use std::collections::BTreeMap;

use super::diagnostic::Diagnostic;
use super::engine::{Engine, Limits};
use super::layer::{LayerSource, revision};

/// The loaded roles, by a key of the caller's choice (`rig/role`).
#[derive(Debug, Default)]
pub struct Registry {
    roles: BTreeMap<String, Entry>,
    limits: Limits,
}

#[derive(Debug)]
struct Entry {
    engine: Option<Engine>,
    kept: Option<Kept>,
}

/// What is asked of a revision that loads before it is put in charge.
pub trait Proof {
    /// Names what the judgement hangs on beside the revision: another name, another judgement.
    fn of(&self) -> String;

    /// Judges the revision.
    fn judge(&mut self) -> Result<(), Objection>;
}

/// Why a revision that loads is not put in charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// A test of it fails.
    Fails(Diagnostic),
    /// It could not be judged now, and is to be judged the next time.
    NotYet(Diagnostic),
}

/// A revision that did not load or is not proved, while another one stays in charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The role.
    pub role: String,
    /// The revision in charge; `None` when nothing ever loaded.
    pub revision: Option<String>,
    /// The one in charge is not the last good one, which is not known, but what lies below the broken layer.
    pub below: bool,
    /// What is refused loads; it is its proof that has an objection.
    pub loads: bool,
    /// The revision that is refused, and what its proof hung on; empty when it is to be judged again.
    pub refused: String,
    /// Why.
    pub errors: Vec<Diagnostic>,
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let role = &self.role;
        let why = match self.refused.as_str() {
            _ if !self.loads => "this file does not load",
            "" => "its tests have yet to run",
            _ => "its tests do not hold",
        };
        match &self.revision {
            Some(revision) if self.below => {
                write!(f, "warning: {role} goes by the layers below, revision {revision}: {why}")?;
            }
            Some(revision) => write!(f, "warning: {role} kept at revision {revision}: {why}")?,
            None if self.loads => write!(f, "warning: {role} decides nothing: {why}")?,
            None => write!(f, "warning: {role} has no revision that loads; it decides nothing")?,
        }
        self.errors.iter().try_for_each(|error| write!(f, "\n{error}"))
    }
}

/// What became of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// The same sources and settings.
    Unchanged,
    /// This revision is in charge now.
    Swapped(String),
    /// It does not load or is not proved; the last good one stays in charge.
    Kept(Kept),
}

impl Registry {
    /// An empty registry; each engine that it loads gets these limits.
    pub fn new(limits: Limits) -> Self {
        Self { roles: BTreeMap::new(), limits }
    }

    /// Loads a role anew if its sources or settings differ from what is loaded or was last refused, and puts it in charge
    /// when `proof`, if there is one, has no objection. What is in charge needs no other proof.
    pub fn reload(
        &mut self,
        key: &str,
        role: &str,
        (layers, settings): (&[LayerSource], &toml::Table),
        proof: Option<&mut dyn Proof>,
    ) -> Reload {
        let new = revision(layers, settings);
        if let Some(entry) = self.roles.get_mut(key) {
            let running = entry.engine.as_ref().map(Engine::revision);
            if running == Some(new.as_str()) {
                // A broken file was put back as it was.
                entry.kept = None;
                return Reload::Unchanged;
            }
        }
        let refused = proof.as_ref().map_or_else(|| new.clone(), |proof| format!("{new} {}", proof.of()));
        if self.roles.get(key).and_then(|entry| entry.kept.as_ref()).is_some_and(|kept| kept.refused == refused) {
            return Reload::Unchanged;
        }
        let entry = self.roles.entry(key.into()).or_insert(Entry { engine: None, kept: None });
        let (loads, refused, errors) = match Engine::load_with(role, layers, settings, self.limits) {
            Ok(engine) => match proof.map_or(Ok(()), Proof::judge) {
                Ok(()) => {
                    entry.engine = Some(engine);
                    entry.kept = None;
                    return Reload::Swapped(new);
                }
                Err(Objection::Fails(error)) => (true, refused, vec![error]),
                Err(Objection::NotYet(error)) => (true, String::new(), vec![error]),
            },
            Err(errors) => (false, refused, errors),
        };
        let revision = entry.engine.as_ref().map(|e| e.revision().to_owned());
        let below = entry.kept.take().is_some_and(|kept| kept.below);
        let kept = Kept { role: role.into(), revision, below, loads, refused, errors };
        entry.kept = Some(kept.clone());
        Reload::Kept(kept)
    }

    /// Puts these sources in charge of a role that nothing is in charge of, if they load; true when something is in
    /// charge now. `below`: they are not its last good revision, but the layers below the one that is broken.
    pub fn stand_in(
        &mut self,
        key: &str,
        role: &str,
        (layers, settings): (&[LayerSource], &toml::Table),
        below: bool,
    ) -> bool {
        let entry = self.roles.entry(key.into()).or_insert(Entry { engine: None, kept: None });
        if entry.engine.is_none() {
            entry.engine = Engine::load_with(role, layers, settings, self.limits).ok();
            if let (Some(engine), Some(kept)) = (&entry.engine, &mut entry.kept) {
                kept.revision = Some(engine.revision().to_owned());
                kept.below = below;
            }
        }
        entry.engine.is_some()
    }

    /// The engines in charge whose sources are what was last asked for.
    pub fn sound(&self) -> impl Iterator<Item = (&str, &Engine)> {
        let sound = self.roles.iter().filter(|(_, entry)| entry.kept.is_none());
        sound.filter_map(|(key, entry)| Some((key.as_str(), entry.engine.as_ref()?)))
    }

    /// The engine in charge.
    pub fn engine(&mut self, key: &str) -> Option<&mut Engine> {
        self.roles.get_mut(key)?.engine.as_mut()
    }

    /// The engine in charge, to look at.
    pub fn get(&self, key: &str) -> Option<&Engine> {
        self.roles.get(key)?.engine.as_ref()
    }

    /// The revisions that were refused and stand behind a last good one, for `gt status`.
    pub fn kept(&self) -> impl Iterator<Item = (&str, &Kept)> {
        self.roles.iter().filter_map(|(key, entry)| Some((key.as_str(), entry.kept.as_ref()?)))
    }

    /// Forgets a role, as when its rig is gone.
    pub fn remove(&mut self, key: &str) {
        self.roles.remove(key);
    }
}
