//! The frames on the wire, read by somebody else: Wireshark's dissector of the Aeron protocol.
//!
//! One driver sends to another through loss, so that frames of all types sent on unicast appear:
//! setup, data, padding, status messages, NAKs and what they bring back, round-trip measurements,
//! heartbeats, the end of a stream, and the error by which a receiver rejects an image. The whole
//! capture must decode, frame by frame, as what it is.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::{Driver, Media, Session, Side, WATCHDOG};

const SENDING: &[(&str, &str)] = &[("aeron.timer.interval", "100ms")];

/// Loses one data frame in twenty, and measures round trips.
const OUR_RECEIVING: &[(&str, &str)] = &[
    ("aeron.timer.interval", "100ms"),
    ("aeron.CubicCongestionControl.measureRtt", "true"),
    ("aeron.debug.receive.data.loss.rate", "0.05"),
    ("aeron.debug.receive.data.loss.seed", "7"),
];
const THEIR_RECEIVING: &[(&str, &str)] = &[
    ("aeron.timer.interval", "100ms"),
    ("aeron.CubicCongestionControl.measureRtt", "true"),
    ("aeron.udp.channel.incoming.interceptors", "loss"),
    (
        "aeron.udp.channel.transport.bindings.loss.args",
        "rate=0.05|seed=7|recv-msg-mask=0x3",
    ),
];

/// The dissector's name for each type of frame.
const FRAME_TYPES: [&str; 8] = [
    "aeron.data",
    "aeron.pad",
    "aeron.setup",
    "aeron.sm",
    "aeron.nak",
    "aeron.rtt",
    "aeron.heartbeat",
    "aeron.err",
];

/// What the dissector adds to a frame that contradicts the protocol; lesser remarks, such as that data
/// was retransmitted, are its job.
const SEVERITY_ERROR: &str = "8388608";

/// Flags of a heartbeat that ends its stream: begin, end, end of stream. The dissector takes it for data
/// without bytes.
const END_OF_STREAM: &str = "0xe0";

fn every_frame_decodes(sending: Side, receiving: Side, media: Media) {
    let sender = Driver::launch(sending, SENDING);
    let receiver = match receiving {
        Side::Theirs => Driver::launch(receiving, THEIR_RECEIVING),
        Side::Ours => Driver::launch(receiving, OUR_RECEIVING),
    };
    let session = |stream| Session {
        publisher: sending,
        publisher_driver: &sender,
        subscriber: receiving,
        subscriber_driver: &receiver,
        media,
        exclusive: true,
        claim: false,
        count: 300,
        sizes: &[0, 100, 1376, 5000],
        stream,
        // The dissector knows an older error frame, with a length where the session id is now.
        // With this session id it takes the stream id for the offending frame, the rest for text.
        publication_parameters: "term-length=64k|session-id=4",
        subscription_parameters: "cc=cubic",
    };
    let (ending, rejected) = (session(4001), session(4002));
    let (ending_subscriber, ending_endpoint) = ending.start_subscriber();
    let (rejected_subscriber, rejected_endpoint) = rejected.start_subscriber();
    let ports = [port(&ending_endpoint), port(&rejected_endpoint)];
    let Some(capture) = Capture::start(&ports) else {
        return;
    };

    let mut ending = ending.start_publisher(ending_subscriber, ending_endpoint);
    ending.await_all_messages();
    ending.finish();
    let mut rejected = rejected.start_publisher(rejected_subscriber, rejected_endpoint);
    rejected.await_all_messages();
    rejected.subscriber.order("reject not wanted here");
    assert_eq!(rejected.subscriber.line("REJECTED"), "images=1");
    let error = rejected.publisher.line("ERROR-FRAME");
    assert_eq!(error, format!("session={} code=13", rejected.session_id));

    capture.finish().check(&ports);
    rejected.publisher.stop();
    rejected.subscriber.stop();
    // The receiver's error frame.
    sender.stop_after_errors(1);
    receiver.stop();
}

fn port(endpoint: &str) -> u16 {
    endpoint.parse::<SocketAddr>().expect("an address").port()
}

/// A capture under way.
struct Capture {
    process: Child,
    file: PathBuf,
    probe: UdpSocket,
    // After the process, whose file it holds.
    root: TempDir,
}

impl Capture {
    /// Starts to capture what comes from or goes to the ports, on the loopback interface; nothing
    /// if this machine cannot or does not let us.
    fn start(ports: &[u16]) -> Option<Self> {
        if let Some(why) = missing() {
            eprintln!("\n*** NOT TESTED: decoding by the Aeron dissector: {why} ***\n");
            return None;
        }
        let root = tempfile::tempdir().expect("a directory");
        let file = root.path().join("capture.pcapng");
        let probe = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let own = probe.local_addr().expect("is bound").port();
        let filter: Vec<_> = ports
            .iter()
            .chain([&own])
            .map(|port| format!("udp port {port}"))
            .collect();
        let process = Command::new("dumpcap")
            .args([
                "-q",
                "-i",
                "lo",
                "-B",
                "64",
                "-f",
                &filter.join(" or "),
                "-w",
            ])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("dumpcap starts");
        let mut capture = Self {
            process,
            file,
            probe,
            root,
        };
        capture.await_probe(b"first probe");
        Some(capture)
    }

    /// Sends a datagram of its own again and again until it is in the file: then so is whatever went
    /// before it.
    fn await_probe(&mut self, text: &[u8]) {
        let deadline = Instant::now() + WATCHDOG;
        let to = self.probe.local_addr().expect("is bound");
        loop {
            self.probe.send_to(text, to).expect("loopback");
            let captured = std::fs::read(&self.file).unwrap_or_default();
            if captured.windows(text.len()).any(|bytes| bytes == text) {
                return;
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                panic!("dumpcap ended with {status}");
            }
            assert!(
                Instant::now() < deadline,
                "dumpcap does not see loopback traffic"
            );
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    fn finish(mut self) -> Captured {
        self.await_probe(b"last probe");
        let id = self.process.id().to_string();
        let status = Command::new("kill")
            .args(["-INT", &id])
            .status()
            .expect("kill runs");
        assert!(status.success(), "dumpcap cannot be interrupted");
        self.process.wait().expect("is a child of ours");
        Captured {
            file: std::mem::take(&mut self.file),
            _root: self.root,
        }
    }
}

/// Why frames cannot be captured and decoded here.
fn missing() -> Option<String> {
    for program in ["tshark", "dumpcap"] {
        if Command::new(program).arg("--version").output().is_err() {
            return Some(format!("{program} is not installed"));
        }
    }
    let trial = Command::new("dumpcap")
        .args(["-q", "-i", "lo", "-a", "duration:0", "-w", "/dev/null"])
        .output()
        .expect("is installed");
    let said = String::from_utf8_lossy(&trial.stderr).into_owned();
    (!trial.status.success()).then(|| format!("dumpcap: {said}"))
}

/// A finished capture.
struct Captured {
    file: PathBuf,
    _root: TempDir,
}

impl Captured {
    fn check(&self, ports: &[u16]) {
        let mut frames = 0;
        let mut types = BTreeMap::new();
        let mut streams_ended = 0;
        for line in dissect(&self.file, ports).lines() {
            let fields: Vec<_> = line.split('\t').collect();
            let [number, protocols, malformed, severity, flags, present @ ..] = fields.as_slice()
            else {
                panic!("dissector said {line:?}");
            };
            frames += 1;
            assert!(
                protocols.split(':').nth(4) == Some("aeron"),
                "frame {number} decodes as {protocols}"
            );
            assert!(malformed.is_empty(), "frame {number} is malformed: {line}");
            assert!(!severity.contains(SEVERITY_ERROR), "frame {number}: {line}");
            streams_ended += usize::from(flags.contains(END_OF_STREAM));
            for (name, _) in FRAME_TYPES
                .iter()
                .zip(present)
                .filter(|(_, text)| !text.is_empty())
            {
                *types.entry(*name).or_insert(0_usize) += 1;
            }
        }
        eprintln!("{frames} datagrams decoded, {types:?}, end of stream {streams_ended}");
        for name in FRAME_TYPES {
            assert!(types.contains_key(name), "no {name} among {types:?}");
        }
        assert!(streams_ended > 0, "no end of stream among {types:?}");
    }
}

/// One line for each datagram of the session.
fn dissect(file: &Path, ports: &[u16]) -> String {
    let filter: Vec<_> = ports
        .iter()
        .map(|port| format!("udp.port=={port}"))
        .collect();
    let mut command = Command::new("tshark");
    command
        .arg("-r")
        .arg(file)
        .args(["-Y", &filter.join(" or "), "-T", "fields"]);
    for port in &filter {
        command.args(["-d", &format!("{port},aeron")]);
    }
    let fields = [
        "frame.number",
        "frame.protocols",
        "_ws.malformed",
        "_ws.expert.severity",
        "aeron.data.flags",
    ];
    for field in fields.iter().chain(&FRAME_TYPES) {
        command.args(["-e", field]);
    }
    let output = command.output().expect("tshark runs");
    assert!(
        output.status.success(),
        "tshark: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("fields are text")
}

#[test]
fn theirs_to_theirs() {
    every_frame_decodes(Side::Theirs, Side::Theirs, Media::UdpV4);
}

#[test]
fn ours_to_ours_v4() {
    every_frame_decodes(Side::Ours, Side::Ours, Media::UdpV4);
}

#[test]
fn ours_to_ours_v6() {
    every_frame_decodes(Side::Ours, Side::Ours, Media::UdpV6);
}

#[test]
fn ours_to_theirs() {
    every_frame_decodes(Side::Ours, Side::Theirs, Media::UdpV4);
}

#[test]
fn theirs_to_ours() {
    every_frame_decodes(Side::Theirs, Side::Ours, Media::UdpV4);
}
