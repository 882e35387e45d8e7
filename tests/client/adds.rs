//! Adding and removing resources, with and without waiting, and when it goes wrong.

use aileron::base::{CounterId, RegistrationId, SessionId};
use aileron::client::{AddError, ClientError};
use aileron::command::{Command, ErrorCode, command_id};

use crate::driver::{
    IPC, MILLI, Mode, SECOND, STREAM, World, last_command, last_removed_publication,
};

const DRIVER_TIMEOUT: i64 = 10 * SECOND;

#[test]
fn two_adds_of_a_publication_share_log_and_session_but_not_registration() {
    let world = World::new();
    let mut session = world.client();
    let first = session.client.add_publication(IPC, STREAM).expect("added");
    let second = session.client.add_publication(IPC, STREAM).expect("added");
    assert!(first.is_original() && !second.is_original());
    assert_eq!(first.session_id(), second.session_id());
    assert_eq!(second.original_registration_id(), first.registration_id());
    assert_ne!(second.registration_id(), first.registration_id());
    assert_eq!((first.channel(), first.stream_id()), (IPC, STREAM));

    let gone = first.registration_id();
    drop(first);
    world.settle(&mut session);
    assert_eq!(last_removed_publication(&world.driver()), (gone, false));
    assert!(!second.is_closed());
}

#[test]
fn only_the_last_clone_of_a_publication_removes_it() {
    let world = World::new();
    let mut session = world.client();
    let publication = session.client.add_publication(IPC, STREAM).expect("added");
    let clone = publication.clone();
    world.driver().take_types();
    drop(publication);
    world.settle(&mut session);
    assert_eq!(world.driver().take_types(), []);
    clone.close();
    clone.close();
    assert!(clone.is_closed());
    drop(clone);
    world.settle(&mut session);
    assert_eq!(
        world.driver().take_types(),
        [command_id::REMOVE_PUBLICATION]
    );
}

#[test]
fn revoking_an_exclusive_publication_sends_the_flag() {
    let world = World::new();
    let mut session = world.client();
    let publication = session
        .client
        .add_exclusive_publication(IPC, STREAM)
        .expect("added");
    let id = publication.registration_id();
    publication.revoke();
    world.settle(&mut session);
    assert_eq!(last_removed_publication(&world.driver()), (id, true));
    let mut publication = session
        .client
        .add_exclusive_publication(IPC, STREAM)
        .expect("added");
    publication.revoke_on_close(true);
    drop(publication);
    world.settle(&mut session);
    assert!(last_removed_publication(&world.driver()).1);
}

#[test]
fn a_refusal_carries_code_and_text_even_of_codes_unknown() {
    let world = World::new();
    let session = world.client();
    for (raw, code) in [
        (1, ErrorCode::InvalidChannel),
        (4711, ErrorCode::UnknownCodeValue),
    ] {
        world.driver().mode = Mode::Refuse(raw, "no");
        let error = session
            .client
            .add_subscription("aeron:udp", STREAM)
            .expect_err("refused");
        let AddError::Registration(error) = error else {
            panic!("{error}")
        };
        assert_eq!(
            (error.code, error.raw_code, error.message.as_str()),
            (code, raw, "no")
        );
    }
    world.driver().mode = Mode::Refuse(10, "closing");
    assert!(
        session
            .client
            .add_publication(IPC, STREAM)
            .expect_err("refused")
            .is_retryable()
    );
    assert_eq!(session.errors.len(), 0);
}

#[test]
fn no_answer_fails_the_call_and_leaves_the_client_open() {
    let world = World::new();
    let session = world.client();
    world.driver().mode = Mode::Mute;
    let error = session
        .client
        .add_publication(IPC, STREAM)
        .expect_err("no answer");
    assert!(matches!(error, AddError::DriverTimeout { .. }), "{error}");
    world.driver().mode = Mode::Answer;
    session.client.add_publication(IPC, STREAM).expect("added");
}

#[test]
fn a_late_ready_of_an_abandoned_add_is_removed_again() {
    let world = World::new();
    let mut session = world.client();
    let client = &session.client;
    world.driver().mode = Mode::Delay;
    let mut publication = client.add_publication_async(IPC, STREAM).expect("sent");
    let subscription = client.add_subscription_async(IPC, STREAM).expect("sent");
    let counter = client.add_counter_async(2000, b"", "c").expect("sent");
    let id = publication.registration_id();
    world.settle(&mut session);
    for _ in 0..102 {
        world.clock.advance(100 * MILLI);
        world.settle(&mut session);
    }
    assert!(matches!(
        publication.try_get(),
        Err(AddError::DriverTimeout { .. })
    ));
    assert!(publication.try_get().expect("told once").is_none());
    drop((subscription, counter));

    world.driver().take_types();
    world.driver().release();
    world.settle(&mut session);
    assert_eq!(last_removed_publication(&world.driver()), (id, false));
    assert_eq!(
        world.driver().take_types(),
        [
            command_id::REMOVE_PUBLICATION,
            command_id::REMOVE_SUBSCRIPTION,
            command_id::REMOVE_COUNTER
        ]
    );
    assert_eq!(session.errors.len(), 0);
}

#[test]
fn a_pending_add_completes_without_blocking() {
    let world = World::new();
    let session = world.client();
    let mut pending = session
        .client
        .add_publication_async(IPC, STREAM)
        .expect("sent");
    let id = pending.registration_id();
    assert!(session.client.is_command_active(id.into()).expect("open"));
    assert!(session.client.has_active_commands().expect("open"));
    assert!(pending.try_get().expect("no error").is_none());
    world.driver().work();
    let publication = loop {
        if let Some(publication) = pending.try_get().expect("no error") {
            break publication;
        }
    };
    assert_eq!(publication.registration_id(), id);
    assert!(
        pending.try_get().expect("no error").is_none(),
        "it is handed out once"
    );
    assert!(!session.client.is_command_active(id.into()).expect("open"));
}

#[test]
fn dropping_a_pending_add_cancels_before_and_after_its_answer() {
    let world = World::new();
    let mut session = world.client();
    let before = session
        .client
        .add_publication_async(IPC, STREAM)
        .expect("sent");
    let id = before.registration_id();
    drop(before);
    world.settle(&mut session);
    assert_eq!(last_removed_publication(&world.driver()), (id, false));

    let after = session
        .client
        .add_subscription_async(IPC, STREAM)
        .expect("sent");
    let id = after.registration_id();
    world.settle(&mut session);
    drop(after);
    world.settle(&mut session);
    let removed = last_command(
        &world.driver(),
        command_id::REMOVE_SUBSCRIPTION,
        |command| {
            let Command::RemoveSubscription(remove) = command else {
                panic!("{command:?}")
            };
            remove.registration_id
        },
    );
    assert_eq!(removed, id);
    assert!(!session.client.has_active_commands().expect("open"));
}

#[test]
fn a_cancelled_add_that_fails_is_forgotten() {
    let world = World::new();
    let mut session = world.client();
    world.driver().mode = Mode::Refuse(11, "no");
    drop(
        session
            .client
            .add_publication_async(IPC, STREAM)
            .expect("sent"),
    );
    world.settle(&mut session);
    assert_eq!(world.driver().take_types(), [command_id::ADD_PUBLICATION]);
    assert_eq!(session.errors.len(), 0);
}

#[test]
fn a_log_that_cannot_be_mapped_fails_the_add_and_removes_without_revoking() {
    let world = World::new();
    let mut session = world.client();
    world.driver().wrong_path = Some("nowhere");
    let error = session
        .client
        .add_publication(IPC, STREAM)
        .expect_err("no log");
    let AddError::Log { path, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(path, "nowhere");
    assert!(std::error::Error::source(&error).is_some());
    world.settle(&mut session);
    let (_, is_revoke) = last_removed_publication(&world.driver());
    assert!(!is_revoke);
}

#[test]
fn a_full_ring_refuses_commands_but_keeps_removals_for_later() {
    let world = World::new();
    let mut session = world.client();
    let publication = session.client.add_publication(IPC, STREAM).expect("added");
    let id = publication.registration_id();
    let junk = Command::ClientKeepalive(aileron::command::ClientKeepalive {
        client_id: aileron::base::ClientId(-7),
        correlation_id: aileron::base::CorrelationId(-1),
    });
    let mut payload = Vec::new();
    let type_id = junk.encode(&mut payload);
    while world.cnc.to_driver().write(type_id, &payload).is_ok() {}
    let error = session
        .client
        .add_publication_async(IPC, STREAM)
        .expect_err("full");
    assert!(error.is_retryable(), "{error}");
    assert!(error.to_string().contains("add publication"), "{error}");

    drop(publication);
    session.invoker.do_work();
    let ring = world.cnc.to_driver();
    while ring.consumer_position() != ring.producer_position() {
        world.driver().work();
    }
    world.driver().received.clear();
    world.clock.advance(20 * MILLI);
    session.invoker.do_work();
    world.driver().work();
    assert_eq!(last_removed_publication(&world.driver()), (id, false));
}

#[test]
fn arguments_over_their_limits_send_nothing() {
    let world = World::new();
    let session = world.client();
    let channel = format!("aeron:udp?alias={}", "x".repeat(4 * 4096));
    let argument = |error: AddError| match error {
        AddError::InvalidArgument { argument, .. } => argument,
        other => panic!("{other}"),
    };
    let client = &session.client;
    assert_eq!(
        argument(client.add_publication(&channel, STREAM).expect_err("long")),
        "channel"
    );
    assert_eq!(
        argument(client.add_subscription(&channel, STREAM).expect_err("long")),
        "channel"
    );
    assert_eq!(
        argument(client.add_counter(1, &[0; 113], "").expect_err("long")),
        "key"
    );
    let label = "x".repeat(381);
    assert_eq!(
        argument(client.add_counter(1, b"", &label).expect_err("long")),
        "label"
    );
    let id = RegistrationId(1);
    assert_eq!(
        argument(
            client
                .add_static_counter(1, b"", &label, id)
                .expect_err("long")
        ),
        "label"
    );
    world.driver().work();
    assert_eq!(world.driver().take_types(), []);
}

#[test]
fn counters_live_from_add_to_drop() {
    let world = World::new();
    let mut session = world.client();
    let counter = session
        .client
        .add_counter(2000, b"key", "orders")
        .expect("added");
    counter.set(5);
    assert_eq!((counter.add(2), counter.get()), (5, 7));
    assert!(counter.propose_max(9) && !counter.propose_max(8));
    assert_eq!(counter.label().as_deref(), Some("orders"));
    let (id, reader) = (counter.id(), session.client.counters());
    assert_eq!(reader.value(id), Some(9));

    counter.close();
    counter.set(100);
    assert_eq!((counter.get(), counter.add(1)), (9, 9), "it is frozen");
    assert_eq!(reader.value(id), Some(9));
    drop(counter);
    world.settle(&mut session);
    assert_eq!(
        reader.state(id),
        aileron::concurrent::CounterState::Reclaimed
    );
}

#[test]
fn static_counters_outlive_their_handles() {
    let world = World::new();
    let mut session = world.client();
    let id = RegistrationId(77);
    let counter = session
        .client
        .add_static_counter(2001, b"", "static", id)
        .expect("added");
    assert!(counter.is_static());
    assert_eq!(counter.registration_id(), id);
    world.driver().take_types();
    drop(counter);
    world.settle(&mut session);
    assert_eq!(world.driver().take_types(), []);
}

#[test]
fn a_counter_that_the_driver_takes_away_is_closed() {
    let world = World::new();
    let mut session = world.client();
    let counter = session.client.add_counter(2000, b"", "c").expect("added");
    counter.set(3);
    let other = aileron::command::UnavailableCounter {
        registration_id: counter.registration_id(),
        counter_id: CounterId(counter.id().get() + 1),
    };
    world
        .driver()
        .send(&aileron::command::Event::UnavailableCounter(other));
    world.settle(&mut session);
    assert!(!counter.is_closed(), "that was another");
    let gone = aileron::command::UnavailableCounter {
        registration_id: counter.registration_id(),
        counter_id: counter.id(),
    };
    world
        .driver()
        .send(&aileron::command::Event::UnavailableCounter(gone));
    world.settle(&mut session);
    assert!(counter.is_closed());
    assert_eq!(counter.get(), 3);
}

#[test]
fn destinations_belong_to_the_original_publication() {
    let world = World::new();
    let session = world.client();
    let channel = "aeron:udp?control-mode=manual";
    let first = session
        .client
        .add_publication(channel, STREAM)
        .expect("added");
    let second = session
        .client
        .add_publication(channel, STREAM)
        .expect("added");
    let target = "aeron:udp?endpoint=localhost:4040";
    let id = second.add_destination(target).expect("added");
    let original = first.registration_id();
    let of = |command: Command<'_>| match command {
        Command::AddDestination(d) | Command::RemoveDestination(d) => {
            (d.registration_id, d.channel.to_owned())
        }
        other => panic!("{other:?}"),
    };
    let expected = (original, target.to_owned());
    assert_eq!(
        last_command(&world.driver(), command_id::ADD_DESTINATION, of),
        expected
    );
    second.remove_destination(target).expect("removed");
    assert_eq!(
        last_command(&world.driver(), command_id::REMOVE_DESTINATION, of),
        expected
    );
    second.remove_destination_by_id(id).expect("removed");
    let by_id = last_command(
        &world.driver(),
        command_id::REMOVE_DESTINATION_BY_ID,
        |command| {
            let Command::RemoveDestinationById(remove) = command else {
                panic!("{command:?}")
            };
            (remove.registration_id, remove.destination_registration_id)
        },
    );
    assert_eq!(by_id, (original, id));

    second.close();
    assert!(matches!(
        second.add_destination(target),
        Err(AddError::ResourceClosed)
    ));
    assert!(matches!(
        second.remove_destination_by_id(id),
        Err(AddError::ResourceClosed)
    ));
}

#[test]
fn a_late_destination_is_removed_again() {
    let world = World::new();
    let mut session = world.client();
    let channel = "aeron:udp?control-mode=manual";
    let publication = session
        .client
        .add_publication(channel, STREAM)
        .expect("added");
    let subscription = session
        .client
        .add_subscription(channel, STREAM)
        .expect("added");
    let target = "aeron:udp?endpoint=localhost:4040";
    drop(publication.add_destination_async(target).expect("sent"));
    drop(subscription.add_destination_async(target).expect("sent"));
    world.driver().take_types();
    world.settle(&mut session);
    assert_eq!(
        world.driver().take_types(),
        [
            command_id::ADD_DESTINATION,
            command_id::ADD_RCV_DESTINATION,
            command_id::REMOVE_DESTINATION_BY_ID,
            command_id::REMOVE_RCV_DESTINATION
        ]
    );
}

#[test]
fn a_late_destination_of_what_is_gone_is_left_alone() {
    let world = World::new();
    let mut session = world.client();
    let channel = "aeron:udp?control-mode=manual";
    let publication = session
        .client
        .add_publication(channel, STREAM)
        .expect("added");
    let subscription = session
        .client
        .add_subscription(channel, STREAM)
        .expect("added");
    let target = "aeron:udp?endpoint=localhost:4040";
    drop(publication.add_destination_async(target).expect("sent"));
    drop(subscription.add_destination_async(target).expect("sent"));
    drop(publication);
    drop(subscription);
    world.driver().take_types();
    world.settle(&mut session);
    assert_eq!(
        world.driver().take_types(),
        [
            command_id::ADD_DESTINATION,
            command_id::ADD_RCV_DESTINATION,
            command_id::REMOVE_PUBLICATION,
            command_id::REMOVE_SUBSCRIPTION
        ]
    );
}

#[test]
fn receive_destinations_are_added_and_removed_by_channel() {
    let world = World::new();
    let session = world.client();
    let channel = "aeron:udp?control-mode=manual";
    let mut subscription = session
        .client
        .add_subscription(channel, STREAM)
        .expect("added");
    let target = "aeron:udp?endpoint=localhost:4040";
    subscription.add_destination(target).expect("added");
    subscription.remove_destination(target).expect("removed");
    world.driver().mode = Mode::Refuse(2, "unknown");
    let error = subscription
        .remove_destination(target)
        .expect_err("refused");
    assert!(matches!(error, AddError::Registration(_)));
    subscription.close();
    assert!(matches!(
        subscription.add_destination(target),
        Err(AddError::ResourceClosed)
    ));
}

#[test]
fn the_driver_is_asked_for_session_ids_if_it_can_be() {
    let world = World::new();
    let session = world.client();
    assert_eq!(
        session.client.next_session_id(STREAM).expect("answered"),
        SessionId(4711)
    );
    let version = session
        .client
        .counters()
        .counter(CounterId(43))
        .expect("a system counter");
    version.set(0);
    world.driver().take_types();
    let random = session.client.next_session_id(STREAM).expect("made up");
    let other = session.client.next_session_id(STREAM).expect("made up");
    assert_ne!(random, other);
    assert!(session.client.next_session_id_async(STREAM).is_err());
    world.driver().work();
    assert_eq!(world.driver().take_types(), []);
}

#[test]
fn a_refused_removal_is_reported() {
    let world = World::new();
    let mut session = world.client();
    let publication = session.client.add_publication(IPC, STREAM).expect("added");
    world.driver().mode = Mode::Refuse(3, "unknown publication");
    drop(publication);
    assert!(session.client.has_active_commands().expect("open"));
    world.settle(&mut session);
    let errors = session.errors.take();
    let [ClientError::Registration(error)] = &errors[..] else {
        panic!("{errors:?}")
    };
    assert_eq!(error.code, ErrorCode::UnknownPublication);
    assert!(!session.client.has_active_commands().expect("open"));
}

#[test]
fn removals_without_an_answer_are_not_waited_for_for_ever() {
    let world = World::new();
    let mut session = world.client();
    let publication = session.client.add_publication(IPC, STREAM).expect("added");
    world.driver().mode = Mode::Mute;
    drop(publication);
    world.settle(&mut session);
    assert!(session.client.has_active_commands().expect("open"));
    world.pass(&mut session, DRIVER_TIMEOUT + SECOND);
    assert!(!session.client.has_active_commands().expect("open"));
}
