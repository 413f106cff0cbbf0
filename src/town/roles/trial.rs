//! A policy's own tests, run with its new text before that is put in charge, within a bound on their time.
//!
//! The tests of a layer stand beside it (`lua/roles/ROLE_test.lua`) and are about it and what is below it, with the
//! settings of its place: what a rig says does not make the town's tests fail.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::formula::Library;
use crate::policy::{Diagnostic, Layer, LayerSource, Limits, LuaAspects, Objection, Proof, run_tests};

/// How long the tests of one file may take.
const FILE: Duration = Duration::from_secs(2);

/// How long all tests of one reload may take; the rest are run by the next one.
const ALL: Duration = Duration::from_secs(4);

/// What became of test files, and how much time is left for them.
#[derive(Debug)]
pub(super) struct Trials {
    file: Duration,
    all: Duration,
    left: Duration,
    waiting: bool,
    /// By path: what was tested, and which test failed.
    known: BTreeMap<String, (String, Option<Diagnostic>)>,
}

impl Default for Trials {
    fn default() -> Self {
        Self::within(FILE, ALL)
    }
}

/// Where layers stand: their folder, the settings of the place, and the formulas of its patrols.
pub(super) struct Place<'a> {
    pub layer: Layer,
    pub folder: PathBuf,
    pub settings: Box<dyn Fn() -> toml::Table + 'a>,
    pub library: Box<dyn Fn() -> Library + 'a>,
}

/// A test file and what it is about.
pub(super) struct Test<'a> {
    file: LayerSource,
    layers: &'a [LayerSource],
    settings: toml::Table,
    library: &'a dyn Fn() -> Library,
}

impl Test<'_> {
    /// Names all that its outcome hangs on.
    fn digest(&self, library: &Library) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        for source in self.layers.iter().chain([&self.file]) {
            add(&source.path);
            add(&source.text);
            for (path, text) in source.modules.values() {
                add(path);
                add(text);
            }
        }
        add(&self.settings.to_string());
        for found in library.names().iter().filter_map(|name| library.find(name).ok()) {
            add(&found.source.text);
        }
        data_encoding::HEXLOWER.encode(&hash.finalize()[..16])
    }
}

/// The tests that stand beside these layers.
pub(super) fn tests<'a>(
    role: &str,
    layers: &'a [LayerSource],
    places: &'a [Place<'a>],
) -> std::io::Result<Vec<Test<'a>>> {
    let mut tests = Vec::new();
    for place in places {
        let Some(at) = layers.iter().position(|l| l.layer == place.layer) else { continue };
        let Some(file) = LayerSource::read_test(place.layer, &place.folder, role)? else { continue };
        tests.push(Test { file, layers: &layers[..=at], settings: (place.settings)(), library: &*place.library });
    }
    Ok(tests)
}

impl Trials {
    /// With `file` for one test file and `all` for those of one reload.
    fn within(file: Duration, all: Duration) -> Self {
        Self { file, all, left: all, waiting: false, known: BTreeMap::new() }
    }

    /// Begins another reload.
    pub fn begin(&mut self) {
        (self.left, self.waiting) = (self.all, false);
    }

    /// Whether there was no time for some tests, so that there must be another reload.
    pub fn waiting(&self) -> bool {
        self.waiting
    }

    /// The tests as a proof of a role.
    pub fn proof<'a>(&'a mut self, tests: &'a [Test<'a>]) -> Tested<'a> {
        Tested { trials: self, tests }
    }

    fn judge(&mut self, test: &Test<'_>) -> Result<(), Objection> {
        let library = (test.library)();
        let digest = test.digest(&library);
        if let Some((_, failure)) = self.known.get(&test.file.path).filter(|(of, _)| *of == digest) {
            return failure.clone().map_or(Ok(()), |failure| Err(Objection::Fails(failure)));
        }
        if self.left < self.file {
            self.waiting = true;
            let mut error = Diagnostic::bare("other tests took all the time that there is for them at once");
            error.file.clone_from(&test.file.path);
            return Err(Objection::NotYet(error));
        }
        let began = Instant::now();
        let limits = Limits { time: self.file, pass: self.file, until: Some(began + self.file), ..Limits::default() };
        let sources = |_: &str| Some((test.layers.to_vec(), test.settings.clone()));
        let report = run_tests(&test.file, &sources, &library, &LuaAspects::default(), limits);
        self.left = self.left.saturating_sub(began.elapsed());
        let failure = report.cases.into_iter().find_map(|case| {
            let mut failure = case.failure?;
            failure.message = format!("test `{}`: {}", case.name, failure.message);
            Some(failure)
        });
        self.known.insert(test.file.path.clone(), (digest, failure.clone()));
        failure.map_or(Ok(()), |failure| Err(Objection::Fails(failure)))
    }
}

/// See [`Trials::proof`].
pub(super) struct Tested<'a> {
    trials: &'a mut Trials,
    tests: &'a [Test<'a>],
}

impl Proof for Tested<'_> {
    fn of(&self) -> String {
        self.tests.iter().map(|test| test.digest(&(test.library)())).collect()
    }

    fn judge(&mut self) -> Result<(), Objection> {
        self.tests.iter().try_for_each(|test| self.trials.judge(test))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "local gt = require 'gt'\nlocal w = gt.extend 'witness'\n\
        w.each.bead('each-minute', { when = function(b, town) return town.now / gt.span '1m' < 0 end,\n\
        act = function(b) return nil end })";

    /// Runs `case` as the tests of a file of this name.
    fn judge(trials: &mut Trials, name: &str, case: &str) -> Result<(), Objection> {
        let layers =
            [crate::policy::builtin("witness").expect("shipped"), LayerSource::new(Layer::Town, "w.lua", POLICY)];
        let text = format!("local t = require 'gt.test'\nt.case('x', function(town) {case} end)");
        let file = LayerSource::new(Layer::Town, format!("{name}/witness_test.lua"), text);
        let test = Test { file, layers: &layers, settings: toml::Table::new(), library: &Library::empty };
        trials.judge(&test)
    }

    #[test]
    fn tests_that_never_end_take_their_time_and_no_more_and_the_rest_wait_for_the_next_reload() {
        let file = Duration::from_millis(300);
        let mut trials = Trials::within(file, file * 3);
        let began = Instant::now();
        let over = |failed: Result<(), Objection>| {
            let Err(Objection::Fails(error)) = failed else { panic!("{failed:?}") };
            assert!(error.to_string().contains("took longer than 300 ms"), "{error}");
            assert!(error.file.ends_with("witness_test.lua") && error.line == 2, "{error}");
        };
        over(judge(&mut trials, "a", "while true do end"));
        // In the time of the town, and not in the test itself.
        over(judge(&mut trials, "b", "town:bead {}; town:run('100000d')"));
        assert!(!trials.waiting());
        let late = judge(&mut trials, "c", "");
        assert!(matches!(&late, Err(Objection::NotYet(_))) && trials.waiting(), "{late:?}");
        // What is known takes no time.
        over(judge(&mut trials, "a", "while true do end"));
        assert!(began.elapsed() < file * 10, "{:?}", began.elapsed());
        trials.begin();
        assert_eq!(judge(&mut trials, "c", ""), Ok(()));
        assert!(!trials.waiting());
    }
}
