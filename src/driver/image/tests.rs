//! Both halves of an image over a heap log and a recording transport.

use super::*;
use crate::base::{CounterId, EpochMillis, RegistrationId, Rng, TermId};
use crate::cnc::SystemCounter;
use crate::concurrent::{LossReport, read_loss_report};
use crate::driver::congestion::{
    CongestionController, Cubic, CubicParams, RebuildProgress, StaticWindow, WindowDecision,
};
use crate::driver::media::receive_endpoint::{ReceiveEndpoint, ReceiveTransport, SendContext};
use crate::driver::receiver::testing::{
    Diagnostics, ENDPOINT, INITIAL_TERM, MILLI, MTU, RECEIVER, SECOND, SESSION, STREAM,
    TERM_LENGTH, TestTransport, address, data, endpoint_spec, heartbeat, tick, transport_spec,
};
use crate::driver::untethered::{LinkId, SubscriberPosition, UntetheredEvent, UntetheredTimeouts};
use crate::logbuffer::{LogKind, LogSpec, log_length};
use crate::memory::AtomicBuffer;
use crate::protocol::{Frame, FrameType, StatusMessage};

const WINDOW: i32 = 16 * 1024;
const SM_TIMEOUT: i64 = 200 * MILLI;
const LIVENESS: i64 = 10 * SECOND;
const LINK: LinkId = LinkId(1);
const EOS: u8 = 0xE0;
const REVOKED: u8 = 0xF0;

struct Rig {
    conductor: ConductorHalf,
    receiver: ReceiverHalf,
    endpoint: ReceiveEndpoint<TestTransport>,
    transport: TestTransport,
    other_transport: TestTransport,
    diagnostics: Diagnostics,
    report: LossReport,
    report_buffer: AtomicBuffer,
    subscriber: AtomicCounter,
    now: i64,
}

fn timeouts() -> UntetheredTimeouts {
    UntetheredTimeouts {
        window_limit_ns: 5 * SECOND,
        linger_ns: 5 * SECOND,
        resting_ns: 10 * SECOND,
    }
}

fn subscriber(link: LinkId, counter: &AtomicCounter, tether: bool) -> SubscriberPosition {
    SubscriberPosition {
        link,
        subscription: RegistrationId(100),
        counter: counter.clone(),
        tether,
        rejoin: true,
    }
}

fn params(subscriber_counter: &AtomicCounter) -> ImageParams {
    let spec = LogSpec {
        kind: LogKind::Image,
        session_id: SESSION,
        stream_id: STREAM,
        initial_term_id: INITIAL_TERM,
        term_length: TERM_LENGTH,
        mtu_length: MTU,
        ..LogSpec::default()
    };
    let length = usize::try_from(log_length(TERM_LENGTH, spec.page_size)).expect("fits");
    let log = LogBuffer::initialise(AtomicBuffer::heap(length), &spec).expect("legal");
    let mut subscribers = SubscriberPositions::new(timeouts());
    subscribers.add(subscriber(LINK, subscriber_counter, true), Nanos(0));
    ImageParams {
        correlation_id: CorrelationId(42),
        session_id: SESSION,
        stream_id: STREAM,
        endpoint: ENDPOINT,
        transport_index: 0,
        control_address: address(1),
        source: address(1),
        channel: "aeron:udp?endpoint=localhost:4040".to_owned(),
        log,
        join_position: Position(0),
        is_reliable: true,
        wants_response: false,
        counters: ImageCounters {
            hwm: AtomicCounter::detached(0),
            rebuild: AtomicCounter::detached(0),
            naks_sent: AtomicCounter::detached(0),
        },
        subscribers,
        congestion: CongestionControl::Static(StaticWindow::new(WINDOW)),
        nak_delay: NakDelay::unicast(1_000, 100),
        has_recovery: false,
        status_message_timeout_ns: SM_TIMEOUT,
        liveness_timeout_ns: LIVENESS,
        now: Nanos(0),
    }
}

impl Rig {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut ImageParams)) -> Self {
        let subscriber = AtomicCounter::detached(0);
        let mut params = params(&subscriber);
        change(&mut params);
        subscriber.set(params.join_position.get());
        let (conductor, mut receiver) = build(params);
        let (transport, other_transport) = (TestTransport::default(), TestTransport::default());
        let wrap = |transport: &TestTransport| {
            ReceiveTransport::new(transport.clone(), transport_spec(), Nanos(0))
        };
        let mut endpoint = ReceiveEndpoint::new(endpoint_spec(), Some(wrap(&transport)));
        endpoint.add_transport(1, wrap(&other_transport));
        receiver.activate(2, Nanos(0));
        let report_buffer = AtomicBuffer::heap(4096);
        let report = LossReport::new(report_buffer.clone());
        Self {
            conductor,
            receiver,
            endpoint,
            transport,
            other_transport,
            diagnostics: Diagnostics::new(),
            report,
            report_buffer,
            subscriber,
            now: 0,
        }
    }

    /// The image after its first status message.
    fn started() -> Self {
        let mut rig = Self::new();
        rig.cycle();
        let _ = rig.transport.take_sent();
        rig
    }

    fn poll(&mut self) {
        let context = SendContext {
            tick: tick(self.now),
            counters: &self.diagnostics.counters,
            errors: &self.diagnostics.errors,
        };
        self.receiver.poll(&mut self.endpoint, &context);
    }

    fn track(&mut self) {
        self.conductor
            .track_rebuild(tick(self.now), &mut self.report);
    }

    /// One cycle of both agents.
    fn cycle(&mut self) {
        self.track();
        self.poll();
    }

    fn on_timer(&mut self) -> ImageEvent {
        let mut untethered = Vec::new();
        let event = self.conductor.on_timer(tick(self.now), &mut untethered);
        assert!(untethered.is_empty());
        event
    }

    fn insert(&mut self, bytes: &[u8]) {
        self.insert_through(0, bytes);
    }

    fn insert_through(&mut self, transport_index: usize, bytes: &[u8]) {
        let Ok(Frame::Data(frame)) = Frame::parse(bytes) else {
            panic!("not data")
        };
        let (term_id, term_offset) = (frame.term_id(), frame.term_offset());
        let port = if transport_index == 0 { 1 } else { 2 };
        let mut copy = bytes.to_vec();
        let arrival = Arrival {
            segment_length: bytes.len(),
            term_id,
            term_offset,
            is_heartbeat: frame.is_heartbeat(),
            is_end_of_stream: frame.is_end_of_stream(),
            is_revoked: frame.is_revoked(),
            bytes: &mut copy,
            transport_index,
            control_address: address(port),
            timestamps: [None, None],
        };
        self.receiver
            .insert(arrival, Nanos(self.now), &self.diagnostics.counters);
    }

    /// A frame of 1024 bytes at a position of the stream.
    fn insert_data_at(&mut self, position: i64) {
        let geometry = self.conductor.log().geometry();
        let term_id = geometry.term_id_at(Position(position));
        let offset = geometry.term_offset_at(Position(position)).get();
        self.insert(&data(term_id, offset, 992));
    }

    fn insert_heartbeat_at(&mut self, position: i64, flags: u8) {
        let geometry = self.conductor.log().geometry();
        let term_id = geometry.term_id_at(Position(position));
        let offset = geometry.term_offset_at(Position(position)).get();
        self.insert(&heartbeat(term_id, offset, flags));
    }

    fn hwm(&self) -> i64 {
        self.conductor.counters().hwm.get()
    }

    fn rebuild(&self) -> i64 {
        self.conductor.counters().rebuild.get()
    }

    fn count(&self, counter: SystemCounter) -> i64 {
        self.diagnostics.count(counter)
    }

    /// Position, window and flags of the status messages sent since the last call.
    fn status_messages(&self) -> Vec<(i64, i32, u8)> {
        let geometry = self.conductor.log().geometry();
        let mut messages = Vec::new();
        for (_, bytes) in self.transport.take_sent() {
            if let Ok(Frame::StatusMessage(frame)) = Frame::parse(&bytes) {
                let message = StatusMessage::from(frame);
                assert_eq!((message.session_id, message.stream_id), (SESSION, STREAM));
                assert_eq!(message.receiver_id, RECEIVER);
                let position =
                    geometry.position(message.consumption_term_id, message.consumption_term_offset);
                messages.push((position.get(), message.receiver_window, message.flags));
            }
        }
        messages
    }

    /// Term, offset and length of the NAKs sent since the last call.
    fn naks(&self) -> Vec<(TermId, i32, i32)> {
        let mut naks = Vec::new();
        for (_, bytes) in self.transport.take_sent() {
            if let Ok(Frame::Nak(nak)) = Frame::parse(&bytes) {
                naks.push((nak.term_id(), nak.term_offset().get(), nak.length()));
            }
        }
        naks
    }
}

// Status messages.

#[test]
fn first_status_message_goes_out_at_once() {
    let mut rig = Rig::with(|params| params.join_position = Position(3 * 65_536 + 4_096));
    rig.poll();
    assert_eq!(rig.status_messages(), [(3 * 65_536 + 4_096, WINDOW, 0)]);
    assert_eq!(rig.count(SystemCounter::StatusMessagesSent), 1);
}

#[test]
fn status_messages_repeat_when_the_timeout_has_passed() {
    let mut rig = Rig::started();
    rig.now = SM_TIMEOUT;
    rig.cycle();
    assert_eq!(rig.status_messages(), []);
    rig.now = SM_TIMEOUT + 1;
    rig.cycle();
    rig.cycle();
    assert_eq!(rig.status_messages(), [(0, WINDOW, 0)]);
}

#[test]
fn consuming_more_than_a_quarter_of_the_window_is_told_at_once() {
    let mut rig = Rig::started();
    for position in (0..8_192).step_by(1_024) {
        rig.insert_data_at(position);
    }
    rig.subscriber.set(4_096);
    rig.cycle();
    assert_eq!(rig.status_messages(), [], "exactly a quarter");
    rig.subscriber.set(4_128);
    rig.cycle();
    assert_eq!(rig.status_messages(), [(4_128, WINDOW, 0)]);
    rig.cycle();
    assert_eq!(rig.status_messages(), []);
}

#[test]
fn the_slowest_subscriber_is_what_is_advertised() {
    let mut rig = Rig::started();
    let slow = AtomicCounter::detached(0);
    rig.conductor
        .add_subscriber(subscriber(LinkId(2), &slow, true), Nanos(0));
    for position in (0..8_192).step_by(1_024) {
        rig.insert_data_at(position);
    }
    rig.subscriber.set(8_192);
    rig.cycle();
    assert_eq!(rig.status_messages(), []);
    slow.set(5_000 / 32 * 32);
    rig.cycle();
    assert_eq!(rig.status_messages(), [(4_992, WINDOW, 0)]);
}

#[derive(Debug)]
struct ShrinkingWindow(i32);

impl CongestionController for ShrinkingWindow {
    fn on_track_rebuild(&mut self, _progress: &RebuildProgress, _now: Nanos) -> WindowDecision {
        self.0 = (self.0 - 32).max(4_096);
        WindowDecision {
            window_length: self.0,
            force_status_message: false,
        }
    }

    fn initial_window_length(&self) -> i32 {
        self.0
    }

    fn max_window_length(&self) -> i32 {
        WINDOW
    }
}

#[test]
fn a_changed_window_is_told_at_once() {
    let mut rig = Rig::with(|params| {
        params.congestion = CongestionControl::Custom(Box::new(ShrinkingWindow(4_160)));
    });
    for _ in 0..5 {
        rig.cycle();
    }
    assert_eq!(rig.status_messages(), [(0, 4_128, 0), (0, 4_096, 0)]);
}

#[test]
fn loss_forces_a_status_message_if_congestion_control_says_so() {
    let mut rig = Rig::with(|params| {
        let cubic = CubicParams {
            max_window_length: WINDOW,
            mtu_length: MTU,
            initial_rtt_ns: 100_000,
            measure_rtt: false,
            tcp_mode: false,
        };
        params.congestion = CongestionControl::Cubic(Cubic::new(cubic, None, Nanos(0)));
    });
    rig.cycle();
    assert_eq!(rig.status_messages(), [(0, 10 * MTU, 0)]);
    rig.insert_data_at(2_048);
    rig.cycle();
    assert_eq!(rig.status_messages(), [(0, 8 * MTU, 0)]);
}

#[test]
fn group_tag_travels_with_status_messages() {
    let mut rig = Rig::new();
    let mut spec = endpoint_spec();
    spec.group_tag = Some(99);
    let wrapped = ReceiveTransport::new(rig.transport.clone(), transport_spec(), Nanos(0));
    rig.endpoint = ReceiveEndpoint::new(spec, Some(wrapped));
    rig.poll();
    let sent = rig.transport.take_sent();
    let Ok(Frame::StatusMessage(frame)) = Frame::parse(&sent[0].1) else {
        panic!("no SM")
    };
    assert_eq!(frame.group_tag(), Some(99));
}

#[test]
fn a_replaced_image_sends_no_timed_status_messages() {
    let mut rig = Rig::started();
    rig.receiver.disable_timed_status_messages();
    rig.now = 10 * SM_TIMEOUT;
    rig.cycle();
    assert_eq!(rig.status_messages(), []);
}

#[test]
fn short_sends_are_counted_and_the_message_is_not_repeated() {
    let mut rig = Rig::new();
    rig.transport.refuse(true);
    rig.cycle();
    assert_eq!(rig.count(SystemCounter::ShortSends), 1);
    rig.transport.refuse(false);
    rig.cycle();
    assert_eq!(rig.status_messages(), []);
}

// Inserting.

#[test]
fn data_is_rebuilt_in_order_whatever_order_it_arrives_in() {
    let mut rig = Rig::started();
    for position in [2_048, 0, 0, 1_024] {
        rig.insert_data_at(position);
        rig.track();
    }
    assert_eq!((rig.hwm(), rig.rebuild()), (3_072, 3_072));
    assert_eq!(rig.count(SystemCounter::InvalidPackets), 0);
}

#[test]
fn data_beyond_the_window_is_an_over_run() {
    let mut rig = Rig::started();
    let half = i64::from(TERM_LENGTH / 2);
    rig.insert_data_at(half - 1_024);
    assert_eq!(rig.count(SystemCounter::FlowControlOverRuns), 0);
    rig.insert_data_at(half - 992);
    assert_eq!(rig.count(SystemCounter::FlowControlOverRuns), 1);
    rig.insert_heartbeat_at(half + 32, 0xC0);
    assert_eq!(rig.count(SystemCounter::FlowControlOverRuns), 2);
    assert_eq!(rig.count(SystemCounter::HeartbeatsReceived), 0);
    assert_eq!(rig.hwm(), half + 32);
}

#[test]
fn a_heartbeat_from_behind_padding_that_passes_the_window_reveals_what_was_lost() {
    let (half, quarter) = (i64::from(TERM_LENGTH / 2), i64::from(TERM_LENGTH / 4));
    let mut rig = Rig::started();
    rig.now = LIVENESS - 1;
    rig.insert_heartbeat_at(half + quarter + 32, 0xC0);
    assert_eq!(rig.hwm(), 0, "no padding is so long");
    rig.insert_heartbeat_at(half + quarter, 0xE0);
    assert_eq!((rig.hwm(), rig.rebuild()), (half + quarter, 0));
    assert_eq!(rig.count(SystemCounter::FlowControlOverRuns), 2);
    assert_eq!(rig.count(SystemCounter::HeartbeatsReceived), 0);
    assert!(!rig.receiver.is_end_of_stream());
    // What it reveals may be more than anybody still has.
    assert!(!rig.receiver.is_connected(Nanos(LIVENESS + 1)));
}

#[test]
fn padding_may_pass_the_window_and_the_sender_is_heard_from_behind_it() {
    let (term, half) = (i64::from(TERM_LENGTH), i64::from(TERM_LENGTH / 2));
    let mut rig = Rig::with(|params| params.join_position = Position(half - 480));
    rig.cycle();
    // The window ends 480 bytes before the term does, in a padding of 992.
    for position in (half - 480..term - 1_504).step_by(1_024) {
        rig.insert_data_at(position);
    }
    let (term_id, offset) = (INITIAL_TERM, TERM_LENGTH - 1_504);
    let mut datagram = data(term_id, offset, 480);
    let mut padding = heartbeat(term_id, offset + 512, 0xC0);
    padding[..4].copy_from_slice(&992_i32.to_le_bytes());
    padding[6..8].copy_from_slice(&FrameType::Pad.to_wire().to_le_bytes());
    datagram.extend_from_slice(&padding);
    rig.insert(&datagram);
    rig.track();
    assert_eq!((rig.hwm(), rig.rebuild()), (term, term));
    assert_eq!(rig.count(SystemCounter::FlowControlOverRuns), 0);
    // Nobody reads it: that is no reason to give the image up.
    rig.now = LIVENESS;
    rig.insert_heartbeat_at(term, 0xC0);
    assert!(rig.receiver.is_connected(Nanos(LIVENESS + 1)));
    assert_eq!(rig.count(SystemCounter::HeartbeatsReceived), 1);
}

#[test]
fn a_heartbeat_at_the_end_of_the_last_term_is_no_heartbeat_before_the_first() {
    let end = i64::from(TERM_LENGTH) << 31;
    let mut rig = Rig::with(|params| params.join_position = Position(end - 4_096));
    rig.cycle();
    rig.insert_heartbeat_at(end, 0xE0);
    assert_eq!((rig.hwm(), rig.rebuild()), (end, end - 4_096));
    assert!(rig.receiver.is_end_of_stream());
    // Data there is none, and the term before the first one is another.
    let initial = rig.conductor.log().geometry().initial_term_id();
    let mut other = Rig::started();
    other.insert(&heartbeat(initial.plus(-1), 0, 0xC0));
    assert_eq!(other.count(SystemCounter::HeartbeatsReceived), 0);
}

#[test]
fn the_threshold_moves_when_the_status_message_is_sent_not_when_it_is_scheduled() {
    let mut rig = Rig::started();
    for position in (0..8_192).step_by(1_024) {
        rig.insert_data_at(position);
    }
    rig.subscriber.set(8_192);
    rig.track();
    let half = i64::from(TERM_LENGTH / 2);
    rig.insert_data_at(half);
    assert_eq!(rig.count(SystemCounter::FlowControlOverRuns), 1);
    rig.poll();
    rig.insert_data_at(half);
    assert_eq!(rig.count(SystemCounter::FlowControlOverRuns), 1);
}

#[test]
fn data_behind_the_window_is_an_under_run_and_keeps_nothing_alive() {
    let mut rig = Rig::with(|params| params.join_position = Position(65_536));
    rig.cycle();
    rig.now = LIVENESS;
    rig.insert_data_at(65_536 - 1_024);
    assert_eq!(rig.count(SystemCounter::FlowControlUnderRuns), 1);
    assert!(!rig.receiver.is_connected(Nanos(rig.now + 1)));
    assert_eq!(rig.hwm(), 65_536);
    // Its sender is heard, though, so that it is told where the window is.
    let _ = rig.transport.take_sent();
    rig.now = LIVENESS + 1;
    rig.poll();
    assert_eq!(rig.status_messages().len(), 1);
}

#[test]
fn data_far_behind_says_nothing_about_its_sender() {
    let mut rig = Rig::with(|params| params.join_position = Position(65_536));
    rig.cycle();
    let _ = rig.transport.take_sent();
    rig.now = 6 * SECOND;
    rig.insert_data_at(65_536 - i64::from(WINDOW) - 1_024);
    rig.poll();
    assert_eq!(rig.status_messages(), []);
    assert_eq!(rig.count(SystemCounter::FlowControlUnderRuns), 1);
}

#[test]
fn heartbeats_may_lag_by_a_term() {
    let mut rig = Rig::with(|params| params.join_position = Position(2 * 65_536));
    rig.cycle();
    rig.insert_heartbeat_at(65_536, 0xC0);
    assert_eq!(rig.count(SystemCounter::HeartbeatsReceived), 1);
    rig.insert_heartbeat_at(65_536 - 32, 0xC0);
    assert_eq!(rig.count(SystemCounter::HeartbeatsReceived), 1);
    assert_eq!(rig.count(SystemCounter::FlowControlUnderRuns), 1);
}

#[test]
fn terms_before_the_first_are_dropped_in_silence() {
    let mut rig = Rig::started();
    rig.insert(&data(INITIAL_TERM.plus(-1), 0, 64));
    rig.insert(&heartbeat(INITIAL_TERM.plus(-1), 0, EOS));
    assert_eq!(rig.hwm(), 0);
    for counter in [
        SystemCounter::InvalidPackets,
        SystemCounter::FlowControlUnderRuns,
        SystemCounter::FlowControlOverRuns,
    ] {
        assert_eq!(rig.count(counter), 0, "{counter:?}");
    }
}

#[test]
fn malformed_data_is_counted() {
    let mut rig = Rig::started();
    rig.insert(&data(INITIAL_TERM, 33, 64));
    rig.insert(&data(INITIAL_TERM, TERM_LENGTH, 64));
    let mut truncated = data(INITIAL_TERM, 0, 64);
    truncated.truncate(64);
    rig.insert(&truncated);
    assert_eq!(rig.count(SystemCounter::InvalidPackets), 3);
    assert_eq!(rig.hwm(), 0);
}

#[test]
fn hostile_datagrams_neither_panic_nor_leave_the_window() {
    let mut rig = Rig::started();
    let mut rng = Rng::new(2024);
    for round in 0..20_000 {
        let length = usize::try_from(rng.below(64)).expect("small") * 32;
        let offset = i32::try_from(rng.below(70_000)).expect("small") & !31;
        let term = INITIAL_TERM.plus(i32::try_from(rng.below(4)).expect("small") - 1);
        let mut bytes = data(term, offset, length);
        for _ in 0..rng.below(4) {
            let at = usize::try_from(rng.below(40))
                .expect("small")
                .min(bytes.len() - 1);
            bytes[at] = u8::try_from(rng.below(256)).expect("a byte");
        }
        if let Ok(Frame::Data(_)) = Frame::parse(&bytes) {
            rig.insert(&bytes);
        }
        if round % 16 == 0 {
            rig.now += MILLI;
            rig.cycle();
        }
        assert!(rig.rebuild() <= rig.hwm());
        assert!(rig.hwm() <= i64::from(TERM_LENGTH / 2));
    }
    assert!(rig.count(SystemCounter::InvalidPackets) > 0);
}

#[test]
fn what_clients_write_into_their_positions_is_kept_within_the_stream() {
    let mut rig = Rig::started();
    rig.insert_data_at(0);
    for hostile in [i64::MAX, i64::MIN, -1, 33, 1 << 40] {
        rig.subscriber.set(hostile);
        rig.cycle();
        assert!(rig.rebuild() <= rig.hwm(), "{hostile}");
    }
    assert!(
        rig.status_messages()
            .iter()
            .all(|(position, ..)| (0..=1_024).contains(position))
    );
    let mut untethered = Vec::new();
    let _ = rig.conductor.on_timer(tick(0), &mut untethered);
}

#[test]
fn nothing_of_earlier_terms_is_left_in_holes() {
    let mut rig = Rig::started();
    let mut position = 0;
    while position < 4 * i64::from(TERM_LENGTH) {
        rig.insert_data_at(position);
        position += 1_024;
        rig.subscriber.set(position);
        rig.cycle();
    }
    assert_eq!(rig.rebuild(), position);
    assert_eq!(rig.count(SystemCounter::FlowControlOverRuns), 0);
    assert!(rig.naks().is_empty());
    let last = i64::from(TERM_LENGTH / 4);
    rig.insert_data_at(position + last);
    let scan = rig
        .conductor
        .log()
        .scan_gap(Position(position), Position(rig.hwm()));
    let hole = scan.gap.map(|gap| i64::from(gap.length));
    assert_eq!((scan.contiguous, hole), (Position(position), Some(last)));
}

// Loss.

#[test]
fn a_gap_is_asked_for_once_per_retry_delay() {
    let mut rig = Rig::started();
    rig.insert_data_at(0);
    rig.insert_data_at(3_072);
    rig.cycle();
    assert_eq!(rig.naks(), []);
    rig.now = 1_000;
    rig.cycle();
    assert_eq!(rig.naks(), [(INITIAL_TERM, 1_024, 2_048)]);
    for now in (2_000..101_000).step_by(1_000) {
        rig.now = now;
        rig.cycle();
    }
    assert_eq!(rig.naks(), []);
    rig.now = 101_000;
    rig.cycle();
    assert_eq!(rig.naks().len(), 1);
    assert_eq!(rig.count(SystemCounter::NaksSent), 2);
    assert_eq!(rig.conductor.counters().naks_sent.get(), 2);
}

#[test]
fn a_gap_never_reaches_past_its_term() {
    let mut rig = Rig::with(|params| params.join_position = Position(65_536 - 2_048));
    rig.cycle();
    rig.insert_data_at(65_536 + 1_024);
    rig.cycle();
    rig.now = 1_000;
    rig.cycle();
    assert_eq!(rig.naks(), [(INITIAL_TERM, 65_536 - 2_048, 2_048)]);
}

#[test]
fn a_heartbeat_reveals_a_lost_tail() {
    let mut rig = Rig::started();
    rig.insert_data_at(0);
    rig.insert_heartbeat_at(2_048, 0xC0);
    assert_eq!(rig.hwm(), 2_048);
    rig.cycle();
    rig.now = 1_000;
    rig.cycle();
    assert_eq!(rig.naks(), [(INITIAL_TERM, 1_024, 1_024)]);
    rig.insert_data_at(1_024);
    rig.now = SECOND;
    rig.cycle();
    assert_eq!(rig.naks(), []);
    assert_eq!(rig.rebuild(), 2_048);
}

#[test]
fn nothing_is_asked_of_a_revoked_publication() {
    let mut rig = Rig::started();
    rig.insert_data_at(1_024);
    rig.cycle();
    rig.now = 1_000;
    rig.track();
    rig.conductor.log().set_publication_revoked(true);
    rig.poll();
    rig.now = 10 * MILLI;
    rig.cycle();
    assert_eq!(rig.naks(), []);
}

#[test]
fn unreliable_streams_pad_over_what_is_lost() {
    let mut rig = Rig::with(|params| {
        params.is_reliable = false;
        params.nak_delay = NakDelay::immediate();
    });
    rig.insert_data_at(0);
    rig.insert_data_at(3_072);
    rig.cycle();
    rig.track();
    assert_eq!(rig.rebuild(), 4_096);
    assert_eq!(rig.count(SystemCounter::LossGapFills), 1);
    assert_eq!(rig.naks(), []);
}

#[test]
fn a_gap_into_which_something_came_meanwhile_is_not_padded() {
    let mut rig = Rig::with(|params| {
        params.is_reliable = false;
        params.nak_delay = NakDelay::immediate();
    });
    rig.insert_data_at(3_072);
    rig.track();
    rig.insert_data_at(1_024);
    rig.poll();
    assert_eq!(rig.count(SystemCounter::LossGapFills), 0);
    rig.track();
    rig.poll();
    assert_eq!(rig.count(SystemCounter::LossGapFills), 1);
    rig.track();
    rig.poll();
    rig.track();
    assert_eq!(rig.rebuild(), 4_096);
}

#[test]
fn loss_is_reported_once_per_byte() {
    let mut rig = Rig::started();
    rig.insert_data_at(2_048);
    for now in [0, 1_000, 101_000] {
        rig.now = now;
        rig.cycle();
    }
    rig.insert_data_at(4_096);
    let mut seen = Vec::new();
    read_loss_report(&rig.report_buffer, |loss| seen.push(loss));
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (seen[0].observation_count, seen[0].total_bytes_lost),
        (1, 2_048)
    );
    assert_eq!(seen[0].channel, "aeron:udp?endpoint=localhost:4040");
    assert_eq!(seen[0].source_identity, "127.0.0.1:1");
    assert_eq!(seen[0].first, EpochMillis(1_700_000_000_000));
}

fn recovering() -> Rig {
    let mut rig = Rig::with(|params| params.has_recovery = true);
    rig.cycle();
    let _ = rig.transport.take_sent();
    rig
}

#[test]
fn recovery_asks_for_all_gaps_at_once_and_for_the_round_trip() {
    let mut rig = recovering();
    for position in [0, 2_048, 5_120] {
        rig.insert_data_at(position);
    }
    rig.cycle();
    assert_eq!(rig.transport.take_types(), []);
    rig.now = 1_000;
    rig.cycle();
    let sent = rig.transport.take_sent();
    let frames = sent.iter().map(|(_, bytes)| Frame::parse(bytes));
    let frames = frames.collect::<Result<Vec<_>, _>>().expect("frames");
    let [
        Frame::Nak(first),
        Frame::Nak(second),
        Frame::RttMeasurement(_),
    ] = &frames[..]
    else {
        panic!("{frames:?}");
    };
    let range = |nak: &crate::protocol::NakFrame<'_>| (nak.term_offset().get(), nak.length());
    assert_eq!(
        (range(first), range(second)),
        ((1_024, 1_024), (3_072, 2_048))
    );
    assert_eq!(rig.count(SystemCounter::NaksSent), 2);
    assert_eq!(rig.conductor.counters().naks_sent.get(), 2);
}

#[test]
fn recovery_asks_again_after_the_round_trip() {
    let mut rig = recovering();
    rig.insert_data_at(1_024);
    rig.now = 1_000;
    rig.cycle();
    assert_eq!(rig.naks().len(), 1);
    for _ in 0..100 {
        rig.receiver.on_rtt(MILLI, Nanos(rig.now));
    }
    rig.now = MILLI;
    rig.cycle();
    assert_eq!(rig.naks(), []);
    rig.now = 2 * MILLI;
    rig.cycle();
    assert_eq!(rig.naks(), [(INITIAL_TERM, 0, 1_024)]);
    rig.insert_data_at(0);
    rig.now = SECOND;
    rig.cycle();
    assert_eq!(rig.naks(), []);
    assert_eq!(rig.rebuild(), 2_048);
}

#[test]
fn recovery_splits_what_reaches_over_the_end_of_a_term_and_hears_of_lost_tails() {
    let mut rig = Rig::with(|params| {
        params.has_recovery = true;
        params.join_position = Position(65_536 - 2_048);
    });
    rig.insert_heartbeat_at(65_536 + 1_024, 0xC0);
    rig.cycle();
    rig.now = 1_000;
    rig.cycle();
    let next = INITIAL_TERM.plus(1);
    assert_eq!(
        rig.naks(),
        [(INITIAL_TERM, 65_536 - 2_048, 2_048), (next, 0, 1_024)]
    );
}

#[test]
fn recovery_asks_nothing_of_a_stream_that_is_over() {
    let ends: [fn(&mut Rig); 3] = [
        |rig| rig.conductor.log().set_publication_revoked(true),
        |rig| rig.receiver.reject("enough"),
        |rig| rig.receiver.begin_draining(Nanos(0)),
    ];
    for end in ends {
        let mut rig = recovering();
        rig.insert_data_at(1_024);
        end(&mut rig);
        rig.now = 1_000;
        rig.cycle();
        rig.now = 10 * MILLI;
        rig.cycle();
        assert_eq!(rig.naks(), []);
    }
}

#[test]
fn recovery_reports_each_lost_byte_once() {
    let mut rig = recovering();
    rig.insert_data_at(2_048);
    rig.insert_data_at(4_096);
    for now in [1_000, 101_000, MILLI] {
        rig.now = now;
        rig.cycle();
    }
    rig.cycle();
    let mut seen = Vec::new();
    read_loss_report(&rig.report_buffer, |loss| seen.push(loss));
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].total_bytes_lost, 3_072);
    assert_eq!(seen[0].source_identity, "127.0.0.1:1");
}

#[test]
fn recovery_leaves_streams_alone_that_are_not_reliable() {
    let mut rig = Rig::with(|params| {
        params.has_recovery = true;
        params.is_reliable = false;
        params.nak_delay = NakDelay::immediate();
    });
    rig.insert_data_at(1_024);
    rig.cycle();
    rig.track();
    assert_eq!(rig.naks(), []);
    assert_eq!(rig.rebuild(), 2_048);
}

// Connections.

#[test]
fn control_frames_go_to_every_connection_that_is_not_silent() {
    let mut rig = Rig::started();
    rig.insert_through(1, &data(INITIAL_TERM, 0, 992));
    rig.now = SM_TIMEOUT + 1;
    rig.cycle();
    assert_eq!(rig.transport.take_types(), [FrameType::StatusMessage]);
    assert_eq!(rig.other_transport.take_sent()[0].0, address(2));
    assert_eq!(rig.count(SystemCounter::StatusMessagesSent), 2);
    assert_eq!(rig.conductor.log().active_transport_count(), 1);

    rig.now = 5 * SECOND + 1;
    rig.insert_through(1, &heartbeat(INITIAL_TERM, 1_024, 0xC0));
    rig.cycle();
    assert_eq!(rig.transport.take_types(), []);
    assert_eq!(rig.other_transport.take_types(), [FrameType::StatusMessage]);
}

#[test]
fn transports_are_counted_while_they_deliver() {
    let mut rig = Rig::started();
    rig.insert_data_at(0);
    rig.insert_through(1, &data(INITIAL_TERM, 0, 992));
    rig.now = SM_TIMEOUT + 1;
    rig.cycle();
    assert_eq!(rig.conductor.log().active_transport_count(), 2);
    rig.receiver.on_destination_removed(1, Nanos(rig.now));
    assert_eq!(rig.conductor.log().active_transport_count(), 1);
}

// The end of the stream.

#[test]
fn an_image_that_has_everything_says_goodbye_five_times() {
    let mut rig = Rig::started();
    rig.insert_data_at(0);
    rig.insert_heartbeat_at(1_024, EOS);
    assert_eq!(
        rig.conductor.log().end_of_stream_position(),
        Position(1_024)
    );
    rig.cycle();
    rig.poll();
    assert_eq!(rig.status_messages(), [(0, WINDOW, 0x40)], "at once");
    assert!(rig.receiver.is_draining());
    assert!(rig.conductor.is_accepting_subscriptions());
    rig.subscriber.set(1_024);
    assert!(!rig.conductor.is_accepting_subscriptions());
    let mut goodbyes = 1;
    while rig.on_timer() == ImageEvent::None {
        assert!(rig.now <= SECOND);
        rig.now += MILLI;
        rig.cycle();
        let sent = rig.status_messages();
        assert!(sent.iter().all(|(.., flags)| *flags == 0x40));
        goodbyes += sent.len();
    }
    assert_eq!(rig.now, SECOND + MILLI);
    assert!(goodbyes >= 5, "{goodbyes}");
    assert!(!rig.conductor.is_available());
}

#[test]
fn an_image_lingers_until_its_subscribers_are_gone() {
    let mut rig = Rig::started();
    rig.insert_heartbeat_at(0, EOS);
    rig.cycle();
    rig.now = 2 * SECOND;
    assert_eq!(rig.on_timer(), ImageEvent::Unavailable);
    assert_eq!(rig.on_timer(), ImageEvent::None);
    assert_eq!(rig.conductor.remove_subscriber(LINK), Some(CounterId(-1)));
    assert_eq!(rig.on_timer(), ImageEvent::Unlink);
    assert_eq!(rig.on_timer(), ImageEvent::None);
    assert!(!rig.conductor.has_reached_end_of_life());
    rig.conductor.on_released();
    assert!(rig.conductor.has_reached_end_of_life());
}

#[test]
fn an_image_lingers_no_longer_than_the_liveness_timeout() {
    let mut rig = Rig::started();
    rig.insert_heartbeat_at(0, EOS);
    rig.cycle();
    rig.now = 2 * SECOND;
    assert_eq!(rig.on_timer(), ImageEvent::Unavailable);
    rig.now += LIVENESS;
    assert_eq!(rig.on_timer(), ImageEvent::None);
    rig.now += 1;
    assert_eq!(rig.on_timer(), ImageEvent::Unlink);
    assert_eq!(rig.conductor.clear_subscribers().len(), 1);
}

#[test]
fn a_subscriber_that_does_not_drain_holds_the_image() {
    let mut rig = Rig::started();
    rig.insert_data_at(0);
    rig.insert_heartbeat_at(1_024, EOS);
    rig.cycle();
    rig.poll();
    rig.now = 3_600 * SECOND;
    assert_eq!(rig.on_timer(), ImageEvent::None);
    rig.subscriber.set(1_024);
    assert_eq!(rig.on_timer(), ImageEvent::Unavailable);
}

#[test]
fn an_image_does_not_drain_before_what_is_missing_has_come() {
    let mut rig = Rig::started();
    rig.insert_heartbeat_at(2_048, EOS);
    rig.insert_data_at(0);
    rig.cycle();
    rig.now = 1_000;
    rig.cycle();
    assert!(!rig.receiver.is_draining());
    assert_eq!(rig.naks(), [(INITIAL_TERM, 1_024, 1_024)]);
    rig.insert_data_at(1_024);
    rig.cycle();
    assert!(rig.receiver.is_draining());
}

#[test]
fn the_stream_ends_when_all_its_transports_say_so() {
    let mut rig = Rig::started();
    rig.insert_through(1, &data(INITIAL_TERM, 0, 992));
    rig.insert_heartbeat_at(0, EOS);
    assert!(!rig.receiver.is_end_of_stream());
    rig.insert_through(1, &heartbeat(INITIAL_TERM, 1_024, EOS));
    assert!(rig.receiver.is_end_of_stream());
    assert_eq!(
        rig.conductor.log().end_of_stream_position(),
        Position(1_024)
    );
}

#[test]
fn a_revoked_image_becomes_unavailable_without_draining() {
    let mut rig = Rig::started();
    rig.insert_data_at(0);
    rig.insert_data_at(2_048);
    rig.insert_heartbeat_at(4_096, REVOKED);
    assert!(rig.conductor.log().is_publication_revoked());
    assert_eq!(
        rig.conductor.log().end_of_stream_position(),
        Position(4_096)
    );
    assert_eq!(rig.count(SystemCounter::PublicationImagesRevoked), 1);
    rig.insert_heartbeat_at(4_096, REVOKED);
    assert_eq!(rig.count(SystemCounter::PublicationImagesRevoked), 1);
    rig.cycle();
    assert_eq!(rig.on_timer(), ImageEvent::None);
    rig.cycle();
    assert_eq!(rig.status_messages(), [(0, WINDOW, 0x40)]);
    rig.now = SECOND;
    assert_eq!(rig.on_timer(), ImageEvent::Unavailable);
}

#[test]
fn revocation_counts_only_at_the_end_of_the_stream() {
    let mut rig = Rig::started();
    rig.insert_heartbeat_at(0, 0xD0);
    assert!(!rig.conductor.log().is_publication_revoked());
}

#[test]
fn an_image_nobody_listens_to_drains() {
    let mut rig = Rig::started();
    rig.insert_data_at(0);
    assert!(rig.conductor.remove_subscriber(LINK).is_some());
    assert!(!rig.conductor.is_accepting_subscriptions());
    assert_eq!(rig.on_timer(), ImageEvent::None);
    rig.cycle();
    assert_eq!(rig.status_messages(), [(0, WINDOW, 0x40)]);
    rig.now = SECOND + 1;
    assert_eq!(rig.on_timer(), ImageEvent::Unavailable);
    assert_eq!(rig.on_timer(), ImageEvent::Unlink);
}

#[test]
fn an_image_with_data_missing_at_its_end_leaves_without_goodbye() {
    let mut rig = Rig::started();
    rig.insert_heartbeat_at(2_048, EOS);
    rig.receiver.begin_draining(Nanos(0));
    rig.poll();
    assert_eq!(rig.status_messages(), [(0, WINDOW, 0)]);
}

#[test]
fn rebuilding_stops_when_the_image_drains() {
    let mut rig = Rig::started();
    rig.receiver.begin_draining(Nanos(0));
    rig.insert_data_at(0);
    rig.track();
    assert_eq!(rig.rebuild(), 0);
}

#[test]
fn silence_disconnects_an_image() {
    let mut rig = Rig::started();
    rig.now = SECOND;
    rig.insert_data_at(0);
    assert!(rig.receiver.is_connected(Nanos(SECOND + LIVENESS)));
    assert!(!rig.receiver.is_connected(Nanos(SECOND + LIVENESS + 1)));
}

// Rejection, response channels, round trips.

#[test]
fn a_rejected_image_sends_errors_and_nothing_else() {
    let mut rig = Rig::started();
    rig.conductor.set_response_session_id(Some(SessionId(9)));
    rig.receiver.reject("no thanks");
    rig.poll();
    let sent = rig.transport.take_sent();
    assert_eq!(sent.len(), 1);
    let Ok(Frame::Error(error)) = Frame::parse(&sent[0].1) else {
        panic!("no error frame")
    };
    assert_eq!(error.error_code(), 13);
    assert_eq!(error.text(), b"no thanks");
    assert_eq!((error.session_id(), error.stream_id()), (SESSION, STREAM));
    assert_eq!(error.receiver_id(), RECEIVER);
    rig.now = SM_TIMEOUT;
    rig.cycle();
    assert_eq!(rig.transport.take_types(), []);
    rig.now = SM_TIMEOUT + 1;
    rig.cycle();
    assert_eq!(rig.transport.take_types(), [FrameType::Error]);
    assert_eq!(rig.count(SystemCounter::ErrorFramesSent), 2);
}

#[test]
fn a_rejected_image_ignores_its_stream_and_dies() {
    let mut rig = Rig::started();
    rig.receiver.reject("no thanks");
    rig.now = LIVENESS + 1;
    rig.insert_data_at(0);
    rig.insert_heartbeat_at(0, EOS);
    assert_eq!(rig.hwm(), 0);
    assert!(!rig.receiver.is_end_of_stream());
    assert!(!rig.receiver.is_connected(Nanos(rig.now)));
}

#[test]
fn reasons_are_cut_to_what_a_frame_holds() {
    let mut rig = Rig::started();
    rig.receiver.reject(&"é".repeat(1_000));
    rig.now = SM_TIMEOUT + 1;
    rig.poll();
    let sent = rig.transport.take_sent();
    let Ok(Frame::Error(error)) = Frame::parse(&sent[0].1) else {
        panic!("no error frame")
    };
    assert_eq!(error.text().len(), 1_022);
}

#[test]
fn the_response_session_is_announced_before_each_timed_status_message() {
    let mut rig = Rig::started();
    rig.conductor
        .set_response_session_id(Some(SessionId(i32::MIN)));
    rig.cycle();
    let sent = rig.transport.take_sent();
    let Ok(Frame::ResponseSetup(frame)) = Frame::parse(&sent[0].1) else {
        panic!("no RSP_SETUP")
    };
    assert_eq!(frame.response_session_id(), SessionId(i32::MIN));
    assert_eq!((frame.session_id(), frame.stream_id()), (SESSION, STREAM));
    assert!(matches!(
        Frame::parse(&sent[1].1),
        Ok(Frame::StatusMessage(_))
    ));
    rig.now = SM_TIMEOUT + 1;
    rig.cycle();
    assert_eq!(
        rig.transport.take_types(),
        [FrameType::ResponseSetup, FrameType::StatusMessage]
    );
    rig.conductor.set_response_session_id(None);
    rig.now = 2 * (SM_TIMEOUT + 1);
    rig.cycle();
    assert_eq!(rig.transport.take_types(), [FrameType::StatusMessage]);
}

#[test]
fn round_trips_are_measured_if_congestion_control_wants_them() {
    let mut rig = Rig::with(|params| {
        let cubic = CubicParams {
            max_window_length: WINDOW,
            mtu_length: MTU,
            initial_rtt_ns: 100_000,
            measure_rtt: true,
            tcp_mode: true,
        };
        params.congestion = CongestionControl::Cubic(Cubic::new(cubic, None, Nanos(0)));
    });
    rig.now = 7;
    rig.cycle();
    let sent = rig.transport.take_sent();
    let Ok(Frame::RttMeasurement(request)) = Frame::parse(&sent[1].1) else {
        panic!("no RTTM")
    };
    assert!(request.is_reply_requested());
    assert_eq!(
        (request.echo_timestamp(), request.receiver_id()),
        (Nanos(7), RECEIVER)
    );
    rig.receiver.on_rtt(-5, Nanos(7));
    rig.receiver.on_rtt(MILLI, Nanos(7));
    rig.now = 7 + 4 * MILLI;
    rig.cycle();
    assert!(
        !rig.transport
            .take_types()
            .contains(&FrameType::RttMeasurement)
    );
    rig.now += 1;
    rig.cycle();
    assert!(
        rig.transport
            .take_types()
            .contains(&FrameType::RttMeasurement)
    );
}

#[test]
fn a_static_window_measures_no_round_trips() {
    let mut rig = Rig::started();
    rig.receiver.on_rtt(MILLI, Nanos(0));
    rig.now = SECOND;
    rig.cycle();
    assert_eq!(rig.transport.take_types(), [FrameType::StatusMessage]);
}

// Subscribers.

#[test]
fn late_subscribers_join_at_the_slowest_one_but_not_past_a_gap() {
    let mut rig = Rig::started();
    for position in [0, 1_024, 4_096] {
        rig.insert_data_at(position);
    }
    rig.track();
    rig.subscriber.set(2_048);
    assert_eq!(rig.conductor.join_position(), Position(2_048));
    rig.subscriber.set(1_024);
    assert_eq!(rig.conductor.join_position(), Position(1_024));
    rig.subscriber.set(5_000);
    assert_eq!(rig.conductor.join_position(), Position(2_048));
}

#[test]
fn an_untethered_subscriber_that_falls_behind_rests_and_comes_back() {
    let mut rig = Rig::started();
    let slow = AtomicCounter::detached(0);
    rig.conductor
        .add_subscriber(subscriber(LinkId(2), &slow, false), Nanos(0));
    for position in (0..16_384).step_by(1_024) {
        rig.insert_data_at(position);
    }
    rig.subscriber.set(16_384);
    rig.track();
    let mut events = Vec::new();
    for now in [0, 5 * SECOND] {
        let _ = rig.conductor.on_timer(tick(now), &mut events);
    }
    assert!(matches!(
        events[..],
        [UntetheredEvent::Unavailable {
            link: LinkId(2),
            ..
        }]
    ));
    rig.now = 5 * SECOND;
    rig.cycle();
    assert_eq!(
        rig.status_messages().last(),
        Some(&(0, WINDOW, 0)),
        "it holds back still"
    );
    let _ = rig.conductor.on_timer(tick(10 * SECOND), &mut events);
    rig.cycle();
    assert_eq!(
        rig.status_messages().last(),
        Some(&(16_384, WINDOW, 0)),
        "now it rests"
    );
    let _ = rig.conductor.on_timer(tick(20 * SECOND), &mut events);
    assert!(matches!(events[1], UntetheredEvent::Available { .. }));
    assert_eq!(slow.get(), 16_384);
}

#[test]
fn an_image_whose_subscribers_all_rest_drains() {
    let mut rig = Rig::started();
    let slow = AtomicCounter::detached(0);
    rig.conductor
        .add_subscriber(subscriber(LinkId(2), &slow, false), Nanos(0));
    for position in (0..16_384).step_by(1_024) {
        rig.insert_data_at(position);
    }
    rig.subscriber.set(16_384);
    rig.track();
    let mut events = Vec::new();
    for now in [0, 5 * SECOND, 10 * SECOND] {
        let _ = rig.conductor.on_timer(tick(now), &mut events);
    }
    let _ = rig.conductor.remove_subscriber(LINK);
    let _ = rig.conductor.on_timer(tick(11 * SECOND), &mut events);
    rig.now = 11 * SECOND;
    rig.poll();
    assert!(rig.receiver.is_draining());
    assert!(!rig.conductor.is_accepting_subscriptions());
}
