//! One look at the town: what has ended is noted, every rig is judged, what was decided is carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::dispatch::Dispatcher;
use super::guard::guarded;
use super::journal;
use super::judge::{self, Judged, Look};
use super::merges::Ended;
use super::patrol;
use super::run::DaemonError;
use crate::base::process::{ProcId, pause};
use crate::base::{Address, BeadId, RigName, Time};
use crate::queue::driver::Report;
use crate::queue::{self, wait};
use crate::store::{Read, StoreError};
use crate::town::roles::evidence::exit_facts;
use crate::town::roles::snapshot::Homes;
use crate::town::roles::{self, Desk, Outcome, Scope, Seen, events};
use crate::town::{AgentRow, AgentState, Rig, agent, given_up, hosts, intent, last_words, trouble};

/// So many looks in a row may each have an effect before the dispatcher listens again.
const ROUNDS: usize = 8;
/// A rig that could not be looked at is looked at again after this.
const AGAIN_MS: i64 = 15_000;
/// What should have been looked at before is looked at again after this.
const PAST_MS: i64 = 1_000;

impl Dispatcher {
    /// Looks at everything until a look has no effect; true when the first had one.
    pub(super) fn look(&mut self) -> Result<bool, DaemonError> {
        for nth in 0..ROUNDS {
            self.seen_version = Some(self.store.data_version()?);
            if !self.round()? {
                self.drainer.ring();
                self.keeper.ring();
                return Ok(nth > 0);
            }
        }
        // Something keeps having effects: go on, but hear of the rest of the world in between.
        self.status.next = Some(self.world.clock.now().plus_millis(100));
        Ok(true)
    }

    /// One look at everything; true when it had an effect.
    fn round(&mut self) -> Result<bool, DaemonError> {
        self.status.passes += 1;
        let mut effect = false;
        for ended in self.merges.ended() {
            effect = true;
            note_end(&mut self.queue_troubles, &ended);
            match ended.result {
                Ok(report) => {
                    // A look at a target that has not moved comes every few seconds.
                    if report == Report::default() {
                        tracing::debug!(rig = %ended.rig, "nothing became of it in the queue");
                    } else {
                        tracing::info!(rig = %ended.rig, ?report, "the queue has ended a batch");
                    }
                }
                Err(error) => {
                    tracing::error!(rig = %ended.rig, %error, "the queue failed");
                    let by = Self::stamp(&self.world);
                    self.store.write(&by, |w| wait::broke_down(w, &ended.rig, &error).map(|_| ()))?;
                }
            }
            if ended.overtaken {
                self.store.write(&Self::stamp(&self.world), |w| wait::retry(w, &ended.rig))?;
            }
        }
        let rows = self.store.read(agent::all)?;
        self.watch_agents(&rows);
        effect |= self.note_exits(&rows)?;
        effect |= self.let_go(&rows)?;
        let intents = self.store.read(intent::all)?;
        self.hands.turn(&mut self.store, intents)?;
        let mut next: Option<i64> = None;
        let mut troubles = self.broken.clone();
        let homes = Homes::default();
        for index in 0..self.rigs.len() {
            let rig = self.rigs[index].clone();
            let done = guarded(|| {
                let mut judged = self.judge(&rig, &rows, &homes)?;
                troubles.extend(judged.overlooked.take().map(|said| (format!("beads of {}", rig.name), said)));
                next = next.into_iter().chain(judged.next_ms).min();
                self.act(&rig, judged)
            });
            match done.and_then(|done: Result<bool, DaemonError>| done.map_err(|e| e.to_string())) {
                Ok(any) => effect |= any,
                // Something of this rig: the others go on.
                Err(error) => {
                    next = next.into_iter().chain([self.world.clock.now().millis() + AGAIN_MS]).min();
                    tracing::error!(rig = %rig.name, %error, "this rig cannot be looked at");
                    troubles.insert(format!("rig {}", rig.name), format!("{error}; it is tried again by itself"));
                }
            }
        }
        match guarded(|| self.town_patrols(&mut next)).and_then(|done| done.map_err(|e| e.to_string())) {
            Ok(any) => effect |= any,
            Err(error) => {
                next = next.into_iter().chain([self.world.clock.now().millis() + AGAIN_MS]).min();
                tracing::error!(%error, "the patrols of the town cannot be done");
                troubles.insert("patrols of the town".into(), format!("{error}; it is tried again by itself"));
            }
        }
        let now = self.world.clock.now().millis();
        self.status.next = next.map(|next| Time::from_millis(not_at_once(next, now)));
        if self.store.read(trouble::read)? != troubles {
            self.store.write(&Self::stamp(&self.world), |w| trouble::save(w, &troubles))?;
        }
        self.forget_queue_troubles()?;
        let queues = self.queue_troubles.iter().filter(|(rig, _)| self.rigs.iter().any(|known| known.name == **rig));
        let queues = queues.map(|(rig, error)| (format!("queue of {rig}"), error.clone()));
        self.status.troubles = troubles.into_iter().chain(queues).collect();
        self.status.seen_event = self.store.read(last_event)?;
        Ok(effect)
    }

    /// The trouble of a queue is over when its pause is, for then it tries again, or when nothing is in it any more.
    fn forget_queue_troubles(&mut self) -> Result<(), DaemonError> {
        let now = self.world.clock.now();
        for rig in self.queue_troubles.keys().cloned().collect::<Vec<_>>() {
            let stands = self.store.read(|r| {
                let paused = wait::pause(r, &rig)?.is_some_and(|pause| pause.holds(now));
                Ok::<_, StoreError>(paused && !queue::open(r, &rig)?.is_empty())
            })?;
            if !stands {
                self.queue_troubles.remove(&rig);
            }
        }
        Ok(())
    }

    /// Does the patrols of the roles that act for the whole town.
    fn town_patrols(&mut self, next: &mut Option<i64>) -> Result<bool, DaemonError> {
        let judged =
            judge::judge_town(&self.world, &self.store, &mut self.roles, &self.prefixes, self.woke_ms, &self.heard_to)?;
        *next = next.iter().copied().chain(judged.next_ms).min();
        let mut news = false;
        for (role, warnings) in &judged.warnings {
            news |= self.roles.judged_badly(Scope::Town, role, warnings);
        }
        let effect = self.patrol(Scope::Town, &judged)?;
        if news {
            let (roles, by) = (&self.roles, Self::stamp(&self.world));
            self.store.write(&by, |w| roles.save_warnings(w))?;
        }
        Ok(effect)
    }

    /// Carries out the cycles of patrols.
    fn patrol(&mut self, scope: Scope<'_>, judged: &Judged) -> Result<bool, DaemonError> {
        let mut effect = false;
        self.heard_to.extend(judged.heard.iter().cloned());
        for (plan, cycle) in &judged.cycles {
            let by = scope.actor(&plan.role);
            let done = patrol::carry_out(&self.world.acting(&by), &mut self.store, scope, plan, cycle)?;
            effect |= cycle.did_something();
            self.status.actions += cycle.decisions.iter().map(|d| d.actions.len() as u64).sum::<u64>();
            tracing::info!(patrol = plan.name, rig = scope.name(), steps = cycle.steps.len(), "a cycle is over");
            done.after.into_iter().for_each(|after| self.hands.after(after));
        }
        Ok(effect)
    }

    fn watch_agents(&mut self, rows: &[AgentRow]) {
        for row in rows {
            if let Some(proc) = &row.proc
                && row.wants_session()
                && self.watched.insert(proc.clone())
            {
                self.exits.add(proc.clone());
            }
        }
        let known: BTreeSet<&ProcId> = rows.iter().filter_map(|r| r.proc.as_ref()).collect();
        self.watched.retain(|proc| known.contains(proc));
    }

    /// An agent whose process is gone while its work is not: that is an event, once.
    fn note_exits(&mut self, rows: &[AgentRow]) -> Result<bool, DaemonError> {
        let mut any = false;
        for row in rows.iter().filter(|r| matches!(r.state, AgentState::Working | AgentState::Waiting)) {
            if row.proc.as_ref().is_none_or(ProcId::alive) {
                continue;
            }
            let by = Self::stamp(&self.world);
            let code = if row.is_new(by.now) { self.exit_code(row) } else { None };
            // The next session of this name takes its screen away.
            let last_line = last_words::keep(&self.world.acting("deacon"), row).unwrap_or_default();
            any |= self.store.write(&by, |w| {
                let Some(mut now) = agent::readable(w, &row.address)? else { return Ok(false) };
                let busy = intent::stands(w, &row.address)?;
                if now.state != row.state || now.proc != row.proc || busy {
                    return Ok(false);
                }
                now.has_ended(w.by().now, code);
                now.last_line.clone_from(&last_line);
                agent::put(w, &now)?;
                w.emit("agent_exited", &row.address.to_string(), exit_facts(&now).into())?;
                Ok::<_, StoreError>(true)
            })?;
        }
        Ok(any)
    }

    /// How a session that has just ended did so; its host may need a moment to know.
    fn exit_code(&self, row: &AgentRow) -> Option<i32> {
        let host = hosts::open(&self.world.acting("deacon"), row.host).ok()?;
        for _ in 0..20 {
            if let Some(code) = host.probe(&row.session).ok()?.exit {
                return Some(code);
            }
            pause(Duration::from_millis(25));
        }
        None
    }

    /// Sends those away whose bead was given up: nobody else speaks of it any more.
    fn let_go(&mut self, rows: &[AgentRow]) -> Result<bool, DaemonError> {
        let mut any = false;
        for bead in self.store.read(|r| given_up::waiting(r, rows))? {
            any |= !self.store.write(&Self::stamp(&self.world), |w| given_up::plan(w, &bead))?.is_empty();
        }
        Ok(any)
    }

    fn judge(&mut self, rig: &Rig, rows: &[AgentRow], homes: &Homes) -> Result<Judged, DaemonError> {
        let repo = rig.repo().ok();
        let own: Vec<AgentRow> = rows.iter().filter(|r| r.rig() == Some(&rig.name)).cloned().collect();
        let seen = self.looker.look(&self.world.acting("deacon"), repo.as_ref(), &own);
        // Else somebody who died since this round began would be brought back before it is known how they ended.
        self.note_exits(&own)?;
        self.note_dialogs(&own, &seen)?;
        let look = Look {
            rig,
            rigs: &self.prefixes,
            seen: &seen,
            repo: repo.as_ref(),
            queue_free: rig.config.refinery && !self.merges.busy(&rig.name),
            looked: self.looked.get(&rig.name).copied(),
            homes,
            woke_ms: self.woke_ms,
            heard_to: &self.heard_to,
        };
        Ok(judge::judge(&self.world, &self.store, &mut self.roles, &self.cursors, &look)?)
    }

    /// An agent that stands still at a dialog waits, and works again once its screen was read and shows none.
    fn note_dialogs(&mut self, rows: &[AgentRow], seen: &BTreeMap<Address, Seen>) -> Result<(), DaemonError> {
        for row in rows {
            let Some(seen) = seen.get(&row.address).filter(|seen| seen.alive == Some(true)) else { continue };
            if !row.clone().waits_at(seen.dialog(row)) {
                continue;
            }
            self.store.write(&Self::stamp(&self.world), |w| {
                let Some(mut now) = agent::readable(w, &row.address)?.filter(|now| now.proc == row.proc) else {
                    return Ok(());
                };
                let dialog = seen.dialog(&now).map(str::to_owned);
                if now.waits_at(dialog.as_deref()) {
                    agent::put(w, &now)?;
                }
                Ok::<_, StoreError>(())
            })?;
        }
        Ok(())
    }

    /// Carries out what was decided.
    fn act(&mut self, rig: &Rig, judged: Judged) -> Result<bool, DaemonError> {
        let mut effect = false;
        let mut news = false;
        for (role, warnings) in &judged.warnings {
            news |= self.roles.judged_badly(Scope::Rig(rig), role, warnings);
        }
        let mut desk = Desk::default();
        for (decision, cursor) in &judged.decisions {
            let by = format!("{}/{}", rig.name, decision.origin.role);
            let cx = self.world.acting(&by);
            match roles::execute(&cx, &mut self.store, Scope::Rig(rig), decision, *cursor, &mut desk)? {
                Outcome::Done(done) => {
                    effect = true;
                    self.status.actions += decision.actions.len() as u64;
                    tracing::info!(rule = decision.origin.rule, subject = %decision.subject, "decided");
                    for after in done.after {
                        self.hands.after(after);
                    }
                }
                Outcome::Refused(why) => {
                    tracing::debug!(rule = decision.origin.rule, subject = %decision.subject, why, "refused");
                }
            }
        }
        desk.close(&Self::stamp(&self.world), &mut self.store)?;
        effect |= self.patrol(Scope::Rig(rig), &judged)?;
        self.remember(rig, &judged, news)?;
        if judged.settle {
            self.merges.settle(rig);
        }
        if let Some(batch) = judged.batch {
            // What was just decided may concern its members; the next look sees it.
            if !effect {
                self.merges.start(rig, &batch.gates, batch.job);
            }
        } else if judged.look {
            self.looked.insert(rig.name.clone(), self.world.clock.now());
            self.merges.look(rig);
        }
        Ok(effect)
    }

    fn remember(&mut self, rig: &Rig, judged: &Judged, warnings: bool) -> Result<(), DaemonError> {
        let mut stored = Vec::new();
        for (role, cursor, must) in &judged.cursors {
            let key = (rig.name.clone(), role.clone());
            let new = self.cursors.insert(key, *cursor) != Some(*cursor);
            if *must && new {
                stored.push((role, *cursor));
            }
        }
        let notes: BTreeMap<&BeadId, &String> = judged.notes.iter().map(|(id, why)| (id, why)).collect();
        let changed = self.store.read(|r| {
            let mut changed = Vec::new();
            for (id, why) in notes {
                if wait::note(r, id)?.as_ref() != Some(why) {
                    changed.push((id, why));
                }
            }
            Ok::<_, StoreError>(changed)
        })?;
        let admissions = self.store.read(|r| journal::changed(r, &judged.admissions))?;
        let quiet = stored.is_empty() && changed.is_empty() && admissions.is_empty();
        if quiet && !warnings && !judged.ladders.has_forgotten() {
            return Ok(());
        }
        let (roles, by) = (&self.roles, Self::stamp(&self.world));
        self.store.write(&by, |w| {
            for (role, cursor) in stored {
                events::set_cursor(w, &rig.name, role, cursor)?;
            }
            for (id, why) in changed {
                wait::set_note(w, id, why)?;
            }
            for admission in admissions {
                admission.save(w)?;
            }
            judged.ladders.save(w)?;
            roles.save_warnings(w)
        })?;
        Ok(())
    }
}

/// What the end of work in a queue says of its trouble. Who only saw whether the target has moved has not tried again what
/// went wrong.
fn note_end(troubles: &mut BTreeMap<RigName, String>, ended: &Ended) {
    match &ended.result {
        Err(error) => {
            troubles.insert(ended.rig.clone(), error.clone());
        }
        Ok(_) if ended.looked => {}
        Ok(_) => {
            troubles.remove(&ended.rig);
        }
    }
}

/// When to wake for something that is due at `next`. What was due before this look has just been looked at; looking
/// at it again at once would see the same.
fn not_at_once(next: i64, now: i64) -> i64 {
    if next <= now { now + PAST_MS } else { next }
}

fn last_event(r: &Read<'_>) -> Result<i64, StoreError> {
    r.last_event()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_the_target_does_not_end_the_trouble_of_a_queue() {
        let rig = RigName::new("app").expect("a name");
        let ended = |looked, result| Ended { rig: rig.clone(), looked, overtaken: false, result };
        let mut troubles = BTreeMap::new();
        note_end(&mut troubles, &ended(false, Err("no way here".into())));
        note_end(&mut troubles, &ended(true, Ok(Report::default())));
        assert_eq!(troubles.get(&rig).map(String::as_str), Some("no way here"));
        note_end(&mut troubles, &ended(false, Ok(Report::default())));
        assert!(troubles.is_empty());
    }

    #[test]
    fn what_is_overdue_does_not_keep_the_daemon_spinning() {
        assert_eq!(not_at_once(1_234, 0), 1_234);
        assert_eq!((not_at_once(5_000, 5_000), not_at_once(0, 5_000)), (6_000, 6_000));
    }
}
