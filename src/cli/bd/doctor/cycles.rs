//! No bead waits for itself.

use super::Finding;
use crate::cli::CliError;
use crate::cli::bd::Context;
use crate::cli::bd::dep::cycles::circles;

pub(super) fn look(cx: &Context) -> Result<Vec<Finding>, CliError> {
    let circles = cx.read(|r| Ok(circles(r)?))?;
    let finding = |circle: Vec<crate::base::BeadId>| {
        let way: Vec<&str> = circle.iter().chain(circle.first()).map(|id| id.as_str()).collect();
        let second = circle.get(1).or(circle.first()).map_or("B", |id| id.as_str());
        Finding {
            check: "cycles",
            grave: false,
            what: format!("{}: none of them is ready while they wait for each other", way.join(" → ")),
            next: format!("`bd dep remove {} {second}`, or another of its edges", way.first().copied().unwrap_or("A")),
            mend: None,
        }
    };
    Ok(circles.into_iter().map(finding).collect())
}
