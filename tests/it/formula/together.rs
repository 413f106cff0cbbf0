//! Several at one molecule, and several molecules together: who goes on with what, and what waits for what.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::Sandbox;

/// A repository with these formulas, name and text.
fn repo(formulas: &[(&str, &str)]) -> (Sandbox, PathBuf) {
    let (sandbox, repo) = super::molecules::repo();
    let folder = repo.join(".beads/formulas");
    std::fs::create_dir_all(&folder).expect("folder");
    for (name, steps) in formulas {
        let text = format!("formula = \"{name}\"\n{steps}");
        std::fs::write(folder.join(format!("{name}.formula.toml")), text).expect("written");
    }
    (sandbox, repo)
}

/// Closes a step as `who` and goes on; gives the step that is taken up.
fn goes_on(sandbox: &Sandbox, repo: &Path, who: &str, step: &str, more: &[&str]) -> Option<Value> {
    let args = [&["--actor", who, "close", step, "--continue", "--json"], more].concat();
    sandbox.bd(repo, &args).json()["continue"].get("next_step").cloned()
}

/// The id, status and assignee.
fn stands(bead: &Value) -> (&str, &str, &str) {
    let text = |key: &str| bead[key].as_str().unwrap_or_default();
    (text("id"), text("status"), text("assignee"))
}

fn shown(sandbox: &Sandbox, repo: &Path, id: &str) -> Value {
    sandbox.bd(repo, &["show", id, "--json"]).json()[0].clone()
}

const THREE: &str = "[[steps]]\nid = \"a\"\n[[steps]]\nid = \"b\"\n[[steps]]\nid = \"c\"\n";

#[test]
fn who_goes_on_takes_what_nobody_has_and_leaves_others_theirs() {
    let zoe = format!("{THREE}[[steps]]\nid = \"d\"\nassignee = \"zoe\"\n");
    let (sandbox, repo) = repo(&[("f", &zoe)]);
    let root = sandbox.bd(&repo, &["mol", "pour", "f", "-q"]).ok();
    let [a, b, c, d] = ["1", "2", "3", "4"].map(|n| format!("{root}.{n}"));
    sandbox.bd(&repo, &["--actor", "ann", "update", &a, "--claim"]).ok();
    sandbox.bd(&repo, &["--actor", "bob", "update", &b, "--claim"]).ok();
    let said = goes_on(&sandbox, &repo, "ann", &a, &["--no-auto"]).expect("a step");
    assert_eq!(stands(&said), (c.as_str(), "open", ""), "only said");
    // She asks again, as one that has lost the answer.
    let next = goes_on(&sandbox, &repo, "ann", &a, &[]).expect("a step");
    assert_eq!(stands(&next), (c.as_str(), "in_progress", "ann"));
    assert_eq!(stands(&shown(&sandbox, &repo, &b)), (b.as_str(), "in_progress", "bob"));
    assert_eq!(goes_on(&sandbox, &repo, "bob", &b, &[]), None, "the rest is ann's and zoe's");
    let again = goes_on(&sandbox, &repo, "ann", &a, &[]).expect("a step");
    assert_eq!(stands(&again), (c.as_str(), "in_progress", "ann"), "her own is taken up again");
    let last = goes_on(&sandbox, &repo, "zoe", &c, &[]).expect("a step");
    assert_eq!(stands(&last), (d.as_str(), "in_progress", "zoe"));
}

#[test]
fn workers_who_go_on_at_once_get_a_step_each() {
    let steps: String = (0..8).map(|n| format!("[[steps]]\nid = \"s{n}\"\n")).collect();
    let (sandbox, repo) = repo(&[("f", &steps)]);
    let root = sandbox.bd(&repo, &["mol", "pour", "f", "-q"]).ok();
    let next: Vec<Value> = std::thread::scope(|scope| {
        let one = |n: usize| {
            let (sandbox, repo, step) = (&sandbox, &repo, format!("{root}.{n}"));
            scope.spawn(move || goes_on(sandbox, repo, &format!("w{n}"), &step, &[]).expect("a step"))
        };
        let all: Vec<_> = (1..=4).map(one).collect();
        all.into_iter().map(|one| one.join().expect("closes")).collect()
    });
    let ids: std::collections::BTreeSet<_> = next.iter().map(|step| stands(step).0).collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
    for step in &next {
        let now = shown(&sandbox, &repo, stands(step).0);
        assert!(now["status"] == "closed" || stands(&now) == stands(step), "{now} is no longer {step}");
    }
}

/// Closes one step after the other, as `ann`, until none can be taken up.
fn works_through(sandbox: &Sandbox, repo: &Path, first: &str) {
    let mut step = first.to_owned();
    while let Some(next) = goes_on(sandbox, repo, "ann", &step, &[]) {
        stands(&next).0.clone_into(&mut step);
    }
}

/// The names of the steps of a molecule that could be begun.
fn free(sandbox: &Sandbox, repo: &Path, root: &str) -> Vec<String> {
    let ready = sandbox.bd(repo, &["ready", "--mol", root, "--json"]).json();
    let steps = ready.as_array().expect("beads").clone();
    let name = |step: &Value| step["metadata"]["step"].as_str().unwrap_or_default().to_owned();
    steps.iter().map(name).filter(|name| !name.is_empty()).collect()
}

/// Pours or bonds; the bead of `formula` in what came of it.
fn made(sandbox: &Sandbox, repo: &Path, args: &[&str], formula: &str) -> String {
    let came = sandbox.bd(repo, &[args, &["--json"]].concat()).json();
    let id = came["id_mapping"].get(formula).or_else(|| came.get("new_epic_id")).expect("an id");
    id.as_str().expect("a text").to_owned()
}

const CHAIN: &str = "[[steps]]\nid = \"a\"\n[[steps]]\nid = \"b\"\nneeds = [\"a\"]\n\
    [[compose.bond_points]]\nid = \"aftera\"\nafter_step = \"a\"\n";
const FANS: &str = "[[steps]]\nid = \"a\"\n[steps.on_complete]\nfor_each = \"output.xs\"\nbond = \"two\"\n";
const TWO: &str = "[[steps]]\nid = \"x\"\n[[steps]]\nid = \"y\"\nneeds = [\"x\"]\n";

#[test]
fn what_is_bonded_after_a_molecule_goes_on_when_its_last_step_is_closed() {
    let (sandbox, repo) = repo(&[("f", CHAIN), ("two", TWO)]);
    let pour = |name: &str| made(&sandbox, &repo, &["mol", "pour", name], name);
    let alone = pour("f");
    works_through(&sandbox, &repo, &format!("{alone}.1"));
    assert_eq!(shown(&sandbox, &repo, &alone)["status"], "open", "nothing waits for it");
    let first = pour("f");
    let second = made(&sandbox, &repo, &["mol", "bond", &first, "two"], "two");
    let case = made(&sandbox, &repo, &["mol", "bond", &first, "two", "--type", "conditional"], "two");
    assert_eq!(free(&sandbox, &repo, &second), Vec::<String>::new());
    works_through(&sandbox, &repo, &format!("{first}.1"));
    assert_eq!(shown(&sandbox, &repo, &first)["close_reason"], "all its steps are closed");
    assert_eq!(free(&sandbox, &repo, &second), ["x"]);
    assert_eq!(free(&sandbox, &repo, &case), Vec::<String>::new(), "nothing has failed");
    // One after what is done begins at once.
    let late = made(&sandbox, &repo, &["mol", "bond", &alone, "two"], "two");
    assert_eq!(free(&sandbox, &repo, &late), ["x"]);
    let fails = pour("f");
    let case = made(&sandbox, &repo, &["mol", "bond", &fails, "two", "--type", "conditional"], "two");
    sandbox.bd(&repo, &["close", &format!("{fails}.1"), "--reason", "failed: no idea"]).ok();
    sandbox.bd(&repo, &["close", &format!("{fails}.2")]).ok();
    assert_eq!(shown(&sandbox, &repo, &fails)["close_reason"], format!("failed: {fails}.1"));
    assert_eq!(free(&sandbox, &repo, &case), ["x"]);
}

#[test]
fn the_second_part_of_a_compound_runs_if_a_step_of_the_first_fails() {
    let (sandbox, repo) = repo(&[("one", TWO), ("two", TWO)]);
    let bonded = ["mol", "bond", "one", "two", "--type", "conditional"];
    let proto = sandbox.bd(&repo, &[&bonded[..], &["--json"]].concat()).json()["result_id"].clone();
    for pour in [&[&bonded[..], &["--pour"]].concat()[..], &["mol", "pour", proto.as_str().expect("an id")]] {
        for (reason, runs) in [("failed: boom", true), ("done", false)] {
            let poured = sandbox.bd(&repo, &[pour, &["--json"]].concat()).json();
            let root = poured.get("result_id").or_else(|| poured.get("new_epic_id")).expect("an id");
            let root = root.as_str().expect("an id");
            sandbox.bd(&repo, &["close", &format!("{root}.1.1"), "-r", reason]).ok();
            sandbox.bd(&repo, &["close", &format!("{root}.1.2")]).ok();
            let why = if runs { format!("failed: {root}.1.1") } else { "all its steps are closed".to_owned() };
            assert_eq!(shown(&sandbox, &repo, &format!("{root}.1"))["close_reason"], why);
            assert_eq!(free(&sandbox, &repo, root), if runs { &["x"][..] } else { &[] });
            let second = shown(&sandbox, &repo, &format!("{root}.2"));
            let why = if runs { Value::Null } else { json!(format!("not needed: {root}.1 went well")) };
            assert_eq!(second["close_reason"], why, "nothing of the compound is left open");
            let progress = sandbox.bd(&repo, &["mol", "progress", root, "--json"]).json();
            assert_eq!(progress["total"].as_u64() == progress["completed"].as_u64(), !runs, "{progress}");
        }
    }
}

#[test]
fn who_goes_on_goes_in_and_out_of_what_hangs_in_the_molecule() {
    let fans = format!("{FANS}[[steps]]\nid = \"last\"\nneeds = [\"a\"]\nwaits_for = \"children-of(a)\"\n");
    let (sandbox, repo) = repo(&[("fans", &fans), ("two", TWO)]);
    let came = |root: &str, mut step: String| {
        let mut came = Vec::new();
        loop {
            let went = sandbox.bd(&repo, &["close", &step, "--continue", "--json"]).json()["continue"].clone();
            let next = went["next_step"]["id"].as_str().map(str::to_owned);
            assert_eq!((&went["molecule_id"], &went["molecule_complete"]), (&json!(root), &json!(next.is_none())));
            let Some(next) = next else { return came };
            came.push(next.strip_prefix(root).unwrap_or(&next).to_owned());
            step = next;
        }
    };
    for (how, order) in [("sequential", [".1.2", ".2.1", ".2.2"]), ("parallel", [".1.2", ".2.1", ".2.2"])] {
        let bonded = sandbox.bd(&repo, &["mol", "bond", "two", "two", "--type", how, "--pour", "--json"]).json();
        let root = bonded["result_id"].as_str().expect("an id");
        assert_eq!(came(root, format!("{root}.1.1")), order, "{how}");
    }
    let root = made(&sandbox, &repo, &["mol", "pour", "fans"], "fans");
    sandbox.bd(&repo, &["update", &format!("{root}.1"), "--meta", r#"output={"xs":["u","w"]}"#]).ok();
    assert_eq!(came(&root, format!("{root}.1")).len(), 5, "two of each item, and the last");
}

#[test]
fn molecules_at_one_bond_point_are_side_by_side_and_the_step_after_it_waits_for_both() {
    let (sandbox, repo) = repo(&[("f", CHAIN), ("two", TWO)]);
    let root = made(&sandbox, &repo, &["mol", "pour", "f"], "f");
    let at = |more: &[&str]| {
        made(&sandbox, &repo, &[&["mol", "bond", &root, "two", "--at", "aftera"], more].concat(), "two")
    };
    let (one, other) = (at(&[]), at(&[]));
    let (case, part) = (at(&["--type", "conditional"]), at(&["--type", "parallel"]));
    sandbox.bd(&repo, &["close", &format!("{root}.1")]).ok();
    for (bonded, ready) in [(&one, 1), (&other, 1), (&case, 0), (&part, 1)] {
        assert_eq!(free(&sandbox, &repo, bonded).len(), ready, "{bonded}");
    }
    works_through(&sandbox, &repo, &format!("{one}.1"));
    let last = format!("{root}.2");
    assert!(!free(&sandbox, &repo, &root).contains(&"b".to_owned()), "{last} waits for the other one");
    works_through(&sandbox, &repo, &format!("{other}.1"));
    assert!(free(&sandbox, &repo, &root).contains(&"b".to_owned()), "{last} waits for no case and no part");
    assert_eq!(sandbox.bd(&repo, &["mol", "progress", &root, "--json"]).json()["total"], 4, "the part counts");
    let failed = made(&sandbox, &repo, &["mol", "pour", "f"], "f");
    let case =
        made(&sandbox, &repo, &["mol", "bond", &failed, "two", "--at", "aftera", "--type", "conditional"], "two");
    sandbox.bd(&repo, &["close", &format!("{failed}.1"), "--reason", "failed: no idea"]).ok();
    assert_eq!(free(&sandbox, &repo, &case), ["x"]);
}

#[test]
fn what_is_put_after_a_loop_waits_for_the_round_that_runs_and_those_that_come() {
    let looped = "[[steps]]\nid = \"l\"\n[steps.loop]\nuntil = \"b.output.ok == 'y'\"\nmax = 3\n[[steps.loop.body]]\n\
        id = \"b\"\n[[steps]]\nid = \"e\"\nneeds = [\"l\"]\n[[compose.bond_points]]\nid = \"p\"\nafter_step = \"l\"\n";
    let (sandbox, repo) = repo(&[("f", looped), ("two", TWO)]);
    let root = made(&sandbox, &repo, &["mol", "pour", "f"], "f");
    let mut bonded = Vec::new();
    for n in 1..=3 {
        bonded.push(made(&sandbox, &repo, &["mol", "bond", &root, "two", "--at", "p"], "two"));
        assert_eq!(free(&sandbox, &repo, &root), [format!("l.iter{n}.b")]);
        let ready = sandbox.bd(&repo, &["ready", "--mol", &root, "--json"]).json();
        sandbox.bd(&repo, &["close", ready[0]["id"].as_str().expect("an id")]).ok();
    }
    for one in &bonded {
        assert_eq!(free(&sandbox, &repo, one), ["x"]);
        works_through(&sandbox, &repo, &format!("{one}.1"));
    }
    assert_eq!(free(&sandbox, &repo, &root), ["e"]);
}

#[test]
fn a_rehearsed_pour_lists_what_the_real_one_makes() {
    let steps = "[vars]\nfast = \"yes\"\n[[steps]]\nid = \"a\"\n[[steps]]\nid = \"b\"\ncondition = \"!{{fast}}\"\n";
    let (sandbox, repo) = repo(&[("f", steps)]);
    for verb in ["pour", "wisp"] {
        let told = sandbox.bd(&repo, &["mol", verb, "f", "--dry-run"]).ok();
        assert!(told.contains("1 step)\n  a: a\n  left out, for their condition does not hold: b"), "{told}");
        let value = sandbox.bd(&repo, &["mol", verb, "f", "--dry-run", "--json"]).json();
        assert_eq!((value[0]["steps"].as_array().map(Vec::len), &value[0]["skipped"][0]), (Some(1), &"b".into()));
        let both = sandbox.bd(&repo, &["mol", verb, "f", "--dry-run", "--var", "fast=no"]).ok();
        assert!(both.contains("2 steps)\n  a: a\n  b: b"), "{both}");
    }
}

#[test]
fn a_fan_out_that_leaves_work_out_is_told_by_whoever_closes_the_step() {
    let survey = "[[steps]]\nid = \"survey\"\n[steps.on_complete]\nfor_each = \"output.files\"\nbond = \"look\"\n\
        vars = { path = \"{item.path}\" }\n";
    let look = "[vars.path]\nrequired = true\n[[steps]]\nid = \"look\"\ntitle = \"look at {{path}}\"\n";
    let (sandbox, repo) = repo(&[("f", survey), ("look", look)]);
    for more in [&["--json"] as &[&str], &["--continue", "--quiet"], &["--continue", "--json"]] {
        let root = sandbox.bd(&repo, &["mol", "pour", "f", "-q"]).ok();
        let step = format!("{root}.1");
        sandbox.bd(&repo, &["update", &step, "--meta", r#"output={"files":[{"path":"a"},{"name":"b"}]}"#]).ok();
        let came = sandbox.bd(&repo, &[&["close", &step], more].concat());
        assert_eq!(came.code, 0, "{}", came.stderr);
        let warning = format!("warning: not all that {step} asks for was poured: item 1: the item has no `path`");
        assert!(came.stderr.contains(&warning), "{more:?}: {}", came.stderr);
        if more.contains(&"--json") {
            assert!(came.stdout.contains("on_complete_failures"), "{more:?}: {}", came.stdout);
        }
        let titles = sandbox.bd(&repo, &["list", "--parent", &step, "--all", "--json"]).json().to_string();
        assert!(!titles.contains("{item.path}"), "{titles}");
    }
}

#[test]
fn the_page_of_the_current_step_has_the_steps_that_were_asked_for() {
    let (sandbox, repo) = repo(&[("f", THREE)]);
    let root = sandbox.bd(&repo, &["mol", "pour", "f", "-q"]).ok();
    let page = |more: &[&str]| sandbox.bd(&repo, &[&["mol", "current", &root], more].concat()).ok();
    let has = |text: &str, steps: [bool; 3]| {
        let there = ["1", "2", "3"].map(|n| text.contains(&format!("{root}.{n} ")));
        assert_eq!(there, steps, "{text}");
    };
    has(&page(&[]), [true, true, true]);
    has(&page(&["--limit", "1"]), [true, false, false]);
    has(&page(&["--range", "2-3"]), [false, true, true]);
    assert!(page(&["--range", "2-3"]).contains("… steps 2 to 3"));
    has(&page(&["--range", "7-9"]), [false, false, false]);
}

#[test]
fn what_is_distilled_keeps_gates_waits_metadata_and_whom_a_step_is_meant_for() {
    let steps = r#"[[steps]]
id = "build"
assignee = "zoe"
[steps.gate]
type = "timer"
timeout = "90m"
[steps.metadata]
where = "rig-7"
sizes = [1, 2]

[[steps]]
id = "approve"
needs = ["build"]
[steps.gate]
type = "human"

[[steps]]
id = "checked"
needs = ["approve"]
waits_for = "children-of(build)"
[steps.gate]
type = "gh:run"
id = "release.yml"

[[steps]]
id = "merged"
needs = ["checked", "build"]
waits_for = "any-children"
[steps.gate]
type = "gh:pr"
id = "12"
timeout = "30s"
"#;
    let (sandbox, repo) = repo(&[("f", steps)]);
    let root = sandbox.bd(&repo, &["mol", "pour", "f", "-q"]).ok();
    let cooked = sandbox.bd(&repo, &["mol", "show", &root, "--json"]).json();
    let steps = cooked["issues"].as_array().expect("beads").iter();
    let approve = steps.clone().find(|bead| bead["metadata"]["step"] == "approve").expect("a step");
    let id = approve["id"].as_str().expect("an id");
    sandbox.bd(&repo, &["--actor", "ann", "update", id, "--status", "in_progress", "--assignee", "ann"]).ok();
    let text = sandbox.bd(&repo, &["mol", "distill", &root, "again", "--var", "worker=zoe", "--dry-run"]).ok();
    let kept = [
        "assignee = \"{{worker}}\"",
        "type = \"timer\"",
        "timeout = \"90m\"",
        "where = \"rig-7\"",
        "type = \"human\"",
        "waits_for = \"children-of(build)\"",
        "type = \"gh:run\"",
        "id = \"release.yml\"",
        "waits_for = \"any-children\"",
        "type = \"gh:pr\"",
        "id = \"12\"",
        "timeout = \"30s\"",
    ];
    let lost: Vec<&str> = kept.into_iter().filter(|part| !text.contains(part)).collect();
    assert!(lost.is_empty() && !text.contains("ann"), "{lost:?} in {text}");
    sandbox.bd(&repo, &["mol", "distill", &root, "again", "--var", "worker=zoe"]).ok();
    sandbox.bd(&repo, &["formula", "check", "again"]).ok();
    let poured = sandbox.bd(&repo, &["mol", "pour", "again", "-q"]).ok();
    let text = |root: &str| sandbox.bd(&repo, &["mol", "distill", root, "again", "--dry-run"]).ok();
    assert_eq!(text(&poured), text(&root), "it is the same again");
}

#[test]
fn what_waits_for_a_molecule_and_its_digest_come_after_the_fan_out_of_its_last_step() {
    let squash = format!("[squash]\ntrigger = \"on_complete\"\n{FANS}");
    let (sandbox, repo) = repo(&[("fans", &squash), ("two", TWO)]);
    let digests = || {
        let found = sandbox.bd(&repo, &["list", "--all", "--label", "digest", "--json"]).json();
        found.as_array().expect("beads").clone()
    };
    for go_on in [false, true] {
        let before = digests().len();
        let root = made(&sandbox, &repo, &["mol", "pour", "fans"], "fans");
        let after = made(&sandbox, &repo, &["mol", "bond", &root, "two"], "two");
        sandbox.bd(&repo, &["update", &format!("{root}.1"), "--meta", r#"output={"xs":["u","w"]}"#]).ok();
        let mut open = vec![format!("{root}.1")];
        while let Some(step) = open.pop() {
            assert_eq!((digests().len(), free(&sandbox, &repo, &after)), (before, Vec::new()), "{step} is open");
            let close = ["close", &step, "--continue", "--no-auto"];
            sandbox.bd(&repo, if go_on { &close } else { &close[..2] }).ok();
            let ready = sandbox.bd(&repo, &["mol", "ready", &root, "--json"]).json()["steps"].clone();
            let id = |one: &Value| one["issue"]["id"].as_str().expect("an id").to_owned();
            open = ready.as_array().expect("steps").iter().map(id).collect();
        }
        assert_eq!((digests().len(), free(&sandbox, &repo, &after)), (before + 1, vec!["x".to_owned()]));
        let own = digests().into_iter().find(|one| one["metadata"]["molecule"] == root.as_str()).expect("its own");
        let text = own["description"].as_str().expect("a text");
        assert!(text.contains("5/5"), "{text}");
    }
}

#[test]
fn two_formulas_are_bonded_to_one_protomolecule_that_is_poured_as_often_as_wanted() {
    let text = "[vars.who]\nrequired = true\n[[steps]]\nid = \"a\"\ntitle = \"a {{who}}\"\n";
    let (sandbox, repo) = repo(&[("one", text), ("two", &text.replace('a', "b").replace("vbrs", "vars"))]);
    let count = || sandbox.bd(&repo, &["count"]).ok();
    let before = count();
    let bonded = sandbox.bd(&repo, &["mol", "bond", "one", "two", "--as", "Both of them", "--json"]).json();
    let proto = bonded["result_id"].as_str().expect("an id").to_owned();
    assert_eq!((&bonded["result_type"], proto.starts_with("proto-")), (&json!("compound_proto"), true), "{bonded}");
    assert_eq!(count(), before, "nothing is poured");
    let again = sandbox.bd(&repo, &["mol", "bond", "one", "two", "--as", "Both of them", "--json"]).json();
    assert_eq!(again["result_id"], proto, "the same ones are the same one");
    let missing = sandbox.bd(&repo, &["mol", "pour", &proto]).fails();
    assert!(missing.contains("missing required variables: who"), "{missing}");
    let poured = sandbox.bd(&repo, &["mol", "pour", &proto, "--var", "who=ann", "--json"]).json();
    let root = poured["new_epic_id"].as_str().expect("an id").to_owned();
    let shown = sandbox.bd(&repo, &["show", &root, "--json"]).json();
    assert_eq!((&shown[0]["title"], &shown[0]["issue_type"]), (&json!("Both of them"), &json!("molecule")));
    assert_eq!(shown[0]["bonded_from"][1]["bond_type"], "sequential");
    let next = || {
        let current = sandbox.bd(&repo, &["mol", "current", &root, "--json"]).json();
        current[0]["current_step"]["title"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(next(), "a ann");
    let step = |name: &str| poured["id_mapping"][format!("Both of them.{name}")].as_str().expect("a step").to_owned();
    sandbox.bd(&repo, &["close", &step("one.a")]).ok();
    assert_eq!(next(), "b ann", "the second goes on after the first");
    let current = |who: &str| sandbox.bd(&repo, &["--actor", who, "mol", "current"]).ok();
    assert_eq!(current("zoe"), "zoe works on no molecule");
    sandbox.bd(&repo, &["--actor", "zoe", "update", &step("two.b"), "--claim"]).ok();
    assert!(current("zoe").starts_with(&format!("{root}  Both of them  1/2")), "{}", current("zoe"));
    let told = sandbox.bd(&repo, &["mol", "pour", &proto, "--var", "who=ann"]).ok();
    assert!(told.contains("(2 steps)"), "{told}");
    // Poured at once, and bonded further.
    let now = sandbox.bd(&repo, &["mol", "bond", &proto, "one", "--ephemeral", "--var", "who=x", "--json"]).json();
    assert_eq!((&now["result_type"], &now["spawned"]), (&json!("compound_molecule"), &json!(8)), "{now}");
    for wrong in [
        &["mol", "bond", "one", "two", "--at", "x"][..],
        &["mol", "bond", "one", "two", "--ref", "x"],
        &["mol", "bond", &root, "two", "--as", "x", "--var", "who=x"],
    ] {
        sandbox.bd(&repo, wrong).fails();
    }
}

#[test]
fn what_is_bonded_to_a_molecule_is_called_as_it_is_told() {
    let text = "[vars.n]\nrequired = true\n[[steps]]\nid = \"look\"\ngate = { type = \"human\" }\n\
        [[steps]]\nid = \"g\"\n[[steps.children]]\nid = \"deep\"\n";
    let (sandbox, repo) = repo(&[("arm", text)]);
    let root = sandbox.bd(&repo, &["mol", "pour", "shiny", "--var", "feature=x", "-q"]).ok();
    let arm = |name: &str| {
        let bond = ["mol", "bond", &root, "arm", "--ref", "arm-{{n}}", "--var", &format!("n={name}"), "--json"];
        sandbox.bd(&repo, &bond)
    };
    for name in ["ace", "bee"] {
        let mapping = arm(name).json()["id_mapping"].clone();
        for (step, id) in [("arm", ""), ("arm.look", ".look"), ("arm.gate-look", ".gate-look"), ("arm.deep", ".deep")] {
            assert_eq!(mapping[step], format!("{root}.arm-{name}{id}"), "{mapping}");
        }
    }
    let told = sandbox.bd(&repo, &["mol", "pour", "arm", "--var", "n=x"]).ok();
    assert!(told.contains("(3 steps)") && told.contains("gate-look"), "{told}");
    let twice = sandbox.bd(&repo, &["mol", "bond", &root, "arm", "--ref", "arm-ace", "--var", "n=x"]).fails();
    assert!(twice.contains("arm-ace"), "{twice}");
    let shown = sandbox.bd(&repo, &["show", &format!("{root}.arm-bee.deep"), "--json"]).json();
    assert_eq!(shown[0]["parent"], format!("{root}.arm-bee.g"));
    for reference in ["a b", "arm-{{m}}", ""] {
        let said = sandbox.bd(&repo, &["mol", "bond", &root, "arm", "--ref", reference, "--var", "n=x"]).fails();
        assert!(said.contains(reference), "{said}");
    }
}

#[test]
fn a_formula_is_bonded_to_the_molecule_that_lives_whichever_is_named_first() {
    let (sandbox, repo) = repo(&[("f", CHAIN), ("two", TWO)]);
    let root = made(&sandbox, &repo, &["mol", "pour", "f"], "f");
    let bonded = sandbox.bd(&repo, &["mol", "bond", "two", &root, "--json"]).json();
    assert_eq!(bonded["result_id"], json!(root));
    assert_eq!(free(&sandbox, &repo, &root), ["a"]);
    assert_eq!(free(&sandbox, &repo, bonded["id_mapping"]["two"].as_str().expect("an id")), Vec::<String>::new());
    let at_point = sandbox.bd(&repo, &["mol", "bond", "two", &root, "--at", "aftera", "--json"]).json();
    assert_eq!(at_point["result_id"], json!(root));
}

#[test]
fn a_protomolecule_with_values_is_poured_with_these_and_no_others() {
    let text = "vars.env = \"dev\"\n[[steps]]\nid = \"a\"\ntitle = \"Deploy to {{env}}\"\nlabels = [\"env:{{env}}\"]\n\
        assignee = \"{{env}}-bot\"\n[[steps]]\nid = \"check\"\ncondition = \"{{env}} == prod\"\n";
    let (sandbox, repo) = repo(&[("f", text)]);
    let cooked = sandbox.bd(&repo, &["cook", "f", "--var", "env=prod", "--json"]).json();
    assert_eq!(
        (&cooked["steps"][0]["labels"], &cooked["steps"][0]["assignee"]),
        (&json!(["env:prod"]), &json!("prod-bot"))
    );
    let proto = cooked["proto_id"].as_str().expect("an id");
    let poured = sandbox.bd(&repo, &["mol", "pour", proto, "--json"]).json();
    let step = shown(&sandbox, &repo, poured["id_mapping"]["f.a"].as_str().expect("an id"));
    assert_eq!((&step["title"], &step["labels"]), (&json!("Deploy to prod"), &json!(["env:prod"])));
    assert!(poured["id_mapping"].get("f.check").is_some(), "{poured}");
    let other = sandbox.bd(&repo, &["mol", "pour", proto, "--var", "env=test"]).fails();
    assert!(other.contains("env") && other.contains("it was cooked with `prod`"), "{other}");
    assert!(other.contains("leave --var env out"), "{other}");
    // What both have for ever is no other in a compound of the two.
    let compound = sandbox.bd(&repo, &["mol", "bond", proto, proto, "--as", "same", "--json"]).json();
    let compound = compound["result_id"].as_str().expect("an id");
    let other = sandbox.bd(&repo, &["mol", "pour", compound, "--var", "env=test"]).fails();
    assert!(other.contains("it was cooked with `prod`"), "{other}");
    // What one of them has for ever is nothing to another that is bonded to both later.
    let open = "formula = \"g\"\nvars.env = \"dev\"\n[[steps]]\nid = \"x\"\ntitle = \"In {{env}}\"\n";
    std::fs::write(repo.join(".beads/formulas/g.formula.toml"), open).expect("written");
    let whole = sandbox.bd(&repo, &["mol", "bond", compound, "g", "--pour", "--json"]).json();
    let last = format!("{}.2.1", whole["result_id"].as_str().expect("an id"));
    assert_eq!(shown(&sandbox, &repo, &last)["title"], "In dev");
    // Two of them are one, each with its own.
    let second = sandbox.bd(&repo, &["cook", "f", "--var", "env=test", "--json"]).json();
    let second = second["proto_id"].as_str().expect("an id");
    let both = sandbox.bd(&repo, &["mol", "bond", proto, second, "--pour", "--json"]).json();
    let root = both["result_id"].as_str().expect("an id");
    let labels = |part: &str| shown(&sandbox, &repo, &format!("{root}.{part}.1"))["labels"].clone();
    assert_eq!((labels("1"), labels("2")), (json!(["env:prod"]), json!(["env:test"])));
}

#[test]
fn what_is_put_before_a_loop_holds_all_that_begins_it() {
    let looped = "[[steps]]\nid = \"a\"\n[[steps]]\nid = \"l\"\nneeds = [\"a\"]\n\
        loop = { count = 2, body = [{ id = \"p\" }, { id = \"q\" }] }\n\
        [[compose.bond_points]]\nid = \"pre\"\nbefore_step = \"l\"\n";
    let (sandbox, repo) = repo(&[("f", looped), ("two", TWO)]);
    let root = made(&sandbox, &repo, &["mol", "pour", "f"], "f");
    let bonded = made(&sandbox, &repo, &["mol", "bond", &root, "two", "--at", "pre"], "two");
    sandbox.bd(&repo, &["close", &format!("{root}.1")]).ok();
    assert_eq!(free(&sandbox, &repo, &root), Vec::<String>::new(), "no step of the loop");
    works_through(&sandbox, &repo, &format!("{bonded}.1"));
    assert_eq!(free(&sandbox, &repo, &root), ["l.iter1.p", "l.iter1.q"]);
}

#[test]
fn the_name_of_a_formula_is_not_taken_for_the_end_of_an_id() {
    let (sandbox, repo) = repo(&[("f", CHAIN), ("two", TWO)]);
    let root = made(&sandbox, &repo, &["mol", "pour", "f"], "f");
    let short = root.strip_prefix("tt-").expect("its prefix");
    std::fs::write(repo.join(format!(".beads/formulas/{short}.formula.toml")), format!("formula = \"{short}\"\n{TWO}"))
        .expect("a formula");
    let bonded = sandbox.bd(&repo, &["mol", "bond", &root, short, "--json"]).json();
    assert_eq!((&bonded["result_id"], &bonded["spawned"]), (&json!(root), &json!(3)), "{bonded}");
}
