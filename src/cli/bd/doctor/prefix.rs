//! No two rigs of a town give ids with the same prefix.

use std::collections::BTreeMap;

use super::Finding;
use crate::cli::CliError;
use crate::cli::bd::Context;

pub(super) fn look(cx: &Context) -> Result<Vec<Finding>, CliError> {
    let place = cx.place();
    if place.town.is_none() {
        return Ok(Vec::new());
    }
    let own = cx.read(|r| Ok(r.prefix()?))?;
    let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
    owners.entry(own.to_string()).or_default().push("the town".to_owned());
    for rig in place.rigs() {
        owners.entry(place.rig_prefix(&rig)?.to_string()).or_default().push(rig);
    }
    let clash = |(prefix, owners): (String, Vec<String>)| Finding {
        check: "prefix",
        grave: false,
        what: format!("{} all give ids that begin with {prefix}-", owners.join(", ")),
        next: "give all but one another `prefix` in their rig.toml; beads that are there keep their ids".to_owned(),
        mend: None,
    };
    Ok(owners.into_iter().filter(|(_, owners)| owners.len() > 1).map(clash).collect())
}
