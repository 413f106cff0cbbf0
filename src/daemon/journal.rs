//! The Refinery's answers as rows of the journal: who was asked, which layer and line answered, because of what.

use std::sync::Arc;

use serde_json::{Value, json};

use super::judge::REFINERY;
use crate::base::{BeadId, RigName, Time};
use crate::policy::{Answer, Because, Engine, Layer, MrFact, Origin};
use crate::queue::admission::{self, Refusal};
use crate::store::{DecisionRow, Read, StoreError, Write};
use crate::town::roles::execute::answered;

/// Whether a request may enter the queue, and the row that says so.
#[derive(Debug)]
pub(super) struct Admission {
    mr: BeadId,
    refusal: Option<Refusal>,
    row: DecisionRow,
}

impl Admission {
    /// What was answered about `mr`.
    pub(super) fn new(rig: &RigName, engine: &Engine, mr: &BeadId, answer: &Answer<bool>, at: Time) -> Self {
        // Where no layer has answered, the one that failed is to blame.
        let origin = answer.origin.clone().unwrap_or_else(|| blamed(engine, "admit", &answer.because));
        let refusal = (!answer.value).then(|| Refusal {
            why: answer.reasons.last().map(|(_, why)| why.clone()).unwrap_or_default(),
            layer: origin.layer.to_string(),
            file: origin.file.clone(),
            line: origin.line,
        });
        let actions = json!([{
            "action": "admit", "admitted": answer.value, "why": refusal.as_ref().map(|refusal| &refusal.why),
        }]);
        let row = answered(&origin, rig.as_str(), mr.to_string(), &answer.because, at);
        Self { mr: mr.clone(), refusal, row: DecisionRow { actions, ..row } }
    }

    /// Whether it is another word than the last one that was kept. Being let in at once is no news.
    fn is_news(&self, known: Option<&Refusal>) -> bool {
        match (known, &self.refusal) {
            (None, None) => false,
            (Some(known), Some(refusal)) => !known.says_the_same(refusal),
            _ => true,
        }
    }

    /// Keeps it for whoever asks, and journals it if it is news.
    pub(super) fn save(&self, w: &mut Write<'_>) -> Result<(), StoreError> {
        let news = self.is_news(admission::refusal(w, &self.mr)?.as_ref());
        match &self.refusal {
            Some(refusal) => admission::refuse(w, &self.mr, refusal)?,
            None => admission::forget(w, &self.mr)?,
        }
        if news { w.record(&self.row).map(|_| ()) } else { Ok(()) }
    }
}

/// Those that differ from what is kept.
pub(super) fn changed<'a>(r: &Read<'_>, all: &'a [Admission]) -> Result<Vec<&'a Admission>, StoreError> {
    let mut changed = Vec::new();
    for one in all {
        if admission::refusal(r, &one.mr)? != one.refusal {
            changed.push(one);
        }
    }
    Ok(changed)
}

/// What the questions about a batch were answered with: its order, its members, its gates.
type Answers<'a> = (&'a Answer<Vec<Arc<MrFact>>>, &'a Answer<Vec<Arc<MrFact>>>, &'a Answer<Vec<String>>);

/// The rows of a batch: one for each member.
pub(super) fn rows(rig: &RigName, engine: &Engine, answers: Answers<'_>, at: Time) -> Vec<DecisionRow> {
    let (order, batch, gates) = answers;
    let ids: Vec<&BeadId> = batch.value.iter().map(|mr| &mr.id).collect();
    let queue: Vec<&BeadId> = order.value.iter().map(|mr| &mr.id).collect();
    let origin = batch.origin.clone().unwrap_or_else(|| own(engine, "batch"));
    let because: Vec<Because> = order.because.iter().chain(&batch.because).chain(&gates.because).cloned().collect();
    let asked: Vec<Value> = [("order", &order.origin), ("batch", &batch.origin), ("gates", &gates.origin)]
        .into_iter()
        .map(|(question, origin)| match origin {
            Some(o) => json!({ "question": question, "layer": o.layer.to_string(), "file": o.file, "line": o.line }),
            None => json!({ "question": question, "layer": null }),
        })
        .collect();
    let actions = json!([{
        "action": "batch", "members": ids, "queue": queue, "asked": asked, "gates": gates.value,
        "left_out": batch.reasons.iter().map(|(s, why)| json!([s.to_string(), why])).collect::<Vec<_>>(),
    }]);
    let row = |id: &BeadId| DecisionRow {
        actions: actions.clone(),
        ..answered(&origin, rig.as_str(), id.to_string(), &because, at)
    };
    ids.into_iter().map(row).collect()
}

/// The layer whose function failed; the core itself when none was asked.
fn blamed(engine: &Engine, question: &str, because: &[Because]) -> Origin {
    let own = own(engine, question);
    match because.iter().find(|b| matches!(b, Because::Failed { .. })) {
        Some(Because::Failed { layer, file, line, .. }) => {
            Origin { layer: *layer, file: file.clone(), line: *line, ..own }
        }
        _ => own,
    }
}

/// The core, which answers where no layer can.
fn own(engine: &Engine, question: &str) -> Origin {
    Origin {
        role: REFINERY.into(),
        rule: question.into(),
        layer: Layer::Builtin,
        revision: engine.revision().to_owned(),
        file: String::new(),
        line: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::builtin;
    use crate::store::{Stamp, temporary};

    #[test]
    fn a_reason_that_counts_down_is_kept_each_time_and_journaled_once() {
        let now = Time::from_millis(1_000_000);
        let (_dir, mut store) = temporary("hq", now);
        let (rig, mr) = (RigName::new("app").expect("name"), BeadId::new("gt-mr-1").expect("id"));
        let engine =
            Engine::load(REFINERY, &[builtin(REFINERY).expect("shipped")], &toml::Table::new()).expect("loads");
        let mut rows = 0;
        for (why, news) in
            [(Some("5m more"), 1), (Some("4m more"), 0), (Some("closed"), 1), (Some("closed"), 0), (None, 1), (None, 0)]
        {
            let answer = Answer {
                value: why.is_none(),
                origin: None,
                because: Vec::new(),
                reasons: why.map(|why| (crate::policy::Subject::Mr(mr.clone()), why.to_owned())).into_iter().collect(),
                warnings: Vec::new(),
                undecided: None,
            };
            let all = [Admission::new(&rig, &engine, &mr, &answer, now)];
            for one in store.read(|r| changed(r, &all)).expect("read") {
                store.write(&Stamp::new("deacon", now), |w| one.save(w)).expect("saved");
            }
            let kept = store.read(|r| admission::refusal(r, &mr)).expect("read");
            assert_eq!(kept.map(|refusal| refusal.why).as_deref(), why);
            rows += news;
            assert_eq!(store.read(|r| r.decisions(mr.as_str())).expect("read").len(), rows, "{why:?}");
        }
    }
}
