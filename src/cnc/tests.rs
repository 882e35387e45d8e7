//! Tests of the CnC file: layout, attach, garbage, and the catalogue of counters.

use super::counter_types::{
    ChannelKey, ChannelStatus, CounterKey, HeartbeatKey, LocalAddressKey, StreamKey, SystemKey,
};
use super::layout::{Layout, WireLengths};
use super::*;
use crate::base::{
    ClientId, CorrelationId, CounterId, EpochMillis, RegistrationId, Rng, SessionId, StreamId,
};
use crate::concurrent::{
    CounterSpec, CounterState, CountersManager, DistinctErrorLog, ReadAction, Receiver,
    RingConsumer, Transmitter, read_error_log,
};
use crate::memory::AtomicBuffer;

/// The smallest file with room for the system counters.
const SMALL: CncLengths = CncLengths {
    to_driver: 1024 + 768,
    to_clients: 1024 + 128,
    counter_values: 64 * 128,
    error_log: 4096,
    page_size: 4096,
};

const METADATA: CncMetadata = CncMetadata {
    client_liveness_timeout_ns: 10_000_000_000,
    start_timestamp: EpochMillis(0x0102_0304_0506),
    pid: 77,
};

fn create(lengths: &CncLengths) -> (AtomicBuffer, Cnc) {
    let buffer = AtomicBuffer::heap(lengths.total_length().expect("valid lengths"));
    let cnc = Cnc::create(buffer.clone(), lengths, &METADATA).expect("created");
    (buffer, cnc)
}

#[test]
fn the_default_file_has_the_layout_of_the_specification() {
    let lengths = CncLengths::default();
    assert_eq!(lengths.total_length(), Ok(48_238_592));
    let layout = Layout::of(&lengths).expect("valid");
    assert_eq!(layout.range(Section::ToDriver), 128..1_049_472);
    assert_eq!(layout.range(Section::ToClients), 1_049_472..2_098_176);
    assert_eq!(
        layout.range(Section::CounterMetadata),
        2_098_176..35_652_608
    );
    assert_eq!(layout.range(Section::CounterValues), 35_652_608..44_041_216);
    assert_eq!(layout.range(Section::ErrorLog), 44_041_216..48_235_520);
    assert_eq!(layout.end(), 48_235_520);
    let wide = CncLengths {
        page_size: 1 << 21,
        ..lengths
    };
    assert_eq!(wide.total_length(), Ok(48_234_496 + (1 << 21)));
}

#[test]
fn the_header_lies_where_peers_expect_it() {
    let (buffer, cnc) = create(&SMALL);
    let mut header = [0; 128];
    buffer.read_bytes(0, &mut header);
    let mut expected = Vec::new();
    for field in [0, 1792, 1152, 32_768, 8192, 4096] {
        expected.extend_from_slice(&i32::to_le_bytes(field));
    }
    for field in [10_000_000_000, 0x0102_0304_0506, 77] {
        expected.extend_from_slice(&i64::to_le_bytes(field));
    }
    expected.extend_from_slice(&4096i32.to_le_bytes());
    expected.resize(128, 0);
    assert_eq!(header, expected[..]);
    cnc.signal_ready();
    buffer.read_bytes(0, &mut header);
    assert_eq!(header[..4], [0, 2, 0, 0], "version 0.2.0");
}

#[test]
fn a_client_sees_what_the_driver_wrote() {
    let (buffer, driver) = create(&SMALL);
    assert_eq!(Cnc::attach(buffer.clone()).err(), Some(CncError::NotReady));
    assert!(!driver.is_ready());
    driver.to_driver().set_consumer_heartbeat(EpochMillis(5));
    driver.signal_ready();
    let client = Cnc::attach(buffer).expect("ready");
    assert!(client.is_ready() && client.version() == CNC_VERSION);
    assert_eq!(client.client_liveness_timeout_ns(), 10_000_000_000);
    assert_eq!(client.start_timestamp(), METADATA.start_timestamp);
    assert_eq!((client.pid(), client.page_size()), (77, 4096));
    assert_eq!(client.to_driver().consumer_heartbeat(), EpochMillis(5));
    assert_eq!(
        client.to_driver().next_correlation_id(),
        CorrelationId(1),
        "0 is taken"
    );

    client.to_driver().write(4, b"command").expect("room");
    let mut commands = RingConsumer::new(driver.to_driver());
    assert_eq!(commands.read(1, |_, _| ReadAction::Continue), 1);

    let mut receiver = Receiver::new(client.to_clients_buffer()).expect("valid");
    let mut transmitter = Transmitter::new(driver.to_clients_buffer()).expect("valid");
    transmitter.transmit(5, b"event").expect("not too long");
    assert_eq!(
        receiver.receive(|_, event| assert_eq!(event, b"event")),
        Ok(1)
    );

    let mut manager = driver.counters_manager(1000);
    let spec = CounterSpec {
        label: "seen",
        ..CounterSpec::default()
    };
    let counter = manager.allocate(&spec, EpochMillis(0)).expect("room");
    assert_eq!(
        client.counters().label(counter.id()).as_deref(),
        Some("seen")
    );
    assert_eq!(client.counters().max_id(), CounterId(63));

    assert!(DistinctErrorLog::new(driver.error_log_buffer()).record(EpochMillis(1), 1, "oops"));
    assert_eq!(
        read_error_log(&client.error_log_buffer(), EpochMillis(0), |_| {}),
        1
    );
}

#[test]
fn other_versions_are_refused() {
    let (buffer, driver) = create(&SMALL);
    driver.signal_ready();
    for (version, is_supported) in [
        (SemanticVersion::new(0, 2, 0), true),
        (SemanticVersion::new(0, 2, 9), true),
        (SemanticVersion::new(0, 3, 0), true),
        (SemanticVersion::new(0, 1, 0), false),
        (SemanticVersion::new(1, 2, 0), false),
        (SemanticVersion::from_wire(-1), false),
        (SemanticVersion::from_wire(i32::MIN), false),
    ] {
        buffer.store_i32_relaxed(0, version.to_wire());
        let error = Cnc::attach(buffer.clone()).err();
        let expected = (!is_supported).then_some(CncError::VersionMismatch { version });
        assert_eq!(error, expected, "version {version}");
    }
}

#[test]
fn a_file_shorter_than_its_header_says_is_refused_but_may_still_grow() {
    let (buffer, driver) = create(&SMALL);
    driver.signal_ready();
    let needed = 128 + 1792 + 1152 + 32_768 + 8192 + 4096;
    assert!(
        Cnc::attach(buffer.slice(0..needed)).is_ok(),
        "the rest of the last page is not needed"
    );
    let error = Cnc::attach(buffer.slice(0..needed - 8)).expect_err("too short");
    assert_eq!(
        error,
        CncError::Truncated {
            needed,
            available: needed - 8
        }
    );
    assert!(error.is_retryable());
    let error = Cnc::attach(buffer.slice(0..64)).expect_err("too short");
    assert_eq!(
        error,
        CncError::Truncated {
            needed: 128,
            available: 64
        }
    );
    let error = Cnc::create(buffer.slice(0..needed), &SMALL, &METADATA).expect_err("too short");
    assert!(matches!(error, CncError::Truncated { .. }));
}

#[test]
fn lengths_that_sections_cannot_have_are_refused() {
    let bad = [
        CncLengths {
            to_driver: 768,
            ..SMALL
        },
        CncLengths {
            to_driver: 1000 + 768,
            ..SMALL
        },
        CncLengths {
            to_clients: 128 + 96,
            ..SMALL
        },
        CncLengths {
            to_clients: 0,
            ..SMALL
        },
        CncLengths {
            counter_values: 0,
            ..SMALL
        },
        CncLengths {
            counter_values: 100,
            ..SMALL
        },
        CncLengths {
            counter_values: usize::MAX,
            ..SMALL
        },
        CncLengths {
            counter_values: 1 << 30,
            ..SMALL
        },
        CncLengths {
            error_log: 0,
            ..SMALL
        },
        CncLengths {
            error_log: usize::MAX,
            ..SMALL
        },
        CncLengths {
            page_size: 0,
            ..SMALL
        },
        CncLengths {
            page_size: 2048,
            ..SMALL
        },
        CncLengths {
            page_size: 5000,
            ..SMALL
        },
        CncLengths {
            page_size: 1 << 31,
            ..SMALL
        },
        CncLengths {
            page_size: usize::MAX,
            ..SMALL
        },
        CncLengths {
            error_log: (1 << 31) - 8,
            ..SMALL
        },
        CncLengths {
            page_size: 1 << 30,
            error_log: 1 << 30,
            ..SMALL
        },
    ];
    for lengths in bad {
        let error = lengths.total_length().expect_err("refused");
        assert!(!error.is_retryable(), "{lengths:?}: {error}");
    }
}

#[test]
fn an_old_driver_that_tells_no_page_size_has_pages_of_4_kib() {
    let (buffer, driver) = create(&SMALL);
    driver.signal_ready();
    buffer.store_i32_relaxed(48, 0);
    assert_eq!(Cnc::attach(buffer).expect("attached").page_size(), 4096);
}

#[test]
fn lengths_changed_after_attach_change_nothing() {
    let (buffer, driver) = create(&SMALL);
    driver.signal_ready();
    let client = Cnc::attach(buffer.clone()).expect("ready");
    for at in (4..24).step_by(4) {
        buffer.store_i32_relaxed(at, i32::MAX);
    }
    assert_eq!(client.to_clients_buffer().len(), 1152);
    assert_eq!(client.counters_values_buffer().len(), 8192);
    assert_eq!(client.error_log_buffer().len(), 4096);
}

#[test]
fn random_bytes_are_refused_or_usable() {
    for seed in 0..3000 {
        let mut rng = Rng::new(seed);
        let (buffer, driver) = create(&SMALL);
        driver.signal_ready();
        for at in (0..52).step_by(4) {
            if rng.chance(1, 4) {
                let word = match rng.below(4) {
                    0 => rng.next_i32(),
                    1 => -1,
                    2 => rng.next_i32() >> 16,
                    _ => buffer.load_i32_relaxed(at).wrapping_add(1 << rng.below(12)),
                };
                buffer.store_i32_relaxed(at, word);
            }
        }
        for at in (128..buffer.len()).step_by(4) {
            if rng.chance(1, 50) {
                buffer.store_i32_relaxed(at, rng.next_i32() >> rng.below(32));
            }
        }
        let Ok(cnc) = Cnc::attach(buffer) else {
            continue;
        };
        use_everything(&cnc);
    }
}

fn use_everything(cnc: &Cnc) {
    let _ = cnc.to_driver().write(1, &[1; 8]);
    let mut consumer = RingConsumer::new(cnc.to_driver());
    consumer.read(100, |_, _| ReadAction::Continue);
    let _ = consumer.unblock();
    if let Ok(mut receiver) = Receiver::new(cnc.to_clients_buffer()) {
        for _ in 0..10 {
            let _ = receiver.receive(|_, _| {});
        }
    }
    cnc.counters().for_each(|_| {});
    let _ = SystemCounters::attach(&cnc.counters());
    read_error_log(&cnc.error_log_buffer(), EpochMillis(0), |_| {});
}

#[test]
fn lengths_whose_sum_overflows_are_refused() {
    let lengths = WireLengths {
        to_driver: (1 << 30) + 768,
        to_clients: (1 << 30) + 128,
        counter_metadata: 1 << 30,
        counter_values: 1 << 28,
        error_log: i32::MAX,
        page_size: 4096,
    };
    assert!(matches!(
        Layout::from_wire(&lengths),
        Err(CncError::TooLong { .. })
    ));
    let odd = WireLengths {
        counter_metadata: 4 * 132,
        counter_values: 132,
        ..lengths
    };
    assert!(matches!(
        Layout::from_wire(&odd),
        Err(CncError::InvalidLength {
            section: Section::CounterValues,
            length: 132
        })
    ));
    let few = WireLengths {
        counter_metadata: 3 * 128,
        counter_values: 128,
        ..lengths
    };
    assert!(matches!(
        Layout::from_wire(&few),
        Err(CncError::InvalidLength {
            section: Section::CounterMetadata,
            ..
        })
    ));
}

/// The catalogue as tools of other implementations show it.
const LABELS: [&str; 46] = [
    "Bytes sent",
    "Bytes received",
    "Failed offers to ReceiverProxy",
    "Failed offers to SenderProxy",
    "Failed offers to DriverConductorProxy",
    "NAKs sent",
    "NAKs received",
    "Status Messages sent",
    "Status Messages received",
    "Heartbeats sent",
    "Heartbeats received",
    "Retransmits sent",
    "Flow control under runs",
    "Flow control over runs",
    "Invalid packets",
    "Errors: version=1.53.0 commit=abc",
    "Short sends",
    "Failed attempts to free log buffers",
    "Sender flow control limits, i.e. back-pressure events",
    "Unblocked Publications",
    "Unblocked Control Commands",
    "Possible TTL Asymmetry",
    "ControllableIdleStrategy status",
    "Loss gap fills",
    "Client liveness timeouts",
    "Resolution changes: driverName=me",
    "Conductor max cycle time doing its work in ns: SHARED",
    "Conductor work cycle exceeded threshold count: threshold=1s SHARED",
    "Sender max cycle time doing its work in ns: SHARED",
    "Sender work cycle exceeded threshold count: threshold=20us SHARED",
    "Receiver max cycle time doing its work in ns: SHARED",
    "Receiver work cycle exceeded threshold count: threshold=3ns SHARED",
    "NameResolver max time in ns",
    "NameResolver exceeded threshold count: threshold=1500ms",
    "Aeron software: version=1.53.0 commit=abc",
    "Bytes currently mapped",
    "Retransmitted bytes",
    "Retransmit Pool Overflow count",
    "Error Frames received",
    "Error Frames sent",
    "Publications Revoked",
    "Publication Images Revoked",
    "Images rejected",
    "Control protocol version",
    "Status Messages rejected",
    "Failed offers to NativeResourceAgentProxy",
];

fn system_counters(manager: &mut CountersManager) -> SystemCounters {
    let labels = SystemCounterLabels {
        version: "1.53.0",
        commit: "abc",
        threading_mode: "SHARED",
        conductor_threshold_ns: 1_000_000_000,
        sender_threshold_ns: 20_000,
        receiver_threshold_ns: 3,
        name_resolver_threshold_ns: 1_500_000_000,
        resolver_name: "me",
    };
    SystemCounters::allocate(
        manager,
        &labels,
        SemanticVersion::new(1, 53, 0),
        EpochMillis(0),
    )
    .expect("room")
}

#[test]
fn the_system_counters_are_the_first_and_say_what_tools_expect() {
    let (_, cnc) = create(&SMALL);
    let mut manager = cnc.counters_manager(1000);
    let system = system_counters(&mut manager);
    let reader = cnc.counters();
    for (counter, label) in SystemCounter::ALL.into_iter().zip(LABELS) {
        let record = reader.record(counter.counter_id()).expect("allocated");
        assert_eq!(record.label, label);
        assert_eq!(
            (record.type_id, record.owner_id, record.reference_id),
            (0, -1, 0)
        );
        assert_eq!(record.registration_id.get(), i64::from(counter.id()));
        assert_eq!(
            SystemKey::decode(&record.key).system_counter_id,
            counter.id()
        );
        assert_eq!(system.get(counter).id(), counter.counter_id());
        assert_eq!(SystemCounter::from_id(counter.id()), Some(counter));
        let value = match counter.id() {
            34 => 79_104,
            43 => 65_536,
            _ => 0,
        };
        assert_eq!(record.value, value, "{label}");
    }
    assert_eq!(SystemCounter::from_id(46), None);
    assert_eq!(SystemCounter::from_id(-1), None);
    let next = manager
        .allocate(&CounterSpec::default(), EpochMillis(0))
        .expect("room");
    assert_eq!(next.id(), CounterId(46));
}

#[test]
fn default_labels_show_the_default_thresholds() {
    let labels = SystemCounterLabels::default();
    assert_eq!(
        SystemCounter::ConductorCycleTimeThresholdExceeded.label(&labels),
        "Conductor work cycle exceeded threshold count: threshold=100ms DEDICATED"
    );
    assert_eq!(
        SystemCounter::NameResolverTimeThresholdExceeded.label(&labels),
        "NameResolver exceeded threshold count: threshold=5s"
    );
    assert_eq!(
        SystemCounter::ResolutionChanges.label(&labels),
        "Resolution changes: driverName="
    );
}

#[test]
fn attached_system_counters_are_the_drivers() {
    let (_, cnc) = create(&SMALL);
    let mut manager = cnc.counters_manager(1000);
    let early = SystemCounters::attach(&cnc.counters());
    assert_eq!(
        early.get(SystemCounter::Errors).id(),
        CounterId::NONE,
        "there are none yet"
    );
    let system = system_counters(&mut manager);
    let attached = SystemCounters::attach(&cnc.counters());
    system.get(SystemCounter::NaksSent).add(3);
    assert_eq!(attached.get(SystemCounter::NaksSent).get(), 3);
    assert_eq!(
        attached.get(SystemCounter::ControlProtocolVersion).get(),
        65_536
    );
}

#[test]
fn too_few_counters_for_the_system_ones_is_an_error() {
    let (_, cnc) = create(&CncLengths {
        counter_values: 40 * 128,
        ..SMALL
    });
    let mut manager = cnc.counters_manager(1000);
    let labels = SystemCounterLabels::default();
    let result = SystemCounters::allocate(
        &mut manager,
        &labels,
        SemanticVersion::new(1, 0, 0),
        EpochMillis(0),
    );
    assert_eq!(result.err().map(|full| full.max_id), Some(CounterId(39)));
}

fn stream_key(channel: &str) -> StreamKey {
    StreamKey {
        registration_id: RegistrationId(0x0102),
        session_id: SessionId(-2),
        stream_id: StreamId(1001),
        channel: channel.to_owned(),
    }
}

#[test]
fn keys_lie_where_peers_expect_them() {
    let key = stream_key("aeron:ipc").encode();
    let mut expected = vec![
        2, 1, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0xe9, 3, 0, 0, 9, 0, 0, 0,
    ];
    expected.extend_from_slice(b"aeron:ipc");
    expected.resize(112, 0);
    assert_eq!(key, expected[..]);

    let key = ChannelKey {
        channel: "ab".to_owned(),
    }
    .encode();
    assert_eq!(key[..8], [2, 0, 0, 0, b'a', b'b', 0, 0]);

    let key = HeartbeatKey {
        client_id: ClientId(-2),
    }
    .encode();
    assert_eq!(
        key[..9],
        [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]
    );

    let key = LocalAddressKey {
        channel_status_id: CounterId(9),
        address: "x:1".to_owned(),
    }
    .encode();
    assert_eq!(key[..12], [9, 0, 0, 0, 3, 0, 0, 0, b'x', b':', b'1', 0]);

    let key = SystemKey {
        system_counter_id: 45,
    }
    .encode();
    assert_eq!(key[..5], [45, 0, 0, 0, 0]);
}

#[test]
fn texts_too_long_for_a_key_are_cut_off() {
    let long = "c".repeat(200);
    let decoded = StreamKey::decode(&stream_key(&long).encode()).expect("valid");
    assert_eq!(decoded.channel.len(), StreamKey::CHANNEL_LENGTH_MAX);
    let decoded = ChannelKey::decode(
        &ChannelKey {
            channel: long.clone(),
        }
        .encode(),
    );
    assert_eq!(
        decoded.expect("valid").channel.len(),
        ChannelKey::CHANNEL_LENGTH_MAX
    );
    let key = LocalAddressKey {
        channel_status_id: CounterId(1),
        address: long,
    };
    let decoded = LocalAddressKey::decode(&key.encode()).expect("valid");
    assert_eq!(decoded.address.len(), LocalAddressKey::ADDRESS_LENGTH_MAX);
}

#[test]
fn garbage_keys_decode_to_nothing_or_something_within_bounds() {
    let mut rng = Rng::new(1);
    for _ in 0..20_000 {
        let mut key: CounterKey = [0; 112];
        key.fill_with(|| {
            if rng.chance(1, 2) {
                0
            } else {
                rng.next_u64().to_le_bytes()[0]
            }
        });
        if let Some(key) = StreamKey::decode(&key) {
            assert!(key.channel.chars().count() <= StreamKey::CHANNEL_LENGTH_MAX);
        }
        if let Some(key) = ChannelKey::decode(&key) {
            assert!(key.channel.chars().count() <= ChannelKey::CHANNEL_LENGTH_MAX);
        }
        if let Some(key) = LocalAddressKey::decode(&key) {
            assert!(key.address.chars().count() <= LocalAddressKey::ADDRESS_LENGTH_MAX + 1);
        }
    }
    let mut key = stream_key("aeron:ipc").encode();
    for length in [-1, 93, i32::MAX, i32::MIN] {
        key[16..20].copy_from_slice(&length.to_le_bytes());
        assert_eq!(StreamKey::decode(&key), None, "length {length}");
    }
}

#[test]
fn what_stands_behind_the_text_of_a_key_is_ignored() {
    let mut key = ChannelKey {
        channel: "aeron:udp".to_owned(),
    }
    .encode();
    key[13..].fill(0xAA);
    assert_eq!(
        ChannelKey::decode(&key).map(|key| key.channel).as_deref(),
        Some("aeron:udp")
    );
}

#[test]
fn channel_status_values_map_both_ways() {
    for value in -1..=2 {
        let status = ChannelStatus::from_wire(value).expect("known");
        assert_eq!(status.to_wire(), value);
    }
    assert_eq!(ChannelStatus::from_wire(3), None);
    assert_eq!(CounterState::from_wire(-7), CounterState::Reclaimed);
}
