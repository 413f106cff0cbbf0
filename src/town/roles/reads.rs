//! What rules ask for beyond the snapshot, answered from the same transaction.

use std::cell::RefCell;
use std::sync::Arc;

use super::scope::Scope;
use super::snapshot::Beads;
use crate::base::{Address, BeadId, Time};
use crate::git::Repo;
use crate::ledger;
use crate::molecule;
use crate::policy::{BeadFact, BeadQuery, BranchFact, MailFact, PolecatFact, Reads, Snapshot, Subject, Unreadable};
use crate::store::{DepKind, Filter, IssueType, Read, Status, StoreError};
use crate::town::{Acting, agent, hosts};

/// Answers for the rules of one rig, or of the town, in one pass.
pub struct TownReads<'a, 'r> {
    cx: &'a Acting<'a>,
    r: &'a Read<'r>,
    scope: Scope<'a>,
    repo: Option<&'a Repo>,
    snapshot: &'a Snapshot,
    beads: RefCell<Beads<'a, 'r>>,
}

impl std::fmt::Debug for TownReads<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TownReads").field("scope", &self.scope).finish_non_exhaustive()
    }
}

fn unreadable(what: &str, error: &dyn std::fmt::Display) -> Unreadable {
    Unreadable(format!("{what}: {error}"))
}

fn store(error: StoreError) -> Unreadable {
    unreadable("store", &error)
}

impl<'a, 'r> TownReads<'a, 'r> {
    /// Reads for a pass over `snapshot`.
    pub fn new(
        cx: &'a Acting<'a>,
        r: &'a Read<'r>,
        scope: Scope<'a>,
        repo: Option<&'a Repo>,
        snapshot: &'a Snapshot,
        beads: Beads<'a, 'r>,
    ) -> Self {
        Self { cx, r, scope, repo, snapshot, beads: RefCell::new(beads) }
    }

    fn fact(&self, id: &BeadId) -> Result<Option<Arc<BeadFact>>, Unreadable> {
        if let Some(fact) = self.snapshot.beads.iter().find(|b| b.id == *id) {
            return Ok(Some(Arc::clone(fact)));
        }
        self.beads.borrow_mut().get(id).map_err(store)
    }

    fn found_in(&self, bead: &BeadId, from: &str) -> Result<bool, Unreadable> {
        let deps = self.r.deps(bead).map_err(store)?;
        Ok(deps.iter().any(|d| d.kind == DepKind::DISCOVERED_FROM && d.depends_on_id.as_str() == from))
    }
}

impl Reads for TownReads<'_, '_> {
    fn bead(&self, id: &str) -> Result<Option<Arc<BeadFact>>, Unreadable> {
        match BeadId::new(id) {
            Ok(id) => self.fact(&id),
            Err(_) => Ok(None),
        }
    }

    fn find(&self, query: &BeadQuery) -> Result<Vec<Arc<BeadFact>>, Unreadable> {
        let filter = Filter {
            statuses: query.status.iter().map(|s| Status::new(s)).collect(),
            not_statuses: vec![Status::TOMBSTONE],
            types: query.kind.iter().map(|k| IssueType::from_alias(k)).collect(),
            labels: query.label.iter().cloned().collect(),
            under: query.epic.as_ref().and_then(|id| BeadId::new(id).ok()),
            // A role of the town finds the beads of all rigs.
            prefix: self.scope.rig().map(|rig| rig.prefix().to_string()),
            ..Filter::default()
        };
        let mut found = Vec::new();
        for bead in self.r.find(&filter).map_err(store)? {
            if let Some(from) = &query.found_in
                && !self.found_in(&bead.id, from)?
            {
                continue;
            }
            found.push(self.beads.borrow_mut().of(&bead).map_err(store)?);
        }
        Ok(found)
    }

    fn hook_of(&self, agent: &str) -> Result<Option<Arc<BeadFact>>, Unreadable> {
        let address: Address = agent.parse().map_err(|e| unreadable("hook", &e))?;
        match self.r.hook(&address).map_err(store)? {
            Some(hook) => self.fact(&hook.bead),
            None => Ok(None),
        }
    }

    fn free(&self) -> Result<Vec<Arc<PolecatFact>>, Unreadable> {
        Ok(self.snapshot.polecats.iter().filter(|p| p.bead.is_none()).cloned().collect())
    }

    fn screen(&self, agent: &Address, lines: usize) -> Result<String, Unreadable> {
        let row = agent::get(self.r, agent).map_err(store)?;
        let row = row.ok_or_else(|| Unreadable(format!("screen: there is no agent {agent}")))?;
        let host = hosts::open(self.cx, row.host).map_err(|e| unreadable("screen", &e))?;
        host.screen(&row.session, lines).map_err(|e| unreadable("screen", &e))
    }

    fn unread(&self, address: &str) -> Result<Vec<Arc<MailFact>>, Unreadable> {
        let filter = Filter {
            types: vec![IssueType::MESSAGE],
            statuses: vec![Status::OPEN],
            assignee: Some(address.to_owned()),
            ..Filter::default()
        };
        let mail = self.r.find(&filter).map_err(store)?;
        let fact = |b: crate::store::Bead| {
            let from = b.labels.iter().find_map(|l| l.strip_prefix("from:")).unwrap_or(&b.created_by).to_owned();
            Arc::new(MailFact { id: b.id.to_string(), from, subject: b.title, body: b.description })
        };
        Ok(mail.into_iter().map(fact).collect())
    }

    fn branches(&self, merged: Option<bool>) -> Result<Vec<Arc<BranchFact>>, Unreadable> {
        let git = |e: crate::git::GitError| unreadable("git", &e);
        let repo = self.repo.ok_or_else(|| Unreadable("git: the rig's repository cannot be opened".into()))?;
        let rig = self.scope.rig().ok_or_else(|| Unreadable("git: a role of the whole town has no branches".into()))?;
        let target = repo.oid_of(&rig.target_ref()).map_err(git)?;
        let target = target.ok_or_else(|| Unreadable("git: the target branch is not there".into()))?;
        let mut branches = Vec::new();
        for (name, tip) in repo.refs("refs/heads/").map_err(git)? {
            let ahead = repo.ahead(tip, target).map_err(git)? as u64;
            if merged.is_some_and(|wanted| wanted != (ahead == 0)) {
                continue;
            }
            let name = name.trim_start_matches("refs/heads/").to_owned();
            let bead = match name.rsplit('/').next().and_then(|id| BeadId::new(id).ok()) {
                Some(id) if name.starts_with("gt/") => self.fact(&id)?,
                _ => None,
            };
            let last_commit_ms = repo.commit_time(tip).map_err(git)?.millis();
            branches.push(Arc::new(BranchFact { name, ahead, last_commit_ms, bead }));
        }
        Ok(branches)
    }

    fn idle_wisps(&self, since_ms: i64) -> Result<Vec<Arc<BeadFact>>, Unreadable> {
        let idle = molecule::idle_wisps(self.r, Time::from_millis(since_ms), true).map_err(store)?;
        let mut beads = self.beads.borrow_mut();
        idle.iter().map(|root| beads.of(root).map_err(store)).collect()
    }

    fn scattered(&self) -> Result<bool, Unreadable> {
        Ok(ledger::wants_repack(&self.cx.town.beads_dir()))
    }

    fn count(&self, action: &str, subject: &Subject, since_ms: Option<i64>) -> Result<u64, Unreadable> {
        let subject = subject_key(subject);
        let since = since_ms.map(Time::from_millis);
        let rows = self.r.decisions(&subject).map_err(store)?;
        let of_row = |row: &crate::store::DecisionRow| {
            let verbs = row.actions.as_array().into_iter().flatten();
            verbs.filter(|a| a.get("action").and_then(|v| v.as_str()) == Some(action)).count() as u64
        };
        Ok(rows
            .iter()
            .filter(|row| row.outcome == super::execute::DONE && since.is_none_or(|t| row.at >= t))
            .map(of_row)
            .sum())
    }
}

/// How the journal names a subject.
pub fn subject_key(subject: &Subject) -> String {
    match subject {
        Subject::Bead(id) | Subject::Mr(id) => id.to_string(),
        Subject::Agent(address) => address.to_string(),
        Subject::Town => "town".into(),
        Subject::Made(_) => "new bead".into(),
    }
}
