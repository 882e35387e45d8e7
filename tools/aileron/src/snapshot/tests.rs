//! Snapshots of real drivers with real clients.

use super::*;
use std::time::{Duration, Instant};

use aileron::{Context, DriverConfig, MediaDriver, StreamId};

fn start() -> (MediaDriver, Directory) {
    let driver = MediaDriver::launch_embedded(DriverConfig::default()).expect("a driver");
    let directory = Directory::open(driver.directory(), Duration::from_secs(5)).expect("its files");
    (driver, directory)
}

/// Takes snapshots until one suits.
fn wait(directory: &Directory, suits: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let snapshot = Snapshot::take(directory);
        if suits(&snapshot) {
            return snapshot;
        }
        assert!(Instant::now() < deadline, "{snapshot:#?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_stream_between_two_clients_is_seen_whole() {
    let (driver, directory) = start();
    let context = Context::new().dir(driver.directory());
    let client = context.connect().expect("a client");
    let channel = "aeron:udp?endpoint=127.0.0.1:0|alias=a-name-that-makes-the-channel-longer-than-\
                   what-a-key-has-room-for-which-is-about-ninety";
    let subscription = client
        .add_subscription(channel, StreamId(7))
        .expect("a subscription");
    let snapshot = wait(&directory, |s| {
        s.channels.iter().any(|c| !c.addresses.is_empty())
    });
    let bound = snapshot.channels[0].addresses[0].address.clone();
    let publication_channel = channel.replace("127.0.0.1:0", &bound);
    let publication = client
        .add_publication(&publication_channel, StreamId(7))
        .expect("a publication");
    let snapshot = wait(&directory, |s| {
        s.images.iter().any(|image| !image.subscribers.is_empty())
            && s.publications
                .iter()
                .any(|p| p.log.is_some_and(|log| log.is_connected))
    });
    let [seen] = &snapshot.publications[..] else {
        panic!("{snapshot:#?}");
    };
    assert_eq!(
        seen.channel, publication_channel,
        "longer than the key has it"
    );
    assert_eq!(seen.stream_id, StreamId(7));
    assert!(seen.is_network() && !seen.is_exclusive);
    assert!(seen.sender_limit.is_some() && seen.publisher_limit.is_some());
    let image = &snapshot.images[0];
    assert_eq!(image.session_id, seen.session_id);
    assert_eq!(image.subscribers[0].client_id, seen.client_id);
    assert_eq!(image.subscribers[0].join_position, Some(0));
    assert_eq!(
        image.log.expect("mapped").term_length,
        seen.log.expect("mapped").term_length
    );
    assert_eq!(snapshot.channels.iter().filter(|c| c.is_send).count(), 1);
    assert!(
        snapshot
            .clients
            .iter()
            .any(|c| c.client_id == seen.client_id)
    );
    assert!(snapshot.stray_subscribers.is_empty());
    drop((subscription, publication));
}

#[test]
fn ipc_subscribers_belong_to_their_publication_and_closed_clients_are_gone() {
    let (driver, directory) = start();
    let context = Context::new().dir(driver.directory());
    let client = context.connect().expect("a client");
    let subscription = client
        .add_subscription("aeron:ipc", StreamId(1))
        .expect("a subscription");
    let publication = client
        .add_exclusive_publication("aeron:ipc", StreamId(1))
        .expect("added");
    let snapshot = wait(&directory, |s| {
        s.publications
            .first()
            .is_some_and(|p| !p.subscribers.is_empty())
    });
    let seen = &snapshot.publications[0];
    assert!(seen.is_exclusive && !seen.is_network());
    assert_eq!(seen.sender_position, None);
    assert_eq!(seen.unsent(), None);
    let id = seen.client_id;
    drop((subscription, publication));
    drop(client);
    let snapshot = wait(&directory, |s| s.clients.is_empty());
    let gone = snapshot
        .client(id)
        .expect("its heartbeat was freed, not wiped");
    assert_eq!(gone.heartbeat, EpochMillis(0), "it said that it closes");
}
