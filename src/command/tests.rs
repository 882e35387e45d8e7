//! Rules that concern all messages, and hostile input.

use super::*;
use crate::base::bytes::write_i32;
use crate::base::{
    ClientId, CorrelationId, CounterId, Position, ReceiverId, RegistrationId, Rng, SessionId,
    StreamId,
};

const CLIENT: ClientId = ClientId(0x0102_0304_0506_0708);
const CORRELATION: CorrelationId = CorrelationId(i64::MAX);
const REGISTRATION: RegistrationId = RegistrationId(i64::MIN);
const STREAM: StreamId = StreamId(-1001);
const CHANNEL: &str = "aeron:udp?endpoint=localhost:20121|alias=ä";

/// One command of each type, in order of type id.
fn commands() -> [Command<'static>; 18] {
    let (client_id, correlation_id) = (CLIENT, CORRELATION);
    let (registration_id, stream_id, channel) = (REGISTRATION, STREAM, CHANNEL);
    let publication = AddPublication {
        client_id,
        correlation_id,
        stream_id,
        channel,
    };
    let destination = Destination {
        client_id,
        correlation_id,
        registration_id,
        channel,
    };
    [
        Command::AddPublication(publication),
        Command::RemovePublication(RemovePublication {
            client_id,
            correlation_id,
            registration_id,
            is_revoke: true,
        }),
        Command::AddExclusivePublication(publication),
        Command::AddSubscription(AddSubscription {
            client_id,
            correlation_id,
            stream_id,
            channel,
        }),
        Command::RemoveSubscription(RemoveSubscription {
            client_id,
            correlation_id,
            registration_id,
        }),
        Command::ClientKeepalive(ClientKeepalive {
            client_id,
            correlation_id,
        }),
        Command::AddDestination(destination),
        Command::RemoveDestination(destination),
        Command::AddCounter(AddCounter {
            client_id,
            correlation_id,
            type_id: -1,
            key: &[0xFF; 7],
            label: b"label",
        }),
        Command::RemoveCounter(RemoveCounter {
            client_id,
            correlation_id,
            registration_id,
        }),
        Command::ClientClose(ClientClose {
            client_id,
            correlation_id,
        }),
        Command::AddReceiveDestination(destination),
        Command::RemoveReceiveDestination(destination),
        Command::TerminateDriver(TerminateDriver {
            client_id,
            correlation_id,
            token: b"token",
        }),
        Command::AddStaticCounter(AddStaticCounter {
            client_id,
            correlation_id,
            registration_id,
            type_id: 1001,
            key: b"",
            label: b"l",
        }),
        Command::RejectImage(RejectImage {
            client_id,
            correlation_id,
            image_correlation_id: CorrelationId(4),
            position: Position(-1),
            reason: b"a reason of some length",
        }),
        Command::RemoveDestinationById(RemoveDestinationById {
            client_id,
            correlation_id,
            registration_id,
            destination_registration_id: RegistrationId(5),
        }),
        Command::GetNextAvailableSessionId(GetNextAvailableSessionId {
            client_id,
            correlation_id,
            stream_id,
        }),
    ]
}

/// One event of each type, in order of type id.
fn events() -> [Event<'static>; 13] {
    let (correlation_id, registration_id, stream_id) = (CORRELATION, REGISTRATION, STREAM);
    let (session_id, counter_id) = (SessionId(i32::MIN), CounterId(7));
    let ready = PublicationReady {
        correlation_id,
        registration_id,
        session_id,
        stream_id,
        publication_limit_counter_id: counter_id,
        channel_status_counter_id: CounterId::NONE,
        log_file_name: "/dev/shm/aeron/publications/4.logbuffer",
    };
    [
        Event::Error(ErrorResponse {
            correlation_id,
            code: ErrorCode::UnknownHost,
            message: b"\xFF not text",
        }),
        Event::AvailableImage(AvailableImage {
            correlation_id,
            session_id,
            stream_id,
            subscription_registration_id: registration_id,
            subscriber_position_counter_id: counter_id,
            log_file_name: "/dev/shm/aeron/images/12.logbuffer",
            source_identity: "127.0.0.1:40456",
        }),
        Event::PublicationReady(ready),
        Event::OperationSuccess(OperationSuccess { correlation_id }),
        Event::UnavailableImage(UnavailableImage {
            correlation_id,
            subscription_registration_id: registration_id,
            stream_id,
            channel: CHANNEL.as_bytes(),
        }),
        Event::ExclusivePublicationReady(ready),
        Event::SubscriptionReady(SubscriptionReady {
            correlation_id,
            channel_status_counter_id: counter_id,
        }),
        Event::CounterReady(CounterReady {
            correlation_id,
            counter_id,
        }),
        Event::UnavailableCounter(UnavailableCounter {
            registration_id,
            counter_id,
        }),
        Event::ClientTimeout(ClientTimeout { client_id: CLIENT }),
        Event::StaticCounter(StaticCounter {
            correlation_id,
            counter_id,
        }),
        Event::PublicationError(publication_error(Some(
            ([0xFE80, 0, 0, 0, 1, 2, 3, 4], 9).into(),
        ))),
        Event::NextAvailableSessionId(NextAvailableSessionId {
            correlation_id,
            next_session_id: session_id,
        }),
    ]
}

fn publication_error(source: Option<std::net::SocketAddr>) -> PublicationError<'static> {
    PublicationError {
        registration_id: REGISTRATION,
        destination_registration_id: RegistrationId(-1),
        session_id: SessionId(1),
        stream_id: STREAM,
        receiver_id: ReceiverId(-1),
        group_tag: -1,
        source,
        code: ErrorCode::ImageRejected,
        message: b"a reason",
    }
}

#[test]
fn commands_survive_the_buffer() {
    let mut payload = Vec::new();
    for (index, command) in (1i32..).zip(commands()) {
        payload.clear();
        assert_eq!(command.encode(&mut payload), index);
        assert_eq!(Command::decode(index, &payload), Ok(command));
        assert_eq!(
            (command.client_id(), command.correlation_id()),
            (CLIENT, CORRELATION)
        );
    }
}

#[test]
fn events_survive_the_buffer() {
    let mut payload = Vec::new();
    for (index, event) in (0x0F01i32..).zip(events()) {
        payload.clear();
        assert_eq!(event.encode(&mut payload), index);
        assert_eq!(Event::decode(index, &payload), Ok(event));
    }
}

#[test]
fn payloads_are_appended_and_padded_by_their_own_length() {
    for command in commands() {
        let (mut alone, mut appended) = (Vec::new(), vec![0xAA; 3]);
        command.encode(&mut alone);
        command.encode(&mut appended);
        assert_eq!(appended[3..], alone);
    }
    for event in events() {
        let (mut alone, mut appended) = (Vec::new(), vec![0xAA; 3]);
        event.encode(&mut alone);
        event.encode(&mut appended);
        assert_eq!(appended[3..], alone);
    }
}

#[test]
fn every_truncation_is_refused_with_the_correlation_id_if_it_is_there() {
    for command in commands() {
        let mut payload = Vec::new();
        let type_id = command.encode(&mut payload);
        for length in 0..payload.len() {
            let decoded = Command::decode(type_id, &payload[..length]);
            if type_id == command_id::REMOVE_PUBLICATION && length == 24 {
                assert!(decoded.is_ok(), "the form without flags");
                continue;
            }
            let correlation_id = (length >= 16).then_some(CORRELATION);
            let error = CommandError {
                kind: MessageFault::Truncated,
                correlation_id,
            };
            assert_eq!(decoded, Err(error), "{type_id} {length}");
            assert_eq!(error.code(), ErrorCode::MalformedCommand);
        }
    }
    for event in events() {
        let mut payload = Vec::new();
        let type_id = event.encode(&mut payload);
        for length in 0..payload.len() {
            let decoded = Event::decode(type_id, &payload[..length]);
            assert_eq!(decoded, Err(MessageFault::Truncated), "{type_id} {length}");
        }
    }
}

#[test]
fn unknown_types_are_told_apart_from_malformed_commands() {
    for type_id in [i32::MIN, -1, 0, 0x13, 0x0F00, 0x0F0E, i32::MAX] {
        let error = Command::decode(type_id, &[7; 16]).expect_err("no command");
        assert_eq!(error.kind, MessageFault::UnknownType);
        assert_eq!(error.code(), ErrorCode::UnknownCommandTypeId);
        assert_eq!(
            error.correlation_id,
            Some(CorrelationId(0x0707_0707_0707_0707))
        );
        assert_eq!(
            Event::decode(type_id, &[7; 16]),
            Err(MessageFault::UnknownType)
        );
    }
}

#[test]
fn embedded_lengths_are_checked() {
    // Type id and where the payload has a length.
    for (type_id, at) in [
        (command_id::ADD_PUBLICATION, 20),
        (command_id::ADD_EXCLUSIVE_PUBLICATION, 20),
        (command_id::ADD_SUBSCRIPTION, 28),
        (command_id::ADD_DESTINATION, 24),
        (command_id::REMOVE_DESTINATION, 24),
        (command_id::ADD_RCV_DESTINATION, 24),
        (command_id::REMOVE_RCV_DESTINATION, 24),
        (command_id::ADD_COUNTER, 20),
        (command_id::ADD_COUNTER, 32),
        (command_id::ADD_STATIC_COUNTER, 28),
        (command_id::ADD_STATIC_COUNTER, 32),
        (command_id::TERMINATE_DRIVER, 16),
        (command_id::REJECT_IMAGE, 32),
    ] {
        let index = usize::try_from(type_id).expect("positive") - 1;
        let mut payload = Vec::new();
        commands()[index].encode(&mut payload);
        for (length, kind) in [
            (-1, MessageFault::NegativeLength),
            (i32::MIN, MessageFault::NegativeLength),
            (i32::MAX, MessageFault::Truncated),
            (1000, MessageFault::Truncated),
        ] {
            write_i32(&mut payload, at, length);
            let error = CommandError {
                kind,
                correlation_id: Some(CORRELATION),
            };
            assert_eq!(
                Command::decode(type_id, &payload),
                Err(error),
                "{type_id} {length}"
            );
        }
    }
}

#[test]
fn channels_that_are_not_text_are_malformed() {
    for type_id in [1, 3, 4, 7, 8, 12, 13] {
        let mut payload = Vec::new();
        commands()[usize::try_from(type_id - 1).expect("positive")].encode(&mut payload);
        *payload.last_mut().expect("a channel") = 0xFF;
        let error = Command::decode(type_id, &payload).expect_err("not text");
        assert_eq!(error.kind, MessageFault::Text);
        assert_eq!(error.code(), ErrorCode::MalformedCommand);
    }
}

#[test]
fn publications_are_removed_without_flags_by_old_clients() {
    let mut payload = Vec::new();
    commands()[1].encode(&mut payload);
    let Ok(Command::RemovePublication(removal)) = Command::decode(2, &payload[..24]) else {
        panic!("refused")
    };
    assert!(!removal.is_revoke);
    assert_eq!(removal.registration_id, REGISTRATION);
    payload.extend([0xFF; 9]);
    assert_eq!(Command::decode(2, &payload), Ok(commands()[1]));
}

#[test]
fn bytes_after_a_message_are_ignored() {
    for command in commands() {
        let mut payload = Vec::new();
        let type_id = command.encode(&mut payload);
        payload.extend([0xFF; 9]);
        assert_eq!(Command::decode(type_id, &payload), Ok(command));
    }
}

#[test]
fn short_messages_are_padded_for_readers_that_want_more() {
    let mut payload = vec![1; 5];
    Command::RejectImage(RejectImage {
        client_id: CLIENT,
        correlation_id: CORRELATION,
        image_correlation_id: CORRELATION,
        position: Position(0),
        reason: b"",
    })
    .encode(&mut payload);
    assert_eq!(payload.len(), 5 + 40);

    payload.clear();
    Event::PublicationError(PublicationError {
        message: b"",
        ..publication_error(None)
    })
    .encode(&mut payload);
    assert_eq!(payload.len(), 72);
}

#[test]
fn unknown_sources_become_the_loopback_and_are_read_as_unknown() {
    let mut payload = Vec::new();
    let type_id = Event::PublicationError(publication_error(None)).encode(&mut payload);
    let source = |payload: &[u8]| match Event::decode(type_id, payload) {
        Ok(Event::PublicationError(error)) => error.source,
        other => panic!("{other:?}"),
    };
    assert_eq!(source(&payload), Some(([127, 0, 0, 1], 0).into()));
    payload[40] = 0;
    assert_eq!(source(&payload), None);
}

#[test]
fn random_and_mutated_payloads_never_panic() {
    let mut rng = Rng::new(0x636F_6D6D);
    let samples: Vec<(i32, Vec<u8>)> = (commands().iter().map(|command| {
        let mut payload = Vec::new();
        (command.encode(&mut payload), payload)
    }))
    .chain(events().iter().map(|event| {
        let mut payload = Vec::new();
        (event.encode(&mut payload), payload)
    }))
    .collect();
    let mut accepted = 0u32;
    let mut payload = Vec::new();
    for _ in 0..200_000 {
        payload.clear();
        let (type_id, sample) = &samples[index_below(&mut rng, samples.len())];
        if rng.chance(1, 4) {
            payload.extend((0..rng.below(130)).map(|_| byte(&mut rng)));
        } else {
            payload.extend_from_slice(sample);
            for _ in 0..1 + rng.below(4) {
                let at = index_below(&mut rng, payload.len());
                payload[at] = byte(&mut rng);
            }
            if rng.chance(1, 4) {
                payload.truncate(index_below(&mut rng, payload.len()));
            }
        }
        accepted += u32::from(check_round_trip(*type_id, &payload));
    }
    assert!((10_000..190_000).contains(&accepted), "{accepted}");
}

/// Decodes, and encodes again what was understood, which must be understood alike.
fn check_round_trip(type_id: i32, payload: &[u8]) -> bool {
    let mut again = Vec::new();
    if let Ok(command) = Command::decode(type_id, payload) {
        assert_eq!(command.encode(&mut again), type_id);
        assert_eq!(Command::decode(type_id, &again), Ok(command));
        return true;
    }
    match Event::decode(type_id, payload) {
        Ok(Event::PublicationError(PublicationError { source: None, .. })) => true,
        Ok(event) => {
            assert_eq!(event.encode(&mut again), type_id);
            assert_eq!(Event::decode(type_id, &again), Ok(event));
            true
        }
        Err(_) => false,
    }
}

fn index_below(rng: &mut Rng, length: usize) -> usize {
    usize::try_from(rng.below(length as u64)).expect("small")
}

/// Extremes more often than chance would have it.
fn byte(rng: &mut Rng) -> u8 {
    match rng.below(4) {
        0 => 0,
        1 => 0xFF,
        _ => rng.next_u64().to_le_bytes()[0],
    }
}
