//! Facts out of the tables of a test: `{ state = "silent", silent_for = "8m", bead = { labels = { "slow" } } }`.

use mlua::{Table, Value};

use crate::base::span::Span;
use crate::base::text::similar;
use crate::base::{BeadId, NameError};
use crate::policy::facts::{BeadFact, BranchFact, ConvoyFact, MrFact, PolecatFact, PolecatState, StepFact};
use crate::policy::vm::{PolicyError, strings};

fn bad(error: &NameError) -> mlua::Error {
    PolicyError::new(error.to_string()).into()
}

/// A span given as text.
pub(super) fn span(text: &str) -> mlua::Result<i64> {
    let span: Span = text.parse().map_err(|e: crate::base::span::SpanError| PolicyError::new(e.to_string()))?;
    Ok(span.as_millis())
}

/// Whole numbers and others are two kinds of values in the VM.
fn number(value: &Value) -> f64 {
    value.as_f64().or_else(|| value.as_i64().map(|n| n as f64)).unwrap_or(0.0)
}

fn unknown(key: &str, what: &str, known: &[&str]) -> mlua::Error {
    let help = similar(key, known.iter().copied()).map_or_else(|| known.join(", "), |k| format!("`{k}`"));
    PolicyError::new(format!("`{what}` has no field `{key}`")).about(key).help(help).into()
}

/// Puts the fields of a table into a bead.
pub(super) fn bead(bead: &mut BeadFact, table: &Table) -> mlua::Result<()> {
    const KNOWN: [&str; 14] = [
        "id",
        "title",
        "type",
        "status",
        "priority",
        "epic",
        "labels",
        "ready",
        "hooked",
        "held",
        "quarantined",
        "workers",
        "convoy",
        "memory",
    ];
    for pair in table.pairs::<String, Value>() {
        let (key, value) = pair?;
        let flag = value.as_boolean().unwrap_or(true);
        let text = || value.to_string();
        match key.as_str() {
            "id" => bead.id = BeadId::new(text()?).map_err(|e| bad(&e))?,
            "title" => bead.title = text()?,
            "type" => bead.kind = text()?,
            "status" => bead.status = text()?,
            "priority" => bead.priority = number(&value) as i64,
            "workers" => bead.workers = number(&value) as u32,
            "epic" => bead.epic = Some(BeadId::new(text()?).map_err(|e| bad(&e))?),
            "labels" => bead.labels = strings(&value, "labels is a list of strings")?,
            "ready" => bead.ready = flag,
            "hooked" => bead.hooked = flag,
            "held" => bead.held = flag,
            "quarantined" => bead.quarantined = flag,
            "convoy" => {
                let active = match &value {
                    Value::Table(t) => t.get::<Option<bool>>("active")?.unwrap_or(true),
                    _ => flag,
                };
                // One convoy has begun and one has not: a convoy is the same thing for all its beads.
                let id = if active { "hq-cv-1" } else { "hq-cv-2" };
                bead.convoy = Some(ConvoyFact { id: BeadId::new(id).map_err(|e| bad(&e))?, active });
            }
            "memory" => {
                if let Value::Table(t) = &value {
                    for pair in t.pairs::<String, Value>() {
                        let (key, value) = pair?;
                        let json = serde_json::to_value(&value).unwrap_or_default();
                        bead.memory.insert(key, json);
                    }
                }
            }
            _ => return Err(unknown(&key, "bead", &KNOWN)),
        }
    }
    Ok(())
}

/// Puts the fields of a table into a polecat; its bead stays as it is where the table does not name it.
pub(super) fn polecat(polecat: &mut PolecatFact, table: &Table, now_ms: i64) -> mlua::Result<()> {
    for pair in table.pairs::<String, Value>() {
        let (key, value) = pair?;
        match key.as_str() {
            "name" => polecat.name = value.to_string()?,
            "state" => polecat.state = state(&value.to_string()?)?,
            "silent_for" => polecat.silent_since_ms = Some(now_ms - span(&value.to_string()?)?),
            "attached" => polecat.attached = value.as_boolean().unwrap_or(true),
            "dialog" => polecat.dialog = Some(value.to_string()?),
            "bead" => {
                if let (Value::Table(table), Some(old)) = (&value, &polecat.bead) {
                    let mut new = (**old).clone();
                    bead(&mut new, table)?;
                    polecat.bead = Some(new.into());
                }
            }
            "step" => {
                let id = match &value {
                    Value::Table(t) => t.get::<String>("id")?,
                    other => other.to_string()?,
                };
                polecat.step = Some(StepFact { title: id.clone(), id, kind: "task".into(), labels: Vec::new() }.into());
            }
            _ => {
                let known = ["name", "state", "silent_for", "attached", "dialog", "bead", "step"];
                return Err(unknown(&key, "worker", &known));
            }
        }
    }
    Ok(())
}

/// Puts the fields of a table into a branch, but for its bead.
pub(super) fn branch(branch: &mut BranchFact, table: &Table, now_ms: i64) -> mlua::Result<()> {
    for pair in table.pairs::<String, Value>() {
        let (key, value) = pair?;
        match key.as_str() {
            "name" => branch.name = value.to_string()?,
            "ahead" => branch.ahead = number(&value) as u64,
            "idle_for" => branch.last_commit_ms = now_ms - span(&value.to_string()?)?,
            "bead" => {}
            _ => return Err(unknown(&key, "branch", &["name", "ahead", "idle_for", "bead"])),
        }
    }
    Ok(())
}

/// How long a wisp has lain still, in milliseconds.
pub(super) fn wisp(table: &Table) -> mlua::Result<i64> {
    let mut idle = 0;
    for pair in table.pairs::<String, Value>() {
        let (key, value) = pair?;
        match key.as_str() {
            "idle_for" => idle = span(&value.to_string()?)?,
            _ => return Err(unknown(&key, "wisp", &["idle_for"])),
        }
    }
    Ok(idle)
}

/// A state by its word.
pub(super) fn state(word: &str) -> mlua::Result<PolecatState> {
    PolecatState::ALL.into_iter().find(|s| s.as_str() == word).ok_or_else(|| {
        let words = PolecatState::ALL.map(PolecatState::as_str).join(", ");
        PolicyError::new(format!("`state` is never \"{word}\"")).about(word).help(words).into()
    })
}

/// Puts the fields of a table into a merge request.
pub(super) fn mr(mr: &mut MrFact, table: &Table, now_ms: i64) -> mlua::Result<()> {
    for pair in table.pairs::<String, Value>() {
        let (key, value) = pair?;
        let number = || number(&value);
        match key.as_str() {
            "id" => mr.id = BeadId::new(value.to_string()?).map_err(|e| bad(&e))?,
            "waiting" => mr.queued_ms = now_ms - span(&value.to_string()?)?,
            "attempt" => mr.attempt = number() as u32,
            "lines" => mr.lines = Some(number() as u64),
            "paths" => mr.paths = Some(strings(&value, "paths is a list of strings")?),
            "held" => mr.held = value.as_boolean().unwrap_or(true),
            "gate" => mr.gate = Some(value.to_string()?),
            "target" => mr.target = value.to_string()?,
            "bead" => {
                if let Value::Table(table) = &value {
                    let mut new = (*mr.bead).clone();
                    bead(&mut new, table)?;
                    mr.bead = new.into();
                }
            }
            _ => {
                let known = ["id", "waiting", "attempt", "lines", "paths", "held", "gate", "target", "bead"];
                return Err(unknown(&key, "mr", &known));
            }
        }
    }
    Ok(())
}
