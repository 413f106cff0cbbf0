//! `gt`: see `gastown::cli::gt`.
fn main() -> std::process::ExitCode {
    gastown::cli::gt::main()
}
