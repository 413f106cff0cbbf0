//! Facts and engines for the tests beside this file.

use std::sync::Arc;

use gastown::base::{Address, BeadId};
use gastown::policy::{
    BeadFact, ConvoyFact, Engine, Layer, LayerSource, Limits, MrFact, PolecatFact, PolecatState, Snapshot, StepFact,
    builtin,
};

pub const MINUTE: i64 = 60_000;

pub fn id(text: &str) -> BeadId {
    BeadId::new(text).expect("valid")
}

pub fn bead(name: &str) -> BeadFact {
    BeadFact::new(id(name), format!("title of {name}"))
}

pub fn polecat(name: &str, state: PolecatState, bead: Option<BeadFact>) -> PolecatFact {
    PolecatFact {
        address: format!("app/polecats/{name}").parse::<Address>().expect("valid"),
        name: name.into(),
        state,
        silent_since_ms: Some(0),
        attached: false,
        dialog: None,
        memory: serde_json::Map::new(),
        bead: bead.map(Arc::new),
        step: Some(Arc::new(StepFact {
            id: "implement".into(),
            title: "Implement".into(),
            kind: "task".into(),
            labels: Vec::new(),
        })),
    }
}

pub fn mr(name: &str, bead: BeadFact) -> MrFact {
    MrFact {
        id: id(name),
        bead: Arc::new(bead),
        worker: "app/polecats/toast".into(),
        target: "main".into(),
        queued_ms: 0,
        attempt: 1,
        lines: Some(10),
        paths: Some(vec!["src/a.rs".into()]),
        held: false,
        gate: None,
        memory: serde_json::Map::new(),
        answers: std::collections::BTreeMap::new(),
    }
}

pub fn mrs(all: Vec<MrFact>) -> Vec<Arc<MrFact>> {
    all.into_iter().map(Arc::new).collect()
}

pub fn active(mut bead: BeadFact) -> BeadFact {
    bead.ready = true;
    bead.convoy = Some(ConvoyFact { id: id("hq-cv-1"), active: true });
    bead
}

pub fn snapshot(now_ms: i64) -> Snapshot {
    Snapshot { now_ms, rig: Some("app".parse().expect("valid")), ..Snapshot::default() }
}

pub fn town(text: &str) -> LayerSource {
    LayerSource::new(Layer::Town, "town/lua/roles/x.lua", text)
}

/// The shipped layer with a town layer over it.
pub fn extended(role: &str, text: &str) -> Result<Engine, String> {
    load(role, &[builtin(role).expect("shipped"), town(text)])
}

/// A role of one file of its own.
pub fn alone(role: &str, text: &str) -> Result<Engine, String> {
    load(role, &[town(text)])
}

pub fn load(role: &str, layers: &[LayerSource]) -> Result<Engine, String> {
    // Generous: two cores are shared by all tests; what must stop is an endless loop.
    let limits = Limits { time: std::time::Duration::from_secs(3), ..Limits::default() };
    Engine::load_with(role, layers, &toml::Table::new(), limits).map_err(|errors| said(&errors))
}

pub fn said(errors: &[gastown::policy::Diagnostic]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
