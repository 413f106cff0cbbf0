//! One datagram that tells the daemon to look at the store. It never blocks and may be lost.

use std::os::unix::net::UnixDatagram;

use super::layout::Town;

/// Wakes the daemon of the town, if one listens.
pub fn wake(town: &Town) {
    let Ok(socket) = UnixDatagram::unbound() else { return };
    if socket.set_nonblocking(true).is_ok() {
        let _ = socket.send_to(b"1", town.wake_path());
    }
}
