//! A stretch of network between a sender and a receiver: delays, and drops what a test wants.

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToReceiver,
    ToSender,
}

/// Forwards between whoever sends to [`Relay::address`] and a receiver, until dropped.
pub(crate) struct Relay {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Relay {
    /// Passes on what `passes` lets through, `delay` later.
    pub(crate) fn start(
        receiver: SocketAddr,
        delay: Duration,
        passes: impl FnMut(Way, &[u8]) -> bool + Send + 'static,
    ) -> Self {
        let socket = || {
            let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
            socket.set_nonblocking(true).expect("it can");
            socket
        };
        let (front, back) = (socket(), socket());
        let address = front.local_addr().expect("bound");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread =
            std::thread::spawn(move || run(&front, &back, receiver, delay, passes, &stopped));
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn channel(&self) -> String {
        format!("aeron:udp?endpoint={}", self.address)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(
    front: &UdpSocket,
    back: &UdpSocket,
    receiver: SocketAddr,
    delay: Duration,
    mut passes: impl FnMut(Way, &[u8]) -> bool,
    stop: &AtomicBool,
) {
    let mut sender = None;
    let mut on_the_way: VecDeque<(Instant, Way, Vec<u8>)> = VecDeque::new();
    let mut buffer = [0; 65_536];
    while !stop.load(Ordering::Relaxed) {
        let mut is_idle = true;
        while let Ok((length, source)) = front.recv_from(&mut buffer) {
            sender = Some(source);
            is_idle = false;
            if passes(Way::ToReceiver, &buffer[..length]) {
                let due = Instant::now() + delay;
                on_the_way.push_back((due, Way::ToReceiver, buffer[..length].to_vec()));
            }
        }
        while let Ok((length, _)) = back.recv_from(&mut buffer) {
            is_idle = false;
            if passes(Way::ToSender, &buffer[..length]) {
                let due = Instant::now() + delay;
                on_the_way.push_back((due, Way::ToSender, buffer[..length].to_vec()));
            }
        }
        while let Some((_, way, datagram)) =
            on_the_way.pop_front_if(|(due, _, _)| *due <= Instant::now())
        {
            is_idle = false;
            let _ = match (way, sender) {
                (Way::ToReceiver, _) => back.send_to(&datagram, receiver),
                (Way::ToSender, Some(sender)) => front.send_to(&datagram, sender),
                (Way::ToSender, None) => Ok(0),
            };
        }
        if is_idle {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

/// Type of a frame: 1 data, 2 NAK, 3 status message, 5 SETUP.
pub(crate) fn frame_type(datagram: &[u8]) -> u16 {
    u16::from_le_bytes([datagram[6], datagram[7]])
}

/// Offset in its term at which the first data frame of a datagram starts.
pub(crate) fn term_offset(datagram: &[u8]) -> i32 {
    i32::from_le_bytes([datagram[8], datagram[9], datagram[10], datagram[11]])
}

/// Whether a data frame carries more than a header, that is, is no heartbeat.
pub(crate) fn has_data(datagram: &[u8]) -> bool {
    frame_type(datagram) == 1 && datagram.len() > 32
}
