//! A program that acts without asking: a person hears of it once for each, where they decide to run it.

use serde_json::json;

use super::around::Acting;
use super::error::TownError;
use super::hosts;
use crate::store::Store;

/// The local namespace of runtimes that a person has been told about.
const TOLD: &str = "told-unchecked";

/// What a person must know before `runtime` works for them: that its own permission checks are off, and where that is
/// changed. None when they are on, and when it was said before.
pub fn tell(cx: &Acting<'_>, store: &mut Store, runtime: &str) -> Result<Option<String>, TownError> {
    let all = hosts::runtimes(cx)?;
    let Some(found) = all.get(runtime) else { return Ok(None) };
    let off = found.unchecked().join(" ");
    let told = json!(off);
    if off.is_empty() || store.read(|r| r.local_or_none(TOLD, runtime))?.as_ref() == Some(&told) {
        return Ok(None);
    }
    store.write(&cx.stamp(), |w| w.put_local(TOLD, runtime, &told))?;
    Ok(Some(format!(
        "{} works with its permission checks off ({off}): what it does, it does as you and without asking; \
         to change it: `args` under [runtimes.{runtime}] in {}",
        found.title,
        cx.town.config_path().display()
    )))
}
