//! Who runs this command: the agent whose folder we are in, or the one that `GT_ROLE` names.

use std::path::Path;

use super::error::TownError;
use super::layout::Town;
use crate::base::{Address, RigName, RoleName, WorkerName};

/// The agent that a folder of the town belongs to; a person anywhere else.
pub fn of_folder(town: &Town, cwd: &Path) -> Address {
    let cwd = cwd.canonicalize().unwrap_or_else(|_| cwd.to_owned());
    let Ok(below) = cwd.strip_prefix(town.root()) else { return Address::Overseer };
    let parts: Vec<&str> = below.iter().filter_map(|part| part.to_str()).collect();
    match *parts.as_slice() {
        ["mayor", ..] => Address::Mayor,
        ["deacon", ..] => Address::Deacon,
        [rig, kind @ ("polecats" | "crew"), name, ..] => match (RigName::new(rig), WorkerName::new(name)) {
            (Ok(rig), Ok(name)) if kind == "crew" => Address::Crew(rig, name),
            (Ok(rig), Ok(name)) => Address::Polecat(rig, name),
            _ => Address::Overseer,
        },
        [rig, role @ ("witness" | "refinery"), ..] => match (RigName::new(rig), RoleName::new(role)) {
            (Ok(rig), Ok(role)) => Address::Role(rig, role),
            _ => Address::Overseer,
        },
        _ => Address::Overseer,
    }
}

/// Who runs this command. `role` is `GT_ROLE`, which wins over the folder.
pub fn whoami(town: &Town, cwd: &Path, role: Option<&str>) -> Result<Address, TownError> {
    let Some(role) = role else { return Ok(of_folder(town, cwd)) };
    role.parse().map_err(|e: crate::base::NameError| {
        TownError::user(format!("GT_ROLE names nobody: {e}")).hint("unset GT_ROLE, or set it to your address")
    })
}

/// The rig that a folder of the town belongs to.
pub fn rig_of_folder(town: &Town, cwd: &Path) -> Option<RigName> {
    let cwd = cwd.canonicalize().unwrap_or_else(|_| cwd.to_owned());
    let first = cwd.strip_prefix(town.root()).ok()?.iter().next()?.to_str()?.to_owned();
    let name = RigName::new(first).ok()?;
    town.rig_config_path(&name).is_file().then_some(name)
}

/// Reads an address as people type it: in full, `rig/name` for a worker, or a bare worker name that only one
/// agent of `known` has.
pub fn resolve(text: &str, known: &[Address]) -> Result<Address, TownError> {
    let typed = text.strip_suffix('/').unwrap_or(text);
    if let Some(exact) = known.iter().find(|a| a.to_string() == typed) {
        return Ok(exact.clone());
    }
    let short = |a: &Address| match (a.rig(), typed.split_once('/')) {
        (Some(rig), Some((wanted, name))) => rig.as_str() == wanted && a.short() == name,
        (_, None) => a.short() == typed,
        _ => false,
    };
    let found: Vec<&Address> = known.iter().filter(|a| short(a)).collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            let names: Vec<String> = known.iter().map(ToString::to_string).collect();
            let near = crate::base::text::similar(
                typed,
                known.iter().map(Address::short).chain(names.iter().map(String::as_str)),
            );
            let hint =
                near.map_or_else(|| "see who is there: gt agents --all".into(), |n| format!("did you mean `{n}`?"));
            Err(TownError::not_found(format!("no agent `{typed}`")).hint(hint))
        }
        many => {
            let all: Vec<String> = many.iter().map(ToString::to_string).collect();
            Err(TownError::user(format!("`{typed}` may be any of {}", all.join(", "))).hint("give the whole address"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_says_who_works_in_it() {
        let dir = tempfile::tempdir().expect("folder");
        std::fs::write(dir.path().join("town.toml"), "").expect("marker");
        let town = Town::at(dir.path()).expect("town");
        for (below, who) in [
            ("app/polecats/toast/src", "app/polecats/toast"),
            ("app/crew/joe", "app/crew/joe"),
            ("app/refinery", "app/refinery"),
            ("mayor", "mayor"),
            ("app/polecats", "overseer"),
            ("", "overseer"),
        ] {
            let cwd = dir.path().join(below);
            std::fs::create_dir_all(&cwd).expect("folders");
            assert_eq!(whoami(&town, &cwd, None).expect("address").to_string(), who, "{below}");
        }
        assert_eq!(whoami(&town, dir.path(), Some("app/polecats/nux")).expect("role").short(), "nux");
        assert!(whoami(&town, dir.path(), Some("a/b/c")).is_err());
    }

    #[test]
    fn a_short_name_is_enough_when_it_is_the_only_one() {
        let known: Vec<Address> = ["app/polecats/toast", "lib/polecats/toast", "app/polecats/nux", "app/witness"]
            .map(|a| a.parse().expect("address"))
            .to_vec();
        assert_eq!(resolve("nux", &known).expect("one").to_string(), "app/polecats/nux");
        assert_eq!(resolve("lib/toast", &known).expect("one").to_string(), "lib/polecats/toast");
        assert!(resolve("toast", &known).expect_err("two").to_string().contains("may be any of"));
        assert_eq!(resolve("nuxx", &known).expect_err("none").hints(), ["did you mean `nux`?"]);
    }
}
