//! `bd doctor`: what is wrong with the tracker, and what to do about it. One check, one file.

mod batches;
mod cycles;
mod database;
mod edges;
mod exclude;
mod ledger;
mod outbox;
mod prefix;
mod wisps;

use super::Context;
use crate::base::text;
use crate::cli::{CliError, Kind};

/// Looks for what is wrong with the tracker and names the next step. Exit code 7 when something is that keeps work
/// from being safe.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Mend what can be mended without losing anything.
    #[arg(long)]
    fix: bool,
}

impl Args {
    /// Whether it is to change something.
    pub(super) const fn mends(&self) -> bool {
        self.fix
    }
}

/// How a finding is mended; says what was done.
type Mend = Box<dyn FnOnce(&Context) -> Result<String, CliError>>;

/// Something that is not as it should be.
struct Finding {
    /// Which check found it.
    check: &'static str,
    /// Work is not safe until this is settled.
    grave: bool,
    what: String,
    /// The next step, for a person.
    next: String,
    /// Mending that loses nothing.
    mend: Option<Mend>,
}

type Check = fn(&Context) -> Result<Vec<Finding>, CliError>;

/// All checks but that of the database, which comes first: without it the others cannot look.
const CHECKS: [(&str, Check); 8] = [
    ("ledger", ledger::look),
    ("outbox", outbox::look),
    ("cycles", cycles::look),
    ("edges", edges::look),
    ("wisps", wisps::look),
    ("batches", batches::look),
    ("prefix", prefix::look),
    ("exclude", exclude::look),
];

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let mut findings = database::look(cx)?;
    let mut looked = vec!["database"];
    if findings.iter().all(|finding| !finding.grave) {
        for (name, check) in CHECKS {
            findings.extend(check(cx).or_else(|error| blind(name, error))?);
            looked.push(name);
        }
    }
    let mut rows = Vec::new();
    let mut grave = false;
    for finding in findings {
        let mended = match finding.mend {
            Some(mend) if args.fix => Some(mend(cx)?),
            Some(_) | None => None,
        };
        grave |= finding.grave && mended.is_none();
        rows.push(serde_json::json!({
            "check": finding.check, "grave": finding.grave, "what": finding.what, "next": finding.next,
            "mended": mended,
        }));
    }
    let value = serde_json::json!({ "ok": rows.iter().all(|row| !row["mended"].is_null()), "checks": looked, "findings": rows });
    cx.out.print(&value, |_| {
        if rows.is_empty() {
            return format!("✓ {} found nothing", text::count(looked.len(), "check"));
        }
        let field = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let line = |row: &serde_json::Value| match row["mended"].as_str() {
            Some(done) => format!("✓ {}: {}\n    mended: {done}", field(row, "check"), field(row, "what")),
            None => format!("✗ {}: {}\n    next: {}", field(row, "check"), field(row, "what"), field(row, "next")),
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    if grave { Err(CliError::silent(Kind::Store)) } else { Ok(()) }
}

/// A check that the store or the ledger did not let look is a finding itself: the others look all the same.
fn blind(check: &'static str, error: CliError) -> Result<Vec<Finding>, CliError> {
    if error.kind != Kind::Store {
        return Err(error);
    }
    let what = [error.message].into_iter().chain(error.causes).collect::<Vec<_>>().join(": ");
    let next = error.hints.into_iter().next().unwrap_or_else(|| "`bd where` says where the files are".to_owned());
    Ok(vec![Finding { check, grave: true, what, next, mend: None }])
}
