//! A transport for tests: it records what is sent and delivers what the test put into it.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use crate::port::{AlwaysReady, Burst, Datagram, Transport};

/// A recorded datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Address it was sent to; `None` means the connected peer.
    pub(crate) to: Option<SocketAddr>,
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
}

/// A socket without a network.
#[derive(Debug)]
pub(crate) struct FakeTransport {
    sent: Vec<Sent>,
    inbound: VecDeque<(SocketAddr, Vec<u8>)>,
    accepted_next: VecDeque<usize>,
    failing_sends: usize,
    is_connect_refused: bool,
    peer: Option<SocketAddr>,
    calls: usize,
    burst_refusal: Option<io::Error>,
}

impl FakeTransport {
    pub(crate) fn new() -> Self {
        Self {
            sent: Vec::new(),
            inbound: VecDeque::new(),
            accepted_next: VecDeque::new(),
            failing_sends: 0,
            is_connect_refused: false,
            peer: None,
            calls: 0,
            burst_refusal: None,
        }
    }

    /// What was sent since the last call.
    pub(crate) fn take_sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// The next send accepts at most `count` datagrams, the ones after it all again.
    pub(crate) fn accept_next(&mut self, count: usize) {
        self.accepted_next.push_back(count);
    }

    /// The next send fails.
    pub(crate) fn fail_next(&mut self) {
        self.failing_sends += 1;
    }

    /// It has found out that the kernel refuses bursts.
    pub(crate) fn refuse_bursts(&mut self) {
        self.burst_refusal = Some(io::Error::from_raw_os_error(5));
    }

    /// Connecting fails from now on, or works again.
    pub(crate) fn refuse_connect(&mut self, is_refused: bool) {
        self.is_connect_refused = is_refused;
    }

    /// The peer it was connected to last.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// How often it was asked to send.
    pub(crate) fn calls(&self) -> usize {
        self.calls
    }

    /// Delivers a datagram at the next poll.
    pub(crate) fn deliver(&mut self, source: SocketAddr, bytes: &[u8]) {
        self.inbound.push_back((source, bytes.to_vec()));
    }
}

impl Transport for FakeTransport {
    type Readiness = AlwaysReady;

    fn send(&mut self, to: Option<SocketAddr>, datagrams: &[&[u8]]) -> io::Result<usize> {
        self.calls += 1;
        if self.failing_sends > 0 {
            self.failing_sends -= 1;
            return Err(io::Error::other("network is unreachable"));
        }
        let limit = self.accepted_next.pop_front().unwrap_or(usize::MAX);
        let accepted = datagrams.len().min(limit);
        for datagram in datagrams.iter().take(accepted) {
            self.sent.push(Sent {
                to,
                bytes: datagram.to_vec(),
            });
        }
        Ok(accepted)
    }

    fn send_bursts(&mut self, to: Option<SocketAddr>, bursts: &[Burst<'_>]) -> io::Result<usize> {
        let datagrams: Vec<&[u8]> = bursts.iter().flat_map(Burst::datagrams).collect();
        self.send(to, &datagrams)
    }

    fn take_burst_refusal(&mut self) -> Option<io::Error> {
        self.burst_refusal.take()
    }

    fn poll(&mut self, mut handler: impl FnMut(Datagram<'_>)) -> io::Result<usize> {
        let mut bytes_received = 0;
        for _ in 0..4 {
            let Some((source, mut bytes)) = self.inbound.pop_front() else {
                break;
            };
            bytes_received += bytes.len();
            handler(Datagram::whole(&mut bytes, source));
        }
        Ok(bytes_received)
    }

    fn connect(&mut self, to: SocketAddr) -> io::Result<()> {
        if self.is_connect_refused {
            return Err(io::Error::other("address not available"));
        }
        self.peer = Some(to);
        Ok(())
    }

    fn local_address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 40_123))
    }
}
