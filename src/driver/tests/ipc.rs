//! IPC publications and their subscribers.

use crate::base::{CounterId, Position, RegistrationId, SessionId, StreamId};
use crate::cnc::SystemCounter;
use crate::command::{AddPublication, Command, ErrorCode, RejectImage};
use crate::driver::testing::{Seen, World, image_among, small_config};

const STREAM: i32 = 1001;
const IPC: &str = "aeron:ipc";

#[test]
fn heartbeat_counter_is_announced_before_the_publication_it_came_with() {
    let mut world = World::new(1, &small_config());
    let client = world.driver().client;
    let id = world.driver().send_add_publication(IPC, STREAM, false);
    let events = world.answer(id);
    let [Seen::CounterReady { id: heartbeat, .. }, Seen::Ready(ready)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(heartbeat.get(), client.get());
    assert_eq!(
        (ready.id, ready.registration),
        (id, RegistrationId::from(id))
    );
    assert_eq!(ready.status, CounterId::NONE);
    assert!(!ready.is_exclusive);
    let log = world.driver().log(&ready.path);
    assert_eq!(log.session_id(), ready.session);
    assert!(!log.is_connected());
    let labels: Vec<_> = world
        .driver()
        .counters()
        .into_iter()
        .map(|c| c.label)
        .collect();
    let session = ready.session;
    let expected = [
        format!("pub-pos (concurrent): {id} {session} 1001 aeron:ipc"),
        format!("pub-lmt: {id} {session} 1001 aeron:ipc"),
        format!("client-heartbeat: id={client}"),
    ];
    assert_eq!(labels, expected);
}

#[test]
fn second_publication_of_a_stream_shares_the_first_one() {
    let mut world = World::new(1, &small_config());
    let first = world.add_publication(IPC, STREAM);
    let second = world.add_publication("aeron:ipc?alias=other", STREAM);
    assert_ne!(first.id, second.id);
    assert_eq!(first.registration, second.registration);
    assert_eq!((first.session, &first.path), (second.session, &second.path));
    assert_eq!(first.limit, second.limit);
    let other_stream = world.add_publication(IPC, STREAM + 1);
    assert_ne!(other_stream.session, first.session);
    assert_ne!(other_stream.path, first.path);
}

#[test]
fn sharing_takes_equal_values_of_what_the_channel_says() {
    let mut world = World::new(1, &small_config());
    let first = world.add_publication("aeron:ipc?init-term-id=5|term-id=6|term-offset=64", STREAM);
    let session = first.session;
    for same in [
        "aeron:ipc?mtu=1408|term-length=64k",
        "aeron:ipc?init-term-id=5|term-id=6|term-offset=64",
        &format!("aeron:ipc?session-id={session}"),
    ] {
        assert_eq!(
            world.add_publication(same, STREAM).registration,
            first.registration
        );
    }
    for (parameter, channel) in [
        ("mtu", "aeron:ipc?mtu=2048"),
        ("term-length", "aeron:ipc?term-length=128k"),
        ("session-id", "aeron:ipc?session-id=99999"),
        (
            "term-offset",
            "aeron:ipc?init-term-id=5|term-id=6|term-offset=96",
        ),
        (
            "init-term-id",
            "aeron:ipc?init-term-id=4|term-id=6|term-offset=64",
        ),
    ] {
        let id = world.driver().send_add_publication(channel, STREAM, false);
        let (code, text) = world.error(id);
        assert_eq!(code, ErrorCode::GenericError, "{channel}");
        assert!(text.contains(&format!("different '{parameter}'")), "{text}");
    }
}

#[test]
fn exclusive_publications_are_never_shared_and_sessions_do_not_clash() {
    let mut world = World::new(1, &small_config());
    let first = world.add_exclusive(IPC, STREAM);
    let second = world.add_exclusive(IPC, STREAM);
    assert!(first.is_exclusive);
    assert_ne!(first.registration, second.registration);
    assert_ne!(first.session, second.session);
    let channel = format!("aeron:ipc?session-id={}", first.session);
    let id = world.driver().send_add_publication(&channel, STREAM, true);
    let (code, text) = world.error(id);
    assert_eq!(code, ErrorCode::InvalidChannel);
    assert!(text.contains("clashing sessionId"), "{text}");
    let labels: Vec<_> = world
        .driver()
        .counters()
        .into_iter()
        .map(|c| c.label)
        .collect();
    assert!(
        labels
            .iter()
            .any(|label| label.starts_with("pub-pos (exclusive): ")),
        "{labels:?}"
    );
}

#[test]
fn publication_starts_where_its_channel_says() {
    let mut world = World::new(1, &small_config());
    let ready = world.add_exclusive(
        "aeron:ipc?init-term-id=7|term-id=9|term-offset=4096",
        STREAM,
    );
    let start = 2 * 65_536 + 4096;
    assert_eq!(
        world.driver().log(&ready.path).producer_position(),
        Position(start)
    );
    let (_, events) = world.add_subscription(IPC, STREAM);
    let image = image_among(&events).expect("the publication was there");
    assert_eq!(world.driver().counter(image.position).get(), start);
    assert_eq!(world.driver().counter(ready.limit).get(), start + 32_768);
}

#[test]
fn subscription_is_ready_before_its_images() {
    let mut world = World::new(1, &small_config());
    let ready = world.add_publication(IPC, STREAM);
    let (subscription, events) = world.add_subscription(IPC, STREAM);
    let [
        Seen::SubscriptionReady { status, .. },
        Seen::Available(image),
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(*status, CounterId::NONE);
    assert_eq!(image.image.get(), ready.registration.get());
    assert_eq!((image.session, image.stream), (ready.session, ready.stream));
    assert_eq!(
        (image.subscription, &image.path),
        (subscription, &ready.path)
    );
    assert_eq!(image.source, "aeron:ipc");
    let record = world
        .driver()
        .counter_of_type(4)
        .expect("a subscriber position");
    assert_eq!(record.id, image.position);
    assert_eq!(record.reference_id, ready.registration.get());
    assert_eq!(record.registration_id, subscription);
    assert!(
        record.label.ends_with("1001 aeron:ipc @0"),
        "{}",
        record.label
    );
    assert!(world.driver().log(&ready.path).is_connected());
}

#[test]
fn publication_is_ready_before_the_images_it_causes() {
    let mut world = World::new(1, &small_config());
    let (subscription, _) = world.add_subscription(IPC, STREAM);
    let (other_session, _) = world.add_subscription("aeron:ipc?session-id=12345", STREAM);
    let id = world.driver().send_add_publication(IPC, STREAM, false);
    let events = world.answer(id);
    let [Seen::Ready(_), Seen::Available(image)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(image.subscription, subscription);
    let id = world
        .driver()
        .send_add_publication("aeron:ipc?session-id=12345", STREAM, true);
    let events = world.answer(id);
    let [
        Seen::Ready(_),
        Seen::Available(first),
        Seen::Available(second),
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(
        (first.subscription, second.subscription),
        (subscription, other_session)
    );
}

#[test]
fn messages_go_from_log_to_subscriber_and_the_limit_follows() {
    let mut world = World::new(1, &small_config());
    let ready = world.add_publication(IPC, STREAM);
    assert_eq!(
        world.driver().offer(&ready, b"too early"),
        None,
        "nobody listens"
    );
    let (_, events) = world.add_subscription(IPC, STREAM);
    let image = image_among(&events).expect("the publication was there");
    let message = [7; 1000];
    for round in 0..300 {
        let mut sent = 0;
        while world.driver().offer(&ready, &message).is_some() {
            sent += 1;
        }
        assert!(sent > 0, "round {round}: nothing could be sent");
        assert_eq!(
            world.driver().read(&image),
            vec![message.to_vec(); sent],
            "round {round}"
        );
        world.run_ms(1);
    }
    let publisher_position = world.driver().counter_of_type(12).expect("pub-pos").value;
    assert!(publisher_position > 3 * 65_536, "went around the log");
    assert_eq!(world.driver().errors(), Vec::<String>::new());
}

#[test]
fn losing_the_last_subscriber_disconnects_at_once() {
    let mut world = World::new(1, &small_config());
    let ready = world.add_publication(IPC, STREAM);
    let (subscription, _) = world.add_subscription(IPC, STREAM);
    let id = world.driver().send_remove_subscription(subscription);
    assert_eq!(world.answer(id), [Seen::Success(id)]);
    assert!(!world.driver().log(&ready.path).is_connected());
    assert!(
        world.driver().counter_of_type(4).is_none(),
        "its position is freed"
    );
    assert_eq!(world.driver().counter(ready.limit).get(), 0);
    let id = world.driver().send_remove_subscription(subscription);
    assert_eq!(world.error(id).0, ErrorCode::UnknownSubscription);
}

#[test]
fn removed_publication_drains_before_its_image_goes() {
    let mut world = World::new(1, &small_config());
    let ready = world.add_publication(IPC, STREAM);
    let (subscription, events) = world.add_subscription(IPC, STREAM);
    let image = image_among(&events).expect("the publication was there");
    let end = world
        .driver()
        .offer(&ready, b"last words")
        .expect("there is room");
    let id = world
        .driver()
        .send_remove_publication(ready.registration, false);
    assert_eq!(world.answer(id), [Seen::Success(id)]);
    assert_eq!(
        world.driver().log(&ready.path).end_of_stream_position(),
        end
    );
    world.run_ms(3000);
    assert_eq!(world.driver().take_events(), [], "not consumed yet");
    assert_eq!(world.driver().read(&image), [b"last words"]);
    world.run_ms(1100);
    let gone = Seen::Unavailable {
        image: image.image,
        subscription,
        channel: "aeron:ipc".to_owned(),
    };
    assert_eq!(world.driver().take_events(), [gone]);
    world.run_ms(1100);
    assert_eq!(world.driver().store.paths(), Vec::<String>::new());
    let left: Vec<_> = world
        .driver()
        .counters()
        .into_iter()
        .map(|c| c.type_id)
        .collect();
    assert_eq!(left, [11], "only the client's heartbeat is left");
}

#[test]
fn shared_publication_lives_until_its_last_link_goes() {
    let mut world = World::new(1, &small_config());
    let first = world.add_publication(IPC, STREAM);
    let second = world.add_publication(IPC, STREAM);
    let id = world
        .driver()
        .send_remove_publication(first.id.into(), false);
    assert_eq!(world.answer(id), [Seen::Success(id)]);
    world.run_ms(3000);
    assert_eq!(world.driver().store.paths(), [first.path]);
    let id = world
        .driver()
        .send_remove_publication(second.id.into(), false);
    world.answer(id);
    world.run_ms(3000);
    assert_eq!(world.driver().store.paths(), Vec::<String>::new());
}

#[test]
fn only_its_own_client_removes_a_publication() {
    let mut world = World::new(1, &small_config());
    let ready = world.add_publication(IPC, STREAM);
    world.driver().become_new_client();
    let id = world
        .driver()
        .send_remove_publication(ready.registration, false);
    let (code, text) = world.error(id);
    assert_eq!(code, ErrorCode::UnknownPublication);
    assert!(text.contains(&ready.registration.to_string()), "{text}");
}

#[test]
fn revoked_publication_ends_at_once() {
    let mut world = World::new(1, &small_config());
    let ready = world.add_publication(IPC, STREAM);
    let (_, events) = world.add_subscription(IPC, STREAM);
    let image = image_among(&events).expect("the publication was there");
    world
        .driver()
        .offer(&ready, b"never read")
        .expect("there is room");
    let id = world
        .driver()
        .send_remove_publication(ready.registration, true);
    assert_eq!(world.answer(id), [Seen::Success(id)]);
    assert!(world.driver().log(&ready.path).is_publication_revoked());
    world.run_ms(1100);
    let events = world.driver().take_events();
    assert!(
        matches!(&events[..], [Seen::Unavailable { image: gone, .. }] if *gone == image.image),
        "{events:?}"
    );
    assert_eq!(world.driver().system(SystemCounter::PublicationsRevoked), 1);
    world.run_ms(1100);
    assert_eq!(world.driver().store.paths(), Vec::<String>::new());
}

#[test]
fn session_may_be_used_again_once_its_publication_lingers() {
    let mut world = World::new(1, &small_config());
    let ready = world.add_exclusive("aeron:ipc?session-id=4711", STREAM);
    let id = world
        .driver()
        .send_remove_publication(ready.registration, false);
    world.answer(id);
    let id = world
        .driver()
        .send_add_publication("aeron:ipc?session-id=4711", STREAM, true);
    assert_eq!(world.error(id).0, ErrorCode::InvalidChannel);
    world.run_ms(1100);
    assert_eq!(
        world
            .add_exclusive("aeron:ipc?session-id=4711", STREAM)
            .session,
        SessionId(4711)
    );
}

#[test]
fn session_of_a_tagged_publication_can_be_copied() {
    let mut world = World::new(1, &small_config());
    let first = world.add_exclusive("aeron:ipc?tags=1,2|mtu=2048|term-length=128k", STREAM);
    let second = world.add_exclusive("aeron:ipc?session-id=tag:2", STREAM + 1);
    assert_eq!(second.session, first.session);
    assert_eq!(world.driver().log(&second.path).mtu_length(), 2048);
    for channel in ["aeron:ipc?tags=3,2", "aeron:ipc?session-id=tag:9"] {
        let id = world
            .driver()
            .send_add_publication(channel, STREAM + 2, false);
        assert_eq!(world.error(id).0, ErrorCode::InvalidChannel, "{channel}");
    }
}

#[test]
fn rejected_stream_comes_back_after_the_cool_down() {
    let mut world = World::new(1, &small_config());
    let ready = world.add_publication(IPC, STREAM);
    let (_, events) = world.add_subscription(IPC, STREAM);
    let image = image_among(&events).expect("the publication was there");
    let reject = |client_id, correlation_id| {
        Command::RejectImage(RejectImage {
            client_id,
            correlation_id,
            image_correlation_id: image.image,
            position: Position(0),
            reason: b"smells",
        })
    };
    let id = world.driver().send(reject);
    let events = world.answer(id);
    let [
        Seen::PublicationError {
            id: rejected,
            code,
            text,
        },
        Seen::Unavailable { .. },
        last,
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(
        (*rejected, *code, &**text),
        (ready.registration, ErrorCode::ImageRejected, "smells")
    );
    assert_eq!(*last, Seen::Success(id));
    assert_eq!(world.driver().system(SystemCounter::ImagesRejected), 1);
    assert!(!world.driver().log(&ready.path).is_connected());
    assert!(world.driver().counter_of_type(4).is_none());
    let (_, events) = world.add_subscription(IPC, STREAM);
    assert!(image_among(&events).is_none(), "cooling down: {events:?}");
    world.run_ms(11_100);
    let events = world.driver().take_events();
    assert!(
        matches!(&events[..], [Seen::Available(_), Seen::Available(_)]),
        "both are back: {events:?}"
    );
    assert!(world.driver().log(&ready.path).is_connected());
}

#[test]
fn nonsense_cannot_be_rejected() {
    let mut world = World::new(1, &small_config());
    let reason = [b'x'; 1024];
    let ready = world.add_publication(IPC, STREAM);
    for (image, reason) in [
        (999_999, &b"why"[..]),
        (ready.registration.get(), &reason[..]),
    ] {
        let id = world.driver().send(|client_id, correlation_id| {
            Command::RejectImage(RejectImage {
                client_id,
                correlation_id,
                image_correlation_id: image.into(),
                position: Position(0),
                reason,
            })
        });
        assert_eq!(world.error(id).0, ErrorCode::GenericError);
    }
}

#[test]
fn untethered_subscriber_that_lags_goes_and_comes_back() {
    let mut world = World::new(1, &small_config());
    let ready = world.add_publication(IPC, STREAM);
    let (_, events) = world.add_subscription("aeron:ipc?tether=false", STREAM);
    let slow = image_among(&events).expect("the publication was there");
    let (_, events) = world.add_subscription(IPC, STREAM);
    let fast = image_among(&events).expect("the publication was there");
    let mut events = Vec::new();
    for _ in 0..24_000 {
        world.driver().offer(&ready, &[1; 1000]);
        world.driver().read(&fast);
        world.run_ms(1);
        events.extend(world.driver().take_events());
    }
    let [
        Seen::Unavailable {
            subscription: gone, ..
        },
        Seen::Available(back),
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(
        (*gone, back.subscription),
        (slow.subscription, slow.subscription)
    );
    assert_eq!((back.image, back.position), (slow.image, slow.position));
    assert!(
        world.driver().counter(slow.position).get() > 0,
        "joined where the others were"
    );
}

#[test]
fn publisher_that_dies_amid_a_message_is_unblocked() {
    let mut world = World::new(1, &small_config());
    let ready = world.add_publication(IPC, STREAM);
    let (_, events) = world.add_subscription(IPC, STREAM);
    let image = image_among(&events).expect("the publication was there");
    let log = world.driver().log(&ready.path);
    let claim = log.claim(Position(32_768), 100).expect("there is room");
    // What a killed process leaves behind: a claim that is neither committed nor aborted.
    Box::leak(Box::new(claim));
    world
        .driver()
        .offer(&ready, b"after it")
        .expect("there is room");
    world.run_ms(10_000);
    assert_eq!(world.driver().read(&image).len(), 0);
    world.run_ms(8_000);
    assert_eq!(
        world.driver().system(SystemCounter::UnblockedPublications),
        1
    );
    assert_eq!(world.driver().read(&image), [b"after it"]);
}

#[test]
fn response_subscription_takes_the_session_of_its_response() {
    let mut world = World::new(1, &small_config());
    let (responses, events) = world.add_subscription("aeron:ipc?control-mode=response", STREAM);
    assert!(image_among(&events).is_none());
    let stranger = world.add_publication(IPC, STREAM);
    assert!(image_among(&world.driver().take_events()).is_none());
    let request = format!("aeron:ipc?response-correlation-id={responses}");
    let request = world.add_publication(&request, STREAM + 1);
    let response = format!(
        "aeron:ipc?control-mode=response|response-correlation-id={}",
        request.registration
    );
    let id = world
        .driver()
        .send_add_publication(&response, STREAM, false);
    let events = world.answer(id);
    let image = image_among(&events).expect("the response subscription sees the response");
    assert_eq!(image.subscription, responses);
    assert_ne!(image.session, stranger.session);
}

#[test]
fn registration_id_in_use_names_no_second_publication() {
    let mut world = World::new(1, &small_config());
    let ready = world.add_publication(IPC, STREAM);
    for is_exclusive in [false, true] {
        let (client_id, correlation_id) = (world.driver().client, ready.id);
        let add = AddPublication {
            client_id,
            correlation_id,
            stream_id: StreamId(STREAM),
            channel: IPC,
        };
        let mut payload = Vec::new();
        let type_id = if is_exclusive {
            Command::AddExclusivePublication(add).encode(&mut payload)
        } else {
            Command::AddPublication(add).encode(&mut payload)
        };
        world.driver().send_raw(type_id, &payload);
        let (code, text) = world.error(ready.id);
        assert_eq!(code, ErrorCode::GenericError);
        assert!(text.contains(&ready.id.to_string()), "{text}");
    }
    let id = world
        .driver()
        .send_remove_publication(ready.id.into(), false);
    assert_eq!(world.answer(id), [Seen::Success(id)]);
    world.run_ms(3_000);
    assert_eq!(
        world.driver().store.paths(),
        Vec::<String>::new(),
        "one removal is enough"
    );
}
