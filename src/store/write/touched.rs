//! The beads that a transaction changes: each once, in the order of the first change. Burning a large molecule changes
//! a hundred thousand, so none is looked for among the others.

use std::collections::HashMap;

use crate::base::BeadId;

/// The beads that were changed, with what happened to them.
#[derive(Debug, Default)]
pub(super) struct Touched {
    all: Vec<(BeadId, Vec<String>)>,
    at: HashMap<BeadId, usize>,
}

impl Touched {
    /// Notes what happened to a bead.
    pub(super) fn note(&mut self, id: &BeadId, what: String) {
        if let Some(at) = self.at.get(id) {
            self.all[*at].1.push(what);
        } else {
            self.at.insert(id.clone(), self.all.len());
            self.all.push((id.clone(), vec![what]));
        }
    }

    /// Nothing happened to it after all: it is gone without a trace.
    pub(super) fn forget(&mut self, id: &BeadId) {
        if let Some(at) = self.at.remove(id) {
            self.all[at].1.clear();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// All of them; afterwards there are none.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (BeadId, Vec<String>)> + use<> {
        self.at.clear();
        std::mem::take(&mut self.all).into_iter().filter(|(_, what)| !what.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_there_once_in_the_order_of_its_first_change_and_what_is_gone_is_not() {
        let id = |text: &str| BeadId::new(text).expect("an id");
        let mut touched = Touched::default();
        for (bead, what) in [("gt-b", "made"), ("gt-a", "made"), ("gt-b", "closed"), ("gt-c", "made")] {
            touched.note(&id(bead), what.to_owned());
        }
        touched.forget(&id("gt-a"));
        touched.forget(&id("gt-z"));
        touched.note(&id("gt-c"), "again".to_owned());
        let all: Vec<(String, usize)> = touched.take().map(|(id, what)| (id.to_string(), what.len())).collect();
        assert_eq!(all, [("gt-b".to_owned(), 2), ("gt-c".to_owned(), 2)]);
        assert!(touched.is_empty() && touched.take().next().is_none());
    }
}
