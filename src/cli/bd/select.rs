//! The flags that choose beads, shared by the verbs that list them.

use super::arg;
use crate::base::Time;
use crate::cli::CliError;
use crate::store::{Filter, IssueType, Read, Status};

/// Which beads.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Which beads")]
pub(super) struct Select {
    /// Only these statuses, separated by commas; `all` for any.
    #[arg(short, long, value_delimiter = ',', value_parser = arg::status)]
    pub(super) status: Vec<Status>,
    /// Only this priority.
    #[arg(short, long, value_parser = arg::priority)]
    priority: Option<u8>,
    /// This priority number or a higher one.
    #[arg(long, value_parser = arg::priority, value_name = "PRIORITY")]
    priority_min: Option<u8>,
    /// This priority number or a lower one.
    #[arg(long, value_parser = arg::priority, value_name = "PRIORITY")]
    priority_max: Option<u8>,
    /// Only these types, separated by commas.
    #[arg(short = 't', long = "type", value_delimiter = ',', value_parser = arg::issue_type)]
    pub(super) types: Vec<IssueType>,
    /// Only those of this one.
    #[arg(short, long)]
    assignee: Option<String>,
    /// Only those of nobody.
    #[arg(long, visible_alias = "unassigned")]
    no_assignee: bool,
    /// With all of these labels, separated by commas.
    #[arg(short, long = "label", visible_alias = "labels", value_delimiter = ',')]
    label: Vec<String>,
    /// With at least one of these labels.
    #[arg(long, value_delimiter = ',', value_name = "LABEL")]
    label_any: Vec<String>,
    /// Without labels.
    #[arg(long)]
    no_labels: bool,
    /// Only these ids, separated by commas.
    #[arg(long, value_delimiter = ',')]
    id: Vec<String>,
    /// Only what is below this bead, at any depth.
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// Ids with this prefix.
    #[arg(long)]
    prefix: Option<String>,
    /// The title contains this.
    #[arg(long, visible_alias = "title", value_name = "TEXT")]
    title_contains: Option<String>,
    /// The description contains this.
    #[arg(long, value_name = "TEXT")]
    desc_contains: Option<String>,
    /// The notes contain this.
    #[arg(long, value_name = "TEXT")]
    notes_contains: Option<String>,
    /// Without a description.
    #[arg(long)]
    empty_description: bool,
    /// Filed since: a date, a time, or 2d for two days ago.
    #[arg(long, value_name = "WHEN")]
    created_after: Option<String>,
    /// Filed before.
    #[arg(long, value_name = "WHEN")]
    created_before: Option<String>,
    /// Changed since.
    #[arg(long, value_name = "WHEN")]
    updated_after: Option<String>,
    /// Changed before.
    #[arg(long, value_name = "WHEN")]
    updated_before: Option<String>,
    /// Closed since.
    #[arg(long, value_name = "WHEN")]
    closed_after: Option<String>,
    /// Closed before.
    #[arg(long, value_name = "WHEN")]
    closed_before: Option<String>,
    /// Due since.
    #[arg(long, value_name = "WHEN")]
    due_after: Option<String>,
    /// Due before: a date, a time, or 2d for in two days.
    #[arg(long, value_name = "WHEN")]
    due_before: Option<String>,
    /// Open and past the time when it was due.
    #[arg(long, conflicts_with = "due_before")]
    pub(super) overdue: bool,
    /// Put off: by status, or to a time that has not come.
    #[arg(long)]
    deferred: bool,
    /// Only molecules of this type.
    #[arg(long, value_name = "TYPE")]
    mol_type: Option<String>,
    /// Only pinned ones.
    #[arg(long, conflicts_with = "no_pinned")]
    pinned: bool,
    /// No pinned ones.
    #[arg(long)]
    no_pinned: bool,
    /// Wisps instead of lasting beads.
    #[arg(long)]
    ephemeral: bool,
    /// With this in their metadata: KEY=VALUE; may be given again.
    #[arg(long, value_name = "KEY=VALUE")]
    meta: Vec<String>,
}

impl Select {
    /// Whether beads of any status are asked for in so many words.
    pub(super) fn any_status(&self) -> bool {
        self.status.iter().any(|status| *status == "all")
    }

    /// The filter that these flags make, at `now`. Deleted beads are never in it unless their status is named.
    pub(super) fn filter(self, read: &Read<'_>, now: Time) -> Result<Filter, CliError> {
        let time = |text: Option<String>| text.map(|text| arg::since(&text, now)).transpose();
        let statuses = if self.any_status() { Vec::new() } else { self.status };
        let mut meta = Vec::new();
        for pair in self.meta {
            let (key, value) =
                pair.split_once('=').ok_or_else(|| CliError::user(format!("`{pair}` is not KEY=VALUE")))?;
            meta.push((key.to_owned(), value.to_owned()));
        }
        let filter = Filter {
            statuses,
            types: self.types,
            priority: self.priority,
            priority_min: self.priority_min,
            priority_max: self.priority_max,
            assignee: self.assignee,
            unassigned: self.no_assignee,
            labels: self.label,
            labels_any: self.label_any,
            no_labels: self.no_labels,
            ids: super::context::resolve_all(read, &self.id)?,
            under: self.parent.map(|id| read.resolve(&id)).transpose()?,
            prefix: self.prefix.map(|p| p.trim_end_matches('-').to_owned()),
            title_contains: self.title_contains,
            desc_contains: self.desc_contains,
            notes_contains: self.notes_contains,
            empty_description: self.empty_description,
            created_after: time(self.created_after)?,
            created_before: time(self.created_before)?,
            updated_after: time(self.updated_after)?,
            updated_before: time(self.updated_before)?,
            closed_after: time(self.closed_after)?,
            closed_before: time(self.closed_before)?,
            due_after: time(self.due_after)?,
            due_before: match (self.due_before, self.overdue) {
                (Some(text), _) => Some(arg::when(&text, now)?),
                (None, overdue) => overdue.then_some(now),
            },
            not_statuses: if self.overdue { vec![Status::CLOSED] } else { Vec::new() },
            deferred_at: self.deferred.then_some(now),
            mol_type: self.mol_type,
            pinned: if self.no_pinned { Some(false) } else { self.pinned.then_some(true) },
            ephemeral: Some(self.ephemeral),
            meta,
            ..Filter::default()
        };
        super::words::check_filter(read, &filter)?;
        Ok(filter)
    }
}
