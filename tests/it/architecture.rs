//! The shape that ARCHITECTURE.md promises: which module may use which, and how large a file may grow.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Each module and the modules that it may use. `base` stands at the bottom, the binaries at the top.
const MAY_USE: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("config", &["base"]),
    ("git", &["base"]),
    ("session", &["base"]),
    ("store", &["base"]),
    ("formula", &["base"]),
    ("ledger", &["base", "git", "store"]),
    ("molecule", &["base", "formula", "store"]),
    ("policy", &["base", "formula", "store"]),
    ("queue", &["base", "config", "git", "policy", "store"]),
    ("town", &["base", "config", "formula", "git", "ledger", "molecule", "policy", "queue", "session", "store"]),
    (
        "daemon",
        &["base", "config", "formula", "git", "ledger", "molecule", "policy", "queue", "session", "store", "town"],
    ),
    (
        "surface",
        &[
            "base", "config", "daemon", "formula", "git", "ledger", "molecule", "policy", "queue", "session", "store",
            "town",
        ],
    ),
];

fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("source folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(source_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn dependencies_point_down() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let uses = regex::Regex::new(r"\bcrate::\{?\s*([a-z_]+)").expect("pattern");
    let mut wrong = Vec::new();
    for file in source_files(&source()) {
        let relative = file.strip_prefix(source()).expect("below src");
        let module = relative.iter().next().and_then(|m| m.to_str()).unwrap_or_default().trim_end_matches(".rs");
        if matches!(module, "bin" | "lib" | "cli") {
            continue;
        }
        let Some(may) = allowed.get(module) else {
            wrong.push(format!("{}: module `{module}` is not in the table", relative.display()));
            continue;
        };
        let text = std::fs::read_to_string(&file).expect("source file");
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for found in uses.captures_iter(line) {
                let target = found.get(1).expect("group").as_str();
                if target != module && allowed_name(target) && !may.contains(&target) {
                    wrong.push(format!("{}:{}: {module} uses {target}", relative.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "upward dependencies:\n{}", wrong.join("\n"));
}

/// Whether a name after `crate::` is a module of the map, and not an item of the root.
fn allowed_name(name: &str) -> bool {
    name == "cli" || MAY_USE.iter().any(|(module, _)| *module == name)
}

#[test]
fn files_stay_small() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let large: Vec<String> = source_files(&root.join("src"))
        .into_iter()
        .chain(source_files(&root.join("tests")))
        .filter_map(|file| {
            let lines = std::fs::read_to_string(&file).expect("source file").lines().count();
            (lines > 800).then(|| format!("{} has {lines} lines", file.display()))
        })
        .collect();
    assert!(large.is_empty(), "split these:\n{}", large.join("\n"));
}

#[test]
fn only_the_command_line_prints_or_reads_the_environment() {
    let banned = regex::Regex::new(r"\b(e?println!|e?print!|std::env::(var|vars|var_os|current_dir|home_dir)\b)")
        .expect("pattern");
    let mut wrong = Vec::new();
    for file in source_files(&source()) {
        let relative = file.strip_prefix(source()).expect("below src").to_owned();
        let is_test = relative.iter().any(|part| part == "tests" || part == "tests.rs");
        if relative.starts_with("cli") || relative.starts_with("bin") || is_test {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("source file");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            if !line.trim_start().starts_with("//") && banned.is_match(line) {
                wrong.push(format!("{}:{}: {}", relative.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "the engine prints or reads the environment:\n{}", wrong.join("\n"));
}
