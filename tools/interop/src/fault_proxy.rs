//! A path between two drivers: a process in the middle that delays and loses datagrams, by seed.
//!
//! The publisher's channel names the address of the proxy, the subscriber's its own. Whatever comes
//! from the publisher goes on to the subscriber, whatever comes back goes to the publisher, each
//! half a round trip later or never. Which datagram of a direction is lost depends on its number
//! and the seed alone.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aileron::base::Rng;
use socket2::SockRef;

/// Receive and send buffer of the proxy's sockets, in bytes: a window of bytes arrives at once.
const BUFFER_LENGTH: usize = 4 * 1024 * 1024;
/// Datagrams taken from a socket in a row.
const BATCH: usize = 64;
const DATAGRAM_LENGTH_MAX: usize = 65_536;
const PAUSE: Duration = Duration::from_micros(50);

/// How a path is.
///
/// ```
/// use aileron_interop::fault_proxy::PathFaults;
/// let path = PathFaults { loss: 0.1, ..PathFaults::default() };
/// assert_eq!(path.seed, 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "built by name")]
pub struct PathFaults {
    /// From one end to the other.
    pub delay: Duration,
    /// Share of datagrams that are lost, each way, 0 to 1.
    pub loss: f64,
    /// What is lost follows from it.
    pub seed: u64,
}

impl Default for PathFaults {
    /// No delay and no loss.
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            loss: 0.0,
            seed: 1,
        }
    }
}

/// What went over a path.
///
/// ```
/// let statistics = aileron_interop::fault_proxy::PathStatistics::default();
/// assert_eq!(statistics.lost_bytes, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathStatistics {
    /// Bytes of data that came from the publisher.
    pub data_bytes: i64,
    /// Those of them that came before.
    pub resent_bytes: i64,
    /// Bytes of data that were lost.
    pub lost_bytes: i64,
    /// Datagrams that came from the subscriber.
    pub control_datagrams: i64,
    /// NAKs among them.
    pub naks: i64,
}

#[derive(Debug, Default)]
struct Counts {
    data_bytes: AtomicI64,
    resent_bytes: AtomicI64,
    lost_bytes: AtomicI64,
    control_datagrams: AtomicI64,
    naks: AtomicI64,
}

impl Counts {
    fn add(counter: &AtomicI64, value: i64) {
        // Relaxed: figures for a report.
        counter.fetch_add(value, Ordering::Relaxed);
    }
}

/// A proxy that runs; it ends when dropped.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    counts: Arc<Counts>,
    is_over: Arc<AtomicBool>,
    error: Arc<Mutex<Option<io::Error>>>,
    thread: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// Starts a proxy in front of the socket of a subscriber.
    ///
    /// # Errors
    /// There is no socket to be had.
    pub fn start(subscriber: SocketAddr, path: PathFaults) -> io::Result<Self> {
        let front = socket()?;
        let back = socket()?;
        let address = front.local_addr()?;
        let counts = Arc::new(Counts::default());
        let is_over = Arc::new(AtomicBool::new(false));
        let error = Arc::new(Mutex::new(None));
        let mut middle = Middle {
            front,
            back,
            subscriber,
            publisher: None,
            there: Lane::new(path, 0),
            back_again: Lane::new(path, 1),
            furthest: None,
            counts: Arc::clone(&counts),
        };
        let (over, failure) = (Arc::clone(&is_over), Arc::clone(&error));
        let thread = std::thread::spawn(move || {
            if let Err(error) = middle.run(&over) {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        });
        Ok(Self {
            address,
            counts,
            is_over,
            error,
            thread: Some(thread),
        })
    }

    /// Where publishers send to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What went over it so far.
    #[must_use]
    pub fn statistics(&self) -> PathStatistics {
        let read = |counter: &AtomicI64| counter.load(Ordering::Relaxed);
        PathStatistics {
            data_bytes: read(&self.counts.data_bytes),
            resent_bytes: read(&self.counts.resent_bytes),
            lost_bytes: read(&self.counts.lost_bytes),
            control_datagrams: read(&self.counts.control_datagrams),
            naks: read(&self.counts.naks),
        }
    }

    /// Why it ended, if it did by itself.
    #[must_use]
    pub fn take_error(&self) -> Option<io::Error> {
        let mut error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        error.take()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _outcome = thread.join();
        }
    }
}

fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    let options = SockRef::from(&socket);
    options.set_recv_buffer_size(BUFFER_LENGTH)?;
    options.set_send_buffer_size(BUFFER_LENGTH)?;
    Ok(socket)
}

/// One direction.
struct Lane {
    rng: Rng,
    delay: Duration,
    loss: f64,
    under_way: VecDeque<(Instant, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
}

impl Lane {
    fn new(path: PathFaults, number: u64) -> Self {
        Self {
            rng: Rng::new(path.seed.wrapping_mul(2).wrapping_add(number)),
            delay: path.delay,
            loss: path.loss,
            under_way: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    /// Whether the datagram gets through.
    fn take(&mut self, bytes: &[u8], now: Instant) -> bool {
        if self.rng.next_f64() < self.loss {
            return false;
        }
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(bytes);
        self.under_way.push_back((now + self.delay, copy));
        true
    }

    /// Hands out what has arrived. Returns how much.
    fn deliver(&mut self, now: Instant, mut send: impl FnMut(&[u8])) -> usize {
        let mut count = 0;
        while let Some((due, _)) = self.under_way.front()
            && *due <= now
            && let Some((_, bytes)) = self.under_way.pop_front()
        {
            send(&bytes);
            self.spare.push(bytes);
            count += 1;
        }
        count
    }
}

struct Middle {
    front: UdpSocket,
    back: UdpSocket,
    subscriber: SocketAddr,
    publisher: Option<SocketAddr>,
    there: Lane,
    back_again: Lane,
    /// First term id, and the end of the furthest data as terms and offset.
    furthest: Option<(i32, (i32, i32))>,
    counts: Arc<Counts>,
}

impl Middle {
    fn run(&mut self, is_over: &AtomicBool) -> io::Result<()> {
        let mut buffer = vec![0; DATAGRAM_LENGTH_MAX];
        while !is_over.load(Ordering::Relaxed) {
            let now = Instant::now();
            let mut count = 0;
            for _ in 0..BATCH {
                let Some((length, source)) = receive(&self.front, &mut buffer)? else {
                    break;
                };
                self.publisher = Some(source);
                self.on_publisher(&buffer[..length], now);
                count += 1;
            }
            for _ in 0..BATCH {
                let Some((length, _)) = receive(&self.back, &mut buffer)? else {
                    break;
                };
                Counts::add(&self.counts.control_datagrams, 1);
                Counts::add(&self.counts.naks, i64::from(frame_type(&buffer) == 2));
                self.back_again.take(&buffer[..length], now);
                count += 1;
            }
            let (back, subscriber) = (&self.back, self.subscriber);
            // What the system does not take is lost like any other datagram.
            count += self.there.deliver(now, |bytes| {
                let _sent = back.send_to(bytes, subscriber);
            });
            if let Some(publisher) = self.publisher {
                let front = &self.front;
                count += self.back_again.deliver(now, |bytes| {
                    let _sent = front.send_to(bytes, publisher);
                });
            }
            if count == 0 {
                std::thread::park_timeout(PAUSE);
            }
        }
        Ok(())
    }

    fn on_publisher(&mut self, bytes: &[u8], now: Instant) {
        let is_data = matches!(frame_type(bytes), 0 | 1) && bytes.len() >= 32;
        let is_data = is_data && i32_at(bytes, 0) != 0;
        let length = i64::try_from(bytes.len()).unwrap_or(0);
        if is_data {
            Counts::add(&self.counts.data_bytes, length);
            if !self.is_new(bytes) {
                Counts::add(&self.counts.resent_bytes, length);
            }
        }
        if !self.there.take(bytes, now) && is_data {
            Counts::add(&self.counts.lost_bytes, length);
        }
    }

    /// Whether data goes beyond all that came before.
    fn is_new(&mut self, bytes: &[u8]) -> bool {
        let (offset, term_id) = (i32_at(bytes, 8), i32_at(bytes, 20));
        let (initial, furthest) = self.furthest.unwrap_or((term_id, (0, -1)));
        let at = (term_id.wrapping_sub(initial), offset);
        let is_new = at > furthest;
        self.furthest = Some((initial, furthest.max(at)));
        is_new
    }
}

fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
    match socket.recv_from(buffer) {
        Ok(received) => Ok(Some(received)),
        Err(error) => match error.kind() {
            // An end of the path that is gone.
            io::ErrorKind::WouldBlock
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionRefused => Ok(None),
            _ => Err(error),
        },
    }
}

fn frame_type(bytes: &[u8]) -> u16 {
    match bytes {
        [_, _, _, _, _, _, low, high, ..] => u16::from_le_bytes([*low, *high]),
        _ => u16::MAX,
    }
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    word.map_or(0, i32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deliver(loss: f64, count: usize) -> (usize, Duration) {
        let subscriber = socket().expect("a socket");
        let address = subscriber.local_addr().expect("bound");
        let path = PathFaults {
            delay: Duration::from_millis(5),
            loss,
            seed: 7,
        };
        let proxy = FaultProxy::start(address, path).expect("a proxy");
        let publisher = socket().expect("a socket");
        let began = Instant::now();
        for _ in 0..count {
            publisher.send_to(&[0; 64], proxy.address()).expect("sent");
        }
        let (mut received, mut buffer) = (0, [0; 64]);
        let mut first = Duration::MAX;
        while began.elapsed() < Duration::from_secs(10) {
            match receive(&subscriber, &mut buffer).expect("a datagram") {
                Some(_) => received += 1,
                None if received > 0 && began.elapsed() > first + Duration::from_secs(1) => break,
                None => std::thread::yield_now(),
            }
            if received == 1 {
                first = first.min(began.elapsed());
            }
        }
        assert!(proxy.take_error().is_none());
        (received, first)
    }

    #[test]
    fn a_path_delays() {
        let (received, first) = deliver(0.0, 100);
        assert_eq!(received, 100);
        assert!(first >= Duration::from_millis(5), "{first:?}");
    }

    #[test]
    fn a_path_loses_its_share_and_the_same_with_the_same_seed() {
        let (received, _) = deliver(0.5, 200);
        assert!((60..140).contains(&received), "{received}");
        assert_eq!(deliver(0.5, 200).0, received);
    }
}
