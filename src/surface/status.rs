//! The town at a glance.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::agents::{self, Agent};
use crate::base::{Address, BeadId, RigName, Time, disk, text};
use crate::config::{Landing, TownConfig};
use crate::daemon::lock;
use crate::daemon::supervise::Budget;
use crate::queue::{self, Request, State, admission, push, wait};
use crate::session::Runtimes;
use crate::store::{Filter, IssueType, Read, Status, StoreError};
use crate::town::roles::load::{WARNINGS, Warning};
use crate::town::roles::{desk, keep};
use crate::town::unreadable::{self, Unreadable};
use crate::town::{
    BrokenRig, Rig, Rigs, Town, TownError, agent, budget, convoy, intent, last_words, lifecycle, review, standing,
    tries, trouble,
};

/// The town.
#[derive(Debug, Clone, Serialize)]
pub struct TownStatus {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub location: PathBuf,
    /// Since when it is up; none when it is down.
    pub up_since: Option<Time>,
    /// The process of its daemon, when one runs.
    pub daemon: Option<u32>,
    /// Agents that belong to none of `rigs`.
    pub agents: Vec<Agent>,
    /// Its rigs.
    pub rigs: Vec<RigStatus>,
    /// Rigs whose configuration cannot be used; `warnings` says where and why.
    pub broken: Vec<RigName>,
    /// Beads that a policy asked to do something with and that was refused, by the reason.
    pub refused: Vec<Refused>,
    /// Beads in quarantine: each waits for a person.
    pub quarantined: Vec<Quarantined>,
    /// Convoys that have not landed.
    pub convoys: usize,
    /// Unread messages to the person who owns the town.
    pub mail: usize,
    /// Things begun outside the store and not ended: the daemon or the next command finishes them.
    pub intents: usize,
    /// What is wrong, each with its place.
    pub warnings: Vec<String>,
    /// What is switched off or not running, and what that means.
    pub off: Vec<String>,
}

/// A bead that only a person brings back.
#[derive(Debug, Clone, Serialize)]
pub struct Quarantined {
    /// The bead.
    pub bead: BeadId,
    /// Its title.
    pub title: String,
    /// Why.
    pub why: String,
    /// The command by which it goes on.
    #[serde(skip)]
    sling: String,
    /// The last line on the screen of whoever worked on it, if that was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_line: Option<String>,
}

/// Beads that wait since what a policy asked for cannot be done.
#[derive(Debug, Clone, Serialize)]
pub struct Refused {
    /// Why not.
    pub why: String,
    /// Which: open, on nobody's hook, and not held back.
    pub beads: Vec<BeadId>,
}

/// A rig.
#[derive(Debug, Clone, Serialize)]
pub struct RigStatus {
    /// Its name.
    pub rig: RigName,
    /// What happens to changes that pass; none when its configuration cannot be used.
    pub landing: Option<Landing>,
    /// The runtime of its workers; none when its configuration cannot be used.
    pub runtime: Option<String>,
    /// Its agents.
    pub agents: Vec<Agent>,
    /// Its merge queue.
    pub queue: Queue,
}

/// A merge queue, counted.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Queue {
    /// Waiting for their turn.
    pub pending: usize,
    /// Being built, tested or pushed.
    pub in_flight: usize,
    /// Waiting for a person.
    pub held: usize,
    /// Why it takes nothing for now.
    pub paused: Option<String>,
    /// The end of what the gate printed that made it pause.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub printed: Vec<String>,
    /// Requests that wait by themselves, and why.
    pub waiting: Vec<Waiting>,
    /// Requests that came back while nobody works on them, and why.
    pub came_back: Vec<Waiting>,
}

/// A request that waits while others go on.
#[derive(Debug, Clone, Serialize)]
pub struct Waiting {
    /// The merge request.
    pub mr: BeadId,
    /// The bead it is for.
    pub bead: BeadId,
    /// Why.
    pub why: String,
    /// When it is tried again, and what has it tried now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again: Option<String>,
    /// The end of what the gate printed that it failed or waits for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub printed: Vec<String>,
}

impl Waiting {
    fn of(request: &Request, why: String, again: Option<String>) -> Self {
        let printed = standing::printed(request);
        Self { mr: request.id.clone(), bead: request.mr.bead.clone(), why, again, printed }
    }
}

/// Looks at the town.
pub fn status(town: &Town, r: &Read<'_>, now: Time) -> Result<TownStatus, TownError> {
    // What is not configuration is shown whatever is wrong with that.
    let config = match town.config() {
        Ok(config) => Ok(config),
        Err(TownError::Config(error)) => Err(error),
        Err(error) => return Err(error),
    };
    let Rigs { rigs, broken } = if config.is_ok() { town.rigs_apart()? } else { Rigs::default() };
    let daemon = lock::is_held(town.root()).unwrap_or(false).then(|| lock::holder(town.root())).flatten();
    let budget = Budget::load(town.root());
    let up_since = lifecycle::up_since(r)?;
    let mut rows = agent::all(r)?;
    let mut each = Vec::with_capacity(rigs.len());
    let back = review::came_back(r)?;
    let mut unknown = Vec::new();
    for name in town.rig_names()? {
        let rig = rigs.iter().find(|rig| rig.name == name);
        let (own, rest) = rows.into_iter().partition(|row| row.rig() == Some(&name));
        rows = rest;
        each.push(rig_status(r, &name, rig, own, &back, now)?);
        if rig.is_none() {
            unknown.push(name);
        }
    }
    // What the daemon says of a broken rig is what is seen here, too.
    let known = |line: &str| unknown.iter().any(|name| line.starts_with(&format!("rig {name}: ")));
    let mut warnings = warnings(r, known)?;
    warnings.extend(no_room(town));
    warnings.extend(broken.iter().map(BrokenRig::text));
    match &config {
        Ok(config) => warnings.extend(unknown_runtimes(town, config, &rigs)),
        Err(error) => {
            let hint = error.hint.as_ref().map(|hint| format!("\n  {hint}")).unwrap_or_default();
            warnings.push(format!("{error}{hint}\n  mend it; nothing new is begun in the town until then"));
        }
    }
    let messages = Filter {
        types: vec![IssueType::MESSAGE],
        statuses: vec![Status::OPEN],
        assignee: Some(Address::Overseer.to_string()),
        ..Filter::default()
    };
    Ok(TownStatus {
        name: match &config {
            Ok(config) => config.name(),
            Err(_) => town.root().file_name().unwrap_or_default().to_string_lossy().into_owned(),
        },
        location: town.root().to_owned(),
        agents: rows.into_iter().map(|row| agents::describe(r, row)).collect::<Result<_, _>>()?,
        refused: refused(r, now)?,
        quarantined: quarantined(town, r)?,
        convoys: convoy::open(r)?.len(),
        mail: r.count(&messages)?,
        intents: intent::all(r)?.len(),
        warnings,
        off: off(
            &rigs,
            config.as_ref().map_or(true, TownConfig::mayor),
            Life { up: up_since.is_some(), daemon: daemon.is_some(), spent: budget.spent_at().is_some() },
        ),
        rigs: each,
        broken: unknown,
        up_since,
        daemon,
    })
}

fn refused(r: &Read<'_>, now: Time) -> Result<Vec<Refused>, StoreError> {
    let mut by_reason: BTreeMap<String, Vec<BeadId>> = BTreeMap::new();
    for (bead, why) in desk::refused_beads(r)? {
        // What is not made any more leaves its last refusal behind.
        let Some(found) = r.bead(&bead)? else { continue };
        let free = !found.is_over() && !found.issue_type.is_machinery() && r.hook_of(&bead)?.is_none();
        if free && budget::why_quarantined(&found).is_none() && keep::hold(r, bead.as_str(), now.millis())?.is_none() {
            by_reason.entry(why).or_default().push(bead);
        }
    }
    Ok(by_reason.into_iter().map(|(why, beads)| Refused { why, beads }).collect())
}

fn quarantined(town: &Town, r: &Read<'_>) -> Result<Vec<Quarantined>, StoreError> {
    let filter = Filter {
        labels: vec![budget::QUARANTINE.into()],
        not_statuses: vec![Status::CLOSED, Status::TOMBSTONE],
        ..Filter::default()
    };
    let found = r.find(&filter)?;
    let told = found.into_iter().filter_map(|bead| {
        let why = budget::why_quarantined(&bead)?.to_owned();
        let last_line = last_words::read(town, &bead.id).and_then(|screen| last_words::last_line(&screen));
        let sling = budget::sling_command(&bead);
        Some(Quarantined { bead: bead.id, title: bead.title, why, sling, last_line })
    });
    Ok(told.collect())
}

fn rig_status(
    r: &Read<'_>,
    name: &RigName,
    rig: Option<&Rig>,
    rows: Vec<agent::AgentRow>,
    back: &[Request],
    now: Time,
) -> Result<RigStatus, TownError> {
    let open = queue::open(r, name)?;
    let count = |pick: fn(State) -> bool| open.iter().filter(|request| pick(request.state())).count();
    let pause = wait::pause(r, name)?;
    // Whoever was put back by it has what made it pause.
    let by_it = |request: &&Request| pause.as_ref().is_some_and(|pause| request.mr.why.as_ref() == Some(&pause.why));
    let printed = open.iter().find(by_it).map(standing::printed).unwrap_or_default();
    let shut = push::damage(r, name)?.is_some() || pause.as_ref().is_some_and(wait::Pause::is_final);
    let mut paused = standing::paused(r, name, &open, now)?;
    let no_gate = rig.filter(|rig| rig.config.gates.is_empty() && !open.is_empty());
    if let (None, Some(rig)) = (&paused, no_gate) {
        let path = rig.config_path();
        paused = Some(format!("the rig has no gate, so nothing lands: add [gates.NAME] to {}", path.display()));
    }
    let mut waiting = Vec::new();
    for request in open.iter().filter(|request| request.state() == State::Queued) {
        let (why, again) = match wait::wait(r, &request.id)? {
            Some(wait) => {
                // In a queue that a person has to open nothing is tried again before.
                let again = wait.again(now).filter(|_| !shut);
                (Some(wait.why), again)
            }
            None => (admission::refusal(r, &request.id)?.map(|refusal| refusal.text()), None),
        };
        if let Some(why) = why {
            waiting.push(Waiting::of(request, why, again));
        }
    }
    let mut came_back = Vec::new();
    for request in back.iter().filter(|request| request.mr.rig == *name) {
        let why = request.mr.why.clone().unwrap_or_else(|| request.state().word().to_owned());
        came_back.push(Waiting::of(request, why, None));
    }
    Ok(RigStatus {
        rig: name.clone(),
        landing: rig.map(|rig| rig.config.landing),
        runtime: rig.map(|rig| rig.config.runtime.clone()),
        agents: rows.into_iter().map(|row| agents::describe(r, row)).collect::<Result<_, _>>()?,
        queue: Queue {
            pending: count(|s| s == State::Queued),
            in_flight: count(State::in_hand),
            held: count(|s| s == State::Held),
            paused,
            printed,
            waiting,
            came_back,
        },
    })
}

fn warnings(r: &Read<'_>, known: impl Fn(&str) -> bool) -> Result<Vec<String>, StoreError> {
    let (ns, key) = WARNINGS;
    let kept: Vec<Warning> = r.local_or_none(ns, key)?.unwrap_or_default();
    let mut all: Vec<String> = Vec::new();
    // A file of the town is loaded for each rig, and says the same for each.
    for warning in kept {
        if !all.contains(&warning.text) {
            all.push(warning.text);
        }
    }
    all.extend(unreadable::all(r)?.iter().map(Unreadable::text));
    for (id, why) in keep::damaged_holds(r)? {
        let mend = match BeadId::new(&id).ok().map(|id| r.bead(&id)).transpose()?.flatten() {
            Some(bead) if bead.issue_type == IssueType::MERGE_REQUEST => format!("gt queue mend {id}"),
            Some(bead) => budget::sling_command(&bead),
            None => format!("gt sling {id}"),
        };
        all.push(format!("what was written of the hold of {id} cannot be read ({why}); it stays held: {mend}"));
    }
    all.extend(tries::warnings(r)?);
    all.extend(trouble::all(r)?.into_iter().filter(|line| !known(line)));
    Ok(all)
}

/// That the town's disk is full: what the daemon cannot write down for it, it cannot write down here, either.
fn no_room(town: &Town) -> Option<String> {
    const LITTLE: u64 = 1 << 20;
    let (folder, left) = (town.root().display(), disk::left(&town.beads_dir())?);
    (left < LITTLE).then(|| {
        format!(
            "the disk of the town is full ({} KiB left): what cannot be written down is not done, and goes on by itself \
             once there is room: df -h {folder}",
            left / 1024
        )
    })
}

/// Runtimes that are named and do not exist, each with the file that names it.
fn unknown_runtimes(town: &Town, config: &TownConfig, rigs: &[Rig]) -> Vec<String> {
    let own = |rig: &&Rig| rig.config.runtime != config.runtime();
    let named = rigs.iter().filter(own).map(|rig| (rig.config.runtime.as_str(), rig.config_path()));
    let named = std::iter::once((config.runtime(), town.config_path())).chain(named);
    let known = |name: &str| config.runtimes().contains_key(name) || Runtimes::built_in_names().any(|n| n == name);
    let told = named.filter(|(name, _)| !known(name)).map(|(name, path)| {
        let all = config.runtimes().keys().map(String::as_str).chain(Runtimes::built_in_names());
        let near = text::similar(name, all).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        format!("{}: there is no runtime `{name}`{near}", path.display())
    });
    told.collect()
}

/// Whether the town was started, whether its daemon runs, and whether that has died too often to be started again.
struct Life {
    up: bool,
    daemon: bool,
    spent: bool,
}

fn off(rigs: &[Rig], mayor: bool, life: Life) -> Vec<String> {
    let mut off = Vec::new();
    match (life.up, life.daemon) {
        (false, false) => {
            off.push(
                "the town is down: nothing watches workers, merges, or slings what becomes ready (gt start)".into(),
            );
        }
        (true, false) if life.spent => off.push(
            "the daemon died too often and is not started again by itself: see why in logs/, then: gt start".into(),
        ),
        (true, false) => off.push("the daemon is not running; the next command starts it".into()),
        (false, true) => off.push("the town is going down".into()),
        (true, true) => {}
    }
    for rig in rigs {
        if !rig.config.witness {
            off.push(format!("witness of {} is off: silent workers and ready beads are yours to see to", rig.name));
        }
        if !rig.config.refinery {
            off.push(format!("refinery of {} is off: what is handed in stays in the queue", rig.name));
        }
    }
    if !mayor {
        off.push("the Mayor is off".into());
    }
    off
}

impl TownStatus {
    /// For people.
    pub fn text(&self, now: Time) -> String {
        let daemon = self.daemon.map_or("no daemon".to_owned(), |pid| format!("daemon {pid}"));
        let state = if self.up_since.is_some() { "up" } else { "down" };
        let mut lines = vec![format!("{}  {}  {state}, {daemon}", self.name, self.location.display())];
        for agent in &self.agents {
            lines.push(format!("  {}", agent.line(&format!("{:<9}", agent.address.short()), now)));
        }
        for rig in &self.rigs {
            rig.text(&mut lines, now);
        }
        if self.rigs.is_empty() && self.broken.is_empty() {
            lines.push("no project yet: gt rig add NAME URL-OR-PATH".into());
        }
        // What came back is told of with its queue, and goes on in another way.
        let back = |bead: &BeadId| self.rigs.iter().any(|rig| rig.queue.came_back.iter().any(|one| one.bead == *bead));
        let quarantined: Vec<_> = self.quarantined.iter().filter(|one| !back(&one.bead)).collect();
        if !quarantined.is_empty() {
            let beads = text::count(quarantined.len(), "bead");
            lines.push(format!("{beads} in quarantine for you to look at:"));
        }
        for Quarantined { bead, title, why, sling, last_line } in quarantined {
            let title = text::headline(title, 40);
            lines.push(format!("  {bead} {title}: {why} (gt why {bead}; go on: {sling})"));
            if let Some(line) = last_line {
                lines.push(format!("    last on its worker's screen: {line} (gt peek {bead})"));
            }
        }
        for Refused { why, beads } in &self.refused {
            let shown: Vec<&str> = beads.iter().take(5).map(BeadId::as_str).collect();
            let more = beads.len().saturating_sub(shown.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            lines.push(format!("not begun: {}{more}: {why} (gt why {})", shown.join(", "), beads[0]));
        }
        let mut counts = Vec::new();
        if self.convoys > 0 {
            counts.push(format!("{} open (gt convoy list)", text::count(self.convoys, "convoy")));
        }
        if self.mail > 0 {
            let unread = text::count(self.mail, "message");
            counts.push(format!("{unread} unread for you (bd list --type message; bd close ID marks one read)"));
        }
        if self.intents > 0 {
            counts.push(format!("{} under way", text::count(self.intents, "action")));
        }
        if !counts.is_empty() {
            lines.push(counts.join(" · "));
        }
        lines.extend(self.off.iter().map(|text| format!("off: {text}")));
        for warning in &self.warnings {
            let known = if warning.starts_with("warning") { "" } else { "warning: " };
            lines.push(format!("{known}{warning}"));
        }
        lines.join("\n")
    }
}

impl RigStatus {
    fn text(&self, lines: &mut Vec<String>, now: Time) {
        let busy = self.agents.iter().filter(|a| a.bead.is_some()).count();
        let queue = &self.queue;
        let workers = text::count(busy, "worker");
        let mut parts = vec![format!("{}  {workers}", self.rig), format!("queue {}", queue.pending + queue.in_flight)];
        if queue.held > 0 {
            parts.push(format!("{} for your review (gt review)", queue.held));
        }
        match (&self.landing, &self.runtime) {
            (Some(landing), Some(runtime)) => parts.extend([format!("landing {landing}"), runtime.clone()]),
            _ => parts.push("its configuration cannot be used (see below)".to_owned()),
        }
        lines.push(parts.join(" · "));
        if let Some(why) = &queue.paused {
            lines.push(format!("  queue waits: {why}"));
            lines.extend(queue.printed.iter().map(|line| format!("    {line}")));
        }
        let mut by_reason: BTreeMap<&str, (Vec<&str>, &Waiting)> = BTreeMap::new();
        for waiting in &queue.waiting {
            let (beads, _) = by_reason.entry(&waiting.why).or_insert((Vec::new(), waiting));
            beads.push(waiting.bead.as_str());
        }
        for (why, (beads, first)) in by_reason {
            let (beads, verb) = (beads.join(", "), if beads.len() == 1 { "waits" } else { "wait" });
            // What the remote said stands with the queue, when that waits for it, too.
            let said = |paused: &String| why.strip_prefix(wait::REFUSED).is_some_and(|said| paused.contains(said));
            let told = queue.paused.as_ref().is_some_and(said);
            let why = if told { "the remote refused the push" } else { why };
            let again = first.again.as_ref().map_or(String::new(), |again| format!(" ({again})"));
            lines.push(format!("  {beads} {verb}: {why}{again}"));
            lines.extend(first.printed.iter().map(|line| format!("    {line}")));
        }
        for Waiting { bead, why, printed, .. } in &queue.came_back {
            lines.push(format!("  {bead} came back: {why} (go on: gt review back {bead} --comment TEXT)"));
            lines.extend(printed.iter().map(|line| format!("    {line}")));
        }
        for agent in &self.agents {
            lines.push(format!("  {}", agent.line(&format!("{:<9}", agent.address.short()), now)));
        }
    }
}
