//! What a command does when a person or the system ends it before it has come to its end.

use tokio::signal::unix::{SignalKind, signal};

use super::{CliError, Kind};

/// From now on SIGINT, SIGTERM and SIGHUP end nothing by themselves: `heard` is called with the number of each, on a
/// thread of its own.
pub(crate) fn listen(mut heard: impl FnMut(i32) + Send + 'static) -> Result<(), CliError> {
    let failed = |e: std::io::Error| CliError::new(Kind::Internal, format!("signals cannot be caught: {e}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let mut caught = {
        let _inside = runtime.enter();
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let caught: std::io::Result<Vec<_>> = kinds.into_iter().map(|k| Ok((k.as_raw_value(), signal(k)?))).collect();
        caught.map_err(failed)?
    };
    let listen = move || {
        runtime.block_on(async {
            let [first, second, third] = caught.as_mut_slice() else { return };
            loop {
                let number = tokio::select! {
                    _ = first.1.recv() => first.0,
                    _ = second.1.recv() => second.0,
                    _ = third.1.recv() => third.0,
                };
                heard(number);
            }
        });
    };
    std::thread::Builder::new().name("signals".into()).spawn(listen).map_err(failed)?;
    Ok(())
}
