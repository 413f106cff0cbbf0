//! The integration tests: one binary, one module per area, on real git, SQLite, tmux and processes.

mod architecture;
mod bd;
mod daemon;
mod formula;
mod policy;
mod queue;
mod session;
mod support;
mod town;
