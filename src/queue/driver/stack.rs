//! Builds the stack of a batch in the object database, and deals with the members that do not go on it.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Driver, Layer};
use crate::base::BeadId;
use crate::git::{ConflictHunk, GitError, Ident, Nothing, Oid, StackItem, Stacked};
use crate::queue::machine::Event;
use crate::queue::request::{Request, Words, step};
use crate::queue::{QueueError, wait};
use crate::store::StoreError;

impl Driver<'_> {
    /// Stacks the members on `base`; those that do not go on it, and those that no gate is about, are dealt with and
    /// left out.
    pub(super) fn build(&mut self, base: Oid, members: &[Request]) -> Result<Vec<Layer>, QueueError> {
        let mut members = members.to_vec();
        loop {
            let layers = self.stack(base, &members)?;
            let bare = self.uncovered(base, &layers)?;
            if bare.is_empty() {
                return Ok(layers);
            }
            for (layer, paths) in bare {
                self.hold_back(&layer.id, &paths)?;
                members.retain(|m| m.id != layer.id);
            }
            members.retain(|m| layers.iter().any(|l| l.id == m.id));
        }
    }

    /// The layers that change nothing that a chosen gate is about, each with the paths it changes.
    fn uncovered(&self, base: Oid, layers: &[Layer]) -> Result<Vec<(Layer, Vec<String>)>, QueueError> {
        let (mut below, mut bare) = (base, Vec::new());
        for layer in layers {
            let paths = self.paths(below, layer.commit)?;
            if !self.site.bench.covers(&paths) {
                bare.push((layer.clone(), paths));
            }
            below = layer.commit;
        }
        Ok(bare)
    }

    /// No gate would say anything about this change, and only a pass lands: it waits, and only it, until the
    /// configuration is another one.
    fn hold_back(&mut self, id: &BeadId, paths: &[String]) -> Result<(), QueueError> {
        let shown = paths.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if paths.len() > 3 { ", …" } else { "" };
        let mend = if self.site.left_out.is_empty() {
            "add one, or widen its `paths`, in rig.toml".to_owned()
        } else {
            format!("the policy left out {}", self.site.left_out.join(", "))
        };
        let why = format!("no gate is about what it changes ({shown}{more}): {mend}");
        self.write(|w| {
            wait::set_wait(w, id, &why, None)?;
            step(w, id, Event::PutBack, &Words::why(why.clone()))
        })?;
        Ok(())
    }

    fn stack(&mut self, base: Oid, members: &[Request]) -> Result<Vec<Layer>, QueueError> {
        let mut items = Vec::new();
        let mut stackable = Vec::new();
        for member in members {
            match self.item(member) {
                Ok(item) => {
                    items.push(item);
                    stackable.push(member);
                }
                Err(QueueError::Git(GitError::NoSuch(_))) => {
                    let why = format!("its commit {} is not in the rig's repository", member.mr.commit);
                    self.write(|w| {
                        step(w, &member.id, Event::PutBack, &Words::why(why.clone()))?;
                        step(w, &member.id, Event::Rejected, &Words::why(why))
                    })?;
                }
                Err(error) => return Err(error),
            }
        }
        let (who, now) = (Ident::town(), self.clock.now());
        let stacked = self.repo.stack(base, &items, &who, now)?;
        let mut layers = Vec::new();
        for ((member, item), result) in stackable.into_iter().zip(items).zip(stacked) {
            match result {
                Stacked::Merged(commit) => layers.push(Layer { id: member.id.clone(), commit }),
                Stacked::AddsNothing(_) => match self.repo.adds_nothing(item.commit, base)? {
                    Some(Nothing::Landed) => self.already_there(&member.id)?,
                    Some(nothing) => self.nothing_to_land(&member.id, base, nothing)?,
                    None => self.put_back(std::slice::from_ref(&member.id), "another of its batch brings the same")?,
                },
                Stacked::Conflict(_) => match self.repo.stack(base, &[item], &who, now)?.pop() {
                    Some(Stacked::Conflict(hunks)) => self.conflict(&member.id, base, &hunks)?,
                    _ => self.put_back(
                        std::slice::from_ref(&member.id),
                        "conflicts with another of its batch, which goes first",
                    )?,
                },
            }
        }
        Ok(layers)
    }

    fn item(&self, request: &Request) -> Result<StackItem, QueueError> {
        let worker = request.mr.worker.to_string();
        let commit = self.repo.resolve(&request.mr.commit)?;
        let title = self.store.read(|r| Ok::<_, StoreError>(r.bead(&request.mr.bead)?.map(|b| b.title)))?;
        let title = title.unwrap_or_else(|| request.title.clone());
        Ok(StackItem {
            commit,
            message: format!(
                "{} {} ({})",
                request.mr.bead,
                crate::base::text::headline(&title, 100),
                request.mr.worker.short()
            ),
            trailers: vec![
                ("Gt-MR".into(), request.id.to_string()),
                ("Gt-Bead".into(), request.mr.bead.to_string()),
                ("Gt-Source".into(), request.mr.commit.clone()),
            ],
            author: Ident::agent(&worker),
        })
    }

    pub(super) fn build_alone(&self, base: Oid, member: &Request) -> Result<Option<Layer>, QueueError> {
        let item = self.item(member)?;
        match self.repo.stack(base, &[item], &Ident::town(), self.clock.now())?.pop() {
            Some(Stacked::Merged(commit)) => Ok(Some(Layer { id: member.id.clone(), commit })),
            _ => Ok(None),
        }
    }

    fn already_there(&mut self, id: &BeadId) -> Result<(), QueueError> {
        let on_landed = self.follow.landed;
        let why = Nothing::Landed.words(&self.site.target);
        self.write(|w| {
            let request = Request::load(w, id)?;
            step(w, id, Event::AlreadyThere, &Words::why(why))?;
            Ok(on_landed(w, &request, &request.mr.commit)?)
        })?;
        self.report.landed.push(id.clone());
        Ok(())
    }

    /// Nothing of it would be on the target, so nobody may take it for merged: whoever made it says what is to become of
    /// its bead.
    fn nothing_to_land(&mut self, id: &BeadId, base: Oid, nothing: Nothing) -> Result<(), QueueError> {
        let on_nothing = self.follow.nothing;
        let why = format!("{}; if nothing has to change: gt done --no-change REASON", nothing.words(&self.site.target));
        let words = Words::why(why.clone()).with("target", base.to_string());
        self.write(|w| {
            step(w, id, Event::NothingToLand, &words)?;
            on_nothing(w, id, &why)
        })?;
        self.report.nothing.push(id.clone());
        Ok(())
    }

    fn conflict(&mut self, id: &BeadId, base: Oid, hunks: &[ConflictHunk]) -> Result<(), QueueError> {
        let files: BTreeSet<&str> = hunks.iter().map(|h| h.path.as_str()).collect();
        let places: Vec<String> = hunks.iter().map(place).collect();
        let words = Words::why(format!("conflicts with {} in {}", self.site.target, places.join(", ")))
            .with("files", json!(files))
            .with("hunks", json!(hunks.iter().map(ConflictHunk::text).collect::<Vec<_>>()))
            .with("target", base.to_string());
        self.write(|w| step(w, id, Event::Conflicted, &words))?;
        self.report.conflicts.push(id.clone());
        Ok(())
    }
}

/// Where a conflict is: `src/cli.rs:14-18`.
fn place(hunk: &ConflictHunk) -> String {
    match (hunk.start, hunk.end) {
        (0, _) => hunk.path.clone(),
        (start, end) if end > start => format!("{}:{start}-{end}", hunk.path),
        (start, _) => format!("{}:{start}", hunk.path),
    }
}
