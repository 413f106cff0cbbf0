//! A thread that sleeps until somebody tells it that there may be something to do.

use std::sync::mpsc;

/// The thread's bell. The thread hears that it is dropped.
#[derive(Debug)]
pub struct Bell {
    rope: Option<mpsc::SyncSender<()>>,
}

impl Bell {
    /// Starts `work` on a thread called `name`, which hears the bell at its receiver. Where no thread can be started the
    /// bell is dumb: what `work` does, the next command that writes does as well.
    pub fn start(name: &str, work: impl FnOnce(mpsc::Receiver<()>) + Send + 'static) -> Self {
        let (rope, rung) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || work(rung));
        if let Err(error) = &thread {
            tracing::error!(%error, "no thread can be started");
        }
        Self { rope: thread.is_ok().then_some(rope) }
    }

    /// Something was written. Rings once, however often it is called before the thread hears it.
    pub fn ring(&self) {
        if let Some(rope) = &self.rope {
            let _ = rope.try_send(());
        }
    }
}
