//! Policies on the public interface: shipped rules, layers, ladders, questions, sandbox, messages.

mod cli;
mod examples;
mod facts;
mod layers;
mod messages;
mod patrols;
mod questions;
mod rules;
mod sandbox;
mod stubs;
mod testing;
