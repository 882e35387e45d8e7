//! A receive channel endpoint: the sockets of one subscription channel and what it wants from them.
//!
//! The conductor opens the sockets and builds the endpoint, the receiver owns it while it is in
//! use. An ordinary channel has one transport, in slot 0; a multi-destination subscription
//! (`control-mode=manual`) has one per destination, each in a slot that the conductor chose. Data
//! comes in through the receiver's poll (`driver::receiver`); control frames go out through
//! [`ReceiveEndpoint::send`], which is also where deliberate loss hides them.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::base::{Nanos, ReceiverId, SessionId, StreamId};
use crate::cnc::{SystemCounter, SystemCounters};
use crate::command::ErrorCode;
use crate::driver::dispatcher::{Dispatcher, ImageSlot};
use crate::driver::errors::ErrorReporter;
use crate::driver::media::loss::LossChain;
use crate::driver::media::udp_channel::UdpChannel;
use crate::driver::messages::EndpointId;
use crate::port::{Tick, Transport};
use crate::protocol::StatusMessage;

/// Silence after which the name of an explicit control address is looked up again, and after which
/// a connection of an image is not sent to any more.
pub(crate) const DESTINATION_ACTIVITY_TIMEOUT_NS: i64 = 5_000_000_000;

/// Time to live of multicast datagrams where nobody set one.
const TTL_DEFAULT: u8 = 1;

/// An address that the channel's `control` parameter names: who asks a dynamic multi-destination
/// publication for its stream goes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExplicitControl {
    /// The parameter's text: the key of a later re-resolution.
    pub(crate) text: String,
    /// Where it leads now.
    pub(crate) address: SocketAddr,
}

/// What the driver needs to know about a transport besides its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReceiveTransportSpec {
    /// Set on multicast channels: the group that status messages and NAKs go to.
    pub(crate) control_group: Option<SocketAddr>,
    /// Set if the channel has a `control` parameter.
    pub(crate) explicit_control: Option<ExplicitControl>,
    /// Time to live of the socket (channel, else driver); 0 is the operating system's default.
    pub(crate) ttl: u8,
    /// `channel-rcv-ts-offset`: where in a payload the receiver's clock is written; -8 is the
    /// reserved value.
    pub(crate) channel_timestamp_offset: Option<i32>,
    /// `media-rcv-ts-offset`: where the kernel's receive time is written.
    pub(crate) media_timestamp_offset: Option<i32>,
}

impl ReceiveTransportSpec {
    /// What a `channel` says. `ttl_default` is the driver's time to live.
    pub(crate) fn of(channel: &UdpChannel, ttl_default: u8) -> Self {
        let offsets = channel.timestamp_offsets();
        let explicit_control = channel.control_text().map(|text| ExplicitControl {
            text: text.to_owned(),
            address: channel.local_control(),
        });
        Self {
            control_group: channel.is_multicast().then(|| channel.remote_control()),
            explicit_control: explicit_control.filter(|_| channel.is_explicit_control()),
            ttl: if channel.ttl() == 0 {
                ttl_default
            } else {
                channel.ttl()
            },
            channel_timestamp_offset: offsets.channel_receive,
            media_timestamp_offset: offsets.media_receive,
        }
    }
}

/// One socket of an endpoint.
pub(crate) struct ReceiveTransport<T> {
    pub(crate) transport: T,
    pub(crate) state: ReceiveTransportState,
}

/// The part of a [`ReceiveTransport`] that is used while its socket is being polled.
#[derive(Debug)]
pub(crate) struct ReceiveTransportState {
    spec: ReceiveTransportSpec,
    time_of_last_activity: Nanos,
    /// Whose data came last.
    pub(crate) expectation: Expectation,
}

/// Whose data comes next through a socket, as far as can be guessed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expectation {
    last: Option<ImageSlot>,
    in_a_row: u32,
}

/// Times in a row that data was for one image, after which it is expected to be so again.
const EXPECTED_FROM: u32 = 4;

impl Expectation {
    /// None yet.
    const NONE: Self = Self {
        last: None,
        in_a_row: 0,
    };

    /// Data for this image came.
    #[inline]
    pub(crate) fn on_data(&mut self, slot: ImageSlot) {
        if self.last == Some(slot) {
            self.in_a_row = self.in_a_row.saturating_add(1);
        } else {
            *self = Self {
                last: Some(slot),
                in_a_row: 0,
            };
        }
    }

    /// What came was not what was expected.
    pub(crate) const fn on_mistake(&mut self) {
        self.in_a_row = 0;
    }

    /// The image, if there is reason to expect data for it.
    pub(crate) fn image(self) -> Option<ImageSlot> {
        self.last.filter(|_| self.in_a_row >= EXPECTED_FROM)
    }
}

impl ReceiveTransportState {
    /// Where answers to a frame from `source` go.
    #[inline]
    pub(crate) fn control_address(&self, source: SocketAddr) -> SocketAddr {
        self.spec.control_group.unwrap_or(source)
    }

    /// Where this transport can be heard before anything arrived on it: the control group or the
    /// explicit control address.
    pub(crate) fn known_control_address(&self) -> Option<SocketAddr> {
        self.spec
            .control_group
            .or_else(|| self.explicit_control_address())
    }

    /// The explicit control address, if the channel has one.
    pub(crate) fn explicit_control_address(&self) -> Option<SocketAddr> {
        self.spec
            .explicit_control
            .as_ref()
            .map(|control| control.address)
    }

    /// Whether a sender's datagrams travel further than what this receiver answers.
    pub(crate) fn is_ttl_asymmetric(&self, setup_ttl: i32) -> bool {
        let ttl = if self.spec.ttl == 0 {
            TTL_DEFAULT
        } else {
            self.spec.ttl
        };
        self.spec.control_group.is_some() && i32::from(ttl) < setup_ttl
    }

    /// See [`ReceiveTransportSpec`].
    #[inline]
    pub(crate) const fn channel_timestamp_offset(&self) -> Option<i32> {
        self.spec.channel_timestamp_offset
    }

    /// See [`ReceiveTransportSpec`].
    #[inline]
    pub(crate) const fn media_timestamp_offset(&self) -> Option<i32> {
        self.spec.media_timestamp_offset
    }

    /// A frame that counts arrived.
    #[inline]
    pub(crate) const fn on_activity(&mut self, now: Nanos) {
        self.time_of_last_activity = now;
    }

    /// The explicit control address, if it has been silent for so long that its name should be
    /// looked up again. Asking restarts the time.
    pub(crate) fn check_re_resolution(&mut self, now: Nanos) -> Option<&ExplicitControl> {
        let control = self.spec.explicit_control.as_ref()?;
        if !now.is_expired(self.time_of_last_activity, DESTINATION_ACTIVITY_TIMEOUT_NS) {
            return None;
        }
        self.time_of_last_activity = now;
        Some(control)
    }

    /// The name of the explicit control address leads elsewhere now.
    pub(crate) fn on_resolution_change(&mut self, address: SocketAddr) {
        if let Some(control) = &mut self.spec.explicit_control {
            control.address = address;
        }
    }
}

impl<T: Transport> ReceiveTransport<T> {
    /// Wraps an open socket.
    pub(crate) const fn new(transport: T, spec: ReceiveTransportSpec, now: Nanos) -> Self {
        let state = ReceiveTransportState {
            spec,
            time_of_last_activity: now,
            expectation: Expectation::NONE,
        };
        Self { transport, state }
    }

    /// The address the socket is bound to.
    pub(crate) fn local_address(&self) -> SocketAddr {
        self.transport.local_address()
    }
}

impl<T> fmt::Debug for ReceiveTransport<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveTransport")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// What an endpoint is built from.
#[derive(Debug)]
pub(crate) struct ReceiveEndpointSpec {
    /// Its name within the driver.
    pub(crate) id: EndpointId,
    /// Its name to publishers; not 0.
    pub(crate) receiver_id: ReceiverId,
    /// Group tag of the channel, else of the driver.
    pub(crate) group_tag: Option<i64>,
    /// Images allowed per stream.
    pub(crate) stream_session_limit: i32,
    /// Hides incoming frames.
    pub(crate) data_loss: LossChain,
    /// Hides outgoing frames.
    pub(crate) control_loss: LossChain,
}

/// What sending needs besides the endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendContext<'a> {
    /// The receiver's time.
    pub(crate) tick: Tick,
    /// Where things are counted.
    pub(crate) counters: &'a SystemCounters,
    /// Where errors go.
    pub(crate) errors: &'a ErrorReporter,
}

/// The receiver's view of a subscription channel.
pub(crate) struct ReceiveEndpoint<T> {
    pub(crate) id: EndpointId,
    pub(crate) receiver_id: ReceiverId,
    group_tag: Option<i64>,
    pub(crate) transports: Vec<Option<ReceiveTransport<T>>>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) data_loss: LossChain,
    control_loss: LossChain,
}

impl<T: Transport> ReceiveEndpoint<T> {
    /// An endpoint with its only `transport`, or with none yet if it takes destinations.
    pub(crate) fn new(spec: ReceiveEndpointSpec, transport: Option<ReceiveTransport<T>>) -> Self {
        debug_assert!(spec.receiver_id.get() != 0, "0 means any receiver");
        Self {
            id: spec.id,
            receiver_id: spec.receiver_id,
            group_tag: spec.group_tag,
            transports: transport.into_iter().map(Some).collect(),
            dispatcher: Dispatcher::new(spec.stream_session_limit),
            data_loss: spec.data_loss,
            control_loss: spec.control_loss,
        }
    }

    /// Its name within the driver.
    pub(crate) const fn id(&self) -> EndpointId {
        self.id
    }

    /// Its name to publishers.
    pub(crate) const fn receiver_id(&self) -> ReceiverId {
        self.receiver_id
    }

    /// Sent with every status message and error frame.
    pub(crate) const fn group_tag(&self) -> Option<i64> {
        self.group_tag
    }

    /// The socket in a slot.
    pub(crate) fn socket(&self, index: usize) -> Option<&T> {
        Some(&self.transports.get(index)?.as_ref()?.transport)
    }

    /// The sockets and their slots.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = (usize, &T)> {
        let slots = self.transports.iter().enumerate();
        slots.filter_map(|(index, slot)| Some((index, &slot.as_ref()?.transport)))
    }

    /// Adds a destination's transport in a free slot.
    pub(crate) fn add_transport(&mut self, index: usize, transport: ReceiveTransport<T>) {
        if self.transports.len() <= index {
            self.transports.resize_with(index + 1, || None);
        }
        let slot = &mut self.transports[index];
        debug_assert!(slot.is_none(), "slot {index} is taken");
        *slot = Some(transport);
    }

    /// Takes a destination's transport out of its slot.
    pub(crate) fn remove_transport(&mut self, index: usize) -> Option<ReceiveTransport<T>> {
        self.transports.get_mut(index)?.take()
    }

    /// The state of the transport in a slot.
    pub(crate) fn transport_state(&self, index: usize) -> Option<&ReceiveTransportState> {
        self.transports
            .get(index)?
            .as_ref()
            .map(|transport| &transport.state)
    }

    /// The state of the transport in a slot, to change it.
    pub(crate) fn transport_state_mut(
        &mut self,
        index: usize,
    ) -> Option<&mut ReceiveTransportState> {
        self.transports
            .get_mut(index)?
            .as_mut()
            .map(|transport| &mut transport.state)
    }

    /// Number of slots, used and free.
    pub(crate) const fn slot_count(&self) -> usize {
        self.transports.len()
    }

    /// Sends a control frame through the transport in slot `index`. Returns whether it went out, or
    /// was lost on purpose. What the socket refuses is counted and not repeated: control frames are
    /// sent again anyway.
    pub(crate) fn send(
        &mut self,
        index: usize,
        to: SocketAddr,
        frame: &[u8],
        context: &SendContext<'_>,
    ) -> bool {
        let Some(Some(transport)) = self.transports.get_mut(index) else {
            return false;
        };
        if self.control_loss.should_drop(frame) {
            return true;
        }
        match transport.transport.send(Some(to), &[frame]) {
            Ok(1..) => true,
            Ok(0) => {
                context.counters.get(SystemCounter::ShortSends).add(1);
                false
            }
            Err(error) => {
                context.counters.get(SystemCounter::ShortSends).add(1);
                report_send_error(&error, to, context);
                false
            }
        }
    }

    /// Asks whoever is behind `to` for the SETUP of a session, or of all if both ids are 0.
    pub(crate) fn send_setup_request(
        &mut self,
        index: usize,
        to: SocketAddr,
        (stream_id, session_id): (StreamId, SessionId),
        context: &SendContext<'_>,
    ) {
        let request =
            StatusMessage::setup_request(session_id, stream_id, self.receiver_id, self.group_tag);
        let mut frame = [0; StatusMessage::MAX_LENGTH];
        let length = request.encode(&mut frame);
        self.send(index, to, &frame[..length], context);
    }
}

#[cold]
fn report_send_error(error: &io::Error, to: SocketAddr, context: &SendContext<'_>) {
    let text = format!("failed to send datagram to {to}: {error}");
    context
        .errors
        .report(context.tick.epoch, ErrorCode::GenericError, &text);
}

impl<T> fmt::Debug for ReceiveEndpoint<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveEndpoint")
            .field("id", &self.id)
            .field("receiver_id", &self.receiver_id)
            .field("transports", &self.transports)
            .field("dispatcher", &self.dispatcher)
            .finish_non_exhaustive()
    }
}
