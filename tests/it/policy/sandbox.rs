//! Hostile scripts: each is stopped in bounded time, and the process and the engine are well afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gastown::policy::{Engine, Layer, LayerSource, Limits, MemoryLadders, NoReads, Outcome, Pass, Snapshot, builtin};

use super::facts::*;

/// Short, so that the endless scripts end soon; what is bounded is tested with the generous cap of `bounded`.
fn limits() -> Limits {
    Limits { time: Duration::from_millis(200), ..Limits::default() }
}

/// A rule that runs `body` and would sling the bead if it got to its end.
fn rule(body: &str) -> String {
    format!(
        r#"
        local gt = require "gt"
        local r = gt.role("hostile", {{ api = 1, scope = "rig", doc = "" }})
        r.each.bead("attack", {{
          when = function(bead)
            do {body} end
            return true
          end,
          act = function(bead) return gt.sling(bead) end,
        }})
        r.each.bead("other", {{ when = function() return true end, act = function(b) return gt.close(b, "well") end }})
        "#
    )
}

fn one_bead() -> Arc<Snapshot> {
    Arc::new(Snapshot { beads: vec![Arc::new(bead("gt-1"))], ..snapshot(0) })
}

fn engine(body: &str) -> Engine {
    let source = LayerSource::new(Layer::Town, "hostile.lua", rule(body));
    Engine::load_with("hostile", &[source], &toml::Table::new(), limits()).unwrap_or_else(|e| panic!("{}", said(&e)))
}

fn pass(engine: &mut Engine) -> Pass {
    engine.pass(&one_bead(), &NoReads, &mut MemoryLadders::default())
}

fn verbs(pass: &Pass) -> Vec<&str> {
    pass.decisions.iter().flat_map(|d| &d.actions).map(gastown::policy::Action::verb).collect()
}

/// Runs an attack twice; it must be over well before a person would notice, and the other rule still decides.
fn stopped(name: &str, body: &str) -> String {
    let began = Instant::now();
    let mut engine = engine(body);
    let first = pass(&mut engine);
    assert!(began.elapsed() < Duration::from_secs(10), "{name} took {:?}", began.elapsed());
    assert_eq!(verbs(&first), ["close"], "{name}: {}", said(&first.warnings));
    let second = pass(&mut engine);
    assert_eq!(verbs(&second), ["close"], "{name}, second pass");
    assert!(second.warnings.is_empty(), "{name}: said twice");
    first.warnings.iter().map(|w| format!("{} at {}", w.message, w.place())).collect::<Vec<_>>().join("; ")
}

#[test]
fn endless_loops_are_stopped_however_they_are_wrapped() {
    let attacks = [
        ("loop", "while true do end"),
        ("pcall loop", "while true do pcall(function() while true do end end) end"),
        ("tight pcall loop", "while true do pcall(pcall) end"),
        ("looping handler", "xpcall(function() error('x') end, function() while true do end end)"),
        (
            "handler in a loop",
            "while true do xpcall(function() while true do end end, function() while true do end end) end",
        ),
        ("coroutine.wrap", "coroutine.wrap(function() while true do end end)()"),
        (
            "coroutine.resume",
            "local c = coroutine.create(function() while true do end end); while true do coroutine.resume(c) end",
        ),
        ("resume in a loop", "while true do coroutine.resume(coroutine.create(function() while true do end end)) end"),
        ("exponential pattern", "return (('a'):rep(40)):find(('a?'):rep(40) .. ('a'):rep(40)) == nil"),
        ("gsub callback", "(('x'):rep(1000)):gsub('.', function() while true do end end)"),
        (
            "concat and case",
            "while true do local t = {} for i = 1, 100 do t[i] = 'x' end table.concat(t):upper():lower():reverse() end",
        ),
        ("metamethod", "local t = setmetatable({}, { __index = function(t, k) while true do end end }); return t.x"),
        ("repeat", "repeat local x = 1 until false"),
        ("goto-less for", "for i = 1, math.huge do end"),
    ];
    for (name, body) in attacks {
        let said = stopped(name, body);
        assert!(said.contains("took longer than 200 ms") && said.contains("`attack`"), "{name}: {said}");
        // It says where it was stopped: all of these are on one line.
        assert!(said.ends_with(" at hostile.lua:6"), "{name}: {said}");
    }
}

#[test]
fn memory_is_capped_and_the_vm_dropped_even_when_the_error_is_caught() {
    let attacks = [
        ("string", "return #string.rep('x', 1e9) > 0"),
        ("string in a pcall loop", "while true do pcall(function() return string.rep('x', 1e9) end) end"),
        ("caught once", "pcall(function() return string.rep('x', 1e9) end)"),
        ("caught by a handler", "xpcall(function() return string.rep('x', 1e9) end, function(e) return e end)"),
        ("caught by a coroutine", "coroutine.resume(coroutine.create(function() return string.rep('x', 1e9) end))"),
        ("table", "local t = {} while true do t[#t + 1] = {} end"),
        (
            "table in a pcall loop",
            "local t = {} while true do pcall(function() while true do t[#t + 1] = {} end end) end",
        ),
        ("doubling", "local s = 'x' while true do s = s .. s end"),
        ("buffer of strings", "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end"),
    ];
    for (name, body) in attacks {
        let said = stopped(name, body);
        assert!(said.contains("32 MB") || said.contains("200 ms"), "{name}: {said}");
    }
}

#[test]
fn mistakes_that_bound_themselves_are_ordinary_errors() {
    let attacks = [
        ("recursion", "local function f() return 1 + f() end return f() > 0"),
        ("gsub recursion", "local function f(s) return (s:gsub('.', f)) end return f('xx') == ''"),
        ("bad sort", "local t = {} for i = 1, 100 do t[i] = i end table.sort(t, function() return true end)"),
        ("huge unpack", "return select('#', unpack({}, 1, 1e7)) > 0"),
        ("huge move", "table.move({}, 1, 1e15, 2)"),
        ("error in the handler", "xpcall(error, error)"),
    ];
    for (name, body) in attacks {
        let began = Instant::now();
        let mut engine = engine(body);
        let first = pass(&mut engine);
        assert!(began.elapsed() < Duration::from_secs(10), "{name}");
        // Some are an error, some have no effect at all; the rule beside it decides in any case.
        assert!(verbs(&first).contains(&"close") || verbs(&first) == ["sling"], "{name}: {:?}", verbs(&first));
    }
}

#[test]
fn nothing_that_other_rules_stand_on_can_be_changed() {
    for (name, body) in [
        ("library", "string.format = nil"),
        ("global", "_G.tostring = nil"),
        ("string metatable", "getmetatable('x').__index = nil"),
        ("gt", "require('gt').nudge = nil"),
        ("rawset on gt", "rawset(require('gt'), 'nudge', 1)"),
        ("rawset on a library", "rawset(math, 'floor', 1)"),
        ("setmetatable on gt", "setmetatable(require('gt'), {})"),
        ("a record", "bead.title = 'x'"),
        ("rawset on a record", "rawset(bead, 'title', 'x')"),
        ("the metatable of a record", "getmetatable(bead).__index = nil"),
        ("setmetatable on _G", "setmetatable(_G, { __index = function() return 1 end })"),
    ] {
        let mut engine = engine(body);
        let first = pass(&mut engine);
        assert_eq!(verbs(&first), ["close"], "{name}: it went through");
        assert_eq!(first.warnings.len(), 1, "{name}: {}", said(&first.warnings));
        assert!(first.judged.iter().any(|j| j.outcome == Outcome::Failed), "{name}");
    }
}

#[test]
fn nothing_reaches_out_of_the_sandbox() {
    for name in [
        "io",
        "os",
        "debug",
        "package",
        "load",
        "loadstring",
        "dofile",
        "loadfile",
        "getfenv",
        "setfenv",
        "newproxy",
        "collectgarbage",
        "gcinfo",
        "print",
    ] {
        // By index, so that the load check does not see it first.
        let mut engine = engine(&format!("local x = _G['{name}']"));
        let first = pass(&mut engine);
        let said = said(&first.warnings);
        assert!(said.contains(&format!("there is no global `{name}`")), "{name}: {said}");
    }
    for body in ["math.random()", "math.randomseed(1)", "string.dump(function() end)", "coroutine.close(1)"] {
        let first = pass(&mut engine(body));
        assert_eq!(verbs(&first), ["close"], "{body}");
    }
}

#[test]
fn require_reaches_gt_and_the_layers_own_modules_only() {
    for name in ["os", "../witness", "/etc/passwd", "./x", "@self", "gt.test"] {
        let text = format!("local x = require \"{name}\"\nreturn x");
        let error = alone("x", &text).expect_err("refused");
        assert!(error.contains(&format!("there is no module `{name}`")), "{error}");
    }
    let mut source = town(
        "local gt = require 'gt'\nlocal names = require 'lib.names'\nlocal r = gt.role('x', { api = 1, scope = 'rig', doc = '' })\n\
         r.each.bead(names.rule, { when = function() return true end, act = function(b) return gt.sling(b) end })",
    );
    source.modules.insert("lib.names".into(), ("lib/names.lua".into(), "return { rule = 'from-module' }".into()));
    let engine = load("x", &[source]).expect("it loads");
    assert_eq!(engine.rules()[0].rule, "from-module");
}

#[test]
fn bytecode_is_refused() {
    let error = alone("x", "\u{1b}Lua\u{0}\u{1}").expect_err("refused");
    assert!(error.starts_with("error: "), "{error}");
}

#[test]
fn an_overrun_at_the_top_of_a_file_is_a_load_error() {
    let source = LayerSource::new(Layer::Town, "x.lua", "while true do end");
    let errors = Engine::load_with("x", &[source], &toml::Table::new(), limits()).expect_err("refused");
    assert!(said(&errors).contains("took longer than 200 ms"), "{}", said(&errors));
}

#[test]
fn an_overrun_in_a_layer_leaves_the_layer_below_in_charge() {
    let text = "local gt = require 'gt'\nlocal w = gt.extend 'witness'\n\
                w.override('feed-convoy', { when = function() while true do end end })";
    let layers = [builtin("witness").expect("shipped"), town(text)];
    let mut engine = Engine::load_with("witness", &layers, &toml::Table::new(), limits()).expect("it loads");
    let snapshot = Arc::new(Snapshot {
        beads: (1..=3).map(|n| Arc::new(active(bead(&format!("gt-{n}"))))).collect(),
        ..snapshot(0)
    });
    let began = Instant::now();
    let pass = engine.pass(&snapshot, &NoReads, &mut MemoryLadders::default());
    // It overran once and rests then: not 200 ms for each bead.
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(verbs(&pass)[..1], ["sling"]);
    assert_eq!(pass.decisions[0].origin.layer, Layer::Builtin);
    assert_eq!(pass.warnings.len(), 1);
}

#[test]
fn an_action_kept_from_an_earlier_call_is_refused() {
    let text = r#"
        local gt = require "gt"
        local r = gt.role("x", { api = 1, scope = "rig", doc = "" })
        local kept
        r.each.bead("keeper", { when = function() return true end, act = function(b)
          kept = kept or gt.close(b, "once")
          return kept
        end })
    "#;
    let mut engine = alone("x", text).expect("it loads");
    let beads = [bead("gt-1"), bead("gt-2")].map(Arc::new).to_vec();
    let pass = engine.pass(&Arc::new(Snapshot { beads, ..snapshot(0) }), &NoReads, &mut MemoryLadders::default());
    assert_eq!(pass.decisions.len(), 1);
    assert!(said(&pass.warnings).contains("built in an earlier call"), "{}", said(&pass.warnings));
}

#[test]
fn a_failed_read_that_is_caught_still_leaves_the_rule_undecided() {
    let text = r#"
        local gt = require "gt"
        local r = gt.role("x", { api = 1, scope = "rig", doc = "" })
        r.each.bead("reader", {
          when = function(_, town)
            local ok, found = pcall(function() return town.beads.find { label = "x" } end)
            return not ok or #found == 0
          end,
          act = function(b) return gt.close(b, "nobody needs it") end,
        })
    "#;
    let pass = alone("x", text).expect("it loads").pass(&one_bead(), &NoReads, &mut MemoryLadders::default());
    assert!(pass.decisions.is_empty());
    assert!(matches!(&pass.judged[0].outcome, Outcome::Undecided { why } if why.contains("no town")));
    assert!(pass.next_ms.is_some(), "it looks again by itself");
}
