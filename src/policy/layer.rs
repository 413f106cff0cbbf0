//! Layers: built-in < town < rig. A layer is one file for a role, and the modules that it may require.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Who wrote a policy file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Shipped in the binary.
    #[serde(rename = "built-in")]
    Builtin,
    /// `<town>/lua/`
    Town,
    /// `<town>/<rig>/lua/`
    Rig,
}

impl std::fmt::Display for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Builtin => "built-in",
            Self::Town => "town",
            Self::Rig => "rig",
        })
    }
}

/// The source of one layer of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerSource {
    /// Who wrote it.
    pub layer: Layer,
    /// How messages name the file.
    pub path: String,
    /// Its text.
    pub text: String,
    /// What it may require beside `gt`: module name (`lib.names`) to path and text.
    pub modules: BTreeMap<String, (String, String)>,
}

impl LayerSource {
    /// A layer of one file.
    pub fn new(layer: Layer, path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { layer, path: path.into(), text: text.into(), modules: BTreeMap::new() }
    }

    /// Reads `roles/<role>.lua` below a `lua` folder, with the modules of its `lib`; `None` when there is no such file.
    pub fn read(layer: Layer, folder: &Path, role: &str) -> std::io::Result<Option<Self>> {
        let Some(mut source) = Self::read_file(layer, folder, &format!("{role}.lua"))? else { return Ok(None) };
        source.add_modules(&folder.join("lib"), "lib")?;
        Ok(Some(source))
    }

    /// Reads `roles/<role>_test.lua` below a `lua` folder; `None` when there is no such file.
    pub fn read_test(layer: Layer, folder: &Path, role: &str) -> std::io::Result<Option<Self>> {
        Self::read_file(layer, folder, &format!("{role}_test.lua"))
    }

    fn read_file(layer: Layer, folder: &Path, name: &str) -> std::io::Result<Option<Self>> {
        let path = folder.join("roles").join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Self::new(layer, path.display().to_string(), text))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(named(&path, &e)),
        }
    }

    fn add_modules(&mut self, folder: &Path, name: &str) -> std::io::Result<()> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(named(folder, &e)),
        };
        for entry in entries {
            let path = entry.map_err(|e| named(folder, &e))?.path();
            let Some(stem) = path.file_stem().and_then(|s| s.to_str()) else { continue };
            let module = format!("{name}.{stem}");
            if path.is_dir() {
                self.add_modules(&path, &module)?;
            } else if path.extension().is_some_and(|e| e == "lua") && !stem.ends_with("_test") {
                let text = std::fs::read_to_string(&path).map_err(|e| named(&path, &e))?;
                self.modules.insert(module, (path.display().to_string(), text));
            }
        }
        Ok(())
    }
}

/// The error with the file that it is about.
fn named(path: &Path, error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), format!("{} cannot be read: {error}", path.display()))
}

/// Names what a role is made of: 12 hex digits over all its sources and settings.
pub(super) fn revision(layers: &[LayerSource], settings: &toml::Table) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    for source in layers {
        add(&source.layer.to_string());
        add(&source.text);
        for (name, (_, text)) in &source.modules {
            add(name);
            add(text);
        }
    }
    add(&settings.to_string());
    data_encoding::HEXLOWER.encode(&hash.finalize()[..6])
}
