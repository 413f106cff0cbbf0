//! Work of another rig: a person may sling it into this one, but has to say so, and not while the other rig has a
//! change for it.

use serde::Serialize;

use super::Ready;
use crate::base::{BeadId, RigName};
use crate::molecule::{self, MOLECULE};
use crate::store::{Bead, Patch, Read, Write};
use crate::town::error::TownError;
use crate::town::retire::{self, LEFT_OFF, LEFT_OFF_FILES};
use crate::town::rig::Rig;
use crate::town::roles::keep;
use crate::town::{convoy, review};

/// What was made for a bead in another rig: it stays there when the bead goes on here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stays {
    /// That rig; none when it is no rig of the town now, or cannot be read.
    pub rig: Option<RigName>,
    /// The refs that hold it there; what was noted of it where the rig is not known.
    pub at: Vec<String>,
}

impl Stays {
    /// What was left off of `bead` and is not in the rig of `ready`; none where all of it is.
    pub(super) fn of(ready: &Ready, bead: &Bead) -> Result<Option<Self>, TownError> {
        let marks: Vec<&str> = [LEFT_OFF, LEFT_OFF_FILES].into_iter().filter_map(|key| bead.meta_str(key)).collect();
        if marks.is_empty() || ready.is_home(bead) {
            return Ok(None);
        }
        let here = ready.rig.repo()?;
        if marks.iter().all(|mark| here.resolve(mark).is_ok()) {
            return Ok(None);
        }
        for other in &ready.others {
            if let Some(at) = holding(other, &marks) {
                return Ok(Some(Self { rig: Some(other.name.clone()), at }));
            }
        }
        Ok(Some(Self { rig: None, at: marks.into_iter().map(str::to_owned).collect() }))
    }

    /// In one line, for whoever slings the bead.
    pub fn text(&self) -> String {
        let at = self.at.join(", ");
        match &self.rig {
            Some(rig) => format!("what was made in {rig} stays there ({at})"),
            None => format!("what was made in another rig stays there ({at})"),
        }
    }

    /// The bead begins anew in `rig`: its former molecule is over, and a comment says where the work is.
    pub(super) fn leave(&self, w: &mut Write<'_>, bead: &Bead, rig: &RigName) -> Result<(), TownError> {
        if let Some(root) = bead.meta_str(MOLECULE).and_then(|id| BeadId::new(id).ok())
            && w.bead(&root)?.is_some_and(|root| !root.is_over())
        {
            molecule::finish(w, &root, &format!("{} begins anew in rig {rig}", bead.id))?;
        }
        retire::forget_left_off(w, bead)?;
        w.update(&bead.id, Patch { meta: vec![(MOLECULE.into(), None)], ..Patch::default() })?;
        w.add_comment(&bead.id, &self.text())?;
        Ok(())
    }
}

/// The refs of a rig that hold what these marks name; none when it does not have all of that.
fn holding(rig: &Rig, marks: &[&str]) -> Option<Vec<String>> {
    let repo = rig.repo().ok()?;
    let refs = repo.refs("refs/").ok()?;
    let mut at: Vec<String> = Vec::new();
    for mark in marks {
        let commit = repo.resolve(mark).ok()?;
        let named = refs.iter().find(|(name, _)| name == mark);
        let tip = || refs.iter().find(|(_, tip)| *tip == commit);
        let above = || refs.iter().find(|(_, tip)| repo.is_ancestor(commit, *tip).unwrap_or(false));
        let held = named.or_else(tip).or_else(above).map_or_else(|| (*mark).to_owned(), |(name, _)| name.clone());
        if !at.contains(&held) {
            at.push(held);
        }
    }
    Some(at)
}

/// Refuses a bead of another rig, unless it was sent here before or is to go `abroad`. One whose change came back in
/// another rig is refused whatever is wanted, for that change would be lost from view, until a person takes the bead away
/// from there: then it is held back without an end.
pub(super) fn refuse(r: &Read<'_>, ready: &Ready, bead: &Bead) -> Result<(), TownError> {
    let (id, rig) = (&bead.id, &ready.rig.name);
    if let Some((mr, meta)) = review::is_back(r, bead)?
        && meta.rig != *rig
        && keep::hold(r, id.as_str(), i64::MAX)?.is_none()
        && ready.others.iter().any(|other| other.name == meta.rig)
    {
        let other = &meta.rig;
        return Err(TownError::refused(format!("{id} came back in rig {other}: {mr} {}", meta.state.is()))
            .hint(format!("go on there: gt sling {id} {other}"))
            .hint(format!("take it away from there first: gt unsling {id}")));
    }
    if ready.abroad || convoy::slung_to(bead).as_ref() == Some(rig) || id.prefix() == ready.prefix().as_str() {
        return Ok(());
    }
    let Some(home) = ready.others.iter().find(|other| other.prefix().as_str() == id.prefix()) else { return Ok(()) };
    let home = &home.name;
    Err(TownError::refused(format!("{id} belongs to rig {home}, not to {rig}"))
        .hint(format!("sling it there: gt sling {id} {home}"))
        .hint(format!("into {rig} all the same: gt sling --force {id} {rig}")))
}
