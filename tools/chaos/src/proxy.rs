//! A path between two drivers that is worse than the loopback interface.
//!
//! ```text
//!   publisher's driver ──▶ front ── forward ──▶ back ──▶ subscriber's driver
//!                      ◀── front ◀─ backward ── back ◀──
//! ```
//! The publication's channel names the proxy's address instead of the subscriber's. Status messages
//! and NAKs go back to whoever sent last. One sender at a time: a driver that takes the place of
//! another takes over the way back as well.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use crate::fate::{Copies, Fate};

/// Longest sleep of a thread, after which it looks whether it is to stop.
const WAIT_MAX: Duration = Duration::from_millis(20);
/// Shortest wait that a socket's timeout can express.
const WAIT_MIN: Duration = Duration::from_micros(50);
/// Datagrams that a direction holds at most; what comes beyond is lost.
const HELD_MAX: usize = 1 << 16;
/// Receive and send buffer of the sockets, in bytes.
const BUFFER_LENGTH: usize = 4 * 1024 * 1024;
/// Longest datagram.
const DATAGRAM_MAX: usize = 65_536;

/// What passed in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Datagrams that came in.
    pub taken: u64,
    /// Of those, lost.
    pub lost: u64,
    /// Datagrams that went on, copies included.
    pub given: u64,
    /// Bytes of them.
    pub given_bytes: u64,
}

#[derive(Debug, Default)]
struct Counts {
    taken: AtomicU64,
    lost: AtomicU64,
    given: AtomicU64,
    given_bytes: AtomicU64,
}

impl Counts {
    fn read(&self) -> Passed {
        let value = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Passed {
            taken: value(&self.taken),
            lost: value(&self.lost),
            given: value(&self.given),
            given_bytes: value(&self.given_bytes),
        }
    }
}

#[derive(Debug)]
struct Shared {
    is_over: AtomicBool,
    /// Who sent last.
    sender: Mutex<Option<SocketAddr>>,
    forward: Counts,
    backward: Counts,
}

/// A running proxy; it ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy in front of `target`.
    ///
    /// ```
    /// use std::net::UdpSocket;
    /// use aileron_chaos::fate::Calm;
    /// use aileron_chaos::proxy::Proxy;
    /// let receiver = UdpSocket::bind("127.0.0.1:0")?;
    /// let proxy = Proxy::start(receiver.local_addr()?, Box::new(Calm), Box::new(Calm))?;
    /// let sender = UdpSocket::bind("127.0.0.1:0")?;
    /// sender.send_to(b"hello", proxy.address())?;
    /// let mut buffer = [0; 16];
    /// let (length, back) = receiver.recv_from(&mut buffer)?;
    /// assert_eq!(&buffer[..length], b"hello");
    /// receiver.send_to(b"hello yourself", back)?;
    /// let (length, from) = sender.recv_from(&mut buffer)?;
    /// assert_eq!((&buffer[..length], from), (&b"hello yourself"[..], proxy.address()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// No socket is to be had.
    pub fn start(
        target: SocketAddr,
        forward: Box<dyn Fate>,
        backward: Box<dyn Fate>,
    ) -> io::Result<Self> {
        let any = SocketAddr::new(
            match target {
                SocketAddr::V4(_) => [127, 0, 0, 1].into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            },
            0,
        );
        let (front, back) = (socket(any)?, socket(any)?);
        let address = front.local_addr()?;
        let shared = Arc::new(Shared {
            is_over: AtomicBool::new(false),
            sender: Mutex::new(None),
            forward: Counts::default(),
            backward: Counts::default(),
        });
        let forward = Direction {
            from: front.try_clone()?,
            to: back.try_clone()?,
            target: Some(target),
            fate: forward,
            held: BinaryHeap::new(),
            order: 0,
        };
        let backward = Direction {
            from: back,
            to: front,
            target: None,
            fate: backward,
            held: BinaryHeap::new(),
            order: 0,
        };
        let threads = [forward, backward]
            .into_iter()
            .map(|direction| {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || direction.run(&shared))
            })
            .collect();
        Ok(Self {
            address,
            shared,
            threads,
        })
    }

    /// Where the sender sends to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What passed from the sender to the target.
    #[must_use]
    pub fn forward(&self) -> Passed {
        self.shared.forward.read()
    }

    /// What passed from the target to the sender.
    #[must_use]
    pub fn backward(&self) -> Passed {
        self.shared.backward.read()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic of a thread has said on standard error what it had to say.
            let _ = thread.join();
        }
    }
}

/// A socket with room for all that a wide window brings at once, as far as the system grants it.
fn socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    setsockopt(&socket, sockopt::RcvBuf, &BUFFER_LENGTH)?;
    setsockopt(&socket, sockopt::SndBuf, &BUFFER_LENGTH)?;
    Ok(socket)
}

/// A datagram to be sent at a time; earlier ones first, in order among equals.
type Held = Reverse<(Instant, u64, Vec<u8>)>;

struct Direction {
    from: UdpSocket,
    to: UdpSocket,
    /// Where it goes; `None` is whoever sent last in the other direction.
    target: Option<SocketAddr>,
    fate: Box<dyn Fate>,
    held: BinaryHeap<Held>,
    order: u64,
}

impl Direction {
    fn run(mut self, shared: &Shared) {
        let mut buffer = vec![0; DATAGRAM_MAX];
        while !shared.is_over.load(Ordering::Relaxed) {
            let now = Instant::now();
            let wait = self.give_due(shared, now);
            // Failing to set it costs accuracy, nothing else.
            let _ = self.from.set_read_timeout(Some(wait));
            // Errors of a UDP socket are those of datagrams sent before: nobody listens yet.
            let Ok((length, source)) = self.from.recv_from(&mut buffer) else {
                continue;
            };
            if self.target.is_some() {
                *shared.sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
            }
            self.take(shared, &buffer[..length]);
        }
    }

    fn counts<'a>(&self, shared: &'a Shared) -> &'a Counts {
        match self.target {
            Some(_) => &shared.forward,
            None => &shared.backward,
        }
    }

    fn take(&mut self, shared: &Shared, datagram: &[u8]) {
        let counts = self.counts(shared);
        counts.taken.fetch_add(1, Ordering::Relaxed);
        let copies = self.fate.decide(datagram);
        if copies == Copies::AT_ONCE && self.held.is_empty() {
            self.give(shared, datagram);
            return;
        }
        if copies.first.is_none() {
            counts.lost.fetch_add(1, Ordering::Relaxed);
        }
        let now = Instant::now();
        for delay in [copies.first, copies.second].into_iter().flatten() {
            if self.held.len() < HELD_MAX {
                self.order += 1;
                let held = (now + delay, self.order, datagram.to_vec());
                self.held.push(Reverse(held));
            } else {
                counts.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Sends what is due; returns how long to wait for more.
    fn give_due(&mut self, shared: &Shared, now: Instant) -> Duration {
        while let Some(Reverse((due, ..))) = self.held.peek() {
            if *due > now {
                return (*due - now).clamp(WAIT_MIN, WAIT_MAX);
            }
            if let Some(Reverse((_, _, datagram))) = self.held.pop() {
                self.give(shared, &datagram);
            }
        }
        WAIT_MAX
    }

    fn give(&self, shared: &Shared, datagram: &[u8]) {
        let sender = || *shared.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(target) = self.target.or_else(sender) else {
            return;
        };
        // What the kernel refuses is lost, as on any path.
        if self.to.send_to(datagram, target).is_ok() {
            let counts = self.counts(shared);
            counts.given.fetch_add(1, Ordering::Relaxed);
            counts
                .given_bytes
                .fetch_add(datagram.len() as u64, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fate::{Calm, Path};

    /// Sends `count` datagrams through a path; returns the numbers that arrive, in order.
    fn pass(path: Path, count: u64) -> (Vec<u64>, Passed) {
        let receiver = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        receiver
            .set_read_timeout(Some(Duration::from_millis(200)))
            .expect("set");
        let target = receiver.local_addr().expect("its address");
        let forward = Box::new(path.drawn_from(1));
        let proxy = Proxy::start(target, forward, Box::new(Calm)).expect("a proxy");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let mut arrived = Vec::new();
        let mut take = |until: usize| {
            let mut buffer = [0; 8];
            while arrived.len() < until && receiver.recv(&mut buffer).is_ok() {
                arrived.push(u64::from_le_bytes(buffer));
            }
        };
        for number in 0..count {
            sender
                .send_to(&number.to_le_bytes(), proxy.address())
                .expect("sent");
        }
        take(usize::MAX);
        (arrived, proxy.forward())
    }

    #[test]
    fn what_is_lost_and_doubled_is_counted() {
        let path = Path {
            loss: 0.2,
            duplicate: 0.1,
            ..Path::default()
        };
        let (arrived, passed) = pass(path, 100);
        assert_eq!(passed.given, arrived.len() as u64);
        assert_eq!(passed.taken, 100);
        assert!(passed.lost > 5 && passed.lost < 50, "{passed:?}");
    }

    #[test]
    fn what_is_held_back_is_overtaken() {
        let path = Path {
            reorder: 0.2,
            held_back: Duration::from_millis(20),
            ..Path::default()
        };
        let (mut arrived, _) = pass(path, 50);
        assert_eq!(arrived.len(), 50);
        assert!(!arrived.is_sorted());
        arrived.sort_unstable();
        assert!(arrived.into_iter().eq(0..50));
    }

    #[test]
    fn a_delay_takes_its_time() {
        let path = Path {
            delay: Duration::from_millis(50),
            ..Path::default()
        };
        let start = Instant::now();
        let (arrived, _) = pass(path, 1);
        assert_eq!(arrived, [0]);
        assert!(start.elapsed() >= Duration::from_millis(50));
    }
}
