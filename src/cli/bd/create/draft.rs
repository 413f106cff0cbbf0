//! One bead as a file or a line of stdin describes it, before anything is looked up.

use serde_json::Value;

use super::super::arg;
use crate::base::{BeadId, Time, text};
use crate::store::{Map, NewBead, Status};

/// A bead to be filed, and where it was described.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    /// The line of its title.
    pub(super) line: usize,
    /// All but its edges.
    pub(super) new: NewBead,
    /// What it is a part of: an id, or the title of another bead of the same file.
    pub(super) parent: Option<String>,
    /// What it depends on, each with the line that says so: `type:id`, `id`, or a title of the same file.
    pub(super) deps: Vec<(usize, String)>,
}

/// Something wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// Where.
    pub(super) line: usize,
    /// What.
    pub(super) reason: String,
}

impl Problem {
    pub(super) fn new(line: usize, reason: impl Into<String>) -> Self {
        Self { line, reason: reason.into() }
    }
}

/// The names under which fields may be given, and what they set. Spaces, `-` and `_` are the same, as are letter cases.
const FIELDS: [(&str, &[&str]); 18] = [
    ("title", &[]),
    ("description", &["body"]),
    ("design", &[]),
    ("acceptance_criteria", &["acceptance"]),
    ("notes", &[]),
    ("status", &[]),
    ("priority", &[]),
    ("issue_type", &["type"]),
    ("assignee", &[]),
    ("owner", &[]),
    ("labels", &["label"]),
    ("dependencies", &["deps", "depends_on"]),
    ("parent", &[]),
    ("id", &[]),
    ("external_ref", &[]),
    ("estimated_minutes", &["estimate"]),
    ("due_at", &["due"]),
    ("defer_until", &["defer"]),
];

/// The field that a heading or a key names, or what to say about it.
pub(super) fn field(name: &str) -> Result<&'static str, String> {
    let plain = name.trim().to_lowercase().replace([' ', '-'], "_");
    let found = FIELDS.iter().find(|(field, others)| *field == plain || others.contains(&plain.as_str()));
    if let Some((field, _)) = found {
        return Ok(field);
    }
    let names = FIELDS.iter().flat_map(|(field, others)| std::iter::once(*field).chain(others.iter().copied()));
    let known = FIELDS.iter().map(|(field, _)| *field).collect::<Vec<_>>().join(", ");
    let given = text::headline(name, 60);
    Err(match text::similar(&plain, names) {
        Some(like) => format!("there is no field `{given}`; did you mean `{like}`?"),
        None => format!("there is no field `{given}`; there are {known}"),
    })
}

impl Draft {
    /// Sets a field from text, as a file gives it.
    pub(super) fn set(&mut self, field: &str, line: usize, text: &str, now: Time) -> Result<(), String> {
        let one = || text.trim().to_owned();
        match field {
            "title" => self.new.title = one(),
            "description" => text.clone_into(&mut self.new.description),
            "design" => text.clone_into(&mut self.new.design),
            "acceptance_criteria" => text.clone_into(&mut self.new.acceptance_criteria),
            "notes" => text.clone_into(&mut self.new.notes),
            "status" => {
                let status = arg::status(text.trim())?;
                if status == Status::TOMBSTONE {
                    return Err("nothing is filed as deleted".to_owned());
                }
                self.new.status = Some(status);
            }
            "owner" => self.new.owner = one(),
            "priority" => self.new.priority = Some(arg::priority(text.trim())?),
            "issue_type" => self.new.issue_type = Some(arg::issue_type(text.trim())?),
            "assignee" => text.trim().trim_start_matches('@').clone_into(&mut self.new.assignee),
            "labels" => self.new.labels.extend(items(text).map(|(_, item)| item)),
            "dependencies" => self.deps.extend(items(text).map(|(n, item)| (line + n, item))),
            "parent" => self.parent = Some(one()).filter(|text| !text.is_empty()),
            "id" => self.new.id = Some(BeadId::new(text.trim()).map_err(|e| e.to_string())?),
            "external_ref" => self.new.external_ref = Some(one()).filter(|text| !text.is_empty()),
            "estimated_minutes" => {
                let minutes = text.trim().parse().map_err(|_| format!("`{}` is no number of minutes", one()))?;
                self.new.estimated_minutes = Some(minutes);
            }
            "due_at" => self.new.due_at = Some(arg::when(text.trim(), now).map_err(|e| e.message)?),
            "defer_until" => self.new.defer_until = Some(arg::when(text.trim(), now).map_err(|e| e.message)?),
            other => return Err(format!("there is no field `{other}`")),
        }
        Ok(())
    }

    /// A bead out of a JSON object with the keys of the interchange format, or their short forms.
    pub(super) fn from_json(line: usize, object: Map, now: Time) -> Result<Self, String> {
        let mut draft = Self { line, ..Self::default() };
        for (key, value) in object {
            match (key.as_str(), value) {
                (_, Value::Null) => {}
                ("ephemeral", Value::Bool(flag)) => draft.new.ephemeral = flag,
                ("pinned", Value::Bool(flag)) => draft.new.pinned = flag,
                ("metadata", Value::Object(metadata)) => draft.new.metadata = metadata,
                (_, value) => {
                    let field = field(&key)?;
                    draft.set_json(field, line, value, now).map_err(|reason| format!("{key}: {reason}"))?;
                }
            }
        }
        Ok(draft)
    }

    fn set_json(&mut self, field: &str, line: usize, value: Value, now: Time) -> Result<(), String> {
        match (field, value) {
            (_, Value::String(text)) => self.set(field, line, &text, now),
            ("priority" | "estimated_minutes", Value::Number(n)) => self.set(field, line, &n.to_string(), now),
            ("labels", Value::Array(all)) => {
                for label in all {
                    let label = label.as_str().ok_or("each is a text")?;
                    self.new.labels.push(label.to_owned());
                }
                Ok(())
            }
            ("dependencies", Value::Array(all)) => {
                for dep in &all {
                    let text = match (dep, &dep["depends_on_id"]) {
                        (Value::String(text), _) => text.clone(),
                        (_, Value::String(on)) => format!("{}:{on}", dep["type"].as_str().unwrap_or("blocks")),
                        _ => return Err("each is a text or an object with depends_on_id and type".to_owned()),
                    };
                    self.deps.push((line, text));
                }
                Ok(())
            }
            _ => Err("this is no value for it".to_owned()),
        }
    }
}

/// The items of a list: one a line, with or without a bullet, or separated by commas. With the line of each.
fn items(text: &str) -> impl Iterator<Item = (usize, String)> + '_ {
    text.lines().enumerate().flat_map(|(n, line)| {
        let line = line.trim();
        let bullet = line.strip_prefix("- ").or_else(|| line.strip_prefix("* "));
        let parts: Vec<&str> = match bullet {
            // What stands behind a bullet may be a title, and titles may have commas.
            Some(item) => vec![item],
            None => line.split(',').collect(),
        };
        parts
            .into_iter()
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(|item| (n, item.to_owned()))
            .collect::<Vec<_>>()
    })
}
