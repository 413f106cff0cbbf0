//! Nothing is left of bulk work that was killed: its rows are unseen and hold ids.

use super::Finding;
use crate::base::text;
use crate::cli::CliError;
use crate::cli::bd::Context;

/// Bulk work that still runs is younger.
const OLD_MS: i64 = 3_600_000;

pub(super) fn look(cx: &Context) -> Result<Vec<Finding>, CliError> {
    let before = cx.now().plus_millis(-OLD_MS);
    let left = cx.read(|r| Ok(r.staged_before(before)?))?;
    if left.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Finding {
        check: "batches",
        grave: false,
        what: format!("{} of bulk work that did not end", text::count(left.len(), "unseen batch")),
        next: "`bd doctor --fix` drops them: nothing of them was ever acknowledged".to_owned(),
        mend: Some(Box::new(move |cx| {
            let n = cx.write(|w| {
                let left = w.staged_before(before)?;
                left.iter().try_for_each(|batch| w.discard(*batch))?;
                Ok(left.len())
            })?;
            Ok(format!("{n} dropped"))
        })),
    }])
}
