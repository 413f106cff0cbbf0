//! The two files as they are written, before layering. Unknown keys are errors.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::ConfigError;
use super::gate::Gate;
use super::layers::{HostChoice, Landing};
use crate::base::Prefix;

/// `town.toml`: the only file that a user has to know.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TownFile {
    /// The town's name, for people.
    pub name: Option<String>,
    /// Which runtime workers use.
    pub runtime: Option<String>,
    /// Where sessions run.
    pub host: Option<HostChoice>,
    /// The formula that is poured for slung work; empty for none.
    pub formula: Option<String>,
    /// What happens to a change that has passed its gates.
    pub landing: Option<Landing>,
    /// How many workers a rig may have at once, those aside whose change was sent back.
    pub workers: Option<u32>,
    /// Gates for rigs that declare none of the same name.
    #[serde(default)]
    pub gates: BTreeMap<String, Gate>,
    /// Settings of roles, read by their policies.
    #[serde(default)]
    pub roles: BTreeMap<String, toml::Table>,
    /// Which parts run.
    #[serde(default)]
    pub components: Components,
    /// Runtimes of one's own, or changes to built-in ones.
    #[serde(default)]
    pub runtimes: BTreeMap<String, toml::Table>,
}

/// `<rig>/rig.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RigFile {
    /// Where its remote is.
    pub url: String,
    /// What its bead ids start with.
    pub prefix: Prefix,
    /// The branch that changes land on.
    pub target: String,
    /// As in `town.toml`.
    pub runtime: Option<String>,
    /// As in `town.toml`.
    pub host: Option<HostChoice>,
    /// As in `town.toml`.
    pub formula: Option<String>,
    /// As in `town.toml`.
    pub landing: Option<Landing>,
    /// As in `town.toml`.
    pub workers: Option<u32>,
    /// What must pass on the merged tree.
    #[serde(default)]
    pub gates: BTreeMap<String, Gate>,
    /// As in `town.toml`.
    #[serde(default)]
    pub roles: BTreeMap<String, toml::Table>,
    /// As in `town.toml`.
    #[serde(default)]
    pub components: Components,
}

/// `[components]`: each level is whole without the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Components {
    /// Watches workers, feeds ready work of convoys.
    pub witness: Option<bool>,
    /// Merges what workers hand in.
    pub refinery: Option<bool>,
    /// The session that a person talks to.
    pub mayor: Option<bool>,
}

impl TownFile {
    /// Reads text that stands in `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|e| ConfigError::parse(path, text, &e))
    }
}

impl RigFile {
    /// Reads text that stands in `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|e| ConfigError::parse(path, text, &e))
    }
}
