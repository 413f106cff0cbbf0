//! Formulas as other people's repositories have them: with keys of other programs, in older spellings, with values that
//! nobody but this program reads. They cook, or fail for the reason that their author would want to hear.

use gastown::formula::{Layer, Library, NoAspects, Options, Severity, Vars, compile};

use super::edges;

/// Another file of the same folder, for those that name one.
const BESIDE: &[(&str, &str)] = &[
    (
        "polish.formula.toml",
        "formula = 'polish'\ntype = 'expansion'\nvars.rounds = '3'\n[[template]]\nid = '{target}.draft'\n\
         title = 'Draft {target.title}'\n[[template]]\nid = '{target}.done'\nneeds = ['{target}.draft']\nlabels = ['r{rounds}']\n",
    ),
    (
        "base.formula.toml",
        "formula = 'base'\n[[steps]]\nid = 'design'\n[[steps]]\nid = 'implement'\nneeds = ['design']\n",
    ),
    (
        "arm.formula.toml",
        "formula = 'arm'\n[vars.name]\nrequired = true\n[[steps]]\nid = 'look'\ntitle = 'Look at {{name}}'\n",
    ),
];

/// What comes of a file of a repository: its edges, or the codes of its errors; and the codes of its warnings.
fn outcome(file: &str, text: &str) -> (Result<String, Vec<&'static str>>, Vec<&'static str>) {
    let mut library = Library::empty();
    library.add(Layer::Repository, file, text);
    for (file, text) in BESIDE {
        library.add(Layer::Repository, file, text);
    }
    let stem = file.split(".formula.").next().expect("a stem");
    let options = Options { vars: &Vars::new(), mode: gastown::formula::Mode::Compile, aspects: &NoAspects };
    let (cooked, findings) = match compile(&library, stem, options) {
        Ok(cooked) => (Some(edges(&cooked.proto)), cooked.warnings),
        Err(report) => (None, report),
    };
    let codes = |severity| -> Vec<&'static str> {
        findings.findings.iter().filter(|f| f.severity == severity).map(|f| f.code).collect()
    };
    for finding in &findings.findings {
        assert!(finding.place().is_some_and(|p| p.contains(".formula.")), "{}: no place", finding.message);
    }
    (cooked.ok_or_else(|| codes(Severity::Error)), codes(Severity::Warning))
}

#[track_caller]
fn cooks(name: &str, text: &str, steps: &str, warnings: &[&str]) {
    let (came, warned) = outcome(&format!("{name}.formula.toml"), text);
    assert_eq!(came.as_deref(), Ok(steps), "{name}");
    assert_eq!(warned, warnings, "{name}");
}

#[track_caller]
fn fails(name: &str, text: &str, errors: &[&str]) {
    assert_eq!(outcome(&format!("{name}.formula.toml"), text).0, Err(errors.to_vec()), "{name}");
}

#[test]
fn keys_of_other_programs_are_warned_of_and_ignored() {
    cooks(
        "extras",
        "formula = 'extras'\nauthor = 'x'\ntags = ['a']\ncontract = 'graph.v2'\n[requires]\nversion = '>=2'\n\
         [[steps]]\nid = 'a'\nestimate = '1h'\n[steps.retry]\nmax_attempts = 2\n[[steps]]\nid = 'b'\nneeds = ['a']\n\
         [steps.gate]\ntype = 'human'\napprovers = ['x']\n",
        "a\nb <- a",
        &["unknown-key"; 7],
    );
    cooks(
        "digest",
        "formula = 'digest'\n[squash]\ntrigger = 'on_complete'\ntemplate_type = 'work'\ninclude_metrics = true\nkeep = 3\n\
         [[steps]]\nid = 'inbox-check'\n[[steps]]\nid = 'loop-or-exit'\nneeds = ['inbox-check']\n",
        "inbox-check\nloop-or-exit <- inbox-check",
        &["unknown-key"],
    );
    cooks(
        "review",
        "formula = 'review'\ntype = 'convoy'\nversion = 1\n[inputs.pr]\ndescription = 'number'\ntype = 'number'\n\
         required_unless = ['files']\n[inputs.files]\ntype = 'string[]'\nexample = 'a b'\n[prompts]\nbase = 'Review {{.leg.title}}'\n\
         [output]\ndirectory = 'out'\nformat = 'md'\n[[legs]]\nid = 'logic'\ntitle = 'Logic'\nfocus = 'x'\nagent = 'y'\n\
         [synthesis]\ntitle = 'All'\ndepends_on = ['logic']\n[presets.gate]\nlegs = ['logic']\n",
        "",
        &["unknown-key"; 3],
    );
}

#[test]
fn what_only_this_program_reads_may_mean_something_else_elsewhere() {
    cooks(
        "words",
        "formula = 'words'\nphase = 'gas'\nsquash = 'always'\ninputs = ['a']\noutput = 'dir'\n[[steps]]\nid = 'a'\n\
         acceptance = ['one', 'two']\nmetadata = 'x'\nonly_if = '{{x}}'\n[steps.run]\ncmd = 'make'\n",
        "a",
        &["phase", "type", "type", "type", "type", "type", "type", "type"],
    );
    cooks("list", "formula = 'list'\n[[inputs]]\nname = 'x'\n[[steps]]\nid = 'a'\n", "a", &["type"]);
    cooks("gate", "formula = 'gate'\n[[steps]]\nid = 'a'\ngate = { id = 'x' }\n", "a", &["missing-key"]);
    cooks(
        "advice",
        "formula = 'advice'\ntype = 'aspect'\n[[pointcuts]]\nrole = 'x'\n[[advice]]\npointcut = 'implement'\nbefore = [{ id = 'x' }]\n",
        "",
        &["pointcut", "unknown-key", "advice", "unknown-key"],
    );
    cooks("regex", "formula = 'regex'\n[vars.a]\npattern = '(?<!x)y'\n[[steps]]\nid = 'a'\n", "a", &["pattern"]);
    cooks("spaces", "formula = 'spaces'\n[[steps]]\nid = 'write the docs'\n", "write the docs", &["step-id"]);
    // A formula of this town is held to what is written about it.
    let mut library = Library::empty();
    library.add(
        Layer::Town,
        "f.formula.toml",
        "formula = 'f'\nsquash = 'always'\n[[steps]]\nid = 'a b'\ngate = { id = 'x' }\n",
    );
    let report = gastown::formula::cook(&library, "f", &Vars::new()).expect_err("strict");
    let codes: Vec<&str> = report.findings.iter().filter(|f| f.severity == Severity::Error).map(|f| f.code).collect();
    assert_eq!(codes, ["type", "step-id", "missing-key"]);
}

#[test]
fn conditions_and_texts_that_nobody_else_looks_at_do_not_keep_a_formula_from_cooking() {
    cooks(
        "conditions",
        "formula = 'conditions'\n[[steps]]\nid = 'a'\n[[steps]]\nid = 'l'\nneeds = ['a']\n[steps.loop]\nmax = 3\n\
         until = \"nobody.status != 'open'\"\n[[steps.loop.body]]\nid = 'x'\n\
         [[compose.gate]]\nbefore = 'a'\ncondition = \"nothing.status == 'complete'\"\n",
        "a\nl.iter1.x <- a",
        &["unknown-step"; 2],
    );
    let mut library = Library::empty();
    let text = "formula = 'f'\n[[steps]]\nid = 'a'\n[[steps]]\nid = 'l'\n[steps.loop]\nmax = 3\n\
        until = \"nobody.status != 'open'\"\n[[steps.loop.body]]\nid = 'x'\n\
        [[compose.gate]]\nbefore = 'l'\ncondition = \"nothing.status == 'complete'\"\n\
        [[compose.gate]]\nbefore = 'l'\ncondition = \"a.status == 'complete'\"\n";
    library.add(Layer::Repository, "f.formula.toml", text);
    let cooked = gastown::formula::cook(&library, "f", &Vars::new()).expect("cooks");
    let step = cooked.step("l.iter1.x").expect("the one round");
    assert!(step.until.is_none(), "a loop without its condition has one round");
    assert_eq!(step.held, ["a.status == 'complete'"], "the other rule is left out alone");
    cooks(
        "templates",
        "formula = 'templates'\ntype = 'convoy'\n[inputs.files]\ntype = 'string[]'\n[prompts]\nbase = '''\n\
         {{range .files}}{{.path}}{{else}}none{{end}} {{with .files}}{{.number}}{{else}}no{{end}}\n\
         {{define \"x\"}}y{{end}}{{block \"z\" .}}{{end}}'''\n[[legs]]\nid = 'a'\ntitle = 'A'\nfocus = 'x'\n",
        "",
        &["template"; 3],
    );
}

#[test]
fn older_and_looser_spellings_cook() {
    cooks(
        "values",
        "formula = 'values'\nversion = 0\nvars.a = 'x'\nvars.b = 3\nvars.c = true\n[vars.n]\ndefault = 1\ntype = 'int'\n\
         [vars.r]\nrequired = true\ndefault = 'q'\n[vars.u]\ntype = 'url'\n[[steps]]\nid = 'a'\ntype = 'wisp'\ntitle = ''\n\
         description = '''\nmany\nlines {{undeclared}}'''\n[[steps]]\nid = 'b'\nneeds = ['a', 'a']\ndepends_on = ['a']\n",
        "a\nb <- a",
        &["required-default", "var-type"],
    );
    let mark = "\u{feff}formula = 'mark'\r\n[[steps]]\r\nid = 'a'\r\n";
    cooks("mark", mark, "a", &[]);
    cooks("empty", "formula = 'empty'\n[[step]]\nid = 'a'\n", "", &["unknown-key"]);
    let json = r#"{"formula":"j","vars":{"x":{"default":"1"},"y":"short"},"template":null,"custom":null,
        "steps":[{"id":"a","title":null,"needs":null},{"id":"b","depends_on":["a"],"metadata":{"k":1}}]}"#;
    assert_eq!(outcome("j.formula.json", json), (Ok("a\nb <- a".to_owned()), vec!["unknown-key"]));
}

#[test]
fn an_empty_text_is_as_good_as_none_in_every_file() {
    let json = r#"{"formula": "j", "type": "", "vars": {"v": {"type": "", "default": "1"}},
        "squash": {"trigger": "", "template_type": ""},
        "steps": [{"id": "a", "assignee": "", "on_complete": {"for_each": "", "bond": "", "vars": {}}}, {"id": "b"}],
        "compose": {"bond_points": [{"id": "p", "after_step": "a", "before_step": ""}],
            "branch": [{"from": "a", "steps": ["b"], "join": ""}],
            "hooks": [{"trigger": "x", "attach": "y", "at": ""}]}}"#;
    for layer in [Layer::Town, Layer::Repository] {
        let mut library = Library::empty();
        library.add(layer, "j.formula.json", json);
        let options = Options { vars: &Vars::new(), mode: gastown::formula::Mode::Compile, aspects: &NoAspects };
        let cooked = compile(&library, "j", options).expect("cooks");
        assert!(cooked.warnings.findings.is_empty(), "{}", cooked.warnings);
        assert_eq!(edges(&cooked.proto), "a\nb <- a");
        assert_eq!((cooked.proto.kind.as_str(), &cooked.proto.steps[0].on_complete), ("workflow", &None));
        assert_eq!(cooked.proto.steps[0].assignee, None);
        assert_eq!(cooked.proto.bond_points[0]["after_step"], "a");
    }
    // Half of a pair is a mistake still.
    let half = r#"{"formula": "j", "steps": [{"id": "a", "on_complete": {"for_each": "output.x", "bond": ""}}]}"#;
    assert_eq!(outcome("j.formula.json", half).0, Err(vec!["missing-key"]));
    let none = r#"{"formula": "j", "steps": [{"id": "a", "gate": {"type": "", "id": "x"}}]}"#;
    assert_eq!(outcome("j.formula.json", none), (Ok("a".to_owned()), vec!["missing-key"]));
}

#[test]
fn what_takes_the_place_of_a_step_takes_it_everywhere() {
    cooks(
        "points",
        "formula = 'points'\nextends = ['base']\n[[steps]]\nid = 'rounds'\nneeds = ['implement']\n[steps.loop]\ncount = 2\n\
         [[steps.loop.body]]\nid = 'try'\n[[steps]]\nid = 'ship'\nneeds = ['rounds']\n\
         [[compose.expand]]\ntarget = 'implement'\nwith = 'polish'\nvars = { rounds = 5 }\n\
         [[compose.bond_points]]\nid = 'done'\nafter_step = 'implement'\n[[compose.bond_points]]\nid = 'before'\nbefore_step = 'rounds'\n\
         [[compose.branch]]\nfrom = 'rounds'\nsteps = ['ship']\n\
         [[compose.gate]]\nbefore = 'ship'\ncondition = \"children(rounds).all(status == 'complete')\"\n",
        "design\nimplement.draft <- design\nimplement.done <- implement.draft\nrounds.iter1.try <- implement.done\n\
         rounds.iter2.try <- rounds.iter1.try\nship <- rounds.iter2.try",
        &[],
    );
    let mut library = Library::empty();
    let text = "formula = 'p'\nextends = ['base']\n[[compose.expand]]\ntarget = 'implement'\nwith = 'polish'\n\
        [[compose.bond_points]]\nid = 'end'\nafter_step = 'implement'\n[[compose.bond_points]]\nid = 'start'\nbefore_step = 'implement'\n";
    for (file, text) in BESIDE.iter().chain(&[("p.formula.toml", text)]) {
        library.add(Layer::Repository, file, text);
    }
    let proto = gastown::formula::cook(&library, "p", &Vars::new()).expect("cooks");
    assert_eq!(proto.bond_points[0]["after_step"], "implement.done");
    assert_eq!(proto.bond_points[1]["before_step"], "implement.draft");
}

#[test]
fn what_cannot_work_is_said_all_at_once() {
    fails("none", "name = 'none'\n[[steps]]\nid = 'a'\n", &["missing-key"]);
    fails("table", "[formula]\nname = 'table'\n", &["type"]);
    fails("float", "formula = 'float'\nversion = 1.0\ntype = 'workflw'\n", &["type", "formula-type"]);
    fails("text", "formula = 'text'\nextends = 'base'\n", &["type"]);
    fails("parent", "formula = 'parent'\nextends = ['bse']\n", &["unknown-formula"]);
    fails("vars", "formula = 'vars'\n[[vars]]\nname = 'x'\n", &["type"]);
    fails("map", "formula = 'map'\n[steps.design]\ntitle = 'x'\n", &["type"]);
    fails(
        "styles",
        "formula = 'styles'\n[[steps]]\nid = 'a'\ncondition = \"step.status == 'complete'\"\n",
        &["condition"],
    );
    fails(
        "steps",
        "formula = 'steps'\n[[steps]]\ntitle = 'x'\n[[steps]]\nid = 'a'\npriority = 7\n[[steps]]\nid = 'a'\npriority = '1'\n\
         [[steps]]\nid = 'b'\nneeds = 'a'\n[[steps]]\nid = 'c'\nneeds = ['d']\nwaits_for = 'foo'\n",
        &["missing-key", "priority", "duplicate-id", "type", "type", "unknown-need", "waits-for"],
    );
    fails(
        "loops",
        "formula = 'loops'\n[[steps]]\nid = 'a'\nloop = { count = 3, range = '1..2', body = [{ id = 'x' }] }\n\
         [[steps]]\nid = 'b'\nloop = { until = 'maybe', max = 2, body = [{ id = 'x' }] }\n[[steps]]\nid = 'c'\nloop = { count = 2 }\n",
        &["loop", "condition", "loop"],
    );
    fails(
        "fans",
        "formula = 'fans'\n[[steps]]\nid = 'a'\non_complete = { for_each = 'items', bond = 'arm' }\n\
         [[steps]]\nid = 'b'\non_complete = { for_each = 'output.items' }\n[[steps]]\nid = 'c'\n\
         on_complete = { for_each = 'output.items', bond = 'arm', parallel = true, sequential = true }\n",
        &["on-complete", "missing-key", "on-complete"],
    );
    fails("legs", "formula = 'legs'\ntype = 'convoy'\n[[legs]]\nid = 'a'\n[[legs]]\nid = 'a'\n", &["duplicate-id"]);
}

#[test]
fn a_file_that_is_named_by_its_path_finds_what_stands_beside_it() {
    let sandbox = crate::support::Sandbox::new();
    let repo = sandbox.folder("repo");
    sandbox.git(&repo, &["init", "-q"]).ok();
    let folder = sandbox.folder("repo/their/formulas");
    for (file, text) in BESIDE {
        std::fs::write(folder.join(file), text).expect("written");
    }
    let text = "formula = 'mine'\nextends = ['base']\n[compose]\naspects = ['watch']\n[[compose.expand]]\ntarget = 'design'\nwith = 'polish'\n";
    std::fs::write(folder.join("mine.formula.toml"), text).expect("written");
    let watch = "local gt = require \"gt\"\nreturn gt.aspect { api = 1, doc = \"x\", advise = function(step)\n\
        if step.id == \"implement\" then return gt.after { id = \"watch\", title = \"W\" } end end }\n";
    std::fs::write(folder.join("watch.lua"), watch).expect("written");
    for name in ["their/formulas/mine.formula.toml", "./their/formulas/mine.formula.toml"] {
        let said = sandbox.bd(&repo, &["cook", name, "--dry-run"]).ok();
        assert!(said.contains("design.done") && said.contains("watch-implement"), "{said}");
        sandbox.bd(&repo, &["formula", "check", name]).ok();
    }
    std::fs::write(folder.join("bytes.formula.toml"), b"formula = 'bytes'\nx = '\xff'\n").expect("written");
    let said = sandbox.bd(&repo, &["cook", "their/formulas/bytes.formula.toml"]).fails();
    assert!(said.contains("bytes.formula.toml:2:6 is not UTF-8"), "{said}");
}

#[test]
fn an_aspect_in_lua_is_said_to_be_one() {
    let report = gastown::formula::cook(&Library::new([]), "security-review", &Vars::new()).expect_err("no formula");
    let said = report.render(false);
    assert!(said.contains("is an aspect in Lua") && said.contains("compose.aspects"), "{said}");
    assert!(!said.contains("did you mean"), "{said}");
}

#[test]
fn odd_files_are_read_as_they_are_meant_or_told_with_what_to_write() {
    let file = |name: &str, text: &str| {
        let mut library = Library::empty();
        library.add(Layer::Repository, name, text);
        let stem = name.split(".formula.").next().expect("a stem");
        let options = Options { vars: &Vars::new(), mode: gastown::formula::Mode::Compile, aspects: &NoAspects };
        compile(&library, stem, options)
    };
    let step = "[[steps]]\nid = \"a\"\n";
    let bom =
        file("f.formula.toml", &format!("\u{feff}formula = \"f\"\r\n{}", step.replace('\n', "\r\n"))).expect("cooks");
    assert_eq!(bom.proto.steps.len(), 1);
    let inline = "formula = \"f\"\nvars = { a = 1.5, b = 2020-01-02, c = { default = true } }\n\
        steps = [{ id = \"prüfung-🚀\", metadata.k.j = [1, { z = 2 }] }, { id = \"日本\", needs = [\"prüfung-🚀\"] }]\n";
    let inline = file("f.formula.toml", inline).expect("cooks").proto;
    assert_eq!(edges(&inline), "prüfung-🚀\n日本 <- prüfung-🚀");
    let defaults: Vec<_> = inline.vars.values().filter_map(|var| var.default.as_deref()).collect();
    assert_eq!(defaults, ["1.5", "2020-01-02", "true"]);
    let braces = "formula = \"f\"\n[[steps]]\nid = \"a\"\ndescription = \"\"\"\n{{ z }} {{{x}}} ${Y} {{range .q}} }} {{\n\"\"\"\n";
    let braces = file("f.formula.toml", braces).expect("cooks").proto;
    assert_eq!(braces.steps[0].description, "{{ z }} {{{x}}} ${Y} {{range .q}} }} {{\n");
    let told = |name: &str, text: &str| {
        let report = file(name, text).map_or_else(|report| report, |cooked| cooked.warnings);
        super::errors::told(&report).replace("f.formula.", "")
    };
    let wrong = "formula = \"f\"\nversion = \"2\"\npour = \"true\"\n[[steps]]\nid = 1\npriority = \"1\"\nneeds = [2]\n\
        [[steps]]\nid = \" \"\n";
    insta::assert_snapshot!(told("f.formula.toml", wrong), @r#"
    2:11 `version` must be an integer, not a string | write 2
    3:8 `pour` must be true or false, not a string; it is ignored | write true
    5:6 `id` must be a string, not an integer | write "1"
    6:12 `priority` must be an integer, not a string | write 1
    7:10 `needs` must be a string, not an integer | write "2"
    9:6 `id` of steps[1] is empty | 
    "#);
    insta::assert_snapshot!(told("f.formula.json", "// why\n{ \"formula\": \"f\" }"), @"repository:json:1:1 this is not valid JSON: expected a value, found `/` | JSON has no comments; a formula in TOML may have them");
    // An ending in upper case is one when it is named; what is looked for has it in lower case.
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("F.FORMULA.JSON");
    std::fs::write(&path, "{\"formula\": \"f\", \"steps\": [{\"id\": \"a\"}]}").expect("written");
    let found = gastown::formula::cook(&Library::empty(), &path.display().to_string(), &Vars::new());
    assert_eq!(found.expect("cooks").steps.len(), 1);
}
