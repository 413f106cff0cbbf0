//! Real formulas and probes, compared with what the original's newest compiler makes of them: step ids, parents and
//! edges. Each deliberate difference is in `deviations.json` with what we make of the file, and explained in
//! `docs/formula-deviations.md` under the name given there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gastown::formula::{Layer, Library, Vars, cook};
use serde::{Deserialize, Serialize};

/// Step, parent, needs.
type Steps = Vec<(String, String, Vec<String>)>;

#[derive(Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Steps(Steps),
    Error(String),
}

#[derive(Debug, Deserialize)]
struct Deviation {
    because: Vec<String>,
    #[serde(flatten)]
    ours: Outcome,
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formulas")
}

fn table<T: serde::de::DeserializeOwned>(name: &str) -> BTreeMap<String, T> {
    let text = std::fs::read_to_string(data().join(name)).expect("a file of the corpus");
    serde_json::from_str(&text).expect("valid")
}

/// What we make of a file; of an error, its codes.
fn ours(file: &str) -> Outcome {
    let (set, name) = file.split_once('/').expect("set/file");
    let library = Library::new([(Layer::Repository, data().join(set))]);
    let stem = name.split(".formula.").next().expect("a stem");
    // The stem finds the TOML file first; a path says which.
    let name = if Path::new(name).extension().is_some_and(|e| e == "json") {
        data().join(file).display().to_string()
    } else {
        stem.to_owned()
    };
    match cook(&library, &name, &Vars::new()) {
        Err(report) => {
            let mut codes: Vec<&str> = report.findings.iter().map(|f| f.code).collect();
            codes.dedup();
            Outcome::Error(codes.join(" "))
        }
        Ok(proto) => Outcome::Steps(
            proto
                .steps
                .into_iter()
                .map(|s| {
                    let mut needs = s.needs;
                    needs.sort();
                    (s.id, s.parent.unwrap_or_default(), needs)
                })
                .collect(),
        ),
    }
}

#[test]
fn steps_and_edges_are_those_of_the_original_but_for_listed_deviations() {
    let expected: BTreeMap<String, Outcome> = table("expected.json");
    let deviations: BTreeMap<String, Deviation> = table("deviations.json");
    assert!(expected.len() > 40, "the corpus is there");
    let mut wrong = Vec::new();
    for (file, theirs) in &expected {
        let ours = ours(file);
        let same = match (&ours, theirs) {
            (Outcome::Error(_), Outcome::Error(_)) => true,
            (ours, theirs) => ours == theirs,
        };
        let as_listed = deviations.get(file).map(|d| d.ours == ours);
        if !matches!((same, as_listed), (true, None) | (false, Some(true))) {
            let ours = serde_json::to_string(&ours).expect("serialises");
            wrong.push(format!("{file}: same {same}, as listed {as_listed:?}\n  ours {ours}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn each_deviation_is_explained() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formula-deviations.md");
    let text = std::fs::read_to_string(path).expect("docs/formula-deviations.md");
    for (file, deviation) in table::<Deviation>("deviations.json") {
        for name in deviation.because {
            assert!(text.contains(&format!("## {name}\n")), "{file}: `{name}` has no section in formula-deviations.md");
        }
    }
}
