//! The formula compiler from outside: real formulas, the shipped ones, bad input, and molecules on a real store.

mod again;
mod aspects;
mod bad_input;
pub(crate) mod burn;
mod convoys;
mod corpus;
mod elsewhere;
mod errors;
mod language;
mod molecules;
mod pour;
mod replaced;
mod running;
mod schema;
mod shipped;
mod squash;
mod together;

use gastown::formula::{Layer, Library, Proto, Report, Vars, cook};

/// A library of these files (name and text) before the built-in ones.
fn library(files: &[(&str, &str)]) -> Library {
    let mut library = Library::empty();
    for (name, text) in files {
        library.add(Layer::Town, &format!("{name}.formula.toml"), text);
    }
    library
}

/// Cooks the text as formula `f`.
fn cooked(text: &str) -> Result<Proto, Report> {
    cook(&library(&[("f", text)]), "f", &Vars::new())
}

fn vars(pairs: &[(&str, &str)]) -> Vars {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// `id <- needs`, a line per step.
fn edges(proto: &Proto) -> String {
    let line = |s: &gastown::formula::Step| {
        let needs = if s.needs.is_empty() { String::new() } else { format!(" <- {}", s.needs.join(", ")) };
        format!("{}{needs}", s.id)
    };
    proto.steps.iter().map(line).collect::<Vec<_>>().join("\n")
}
