//! Wisps do not lie about.

use super::Finding;
use crate::base::span::Span;
use crate::base::text;
use crate::cli::CliError;
use crate::cli::bd::Context;
use crate::molecule;

/// A wisp that nothing has changed for a day is nobody's.
const DAY: &str = "24h";

pub(super) fn look(cx: &Context) -> Result<Vec<Finding>, CliError> {
    let now = cx.now();
    let age: Span = DAY.parse().map_err(|e| CliError::user(format!("{e}")))?;
    let old = cx.read(|r| Ok(molecule::gc_would(r, now, age, true)?))?;
    if old.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Finding {
        check: "wisps",
        grave: false,
        what: format!("{} of wisps that nothing has changed for a day", text::count(old.len(), "bead")),
        next: format!("`bd mol wisp gc --age {DAY} --all`"),
        mend: Some(Box::new(move |cx| {
            let by = cx.stamp();
            let cleared = cx.change_store(|store| Ok(molecule::gc(store, &by, age, true)?))?;
            let left = cleared.left.iter().map(|(root, why)| format!("; {root} is left: {why}"));
            Ok(format!("{} burnt{}", text::count(cleared.gone.len(), "bead"), left.collect::<String>()))
        })),
    }])
}
