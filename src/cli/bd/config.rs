//! `bd config`: settings of the tracker.

use super::Context;
use crate::base::span::Span;
use crate::base::{Prefix, text};
use crate::cli::CliError;

/// Reads and changes settings that belong to the tracker itself.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print a setting
    Get {
        /// Its name.
        key: String,
    },
    /// Change a setting
    Set {
        /// Its name.
        key: String,
        /// Its value.
        value: String,
    },
    /// Remove a setting
    Unset {
        /// Its name.
        key: String,
    },
    /// Print all settings
    List,
}

/// Settings that mean something, and those under a prefix that ends with a dot.
const KNOWN: [&str; 15] = [
    "formula.max_bytes",
    "formula.max_depth",
    "formula.max_file_bytes",
    "formula.max_steps",
    "issue_prefix",
    "min_hash_length",
    "max_hash_length",
    "max_collision_prob",
    "hierarchy.max-depth",
    "status.custom",
    "sync.remote",
    super::sync::TIMEOUT,
    "types.custom",
    "wisp.keep",
    "wisp.abandon",
];

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    match args.what {
        What::Get { key } => cx.read(|r| {
            let value = r.setting(&key)?;
            cx.out.print(&serde_json::json!({ "key": key, "value": value }), |_| value.clone().unwrap_or_default());
            Ok(())
        }),
        What::Set { key, value } => {
            check(&key, &value)?;
            cx.write(|w| Ok(w.set_setting(&key, Some(&value))?))?;
            cx.out.print(&serde_json::json!({ "key": key, "value": value }), |_| format!("✓ {key} = {value}"));
            Ok(())
        }
        What::Unset { key } => {
            if key == "issue_prefix" {
                return Err(CliError::refused("every tracker has a prefix").hint("bd config set issue_prefix NEW"));
            }
            cx.write(|w| Ok(w.set_setting(&key, None)?))?;
            cx.out.print(&serde_json::json!({ "key": key, "value": null }), |_| format!("✓ {key} is unset"));
            Ok(())
        }
        What::List => cx.read(|r| {
            let all: crate::store::Map = r.settings()?.into_iter().map(|(k, v)| (k, v.into())).collect();
            cx.out.print(&all, |all| {
                all.iter()
                    .map(|(k, v)| format!("{k} = {}", v.as_str().unwrap_or_default()))
                    .collect::<Vec<_>>()
                    .join("\n")
            });
            Ok(())
        }),
    }
}

/// Refuses names nobody reads and values that make no sense.
fn check(key: &str, value: &str) -> Result<(), CliError> {
    let own = key.contains('.') && !key.starts_with('.') && !key.starts_with("formula.");
    if !KNOWN.contains(&key) && !own {
        let mut error = CliError::user(format!("there is no setting `{key}`"));
        if let Some(like) = text::similar(key, KNOWN) {
            error = error.hint(format!("did you mean `{like}`?"));
        }
        return Err(error.hint("names of your own have a dot in them, as in team.board"));
    }
    let bad = |what: &str| Err(CliError::user(format!("`{value}` is no value for {key}: {what}")));
    match key {
        "issue_prefix" => _ = Prefix::new(value)?,
        "min_hash_length" | "max_hash_length" if !matches!(value.parse(), Ok(3..=8)) => return bad("use 3 to 8"),
        "formula.max_bytes" | "formula.max_depth" | "formula.max_file_bytes" | "formula.max_steps"
            if !value.parse::<u64>().is_ok_and(|n| n > 0) =>
        {
            return bad("use a whole number, 1 or more");
        }
        "hierarchy.max-depth" if !matches!(value.parse(), Ok(1..=20)) => return bad("use 1 to 20"),
        "max_collision_prob" if !value.parse::<f64>().is_ok_and(|p| p > 0.0 && p < 1.0) => {
            return bad("use a number between 0 and 1");
        }
        super::sync::TIMEOUT if !value.parse::<Span>().is_ok_and(|span| span.as_millis() > 0) => {
            return bad("use a length of time as in 5m");
        }
        "wisp.keep" | "wisp.abandon" if value != "never" && value.parse::<Span>().is_err() => {
            return bad("use a length of time as in 24h, or never");
        }
        _ => {}
    }
    Ok(())
}
