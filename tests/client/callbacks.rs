//! What handlers may do, and threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use aileron::base::{CorrelationId, Position, ReceiverId, RegistrationId, SessionId};
use aileron::client::{
    AddError, Client, ClientConfig, ClientError, HandlerId, Publication, Subscription,
};
use aileron::command::{ErrorCode, Event, PublicationError, command_id};

use crate::driver::{IPC, Log, STREAM, World};

#[test]
fn a_callback_that_calls_back_in_gets_an_error() {
    let world = World::new();
    let slot: Arc<OnceLock<Client>> = Arc::default();
    let results = Log::default();
    let (client, log) = (Arc::clone(&slot), results.clone());
    let config = ClientConfig::default().on_available_image(move |image| {
        let client = client.get().expect("set");
        let is_reentrant = |error: AddError| {
            assert!(
                matches!(error, AddError::Client(ClientError::Reentrant)),
                "{error}"
            );
        };
        client
            .add_publication(IPC, STREAM)
            .map(drop)
            .map_err(is_reentrant)
            .expect_err("reentrant");
        client
            .add_subscription(IPC, STREAM)
            .map(drop)
            .map_err(is_reentrant)
            .expect_err("reentrant");
        client
            .next_session_id(STREAM)
            .map(drop)
            .map_err(is_reentrant)
            .expect_err("reentrant");
        image
            .reject("no")
            .map_err(is_reentrant)
            .expect_err("reentrant");
        assert!(client.has_active_commands().is_err());
        assert!(client.add_close_handler(|| {}).is_err());
        // What does not need the conductor works.
        client.next_correlation_id().expect("open");
        log.push(image.position());
    });
    let mut session = world.client_with(config);
    assert!(slot.set(session.client.clone()).is_ok());
    let (_publication, _subscription) = world.stream(&mut session);
    assert_eq!(results.take(), [Position(0)]);
    assert_eq!(session.errors.len(), 0);
    session.client.close();
}

#[test]
fn closing_from_a_callback_happens_in_the_next_cycle() {
    let world = World::new();
    let slot: Arc<OnceLock<Client>> = Arc::default();
    let (client, closed) = (Arc::clone(&slot), Log::default());
    let log = closed.clone();
    let config = ClientConfig::default()
        .on_available_image(move |_| {
            let client = client.get().expect("set");
            client.close();
            assert!(!client.is_closed());
        })
        .on_close(move || log.push("closed"));
    let mut session = world.client_with(config);
    assert!(slot.set(session.client.clone()).is_ok());
    let (publication, subscription) = world.stream(&mut session);
    assert!(session.client.is_closed() && publication.is_closed() && subscription.is_closed());
    assert_eq!(closed.take(), ["closed"]);
}

#[test]
fn handles_can_be_dropped_in_callbacks() {
    let world = World::new();
    let kept: Arc<Mutex<Vec<(Publication, Subscription)>>> = Arc::default();
    let handles = Arc::clone(&kept);
    let config = ClientConfig::default().on_unavailable_image(move |_| {
        handles.lock().expect("not poisoned").clear();
    });
    let mut session = world.client_with(config);
    let (publication, subscription) = world.stream(&mut session);
    let (from, to) = (
        publication.registration_id(),
        subscription.registration_id(),
    );
    kept.lock()
        .expect("not poisoned")
        .push((publication, subscription));
    world.driver().disconnect(from, to);
    world.driver().take_types();
    world.settle(&mut session);
    let mut types = world.driver().take_types();
    types.sort_unstable();
    assert_eq!(
        types,
        [
            command_id::REMOVE_PUBLICATION,
            command_id::REMOVE_SUBSCRIPTION
        ]
    );
}

#[test]
fn a_handler_that_panics_is_reported_and_the_conductor_goes_on() {
    let world = World::new();
    let config = ClientConfig::default().on_available_image(|_| panic!("on purpose"));
    let mut session = world.client_with(config);
    let (publication, mut subscription) = world.stream(&mut session);
    let errors = session.errors.take();
    let [ClientError::HandlerPanicked { handler, message }] = &errors[..] else {
        panic!("{errors:?}")
    };
    assert_eq!(
        (*handler, message.as_str()),
        ("available image", "on purpose")
    );
    publication.offer(b"x").expect("room");
    assert_eq!(subscription.poll(1, |_, _| {}), 1);
}

#[test]
fn counter_handlers_hear_of_every_client() {
    let world = World::new();
    let heard = Log::default();
    let (came, went) = (heard.clone(), heard.clone());
    let config = ClientConfig::default().on_available_counter(move |event| {
        came.push((
            "came",
            event.registration_id,
            event.counters.label(event.counter_id),
        ));
    });
    let mut session = world.client_with(config);
    let id: HandlerId = session
        .client
        .add_unavailable_counter_handler(move |event| {
            went.push(("went", event.registration_id, None));
        })
        .expect("open");
    let other = world.client();
    let counter = other
        .client
        .add_counter(2000, b"", "theirs")
        .expect("added");
    world.settle(&mut session);
    let registration_id = counter.registration_id();
    let other_id = other.client.client_id();
    assert_eq!(
        heard.take(),
        [
            (
                "came",
                RegistrationId(other_id.get()),
                Some(format!("client-heartbeat: id={other_id}"))
            ),
            ("came", registration_id, Some("theirs".to_owned()))
        ]
    );
    drop(counter);
    world.settle(&mut session);
    assert_eq!(heard.take(), [("went", registration_id, None)]);

    assert!(
        session
            .client
            .remove_unavailable_counter_handler(id)
            .expect("not reentrant")
    );
    assert!(
        !session
            .client
            .remove_unavailable_counter_handler(id)
            .expect("not reentrant")
    );
    drop(
        other
            .client
            .add_counter(2000, b"", "theirs")
            .expect("added"),
    );
    world.settle(&mut session);
    assert_eq!(heard.take().len(), 1, "only that it came");
}

#[test]
fn a_close_handler_that_was_removed_is_not_called() {
    let world = World::new();
    let session = world.client();
    let called = Log::default();
    let (first, second) = (called.clone(), called.clone());
    let id = session
        .client
        .add_close_handler(move || first.push(1))
        .expect("open");
    session
        .client
        .add_close_handler(move || second.push(2))
        .expect("open");
    assert!(
        session
            .client
            .remove_close_handler(id)
            .expect("not reentrant")
    );
    session.client.close();
    assert_eq!(called.take(), [2]);
    assert!(
        !session
            .client
            .remove_close_handler(id)
            .expect("not reentrant")
    );
}

#[test]
fn a_publication_error_comes_once_per_handle() {
    let world = World::new();
    let heard = Log::default();
    let log = heard.clone();
    let config = ClientConfig::default().on_publication_error(move |frame| log.push(frame.clone()));
    let mut session = world.client_with(config);
    let first = session.client.add_publication(IPC, STREAM).expect("added");
    let _second = session.client.add_publication(IPC, STREAM).expect("added");
    let error = PublicationError {
        registration_id: first.registration_id(),
        destination_registration_id: RegistrationId(-1),
        session_id: first.session_id(),
        stream_id: STREAM,
        receiver_id: ReceiverId(9),
        group_tag: -1,
        source: Some(([127, 0, 0, 1], 4040).into()),
        code: ErrorCode::ImageRejected,
        message: b"no thanks",
    };
    world.driver().send(&Event::PublicationError(error));
    let other = PublicationError {
        registration_id: RegistrationId(-5),
        ..error
    };
    world.driver().send(&Event::PublicationError(other));
    world.settle(&mut session);
    let frames = heard.take();
    assert_eq!(frames.len(), 2);
    let frame = &frames[0];
    assert_eq!(
        (frame.destination_registration_id, frame.group_tag),
        (None, None)
    );
    assert_eq!(
        (frame.code, frame.message.as_str()),
        (ErrorCode::ImageRejected, "no thanks")
    );
    assert_eq!(frame.session_id, SessionId(first.session_id().get()));
}

#[test]
fn an_endpoint_error_is_reported_for_each_user_of_the_channel() {
    let world = World::new();
    let mut session = world.client();
    let status = world
        .driver()
        .allocate(6, b"", "snd-channel", RegistrationId(1), 0);
    world.driver().channel_status = status.id();
    let publication = session.client.add_publication(IPC, STREAM).expect("added");
    let subscription = session.client.add_subscription(IPC, STREAM).expect("added");
    let id = CorrelationId(i64::from(status.id().get()));
    world.driver().refuse(id, 4, "port in use");
    world.settle(&mut session);
    let of: Vec<_> = session
        .errors
        .take()
        .into_iter()
        .map(|error| match error {
            ClientError::ChannelEndpoint {
                registration_id,
                message,
            } => {
                assert_eq!(message, "port in use");
                registration_id
            }
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(
        of,
        [
            publication.registration_id(),
            subscription.registration_id()
        ]
    );
}

#[test]
fn calls_wait_for_a_conductor_on_another_thread() {
    let world = World::new();
    let session = world.client();
    let crate::driver::Session {
        client,
        mut invoker,
        ..
    } = session;
    let stop = Arc::new(AtomicBool::new(false));
    let conductor = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            while !invoker.is_closed() {
                invoker.do_work();
                std::thread::yield_now();
            }
            stop.store(true, Ordering::SeqCst);
        }
    });
    let adders: Vec<_> = (0..3)
        .map(|_| {
            let client = client.clone();
            std::thread::spawn(move || {
                for _ in 0..20 {
                    let publication = client.add_publication(IPC, STREAM).expect("added");
                    let subscription = client.add_subscription(IPC, STREAM).expect("added");
                    assert!(!publication.is_closed() && !subscription.is_closed());
                    drop((publication, subscription));
                }
            })
        })
        .collect();
    adders
        .into_iter()
        .for_each(|thread| thread.join().expect("no panic"));
    client.close();
    conductor.join().expect("no panic");
    assert!(stop.load(Ordering::SeqCst));
}
