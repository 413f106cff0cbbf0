//! Work of another rig: a person may sling it into this one, but has to say so, and not while the other rig has a
//! change for it.

use super::Ready;
use crate::store::{Bead, Read};
use crate::town::error::TownError;
use crate::town::roles::keep;
use crate::town::{convoy, review};

/// Refuses a bead of another rig, unless it was sent here before or is to go `abroad`. One whose change came back in
/// another rig is refused whatever is wanted, for that change would be lost from view, until a person takes the bead away
/// from there: then it is held back without an end.
pub(super) fn refuse(r: &Read<'_>, ready: &Ready, bead: &Bead) -> Result<(), TownError> {
    let (id, rig) = (&bead.id, &ready.rig.name);
    if let Some((mr, meta)) = review::is_back(r, bead)?
        && meta.rig != *rig
        && keep::hold(r, id.as_str(), i64::MAX)?.is_none()
        && ready.others.iter().any(|(_, other)| *other == meta.rig)
    {
        let other = &meta.rig;
        return Err(TownError::refused(format!("{id} came back in rig {other}: {mr} {}", meta.state.is()))
            .hint(format!("go on there: gt sling {id} {other}"))
            .hint(format!("take it away from there first: gt unsling {id}")));
    }
    if ready.abroad || convoy::slung_to(bead).as_ref() == Some(rig) || id.prefix() == ready.prefix().as_str() {
        return Ok(());
    }
    let Some((_, home)) = ready.others.iter().find(|(prefix, _)| prefix.as_str() == id.prefix()) else { return Ok(()) };
    Err(TownError::refused(format!("{id} belongs to rig {home}, not to {rig}"))
        .hint(format!("sling it there: gt sling {id} {home}"))
        .hint(format!("into {rig} all the same: gt sling --force {id} {rig}")))
}
