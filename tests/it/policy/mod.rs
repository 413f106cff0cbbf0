//! Policies on the public interface: shipped rules, layers, ladders, questions, sandbox, messages.

mod facts;
mod layers;
mod messages;
mod questions;
mod rules;
mod sandbox;
