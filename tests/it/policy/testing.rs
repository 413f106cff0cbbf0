//! The runner of Lua tests, on the shipped ones, the examples, and tests that must fail.

use std::path::Path;

use gastown::formula::{AspectFile, Layer as FormulaLayer, Library, NoAspects, Source};
use gastown::policy::{Layer, LayerSource, Limits, TestReport, builtin, run_aspect_tests, run_tests};

use super::facts::*;

fn shipped(role: &str) -> Option<(Vec<LayerSource>, toml::Table)> {
    Some((vec![builtin(role)?], toml::Table::new()))
}

fn file(path: &str) -> LayerSource {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("readable");
    LayerSource::new(Layer::Builtin, path, text)
}

fn failures(report: &TestReport) -> String {
    let failed = report.cases.iter().filter_map(|c| Some(format!("{}: {}", c.name, c.failure.as_ref()?)));
    failed.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_tests_of_the_shipped_roles_hold() {
    for path in ["lua/roles/witness_test.lua", "lua/roles/refinery_test.lua", "lua/roles/deacon_test.lua"] {
        let report = run_tests(&file(path), &shipped, &Library::new([]), &NoAspects, Limits::of_tests());
        assert!(report.is_good(), "{path}: {}", failures(&report));
    }
}

#[test]
fn the_tests_of_the_examples_hold_over_the_shipped_layers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies");
    let sources = |role: &str| {
        let example = LayerSource::read(Layer::Town, &folder, role).expect("readable")?;
        Some((builtin(role).into_iter().chain([example]).collect(), toml::Table::new()))
    };
    for (path, cases) in [("roles/witness_test.lua", 5), ("roles/gardener_test.lua", 2)] {
        let report = run_tests(
            &file(&format!("examples/policies/{path}")),
            &sources,
            &Library::new([]),
            &NoAspects,
            Limits::of_tests(),
        );
        assert!(report.is_good(), "{}", failures(&report));
        assert_eq!(report.cases.len(), cases);
    }
}

/// Runs a test on the aspect of that file.
fn on_aspect(path: &str, test: &LayerSource) -> TestReport {
    let name = Path::new(path).file_stem().and_then(|s| s.to_str()).expect("a name").to_owned();
    let source = Source::new(path, file(path).text, FormulaLayer::Town);
    run_aspect_tests(test, &AspectFile { name, source: source.into() }, &Library::new([]))
}

#[test]
fn the_tests_of_the_shipped_aspects_and_of_the_example_hold() {
    for stem in ["lua/aspects/security-review", "lua/aspects/docs-check", "examples/formulas/four-eyes"] {
        let report = on_aspect(&format!("{stem}.lua"), &file(&format!("{stem}_test.lua")));
        assert!(report.is_good(), "{stem}: {}", failures(&report));
        assert!(report.cases.len() > 1, "{stem}");
    }
}

#[test]
fn a_failing_test_of_an_aspect_says_what_was_woven_instead() {
    let fails = |body: &str| {
        let text = format!("local t = require 'gt.test'\nt.case('x', function() {body} end)");
        let test = LayerSource::new(Layer::Town, "four-eyes_test.lua", text);
        failures(&on_aspect("examples/formulas/four-eyes.lua", &test))
    };
    let got = fails("t.equal(t.weave({ { id = 'a', labels = { 'risky' } } }):added(), { 'b' })");
    assert!(got.contains("got [\"a-plan\",\"a-second-look\"], wanted [\"b\"]"), "{got}");
    let got = fails("t.weave({ { id = 'a' } }):step 'b'");
    assert!(got.contains("there is no step `b`") && got.contains("help: a"), "{got}");
    let got = fails("t.weave { { id = 'a', nedes = { 'b' } } }");
    assert!(got.contains("nedes") && got.contains("needs"), "{got}");
    let got = fails("t.weave(3)");
    assert!(got.contains("weave takes a list of steps"), "{got}");
}

fn run(text: &str) -> TestReport {
    let file = LayerSource::new(Layer::Town, "witness_test.lua", text);
    run_tests(&file, &shipped, &Library::new([]), &NoAspects, Limits::of_tests())
}

#[test]
fn a_failing_test_says_what_happened_instead() {
    let head = "local t = require 'gt.test'\n";
    let fails = |text: &str| failures(&run(&format!("{head}{text}")));
    insta::assert_snapshot!(fails("t.rule('witness', 'nudge-silent'):fires { state = 'silent', silent_for = '5m' }"), @r"
    nudge-silent fires, line 2: error: `nudge-silent` holds: state silent, silent_for 5m > patience 5m is false
     --> witness_test.lua:2
    2 | t.rule('witness', 'nudge-silent'):fires { state = 'silent', silent_for = '5m' }
    ");
    insta::assert_snapshot!(fails("t.case('x', function(town) t.equal(town:tally(), { nudge = 1 }) end)"), @r#"
    x: error: got [], wanted {"nudge":1}
     --> witness_test.lua:2:30
    2 | t.case('x', function(town) t.equal(town:tally(), { nudge = 1 }) end)
      |                              ^^^^^
    "#);
    insta::assert_snapshot!(fails("t.case('x', function(town) town:worker { bead = 'gt-9' } end)"), @r"
    x: error: there is no bead `gt-9` in this town
     --> witness_test.lua:2:49
    2 | t.case('x', function(town) town:worker { bead = 'gt-9' } end)
      |                                                 ^^^^^^
      = help: town:bead { id = … } makes one
    ");
    insta::assert_snapshot!(fails("t.rule('witness', 'nudge-silnt'):fires {}"), @r"
    witness_test.lua loads: error: the role `witness` has no rule `nudge-silnt`
     --> witness_test.lua:2:19
    2 | t.rule('witness', 'nudge-silnt'):fires {}
      |                   ^^^^^^^^^^^^^
      = help: feed-convoy, nudge-silent, restart-dead, park-limited, waiting-for-person
    ");
    insta::assert_snapshot!(fails("t.rule('witness', 'nudge-silent'):fires { state = 'quiet' }"), @r#"
    nudge-silent fires, line 2: error: `state` is never "quiet"
     --> witness_test.lua:2
    2 | t.rule('witness', 'nudge-silent'):fires { state = 'quiet' }
    "#);
}

#[test]
fn what_happened_can_be_accepted() {
    let text = "local t = require \"gt.test\"\nt.case(\"x\", function(town)\n  \
                town:worker { name = \"toast\", bead = town:bead { id = \"gt-1\" }, silent = true }\n  town:run(\"6m\")\n  \
                town:expect [[\n    wrong\n  ]]\nend)\n";
    let report = run(text);
    assert!(!report.is_good());
    let accepted = report.accepted(text);
    insta::assert_snapshot!(accepted, @r#"
    local t = require "gt.test"
    t.case("x", function(town)
      town:worker { name = "toast", bead = town:bead { id = "gt-1" }, silent = true }
      town:run("6m")
      town:expect [[
        +5m    nudge  toast  nudge-silent 1/4
      ]]
    end)
    "#);
    assert!(run(&accepted).is_good());
}

#[test]
fn a_rule_that_keeps_state_fails_its_case() {
    let policy = "local gt = require 'gt'\nlocal w = gt.extend 'witness'\nlocal calls = 0\n\
                  w.each.bead('forgetful', { when = function() calls = calls + 1; return calls % 2 == 1 end,\n\
                  act = function(b) return gt.close(b, 'x') end })";
    let sources = |role: &str| {
        let layers = vec![builtin(role)?, town(policy)];
        Some((layers, toml::Table::new()))
    };
    let test = "local t = require 'gt.test'\nt.case('x', function(town) town:bead {}; town:run('1m') end)";
    let test = LayerSource::new(Layer::Town, "witness_test.lua", test);
    let report = run_tests(&test, &sources, &Library::new([]), &NoAspects, Limits::of_tests());
    assert!(failures(&report).contains("`forgetful` answers differently on the same facts"), "{}", failures(&report));
}
