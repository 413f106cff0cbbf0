//! `gt`: see `gastown::cli::gt`. Called by the name `bd`, through a link, it is `bd`: the demo needs both, and
//! `cargo run --bin gt` builds this one alone.
fn main() -> std::process::ExitCode {
    let name = std::env::args_os().next().map(std::path::PathBuf::from);
    if name.as_deref().and_then(std::path::Path::file_name).is_some_and(|name| name == "bd") {
        return gastown::cli::bd::main();
    }
    gastown::cli::gt::main()
}
