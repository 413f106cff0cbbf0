//! Work on a thread of its own that panics is work that failed: whoever waits for it hears of it.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does `work`; the words of a panic when there was one.
///
/// Nothing that `work` holds is looked at afterwards: it is dropped with the panic.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
        format!("it panicked: {words}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_panic_are_its_error() {
        assert_eq!(guarded(|| 1), Ok(1));
        assert_eq!(guarded(|| -> i32 { panic!("no {}", "way") }), Err("it panicked: no way".into()));
    }
}
