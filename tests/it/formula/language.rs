//! What the language means: loops, branches, expansions, aspects, extending, variables.

use gastown::formula::{Layer, Library, Mode, NoAspects, Options, Vars, compile, cook};

use super::{cooked, edges, library, vars};

#[test]
fn a_counted_loop_runs_its_rounds_one_after_the_other() {
    let proto = cooked(
        r#"formula = "f"
        [[steps]]
        id = "prepare"
        [[steps]]
        id = "l"
        needs = ["prepare"]
        labels = ["round"]
        condition = "{{go}}"
        [steps.loop]
        count = 2
        var = "n"
        [[steps.loop.body]]
        id = "a"
        title = "A {n} of {{total}}"
        [[steps.loop.body]]
        id = "b"
        needs = ["a", "prepare"]
        [[steps]]
        id = "z"
        needs = ["l"]"#,
    )
    .expect("cooks");
    insta::assert_snapshot!(edges(&proto), @r"
    prepare
    l.iter1.a <- prepare
    l.iter1.b <- l.iter1.a, prepare
    l.iter2.a <- l.iter1.b
    l.iter2.b <- l.iter2.a, prepare
    z <- l.iter2.b
    ");
    let second = proto.step("l.iter2.a").expect("a step");
    assert_eq!(
        (second.title.as_str(), second.origin.location.as_ref()),
        ("A 2 of {{total}}", "steps[1].loop.body[0].iter2")
    );
    assert_eq!((&second.labels[..], &second.condition[..]), (&["round".to_owned()][..], &["{{go}}".to_owned()][..]));
}

#[test]
fn hanoi_is_a_loop_over_a_variable() {
    let text = r#"formula = "f"
        [vars]
        disks = "3"
        [[steps]]
        id = "moves"
        [steps.loop]
        range = "1..2^{disks}-1"
        var = "n"
        [[steps.loop.body]]
        id = "move"
        title = "Move {n}""#;
    assert_eq!(cooked(text).expect("cooks").steps.len(), 7);
    let four = cook(&library(&[("f", text)]), "f", &vars(&[("disks", "4")])).expect("cooks");
    assert_eq!((four.steps.len(), four.steps[14].title.as_str()), (15, "Move 15"));
}

#[test]
fn nested_loops_chain_and_may_count_on_the_outer_variable() {
    let proto = cooked(
        r#"formula = "f"
        [[steps]]
        id = "o"
        [steps.loop]
        range = "1..2"
        var = "i"
        [[steps.loop.body]]
        id = "in"
        [steps.loop.body.loop]
        range = "1..{i}"
        var = "j"
        [[steps.loop.body.loop.body]]
        id = "x"
        title = "{i}.{j}"
        [[steps.loop.body]]
        id = "after"
        needs = ["in"]"#,
    )
    .expect("cooks");
    insta::assert_snapshot!(edges(&proto), @r"
    o.iter1.in.iter1.x
    o.iter1.after <- o.iter1.in.iter1.x
    o.iter2.in.iter1.x <- o.iter1.after
    o.iter2.in.iter2.x <- o.iter2.in.iter1.x
    o.iter2.after <- o.iter2.in.iter2.x
    ");
    assert_eq!(proto.step("o.iter2.in.iter2.x").expect("a step").title, "2.2");
}

#[test]
fn an_until_loop_runs_once_and_remembers_its_end() {
    let proto = cooked(
        r#"formula = "f"
        [[steps]]
        id = "l"
        [steps.loop]
        until = "step.output.n >= 3"
        max = 5
        [[steps.loop.body]]
        id = "x""#,
    )
    .expect("cooks");
    let step = &proto.steps[0];
    assert_eq!(step.labels, [r#"loop:{"max":5,"until":"step.output.n \u003e= 3"}"#]);
    assert_eq!(step.until.as_ref().map(|u| u.max), Some(5));
}

#[test]
fn branches_fork_and_join_and_gate_rules_hold() {
    let proto = cooked(
        r#"formula = "f"
        [[steps]]
        id = "a"
        [[steps]]
        id = "b"
        [[steps]]
        id = "c"
        [[steps]]
        id = "d"
        [[compose.branch]]
        from = "a"
        steps = ["b", "c"]
        join = "d"
        [[compose.gate]]
        before = "d"
        condition = "b.output.coverage >= 80""#,
    )
    .expect("cooks");
    insta::assert_snapshot!(edges(&proto), @r"
    a
    b <- a
    c <- a
    d <- b, c
    ");
    let d = proto.step("d").expect("a step");
    assert_eq!((&d.held[..], &d.labels[0][..6]), (&["b.output.coverage >= 80".to_owned()][..], "gate:{"));
}

pub(super) const TWICE: &str = r#"formula = "twice"
    type = "expansion"
    [vars.what]
    default = "it"
    [[template]]
    id = "{target}.one"
    title = "{target.title}: {what} once"
    [[template]]
    id = "{target}.two"
    needs = ["{target}.one"]"#;

#[test]
fn expansions_take_the_place_of_steps_inline_by_id_and_by_pattern() {
    let text = r#"formula = "f"
        [[steps]]
        id = "p"
        [[steps]]
        id = "a"
        needs = ["p"]
        condition = "{{yes}}"
        expand = "twice"
        expand_vars = { what = "this" }
        [[steps]]
        id = "b"
        needs = ["a"]
        [[steps]]
        id = "c.x"
        needs = ["b"]
        [[steps]]
        id = "z"
        needs = ["c.x"]
        [[compose.expand]]
        target = "b"
        with = "twice"
        [[compose.map]]
        select = "c.*"
        with = "twice"
        vars = { what = "that" }"#;
    let proto = cook(&library(&[("f", text), ("twice", TWICE)]), "f", &Vars::new()).expect("cooks");
    insta::assert_snapshot!(edges(&proto), @r"
    p
    a.one <- p
    a.two <- a.one
    b.one <- a.two
    b.two <- b.one
    c.x.one <- b.two
    c.x.two <- c.x.one
    z <- c.x.two
    ");
    let titles: Vec<&str> = proto.steps.iter().filter(|s| s.id.ends_with("one")).map(|s| s.title.as_str()).collect();
    assert_eq!(titles, ["a: this once", "b: it once", "c.x: that once"]);
    assert!(proto.steps.iter().filter(|s| s.id.starts_with("a.")).all(|s| s.condition == ["{{yes}}"]));
}

#[test]
fn advice_surrounds_its_target_and_what_comes_after_gates_unless_it_says_otherwise() {
    let text = |gates: &str| {
        format!(
            r#"formula = "f"
        [[steps]]
        id = "p"
        [[steps]]
        id = "a"
        needs = ["p"]
        [[steps]]
        id = "z"
        needs = ["a"]
        [[advice]]
        target = "a"
        {gates}
        [advice.before]
        id = "pre-{{step.id}}"
        [advice.after]
        id = "post-{{step.id}}"
        title = "After {{step.title}}""#
        )
    };
    insta::assert_snapshot!(edges(&cooked(&text("")).expect("cooks")), @r"
    p
    pre-a <- p
    a <- p, pre-a
    post-a <- a
    z <- a, post-a
    ");
    insta::assert_snapshot!(edges(&cooked(&text("gates = false")).expect("cooks")), @r"
    p
    pre-a <- p
    a <- p, pre-a
    post-a <- a
    z <- a
    ");
}

#[test]
fn pointcuts_select_by_pattern_type_and_label_together() {
    let proto = cooked(
        r#"formula = "f"
        [[steps]]
        id = "x.one"
        type = "bug"
        labels = ["auth"]
        [[steps]]
        id = "x.two"
        type = "bug"
        [[steps]]
        id = "y.one"
        type = "bug"
        labels = ["auth"]
        [[advice]]
        [advice.after]
        id = "{step.id}-review"
        only_if = { touches = ["**/auth/**"] }
        [[pointcuts]]
        glob = "x.*"
        type = "bug"
        label = "auth""#,
    )
    .expect("cooks");
    let review: Vec<_> = proto.steps.iter().filter(|s| s.only_if.is_some()).map(|s| s.id.as_str()).collect();
    assert_eq!(review, ["x.one-review"]);
}

#[test]
fn several_parents_are_merged_and_nothing_is_dropped() {
    let base = r#"formula = "base"
        phase = "vapor"
        vars = { a = "base", b = "base" }
        [[steps]]
        id = "one"
        title = "base one"
        [[steps]]
        id = "two"
        needs = ["one"]
        [[compose.branch]]
        from = "one"
        steps = ["two"]"#;
    let other = r#"formula = "other"
        vars = { a = "other", c = "other" }
        [[steps]]
        id = "three"
        [[advice]]
        target = "one"
        [advice.before]
        id = "first""#;
    let child = r#"formula = "f"
        extends = ["base", "other"]
        vars = { b = "child" }
        [[steps]]
        id = "one"
        title = "child one"
        [[steps]]
        id = "four"
        needs = ["three"]"#;
    let proto = cook(&library(&[("f", child), ("base", base), ("other", other)]), "f", &Vars::new()).expect("cooks");
    insta::assert_snapshot!(edges(&proto), @r"
    first
    one <- first
    two <- one
    three
    four <- three
    ");
    assert_eq!(proto.step("one").expect("a step").title, "child one");
    let defaults: Vec<_> = proto.vars.values().filter_map(|v| v.default.as_deref()).collect();
    assert_eq!((defaults, proto.phase.as_deref()), (vec!["base", "child", "other"], Some("vapor")));
}

#[test]
fn the_same_inputs_give_the_same_protomolecule_wherever_they_lie() {
    let text = "formula = \"f\"\n[[steps]]\nid = \"a\"\n";
    let moved = format!("# a remark\n\n{text}");
    let (a, b) = (cooked(text).expect("cooks"), cooked(&moved).expect("cooks"));
    assert_eq!(a.id, b.id);
    assert_ne!(a.id, cooked(&text.replace("\"a\"", "\"b\"")).expect("cooks").id);
    let json = serde_json::to_string(&a).expect("serialises");
    assert_eq!(serde_json::from_str::<gastown::formula::Proto>(&json).expect("reads"), a);
}

#[test]
fn runtime_mode_fills_texts_and_names_all_variables_without_a_value() {
    let text = r#"formula = "f"
        [vars.a]
        default = "x"
        [[steps]]
        id = "s"
        title = "{{a}} {{b}}"
        description = "{{c}}""#;
    let library = library(&[("f", text)]);
    let given = vars(&[("b", "y"), ("c", "{{a}}")]);
    let run = |vars: &Vars| compile(&library, "f", Options { vars, mode: Mode::Runtime, aspects: &NoAspects });
    let cooked = run(&given).expect("cooks");
    assert_eq!((cooked.proto.steps[0].title.as_str(), cooked.proto.steps[0].description.as_str()), ("x y", "{{a}}"));
    let missing = run(&Vars::new()).expect_err("two are missing");
    let told: Vec<_> = missing.findings.iter().map(|f| (f.place(), f.message.as_str())).collect();
    let at = |place: &str| Some(format!("town:f.formula.toml:{place}"));
    assert_eq!(told, [(at("6:24"), "variable `b` has no value"), (at("7:24"), "variable `c` has no value")]);
}

#[test]
fn json_formulas_say_the_same_and_point_at_their_mistakes() {
    let mut library = Library::empty();
    library.add(
        Layer::Town,
        "j.formula.json",
        r#"{"formula": "j", "steps": [{"id": "a"}, {"id": "b", "needs": ["a"]}]}"#,
    );
    library.add(
        Layer::Town,
        "bad.formula.json",
        "{\"formula\": \"bad\",\n \"steps\": [{\"id\": \"a\", \"nedes\": []}]}",
    );
    assert_eq!(edges(&cook(&library, "j", &Vars::new()).expect("cooks")), "a\nb <- a");
    let report = cook(&library, "bad", &Vars::new()).expect_err("a slip");
    assert_eq!(report.findings[0].place().as_deref(), Some("town:bad.formula.json:2:24"));
}

#[test]
fn nearer_layers_hide_further_ones_and_the_list_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("shiny.formula.toml"), "formula = \"shiny\"\n[[steps]]\nid = \"mine\"\n")
        .expect("written");
    std::fs::write(dir.path().join("broken.formula.toml"), "formula = \n").expect("written");
    let library = Library::new([(Layer::Home, dir.path().to_owned())]);
    assert_eq!(cook(&library, "shiny", &Vars::new()).expect("cooks").steps[0].id, "mine");
    let list = library.list();
    let shiny = list.iter().find(|l| l.name == "shiny").expect("listed");
    assert_eq!((shiny.layer, shiny.shadows.as_slice()), (Layer::Home, &["builtin:shiny.formula.toml".to_owned()][..]));
    let broken = list.iter().find(|l| l.name == "broken").expect("listed too");
    assert!(broken.error.as_deref().is_some_and(|e| e.contains(":1:11: this is not valid TOML")), "{broken:?}");
}

#[test]
fn what_a_loop_waits_for_holds_all_that_begins_it_and_each_round_all_of_the_next() {
    let text = r#"formula = "f"
        [[steps]]
        id = "s"
        [[steps]]
        id = "other"
        [[steps]]
        id = "l"
        needs = ["s"]
        gate = { type = "human" }
        [steps.loop]
        count = 2
        [[steps.loop.body]]
        id = "a"
        needs = ["other"]
        [[steps.loop.body]]
        id = "b""#;
    let proto = cooked(text).expect("cooks");
    assert_eq!(
        edges(&proto),
        "s\nother\nl.iter1.a <- s, other\nl.iter1.b <- s\nl.iter2.a <- other, l.iter1.b\nl.iter2.b <- l.iter1.b"
    );
    let gated: Vec<&str> = proto.steps.iter().filter(|s| s.gate.is_some()).map(|s| s.id.as_str()).collect();
    assert_eq!(gated, ["l.iter1.a", "l.iter1.b"]);
    let unknown = cooked(&text.replace("[\"s\"]", "[\"nope\"]")).expect_err("unknown");
    assert!(unknown.to_string().contains("nope"), "{unknown}");
    let both = cooked(&text.replace("id = \"b\"", "id = \"b\"\ngate = { type = \"timer\", timeout = \"1h\" }"));
    let both = both.expect_err("two gates").render(false);
    assert!(both.contains("`l.iter1.b` has a gate of its own beside that of `l`"), "{both}");
    // Written for a program that drops the loop's, a file is used all the same.
    let mut elsewhere = Library::empty();
    let two = text.replace("id = \"b\"", "id = \"b\"\ngate = { type = \"timer\", timeout = \"1h\" }");
    elsewhere.add(Layer::Repository, "f.formula.toml", &two);
    let options = Options { vars: &Vars::new(), mode: Mode::Compile, aspects: &NoAspects };
    let made = compile(&elsewhere, "f", options).expect("cooks");
    let kinds: Vec<&str> = made.proto.steps.iter().filter_map(|s| Some(s.gate.as_ref()?.kind.as_str())).collect();
    assert_eq!((kinds, made.warnings.findings.len()), (vec!["human", "timer", "timer"], 1));
}

#[test]
fn what_a_step_waits_for_holds_all_that_begins_the_template_in_its_place() {
    let text = r#"formula = "f"
        [[steps]]
        id = "pre"
        [[steps]]
        id = "s"
        [[steps]]
        id = "t"
        needs = ["s"]
        gate = { type = "human" }
        expand = "e""#;
    let template = r#"formula = "e"
        type = "expansion"
        [[template]]
        id = "{target}.one"
        needs = ["pre"]
        [[template]]
        id = "{target}.two"
        needs = ["{target}.one"]"#;
    let proto = cook(&library(&[("f", text), ("e", template)]), "f", &Vars::new()).expect("cooks");
    assert_eq!(edges(&proto), "pre\ns\nt.one <- s, pre\nt.two <- t.one");
    assert!(proto.steps[2].gate.is_some() && proto.steps[3].gate.is_none());
}

#[test]
fn a_parent_that_many_extend_is_one_and_is_put_together_once() {
    let base =
        "formula = \"x0\"\n[[steps]]\nid = \"a\"\n[[advice]]\ntarget = \"a\"\nafter = { id = \"look-{step.id}\" }\n";
    let mut files = vec![("x0".to_owned(), base.to_owned())];
    for i in 1..40 {
        let below = format!("x{}", i - 1);
        files.push((format!("x{i}"), format!("formula = \"x{i}\"\nextends = [\"{below}\", \"{below}\", \"x0\"]\n")));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let proto = cook(&library(&files), "x39", &Vars::new()).expect("cooks");
    assert_eq!(edges(&proto), "a\nlook-a <- a");
}

#[test]
fn steps_that_wait_for_each_other_through_a_group_are_found() {
    let through = r#"formula = "f"
        [[steps]]
        id = "a"
        [[steps]]
        id = "b"
        needs = ["a"]
        [[steps.children]]
        id = "b1"
        needs = ["c"]
        [[steps]]
        id = "c"
        needs = ["b"]"#;
    let said = cooked(through).expect_err("a deadlock").render(false);
    assert!(said.contains("steps wait for each other through a group: ") && said.contains("f.formula.toml:"), "{said}");
    let own = "formula = \"f\"\n[[steps]]\nid = \"b\"\n[[steps.children]]\nid = \"b1\"\nneeds = [\"b\"]\n";
    assert!(cooked(own).is_err(), "a child cannot wait for the group that waits for it");
    cooked(&through.replace("needs = [\"b\"]", "needs = [\"a\"]")).expect("nobody waits for the group");
}

#[test]
fn an_extended_group_keeps_the_children_that_the_new_one_does_not_have() {
    let base = "formula = \"base\"\n[[steps]]\nid = \"g\"\n[[steps.children]]\nid = \"a\"\n[[steps.children]]\n\
        id = \"b\"\n[[steps]]\nid = \"z\"\n[[steps]]\nid = \"y\"\n";
    let cooked = |own: &str| {
        let own = format!("formula = \"own\"\nextends = [\"base\"]\n{own}");
        let proto =
            cook(&library(&[("base", base), ("own", &own)]), "own", &Vars::new()).unwrap_or_else(|r| panic!("{r}"));
        let line = |s: &gastown::formula::Step| format!("{}:{}:{}", s.parent.as_deref().unwrap_or(""), s.id, s.title);
        proto.steps.iter().map(line).collect::<Vec<_>>().join(" ")
    };
    let group = "[[steps]]\nid = \"g\"\ntitle = \"G\"\n";
    assert_eq!(cooked(group), ":g:G g:a:a g:b:b :z:z :y:y");
    // A child of the parent that the formula itself defines, once beside the group and once in it.
    let a = "[[steps]]\nid = \"a\"\ntitle = \"A\"\n";
    assert_eq!(cooked(&format!("{group}{a}")), ":g:G g:a:A g:b:b :z:z :y:y");
    let inside = "[[steps.children]]\nid = \"a\"\ntitle = \"A\"\n[[steps.children]]\nid = \"c\"\n";
    assert_eq!(cooked(&format!("{group}{inside}")), ":g:G g:a:A g:b:b g:c:c :z:z :y:y");
    // A step that the formula has in a group moves there.
    assert_eq!(cooked(&format!("{group}[[steps.children]]\nid = \"z\"\n")), ":g:G g:a:a g:b:b g:z:z :y:y");
}

#[test]
fn a_gate_rule_before_a_loop_holds_all_that_begins_it_and_a_condition_sees_the_round_around() {
    let proto = cooked(
        "formula = \"f\"\n[[steps]]\nid = \"o\"\n[steps.loop]\ncount = 2\n[[steps.loop.body]]\nid = \"prep\"\n\
         [[steps.loop.body]]\nid = \"side\"\n[[steps.loop.body]]\nid = \"l\"\nneeds = [\"prep\"]\n[steps.loop.body.loop]\n\
         until = \"prep.output.ok == yes\"\nmax = 2\n[[steps.loop.body.loop.body]]\nid = \"x\"\n[[steps]]\nid = \"a\"\n\
         [[compose.gate]]\nbefore = \"o\"\ncondition = \"a.status == 'complete'\"\n\
         [[compose.branch]]\nfrom = \"a\"\nsteps = [\"o\"]\n",
    )
    .expect("cooks");
    let held: Vec<&str> = proto.steps.iter().filter(|s| !s.held.is_empty()).map(|s| s.id.as_str()).collect();
    assert_eq!(held, ["o.iter1.prep", "o.iter1.side"]);
    let waits: Vec<&str> =
        proto.steps.iter().filter(|s| s.needs.iter().any(|n| n == "a")).map(|s| s.id.as_str()).collect();
    assert_eq!(waits, held, "and so does a branch");
    let until = |id: &str| proto.step(id).and_then(|s| s.until.as_ref()).map(|u| u.until.as_str());
    assert_eq!(until("o.iter2.l.iter1.x"), Some("o.iter2.prep.output.ok == 'yes'"));
}

#[test]
fn an_empty_type_or_label_of_advice_and_pointcuts_is_as_good_as_none() {
    let toml = r#"formula = "f"
        [[steps]]
        id = "implement"
        type = ""
        [[steps]]
        id = "fix"
        type = "bug"
        [[advice]]
        target = "*"
        type = ""
        label = ""
        after = { id = "{step.id}-check", type = "" }
        [[pointcuts]]
        glob = "implement"
        type = ""
        label = ""
        [[pointcuts]]
        glob = ""
        type = "bug""#;
    let json = r#"{"formula": "f", "steps": [{"id": "implement", "type": ""}, {"id": "fix", "type": "bug"}],
        "advice": [{"target": "", "type": "", "label": "", "after": {"id": "{step.id}-check", "type": ""}}],
        "pointcuts": [{"glob": "implement", "type": "", "label": ""}, {"glob": "", "type": "bug", "label": ""}]}"#;
    let mut library = Library::empty();
    library.add(Layer::Town, "f.formula.json", json);
    for proto in [cooked(toml).expect("cooks"), cook(&library, "f", &Vars::new()).expect("cooks")] {
        assert_eq!(edges(&proto), "implement\nimplement-check <- implement\nfix\nfix-check <- fix");
        assert!(proto.steps.iter().all(|step| step.kind == if step.id == "fix" { "bug" } else { "task" }));
    }
}
