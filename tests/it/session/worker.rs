//! The scripted worker, with small programs in the place of `gt`.
