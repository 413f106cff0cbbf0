//! What ends a demo before its story is told: a signal, or a reader who has gone away.
//!
//! Either is only noted here. The demo looks at it between two steps, shuts its town down and removes its folder.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::cli::{CliError, signals};

/// The number that stands for a reader who has gone away: that of SIGPIPE.
const READER_GONE: i32 = 13;

/// The signal that came first; shared by all clones.
#[derive(Debug, Clone, Default)]
pub(super) struct Interrupt(Arc<AtomicI32>);

impl Interrupt {
    /// From now on SIGINT, SIGTERM and SIGHUP are noted and end nothing by themselves.
    pub(super) fn catch() -> Result<Self, CliError> {
        let noted = Self::default();
        let mine = noted.clone();
        signals::listen(move |number| mine.note(number))?;
        Ok(noted)
    }

    fn note(&self, number: i32) {
        let _ = self.0.compare_exchange(0, number, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Nobody reads what the demo prints.
    pub(super) fn reader_gone(&self) {
        self.note(READER_GONE);
    }

    /// Whether the demo is to end.
    pub(super) fn came(&self) -> bool {
        self.0.load(Ordering::SeqCst) != 0
    }

    /// The exit code of a demo that was ended: 128 + the signal, as shells say it; 0 when its reader has gone.
    pub(super) fn code(&self) -> Option<i32> {
        match self.0.load(Ordering::SeqCst) {
            0 => None,
            READER_GONE => Some(0),
            number => Some(128 + number),
        }
    }

    /// An error when the demo is to end.
    pub(super) fn check(&self) -> Result<(), CliError> {
        if self.came() { Err(CliError::refused("the demo was ended before its end")) } else { Ok(()) }
    }
}
