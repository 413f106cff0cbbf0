//! Session hosts with real terminals and processes: the same promises, kept by tmux and without it.

mod ground;
mod headless;
mod hosts;
mod tmux;
mod worker;
