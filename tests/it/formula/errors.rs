//! What the compiler says: all mistakes at once, each with its place, an excerpt, the reason and what to do.

use gastown::formula::{Layer, Library, Mode, NoAspects, Options, Vars, compile, cook};

use super::{cooked, library, vars};

fn said(text: &str) -> String {
    cooked(text).expect_err("it is wrong").render(false)
}

#[test]
fn metadata_that_the_molecule_writes_itself_is_refused() {
    let text = "formula = \"f\"\n[[steps]]\nid = \"a\"\nmetadata = { order = 3, team = \"core\" }\n";
    let report = cooked(text).expect_err("refused");
    insta::assert_snapshot!(told(&report), @"4:14 the metadata `order` of a step is the molecule's own | call it something else; the molecule writes step, formula, order, loop, round, round_of");
}

#[test]
fn a_timeout_without_its_value_is_told_once_and_by_the_name_of_the_variable() {
    let text = "formula = \"f\"\n[[steps]]\nid = \"a\"\nacceptance = \"{{done}}\"\ngate = { type = \"human\", timeout = \"{{to}}\" }\n";
    for (mode, lines) in [(Mode::Pour, 1), (Mode::Runtime, 2)] {
        let options = Options { vars: &Vars::new(), mode, aspects: &NoAspects };
        let told = told(&compile(&library(&[("f", text)]), "f", options).expect_err("refused"));
        assert!(told.contains("variable `to` has no value") && told.contains("--var to=…"), "{told}");
        assert_eq!(told.lines().count(), lines, "{told}");
    }
}

#[test]
fn advice_for_a_step_that_other_advice_adds_is_told_why_it_selects_nothing() {
    let text = "formula = \"f\"\n[[steps]]\nid = \"build\"\n[[advice]]\ntarget = \"build\"\n\
        after = { id = \"{step.id}-verify\" }\n[[advice]]\ntarget = \"build-verify\"\nafter = { id = \"x\" }\n";
    let report = cooked(text).expect_err("refused");
    insta::assert_snapshot!(told(&report), @"8:10 no step matches `build-verify` | advice is for steps that are there before any of the same file is woven in; an aspect of its own sees them");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let said = said(
        r#"formula = "f"
[[steps]]
id = "implement"
titel = "Build it"
priority = 7
[[steps]]
id = "test"
needs = ["impelment"]
[[steps]]
id = "test"
"#,
    );
    insta::assert_snapshot!(said, @r#"
    formula::unknown-key

      × step `implement` has no key `titel`
       ╭─[town:f.formula.toml:4:1]
     3 │ id = "implement"
     4 │ titel = "Build it"
       · ──┬──
       ·   ╰── unknown
     5 │ priority = 7
       ╰────
      help: did you mean `title`?

    formula::priority

      × priority 7 is not one of 0 to 4
       ╭─[town:f.formula.toml:5:12]
     4 │ titel = "Build it"
     5 │ priority = 7
       ·            ┬
       ·            ╰── 0 is the most urgent, 4 the least
     6 │ [[steps]]
       ╰────

    formula::unknown-need

      × step `test` names `impelment`, which is no step
       ╭─[town:f.formula.toml:8:10]
     7 │ id = "test"
     8 │ needs = ["impelment"]
       ·          ─────┬─────
       ·               ╰── no step of that id
     9 │ [[steps]]
       ╰────
      help: did you mean `implement`?

    formula::duplicate-id

      × two steps are called `test`
        ╭─[town:f.formula.toml:10:6]
      6 │ [[steps]]
      7 │ id = "test"
        ·      ───┬──
        ·         ╰── the first: f@steps[1]
      8 │ needs = ["impelment"]
      9 │ [[steps]]
     10 │ id = "test"
        ·      ───┬──
        ·         ╰── the second: f@steps[2]
        ╰────
    "#);
}

#[test]
fn a_circle_is_drawn() {
    insta::assert_snapshot!(said("formula = \"f\"\n[[steps]]\nid = \"a\"\nneeds = [\"c\"]\n[[steps]]\nid = \"b\"\nneeds = [\"a\"]\n[[steps]]\nid = \"c\"\nneeds = [\"b\"]\n"), @r#"
    formula::cycle

      × steps wait for each other: a -> c -> b -> a
       ╭─[town:f.formula.toml:7:10]
     6 │ id = "b"
     7 │ needs = ["a"]
       ·          ─┬─
       ·           ╰── this edge closes the circle
     8 │ [[steps]]
       ╰────
      help: an arrow reads `waits for`; drop one of them, or no step of the circle can ever start
    "#);
}

#[test]
fn a_range_names_the_variable_that_it_lacks() {
    insta::assert_snapshot!(said("formula = \"f\"\n[vars]\ndisks = \"3\"\n[[steps]]\nid = \"l\"\n[steps.loop]\nrange = \"1..2^{disk}-1\"\n[[steps.loop.body]]\nid = \"x\"\n"), @r#"
    formula::range

      × the range `1..2^{disk}-1` is not understood: `{` was not expected in the expression
       ╭─[town:f.formula.toml:7:9]
     6 │ [steps.loop]
     7 │ range = "1..2^{disk}-1"
       ·         ───────┬───────
       ·                ╰── here
     8 │ [[steps.loop.body]]
       ╰────
      help: did you mean `disks`?
    "#);
}

#[test]
fn a_missing_parent_is_the_only_thing_said() {
    insta::assert_snapshot!(said("formula = \"f\"\nextends = [\"shiney\"]\n[[steps]]\nid = \"a\"\nneeds = [\"design\"]\n"), @r#"
    formula::unknown-formula

      × there is no formula `shiney`
       ╭─[town:f.formula.toml:2:12]
     1 │ formula = "f"
     2 │ extends = ["shiney"]
       ·            ────┬───
       ·                ╰── asked for here
     3 │ [[steps]]
       ╰────
      help: searched: the built-in formulas; `bd formula list` shows what there is
    "#);
    let with = library(&[("f", "formula = \"f\"\nextends = [\"g\"]"), ("g", "formula = \"g\"\nextends = [\"f\"]")]);
    insta::assert_snapshot!(cook(&with, "f", &Vars::new()).expect_err("a circle").render(false), @r#"
    formula::circular-extends

      × circular extends: f -> g -> f
       ╭─[town:g.formula.toml:2:12]
     1 │ formula = "g"
     2 │ extends = ["f"]
       ·            ─┬─
       ·             ╰── comes back to where it started
       ╰────
    "#);
}

#[test]
fn values_are_held_to_what_the_formula_allows() {
    let text = "formula = \"f\"\n[vars.level]\nenum = [\"low\", \"high\"]\n[vars.n]\ntype = \"int\"\ndefault = \"many\"\n[[steps]]\nid = \"a\"\n";
    let library = library(&[("f", text)]);
    let report = cook(&library, "f", &vars(&[("level", "hgih")])).expect_err("two bad values");
    insta::assert_snapshot!(report.render(false), @r#"
    formula::var-value

      × `hgih` is no value of variable `level`: it must be one of low, high
       ╭─[town:f.formula.toml:2:7]
     1 │ formula = "f"
     2 │ [vars.level]
       ·       ──┬──
       ·         ╰── declared here
     3 │ enum = ["low", "high"]
       ╰────
      help: give another: --var level=…

    formula::var-value

      × `many` is no value of variable `n`: it must be an integer
       ╭─[town:f.formula.toml:6:11]
     5 │ type = "int"
     6 │ default = "many"
       ·           ───┬──
       ·              ╰── here
     7 │ [[steps]]
       ╰────
    "#);
}

#[test]
fn syntax_errors_point_at_the_place() {
    insta::assert_snapshot!(said("formula = \"f\"\n[[steps]\nid = \"a\"\n"), @r#"
    formula::syntax

      × this is not valid TOML: unclosed array table, expected `]`
       ╭─[town:f.formula.toml:2:9]
     1 │ formula = "f"
     2 │ [[steps]
       ·         ▲
       ·         ╰── here
     3 │ id = "a"
       ╰────

    formula::unknown-key

      × a formula has no key `id`
       ╭─[town:f.formula.toml:3:1]
     2 │ [[steps]
     3 │ id = "a"
       · ─┬
       ·  ╰── unknown
       ╰────
      help: its keys are advice, compose, description, extends, formula, inputs, legs, output, patrol,
            phase, pointcuts, pour, presets, prompts, review_only, squash, steps, synthesis, template,
            type, vars, version
    "#);
    let mut json = Library::empty();
    json.add(Layer::Town, "f.formula.json", "{\"formula\": \"f\",\n \"steps\": [}");
    insta::assert_snapshot!(cook(&json, "f", &Vars::new()).expect_err("broken").render(false), @r#"
    formula::syntax

      × this is not valid JSON: expected a value, found `}`
       ╭─[town:f.formula.json:2:12]
     1 │ {"formula": "f",
     2 │  "steps": [}
       ·            ┬
       ·            ╰── here
       ╰────
    "#);
}

#[test]
fn in_files_of_others_an_unknown_key_is_only_a_warning() {
    let text = "formula = \"f\"\nowner = \"me\"\n[[steps]]\nid = \"a\"\n";
    assert!(cooked(text).is_err());
    let mut library = Library::empty();
    library.add(Layer::Repository, "f.formula.toml", text);
    assert!(cook(&library, "f", &Vars::new()).is_ok());
}

#[test]
fn an_unknown_name_suggests_the_one_that_was_meant() {
    let report = cook(&Library::new([]), "shinny", &Vars::new()).expect_err("a slip");
    assert_eq!(report.findings[0].help.as_deref(), Some("did you mean `shiny`?"));
}

#[test]
fn an_expansion_that_is_not_there_is_told_beside_a_target_that_is_none() {
    let text = "formula = \"f\"\n[[steps]]\nid = \"a\"\n[compose]\nexpand = [{ target = \"b\", with = \"no1\" }]\n\
        map = [{ select = \"b*\", with = \"no2\" }]\naspects = [\"no3\"]\n";
    insta::assert_snapshot!(told(&cooked(text).expect_err("all of it is wrong")), @r"
    5:22 there is no step `b` | 
    5:34 there is no formula `no1` | searched: the built-in formulas; `bd formula list` shows what there is
    6:19 no step matches `b*` | 
    6:32 there is no formula `no2` | searched: the built-in formulas; `bd formula list` shows what there is
    7:12 there is no formula `no3` | searched: the built-in formulas; `bd formula list` shows what there is
    ");
}

#[test]
fn the_reference_names_every_key() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formulas.md");
    let docs = std::fs::read_to_string(path).expect("docs/formulas.md");
    let text = r#"formula = "f"
        zzzz = 1
        [vars.v]
        zzzz = 1
        [[steps]]
        id = "a"
        zzzz = 1
        [steps.loop]
        count = 1
        zzzz = 1
        [[steps.loop.body]]
        id = "b"
        [steps.gate]
        type = "human"
        zzzz = 1
        [steps.on_complete]
        for_each = "output.items"
        bond = "f"
        zzzz = 1
        [compose]
        zzzz = 1"#;
    let report = cooked(text).expect_err("unknown keys");
    let helps: Vec<&str> =
        report.findings.iter().filter_map(|f| f.help.as_deref()?.strip_prefix("its keys are ")).collect();
    assert_eq!(helps.len(), 7, "{report}");
    for key in helps.iter().flat_map(|h| h.split(", ")) {
        let said =
            [format!("`{key}`"), format!("{key} ="), format!("[steps.{key}"), format!(" {key},"), format!(", {key} ")];
        assert!(said.iter().any(|s| docs.contains(s.as_str())), "docs/formulas.md does not say what `{key}` is");
    }
}

#[test]
fn a_function_outside_of_a_patrol_is_warned_of_for_nobody_runs_it() {
    let mut library = Library::empty();
    library.add(Layer::Town, "f.formula.toml", "formula = \"f\"\n[[steps]]\nid = \"a\"\nrun = \"count\"\n");
    let options = gastown::formula::Options {
        vars: &Vars::new(),
        mode: gastown::formula::Mode::Compile,
        aspects: &gastown::formula::NoAspects,
    };
    let warnings = gastown::formula::compile(&library, "f", options).expect("cooks").warnings;
    insta::assert_snapshot!(warnings.render(false), @r#"
    formula::run

      ⚠ step `a` names a function, and nobody runs it
       ╭─[town:f.formula.toml:4:7]
     3 │ id = "a"
     4 │ run = "count"
       ·       ───┬───
       ·          ╰── kept, and not run
       ╰────
      help: the daemon runs steps of patrols alone: type = "patrol", or leave it to a worker
    "#);
}

#[test]
fn each_stage_tells_what_it_made_and_what_it_changed() {
    let base = "formula = \"base\"\n[[steps]]\nid = \"build\"\n[[steps]]\nid = \"submit\"\nneeds = [\"build\"]\n";
    let own = "formula = \"own\"\nextends = [\"base\"]\n[[steps]]\nid = \"build\"\ntitle = \"Build it well\"\n\
               [[advice]]\ntarget = \"submit\"\n[advice.before]\nid = \"check-{step.id}\"\n";
    let library = library(&[("base", base), ("own", own)]);
    let options = gastown::formula::Options {
        vars: &Vars::new(),
        mode: gastown::formula::Mode::Compile,
        aspects: &gastown::formula::NoAspects,
    };
    let trace = gastown::formula::compile(&library, "own", options).expect("cooks").trace;
    let told: Vec<String> = trace
        .stages
        .iter()
        .flat_map(|stage| {
            let made = stage.added.iter().map(|made| format!("{} + {} {}", stage.stage, made.id, made.from));
            let changed = stage.changed.iter().map(|c| format!("{} ~ {} {}", stage.stage, c.id, c.what.join(", ")));
            made.chain(changed).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(
        told,
        [
            "extends + submit base@steps[1]",
            "advice + check-submit own@advice[0].before",
            "advice ~ submit + needs check-submit",
        ]
    );
}

#[test]
fn a_condition_on_the_molecule_names_steps_that_are_there() {
    let text = "formula = \"f\"\n[[steps]]\nid = \"test\"\n[[steps]]\nid = \"l\"\n[steps.loop]\n\
        until = \"reviw.output.ok == yes\"\nmax = 3\n[[steps.loop.body]]\nid = \"review\"\n[[steps]]\nid = \"submit\"\n\
        [[compose.gate]]\nbefore = \"submit\"\ncondition = \"children(tset).all(status == 'complete')\"\n\
        [[compose.gate]]\nbefore = \"submit\"\ncondition = \"status == 'complete'\"\n\
        [[compose.gate]]\nbefore = \"test\"\ncondition = \"submit.status == 'complete'\"\n\
        [[compose.gate]]\nbefore = \"submit\"\ncondition = \"test.status == 'complete'\"\n\
        [[compose.gate]]\nbefore = \"sumbit\"\ncondition = \"l.status == 'complete'\"\n";
    let report = cooked(text).expect_err("it is wrong");
    insta::assert_snapshot!(told(&report), @r"
    7:9 the condition of the loop names `reviw`, which is no step | did you mean `review`?
    15:13 the condition of the gate before `submit` names `tset`, which is no step | did you mean `test`?
    18:13 the gate before `submit` asks for something of `submit` itself | name the step that is meant, as in STEP.status == 'complete'
    24:13 steps wait for each other: test -> submit -> test | an arrow reads `waits for`; drop one of them, or no step of the circle can ever start
    26:10 there is no step `sumbit` | did you mean `submit`?
    ");
}

#[test]
fn a_variable_without_a_value_is_shown_where_it_is_used_with_what_was_meant() {
    let text = "formula = \"f\"\n[vars.feature]\nrequired = true\n[vars.level]\n[[steps]]\nid = \"a\"\n\
        description = \"\"\"\nOne.\nBuild {{feature}} and test {{feture}}.\n\"\"\"\n";
    let mut library = Library::empty();
    library.add(Layer::Town, "f.formula.toml", text);
    let run = |mode, pairs| {
        let given = vars(pairs);
        let options = gastown::formula::Options { vars: &given, mode, aspects: &gastown::formula::NoAspects };
        gastown::formula::compile(&library, "f", options).map(|cooked| cooked.warnings)
    };
    let kept = run(gastown::formula::Mode::Compile, &[]).expect("cooks");
    assert_eq!(told(&kept), "9:28 `{{feture}}` is declared nowhere | did you mean `feature`?");
    let report = run(gastown::formula::Mode::Runtime, &[("featur", "x")]).expect_err("two are missing");
    insta::assert_snapshot!(told(&report), @r"
    9:7 variable `feature` has no value | give it: --var feature=…; nothing is called `featur`
    9:28 variable `feture` has no value | did you mean `feature`?
    ");
    let report = run(gastown::formula::Mode::Pour, &[]).expect_err("one is missing");
    insta::assert_snapshot!(told(&report), @r"
    9:7 variable `feature` has no value | give it: --var feature=…
    9:28 `{{feture}}` is declared nowhere | did you mean `feature`?
    ");
    assert!(report.render(false).contains("declared without a default"), "{report}");
    assert!(run(gastown::formula::Mode::Pour, &[("feature", "x")]).is_ok());
}

#[test]
fn a_mistake_in_a_loop_is_told_once_beside_all_others() {
    let text = "formula = \"f\"\n[[steps]]\nid = \"l\"\n[steps.loop]\ncount = 200\n\
        [[steps.loop.body]]\nid = \"q\"\nneeds = [\"zz\"]\n[[steps.loop.body]]\nid = \"r\"\nneeds = [\"r\"]\n\
        [[steps.loop.body]]\nid = \"r\"\n[[steps]]\nid = \"a\"\nneeds = [\"aa\"]\n\
        [[steps]]\nid = \"b\"\nneeds = [\"c\"]\n[[steps]]\nid = \"c\"\nneeds = [\"b\"]\n";
    insta::assert_snapshot!(told(&cooked(text).expect_err("all of it is wrong")), @r"
    8:10 step `l.iter1.q` names `zz`, which is no step | 
    11:10 step `l.iter1.r` needs itself | an arrow reads `waits for`; drop one of them, or no step of the circle can ever start
    13:6 two steps are called `l.iter1.r` | 
    16:10 step `a` names `aa`, which is no step | did you mean `a`?
    22:10 steps wait for each other: b -> c -> b | an arrow reads `waits for`; drop one of them, or no step of the circle can ever start
    ");
}

#[test]
fn each_circle_is_told_those_through_a_group_too() {
    let text = "formula = \"f\"\n[[steps]]\nid = \"self\"\nneeds = [\"self\"]\n\
        [[steps]]\nid = \"a\"\nneeds = [\"b\"]\n[[steps]]\nid = \"b\"\nneeds = [\"a\"]\n\
        [[steps]]\nid = \"g\"\n[[steps.children]]\nid = \"g1\"\nneeds = [\"g\"]\n[[steps.children]]\nid = \"g2\"\nneeds = [\"g\"]\n\
        [[steps]]\nid = \"h\"\nneeds = [\"i\"]\n[[steps.children]]\nid = \"h1\"\n[[steps]]\nid = \"i\"\nneeds = [\"h1\"]\n";
    insta::assert_snapshot!(told(&cooked(text).expect_err("four circles")), @r"
    4:10 step `self` needs itself | an arrow reads `waits for`; drop one of them, or no step of the circle can ever start
    10:10 steps wait for each other: a -> b -> a | an arrow reads `waits for`; drop one of them, or no step of the circle can ever start
    15:10 steps wait for each other through a group: g -> g1 | a step of a group begins no sooner than the group may, and a group is done when all its steps are
    21:10 steps wait for each other through a group: h -> i -> h1 | a step of a group begins no sooner than the group may, and a group is done when all its steps are
    ");
}

#[test]
fn of_a_hundred_findings_and_more_the_number_is_told() {
    let step = |i: usize| format!("[[steps]]\nid = \"s{i}\"\nneeds = [\"x{i}\"]\n");
    let text: String = std::iter::once("formula = \"f\"\n".to_owned()).chain((0..130).map(step)).collect();
    let report = cooked(&text).expect_err("130 needs of nothing");
    assert_eq!(report.findings.len(), 101);
    assert_eq!(report.findings[100].message, "further findings are not shown");
    // Warnings leave no room for what keeps it from cooking.
    let key = |i: usize| format!("key{i} = 1\n");
    let text: String = std::iter::once("formula = \"f\"\n".to_owned()).chain((0..130).map(key)).collect();
    let mut library = Library::empty();
    library.add(Layer::Repository, "f.formula.toml", &format!("{text}[[steps]]\nid = \"a\"\nneeds = [\"b\"]\n"));
    let report = cook(&library, "f", &Vars::new()).expect_err("a need of nothing");
    assert_eq!((report.errors(), report.findings[99].code), (1, "unknown-need"));
    assert_eq!(report.findings[100].message, "further findings are not shown");
}

#[test]
fn advice_that_selects_no_step_is_told_with_what_was_meant() {
    let steps = "[[steps]]\nid = \"implement\"\n[[steps]]\nid = \"l\"\n[steps.loop]\ncount = 2\n[[steps.loop.body]]\nid = \"move\"\n";
    let advice = |what: &str| format!("[[advice]]\n{what}\nafter = {{ id = \"{{step.id}}-check\" }}\n");
    let own = format!(
        "formula = \"f\"\n{steps}{}{}{}{}{}[[pointcuts]]\nglob = \"imp\"\n[[pointcuts]]\nglob = \"implement\"\n",
        advice("target = \"implment\""),
        advice("target = \"move\""),
        advice("target = \"fix-*\""),
        advice("label = \"auth\""),
        advice("target = \"*.move\""),
    );
    insta::assert_snapshot!(told(&cooked(&own).expect_err("a slip")), @r"
    11:10 no step matches `implment` | did you mean `implement`?
    14:10 no step matches `move` | did you mean `*.move`?
    17:10 no step matches `fix-*` | 
    20:9 no step is as this advice says | 
    23:10 no pointcut selects a step that this advice is for | 
    26:8 no step matches `imp` | did you mean `implement`?
    ");
    // Elsewhere, and from a parent, it is a warning; an aspect is for formulas that it does not know.
    let slip = format!("formula = \"p\"\n{steps}{}", advice("target = \"implment\""));
    let mut theirs = Library::empty();
    theirs.add(Layer::Repository, "p.formula.toml", &slip);
    let child = library(&[("p", &slip), ("f", "formula = \"f\"\nextends = [\"p\"]\n")]);
    let aspect = format!("formula = \"watch\"\ntype = \"aspect\"\n{}", advice("target = \"implment\""));
    let woven = format!("formula = \"f\"\n{steps}[compose]\naspects = [\"watch\"]\n");
    let woven = library(&[("watch", &aspect), ("f", &woven)]);
    let warned = |library: &Library, name: &str| {
        let none = Vars::new();
        let (mode, aspects) = (gastown::formula::Mode::Compile, &gastown::formula::NoAspects);
        let options = gastown::formula::Options { vars: &none, mode, aspects };
        told(&gastown::formula::compile(library, name, options).expect("cooks").warnings)
    };
    let warning = "11:10 no step matches `implment` | did you mean `implement`?";
    assert_eq!(warned(&theirs, "p"), warning);
    assert_eq!(warned(&child, "f"), warning);
    assert_eq!(warned(&woven, "f"), "");
    assert_eq!(warned(&woven, "watch"), "");
}

#[test]
fn nothing_follows_from_a_range_that_is_wrong() {
    let text = "formula = \"f\"\n[[steps]]\nid = \"rounds\"\n[steps.loop]\nrange = \"1..x\"\n[[steps.loop.body]]\nid = \"x\"\n\
        [[steps]]\nid = \"a\"\nneeds = [\"rounds\", \"rounds.iter1.x\", \"round\"]\nwaits_for = \"children-of(rounds)\"\n\
        [[advice]]\ntarget = \"*.x\"\nafter = { id = \"{step.id}-check\" }\n\
        [[compose.branch]]\nfrom = \"rounds\"\nsteps = [\"a\"]\n[[compose.bond_points]]\nid = \"p\"\nafter_step = \"rounds\"\n\
        [[compose.gate]]\nbefore = \"a\"\ncondition = \"rounds.status == 'complete'\"\n\
        [[compose.expand]]\ntarget = \"rounds\"\nwith = \"f\"\n";
    insta::assert_snapshot!(told(&cooked(text).expect_err("the range")), @r"
    5:9 the range `1..x` is not understood: `x` was not expected in the expression | a range is as in 1..10 or 1..2^{disks}-1
    10:38 step `a` names `round`, which is no step | 
    ");
}

#[test]
fn a_wrong_list_is_told_once_with_the_header_to_write() {
    let text = "formula = \"f\"\npointcuts = 1\n[[steps]]\nid = \"a\"\nchildren = { id = \"b\" }\n\
        [[steps]]\nid = \"l\"\nloop = { count = 2, body = { id = \"x\" } }\n\
        [[steps]]\nid = \"m\"\n[steps.loop]\ncount = 2\n[[steps.loop.body]]\nid = \"n\"\nchildren = 1\n\
        [compose]\nexpand = { target = \"a\", with = \"f\" }\n";
    insta::assert_snapshot!(told(&cooked(text).expect_err("lists")), @r"
    2:13 `pointcuts` must be an array of tables, not an integer | write each as `[[pointcuts]]`
    5:12 `children` must be an array of tables, not a table | write each as `[[steps.children]]`
    8:28 `body` must be an array of tables, not a table | write each as `[[steps.loop.body]]`
    15:12 `children` must be an array of tables, not an integer | write each as `[[steps.loop.body.children]]`
    17:10 `expand` must be an array of tables, not a table | write each as `[[compose.expand]]`
    ");
}

#[test]
fn a_label_that_no_bead_can_have_is_told_before_it_is_poured() {
    let long = "x".repeat(300);
    let text = format!(
        "formula = \"f\"\n[vars]\nteam = \"\"\n[[steps]]\nid = \"a\"\nlabels = [\"\", \"{long}\", \"{{{{team}}}}\", \"a\\tb\"]\n\
         [[steps]]\nid = \"l\"\n[steps.loop]\ncount = 3\n[[steps.loop.body]]\nid = \"b\"\nlabels = [\"{long}\"]\n"
    );
    insta::assert_snapshot!(told(&cooked(&text).expect_err("labels")).replace(&long, "xxx"), @r"
    6:11 a label of step `a` is empty | 
    6:15 a label of step `a` has 300 bytes; 200 are the most | 
    6:331 a label of step `a` has a control character | 
    13:11 a label of step `l.iter1.b` has 300 bytes; 200 are the most | 
    ");
    // What a placeholder comes to is known when values are.
    let text = "formula = \"f\"\n[vars]\nteam = \"\"\n[[steps]]\nid = \"a\"\nlabels = [\"t-{{team}}\"]\n";
    let library = library(&[("f", text)]);
    let given = vars(&[("team", &long)]);
    let run = |mode| {
        let options = gastown::formula::Options { vars: &given, mode, aspects: &gastown::formula::NoAspects };
        gastown::formula::compile(&library, "f", options)
    };
    assert!(run(gastown::formula::Mode::Compile).is_ok());
    let report = run(gastown::formula::Mode::Pour).expect_err("too long");
    assert_eq!(told(&report), "6:11 a label of step `a` has 302 bytes; 200 are the most | ");
}

/// `line:column message | help`, a line each.
pub(super) fn told(report: &gastown::formula::Report) -> String {
    let line = |f: &gastown::formula::Diagnostic| {
        let place = f.place().unwrap_or_default();
        let place = place.rsplit("toml:").next().unwrap_or_default().to_owned();
        format!("{place} {} | {}", f.message, f.help.as_deref().unwrap_or_default())
    };
    report.findings.iter().map(line).collect::<Vec<_>>().join("\n")
}
