//! The messages of the load check and of judging, as a user reads them.

use std::sync::Arc;

use gastown::policy::{MemoryLadders, NoReads, PolecatState, Snapshot};

use super::facts::*;

/// A town layer over the shipped Witness, with settings; the error of loading it.
fn refused(body: &str) -> String {
    let head = "local gt = require \"gt\"\nlocal witness = gt.extend(\"witness\")\n\
                local cfg = witness.settings { patience = gt.duration(\"8m\", \"\"), slow = gt.string(\"slow\", \"\") }\n";
    extended("witness", &format!("{head}{body}\n")).err().unwrap_or_else(|| "it loads".into())
}

fn when(body: &str) -> String {
    refused(&format!("witness.override(\"nudge-silent\", {{ when = function(w, town)\n  {body}\nend }})"))
}

fn act(body: &str) -> String {
    refused(&format!("witness.override(\"park-limited\", {{ act = function(w, town)\n  {body}\nend }})"))
}

/// The warning of judging a rule whose `act` is this.
fn judged(body: &str) -> String {
    let text = format!(
        "local gt = require \"gt\"\nlocal witness = gt.extend(\"witness\")\n\
         witness.override(\"restart-dead\", {{ act = function(w, town)\n  {body}\nend }})\n"
    );
    let mut engine = extended("witness", &text).unwrap_or_else(|e| panic!("{e}"));
    let worker = polecat("toast", PolecatState::Dead, Some(bead("gt-1")));
    let snapshot = Snapshot { polecats: vec![Arc::new(worker)], ..snapshot(600_000) };
    said(&engine.pass(&Arc::new(snapshot), &NoReads, &mut MemoryLadders::default()).warnings)
}

#[test]
fn unknown_fields() {
    insta::assert_snapshot!(when("return w.state == \"silent\" and w.silent > cfg.patience"), @r#"
    error: `worker` has no field `silent`
     --> town/lua/roles/x.lua:5:36
    5 |   return w.state == "silent" and w.silent > cfg.patience
      |                                    ^^^^^^
      = help: `silent_for`. All fields: gt policy facts worker
    "#);
    insta::assert_snapshot!(when("return w.bead:has(cfg.slow) and w.bead.titel == \"x\""), @r#"
    error: `bead` has no field `titel`
     --> town/lua/roles/x.lua:5:42
    5 |   return w.bead:has(cfg.slow) and w.bead.titel == "x"
      |                                          ^^^^^
      = help: `title`. All fields: gt policy facts bead
    "#);
    insta::assert_snapshot!(when("return town.beads.fnd { label = \"x\" }[1] ~= nil"), @r#"
    error: `town.beads` has no function `fnd`
     --> town/lua/roles/x.lua:5:21
    5 |   return town.beads.fnd { label = "x" }[1] ~= nil
      |                     ^^^
      = help: `find`
    "#);
    insta::assert_snapshot!(when("return w.bead.has(\"x\")"), @r#"
    error: `has` is called with a colon
     --> town/lua/roles/x.lua:5:17
    5 |   return w.bead.has("x")
      |                 ^^^
      = help: :has(…)
    "#);
    insta::assert_snapshot!(act("return gt.nudge(w, \"Silent for {silence}, step {step.id}\")"), @r#"
    error: `worker` has no field `silence`
     --> town/lua/roles/x.lua:5:34
    5 |   return gt.nudge(w, "Silent for {silence}, step {step.id}")
      |                                  ^^^^^^^^^
      = help: `silent_for`. All fields: gt policy facts worker
    "#);
}

#[test]
fn lengths_of_time_and_words() {
    insta::assert_snapshot!(when("return w.silent_for > 300"), @r#"
    error: `silent_for` is a span and 300 is a number
     --> town/lua/roles/x.lua:5:25
    5 |   return w.silent_for > 300
      |                         ^^^
      = help: gt.span "5m"
    "#);
    insta::assert_snapshot!(when("return \"5m\" < w.silent_for"), @r#"
    error: `silent_for` is a span and "5m" is a string
     --> town/lua/roles/x.lua:5:10
    5 |   return "5m" < w.silent_for
      |          ^^^^
      = help: gt.span "5m"
    "#);
    insta::assert_snapshot!(when("return w.silent_for == 300"), @r"
    error: an age is never equal to anything
     --> town/lua/roles/x.lua:5:23
    5 |   return w.silent_for == 300
      |                       ^^
      = help: compare it with < or > and a span
    ");
    insta::assert_snapshot!(when("return cfg.patience > 8"), @r#"
    error: `patience` is a span and 8 is a number
     --> town/lua/roles/x.lua:5:25
    5 |   return cfg.patience > 8
      |                         ^
      = help: gt.span "5m"
    "#);
    insta::assert_snapshot!(when("return w.state == \"quiet\""), @r#"
    error: `state` is never "quiet"
     --> town/lua/roles/x.lua:5:21
    5 |   return w.state == "quiet"
      |                     ^^^^^^^
      = help: working, silent, idle, waiting, limited, done, dead, unknown
    "#);
    insta::assert_snapshot!(when("return \"silnt\" ~= w.state"), @r#"
    error: `state` is never "silnt"
     --> town/lua/roles/x.lua:5:10
    5 |   return "silnt" ~= w.state
      |          ^^^^^^^
      = help: "silent"
    "#);
}

#[test]
fn names() {
    insta::assert_snapshot!(refused("witness.override(\"nudge-silnt\", {})"), @r#"
    error: no lower layer has a rule `nudge-silnt`
     --> town/lua/roles/x.lua:4:18
    4 | witness.override("nudge-silnt", {})
      |                  ^^^^^^^^^^^^^
      = help: nudge-silent (built-in)
    "#);
    insta::assert_snapshot!(when("return w.silent_for > cfg.patince"), @r"
    error: there is no setting `patince`
     --> town/lua/roles/x.lua:5:29
    5 |   return w.silent_for > cfg.patince
      |                             ^^^^^^^
      = help: `patience`
    ");
    insta::assert_snapshot!(when("return os.time() > 0"), @r"
    error: there is no global `os`
     --> town/lua/roles/x.lua:5:10
    5 |   return os.time() > 0
      |          ^^
      = help: a policy has no clock, files or processes: facts come in as arguments, town.now is the time
    ");
    insta::assert_snapshot!(when("count = (count or 0) + 1\n  return true"), @r"
    error: a policy makes no globals: `count`
     --> town/lua/roles/x.lua:5:3
    5 |   count = (count or 0) + 1
      |   ^^^^^
      = help: local count = …
    ");
    insta::assert_snapshot!(refused("function helper() end"), @r"
    error: a policy makes no globals: `helper`
     --> town/lua/roles/x.lua:4:10
    4 | function helper() end
      |          ^^^^^^
      = help: local function helper(…)
    ");
    insta::assert_snapshot!(when("print(w)"), @r"
    error: there is no global `print`
     --> town/lua/roles/x.lua:5:3
    5 |   print(w)
      |   ^^^^^
      = help: a policy prints nothing: reads and comparisons show in `gt why`
    ");
    insta::assert_snapshot!(act("return gt.nugde(w, \"hello\")"), @r#"
    error: `gt` has no `nugde`
     --> town/lua/roles/x.lua:5:13
    5 |   return gt.nugde(w, "hello")
      |             ^^^^^
      = help: `gt.nudge`
    "#);
    insta::assert_snapshot!(refused("witness.each.wroker(\"x\", {})"), @r#"
    error: there is nothing called `wroker` to have rules on
     --> town/lua/roles/x.lua:4:14
    4 | witness.each.wroker("x", {})
      |              ^^^^^^
      = help: `worker`
    "#);
    insta::assert_snapshot!(refused("witness.on.mr_mergd(\"x\", {})"), @r#"
    error: there is no event `mr_mergd`
     --> town/lua/roles/x.lua:4:12
    4 | witness.on.mr_mergd("x", {})
      |            ^^^^^^^^
      = help: `mr_merged`
    "#);
    insta::assert_snapshot!(refused("witness.overide(\"x\", {})"), @r#"
    error: the role `witness` has no `overide`
     --> town/lua/roles/x.lua:4:9
    4 | witness.overide("x", {})
      |         ^^^^^^^
      = help: `override`
    "#);
    insta::assert_snapshot!(refused("witness.override(\"nudge-silent\", { wehn = function() end })"), @r#"
    error: a rule has no part `wehn`
     --> town/lua/roles/x.lua:4:36
    4 | witness.override("nudge-silent", { wehn = function() end })
      |                                    ^^^^
      = help: `when`
    "#);
    insta::assert_snapshot!(refused("witness.each.worker(\"nudge-silent\", { when = function() end })"), @r#"
    error: there is already a rule `nudge-silent`
     --> town/lua/roles/x.lua:4:21
    4 | witness.each.worker("nudge-silent", { when = function() end })
      |                     ^^^^^^^^^^^^^^
      = help: role.override("nudge-silent", { … }) changes it
    "#);
    insta::assert_snapshot!(refused("witness.each.worker(\"x\", { when = function() return true end })"), @r#"
    error: rule `x` has no `act`
     --> town/lua/roles/x.lua:4:21
    4 | witness.each.worker("x", { when = function() return true end })
      |                     ^^^
    "#);
}

#[test]
fn roles() {
    let load = |role: &str, text: &str| extended(role, text).err().unwrap_or_default();
    insta::assert_snapshot!(load("witness", "local gt = require \"gt\"\ngt.role(\"witness\", { api = 1 })"), @r#"
    error: there is already a role `witness`
     --> town/lua/roles/x.lua:2:9
    2 | gt.role("witness", { api = 1 })
      |         ^^^^^^^^^
      = help: gt.extend("witness") adds a layer over it
    "#);
    insta::assert_snapshot!(load("witness", "local gt = require \"gt\"\ngt.extend(\"refinery\")"), @r#"
    error: this file is the role `witness`, not `refinery`
     --> town/lua/roles/x.lua:2:11
    2 | gt.extend("refinery")
      |           ^^^^^^^^^^
      = help: the role `refinery` is the file roles/refinery.lua
    "#);
    insta::assert_snapshot!(load("witness", "local gt = require \"gt\""), @r#"
    error: this file declares no role `witness`
     --> town/lua/roles/x.lua:1
    1 | local gt = require "gt"
      = help: local witness = gt.extend("witness")
    "#);
    let alone = |text: &str| alone("gardener", text).err().unwrap_or_default();
    insta::assert_snapshot!(alone("local gt = require \"gt\"\ngt.extend(\"gardener\")"), @r#"
    error: there is no role `gardener` to extend
     --> town/lua/roles/x.lua:2:11
    2 | gt.extend("gardener")
      |           ^^^^^^^^^^
      = help: gt.role("gardener", { api = 1, … }) declares a new one
    "#);
    insta::assert_snapshot!(alone("local gt = require \"gt\"\ngt.role(\"gardener\", { api = 2, scope = \"rig\" })"), @r#"
    error: the api of a role is 1
     --> town/lua/roles/x.lua:2:23
    2 | gt.role("gardener", { api = 2, scope = "rig" })
      |                       ^^^
      = help: api = 1
    "#);
    insta::assert_snapshot!(alone("local gt = require \"gt\"\nlocal x = {"), @r"
    error: Expected identifier when parsing expression, got <eof>
     --> town/lua/roles/x.lua:2
    2 | local x = {
    ");
}

#[test]
fn several_mistakes_are_said_at_once() {
    insta::assert_snapshot!(when("return w.silent > 1 and cfg.patince < w.silent_for and w.state == \"x\""), @r#"
    error: `worker` has no field `silent`
     --> town/lua/roles/x.lua:5:12
    5 |   return w.silent > 1 and cfg.patince < w.silent_for and w.state == "x"
      |            ^^^^^^
      = help: `silent_for`. All fields: gt policy facts worker
    error: there is no setting `patince`
     --> town/lua/roles/x.lua:5:31
    5 |   return w.silent > 1 and cfg.patince < w.silent_for and w.state == "x"
      |                               ^^^^^^^
      = help: `patience`
    error: `state` is never "x"
     --> town/lua/roles/x.lua:5:69
    5 |   return w.silent > 1 and cfg.patince < w.silent_for and w.state == "x"
      |                                                                     ^^^
      = help: working, silent, idle, waiting, limited, done, dead, unknown
    "#);
}

#[test]
fn found_when_judged() {
    insta::assert_snapshot!(judged("return gt.nudge(w.bead, \"hello\")"), @r#"
    error: gt.nudge: argument 1 is a bead, not polecat
     --> town/lua/roles/x.lua:4:13
    4 |   return gt.nudge(w.bead, "hello")
      |             ^^^^^
    "#);
    insta::assert_snapshot!(judged("local n = 300; if w.silent_for > n then return nil end"), @r#"
    error: a span is compared with a number
     --> town/lua/roles/x.lua:4
    4 |   local n = 300; if w.silent_for > n then return nil end
      = help: write the literal as gt.span "5m"
    "#);
    insta::assert_snapshot!(judged("local by = { lable = \"x\" }; return town.beads.find(by)[1]"), @r#"
    error: a bead has no field `lable` to find by
     --> town/lua/roles/x.lua:4:16
    4 |   local by = { lable = "x" }; return town.beads.find(by)[1]
      |                ^^^^^
      = help: `label`
    "#);
    insta::assert_snapshot!(judged("local made = gt.create { title = \"x\" }; return gt.comment(made.id, \"x\")"), @r#"
    error: an action has no fields: `create` has not happened yet
     --> town/lua/roles/x.lua:4:66
    4 |   local made = gt.create { title = "x" }; return gt.comment(made.id, "x")
      |                                                                  ^^
      = help: pass the action itself where its result is wanted
    "#);
    insta::assert_snapshot!(judged("return \"nudge\""), @r#"
    error: actions are returned, not a string
     --> town/lua/roles/x.lua:3
    3 | witness.override("restart-dead", { act = function(w, town)
      = help: return gt.nudge(…), a list of actions, or nil
    "#);
    insta::assert_snapshot!(judged("return gt.escalate(w, \"urgent\", \"x\")"), @r#"
    error: gt.escalate: argument 2 is never "urgent"
     --> town/lua/roles/x.lua:4:25
    4 |   return gt.escalate(w, "urgent", "x")
      |                         ^^^^^^^^
      = help: low, medium, high, critical
    "#);
    insta::assert_snapshot!(judged("return gt.create { titel = \"x\" }"), @r#"
    error: gt.create has no field `titel`
     --> town/lua/roles/x.lua:4:22
    4 |   return gt.create { titel = "x" }
      |                      ^^^^^
      = help: `title`
    "#);
    insta::assert_snapshot!(judged("return { act = gt.stop(w, \"x\") }"), @r#"
    error: a table of actions is a list
     --> town/lua/roles/x.lua:3
    3 | witness.override("restart-dead", { act = function(w, town)
      = help: return { gt.…, gt.… }
    "#);
    insta::assert_snapshot!(judged("for k, v in pairs(w) do end"), @r"
    error: invalid argument #1 to 'pairs' (table expected, got record)
     --> town/lua/roles/x.lua:4
    4 |   for k, v in pairs(w) do end
    ");
    insta::assert_snapshot!(judged("for k, v in w do end"), @r"
    error: `worker` is a record and cannot be walked
     --> town/lua/roles/x.lua:4
    4 |   for k, v in w do end
      = help: read its fields by name: gt policy facts worker
    ");
    insta::assert_snapshot!(judged("w.state = \"idle\""), @r#"
    error: `worker.state` is a fact and cannot be set
     --> town/lua/roles/x.lua:4:5
    4 |   w.state = "idle"
      |     ^^^^^
      = help: ask for a change: gt.update(bead, …), gt.remember(subject, …)
    "#);
    insta::assert_snapshot!(judged("return gt.sling(gt.nudge(w, \"x\"))"), @r#"
    error: gt.sling: `nudge` makes no bead
     --> town/lua/roles/x.lua:4:13
    4 |   return gt.sling(gt.nudge(w, "x"))
      |             ^^^^^
      = help: gt.create makes one
    "#);
    insta::assert_snapshot!(judged("return gt.hold(w.bead, \"x\", 300)"), @r#"
    error: gt.hold: argument 3 is a span, not a number
     --> town/lua/roles/x.lua:4
    4 |   return gt.hold(w.bead, "x", 300)
      = help: write the literal as gt.span "5m"
    "#);
    insta::assert_snapshot!(judged("local x = w.silent_for + 3"), @r#"
    error: a span is added to a number
     --> town/lua/roles/x.lua:4
    4 |   local x = w.silent_for + 3
      = help: write the literal as gt.span "5m"
    "#);
    insta::assert_snapshot!(judged("return gt.nudge(w, \"x\", \"y\", \"z\")"), @r#"
    error: gt.nudge takes 2 arguments, not 4
     --> town/lua/roles/x.lua:4:13
    4 |   return gt.nudge(w, "x", "y", "z")
      |             ^^^^^
    "#);
}

#[test]
fn what_is_right_is_not_refused() {
    for body in [
        "local w2 = w; return w2.bead ~= nil",
        "local f = function(w) return w.anything end; return f({ anything = true })",
        "for _, w in ipairs({ 1 }) do if w == 1 then return true end end return false",
        "return w.bead.memory.anything == 1 and w.bead.answers.x ~= nil",
        "return w.name:upper() == \"X\" and w.bead.title:find(\"{silence}\") == nil",
        "local t = { w = 1, state = 2 }; return t.w == 1",
        "return w.silent_for > cfg.patience * 3 and w.silent_for - cfg.patience > gt.span \"5m\"",
        "return w.bead.convoy ~= nil and w.bead.convoy.active",
        "local function inner(a, b) return a end return inner(w).state == \"silent\"",
        "if w.step and w.step.id == \"x\" then return true end return false",
    ] {
        assert_eq!(when(body), "it loads", "{body}");
    }
    {
        let body = "return gt.mail(\"overseer\", \"{bead.id}\", gt.list({ w.bead }, \"{anything}\"))";
        assert_eq!(act(body), "it loads", "{body}");
    }
}
