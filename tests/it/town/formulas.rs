//! Formulas at work: shipped ones and those of the requirements with scripted workers, and convoy formulas.

use serde_json::Value;

use super::{TestTown, hints, write};
use crate::support::eventually;

/// A town whose workers do what their bead says, and whose rig lands what passes its gate.
fn at_work() -> TestTown {
    let town = TestTown::new();
    for (path, from, to) in [
        ("town.toml", "runtime = \"idle\"", "runtime = \"script\""),
        ("app/rig.toml", "landing = \"hold\"", "landing = \"direct\""),
    ] {
        let path = town.root.join(path);
        let text = std::fs::read_to_string(&path).expect("configuration");
        assert!(text.contains(from), "{text}");
        std::fs::write(path, text.replace(from, to)).expect("configuration");
    }
    town
}

fn bead(town: &TestTown, title: &str, step: &str) -> String {
    let text = format!("```sh {step}\necho {title} > {title}.txt\n```\n");
    town.bd(&["create", title, "--rig", "app", "-q", "--description", &text]).ok()
}

#[track_caller]
fn wait_closed(town: &TestTown, what: &str, ids: &[String]) {
    eventually(what, || ids.iter().all(|id| town.status_of(id) == "closed").then_some(()));
}

#[test]
fn a_step_that_is_slung_by_itself_and_lands_is_followed_by_what_its_formula_says() {
    let town = at_work();
    let text = "formula = \"parts\"\n[[steps]]\nid = \"all\"\n[[steps.children]]\nid = \"one\"\n\
                description = \"\"\"\n```sh implement\necho one > one.txt\n```\n\"\"\"\n\
                [[steps]]\nid = \"after\"\nneeds = [\"all\"]\n";
    write(&town.root.join(".beads/formulas/parts.formula.toml"), text);
    let poured = town.bd(&["mol", "pour", "parts", "--json"]).json();
    let id = |step: &str| poured["id_mapping"][step].as_str().expect("a step").to_owned();
    let (one, all, after) = (id("parts.one"), id("parts.all"), id("parts.after"));
    town.gt(&["sling", &one, "app"]).ok();
    wait_closed(&town, "the step to land, and its group with it", &[one, all]);
    let ready = town.bd(&["ready", "--json"]).json();
    assert!(ready.as_array().expect("a list").iter().any(|bead| bead["id"] == after.as_str()), "{ready}");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn scripted_workers_land_work_with_each_shipped_workflow() {
    let town = at_work();
    let mine = "formula = \"mine\"\nextends = [\"shiny\"]\n[[compose.expand]]\ntarget = \"implement\"\nwith = \"tdd\"\n\
                [[compose.expand]]\ntarget = \"design\"\nwith = \"rule-of-five\"\n";
    write(&town.root.join(".beads/formulas/mine.formula.toml"), mine);
    town.gt(&["start"]).ok();
    let mut ids = Vec::new();
    for (formula, step) in [
        ("shiny-secure", "implement"),
        ("shiny-enterprise", "implement"),
        ("polecat-work", "implement"),
        ("beads-release", "build-binaries"),
        ("mine", "implement.green"),
        ("hanoi", "moves.iter7.move"),
    ] {
        let id = bead(&town, formula, step);
        town.gt(&["sling", &id, "app", "--formula", formula]).ok();
        ids.push(id);
    }
    wait_closed(&town, "all of it to land", &ids);
    let log = town.sandbox.git(&town.remote, &["ls-tree", "--name-only", "main"]).ok();
    for formula in ["shiny-secure", "shiny-enterprise", "polecat-work", "beads-release", "mine", "hanoi"] {
        assert!(log.contains(&format!("{formula}.txt")), "{formula} is not in\n{log}");
    }
    town.gt(&["shutdown"]).ok();
}

#[test]
fn the_lines_of_the_requirements_work_as_they_are_written() {
    let town = at_work();
    let shiny = "formula = \"shiny\"\ndescription = \"Design before code, review before ship\"\n\
                 [[steps]]\nid = \"design\"\ndescription = \"Think about architecture\"\n\
                 [[steps]]\nid = \"implement\"\nneeds = [\"design\"]\n\
                 [[steps]]\nid = \"test\"\nneeds = [\"implement\"]\n\
                 [[steps]]\nid = \"submit\"\nneeds = [\"test\"]";
    write(&town.root.join(".beads/formulas/shiny.formula.toml"), shiny);
    town.gt(&["start"]).ok();
    assert!(town.bd(&["formula", "list"]).ok().contains("shiny"));
    town.bd(&["cook", "shiny"]).ok();
    let poured = town.bd(&["mol", "pour", "shiny", "--var", "feature=auth", "--json"]).json();
    assert_eq!(poured["created"], 5);
    let root = poured["new_epic_id"].as_str().expect("an id");
    town.bd(&["update", root, "--description", "```sh implement\necho auth > auth.txt\n```\n"]).ok();
    // `gt-xyz` of the requirements is what was poured.
    town.gt(&["convoy", "create", "Auth feature", root]).ok();
    town.gt(&["sling", root, "app"]).ok();
    let work = town.show(root)["metadata"]["for"].as_str().expect("the work").to_owned();
    wait_closed(&town, "the feature to land", &[work.clone(), root.to_owned()]);
    assert_eq!(town.show(&work)["metadata"]["molecule"], root, "no second one was poured");
    assert!(town.sandbox.git(&town.remote, &["ls-tree", "--name-only", "main"]).ok().contains("auth.txt"));
    let list = town.gt(&["convoy", "list", "--all"]).ok();
    assert!(list.contains("landed") && list.contains("Auth feature"), "{list}");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn what_a_workers_step_gave_decides_its_fan_out_and_its_loop() {
    let town = at_work();
    let survey = "formula = \"survey\"\n[[steps]]\nid = \"list\"\n[steps.on_complete]\nfor_each = \"output.files\"\n\
                  bond = \"look\"\nvars = { path = \"{item.path}\" }\nparallel = true\n\
                  [[steps]]\nid = \"polish\"\nneeds = [\"list\"]\n[steps.loop]\nuntil = \"try.output.open == 0\"\n\
                  max = 4\n[[steps.loop.body]]\nid = \"try\"\n";
    let look =
        "formula = \"look\"\n[vars.path]\nrequired = true\n[[steps]]\nid = \"read\"\ntitle = \"Read {{path}}\"\n";
    write(&town.root.join(".beads/formulas/survey.formula.toml"), survey);
    write(&town.root.join(".beads/formulas/look.formula.toml"), look);
    town.gt(&["start"]).ok();
    let text = "```sh list\ngt step done --output '{\"files\":[{\"path\":\"a\"}]}'\n```\n\
                ```sh read\necho read > read.txt\n```\n\
                ```sh polish.iter1.try\ngt step done --output '{\"open\": 1}'\n```\n\
                ```sh polish.iter2.try\ngt step done --output '{\"open\": 0}'\n```\n";
    let work = town.bd(&["create", "look", "--rig", "app", "-q", "--description", text]).ok();
    town.gt(&["sling", &work, "app", "--formula", "survey"]).ok();
    wait_closed(&town, "the survey to land", std::slice::from_ref(&work));
    let root = town.show(&work)["metadata"]["molecule"].as_str().expect("a molecule").to_owned();
    let shown = town.bd(&["mol", "show", &root, "--json"]).json();
    let mut titles: Vec<&str> =
        shown["issues"].as_array().expect("beads").iter().filter_map(|b| b["title"].as_str()).collect();
    titles.sort_unstable();
    assert_eq!(
        titles.iter().filter(|t| t.starts_with("Read") || t.starts_with("polish")).collect::<Vec<_>>(),
        [&"Read a", &"polish.iter1.try", &"polish.iter2.try"]
    );
    let log = town.sandbox.git(&town.remote, &["ls-tree", "--name-only", "main"]).ok();
    assert!(log.contains("read.txt"), "{log}");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_convoy_formula_is_worked_on_leg_by_leg_and_its_synthesis_comes_last() {
    let town = at_work();
    let block = "description = \"\"\"\n```sh test\ntest -s README\n```\n\"\"\"\n";
    let leg = |id: &str| format!("[[legs]]\nid = \"{id}\"\ntitle = \"Look {id}\"\n{block}");
    let all = format!("{}{}{}", leg("here"), leg("there"), leg("behind"));
    let synthesis =
        format!("[synthesis]\ntitle = \"All of it\"\n{block}depends_on = [\"here\", \"there\", \"behind\"]\n");
    let panel = format!("formula = \"panel\"\ntype = \"convoy\"\nreview_only = true\n{all}{synthesis}");
    write(&town.root.join(".beads/formulas/panel.formula.toml"), &panel);
    town.gt(&["start"]).ok();
    let started = town.gt(&["formula", "run", "panel", "--sling", "--json"]).json();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let legs: Vec<String> = started["legs"].as_array().expect("legs").iter().map(|l| text(&l["bead"])).collect();
    let (last, convoy) = (text(&started["synthesis"]["bead"]), text(&started["convoy"]));
    assert_eq!(legs.len(), 3);
    wait_closed(&town, "the convoy to land", &[convoy.clone(), last.clone()]);
    let closed = |id: &str| text(&town.show(id)["closed_at"]);
    assert!(legs.iter().all(|leg| closed(leg) <= closed(&last)), "the synthesis is closed last");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_convoy_formula_makes_its_legs_and_a_synthesis_that_waits_for_them() {
    let town = TestTown::new();
    let dry = town.gt(&["formula", "run", "code-review", "--var", "branch=topic", "--dry-run"]).ok();
    assert!(dry.contains("with 6 legs") && dry.contains("git diff origin/main...origin/topic"), "{dry}");
    assert_eq!(town.gt(&["convoy", "list", "--json"]).json().as_array().expect("list").len(), 0, "nothing was made");

    let made = town.gt(&["formula", "run", "code-review", "--var", "branch=topic", "--json"]).json();
    let convoy = made["convoy"].as_str().expect("id");
    let status = town.gt(&["convoy", "status", convoy, "--json"]).json();
    assert_eq!((&status["total"], &status["active"]), (&7.into(), &false.into()));
    assert_eq!(status["title"], "code-review: base main, branch topic");
    let last = made["synthesis"]["bead"].as_str().expect("id");
    let ready = town.bd(&["ready", "--limit", "50", "--json"]).json();
    let is_ready = |ready: &Value, id: &str| ready.as_array().expect("list").iter().any(|b| b["id"] == id);
    assert!(!is_ready(&ready, last));
    for leg in made["legs"].as_array().expect("legs") {
        let id = leg["bead"].as_str().expect("id");
        assert!(is_ready(&ready, id));
        assert!(town.show(id)["description"].as_str().expect("text").contains("branch topic against main"));
        town.bd(&["close", id]).ok();
    }
    assert!(is_ready(&town.bd(&["ready", "--json"]).json(), last));
    assert!(town.show(last)["description"].as_str().expect("text").contains(convoy));
}

#[test]
fn what_a_convoy_formula_is_not_told_is_asked_for_with_its_place() {
    let town = TestTown::new();
    let refused = town.gt(&["formula", "run", "design"]).fails();
    assert!(refused.contains("input `problem` is missing (what is to be solved, in a sentence or two)"), "{refused}");
    assert!(refused.contains("builtin:design.formula.toml:8:9") && refused.contains("--var problem=…"), "{refused}");
    let refused = town.gt(&["formula", "run", "desing"]).fails();
    assert!(refused.contains("there is no formula `desing`"), "{refused}");
    let refused = town.gt(&["formula", "run", "shiny"]).fails();
    assert_eq!(hints(&refused), ["bd mol pour shiny makes a molecule of it"]);
    let refused = town.gt(&["formula", "run", "tdd"]).fails();
    assert!(refused.contains("`tdd` is an expansion, and only a convoy has legs"), "{refused}");
    assert_eq!(hints(&refused), ["name it in `expand` of a workflow's step; what it makes: bd formula show tdd"]);
    town.bd(&["formula", "show", "tdd"]).ok();
    let refused = town.bd(&["mol", "pour", "code-review"]).fails();
    assert!(refused.contains("formula `code-review` is of type convoy and has no steps to pour"), "{refused}");
    assert_eq!(hints(&refused), ["its legs are beads of a convoy: gt formula run code-review"]);
    assert_eq!(town.gt(&["convoy", "list", "--json"]).json().as_array().expect("list").len(), 0);
}

#[test]
fn formulas_of_the_repository_and_of_the_home_are_found_by_whoever_names_one() {
    let town = TestTown::new();
    let clone = town.root.join("app/mine");
    town.sandbox.git(&town.root, &["clone", "-q", &town.remote.display().to_string(), "app/mine"]).ok();
    let steps = "[[steps]]\nid = \"one\"\n";
    write(&clone.join(".beads/formulas/ours.formula.toml"), &format!("formula = \"ours\"\n{steps}"));
    let legs = "formula = \"legs\"\ntype = \"convoy\"\n[[legs]]\nid = \"one\"\n";
    write(&clone.join(".beads/formulas/legs.formula.toml"), legs);
    let home = town.sandbox.home().join(".beads/formulas");
    write(&home.join("homely.formula.toml"), &format!("formula = \"homely\"\n{steps}"));
    let listed = town.sandbox.bd(&clone, &["formula", "list", "--json"]).json();
    let bead = town.bead("x");
    for name in ["ours", "homely"] {
        assert!(listed.as_array().expect("a list").iter().any(|f| f["name"] == name), "{listed}");
        let would = town.sandbox.gt(&clone, &["sling", &bead, "app", "--formula", name, "--dry-run"]).ok();
        assert!(would.contains(&format!("pour formula {name}")), "{would}");
    }
    town.sandbox.gt(&clone, &["formula", "run", "legs", "--dry-run"]).ok();
    // Away from the repository they are not there, for either program.
    assert!(town.bd(&["formula", "show", "ours"]).fails().contains("there is no formula `ours`"));
    let refused = town.gt(&["sling", &bead, "app", "--formula", "ours", "--dry-run"]).fails();
    assert!(refused.contains("there is no formula `ours`"), "{refused}");
}

#[test]
fn a_patrol_of_a_role_or_with_a_function_that_is_not_there_is_told_when_it_is_cooked() {
    let town = TestTown::new();
    let patrol = |role: &str, run: &str| {
        let text = format!(
            "formula = \"p\"\ntype = \"patrol\"\n[patrol]\nrole = \"{role}\"\nevery = \"1h\"\ndigest = \"nothing\"\n\
             [[steps]]\nid = \"a\"\nrun = \"{run}\"\n"
        );
        write(&town.root.join(".beads/formulas/p.formula.toml"), &text);
        town.bd(&["cook", "p", "--dry-run"]).fails()
    };
    let said = patrol("deacn", "pack-ledger");
    assert!(said.contains("p.formula.toml:4:8") && said.contains("did you mean `deacon`?"), "{said}");
    let said = patrol("deacon", "pack-leger");
    assert!(said.contains("p.formula.toml:9:7") && said.contains("did you mean `pack-ledger`?"), "{said}");
    assert!(said.contains("the role `deacon` has no function `nothing`"), "{said}");
}

#[test]
fn what_a_rigs_repository_keeps_is_found_from_wherever_work_in_it_is_slung() {
    let town = TestTown::without_rig();
    let kept = "formula = \"kept\"\n[[steps]]\nid = \"only\"\ntitle = \"Kept in the repository\"\n";
    let more = "formula = \"shiny\"\n[[steps]]\nid = \"own\"\n";
    let files = [(".beads/formulas/kept.formula.toml", kept), (".beads/formulas/shiny.formula.toml", more)];
    let remote = super::make_remote(&town.sandbox, "kept.git", &files);
    town.gt(&["rig", "add", "app", &remote.display().to_string(), "--prefix", "gt"]).ok();
    let slung = |formula: &str| {
        let id = town.bead(formula);
        town.gt(&["sling", &id, "app", "--formula", formula, "--no-start"]).ok();
        let root = town.show(&id)["metadata"]["molecule"].as_str().expect("a molecule").to_owned();
        town.show(&format!("{root}.1"))["title"].clone()
    };
    assert_eq!(slung("kept"), "Kept in the repository");
    assert_eq!(slung("shiny"), "own", "it is nearer than the built-in one");
    let said = town.sandbox.bd(&town.root.join("app"), &["formula", "show", "kept"]).ok();
    assert!(said.contains("Kept in the repository"), "{said}");
    let unknown = town.gt(&["sling", &town.bead("x"), "app", "--formula", "kepd"]).fails();
    assert!(unknown.contains("did you mean `kept`?"), "{unknown}");
}

#[test]
fn a_molecule_behind_an_opened_gate_is_free_unless_it_is_worked_for_a_bead_on_a_hook() {
    let town = TestTown::new();
    let text = "formula = \"gated\"\n[[steps]]\nid = \"a\"\ngate = { type = \"human\" }\n[[steps]]\nid = \"b\"\nneeds = [\"a\"]\n";
    write(&town.root.join(".beads/formulas/gated.formula.toml"), text);
    let id = town.bead("behind a gate");
    let poured = town.bd(&["mol", "pour", "gated", "-q"]).ok();
    town.gt(&["sling", &id, "app", "--formula", "gated", "--no-start"]).ok();
    let gates = town.bd(&["gate", "list", "--json"]).json();
    let gates: Vec<&str> = gates.as_array().expect("gates").iter().filter_map(|gate| gate["id"].as_str()).collect();
    assert_eq!(gates.len(), 2, "{gates:?}");
    for gate in gates {
        town.bd(&["gate", "resolve", gate]).ok();
    }
    let free = town.bd(&["mol", "ready", "--gated", "--json"]).json();
    let free: Vec<&str> =
        free["molecules"].as_array().expect("molecules").iter().filter_map(|m| m["molecule_id"].as_str()).collect();
    assert_eq!(free, [poured]);
}
