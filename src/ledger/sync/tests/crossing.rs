//! Two clones gave one id to two beads: each keeps what is its own, and what names one of them goes on to do so.

use super::*;
use crate::store::IssueType;

/// A gate that waits for a bead.
fn gate(t: &mut Clones, clone: usize, title: &str, on: &str) -> BeadId {
    let mut new = NewBead { issue_type: Some(IssueType::GATE), ..NewBead::titled(title) };
    new.other.extend([("await_type".to_owned(), "bead".into()), ("await_id".to_owned(), on.into())]);
    t.write(clone, |w| Ok(w.create(new)?.id))
}

fn wisp(t: &mut Clones, clone: usize, title: &str) -> BeadId {
    t.write(clone, |w| Ok(w.create(NewBead { ephemeral: true, ..NewBead::titled(title) })?.id))
}

fn link(t: &mut Clones, clone: usize, from: &BeadId, kind: DepKind, to: &BeadId) {
    t.write(clone, |w| w.add_dep(from, NewDep::new(kind, to.clone())).map(drop));
}

impl Clones {
    /// The bead of this title.
    fn titled(&self, clone: usize, title: &str) -> crate::store::Bead {
        let ids = self.stores[clone].read::<_, StoreError>(|r| r.ledger_ids()).expect("ids");
        let mut found = ids.iter().map(|id| self.bead(clone, id)).filter(|bead| bead.title == title);
        let bead = found.next().expect(title);
        assert!(found.next().is_none(), "two are called {title}");
        bead
    }

    /// The titles of what it depends on.
    fn needs(&self, clone: usize, title: &str) -> Vec<String> {
        let deps = self.titled(clone, title).dependencies;
        deps.iter().map(|dep| self.bead(clone, &dep.depends_on_id).title).collect()
    }

    fn labelled(&self, clone: usize, label: &str) -> Vec<String> {
        let filter = crate::store::Filter { labels: vec![label.to_owned()], ..Default::default() };
        let found = self.stores[clone].read::<_, StoreError>(|r| r.find(&filter)).expect("found");
        found.into_iter().map(|bead| bead.title).collect()
    }
}

#[test]
fn a_bead_that_takes_the_id_of_another_takes_nothing_else_of_it() {
    for (deleted, first) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
        let mut t = Clones::new(2);
        let (epic, open) = (t.add(0, "epic", None), t.add(0, "open", None));
        t.sync_all();
        let id = t.add(0, "ada's", Some(&epic));
        assert_eq!(t.add(1, "bob's", Some(&epic)), id);
        t.write(1, |w| w.add_comment(&id, "of bob's"));
        t.write(1, |w| w.add_label(&id, "bobs"));
        link(&mut t, 1, &id, DepKind::BLOCKS, &open);
        let scratch = wisp(&mut t, 1, "scratch");
        link(&mut t, 1, &id, DepKind::RELATED, &scratch);
        if deleted {
            t.write(1, |w| w.delete(&id, "no"));
        }
        t.sync(first);
        t.agreed();
        for clone in [0, 1] {
            let (adas, bobs) = (t.titled(clone, "ada's"), t.titled(clone, "bob's"));
            assert_eq!((adas.id, adas.comments.len(), adas.labels.len()), (id.clone(), 0, 0));
            assert_eq!((bobs.comments.len(), bobs.labels.as_slice()), (1, &["bobs".to_owned()][..]));
            assert_eq!(t.needs(clone, "ada's"), ["epic"]);
            let counted = t.stores[clone].read::<_, StoreError>(|r| r.epic_count(&epic)).expect("count");
            assert_eq!(counted.total, if deleted { 1 } else { 2 });
            if deleted {
                assert_eq!((bobs.status.as_str(), bobs.dependencies.len()), ("tombstone", 0));
                assert_eq!(t.ready(clone), ["epic", "open", "ada's"]);
            } else {
                let scratch = if clone == 1 { &["epic", "open", "scratch"][..] } else { &["epic", "open"] };
                assert_eq!(t.needs(clone, "bob's"), scratch);
                assert_eq!(t.labelled(clone, "bobs"), ["bob's"]);
                assert_eq!(t.ready(clone), ["epic", "open", "ada's"]);
            }
        }
        assert_eq!(t.sync(0), Synced::default());
        assert_eq!(t.sync(1), Synced::default());
    }
}

#[test]
fn whole_trees_that_cross_stay_apart() {
    for first in [0, 1] {
        let mut t = Clones::new(3);
        let epic = t.add(0, "epic", None);
        t.sync_all();
        // The child of one is older and the grandchild of the other.
        let id = t.add(0, "a", Some(&epic));
        assert_eq!(t.add(1, "b", Some(&epic)), id);
        let below = t.add(1, "bb", Some(&id));
        assert_eq!(t.add(0, "aa", Some(&id)), below);
        for clone in [0, 1] {
            let end = ["", "'"][clone];
            let name = |text: &str| BeadId::new(text).expect("id");
            let new = |id: &str, title: &str| NewBead { id: Some(name(id)), ..NewBead::titled(title) };
            t.write(clone, |w| w.create(new("gt-x", &format!("x{end}"))));
            t.write(clone, |w| w.create(new("gt-y", &format!("y{end}"))));
            link(&mut t, clone, &name("gt-y"), DepKind::BLOCKS, &name("gt-x"));
            t.write(clone, |w| w.create(new("gt-z", &format!("z{end}"))));
            let metadata = r#"{"gate":"all-children","spawner_id":"gt-x"}"#.to_owned();
            let waits = NewDep { metadata, ..NewDep::new(DepKind::WAITS_FOR, name("gt-y")) };
            t.write(clone, |w| w.add_dep(&name("gt-z"), waits));
            gate(&mut t, clone, &format!("gate{end}"), &format!("rig:{id}"));
        }
        // Cyd sees one side only before it is met.
        t.sync(first);
        t.sync(2);
        t.agreed();
        for clone in [0, 1, 2] {
            assert_eq!((t.needs(clone, "aa"), t.needs(clone, "bb")), (vec!["a".to_owned()], vec!["b".to_owned()]));
            assert_eq!((t.needs(clone, "y"), t.needs(clone, "y'")), (vec!["x".to_owned()], vec!["x'".to_owned()]));
            for end in ["", "'"] {
                let (x, z) = (t.titled(clone, &format!("x{end}")), t.titled(clone, &format!("z{end}")));
                let metadata = &z.dependencies[0].metadata;
                assert!(metadata.contains(&format!("\"{}\"", x.id)), "{metadata} of {z:?}");
            }
            for (gate, on) in [("gate", "a"), ("gate'", "b")] {
                assert_eq!(t.titled(clone, gate).await_id, format!("rig:{}", t.titled(clone, on).id));
            }
        }
        let b = t.titled(2, "b").id;
        t.write(2, |w| w.close(&b, Close::because("done")));
        t.agreed();
        assert_eq!(t.titled(0, "gate'").status.as_str(), "closed");
        assert_eq!(t.titled(0, "gate").status.as_str(), "open");
    }
}

#[test]
fn what_this_copy_alone_has_follows_its_bead() {
    let mut t = Clones::new(2);
    let epic = t.add(0, "epic", None);
    t.sync_all();
    let id = t.add(0, "ada's", Some(&epic));
    t.add(1, "bob's", Some(&epic));
    let after = wisp(&mut t, 1, "after bob's");
    link(&mut t, 1, &after, DepKind::BLOCKS, &id);
    let mut new = NewBead { issue_type: Some(IssueType::GATE), ephemeral: true, ..NewBead::titled("gate") };
    new.other.extend([("await_type".to_owned(), "bead".into()), ("await_id".to_owned(), id.as_str().into())]);
    let opens = t.write(1, |w| Ok(w.create(new)?.id));
    let agent: crate::base::Address = "gt/polecats/bob".parse().expect("address");
    t.write(1, |w| w.hook(&agent, &id, None));
    t.sync(0);
    t.agreed();
    let bobs = t.titled(1, "bob's").id;
    assert_ne!(bobs, id);
    assert_eq!(t.bead(1, &after).dependencies[0].depends_on_id, bobs);
    assert_eq!(t.bead(1, &opens).await_id, bobs.as_str());
    let hook = t.stores[1].read::<_, StoreError>(|r| r.hook_of(&bobs)).expect("hook");
    assert!(hook.is_some());
    t.write(1, |w| w.close(&id, Close::because("done")));
    assert_eq!(t.bead(1, &opens).status.as_str(), "open");
}

#[test]
fn a_large_sync_follows_what_it_renames() {
    let mut t = Clones::new(2);
    let epic = t.add(0, "epic", None);
    t.sync_all();
    t.add(0, "ada's", Some(&epic));
    let id = t.add(1, "bob's", Some(&epic));
    t.write(1, |w| {
        for n in 0..600 {
            let deps = if n % 100 == 0 { vec![NewDep::new(DepKind::BLOCKS, id.clone())] } else { Vec::new() };
            w.create(NewBead { deps, ..NewBead::titled(format!("bead {n}")) })?;
        }
        Ok(())
    });
    t.sync(1);
    t.agreed();
    for clone in [0, 1] {
        assert_eq!(t.needs(clone, "bead 500"), ["bob's"]);
    }
}

#[test]
fn what_hangs_below_a_bead_that_was_deleted_elsewhere_is_not_held_back_through_it() {
    for (first, back) in [(0, false), (1, false), (0, true), (1, true)] {
        let mut t = Clones::new(3);
        let (open, gone) = (t.add(0, "open", None), t.add(0, "gone", None));
        t.sync_all();
        t.write(0, |w| w.delete(&gone, "no"));
        let kid = t.add(1, "kid", Some(&gone));
        // Either it waits, or it would be below its own child.
        let (kind, on) = if back { (DepKind::PARENT_CHILD, &open) } else { (DepKind::BLOCKS, &open) };
        link(&mut t, 2, &gone, kind, on);
        if back {
            link(&mut t, 1, &open, DepKind::PARENT_CHILD, &kid);
        }
        t.sync(first);
        t.agreed();
        for clone in [0, 1, 2] {
            assert_eq!(t.ready(clone), ["open", "kid"]);
        }
    }
}

#[test]
fn a_gate_opens_where_it_meets_the_closed_bead_and_every_ledger_has_it() {
    for many in [0, 600] {
        for gate_first in [false, true] {
            let mut t = Clones::new(2);
            let (first, held) = (t.add(0, "first", None), t.add(0, "held", None));
            t.sync_all();
            t.write(1, |w| w.close(&first, Close::because("done")));
            let gate = gate(&mut t, 0, "gate", first.as_str());
            link(&mut t, 0, &held, DepKind::BLOCKS, &gate);
            t.write(0, |w| (0..many).try_for_each(|n| w.create(NewBead::titled(format!("bead {n}"))).map(drop)));
            if gate_first {
                t.sync(0);
                t.sync(1);
                assert_eq!(t.bead(1, &gate).status.as_str(), "closed", "it came after the closing");
            } else {
                t.sync(1);
                t.sync(0);
                assert_eq!(t.bead(0, &gate).status.as_str(), "closed", "the closing came after it");
            }
            t.agreed();
            assert!(t.ready(0).contains(&"held".to_owned()));
            assert_eq!((t.ready(0), t.sync(0), t.sync(1)), (t.ready(1), Synced::default(), Synced::default()));
        }
    }
}
