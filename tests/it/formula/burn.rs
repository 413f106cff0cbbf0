//! Burning and squashing large molecules: they go all at once or not at all, and never in anybody's way.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use gastown::base::BeadId;
use gastown::base::fault::Point;
use gastown::formula::{Proto, Vars};
use gastown::molecule::{self, MoleculeError, PourOpts};
use gastown::store::{DepKind, Filter, NewBead, NewDep, ReadyQuery, Status, Store, StoreError};

use super::cooked;
use super::pour::{stamp, store};
use crate::support::{Sandbox, eventually};

/// The places at which taking beads away can be cut off.
pub(crate) const POINTS: [Point; 3] = [Point::LeaveGathered, Point::LeaveHidden, Point::LeaveRemoved];
const STEPS: usize = 700;

fn text() -> String {
    format!(
        "formula = \"big\"\n[[steps]]\nid = \"l\"\n[steps.loop]\ncount = {STEPS}\n[[steps.loop.body]]\nid = \"x\"\n"
    )
}

fn proto() -> Proto {
    cooked(&text()).expect("cooks")
}

/// A molecule, and a bead that waits for it.
fn molecule(store: &mut Store, ephemeral: bool) -> (BeadId, BeadId) {
    let opts = PourOpts { ephemeral, ..PourOpts::default() };
    let root = molecule::pour_large(store, &stamp(1), &proto(), &Vars::new(), &opts).expect("pours").root;
    let waits = NewBead { deps: vec![NewDep::new(DepKind::BLOCKS, root.clone())], ..NewBead::titled("waits") };
    let waits = store.write::<_, MoleculeError>(&stamp(2), |w| Ok(w.create(waits)?)).expect("filed").id;
    (root, waits)
}

/// What one moment shows: beads of the molecule with its root, and whether the bead that waits for it can be begun.
fn seen(store: &Store, root: &BeadId, waits: &BeadId) -> (usize, bool) {
    let live = |bead: &gastown::store::Bead| bead.status != Status::TOMBSTONE;
    store
        .read::<_, StoreError>(|r| {
            let below = r.count(&Filter { under: Some(root.clone()), ..Filter::default() })?;
            let top = usize::from(r.bead(root)?.as_ref().is_some_and(live));
            let ready = r.ready(&ReadyQuery::default())?.iter().any(|bead| bead.id == *waits);
            Ok((below + top, ready))
        })
        .expect("reads")
}

fn unfinished(store: &Store) -> usize {
    store.read::<_, StoreError>(|r| r.staged("burn")).expect("reads").len()
}

fn settled(store: &Store) -> bool {
    !store.read::<_, StoreError>(|r| r.has_batches()).expect("reads")
}

#[test]
fn whoever_reads_sees_all_of_a_molecule_or_nothing_while_it_goes() {
    for ephemeral in [true, false] {
        let dir = tempfile::tempdir().expect("a folder");
        let mut store = store(dir.path());
        let (root, waits) = molecule(&mut store, ephemeral);
        assert_eq!(seen(&store, &root, &waits), (STEPS + 1, false));
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let watching = scope.spawn(|| {
                let other = Store::open(&dir.path().join(".beads")).expect("opens");
                let mut looks = Vec::new();
                while !over.load(Ordering::Acquire) {
                    looks.push(seen(&other, &root, &waits));
                }
                looks
            });
            let burnt = molecule::burn_all(&mut store, &stamp(5), std::slice::from_ref(&root), !ephemeral);
            over.store(true, Ordering::Release);
            assert_eq!(burnt.expect("burns")[0].deleted_count, STEPS + 1);
            for look in watching.join().expect("watches") {
                assert!(look == (STEPS + 1, false) || look == (0, true), "{look:?}");
            }
        });
        assert_eq!(seen(&store, &root, &waits), (0, true));
        let tombstones = Filter { statuses: vec![Status::TOMBSTONE], ..Filter::default() };
        let kept = store.read::<_, StoreError>(|r| r.find(&tombstones)).expect("reads");
        assert_eq!(kept.len(), if ephemeral { 0 } else { STEPS + 1 });
        assert!(kept.iter().all(|b| b.deleted_by == "tester" && b.delete_reason == "mol burn"));
        assert_eq!(store.check().expect("checks"), Vec::<String>::new());
        // What is left is the pour itself, whose transitions the ledger has still to record.
        assert_eq!(unfinished(&store), 0);
    }
}

#[test]
fn what_is_on_a_hook_keeps_the_whole_molecule() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let (root, waits) = molecule(&mut store, true);
    let step = store.read(|r| molecule::steps(r, &root)).expect("reads")[STEPS / 2].id.clone();
    let nux: gastown::base::Address = "app/nux".parse().expect("an address");
    store.write::<_, StoreError>(&stamp(3), |w| w.hook(&nux, &step, None).map(|_| ())).expect("hangs");
    let refused = molecule::burn_all(&mut store, &stamp(5), std::slice::from_ref(&root), false);
    assert!(matches!(refused, Err(MoleculeError::Store(StoreError::Hooked { bead, .. })) if bead == step));
    assert_eq!(seen(&store, &root, &waits), (STEPS + 1, false));
    while store.write::<_, StoreError>(&stamp(6), |w| w.settle(200)).expect("settles") {}
    assert!(settled(&store));
    assert_eq!(seen(&store, &root, &waits), (STEPS + 1, false));
}

#[test]
fn what_was_added_to_a_molecule_while_it_went_is_no_longer_part_of_anything() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let (root, _) = molecule(&mut store, true);
    let batch = store.write::<_, StoreError>(&stamp(3), |w| w.new_leaving("burn")).expect("begins");
    let ids = store.read::<_, StoreError>(|r| r.ids_below(&root)).expect("reads");
    let gathered =
        store.write::<_, StoreError>(&stamp(3), |w| ids.iter().chain([&root]).try_for_each(|id| w.gather(batch, id)));
    gathered.expect("gathers");
    let crossing = store.read::<_, StoreError>(|r| r.crossing(batch)).expect("reads");
    let late = NewBead { deps: vec![NewDep::new(DepKind::BLOCKS, root.clone())], ..NewBead::titled("late") };
    let late = store.write::<_, StoreError>(&stamp(4), |w| w.create(late)).expect("filed").id;
    store.write::<_, StoreError>(&stamp(5), |w| w.hide(batch, crossing, "mol burn")).expect("hides");
    while store.write::<_, StoreError>(&stamp(6), |w| w.discard_some(batch, 100)).expect("discards") {}
    assert!(settled(&store));
    let blocked = store.read::<_, StoreError>(|r| r.is_blocked(&late)).expect("reads");
    assert!(!blocked, "it waits for nothing that is there");
    assert_eq!(store.read::<_, StoreError>(|r| r.deps(&late)).expect("reads"), []);
}

#[test]
fn of_two_that_burn_one_molecule_one_does_and_the_other_finds_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut first = store(dir.path());
    let (root, waits) = molecule(&mut first, true);
    let burn = || {
        let mut store = Store::open(&dir.path().join(".beads")).expect("opens");
        molecule::burn_all(&mut store, &stamp(5), std::slice::from_ref(&root), false)
    };
    let results = std::thread::scope(|scope| {
        let other = scope.spawn(burn);
        [burn(), other.join().expect("ends")]
    });
    assert_eq!(results.iter().filter(|burnt| burnt.is_ok()).count(), 1, "{results:?}");
    assert!(results.iter().any(|burnt| matches!(burnt, Err(MoleculeError::Store(StoreError::NotFound { .. })))));
    assert_eq!((seen(&first, &root, &waits), unfinished(&first)), ((0, true), 0));
}

/// Kills the command at every place that is passed while beads go, and looks at what it left.
fn killed_anywhere(ephemeral: bool, command: impl Fn(&BeadId) -> Vec<String>, digests: usize) {
    for point in POINTS {
        let (sandbox, repo) = super::molecules::repo();
        // The wisp was made years ago.
        sandbox.bd(&repo, &["config", "set", "wisp.abandon", "never"]).ok();
        let beads = repo.join(".beads");
        let mut store = Store::open(&beads).expect("opens");
        let (root, waits) = molecule(&mut store, ephemeral);
        let ran = cut_off(&sandbox, &repo, point, &command(&root));
        assert_eq!(ran, None, "{} was not passed", point.name());
        let left = seen(&store, &root, &waits);
        let expected = if point == Point::LeaveGathered { (STEPS + 1, false) } else { (0, true) };
        assert_eq!(left, expected, "{}", point.name());
        assert_eq!(unfinished(&store), 1);
        let doctor = sandbox.bd(&repo, &["doctor"]);
        assert!(doctor.stdout.contains("1 unseen batch of bulk work that did not end"), "{}", doctor.stdout);
        // Whatever is written next removes what was left, a part each time, or lets it stay.
        eventually("what was left to be settled", || {
            sandbox.bd(&repo, &["config", "set", "status.custom", "waiting"]).ok();
            sandbox.bd(&repo, &["history", waits.as_str()]).ok();
            settled(&store).then_some(())
        });
        assert_eq!(seen(&store, &root, &waits), expected, "{}", point.name());
        if point == Point::LeaveGathered {
            let args = command(&root);
            sandbox.bd(&repo, &args.iter().map(String::as_str).collect::<Vec<_>>()).ok();
            assert_eq!(seen(&store, &root, &waits), (0, true));
        }
        let digest = Filter { labels: vec!["digest".into()], ..Filter::default() };
        assert_eq!(store.read::<_, StoreError>(|r| r.count(&digest)).expect("reads"), digests);
        let tombstones = Filter { statuses: vec![Status::TOMBSTONE], ..Filter::default() };
        let kept = store.read::<_, StoreError>(|r| r.find(&tombstones)).expect("reads");
        assert_eq!(kept.len(), if ephemeral { 0 } else { STEPS + 1 });
        assert!(kept.iter().all(|b| b.deleted_by == "burner"), "whoever removed what was left did not decide it");
        assert_eq!(store.check().expect("checks"), Vec::<String>::new());
        sandbox.bd(&repo, &["doctor", "--json"]).ok();
    }
}

/// The exit code; none when it was killed.
fn cut_off(sandbox: &Sandbox, repo: &Path, point: Point, args: &[String]) -> Option<i32> {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_bd"), repo);
    command.env("GT_FAULT", point.name()).args(args);
    command.output().expect("runs").status.code()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

#[test]
fn a_burn_of_a_wisp_that_is_killed_anywhere_leaves_all_or_nothing() {
    killed_anywhere(true, |root| words(&["mol", "burn", root.as_str(), "--actor", "burner"]), 0);
}

#[test]
fn a_burn_of_what_lasts_that_is_killed_anywhere_leaves_all_or_tombstones() {
    killed_anywhere(false, |root| words(&["mol", "burn", root.as_str(), "--force", "--actor", "burner"]), 0);
}

#[test]
fn a_squash_that_is_killed_anywhere_leaves_the_wisp_or_its_digest() {
    killed_anywhere(true, |root| words(&["mol", "squash", root.as_str(), "--actor", "burner"]), 1);
}

#[test]
fn a_molecule_that_somebody_goes_through_is_not_taken_away() {
    let nux: gastown::base::Address = "app/nux".parse().expect("an address");
    for steps in [2, STEPS] {
        let dir = tempfile::tempdir().expect("a folder");
        let mut store = store(dir.path());
        let proto = cooked(&text().replace(&STEPS.to_string(), &steps.to_string())).expect("cooks");
        let opts = PourOpts { ephemeral: true, ..PourOpts::default() };
        let root = molecule::pour_large(&mut store, &stamp(1), &proto, &Vars::new(), &opts).expect("pours").root;
        let hang = |w: &mut gastown::store::Write<'_>| {
            let bead = w.create(NewBead::titled("work"))?.id;
            w.hook(&nux, &bead, Some(&root)).map(|_| ())
        };
        store.write::<_, StoreError>(&stamp(3), hang).expect("hangs");
        let hooked = |refused: Option<MoleculeError>| {
            assert!(
                matches!(refused, Some(MoleculeError::Store(StoreError::Hooked { bead, .. })) if bead == root),
                "{steps} steps"
            );
        };
        hooked(molecule::burn_all(&mut store, &stamp(5), std::slice::from_ref(&root), false).err());
        hooked(molecule::squash_any(&mut store, &stamp(6), &root, None, false, true).err());
        let old = gastown::store::Stamp::new("tester", stamp(0).now.plus_millis(3_600_000));
        let cleared = molecule::gc(&mut store, &old, gastown::base::span::Span::seconds(60), true).expect("clears");
        assert!(cleared.gone.is_empty() && cleared.left.is_empty(), "{cleared:?}");
        // Also with only a step of it on the hook, and then the others go.
        let step = store.read(|r| molecule::steps(r, &root)).expect("reads")[0].id.clone();
        let other = molecule::pour_large(&mut store, &stamp(1), &proto, &Vars::new(), &opts).expect("pours").root;
        let rehang = |w: &mut gastown::store::Write<'_>| {
            let epoch = w.hooks()?.remove(0).epoch;
            w.unhook(&nux, epoch)?;
            w.hook(&nux, &step, None).map(|_| ())
        };
        store.write::<_, StoreError>(&stamp(7), rehang).expect("hangs");
        let cleared = molecule::gc(&mut store, &old, gastown::base::span::Span::seconds(60), true).expect("clears");
        assert_eq!((cleared.gone.len(), cleared.gone.last()), (steps + 1, Some(&other)));
        let there = store.read::<_, StoreError>(|r| Ok(r.ids_below(&root)?.len())).expect("reads");
        assert_eq!(there, steps);
    }
}

#[test]
fn a_large_wisp_that_is_taken_up_while_it_is_cleared_away_stays_and_the_others_go() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let opts = PourOpts { ephemeral: true, ..PourOpts::default() };
    let proto = cooked(&text().replace("count = 700", "count = 6000")).expect("cooks");
    let large = molecule::pour_large(&mut store, &stamp(1), &proto, &Vars::new(), &opts).expect("pours").root;
    let small = cooked("formula = \"s\"\n[[steps]]\nid = \"a\"\n").expect("cooks");
    molecule::pour_large(&mut store, &stamp(1), &small, &Vars::new(), &opts).expect("pours");
    while store.write::<_, StoreError>(&stamp(2), |w| w.settle(500)).expect("settles") {}
    let step = store.read::<_, StoreError>(|r| Ok(r.ids_below(&large)?.remove(0))).expect("reads");
    let now = gastown::store::Stamp::new("tester", stamp(0).now.plus_millis(3_600_000));
    let (cleared, taken) = std::thread::scope(|scope| {
        let taking = scope.spawn(|| {
            let mut other = Store::open(&dir.path().join(".beads")).expect("opens");
            eventually("it begins to go", || {
                other.read::<_, StoreError>(|r| r.has_batches()).expect("reads").then_some(())
            });
            let take = gastown::store::Patch::status(Status::IN_PROGRESS);
            other.write::<_, StoreError>(&now, |w| w.update(&step, take.clone()).map(|_| ())).is_ok()
        });
        let cleared = molecule::gc(&mut store, &now, gastown::base::span::Span::seconds(60), true).expect("clears");
        (cleared, taking.join().expect("takes it up"))
    });
    let there = store.read::<_, StoreError>(|r| Ok(r.bead(&large)?.is_some())).expect("reads");
    // Whoever took it up in time has it; whoever came too late was told.
    assert_eq!((there, cleared.left.len()), (taken, 0));
    assert!(cleared.gone.len() >= 2, "the small one is gone: {}", cleared.gone.len());
    assert_eq!(store.check().expect("checks"), Vec::<String>::new());
}
