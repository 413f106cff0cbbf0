//! Edges lead from beads to beads.

use super::Finding;
use crate::base::text;
use crate::cli::CliError;
use crate::cli::bd::Context;

pub(super) fn look(cx: &Context) -> Result<Vec<Finding>, CliError> {
    let orphans = cx.read(|r| Ok(r.orphaned_deps()?))?;
    let Some((issue, target)) = orphans.first() else { return Ok(Vec::new()) };
    let named: Vec<String> = orphans.iter().map(|(issue, target)| format!("{issue} → {target}")).collect();
    Ok(vec![Finding {
        check: "edges",
        grave: false,
        what: format!("{} to beads that are not here: {}", text::count(orphans.len(), "edge"), text::some(&named)),
        next: format!("import or sync what is missing, or `bd dep remove {issue} {target}`"),
        mend: None,
    }])
}
