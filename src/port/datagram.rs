//! Datagrams in and out.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::Arrivals;
use super::readiness::Readiness;

/// A received datagram, or several of one sender that the kernel put together, borrowed from the
/// receive buffer for the length of a handler call.
///
/// ```
/// use aileron::port::Datagram;
/// let source = "127.0.0.1:4000".parse().unwrap();
/// let mut bytes = [7; 20];
/// let mut together = Datagram { segment_length: 8, ..Datagram::whole(&mut bytes, source) };
/// let lengths: Vec<_> = together.segments().map(|segment| segment.len()).collect();
/// assert_eq!(lengths, [8, 8, 4]);
/// ```
#[derive(Debug)]
pub struct Datagram<'a> {
    /// The UDP payload, or several one behind the other. Mutable because receive timestamps are
    /// written into it.
    pub bytes: &'a mut [u8],
    /// Bytes of each datagram in `bytes` but the last, which may be shorter. That of `bytes`, or
    /// more, if it is one datagram. Never 0.
    pub segment_length: usize,
    /// Who sent it.
    pub source: SocketAddr,
    /// Kernel receive time in nanoseconds since the epoch, if the transport was asked for it.
    pub media_timestamp_ns: Option<i64>,
    /// Whether there was more than the buffer could hold; the rest is gone.
    pub is_truncated: bool,
}

impl<'a> Datagram<'a> {
    /// One whole datagram without a time.
    #[must_use]
    pub fn whole(bytes: &'a mut [u8], source: SocketAddr) -> Self {
        Self {
            segment_length: bytes.len().max(1),
            bytes,
            source,
            media_timestamp_ns: None,
            is_truncated: false,
        }
    }

    /// The datagrams, in the order in which they were sent.
    pub fn segments(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.bytes.chunks_mut(self.segment_length.max(1))
    }
}

/// Datagrams to send that lie one behind the other in memory: all of one length but the last, which
/// may be shorter. What the network carries is the datagrams; a kernel that can takes them at once.
///
/// ```
/// use aileron::port::Burst;
/// let burst = Burst::new(&[7; 20], 8);
/// assert_eq!((burst.count(), burst.length_of(2)), (3, 16));
/// assert_eq!(burst.from(2).map(|rest| rest.bytes().len()), Some(4));
/// assert!(burst.from(3).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst<'a> {
    bytes: &'a [u8],
    segment_length: usize,
}

impl<'a> Burst<'a> {
    /// Datagrams of `segment_length` bytes each, cut from `bytes`.
    ///
    /// # Panics
    /// When `segment_length` is 0.
    #[must_use]
    #[inline]
    pub const fn new(bytes: &'a [u8], segment_length: usize) -> Self {
        assert!(segment_length > 0, "a burst of datagrams without length");
        Self {
            bytes,
            segment_length,
        }
    }

    /// One datagram.
    #[must_use]
    #[inline]
    pub const fn one(datagram: &'a [u8]) -> Self {
        let segment_length = if datagram.is_empty() {
            1
        } else {
            datagram.len()
        };
        Self {
            bytes: datagram,
            segment_length,
        }
    }

    /// All of the datagrams.
    #[must_use]
    #[inline]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Bytes of each datagram but the last.
    #[must_use]
    #[inline]
    pub const fn segment_length(&self) -> usize {
        self.segment_length
    }

    /// How many datagrams it is.
    #[must_use]
    #[inline]
    pub const fn count(&self) -> usize {
        self.bytes.len().div_ceil(self.segment_length)
    }

    /// Bytes of the first `count` datagrams.
    #[must_use]
    #[inline]
    pub const fn length_of(&self, count: usize) -> usize {
        let length = count.saturating_mul(self.segment_length);
        if length < self.bytes.len() {
            length
        } else {
            self.bytes.len()
        }
    }

    /// The datagrams one by one.
    pub fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.bytes.chunks(self.segment_length)
    }

    /// What is left behind the first `count` datagrams; `None` if nothing is.
    #[must_use]
    pub fn from(&self, count: usize) -> Option<Self> {
        let rest = &self.bytes[self.length_of(count)..];
        (!rest.is_empty()).then_some(Self {
            bytes: rest,
            ..*self
        })
    }

    /// The first `count` datagrams.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        Self {
            bytes: &self.bytes[..self.length_of(count)],
            ..*self
        }
    }
}

/// One bound UDP socket (or, for a multicast publication, a pair), or its simulated twin.
///
/// Nothing here blocks. Refusal by the kernel is ordinary: fewer datagrams are accepted.
pub trait Transport: Sized + Send + 'static {
    /// How many of them are watched together.
    type Readiness: Readiness<Self>;

    /// Hands `datagrams` to the network in order, to `to` or to the connected peer, and returns how
    /// many were accepted whole. A full socket, an interrupted call and an ICMP report of an
    /// earlier datagram count as 0 accepted, not as errors (`driver.md` §17.6).
    ///
    /// # Errors
    /// Anything else the operating system answers.
    fn send(&mut self, to: Option<SocketAddr>, datagrams: &[&[u8]]) -> io::Result<usize>;

    /// Hands bursts of datagrams to the network in order, as [`Self::send`] does with datagrams,
    /// and returns how many datagrams were accepted whole.
    ///
    /// # Errors
    /// What the operating system answers for the first of them, as for [`Self::send`].
    fn send_bursts(&mut self, to: Option<SocketAddr>, bursts: &[Burst<'_>]) -> io::Result<usize> {
        send_one_by_one(self, to, bursts)
    }

    /// Why the transport does not hand bursts to the kernel in one piece any more, once it has
    /// found out. Told once; the datagrams went out all the same.
    fn take_burst_refusal(&mut self) -> Option<io::Error> {
        None
    }

    /// Receives at most one batch without waiting, and calls `handler` for each datagram. Returns
    /// the bytes received.
    ///
    /// # Errors
    /// What the operating system answers, other than the outcomes that mean "nothing there".
    fn poll(&mut self, handler: impl FnMut(Datagram<'_>)) -> io::Result<usize>;

    /// [`Self::poll`] for a taker that may know where what comes next belongs.
    ///
    /// # Errors
    /// As for [`Self::poll`].
    fn poll_into(&mut self, arrivals: &mut impl Arrivals) -> io::Result<usize> {
        self.poll(|datagram| arrivals.on_datagram(datagram))
    }

    /// Connects to another peer, after its name resolved to a new address.
    ///
    /// # Errors
    /// What the operating system answers.
    fn connect(&mut self, to: SocketAddr) -> io::Result<()>;

    /// The address the socket is bound to, with the port that the operating system chose if it
    /// was left open.
    fn local_address(&self) -> SocketAddr;

    /// Whether [`Datagram::media_timestamp_ns`] comes with datagrams, where it was asked for.
    fn has_media_timestamps(&self) -> bool {
        true
    }
}

/// Datagrams per call of [`send_one_by_one`].
const DATAGRAMS_PER_CALL: usize = 16;

/// Sends the datagrams of bursts through [`Transport::send`], several per call.
///
/// # Errors
/// As for [`Transport::send_bursts`].
pub fn send_one_by_one<T: Transport>(
    transport: &mut T,
    to: Option<SocketAddr>,
    bursts: &[Burst<'_>],
) -> io::Result<usize> {
    let mut left = bursts.iter().flat_map(Burst::datagrams).peekable();
    let mut sent = 0;
    while left.peek().is_some() {
        let mut batch: [&[u8]; DATAGRAMS_PER_CALL] = [&[]; DATAGRAMS_PER_CALL];
        let mut count = 0;
        for (slot, datagram) in batch.iter_mut().zip(&mut left) {
            *slot = datagram;
            count += 1;
        }
        match transport.send(to, &batch[..count]) {
            Ok(accepted) if accepted >= count => sent += count,
            Ok(accepted) => return Ok(sent + accepted),
            Err(error) if sent == 0 => return Err(error),
            // It shows itself again at the next call.
            Err(_) => break,
        }
    }
    Ok(sent)
}

/// Which side a transport serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a transport sends a stream or receives it"
)]
pub enum TransportRole {
    /// Of a publication: data out, control frames in.
    Send,
    /// Of a subscription: data in, control frames out.
    Receive,
}

/// Multicast group and the interface it is used on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MulticastSpec {
    /// The group this transport's receiving socket joins (data group for a receiver, control group
    /// for a sender).
    pub group: SocketAddr,
    /// Address of the interface.
    pub interface: IpAddr,
    /// Operating system's index of the interface; IPv6 needs it.
    pub interface_index: u32,
    /// Time to live; 0 leaves the operating system's default.
    pub ttl: u8,
}

/// All that is needed to open a [`Transport`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportSpec {
    /// Which side it serves.
    pub role: TransportRole,
    /// Address to bind; port 0 leaves the choice to the operating system.
    pub bind: SocketAddr,
    /// Peer to connect to, for unicast and multicast publications.
    pub connect: Option<SocketAddr>,
    /// Set for multicast channels.
    pub multicast: Option<MulticastSpec>,
    /// `SO_SNDBUF` in bytes; 0 leaves the default.
    pub socket_sndbuf_length: usize,
    /// `SO_RCVBUF` in bytes; 0 leaves the default.
    pub socket_rcvbuf_length: usize,
    /// Whether [`Datagram::media_timestamp_ns`] is wanted.
    pub media_timestamps: bool,
    /// Datagrams received per poll at most, 1..=16.
    pub receive_batch: usize,
    /// Whether the kernel may be given bursts of datagrams in one piece (to send), and may give
    /// them so (to receive), where it can.
    pub segment_offload: bool,
    /// How the socket looks into its network card.
    pub busy_poll: BusyPoll,
}

/// Whether who finds a socket empty looks into the queue of the network card as well, rather than
/// wait for the card's interrupt (Linux).
///
/// ```
/// use aileron::port::BusyPoll;
/// assert!(!BusyPoll::default().is_wanted());
/// assert!(BusyPoll { micros: 50, is_preferred: false }.is_wanted());
/// ```
#[expect(
    clippy::exhaustive_structs,
    reason = "built by name by whoever opens transports"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusyPoll {
    /// `SO_BUSY_POLL` in microseconds; 0 leaves the operating system's default.
    pub micros: u32,
    /// `SO_PREFER_BUSY_POLL`: the card's interrupts stay away as long as somebody looks.
    pub is_preferred: bool,
}

impl BusyPoll {
    /// Whether a socket is to have anything but the operating system's defaults.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        self.micros > 0 || self.is_preferred
    }
}

/// Default and maximum socket buffer lengths of the operating system, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferLimits {
    /// `SO_SNDBUF` of a fresh socket.
    pub default_sndbuf: usize,
    /// Largest `SO_SNDBUF` that was granted to a probe.
    pub max_sndbuf: usize,
    /// `SO_RCVBUF` of a fresh socket.
    pub default_rcvbuf: usize,
    /// Largest `SO_RCVBUF` that was granted to a probe.
    pub max_rcvbuf: usize,
}

/// Opens transports.
pub trait Network: Send + 'static {
    /// What it opens.
    type Transport: Transport;

    /// Opens and binds a transport.
    ///
    /// # Errors
    /// What the operating system answers; the text names the step that failed.
    fn open(&mut self, spec: &TransportSpec) -> io::Result<Self::Transport>;

    /// Socket buffer lengths of this machine, probed once.
    fn buffer_limits(&self) -> BufferLimits;
}
