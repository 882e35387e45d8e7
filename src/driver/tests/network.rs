//! Network publications, subscriptions, spies and destinations, within one driver and between two.

use crate::base::{Position, RegistrationId};
use crate::cnc::SystemCounter;
use crate::command::{
    AddCounter, Command, ErrorCode, RejectImage, RemoveCounter, RemoveDestinationById,
};
use crate::driver::config::{DriverConfig, PortRange};
use crate::driver::testing::{Available, Ready, Seen, World, image_among, small_config};
use crate::logbuffer::HeapLogStore;

const STREAM: i32 = 1001;
const UDP: &str = "aeron:udp?endpoint=10.0.0.2:4000";

const SEND_CHANNEL: i32 = 6;
const RECEIVE_CHANNEL: i32 = 7;
const HEARTBEAT: i32 = 11;
const LOCAL_ADDRESS: i32 = 14;
const DESTINATIONS: i32 = 18;

fn is_gone(event: &Seen) -> bool {
    matches!(event, Seen::Unavailable { .. })
}

/// A publication at the first driver, received by a subscription at the second.
fn connected(config: &DriverConfig) -> (World, Ready, RegistrationId, Available) {
    let mut world = World::new(2, config);
    let (subscription, events) = world.add_subscription_at(1, UDP, STREAM);
    assert_eq!(image_among(&events), None);
    let ready = world.add_publication(UDP, STREAM);
    let image = world.await_image(1);
    world.run_until(|world| world.drivers[0].log(&ready.path).is_connected());
    world.drivers[1].take_events();
    (world, ready, subscription, image)
}

/// Sends `count` messages and receives them in order.
fn transfer(world: &mut World, ready: &Ready, image: &Available, count: u32) {
    let (mut sent, mut received) = (0u32, 0u32);
    world.run_until(|world| {
        while sent < count && world.drivers[0].offer(ready, &sent.to_le_bytes()).is_some() {
            sent += 1;
        }
        for message in world.drivers[1].read(image) {
            assert_eq!(message, received.to_le_bytes());
            received += 1;
        }
        received == count
    });
}

#[test]
fn sockets_need_not_be_connected() {
    let config = DriverConfig {
        connect: false,
        ..small_config()
    };
    let (mut world, ready, _, image) = connected(&config);
    transfer(&mut world, &ready, &image, 100);
}

/// Nothing but clients' heartbeats is left in any driver.
#[track_caller]
fn assert_empty(world: &World) {
    for driver in &world.drivers {
        let left: Vec<_> = driver
            .counters()
            .into_iter()
            .filter(|c| c.type_id != HEARTBEAT)
            .collect();
        assert_eq!(left, []);
        assert_eq!(driver.store.paths(), Vec::<String>::new());
    }
    assert_eq!(world.network.open_sockets(), 0);
}

#[test]
fn publication_has_its_counters_and_its_channel_a_status() {
    let mut world = World::new(1, &small_config());
    let ready = world.add_publication(UDP, STREAM);
    let (id, session) = (ready.registration, ready.session);
    assert_eq!(world.driver().counter(ready.status).get(), 1, "active");
    let labels: Vec<_> = world
        .driver()
        .counters()
        .into_iter()
        .map(|c| c.label)
        .collect();
    let status = ready.status;
    let stream = format!("{id} {session} 1001 {UDP}");
    let expected = [
        format!("snd-channel: {UDP} 10.0.0.1:32768"),
        format!("snd-local-sockaddr: {status} 10.0.0.1:32768"),
        "client-heartbeat: id=1".to_owned(),
        format!("pub-pos (concurrent): {stream}"),
        format!("pub-lmt: {stream}"),
        format!("snd-pos: {stream}"),
        format!("snd-lmt: {stream}"),
        format!("snd-bpe: {stream}"),
        format!("snd-naks-received: {stream}"),
    ];
    assert_eq!(labels, expected);
    let local = world
        .driver()
        .counter_of_type(LOCAL_ADDRESS)
        .expect("a local address");
    assert_eq!(local.value, 1);
    assert!(local.key[8..].starts_with(b"10.0.0.1:32768\0"));
}

#[test]
fn publications_of_a_channel_share_endpoint_and_stream() {
    let mut world = World::new(1, &small_config());
    let first = world.add_publication(UDP, STREAM);
    let second = world.add_publication(UDP, STREAM);
    let other_stream = world.add_publication(UDP, STREAM + 1);
    let exclusive = world.add_exclusive(UDP, STREAM);
    assert_eq!(first.registration, second.registration);
    assert_ne!(first.registration, other_stream.registration);
    assert_ne!(first.registration, exclusive.registration);
    assert_eq!(first.status, exclusive.status);
    assert_eq!(world.network.open_sockets(), 1);
    let session = format!("{UDP}|session-id={}", first.session);
    let id = world.driver().send_add_publication(&session, STREAM, true);
    let (code, text) = world.error(id);
    assert_eq!(code, ErrorCode::InvalidChannel);
    assert!(text.contains("clashing sessionId"), "{text}");
    for (channel, code) in [
        (format!("{UDP}|mtu=2048"), ErrorCode::GenericError),
        (format!("{UDP}|ssc=true"), ErrorCode::GenericError),
        (format!("{UDP}|so-sndbuf=64k"), ErrorCode::InvalidChannel),
        (
            format!("{UDP}|channel-snd-ts-offset=0"),
            ErrorCode::InvalidChannel,
        ),
    ] {
        let id = world.driver().send_add_publication(&channel, STREAM, false);
        assert_eq!(world.error(id).0, code, "{channel}");
    }
}

#[test]
fn impossible_publications_are_refused() {
    let mut world = World::new(1, &small_config());
    let long = format!("{UDP}|alias={}", "x".repeat(4096));
    for (channel, expected) in [
        ("aeron:udp", ErrorCode::InvalidChannel),
        ("aeron:tcp?endpoint=10.0.0.2:1", ErrorCode::InvalidChannel),
        ("udp:what", ErrorCode::InvalidChannel),
        ("aeron:udp?endpoint=10.0.0.2:0", ErrorCode::InvalidChannel),
        ("aeron:udp?endpoint=10.0.0.2", ErrorCode::InvalidChannel),
        ("aeron:udp?endpoint=nowhere:4000", ErrorCode::UnknownHost),
        ("aeron:udp?control=10.0.0.1:4001", ErrorCode::InvalidChannel),
        (
            "aeron:udp?control-mode=dynamic|endpoint=10.0.0.2:1",
            ErrorCode::InvalidChannel,
        ),
        ("aeron:udp?tags=77", ErrorCode::InvalidChannel),
        (
            "aeron:udp?endpoint=10.0.0.2:1|ats=true",
            ErrorCode::NotSupported,
        ),
        (
            "aeron:udp?endpoint=10.0.0.2:1|fc=max",
            ErrorCode::InvalidChannel,
        ),
        (
            "aeron:udp?endpoint=10.0.0.2:1|mtu=100",
            ErrorCode::InvalidChannel,
        ),
        (
            "aeron:udp?endpoint=10.0.0.2:1|mtu=65504|so-sndbuf=16k",
            ErrorCode::InvalidChannel,
        ),
        (
            "aeron:udp?endpoint=10.0.0.2:1|mtu=8192|so-sndbuf=4k",
            ErrorCode::GenericError,
        ),
        (
            "aeron:udp?endpoint=10.0.0.2:1|term-length=100k",
            ErrorCode::InvalidChannel,
        ),
        (
            "aeron:udp?endpoint=10.0.0.2:1|linger=5h",
            ErrorCode::InvalidChannel,
        ),
        (
            "aeron:udp?endpoint=10.0.0.2:1|stream-id=7",
            ErrorCode::InvalidChannel,
        ),
        (
            "aeron:udp?endpoint=10.0.0.2:1|term-id=7",
            ErrorCode::InvalidChannel,
        ),
        (
            "aeron:udp?endpoint=10.0.0.2:1|response-correlation-id=9",
            ErrorCode::GenericError,
        ),
        (
            "aeron:udp?endpoint=10.0.0.2:1|response-correlation-id=-3",
            ErrorCode::InvalidChannel,
        ),
        (
            "aeron:udp?control=10.0.0.1:9|control-mode=response",
            ErrorCode::GenericError,
        ),
        (
            "aeron:udp?control=10.0.0.1:9|control-mode=response|response-correlation-id=9",
            ErrorCode::GenericError,
        ),
        (
            "aeron-spy:aeron:udp?endpoint=10.0.0.2:1",
            ErrorCode::InvalidChannel,
        ),
        (&long, ErrorCode::InvalidChannel),
    ] {
        let id = world.driver().send_add_publication(channel, STREAM, false);
        let (code, text) = world.error(id);
        assert_eq!(code, expected, "{channel}: {text}");
        assert!(!text.is_empty());
    }
    world.run_ms(10);
    assert_empty(&world);
    assert!(
        world.driver().counters().is_empty(),
        "no client became known"
    );
    assert_eq!(world.driver().system(SystemCounter::Errors), 24);
    world.add_publication("aeron:udp?endpoint=10.0.0.2:1", STREAM);
}

#[test]
fn impossible_subscriptions_are_refused() {
    let mut world = World::new(1, &small_config());
    for (channel, expected) in [
        ("aeron:udp", ErrorCode::InvalidChannel),
        ("aeron:udp?endpoint=nowhere:4000", ErrorCode::UnknownHost),
        (
            "aeron:udp?endpoint=10.0.0.1:1|control=10.0.0.9:0",
            ErrorCode::InvalidChannel,
        ),
        (
            "aeron:udp?endpoint=10.0.0.1:1|session-id=x",
            ErrorCode::InvalidChannel,
        ),
        (
            "aeron:udp?endpoint=10.0.0.1:1|reliable=maybe",
            ErrorCode::InvalidChannel,
        ),
        (
            "aeron:udp?endpoint=10.0.0.1:1|rcv-wnd=1m|so-rcvbuf=64k",
            ErrorCode::GenericError,
        ),
        (
            "aeron:udp?endpoint=10.0.0.1:1|ats=true",
            ErrorCode::NotSupported,
        ),
        ("aeron:ipc?ats=true", ErrorCode::NotSupported),
        ("aeron-spy:aeron:ipc", ErrorCode::InvalidChannel),
    ] {
        let id = world.driver().send_add_subscription(channel, STREAM);
        let (code, text) = world.error(id);
        assert_eq!(code, expected, "{channel}: {text}");
    }
    assert_empty(&world);
}

#[test]
fn subscriptions_to_one_stream_must_agree() {
    let mut world = World::new(1, &small_config());
    let channel = "aeron:udp?endpoint=10.0.0.1:4000";
    world.add_subscription(channel, STREAM);
    for conflict in [
        "reliable=false",
        "rejoin=false",
        "so-rcvbuf=64k",
        "channel-rcv-ts-offset=0",
    ] {
        let id = world
            .driver()
            .send_add_subscription(&format!("{channel}|{conflict}"), STREAM);
        let (code, text) = world.error(id);
        assert_eq!(code, ErrorCode::InvalidChannel, "{conflict}: {text}");
        assert!(text.contains("option conflicts"), "{text}");
    }
    world.add_subscription(&format!("{channel}|reliable=false"), STREAM + 1);
    world.add_subscription(&format!("{channel}|reliable=false|session-id=7"), STREAM);
    assert_eq!(world.network.open_sockets(), 1);
}

#[test]
fn port_in_use_fails_the_command_and_leaves_nothing_behind() {
    let mut world = World::new(1, &small_config());
    let (first, _) = world.add_subscription("aeron:udp?endpoint=10.0.0.1:4000", STREAM);
    let other = "aeron:udp?endpoint=10.0.0.1:4000|interface=10.0.0.1";
    let id = world.driver().send_add_subscription(other, STREAM);
    let (code, text) = world.error(id);
    assert_eq!(code, ErrorCode::GenericError);
    assert!(
        text.contains("address in use") && text.contains(other),
        "{text}"
    );
    let id = world.driver().send_remove_subscription(first);
    world.answer(id);
    world.run_ms(10);
    assert_empty(&world);
    world.add_subscription(other, STREAM);
}

#[test]
fn closing_channel_asks_to_try_again() {
    let mut world = World::new(1, &small_config());
    let (subscription, _) = world.add_subscription("aeron:udp?endpoint=10.0.0.1:4000", STREAM);
    world.driver().send_remove_subscription(subscription);
    let id = world
        .driver()
        .send_add_subscription("aeron:udp?endpoint=10.0.0.1:4000", STREAM);
    let events = world.answer(id);
    let is_retry = |event: &Seen| {
        let code = ErrorCode::ResourceTemporarilyUnavailable;
        matches!(event, Seen::Error { code: of, .. } if *of == code)
    };
    // The two race: the endpoint may be gone when the channel has been parsed.
    assert!(
        events
            .iter()
            .any(|e| is_retry(e) || matches!(e, Seen::SubscriptionReady { .. }))
    );
    assert_eq!(world.driver().system(SystemCounter::Errors), 0);
}

#[test]
fn full_storage_has_a_code_of_its_own() {
    let store = || HeapLogStore::with_space(100_000);
    let mut world = World::with_store(1, &small_config(), &store);
    for channel in [UDP, "aeron:ipc"] {
        let id = world.driver().send_add_publication(channel, STREAM, false);
        let (code, text) = world.error(id);
        assert_eq!(code, ErrorCode::StorageSpace);
        assert!(text.contains("100000"), "{text}");
    }
    assert_empty(&world);
    // What differs each time would fill the log of distinct errors.
    let recorded = world.driver().errors();
    assert_eq!(recorded.len(), 1, "{recorded:?}");
    assert!(recorded[0].ends_with("a log needs more storage than is usable"));
}

/// The address contradicts the tag's endpoint, but that is on its way out.
#[test]
fn closing_channel_asks_to_try_again_whatever_its_tag_is_said_to_be() {
    let mut world = World::new(1, &small_config());
    let tagged = |port| format!("aeron:udp?endpoint=10.0.0.1:{port}|tags=5");
    let (subscription, _) = world.add_subscription(&tagged(4000), STREAM);
    world.driver().send_remove_subscription(subscription);
    let id = world.driver().send_add_subscription(&tagged(4001), STREAM);
    let mut answers = vec![world.answer(id)];
    let publication = world.add_exclusive(&tagged(4002), STREAM);
    world
        .driver()
        .send_remove_publication(publication.registration, false);
    for _ in 0..200 {
        let id = world
            .driver()
            .send_add_publication(&tagged(4003), STREAM, true);
        let answer = world.answer(id);
        let is_mismatch = answer.iter().any(|event| {
            matches!(
                event,
                Seen::Error {
                    code: ErrorCode::GenericError,
                    ..
                }
            )
        });
        if !is_mismatch {
            answers.push(answer);
            break;
        }
        // It lingers: its endpoint is still in use.
        world.run_ms(100);
    }
    assert_eq!(answers.len(), 2, "the publication's endpoint never closed");
    for answer in answers {
        let is_refused = answer.iter().any(|event| {
            matches!(
                event,
                Seen::Error {
                    code: ErrorCode::GenericError,
                    ..
                }
            )
        });
        assert!(!is_refused, "{answer:?}");
    }
}

#[test]
fn wildcard_ports_come_from_the_range() {
    let range = Some(PortRange {
        low: 20_700,
        high: 20_701,
    });
    let config = DriverConfig {
        receiver_wildcard_port_range: range,
        ..small_config()
    };
    let mut world = World::new(1, &config);
    let channel = "aeron:udp?endpoint=10.0.0.1:0";
    let (first, _) = world.add_subscription(channel, STREAM);
    world.add_subscription(channel, STREAM);
    let ports: Vec<_> = world
        .driver()
        .counters()
        .into_iter()
        .filter(|c| c.type_id == LOCAL_ADDRESS)
        .map(|c| c.label.rsplit(':').next().map(str::to_owned))
        .collect();
    assert_eq!(ports, [Some("20700".to_owned()), Some("20701".to_owned())]);
    let id = world.driver().send_add_subscription(channel, STREAM);
    let (code, text) = world.error(id);
    assert_eq!(code, ErrorCode::GenericError);
    assert!(
        text.contains("no available ports in range 20700 20701"),
        "{text}"
    );
    let id = world.driver().send_remove_subscription(first);
    world.answer(id);
    world.run_ms(5);
    world.add_subscription(channel, STREAM);
}

#[test]
fn stream_goes_from_driver_to_driver_and_ends() {
    let (mut world, ready, subscription, image) = connected(&small_config());
    assert_eq!((image.session, image.stream), (ready.session, ready.stream));
    assert_eq!(image.subscription, subscription);
    assert!(image.source.starts_with("10.0.0.1:"), "{}", image.source);
    assert_ne!(image.image.get(), ready.registration.get());
    let labels: Vec<_> = world.drivers[1]
        .counters()
        .into_iter()
        .map(|c| c.label)
        .collect();
    let stream = format!("{} {} 1001 {UDP}", image.image, image.session);
    for name in ["rcv-hwm", "rcv-pos", "rcv-naks-sent"] {
        assert!(labels.contains(&format!("{name}: {stream}")), "{labels:?}");
    }
    let position = format!("sub-pos: {subscription} {} 1001 {UDP} @0", image.session);
    assert!(labels.contains(&position), "{labels:?}");

    transfer(&mut world, &ready, &image, 10_000);
    let end = world.drivers[0].log(&ready.path).producer_position();
    let id = world
        .driver()
        .send_remove_publication(ready.registration, false);
    assert_eq!(world.answer(id), [Seen::Success(id)]);
    world.run_until(|world| world.drivers[1].take_events().iter().any(is_gone));
    assert_eq!(
        world.drivers[1].log(&image.path).end_of_stream_position(),
        end
    );
    let id = world.drivers[1].send_remove_subscription(subscription);
    assert_eq!(world.answer_of(1, id), [Seen::Success(id)]);
    world.run_ms(12_000);
    assert_empty(&world);
    for driver in &world.drivers {
        assert_eq!(driver.errors(), Vec::<String>::new());
    }
}

#[test]
fn lossy_network_loses_nothing() {
    let (mut world, ready, _, image) = connected(&small_config());
    world.network.set_default_faults(crate::sim::LinkFaults {
        loss_ppm: 50_000,
        duplicate_ppm: 10_000,
        reorder_ppm: 50_000,
        reorder_ns: 2_000_000,
        refuse_ppm: 10_000,
        ..crate::sim::LinkFaults::default()
    });
    transfer(&mut world, &ready, &image, 20_000);
    assert!(world.drivers[1].system(SystemCounter::NaksSent) > 0);
    assert!(world.drivers[0].system(SystemCounter::RetransmitsSent) > 0);
}

#[test]
fn late_subscription_joins_the_running_image() {
    let (mut world, ready, _, first) = connected(&small_config());
    transfer(&mut world, &ready, &first, 100);
    let (subscription, events) = world.add_subscription_at(1, UDP, STREAM);
    let second = image_among(&events).expect("the image was there");
    assert_eq!((second.image, &second.path), (first.image, &first.path));
    assert_eq!(second.subscription, subscription);
    let join = world.drivers[1].counter(second.position).get();
    assert_eq!(join, world.drivers[1].counter(first.position).get());
    world
        .driver()
        .offer(&ready, b"both")
        .expect("there is room");
    world.run_ms(10);
    assert_eq!(world.drivers[1].read(&first), [b"both"]);
    assert_eq!(world.drivers[1].read(&second), [b"both"]);
}

#[test]
fn publication_disconnects_when_its_receiver_goes_and_reconnects() {
    let (mut world, ready, subscription, image) = connected(&small_config());
    transfer(&mut world, &ready, &image, 10);
    let id = world.drivers[1].send_remove_subscription(subscription);
    world.answer_of(1, id);
    world.run_until(|world| !world.drivers[0].log(&ready.path).is_connected());
    world.run_ms(15_000);
    assert_eq!(world.drivers[1].store.paths(), Vec::<String>::new());
    world.drivers[1].take_events();
    world.add_subscription_at(1, UDP, STREAM);
    world.run_until(|world| world.drivers[0].log(&ready.path).is_connected());
}

#[test]
fn partition_ends_the_image_and_healing_brings_a_new_one() {
    let (mut world, ready, _, image) = connected(&small_config());
    transfer(&mut world, &ready, &image, 10);
    let cut = crate::sim::LinkFaults {
        is_partitioned: true,
        ..Default::default()
    };
    world.network.set_default_faults(cut);
    world.run_until(|world| world.drivers[1].take_events().iter().any(is_gone));
    assert!(!world.driver().log(&ready.path).is_connected());
    world.network.heal();
    world.network.set_default_faults(Default::default());
    let again = world.await_image(1);
    assert_ne!(again.image, image.image);
    world.run_until(|world| world.drivers[0].log(&ready.path).is_connected());
    world
        .driver()
        .offer(&ready, b"hello again")
        .expect("there is room");
    world.run_ms(10);
    assert_eq!(world.drivers[1].read(&again), [b"hello again"]);
}

#[test]
fn revoked_stream_goes_at_once() {
    let (mut world, ready, _, image) = connected(&small_config());
    transfer(&mut world, &ready, &image, 10);
    let id = world
        .driver()
        .send_remove_publication(ready.registration, true);
    world.answer(id);
    world.run_until(|world| world.drivers[1].take_events().iter().any(is_gone));
    assert_eq!(
        world.drivers[0].system(SystemCounter::PublicationsRevoked),
        1
    );
    assert_eq!(
        world.drivers[1].system(SystemCounter::PublicationImagesRevoked),
        1
    );
    assert!(world.drivers[1].log(&image.path).is_publication_revoked());
}

#[test]
fn rejected_image_tells_its_publisher() {
    let (mut world, ready, _, image) = connected(&small_config());
    let id = world.drivers[1].send(|client_id, correlation_id| {
        Command::RejectImage(RejectImage {
            client_id,
            correlation_id,
            image_correlation_id: image.image,
            position: Position(0),
            reason: b"no thanks",
        })
    });
    assert_eq!(world.answer_of(1, id), [Seen::Success(id)]);
    let expected = Seen::PublicationError {
        id: ready.registration,
        code: ErrorCode::ImageRejected,
        text: "no thanks".to_owned(),
    };
    world.run_until(|world| world.drivers[0].take_events().contains(&expected));
    world.run_until(|world| !world.drivers[0].log(&ready.path).is_connected());
}

#[test]
fn spy_reads_what_is_sent_and_can_stand_in_for_a_receiver() {
    let mut world = World::new(1, &small_config());
    let ready = world.add_publication(&format!("{UDP}|ssc=true"), STREAM);
    let (subscription, events) = world.add_subscription(&format!("aeron-spy:{UDP}"), STREAM);
    let [Seen::SubscriptionReady { .. }, Seen::Available(spied)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(spied.image.get(), ready.registration.get());
    assert_eq!((&spied.path, &*spied.source), (&ready.path, "aeron:ipc"));
    assert!(world.driver().log(&ready.path).is_connected());
    let mut received = 0;
    for _ in 0..200 {
        while world.driver().offer(&ready, &[3; 500]).is_some() {}
        received += world.driver().read(spied).len();
        world.run_ms(1);
    }
    assert!(received > 500, "the spy moves the sender: {received}");
    world
        .driver()
        .offer(&ready, b"unread")
        .expect("there is room");
    let id = world
        .driver()
        .send_remove_publication(ready.registration, false);
    world.answer(id);
    world.run_ms(2_000);
    assert!(
        !world.driver().take_events().iter().any(is_gone),
        "it has not read everything"
    );
    assert_eq!(world.driver().read(spied), [b"unread"]);
    world.run_until(|world| world.driver().take_events().iter().any(is_gone));
    let id = world.driver().send_remove_subscription(subscription);
    world.answer(id);
    world.run_ms(10_000);
    assert_empty(&world);
}

#[test]
fn spies_match_by_channel_session_and_stream() {
    let mut world = World::new(1, &small_config());
    let channel = format!("{UDP}|tags=8");
    let ready = world.add_publication(&channel, STREAM);
    for (spy, stream, sees) in [
        (format!("aeron-spy:{UDP}"), STREAM, true),
        (format!("aeron-spy:{UDP}"), STREAM + 1, false),
        (
            format!("aeron-spy:{UDP}|session-id={}", ready.session),
            STREAM,
            true,
        ),
        (format!("aeron-spy:{UDP}|session-id=5"), STREAM, false),
        (
            "aeron-spy:aeron:udp?endpoint=10.0.0.2:4001".to_owned(),
            STREAM,
            false,
        ),
        ("aeron-spy:aeron:udp?tags=8".to_owned(), STREAM, true),
    ] {
        let (_, events) = world.add_subscription(&spy, stream);
        assert_eq!(image_among(&events).is_some(), sees, "{spy}");
    }
}

#[test]
fn client_timeout_closes_what_it_had_on_the_network() {
    let (mut world, _, _, _) = connected(&small_config());
    for driver in &mut world.drivers {
        driver.beats = false;
    }
    world.run_ms(45_000);
    for driver in &mut world.drivers {
        assert_eq!(driver.system(SystemCounter::ClientTimeouts), 1);
        let events = driver.take_events();
        assert!(
            !events.iter().any(is_gone),
            "no image is announced as gone: {events:?}"
        );
        assert_eq!(driver.counters(), []);
    }
    assert_empty(&world);
}

#[test]
fn manual_destinations_are_added_and_removed() {
    let mut world = World::new(2, &small_config());
    let ready = world.add_publication("aeron:udp?control-mode=manual", STREAM);
    let count = |world: &World| {
        world.drivers[0]
            .counter_of_type(DESTINATIONS)
            .expect("mdc-num-dest")
            .value
    };
    let publication = ready.registration;
    let add = |world: &mut World, channel: &str| {
        world
            .driver()
            .send_destination(Command::AddDestination, publication, channel)
    };
    world.add_subscription_at(1, UDP, STREAM);
    let first = add(&mut world, UDP);
    assert_eq!(world.answer(first), [Seen::Success(first)]);
    let image = world.await_image(1);
    assert_eq!(image.session, ready.session);
    let unresolved = add(&mut world, "aeron:udp?endpoint=nowhere:4000");
    assert_eq!(world.answer(unresolved), [Seen::Success(unresolved)]);
    assert_eq!(count(&world), 2);
    let id = world
        .driver()
        .send_destination(Command::RemoveDestination, publication, UDP);
    assert_eq!(world.answer(id), [Seen::Success(id)]);
    assert_eq!(count(&world), 1);
    let id = world.driver().send(|client_id, correlation_id| {
        Command::RemoveDestinationById(RemoveDestinationById {
            client_id,
            correlation_id,
            registration_id: publication,
            destination_registration_id: unresolved.into(),
        })
    });
    assert_eq!(world.answer(id), [Seen::Success(id)]);
    assert_eq!(count(&world), 0);
}

#[test]
fn impossible_destinations_are_refused() {
    let mut world = World::new(1, &small_config());
    let manual = world
        .add_publication("aeron:udp?control-mode=manual", STREAM)
        .registration;
    let plain = world.add_publication(UDP, STREAM).registration;
    let nobody = RegistrationId(999_999);
    for (publication, channel, expected) in [
        (nobody, UDP, ErrorCode::UnknownPublication),
        (plain, UDP, ErrorCode::InvalidChannel),
        (
            manual,
            "aeron:udp?endpoint=10.0.0.2:0",
            ErrorCode::InvalidChannel,
        ),
        (
            manual,
            "aeron:udp?endpoint=10.0.0.2:1|mtu=2048",
            ErrorCode::InvalidChannel,
        ),
        (manual, "aeron:ipc", ErrorCode::InvalidChannel),
        (
            manual,
            "aeron-spy:aeron:udp?endpoint=10.0.0.2:1",
            ErrorCode::InvalidChannel,
        ),
    ] {
        let id = world
            .driver()
            .send_destination(Command::AddDestination, publication, channel);
        assert_eq!(world.error(id).0, expected, "{channel}");
    }
    let (plain, _) = world.add_subscription("aeron:udp?endpoint=10.0.0.1:4000", STREAM);
    for (subscription, channel) in [
        (nobody, "aeron:ipc"),
        (plain, "aeron:ipc"),
        (plain, UDP),
        (nobody, UDP),
    ] {
        let kind = Command::AddReceiveDestination;
        let id = world.driver().send_destination(kind, subscription, channel);
        assert_eq!(
            world.error(id).0,
            ErrorCode::UnknownSubscription,
            "{channel}"
        );
    }
}

#[test]
fn multi_destination_subscription_takes_streams_from_everywhere() {
    let mut world = World::new(2, &small_config());
    let (subscription, _) = world.add_subscription_at(1, "aeron:udp?control-mode=manual", STREAM);
    let ipc = world.add_publication_at(1, "aeron:ipc", STREAM);
    let spied = world.add_publication_at(1, "aeron:udp?endpoint=10.0.0.9:1", STREAM);
    let udp = world.add_publication_at(0, UDP, STREAM);
    let mut sources = Vec::new();
    for channel in ["aeron:ipc", "aeron-spy:aeron:udp?endpoint=10.0.0.9:1", UDP] {
        let kind = Command::AddReceiveDestination;
        let id = world.drivers[1].send_destination(kind, subscription, channel);
        let events = world.answer_of(1, id);
        assert_eq!(events.first(), Some(&Seen::Success(id)), "{channel}");
        let image = image_among(&events).unwrap_or_else(|| world.await_image(1));
        assert_eq!(image.subscription, subscription);
        sources.push(image.session);
        world.drivers[1].take_events();
    }
    assert_eq!(sources, [ipc.session, spied.session, udp.session]);
    for channel in ["aeron:ipc", "aeron-spy:aeron:udp?endpoint=10.0.0.9:1"] {
        let kind = Command::RemoveReceiveDestination;
        let id = world.drivers[1].send_destination(kind, subscription, channel);
        let events = world.answer_of(1, id);
        let [Seen::Success(_), gone] = &events[..] else {
            panic!("{events:?}")
        };
        assert!(is_gone(gone));
    }
    let kind = Command::RemoveReceiveDestination;
    let id = world.drivers[1].send_destination(kind, subscription, UDP);
    assert_eq!(world.answer_of(1, id), [Seen::Success(id)]);
    world.run_ms(10);
    let left: Vec<_> = world.drivers[1]
        .counters()
        .into_iter()
        .filter(|c| c.label.starts_with("rcv-local-sockaddr"))
        .collect();
    assert_eq!(left, [], "its transport is closed");
    assert!(world.drivers[1].counter_of_type(RECEIVE_CHANNEL).is_some());
    let id = world.drivers[1].send_remove_subscription(subscription);
    world.answer_of(1, id);
    world.run_ms(20_000);
    assert!(world.drivers[1].counter_of_type(RECEIVE_CHANNEL).is_none());
}

#[test]
fn dynamic_destinations_are_learnt() {
    let mut world = World::new(2, &small_config());
    let channel = "aeron:udp?control=10.0.0.1:5000|control-mode=dynamic";
    let ready = world.add_publication(channel, STREAM);
    let receiver = "aeron:udp?endpoint=10.0.0.2:4000|control=10.0.0.1:5000";
    world.add_subscription_at(1, receiver, STREAM);
    let image = world.await_image(1);
    world.run_until(|world| world.drivers[0].log(&ready.path).is_connected());
    transfer(&mut world, &ready, &image, 1000);
    assert!(world.driver().counter_of_type(SEND_CHANNEL).is_some());
}

#[test]
fn multicast_reaches_every_receiver() {
    let mut world = World::new(3, &small_config());
    let at = |host: u8| format!("aeron:udp?endpoint=224.20.30.39:4000|interface=10.0.0.{host}");
    world.add_subscription_at(1, &at(2), STREAM);
    world.add_subscription_at(2, &at(3), STREAM);
    let ready = world.add_publication(&at(1), STREAM);
    let images = [world.await_image(1), world.await_image(2)];
    world.run_until(|world| world.drivers[0].log(&ready.path).is_connected());
    world
        .driver()
        .offer(&ready, b"to all")
        .expect("there is room");
    world.run_ms(200);
    for (driver, image) in [1, 2].into_iter().zip(&images) {
        assert_eq!(world.drivers[driver].read(image), [b"to all"]);
    }
}

#[test]
fn response_stream_finds_its_way_back() {
    let mut world = World::new(2, &small_config());
    let responses = "aeron:udp?control=10.0.0.2:6000|control-mode=response";
    let (awaiting, _) = world.add_subscription(responses, STREAM);
    world.add_subscription_at(1, UDP, STREAM + 1);
    let request = world.add_publication(
        &format!("{UDP}|response-correlation-id={awaiting}"),
        STREAM + 1,
    );
    let asked = world.await_image(1);
    assert_eq!(asked.session, request.session);
    let channel = format!("{responses}|response-correlation-id={}", asked.image);
    let response = world.add_publication_at(1, &channel, STREAM);
    let answered = world.await_image(0);
    assert_eq!(
        (answered.session, answered.subscription),
        (response.session, awaiting)
    );
    world.run_until(|world| world.drivers[1].log(&response.path).is_connected());
    world.drivers[1]
        .offer(&response, b"answer")
        .expect("there is room");
    world.run_ms(10);
    assert_eq!(world.drivers[0].read(&answered), [b"answer"]);
}

#[test]
fn tagged_channels_refer_to_the_endpoint_of_the_first() {
    let mut world = World::new(1, &small_config());
    let publication = "aeron:udp?tags=5|endpoint=10.0.0.2:4000";
    let first = world.add_publication(publication, STREAM);
    for same in [publication, "aeron:udp?tags=5", "aeron:udp?tags=5|alias=x"] {
        assert_eq!(
            world.add_publication(same, STREAM).registration,
            first.registration
        );
    }
    let subscription = "aeron:udp?tags=5|endpoint=10.0.0.1:4000|control=10.0.0.9:5000";
    world.add_subscription(subscription, STREAM);
    for same in [subscription, "aeron:udp?tags=5"] {
        world.add_subscription(same, STREAM);
    }
    assert_eq!(world.network.open_sockets(), 2);
    for (what, is_publication, channel) in [
        ("endpoint", true, "aeron:udp?tags=5|endpoint=10.0.0.2:4001"),
        (
            "control",
            true,
            "aeron:udp?tags=5|endpoint=10.0.0.2:4000|control=10.0.0.1:77",
        ),
        ("mode", true, "aeron:udp?tags=5|control-mode=manual"),
        (
            "endpoint",
            false,
            "aeron:udp?tags=5|endpoint=10.0.0.1:4001|control=10.0.0.9:5000",
        ),
        (
            "control",
            false,
            "aeron:udp?tags=5|endpoint=10.0.0.1:4000|control=10.0.0.9:5001",
        ),
        (
            "no control",
            false,
            "aeron:udp?tags=5|endpoint=10.0.0.1:4000",
        ),
    ] {
        let id = if is_publication {
            world.driver().send_add_publication(channel, STREAM, false)
        } else {
            world.driver().send_add_subscription(channel, STREAM)
        };
        let (code, text) = world.error(id);
        assert_eq!(code, ErrorCode::GenericError, "{what}: {text}");
        assert!(text.contains("mismatched"), "{what}: {text}");
    }
    let other = world.add_publication("aeron:udp?tags=6|endpoint=10.0.0.2:4000", STREAM);
    assert_ne!(other.status, first.status, "different tags never match");
}

#[test]
fn name_that_moves_is_followed() {
    let mut world = World::new(2, &small_config());
    world.names.insert("receiver", [10, 0, 0, 9]);
    world.add_subscription_at(1, UDP, STREAM);
    let ready = world.add_publication("aeron:udp?endpoint=receiver:4000", STREAM);
    world.run_ms(3_000);
    assert!(!world.driver().log(&ready.path).is_connected());
    world.names.insert("receiver", [10, 0, 0, 2]);
    world.run_until(|world| world.drivers[0].log(&ready.path).is_connected());
    assert_eq!(world.driver().system(SystemCounter::ResolutionChanges), 1);
    let image = world.await_image(1);
    transfer(&mut world, &ready, &image, 100);
}

#[test]
fn destination_whose_name_comes_later_is_sent_to_then() {
    let mut world = World::new(2, &small_config());
    let ready = world.add_publication("aeron:udp?control-mode=manual", STREAM);
    let late = "aeron:udp?endpoint=late:4000";
    let id = world
        .driver()
        .send_destination(Command::AddDestination, ready.registration, late);
    world.answer(id);
    world.add_subscription_at(1, UDP, STREAM);
    world.names.insert("late", [10, 0, 0, 2]);
    let image = world.await_image(1);
    assert_eq!(image.session, ready.session);
}

#[test]
fn control_address_that_moves_is_followed() {
    let mut world = World::new(2, &small_config());
    world.names.insert("source", [10, 0, 0, 9]);
    let channel = "aeron:udp?endpoint=10.0.0.2:4000|control=source:5000";
    world.add_subscription_at(1, channel, STREAM);
    world.run_ms(2_000);
    world.names.insert("source", [10, 0, 0, 1]);
    let ready = world.add_publication(
        "aeron:udp?control=10.0.0.1:5000|control-mode=dynamic",
        STREAM,
    );
    let image = world.await_image(1);
    assert_eq!(image.session, ready.session);
}

#[test]
fn image_that_cannot_be_made_is_recorded_and_asked_for_again() {
    let mut world = World::new(2, &small_config());
    let channel = format!("{UDP}|cc=quantum");
    world.add_subscription_at(1, &channel, STREAM);
    world.add_publication(UDP, STREAM);
    world.run_ms(500);
    let errors = world.drivers[1].errors();
    assert!(
        errors.iter().any(|text| text.contains("cc=quantum")),
        "{errors:?}"
    );
    assert!(
        world.drivers[1].system(SystemCounter::Errors) > 1,
        "and again"
    );
    assert_eq!(world.drivers[1].store.paths(), Vec::<String>::new());
    let small = format!("{UDP}|rcv-wnd=1376");
    let mut world = World::new(2, &small_config());
    world.add_subscription_at(1, &small, STREAM);
    world.add_publication(UDP, STREAM);
    world.run_ms(500);
    let errors = world.drivers[1].errors();
    let says_so = |text: &String| text.contains("1408 is greater than the initial window");
    assert!(errors.iter().any(says_so), "{errors:?}");
}

#[test]
fn closing_deletes_all_logs() {
    let (mut world, _, _, _) = connected(&small_config());
    world.add_publication("aeron:ipc", STREAM);
    world.close();
    for driver in &world.drivers {
        assert_eq!(driver.store.paths(), Vec::<String>::new());
    }
}

#[test]
fn unreliable_image_skips_what_is_lost() {
    let mut world = World::new(2, &small_config());
    world.add_subscription_at(1, &format!("{UDP}|reliable=false"), STREAM);
    let ready = world.add_publication(UDP, STREAM);
    let image = world.await_image(1);
    world.run_until(|world| world.drivers[0].log(&ready.path).is_connected());
    let lossy = crate::sim::LinkFaults {
        loss_ppm: 200_000,
        ..Default::default()
    };
    world.network.set_default_faults(lossy);
    let (mut sent, mut received) = (0, 0);
    for _ in 0..2_000 {
        sent += usize::from(world.driver().offer(&ready, &[1; 1000]).is_some());
        world.run_ms(1);
        received += world.drivers[1].read(&image).len();
    }
    assert!(received < sent, "{received} of {sent}");
    assert!(received > sent / 2, "{received} of {sent}");
    assert!(world.drivers[1].system(SystemCounter::LossGapFills) > 0);
    assert_eq!(world.drivers[1].system(SystemCounter::NaksSent), 0);
}

#[test]
fn image_that_lacks_counters_leaves_nothing_behind_and_comes_once_there_are_some() {
    let mut world = World::new(2, &small_config());
    world.add_subscription_at(1, UDP, STREAM);
    let mut fillers = Vec::new();
    loop {
        let id = world.drivers[1].send(|client_id, correlation_id| {
            Command::AddCounter(AddCounter {
                client_id,
                correlation_id,
                type_id: 5_000,
                key: b"",
                label: b"filler",
            })
        });
        let events = world.answer_of(1, id);
        if matches!(events.last(), Some(Seen::Error { .. })) {
            break;
        }
        fillers.push(RegistrationId::from(id));
    }
    let remove = |world: &mut World, registration_id| {
        let id = world.drivers[1].send(|client_id, correlation_id| {
            Command::RemoveCounter(RemoveCounter {
                client_id,
                correlation_id,
                registration_id,
            })
        });
        world.answer_of(1, id);
    };
    // Enough for the image, not for its subscriber.
    for registration_id in fillers.drain(..3) {
        remove(&mut world, registration_id);
    }
    world.run_ms(2_000);
    let errors = world.drivers[1].system(SystemCounter::Errors);
    world.add_publication(UDP, STREAM);
    world.run_until(|world| world.drivers[1].system(SystemCounter::Errors) > errors);
    world.run_ms(5);
    assert_eq!(world.drivers[1].store.paths(), Vec::<String>::new());
    assert!(world.drivers[1].counter_of_type(3).is_none(), "no rcv-hwm");
    remove(&mut world, fillers[0]);
    world.await_image(1);
}
