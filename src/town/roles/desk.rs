//! What the decisions of one look share, so that a thousand of them cost little more than one.
//!
//! A rig is prepared for slinging once, and not at all while it has no free place. Refusals are gathered and written
//! down together, each once per reason.

use std::collections::BTreeMap;

use super::execute::{No, Step, forget_rates, has_damaged_rates, row};
use super::reads::subject_key;
use super::scope::Scope;
use crate::base::{BeadId, RigName, text};
use crate::config::Overrides;
use crate::policy::{Action, Decision};
use crate::store::{Read, Stamp, Store, StoreError, Write};
use crate::town::{Acting, Rig, TownError, agent, sling};

/// The local namespace in which the last refusal of a decision stands.
const REFUSED: &str = "refused";
/// When more refusals than this are remembered, those of decisions that are not made any more are forgotten.
const MOST_KNOWN: usize = 5000;

/// One look's worth of shared preparation.
#[derive(Debug, Default)]
pub struct Desk {
    rigs: BTreeMap<RigName, Place>,
    refused: BTreeMap<String, (Decision, String, String)>,
}

/// What is known of a rig that something is to be slung into.
#[derive(Debug)]
struct Place {
    free: usize,
    workers: u32,
    rig: Rig,
    /// Prepared when the first bead is to go there; or why that cannot be.
    ready: Option<Result<sling::Ready, String>>,
}

impl Desk {
    /// Makes sure that beads can be slung into the rig `to`, or the decision's own one.
    pub(super) fn prepare_sling(&mut self, cx: &Acting<'_>, store: &Store, scope: Scope<'_>, to: Option<&str>) -> Step {
        let name = target(scope, to)?;
        if !self.rigs.contains_key(&name) {
            let rig = match scope.rig().filter(|rig| rig.name == name) {
                Some(rig) => rig.clone(),
                None => cx.town.rig(&name, &Overrides::default())?,
            };
            let workers = rig.config.workers;
            let busy = store.read(|r| agent::of_rig(r, &name))?.iter().filter(|row| row.has_place()).count();
            let free = (workers as usize).saturating_sub(busy);
            self.rigs.insert(name.clone(), Place { free, workers, rig, ready: None });
        }
        let Some(place) = self.rigs.get_mut(&name) else { return Ok(()) };
        if place.free == 0 {
            let all = text::count(place.workers as usize, "worker");
            return Err(No::Refused(format!("all {all} of rig {name} are busy")));
        }
        if place.ready.is_none() {
            // A rule that names another rig means it.
            let abroad = scope.rig().is_none_or(|own| own.name != name);
            let opts = sling::SlingOpts { abroad, ..sling::SlingOpts::default() };
            place.ready = Some(match sling::prepare(cx, place.rig.clone(), &opts) {
                Ok(ready) => Ok(ready),
                Err(TownError::Store(error)) if error.is_fault() => return Err(TownError::Store(error).into()),
                Err(error) => Err(error.to_string()),
            });
        }
        self.ready(scope, to).map(|_| ())
    }

    /// What was prepared for the rig `to`.
    pub(super) fn ready(&self, scope: Scope<'_>, to: Option<&str>) -> Step<&sling::Ready> {
        match self.rigs.get(&target(scope, to)?).and_then(|place| place.ready.as_ref()) {
            Some(Ok(ready)) => Ok(ready),
            Some(Err(why)) => Err(No::Refused(why.clone())),
            None => Err(No::Refused("nothing was prepared".into())),
        }
    }

    /// A decision was carried out: what it slung has taken places.
    pub(super) fn done(&mut self, scope: Scope<'_>, decision: &Decision) {
        for action in &decision.actions {
            if let Action::Sling { to, .. } = action
                && let Ok(name) = target(scope, to.as_deref())
                && let Some(place) = self.rigs.get_mut(&name)
            {
                place.free = place.free.saturating_sub(1);
            }
        }
        self.refused.remove(&refusal_key(scope.name(), decision));
    }

    /// A decision was refused, for this reason.
    pub(super) fn refused(&mut self, scope: Scope<'_>, decision: &Decision, why: &str) {
        let (key, rig) = (refusal_key(scope.name(), decision), scope.name().to_owned());
        self.refused.insert(key, (decision.clone(), rig, why.to_owned()));
    }

    /// Writes down the refusals that are news, in one transaction; none is started when there are none.
    pub fn close(self, by: &Stamp, store: &mut Store) -> Result<(), StoreError> {
        if self.refused.is_empty() {
            return Ok(());
        }
        let known: BTreeMap<String, String> = store.read(|r| r.local_texts(REFUSED))?.into_iter().collect();
        let told = |key: &str, why: &str| known.get(key).and_then(|text| reason(text)).as_deref() == Some(why);
        let news: Vec<_> = self.refused.iter().filter(|(key, (_, _, why))| !told(key, why)).collect();
        let damaged = store.read(has_damaged_rates)?;
        if news.is_empty() && !damaged {
            return Ok(());
        }
        store.write(by, |w| {
            if known.len() > MOST_KNOWN {
                for key in known.keys().filter(|key| !self.refused.contains_key(*key)) {
                    w.delete_local(REFUSED, key)?;
                }
            }
            if damaged {
                forget_rates(w)?;
            }
            for (_, (decision, rig, why)) in news {
                note_refusal(w, rig, decision, why)?;
            }
            Ok(())
        })
    }
}

/// Beads and merge requests about which a decision was refused the last time it was made, with the reason.
pub fn refused_beads(r: &Read<'_>) -> Result<Vec<(BeadId, String)>, StoreError> {
    let all = r.local_texts(REFUSED)?.into_iter().filter_map(|(key, text)| {
        let subject = key.rsplit('/').next().and_then(|id| BeadId::new(id).ok())?;
        Some((subject, reason(&text)?))
    });
    Ok(all.collect())
}

/// The reason that stands in a row; one that cannot be read is news when it is given again.
fn reason(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}

/// Writes a refusal down, unless it was the last word on this decision already.
pub(super) fn note_refusal(w: &mut Write<'_>, rig: &str, decision: &Decision, why: &str) -> Result<(), StoreError> {
    let key = refusal_key(rig, decision);
    if w.local_or_none::<String>(REFUSED, &key)?.as_deref() == Some(why) {
        return Ok(());
    }
    w.put_local(REFUSED, &key, &why.into())?;
    w.record(&row(decision, rig, w.by().now, &format!("refused: {why}"))).map(|_| ())
}

/// A decision is carried out after all: when it is refused again, that is news.
pub(super) fn forget_refusal(w: &mut Write<'_>, rig: &str, decision: &Decision) -> Result<(), StoreError> {
    w.delete_local(REFUSED, &refusal_key(rig, decision)).map(|_| ())
}

fn refusal_key(rig: &str, decision: &Decision) -> String {
    format!("{rig}/{}/{}/{}", decision.origin.role, decision.origin.rule, subject_key(&decision.subject))
}

/// The rig that is meant.
fn target(scope: Scope<'_>, to: Option<&str>) -> Step<RigName> {
    match to {
        None => match scope.rig() {
            Some(rig) => Ok(rig.name.clone()),
            None => Err(No::Refused("a role of the whole town names the rig to sling to".into())),
        },
        Some(name) => RigName::new(name).map_err(|e| No::Refused(e.to_string())),
    }
}
