//! `gt rig remove`: takes a rig out of the town. Nothing is deleted: its folder is put aside as it is, with the clone that
//! holds every ref of ours, and its beads stay in the store.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::json;

use super::agent::AGENTS;
use super::around::Acting;
use super::error::TownError;
use super::intent::INTENTS;
use super::{convoy, mol, review};
use crate::base::{BeadId, RigName, text};
use crate::config::Overrides;
use crate::queue::{MergeLock, push, request};
use crate::store::{Bead, Filter, Read, Status, Store, StoreError};

/// The folder of the town in which rigs lie that were taken out of it. No rig can be called so.
const ASIDE: &str = ".removed";
/// So many of what is still open are named.
const NAMED: usize = 5;

/// A rig that was taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Its name.
    pub rig: RigName,
    /// Where its folder was.
    pub from: PathBuf,
    /// Where its folder lies now.
    pub kept: PathBuf,
    /// Its beads that are open and belong to no rig any more.
    pub open: Vec<BeadId>,
}

/// Takes the rig `name` out of the town. Refused while anybody works in it or anything is in its queue, and while it has
/// open beads, unless those are to stay open `without` a rig.
pub fn remove(cx: &Acting<'_>, store: &mut Store, name: &RigName, without: bool) -> Result<Removed, TownError> {
    cx.town.need_rig(name)?;
    let dir = cx.town.rig_dir(name);
    let lock = MergeLock::take(&dir.join("refinery"), name).map_err(|e| TownError::io("lock", &dir, e))?;
    if lock.is_none() {
        return Err(TownError::refused(format!("the queue of rig {name} is at work")).hint("see it: gt queue"));
    }
    // Of one whose configuration is broken it is not known which beads are its own: that is for a person to say.
    let prefix = cx.town.rig(name, &Overrides::default()).ok().map(|rig| rig.prefix().to_string());
    let stamp = cx.now().to_string().replace([':', '.'], "");
    let kept = cx.town.root().join(ASIDE).join(format!("{name}-{stamp}"));
    let mut moved = false;
    let done = store.write(&cx.stamp(), |w| {
        refuse_work(w, name)?;
        if prefix.is_none() && !without {
            let config = dir.join("rig.toml");
            return Err(TownError::refused(format!(
                "it cannot be told which beads are of rig {name}: {} is broken",
                config.display()
            ))
            .hint("see what is wrong with it: gt rig list")
            .hint(format!("let what is open stay open, without a rig: gt rig remove {name} --keep-open")));
        }
        let open = open_beads(w, name, prefix.as_deref())?;
        if !open.is_empty() && !without {
            let beads = text::count(open.len(), "open bead");
            return Err(TownError::refused(format!("rig {name} has {beads}: {}", named(&open)))
                .hint("see them: bd list")
                .hint(format!("let them stay open, without a rig: gt rig remove {name} --keep-open")));
        }
        w.emit("rig_removed", name.as_str(), json!({ "kept": kept, "open": open.len() }))?;
        // Last in the transaction that has seen that nobody works in it: who slings meanwhile finds no rig.
        let aside = cx.town.root().join(ASIDE);
        std::fs::create_dir_all(&aside).map_err(|e| TownError::io("make", &aside, e))?;
        std::fs::rename(&dir, &kept).map_err(|e| TownError::io("move", &dir, e))?;
        moved = true;
        Ok(Removed { rig: name.clone(), from: dir.clone(), kept: kept.clone(), open })
    });
    if done.is_err() && moved {
        std::fs::rename(&kept, &dir).map_err(|e| TownError::io("put back", &kept, e))?;
    }
    super::wake(cx.town);
    done
}

/// Refuses while a worker, a request or a push belongs to the rig, readable or not.
fn refuse_work(r: &Read<'_>, name: &RigName) -> Result<(), TownError> {
    let own = format!("{name}/");
    let mut work = Vec::new();
    for key in r.local_keys(AGENTS)?.into_iter().chain(r.local_keys(INTENTS)?) {
        if key.starts_with(&own) && !work.contains(&key) {
            work.push(key);
        }
    }
    let (open, lost) = request::all_open(r)?;
    let back = review::came_back(r)?;
    let requests = open.iter().chain(&back).filter(|request| request.mr.rig == *name);
    work.extend(requests.map(|request| format!("{} ({})", request.id, request.state())));
    // Nobody knows whose such a one is.
    work.extend(lost.iter().map(|lost| format!("{} (cannot be read)", lost.mr)));
    if work.is_empty() && push::stands(r, name)? {
        work.push("a push of which it is not known whether it arrived".to_owned());
    }
    if work.is_empty() {
        return Ok(());
    }
    Err(TownError::refused(format!("rig {name} is still at work: {}", named(&work)))
        .hint("take work off its hook: gt unsling BEAD")
        .hint("let its changes land, or send them back: gt review"))
}

/// What is open of those beads that belong to the rig: by their prefix, or because they were slung into it.
fn open_beads(r: &Read<'_>, name: &RigName, prefix: Option<&str>) -> Result<Vec<BeadId>, StoreError> {
    let filter = Filter {
        not_statuses: vec![Status::CLOSED, Status::TOMBSTONE],
        ephemeral: Some(false),
        template: Some(false),
        ..Filter::default()
    };
    let own = |bead: &Bead| convoy::slung_to(bead).map_or(Some(bead.id.prefix()) == prefix, |rig| rig == *name);
    let found = r.find(&filter)?.into_iter().filter(|b| own(b) && !b.issue_type.is_machinery() && !mol::is_part(b));
    Ok(found.map(|bead| bead.id).collect())
}

/// The first few, and how many more there are.
fn named(all: &[impl ToString]) -> String {
    let first: Vec<String> = all.iter().take(NAMED).map(ToString::to_string).collect();
    let more = all.len().saturating_sub(first.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}
