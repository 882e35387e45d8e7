//! Images coming and going.

use aileron::base::{CorrelationId, Position};
use aileron::client::{AddError, ClientConfig, ClientError};
use aileron::command::{Command, command_id};

use crate::driver::{IPC, Log, SECOND, STREAM, World, last_command};

#[test]
fn an_image_is_in_the_list_when_its_handler_runs_and_out_of_it_afterwards() {
    let world = World::new();
    let events = Log::default();
    let (came, went) = (events.clone(), events.clone());
    let mut session = world.client();
    let publication = session.client.add_publication(IPC, STREAM).expect("added");
    let subscription = session
        .client
        .subscription(IPC, STREAM)
        .on_available_image(move |image| {
            assert!(!image.is_closed());
            came.push(("came", image.position()));
        })
        .on_unavailable_image(move |image| {
            assert!(image.is_closed());
            went.push(("went", image.position()));
        })
        .add()
        .expect("added");
    let (from, to) = (
        publication.registration_id(),
        subscription.registration_id(),
    );
    assert!(subscription.has_no_images() && !subscription.is_connected());
    let position = world.driver().connect_at(from, to, Position(0));
    world.settle(&mut session);
    assert_eq!(events.take(), [("came", Position(0))]);
    assert!(subscription.is_connected());

    let image = subscription
        .image_by_session(publication.session_id())
        .expect("an image");
    assert_eq!(image.correlation_id(), CorrelationId::from(from));
    assert_eq!(image.subscription_registration_id(), to);
    assert_eq!(image.source_identity(), "aeron:ipc");
    assert_eq!(image.subscriber_position_id(), position.id());
    assert_eq!((image.term_length(), image.mtu_length()), (65536, 1408));
    assert_eq!(image.end_of_stream_position(), Position(i64::MAX));
    assert!(!image.is_end_of_stream() && !image.is_publication_revoked());

    position.set(4096);
    let log = world.driver().streams[&from].log.clone();
    log.set_end_of_stream_position(Position(4096));
    assert!(image.is_end_of_stream());
    world.driver().disconnect(from, to);
    world.settle(&mut session);
    assert_eq!(events.take(), [("went", Position(4096))]);
    position.set(8192);
    log.set_publication_revoked(true);
    log.set_end_of_stream_position(Position(8192));
    assert_eq!(image.position(), Position(4096), "frozen");
    assert_eq!(image.end_of_stream_position(), Position(4096));
    assert!(image.is_end_of_stream() && !image.is_publication_revoked());
    assert_eq!(image.active_transport_count(), 0);
    assert!(subscription.has_no_images());
    world.driver().disconnect(from, to);
    world.settle(&mut session);
    assert_eq!(events.len(), 0, "once is enough");
}

#[test]
fn the_configuration_s_handlers_serve_subscriptions_without_their_own() {
    let world = World::new();
    let events = Log::default();
    let (came, went) = (events.clone(), events.clone());
    let config = ClientConfig::default()
        .on_available_image(move |_| came.push("came"))
        .on_unavailable_image(move |_| went.push("went"));
    let mut session = world.client_with(config);
    let (_publication, subscription) = world.stream(&mut session);
    drop(subscription);
    assert_eq!(events.take(), ["came"]);
    world.settle(&mut session);
    assert_eq!(events.take(), ["went"]);
}

#[test]
fn closing_a_subscription_runs_the_handlers_on_the_caller() {
    let world = World::new();
    let events = Log::default();
    let went = events.clone();
    let config = ClientConfig::default().on_unavailable_image(move |image| {
        assert!(image.is_closed());
        went.push(std::thread::current().id());
    });
    let mut session = world.client_with(config);
    let (_publication, mut subscription) = world.stream(&mut session);
    let image = subscription.image_at(0).expect("an image");
    subscription.close();
    assert_eq!(events.take(), [std::thread::current().id()]);
    assert!(image.is_closed());
    subscription.close();
    drop(subscription);
    world.settle(&mut session);
    let types = world.driver().take_types();
    let removed = types
        .iter()
        .filter(|id| **id == command_id::REMOVE_SUBSCRIPTION);
    assert_eq!(removed.count(), 1);
    assert_eq!(events.len(), 0);
}

#[test]
fn an_image_of_an_unknown_subscription_is_ignored() {
    let world = World::new();
    let mut session = world.client();
    let (publication, subscription) = world.stream(&mut session);
    let nobody = publication.registration_id();
    world
        .driver()
        .connect_at(publication.registration_id(), nobody, Position(0));
    world.settle(&mut session);
    assert_eq!(subscription.image_count(), 1);
    let (from, to) = (
        publication.registration_id(),
        subscription.registration_id(),
    );
    world.driver().connect_at(from, to, Position(0));
    world.settle(&mut session);
    assert_eq!(subscription.image_count(), 1, "an id comes once");
    assert_eq!(session.errors.len(), 0);
}

#[test]
fn an_image_whose_log_cannot_be_mapped_is_reported_with_the_consequence() {
    let world = World::new();
    let mut session = world.client();
    // A publication of another client, so that its log is not mapped here.
    let other = world.client();
    let publication = other.client.add_publication(IPC, STREAM).expect("added");
    let subscription = session.client.add_subscription(IPC, STREAM).expect("added");
    world.driver().wrong_path = Some("nowhere");
    let (from, to) = (
        publication.registration_id(),
        subscription.registration_id(),
    );
    world.driver().connect_at(from, to, Position(0));
    world.settle(&mut session);
    assert!(subscription.has_no_images());
    let errors = session.errors.take();
    let [error @ ClientError::ImageLog { path, .. }] = &errors[..] else {
        panic!("{errors:?}")
    };
    assert_eq!(path, "nowhere");
    assert!(
        error.to_string().contains("holds back the stream"),
        "{error}"
    );
}

#[test]
fn an_image_can_come_back_under_its_id() {
    let world = World::new();
    let mut session = world.client();
    let (publication, mut subscription) = world.stream(&mut session);
    publication.offer(b"first").expect("room");
    assert_eq!(subscription.poll(10, |_, _| {}), 1);
    let old = subscription.image_at(0).expect("an image");
    let (from, to) = (
        publication.registration_id(),
        subscription.registration_id(),
    );
    world.driver().disconnect(from, to);
    world.settle(&mut session);
    publication.offer(b"missed").expect("room");
    publication.offer(b"second").expect("room");
    world.driver().connect_at(from, to, Position(128));
    world.settle(&mut session);
    let mut seen = Vec::new();
    subscription.poll(10, |payload, header| {
        assert_eq!(
            header.image().expect("of a log").join_position(),
            Position(128)
        );
        seen.push(payload.to_vec());
    });
    assert_eq!(seen, [b"second"]);
    assert_eq!(old.position(), Position(64));
}

#[test]
fn a_closed_image_leaves_its_counter_alone() {
    let world = World::new();
    let mut session = world.client();
    let publication = session.client.add_publication(IPC, STREAM).expect("added");
    let mut subscription = session.client.add_subscription(IPC, STREAM).expect("added");
    let (from, to) = (
        publication.registration_id(),
        subscription.registration_id(),
    );
    let position = world.driver().connect_at(from, to, Position(0));
    world.settle(&mut session);
    for _ in 0..3 {
        publication.offer(b"hello").expect("room");
    }
    let fragments = subscription.poll(10, |_, _| {
        world.driver().disconnect(from, to);
        session.invoker.do_work();
    });
    assert_eq!(fragments, 1, "the poll ends with the image");
    assert_eq!(position.get(), 0);
    assert_eq!(subscription.poll(10, |_, _| {}), 0);
}

#[test]
fn a_log_lingers_after_its_image() {
    let world = World::new();
    let mut session = world.client();
    let (publication, subscription) = world.stream(&mut session);
    let image = subscription.image_at(0).expect("an image");
    drop((publication, subscription));
    world.pass(&mut session, 5 * SECOND);
    // The handle alone keeps the mapping now.
    assert_eq!(image.term_length(), 65536);
    assert_eq!(image.position(), Position(0));
    assert_eq!(session.errors.len(), 0);
}

#[test]
fn rejecting_an_image_sends_reason_and_position() {
    let world = World::new();
    let mut session = world.client();
    let (publication, mut subscription) = world.stream(&mut session);
    publication.offer(b"hello").expect("room");
    subscription.poll(1, |_, _| {});
    let image = subscription.image_at(0).expect("an image");
    image.reject("no thanks").expect("acknowledged");
    let rejected = last_command(&world.driver(), command_id::REJECT_IMAGE, |command| {
        let Command::RejectImage(reject) = command else {
            panic!("{command:?}")
        };
        (
            reject.image_correlation_id,
            reject.position,
            reject.reason.to_vec(),
        )
    });
    assert_eq!(
        rejected,
        (image.correlation_id(), Position(64), b"no thanks".to_vec())
    );
    let error = image.reject(&"x".repeat(1024)).expect_err("too long");
    assert!(matches!(
        error,
        AddError::InvalidArgument {
            argument: "reason",
            ..
        }
    ));
    subscription.close();
    assert!(matches!(
        image.reject("late"),
        Err(AddError::ResourceClosed)
    ));
    session.client.close();
    assert!(image.reject("later").is_err());
}

#[test]
fn a_spy_s_image_cannot_be_rejected() {
    let world = World::new();
    let mut session = world.client();
    let publication = session.client.add_publication(IPC, STREAM).expect("added");
    let channel = "aeron-spy:aeron:udp?endpoint=localhost:4040";
    let subscription = session
        .client
        .add_subscription(channel, STREAM)
        .expect("added");
    let (from, to) = (
        publication.registration_id(),
        subscription.registration_id(),
    );
    world.driver().connect_at(from, to, Position(0));
    world.settle(&mut session);
    let image = subscription.image_at(0).expect("an image");
    let error = image.reject("no").expect_err("a spy");
    assert!(
        error.to_string().contains("spies can not reject images"),
        "{error}"
    );
}
