//! Lua aspects: what they weave, what they may not do, and how their mistakes are told.

use std::fmt::Write as _;
use std::path::Path;

use gastown::formula::{Cooked, Layer, Library, Mode, Options, Proto, Report, Vars, compile};
use gastown::policy::LuaAspects;

use super::edges;

const FORMULA: &str = r#"formula = "f"
[compose]
aspects = ["mine"]
[[steps]]
id = "a"
title = "Build {{what}}"
labels = ["auth"]
metadata = { team = "core" }
[[steps]]
id = "b"
type = "bug"
needs = ["a"]
[[steps]]
id = "c"
needs = ["b"]"#;

fn library(lua: &str) -> Library {
    let mut library = Library::empty();
    library.add(Layer::Town, "f.formula.toml", FORMULA);
    library.add(Layer::Town, "mine.lua", lua);
    library
}

fn compiled(library: &Library, name: &str) -> Result<Cooked, Report> {
    let options = Options { vars: &Vars::new(), mode: Mode::Compile, aspects: &LuaAspects::default() };
    compile(library, name, options)
}

/// Cooks with an aspect of which only the body of `advise` is given.
fn woven(body: &str) -> Result<Proto, Report> {
    let lua = format!(
        "local gt = require \"gt\"\nreturn gt.aspect {{ api = 1, doc = \"d\", advise = function(step)\n{body}\nend }}\n"
    );
    compiled(&library(&lua), "f").map(|cooked| cooked.proto)
}

fn error(body: &str) -> String {
    woven(body).expect_err("is refused").render(false)
}

#[test]
fn steps_come_before_and_after_the_ones_that_the_function_chooses() {
    let proto = woven(
        r#"if step.id == "c" then return nil end
        return {
          gt.before { id = "plan", title = "Plan {id}" },
          gt.after { id = "{id}-check", title = "Check {title}", gates = step.type == "bug", type = "chore",
            description = "for {metadata.team} of {formula}", labels = { "x", step.type },
            only_if = not step:has("auth") and { touches = { "src/**" } } },
        }"#,
    )
    .expect("cooks");
    insta::assert_snapshot!(edges(&proto), @r"
    plan-a
    a <- plan-a
    a-check <- a
    plan-b <- a
    b <- a, plan-b
    b-check <- b
    c <- b, b-check
    ");
    let check = proto.step("a-check").expect("woven");
    assert_eq!(
        (check.title.as_str(), check.description.as_str(), check.kind.as_str(), check.labels.join(" ")),
        ("Check Build {{what}}", "for core of f", "chore", "x task".to_owned())
    );
    assert_eq!(check.only_if, None);
    assert_eq!((check.origin.formula.as_ref(), check.origin.location.as_ref()), ("mine", "advise.after"));
    let touches = &proto.step("b-check").expect("woven").only_if.as_ref().expect("decided later").touches;
    assert_eq!(touches.as_slice(), ["src/**"]);
}

#[test]
fn a_step_is_known_with_all_that_the_formula_says_of_it() {
    let proto = woven(
        r#"if step.id ~= "c" then return nil end
        return gt.before { id = "seen", title = step.id .. " " .. step.type .. " " .. step.needs[1] .. " "
          .. step.formula .. " " .. tostring(step:has("auth")) .. " " .. #step.labels .. " " .. step.description
          .. tostring(step.metadata.team) }"#,
    )
    .expect("cooks");
    assert_eq!(proto.step("seen-c").expect("woven").title, "c task b f false 0 nil");
}

#[test]
fn the_revision_of_the_aspect_is_part_of_the_protomolecule_and_of_its_name() {
    let lua = "local gt = require \"gt\"\nreturn gt.aspect { api = 1, doc = \"d\", advise = function() end }\n";
    let cook = |lua: &str| compiled(&library(lua), "f").expect("cooks").proto;
    let (first, again, other) = (cook(lua), cook(lua), cook(&format!("{lua}-- newer\n")));
    assert_eq!(first.id, again.id, "the same inputs give the same name");
    assert_ne!(first.id, other.id);
    let woven = &first.woven[0];
    assert_eq!((woven.aspect.as_str(), woven.path.as_str(), woven.revision.len()), ("mine", "town:mine.lua", 12));
    assert_ne!(woven.revision, other.woven[0].revision);
}

#[test]
fn a_mistake_in_plain_sight_is_shown_with_its_place() {
    insta::assert_snapshot!(error("  return step.lables and gt.after { id = \"x\", title = \"{titel}\" }"), @r#"
    formula::lua-aspect

      × aspect `mine`: `formula_step` has no field `lables`
       ╭─[town:mine.lua:3:15]
     2 │ return gt.aspect { api = 1, doc = "d", advise = function(step)
     3 │   return step.lables and gt.after { id = "x", title = "{titel}" }
       ·               ───┬──
       ·                  ╰── here
     4 │ end }
       ╰────
      help: `labels`. All fields: gt policy facts formula_step

    formula::lua-aspect

      × aspect `mine`: `formula_step` has no field `titel`
       ╭─[town:mine.lua:3:56]
     2 │ return gt.aspect { api = 1, doc = "d", advise = function(step)
     3 │   return step.lables and gt.after { id = "x", title = "{titel}" }
       ·                                                        ───┬───
       ·                                                           ╰── here
     4 │ end }
       ╰────
      help: `title`. All fields: gt policy facts formula_step
    "#);
}

#[test]
fn what_goes_wrong_when_it_is_asked_names_step_and_line() {
    insta::assert_snapshot!(error("  if step.id == \"b\" then\n    return gt.after { id = \"x\" }\n  end"), @r#"
    formula::lua-aspect

      × aspect `mine`: step `b`: gt.after: `title` is nil, not a text
       ╭─[town:mine.lua:4:5]
     3 │   if step.id == "b" then
     4 │     return gt.after { id = "x" }
       ·     ──────────────┬─────────────
       ·                   ╰── here
     5 │   end
       ╰────
    "#);
    insta::assert_snapshot!(error("  return \"x\""), @r#"
    formula::lua-aspect

      × aspect `mine`: step `a`: advice is returned, not a string
       ╭─[town:mine.lua:2:1]
     1 │ local gt = require "gt"
     2 │ return gt.aspect { api = 1, doc = "d", advise = function(step)
       · ───────────────────────────────┬──────────────────────────────
       ·                                ╰── here
     3 │   return "x"
       ╰────
      help: return gt.before { … }, gt.after { … }, a list of them, or nil
    "#);
    insta::assert_snapshot!(error("  return gt.after { id = \"x\", title = \"y\", only_if = { touch = { \"a\" } } }"), @r#"
    formula::lua-aspect

      × aspect `mine`: step `a`: gt.after: `only_if` has no field `touch`
       ╭─[town:mine.lua:3:56]
     2 │ return gt.aspect { api = 1, doc = "d", advise = function(step)
     3 │   return gt.after { id = "x", title = "y", only_if = { touch = { "a" } } }
       ·                                                        ──┬──
       ·                                                          ╰── here
     4 │ end }
       ╰────
      help: `touches`
    "#);
    insta::assert_snapshot!(error("  return gt.nudge(step, \"x\")"), @r#"
    formula::lua-aspect

      × aspect `mine`: step `a`: gt.nudge: argument 1 is a formula_step, not polecat
       ╭─[town:mine.lua:3:13]
     2 │ return gt.aspect { api = 1, doc = "d", advise = function(step)
     3 │   return gt.nudge(step, "x")
       ·             ──┬──
       ·               ╰── here
     4 │ end }
       ╰────
    "#);
}

#[test]
fn a_file_that_is_no_aspect_is_refused() {
    let refused = |lua: &str| compiled(&library(lua), "f").expect_err("is refused").render(false);
    insta::assert_snapshot!(refused("return 1\n"), @r#"
    formula::lua-aspect

      × aspect `mine`: the file of an aspect returns one, not a number
       ╭─[town:mine.lua:1:1]
     1 │ return 1
       · ────┬───
       ·     ╰── here
       ╰────
      help: return gt.aspect { api = 1, doc = "…", advise = function(step) … end }
    "#);
    insta::assert_snapshot!(refused("local gt = require \"gt\"\nreturn gt.aspect { api = 2, doc = \"\", advise = print }\n"), @r#"
    formula::lua-aspect

      × aspect `mine`: there is no global `print`
       ╭─[town:mine.lua:2:48]
     1 │ local gt = require "gt"
     2 │ return gt.aspect { api = 2, doc = "", advise = print }
       ·                                                ──┬──
       ·                                                  ╰── here
       ╰────
      help: a policy prints nothing: reads and comparisons show in `gt why`
    "#);
    insta::assert_snapshot!(refused("local function(\n"), @r"
    formula::lua-aspect

      × aspect `mine`: Expected identifier when parsing variable name, got '('
       ╭─[town:mine.lua:1:1]
     1 │ local function(
       · ───────┬───────
       ·        ╰── here
       ╰────
    ");
}

#[test]
fn an_end_that_is_missing_is_told_and_nothing_that_follows_from_it() {
    insta::assert_snapshot!(error("if step.id == \"a\" then return gt.after { id = \"x\", title = \"X\" }"), @r#"
    formula::lua-aspect

      × aspect `mine`: Expected identifier when parsing expression, got '}'
       ╭─[town:mine.lua:4:1]
     3 │ if step.id == "a" then return gt.after { id = "x", title = "X" }
     4 │ end }
       · ──┬──
       ·   ╰── here
       ╰────
      help: if nothing is wrong with the line, an `end` is missing above it
    "#);
    let table =
        "local gt = require \"gt\"\nreturn gt.aspect { api = 1, doc = \"d\",\nadvise = function(step) return nil end\n";
    insta::assert_snapshot!(compiled(&library(table), "f").expect_err("is refused").render(false), @r#"
    formula::lua-aspect

      × aspect `mine`: Expected '}' (to close '{' at line 2), got <eof>
       ╭─[town:mine.lua:3:1]
     2 │ return gt.aspect { api = 1, doc = "d",
     3 │ advise = function(step) return nil end
       · ───────────────────┬──────────────────
       ·                    ╰── here
       ╰────
    "#);
}

#[test]
fn an_aspect_that_remembers_is_found_out() {
    let lua = "local gt = require \"gt\"\nlocal seen = {}\nreturn gt.aspect { api = 1, doc = \"d\", advise = function(step)\n\
         if seen[1] then return nil end\n seen[1] = true\n return gt.after { id = \"x\", title = \"once\" }\nend }\n";
    let report = compiled(&library(lua), "f").expect_err("is refused").render(false);
    assert!(report.contains("asked twice about step `a`, it gives two answers"), "{report}");
}

#[test]
fn an_aspect_that_loops_or_takes_memory_is_ended() {
    let loops = error("  while true do end");
    assert!(loops.contains("step `a`: it took longer than 200 ms"), "{loops}");
    let caught = error("  while true do pcall(function() while true do end end) end");
    assert!(caught.contains("it took longer than 200 ms"), "{caught}");
    // Time enough, so that it is the memory that ends it.
    let limits = gastown::policy::Limits { time: std::time::Duration::from_secs(60), ..Default::default() };
    let hungry = "local gt = require \"gt\"\nreturn gt.aspect { api = 1, doc = \"d\", advise = function(step)\n\
        local t = {}\n for i = 1, 1e9 do t[i] = string.rep(\"x\", 1000) .. i end\nend }\n";
    let aspects = LuaAspects::with_limits(limits);
    let options = Options { vars: &Vars::new(), mode: Mode::Compile, aspects: &aspects };
    let memory = compile(&library(hungry), "f", options).expect_err("is refused").render(false);
    assert!(memory.contains("it took more than 32 MB of memory"), "{memory}");
    let outside =
        error("  local t = {}\n  for i = 1, 1e6 do t[i] = gt.after { id = \"x\" .. i, title = \"x\" } end\n  return t");
    assert!(outside.contains("more than 64 pieces of advice in one call"), "{outside}");
    let long = error("  return gt.after { id = \"x\", title = \"x\", description = string.rep(\"x\", 1e5) }");
    assert!(long.contains("a description has at most 64 KB"), "{long}");
}

#[test]
fn advice_for_many_steps_counts_against_the_limit_of_steps() {
    let mut library = library(
        "local gt = require \"gt\"\nreturn gt.aspect { api = 1, doc = \"d\", advise = function(step)\n\
        local all = {}\n for i = 1, 60 do all[i] = gt.after { id = \"{id}-\" .. i, title = \"x\" } end\n return all\nend }\n",
    );
    let mut text = String::from("formula = \"many\"\n[compose]\naspects = [\"mine\"]\n");
    for i in 0..50 {
        let _ = write!(text, "[[steps]]\nid = \"s{i}\"\n");
    }
    library.add(Layer::Town, "many.formula.toml", &text);
    assert_eq!(compiled(&library, "many").expect("cooks").proto.steps.len(), 50 * 61);
    let few = library.with_limits(gastown::formula::Limits { steps: 1000, ..Default::default() });
    let report = compiled(&few, "many").expect_err("too many").render(false);
    assert!(report.contains("this makes more than 1000 steps") && report.contains("formula.max_steps"), "{report}");
}

#[test]
fn a_toml_file_and_a_lua_file_of_one_name_are_found_by_layer() {
    let mut library = Library::empty();
    library.add(Layer::Repository, "mine.lua", "return 1\n");
    library.add(Layer::Town, "mine.formula.toml", "formula = \"mine\"\ntype = \"aspect\"\n");
    library.add(Layer::Town, "f.formula.toml", FORMULA);
    assert!(compiled(&library, "f").expect_err("the nearer one").render(false).contains("returns one"));
    let unknown = FORMULA.replace("mine", "securty-review");
    let mut library = Library::new([]);
    library.add(Layer::Town, "f.formula.toml", &unknown);
    let report = compiled(&library, "f").expect_err("unknown").render(false);
    assert!(report.contains("did you mean `security-review`?"), "{report}");
}

#[test]
fn the_shipped_aspects_weave_where_they_say() {
    let text = FORMULA.replace("\"mine\"", "\"security-review\", \"docs-check\"");
    let mut library = Library::new([]);
    library.add(Layer::Town, "f.formula.toml", &text);
    let proto = compiled(&library, "f").expect("cooks").proto;
    insta::assert_snapshot!(edges(&proto), @r"
    a
    docs-check-a <- a
    security-review-a <- a
    b <- a, security-review-a
    docs-check-b <- b
    c <- b
    docs-check-c <- c
    security-review-c <- c
    ");
    assert!(proto.step("security-review-a").expect("woven").only_if.is_none(), "it is labelled auth");
    assert!(proto.step("security-review-c").expect("woven").only_if.is_some());
}

#[test]
fn the_example_is_what_a_user_would_copy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/formulas");
    let library = Library::new([(Layer::Town, folder)]);
    let proto = compiled(&library, "migrate").expect("cooks").proto;
    insta::assert_snapshot!(edges(&proto), @r"
    backup
    alter-plan <- backup
    alter <- backup, alter-plan
    alter-second-look <- alter
    verify <- alter, alter-second-look
    ");
    let look = proto.step("alter-second-look").expect("woven");
    assert_eq!(
        (look.title.as_str(), look.description.as_str()),
        ("Second look at Alter the tables", "To be read by the owner of the data, who did not write it.",)
    );
}

#[test]
fn what_lua_values_look_like_as_text_is_the_same_in_each_run() {
    let title = "tostring(gt.after) .. tostring({}) .. string.format(' %s %5s|%d ', f, 1, 2) .. `{f}` .. tostring(nil)";
    let body = format!("local function f() end\nreturn gt.after {{ id = step.id .. '-x', title = {title} }}");
    let proto = woven(&body).unwrap_or_else(|report| panic!("{}", report.render(false)));
    assert_eq!(proto.steps[1].title, "functiontable function     1|2 functionnil");
}
