//! Arbitrary and hostile input: an error that says which bound was reached, never a panic, never a long wait.

use std::fmt::Write as _;

use gastown::formula::{Layer, Library, Limits, Report, Vars, cook};
use proptest::prelude::*;

use super::{cooked, library};

fn codes(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|f| f.code).collect()
}

#[test]
fn a_bomb_of_loops_is_counted_before_it_goes_off() {
    let mut text = String::from("formula = \"f\"\n");
    let mut path = String::from("steps");
    for _ in 0..10 {
        let _ = write!(text, "[[{path}]]\nid = \"x\"\n[{path}.loop]\ncount = 1000\n");
        path.push_str(".loop.body");
    }
    let _ = write!(text, "[[{path}]]\nid = \"x\"\n");
    let started = std::time::Instant::now();
    let report = cooked(&text).expect_err("too many");
    assert!(codes(&report).contains(&"too-many-steps"), "{report}");
    assert!(started.elapsed().as_secs() < 20);
    let one = cooked(
        "formula = \"f\"\n[[steps]]\nid = \"l\"\n[steps.loop]\nrange = \"1..9^15\"\n[[steps.loop.body]]\nid = \"x\"\n",
    );
    assert_eq!(codes(&one.expect_err("too many")), ["too-many-steps"]);
}

#[test]
fn expansions_that_contain_themselves_end_at_the_depth_limit() {
    let text = "formula = \"f\"\n[[steps]]\nid = \"a\"\nexpand = \"e\"\n";
    let again = "formula = \"e\"\ntype = \"expansion\"\n[[template]]\nid = \"{target}.x\"\nexpand = \"e\"\n";
    let report = cook(&library(&[("f", text), ("e", again)]), "f", &Vars::new()).expect_err("endless");
    assert!(codes(&report).contains(&"too-deep"), "{report}");
}

#[test]
fn a_bomb_of_expansions_is_counted_before_it_goes_off() {
    let level = |i: usize, next: &str| {
        let template: String = (0..10).map(|k| format!("[[template]]\nid = \"{{target}}.{k}\"\n{next}")).collect();
        (format!("e{i}"), format!("formula = \"e{i}\"\ntype = \"expansion\"\n{template}"))
    };
    let cooked = |levels: usize, last: &str, more: &[(String, String)]| {
        let text = "formula = \"f\"\n[[steps]]\nid = \"a\"\nexpand = \"e0\"\n".to_owned();
        let next = |i: usize| if i + 1 < levels { format!("expand = \"e{}\"\n", i + 1) } else { last.to_owned() };
        let files: Vec<(String, String)> =
            (0..levels).map(|i| level(i, &next(i))).chain([("f".to_owned(), text)]).chain(more.to_vec()).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
        let started = std::time::Instant::now();
        let cooked = cook(&library(&files), "f", &Vars::new());
        (cooked, started.elapsed())
    };
    assert_eq!(cooked(3, "", &[]).0.expect("cooks").steps.len(), 1000);
    let (bomb, took) = cooked(40, "", &[]);
    let report = bomb.expect_err("too many");
    assert_eq!(codes(&report), ["too-many-steps"]);
    assert!(report.render(false).contains("formula.max_steps"), "{report}");
    assert!(took.as_secs() < 10, "{took:?}");
    // What comes from an expansion that it extends counts as what is its own.
    let heir = "formula = \"e39\"\ntype = \"expansion\"\nextends = [\"e0\"]\n".to_owned();
    let (inherited, took) = cooked(39, "expand = \"e39\"\n", &[("e39".to_owned(), heir)]);
    assert_eq!(codes(&inherited.expect_err("endless")), ["too-deep"]);
    assert!(took.as_secs() < 10, "{took:?}");
    let (circle, took) = cooked(3, "expand = \"e0\"\n", &[]);
    assert_eq!(codes(&circle.expect_err("endless")), ["too-deep"]);
    assert!(took.as_secs() < 10, "{took:?}");
}

#[test]
fn a_bomb_of_text_is_counted_before_it_goes_off() {
    let report = |library: Library| {
        let library = library.with_limits(Limits { bytes: 10_000_000, ..Limits::default() });
        cook(&library, "f", &Vars::new()).expect_err("too much")
    };
    let long = "x".repeat(10_000);
    let looped = format!(
        "formula = \"f\"\n[[steps]]\nid = \"l\"\n[steps.loop]\ncount = 1000000\n[[steps.loop.body]]\nid = \"x\"\ndescription = \"{long}\"\n"
    );
    let said = report(library(&[("f", &looped)]));
    assert_eq!(codes(&said), ["too-much-text"]);
    assert!(said.render(false).contains("formula.max_bytes"), "{said}");

    // Each expansion says what it replaces ten times over.
    let tenfold = "{target.description}".repeat(10);
    let mut files = vec![(
        "f".to_owned(),
        "formula = \"f\"\n[[steps]]\nid = \"a\"\ndescription = \"0123456789\"\nexpand = \"e0\"\n".to_owned(),
    )];
    for i in 0..40 {
        let next = i + 1;
        files.push((
            format!("e{i}"),
            format!(
                "formula = \"e{i}\"\ntype = \"expansion\"\n[[template]]\nid = \"{{target}}.x\"\ndescription = \"{tenfold}\"\nexpand = \"e{next}\"\n"
            ),
        ));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    // The last one names an expansion that is not there, which is said, too.
    assert_eq!(codes(&report(library(&files))), ["unknown-formula", "too-much-text"]);

    // So does each aspect with the steps of the one before.
    let aspects: Vec<String> = (0..40).map(|i| format!("a{i}")).collect();
    let named = aspects.iter().map(|a| format!("\"{a}\"")).collect::<Vec<_>>().join(", ");
    let mut bomb = Library::empty();
    bomb.add(
        Layer::Town,
        "f.formula.toml",
        &format!("formula = \"f\"\n[compose]\naspects = [{named}]\n[[steps]]\nid = \"s\"\ntitle = \"0123456789\"\n"),
    );
    for (i, name) in aspects.iter().enumerate() {
        let target = if i == 0 { "s".to_owned() } else { format!("n{}", i - 1) };
        let titles = "{step.title}".repeat(10);
        let text = format!(
            "formula = \"{name}\"\ntype = \"aspect\"\n[[advice]]\ntarget = \"{target}\"\n[advice.after]\nid = \"n{i}\"\ntitle = \"{titles}\"\n"
        );
        bomb.add(Layer::Town, &format!("{name}.formula.toml"), &text);
    }
    assert_eq!(codes(&report(bomb)), ["too-much-text"]);
}

#[test]
fn a_bomb_of_aspects_is_counted_before_it_goes_off() {
    let befores: String =
        (0..60).map(|n| format!("[[advice]]\ntarget = \"*\"\nbefore = {{ id = \"a{n}-{{step.id}}\" }}\n")).collect();
    let aspect = format!("formula = \"bomb\"\ntype = \"aspect\"\n{befores}");
    let mut files = vec![(
        "f".to_owned(),
        "formula = \"f\"\n[[steps]]\nid = \"s\"\n[compose]\naspects = [\"b1\", \"b2\", \"b3\", \"b4\"]\n".to_owned(),
    )];
    files.extend((1..5).map(|n| {
        (format!("b{n}"), aspect.replace("bomb", &format!("b{n}")).replace("id = \"a", &format!("id = \"{n}a")))
    }));
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let report = cook(&library(&files), "f", &Vars::new()).expect_err("too many");
    assert_eq!(codes(&report), ["too-many-steps"]);
}

#[test]
fn the_limits_are_settings_of_the_tracker() {
    let (sandbox, repo) = super::molecules::repo();
    sandbox.bd(&repo, &["config", "set", "formula.max_steps", "3"]).ok();
    let said = sandbox.bd(&repo, &["cook", "shiny"]).fails();
    assert!(said.contains("this makes more than 3 steps") && said.contains("formula.max_steps"), "{said}");
    sandbox.bd(&repo, &["config", "set", "formula.max_steps", "4"]).ok();
    sandbox.bd(&repo, &["cook", "shiny", "-q"]).ok();
    for (key, value, why) in [
        ("formula.max_steps", "banana", "`banana` is no value for formula.max_steps: use a whole number, 1 or more"),
        ("formula.max_depth", "0", "`0` is no value for formula.max_depth"),
        ("formula.max_step", "4", "did you mean `formula.max_steps`?"),
    ] {
        let said = sandbox.bd(&repo, &["config", "set", key, value]).fails();
        assert!(said.contains(why), "{said}");
    }
    // A sparse file: two hundred megabytes of nothing.
    let big = repo.join("big.formula.toml");
    std::fs::File::create(&big).and_then(|f| f.set_len(200 << 20)).expect("written");
    let said = sandbox.bd(&repo, &["cook", "./big.formula.toml"]).fails();
    assert!(said.contains("is larger than 16777216 bytes") && said.contains("formula.max_file_bytes"), "{said}");
}

#[test]
fn the_steps_that_an_aspect_has_of_its_own_are_checked_as_any() {
    let text = "type = \"aspect\"\nformula = \"f\"\n[[steps]]\nid = \"a\"\n[[steps]]\nid = \"a\"\nneeds = [\"b\"]\n";
    assert_eq!(codes(&cooked(text).expect_err("it is wrong")), ["duplicate-id", "unknown-need"]);
}

#[test]
fn deep_nesting_is_refused_in_both_formats() {
    let toml = format!("formula = \"f\"\nx = {}1{}\n", "[".repeat(10_000), "]".repeat(10_000));
    assert!(cooked(&toml).is_err());
    let mut library = Library::empty();
    library.add(Layer::Town, "f.formula.json", &format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)));
    assert_eq!(codes(&cook(&library, "f", &Vars::new()).expect_err("deep")), ["syntax"]);
}

#[test]
fn a_file_over_the_limit_is_not_read() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("big.formula.toml"), "#".repeat(2000)).expect("written");
    let library = Library::new([(Layer::Town, dir.path().to_owned())])
        .with_limits(Limits { file_bytes: 1000, ..Limits::default() });
    assert_eq!(codes(&cook(&library, "big", &Vars::new()).expect_err("too large")), ["too-large"]);
}

#[test]
fn a_long_chain_is_checked_without_running_out_of_stack() {
    let text =
        "formula = \"f\"\n[[steps]]\nid = \"l\"\n[steps.loop]\ncount = 100000\n[[steps.loop.body]]\nid = \"x\"\n";
    assert_eq!(cooked(text).expect("cooks").steps.len(), 100_000);
}

/// Pieces of formulas, put together at random: mostly valid TOML, mostly wrong formulas.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "formula = \"f\"\n",
        "type = \"aspect\"\n",
        "extends = [\"f\"]\n",
        "extends = [\"shiny\"]\n",
        "[[steps]]\nid = \"a\"\n",
        "[[steps]]\nid = \"b\"\nneeds = [\"a\"]\n",
        "[[steps]]\nid = \"a.b\"\nexpand = \"rule-of-five\"\n",
        "[steps.loop]\ncount = 3\n",
        "[steps.loop]\nrange = \"1..{n}\"\nvar = \"n\"\n",
        "[[steps.loop.body]]\nid = \"x\"\n",
        "[[steps.loop.body]]\nid = \"y\"\nneeds = [\"x\"]\n",
        "[[steps.children]]\nid = \"c\"\n",
        "[steps.gate]\ntype = \"timer\"\ntimeout = \"1h\"\n",
        "[vars]\nn = \"2\"\n",
        "[[advice]]\ntarget = \"*\"\n",
        "[advice.before]\nid = \"pre-{step.id}\"\n",
        "[[advice.around.after]]\nid = \"post\"\n",
        "[[compose.branch]]\nfrom = \"a\"\nsteps = [\"b\"]\njoin = \"c\"\n",
        "[[compose.map]]\nselect = \"*\"\nwith = \"rule-of-five\"\n",
        "[compose]\naspects = [\"security-audit\"]\n",
        "waits_for = \"children-of(a)\"\n",
        "priority = 9\n",
        "x = [[[1]]]\n",
        "= = =\n",
        "\u{0}\u{fffd}é\n",
    ]);
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_compiler_panic(text in any::<String>(), json in any::<bool>()) {
        let mut library = Library::empty();
        library.add(Layer::Town, if json { "f.formula.json" } else { "f.formula.toml" }, &text);
        if let Err(report) = cook(&library, "f", &Vars::new()) {
            prop_assert!(!report.render(false).is_empty());
        }
    }

    #[test]
    fn no_formula_makes_the_compiler_panic(text in pieces()) {
        let mut library = Library::new([]);
        library.add(Layer::Home, "f.formula.toml", &text);
        match cook(&library, "f", &Vars::new()) {
            Err(report) => prop_assert!(!report.render(false).is_empty()),
            Ok(proto) => {
                // What was cooked is a graph that can be worked off.
                let ids: std::collections::HashSet<&str> = proto.steps.iter().map(|s| s.id.as_str()).collect();
                prop_assert_eq!(ids.len(), proto.steps.len());
                for step in &proto.steps {
                    prop_assert!(step.needs.iter().all(|n| ids.contains(n.as_str())));
                }
            }
        }
    }
}

#[test]
fn a_file_that_is_one_long_line_is_shown_around_the_mistake() {
    let text = format!("formula = \"f\"\nx = {}\n", "[".repeat(20_000));
    let said = cooked(&text).expect_err("it is wrong").render(false);
    assert!(said.lines().all(|line| line.chars().count() < 300), "{}", said.len());
    let labels: Vec<String> = (0..400).map(|n| format!("\"label-{n}\"")).collect();
    let text = format!(
        "formula = \"f\"\n[[steps]]\nid = \"a\"\nmetadata = {{ l = [{}] }}\nneeds = [{}\"b\"]\n",
        labels.join(", "),
        " ".repeat(3000)
    );
    let said = cooked(&text).expect_err("it is wrong").render(false);
    assert!(said.contains("\"b\"]") && said.contains("no step of that id"), "{said}");
    let shown: Vec<&str> = said.lines().collect();
    let line = shown.iter().position(|line| line.contains("\"b\"]")).expect("the excerpt");
    let column = |text: &str, what: char| text.chars().position(|c| c == what).expect("there");
    let (at, caret) = (column(shown[line], '"'), column(shown[line + 1], '─'));
    assert_eq!(at, caret, "{said}");
}

#[test]
fn headers_that_go_too_deep_are_told_once() {
    use std::fmt::Write as _;
    let mut text = "formula = \"f\"\n".to_owned();
    for level in 0..300 {
        let _ = writeln!(text, "[[steps{}]]\nid = \"s{level}\"", ".children".repeat(level));
    }
    let report = cooked(&text).expect_err("it is wrong");
    assert_eq!(report.findings.iter().filter(|f| f.code == "syntax").count(), 1);
}

#[test]
fn a_bomb_of_values_is_counted_before_it_is_poured() {
    let text = "formula = \"f\"\n[vars.x]\nrequired = true\n[[steps]]\nid = \"l\"\n[steps.loop]\ncount = 20000\n\
        [[steps.loop.body]]\nid = \"s\"\ntitle = \"T\"\ndescription = \"{{x}}\"\n";
    let proto = cooked(text).expect("cooks");
    let vars: Vars = [("x".to_owned(), "y".repeat(100_000))].into();
    let dir = tempfile::tempdir().expect("a folder");
    let now = gastown::base::Time::from_millis(1_700_000_000_000);
    let prefix = gastown::base::Prefix::new("tt").expect("a prefix");
    let mut store = gastown::store::Store::create(&dir.path().join(".beads"), &prefix, now).expect("a store");
    let by = gastown::store::Stamp::new("tester", now);
    let opts = gastown::molecule::PourOpts::default();
    let error = gastown::molecule::pour_large(&mut store, &by, &proto, &vars, &opts).expect_err("too much");
    assert!(error.to_string().contains("more than 1500000000 bytes of text"), "{error}");
    let options = gastown::formula::Options {
        vars: &vars,
        mode: gastown::formula::Mode::Runtime,
        aspects: &gastown::formula::NoAspects,
    };
    let report = gastown::formula::compile(&library(&[("f", text)]), "f", options).expect_err("too much");
    assert_eq!(codes(&report), ["too-much-text"]);
    assert!(report.render(false).contains("formula.max_bytes"), "{report}");
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused_and_nobody_waits_for_it() {
    let sandbox = crate::support::Sandbox::new();
    let folder = sandbox.folder("formulas");
    let made = std::process::Command::new("mkfifo").arg(folder.join("pipe.formula.toml")).status().expect("mkfifo");
    assert!(made.success());
    std::fs::create_dir(folder.join("dir.formula.toml")).expect("made");
    let _socket = std::os::unix::net::UnixListener::bind(folder.join("sock.formula.toml")).expect("a socket");
    let library = Library::new([(Layer::Repository, folder.clone())]);
    for (name, why) in [
        ("pipe", "no regular file"),
        ("sock", "no regular file"),
        ("dir", "it is a folder"),
        ("/dev/zero", "no regular file"),
    ] {
        let report = cook(&library, name, &Vars::new()).expect_err("refused");
        assert!(report.to_string().contains(why), "{name}: {report}");
    }
    assert!(library.list().iter().all(|listed| listed.name != "pipe"), "and a list of all leaves it out");
}
