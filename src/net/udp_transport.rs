//! One channel's sockets.

mod coalescing;

use std::fmt::Display;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
#[cfg(target_os = "linux")]
use std::time::Duration;

use coalescing::Coalescing;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Socket, Type};

#[cfg(target_os = "linux")]
use crate::port::Readiness;
use crate::port::{
    APART_LENGTH, Arrivals, Burst, BusyPoll, Datagram, Landed, MulticastSpec, Transport,
    TransportRole, TransportSpec, send_one_by_one,
};
#[cfg(target_os = "linux")]
use crate::sys::ReadySet;
use crate::sys::{
    DATAGRAMS_PER_CALL_MAX, ReceiveBatch, disable_multicast_all, enable_coalescing,
    enable_receive_timestamps, is_burst_refusal, prefer_busy_poll, probe_bursts, send_bursts,
    send_datagrams, set_busy_poll,
};

/// Longest datagram that can arrive, and a little more so that truncation shows.
const RECEIVE_BUFFER_LENGTH: usize = 65_536;

/// Batches that one poll receives at most, while each is full: what has piled up while an agent did
/// something else, or did not run, must not overflow the socket while it does the rest of its work.
const BATCHES_PER_POLL: usize = 32;

/// What one poll received.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    bytes: usize,
    /// Datagrams; those that the kernel put together count as one.
    count: usize,
}

/// Non-blocking UDP sockets of one channel.
#[derive(Debug)]
pub struct UdpTransport {
    /// Sends; receives too unless `control` is there.
    socket: UdpSocket,
    /// Receives, for a multicast publication: joined to the control group.
    control: Option<UdpSocket>,
    local_address: SocketAddr,
    /// Whether the kernel agreed to say when a datagram arrived.
    has_media_timestamps: bool,
    batch: ReceiveBatch,
    coalescing: Coalescing,
    /// Whether bursts are handed to the kernel in one piece.
    sends_bursts: bool,
    /// Why they no longer are, until it was told.
    burst_refusal: Option<io::Error>,
}

impl UdpTransport {
    pub(super) fn open(spec: &TransportSpec) -> io::Result<Self> {
        let (socket, control) = match (&spec.multicast, spec.role) {
            (None, _) => (unicast(spec)?, None),
            (Some(multicast), TransportRole::Receive) => {
                let socket = joined(spec, multicast)?;
                set_outgoing(&socket, multicast)?;
                (socket, None)
            }
            (Some(multicast), TransportRole::Send) => (
                multicast_sender(spec, multicast)?,
                Some(joined(spec, multicast)?),
            ),
        };
        let receiving = control.as_ref().unwrap_or(&socket);
        let has_media_timestamps =
            spec.media_timestamps && enable_receive_timestamps(receiving.as_fd()).is_ok();
        let sends_bursts = spec.role == TransportRole::Send
            && spec.segment_offload
            && probe_bursts(socket.as_fd()).is_ok();
        if sends_bursts && spec.socket_sndbuf_length == 0 {
            make_room_beside_the_unresolved(&socket)?;
        }
        let mut batch = ReceiveBatch::new(spec.receive_batch, RECEIVE_BUFFER_LENGTH);
        if has_media_timestamps {
            batch.take_controls();
        }
        let local_address = receiving
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::Error::other("the socket has no IP address"))?;
        Ok(Self {
            socket: socket.into(),
            control: control.map(UdpSocket::from),
            local_address,
            has_media_timestamps,
            batch,
            coalescing: Coalescing::new(
                spec.role == TransportRole::Receive && spec.segment_offload,
            ),
            sends_bursts,
            burst_refusal: None,
        })
    }
}

impl UdpTransport {
    fn receiving(&self) -> &UdpSocket {
        self.control.as_ref().unwrap_or(&self.socket)
    }

    /// Receives batches while there may be more. Returns the bytes.
    #[inline]
    fn poll_with(
        &mut self,
        mut receive: impl FnMut(&mut Self, &mut Tally) -> io::Result<bool>,
    ) -> io::Result<usize> {
        let mut tally = Tally::default();
        for _ in 0..BATCHES_PER_POLL {
            match receive(self, &mut tally) {
                Ok(true) => {}
                Err(error) if !is_ordinary(&error) => return Err(error),
                Ok(false) | Err(_) => break,
            }
        }
        if self.coalescing.on_poll(tally.count) {
            self.batch.take_controls();
            // A kernel that cannot goes on giving one datagram at a time.
            let _ = enable_coalescing(self.receiving().as_fd());
        }
        Ok(tally.bytes)
    }

    /// Receives a batch. Returns whether there may be more.
    #[inline]
    fn receive(
        &mut self,
        tally: &mut Tally,
        handler: &mut impl FnMut(Datagram<'_>),
    ) -> io::Result<bool> {
        let socket = self.control.as_ref().unwrap_or(&self.socket);
        self.batch.receive(socket.as_fd(), |received| {
            tally.bytes += received.bytes.len();
            tally.count += 1;
            handler(Datagram {
                bytes: received.bytes,
                segment_length: received.segment_length,
                source: received.source,
                media_timestamp_ns: received.timestamp_ns,
                is_truncated: received.is_truncated,
            });
        })
    }

    /// The same of one long one, to where it belongs, if that is known.
    fn receive_landing(
        &mut self,
        tally: &mut Tally,
        arrivals: &mut impl Arrivals,
    ) -> Option<io::Result<bool>> {
        let needed = self.batch.buffer_length() - APART_LENGTH;
        let room = arrivals.room().filter(|room| room.len() >= needed)?;
        let socket = self.control.as_ref().unwrap_or(&self.socket);
        let mut apart = [0; APART_LENGTH];
        let received = match self.batch.receive_apart(socket.as_fd(), &mut apart, room) {
            Ok(received) => received,
            Err(error) => return Some(Err(error)),
        };
        tally.bytes += received.length;
        tally.count += 1;
        let landed = Landed {
            apart: &apart,
            length: received.length,
            segment_length: received.segment_length,
            source: received.source,
        };
        let is_whole = received.length >= APART_LENGTH && !received.is_truncated;
        let is_taken_in = is_whole && arrivals.on_landed(&landed);
        if !is_taken_in {
            let (begin, rest) = match received.length.checked_sub(APART_LENGTH) {
                Some(length) => (APART_LENGTH, arrivals.room()?.get(..length)?),
                None => (received.length, &[][..]),
            };
            let joined = self.batch.join(&apart[..begin], rest);
            arrivals.on_datagram(Datagram {
                bytes: joined,
                segment_length: received.segment_length,
                source: received.source,
                media_timestamp_ns: received.timestamp_ns,
                is_truncated: received.is_truncated,
            });
        }
        Some(Ok(received.may_be_more))
    }

    /// Hands bursts to the kernel in one piece each. Returns how many datagrams it took.
    fn send_whole(&self, to: Option<&SocketAddr>, bursts: &[Burst<'_>]) -> io::Result<usize> {
        let mut parts: [(&[u8], usize); DATAGRAMS_PER_CALL_MAX] = [(&[], 1); _];
        let mut count = 0;
        for (part, burst) in parts.iter_mut().zip(bursts) {
            *part = (burst.bytes(), burst.segment_length());
            count += 1;
        }
        let taken = send_bursts(self.socket.as_fd(), to, &parts[..count])?;
        Ok(bursts.iter().take(taken).map(Burst::count).sum())
    }
}

/// Transports watched by the kernel.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub struct ReadyTransports(ReadySet);

#[cfg(target_os = "linux")]
impl Readiness<UdpTransport> for ReadyTransports {
    fn open() -> io::Result<Self> {
        ReadySet::new().map(Self)
    }

    fn add(&mut self, token: u64, transport: &UdpTransport) -> io::Result<()> {
        self.0.add(token, transport.receiving().as_fd())
    }

    fn remove(&mut self, _token: u64, transport: &UdpTransport) {
        // Only a socket that was never added cannot be removed.
        let _ = self.0.remove(transport.receiving().as_fd());
    }

    fn look(&mut self, visit: impl FnMut(u64)) -> io::Result<()> {
        match self.0.look(visit) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            outcome => outcome,
        }
    }

    fn wait(&mut self, period: Duration) -> bool {
        match u16::try_from(period.as_millis()) {
            Ok(0) | Err(_) => false,
            Ok(millis) => match self.0.wait(millis) {
                Ok(()) => true,
                Err(error) => error.kind() == io::ErrorKind::Interrupted,
            },
        }
    }
}

impl Transport for UdpTransport {
    #[cfg(target_os = "linux")]
    type Readiness = ReadyTransports;
    #[cfg(not(target_os = "linux"))]
    type Readiness = crate::port::AlwaysReady;

    fn send(&mut self, to: Option<SocketAddr>, datagrams: &[&[u8]]) -> io::Result<usize> {
        match send_datagrams(self.socket.as_fd(), to.as_ref(), datagrams) {
            Err(error) if is_ordinary(&error) => Ok(0),
            outcome => outcome,
        }
    }

    fn send_bursts(&mut self, to: Option<SocketAddr>, bursts: &[Burst<'_>]) -> io::Result<usize> {
        let has_many = bursts.iter().any(|burst| burst.count() > 1);
        if !self.sends_bursts || !has_many {
            return send_one_by_one(self, to, bursts);
        }
        match self.send_whole(to.as_ref(), bursts) {
            Err(error) if is_ordinary(&error) => Ok(0),
            Err(error) if is_burst_refusal(&error) => {
                // If the datagrams themselves are refused, bursts are not to blame.
                let outcome = send_one_by_one(self, to, bursts);
                if outcome.is_ok() {
                    self.sends_bursts = false;
                    self.burst_refusal = Some(error);
                }
                outcome
            }
            outcome => outcome,
        }
    }

    fn take_burst_refusal(&mut self) -> Option<io::Error> {
        self.burst_refusal.take()
    }

    fn poll(&mut self, mut handler: impl FnMut(Datagram<'_>)) -> io::Result<usize> {
        self.poll_with(|this, tally| this.receive(tally, &mut handler))
    }

    fn poll_into(&mut self, arrivals: &mut impl Arrivals) -> io::Result<usize> {
        self.poll_with(|this, tally| {
            let landed = if this.batch.expects_large() {
                this.receive_landing(tally, arrivals)
            } else {
                None
            };
            landed.unwrap_or_else(|| {
                this.receive(tally, &mut |datagram| arrivals.on_datagram(datagram))
            })
        })
    }

    fn connect(&mut self, to: SocketAddr) -> io::Result<()> {
        self.socket.connect(to)
    }

    fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    fn has_media_timestamps(&self) -> bool {
        self.has_media_timestamps
    }
}

/// Doubles the send buffer that the socket was born with: the kernel counts twice what it is asked
/// for, for its own bookkeeping.
///
/// While the link-level address of a peer is being looked for, as after its link was cut, the
/// kernel keeps what is sent to it: by default just as much as a send buffer holds. Bursts fill
/// both to the brim, and then nothing goes out through the socket, to whomever, until the search is
/// given up.
fn make_room_beside_the_unresolved(socket: &Socket) -> io::Result<()> {
    socket.set_send_buffer_size(socket.send_buffer_size()?)
}

/// Outcomes that mean "nothing moved", and are no errors: the socket is full or empty, a signal
/// came, or the kernel reports that an earlier datagram met a closed port.
fn is_ordinary(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionRefused)
}

fn new_socket(spec: &TransportSpec, address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )
    .map_err(|e| named("cannot create a UDP socket for", &address, &e))?;
    socket.set_nonblocking(true)?;
    if spec.socket_sndbuf_length > 0 {
        socket
            .set_send_buffer_size(spec.socket_sndbuf_length)
            .map_err(|e| named("cannot set SO_SNDBUF to", &spec.socket_sndbuf_length, &e))?;
    }
    if spec.socket_rcvbuf_length > 0 {
        socket
            .set_recv_buffer_size(spec.socket_rcvbuf_length)
            .map_err(|e| named("cannot set SO_RCVBUF to", &spec.socket_rcvbuf_length, &e))?;
    }
    busy_poll(&socket, spec.busy_poll)?;
    Ok(socket)
}

pub(super) fn busy_poll(socket: &Socket, wanted: BusyPoll) -> io::Result<()> {
    if wanted.micros > 0 {
        set_busy_poll(socket.as_fd(), wanted.micros)
            .map_err(|e| named("cannot set SO_BUSY_POLL to", &wanted.micros, &e))?;
    }
    if wanted.is_preferred {
        prefer_busy_poll(socket.as_fd())
            .map_err(|e| named("cannot set SO_PREFER_BUSY_POLL to", &1, &e))?;
    }
    Ok(())
}

fn unicast(spec: &TransportSpec) -> io::Result<Socket> {
    let socket = new_socket(spec, spec.bind)?;
    if spec.bind.is_ipv6() {
        // One family per socket, so that an IPv4 binder of the same port does not collide.
        socket.set_only_v6(true)?;
    }
    bind(&socket, spec.bind)?;
    if let Some(peer) = spec.connect {
        connect(&socket, peer)?;
    }
    Ok(socket)
}

/// The sending half of a multicast publication.
fn multicast_sender(spec: &TransportSpec, multicast: &MulticastSpec) -> io::Result<Socket> {
    let socket = new_socket(spec, multicast.group)?;
    set_outgoing(&socket, multicast)?;
    if let Some(peer) = spec.connect {
        connect(&socket, peer)?;
    }
    Ok(socket)
}

/// A socket that receives what is sent to the group, and to this group only.
fn joined(spec: &TransportSpec, multicast: &MulticastSpec) -> io::Result<Socket> {
    let group = multicast.group;
    let socket = new_socket(spec, group)?;
    socket.set_reuse_address(true)?;
    // Departs from Aeron C, which sets SO_REUSEPORT on Linux too: that makes one load-balancing
    // group of all the sockets on a port, whichever multicast group they joined, and kernels with
    // early demultiplexing (6.18 among them) then give a datagram of one group to a socket of
    // another. On Linux SO_REUSEADDR lets multicast sockets share a port without that; elsewhere
    // it does not.
    #[cfg(all(unix, not(target_os = "linux")))]
    socket.set_reuse_port(true)?;
    if group.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    let any = match group.ip() {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    bind(&socket, SocketAddr::new(any, group.port()))?;
    let outcome = match (group.ip(), multicast.interface) {
        (IpAddr::V4(group), IpAddr::V4(_)) if multicast.interface_index > 0 => {
            let interface = InterfaceIndexOrAddress::Index(multicast.interface_index);
            socket.join_multicast_v4_n(&group, &interface)
        }
        (IpAddr::V4(group), IpAddr::V4(interface)) => socket.join_multicast_v4(&group, &interface),
        (IpAddr::V6(group), _) => socket.join_multicast_v6(&group, multicast.interface_index),
        (IpAddr::V4(_), IpAddr::V6(_)) => Err(io::Error::from(io::ErrorKind::InvalidInput)),
    };
    outcome.map_err(|e| named("cannot join multicast group", &group, &e))?;
    disable_multicast_all(socket.as_fd(), group.is_ipv6())?;
    Ok(socket)
}

/// Interface and time to live of what is sent to the group.
fn set_outgoing(socket: &Socket, multicast: &MulticastSpec) -> io::Result<()> {
    match multicast.interface {
        IpAddr::V4(interface) => {
            socket.set_multicast_if_v4(&interface)?;
            if multicast.ttl > 0 {
                socket.set_multicast_ttl_v4(u32::from(multicast.ttl))?;
            }
        }
        IpAddr::V6(_) => {
            socket.set_multicast_if_v6(multicast.interface_index)?;
            if multicast.ttl > 0 {
                socket.set_multicast_hops_v6(u32::from(multicast.ttl))?;
            }
        }
    }
    Ok(())
}

fn bind(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    socket
        .bind(&SockAddr::from(address))
        .map_err(|e| named("cannot bind", &address, &e))
}

fn connect(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    socket
        .connect(&SockAddr::from(address))
        .map_err(|e| named("cannot connect to", &address, &e))
}

fn named(what: &str, value: &dyn Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what} {value}: {error}"))
}

#[cfg(test)]
mod tests;
