//! Git overlooks the tracker's own files.

use super::Finding;
use crate::cli::CliError;
use crate::cli::bd::{Context, exclude};

pub(super) fn look(cx: &Context) -> Result<Vec<Finding>, CliError> {
    let place = cx.place();
    if place.town.is_some() || exclude::is_hidden(&place.beads_dir)? {
        return Ok(Vec::new());
    }
    Ok(vec![Finding {
        check: "exclude",
        grave: false,
        what: "git does not overlook all of the tracker's own files".to_owned(),
        next: "`bd doctor --fix` writes the lines into .git/info/exclude".to_owned(),
        mend: Some(Box::new(|cx| {
            let dir = &cx.place().beads_dir;
            exclude::unhide(dir)?;
            exclude::hide(dir)?;
            Ok("written".to_owned())
        })),
    }])
}
