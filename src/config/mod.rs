//! Configuration: `town.toml` and `rig.toml`, layered, each value with its origin.
//!
//! Layers, lowest first: built-in, town, rig, environment, flag. Every key has a default; an unknown key or a
//! value of the wrong kind is an error with file, line, column, excerpt and a suggestion. Nothing here reads
//! the environment: the command line hands in what it found as [`Overrides`].

mod error;
mod file;
mod gate;
mod layers;

pub use error::ConfigError;
pub use file::{Components, RigFile, TownFile};
pub use gate::{Command, Gate};
pub use layers::{Explained, HostChoice, Landing, Layer, Origin, Overrides, RigConfig, TownConfig};
