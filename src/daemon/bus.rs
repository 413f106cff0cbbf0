//! The one bus of the daemon: everything that can wake the dispatcher, in one channel.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::client::{Reply, Request};

/// Something happened that the dispatcher may have to act upon.
#[derive(Debug)]
pub enum Wake {
    /// Somebody wrote to the store, or says so.
    Store,
    /// A policy, a formula or a file of configuration changed.
    Config,
    /// The process of an agent ended.
    Agent,
    /// A rig's queue finished a job, or a hand finished an action.
    Done,
    /// A request on the socket; the answer goes back through the channel.
    Ask(Request, tokio::sync::oneshot::Sender<Reply>),
    /// A signal asks the daemon to end.
    Stop(&'static str),
}

/// The sending end; every component has one.
pub type Sender = mpsc::Sender<Wake>;

/// What came in one go: wakes are merged, requests kept.
#[derive(Debug, Default)]
pub struct Batch {
    /// Look at the store.
    pub store: bool,
    /// Read policies and configuration again.
    pub config: bool,
    /// Look at the agents' processes.
    pub agents: bool,
    /// A job or an action ended.
    pub done: bool,
    /// Requests to answer.
    pub asks: Vec<(Request, tokio::sync::oneshot::Sender<Reply>)>,
    /// End, and why.
    pub stop: Option<&'static str>,
    /// Nothing came until the time was up.
    pub timed_out: bool,
}

impl Batch {
    fn add(&mut self, wake: Wake) {
        match wake {
            Wake::Store => self.store = true,
            Wake::Config => self.config = true,
            Wake::Agent => self.agents = true,
            Wake::Done => self.done = true,
            Wake::Ask(request, answer) => {
                if request == Request::Wake {
                    self.store = true;
                    self.agents = true;
                }
                self.asks.push((request, answer));
            }
            Wake::Stop(why) => self.stop = Some(why),
        }
    }
}

/// Waits for the next wake, or until `deadline`, and takes all that came with it.
///
/// A closed bus, which means that the components are gone, is a reason to stop.
pub fn next(bus: &mpsc::Receiver<Wake>, deadline: Instant) -> Batch {
    let mut batch = Batch::default();
    let wait = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    match bus.recv_timeout(wait) {
        Ok(wake) => batch.add(wake),
        Err(mpsc::RecvTimeoutError::Timeout) => batch.timed_out = true,
        Err(mpsc::RecvTimeoutError::Disconnected) => batch.stop = Some("its components ended"),
    }
    while let Ok(wake) = bus.try_recv() {
        batch.add(wake);
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_that_come_together_are_one_batch() {
        let (send, recv) = mpsc::channel();
        for _ in 0..3 {
            send.send(Wake::Store).expect("open");
        }
        send.send(Wake::Config).expect("open");
        let batch = next(&recv, Instant::now());
        assert!(batch.store && batch.config && !batch.agents && batch.stop.is_none());
        assert!(next(&recv, Instant::now()).timed_out);
        drop(send);
        assert!(next(&recv, Instant::now()).stop.is_some());
    }
}
