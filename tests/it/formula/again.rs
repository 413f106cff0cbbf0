//! Rounds of a loop with `until` that come again: with all that was put into the first one, and with their own numbers.

use gastown::formula::{Layer, Library, Mode, Options, Proto, Severity, Vars, compile, cook};
use gastown::molecule::{self, Bond, BondType, MoleculeError, Partner};
use gastown::policy::LuaAspects;
use gastown::store::{Close, DepKind};
use serde_json::{Value, json};

use super::errors::told;
use super::running::{Run, at};
use super::{cooked, edges, library};

/// A loop with this body and what comes after it.
fn looped(body: &str, more: &str) -> String {
    format!(
        "formula = \"f\"\n[[steps]]\nid = \"l\"\n[steps.loop]\nuntil = \"steps.complete >= 9\"\nmax = 3\nvar = \"k\"\n\
         [[steps.loop.body]]\nid = \"try\"\n{body}{more}"
    )
}

/// Lines that name a step or are called after one, round after round; in each as they are.
fn by_round(mut lines: Vec<String>) -> Vec<String> {
    let round = |line: &String| line.split_once("l.iter").and_then(|(_, rest)| rest.chars().next());
    lines.sort_by_key(round);
    lines
}

/// The names and titles of all steps, round after round.
fn run(proto: &Proto) -> String {
    let mut run = Run::new(proto);
    run.finish();
    let steps = run.store.read(|r| molecule::steps(r, &run.root)).expect("reads");
    let line = |s: &gastown::store::Bead| format!("{}: {}", molecule::step_name(s).unwrap_or_default(), s.title);
    by_round(steps.iter().map(line).collect()).join("\n")
}

const DRAFTS: &str = "formula = \"drafts\"\ntype = \"expansion\"\nvars.of = \"?\"\nvars.turn = { type = \"int\", default = \"0\" }\n\
    [[template]]\nid = \"draft-{target}\"\ntitle = \"Draft of {of} in turn {turn}\"\n\
    [[template]]\nid = \"done\"\ntitle = \"{target.title} is done\"\nneeds = [\"draft-{target}\"]\n";

#[test]
fn what_an_expansion_puts_into_a_round_comes_again_with_the_number_of_each() {
    let body = "title = \"try {k}\"\nexpand = \"drafts\"\nexpand_vars = { of = \"part {k}\", turn = \"{k}\" }\n";
    let by_rule = "title = \"try {k}\"\n";
    let rule = "[[compose.expand]]\ntarget = \"l.iter1.try\"\nwith = \"drafts\"\nvars = { of = \"part {k}\", turn = \"{k}\" }\n";
    for text in [looped(body, ""), looped(by_rule, rule)] {
        let proto = cook(&library(&[("f", &text), ("drafts", DRAFTS)]), "f", &Vars::new()).expect("cooks");
        assert_eq!(
            run(&proto),
            (1..=3)
                .map(|n| format!(
                    "l.iter{n}.draft-try: Draft of part {n} in turn {n}\nl.iter{n}.done: try {n} is done\n"
                ))
                .collect::<String>()
                .trim(),
            "{text}"
        );
    }
}

#[test]
fn what_advice_weaves_around_a_step_of_a_round_comes_again_with_it() {
    let advice = "[[advice]]\ntarget = \"*.try\"\nbefore = { id = \"plan-{step.id}\", title = \"Plan {step.title}\" }\n\
        after = { id = \"{step.id}.check\", title = \"Check {step.title}\" }\n[[steps]]\nid = \"end\"\nneeds = [\"l\"]\n";
    let proto = cooked(&looped("title = \"turn {k}\"\n", advice)).expect("cooks");
    insta::assert_snapshot!(edges(&proto), @r"
    l.iter1.plan-try
    l.iter1.try <- l.iter1.plan-try
    l.iter1.try.check <- l.iter1.try
    end <- l.iter1.try, l.iter1.try.check
    ");
    insta::assert_snapshot!(run(&proto), @r"
    end: end
    l.iter1.plan-try: Plan turn 1
    l.iter1.try: turn 1
    l.iter1.try.check: Check turn 1
    l.iter2.plan-try: Plan turn 2
    l.iter2.try: turn 2
    l.iter2.try.check: Check turn 2
    l.iter3.plan-try: Plan turn 3
    l.iter3.try: turn 3
    l.iter3.try.check: Check turn 3
    ");
}

#[test]
fn what_is_called_after_a_step_of_the_round_is_called_after_that_of_its_own_round() {
    let advice = "[[advice]]\ntarget = \"*.try\"\n\
        after = { id = \"{step.id}-check\", title = \"Check {step.title}\", description = \"of {step.id}, not of xl.iter1.try\" }\n";
    let mut run = Run::new(&cooked(&looped("", advice)).expect("cooks"));
    run.finish();
    let steps = run.store.read(|r| molecule::steps(r, &run.root)).expect("reads");
    let seen: Vec<String> = steps.iter().map(|s| format!("{}: {}", s.title, s.description)).collect();
    let of =
        |n: u32| [format!("l.iter{n}.try: "), format!("Check l.iter{n}.try: of l.iter{n}.try, not of xl.iter1.try")];
    assert_eq!(by_round(seen), [of(1), of(2), of(3)].concat());
}

#[test]
fn what_a_lua_aspect_weaves_around_a_step_of_a_round_comes_again_with_it() {
    let lua = "local gt = require \"gt\"\nreturn gt.aspect { api = 1, doc = \"d\", advise = function(step)\n\
        return gt.after { id = \"scan\", title = \"Scan {title}\" }\nend }\n";
    let mut library = library(&[("f", &looped("title = \"turn {k}\"\n", "[compose]\naspects = [\"scans\"]\n"))]);
    library.add(Layer::Town, "scans.lua", lua);
    let options = Options { vars: &Vars::new(), mode: Mode::Compile, aspects: &LuaAspects::default() };
    let proto = compile(&library, "f", options).expect("cooks").proto;
    insta::assert_snapshot!(run(&proto), @r"
    l.iter1.try: turn 1
    l.iter1.scan-try: Scan turn 1
    l.iter2.try: turn 2
    l.iter2.scan-try: Scan turn 2
    l.iter3.try: turn 3
    l.iter3.scan-try: Scan turn 3
    ");
}

#[test]
fn the_number_of_a_round_is_in_its_metadata_globs_gates_and_fan_out_too() {
    let body = "metadata = { turn = \"{k}\", deep = { all = [\"{k} of {{n}}\", 7] }, kept = \"{x}\" }\n\
        only_if = { touches = [\"{{n}}/{k}/**\"] }\n[steps.loop.body.on_complete]\nfor_each = \"output.of\"\nbond = \"look\"\n\
        vars = { path = \"{item}-{k}-{{n}}\" }\n";
    let look = "formula = \"look\"\nvars.path = \"?\"\n[[steps]]\nid = \"read\"\n";
    let text = looped(body, "[vars.n]\ndefault = \"9\"\n");
    let proto = cook(&library(&[("f", &text), ("look", look)]), "f", &Vars::new()).expect("cooks");
    let mut run = Run::new(&proto);
    let _ = run.close(json!({ "of": [] }));
    let _ = run.close(json!({ "of": [] }));
    let steps = run.store.read(|r| molecule::steps(r, &run.root)).expect("reads");
    let seen: Vec<Value> = steps
        .iter()
        .map(|s| {
            let of = |key: &str| s.metadata.get(key).cloned().unwrap_or_default();
            json!([of("turn"), of("deep"), of("kept"), of("only_if")["touches"][0], of("on_complete")["vars"]["path"]])
        })
        .collect();
    let of = |k: &str| json!([k, { "all": [format!("{k} of {{{{n}}}}"), 7] }, "{x}", format!("9/{k}/**"), format!("{{item}}-{k}-9")]);
    assert_eq!(seen, [of("1"), of("2"), of("3")]);
    assert!(steps[1].metadata["on_complete"]["proto"].is_string(), "it is frozen");
}

#[test]
fn a_counted_loop_fills_its_number_into_metadata_and_what_on_complete_gives() {
    let text = "formula = \"f\"\n[[steps]]\nid = \"l\"\n[steps.loop]\ncount = 2\nvar = \"k\"\n[[steps.loop.body]]\nid = \"a\"\n\
        metadata = { turn = \"{k}\" }\nonly_if = { touches = [\"{k}/**\"] }\n[steps.loop.body.on_complete]\n\
        for_each = \"output.of\"\nbond = \"look\"\nvars = { path = \"{item}-{k}\" }\n";
    let look = "formula = \"look\"\nvars.path = \"?\"\n[[steps]]\nid = \"read\"\n";
    let proto = cook(&library(&[("f", text), ("look", look)]), "f", &Vars::new()).expect("cooks");
    let seen: Vec<String> = proto
        .steps
        .iter()
        .map(|s| {
            let (globs, on) = (s.only_if.as_ref().expect("globs"), s.on_complete.as_ref().expect("a fan-out"));
            format!("{} {} {}", s.metadata["turn"], globs.touches[0], on.vars["path"])
        })
        .collect();
    assert_eq!(seen, ["\"1\" 1/** {item}-1", "\"2\" 2/** {item}-2"]);
}

#[test]
fn a_range_in_a_round_that_comes_again_cannot_ask_for_its_number() {
    let inner = "[steps.loop.body.loop]\nrange = \"1..{k}+1\"\n[[steps.loop.body.loop.body]]\nid = \"x\"\n";
    let times = "formula = \"times\"\ntype = \"expansion\"\nvars.n = \"1\"\n[[template]]\nid = \"{target}.t\"\n[template.loop]\n\
        range = \"1..{n}+1\"\n[[template.loop.body]]\nid = \"x\"\n";
    let expanded = "expand = \"times\"\nexpand_vars = { n = \"{k}\" }\n";
    for (body, name) in [(inner, "l.iter1.try.iter2.x"), (expanded, "l.iter1.try.t.iter2.x")] {
        let text = looped(body, "");
        let report = cook(&library(&[("f", &text), ("times", times)]), "f", &Vars::new()).expect_err("refused");
        let told = told(&report);
        assert!(told.contains("asks for the number of a round, and the next has the same steps |"), "{told}");
        assert_eq!(report.findings.len(), 1, "{told}");
        let mut elsewhere = Library::empty();
        elsewhere.add(Layer::Repository, "f.formula.toml", &text);
        elsewhere.add(Layer::Repository, "times.formula.toml", times);
        let options = Options { vars: &Vars::new(), mode: Mode::Compile, aspects: &LuaAspects::default() };
        let cooked = compile(&elsewhere, "f", options).expect("a warning");
        assert!(
            cooked.warnings.findings.iter().any(|f| f.severity == Severity::Warning && f.code == "range"),
            "{body}"
        );
        assert_eq!(cooked.proto.steps.last().map(|s| s.id.as_str()), Some(name));
    }
}

/// Two steps side by side, of which the second one ends the round.
const BESIDE: &str = "formula = \"f\"\n[[steps]]\nid = \"l\"\n[steps.loop]\nuntil = \"verify.output.n >= 2\"\nmax = 3\n\
    [[steps.loop.body]]\nid = \"slow\"\n[[steps.loop.body]]\nid = \"verify\"\n[[steps]]\nid = \"after\"\nneeds = [\"l\"]\n";

#[test]
fn who_needs_a_loop_waits_until_it_is_known_whether_there_is_another_round() {
    let mut run = Run::new(&cooked(BESIDE).expect("cooks"));
    run.close_step("l.iter1.verify", json!({ "n": 1 }));
    assert_eq!(run.ready(), ["l.iter1.slow: l.iter1.slow"], "the round is not over");
    run.close_step("l.iter1.slow", json!({}));
    assert_eq!(run.ready(), ["l.iter2.slow: l.iter2.slow", "l.iter2.verify: l.iter2.verify"]);
    run.close_step("l.iter2.verify", json!({ "n": 2 }));
    assert_eq!(run.ready(), ["l.iter2.slow: l.iter2.slow"]);
    run.close_step("l.iter2.slow", json!({}));
    assert_eq!(run.ready(), ["after: after"]);
}

#[test]
fn a_round_that_is_there_is_not_made_again_and_comes_after_the_one_before() {
    let mut run = Run::new(&cooked(BESIDE).expect("cooks"));
    run.close_step("l.iter1.slow", json!({}));
    run.close_step("l.iter1.verify", json!({ "n": 1 }));
    let steps = |run: &Run| run.store.read(|r| molecule::steps(r, &run.root)).expect("reads");
    let before = steps(&run);
    let step = |name: &str| before.iter().find(|s| molecule::step_name(s) == Some(name)).expect("a step").id.clone();
    let (end, next) = (step("l.iter1.verify"), [step("l.iter2.slow"), step("l.iter2.verify")]);
    for begins in &next {
        let deps = run.store.read::<_, MoleculeError>(|r| Ok(r.deps(begins)?)).expect("reads");
        assert!(deps.iter().any(|dep| dep.depends_on_id == end && dep.kind == DepKind::BLOCKS), "{deps:?}");
    }
    run.store.write::<_, MoleculeError>(&at(50), |w| Ok(w.reopen(&end, "again")?)).expect("opens");
    run.close_step("l.iter1.verify", json!({ "n": 1 }));
    assert_eq!(steps(&run).len(), before.len());
    assert_eq!(run.ready(), ["l.iter2.slow: l.iter2.slow", "l.iter2.verify: l.iter2.verify"]);
}

#[test]
fn later_rounds_stand_between_the_first_one_and_what_comes_after_it() {
    let text = BESIDE.replace("max = 3", "max = 12").replace(">= 2", ">= 99");
    let mut run = Run::new(&cooked(&text).expect("cooks"));
    run.finish();
    let steps = run.store.read(|r| molecule::steps(r, &run.root)).expect("reads");
    let names: Vec<&str> = steps.iter().filter_map(molecule::step_name).collect();
    let of = |n: u32| [format!("l.iter{n}.slow"), format!("l.iter{n}.verify")];
    assert_eq!(names, (1..=12).flat_map(of).chain(["after".to_owned()]).collect::<Vec<_>>());
}

#[test]
fn a_gate_of_a_later_round_waits_as_long_as_the_formula_says_for_that_round() {
    let gate = "gate = { type = \"human\", id = \"t{k}\", timeout = \"{k}{{unit}}\" }\n";
    let text = looped(gate, "[vars.unit]\ndefault = \"h\"\n");
    let mut run = Run::new(&cooked(&text).expect("cooks"));
    for n in 1..=3_u64 {
        let gate = run.gate();
        assert_eq!(
            (gate.await_id.as_str(), u64::try_from(gate.timeout)),
            (format!("t{n}").as_str(), Ok(n * 3_600_000_000_000))
        );
        run.store
            .write::<_, MoleculeError>(&at(90), |w| Ok(w.close(&gate.id, Close::because("seen"))?))
            .expect("closes");
        run.close_step(&format!("l.iter{n}.try"), json!({}));
    }
}

#[test]
fn a_value_that_looks_like_the_number_of_a_round_is_none() {
    let text = looped("title = \"{k} for {{who}}\"\nlabels = [\"{k}-{{who}}\"]\n", "[vars.who]\n");
    let mut run = Run::with(&cooked(&text).expect("cooks"), &super::vars(&[("who", "{k} l.iter1.x")]));
    run.finish();
    let steps = run.store.read(|r| molecule::steps(r, &run.root)).expect("reads");
    let seen: Vec<&str> = steps.iter().map(|s| s.title.as_str()).collect();
    assert_eq!(seen, ["1 for {k} l.iter1.x", "2 for {k} l.iter1.x", "3 for {k} l.iter1.x"]);
    assert!(steps[2].has_label("3-{k} l.iter1.x"), "{:?}", steps[2].labels);
}

#[test]
fn the_number_of_a_round_is_in_its_condition_too() {
    let text = looped("", "").replace("steps.complete >= 9", "try.output.who == 'w{k}'");
    let mut run = Run::new(&cooked(&text).expect("cooks"));
    run.close_step("l.iter1.try", json!({ "who": "w2" }));
    run.close_step("l.iter2.try", json!({ "who": "w2" }));
    assert_eq!(run.ready(), Vec::<String>::new(), "it held in the second round");
}

#[test]
fn two_molecules_of_one_formula_in_another_have_their_own_rounds() {
    let part = |name: &str| cooked(&BESIDE.replace("\"f\"", &format!("\"{name}\""))).expect("cooks");
    for how in ["sequential", "parallel"] {
        let both = Proto::compound("both".to_owned(), how, part("f"), part("f"));
        let mut run = Run::new(&both);
        let mut order = Vec::new();
        while let Some(step) = run.store.read(|r| molecule::current(r, &run.root)).expect("reads") {
            order.push(step.title.clone());
            let _ = run.close(json!({ "n": if step.title.contains("iter2") { 2 } else { 1 } }));
            assert!(order.len() <= 10, "it ends: {order:?}");
        }
        let one = ["l.iter1.slow", "l.iter1.verify", "l.iter2.slow", "l.iter2.verify", "after"];
        assert_eq!(order, [one, one].concat(), "{how}");
    }
}

#[test]
fn braces_without_a_number_in_them_stay_as_they_are() {
    let text = BESIDE.replace("id = \"slow\"\n", "id = \"slow\"\nnotes = \"gives {} and more\"\n");
    let mut run = Run::new(&cooked(&text.replace(">= 2", "== '{}'")).expect("cooks"));
    run.close_step("l.iter1.slow", json!({}));
    run.close_step("l.iter1.verify", json!({ "n": 1 }));
    let steps = run.store.read(|r| molecule::steps(r, &run.root)).expect("reads");
    assert_eq!(steps[2].notes, "gives {} and more");
    run.close_step("l.iter2.slow", json!({}));
    run.close_step("l.iter2.verify", json!({ "n": "{}" }));
    assert_eq!(run.ready(), ["after: after"], "the condition held");
}

#[test]
fn where_the_end_of_a_round_is_left_out_its_dependents_wait_all_the_same() {
    let text = BESIDE.replace(
        "id = \"verify\"\n",
        "id = \"verify\"\n[[steps.loop.body]]\nid = \"last\"\nneeds = [\"verify\"]\ncondition = \"{{full}}\"\n",
    );
    let mut elsewhere = Library::empty();
    elsewhere.add(Layer::Repository, "f.formula.toml", &text);
    let mut run = Run::new(&cook(&elsewhere, "f", &Vars::new()).expect("cooks"));
    run.close_step("l.iter1.verify", json!({ "n": 1 }));
    assert_eq!(run.ready(), ["l.iter1.slow: l.iter1.slow"]);
    run.close_step("l.iter1.slow", json!({}));
    assert_eq!(run.ready(), ["l.iter2.slow: l.iter2.slow", "l.iter2.verify: l.iter2.verify"]);
}

#[test]
fn a_step_that_is_closed_before_its_gate_opens_ends_the_round_with_the_others() {
    let text = BESIDE.replace("id = \"slow\"\n", "id = \"slow\"\ngate = { type = \"human\" }\n");
    let mut run = Run::new(&cooked(&text).expect("cooks"));
    let steps = run.store.read(|r| molecule::steps(r, &run.root)).expect("reads");
    let forced = Close { force: true, ..Close::because("no need") };
    run.store.write::<_, MoleculeError>(&at(40), |w| Ok(w.close(&steps[0].id, forced)?)).expect("closes");
    run.close_step("l.iter1.verify", json!({ "n": 1 }));
    assert_eq!(run.ready(), ["l.iter2.verify: l.iter2.verify"]);
}

#[test]
fn names_of_another_loop_stay_in_the_texts_of_a_round() {
    let text = BESIDE.replace(
        "id = \"slow\"\n",
        "id = \"slow\"\ntitle = \"l.iter1.slow after pre-l.iter1.slow and gate-l.iter1.x\"\n",
    );
    let mut run = Run::new(&cooked(&text).expect("cooks"));
    run.close_step("l.iter1.slow", json!({}));
    run.close_step("l.iter1.verify", json!({ "n": 1 }));
    let steps = run.store.read(|r| molecule::steps(r, &run.root)).expect("reads");
    assert_eq!(steps[2].title, "l.iter2.slow after pre-l.iter1.slow and gate-l.iter2.x");
}

#[test]
fn a_step_outside_that_stands_between_two_of_the_round_does_not_keep_the_next_one_from_coming() {
    let text = "formula = \"f\"\n[[steps]]\nid = \"l\"\n[steps.loop]\nuntil = \"b.output.n >= 3\"\nmax = 3\n\
        [[steps.loop.body]]\nid = \"a\"\n[[steps.loop.body]]\nid = \"b\"\nneeds = [\"d\"]\n\
        [[steps]]\nid = \"d\"\nneeds = [\"l.iter1.a\"]\n[[steps]]\nid = \"end\"\nneeds = [\"l\"]\n";
    let mut run = Run::new(&cooked(text).expect("cooks"));
    for name in ["l.iter1.a", "d", "l.iter1.b"] {
        run.close_step(name, json!({ "n": 1 }));
    }
    assert_eq!(run.ready(), ["l.iter2.a: l.iter2.a", "l.iter2.b: l.iter2.b"]);
}

#[test]
fn who_waits_for_the_rest_of_a_round_waits_for_the_last_of_it() {
    let many = "[[steps.loop.body]]\nid = \"slow\"\n[steps.loop.body.loop]\ncount = 9\n[[steps.loop.body.loop.body]]\nid = \"x\"\n";
    let text = BESIDE.replace("[[steps.loop.body]]\nid = \"slow\"\n", many);
    let mut run = Run::new(&cooked(&text).expect("cooks"));
    run.close_step("l.iter1.verify", json!({ "n": 2 }));
    let steps = run.store.read(|r| molecule::steps(r, &run.root)).expect("reads");
    let after = steps.last().expect("the step after the loop").id.clone();
    let deps = run.store.read::<_, MoleculeError>(|r| Ok(r.deps(&after)?)).expect("reads");
    assert_eq!(deps.iter().filter(|dep| dep.kind == DepKind::BLOCKS).count(), 2, "{deps:?}");
    let order = run.finish();
    assert_eq!((order.len(), order[9].as_str()), (10, "after"), "{order:?}");
}

#[test]
fn what_is_to_come_when_a_loop_fails_comes_when_its_last_round_does() {
    for (last, comes) in [("failed: no", true), ("well", false)] {
        let point = "[[compose.bond_points]]\nid = \"p\"\nafter_step = \"l\"\n";
        let mut run = Run::new(&cooked(&looped("", point)).expect("cooks"));
        let rescue = cooked("formula = \"rescue\"\n[[steps]]\nid = \"r\"\n").expect("cooks");
        let how = Bond { how: BondType::Conditional, point: Some("p"), ephemeral: None, title: None };
        let (live, other) = (Partner::Molecule(run.root.clone()), Partner::Proto(&rescue));
        let opts = molecule::PourOpts::default();
        let bonded = run.store.write(&at(30), |w| molecule::bond(w, &live, &other, &Vars::new(), &opts, how));
        let root = bonded.expect("bonds").id_mapping["rescue"].as_str().expect("an id").to_owned();
        let root = gastown::base::BeadId::new(root).expect("an id");
        for (n, reason) in [(1, "failed: again"), (2, "well"), (3, last)] {
            run.close_step_because(&format!("l.iter{n}.try"), reason);
        }
        let bead = run.store.read::<_, MoleculeError>(|r| Ok((r.need(&root)?.is_over(), r.is_blocked(&root)?)));
        let (over, blocked) = bead.expect("reads");
        assert_eq!(!over && !blocked, comes, "{last}: over {over}, blocked {blocked}");
    }
}
