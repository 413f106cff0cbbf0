//! Finds out whose fault it is when a gate does not pass on the tip of a stack.
//!
//! The same gate on the target by itself decides: what ails the target too is nobody's fault, and whoever mends it
//! may land; what does not is the fault of one member, which is searched for and goes back to its worker.

use super::{Driver, Layer, Turn};
use crate::base::BeadId;
use crate::git::Oid;
use crate::queue::bench::{Outcome, Run};
use crate::queue::machine::Event;
use crate::queue::request::{OUTPUT, Request, Words, step};
use crate::queue::{QueueError, wait};

impl Driver<'_> {
    /// The gate of `first` does not pass on the tip of `layers`.
    pub(super) fn diagnose(
        &mut self,
        base: Oid,
        layers: &[Layer],
        members: &[Request],
        first: Run,
    ) -> Result<Turn, QueueError> {
        let Some(top) = layers.last() else { return Ok(Turn::Over) };
        let mut blame = first;
        if let Some(ill) = self.ills_target(base, &blame)? {
            return self.ill_target(base, layers, members, &ill);
        }
        if !blame.failed() {
            // Somebody may have killed it, or the machine was too busy: once more, before anybody is blamed.
            match self.test(base, top.commit)? {
                Outcome::Pass(tested) => return self.deliver(base, layers, members, &tested),
                Outcome::Uncovered => return self.one_by_one(layers),
                Outcome::Bad(run) => blame = run,
            }
            if let Some(ill) = self.ills_target(base, &blame)? {
                return self.ill_target(base, layers, members, &ill);
            }
        }
        // The stack is no worse than the target up to `good` members, and it is with `bad` of them.
        let (mut good, mut bad, mut proof) = (0, layers.len(), None);
        while bad - good > 1 {
            let middle = good.midpoint(bad);
            let cut = &layers[..middle];
            let top = cut[middle - 1].commit;
            self.built(cut, top)?;
            match self.test(base, top)? {
                Outcome::Pass(tested) => (good, proof) = (middle, Some(tested)),
                Outcome::Uncovered => (good, proof) = (middle, None),
                Outcome::Bad(run) if self.ills_target(base, &run)?.is_some() => (good, proof) = (middle, None),
                Outcome::Bad(run) => (bad, blame) = (middle, run),
            }
        }
        let culprit = &layers[bad - 1];
        self.accuse(base, culprit, &blame)?;
        let ids = |layers: &[Layer]| layers.iter().map(|l| l.id.clone()).collect::<Vec<BeadId>>();
        let why = format!("{} of its batch went back: {}", culprit.id, blame.line());
        self.put_back(&ids(&layers[bad..]), &why)?;
        let Some(tested) = proof else {
            self.put_back(&ids(&layers[..good]), &why)?;
            return Ok(Turn::Over);
        };
        // The last cut that was tested may have been a larger one.
        self.built(&layers[..good], tested.commit())?;
        self.deliver(base, &layers[..good], members, &tested)
    }

    /// Sends a member back to its worker: it makes the gate end like this.
    fn accuse(&mut self, base: Oid, culprit: &Layer, run: &Run) -> Result<(), QueueError> {
        let on_target = match self.on_target(base, &run.gate)? {
            Outcome::Bad(run) => run.verdict.word(),
            Outcome::Pass(_) | Outcome::Uncovered => "pass",
        };
        let words = Words::why(run.line())
            .with("gate", run.gate.clone())
            .with("verdict", run.verdict.word())
            .with(OUTPUT, run.output.clone())
            .with("target", base.to_string())
            .with("target_says", on_target);
        self.write(|w| step(w, &culprit.id, Event::GateFailed, &words))?;
        self.report.failed.push(culprit.id.clone());
        Ok(())
    }

    /// What the gate says of the target by itself.
    fn on_target(&mut self, base: Oid, gate: &str) -> Result<Outcome, QueueError> {
        if let Some(known) = self.on_target.get(gate) {
            return Ok(known.clone());
        }
        let mut bench = self.site.bench.clone();
        bench.gates.retain(|(name, _)| name == gate);
        let outcome = bench.test(&self.lock, &self.repo, self.store, self.clock, base, None)?;
        self.on_target.insert(gate.to_owned(), outcome.clone());
        Ok(outcome)
    }

    /// How the gate ends on the target by itself, if that is no better than `run`: a gate that runs there and not on
    /// a change is broken by the change, whether it passes there or not.
    fn ills_target(&mut self, base: Oid, run: &Run) -> Result<Option<Run>, QueueError> {
        Ok(match self.on_target(base, &run.gate)? {
            Outcome::Bad(target) if run.failed() || !target.failed() => Some(target),
            _ => None,
        })
    }

    /// The target does not pass by itself: nobody is blamed for that, and whoever mends it may land. Where the gate
    /// fails, the others wait for another target; where it cannot even run, the rig pauses.
    fn ill_target(&mut self, base: Oid, layers: &[Layer], members: &[Request], ill: &Run) -> Result<Turn, QueueError> {
        let why = if ill.failed() {
            format!("{} fails on {} itself: {}", ill.gate, self.site.target, ill.line())
        } else {
            ill.line()
        };
        for (index, layer) in layers.iter().enumerate() {
            let Some(member) = members.iter().find(|m| m.id == layer.id) else { continue };
            if layers.len() > 1 {
                let Some(alone) = self.build_alone(base, member)? else {
                    self.put_back(std::slice::from_ref(&layer.id), &why)?;
                    continue;
                };
                self.built(std::slice::from_ref(&alone), alone.commit)?;
                match self.test(base, alone.commit)? {
                    Outcome::Pass(tested) => {
                        let rest: Vec<BeadId> = layers[index + 1..].iter().map(|l| l.id.clone()).collect();
                        self.put_back(&rest, "another of its batch mends the target first")?;
                        return self.deliver(base, &[alone], members, &tested);
                    }
                    Outcome::Bad(run) if self.ills_target(base, &run)?.is_none() => {
                        self.accuse(base, &alone, &run)?;
                        continue;
                    }
                    Outcome::Bad(_) | Outcome::Uncovered => {}
                }
            }
            let waits_for = ill.failed().then(|| base.to_string());
            self.write(|w| {
                if waits_for.is_some() {
                    wait::set_wait(w, &layer.id, &why, waits_for)?;
                }
                step(w, &layer.id, Event::PutBack, &Words::why(why.clone()).with(OUTPUT, ill.output.clone()))
            })?;
        }
        if !ill.failed() {
            let rig = &self.site.rig;
            self.write(|w| Ok(wait::pause_at(w, rig, &why, &base.to_string())?))?;
            self.report.paused = Some(why);
        }
        Ok(Turn::Over)
    }
}
