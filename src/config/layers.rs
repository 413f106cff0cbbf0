//! The layers put together: effective values, and where each came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::{ConfigError, line_column};
use super::file::{Components, RigFile, TownFile};
use super::gate::Gate;
use crate::base::Prefix;

/// A layer of configuration, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The default of this program.
    Builtin,
    /// `town.toml`.
    Town,
    /// `rig.toml`.
    Rig,
    /// An environment variable.
    Environment,
    /// A flag of the command.
    Flag,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Builtin => "built-in",
            Self::Town => "town",
            Self::Rig => "rig",
            Self::Environment => "environment",
            Self::Flag => "flag",
        })
    }
}

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// Which layer.
    pub layer: Layer,
    /// The file, for the town and the rig.
    pub file: Option<PathBuf>,
    /// Its line, from 1; 0 without a file.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}:{}", file.display(), self.line),
            None => write!(f, "{}", self.layer),
        }
    }
}

/// One value that a layer gives for a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The value, as TOML writes it.
    pub value: String,
    /// Where it was set.
    pub origin: Origin,
}

/// What happens to a change that has passed its gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Landing {
    /// It waits for `gt review`.
    Hold,
    /// It is pushed to the target.
    Direct,
}

impl fmt::Display for Landing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hold => "hold",
            Self::Direct => "direct",
        })
    }
}

/// Where sessions run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostChoice {
    /// tmux where it is installed, headless where not.
    Auto,
    /// The town's own tmux server.
    Tmux,
    /// A small process of ours for each session.
    Headless,
}

impl fmt::Display for HostChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Auto => "auto",
            Self::Tmux => "tmux",
            Self::Headless => "headless",
        })
    }
}

/// What the environment and the flags of a command say.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The runtime, and the layer that said so.
    pub runtime: Option<(Layer, String)>,
    /// The host, and the layer that said so.
    pub host: Option<(Layer, HostChoice)>,
    /// The formula, and the layer that said so.
    pub formula: Option<(Layer, String)>,
}

/// Every value that any layer gave for each key, lowest layer first.
#[derive(Debug, Clone, Default)]
struct Origins(BTreeMap<String, Vec<Explained>>);

impl Origins {
    fn set(&mut self, key: &str, value: impl Into<String>, origin: Origin) {
        self.0.entry(key.to_owned()).or_default().push(Explained { value: value.into(), origin });
    }

    fn plain(&mut self, layer: Layer, key: &str, value: impl Into<String>) {
        self.set(key, value, Origin { layer, file: None, line: 0 });
    }

    /// All leaves of a file. The text has been parsed before, so an error here cannot be.
    fn file(&mut self, layer: Layer, path: &Path, text: &str) {
        let Ok(root) = toml::de::DeTable::parse(text) else { return };
        self.table(layer, path, text, "", root.get_ref());
    }

    fn table(&mut self, layer: Layer, path: &Path, text: &str, under: &str, table: &toml::de::DeTable<'_>) {
        for (key, value) in table {
            let name = if under.is_empty() { key.get_ref().to_string() } else { format!("{under}.{}", key.get_ref()) };
            if let Some(inner) = value.get_ref().as_table() {
                self.table(layer, path, text, &name, inner);
                continue;
            }
            let line = line_column(text, key.span().start).0;
            let written = text.get(value.span()).unwrap_or_default().trim();
            self.set(&name, written, Origin { layer, file: Some(path.to_owned()), line });
        }
    }
}

/// `town.toml` over the defaults.
#[derive(Debug, Clone)]
pub struct TownConfig {
    path: PathBuf,
    file: TownFile,
    origins: Origins,
}

/// The defaults, as a person would write them.
const DEFAULTS: &[(&str, &str)] = &[
    ("runtime", "\"claude\""),
    ("host", "\"auto\""),
    ("formula", "\"shiny\""),
    ("landing", "\"hold\""),
    ("workers", "8"),
    ("components.witness", "true"),
    ("components.refinery", "true"),
    ("components.mayor", "true"),
];

impl TownConfig {
    /// Reads `path`, and its `[runtimes.NAME]` tables as tables of `R`, so that a wrong key in them is shown with its place too.
    pub fn load_with<R: DeserializeOwned>(path: &Path) -> Result<Self, ConfigError> {
        #[derive(Deserialize)]
        struct Tables<R> {
            #[serde(default = "BTreeMap::new", rename = "runtimes")]
            _runtimes: BTreeMap<String, R>,
        }
        let text = std::fs::read_to_string(path).map_err(|e| ConfigError::unreadable(path, &e))?;
        let config = Self::parse(path, &text)?;
        if !config.runtimes().is_empty() {
            toml::from_str::<Tables<R>>(&text).map_err(|e| ConfigError::parse(path, &text, &e))?;
        }
        Ok(config)
    }

    /// Reads `text`, which stands in `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let file = TownFile::parse(path, text)?;
        let mut origins = Origins::default();
        for (key, value) in DEFAULTS {
            origins.plain(Layer::Builtin, key, *value);
        }
        origins.file(Layer::Town, path, text);
        Ok(Self { path: path.to_owned(), file, origins })
    }

    /// The town's name; the folder's name when it has none.
    pub fn name(&self) -> String {
        let folder = || self.path.parent().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned());
        self.file.name.clone().or_else(folder).unwrap_or_else(|| "town".into())
    }

    /// The file as it is written.
    pub fn file(&self) -> &TownFile {
        &self.file
    }

    /// `[runtimes.NAME]` tables, for the session module.
    pub fn runtimes(&self) -> &BTreeMap<String, toml::Table> {
        &self.file.runtimes
    }

    /// Whether the Mayor is on.
    pub fn mayor(&self) -> bool {
        self.file.components.mayor.unwrap_or(true)
    }

    /// Where sessions run that belong to no rig.
    pub fn host(&self) -> HostChoice {
        self.file.host.unwrap_or(HostChoice::Auto)
    }

    /// What runs in sessions that belong to no rig.
    pub fn runtime(&self) -> &str {
        self.file.runtime.as_deref().unwrap_or("claude")
    }

    /// Settings of a role at the town layer.
    pub fn role(&self, name: &str) -> toml::Table {
        self.file.roles.get(name).cloned().unwrap_or_default()
    }

    /// All values given for a key, the effective one last; empty for a key that nobody set.
    pub fn explain(&self, key: &str) -> &[Explained] {
        self.origins.0.get(key).map_or(&[], Vec::as_slice)
    }
}

/// What holds for one rig: its file over the town's over the defaults, with the command's overrides on top.
#[derive(Debug, Clone)]
pub struct RigConfig {
    /// Where its remote is.
    pub url: String,
    /// What its bead ids start with.
    pub prefix: Prefix,
    /// The branch that changes land on.
    pub target: String,
    /// Which runtime workers use.
    pub runtime: String,
    /// Where sessions run.
    pub host: HostChoice,
    /// The formula that is poured for slung work; `None` for none.
    pub formula: Option<String>,
    /// What happens to a change that has passed its gates.
    pub landing: Landing,
    /// How many workers the rig may have at once, those aside whose change was sent back.
    pub workers: u32,
    /// What must pass on the merged tree, by name.
    pub gates: BTreeMap<String, Gate>,
    /// Whether the Witness is on.
    pub witness: bool,
    /// Whether the Refinery is on.
    pub refinery: bool,
    roles: BTreeMap<String, toml::Table>,
    origins: Origins,
}

impl RigConfig {
    /// Reads `path` and lays it over the town's.
    pub fn load(town: &TownConfig, path: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|e| ConfigError::unreadable(path, &e))?;
        Self::parse(town, path, &text, overrides)
    }

    /// Lays `text`, which stands in `path`, over the town's.
    pub fn parse(town: &TownConfig, path: &Path, text: &str, overrides: &Overrides) -> Result<Self, ConfigError> {
        let rig = RigFile::parse(path, text)?;
        let mut origins = town.origins.clone();
        origins.file(Layer::Rig, path, text);
        let (t, mut gates) = (&town.file, town.file.gates.clone());
        gates.extend(rig.gates);
        let mut roles = t.roles.clone();
        for (name, settings) in rig.roles {
            roles.entry(name).or_default().extend(settings);
        }
        let on = |pick: fn(&Components) -> Option<bool>| pick(&rig.components).or(pick(&t.components)).unwrap_or(true);
        let mut this = Self {
            url: rig.url,
            prefix: rig.prefix,
            target: rig.target,
            runtime: rig.runtime.or_else(|| t.runtime.clone()).unwrap_or_else(|| "claude".into()),
            host: rig.host.or(t.host).unwrap_or(HostChoice::Auto),
            formula: some(rig.formula.or_else(|| t.formula.clone()).unwrap_or_else(|| "shiny".into())),
            landing: rig.landing.or(t.landing).unwrap_or(Landing::Hold),
            workers: rig.workers.or(t.workers).unwrap_or(8),
            gates,
            witness: on(|c| c.witness),
            refinery: on(|c| c.refinery),
            roles,
            origins,
        };
        this.apply(overrides);
        Ok(this)
    }

    fn apply(&mut self, overrides: &Overrides) {
        if let Some((layer, runtime)) = &overrides.runtime {
            self.origins.plain(*layer, "runtime", format!("{runtime:?}"));
            self.runtime.clone_from(runtime);
        }
        if let Some((layer, host)) = overrides.host {
            self.origins.plain(layer, "host", format!("\"{host}\""));
            self.host = host;
        }
        if let Some((layer, formula)) = &overrides.formula {
            self.origins.plain(*layer, "formula", format!("{formula:?}"));
            self.formula = some(formula.clone());
        }
    }

    /// Settings of a role: the rig's keys over the town's.
    pub fn role(&self, name: &str) -> toml::Table {
        self.roles.get(name).cloned().unwrap_or_default()
    }

    /// All values given for a key, the effective one last; empty for a key that nobody set.
    pub fn explain(&self, key: &str) -> &[Explained] {
        self.origins.0.get(key).map_or(&[], Vec::as_slice)
    }

    /// Where the effective value of a key was set.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.explain(key).last().map(|e| &e.origin)
    }
}

fn some(formula: String) -> Option<String> {
    if formula.is_empty() { None } else { Some(formula) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn town(text: &str) -> Result<TownConfig, ConfigError> {
        TownConfig::parse(Path::new("town.toml"), text)
    }

    const RIG: &str = "url = \"/x\"\nprefix = \"gt\"\ntarget = \"main\"\n";

    #[test]
    fn the_nearest_layer_wins_and_says_where_it_stands() {
        let t = town("runtime = \"script\"\n[roles.witness]\npatience = \"8m\"\nword = \"a\"\n").expect("town");
        let text = format!("{RIG}landing = \"direct\"\n[roles.witness]\npatience = \"2m\"\n");
        let flag = Overrides { runtime: Some((Layer::Flag, "codex".into())), ..Overrides::default() };
        let rig = RigConfig::parse(&t, Path::new("rig.toml"), &text, &flag).expect("rig");
        assert_eq!((rig.landing, rig.runtime.as_str(), rig.workers), (Landing::Direct, "codex", 8));
        let values: Vec<&str> = rig.explain("runtime").iter().map(|e| e.value.as_str()).collect();
        assert_eq!(values, ["\"claude\"", "\"script\"", "\"codex\""]);
        assert_eq!(rig.origin("roles.witness.patience").expect("set").to_string(), "rig.toml:6");
        assert_eq!(rig.origin("roles.witness.word").expect("set").to_string(), "town.toml:4");
        assert_eq!(rig.role("witness")["patience"].as_str(), Some("2m"));
        assert_eq!(rig.role("witness")["word"].as_str(), Some("a"));
    }

    #[test]
    fn a_wrong_key_is_shown_with_its_place_and_a_suggestion() {
        let misplaced = town("restarts = 5\n").expect_err("it is one of the Witness's settings");
        assert_eq!(misplaced.hint.as_deref(), Some("it is set as `restarts` under [roles.witness]"));
        let error = town("name = \"x\"\nruntme = \"script\"\n").expect_err("unknown key");
        assert_eq!(error.to_string(), "town.toml:2:1: unknown key `runtme`\n  2 | runtme = \"script\"\n    | ^^^^^^");
        assert_eq!(error.hint.as_deref(), Some("did you mean `runtime`?"));
        let error = town("landing = \"hodl\"\n").expect_err("unknown value");
        assert_eq!((error.line, error.column), (1, 11));
        assert_eq!(error.hint.as_deref(), Some("did you mean `hold`?"));
    }

    #[test]
    fn a_gate_is_a_list_or_a_shell_line_and_never_empty() {
        let t = town("").expect("town");
        let text = format!("{RIG}[gates.test]\ncommand = [\"make\", \"test\"]\n[gates.lint]\ncommand = \"a && b\"\n");
        let rig = RigConfig::parse(&t, Path::new("rig.toml"), &text, &Overrides::default()).expect("rig");
        assert_eq!(rig.gates["test"].command.argv(), ["make", "test"]);
        assert_eq!(rig.gates["lint"].command.argv(), ["sh", "-c", "a && b"]);
        assert!(rig.gates["test"].required);
        for bad in ["\"\"", "[]", "3"] {
            let text = format!("{RIG}[gates.test]\ncommand = {bad}\n");
            let error = RigConfig::parse(&t, Path::new("rig.toml"), &text, &Overrides::default()).expect_err(bad);
            assert_eq!(error.line, 5, "{bad}: {error}");
        }
    }
}
