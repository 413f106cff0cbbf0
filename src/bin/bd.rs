//! `bd`: see `gastown::cli::bd`.
fn main() -> std::process::ExitCode {
    gastown::cli::bd::main()
}
