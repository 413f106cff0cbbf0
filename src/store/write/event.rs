//! Events and decisions.

use serde_json::Value;

use super::Write;
use crate::store::{DecisionRow, StoreError};

impl Write<'_> {
    /// Records an event of the domain; gives its place.
    pub fn emit(&mut self, kind: &str, subject: &str, payload: Value) -> Result<i64, StoreError> {
        self.run(
            "INSERT INTO events (kind, subject, actor, at, payload) VALUES (?1, ?2, ?3, ?4, ?5)",
            (kind, subject, &self.by.actor, self.by.now.to_string(), payload.to_string()),
        )?;
        Ok(self.conn.last_insert_rowid())
    }

    /// Records a decision in the transaction of its effect.
    pub fn record(&mut self, decision: &DecisionRow) -> Result<i64, StoreError> {
        self.run(
            "INSERT INTO decisions
                 (at, subject, role, rig, rule, layer, revision, file, line, rung, outcome, actions, because)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            (
                decision.at.to_string(),
                &decision.subject,
                &decision.role,
                &decision.rig,
                &decision.rule,
                &decision.layer,
                &decision.revision,
                &decision.file,
                decision.line,
                decision.rung,
                &decision.outcome,
                decision.actions.to_string(),
                decision.because.to_string(),
            ),
        )?;
        Ok(self.conn.last_insert_rowid())
    }
}
