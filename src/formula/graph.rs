//! Drawing a protomolecule: as text, level by level, and as a mermaid flowchart.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use super::{Proto, Step, convoy};

/// What there is to draw: the steps; of a convoy its legs and its synthesis.
pub fn steps(proto: &Proto) -> Cow<'_, [Step]> {
    if proto.kind == "convoy" { convoy::drawn(proto).into() } else { proto.steps.as_slice().into() }
}

/// One line per step in the order of the formula, indented by what it waits for.
pub fn tree(proto: &Proto) -> String {
    let steps = steps(proto);
    let mut level: HashMap<&str, usize> = HashMap::new();
    // Steps may stand before those that they need; each round moves what is still too high.
    for _ in 0..steps.len().min(64) {
        let mut moved = false;
        for step in &*steps {
            let of = step.waits_for.as_ref().and_then(|waits| waits.of.as_ref());
            let above = step.needs.iter().chain(&step.parent).chain(of).filter_map(|n| level.get(n.as_str())).max();
            let own = above.map_or(0, |l| l + 1);
            moved |= level.insert(&step.id, own) != Some(own);
        }
        if !moved {
            break;
        }
    }
    let word = if proto.kind == "convoy" { "parts" } else { "steps" };
    let mut out = format!("{} ({} {word})\n", proto.formula, steps.len());
    for step in &*steps {
        let indent = "  ".repeat(level.get(step.id.as_str()).copied().unwrap_or(0).min(20));
        let _ = write!(out, "{indent}● {}", step.id);
        if step.title != step.id {
            let _ = write!(out, "  {}", crate::base::text::headline(&step.title, 60));
        }
        if !step.needs.is_empty() {
            let _ = write!(out, "  ← {}", step.needs.join(", "));
        }
        if let Some((children, of)) = children(step) {
            let _ = write!(out, "  ⇠ {children} of {of}");
        }
        if let Some(gate) = &step.gate {
            let _ = write!(out, "  [gate {}]", gate.kind);
        }
        for condition in &step.held {
            let _ = write!(out, "  [until {condition}]");
        }
        out.push('\n');
    }
    out
}

/// A mermaid flowchart, from the steps that can begin to the last.
pub fn mermaid(proto: &Proto) -> String {
    let steps = steps(proto);
    let number: HashMap<&str, usize> = steps.iter().enumerate().map(|(i, s)| (s.id.as_str(), i)).collect();
    let mut out = String::from("flowchart TD\n");
    for (i, step) in steps.iter().enumerate() {
        let label = crate::base::text::headline(&step.title, 60).replace('"', "#quot;");
        let _ = writeln!(out, "    s{i}[\"{label}\"]");
    }
    for (i, step) in steps.iter().enumerate() {
        for need in step.needs.iter().filter_map(|n| number.get(n.as_str())) {
            let _ = writeln!(out, "    s{need} --> s{i}");
        }
        if let Some((children, of)) = children(step).and_then(|(word, of)| Some((word, number.get(of)?))) {
            let _ = writeln!(out, "    s{of} -. {children} .-> s{i}");
        }
        if let Some(parent) = step.parent.as_deref().and_then(|p| number.get(p)) {
            let _ = writeln!(out, "    s{i} -.- s{parent}");
        }
    }
    out
}

/// Which children the step waits for, and of which step.
fn children(step: &Step) -> Option<(&'static str, &str)> {
    let waits = step.waits_for.as_deref()?;
    Some((if waits.mode == "any-children" { "any child" } else { "children" }, waits.of.as_deref()?))
}
