//! A stream from here to there, and what is sent to several.

use super::network::{End, Network};
use super::paths::Scene;

/// So many messages pass before a test does what it wants to.
const SOME: u64 = 500;

/// One publisher, one subscriber.
pub(crate) fn unicast(test: &str, host: &str, interface: &str, source: &str) {
    let Some(network) = Network::make(test) else {
        return;
    };
    let mut scene = Scene::new(&network);
    let channel = format!("aeron:udp?endpoint={host}:0");
    let subscriber = scene.subscribe(End::There, &channel, &[]);
    let address = scene.address(subscriber);
    let channel = format!("aeron:udp?endpoint={address}{interface}");
    scene.publish(End::Here, &channel, &[]);
    let from = scene.source(subscriber);
    assert!(from.starts_with(source), "came from {from}");
    scene.advance(SOME);
    scene.finish();
}

#[test]
fn unicast_v4() {
    unicast("unicast_v4", "10.99.2.2", "", "10.99.2.1:");
}

#[test]
fn unicast_v6() {
    unicast("unicast_v6", "[fd99:1::2]", "", "[fd99:1::1]:");
}

/// The wire is out for a moment, at either end; the stream goes on where it was.
#[test]
fn unicast_outlives_an_interruption() {
    let Some(network) = Network::make("unicast_outlives_an_interruption") else {
        return;
    };
    let mut scene = Scene::new(&network);
    let subscriber = scene.subscribe(End::There, "aeron:udp?endpoint=10.99.1.2:0", &[]);
    let address = scene.address(subscriber);
    scene.publish(End::Here, &format!("aeron:udp?endpoint={address}"), &[]);
    scene.advance(SOME);
    for end in [End::Here, End::There] {
        scene.interrupt(1, end);
        scene.advance(SOME);
    }
    scene.finish();
}

/// All of a long window is lost in one piece, which begins and ends wherever frames do.
#[test]
fn a_window_that_is_lost_is_sent_again() {
    let Some(network) = Network::make("a_window_that_is_lost_is_sent_again") else {
        return;
    };
    let mut scene = Scene::new(&network);
    let channel = "aeron:udp?endpoint=10.99.1.2:0|rcv-wnd=512k|so-rcvbuf=1m";
    let subscriber = scene.subscribe(End::There, channel, &[]);
    let address = scene.address(subscriber);
    let channel = format!("aeron:udp?endpoint={address}|term-length=1m");
    scene.publish(End::Here, &channel, &[]);
    scene.advance(SOME);
    for _ in 0..3 {
        scene.interrupt(1, End::There);
        scene.advance(SOME);
    }
    scene.finish();
}

/// One publisher, a subscriber at each end; with some paths down.
pub(crate) fn multicast(test: &str, channel: &str, source: &str, down: &[u32]) {
    let Some(network) = Network::make(test) else {
        return;
    };
    for path in down {
        network.cut(*path, End::Here);
        network.cut(*path, End::There);
    }
    let mut scene = Scene::new(&network);
    let subscribers = [End::Here, End::There].map(|end| scene.subscribe(end, channel, &[]));
    scene.publish(End::Here, &format!("{channel}|fc=min,g:/2"), &[]);
    for subscriber in subscribers {
        let from = scene.source(subscriber);
        assert!(from.starts_with(source), "came from {from}");
    }
    scene.advance(SOME);
    scene.finish();
}

#[test]
fn multicast_outlives_an_interruption() {
    let Some(network) = Network::make("multicast_outlives_an_interruption") else {
        return;
    };
    let mut scene = Scene::new(&network);
    let channel = "aeron:udp?endpoint=224.20.30.39:40456|interface={path1}";
    for end in [End::Here, End::There] {
        scene.subscribe(end, channel, &[]);
    }
    scene.publish(End::Here, &format!("{channel}|fc=min,g:/2"), &[]);
    scene.advance(SOME);
    for end in [End::There, End::Here] {
        scene.interrupt(1, end);
        scene.advance(SOME);
    }
    scene.finish();
}

/// Subscribers on both paths introduce themselves.
#[test]
fn dynamic_destinations() {
    let Some(network) = Network::make("dynamic_destinations") else {
        return;
    };
    let mut scene = Scene::new(&network);
    for path in 1..=2 {
        let control = format!("10.99.{path}.1:40456");
        let channel = format!("aeron:udp?endpoint=10.99.{path}.2:0|control={control}");
        scene.subscribe(End::There, &channel, &[]);
    }
    let channel = "aeron:udp?control=0.0.0.0:40456|control-mode=dynamic|fc=min,g:/2";
    scene.publish(End::Here, channel, &[]);
    scene.advance(SOME);
    scene.interrupt(1, End::There);
    scene.advance(SOME);
    scene.finish();
}

/// The publisher is told of a subscriber on either path and of one at its own end.
#[test]
fn manual_destinations() {
    let Some(network) = Network::make("manual_destinations") else {
        return;
    };
    let mut scene = Scene::new(&network);
    let mut destinations = Vec::new();
    for (end, host) in [
        (End::There, "10.99.1.2"),
        (End::There, "10.99.2.2"),
        (End::Here, "127.0.0.1"),
    ] {
        let subscriber =
            scene.subscribe(end, &format!("aeron:udp?endpoint={host}:0|group=true"), &[]);
        destinations.push(format!("aeron:udp?endpoint={}", scene.address(subscriber)));
    }
    let channel = "aeron:udp?control-mode=manual|fc=min,g:/3";
    scene.publish(End::Here, channel, &destinations);
    scene.advance(SOME);
    scene.interrupt(2, End::Here);
    scene.advance(SOME);
    scene.finish();
}
