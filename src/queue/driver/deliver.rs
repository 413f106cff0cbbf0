//! Brings what passed to the target, and finds out what became of a push whose end nobody saw.

use serde_json::json;

use super::{Driver, Layer, Report, Turn, cannot_fetch};
use crate::base::BeadId;
use crate::base::fault::{Point, pass};
use crate::config::Landing;
use crate::git::{GitError, Oid, Push};
use crate::queue::bench::Tested;
use crate::queue::machine::{Event, State};
use crate::queue::push::{self, Intent};
use crate::queue::request::{Request, Words, open, step};
use crate::queue::{QueueError, wait};
use crate::store::StoreError;

impl Driver<'_> {
    /// Finishes or takes back what was in hand when the last driver of this rig ended.
    pub fn settle(&mut self) -> Result<Report, QueueError> {
        let rig = &self.site.rig;
        let (intent, open) = self.store.read(|r| Ok::<_, StoreError>((push::get(r, rig)?, open(r, rig)?)))?;
        if let Some(intent) = intent {
            if let Some(why) = self.fetch()? {
                self.pause(&why)?;
                return Ok(std::mem::take(&mut self.report));
            }
            let tip = self.tip_of(&intent.target)?;
            let new = oid(&intent.new)?;
            if self.repo.is_ancestor(new, tip)? {
                self.land(&intent)?;
            } else {
                self.take_back(&intent, "the push did not arrive")?;
            }
        }
        let stray: Vec<BeadId> = open.into_iter().filter(|q| q.state().in_hand()).map(|q| q.id).collect();
        self.write(|w| {
            for id in &stray {
                if Request::load(w, id)?.state().in_hand() {
                    step(w, id, Event::Interrupted, &Words::why("its daemon ended while it was in hand"))?;
                }
            }
            Ok(())
        })?;
        Ok(std::mem::take(&mut self.report))
    }

    /// Everything passed. Lands it, or holds it for a person.
    pub(super) fn deliver(
        &mut self,
        base: Oid,
        layers: &[Layer],
        members: &[Request],
        tested: &Tested,
    ) -> Result<Turn, QueueError> {
        pass(Point::BatchTested);
        let approved = |id: &BeadId| members.iter().any(|m| m.id == *id && m.mr.approved.is_some());
        let passed = Event::Passed { commit: tested.commit().to_string() };
        let runs = serde_json::to_value(tested.runs()).expect("plain data serialises");
        if self.site.landing != Landing::Direct && !layers.iter().all(|l| approved(&l.id)) {
            let words = Words::why("passed its gates; waits for your review: gt review")
                .with("gates", runs)
                .with("tested", json!({ "commit": tested.commit().to_string(), "on": base.to_string() }));
            self.write(|w| {
                for layer in layers {
                    step(w, &layer.id, passed.clone(), &Words::default())?;
                    step(w, &layer.id, Event::HeldForReview, &words)?;
                }
                Ok(())
            })?;
            self.report.held.extend(layers.iter().map(|l| l.id.clone()));
            return Ok(Turn::Over);
        }
        let intent = Intent {
            target: self.site.target.clone(),
            old: base.to_string(),
            new: tested.commit().to_string(),
            members: layers.iter().map(|l| (l.id.clone(), l.commit.to_string())).collect(),
            at: self.clock.now(),
        };
        self.write(|w| {
            for layer in layers {
                step(w, &layer.id, passed.clone(), &Words::default())?;
            }
            Ok(push::put(w, &self.site.rig, &intent)?)
        })?;
        self.push(base, &intent, tested)
    }

    fn push(&mut self, base: Oid, intent: &Intent, tested: &Tested) -> Result<Turn, QueueError> {
        let refname = format!("refs/heads/{}", self.site.target);
        pass(Point::PushIntended);
        match self.repo.push_cas("origin", &refname, tested.commit(), base)? {
            Push::Pushed => {
                pass(Point::PushArrived);
                let ours = format!("refs/remotes/origin/{}", self.site.target);
                // The next fetch would see it too; this saves waiting for it.
                if let Err(error) = self.repo.set_ref(&ours, tested.commit(), Some(base), "pushed by the merge queue") {
                    tracing::debug!(%error, "the remote's branch is seen at the next fetch");
                }
                self.land(intent)?;
                Ok(Turn::Over)
            }
            Push::Moved(Some(tip)) => {
                tracing::info!(rig = %self.site.rig, %tip, "the target moved; building anew");
                self.take_back(intent, "the target moved while it was tested")?;
                Ok(Turn::Anew)
            }
            Push::Moved(None) => {
                let why = self.no_target()?;
                self.take_back(intent, &why)?;
                self.pause(&why)?;
                Ok(Turn::Over)
            }
            Push::Refused { by_rule: false, reason } => {
                self.take_back(intent, &format!("{}{reason}", wait::REFUSED))?;
                self.pause(&self.refuses(&reason))?;
                Ok(Turn::Over)
            }
            Push::Refused { by_rule: true, reason } => {
                let why = format!("{}{reason}", wait::REFUSED);
                self.take_back(intent, &why)?;
                if let [(first, _), _, ..] = intent.members.as_slice() {
                    // It may be one of them that the remote does not take.
                    return Ok(Turn::Alone(first.clone()));
                }
                // Others go first when the pause is over: perhaps it is only this one.
                self.write(|w| {
                    for (id, _) in &intent.members {
                        wait::set_wait(w, id, &why, Some(base.to_string()))?;
                    }
                    Ok(())
                })?;
                self.pause(&self.refuses(&reason))?;
                Ok(Turn::Over)
            }
            Push::Unreachable(message) => {
                // It may have arrived: the intent stays, and the next look at the remote decides.
                self.pause(&format!("the remote cannot be reached: {message}"))?;
                Ok(Turn::Over)
            }
        }
    }

    fn refuses(&self, reason: &str) -> String {
        format!("the remote refuses pushes to {}: {reason}", self.site.target)
    }

    /// What to say of a target that the remote does not have any more, although it was there at the last fetch.
    fn no_target(&self) -> Result<String, QueueError> {
        const SHOWN: usize = 5;
        let target = &self.site.target;
        let names = match self.repo.branches_at("origin") {
            Ok(names) => names,
            Err(error @ GitError::Unreachable { .. }) => return Ok(cannot_fetch(&error)),
            Err(error) => return Err(error.into()),
        };
        let mut has: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
        if names.len() > SHOWN {
            has.push("…".to_owned());
        }
        let has = if has.is_empty() { "none at all".to_owned() } else { has.join(", ") };
        Ok(format!(
            "the remote has no branch `{target}` any more (it has {has}): make `{target}` there again, or set `target` \
             in rig.toml"
        ))
    }

    /// Records that the intent's commit is on the target: requests, beads and convoys in one transaction.
    fn land(&mut self, intent: &Intent) -> Result<(), QueueError> {
        let (rig, on_landed) = (&self.site.rig, self.follow.landed);
        let landed = self.write(|w| {
            let mut landed = Vec::new();
            for (id, own) in &intent.members {
                let request = Request::load(w, id)?;
                if request.state() == State::Merged {
                    continue;
                }
                let short = own.get(..10).unwrap_or(own);
                let words = Words {
                    landed: Some(own.clone()),
                    ..Words::why(format!("merged into {} as {short}", intent.target))
                };
                step(w, id, Event::Landed { commit: intent.new.clone() }, &words)?;
                on_landed(w, &request, own)?;
                landed.push(id.clone());
            }
            push::delete(w, rig)?;
            wait::end_pause(w, rig)?;
            w.emit("pushed", rig.as_str(), json!({ "target": intent.target, "old": intent.old, "new": intent.new }))?;
            Ok(landed)
        })?;
        self.report.landed.extend(landed);
        Ok(())
    }

    fn take_back(&mut self, intent: &Intent, why: &str) -> Result<(), QueueError> {
        let rig = &self.site.rig;
        self.write(|w| {
            for (id, _) in &intent.members {
                if Request::load(w, id)?.state().in_hand() {
                    step(w, id, Event::PutBack, &Words::why(why))?;
                }
            }
            Ok(push::delete(w, rig)?)
        })
    }
}

fn oid(text: &str) -> Result<Oid, QueueError> {
    Oid::from_str(text).map_err(|_| GitError::NoSuch(format!("commit `{text}`")).into())
}
