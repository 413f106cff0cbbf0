//! Stories of whole molecules in a real town: scripted workers, a daemon, a merge queue that lands.

use serde_json::Value;

use super::{TestTown, write};
use crate::support::eventually;

const SHINY: &str = r#"formula = "shiny"
description = "Design before code, review before ship"
[[steps]]
id = "design"
description = "Think about architecture"
[[steps]]
id = "implement"
needs = ["design"]
[[steps]]
id = "test"
needs = ["implement"]
[[steps]]
id = "submit"
needs = ["test"]
"#;

/// The shipped aspect in TOML, and one of the town's own in Lua.
const ENTERPRISE: &str = r#"formula = "shiny-enterprise"
extends = ["shiny"]
[compose]
aspects = ["security-audit", "watch"]
"#;

const WATCH: &str = r#"local gt = require "gt"
return gt.aspect {
  api = 1,
  doc = "A review of what guards the door, and of what is written for readers",
  advise = function(step)
    if step.id ~= "implement" then return nil end
    return {
      gt.after { id = "door-review", title = "Review {title}", only_if = { touches = { "src/auth/**" } } },
      gt.after { id = "docs-review", title = "Read {title}", only_if = { touches = { "docs/**" } } },
    }
  end,
}
"#;

/// A town whose rig lands by itself after a gate that passes, with work poured from `formula`.
fn town(formula: &str, runtime: &str) -> TestTown {
    let town = TestTown::new();
    let rig = format!(
        "url = \"{}\"\ntarget = \"main\"\nprefix = \"gt\"\nlanding = \"direct\"\nformula = \"{formula}\"\n\
         runtime = \"{runtime}\"\n[gates.test]\ncommand = [\"true\"]\n",
        town.remote.display()
    );
    write(&town.root.join("app/rig.toml"), &rig);
    town
}

/// Title of each step of the molecule that was poured for a bead, and how it ended.
fn steps(town: &TestTown, bead: &str) -> Vec<(String, String)> {
    let all = town.bd(&["list", "--all", "--limit", "0", "--json"]).json();
    let all = all.as_array().expect("a list").clone();
    let root = all.iter().find(|b| b["metadata"]["for"] == bead).expect("a molecule")["id"].clone();
    let shown = town.bd(&["mol", "show", root.as_str().expect("an id"), "--json"]).json();
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let issues = shown["issues"].as_array().expect("beads").clone();
    let mut steps: Vec<&Value> = issues.iter().filter(|b| b["metadata"]["step"].is_string()).collect();
    steps.sort_by_key(|b| b["metadata"]["order"].as_u64());
    steps.iter().map(|b| (text(&b["metadata"]["step"]), text(&b["close_reason"]))).collect()
}

#[test]
fn an_extended_formula_with_aspects_is_cooked_poured_slung_worked_and_landed() {
    let town = town("shiny-enterprise", "script");
    for (file, text) in
        [("shiny.formula.toml", SHINY), ("shiny-enterprise.formula.toml", ENTERPRISE), ("watch.lua", WATCH)]
    {
        write(&town.root.join(".beads/formulas").join(file), text);
    }
    let cooked = town.bd(&["cook", "shiny-enterprise", "--json"]).json();
    let poured = town.bd(&["mol", "pour", "shiny-enterprise", "--var", "feature=auth", "--json"]).json();
    assert_eq!(poured["proto_id"], cooked["proto_id"]);
    let description = "```sh implement\nmkdir -p src/auth && echo 'fn login() {}' > src/auth/login.rs\n```\n";
    let bead = town.bd(&["create", "log in", "--rig", "app", "-d", description, "-q"]).ok();
    town.gt(&["start"]).ok();
    town.gt(&["sling", &bead, "app"]).ok();
    eventually("the work to land", || (town.status_of(&bead) == "closed").then_some(()));
    let on_main = town.sandbox.git(&town.remote, &["show", "main:src/auth/login.rs"]).ok();
    assert_eq!(on_main, "fn login() {}");
    let ends = steps(&town, &bead);
    let names: Vec<&str> = ends.iter().map(|(step, _)| step.as_str()).collect();
    assert_eq!(
        names,
        [
            "design",
            "implement-threats",
            "implement",
            "door-review-implement",
            "docs-review-implement",
            "implement-audit",
            "test",
            "submit-security-check",
            "submit"
        ]
    );
    let skipped: Vec<&(String, String)> = ends.iter().filter(|(_, why)| why.starts_with("skipped")).collect();
    let expected = ("docs-review-implement".to_owned(), "skipped: nothing touches docs/**".to_owned());
    assert_eq!(skipped, [&expected], "the change touches src/auth and nothing else");
    assert!(ends.iter().all(|(_, why)| !why.is_empty()), "{ends:?}");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_bead_filed_in_the_town_is_slung_by_itself_when_its_blocker_lands() {
    let town = town("shiny", "script");
    write(&town.root.join(".beads/formulas/shiny.formula.toml"), SHINY);
    let file = |title: &str| {
        let text = format!("```sh implement\necho {title} > {title}.txt\n```\n");
        town.bd(&["create", title, "-d", &text, "-q"]).ok()
    };
    let (first, then, told) = (file("first"), file("then"), file("told"));
    assert!(first.starts_with("hq-"), "{first}");
    town.bd(&["dep", "add", &then, &first]).ok();
    town.bd(&["dep", "add", &told, &first]).ok();
    town.gt(&["convoy", "create", "Feature X", &first, &then]).ok();
    let said = town.gt(&["sling", &told, "app"]).ok();
    assert!(said.contains("it is slung by itself when that is over"), "{said}");
    town.gt(&["sling", &first, "app"]).ok();
    // Of the one nothing was said but that it is in the convoy; the other was slung while it had to wait.
    for bead in [&first, &then, &told] {
        eventually("the work to land", || (town.status_of(bead) == "closed").then_some(()));
    }
    let why = town.gt(&["why", &then]).ok();
    assert!(why.contains("feed-convoy"), "{why}");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_new_polecat_goes_on_at_the_step_that_the_killed_one_had_not_begun() {
    let town = town("beads-release", "idle");
    let bead = town.bead("release 1.0");
    town.gt(&["start"]).ok();
    town.gt(&["sling", &bead, "app"]).ok();
    let pid = |town: &TestTown| town.agents()[0]["pid"].as_i64();
    let first = pid(&town).expect("a process");
    for step in ["bump-version", "update-deps", "run-tests"] {
        assert_eq!(town.as_worker("toast", &["hook", "--field", "step.name"]).ok(), step);
        let _ = town.as_worker("toast", &["step", "done"]).ok();
    }
    town.sandbox.run("sh", &town.root, &["-c", &format!("kill -9 {first}")]).ok();
    eventually("a new polecat", || pid(&town).filter(|pid| *pid != first && town.agents()[0]["running"] == true));
    assert_eq!(town.as_worker("toast", &["hook", "--field", "step.name"]).ok(), "build-binaries");
    let prime = town.as_worker("toast", &["prime"]).ok();
    assert!(prime.contains("build-binaries"), "{prime}");
    let done: Vec<bool> = steps(&town, &bead).iter().map(|(_, why)| !why.is_empty()).collect();
    assert_eq!(done, [true, true, true, false, false, false]);
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_review_comes_up_also_for_what_is_not_committed_yet() {
    let formula = "formula = \"checked\"\n[[steps]]\nid = \"implement\"\n\
         [[steps]]\nid = \"door-review\"\nneeds = [\"implement\"]\nonly_if = { touches = [\"src/auth/**\"] }\n\
         [[steps]]\nid = \"submit\"\nneeds = [\"door-review\"]\n";
    let town = town("checked", "idle");
    write(&town.root.join(".beads/formulas/checked.formula.toml"), formula);
    for (bead, file, next) in [("one", Some("src/auth/new.rs"), "door-review"), ("two", None, "submit")] {
        let bead = town.bead(bead);
        let agent = town.sling(&bead)["worker"].as_str().expect("an address").to_owned();
        let name = agent.rsplit('/').next().expect("a name");
        if let Some(file) = file {
            write(&town.worktree(name).join(file), "fn login() {}\n");
        }
        let _ = town.as_worker(name, &["step", "done"]).ok();
        assert_eq!(town.as_worker(name, &["hook", "--field", "step.name"]).ok(), next);
    }
}

#[test]
fn the_bounds_that_a_person_has_set_hold_for_what_is_slung_too() {
    let town = town("shiny", "idle");
    town.bd(&["config", "set", "formula.max_steps", "3"]).ok();
    let bead = town.bead("too much");
    let said = town.gt(&["sling", &bead, "app", "--no-start"]).fails();
    assert!(said.contains("formula.max_steps"), "{said}");
    town.bd(&["config", "set", "formula.max_steps", "30"]).ok();
    town.sling(&bead);
}
