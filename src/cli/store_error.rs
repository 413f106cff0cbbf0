//! How the store's errors are told to people: kind, message, and what to do next.

use super::{CliError, Kind};
use crate::store::StoreError;

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::NotFound { .. } | StoreError::Erased(_) | StoreError::NoDep { .. } | StoreError::NoStore(_) => {
                Kind::NotFound
            }
            StoreError::Ambiguous { .. } | StoreError::Invalid { .. } => Kind::User,
            _ if error.is_held() => Kind::Timeout,
            _ if error.is_fault() => Kind::Store,
            _ => Kind::Refused,
        };
        let mut told = Self::from_error(kind, &error);
        told.hints = hint(&error).into_iter().collect();
        told
    }
}

/// What to do next.
fn hint(error: &StoreError) -> Option<String> {
    Some(match error {
        StoreError::NotFound { similar: Some(id), .. } => format!("did you mean `{id}`?"),
        StoreError::NotFound { .. } => "`bd list --all` shows every bead, `bd search WORDS` finds by text".to_owned(),
        StoreError::Ambiguous { matches, .. } => {
            let some: Vec<&str> = matches.iter().take(3).map(|id| id.as_str()).collect();
            format!("type more of the id; `bd show --short {}` says what they are", some.join(" "))
        }
        StoreError::Invalid { field: "title", .. } => {
            "a title is one line that says what is to be done, the rest is its description: bd create TITLE -d TEXT".to_owned()
        }
        StoreError::Blocked { by, .. } => {
            let first = by.first().map_or("ID", |id| id.as_str());
            format!("close {first} first, or close this one all the same with --force")
        }
        StoreError::ReadOnly => "nothing was changed; without --readonly it does".to_owned(),
        StoreError::Erased(_) => "`bd list --ephemeral --all` shows the wisps that there are".to_owned(),
        StoreError::Refused { what: "a wisp", .. } => {
            "file it as a wisp, too (--ephemeral), or below a parent that lasts: wisps never reach the ledger".to_owned()
        }
        StoreError::Refused { id, what: "deleted", .. } => {
            format!("a deleted bead stays as it was; `bd show {id}` shows it, `bd create` files a new one")
        }
        StoreError::Refused { verb: "close", what: "pinned", .. } => "use --force to close it all the same".to_owned(),
        StoreError::Claimed { id, .. } => format!("`bd ready --unassigned` lists work that nobody has; `bd show {id}` says who has this"),
        StoreError::NotClaimable { id, .. } => format!("`bd update {id} --status open` puts it back"),
        StoreError::Hooked { .. } => "`gt hook` shows what is on a hook; `gt unsling BEAD` takes it off".to_owned(),
        StoreError::Cycle { .. } => "`bd dep tree ID` shows what depends on what".to_owned(),
        StoreError::NoStore(path) if path.with_file_name("ledger.git").exists() => {
            "its ledger is there: `bd restore` makes the database anew from it".to_owned()
        }
        StoreError::NoStore(_) => "`bd init` makes one here; `bd where` says where it is looked for".to_owned(),
        StoreError::Foreign(path) => {
            let file = path.display();
            let adopts = if path.with_file_name("issues.jsonl").exists() { " --from-jsonl" } else { "" };
            format!("nothing was changed; `mv {file} {file}.other` keeps it, then `bd init{adopts}` makes a tracker here")
        }
        StoreError::StoreExists(_) => "`bd info` describes it".to_owned(),
        StoreError::Version { found, known, .. } if found > known => "a newer version of bd wrote it: update this program; nothing was changed".to_owned(),
        StoreError::Version { .. } => "an older version of bd wrote it: `bd export` there, `bd init` and `bd import` here; nothing was changed".to_owned(),
        StoreError::Held { holder: Some(pid), .. } => {
            format!("nothing was changed; `ps -p {pid}` shows what it is, `bd --lock-timeout 5m` waits longer for it")
        }
        held if held.is_held() => "nothing was changed; `bd --lock-timeout 5m` waits longer".to_owned(),
        full if full.is_full() => "nothing was changed; make room on that disk, then run it again".to_owned(),
        StoreError::Damaged { .. } | StoreError::Sqlite(_) => {
            "nothing was changed and nothing was written elsewhere; `bd doctor` says what is wrong, `bd restore --force` makes the database anew from the ledger and keeps this one aside".to_owned()
        }
        StoreError::Io { .. } => "check the permissions of the folder and the space on the disk; nothing was changed".to_owned(),
        _ => return None,
    })
}
