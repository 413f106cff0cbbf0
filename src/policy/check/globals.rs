//! Names that are nobody's: globals that do not exist, and globals that a file would make.

use std::collections::BTreeSet;

use super::File;
use crate::base::text::similar;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::vm::global_help;

/// What the sandbox leaves.
const GLOBALS: [&str; 27] = [
    "assert",
    "bit32",
    "buffer",
    "coroutine",
    "error",
    "getmetatable",
    "ipairs",
    "math",
    "next",
    "pairs",
    "pcall",
    "rawequal",
    "rawget",
    "rawlen",
    "rawset",
    "require",
    "select",
    "setmetatable",
    "string",
    "table",
    "tonumber",
    "tostring",
    "type",
    "typeof",
    "unpack",
    "utf8",
    "xpcall",
];

/// Checks every name that is no field and no key.
pub(super) fn check(file: &File<'_>, found: &mut Vec<Diagnostic>) {
    let mine = declared(file);
    let mut made = BTreeSet::new();
    // What is open here: where it ends, and whether it is a table.
    let mut open: Vec<(usize, bool)> = Vec::new();
    for i in 0..file.tokens.len() {
        open.retain(|(end, _)| *end > i);
        if file.end(i) < file.tokens.len() {
            open.push((file.end(i), file.is(i, "{")));
        }
        let Some(name) = file.name(i) else { continue };
        let field = i > 0 && (file.is(i - 1, ".") || file.is(i - 1, ":"));
        let key = open.last().is_some_and(|(_, table)| *table) && file.is(i + 1, "=");
        if field || key || mine.contains(name) || name == "_G" {
            continue;
        }
        let assigned = file.is(i + 1, "=") || (i > 0 && file.is(i - 1, "function"));
        if assigned {
            let how =
                if file.is(i + 1, "=") { format!("local {name} = …") } else { format!("local function {name}(…)") };
            if made.insert(name.to_owned()) {
                found.push(file.error(i, format!("a policy makes no globals: `{name}`"), how));
            }
        } else if !GLOBALS.contains(&name) && !made.contains(name) {
            let near = mine.iter().map(String::as_str).chain(GLOBALS);
            let help = match (global_help(name), similar(name, near)) {
                (help, Some(meant)) if help.starts_with("local x") => format!("`{meant}`"),
                (help, _) => help.to_owned(),
            };
            found.push(file.error(i, format!("there is no global `{name}`"), help));
        }
    }
}

/// Every name that is declared anywhere in the file: locals, parameters, loop variables.
fn declared(file: &File<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::from(["self".to_owned()]);
    for i in 0..file.tokens.len() {
        let from = if file.is(i, "local") && file.is(i + 1, "function") {
            i + 2
        } else if file.is(i, "local") || file.is(i, "for") {
            i + 1
        } else if file.is(i, "function") {
            let Some(open) = (i + 1..i + 8).find(|j| file.is(*j, "(")) else { continue };
            let params = (open + 1..file.end(open)).filter_map(|j| file.name(j));
            names.extend(params.map(str::to_owned));
            continue;
        } else {
            continue;
        };
        let list = (from..file.tokens.len()).take_while(|j| file.name(*j).is_some() || file.is(*j, ","));
        let mut last_was_name = false;
        for j in list {
            let name = file.name(j);
            // `local a local b`: two names without a comma are two statements.
            if last_was_name && name.is_some() {
                break;
            }
            last_was_name = name.is_some();
            names.extend(name.map(str::to_owned));
        }
    }
    names
}
