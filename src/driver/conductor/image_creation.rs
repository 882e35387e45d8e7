//! Making images: checks of a SETUP, and all that an image consists of (`driver.md` §8.1).

use std::sync::Arc;

use crate::base::CounterId;
use crate::command::ErrorCode;
use crate::concurrent::{AtomicCounter, EventKind};
use crate::driver::config::{GroupConsideration, StreamProfile};
use crate::driver::congestion::{
    AutoWindow, CongestionAlgorithm, CongestionControl, Cubic, CubicCounters, CubicParams,
    InFlightWindow, StaticWindow,
};
use crate::driver::counters::{StreamCounter, StreamIdentity};
use crate::driver::failure::CommandFailure;
use crate::driver::image::{self, ImageCounters, ImageParams};
use crate::driver::loss::NakDelay;
use crate::driver::media::udp_channel::UdpChannel;
use crate::driver::messages::{ImageRequest, ReceiverMessage};
use crate::driver::resources::CreatedLog;
use crate::driver::untethered::{SubscriberPosition, SubscriberPositions};
use crate::logbuffer::{LogKind, LogSpec, TermGeometry};
use crate::port::{BufferLimits, Network};

use super::Conductor;
use super::images::{Image, NewImage};
use super::linking::Stream;
use super::links::SubscriptionLink;
use super::publications::int;

/// Shortest datagram that can carry a frame with a payload.
const MTU_LENGTH_MIN: i32 = 32;
const MTU_LENGTH_MAX: i32 = 65_504;
const FRAME_ALIGNMENT: i32 = 32;

impl<N: Network> Conductor<N> {
    /// Checks a SETUP. `None`: nobody wants an image of it any more.
    #[expect(
        clippy::type_complexity,
        reason = "an image and its log, both of them to be made"
    )]
    pub(super) fn prepare_image(
        &mut self,
        request: &ImageRequest,
    ) -> Result<Option<(Box<NewImage>, Box<LogSpec>)>, CommandFailure> {
        let Some(channel) = self.image_channel(request) else {
            return Ok(None);
        };
        let (geometry, window_length) = check_setup(request, &channel)?;
        let Some(first) = self.links_of(request).next() else {
            return Ok(None);
        };
        let oldest = self
            .links_of(request)
            .min_by_key(|link| link.registration_id);
        let is_sparse = oldest.is_none_or(|link| link.is_sparse);
        let limits = self.network.buffer_limits();
        let correlation_id = self.ctx.ring.next_correlation_id();
        let untethered = channel.untethered();
        let spec = LogSpec {
            kind: LogKind::Image,
            correlation_id: correlation_id.get(),
            session_id: request.session_id,
            stream_id: request.stream_id,
            initial_term_id: request.initial_term_id,
            start: None,
            term_length: request.term_length,
            page_size: int(self.ctx.config.file_page_size),
            mtu_length: request.mtu_length,
            publication_window_length: 0,
            receiver_window_length: window_length,
            socket_sndbuf_length: int(channel.socket_sndbuf_length()),
            os_default_socket_sndbuf_length: int(limits.default_sndbuf),
            os_max_socket_sndbuf_length: int(limits.max_sndbuf),
            socket_rcvbuf_length: int(channel.socket_rcvbuf_length()),
            os_default_socket_rcvbuf_length: int(limits.default_rcvbuf),
            os_max_socket_rcvbuf_length: int(limits.max_rcvbuf),
            max_resend: 0,
            entity_tag: 0,
            response_correlation_id: 0,
            linger_timeout_ns: 0,
            untethered_window_limit_timeout_ns: untethered.window_limit_ns,
            untethered_linger_timeout_ns: untethered.linger_ns,
            untethered_resting_timeout_ns: untethered.resting_ns,
            group: is_group(first, &channel, request),
            is_response: channel.is_response(),
            rejoin: first.is_rejoin,
            reliable: first.is_reliable,
            sparse: is_sparse,
            signal_eos: false,
            spies_simulate_connection: false,
            tether: first.is_tether,
        };
        let join_position = geometry.position(request.active_term_id, request.term_offset);
        let new = NewImage {
            request: request.clone(),
            correlation_id,
            join_position,
            window_length,
            window_length_max: window_length_max(request, &channel, window_length, &limits),
        };
        Ok(Some((Box::new(new), Box::new(spec))))
    }

    /// Makes an image of its log. Returns whether anybody still wants it.
    pub(super) fn create_image(
        &mut self,
        new: &NewImage,
        log: &CreatedLog,
    ) -> Result<bool, CommandFailure> {
        let request = &new.request;
        let Some(channel) = self.image_channel(request) else {
            return Ok(false);
        };
        let links: Vec<SubscriptionLink> = self.links_of(request).cloned().collect();
        let Some(first) = links.first() else {
            return Ok(false);
        };
        let mut allocated = Vec::new();
        let params = match self.image_params(new, log, &channel, first, &mut allocated) {
            Ok(params) => params,
            Err(failure) => {
                self.ctx.free_counters(allocated);
                return Err(failure);
            }
        };
        let subscribers = match self.subscriber_positions(new, &links) {
            Ok(subscribers) => subscribers,
            Err(failure) => {
                self.ctx.free_counters(allocated);
                return Err(failure);
            }
        };
        let (half, mut receiver_half) = image::build(params);
        receiver_half.log_to(&self.ctx.logs.receiver);
        let source = half.source_identity();
        let values = [
            new.correlation_id.get(),
            i64::from(request.session_id.get()),
            i64::from(request.stream_id.get()),
            new.join_position.get(),
            i64::from(request.term_length),
            i64::from(request.mtu_length),
            i64::from(new.window_length),
        ];
        self.ctx.log(EventKind::ImageCreated, &values, source);
        let image = Image {
            half,
            path: log.path.clone(),
            counters: allocated,
        };
        self.images.insert(new.correlation_id, image);
        if let Some(record) = self.receive_endpoints.get_mut(&request.endpoint) {
            record.image_count += 1;
        }
        for position in subscribers {
            let (subscription, counter) = (position.subscription, position.counter.id());
            if let Some(image) = self.images.get_mut(&new.correlation_id) {
                image.half.add_subscriber(position, self.ctx.tick.now);
            }
            let stream = Stream::Image(new.correlation_id);
            self.announce_available(stream, subscription, counter);
        }
        self.ctx
            .receiver
            .send(ReceiverMessage::AddImage(Box::new(receiver_half)));
        Ok(true)
    }

    /// Allocates positions for the subscriptions for which an image is made, or none.
    fn subscriber_positions(
        &mut self,
        new: &NewImage,
        links: &[SubscriptionLink],
    ) -> Result<Vec<SubscriberPosition>, CommandFailure> {
        let (image, session_id) = (new.correlation_id, new.request.session_id);
        let mut positions: Vec<SubscriberPosition> = Vec::with_capacity(links.len());
        for link in links {
            match self.allocate_position(link, image, session_id, new.join_position) {
                Ok(position) => positions.push(position),
                Err(failure) => {
                    let allocated = positions.iter().map(|position| position.counter.id());
                    self.ctx.free_counters(allocated);
                    return Err(failure);
                }
            }
        }
        Ok(positions)
    }

    fn image_params(
        &mut self,
        new: &NewImage,
        log: &CreatedLog,
        channel: &UdpChannel,
        first: &SubscriptionLink,
        allocated: &mut Vec<CounterId>,
    ) -> Result<ImageParams, CommandFailure> {
        let request = &new.request;
        let stream = StreamIdentity {
            registration_id: new.correlation_id.into(),
            session_id: request.session_id,
            stream_id: request.stream_id,
            channel: &first.channel,
            client_id: first.client_id,
        };
        let join = new.join_position.get();
        let counters = ImageCounters {
            hwm: self.image_counter(StreamCounter::ReceiverHwm, &stream, join, allocated)?,
            rebuild: self.image_counter(
                StreamCounter::ReceiverPosition,
                &stream,
                join,
                allocated,
            )?,
            naks_sent: self.image_counter(
                StreamCounter::ReceiverNaksSent,
                &stream,
                0,
                allocated,
            )?,
        };
        let is_group = is_group(first, channel, request);
        let has_in_flight_window = self.ctx.config.loss_recovery && first.is_reliable && !is_group;
        let congestion =
            self.image_congestion(new, channel, &stream, has_in_flight_window, allocated)?;
        let config = &self.ctx.config;
        let nak_delay = if !first.is_reliable {
            NakDelay::immediate()
        } else if is_group {
            let backoff_ns = config.nak_multicast_max_backoff_ns;
            NakDelay::group(backoff_ns, config.nak_multicast_group_size, self.rng.fork())
        } else {
            let delay_ns = channel
                .nak_delay_ns()
                .unwrap_or(config.nak_unicast_delay_ns);
            NakDelay::unicast(delay_ns, config.nak_unicast_retry_delay_ratio)
        };
        Ok(ImageParams {
            correlation_id: new.correlation_id,
            session_id: request.session_id,
            stream_id: request.stream_id,
            endpoint: request.endpoint,
            transport_index: request.transport_index,
            control_address: request.control_address,
            source: request.source,
            channel: channel.original_text().to_owned(),
            log: log.log.clone(),
            join_position: new.join_position,
            is_reliable: first.is_reliable,
            wants_response: request.wants_response,
            counters,
            subscribers: SubscriberPositions::new(channel.untethered()),
            congestion,
            nak_delay,
            has_recovery: config.loss_recovery,
            status_message_timeout_ns: config.status_message_timeout_ns,
            liveness_timeout_ns: config.image_liveness_timeout_ns,
            now: self.ctx.tick.now,
        })
    }

    fn image_congestion(
        &mut self,
        new: &NewImage,
        channel: &UdpChannel,
        stream: &StreamIdentity<'_>,
        has_in_flight_window: bool,
        allocated: &mut Vec<CounterId>,
    ) -> Result<CongestionControl, CommandFailure> {
        let config = Arc::clone(&self.ctx.config);
        let profile = StreamProfile {
            channel: channel.original_text(),
            stream_id: new.request.stream_id,
            session_id: new.request.session_id,
            term_length: new.request.term_length,
            mtu_length: new.request.mtu_length,
            window_length: new.window_length,
        };
        if let Some(custom) = config.suppliers.congestion(&profile) {
            return Ok(CongestionControl::Custom(custom));
        }
        let cc = channel.congestion_control();
        let algorithm = CongestionAlgorithm::select(config.congestion_control, cc);
        let algorithm = algorithm.ok_or_else(|| {
            CommandFailure::generic(format!(
                "unsupported congestion control cc={}, expected static or cubic: {}",
                cc.unwrap_or_default(),
                channel.original_text()
            ))
        })?;
        Ok(match algorithm {
            CongestionAlgorithm::Static if channel.is_receiver_window_auto() => {
                let (initial, start) = (new.window_length, new.join_position);
                let max = new.window_length_max;
                CongestionControl::Auto(AutoWindow::new(initial, max, start, self.ctx.tick.now))
            }
            CongestionAlgorithm::Static if has_in_flight_window => {
                let (window_length, term_length) = (new.window_length, new.request.term_length);
                CongestionControl::InFlight(InFlightWindow::new(window_length, term_length))
            }
            CongestionAlgorithm::Static => {
                CongestionControl::Static(StaticWindow::new(new.window_length))
            }
            CongestionAlgorithm::Cubic => {
                let stream = StreamIdentity {
                    channel: channel.original_text(),
                    ..*stream
                };
                let counters = CubicCounters {
                    rtt: self.image_counter(StreamCounter::CubicRtt, &stream, 0, allocated)?,
                    window: self.image_counter(
                        StreamCounter::CubicWindow,
                        &stream,
                        0,
                        allocated,
                    )?,
                };
                let params = CubicParams {
                    max_window_length: new.window_length_max,
                    mtu_length: new.request.mtu_length,
                    initial_rtt_ns: config.cubic_initial_rtt_ns,
                    measure_rtt: config.cubic_measure_rtt,
                    tcp_mode: config.cubic_tcp_mode,
                };
                CongestionControl::Cubic(Cubic::new(params, Some(counters), self.ctx.tick.now))
            }
        })
    }

    fn image_counter(
        &mut self,
        kind: StreamCounter,
        stream: &StreamIdentity<'_>,
        initial: i64,
        allocated: &mut Vec<CounterId>,
    ) -> Result<AtomicCounter, CommandFailure> {
        let counter = self
            .ctx
            .counters
            .stream(kind, stream, initial, self.ctx.tick.epoch)?;
        allocated.push(counter.id());
        Ok(counter)
    }

    /// The channel of the endpoint that a SETUP came in on, if that is still open.
    fn image_channel(&self, request: &ImageRequest) -> Option<Arc<UdpChannel>> {
        let record = self.receive_endpoints.get(&request.endpoint)?;
        (!record.is_closing).then(|| Arc::clone(&record.channel))
    }

    /// The subscriptions that want an image of this SETUP.
    fn links_of(&self, request: &ImageRequest) -> impl Iterator<Item = &SubscriptionLink> {
        let ImageRequest {
            endpoint,
            stream_id,
            session_id,
            ..
        } = *request;
        self.subscription_links
            .iter()
            .filter(move |link| link.matches_image(endpoint, stream_id, session_id))
    }
}

/// Whether to treat a stream as if it had several receivers.
fn is_group(link: &SubscriptionLink, channel: &UdpChannel, request: &ImageRequest) -> bool {
    match link.group {
        GroupConsideration::True => true,
        GroupConsideration::False => false,
        GroupConsideration::Infer => channel.is_multicast() || request.is_group,
    }
}

/// How far the receiver window may grow.
fn window_length_max(
    request: &ImageRequest,
    channel: &UdpChannel,
    window_length: i32,
    limits: &BufferLimits,
) -> i32 {
    if !channel.is_receiver_window_auto() {
        return window_length;
    }
    let rcvbuf = match channel.socket_rcvbuf_length() {
        0 => limits.default_rcvbuf,
        length => length.min(limits.max_rcvbuf.max(limits.default_rcvbuf)),
    };
    let rcvbuf = i32::try_from(rcvbuf).unwrap_or(i32::MAX);
    (request.term_length / 2).min(rcvbuf).max(window_length)
}

/// Checks the values of a SETUP. Returns the stream's geometry and the receiver window.
fn check_setup(
    request: &ImageRequest,
    channel: &UdpChannel,
) -> Result<(TermGeometry, i32), CommandFailure> {
    let fail = |what: String| {
        Err(CommandFailure::new(
            ErrorCode::GenericError,
            format!(
                "{what}: SETUP of session {} stream {} from {}: {}",
                request.session_id,
                request.stream_id,
                request.source,
                channel.original_text()
            ),
        ))
    };
    let ImageRequest {
        mtu_length,
        term_length,
        term_offset,
        ..
    } = *request;
    let is_aligned = mtu_length % FRAME_ALIGNMENT == 0;
    if !(MTU_LENGTH_MIN..=MTU_LENGTH_MAX).contains(&mtu_length) || !is_aligned {
        return fail(format!("mtu length {mtu_length} is not allowed"));
    }
    let Some(geometry) = TermGeometry::new(request.initial_term_id, term_length) else {
        return fail(format!("term length {term_length} is not allowed"));
    };
    if request.active_term_id.count_since(request.initial_term_id) < 0 {
        return fail(format!(
            "term id {} is before the initial one",
            request.active_term_id
        ));
    }
    if !(0..=term_length).contains(&term_offset.get()) {
        return fail(format!("term offset {term_offset} is beyond the term"));
    }
    let window_length = channel.receiver_window_length().min(term_length / 2);
    if mtu_length > window_length {
        return fail(format!(
            "mtu length {mtu_length} is greater than the initial window length {window_length}"
        ));
    }
    Ok((geometry, window_length))
}
