//! Records in the command ring of a live driver: commands that make no sense, and records that are
//! none.

use std::path::Path;
use std::time::Duration;

use aileron::MediaDriver;
use aileron::base::{ClientId, CorrelationId, Position, RegistrationId, Rng, StreamId};
use aileron::cnc::{Cnc, SystemCounter};
use aileron::command::{
    AddCounter, AddPublication, AddStaticCounter, AddSubscription, ClientClose, ClientKeepalive,
    Command, Destination, GetNextAvailableSessionId, RejectImage, RemoveCounter,
    RemoveDestinationById, RemovePublication, RemoveSubscription, TerminateDriver,
};
use aileron::concurrent::{RingBuffer, RingError};
use aileron::memory::{AtomicBuffer, map_file};
use aileron::runtime::map_cnc;

use super::mutation::{Template, changed, index, random};
use super::support::stream::{Flow, Stream};
use super::support::{
    aeron_dir, connect, error_texts, free_port, launch, patient_builder, place, system_counter,
    wait_until,
};

/// Ids with so many bits that no few changes make them those of an honest client.
const ATTACKER: ClientId = ClientId(0x5555_5555_5555_5555);
const CORRELATION: CorrelationId = CorrelationId(0x2AAA_5555_5555_AAAA);
const REGISTRATION: RegistrationId = RegistrationId(0x3333_CCCC_3333_CCCC);
/// Ids burnt before the honest client connects, so that small numbers are nobody's.
const BURNT_IDS: usize = 10_000;
/// Records between looks at the driver and the well-behaved stream.
const BATCH: u64 = 256;

const TRAILER_LENGTH: usize = 768;
const TAIL_OFFSET: usize = 128;
const HEADER_LENGTH: usize = 128;

fn channels(port: u16) -> [String; 4] {
    [
        "aeron:ipc?term-length=64k|alias=bad".to_owned(),
        format!("aeron:udp?endpoint=127.0.0.1:{port}|term-length=64k"),
        format!("aeron:udp?control=127.0.0.1:{port}|control-mode=manual"),
        "aeron-spy:aeron:ipc".to_owned(),
    ]
}

/// A valid command of each kind, on each channel. The host of a channel is kept as it is: another
/// would be looked up, and a test has no business with the machine's name server.
fn commands(channels: &[String]) -> Vec<(i32, Template)> {
    let mut commands = Vec::new();
    let mut push = |command: Command<'_>| {
        let mut bytes = Vec::new();
        let type_id = command.encode(&mut bytes);
        let host = b"127.0.0.1";
        let kept = bytes
            .windows(host.len())
            .position(|window| window == host)
            .map_or(0..0, |at| at..at + host.len());
        commands.push((type_id, Template { bytes, kept }));
    };
    let (client_id, correlation_id) = (ATTACKER, CORRELATION);
    let (registration_id, stream_id) = (REGISTRATION, StreamId(9));
    for channel in channels {
        let add = AddPublication {
            client_id,
            correlation_id,
            stream_id,
            channel,
        };
        push(Command::AddPublication(add));
        push(Command::AddExclusivePublication(add));
        push(Command::AddSubscription(AddSubscription {
            client_id,
            correlation_id,
            stream_id,
            channel,
        }));
        let destination = Destination {
            client_id,
            correlation_id,
            registration_id,
            channel,
        };
        push(Command::AddDestination(destination));
        push(Command::RemoveDestination(destination));
        push(Command::AddReceiveDestination(destination));
        push(Command::RemoveReceiveDestination(destination));
    }
    push(Command::RemovePublication(RemovePublication {
        client_id,
        correlation_id,
        registration_id,
        is_revoke: true,
    }));
    push(Command::RemoveSubscription(RemoveSubscription {
        client_id,
        correlation_id,
        registration_id,
    }));
    push(Command::RemoveDestinationById(RemoveDestinationById {
        client_id,
        correlation_id,
        registration_id,
        destination_registration_id: registration_id,
    }));
    let (type_id, key, label) = (1001, &b"a key"[..], &b"a label"[..]);
    push(Command::AddCounter(AddCounter {
        client_id,
        correlation_id,
        type_id,
        key,
        label,
    }));
    push(Command::AddStaticCounter(AddStaticCounter {
        client_id,
        correlation_id,
        registration_id,
        type_id,
        key,
        label,
    }));
    push(Command::RemoveCounter(RemoveCounter {
        client_id,
        correlation_id,
        registration_id,
    }));
    push(Command::RejectImage(RejectImage {
        client_id,
        correlation_id,
        image_correlation_id: CorrelationId(REGISTRATION.0),
        position: Position(0),
        reason: b"no more of this",
    }));
    push(Command::GetNextAvailableSessionId(
        GetNextAvailableSessionId {
            client_id,
            correlation_id,
            stream_id,
        },
    ));
    push(Command::ClientKeepalive(ClientKeepalive {
        client_id,
        correlation_id,
    }));
    push(Command::ClientClose(ClientClose {
        client_id,
        correlation_id,
    }));
    push(Command::TerminateDriver(TerminateDriver {
        client_id,
        correlation_id,
        token: b"token",
    }));
    commands
}

/// Writes a command, waiting while the ring is full.
fn write(ring: &RingBuffer, type_id: i32, payload: &[u8]) {
    wait_until("room in the ring", || match ring.write(type_id, payload) {
        Ok(()) | Err(RingError::TooLong { .. }) => true,
        Err(RingError::Full) => false,
        Err(error) => panic!("{error}"),
    });
}

/// The next hostile command: its type, and its bytes.
fn next(rng: &mut Rng, commands: &[(i32, Template)]) -> (i32, Vec<u8>) {
    match rng.below(8) {
        0 => (1 + (rng.next_i32() & 0xFF), random(rng, 256)),
        1 => {
            let (type_id, template) = &commands[index(rng, commands.len())];
            (*type_id, template.bytes.clone())
        }
        2 => {
            // Under the name of another.
            let (type_id, _) = commands[index(rng, commands.len())];
            let (_, template) = &commands[index(rng, commands.len())];
            (type_id, template.bytes.clone())
        }
        _ => {
            let (type_id, template) = &commands[index(rng, commands.len())];
            (*type_id, changed(rng, std::slice::from_ref(template)))
        }
    }
}

#[test]
fn commands_of_any_content_do_no_harm() {
    let place = place();
    let dir = aeron_dir(&place);
    let config = patient_builder(&dir).build().expect("valid settings");
    let driver = MediaDriver::launch(config).expect("a driver");
    let ring = map_cnc(&dir, false).expect("the driver's file").to_driver();
    for _ in 0..BURNT_IDS {
        let _burnt = ring.next_correlation_id();
    }
    let client = connect(&dir);
    let network = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
    let flows =
        ["aeron:ipc", &network].map(|channel| Flow::start(Stream::open(&client, channel, 2002)));
    let commands = commands(&channels(free_port()));
    let mut rng = super::rng();
    for round in 0..super::count(40_000).div_ceil(BATCH) {
        for _ in 0..BATCH {
            let (type_id, payload) = next(&mut rng, &commands);
            write(&ring, type_id, &payload);
        }
        wait_until("the driver to catch up", || {
            ring.consumer_position() == ring.producer_position()
        });
        flows.iter().for_each(Flow::check);
        assert!(!driver.has_failed(), "the conductor panicked");
        assert!(
            !driver.is_termination_requested(),
            "only who may asks for that"
        );
        if round % 16 == 0 {
            client
                .next_session_id(StreamId(1))
                .expect("an honest command is answered");
        }
    }
    client
        .next_session_id(StreamId(1))
        .expect("an honest command is answered");
    assert!(system_counter(driver.cnc(), SystemCounter::Errors) > 0);
    let texts = error_texts(driver.cnc());
    assert!(
        texts.iter().any(|text| text.contains("command of type id")),
        "{texts:?}"
    );
    for flow in flows {
        flow.stop().pass(1000);
    }
    wait_until("the end of the attacker's client", || {
        system_counter(driver.cnc(), SystemCounter::ClientTimeouts) > 0
    });
    let mut after = None;
    wait_until("room for a stream after the attack", || {
        after = client.add_publication("aeron:ipc", StreamId(3)).ok();
        after.is_some()
    });
    assert!(!client.is_closed());
    assert!(!driver.has_failed());
}

/// The ring of a driver with nothing in between.
struct RawRing {
    buffer: AtomicBuffer,
    capacity: usize,
}

impl RawRing {
    fn of(dir: &Path) -> Self {
        let path = dir.join("cnc.dat");
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .expect("opened");
        let length = usize::try_from(file.metadata().expect("a length").len()).expect("small");
        let buffer = map_file(&file, length).expect("mapped");
        let ring_length = usize::try_from(buffer.load_i32_acquire(4)).expect("a length");
        let buffer = buffer.slice(HEADER_LENGTH..HEADER_LENGTH + ring_length);
        Self {
            buffer,
            capacity: ring_length - TRAILER_LENGTH,
        }
    }

    /// Claims `length` bytes as a producer does who asks nobody, and puts `words` there.
    fn put(&self, length: i64, words: &[i32]) {
        let tail = self
            .buffer
            .fetch_add_i64_seq_cst(self.capacity + TAIL_OFFSET, length);
        let index = usize::try_from(tail).expect("the ring is young") & (self.capacity - 1);
        for (offset, word) in (0..).step_by(4).zip(words).skip(1) {
            if index + offset + 4 <= self.capacity {
                self.buffer.store_i32_relaxed(index + offset, *word);
            }
        }
        self.buffer.store_i32_release(index, words[0]);
    }
}

fn unblocked(cnc: &Cnc) -> i64 {
    system_counter(cnc, SystemCounter::UnblockedCommands)
}

#[test]
fn records_that_are_none_are_skipped_and_reported() {
    let place = place();
    let dir = aeron_dir(&place);
    let driver = launch(&dir);
    let client = connect(&dir);
    let flow = Flow::start(Stream::open(&client, "aeron:ipc", 2002));
    let ring = RawRing::of(&dir);
    let corrupt: [(i64, &[i32]); 8] = [
        (8, &[i32::MAX, 1]),
        (64, &[1 << 20, 1]),
        (64, &[7, 1]),
        (64, &[1, 1, -1]),
        (64, &[64, 0]),
        (64, &[64, i32::MIN]),
        (64, &[64, -2, -1, -1]),
        (64, &[72, 1, 64, 1]),
    ];
    let errors = || system_counter(driver.cnc(), SystemCounter::Errors);
    let before = errors();
    for (length, words) in corrupt {
        let counted = errors();
        ring.put(length, words);
        // What is claimed behind such a record cannot be told from it, so it goes as well.
        wait_until("an error that tells", || errors() > counted);
        client
            .next_session_id(StreamId(1))
            .expect("an honest command is answered");
        flow.check();
    }
    assert!(errors() >= before + 8);
    let texts = error_texts(driver.cnc());
    assert!(
        texts.iter().any(|text| text.contains("what is no record")),
        "{texts:?}"
    );
    // Never to be finished: these block until the driver takes the writer for dead. What stands
    // behind them is answered then, unless the record lays claim to it.
    let claims_all = i32::MIN;
    for words in [[-64, 1], [0, 0], [claims_all, 1]] {
        let count = unblocked(driver.cnc());
        ring.put(64, &words);
        if words[0] == claims_all {
            wait_until("the end of the claim", || unblocked(driver.cnc()) > count);
        }
        client
            .next_session_id(StreamId(1))
            .expect("an honest command is answered");
        assert_eq!(unblocked(driver.cnc()), count + 1);
    }
    assert!(!driver.has_failed());
    flow.stop().pass(1000);
}

#[test]
fn random_words_all_over_the_ring_do_not_end_the_driver() {
    let place = place();
    let dir = aeron_dir(&place);
    let driver = launch(&dir);
    let ring = RawRing::of(&dir);
    let mut rng = super::rng();
    for _ in 0..super::count(200_000) {
        let at = index(&mut rng, ring.capacity / 4) * 4;
        ring.buffer.store_i32_relaxed(at, rng.next_i32());
        if rng.chance(1, 1000) {
            // What the driver keeps to itself must not matter to it; where producers begin, it
            // cannot help but believe.
            let trailer = [256, 384, 512, 640][index(&mut rng, 4)];
            ring.buffer
                .store_i64_release(ring.capacity + trailer, rng.next_u64().cast_signed());
        }
        if rng.chance(1, 20_000) {
            let tail = ring.capacity + TAIL_OFFSET;
            ring.buffer
                .store_i64_release(tail, rng.next_u64().cast_signed());
        }
    }
    assert!(!driver.has_failed());
    let heartbeat = || ring.buffer.load_i64_acquire(ring.capacity + 640);
    let last = heartbeat();
    wait_until("the driver's next heartbeats", || heartbeat() != last);
    let start = std::time::Instant::now();
    driver.close();
    assert!(start.elapsed() < Duration::from_secs(10));
}
