//! Hears of the end of processes, at no cost while they live.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{ProcId, wait_readable};

/// One thread that sleeps until a watched process ends. Where the system has no descriptor for that, it looks
/// twice a second.
#[derive(Debug)]
pub struct ExitWatch {
    add: Sender<ProcId>,
    /// A byte wakes the thread; closing it ends the thread.
    wake: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl ExitWatch {
    /// Starts the thread. `ended` is called on it, once for each watched process that ends.
    pub fn start(ended: impl FnMut(ProcId) + Send + 'static) -> io::Result<Self> {
        let (add, added) = channel();
        let (wake, woken) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        wake.set_nonblocking(true)?;
        let thread =
            std::thread::Builder::new().name("exit-watch".to_owned()).spawn(move || watch(&added, &woken, ended))?;
        Ok(Self { add, wake: Some(wake), thread: Some(thread) })
    }

    /// Watches one more process. One that has ended already is reported at once.
    pub fn add(&self, id: ProcId) {
        // The thread lives as long as `self`; a full wake buffer means that it is about to look anyway.
        let _ = self.add.send(id);
        if let Some(wake) = &self.wake {
            let _ = io::Write::write(&mut &*wake, b"+");
        }
    }
}

impl Drop for ExitWatch {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch(added: &Receiver<ProcId>, woken: &UnixStream, mut ended: impl FnMut(ProcId)) {
    let mut watched: Vec<(ProcId, Option<OwnedFd>)> = Vec::new();
    loop {
        for id in added.try_iter() {
            let fd = id.exit_fd();
            watched.push((id, fd));
        }
        let mut gone = Vec::new();
        watched.retain(|(id, _)| {
            let alive = id.alive();
            if !alive {
                gone.push(id.clone());
            }
            alive
        });
        for id in gone {
            ended(id);
        }
        let blind = watched.iter().any(|(_, fd)| fd.is_none());
        let deadline = blind.then(|| Instant::now() + Duration::from_millis(500));
        let mut fds = vec![woken.as_fd()];
        fds.extend(watched.iter().filter_map(|(_, fd)| fd.as_ref().map(AsFd::as_fd)));
        if wait_readable(&fds, deadline)[0] {
            let mut buffer = [0; 64];
            match io::Read::read(&mut &*woken, &mut buffer) {
                Ok(0) => return,
                Ok(_) => {}
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_end_of_each_process_is_told_once() {
        let (tell, told) = channel();
        let watch = ExitWatch::start(move |id| drop(tell.send(id))).expect("thread");
        let mut cats: Vec<_> =
            (0..3).map(|_| Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat")).collect();
        let ids: Vec<_> = cats.iter().map(|c| ProcId::of(c.id()).expect("runs")).collect();
        for id in &ids {
            watch.add(id.clone());
        }
        let mut cat = cats.remove(1);
        drop(cat.stdin.take());
        // Told while it is a zombie: nobody has waited for it yet.
        assert_eq!(told.recv_timeout(Duration::from_secs(20)).expect("told"), ids[1]);
        cat.wait().expect("collected");
        for mut cat in cats {
            drop(cat.stdin.take());
            cat.wait().expect("collected");
        }
        let mut rest: Vec<_> = (0..2).map(|_| told.recv_timeout(Duration::from_secs(20)).expect("told")).collect();
        rest.sort();
        let mut expected = vec![ids[0].clone(), ids[2].clone()];
        expected.sort();
        assert_eq!(rest, expected);
        watch.add(ids[0].clone());
        assert_eq!(told.recv_timeout(Duration::from_secs(20)).expect("told"), ids[0]);
        drop(watch);
        assert!(told.try_recv().is_err());
    }
}
