//! `gt policy types`: the type stubs that editors read.

use super::{Context, town};
use crate::base::atomic;
use crate::cli::CliError;
use crate::policy;

/// What language servers are told of policies.
const LUARC: &str = r#"{
  "runtime.version": "Lua 5.1",
  "workspace.library": ["types"],
  "runtime.builtin": { "io": "disable", "os": "disable", "debug": "disable", "package": "disable" }
}
"#;

/// Print the type stubs for editors.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write them to `lua/types/gt.lua` of the town, with a `.luarc.json` if there is none.
    #[arg(long)]
    write: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    if !args.write {
        cx.out.print(&policy::types(), Clone::clone);
        return Ok(());
    }
    let town = town(cx)?.ok_or_else(|| {
        CliError::user("there is no town here to write the stubs into").hint("gt policy types > gt.lua")
    })?;
    let folder = town.lua_dir();
    let wrong = |e: std::io::Error| CliError::user(format!("the stubs cannot be written: {e}"));
    std::fs::create_dir_all(folder.join("types")).map_err(wrong)?;
    let path = folder.join("types/gt.lua");
    atomic::write(&path, policy::types().as_bytes()).map_err(wrong)?;
    let luarc = folder.join(".luarc.json");
    if !luarc.exists() {
        atomic::write(&luarc, LUARC.as_bytes()).map_err(wrong)?;
    }
    cx.out.print(&path, |path| format!("✓ {}", path.display()));
    Ok(())
}
