//! The roles that are shipped in the binary, and a way to make them one's own.

use std::fmt::Write as _;

use super::layer::{Layer, LayerSource};

/// The built-in layer of a role; `None` when no such role is shipped. What it is called says that nobody has such a file.
pub fn builtin(role: &str) -> Option<LayerSource> {
    let (_, text) = BUILTIN.iter().find(|(name, _)| *name == role)?;
    Some(LayerSource::new(Layer::Builtin, format!("built-in lua/roles/{role}.lua"), *text))
}

/// The roles that are shipped.
pub fn builtin_roles() -> impl Iterator<Item = &'static str> {
    BUILTIN.iter().map(|(name, _)| *name)
}

/// A shipped role as a layer over itself: every rule an override, every question answered anew.
pub fn eject(role: &str) -> Option<String> {
    let source = builtin(role)?;
    let mut out = String::new();
    let body = source.text.lines().skip_while(|l| !l.starts_with("local gt"));
    let head = "as a layer over itself. What you delete here is the shipped rule again.";
    let _ = writeln!(out, "-- The shipped {role}, {head}\n");
    for line in body {
        let declares = format!("local {role} = gt.role(");
        if line.starts_with(&declares) {
            let _ = writeln!(out, "local {role} = gt.extend(\"{role}\")");
            continue;
        }
        let named = line.strip_prefix(&format!("{role}.each.")).and_then(|rest| Some(rest.split_once("(\"")?.1));
        let _ = match named {
            Some(rest) => writeln!(out, "{role}.override(\"{rest}"),
            None => writeln!(out, "{line}"),
        };
    }
    Some(out)
}

const BUILTIN: &[(&str, &str)] = &[
    ("deacon", include_str!("../../lua/roles/deacon.lua")),
    ("witness", include_str!("../../lua/roles/witness.lua")),
    ("refinery", include_str!("../../lua/roles/refinery.lua")),
];
