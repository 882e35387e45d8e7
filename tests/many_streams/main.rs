//! One driver with very many streams: all of them work, and none is forgotten over the others.

#[path = "../support/mod.rs"]
mod support;

use aileron::client::OfferError;
use aileron::{Client, ExclusivePublication, MediaDriver, StreamId, Subscription};
use support::stream::resolved;
use support::{aeron_dir, connect, free_port, patient_builder, place, wait_until};
use tempfile::TempDir;

/// Streams of the largest test. A thousand of them have ten thousand heartbeats a second, too much
/// for a build without optimisation on a machine that does other things: build with `--release`.
const MANY: i32 = if cfg!(debug_assertions) { 250 } else { 1000 };

/// A driver with room for many counters, and a client of it.
struct Rig {
    client: Client,
    _driver: MediaDriver,
    _place: TempDir,
}

impl Rig {
    fn start() -> Self {
        let place = place();
        let dir = aeron_dir(&place);
        let config = patient_builder(&dir)
            .define("aeron.counters.buffer.length=8m")
            .define("aeron.socket.so_rcvbuf=2m")
            .build();
        let driver = MediaDriver::launch(config.expect("valid settings")).expect("a driver");
        Self {
            client: connect(&dir),
            _driver: driver,
            _place: place,
        }
    }

    fn subscribe(&self, channel: &str, stream: i32) -> Subscription {
        let added = self.client.add_subscription(channel, StreamId(stream));
        added.expect("a subscription")
    }

    fn publish(&self, channel: &str, stream: i32) -> ExclusivePublication {
        let added = self
            .client
            .add_exclusive_publication(channel, StreamId(stream));
        added.expect("a publication")
    }
}

fn offer(publication: &mut ExclusivePublication, message: &[u8]) {
    wait_until("room for a message", || match publication.offer(message) {
        Ok(_) => true,
        Err(error) if error.is_retryable() => false,
        Err(error) => panic!("{error}"),
    });
}

/// Polls all subscriptions until each has received the bytes of its index.
fn receive_own_index(subscriptions: &mut [Subscription]) {
    let mut received = vec![0; subscriptions.len()];
    wait_until("a message on each stream", || {
        for (index, subscription) in subscriptions.iter_mut().enumerate() {
            subscription.poll(10, |message, _| {
                assert_eq!(message, index.to_le_bytes());
                received[index] += 1;
            });
        }
        received.iter().all(|count| *count > 0)
    });
    assert!(received.iter().all(|count| *count == 1), "each once");
}

#[test]
fn a_thousand_publications_and_as_many_images() {
    let rig = Rig::start();
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
    let mut subscriptions: Vec<_> = (0..MANY)
        .map(|stream| rig.subscribe(&channel, stream))
        .collect();
    let mut publications: Vec<_> = (0..MANY)
        .map(|stream| rig.publish(&channel, stream))
        .collect();
    wait_until("all streams", || {
        publications.iter().all(ExclusivePublication::is_connected)
            && subscriptions.iter().all(Subscription::is_connected)
    });
    for (index, publication) in publications.iter_mut().enumerate() {
        offer(publication, &index.to_le_bytes());
    }
    receive_own_index(&mut subscriptions);
}

#[test]
fn each_of_many_sockets_is_heard() {
    let rig = Rig::start();
    let any = "aeron:udp?endpoint=127.0.0.1:0";
    let mut subscriptions: Vec<_> = (0..100).map(|_| rig.subscribe(any, 1)).collect();
    let publish = |subscription: &Subscription| rig.publish(&resolved(subscription), 1);
    let mut publications: Vec<_> = subscriptions.iter().map(publish).collect();
    for round in 0..2 {
        wait_until("all streams", || {
            publications.iter().all(ExclusivePublication::is_connected)
                && subscriptions.iter().all(Subscription::is_connected)
        });
        for (index, publication) in publications.iter_mut().enumerate() {
            offer(publication, &index.to_le_bytes());
        }
        receive_own_index(&mut subscriptions);
        // Then with so few that each socket is asked every time.
        if round == 0 {
            subscriptions.truncate(3);
            publications.truncate(3);
        }
    }
}

#[test]
fn a_flood_does_not_starve_the_other_streams() {
    let rig = Rig::start();
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
    let mut flooded = rig.subscribe(&channel, 0);
    let mut flood = rig.publish(&channel, 0);
    let mut subscriptions: Vec<_> = (1..60)
        .map(|stream| rig.subscribe(&channel, stream))
        .collect();
    let mut publications: Vec<_> = (1..60)
        .map(|stream| rig.publish(&channel, stream))
        .collect();
    wait_until("all streams", || {
        flood.is_connected() && publications.iter().all(ExclusivePublication::is_connected)
    });
    for (index, publication) in publications.iter_mut().enumerate() {
        offer(publication, &index.to_le_bytes());
    }
    let mut received = vec![0; subscriptions.len()];
    let mut flooding = 0_u64;
    wait_until("a message on each stream beside the flood", || {
        for _ in 0..64 {
            match flood.offer(&[0; 1024]) {
                Ok(_) => flooding += 1,
                Err(OfferError::BackPressured | OfferError::AdminAction) => break,
                Err(error) => panic!("{error}"),
            }
        }
        flooded.poll(64, |_, _| {});
        for (index, subscription) in subscriptions.iter_mut().enumerate() {
            received[index] += subscription.poll(1, |_, _| {});
        }
        received.iter().all(|count| *count == 1)
    });
    assert!(flooding > 0, "the flood flows");
}
