//! What GitHub says about a run or a pull request, asked through its own program `gh`.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::base::process::{Cmd, run};
use crate::base::{Time, text};
use crate::store::Bead;

const PATIENCE: Duration = Duration::from_secs(30);

/// What came of looking at a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// What it waits for has happened.
    Resolved(String),
    /// Not yet.
    Pending(String),
    /// It will not happen: a person must look.
    Escalated(String),
    /// It could not be found out, which is no pass.
    CouldNotRun(String),
}

/// Looks at a run. With the name of a workflow, its newest run since the gate was made is meant, whose number is given too.
pub(super) fn workflow_run(gate: &Bead, cwd: &Path) -> (Verdict, Option<String>) {
    let name = gate.await_id.as_str();
    if name.is_empty() {
        return (Verdict::CouldNotRun("the gate names no run".to_owned()), None);
    }
    if name.bytes().all(|b| b.is_ascii_digit()) {
        let view = ask(cwd, &["run", "view", name, "--json", "status,conclusion"]);
        return (view.map_or_else(Verdict::CouldNotRun, |run| judge(&run)), None);
    }
    let fields = "databaseId,createdAt,status,conclusion";
    // `--workflow=…` in one word: a name that begins with a dash is no flag.
    let list = ask(cwd, &["run", "list", &format!("--workflow={name}"), "--limit", "20", "--json", fields]);
    let runs = match list {
        Ok(Value::Array(runs)) => runs,
        Ok(_) => return (Verdict::CouldNotRun("`gh run list` gave no list".to_owned()), None),
        Err(why) => return (Verdict::CouldNotRun(why), None),
    };
    // A run from before the gate says nothing about what the gate waits for.
    let since = |run: &Value| run["createdAt"].as_str()?.parse::<Time>().ok().filter(|at| *at >= gate.created_at);
    let newest = runs.iter().filter_map(|run| Some((since(run)?, run))).max_by_key(|(at, _)| *at);
    match newest {
        None => (Verdict::Pending(format!("no run of {name} since the gate was made")), None),
        Some((_, run)) => (judge(run), run["databaseId"].as_u64().map(|id| id.to_string())),
    }
}

/// Looks at a pull request.
pub(super) fn pull_request(gate: &Bead, cwd: &Path) -> Verdict {
    let number = gate.await_id.trim_start_matches('#');
    if number.is_empty() || number.starts_with('-') {
        return Verdict::CouldNotRun("the gate names no pull request".to_owned());
    }
    match ask(cwd, &["pr", "view", number, "--json", "state"]) {
        Err(why) => Verdict::CouldNotRun(why),
        Ok(pr) => match pr["state"].as_str() {
            Some("MERGED") => Verdict::Resolved(format!("pull request {number} is merged")),
            Some("CLOSED") => Verdict::Escalated(format!("pull request {number} was closed and not merged")),
            Some("OPEN") => Verdict::Pending(format!("pull request {number} is open")),
            _ => Verdict::CouldNotRun("`gh pr view` gave no state that is known".to_owned()),
        },
    }
}

fn judge(run: &Value) -> Verdict {
    match (run["status"].as_str(), run["conclusion"].as_str()) {
        (Some("completed"), Some("success")) => Verdict::Resolved("the run succeeded".to_owned()),
        (Some("completed"), Some(other)) => {
            Verdict::Escalated(format!("the run ended with {}", text::headline(other, 40)))
        }
        (Some(status), _) if status != "completed" => {
            Verdict::Pending(format!("the run is {}", text::headline(status, 40)))
        }
        _ => Verdict::CouldNotRun("`gh run` gave no status".to_owned()),
    }
}

/// Runs `gh`; its answer, or why there is none.
fn ask(cwd: &Path, args: &[&str]) -> Result<Value, String> {
    let cmd = Cmd::new("gh").args(args).cwd(cwd).env("GH_PROMPT_DISABLED", "1").timeout(PATIENCE);
    let done = run(&cmd).map_err(|error| error.to_string())?;
    if !done.success() {
        let said = text::headline(&done.stderr_text(), 160);
        return Err(format!("`gh {}`: {}: {said}", args[..2].join(" "), done.ending()));
    }
    serde_json::from_slice(&done.stdout).map_err(|error| format!("`gh {}` gave no JSON: {error}", args[..2].join(" ")))
}
