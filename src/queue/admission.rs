//! Requests that the policy does not let into the queue: kept until it does, so that each change of its word is told
//! once and every screen can say whose word it is.

use serde::{Deserialize, Serialize};

use crate::base::BeadId;
use crate::store::{Read, StoreError, Write};

const REFUSED: &str = "mr_refused";

/// The last word on a request that is not let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why not, in the words of the rule.
    pub why: String,
    /// The layer that said so.
    pub layer: String,
    /// The file of the rule; empty when no rule could answer.
    pub file: String,
    /// The line in it.
    pub line: u32,
}

impl Refusal {
    /// For people: why, and whose word it is.
    pub fn text(&self) -> String {
        if self.file.is_empty() {
            return format!("not admitted: {}", self.why);
        }
        // The name of a built-in file says so itself.
        let layer = if self.layer == "built-in" { String::new() } else { format!(", {} layer", self.layer) };
        format!("not admitted: {} ({}:{}{layer})", self.why, self.file, self.line)
    }

    /// Whether both say the same. A reason that counts, such as how long something still takes, is no other word each
    /// time it is looked at.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let words = |refusal: &Self| refusal.why.replace(|c: char| c.is_ascii_digit(), "");
        let place = |refusal: &Self| (refusal.layer.clone(), refusal.file.clone(), refusal.line);
        place(self) == place(other) && words(self) == words(other)
    }
}

/// Why a request is not let in, as far as is known. A row that cannot be read is said anew at the next look.
pub fn refusal(r: &Read<'_>, mr: &BeadId) -> Result<Option<Refusal>, StoreError> {
    r.local_or_none(REFUSED, mr.as_str())
}

/// Keeps why a request is not let in.
pub fn refuse(w: &mut Write<'_>, mr: &BeadId, refusal: &Refusal) -> Result<(), StoreError> {
    w.put_local(REFUSED, mr.as_str(), &serde_json::to_value(refusal).expect("plain data serialises"))
}

/// Forgets why a request was not let in.
pub fn forget(w: &mut Write<'_>, mr: &BeadId) -> Result<(), StoreError> {
    w.delete_local(REFUSED, mr.as_str()).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_with_another_number_in_it_is_the_same_word() {
        let said = |why: &str, line| Refusal { why: why.into(), layer: "town".into(), file: "r.lua".into(), line };
        assert!(said("waits 5m more", 3).says_the_same(&said("waits 12m more", 3)));
        assert!(!said("waits 5m more", 3).says_the_same(&said("closed for today", 3)));
        assert!(!said("waits 5m more", 3).says_the_same(&said("waits 5m more", 4)));
        assert_eq!(said("closed", 3).text(), "not admitted: closed (r.lua:3, town layer)");
    }
}
