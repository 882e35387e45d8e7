//! A transport that records, and frames to feed it: for the tests of the receiver and of images.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::base::{EpochMillis, Nanos, ReceiverId, SessionId, StreamId, TermId, TermOffset};
use crate::cnc::{SystemCounter, SystemCounters};
use crate::concurrent::DistinctErrorLog;
use crate::driver::errors::ErrorReporter;
use crate::driver::media::loss::LossChain;
use crate::driver::media::receive_endpoint::{ReceiveEndpointSpec, ReceiveTransportSpec};
use crate::driver::messages::EndpointId;
use crate::memory::AtomicBuffer;
use crate::port::{AlwaysReady, Arrivals, Datagram, Tick, Transport, deliver};
use crate::protocol::{DataHeader, Frame, FrameType, Setup};

pub(crate) const MILLI: i64 = 1_000_000;
pub(crate) const SECOND: i64 = 1_000 * MILLI;

pub(crate) const ENDPOINT: EndpointId = EndpointId(3);
pub(crate) const RECEIVER: ReceiverId = ReceiverId(0x0102_0304);
pub(crate) const STREAM: StreamId = StreamId(1001);
pub(crate) const SESSION: SessionId = SessionId(-77);
pub(crate) const INITIAL_TERM: TermId = TermId(5);
pub(crate) const TERM_LENGTH: i32 = 64 * 1024;
pub(crate) const MTU: i32 = 1408;

pub(crate) fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

pub(crate) fn tick(now: i64) -> Tick {
    Tick {
        now: Nanos(now),
        epoch: EpochMillis(1_700_000_000_000 + now.div_euclid(MILLI)),
    }
}

struct Inbound {
    source: SocketAddr,
    bytes: Vec<u8>,
    segment_length: usize,
    media_timestamp_ns: Option<i64>,
}

#[derive(Default)]
struct State {
    inbound: VecDeque<Inbound>,
    sent: Vec<(SocketAddr, Vec<u8>)>,
    refuses: bool,
    fails: bool,
}

/// A transport in memory; clones are handles on the same one.
#[derive(Clone, Default)]
pub(crate) struct TestTransport(Arc<Mutex<State>>);

impl TestTransport {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("not poisoned")
    }

    /// Has a datagram arrive.
    pub(crate) fn deliver(&self, source: SocketAddr, bytes: &[u8]) {
        self.deliver_stamped(source, bytes, None);
    }

    /// Has a datagram arrive at the given kernel time.
    pub(crate) fn deliver_stamped(&self, source: SocketAddr, bytes: &[u8], time: Option<i64>) {
        let bytes = bytes.to_vec();
        self.state().inbound.push_back(Inbound {
            source,
            segment_length: bytes.len().max(1),
            bytes,
            media_timestamp_ns: time,
        });
    }

    /// Has datagrams of a length arrive together, the last of which may be shorter.
    pub(crate) fn deliver_together(&self, source: SocketAddr, bytes: &[u8], segment_length: usize) {
        self.state().inbound.push_back(Inbound {
            source,
            segment_length,
            bytes: bytes.to_vec(),
            media_timestamp_ns: None,
        });
    }

    /// Takes no datagram from now on, or takes them again.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.state().refuses = refuses;
    }

    /// Fails from now on, sending and receiving.
    pub(crate) fn fail(&self) {
        self.state().fails = true;
    }

    /// What was sent since the last call.
    pub(crate) fn take_sent(&self) -> Vec<(SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.state().sent)
    }

    /// Types of the frames sent since the last call.
    pub(crate) fn take_types(&self) -> Vec<FrameType> {
        let type_of = |(_, bytes): (SocketAddr, Vec<u8>)| {
            Frame::parse(&bytes)
                .expect("only valid frames are sent")
                .frame_type()
        };
        self.take_sent().into_iter().map(type_of).collect()
    }
}

impl Transport for TestTransport {
    type Readiness = AlwaysReady;

    fn send(&mut self, to: Option<SocketAddr>, datagrams: &[&[u8]]) -> io::Result<usize> {
        let mut state = self.state();
        if state.fails {
            return Err(io::Error::other("broken"));
        }
        if state.refuses {
            return Ok(0);
        }
        let to = to.expect("receivers are never connected");
        state
            .sent
            .extend(datagrams.iter().map(|bytes| (to, bytes.to_vec())));
        Ok(datagrams.len())
    }

    fn poll(&mut self, mut handler: impl FnMut(Datagram<'_>)) -> io::Result<usize> {
        if self.state().fails {
            return Err(io::Error::other("broken"));
        }
        let mut count = 0;
        for _ in 0..4 {
            let Some(mut inbound) = self.state().inbound.pop_front() else {
                break;
            };
            count += inbound.bytes.len();
            handler(Datagram {
                segment_length: inbound.segment_length,
                media_timestamp_ns: inbound.media_timestamp_ns,
                ..Datagram::whole(&mut inbound.bytes, inbound.source)
            });
        }
        Ok(count)
    }

    fn poll_into(&mut self, arrivals: &mut impl Arrivals) -> io::Result<usize> {
        self.poll(|datagram| deliver(arrivals, datagram))
    }

    fn connect(&mut self, _to: SocketAddr) -> io::Result<()> {
        Ok(())
    }

    fn local_address(&self) -> SocketAddr {
        address(40_123)
    }
}

pub(crate) fn transport_spec() -> ReceiveTransportSpec {
    ReceiveTransportSpec {
        control_group: None,
        explicit_control: None,
        ttl: 0,
        channel_timestamp_offset: None,
        media_timestamp_offset: None,
    }
}

pub(crate) fn endpoint_spec() -> ReceiveEndpointSpec {
    ReceiveEndpointSpec {
        id: ENDPOINT,
        receiver_id: RECEIVER,
        group_tag: None,
        stream_session_limit: i32::MAX,
        data_loss: LossChain::default(),
        control_loss: LossChain::default(),
    }
}

/// Counters and an error log that no file shows.
pub(crate) struct Diagnostics {
    pub(crate) counters: SystemCounters,
    pub(crate) errors: ErrorReporter,
    pub(crate) error_log: AtomicBuffer,
}

impl Diagnostics {
    pub(crate) fn new() -> Self {
        let counters = SystemCounters::detached();
        let error_log = AtomicBuffer::heap(16 * 1024);
        let log = DistinctErrorLog::new(error_log.clone());
        let errors = ErrorReporter::new(log, counters.get(SystemCounter::Errors).clone());
        Self {
            counters,
            errors,
            error_log,
        }
    }

    pub(crate) fn count(&self, counter: SystemCounter) -> i64 {
        self.counters.get(counter).get()
    }
}

/// A datagram with one message of `payload_length` bytes.
pub(crate) fn data(term_id: TermId, term_offset: i32, payload_length: usize) -> Vec<u8> {
    let mut bytes = vec![0xAB; 32 + payload_length.next_multiple_of(32)];
    DataHeader {
        frame_length: 32 + i32::try_from(payload_length).expect("short"),
        ..header(term_id, term_offset)
    }
    .encode(bytes.first_chunk_mut().expect("a header"));
    bytes
}

/// A heartbeat; `flags` as on the wire.
pub(crate) fn heartbeat(term_id: TermId, term_offset: i32, flags: u8) -> Vec<u8> {
    let mut bytes = vec![0; 32];
    DataHeader {
        flags,
        ..header(term_id, term_offset)
    }
    .encode(bytes.first_chunk_mut().expect("a header"));
    bytes
}

fn header(term_id: TermId, term_offset: i32) -> DataHeader {
    DataHeader::heartbeat(SESSION, STREAM, term_id, TermOffset(term_offset), 0xC0)
}

/// The SETUP of the test's stream.
pub(crate) fn setup() -> Setup {
    Setup {
        flags: 0,
        term_offset: TermOffset(0),
        session_id: SESSION,
        stream_id: STREAM,
        initial_term_id: INITIAL_TERM,
        active_term_id: INITIAL_TERM,
        term_length: TERM_LENGTH,
        mtu: MTU,
        ttl: 0,
    }
}

/// Its bytes.
pub(crate) fn setup_bytes(setup: &Setup) -> Vec<u8> {
    let mut bytes = [0; Setup::LENGTH];
    setup.encode(&mut bytes);
    bytes.to_vec()
}
