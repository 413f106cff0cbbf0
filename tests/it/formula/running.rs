//! What happens while a molecule runs: fan-out over a step's output, loops that go on until a condition holds.

use std::fmt::Write as _;

use gastown::base::{BeadId, Prefix, Time};
use gastown::formula::{Mode, NoAspects, Options, Proto, Vars, compile, cook};
use gastown::molecule::{self, Advance, Advanced, MoleculeError, PourOpts};
use gastown::store::{Close, IssueType, Patch, Stamp, Store};
use serde_json::{Value, json};

use super::library;

/// A store with one molecule in it.
pub(super) struct Run {
    _dir: tempfile::TempDir,
    pub(super) store: Store,
    pub(super) root: BeadId,
    ms: i64,
}

impl Run {
    pub(super) fn new(proto: &Proto) -> Self {
        Self::with(proto, &Vars::new())
    }

    pub(super) fn with(proto: &Proto, vars: &Vars) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let beads = dir.path().join(".beads");
        let mut store = Store::create(&beads, &Prefix::new("tt").expect("a prefix"), at(0).now).expect("a store");
        let root = store
            .write::<_, MoleculeError>(&at(1), |w| {
                molecule::freeze(w, proto)?;
                molecule::pour(w, proto, vars, &PourOpts::default())
            })
            .expect("pours")
            .root;
        Self { _dir: dir, store, root, ms: 1 }
    }

    /// The names of the steps that can be begun, in order.
    pub(super) fn ready(&self) -> Vec<String> {
        let lines = self.store.read(|r| molecule::lines(r, &self.root)).expect("reads");
        let ready = lines.into_iter().filter(|l| {
            let open = !l.issue.is_over();
            let free = self.store.read::<_, MoleculeError>(|r| Ok(!r.is_blocked(&l.issue.id)?)).expect("reads");
            open && free
        });
        ready.map(|l| format!("{}: {}", molecule::step_name(&l.issue).unwrap_or_default(), l.issue.title)).collect()
    }

    /// The one gate that is open.
    pub(super) fn gate(&self) -> gastown::store::Bead {
        let filter = gastown::store::Filter { types: vec![IssueType::GATE], ..gastown::store::Filter::default() };
        let mut gates = self.store.read(|r| r.find(&filter)).expect("reads");
        gates.retain(|gate| !gate.is_over());
        gates.pop().expect("a gate")
    }

    /// Closes the current step, after setting its output.
    pub(super) fn close(&mut self, output: Value) -> Advanced {
        self.ms += 1;
        let root = self.root.clone();
        self.store
            .write::<_, MoleculeError>(&at(self.ms), |w| {
                let step = molecule::current(w, &root)?.expect("a step");
                w.update(&step.id, Patch::default().with_meta("output", output))?;
                molecule::close_step(w, &root, &step.id, Close::because("done"), Advance::default())
            })
            .expect("closes")
    }

    /// Closes the step of that name, after setting its output.
    pub(super) fn close_step(&mut self, name: &str, output: Value) {
        self.close_named(name, output, "done");
    }

    /// Closes the step of that name for a reason.
    pub(super) fn close_step_because(&mut self, name: &str, reason: &str) {
        self.close_named(name, json!({}), reason);
    }

    fn close_named(&mut self, name: &str, output: Value, reason: &str) {
        self.ms += 1;
        let root = self.root.clone();
        let steps = self.store.read(|r| molecule::steps(r, &root)).expect("reads");
        let step = steps.iter().find(|s| molecule::step_name(s) == Some(name)).expect("a step").id.clone();
        self.store
            .write::<_, MoleculeError>(&at(self.ms), |w| {
                w.update(&step, Patch::default().with_meta("output", output))?;
                molecule::close_step(w, &root, &step, Close::because(reason), Advance::default())
            })
            .expect("closes");
    }

    /// Closes all that is left; the names in the order in which they came up.
    pub(super) fn finish(&mut self) -> Vec<String> {
        let mut order = Vec::new();
        while let Some(step) = self.store.read(|r| molecule::current(r, &self.root)).expect("reads") {
            order.push(step.title.clone());
            let _ = self.close(json!({}));
            assert!(order.len() < 100, "it ends");
        }
        order
    }
}

pub(super) fn at(ms: i64) -> Stamp {
    Stamp::new("tester", Time::from_millis(1_700_000_000_000 + ms))
}

const SURVEY: &str = r#"formula = "f"
[[steps]]
id = "survey"
[steps.on_complete]
for_each = "output.files"
bond = "look"
vars = { path = "{item.path}", n = "{index}" }
MODE
[[steps]]
id = "gather"
needs = ["survey"]
waits_for = "children-of(survey)"
"#;

const LOOK: &str = r#"formula = "look"
[vars.path]
required = true
[vars.n]
default = "?"
[[steps]]
id = "read"
title = "Read {{path}} ({{n}})"
[[steps]]
id = "note"
title = "Note on {{path}}"
needs = ["read"]
"#;

fn survey(mode: &str) -> Proto {
    let library = library(&[("f", &SURVEY.replace("MODE", mode)), ("look", LOOK)]);
    cook(&library, "f", &Vars::new()).expect("cooks")
}

#[test]
fn what_a_step_gives_to_its_fan_out_and_the_globs_that_decide_it_are_filled() {
    let text = SURVEY
        .replace("MODE\n", "")
        .replace("\"{index}\"", "\"{{pre}}{index}\"")
        .replace("id = \"gather\"", "id = \"gather\"\nonly_if = { touches = [\"{{pre}}/**\"] }");
    let text = text.replacen("[[steps]]", "[vars.pre]\n[[steps]]", 1);
    let library = library(&[("f", &text), ("look", LOOK)]);
    let given = super::vars(&[("pre", "no ")]);
    let proto = cook(&library, "f", &Vars::new()).expect("cooks");
    let missing = molecule::check(&proto, &Vars::new()).expect_err("it is used").to_string();
    assert!(missing.ends_with("variables: pre"), "{missing}");
    let mut run = Run::with(&proto, &given);
    let _ = run.close(json!({ "files": [{ "path": "a.rs" }] }));
    assert_eq!(run.ready(), ["read: Read a.rs (no 0)"]);
    let steps = run.store.read(|r| molecule::steps(r, &run.root)).expect("reads");
    let globs: Vec<&Value> = steps.iter().filter_map(|s| s.metadata.get("only_if")).collect();
    assert_eq!(globs, [&json!({ "touches": ["no /**"] })]);
    let options = Options { vars: &given, mode: Mode::Runtime, aspects: &NoAspects };
    let proto = compile(&library, "f", options).expect("cooks").proto;
    let (globs, given) = (&proto.steps[1].only_if, &proto.steps[0].on_complete);
    assert_eq!(globs.as_ref().map(|o| o.touches[0].as_str()), Some("no /**"));
    assert_eq!(given.as_ref().map(|o| o.vars["n"].as_str()), Some("no {index}"));
}

#[test]
fn closing_a_step_pours_a_molecule_for_each_item_of_its_output() {
    let mut run = Run::new(&survey("parallel = true"));
    let came = run.close(json!({ "files": [{ "path": "a.rs" }, { "path": "b.rs" }] }));
    assert_eq!(came.next.expect("a step").title, "Read a.rs (0)");
    assert_eq!(run.ready(), ["read: Read a.rs (0)", "read: Read b.rs (1)"], "who gathers waits for all of them");
    assert_eq!(run.finish(), ["Read a.rs (0)", "Note on a.rs", "Read b.rs (1)", "Note on b.rs", "gather"]);
    let progress = run.store.read(|r| molecule::progress(r, &run.root)).expect("reads");
    assert_eq!((progress.total, progress.completed), (6, 6));
    let open = gastown::store::Filter {
        types: vec![IssueType::MOLECULE],
        not_statuses: vec![gastown::store::Status::CLOSED],
        ..Default::default()
    };
    let open = run.store.read::<_, MoleculeError>(|r| Ok(r.find(&open)?)).expect("reads");
    assert_eq!(
        open.into_iter().map(|b| b.id).collect::<Vec<_>>(),
        [run.root.clone()],
        "those for the items are closed"
    );
}

#[test]
fn items_come_one_after_the_other_where_the_formula_says_so() {
    let mut run = Run::new(&survey("sequential = true"));
    let _ = run.close(json!({ "files": [{ "path": "a" }, { "path": "b" }] }));
    assert_eq!(run.ready(), ["read: Read a (0)"]);
    assert_eq!(run.finish(), ["Read a (0)", "Note on a", "Read b (1)", "Note on b", "gather"]);
}

#[test]
fn a_fan_out_that_fails_is_noted_and_the_step_stays_closed() {
    let mut run = Run::new(&survey("parallel = true"));
    let came = run.close(json!({ "files": "none" }));
    assert_eq!(came.next.expect("a step").title, "gather");
    let survey = run.store.read::<_, MoleculeError>(|r| Ok(r.need(&came.closed[0].id)?)).expect("reads");
    let failures = survey.metadata["on_complete_failures"].to_string();
    assert!(survey.is_over() && failures.contains("`output.files` is no list in the metadata of"), "{failures}");

    let strict = LOOK.replace("required = true", "enum = [\"a\"]\nrequired = true");
    let library = library(&[("f", &SURVEY.replace("MODE", "parallel = true")), ("look", &strict)]);
    let mut run = Run::new(&cook(&library, "f", &Vars::new()).expect("cooks"));
    let came = run.close(json!({ "files": [{ "path": "a" }, { "path": "b" }] }));
    let survey = run.store.read::<_, MoleculeError>(|r| Ok(r.need(&came.closed[0].id)?)).expect("reads");
    assert_eq!(
        survey.metadata["on_complete_failures"],
        json!([{ "index": 1, "error": "`b` is no value of variable `path`: it must be one of a" }])
    );
    assert_eq!(run.ready(), ["read: Read a (0)"], "the others are poured");
}

#[test]
fn a_bond_that_cannot_be_cooked_is_a_warning_with_its_place() {
    let library = library(&[("f", &SURVEY.replace("MODE", "parallel = true"))]);
    let options = gastown::formula::Options {
        vars: &Vars::new(),
        mode: gastown::formula::Mode::Compile,
        aspects: &gastown::formula::NoAspects,
    };
    let cooked = gastown::formula::compile(&library, "f", options).expect("cooks");
    let warning = &cooked.warnings.findings[0];
    assert_eq!((warning.code, warning.place().as_deref()), ("bond", Some("town:f.formula.toml:6:8")));
    let own = SURVEY.replace("MODE", "parallel = true").replace("\"look\"", "\"f\"");
    let library = super::library(&[("f", &own)]);
    let cooked = gastown::formula::compile(&library, "f", options).expect("cooks");
    assert!(cooked.warnings.render(false).contains("it bonds itself in the end"));
}

const LOOP: &str = r#"formula = "f"
[[steps]]
id = "start"
[[steps]]
id = "polish"
needs = ["start"]
[steps.loop]
until = "review.output.open == 0"
max = 3
[[steps.loop.body]]
id = "change"
title = "Change it"
[[steps.loop.body]]
id = "review"
needs = ["change"]
labels = ["r"]
[[steps]]
id = "ship"
needs = ["polish"]
"#;

#[test]
fn a_loop_goes_on_until_its_condition_holds() {
    let proto = cook(&library(&[("f", LOOP)]), "f", &Vars::new()).expect("cooks");
    let mut run = Run::new(&proto);
    let mut told = String::new();
    for (n, open) in [(0, 0), (1, 9), (2, 2), (3, 9), (4, 0)] {
        let came = run.close(json!({ "open": open }));
        let next = came.next.as_ref().and_then(molecule::step_name).unwrap_or_default().to_owned();
        let _ = writeln!(told, "{n}: {} -> {next}", molecule::step_name(&came.closed[0]).unwrap_or_default());
    }
    insta::assert_snapshot!(told, @r"
    0: start -> polish.iter1.change
    1: polish.iter1.change -> polish.iter1.review
    2: polish.iter1.review -> polish.iter2.change
    3: polish.iter2.change -> polish.iter2.review
    4: polish.iter2.review -> ship
    ");
    assert_eq!(run.finish(), ["ship"]);
}

#[test]
fn a_loop_ends_after_its_last_round_and_says_so() {
    let proto = cook(&library(&[("f", LOOP)]), "f", &Vars::new()).expect("cooks");
    let mut run = Run::new(&proto);
    assert_eq!(
        run.finish(),
        [
            "start",
            "Change it",
            "polish.iter1.review",
            "Change it",
            "polish.iter2.review",
            "Change it",
            "polish.iter3.review",
            "ship"
        ]
    );
    let steps = run.store.read(|r| molecule::steps(r, &run.root)).expect("reads");
    let ended: Vec<&str> = steps.iter().filter_map(|s| s.meta_str("loop_ended")).collect();
    assert_eq!(ended, ["round 3: review.output.open == 0 did not hold in the last round"]);
    let labels: Vec<_> =
        steps.iter().filter(|s| s.labels.contains(&"r".to_owned())).map(|s| s.title.as_str()).collect();
    assert_eq!(labels, ["polish.iter1.review", "polish.iter2.review", "polish.iter3.review"]);
}

#[test]
fn another_reader_sees_no_moment_in_which_the_loop_seems_over() {
    let proto = cook(&library(&[("f", LOOP)]), "f", &Vars::new()).expect("cooks");
    let mut run = Run::new(&proto);
    for _ in 0..3 {
        let _ = run.close(json!({ "open": 1 }));
        assert!(!run.ready().iter().any(|s| s.starts_with("ship")), "{:?}", run.ready());
    }
}

#[test]
fn what_was_done_once_becomes_a_formula() {
    let sandbox = crate::support::Sandbox::new();
    let repo = sandbox.folder("repo");
    sandbox.git(&repo, &["init", "-q"]).ok();
    sandbox.bd(&repo, &["init", "--prefix", "tt"]).ok();
    let file = |args: &[&str]| sandbox.bd(&repo, &[&["create", "-q"], args].concat()).ok();
    let epic = file(&["Ship release 1.2.0", "-t", "epic"]);
    let notes = file(&["Write notes for 1.2.0", "--parent", &epic, "-p", "1", "-l", "docs"]);
    let tag = file(&["Tag 1.2.0!", "--parent", &epic]);
    sandbox.bd(&repo, &["dep", "add", &tag, &notes]).ok();
    let text = sandbox.bd(&repo, &["mol", "distill", &epic, "release", "--var", "1.2.0=version", "--dry-run"]).ok();
    insta::assert_snapshot!(text, @r#"
    formula = "release"
    description = "Ship release {{version}}"

    [vars]
    version = "1.2.0"

    [[steps]]
    id = "write-notes-for-1-2-0"
    title = "Write notes for {{version}}"
    priority = 1
    labels = ["docs"]

    [[steps]]
    id = "tag-1-2-0"
    title = "Tag {{version}}!"
    needs = ["write-notes-for-1-2-0"]
    "#);
    sandbox.bd(&repo, &["mol", "distill", &epic, "release", "--var", "version=1.2.0"]).ok();
    let poured = sandbox.bd(&repo, &["mol", "pour", "release", "--var", "version=1.3.0", "--json"]).json();
    let first = poured["id_mapping"]["release.write-notes-for-1-2-0"].as_str().expect("a step").to_owned();
    let shown = sandbox.bd(&repo, &["show", &first, "--json"]).json();
    assert_eq!((&shown[0]["title"], &shown[0]["priority"]), (&json!("Write notes for 1.3.0"), &json!(1)));
    // Of two words the one that occurs is the text; where both do, the second.
    for (var, title) in [("notes=word", "Write {{word}} for 1.2.0"), ("Write=notes", "Write {{Write}} for 1.2.0")] {
        let text = sandbox.bd(&repo, &["mol", "distill", &epic, "x", "--var", var, "--dry-run"]).ok();
        assert!(text.contains(&format!("title = \"{title}\"")), "{var}: {text}");
    }
    let said = sandbox.bd(&repo, &["mol", "distill", &epic, "x", "--var", "v=9.9"]).fails();
    assert!(said.contains("`9.9` occurs nowhere in"), "{said}");
}

#[test]
fn a_loop_ends_when_a_file_is_there_or_a_variable_is_set_where_the_step_is_closed() {
    let (sandbox, repo) = super::molecules::repo();
    let inside = repo.join("src");
    for folder in [&repo.join(".beads/formulas"), &inside] {
        std::fs::create_dir_all(folder).expect("a folder");
    }
    let ended = |root: &str| {
        let shown = sandbox.bd(&repo, &["mol", "show", root, "--json"]).json();
        let issues = shown["issues"].as_array().expect("beads").clone();
        issues.iter().filter_map(|b| b["metadata"]["loop_ended"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    for (name, until) in [("files", "file.exists('src/done')"), ("vars", "env.DONE == yes")] {
        let text = format!(
            "formula = \"{name}\"\n[[steps]]\nid = \"l\"\n[steps.loop]\nuntil = \"{until}\"\nmax = 5\n\
             [[steps.loop.body]]\nid = \"try\"\n"
        );
        std::fs::write(repo.join(format!(".beads/formulas/{name}.formula.toml")), text).expect("written");
        let made = sandbox.bd(&repo, &["mol", "pour", name, "--json"]).json();
        let root = made["new_epic_id"].as_str().expect("an id").to_owned();
        let close = |number: usize, done: bool| {
            let mut bd = sandbox.command(env!("CARGO_BIN_EXE_bd"), &inside);
            bd.args(["close", &format!("{root}.{number}"), "-q"]);
            if done {
                bd.env("DONE", "yes");
            }
            assert!(bd.status().expect("starts").success());
        };
        close(1, false);
        assert_eq!(ended(&root), Vec::<String>::new(), "another round");
        std::fs::write(inside.join("done"), "").expect("written");
        close(2, true);
        assert_eq!(ended(&root), [format!("round 2: {until} held")]);
    }
}

#[test]
fn a_round_begins_as_the_formula_has_it_with_its_own_number_and_the_variables_filled() {
    let text = "formula = \"f\"\n[vars]\nn = \"9\"\nwho = \"zoe\"\n[[steps]]\nid = \"l\"\n[steps.loop]\n\
        until = \"steps.complete >= {{n}}\"\nmax = 3\nvar = \"k\"\n[[steps.loop.body]]\nid = \"try\"\n\
        title = \"round {k} of {{n}}\"\nnotes = \"look at {k}\"\nassignee = \"{{who}}\"\nlabels = [\"r{k}\", \"all\"]\n";
    let proto = cook(&library(&[("f", text)]), "f", &Vars::new()).expect("cooks");
    let mut run = Run::new(&proto);
    let mut told = Vec::new();
    while let Some(step) = run.store.read(|r| molecule::current(r, &run.root)).expect("reads") {
        let labels = step.labels.iter().filter(|label| !label.starts_with("loop:")).cloned().collect::<Vec<_>>();
        told.push(format!("{}, {}, {}, {}", step.title, step.notes, step.assignee, labels.join("+")));
        let taken = Patch { notes: Some("it was hard".to_owned()), ..Patch::default().with_assignee("ann") };
        run.store.write::<_, MoleculeError>(&at(run.ms), |w| Ok(w.update(&step.id, taken)?)).expect("writes");
        let _ = run.close(json!({}));
    }
    assert_eq!(
        told,
        [
            "round 1 of 9, look at 1, zoe, all+r1",
            "round 2 of 9, look at 2, zoe, all+r2",
            "round 3 of 9, look at 3, zoe, all+r3"
        ]
    );
    let steps = run.store.read(|r| molecule::steps(r, &run.root)).expect("reads");
    let ended: Vec<&str> = steps.iter().filter_map(|s| s.meta_str("loop_ended")).collect();
    assert_eq!(ended, ["round 3: steps.complete >= 9 did not hold in the last round"]);
    let mut run =
        Run::new(&cook(&library(&[("f", &text.replace("\"9\"", "\"1\""))]), "f", &Vars::new()).expect("cooks"));
    assert_eq!(run.finish(), ["round 1 of 1"]);
}

/// A step that a gate rule holds until `condition`, after `test` with two tries and beside `note`.
fn held(condition: &str) -> Result<Proto, gastown::formula::Report> {
    let text = format!(
        "formula = \"f\"\n[vars.skip]\ndefault = \"\"\n[[steps]]\nid = \"test\"\n[[steps]]\nid = \"note\"\n[[steps]]\n\
         id = \"docs\"\ncondition = \"{{{{skip}}}}\"\n[[steps]]\nid = \"submit\"\n\
         [[compose.gate]]\nbefore = \"submit\"\ncondition = \"{condition}\"\n"
    );
    cook(&library(&[("f", &text)]), "f", &Vars::new())
}

#[test]
fn a_gate_rule_holds_its_step_until_its_condition_holds() {
    let mut run = Run::new(&held("test.output.verdict == 'pass'").expect("cooks"));
    assert_eq!(run.ready(), ["test: test", "note: note"], "submit is held");
    let _ = run.close(json!({ "verdict": "pass" }));
    assert_eq!(run.ready(), ["note: note", "submit: submit"], "and released");
    let mut run = Run::new(&held("test.output.verdict == 'pass'").expect("cooks"));
    let _ = run.close(json!({ "verdict": "fail" }));
    let last = run.close(json!({}));
    assert!(last.next.is_none() && !last.complete, "the verdict holds it still");
    let mut run = Run::new(&held("steps.complete >= 2").expect("cooks"));
    assert_eq!(run.finish(), ["test", "note", "submit"]);
    // What holds from the beginning holds nobody up, and neither does what never comes.
    for condition in ["steps.complete == 0", "docs.status == 'complete'"] {
        let run = Run::new(&held(condition).expect("cooks"));
        assert_eq!(run.ready(), ["test: test", "note: note", "submit: submit"], "{condition}");
    }
}

#[test]
fn a_gate_rule_takes_the_words_of_beads_for_a_status() {
    for condition in ["test.status == 'closed'", "test.status != 'open'"] {
        let mut run = Run::new(&held(condition).expect("cooks"));
        assert_eq!(run.ready(), ["test: test", "note: note"], "{condition}");
        let _ = run.close(json!({}));
        assert_eq!(run.ready(), ["note: note", "submit: submit"], "{condition}");
    }
}

#[test]
fn a_gate_rule_on_what_is_outside_is_not_judged_where_nothing_is_known_of_that() {
    for condition in ["env.STOP != 'yes'", "file.exists('/')", "env.STOP == ''"] {
        let mut run = Run::new(&held(condition).expect("cooks"));
        assert_eq!(run.ready(), ["test: test", "note: note"], "{condition}");
        let _ = run.close(json!({}));
        assert_eq!(run.ready(), ["note: note"], "{condition}");
        // Somebody looks who knows.
        let env = std::collections::BTreeMap::new();
        let outside = molecule::Outside { folder: std::path::Path::new("/"), env: &env };
        let gate = run.gate();
        let holds = run.store.read(|r| molecule::holds(r, &gate, outside)).expect("reads");
        assert_eq!(holds, Some(true), "{condition}");
    }
}

#[test]
fn a_step_that_is_closed_by_an_update_releases_gates_and_goes_on_with_its_loop() {
    let (sandbox, repo) = super::molecules::repo();
    std::fs::create_dir_all(repo.join(".beads/formulas")).expect("a folder");
    let text = "formula = \"f\"\n[[steps]]\nid = \"l\"\n[steps.loop]\nuntil = \"x.output.open == 0\"\nmax = 5\n\
        [[steps.loop.body]]\nid = \"x\"\n[[steps]]\nid = \"ship\"\n\
        [[compose.gate]]\nbefore = \"ship\"\ncondition = \"l.output.open == 0\"\n";
    std::fs::write(repo.join(".beads/formulas/f.formula.toml"), text).expect("written");
    let made = sandbox.bd(&repo, &["mol", "pour", "f", "--json"]).json();
    let root = made["new_epic_id"].as_str().expect("an id").to_owned();
    let current = || {
        let shown = sandbox.bd(&repo, &["mol", "current", &root, "--json"]).json()[0]["current_step"].clone();
        (shown["id"].as_str().unwrap_or_default().to_owned(), shown["metadata"]["step"].clone())
    };
    for (step, open) in [("l.iter1.x", 2), ("l.iter2.x", 0)] {
        let (id, name) = current();
        assert_eq!(name, step);
        let output = format!("output={{\"open\":{open}}}");
        // The output that is set beside it counts.
        sandbox.bd(&repo, &["update", &id, "--status", "closed", "--meta", &output]).ok();
        sandbox.bd(&repo, &["update", &id, "--status", "closed"]).ok();
    }
    assert_eq!(current().1, "ship", "released, and no third round");
}

#[test]
fn a_gate_rule_is_poured_alike_in_a_large_molecule() {
    let mut text = "formula = \"f\"\n[[compose.gate]]\nbefore = \"last\"\ncondition = \"l.status == 'complete'\"\n\
        [[steps]]\nid = \"l\"\n[steps.loop]\ncount = 300\n[[steps.loop.body]]\nid = \"x\"\n"
        .to_owned();
    text.push_str("[[steps]]\nid = \"last\"\ngate = { type = \"human\" }\n");
    let proto = cook(&library(&[("f", &text)]), "f", &Vars::new()).expect("cooks");
    assert_eq!(proto.step("last").expect("a step").held, ["l.iter300.x.status == 'complete'"]);
    let dir = tempfile::tempdir().expect("a folder");
    let prefix = Prefix::new("tt").expect("a prefix");
    let mut store = Store::create(&dir.path().join(".beads"), &prefix, at(0).now).expect("a store");
    let poured = molecule::pour_large(&mut store, &at(1), &proto, &Vars::new(), &PourOpts::default()).expect("pours");
    let bead = |name: &str| poured.steps.iter().find(|(step, _)| step == name).expect("made").1.clone();
    let (person, rule, last) = (bead("gate-last"), bead("gate-last-2"), bead("l.iter300.x"));
    let open =
        |store: &Store, id: &BeadId| store.read::<_, MoleculeError>(|r| Ok(!r.need(id)?.is_over())).expect("reads");
    assert!(open(&store, &person) && open(&store, &rule));
    store
        .write::<_, MoleculeError>(&at(2), |w| {
            let how = Close { force: true, ..Close::because("done") };
            molecule::close_step(w, &poured.root, &last, how, Advance::default())
        })
        .expect("closes");
    assert!(open(&store, &person) && !open(&store, &rule), "the rule is opened, the person's is not");
}

#[test]
fn a_gate_rule_on_a_file_is_opened_by_a_look_and_comes_back_from_a_molecule_that_is_distilled() {
    let (sandbox, repo) = super::molecules::repo();
    std::fs::create_dir_all(repo.join(".beads/formulas")).expect("a folder");
    let text = "formula = \"f\"\n[[steps]]\nid = \"ship\"\n[[compose.gate]]\nbefore = \"ship\"\n\
        condition = \"file.exists('dist/app')\"\n";
    std::fs::write(repo.join(".beads/formulas/f.formula.toml"), text).expect("written");
    let root =
        sandbox.bd(&repo, &["mol", "pour", "f", "--json"]).json()["new_epic_id"].as_str().expect("an id").to_owned();
    let check = || sandbox.bd(&repo, &["gate", "check", "--json"]).json()["gates"][0].clone();
    assert_eq!(check()["reason"], "file.exists('dist/app') does not hold");
    std::fs::create_dir_all(repo.join("dist/app")).expect("made");
    assert_eq!((&check()["outcome"], &check()["outcome"]), (&json!("resolved"), &json!(null)), "opened, once");
    let current = sandbox.bd(&repo, &["mol", "current", &root, "--json"]).json();
    assert_eq!(current[0]["current_step"]["title"], "ship");
    let distilled = sandbox.bd(&repo, &["mol", "distill", &root, "again", "--json"]).json();
    let again = std::fs::read_to_string(repo.join(".beads/formulas/again.formula.toml")).expect("written");
    assert!(again.contains("[[compose.gate]]") && again.contains("file.exists('dist/app')"), "{distilled}\n{again}");
    assert!(!again.contains("gate:{"), "{again}");
    sandbox.bd(&repo, &["formula", "check", "again"]).ok();
}

#[test]
fn a_loop_that_ends_by_a_step_that_was_expanded_looks_at_what_came_in_its_place() {
    let text = "formula = \"f\"\n[[steps]]\nid = \"l\"\n[steps.loop]\nuntil = \"review.output.ok == yes\"\nmax = 5\n\
        [[steps.loop.body]]\nid = \"review\"\nexpand = \"two\"\n";
    let two = "formula = \"two\"\ntype = \"expansion\"\n[[template]]\nid = \"{target}.read\"\n[[template]]\n\
        id = \"{target}.judge\"\nneeds = [\"{target}.read\"]\n";
    let proto = cook(&library(&[("f", text), ("two", two)]), "f", &Vars::new()).expect("cooks");
    let mut run = Run::new(&proto);
    let mut order = String::new();
    for output in [json!({}), json!({ "ok": "no" }), json!({}), json!({ "ok": "yes" })] {
        let _ = writeln!(order, "{}", run.ready().join(" "));
        let _ = run.close(output);
    }
    assert_eq!(order.lines().count(), 4);
    assert_eq!(run.ready(), Vec::<String>::new(), "{order}");
}

#[test]
fn the_gate_of_a_round_waits_for_what_its_number_names_and_that_of_the_loop_comes_once() {
    let text = "formula = \"f\"\n[vars]\nrepo = \"app\"\n[[steps]]\nid = \"l\"\ngate = { type = \"human\", id = \"go\" }\n\
        [steps.loop]\nuntil = \"steps.complete >= 9\"\nmax = 2\nvar = \"k\"\n[[steps.loop.body]]\nid = \"try\"\n\
        [[steps.loop.body]]\nid = \"see\"\nneeds = [\"try\"]\ngate = { type = \"mail\", id = \"{{repo}}-{k}\" }\n";
    let mut run = Run::new(&cook(&library(&[("f", text)]), "f", &Vars::new()).expect("cooks"));
    let gates = |run: &Run| {
        let filter = gastown::store::Filter { types: vec![IssueType::GATE], ..Default::default() };
        let mut gates = run.store.read::<_, MoleculeError>(|r| Ok(r.find(&filter)?)).expect("reads");
        gates.sort_by(|a, b| a.await_id.cmp(&b.await_id));
        gates.into_iter().map(|gate| (gate.id, format!("{} | {}", gate.title, gate.await_id))).collect::<Vec<_>>()
    };
    for (gate, _) in gates(&run) {
        run.store.write::<_, MoleculeError>(&at(2), |w| Ok(w.close(&gate, Close::because("it came"))?)).expect("opens");
    }
    for _ in ["try", "see"] {
        let _ = run.close(json!({}));
    }
    let told: Vec<String> = gates(&run).into_iter().map(|(_, told)| told).collect();
    assert_eq!(told, ["Gate: mail app-1 | app-1", "Gate: mail app-2 | app-2", "Gate: human go | go"]);
    assert_eq!(run.ready(), ["l.iter2.try: l.iter2.try"], "that of the loop held its begin");
    let _ = run.close(json!({}));
    assert_eq!(run.ready(), Vec::<String>::new(), "the second round waits for its own");
}

#[test]
fn a_group_is_complete_with_what_its_steps_have_fanned_out_to() {
    let (sandbox, repo) = super::molecules::repo();
    let formulas = repo.join(".beads/formulas");
    std::fs::create_dir_all(&formulas).expect("a folder");
    let text = "formula = \"f\"\n[[steps]]\nid = \"both\"\n[[steps.children]]\nid = \"scan\"\n\
        on_complete = { for_each = \"output.found\", bond = \"arm\" }\n[[steps.children]]\nid = \"look\"\n\
        [[steps]]\nid = \"after\"\nneeds = [\"both\"]\n";
    std::fs::write(formulas.join("f.formula.toml"), text).expect("written");
    std::fs::write(formulas.join("arm.formula.toml"), "formula = \"arm\"\n[[steps]]\nid = \"mend\"\n")
        .expect("written");
    let made = sandbox.bd(&repo, &["mol", "pour", "f", "--json"]).json();
    let id = |step: &str| made["id_mapping"][format!("f.{step}")].as_str().expect("a step").to_owned();
    let status = |id: &str| sandbox.bd(&repo, &["show", id, "--json"]).json()[0]["status"].clone();
    sandbox.bd(&repo, &["update", &id("scan"), "--meta", "output={\"found\":[1]}"]).ok();
    sandbox.bd(&repo, &["close", &id("scan")]).ok();
    sandbox.bd(&repo, &["close", &id("look")]).ok();
    assert_eq!(status(&id("both")), "open", "an arm is not mended yet");
    let arm = sandbox.bd(&repo, &["list", "--json"]).json();
    let arm = arm.as_array().expect("beads").iter().find(|bead| bead["title"] == "mend").expect("an arm").clone();
    sandbox.bd(&repo, &["close", arm["id"].as_str().expect("an id")]).ok();
    assert_eq!(status(&id("both")), "closed");
    let ready = sandbox.bd(&repo, &["ready", "--json"]).json();
    assert!(ready.as_array().expect("beads").iter().any(|bead| bead["id"] == id("after")), "{ready}");
}
