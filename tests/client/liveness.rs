//! Keeping the client alive, and every way it ends.

use aileron::base::{ClientId, EpochMillis, Position};
use aileron::client::{AddError, ClientConfig, ClientError, ConnectError, OfferError};
use aileron::command::{ClientTimeout, Event, command_id};
use std::time::Duration;

use crate::driver::{IPC, LIVENESS, Log, MILLI, Mode, SECOND, STREAM, Session, World};

#[test]
fn the_heartbeat_is_found_labelled_and_beaten() {
    let world = World::new();
    let mut session = world.client_with(ClientConfig::default().client_name("tester"));
    world.pass(&mut session, SECOND);
    let id = session.client.client_id();
    assert_eq!(
        world.driver().heartbeat_of(id),
        None,
        "no command, no counter"
    );

    let _publication = session.client.add_publication(IPC, STREAM).expect("added");
    world.pass(&mut session, SECOND);
    let counter = world.driver().heartbeat_of(id).expect("a heartbeat");
    let record = session
        .client
        .counters()
        .record(counter)
        .expect("allocated");
    let start = format!("client-heartbeat: id={id} name=tester version=");
    assert!(record.label.starts_with(&start), "{}", record.label);
    let before = record.value;
    world.pass(&mut session, 2 * SECOND);
    let after = session.client.counters().value(counter).expect("allocated");
    assert!(after >= before + 1400, "{before} {after}");
    let label = session.client.counters().label(counter).expect("allocated");
    assert_eq!(label.matches("name=").count(), 1);
    assert_eq!(session.errors.len(), 0);
}

/// Runs a client with one stream until `end` has made it terminate, and checks what is left of it.
fn ends_with(end: impl FnOnce(&World, &mut Session)) -> ClientError {
    let world = World::new();
    let closed = Log::default();
    let (on_close, on_gone) = (closed.clone(), closed.clone());
    let config = ClientConfig::default()
        .on_close(move || on_close.push("closed"))
        .on_unavailable_image(move |image| {
            assert!(image.is_closed());
            on_gone.push("image");
        });
    let mut session = world.client_with(config);
    let (publication, mut subscription) = world.stream(&mut session);
    let counter = session.client.add_counter(2000, b"", "c").expect("added");
    let gone = closed.clone();
    session
        .client
        .add_unavailable_counter_handler(move |_| gone.push("counter"))
        .expect("open");
    world.pass(&mut session, SECOND);
    world.driver().take_types();

    end(&world, &mut session);
    assert!(publication.is_closed() && subscription.is_closed() && counter.is_closed());
    assert_eq!(publication.offer(b"x"), Err(OfferError::Closed));
    assert_eq!(subscription.poll(1, |_, _| {}), 0);
    assert_eq!(subscription.image_count(), 0);
    let error = session
        .client
        .add_publication(IPC, STREAM)
        .expect_err("it ended");
    assert!(
        matches!(error, AddError::Client(ClientError::Closed)),
        "{error}"
    );
    assert_eq!(closed.take(), ["image", "counter"]);
    assert!(
        !session.client.is_closed(),
        "the next duty cycle closes the rest"
    );

    session.invoker.do_work();
    assert!(session.client.is_closed() && session.invoker.is_closed());
    assert_eq!(closed.take(), ["closed"]);
    assert_eq!(session.invoker.do_work(), 0);
    drop((publication, subscription, counter));
    session.client.close();
    world.driver().is_dead = false;
    world.driver().work();
    assert_eq!(world.driver().take_types(), [command_id::CLIENT_CLOSE]);
    assert_eq!(closed.len(), 0);
    let errors = session.errors.take();
    let [error] = &errors[..] else {
        panic!("{errors:?}")
    };
    assert!(error.is_termination());
    let cause = session.client.termination_cause().expect("not reentrant");
    assert_eq!(
        cause.map(|cause| cause.to_string()),
        Some(error.to_string())
    );
    error.clone()
}

#[test]
fn a_driver_that_shut_down_ends_the_client() {
    let error = ends_with(|world, session| {
        world.driver().is_dead = true;
        world.driver().set_heartbeat(EpochMillis(-1));
        world.clock.advance(SECOND);
        session.invoker.do_work();
    });
    assert!(matches!(error, ClientError::DriverShutdown));
}

#[test]
fn a_silent_driver_ends_the_client_after_the_driver_timeout() {
    let error = ends_with(|world, session| {
        world.driver().is_dead = true;
        for _ in 0..97 {
            world.clock.advance(100 * MILLI);
            session.invoker.do_work();
        }
        assert_eq!(session.errors.len(), 0);
        for _ in 0..10 {
            world.clock.advance(100 * MILLI);
            session.invoker.do_work();
            if session.errors.len() > 0 {
                break;
            }
        }
    });
    assert!(matches!(
        error,
        ClientError::DriverTimeout {
            age_ms: 10_001..,
            timeout_ms: 10_000
        }
    ));
}

#[test]
fn a_client_that_did_not_run_for_too_long_ends_itself() {
    let error = ends_with(|world, session| {
        world.clock.advance(LIVENESS + MILLI);
        world.driver().work();
        session.invoker.do_work();
    });
    assert!(
        matches!(
            error,
            ClientError::ServiceTimeout {
                timeout_ns: LIVENESS,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_client_that_the_driver_timed_out_ends() {
    let error = ends_with(|world, session| {
        let other = ClientId(session.client.client_id().get() + 1000);
        world
            .driver()
            .send(&Event::ClientTimeout(ClientTimeout { client_id: other }));
        session.invoker.do_work();
        assert_eq!(session.errors.len(), 0);
        let client_id = session.client.client_id();
        world
            .driver()
            .send(&Event::ClientTimeout(ClientTimeout { client_id }));
        session.invoker.do_work();
    });
    assert!(matches!(error, ClientError::ClientTimeout(_)));
}

#[test]
fn a_client_without_its_heartbeat_counter_ends() {
    let error = ends_with(|world, session| {
        let mut driver = world.driver();
        let counter = driver
            .heartbeat_of(session.client.client_id())
            .expect("a heartbeat");
        driver.counters().free(counter, EpochMillis(0));
        drop(driver);
        world.clock.advance(SECOND);
        world.driver().work();
        session.invoker.do_work();
    });
    assert!(matches!(error, ClientError::HeartbeatLost));
}

#[test]
fn a_client_that_missed_events_ends() {
    let error = ends_with(|world, session| {
        for _ in 0..10 {
            world.driver().send_raw(0x0F04, &[0; 8000]);
        }
        session.invoker.do_work();
    });
    assert!(matches!(error, ClientError::Lapped));
}

#[test]
fn a_waiting_call_fails_with_the_cause_of_the_end() {
    let world = World::new();
    let session = world.client();
    let _publication = session.client.add_publication(IPC, STREAM).expect("added");
    world.driver().mode = Mode::Mute;
    let mut pending = session
        .client
        .add_publication_async(IPC, STREAM)
        .expect("sent");
    world.driver().is_dead = true;
    world.driver().set_heartbeat(EpochMillis(-1));
    world.clock.advance(SECOND);
    let error = pending.try_get().expect_err("the driver is gone");
    assert!(
        matches!(error, AddError::Client(ClientError::DriverShutdown)),
        "{error}"
    );
    assert_eq!(session.errors.len(), 1);
}

#[test]
fn events_that_make_no_sense_are_reported_or_ignored() {
    let world = World::new();
    let mut session = world.client();
    world.settle(&mut session);
    world.driver().send_raw(0x0F02, &[0; 10]);
    world.driver().send_raw(0x7777, &[0; 10]);
    world.driver().send_raw(0x0F04, &[1; 8]);
    world.driver().refuse(
        aileron::base::CorrelationId(123_456),
        11,
        "whoever that was",
    );
    world.settle(&mut session);
    let errors = session.errors.take();
    assert!(
        matches!(
            errors[..],
            [ClientError::MalformedEvent { type_id: 0x0F02 }]
        ),
        "{errors:?}"
    );
}

#[test]
fn closing_ends_everything_at_once() {
    let world = World::new();
    let order = Log::default();
    let (on_close, on_gone) = (order.clone(), order.clone());
    let config = ClientConfig::default()
        .on_unavailable_image(move |_| on_gone.push("image"))
        .on_close(move || on_close.push("closed"));
    let mut session = world.client_with(config);
    let (publication, mut subscription) = world.stream(&mut session);
    publication.offer(b"hello").expect("room");
    let image = subscription.image_at(0).expect("an image");
    subscription.poll(1, |_, _| {});
    let last = order.clone();
    session.invoker.on_closed(move || last.push("joined"));
    world.driver().take_types();

    session.client.close();
    session.client.close();
    assert_eq!(order.take(), ["image", "closed", "joined"]);
    assert!(image.is_closed() && publication.is_closed() && subscription.is_closed());
    assert_eq!(
        (image.position(), image.join_position()),
        (Position(64), Position(0))
    );
    assert!(session.client.next_correlation_id().is_err());
    assert!(
        !session
            .client
            .has_active_commands()
            .expect("closed, not terminating")
    );
    assert!(session.client.add_close_handler(|| {}).is_err());
    drop((publication, subscription));
    world.driver().work();
    assert_eq!(world.driver().take_types(), [command_id::CLIENT_CLOSE]);
    assert_eq!(session.errors.len(), 0);
}

#[test]
fn the_last_handle_on_the_client_closes_it() {
    let world = World::new();
    let Session {
        client,
        mut invoker,
        ..
    } = world.client();
    let clone = client.clone();
    drop(client);
    assert!(!invoker.is_closed());
    let mut publication = clone.add_exclusive_publication(IPC, STREAM).expect("added");
    drop(clone);
    assert!(invoker.is_closed());
    assert_eq!(invoker.do_work(), 0);
    assert_eq!(publication.offer(b"x"), Err(OfferError::Closed));
}

#[test]
fn a_keepalive_slower_than_the_driver_tolerates_is_refused() {
    let world = World::new();
    let config = ClientConfig::default().keepalive_interval(Duration::from_secs(10));
    let error = aileron::client::Client::new(world.environment(), config).expect_err("too slow");
    assert!(matches!(
        error,
        ConnectError::InvalidOption {
            option: "keepalive_interval",
            ..
        }
    ));
    assert_eq!(
        world.cnc.to_driver().next_correlation_id().get(),
        1,
        "no id was wasted"
    );
}
