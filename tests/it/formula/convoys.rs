//! Convoy formulas: inputs, presets, texts, and what is refused.

use gastown::formula::convoy::plan;
use gastown::formula::{Layer, Library, Mode, NoAspects, Options, Vars, compile, cook, graph};

use super::errors::told;
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
synthesis = "sum-{{depth}}.md"
[[legs]]
id = "fast"
focus = "speed"
[[legs]]
id = "safe"
title = "Safety"
focus = "safety"
[synthesis]
title = "Sum of {{target_description}}"
description = "{{output.directory}}/{{output.synthesis}}"
depends_on = ["fast", "safe"]
[presets.one]
legs = ["safe"]
"#;

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
    assert_eq!(last.description, "out/hq-cv-1/sum-2.md");
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
fn the_synthesis_knows_the_legs_and_all_parts_are_drawn_and_explained() {
    let text = REVIEW.replace(
        "{{output.directory}}/{{output.synthesis}}",
        "{{legs}}:{{range .legs}} {{.id}}, {{.title}}, {{.focus}} in {{.output_path}};{{end}}",
    );
    let library = library(&[("review", &text)]);
    let given = vars(&[("pr", "7"), ("depth", "2")]);
    let filled = plan(&library, "review", &given, None).expect("a plan").fill("cv");
    assert_eq!(
        filled.synthesis.expect("a synthesis").description,
        "fast, safe: fast, fast, speed in out/cv/fast.md; safe, Safety, safety in out/cv/safe.md;"
    );
    let options = Options { vars: &Vars::new(), mode: Mode::Compile, aspects: &NoAspects };
    let cooked = compile(&library, "review", options).expect("cooks");
    insta::assert_snapshot!(graph::tree(&cooked.proto), @r"
    review (3 parts)
    ● fast
    ● safe  Safety
      ● synthesis  Sum of {{target_description}}  ← fast, safe
    ");
    assert!(graph::mermaid(&cooked.proto).contains("s1 --> s2"), "{}", graph::mermaid(&cooked.proto));
    let origins: Vec<String> =
        cooked.origins().iter().map(|o| format!("{} {}@{}:{}", o.id, o.formula, o.location, o.line)).collect();
    assert_eq!(origins, ["fast review@legs[0]:19", "safe review@legs[1]:22", "synthesis review@synthesis:25"]);
}

#[test]
fn texts_of_a_leg_are_filled_wherever_they_are_asked_for_and_a_leg_has_no_other_fields() {
    let text = REVIEW.replace(
        "focus = \"safety\"",
        "focus = \"{{files}} of {{leg.id}}\"\ndescription = \"D {{leg.focus}} {{leg.title}}\"",
    );
    let text = text.replace("title = \"Safety\"", "title = \"Safe {{files}} in {{output_path}}\"");
    let (before, rest) = text.split_once("[prompts]").expect("prompts");
    let (_, after) = rest.split_once("[output]").expect("an output");
    let text = format!("{before}[output]{after}");
    let text = text.replace(
        "{{output.directory}}/{{output.synthesis}}",
        "{{range legs}}{{.title}}, {{.focus}}, {{.description}};{{end}}",
    );
    let library = library(&[("review", &text)]);
    let given = vars(&[("pr", "7"), ("depth", "2"), ("files", "p,q")]);
    let filled = plan(&library, "review", &given, Some("one")).expect("a plan").fill("cv");
    let (title, said) = ("Safe p, q in out/cv/safe.md", "D p, q of safe Safe p, q in out/cv/safe.md");
    assert_eq!((filled.legs[0].title.as_str(), filled.legs[0].description.as_str()), (title, said));
    let last = filled.synthesis.expect("a synthesis").description;
    assert_eq!(last, format!("{title}, p, q of safe, {said};"));
    let wrong = text.replace("{{.title}}, ", "{{.bogus}}");
    let report = cook(&super::library(&[("review", &wrong)]), "review", &Vars::new()).expect_err("refused");
    assert!(told(&report).contains("`{{bogus}}` is no input, and nothing else that this text knows"), "{report}");
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
fn legs_that_are_not_there_and_texts_that_cannot_be_filled_are_found_when_it_is_cooked() {
    let broken = REVIEW
        .replace("[\"fast\", \"safe\"]", "[\"fats\"]")
        .replace("legs = [\"safe\"]", "legs = [\"save\"]")
        .replace("{{end}} by", " by")
        .replace("{{leg.id}}.md", "{{leg.idd}}.md")
        .replace("[\"branch\"]", "[\"brunch\"]")
        .replace("Sum of {{target_description}}", "Sum of {{len legs}} {{legs}} {{leg.id}}")
        .replace("title = \"Safety\"", "titel = \"Safety\"\ndescription = 5");
    let report = cook(&library(&[("review", &broken)]), "review", &Vars::new()).expect_err("refused");
    insta::assert_snapshot!(told(&report), @r#"
    5:20 input `pr` names `brunch`, which is no input | did you mean `branch`?
    13:13 this text cannot be filled: `{{if pr}}` has no `{{end}}` | {{name}}, {{leg.focus}}, {{if x}} … {{else}} … {{end}}, {{range x}} … {{else}} … {{end}}
    16:18 `{{leg.idd}}` is no input, and nothing else that this text knows | did you mean `leg.id`?
    23:1 a leg has no key `titel` | did you mean `title`?
    24:15 `description` must be a string, not an integer | write "5"
    27:19 this text cannot be filled: `{{len legs}}` is not understood | {{name}}, {{leg.focus}}, {{if x}} … {{else}} … {{end}}, {{range x}} … {{else}} … {{end}}
    27:41 `{{leg.id}}` is no input, and nothing else that this text knows | did you mean `legs`?
    29:15 the synthesis waits for `fats`, which is no leg | did you mean `fast`?
    31:9 preset `one` names `save`, which is no leg | did you mean `safe`?
    "#);
    // Of others a word that is not understood may be understood elsewhere; to be worked with here it must be here.
    let mut elsewhere = Library::empty();
    let foreign = REVIEW.replace("{{convoy}}: ", "{{len .files}}{{.nothing}}{{range .files}}{{.path}}{{end}}: ");
    elsewhere.add(Layer::Repository, "review.formula.toml", &foreign);
    cook(&elsewhere, "review", &Vars::new()).expect("cooks");
    let report = plan(&elsewhere, "review", &vars(&[("pr", "1"), ("depth", "1")]), None).expect_err("refused");
    insta::assert_snapshot!(told(&report), @"13:78 this text cannot be filled: `{{len .files}}` is not understood | {{name}}, {{leg.focus}}, {{if x}} … {{else}} … {{end}}, {{range x}} … {{else}} … {{end}}");
}

#[test]
fn a_convoy_that_extends_another_has_its_legs_too() {
    let more = "formula = \"more\"\nextends = [\"review\"]\n[[legs]]\nid = \"safe\"\nfocus = \"harm\"\n[[legs]]\n\
        id = \"docs\"\nfocus = \"docs\"\n[synthesis]\ntitle = \"All\"\ndepends_on = [\"docs\"]\n\
        [presets.two]\nlegs = [\"docs\", \"fast\"]\n[inputs.tone]\ndefault = \"kind\"\n";
    let library = library(&[("review", REVIEW), ("more", more)]);
    let given = vars(&[("pr", "7"), ("depth", "2")]);
    let filled = plan(&library, "more", &given, None).expect("a plan").fill("hq-cv-1");
    let legs: Vec<(&str, &str)> = filled.legs.iter().map(|l| (l.id.as_str(), l.description.as_str())).collect();
    assert_eq!(
        legs,
        [
            ("fast", "PR 7 by speed for hq-cv-1: out/hq-cv-1/fast.md"),
            ("safe", "PR 7 by harm for hq-cv-1: out/hq-cv-1/safe.md"),
            ("docs", "PR 7 by docs for hq-cv-1: out/hq-cv-1/docs.md")
        ]
    );
    let last = filled.synthesis.expect("a synthesis");
    assert_eq!((last.title.as_str(), last.needs), ("All", vec!["docs".into()]));
    for (preset, legs) in [("one", 1), ("two", 2)] {
        assert_eq!(plan(&library, "more", &given, Some(preset)).expect("a plan").legs().count(), legs);
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
