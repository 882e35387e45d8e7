//! Rules for what no test can bring about on a real driver at will, on pictures made by hand. They
//! are of a driver that keeps Aeron's counters alone.

use std::net::SocketAddr;

use aileron::base::{EpochMillis, Nanos, RegistrationId, SessionId, StreamId};
use aileron::cnc::counter_types::{
    LOCAL_SOCKADDR_TYPE_ID, LocalAddressKey, PUBLISHER_LIMIT_TYPE_ID, PUBLISHER_POSITION_TYPE_ID,
    RECEIVE_CHANNEL_STATUS_TYPE_ID, SENDER_LIMIT_TYPE_ID, SENDER_POSITION_TYPE_ID, StreamKey,
};
use aileron::cnc::{
    Cnc, CncLengths, CncMetadata, SemanticVersion, SystemCounterLabels, SystemCounters,
};
use aileron::concurrent::{CounterSpec, CountersManager};
use aileron::memory::AtomicBuffer;
use aileron::runtime::SystemClock;

use super::*;
use crate::log_files::LogFacts;
use crate::machine::SocketFacts;

struct Picture {
    cnc: Cnc,
    manager: CountersManager,
}

impl Picture {
    fn new() -> Self {
        let lengths = CncLengths {
            counter_values: 1 << 20,
            ..CncLengths::default()
        };
        let buffer = AtomicBuffer::heap(lengths.total_length().expect("legal"));
        let cnc = Cnc::create(buffer, &lengths, &CncMetadata::default()).expect("legal");
        cnc.to_driver().set_consumer_heartbeat(SystemClock::epoch());
        let mut manager = cnc.counters_manager(1000);
        let (labels, version) = (
            SystemCounterLabels::default(),
            SemanticVersion::new(1, 53, 0),
        );
        SystemCounters::allocate(&mut manager, &labels, version, EpochMillis(0)).expect("room");
        Self { cnc, manager }
    }

    fn counter(&mut self, type_id: i32, key: &[u8], value: i64) -> aileron::base::CounterId {
        let spec = CounterSpec {
            type_id,
            key,
            label: "a label",
            registration_id: RegistrationId(9),
            initial_value: value,
            ..CounterSpec::default()
        };
        self.manager
            .allocate(&spec, EpochMillis(0))
            .expect("room")
            .id()
    }

    fn observe(&self, at_ms: i64) -> Observation {
        let mut snapshot = Snapshot::of_counters(&self.cnc);
        snapshot.monotonic = Nanos(at_ms * 1_000_000);
        Observation {
            snapshot,
            machine: MachineFacts::default(),
        }
    }
}

fn causes(history: &[Observation]) -> Vec<(Cause, Basis)> {
    let findings = explain(history).findings;
    findings
        .into_iter()
        .map(|finding| (finding.cause, finding.basis))
        .collect()
}

#[test]
fn datagrams_that_nobody_takes_are_the_receivers_fault() {
    let mut picture = Picture::new();
    let status = picture.counter(RECEIVE_CHANNEL_STATUS_TYPE_ID, &[], 1);
    let key = LocalAddressKey {
        channel_status_id: status,
        address: "127.0.0.1:40123".to_owned(),
    };
    picture.counter(LOCAL_SOCKADDR_TYPE_ID, &key.encode(), 1);
    let waiting = |at_ms, receive_queue| {
        let mut observation = picture.observe(at_ms);
        let local: SocketAddr = ([127, 0, 0, 1], 40123).into();
        observation.machine.sockets = Some(vec![SocketFacts {
            local,
            receive_queue,
            send_queue: 0,
            drops: 0,
        }]);
        observation
    };
    let found = causes(&[waiting(0, 900), waiting(300, 4_000)]);
    assert_eq!(found, [(Cause::ReceiverStalled, Basis::BestEffort)]);
    assert_eq!(
        causes(&[waiting(0, 900), waiting(300, 0)]),
        [],
        "it was taken"
    );
}

/// A connected publication, published and sent up to these positions, which may be sent up to 64k
/// and published `window` bytes beyond what was sent.
fn sending(published: i64, sent: i64, window: i64) -> Picture {
    let mut picture = Picture::new();
    let key = StreamKey {
        registration_id: RegistrationId(9),
        session_id: SessionId(1),
        stream_id: StreamId(2),
        channel: "aeron:udp?endpoint=192.0.2.1:9".to_owned(),
    };
    for (type_id, value) in [
        (PUBLISHER_POSITION_TYPE_ID, published),
        (PUBLISHER_LIMIT_TYPE_ID, sent + window),
        (SENDER_POSITION_TYPE_ID, sent),
        (SENDER_LIMIT_TYPE_ID, 65_536),
    ] {
        picture.counter(type_id, &key.encode(), value);
    }
    picture
}

/// Such a publication at a moment.
fn observe_sending(picture: &Picture, at_ms: i64) -> Observation {
    let mut observation = picture.observe(at_ms);
    let all = &mut observation.snapshot.publications;
    let publication = all.first_mut().expect("it is one");
    publication.frame_length_at_front = Some(1_024);
    publication.log = Some(LogFacts {
        is_connected: true,
        mtu_length: 1_408,
        end_of_stream_position: i64::MAX,
        producer_position: publication.publisher_position.expect("it has one"),
        ..LogFacts::default()
    });
    observation
}

fn limiters(history: &[Observation]) -> Vec<(Option<Cause>, String)> {
    let verdicts = explain(history).verdicts.into_iter();
    verdicts
        .map(|verdict| (verdict.limiter.cause, verdict.limiter.party))
        .collect()
}

#[test]
fn data_that_may_be_sent_and_is_not_is_the_senders_fault() {
    let picture = sending(4_096, 1_024, 16_384);
    let history = [observe_sending(&picture, 0), observe_sending(&picture, 300)];
    assert_eq!(
        causes(&history),
        [(Cause::SenderStalled, Basis::BestEffort)]
    );
    let sender = (Some(Cause::SenderStalled), "sender".to_owned());
    assert_eq!(
        limiters(&history),
        [sender],
        "what concerns all concerns it"
    );
    assert_eq!(explain(&history).verdicts[0].flow, Flow::Stalled);
}

#[test]
fn a_sender_that_is_slower_than_publishers_limits_them() {
    let full =
        |position, at_ms| observe_sending(&sending(position + 8_000, position, 8_192), at_ms);
    let history = [full(1_024, 0), full(9_216, 300)];
    assert_eq!(causes(&history), [(Cause::SenderBehind, Basis::BestEffort)]);
    let sender = (Some(Cause::SenderBehind), "sender".to_owned());
    assert_eq!(limiters(&history), [sender]);
    assert_eq!(explain(&history).verdicts[0].flow, Flow::Flows);
    let roomy = |position, at_ms| observe_sending(&sending(position, position, 8_192), at_ms);
    let history = [roomy(1_024, 0), roomy(9_216, 300)];
    assert_eq!(causes(&history), []);
    assert_eq!(limiters(&history), [(None, "publisher".to_owned())]);
    let history = [roomy(1_024, 0), roomy(1_024, 300)];
    assert_eq!(limiters(&history), [(None, "idle".to_owned())]);
}

#[test]
fn nothing_observed_is_nothing_explained() {
    assert!(explain(&[]).findings.is_empty());
    let picture = Picture::new();
    assert_eq!(causes(&[picture.observe(0)]), []);
}

#[test]
fn every_cause_has_a_name_of_its_own() {
    let mut names: Vec<_> = Cause::ALL.iter().map(|cause| cause.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Cause::ALL.len());
    assert!(!names.contains(&"unknown"));
}
