//! Opening sockets.

use std::io;
use std::net::UdpSocket;

use socket2::{Domain, Protocol, Socket, Type};

use super::UdpTransport;
use super::udp_transport::busy_poll;
use crate::port::{BufferLimits, BusyPoll, Network, TransportSpec};

/// Opens UDP sockets of the operating system.
///
/// ```
/// use aileron::net::UdpNetwork;
/// use aileron::port::Network;
/// assert!(UdpNetwork::new().buffer_limits().default_rcvbuf > 0);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct UdpNetwork {
    limits: BufferLimits,
}

impl UdpNetwork {
    /// Probes the socket buffer lengths of this machine; lengths that cannot be probed are 0.
    #[must_use]
    pub fn new() -> Self {
        Self {
            limits: probe().unwrap_or_default(),
        }
    }

    /// Tries out on a socket of its own whether sockets can busy-poll in this way, if they are to.
    ///
    /// # Errors
    /// What the operating system answers; the text names the socket option.
    pub fn try_busy_poll(&self, wanted: BusyPoll) -> io::Result<()> {
        if !wanted.is_wanted() {
            return Ok(());
        }
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        busy_poll(&socket, wanted)
    }
}

impl Network for UdpNetwork {
    type Transport = UdpTransport;

    fn open(&mut self, spec: &TransportSpec) -> io::Result<UdpTransport> {
        UdpTransport::open(spec)
    }

    fn buffer_limits(&self) -> BufferLimits {
        self.limits
    }
}

fn probe() -> io::Result<BufferLimits> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    let default_sndbuf = socket.send_buffer_size()?;
    let default_rcvbuf = socket.recv_buffer_size()?;
    let largest = i32::MAX as usize;
    let max_sndbuf = match socket.set_send_buffer_size(largest) {
        Ok(()) => socket.send_buffer_size()?,
        Err(_) => default_sndbuf,
    };
    let max_rcvbuf = match socket.set_recv_buffer_size(largest) {
        Ok(()) => socket.recv_buffer_size()?,
        Err(_) => default_rcvbuf,
    };
    drop(UdpSocket::from(socket));
    Ok(BufferLimits {
        default_sndbuf,
        max_sndbuf,
        default_rcvbuf,
        max_rcvbuf,
    })
}
