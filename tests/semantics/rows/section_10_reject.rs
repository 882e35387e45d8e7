//! Images, second part: rejecting them.

use std::time::{Duration, Instant};

use crate::peer::*;
use crate::rows::traffic::*;
use crate::world::*;

/// A rejected image is forgotten, and an IPC stream cool, after this time.
const COOL_DOWN: Duration = Duration::from_secs(2);
/// Publications that lose their receiver do so for a reason, not for want of status messages.
const SETTINGS: &[(&str, &str)] = &[
    ("aeron.image.liveness.timeout", "2s"),
    ("aeron.publication.connection.timeout", "60s"),
];

/// A world where an image was rejected for `reason`, which is expected.
fn world(reason: &str) -> World {
    let world = World::start(SETTINGS);
    world.expect_error(reason);
    world
}

fn connected(publication: &Publication, subscription: &Subscription) -> Image {
    wait_until("a connection", || publication.is_connected());
    wait_for("an image", || subscription.images().pop())
}

fn availables(subscription: &Subscription) -> usize {
    let events = subscription.events();
    events.iter().filter(|event| event.is_available).count()
}

#[test]
fn row_10_8_a_rejected_image_goes_and_comes_back() {
    for channel in [IPC.to_owned(), udp()] {
        let world = world("too much");
        let (publisher, subscriber) = (world.client(), world.client());
        let subscription = subscriber
            .add_subscription(&channel, STREAM)
            .expect("added");
        let publication = publisher.add_publication(&channel, STREAM).expect("added");
        let image = connected(&publication, &subscription);
        image.reject("too much").expect("rejected");
        wait_until("the publication to be alone", || {
            !publication.is_connected()
        });
        let frame = wait_for("the error frame", || publisher.error_frames().pop());
        assert_eq!(frame.code, code::IMAGE_REJECTED);
        assert_eq!(frame.text, "too much");
        assert_eq!(frame.registration_id, publication.registration_id());
        assert_eq!(frame.session_id, publication.session_id());
        assert_eq!(frame.stream_id, STREAM);
        assert_eq!(world.system_counter(SystemCounter::ImagesRejected), 1);
        wait_until("the record of it", || {
            world.errors().iter().any(|text| text.contains("too much"))
        });
        wait_until("the image to go", || image.is_closed());
        let again = connected(&publication, &subscription);
        assert!(
            !again.is_closed() && image.is_closed(),
            "they are two objects"
        );
        let is_the_same = again.correlation_id() == image.correlation_id();
        assert_eq!(is_the_same, channel == IPC);
    }
}

#[test]
fn row_10_9_all_handles_of_a_publication_lose_a_rejected_image() {
    for channel in [IPC.to_owned(), udp()] {
        let world = world("away");
        let client = world.client();
        let subscription = client.add_subscription(&channel, STREAM).expect("added");
        let publications = [0, 1].map(|_| client.add_publication(&channel, STREAM).expect("added"));
        let all_are = |connected: bool| {
            wait_until("both handles to agree", || {
                publications
                    .iter()
                    .all(|publication| publication.is_connected() == connected)
            });
        };
        all_are(true);
        let image = wait_for("an image", || subscription.images().pop());
        image.reject("away").expect("rejected");
        all_are(false);
        all_are(true);
    }
}

#[test]
fn row_10_11_error_frames_come_to_those_who_own_the_publication() {
    for channel in [IPC.to_owned(), udp()] {
        let world = world("not that");
        let owners = [world.client(), world.client()];
        let (stranger, subscriber) = (world.client(), world.client());
        let subscription = subscriber
            .add_subscription(&channel, STREAM)
            .expect("added");
        let publications = owners
            .each_ref()
            .map(|owner| owner.add_publication(&channel, STREAM).expect("added"));
        let _other = stranger
            .add_publication(&channel, STREAM + 1)
            .expect("added");
        connected(&publications[1], &subscription)
            .reject("not that")
            .expect("rejected");
        wait_until("a frame each", || {
            owners.iter().all(|owner| owner.error_frames().len() == 1)
        });
        wait_until("another image", || availables(&subscription) == 2);
        assert!(owners.iter().all(|owner| owner.error_frames().len() == 1));
        assert_eq!(stranger.error_frames(), []);
        assert_eq!(subscriber.error_frames(), []);
    }
}

#[test]
fn row_10_12_an_error_frame_names_its_destination() {
    let world = world("no");
    let client = world.client();
    let channels = [udp(), udp()];
    let subscriptions = channels
        .each_ref()
        .map(|channel| client.add_subscription(channel, STREAM).expect("added"));
    let publication = client.add_publication(MANUAL, STREAM).expect("added");
    let ids = channels
        .each_ref()
        .map(|channel| publication.add_destination(channel).expect("added"));
    wait_until("two images", || {
        subscriptions.iter().all(Subscription::is_connected)
    });
    connected(&publication, &subscriptions[1])
        .reject("no")
        .expect("rejected");
    let frame = wait_for("the error frame", || client.error_frames().pop());
    assert_eq!(frame.destination_registration_id, ids[1]);
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn row_10_14_an_error_frame_says_who_complains() {
    for host in ["127.0.0.1", "[::1]"] {
        let world = world("none of it");
        let client = world.client();
        let control = format!("control={host}:{}|control-mode=dynamic", free_port());
        let subscription = client
            .add_subscription(
                &format!("aeron:udp?endpoint={host}:0|{control}|gtag=1234"),
                STREAM,
            )
            .expect("added");
        let publication = client
            .add_publication(&format!("aeron:udp?{control}|fc=tagged,g:1234"), STREAM)
            .expect("added");
        let image = connected(&publication, &subscription);
        image.reject("none of it").expect("rejected");
        let frame = wait_for("the error frame", || client.error_frames().pop());
        assert_eq!(frame.stream_id, STREAM);
        assert_eq!(frame.session_id, publication.session_id());
        assert_eq!(frame.group_tag, 1234);
        let source = frame.source.expect("an address").to_string();
        assert_eq!(Some(source), subscription.resolved_endpoint());
        assert_eq!(frame.destination_registration_id, -1);
    }
}

#[test]
fn row_10_15_error_frames_come_to_both_kinds_of_publications() {
    for channel in [IPC.to_owned(), udp()] {
        for exclusive in [false, true] {
            let world = world("either");
            let client = world.client();
            let subscription = client.add_subscription(&channel, STREAM).expect("added");
            let publication = if exclusive {
                client.add_exclusive_publication(&channel, STREAM)
            } else {
                client.add_publication(&channel, STREAM)
            }
            .expect("added");
            connected(&publication, &subscription)
                .reject("either")
                .expect("rejected");
            let frame = wait_for("the error frame", || client.error_frames().pop());
            assert_eq!(frame.registration_id, publication.registration_id());
        }
    }
}

/// An IPC stream whose image was just rejected, and when.
struct Rejected {
    client: Client,
    publication: Publication,
    subscription: Subscription,
    since: Instant,
    _world: World,
}

impl Rejected {
    /// Tries again where the machine was so slow that the cool-down is over already.
    fn new() -> Self {
        wait_for("a scene in time", || {
            let scene = Self::begin();
            (scene.since.elapsed() < COOL_DOWN / 2).then_some(scene)
        })
    }

    fn begin() -> Self {
        let world = world("cool down");
        let client = world.client();
        let subscription = client.add_subscription(IPC, STREAM).expect("added");
        let publication = client.add_publication(IPC, STREAM).expect("added");
        let image = connected(&publication, &subscription);
        let since = Instant::now();
        image.reject("cool down").expect("rejected");
        wait_until("the image to go", || image.is_closed());
        Self {
            _world: world,
            client,
            publication,
            subscription,
            since,
        }
    }

    fn subscribe(&self) -> Subscription {
        self.client.add_subscription(IPC, STREAM).expect("added")
    }

    /// Waits for `what`, which must not come before the stream is cool.
    fn not_before_it_is_cool(&self, what: &str, condition: impl FnMut() -> bool) {
        wait_until(what, condition);
        let elapsed = self.since.elapsed();
        assert!(elapsed >= COOL_DOWN, "{what} after {elapsed:?}");
    }
}

#[test]
fn row_10_16_who_joins_in_the_cool_down_waits() {
    let scene = Rejected::new();
    let second = scene.subscribe();
    scene.not_before_it_is_cool("an image", || availables(&second) == 1);
    wait_until("the first one's", || availables(&scene.subscription) == 2);
    assert_eq!(availables(&second), 1);
}

#[test]
fn row_10_17_who_rejected_may_come_back_with_another_subscription() {
    let scene = Rejected::new();
    let before = availables(&scene.subscription);
    let second = scene.subscribe();
    let Rejected {
        subscription,
        publication,
        client: _client,
        _world,
        ..
    } = scene;
    subscription.close();
    wait_until("an image", || {
        before + availables(&second) == 2 && publication.is_connected()
    });
    let (mut writer, mut reader) = (Writer::new(publication), Reader::new(second));
    exchange(&mut writer, &mut [&mut reader], 3);
}

#[test]
fn row_10_18_who_joins_after_the_cool_down_connects() {
    let scene = Rejected::new();
    wait_until("the cool-down to end", || {
        availables(&scene.subscription) == 2
    });
    let second = scene.subscribe();
    wait_until("an image", || availables(&second) == 1);
    assert_eq!(availables(&scene.subscription), 2);
}

#[test]
fn row_10_19_a_second_handle_connects_after_the_cool_down() {
    let scene = Rejected::new();
    let second = scene.client.add_publication(IPC, STREAM).expect("added");
    scene.not_before_it_is_cool("a connection", || second.is_connected());
    assert!(scene.publication.is_connected());
}
