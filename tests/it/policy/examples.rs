//! The policies in `examples/`, as a user would copy them, over the shipped layers.

use std::path::Path;
use std::sync::Arc;

use gastown::base::Address;
use gastown::policy::{
    Action, BeadFact, BeadQuery, BeadRef, BranchFact, EventFact, EventKind, Layer, LayerSource, MailFact,
    MemoryLadders, MrFact, NoReads, PolecatFact, PolecatState, Reads, Snapshot, Subject, Unreadable, builtin,
};

use super::facts::*;

fn example(role: &str) -> gastown::policy::Engine {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies");
    let mut source = LayerSource::read(Layer::Town, &folder, role).expect("readable").expect("there");
    source.path = format!("examples/policies/roles/{role}.lua");
    let layers: Vec<LayerSource> = builtin(role).into_iter().chain([source]).collect();
    load(role, &layers).unwrap_or_else(|e| panic!("{e}"))
}

/// A town in which beads can be found.
struct Shelf(Vec<Arc<BeadFact>>);

impl Reads for Shelf {
    fn bead(&self, id: &str) -> Result<Option<Arc<BeadFact>>, Unreadable> {
        Ok(self.0.iter().find(|b| b.id.as_str() == id).cloned())
    }
    fn find(&self, query: &BeadQuery) -> Result<Vec<Arc<BeadFact>>, Unreadable> {
        let fits = |b: &&Arc<BeadFact>| {
            query.label.as_ref().is_none_or(|l| b.labels.contains(l))
                && query.status.as_ref().is_none_or(|s| b.status == *s)
                && query.epic.as_ref().is_none_or(|e| b.epic.as_ref().is_some_and(|id| id.as_str() == e))
        };
        Ok(self.0.iter().filter(fits).cloned().collect())
    }
    fn hook_of(&self, _: &str) -> Result<Option<Arc<BeadFact>>, Unreadable> {
        Ok(None)
    }
    fn free(&self) -> Result<Vec<Arc<PolecatFact>>, Unreadable> {
        Ok(Vec::new())
    }
    fn screen(&self, _: &Address, _: usize) -> Result<String, Unreadable> {
        Ok(String::new())
    }
    fn unread(&self, _: &str) -> Result<Vec<Arc<MailFact>>, Unreadable> {
        Ok(Vec::new())
    }
    fn branches(&self, _: Option<bool>) -> Result<Vec<Arc<BranchFact>>, Unreadable> {
        Ok(Vec::new())
    }
    fn idle_wisps(&self, _: i64) -> Result<Vec<Arc<BeadFact>>, Unreadable> {
        Ok(Vec::new())
    }
    fn scattered(&self) -> Result<bool, Unreadable> {
        Ok(false)
    }
    fn count(&self, _: &str, _: &Subject, _: Option<i64>) -> Result<u64, Unreadable> {
        Ok(0)
    }
}

fn merged(paths: &[&str], epic: Option<&str>) -> Arc<EventFact> {
    let mut bead = bead("gt-1");
    bead.epic = epic.map(id);
    let mut mr = mr("gt-mr1", bead.clone());
    mr.paths = Some(paths.iter().map(ToString::to_string).collect());
    let mut event = EventFact::new(7, EventKind::MrMerged, "deacon", 0);
    (event.bead, event.mr, event.commit) = (Some(Arc::new(bead)), Some(Arc::new(mr)), Some("c0ffee".into()));
    Arc::new(event)
}

#[test]
fn the_witness_of_the_example_waits_longer_for_slow_beads() {
    let silent = |now, labels: &[&str]| {
        let mut bead = bead("gt-1");
        bead.labels = labels.iter().map(ToString::to_string).collect();
        let worker = polecat("toast", PolecatState::Silent, Some(bead));
        Arc::new(Snapshot { polecats: vec![Arc::new(worker)], ..snapshot(now) })
    };
    let mut engine = example("witness");
    let mut decide = |now, labels: &[&str]| {
        let pass = engine.pass(&silent(now, labels), &NoReads, &mut MemoryLadders::default());
        assert!(pass.warnings.is_empty(), "{}", said(&pass.warnings));
        (pass.decisions.first().map(|d| (d.origin.layer, d.actions.clone())), pass.next_ms)
    };
    assert_eq!(decide(8 * MINUTE, &[]), (None, Some(8 * MINUTE + 1)));
    assert_eq!(decide(23 * MINUTE, &["slow"]), (None, Some(24 * MINUTE + 1)));
    let (Some((layer, actions)), _) = decide(9 * MINUTE, &[]) else { panic!("it nudges") };
    assert_eq!(layer, Layer::Town);
    let text = "No progress on gt-1 for 9m, step implement. Run `gt hook`, or say with `bd comments add gt-1 TEXT` what you are stuck on.";
    let to = "app/polecats/toast".parse().expect("valid");
    assert_eq!(actions, [Action::Nudge { to, text: text.into() }]);
}

#[test]
fn the_refinery_of_the_example_puts_hotfixes_first_and_batches_by_size() {
    let make = |n: u32, lines, path: &str, labels: &[&str]| {
        let mut bead = bead(&format!("gt-{n}"));
        bead.labels = labels.iter().map(ToString::to_string).collect();
        Arc::new(MrFact { lines: Some(lines), paths: Some(vec![path.into()]), ..mr(&format!("gt-mr{n}"), bead) })
    };
    let queue = vec![
        make(1, 900, "migrations/1.sql", &[]),
        make(2, 10, "src/a.rs", &[]),
        make(3, 20, "migrations/2.sql", &[]),
        make(4, 5, "src/b.rs", &["hotfix"]),
    ];
    let mut engine = example("refinery");
    let now = Arc::new(snapshot(0));
    let order = engine.order(&queue, &now, &NoReads).value;
    let ids = |all: &[Arc<MrFact>]| all.iter().map(|m| m.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(&order), ["gt-mr4", "gt-mr2", "gt-mr3", "gt-mr1"]);
    assert_eq!(ids(&engine.batch(&order, &now, &NoReads).value), ["gt-mr4"]);
    let batch = engine.batch(&order[1..], &now, &NoReads);
    assert_eq!(ids(&batch.value), ["gt-mr2", "gt-mr3"]);
    assert_eq!(batch.reasons, [(Subject::Mr(id("gt-mr1")), "one migration per batch".into())]);
}

#[test]
fn the_librarian_files_one_documentation_bead_for_each_epic() {
    let mut engine = example("librarian");
    assert_eq!(engine.events().into_iter().collect::<Vec<_>>(), [EventKind::MrMerged]);
    let mut decide = |event: &Arc<EventFact>, shelf: Vec<Arc<BeadFact>>| {
        let pass = engine.on_event(event, &Arc::new(snapshot(0)), &Shelf(shelf));
        assert!(pass.warnings.is_empty(), "{}", said(&pass.warnings));
        pass.decisions.into_iter().next()
    };
    assert_eq!(decide(&merged(&["docs/a.md", "src/a.rs"], None), vec![]), None, "it has its documentation");

    let decision = decide(&merged(&["src/a.rs"], Some("gt-e")), vec![]).expect("it files a bead");
    assert_eq!(decision.event, Some(7));
    let [Action::Create(new)] = &decision.actions[..] else { panic!("{:?}", decision.actions) };
    assert_eq!(new.title, "Document: title of gt-1");
    assert_eq!(new.description.as_deref(), Some("c0ffee changed src/a.rs and no documentation."));
    assert_eq!((new.found_in.as_ref(), new.epic.as_ref()), (Some(&id("gt-1")), Some(&id("gt-e"))));

    let mut open = bead("gt-d");
    (open.labels, open.epic) = (vec!["docs".into()], Some(id("gt-e")));
    let decision = decide(&merged(&["src/a.rs"], Some("gt-e")), vec![Arc::new(open)]).expect("it comments");
    let text = "Changed again by gt-1 in c0ffee: src/a.rs".to_owned();
    assert_eq!(decision.actions, [Action::Comment { bead: BeadRef::Id(id("gt-d")), text }]);
}

#[test]
fn an_action_may_stand_where_its_result_is_wanted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies");
    let source = LayerSource::read(Layer::Town, &folder, "librarian").expect("readable").expect("there");
    let settings: toml::Table = "start = true".parse().expect("valid");
    let mut engine = gastown::policy::Engine::load("librarian", &[source], &settings).expect("it loads");
    let pass = engine.on_event(&merged(&["src/a.rs"], None), &Arc::new(snapshot(0)), &Shelf(vec![]));
    let actions = &pass.decisions[0].actions;
    assert!(
        matches!(&actions[..], [Action::Create(_), Action::Sling { bead: BeadRef::Made(0), to: None }]),
        "{actions:?}"
    );
}

#[test]
fn an_event_whose_reads_fail_is_undecided() {
    let pass = example("librarian").on_event(&merged(&["src/a.rs"], Some("gt-e")), &Arc::new(snapshot(0)), &NoReads);
    assert!(pass.decisions.is_empty() && pass.warnings.is_empty());
    assert!(matches!(&pass.judged[0].outcome, gastown::policy::Outcome::Undecided { .. }));
}
