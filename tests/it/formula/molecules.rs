//! Molecules on a real store.
