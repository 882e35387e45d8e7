//! Streams of more than one destination, and subscriptions of more than one source.

use std::io::Write as _;
use std::net::{Ipv6Addr, UdpSocket};

use crate::harness::{Driver, Media, Peer, Session, Side, free_port};

const SIZES: &[usize] = &[16, 31, 1376, 1377, 8 << 10, 64 << 10];
const COUNT: u64 = 120;
const QUICK: &[(&str, &str)] = &[
    ("aeron.timer.interval", "100ms"),
    ("aeron.image.liveness.timeout", "2s"),
];

/// Ours and theirs, a subscriber's client each.
struct Scene {
    ours: Driver,
    theirs: Driver,
}

impl Scene {
    fn new() -> Self {
        let launch = |side| Driver::launch(side, QUICK);
        Self {
            ours: launch(Side::Ours),
            theirs: launch(Side::Theirs),
        }
    }

    fn driver(&self, side: Side) -> &Driver {
        match side {
            Side::Theirs => &self.theirs,
            Side::Ours => &self.ours,
        }
    }

    /// A client and driver of one side to those of another.
    fn session(&self, from: Side, to: Side) -> Session<'_> {
        Session {
            publisher: from,
            publisher_driver: self.driver(from),
            subscriber: to,
            subscriber_driver: self.driver(to),
            media: Media::UdpV4,
            exclusive: false,
            claim: false,
            count: COUNT,
            sizes: SIZES,
            stream: 8001,
            publication_parameters: "",
            subscription_parameters: "",
        }
    }

    fn stop(self) {
        self.ours.stop();
        self.theirs.stop();
    }
}

/// One stream to a receiver of either side.
fn one_to_two(from: Side, publication: &str, subscription: &str, is_manual: bool) {
    let scene = Scene::new();
    let sessions = [Side::Theirs, Side::Ours].map(|to| scene.session(from, to));
    let mut subscribers: Vec<Peer> = Vec::new();
    let mut endpoints = Vec::new();
    for session in &sessions {
        let (subscriber, endpoint) = session.start_subscriber_at(subscription);
        subscribers.push(subscriber);
        endpoints.push(endpoint);
    }
    let mut publisher = sessions[0]
        .start_publisher_at(publication, 8001, &["--gated"])
        .0;
    if is_manual {
        for endpoint in &endpoints {
            publisher.order(&format!("destination aeron:udp?endpoint={endpoint}"));
            publisher.line("ADDED");
        }
    }
    publisher.line("CONNECTED");
    publisher.order("go");
    let sent = publisher.line("DONE");
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.line("DONE"), sent);
    }
    drop(publisher.stop());
    for mut subscriber in subscribers {
        let gone = subscriber.line("UNAVAILABLE");
        assert!(
            gone.ends_with(" end-of-stream=true revoked=false"),
            "{gone}"
        );
        drop(subscriber.stop());
    }
    scene.stop();
}

/// Streams of either side to the destinations of one subscription.
fn two_to_one(to: Side) {
    let scene = Scene::new();
    let sessions = [Side::Theirs, Side::Ours].map(|from| scene.session(from, to));
    let mut subscriber = sessions[0]
        .start_subscriber_of_channel("aeron:udp?control-mode=manual", &[1, 2])
        .0;
    let mut publishers: Vec<Peer> = Vec::new();
    for (seed, session) in (1..).zip(&sessions) {
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
        subscriber.order(&format!("destination {channel}"));
        subscriber.line("ADDED");
        publishers.push(session.start_publisher_at(&channel, seed, &[]).0);
    }
    for publisher in &mut publishers {
        let sent = publisher.line("DONE");
        let (seed, _) = sent.split_once(' ').expect("a seed and the rest");
        assert_eq!(
            sent,
            format!("{seed} {}", subscriber.line(&format!("DONE {seed}")))
        );
    }
    for publisher in publishers {
        drop(publisher.stop());
        // The end of the stream does not show: every transport of the image would have to bring it.
        let gone = subscriber.line("UNAVAILABLE");
        assert!(gone.ends_with(" revoked=false"), "{gone}");
    }
    drop(subscriber.stop());
    scene.stop();
}

/// One stream over both transports of one subscription, of the other side.
fn one_over_two(from: Side) {
    let to = match from {
        Side::Theirs => Side::Ours,
        Side::Ours => Side::Theirs,
    };
    let scene = Scene::new();
    let session = scene.session(from, to);
    let (mut subscriber, _) = session.start_subscriber_at("aeron:udp?control-mode=manual");
    let (mut publisher, _) =
        session.start_publisher_at("aeron:udp?control-mode=manual", 8001, &["--gated"]);
    for _ in 0..2 {
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
        for peer in [&mut subscriber, &mut publisher] {
            peer.order(&format!("destination {channel}"));
            peer.line("ADDED");
        }
    }
    publisher.line("CONNECTED");
    publisher.order("go");
    let sent = publisher.line("DONE");
    assert_eq!(subscriber.line("DONE"), sent);
    drop(publisher.stop());
    let gone = subscriber.line("UNAVAILABLE");
    assert!(
        gone.ends_with(" end-of-stream=true revoked=false"),
        "{gone}"
    );
    drop(subscriber.stop());
    scene.stop();
}

/// An address of this machine on an interface over which an IPv6 group can be reached.
fn multicast_v6_interface() -> Option<Ipv6Addr> {
    let interfaces = std::fs::read_to_string("/proc/net/if_inet6").ok()?;
    interfaces.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let address = Ipv6Addr::from(u128::from_str_radix(fields.first()?, 16).ok()?);
        let index = u32::from_str_radix(fields.get(1)?, 16).ok()?;
        let is_usable = !address.is_unicast_link_local() && !address.is_loopback();
        let group = "ff02::11".parse().ok()?;
        let socket = UdpSocket::bind((address, 0)).ok()?;
        let joins = socket.join_multicast_v6(&group, index).is_ok();
        (is_usable && joins).then_some(address)
    })
}

/// Past the capture of the test harness.
fn say(words: &str) {
    drop(writeln!(std::io::stderr(), "{words}"));
}

macro_rules! tests {
    ($($name:ident: $side:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn dynamic_destinations_are_served() {
                let control = format!("127.0.0.1:{}", free_port());
                one_to_two(
                    $side,
                    &format!("aeron:udp?control={control}|control-mode=dynamic|fc=min,g:/2"),
                    &format!("aeron:udp?endpoint=127.0.0.1:0|control={control}"),
                    false,
                );
            }

            #[test]
            fn manual_destinations_are_served() {
                one_to_two(
                    $side,
                    "aeron:udp?control-mode=manual|fc=min,g:/2",
                    "aeron:udp?endpoint=127.0.0.1:0|group=true",
                    true,
                );
            }

            #[test]
            fn a_multicast_group_is_served() {
                let channel = format!("aeron:udp?endpoint=224.20.30.39:{}|interface=127.0.0.1", free_port());
                one_to_two($side, &format!("{channel}|fc=min,g:/2"), &channel, false);
            }

            #[test]
            fn a_multicast_group_of_ipv6_is_served() {
                let Some(interface) = multicast_v6_interface() else {
                    say("SKIPPED: no IPv6 multicast on this machine");
                    return;
                };
                let channel = format!(
                    "aeron:udp?endpoint=[ff02::11]:{}|interface=[{interface}]",
                    free_port()
                );
                one_to_two($side, &format!("{channel}|fc=min,g:/2"), &channel, false);
            }

            #[test]
            fn one_stream_comes_over_two_transports() {
                one_over_two($side);
            }

            #[test]
            fn many_sources_are_heard() {
                two_to_one($side);
            }
        }
    )*};
}

tests! {
    theirs: Side::Theirs;
    ours: Side::Ours;
}
