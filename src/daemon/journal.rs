//! The Refinery's answers as rows of the journal: who was asked, which layer and line answered, because of what.

use std::sync::Arc;

use serde_json::{Value, json};

use super::judge::REFINERY;
use crate::base::{BeadId, RigName, Time};
use crate::policy::{Answer, Because, Engine, Layer, MrFact, Origin};
use crate::queue::admission::{self, Refusal};
use crate::store::{DecisionRow, Read, StoreError, Write};
use crate::town::roles::execute::DONE;

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
        let row = row(rig, &origin, mr, actions, &answer.because, at);
        Self { mr: mr.clone(), refusal, row }
    }

    /// Whether it is another word than the last one that was kept. Being let in at once is no news.
    fn is_news(&self, known: Option<&Refusal>) -> bool {
        match (known, &self.refusal) {
            (None, None) => false,
            (Some(known), Some(refusal)) => !known.says_the_same(refusal),
            _ => true,
        }
    }

    /// Keeps it for whoever asks, and journals it.
    pub(super) fn save(&self, w: &mut Write<'_>) -> Result<(), StoreError> {
        match &self.refusal {
            Some(refusal) => admission::refuse(w, &self.mr, refusal)?,
            None => admission::forget(w, &self.mr)?,
        }
        w.record(&self.row).map(|_| ())
    }
}

/// Those that say something else than what is kept.
pub(super) fn news<'a>(r: &Read<'_>, all: &'a [Admission]) -> Result<Vec<&'a Admission>, StoreError> {
    let mut news = Vec::new();
    for one in all {
        if one.is_news(admission::refusal(r, &one.mr)?.as_ref()) {
            news.push(one);
        }
    }
    Ok(news)
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
    ids.into_iter().map(|id| row(rig, &origin, id, actions.clone(), &because, at)).collect()
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

fn row(rig: &RigName, origin: &Origin, subject: &BeadId, actions: Value, because: &[Because], at: Time) -> DecisionRow {
    DecisionRow {
        seq: 0,
        at,
        role: REFINERY.into(),
        rig: rig.to_string(),
        rule: origin.rule.clone(),
        layer: origin.layer.to_string(),
        revision: origin.revision.clone(),
        file: origin.file.clone(),
        line: origin.line,
        subject: subject.to_string(),
        actions,
        because: json!(because),
        rung: None,
        outcome: DONE.into(),
    }
}
