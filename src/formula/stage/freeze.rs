//! The finished graph as a [`Proto`]: flat, without places, named by its content.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::super::def::{Formula, Kind, OnCompleteDef, StepDef, children_of, count};
use super::super::{Gate, OnComplete, OnlyIf, Origin, Patrol, Proto, Step, Text, Until, Waits, Woven};

/// The final steps, each below its parent, as a flat list.
pub(in super::super) fn flat(steps: &[StepDef]) -> Vec<Step> {
    let mut flat = Vec::with_capacity(count(steps) as usize);
    flatten(steps, None, &mut flat);
    flat
}

/// As [`flat`]; what is flattened is freed, so that a million steps are never there twice.
pub(in super::super) fn into_flat(steps: Vec<StepDef>) -> Vec<Step> {
    let mut flat = Vec::with_capacity(count(&steps) as usize);
    for step in steps {
        flatten(std::slice::from_ref(&step), None, &mut flat);
    }
    flat
}

/// Freezes a formula whose final steps are `flat`.
pub(in super::super) fn freeze(
    formula: &Formula,
    flat: Vec<Step>,
    sources: Vec<(String, String, String)>,
    woven: Vec<Woven>,
    (rounds, bonds): (Vec<String>, Vec<Proto>),
) -> Proto {
    let string = |t: &Option<Text>| t.as_ref().map(|t| t.as_str().to_owned());
    let mut proto = Proto {
        id: String::new(),
        formula: formula.name.as_str().to_owned(),
        description: string(&formula.description).unwrap_or_default(),
        version: formula.version,
        kind: formula.kind.word().to_owned(),
        phase: string(&formula.phase),
        pour: formula.pour.unwrap_or(false),
        vars: formula.vars.iter().map(|(name, def)| (name.clone(), def.var.clone())).collect(),
        steps: flat,
        bond_points: formula.compose.bond_points.iter().map(super::super::resolved::bond_point).collect(),
        squash: formula.squash.clone(),
        patrol: formula.patrol.as_ref().filter(|_| formula.kind == Kind::Patrol).map(|p| Patrol {
            role: string(&p.role).unwrap_or_default(),
            every: string(&p.every),
            on: string(&p.on),
            digest: string(&p.digest),
        }),
        convoy: formula.convoy.iter().map(|(key, node)| (key.as_str().to_owned(), node.json())).collect(),
        rounds,
        bonds,
        compound: None,
        sources,
        woven,
    };
    proto.id = id(&proto);
    proto
}

/// The name of the content: where it was read and from which line does not count.
pub(in super::super) fn id(proto: &Proto) -> String {
    let mut hash = Hashing(Sha256::new());
    let mut head = serde_json::json!({
        "formula": proto.formula, "description": proto.description, "version": proto.version, "type": proto.kind,
        "phase": proto.phase, "pour": proto.pour, "vars": proto.vars, "bond_points": proto.bond_points,
        "squash": proto.squash, "convoy": proto.convoy,
        "rounds": proto.rounds, "bonds": proto.bonds.iter().map(|p| &p.id).collect::<Vec<_>>(),
        "woven": proto.woven.iter().map(|w| (&w.aspect, &w.revision)).collect::<Vec<_>>(),
    });
    if let Some(patrol) = &proto.patrol {
        head["patrol"] = serde_json::json!(patrol);
    }
    if let Some(compound) = &proto.compound {
        head["compound"] = serde_json::json!([compound.how, compound.first.id, compound.second.id]);
    }
    let whole = serde_json::to_writer(&mut hash, &head).and_then(|()| {
        proto.steps.iter().try_for_each(|step| {
            let bare = Step { origin: Origin::default(), ..step.clone() };
            serde_json::to_writer(&mut hash, &bare)
        })
    });
    debug_assert!(whole.is_ok(), "protos serialise");
    let digest = hash.0.finalize();
    format!("proto-{}", data_encoding::HEXLOWER.encode(&digest[..6]))
}

/// Names a text: twelve hex digits of its SHA-256.
pub(super) fn revision(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(text)[..6])
}

struct Hashing(Sha256);

impl std::io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn flatten(steps: &[StepDef], parent: Option<&str>, out: &mut Vec<Step>) {
    for step in steps {
        out.push(one(step, parent));
        flatten(&step.children, Some(step.id.as_str()), out);
    }
}

/// The type of a bead for what the formula says.
fn kind(step: &StepDef) -> &'static str {
    const KINDS: [&str; 5] = ["task", "bug", "feature", "epic", "chore"];
    if !step.children.is_empty() {
        return "epic";
    }
    let written = step.kind.as_ref().map_or("task", Text::as_str);
    KINDS.into_iter().find(|k| *k == written).unwrap_or("task")
}

pub(super) fn only_if(globs: &[Text]) -> OnlyIf {
    OnlyIf { touches: globs.iter().map(|glob| glob.as_str().to_owned()).collect() }
}

pub(super) fn on_complete(on: &OnCompleteDef) -> OnComplete {
    OnComplete {
        for_each: on.for_each.as_str().to_owned(),
        bond: on.bond.as_str().to_owned(),
        vars: on.vars.iter().map(|(name, text)| (name.clone(), text.as_str().to_owned())).collect(),
        sequential: on.sequential,
    }
}

fn one(step: &StepDef, parent: Option<&str>) -> Step {
    let string = |t: &Option<Text>| t.as_ref().map(|t| t.as_str().to_owned());
    let boxed = |t: &Option<Box<Text>>| t.as_ref().map(|t| t.as_str().to_owned());
    let strings = |list: &[Text]| -> Vec<String> { list.iter().map(|t| t.as_str().to_owned()).collect() };
    let mut needs = strings(&step.depends_on);
    for need in &step.needs {
        if !needs.iter().any(|n| n == need.as_str()) {
            needs.push(need.as_str().to_owned());
        }
    }
    let waits_for = step.waits_for.as_ref().map(|w| {
        Box::new(match children_of(w.as_str()) {
            Some(id) => Waits { mode: "all-children".to_owned(), of: Some(id.to_owned()) },
            None => Waits { mode: w.as_str().to_owned(), of: step.needs.first().map(|n| n.as_str().to_owned()) },
        })
    });
    Step {
        id: step.id.as_str().to_owned(),
        title: step.title().to_owned(),
        description: string(&step.description).unwrap_or_default(),
        notes: boxed(&step.notes).unwrap_or_default(),
        kind: kind(step).to_owned(),
        priority: step.priority,
        labels: strings(&step.labels),
        assignee: boxed(&step.assignee),
        parent: parent.map(str::to_owned),
        needs,
        waits_for,
        gate: step.gate.as_ref().map(|g| {
            let (id, timeout) = (string(&g.id), string(&g.timeout));
            Box::new(Gate { kind: g.kind.as_str().to_owned(), id, timeout, once: g.once })
        }),
        held: step.held.as_ref().map(|held| strings(held)).unwrap_or_default(),
        condition: strings(&step.condition),
        only_if: step.touches.as_deref().map(|globs| Box::new(only_if(globs))),
        until: step.until.as_ref().map(|until| {
            let (var, end) = (until.var.as_deref().map(str::to_owned), until.end.as_deref().map(str::to_owned));
            Box::new(Until { until: until.condition.as_str().to_owned(), max: until.max, var, end })
        }),
        round: step.round.as_deref().cloned().map(Box::new),
        on_complete: step.on_complete.as_deref().map(|on| Box::new(on_complete(on))),
        run: boxed(&step.run),
        acceptance: boxed(&step.acceptance),
        metadata: step.metadata.as_deref().cloned().unwrap_or_default(),
        origin: Origin {
            formula: step.formula.clone(),
            location: Arc::clone(&step.location),
            line: step.id.at.line_col().0 as u32,
        },
    }
}
