//! Datagrams at the sockets of a live stream: its subscription's and its publication's.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use aileron::base::{Nanos, ReceiverId, Rng, StreamId, TermId, TermOffset};
use aileron::cnc::{Cnc, SystemCounter};
use aileron::driver::config::ThreadingMode;
use aileron::protocol::{
    DataHeader, ErrorMessage, Frame, FrameType, Nak, ResolutionEntry, ResolutionWriter,
    ResponseSetup, RttMeasurement, Setup, SocketRole, StatusMessage, data,
};
use aileron::{Client, ExclusivePublication, MediaDriver, SessionId};

use super::mutation::{Template, changed, pick, random};
use super::support::stream::{Flow, Stream};
use super::support::{
    aeron_dir, connect, error_texts, free_port, patient_builder, place, system_counter, wait_for,
    wait_until,
};

const VICTIM_STREAM: i32 = 1001;
const GOOD_STREAM: i32 = 2002;
/// Datagrams between looks at the driver: few enough for its socket's buffer.
const BATCH: u64 = 32;
/// How long the counter may stand still before what it has not counted is taken for lost.
const PATIENCE: Duration = Duration::from_millis(200);
const MTU: usize = 1408;

/// What an attacker knows of a stream by listening.
#[derive(Clone, Copy)]
struct Session {
    session_id: SessionId,
    stream_id: StreamId,
    initial_term_id: TermId,
    term_length: i32,
}

impl Session {
    fn of(publication: &ExclusivePublication) -> Self {
        Self {
            session_id: publication.session_id(),
            stream_id: publication.stream_id(),
            initial_term_id: publication.initial_term_id(),
            term_length: publication.term_length(),
        }
    }

    /// A valid frame of each type, and data as it travels: padded, fragmented, several a datagram.
    fn frames(&self) -> Vec<Template> {
        let mut frames: Vec<Template> = Vec::new();
        let mut push = |bytes: &[u8]| frames.push(Template::from(bytes));
        for (flags, frame_type, payload_length) in [
            (data::flags::UNFRAGMENTED, FrameType::Data, 32),
            (data::flags::BEGIN, FrameType::Data, MTU - 32),
            (data::flags::UNFRAGMENTED, FrameType::Pad, 32),
            (
                data::flags::UNFRAGMENTED | data::flags::EOS,
                FrameType::Data,
                0,
            ),
        ] {
            let frame = self.data(flags, frame_type, payload_length);
            push(&frame);
            push(&[frame.clone(), frame].concat());
        }
        let mut setup = [0; Setup::LENGTH];
        self.setup().encode(&mut setup);
        push(&setup);
        let mut status = [0; StatusMessage::MAX_LENGTH];
        for group_tag in [None, Some(9)] {
            let length = self.status_message(group_tag).encode(&mut status);
            push(&status[..length]);
        }
        let mut nak = [0; Nak::LENGTH];
        self.nak().encode(&mut nak);
        push(&nak);
        let mut rtt = [0; RttMeasurement::LENGTH];
        for is_reply_requested in [false, true] {
            self.rtt(is_reply_requested).encode(&mut rtt);
            push(&rtt);
        }
        let mut error = [0; ErrorMessage::MAX_LENGTH];
        let length = self.error().encode(&mut error);
        push(&error[..length]);
        let mut response = [0; ResponseSetup::LENGTH];
        ResponseSetup {
            session_id: self.session_id,
            stream_id: self.stream_id,
            response_session_id: SessionId(77),
        }
        .encode(&mut response);
        push(&response);
        push(&resolution());
        frames
    }

    fn data(&self, flags: u8, frame_type: FrameType, payload_length: usize) -> Vec<u8> {
        let length = DataHeader::LENGTH + payload_length;
        let mut header = [0; DataHeader::LENGTH];
        DataHeader {
            frame_length: i32::try_from(length).expect("short"),
            flags,
            frame_type,
            term_offset: TermOffset(0),
            session_id: self.session_id,
            stream_id: self.stream_id,
            term_id: self.initial_term_id,
            reserved_value: 0,
        }
        .encode(&mut header);
        let mut frame = header.to_vec();
        frame.resize(length, 0x5A);
        frame
    }

    fn setup(&self) -> Setup {
        Setup {
            flags: 0,
            term_offset: TermOffset(0),
            session_id: self.session_id,
            stream_id: self.stream_id,
            initial_term_id: self.initial_term_id,
            active_term_id: self.initial_term_id,
            term_length: self.term_length,
            mtu: i32::try_from(MTU).expect("short"),
            ttl: 0,
        }
    }

    fn status_message(&self, group_tag: Option<i64>) -> StatusMessage {
        StatusMessage {
            flags: 0,
            session_id: self.session_id,
            stream_id: self.stream_id,
            consumption_term_id: self.initial_term_id,
            consumption_term_offset: TermOffset(0),
            receiver_window: 32 * 1024,
            receiver_id: ReceiverId(5),
            group_tag,
        }
    }

    fn nak(&self) -> Nak {
        Nak {
            session_id: self.session_id,
            stream_id: self.stream_id,
            term_id: self.initial_term_id,
            term_offset: TermOffset(0),
            length: 1024,
        }
    }

    fn rtt(&self, is_reply_requested: bool) -> RttMeasurement {
        RttMeasurement {
            is_reply_requested,
            session_id: self.session_id,
            stream_id: self.stream_id,
            echo_timestamp: Nanos(1),
            reception_delta_ns: 2,
            receiver_id: ReceiverId(5),
        }
    }

    fn error(&self) -> ErrorMessage<'static> {
        ErrorMessage {
            session_id: self.session_id,
            stream_id: self.stream_id,
            receiver_id: ReceiverId(5),
            group_tag: Some(9),
            error_code: 1,
            text: b"no more of this",
        }
    }
}

fn resolution() -> Vec<u8> {
    let mut frame = Vec::new();
    let entry = ResolutionEntry {
        is_self: true,
        address: [127, 0, 0, 1].into(),
        port: 8050,
        age_ms: 0,
        name: b"bad",
    };
    let mut writer = ResolutionWriter::new(&mut frame, MTU);
    writer.push(&entry).expect("room for one");
    frame
}

/// One socket of the driver, and what has been thrown at it.
struct Target {
    address: SocketAddr,
    role: SocketRole,
}

struct Attack {
    socket: UdpSocket,
    rng: Rng,
    frames: Vec<Template>,
    /// Datagrams that no socket of this role should take.
    malformed: u64,
    lost: u64,
}

impl Attack {
    fn datagram(&mut self) -> Vec<u8> {
        let rng = &mut self.rng;
        match rng.below(8) {
            0 => random(rng, MTU),
            1 => {
                // Random behind a header that gets past the first checks.
                let mut bytes = pick(rng, &self.frames).bytes.clone();
                bytes.truncate(8);
                bytes.extend(random(rng, 128));
                bytes
            }
            2 => pick(rng, &self.frames).bytes.clone(),
            _ => changed(rng, &self.frames),
        }
    }

    /// Sends `count` datagrams and waits until the driver has counted the malformed ones.
    fn throw(&mut self, count: u64, target: &Target, cnc: &Cnc) {
        let counted = || system_counter(cnc, SystemCounter::InvalidPackets).cast_unsigned();
        let before = counted();
        let mut malformed = 0;
        for _ in 0..count {
            let datagram = self.datagram();
            if !datagram.is_empty() {
                malformed += u64::from(Frame::parse_for(target.role, &datagram).is_err());
                self.socket
                    .send_to(&datagram, target.address)
                    .expect("sent");
            }
        }
        self.malformed += malformed;
        let (mut seen, mut since) = (before, Instant::now());
        while seen < before + malformed && since.elapsed() < PATIENCE {
            std::thread::yield_now();
            if seen != counted() {
                (seen, since) = (counted(), Instant::now());
            }
        }
        self.lost += (before + malformed).saturating_sub(seen);
    }
}

/// The channels of a driver under attack, and the socket that is attacked.
struct Scene {
    role: SocketRole,
    subscribed: String,
    published: String,
}

impl Scene {
    /// At the subscription's socket.
    fn receiving() -> Self {
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
        Self {
            role: SocketRole::Receive,
            subscribed: channel.clone(),
            published: channel,
        }
    }

    /// At the socket where a publication hears of its receivers, which is open to anybody only if
    /// they may come and go.
    fn sending() -> Self {
        let control = format!("control=127.0.0.1:{}", free_port());
        Self {
            role: SocketRole::Send,
            subscribed: format!("aeron:udp?endpoint=127.0.0.1:{}|{control}", free_port()),
            published: format!("aeron:udp?{control}|control-mode=dynamic"),
        }
    }

    fn open(&self, client: &Client, stream_id: i32) -> Stream {
        Stream::open_between(client, &self.subscribed, &self.published, stream_id)
    }

    fn target(&self, stream: &Stream) -> Target {
        let addresses = || match self.role {
            SocketRole::Receive => stream.subscription().local_socket_addresses(),
            SocketRole::Send | SocketRole::Resolver => {
                stream.publication().local_socket_addresses()
            }
        };
        let address = wait_for("the socket's address", || addresses().into_iter().next());
        Target {
            address,
            role: self.role,
        }
    }
}

/// Frames of a stream, of a session unknown to its driver, and of such a session on a stream that
/// is none of the attacker's business.
fn frames_like(publication: &ExclusivePublication) -> Vec<Template> {
    let victim = Session::of(publication);
    let stranger = Session {
        session_id: SessionId(4711),
        ..victim
    };
    let intruder = Session {
        stream_id: StreamId(GOOD_STREAM),
        ..stranger
    };
    [victim, stranger, intruder]
        .iter()
        .flat_map(Session::frames)
        .collect()
}

/// What the driver says about itself after the well-behaved stream broke.
fn autopsy(driver: &MediaDriver) -> String {
    let mut text = "the well-behaved stream broke\n".to_owned();
    driver.cnc().counters().for_each(|record| {
        text.push_str(&format!("{}: {}\n", record.label, record.value));
    });
    let errors = error_texts(driver.cnc());
    text.push_str(&format!("{} errors, the last:\n", errors.len()));
    for error in errors.iter().rev().take(20) {
        text.push_str(error);
        text.push('\n');
    }
    text
}

fn attack(scene: &Scene, threading: ThreadingMode, count: u64) {
    let place = place();
    let dir = aeron_dir(&place);
    let config = patient_builder(&dir)
        .threading_mode(threading)
        .stream_session_limit(8)
        .build()
        .expect("valid settings");
    let driver = MediaDriver::launch(config).expect("a driver");
    let client = connect(&dir);
    let mut victim = scene.open(&client, VICTIM_STREAM);
    let target = scene.target(&victim);
    // Through the same socket.
    let good = Flow::start(scene.open(&client, GOOD_STREAM));

    let mut attack = Attack {
        socket: UdpSocket::bind("127.0.0.1:0").expect("a socket"),
        rng: super::rng(),
        frames: frames_like(victim.publication()),
        malformed: 0,
        lost: 0,
    };
    let before = system_counter(driver.cnc(), SystemCounter::InvalidPackets);
    for _ in 0..count.div_ceil(BATCH) {
        attack.throw(BATCH, &target, driver.cnc());
        victim.poll_anything();
        if good.is_broken() {
            panic!("{}", autopsy(&driver));
        }
        assert!(!driver.has_failed(), "an agent panicked");
    }
    let counted = system_counter(driver.cnc(), SystemCounter::InvalidPackets) - before;
    let counted = counted.cast_unsigned();
    assert!(counted > 0);
    assert!(
        counted + attack.lost >= attack.malformed,
        "{counted} of {}",
        attack.malformed
    );
    assert!(
        attack.lost <= attack.malformed / 10,
        "{} lost, so little was shown",
        attack.lost
    );
    assert!(good.received() > 0);
    good.stop().pass(1000);
    drop(victim);
    // What strangers made the driver create goes away, and there is room for others.
    wait_until("room for a stream after the attack", || {
        client
            .add_exclusive_publication(&*scene.published, StreamId(GOOD_STREAM + 1))
            .is_ok()
    });
    scene.open(&client, GOOD_STREAM + 2).pass(1000);
    assert!(!driver.has_failed());
    assert!(!client.is_closed());
}

#[test]
fn datagrams_of_any_content_do_no_harm_at_a_subscription() {
    attack(
        &Scene::receiving(),
        ThreadingMode::Shared,
        super::count(super::DATAGRAMS),
    );
}

#[test]
fn datagrams_of_any_content_do_no_harm_at_a_publication() {
    attack(
        &Scene::sending(),
        ThreadingMode::Shared,
        super::count(40_000),
    );
}

#[test]
fn datagrams_of_any_content_do_no_harm_to_a_driver_on_several_threads() {
    attack(
        &Scene::receiving(),
        ThreadingMode::Dedicated,
        super::count(20_000),
    );
}
