//! The integration tests: one binary, one module per area, on real git, `SQLite`, tmux and processes.

mod architecture;
mod bd;
mod build;
mod daemon;
mod demo;
mod formula;
mod patrols;
mod policy;
mod queue;
mod readme;
mod session;
mod support;
mod town;
mod why;
