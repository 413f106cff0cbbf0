//! `gt policy eject`: a shipped role as a layer of the user's own, every rule in it an override.

use super::{Context, town};
use crate::base::{RigName, atomic};
use crate::cli::CliError;
use crate::config::Overrides;
use crate::policy;

/// Copy a shipped role into the town as a layer of your own. What you delete from it is the shipped rule again.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The role: witness or refinery.
    role: String,
    /// For this rig only.
    #[arg(long)]
    rig: Option<RigName>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let Some(text) = policy::eject(&args.role) else {
        let names: Vec<&str> = policy::builtin_roles().collect();
        return Err(CliError::not_found(format!("no role `{}` is shipped", args.role))
            .hint(format!("shipped are {}", names.join(", "))));
    };
    let town = town(cx)?.ok_or_else(|| {
        CliError::user("there is no town here").hint(format!("gt policy show {} prints the shipped text", args.role))
    })?;
    let folder = match &args.rig {
        Some(rig) => town.rig(rig, &Overrides::default())?.lua_dir(),
        None => town.lua_dir(),
    };
    let path = folder.join("roles").join(format!("{}.lua", args.role));
    if path.exists() {
        return Err(CliError::refused(format!("{} is there already", path.display()))
            .hint("override single rules in it: gt.extend and role.override"));
    }
    let wrong = |e: std::io::Error| CliError::user(format!("{} cannot be written: {e}", path.display()));
    std::fs::create_dir_all(folder.join("roles")).map_err(wrong)?;
    atomic::write(&path, text.as_bytes()).map_err(wrong)?;
    cx.out.print(&path, |path| format!("✓ {}", path.display()));
    Ok(())
}
