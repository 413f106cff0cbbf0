//! `completion SHELL` of both programs: what the shell needs to complete their verbs and flags.

use clap_complete::Shell;

/// Prints a script that completes verbs and flags in a shell.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// bash, zsh, fish, elvish or powershell.
    shell: Shell,
}

/// Prints the script for `program`, whose command line is `command`.
pub fn print(args: &Args, mut command: clap::Command, program: &str) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, program, &mut script);
    super::output::line(String::from_utf8_lossy(&script).trim_end());
}
