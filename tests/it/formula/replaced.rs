//! What comes in the place of steps, and who waits for it: loops, expansions, children.

use gastown::formula::{Layer, Library, Vars, cook};

use super::language::TWICE;
use super::{cooked, library};

#[test]
fn an_until_loop_in_a_round_of_another_one_is_refused_and_elsewhere_has_one_round() {
    let inner = "[LOOP]\nuntil = \"run.output.green == 'y'\"\nmax = 4\n[[LOOP.body]]\nid = \"run\"\n";
    let text = |fix: &str, first: bool| {
        let fix = format!("[[steps.loop.body]]\nid = \"fix\"\n{fix}");
        let review = "[[steps.loop.body]]\nid = \"review\"\n";
        let body = if first { format!("{fix}{review}") } else { format!("{review}{fix}") };
        format!(
            "formula = \"f\"\n[[steps]]\nid = \"o\"\n[steps.loop]\nuntil = \"review.output.ok == 'y'\"\nmax = 3\n{body}"
        )
    };
    let nested = inner.replace("LOOP", "steps.loop.body.loop");
    let counted = format!(
        "[steps.loop.body.loop]\ncount = 2\n[[steps.loop.body.loop.body]]\nid = \"t\"\n{}",
        inner.replace("LOOP", "steps.loop.body.loop.body.loop")
    );
    let template = format!(
        "formula = \"e\"\ntype = \"expansion\"\n[[template]]\nid = \"{{target}}.t\"\n{}",
        inner.replace("LOOP", "template.loop")
    );
    for fix in [nested.as_str(), &counted, "expand = \"e\"\n"] {
        for first in [true, false] {
            let text = text(fix, first);
            let report = cook(&library(&[("f", &text), ("e", &template)]), "f", &Vars::new()).expect_err("refused");
            let told: Vec<&str> = report.findings.iter().map(|f| f.message.as_str()).collect();
            assert_eq!(told, ["a loop with `until` stands in a round of another one"], "{text}");
            assert!(report.render(false).contains("run.output.green"), "{}", report.render(false));
            let mut elsewhere = Library::empty();
            elsewhere.add(Layer::Repository, "f.formula.toml", &text);
            elsewhere.add(Layer::Repository, "e.formula.toml", &template);
            let proto = cook(&elsewhere, "f", &Vars::new()).expect("a warning");
            let untils: Vec<&str> = proto.steps.iter().filter_map(|s| Some(s.until.as_ref()?.until.as_str())).collect();
            assert_eq!((untils, proto.rounds), (vec!["review.output.ok == 'y'"], vec!["o.iter1".to_owned()]), "{text}");
        }
    }
}

#[test]
fn steps_that_wait_for_each_others_children_are_found() {
    let text = |steps: &[(&str, &str)]| {
        let one = |(id, more): &(&str, &str)| format!("[[steps]]\nid = \"{id}\"\n{more}");
        format!("formula = \"f\"\n{}", steps.iter().map(one).collect::<String>())
    };
    let child = "[[steps.children]]\nid = \"k\"\n";
    let waits = |of: &str| format!("waits_for = \"children-of({of})\"\n");
    let said = |steps: &[(&str, &str)]| {
        let report = cooked(&text(steps)).expect_err("a circle");
        report.findings.iter().map(|f| format!("{} {}", f.place().unwrap_or_default(), f.message)).collect::<Vec<_>>()
    };
    let needs_a = format!("needs = [\"a\"]\n{child}");
    let at = |place: &str, what: &str| [format!("town:f.formula.toml:{place} {what}")];
    assert_eq!(said(&[("a", &waits("b")), ("b", &needs_a)]), at("7:10", "steps wait for each other: a -> b -> a"));
    assert_eq!(said(&[("a", &waits("b")), ("b", "needs = [\"a\"]\n")]).len(), 1, "its molecules hang below it later");
    let own = format!("{}{child}", waits("g"));
    assert_eq!(said(&[("g", &own)]), at("4:13", "step `g` waits for its own children"));
    let inside = format!("{child}{}", waits("g"));
    assert_eq!(said(&[("g", &inside)]), at("6:13", "steps wait for each other through a group: g -> k"));
    let needs_x = format!("{child}needs = [\"x\"]\n");
    assert_eq!(said(&[("g", &needs_x), ("x", &waits("g"))]).len(), 1);
    cooked(&text(&[("g", child), ("x", &waits("g"))])).expect("no circle");
}

#[test]
fn who_waits_for_the_children_of_what_was_replaced_waits_for_what_came_in_its_place() {
    let text = |inline: &str, rule: &str| {
        format!(
            "formula = \"f\"\n[[steps]]\nid = \"e\"\n{inline}[[steps]]\nid = \"b\"\nneeds = [\"e\"]\n\
             waits_for = \"children-of(e)\"\n[[steps]]\nid = \"c\"\nwaits_for = \"children-of( e )\"\n{rule}"
        )
    };
    let body = "[[steps.loop.body]]\nid = \"x\"\n[[steps.loop.body]]\nid = \"y\"\n\
        waits_for = \"children-of(x)\"\nneeds = [\"x\"]\n";
    for (inline, rule, last) in [
        ("expand = \"twice\"\n", "", "e.two"),
        ("", "[[compose.expand]]\ntarget = \"e\"\nwith = \"twice\"\n", "e.two"),
        ("", "[[compose.map]]\nselect = \"e\"\nwith = \"twice\"\n", "e.two"),
        (&format!("[steps.loop]\ncount = 2\n{body}"), "", "e.iter2.y"),
        (&format!("[steps.loop]\nuntil = \"steps.complete >= 2\"\nmax = 2\n{body}"), "", "e.iter1.y"),
    ] {
        let proto = cook(&library(&[("f", &text(inline, rule)), ("twice", TWICE)]), "f", &Vars::new());
        let proto = proto.unwrap_or_else(|report| panic!("{inline}{rule}: {report}"));
        for name in ["b", "c"] {
            let step = proto.step(name).expect("a step");
            let of = step.waits_for.as_ref().and_then(|waits| waits.of.as_deref());
            assert_eq!((step.needs.as_slice(), of), (&[last.to_owned()][..], Some(last)), "{name} of {inline}{rule}");
        }
        let inside = proto.step("e.iter1.y").and_then(|s| s.waits_for.as_ref()?.of.as_deref());
        assert_eq!(inside, last.contains("iter").then_some("e.iter1.x"));
    }
}

#[test]
fn a_group_that_an_expansion_replaces_keeps_its_children() {
    let text = |inline: &str, rule: &str| {
        format!(
            "formula = \"f\"\n[[steps]]\nid = \"g\"\n{inline}[[steps.children]]\nid = \"k\"\n[[steps]]\nid = \"z\"\n\
             needs = [\"g\"]\n{rule}"
        )
    };
    let cooked = |inline: &str, rule: &str| {
        let proto = cook(&library(&[("f", &text(inline, rule)), ("twice", TWICE)]), "f", &Vars::new()).expect("cooks");
        let line = |s: &gastown::formula::Step| format!("{}:{}", s.parent.as_deref().unwrap_or(""), s.id);
        proto.steps.iter().map(line).collect::<Vec<_>>().join(" ")
    };
    let rule = |which: &str| format!("[[compose.{which}\"\nwith = \"twice\"\n");
    assert_eq!(cooked("expand = \"twice\"\n", ""), ":g.one g.one:k :g.two :z");
    assert_eq!(cooked("", &rule("expand]]\ntarget = \"g")), ":g.one g.one:k :g.two :z");
    let all = cooked("", &rule("map]]\nselect = \"*"));
    assert_eq!(all, ":g.one g.one:k.one g.one:k.two :g.two :z.one :z.two");
}

#[test]
fn what_a_loop_asks_for_is_not_left_out_with_the_step_that_bears_it() {
    let text = |more: &str, one: &str, two: &str| {
        format!(
            "formula = \"f\"\nvars.x = \"no\"\n[[steps]]\nid = \"s\"\n[[steps]]\nid = \"l\"\nneeds = [\"s\"]\n{more}\n\
             body = [{{ id = \"a\"{one} }}, {{ id = \"b\", needs = [\"a\"]{two} }}]\n"
        )
    };
    let condition = ", condition = \"{{x}}\"";
    for (more, what) in [
        ("gate = { type = \"human\" }\n[steps.loop]\ncount = 2", "gate"),
        ("waits_for = \"all-children\"\n[steps.loop]\ncount = 2", "waits_for"),
        ("[steps.loop]\nuntil = \"b.output.ok == '1'\"\nmax = 3", "until"),
    ] {
        let told = cooked(&text(more, condition, "")).expect_err("it may go").render(false);
        let expected = format!("`l.iter1.a` may be left out by its condition, and the {what} of `l` with it");
        assert!(told.contains(&expected), "{told}");
        for (one, two) in [("", condition), (condition, condition)] {
            cooked(&text(more, one, two)).expect("the first stays, or all go");
        }
    }
    cooked(&text("[steps.loop]\ncount = 2", condition, "")).expect("nothing is asked for");
    // Each that begins has the gate, and nobody needs the one that may go.
    let apart = |one: &str, two: &str| {
        format!(
            "formula = \"f\"\nvars.x = \"no\"\n[[steps]]\nid = \"l\"\ngate = {{ type = \"human\" }}\n[steps.loop]\n\
             count = 2\nbody = [{{ id = \"a\"{one} }}, {{ id = \"b\"{two} }}]\n"
        )
    };
    cooked(&apart(condition, "")).expect("nothing is lost");
    let told = cooked(&apart("", condition)).expect_err("rounds would not wait").render(false);
    assert!(told.contains("`l.iter1.b` may be left out by its condition, and the end of `l` with it"), "{told}");
    let expansion = "formula = \"e\"\ntype = \"expansion\"\n[[template]]\nid = \"{target}.a\"\n[[template]]\n\
        id = \"{target}.b\"\nneeds = [\"{target}.a\"]\ncondition = \"{{x}}\"\n";
    let step = "formula = \"f\"\nvars.x = \"no\"\n[[steps]]\nid = \"s\"\nexpand = \"e\"\n\
        on_complete = { for_each = \"output.xs\", bond = \"e\" }\n";
    let told = cook(&library(&[("f", step), ("e", expansion)]), "f", &Vars::new()).expect_err("it may go");
    assert!(told.render(false).contains("`s.b` may be left out by its condition, and the on_complete of `s` with it"));
}

#[test]
fn what_only_a_bead_can_have_is_not_asked_of_a_loop() {
    let text = |more: &str| {
        format!("formula = \"f\"\n[[steps]]\nid = \"l\"\n{more}\nloop = {{ count = 2, body = [{{ id = \"a\" }}] }}\n")
    };
    for (more, what) in [
        ("on_complete = { for_each = \"output.xs\", bond = \"f\" }", "on_complete"),
        ("only_if = { touches = [\"src/**\"] }", "only_if"),
        ("metadata = { a = 1 }", "metadata"),
        ("acceptance = \"it works\"", "acceptance"),
        ("expand = \"e\"", "expand"),
    ] {
        let told = cooked(&text(more)).expect_err("it has no bead").render(false);
        assert!(
            told.contains(&format!("the loop `l` has `{what}`, and only the steps of its body become beads")),
            "{told}"
        );
    }
    cooked(&text("description = \"All of them\"")).expect("said to readers");
}

#[test]
fn the_time_of_a_gate_is_filled_and_must_be_one() {
    let text = |time: &str| {
        format!(
            "formula = \"f\"\n[[steps]]\nid = \"l\"\n[steps.loop]\ncount = 2\nvar = \"i\"\n\
             body = [{{ id = \"a\", gate = {{ type = \"timer\"{time} }} }}]\n"
        )
    };
    let proto = cooked(&text(", timeout = \"{i}h\"")).expect("cooks");
    let times: Vec<_> = proto.steps.iter().filter_map(|step| step.gate.as_ref()?.timeout.as_deref()).collect();
    assert_eq!(times, ["1h", "2h"]);
    let told = cooked(&text(", timeout = \"{n}h\"")).expect_err("no time").render(false);
    assert_eq!(told.matches("`{n}h` is not a length of time").count(), 1, "{told}");
    cooked(&text("")).expect("a warning");
}
