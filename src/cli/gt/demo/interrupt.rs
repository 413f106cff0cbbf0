//! What ends a demo before its story is told: a signal, or a reader who has gone away.
//!
//! Either is only noted here. The demo looks at it between two steps, shuts its town down and removes its folder.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{CliError, Kind};

/// The number that stands for a reader who has gone away: that of SIGPIPE.
const READER_GONE: i32 = 13;

/// The signal that came first; shared by all clones.
#[derive(Debug, Clone, Default)]
pub(super) struct Interrupt(Arc<AtomicI32>);

impl Interrupt {
    /// From now on SIGINT, SIGTERM and SIGHUP are noted and end nothing by themselves.
    pub(super) fn catch() -> Result<Self, CliError> {
        let failed = |e: std::io::Error| CliError::new(Kind::Internal, format!("signals cannot be caught: {e}"));
        let noted = Self::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let mut caught = {
            let _inside = runtime.enter();
            let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
            let caught: std::io::Result<Vec<_>> =
                kinds.into_iter().map(|k| Ok((k.as_raw_value(), signal(k)?))).collect();
            caught.map_err(failed)?
        };
        let mine = noted.clone();
        let listen = move || {
            runtime.block_on(async {
                let [first, second, third] = caught.as_mut_slice() else { return };
                loop {
                    let number = tokio::select! {
                        _ = first.1.recv() => first.0,
                        _ = second.1.recv() => second.0,
                        _ = third.1.recv() => third.0,
                    };
                    mine.note(number);
                }
            });
        };
        std::thread::Builder::new().name("signals".into()).spawn(listen).map_err(failed)?;
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
