//! What beads of some types have beside the rest: agents a role and a rig, events a category and who did what to
//! what; and what a bead of a type has to say before somebody else can work on it.

use crate::cli::CliError;
use crate::store::{IssueType, NewBead};

/// Flags for beads of some types.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Kinds {
    /// Refuse a bead whose description lacks the headings of its type: `Acceptance Criteria` for tasks, features and
    /// bugs (or --acceptance), `Steps to Reproduce` for bugs too, `Success Criteria` for epics.
    #[arg(long)]
    pub(super) validate: bool,
    /// For agents: polecat, crew, witness, refinery, mayor, …
    #[arg(long, value_name = "ROLE")]
    role_type: Option<String>,
    /// For agents: the rig they belong to.
    #[arg(long, value_name = "RIG")]
    agent_rig: Option<String>,
    /// For events: what happened, as in patrol.muted.
    #[arg(long, value_name = "CATEGORY")]
    event_category: Option<String>,
    /// For events: who did it.
    #[arg(long, value_name = "WHO")]
    event_actor: Option<String>,
    /// For events: what it was done to.
    #[arg(long, value_name = "WHAT")]
    event_target: Option<String>,
    /// For events: more about it, as JSON.
    #[arg(long, value_name = "JSON")]
    event_payload: Option<String>,
}

impl Kinds {
    /// Fills in what the flags say; refuses those that the type of the bead has no place for.
    pub(super) fn fill(&self, new: &mut NewBead) -> Result<(), CliError> {
        if let Some(payload) = &self.event_payload {
            serde_json::from_str::<serde::de::IgnoredAny>(payload).map_err(|e| {
                CliError::user(format!("--event-payload is no JSON: {e}")).hint("as in '{\"count\": 3}'")
            })?;
        }
        let agent = [("--role-type", "role_type", &self.role_type), ("--agent-rig", "rig", &self.agent_rig)];
        let event = [
            ("--event-category", "event_kind", &self.event_category),
            ("--event-actor", "actor", &self.event_actor),
            ("--event-target", "target", &self.event_target),
            ("--event-payload", "payload", &self.event_payload),
        ];
        for (flag, key, value) in agent {
            if let Some(value) = set(new, &IssueType::AGENT, flag, key, value.as_ref())? {
                // Agents are looked for by these.
                new.labels.push(format!("{key}:{value}"));
            }
        }
        for (flag, key, value) in event {
            set(new, &IssueType::EVENT, flag, key, value.as_ref())?;
        }
        Ok(())
    }
}

/// Sets `key`, which only beads of `kind` have.
fn set<'v>(
    new: &mut NewBead,
    kind: &IssueType,
    flag: &str,
    key: &str,
    value: Option<&'v String>,
) -> Result<Option<&'v String>, CliError> {
    let Some(value) = value else { return Ok(None) };
    if new.issue_type.as_ref() != Some(kind) {
        let error = CliError::user(format!("{flag} is for beads of the type `{kind}` only"));
        return Err(error.hint(format!("add --type {kind}")));
    }
    new.other.insert(key.to_owned(), value.clone().into());
    Ok(Some(value))
}

/// The headings that a bead of its type should have and has not.
pub(super) fn missing(new: &NewBead) -> Vec<&'static str> {
    const DONE: &str = "Acceptance Criteria";
    let needed: &[&str] = match new.issue_type.as_ref().map_or("task", IssueType::as_str) {
        "bug" => &["Steps to Reproduce", DONE],
        "task" | "feature" => &[DONE],
        "epic" => &["Success Criteria"],
        _ => &[],
    };
    let headings: Vec<String> = (new.description.lines())
        .filter_map(|line| line.trim_start().strip_prefix('#'))
        .map(|heading| heading.trim_matches(['#', ':', ' ', '\t', '\r']).to_lowercase())
        .collect();
    let said = |name: &str| {
        headings.contains(&name.to_lowercase())
            || (name.ends_with("Criteria") && !new.acceptance_criteria.trim().is_empty())
    };
    needed.iter().copied().filter(|name| !said(name)).collect()
}

/// Refuses a bead that lacks headings of its type.
pub(super) fn validate(new: &NewBead) -> Result<(), CliError> {
    let missing = missing(new);
    let Some(first) = missing.first() else { return Ok(()) };
    Err(CliError::user(format!("the description lacks {}", missing.join(" and ")))
        .hint(format!("begin a part of it with the line `## {first}`, or leave --validate out")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_headings_of_its_own() {
        let lacks = |kind: &str, description: &str, acceptance: &str| {
            missing(&NewBead {
                issue_type: Some(IssueType::new(kind)),
                description: description.to_owned(),
                acceptance_criteria: acceptance.to_owned(),
                ..NewBead::default()
            })
        };
        assert_eq!(lacks("bug", "it crashes", ""), ["Steps to Reproduce", "Acceptance Criteria"]);
        assert_eq!(lacks("bug", "# steps to reproduce:\nrun it", "no crash"), Vec::<&str>::new());
        assert_eq!(lacks("task", "acceptance criteria are clear", ""), ["Acceptance Criteria"], "no heading");
        assert_eq!(lacks("epic", "### Success Criteria ###\r\nall done", ""), Vec::<&str>::new());
        assert_eq!(lacks("chore", "", ""), Vec::<&str>::new());
    }
}
