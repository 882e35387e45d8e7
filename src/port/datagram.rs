//! Datagrams in and out.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::readiness::Readiness;

/// A received datagram, borrowed from the receive buffer for the length of a handler call.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// The UDP payload. Mutable because receive timestamps are written into it.
    pub bytes: &'a mut [u8],
    /// Who sent it.
    pub source: SocketAddr,
    /// Kernel receive time in nanoseconds since the epoch, if the transport was asked for it.
    pub media_timestamp_ns: Option<i64>,
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

    /// Receives at most one batch without waiting, and calls `handler` for each datagram. Returns
    /// the bytes received.
    ///
    /// # Errors
    /// What the operating system answers, other than the outcomes that mean "nothing there".
    fn poll(&mut self, handler: impl FnMut(Datagram<'_>)) -> io::Result<usize>;

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
