//! The counters of a driver, as the other implementation's reader lists them.
//!
//! Every counter of a small but complete scene is expected, no more and no fewer, by its label and by
//! what its registration, owner and reference ids stand for. The C driver passes the same list, which
//! is how the list is known to be right.

use std::collections::BTreeSet;

use crate::harness::{Counter, Driver, Media, Session, Side};

/// Labels of the system counters, by id; what follows a label in brackets is up to the driver.
const SYSTEM: [&str; 46] = [
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
    "Errors: version=[v] commit=[sha]",
    "Short sends",
    "Failed attempts to free log buffers",
    "Sender flow control limits, i.e. back-pressure events",
    "Unblocked Publications",
    "Unblocked Control Commands",
    "Possible TTL Asymmetry",
    "ControllableIdleStrategy status",
    "Loss gap fills",
    "Client liveness timeouts",
    "Resolution changes: driverName=[name]",
    "Conductor max cycle time doing its work in ns: SHARED_NETWORK",
    "Conductor work cycle exceeded threshold count: threshold=100ms SHARED_NETWORK",
    "Sender max cycle time doing its work in ns: SHARED_NETWORK",
    "Sender work cycle exceeded threshold count: threshold=100ms SHARED_NETWORK",
    "Receiver max cycle time doing its work in ns: SHARED_NETWORK",
    "Receiver work cycle exceeded threshold count: threshold=100ms SHARED_NETWORK",
    "NameResolver max time in ns",
    "NameResolver exceeded threshold count: threshold=5s",
    "Aeron software: version=[v] commit=[sha]",
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

/// The rest, sorted: type id, label, owner, reference. Words in angle brackets stand for ids and
/// addresses of the scene.
const RESOURCES: &[&str] = &[
    "1 pub-lmt: <reg> <ipc session> 3002 aeron:ipc?term-length=64k owner=client",
    "1 pub-lmt: <reg> <udp session> 3001 <pub channel> owner=client",
    "10 rcv-cc-cubic-rtt: <reg> <udp session> 3001 <sub channel> owner=driver",
    "10 rcv-cc-cubic-wnd: <reg> <udp session> 3001 <sub channel> owner=driver",
    "11 client-heartbeat: id=<reg> name=[name] version=[v] commit=[sha] owner=self",
    "11 client-heartbeat: id=<reg> name=[name] version=[v] commit=[sha] owner=self",
    "11 client-heartbeat: id=<reg> name=[name] version=[v] commit=[sha] owner=self",
    "11 client-heartbeat: id=<reg> name=[name] version=[v] commit=[sha] owner=self",
    "12 pub-pos (concurrent): <reg> <udp session> 3001 <pub channel> owner=client",
    "12 pub-pos (exclusive): <reg> <ipc session> 3002 aeron:ipc?term-length=64k owner=client",
    "13 snd-bpe: <reg> <udp session> 3001 <pub channel> owner=client",
    "14 rcv-local-sockaddr: <channel counter> <endpoint> owner=none",
    "14 snd-local-sockaddr: <channel counter> <address> owner=none",
    "19 snd-naks-received: <reg> <udp session> 3001 <pub channel> owner=client",
    "2 snd-pos: <reg> <udp session> 3001 <pub channel> owner=client",
    "20 rcv-naks-sent: <reg> <udp session> 3001 <sub channel> owner=client",
    "3 rcv-hwm: <reg> <udp session> 3001 <sub channel> owner=client",
    "4 sub-pos: <reg> <ipc session> 3002 aeron:ipc @0 owner=client of=12",
    "4 sub-pos: <reg> <udp session> 3001 <sub channel> @0 owner=client of=5",
    "5 rcv-pos: <reg> <udp session> 3001 <sub channel> owner=client",
    "6 snd-channel: <pub channel> <address> owner=none",
    "7 rcv-channel: <sub channel> <endpoint> owner=none",
    "9 snd-lmt: <reg> <udp session> 3001 <pub channel> owner=client",
];

/// What the scene's angle brackets stand for.
struct Scene {
    ipc_session: i32,
    udp_session: i32,
    publication: String,
    subscription: String,
    endpoint: String,
}

/// A publisher and a subscriber over UDP, with cubic congestion control, and over IPC; all clients
/// of the other side than the driver.
fn labels(side: Side, reader: Side, media: Media) {
    let driver = Driver::launch(side, &[("aeron.threading.mode", "SHARED_NETWORK")]);
    let client = if side == Side::Ours {
        Side::Theirs
    } else {
        Side::Ours
    };
    let session = |media, exclusive, stream, publication, subscription| Session {
        publisher: client,
        publisher_driver: &driver,
        subscriber: client,
        subscriber_driver: &driver,
        media,
        exclusive,
        claim: false,
        count: 9,
        sizes: &[100, 5000],
        stream,
        publication_parameters: publication,
        subscription_parameters: subscription,
    };
    let mut udp = session(media, false, 3001, "term-length=128k", "cc=cubic").start();
    let mut ipc = session(Media::Ipc, true, 3002, "term-length=64k", "").start();
    udp.await_all_messages();
    ipc.await_all_messages();
    let scene = Scene {
        ipc_session: ipc.session_id,
        udp_session: udp.session_id,
        publication: media.publication_channel(&udp.endpoint, "term-length=128k"),
        subscription: media.subscription_channel("cc=cubic"),
        endpoint: udp.endpoint.clone(),
    };
    // A client's name reaches its heartbeat counter a while after it connects.
    let counters = driver.counters_when(reader, |counters| {
        let named = |counter: &&Counter| counter.type_id == 11 && counter.label.contains(" name=");
        counters.iter().filter(named).count() == 4
    });
    check_system(&counters);
    let mut found: Vec<_> = counters
        .iter()
        .filter(|c| c.type_id != 0)
        .map(|c| scene.describe(c, &counters))
        .collect();
    found.sort();
    assert_eq!(
        found, RESOURCES,
        "counters of {side:?} driver as {reader:?} reader lists them"
    );
    udp.finish();
    ipc.finish();
    driver.stop();
}

fn check_system(counters: &[Counter]) {
    let system: Vec<_> = counters
        .iter()
        .filter(|counter| counter.type_id == 0)
        .collect();
    assert_eq!(system.len(), SYSTEM.len(), "system counters");
    for (id, (counter, label)) in (0..).zip(system.into_iter().zip(SYSTEM)) {
        assert_eq!(without_free_text(&counter.label), label);
        let ids = (
            counter.id,
            counter.registration,
            counter.owner,
            counter.reference,
        );
        assert_eq!(ids, (id, i64::from(id), -1, 0), "{label}");
    }
    let value = |id: usize| counters[id].value;
    assert!(value(0) > 0 && value(1) > 0 && value(7) > 0 && value(8) > 0 && value(35) > 0);
    assert_eq!(value(43), 65536, "control protocol version 1.0.0");
    assert_eq!(value(15), 0, "errors");
}

/// Replaces what `key=value` says by `key=[…]`, for keys whose values are up to the driver.
fn without_free_text(label: &str) -> String {
    let marks = [
        ("version=", "version=[v]"),
        ("commit=", "commit=[sha]"),
        ("name=", "name=[name]"),
        ("driverName=", "driverName=[name]"),
    ];
    let words = label.split(' ').map(|word| {
        let mark = marks.iter().find(|(key, _)| word.starts_with(key));
        mark.map_or(word, |(_, mark)| mark)
    });
    words.collect::<Vec<_>>().join(" ")
}

impl Scene {
    fn describe(&self, counter: &Counter, all: &[Counter]) -> String {
        let owner = self.owner(counter, all);
        let mut label = without_free_text(&counter.label)
            .replace(&self.publication, "<pub channel>")
            .replace(&self.subscription, "<sub channel>")
            .replace(&format!(" {}", self.endpoint), " <endpoint>")
            .replace(&format!(" {} ", self.ipc_session), " <ipc session> ")
            .replace(&format!(" {} ", self.udp_session), " <udp session> ")
            .replacen(&format!("id={}", counter.registration), "id=<reg>", 1)
            .replacen(&format!(": {} <", counter.registration), ": <reg> <", 1);
        if counter.type_id == 14 {
            let rest = label
                .split_once(": ")
                .and_then(|(_, rest)| rest.split_once(' '));
            let id = rest.and_then(|(id, _)| id.parse::<i32>().ok());
            let channel = all
                .iter()
                .find(|other| Some(other.id) == id)
                .expect("a channel counter");
            assert!(
                [6, 7].contains(&channel.type_id),
                "{counter:?} points to {channel:?}"
            );
            assert_eq!(
                channel.registration, counter.registration,
                "{counter:?}, {channel:?}"
            );
            label = label.replacen(&format!(": {} ", channel.id), ": <channel counter> ", 1);
        }
        if [6, 14].contains(&counter.type_id) && !label.contains("<endpoint>") {
            let (head, address) = label.rsplit_once(' ').expect("ends in an address");
            address.parse::<std::net::SocketAddr>().expect("an address");
            label = format!("{head} <address>");
        }
        if [6, 7, 14].contains(&counter.type_id) {
            assert_eq!(counter.value, 1, "{counter:?} is active");
        }
        let reference = match counter.reference {
            0 => String::new(),
            id => {
                let of: BTreeSet<_> = all
                    .iter()
                    .filter(|other| other.registration == id && [5, 12].contains(&other.type_id))
                    .map(|other| other.type_id)
                    .collect();
                format!(
                    " of={}",
                    of.iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .join("+")
                )
            }
        };
        format!("{} {label} owner={owner}{reference}", counter.type_id)
    }

    fn owner(&self, counter: &Counter, all: &[Counter]) -> &'static str {
        match counter.owner {
            0 => "none",
            -1 => "driver",
            id if counter.type_id == 11 && id == counter.registration => "self",
            id if all
                .iter()
                .any(|other| other.type_id == 11 && other.registration == id) =>
            {
                "client"
            }
            _ => "unknown",
        }
    }
}

#[test]
fn of_their_driver_by_their_reader() {
    labels(Side::Theirs, Side::Theirs, Media::UdpV4);
}

#[test]
fn of_their_driver_by_our_reader() {
    labels(Side::Theirs, Side::Ours, Media::UdpV6);
}

#[test]
fn of_our_driver_by_their_reader_v4() {
    labels(Side::Ours, Side::Theirs, Media::UdpV4);
}

#[test]
fn of_our_driver_by_their_reader_v6() {
    labels(Side::Ours, Side::Theirs, Media::UdpV6);
}
