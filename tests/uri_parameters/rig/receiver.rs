//! A receiver of a publication's datagrams, played with a socket.

use std::net::{SocketAddr, UdpSocket};

use aileron::base::{ReceiverId, TermId, TermOffset};
use aileron::protocol::{DataFrame, Nak, SetupFrame, StatusMessage};
use aileron::{SessionId, StreamId};

use super::super::support::wait_for;
use super::{receive, socket};

/// What the publication's SETUP said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) address: SocketAddr,
    pub(crate) session_id: SessionId,
    pub(crate) stream_id: StreamId,
    pub(crate) term_id: TermId,
    pub(crate) ttl: i32,
    pub(crate) is_group: bool,
}

/// A data frame as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) term_offset: i32,
    pub(crate) reserved_value: i64,
    pub(crate) datagram: Vec<u8>,
    pub(crate) is_end_of_stream: bool,
    pub(crate) is_heartbeat: bool,
}

/// A receiver of its own making: it says what the test tells it to.
#[derive(Debug)]
pub(crate) struct RawReceiver {
    socket: UdpSocket,
    id: ReceiverId,
}

impl RawReceiver {
    pub(crate) fn new(id: i64) -> Self {
        Self::on(socket(), id)
    }

    /// A receiver that hears what `socket` does.
    pub(crate) fn on(socket: UdpSocket, id: i64) -> Self {
        let id = ReceiverId(id);
        Self { socket, id }
    }

    pub(crate) fn port(&self) -> u16 {
        self.socket.local_addr().expect("its address").port()
    }

    /// The channel of publications to it, less further parameters.
    pub(crate) fn channel(&self) -> String {
        format!("aeron:udp?endpoint=127.0.0.1:{}", self.port())
    }

    /// Waits for a SETUP.
    pub(crate) fn source(&self) -> Source {
        wait_for("a SETUP", || {
            let (bytes, address) = receive(&self.socket)?;
            let setup = SetupFrame::parse(&bytes).ok()?;
            Some(Source {
                address,
                session_id: setup.session_id(),
                stream_id: setup.stream_id(),
                term_id: setup.active_term_id(),
                ttl: setup.ttl(),
                is_group: setup.is_group(),
            })
        })
    }

    /// Reports having consumed up to `offset`, and to take `window` bytes more.
    pub(crate) fn report(&self, source: &Source, offset: i32, window: i32) {
        self.report_tagged(source, offset, window, None);
    }

    /// [`Self::report`] with a group tag.
    pub(crate) fn report_tagged(
        &self,
        source: &Source,
        offset: i32,
        window: i32,
        tag: Option<i64>,
    ) {
        let tail = tag.map_or(Vec::new(), |tag| tag.to_le_bytes().to_vec());
        self.report_with_tail(source, offset, window, &tail);
    }

    /// [`Self::report`] with whatever bytes at the end.
    pub(crate) fn report_with_tail(&self, source: &Source, offset: i32, window: i32, tail: &[u8]) {
        let mut bytes = [0; StatusMessage::MAX_LENGTH];
        let length = StatusMessage {
            flags: 0,
            session_id: source.session_id,
            stream_id: source.stream_id,
            consumption_term_id: source.term_id,
            consumption_term_offset: TermOffset(offset),
            receiver_window: window,
            receiver_id: self.id,
            group_tag: None,
        }
        .encode(&mut bytes);
        let mut bytes = bytes[..length].to_vec();
        bytes.extend_from_slice(tail);
        let frame_length = i32::try_from(bytes.len()).expect("short");
        bytes[..4].copy_from_slice(&frame_length.to_le_bytes());
        self.send(&bytes, source.address);
    }

    /// Asks for `length` bytes from `offset` again.
    pub(crate) fn nak(&self, source: &Source, offset: i32, length: i32) {
        let mut bytes = [0; Nak::LENGTH];
        Nak {
            session_id: source.session_id,
            stream_id: source.stream_id,
            term_id: source.term_id,
            term_offset: TermOffset(offset),
            length,
        }
        .encode(&mut bytes);
        self.send(&bytes, source.address);
    }

    /// The next data frame or heartbeat, unless none comes soon.
    pub(crate) fn data(&self) -> Option<Arrived> {
        let (datagram, _) = receive(&self.socket)?;
        let frame = DataFrame::parse(&datagram).ok()?;
        Some(Arrived {
            term_offset: frame.term_offset().get(),
            reserved_value: frame.reserved_value(),
            is_end_of_stream: frame.is_end_of_stream(),
            is_heartbeat: frame.is_heartbeat(),
            datagram: datagram.clone(),
        })
    }

    fn send(&self, bytes: &[u8], to: SocketAddr) {
        let sent = self.socket.send_to(bytes, to).expect("sent");
        assert_eq!(sent, bytes.len());
    }
}
