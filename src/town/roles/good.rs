//! The last good revision of each role, kept in the store: a daemon that starts while a file is broken goes on by it.
//!
//! Kept are the layers that people wrote and the settings. The shipped layer is the program's own and is put below
//! them when they are loaded, so that a newer program brings its newer one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::policy::{self, Engine, Layer, LayerSource};
use crate::store::{Read, StoreError, Write};

/// The local namespace of the last good revisions, by `rig/role`.
const GOOD: &str = "policy_good";

/// What a role was made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sources {
    /// The layers, lowest first.
    pub layers: Vec<LayerSource>,
    /// Its settings.
    pub settings: toml::Table,
}

impl Sources {
    fn of(engine: &Engine) -> Self {
        let (layers, settings) = engine.sources();
        let written = layers.iter().filter(|l| l.layer != Layer::Builtin).cloned().collect();
        Self { layers: written, settings: settings.clone() }
    }

    /// With the shipped layer of `role` below.
    fn on_shipped(mut self, role: &str) -> Self {
        self.layers.splice(0..0, policy::builtin(role));
        self
    }
}

/// The last good revisions as they stand in the store.
#[derive(Debug, Default)]
pub(super) struct Good(BTreeMap<String, Value>);

impl Good {
    /// Reads them. One that cannot be read is none: the layers below take its place, and it is written anew.
    pub fn read(r: &Read<'_>) -> Result<Self, StoreError> {
        let rows = r.local_texts(GOOD)?;
        Ok(Self(rows.into_iter().filter_map(|(key, text)| Some((key, serde_json::from_str(&text).ok()?))).collect()))
    }

    /// The last good sources of a role.
    pub fn of(&self, key: &str, role: &str) -> Option<Sources> {
        let sources: Sources = serde_json::from_value(self.0.get(key)?.clone()).ok()?;
        Some(sources.on_shipped(role))
    }

    /// Whether something else is good now than what is kept.
    pub fn differs<'a>(&self, sound: impl Iterator<Item = (&'a str, &'a Engine)>) -> bool {
        self.news(sound).next().is_some()
    }

    /// Keeps what is good now and was not.
    pub fn save<'a>(
        &mut self,
        w: &mut Write<'_>,
        sound: impl Iterator<Item = (&'a str, &'a Engine)>,
    ) -> Result<(), StoreError> {
        let news: Vec<(String, Value)> = self.news(sound).collect();
        for (key, value) in news {
            w.put_local(GOOD, &key, &value)?;
            self.0.insert(key, value);
        }
        Ok(())
    }

    fn news<'a>(&self, sound: impl Iterator<Item = (&'a str, &'a Engine)>) -> impl Iterator<Item = (String, Value)> {
        sound.filter_map(|(key, engine)| {
            let value = serde_json::to_value(Sources::of(engine)).expect("plain data serialises");
            (self.0.get(key) != Some(&value)).then(|| (key.to_owned(), value))
        })
    }
}

/// What stands in for sources that do not load and of which no good revision is known: what lies below the broken
/// layer, one layer less each time, at last the shipped one without settings. The answers of a Refinery have no
/// stand-in: without the word of a layer that may say no, nothing merges.
pub(super) fn below(role: &str, lower: &[LayerSource], settings: &toml::Table) -> Vec<Sources> {
    if role == "refinery" {
        return Vec::new();
    }
    let less = (1..=lower.len()).rev().map(|n| Sources { layers: lower[..n].to_vec(), settings: settings.clone() });
    let bare = policy::builtin(role).map(|shipped| Sources { layers: vec![shipped], settings: toml::Table::new() });
    less.chain(bare).collect()
}
