//! A publication, played with a socket.

use std::net::{SocketAddr, UdpSocket};

use aileron::base::{TermId, TermOffset};
use aileron::protocol::{DataHeader, FrameType, NakFrame, Setup, StatusMessageFrame, data};
use aileron::{SessionId, Subscription};

use super::super::support::{wait_for, wait_until};
use super::{STREAM, receive, socket};

const TERM_LENGTH: i32 = 64 * 1024;
const TERM_ID: TermId = TermId(7);

/// What a status message said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Status {
    pub(crate) window: i32,
    pub(crate) group_tag: Option<i64>,
    pub(crate) is_setup_requested: bool,
    pub(crate) session_id: SessionId,
}

/// A publication of its own making: it sends what the test tells it to.
#[derive(Debug)]
pub(crate) struct RawSender {
    socket: UdpSocket,
    to: SocketAddr,
    session_id: SessionId,
    mtu: i32,
}

impl RawSender {
    /// Sends to where `subscription` listens.
    pub(crate) fn to(subscription: &Subscription, session_id: i32) -> Self {
        let to = wait_for("the subscription's address", || {
            subscription.resolved_endpoint()
        });
        Self::to_address(to, session_id)
    }

    /// Sends there.
    pub(crate) fn to_address(to: SocketAddr, session_id: i32) -> Self {
        Self {
            socket: socket(),
            to,
            session_id: SessionId(session_id),
            mtu: 1408,
        }
    }

    /// With another MTU in its SETUP.
    pub(crate) fn with_mtu(mut self, mtu: i32) -> Self {
        self.mtu = mtu;
        self
    }

    pub(crate) fn session_id(&self) -> SessionId {
        self.session_id
    }

    pub(crate) fn setup(&self) {
        let mut bytes = [0; Setup::LENGTH];
        Setup {
            flags: 0,
            term_offset: TermOffset(0),
            session_id: self.session_id,
            stream_id: STREAM,
            initial_term_id: TERM_ID,
            active_term_id: TERM_ID,
            term_length: TERM_LENGTH,
            mtu: self.mtu,
            ttl: 0,
        }
        .encode(&mut bytes);
        self.send(&bytes);
    }

    /// A message of 32 bytes at `offset`.
    pub(crate) fn data(&self, offset: i32) {
        self.frame(offset, 32);
    }

    /// A message at `offset`, padded to the datagram's length.
    pub(crate) fn frame(&self, offset: i32, payload_length: usize) {
        let length = DataHeader::LENGTH + payload_length;
        let mut header = [0; DataHeader::LENGTH];
        DataHeader {
            frame_length: i32::try_from(length).expect("short"),
            flags: data::flags::UNFRAGMENTED,
            frame_type: FrameType::Data,
            term_offset: TermOffset(offset),
            session_id: self.session_id,
            stream_id: STREAM,
            term_id: TERM_ID,
            reserved_value: 0,
        }
        .encode(&mut header);
        let mut frame = header.to_vec();
        frame.resize(length, 7);
        self.send(&frame);
    }

    /// Says that the stream has come to `offset`.
    pub(crate) fn heartbeat(&self, offset: i32) {
        let mut header = [0; DataHeader::LENGTH];
        DataHeader::heartbeat(
            self.session_id,
            STREAM,
            TERM_ID,
            TermOffset(offset),
            data::flags::UNFRAGMENTED,
        )
        .encode(&mut header);
        self.send(&header);
    }

    /// Has `subscription` make an image of the stream.
    pub(crate) fn join(&self, subscription: &mut Subscription) {
        wait_until("an image of the raw stream", || {
            self.setup();
            self.heartbeat(0);
            subscription.poll(1, |_, _| {});
            self.statuses().next();
            subscription.image_by_session(self.session_id).is_some()
        });
    }

    /// The next datagram of the receiver, unless none comes soon.
    fn heard(&self) -> Option<Vec<u8>> {
        receive(&self.socket).map(|(bytes, _)| bytes)
    }

    /// Whether a NAK is there; leaves out everything before it.
    pub(crate) fn hears_nak(&self) -> bool {
        std::iter::from_fn(|| self.heard()).any(|bytes| {
            NakFrame::parse(&bytes).is_ok_and(|nak| nak.session_id() == self.session_id)
        })
    }

    /// The status messages that have come.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = Status> {
        std::iter::from_fn(|| self.heard()).filter_map(|bytes| {
            let frame = StatusMessageFrame::parse(&bytes).ok()?;
            Some(Status {
                window: frame.receiver_window(),
                group_tag: frame.group_tag(),
                is_setup_requested: frame.is_setup_requested(),
                session_id: frame.session_id(),
            })
        })
    }

    fn send(&self, bytes: &[u8]) {
        let sent = self.socket.send_to(bytes, self.to).expect("sent");
        assert_eq!(sent, bytes.len());
    }
}
