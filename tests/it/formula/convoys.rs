//! Convoy formulas: inputs, presets, texts, and what is refused.

use gastown::formula::convoy::plan;
use gastown::formula::{Library, Report};

use super::{library, vars};

const REVIEW: &str = r#"formula = "review"
type = "convoy"
[inputs.pr]
type = "int"
required_unless = ["branch"]
[inputs.branch]
[inputs.files]
type = "list"
[inputs.depth]
description = "how deep"
required = true
[prompts]
base = """{{if pr}}PR {{pr}}{{else}}{{branch}}{{end}} by {{leg.focus}} for {{convoy}}: {{output_path}}"""
[output]
directory = "out/{{convoy}}"
leg_pattern = "{{leg.id}}.md"
[[legs]]
id = "fast"
focus = "speed"
[[legs]]
id = "safe"
title = "Safety"
focus = "safety"
[synthesis]
title = "Sum of {{target_description}}"
depends_on = ["fast", "safe"]
[presets.one]
legs = ["safe"]
"#;

fn told(report: &Report) -> String {
    let line = |f: &gastown::formula::Diagnostic| {
        let place = f.place().unwrap_or_default();
        let place = place.rsplit("toml:").next().unwrap_or_default().to_owned();
        format!("{place} {} | {}", f.message, f.help.as_deref().unwrap_or_default())
    };
    report.findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_leg_gets_the_prompt_filled_for_it_and_the_synthesis_waits_for_all() {
    let library = library(&[("review", REVIEW)]);
    let plan = plan(&library, "review", &vars(&[("branch", "topic"), ("depth", "2")]), None).expect("a plan");
    let filled = plan.fill("hq-cv-1");
    assert_eq!(filled.title, "review: branch topic, depth 2");
    let legs: Vec<(&str, &str)> = filled.legs.iter().map(|l| (l.title.as_str(), l.description.as_str())).collect();
    assert_eq!(
        legs,
        [
            ("fast", "topic by speed for hq-cv-1: out/hq-cv-1/fast.md"),
            ("Safety", "topic by safety for hq-cv-1: out/hq-cv-1/safe.md")
        ]
    );
    let last = filled.synthesis.expect("a synthesis");
    assert_eq!((last.title.as_str(), last.needs), ("Sum of branch topic, depth 2", vec!["fast".into(), "safe".into()]));
}

#[test]
fn a_preset_chooses_legs_and_the_synthesis_waits_for_those() {
    let library = library(&[("review", REVIEW)]);
    let given = vars(&[("pr", "7"), ("depth", "2")]);
    let filled = plan(&library, "review", &given, Some("one")).expect("a plan").fill("hq-cv-1");
    assert_eq!(filled.legs.iter().map(|l| l.id.as_str()).collect::<Vec<_>>(), ["safe"]);
    assert_eq!(filled.synthesis.expect("a synthesis").needs, ["safe"]);
    let report = plan(&library, "review", &given, Some("ones")).expect_err("no such preset");
    assert_eq!(told(&report), " `review` has no preset `ones` | did you mean `one`?");
}

#[test]
fn what_is_missing_wrong_or_unknown_is_told_at_once_with_its_place_and_what_to_give() {
    let library = library(&[("review", REVIEW)]);
    let report = plan(&library, "review", &vars(&[("brunch", "x")]), None).expect_err("refused");
    insta::assert_snapshot!(told(&report), @r"
     `review` has no input `brunch` | did you mean `branch`?
    3:9 input `pr` is missing | give it: --var pr=…, or --var branch=…
    9:9 input `depth` is missing (how deep) | give it: --var depth=…
    ");
    let report = plan(&library, "review", &vars(&[("pr", "x"), ("depth", "1")]), None).expect_err("refused");
    assert_eq!(told(&report), "3:9 `x` is no value of input `pr`: it must be an integer | --var pr=…");
    let report = plan(&Library::new([]), "shiny", &vars(&[]), None).expect_err("no convoy");
    assert!(told(&report).contains("only a convoy has legs | bd mol pour shiny"), "{report}");
}

#[test]
fn legs_that_are_not_there_and_texts_that_cannot_be_filled_are_found_before_anything_is_made() {
    let broken = REVIEW.replace("[\"fast\", \"safe\"]", "[\"fats\"]").replace("legs = [\"safe\"]", "legs = [\"save\"]");
    let broken = broken.replace("{{if pr}}", "{{if pr | upper}}");
    let report = plan(&library(&[("review", &broken)]), "review", &vars(&[("pr", "1"), ("depth", "1")]), None)
        .expect_err("refused");
    let told = told(&report);
    for part in [
        "`fats`, which is no leg | did you mean `fast`?",
        "`save`, which is no leg | did you mean `safe`?",
        "cannot be filled",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
}

#[test]
fn the_shipped_convoys_have_texts_without_anything_left_to_fill() {
    for (name, given, preset, legs) in [
        ("code-review", vars(&[("branch", "topic")]), None, 6),
        ("code-review", vars(&[("pr", "12")]), Some("gate"), 2),
        ("code-review", vars(&[("files", "a.rs, b.rs")]), Some("security"), 3),
        ("design", vars(&[("problem", "too slow")]), None, 6),
        ("design", vars(&[("problem", "too slow"), ("constraints", "no new process")]), Some("quick"), 3),
    ] {
        let filled = plan(&Library::new([]), name, &given, preset).unwrap_or_else(|r| panic!("{r}")).fill("hq-cv-9");
        assert_eq!(filled.legs.len(), legs, "{name}");
        let last = filled.synthesis.expect("a synthesis");
        assert_eq!(last.needs.len(), legs);
        for part in filled.legs.iter().chain([&last]) {
            assert!(!part.description.contains("{{") && !part.title.contains("{{"), "{}", part.description);
            assert!(!part.description.contains("  \n\n\n"), "{}", part.description);
        }
    }
}
