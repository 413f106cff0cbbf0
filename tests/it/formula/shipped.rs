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
    assert!(listed.len() >= 7, "{listed:?}");
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
