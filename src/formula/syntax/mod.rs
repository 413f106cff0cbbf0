//! Text to a tree of values with spans, the same for TOML and JSON, and typed reading from it.

mod json;
mod node;
mod read;
mod toml;

use std::sync::Arc;

pub(crate) use node::{Node, Value};
pub(crate) use read::{Fields, Reader};

use super::{Report, Source};

/// Parses a source. Syntax errors go to the report; what could be read comes back.
pub(crate) fn parse(source: &Arc<Source>, json: bool, report: &mut Report) -> Option<Node> {
    if json { json::parse(source, report) } else { Some(toml::parse(source, report)) }
}
