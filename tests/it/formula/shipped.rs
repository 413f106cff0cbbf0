//! The formulas in the binary, and those of the requirements as written there.

use gastown::formula::{Layer, Library, Vars, cook};

use super::{edges, vars};

const SHINY: &str = r#"formula = "shiny"
description = "Design before code, review before ship"
[[steps]]
id = "design"
description = "Think about architecture"
[[steps]]
id = "implement"
needs = ["design"]
[[steps]]
id = "test"
needs = ["implement"]
[[steps]]
id = "submit"
needs = ["test"]"#;

const ENTERPRISE: &str = r#"# Extend an existing formula
formula = "shiny-enterprise"
extends = ["shiny"]
[compose]
aspects = ["security-audit"] # Add cross-cutting concerns"#;

#[test]
fn the_first_example_of_the_readme_cooks_as_written() {
    let mut library = Library::empty();
    library.add(Layer::Town, "shiny.formula.toml", SHINY);
    let proto = cook(&library, "shiny", &vars(&[("feature", "auth")])).expect("cooks");
    insta::assert_snapshot!(edges(&proto), @r"
    design
    implement <- design
    test <- implement
    submit <- test
    ");
    assert_eq!(proto.step("implement").expect("a step").title, "implement");
}

#[test]
fn the_extended_example_weaves_the_shipped_aspect_into_the_users_shiny() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("shiny.formula.toml"), SHINY).expect("written");
    std::fs::write(dir.path().join("shiny-enterprise.formula.toml"), ENTERPRISE).expect("written");
    let library = Library::new([(Layer::Town, dir.path().to_owned())]);
    let proto = cook(&library, "shiny-enterprise", &Vars::new()).expect("cooks");
    insta::assert_snapshot!(edges(&proto), @r"
    design
    implement-threats <- design
    implement <- design, implement-threats
    implement-audit <- implement
    test <- implement, implement-audit
    submit-security-check <- test
    submit <- test, submit-security-check
    ");
}

#[test]
fn every_shipped_formula_cooks_without_a_warning() {
    let library = Library::new([]);
    let listed = library.list();
    assert!(listed.len() >= 17, "{listed:?}");
    for one in listed.into_iter().filter(|one| !one.source.ends_with(".lua")) {
        let given = if one.name == "release" { vars(&[("version", "1.2.3")]) } else { Vars::new() };
        let options = gastown::formula::Options {
            vars: &given,
            mode: gastown::formula::Mode::Compile,
            aspects: &gastown::formula::NoAspects,
        };
        let cooked = gastown::formula::compile(&library, &one.name, options)
            .unwrap_or_else(|report| panic!("{}: {report}", one.name));
        assert!(cooked.warnings.findings.is_empty(), "{}: {}", one.name, cooked.warnings);
        assert!(!cooked.proto.description.is_empty(), "{} says what it is for", one.name);
    }
}

#[test]
fn the_shipped_shiny_has_the_steps_that_a_worker_runs() {
    let proto = cook(&Library::new([]), "shiny", &Vars::new()).expect("cooks");
    assert_eq!(
        proto.steps.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(),
        ["design", "implement", "test", "submit"]
    );
}

#[test]
fn hanoi_is_a_loop_over_a_variable() {
    let library = Library::new([]);
    let moves = |disks: &str| {
        let proto = cook(&library, "hanoi", &vars(&[("disks", disks)])).expect("cooks");
        let first = proto.step("moves.iter1.move").expect("a move").needs.clone();
        let last = proto.step("verify").expect("the last step").needs.clone();
        (proto.steps.len(), first, last)
    };
    assert_eq!(moves("3"), (9, vec!["setup".to_owned()], vec!["moves.iter7.move".to_owned()]));
    assert_eq!(moves("10").0, 1025);
    assert!(cook(&library, "hanoi", &vars(&[("disks", "0")])).is_err());
}

#[test]
fn shiny_secure_has_the_audit_and_a_stricter_test_and_tdd_takes_the_place_of_a_step() {
    let proto = cook(&Library::new([]), "shiny-secure", &Vars::new()).expect("cooks");
    insta::assert_snapshot!(edges(&proto), @r"
    design
    implement-threats <- design
    implement <- design, implement-threats
    implement-audit <- implement
    test <- implement, implement-audit
    submit-security-check <- test
    submit <- test, submit-security-check
    ");
    assert_eq!(proto.step("test").expect("a step").title, "Test {{feature}}, and try to break it");
    let mut library = Library::empty();
    for name in ["shiny", "tdd"] {
        let found = Library::new([]).find(name).expect("shipped");
        library.add(Layer::Town, &format!("{name}.formula.toml"), &found.source.text);
    }
    let mine = "formula = 'mine'\nextends = ['shiny']\n[[compose.expand]]\ntarget = 'implement'\nwith = 'tdd'";
    library.add(Layer::Town, "mine.formula.toml", mine);
    insta::assert_snapshot!(edges(&cook(&library, "mine", &Vars::new()).expect("cooks")), @r"
    design
    implement.red <- design
    implement.green <- implement.red
    implement.tidy <- implement.green
    test <- implement.tidy
    submit <- test
    ");
}

#[test]
fn the_shipped_patrols_name_functions_that_their_roles_have() {
    let library = Library::new([]);
    for (name, role) in [("deacon-patrol", "deacon"), ("witness-patrol", "witness"), ("refinery-patrol", "refinery")] {
        let layers = [gastown::policy::builtin(role).expect("shipped")];
        let engine = gastown::policy::Engine::load(role, &layers, &toml::Table::new()).expect("loads");
        let found =
            gastown::policy::plans(&library, &[(role.to_owned(), &engine)].into(), &gastown::formula::NoAspects);
        assert_eq!(found.wrong, []);
        assert_eq!(found.plans.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), [name]);
    }
}

#[test]
fn a_patrol_without_what_a_patrol_needs_is_refused_with_its_place() {
    let report = super::cooked(
        "formula = 'f'\ntype = 'patrol'\n[patrol]\nevery = 'often'\non = 'mr_merge'\n\
         [[steps]]\nid = 'a'\n[[steps]]\nid = 'b'\nrun = 'x'\ngate = { type = 'human' }",
    )
    .expect_err("it is wrong");
    let said: Vec<String> = report
        .findings
        .iter()
        .map(|f| format!("{} {}", f.place().expect("a place").rsplit("toml:").next().expect("a line"), f.message))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    3:1 patrol `f` does not say whose it is
    4:9 `often` is not a length of time; use numbers with ms, s, m, h, d or w, as in 1h30m
    5:6 there is no event `mr_merge`
    7:6 step `a` of a patrol has no `run`
    9:6 step `b` of a patrol has a gate
    ");
    let other =
        super::cooked("formula = 'f'\n[patrol]\nrole = 'x'\nevery = '1h'\n[[steps]]\nid = 'a'").expect_err("no patrol");
    assert!(other.to_string().contains("a workflow has no schedule"), "{other}");
}

#[test]
fn who_cooks_is_told_what_is_done_with_what_came_of_it() {
    let (sandbox, repo) = super::molecules::repo();
    for (name, next) in [
        ("shiny", "pour it with `bd mol pour`"),
        ("rule-of-five", "name it in `extends`, `compose.aspects` or `expand` of a workflow"),
        ("code-review", "gt formula run code-review"),
    ] {
        let told = sandbox.bd(&repo, &["cook", name]).ok();
        assert!(told.ends_with(next), "{told}");
    }
}
