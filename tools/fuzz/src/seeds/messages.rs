//! Commands and events of each kind.

use aileron::base::{
    ClientId, CorrelationId, CounterId, Position, ReceiverId, RegistrationId, SessionId, StreamId,
};
use aileron::command::{
    AddCounter, AddPublication, AddStaticCounter, AddSubscription, AvailableImage, ClientClose,
    ClientKeepalive, ClientTimeout, Command, CounterReady, Destination, ErrorCode, ErrorResponse,
    Event, GetNextAvailableSessionId, NextAvailableSessionId, OperationSuccess, PublicationError,
    PublicationReady, RejectImage, RemoveCounter, RemoveDestinationById, RemovePublication,
    RemoveSubscription, StaticCounter, SubscriptionReady, TerminateDriver, UnavailableCounter,
    UnavailableImage,
};

use crate::fake_driver::{IMAGE, SESSION, STREAM};
use crate::patch::patch_bytes;
use crate::script::push;
use crate::targets::FIRST_EVENT;

const CLIENT: ClientId = ClientId(0x5555);
const CHANNELS: [&str; 6] = [
    "aeron:ipc?term-length=64k|alias=bad",
    "aeron:udp?endpoint=10.0.0.1:4000|term-length=64k",
    "aeron:udp?control=10.0.0.1:4001|control-mode=manual|term-length=64k",
    "aeron:udp?control=10.0.0.1:4002|control-mode=dynamic|term-length=64k|fc=tagged,g:1/2",
    "aeron-spy:aeron:udp?endpoint=10.0.0.1:4000",
    "aeron:udp?control-mode=manual",
];

fn command(script: &mut Vec<u8>, command: &Command<'_>) {
    let mut bytes = Vec::new();
    let type_id = command.encode(&mut bytes);
    push(script, u8::try_from(type_id).unwrap_or(0), &bytes);
}

/// Commands of a client that exists only by sending them.
pub(crate) fn commands() -> Vec<Vec<u8>> {
    let mut scripts: Vec<Vec<u8>> = CHANNELS.iter().map(|channel| life(channel)).collect();
    scripts.push(counters());
    scripts.push(raw_records());
    scripts
}

/// The life of a publication, a subscription and a destination on a channel.
fn life(channel: &str) -> Vec<u8> {
    let mut script = Vec::new();
    let (client_id, stream_id) = (CLIENT, StreamId(1001));
    let mut id = 1000;
    let mut next = || {
        id += 1;
        CorrelationId(id)
    };
    let (shared, exclusive, subscribed) = (next(), next(), next());
    let add = |correlation_id| AddPublication {
        client_id,
        correlation_id,
        stream_id,
        channel,
    };
    command(&mut script, &Command::AddPublication(add(shared)));
    command(
        &mut script,
        &Command::AddExclusivePublication(add(exclusive)),
    );
    let subscription = AddSubscription {
        client_id,
        correlation_id: subscribed,
        stream_id,
        channel,
    };
    command(&mut script, &Command::AddSubscription(subscription));
    let destination = |correlation_id, registration: CorrelationId| Destination {
        client_id,
        correlation_id,
        registration_id: registration.into(),
        channel: "aeron:udp?endpoint=10.0.0.2:4005",
    };
    let to = destination(next(), shared);
    command(&mut script, &Command::AddDestination(to));
    let from = destination(next(), subscribed);
    command(&mut script, &Command::AddReceiveDestination(from));
    let reject = RejectImage {
        client_id,
        correlation_id: next(),
        image_correlation_id: shared,
        position: Position(0),
        reason: b"no more of this",
    };
    command(&mut script, &Command::RejectImage(reject));
    let by_id = RemoveDestinationById {
        client_id,
        correlation_id: next(),
        registration_id: shared.into(),
        destination_registration_id: to.correlation_id.into(),
    };
    command(&mut script, &Command::RemoveDestinationById(by_id));
    command(
        &mut script,
        &Command::RemoveDestination(destination(next(), shared)),
    );
    command(
        &mut script,
        &Command::RemoveReceiveDestination(destination(next(), subscribed)),
    );
    for (registration, is_revoke) in [(shared, false), (exclusive, true)] {
        let remove = RemovePublication {
            client_id,
            correlation_id: next(),
            registration_id: registration.into(),
            is_revoke,
        };
        command(&mut script, &Command::RemovePublication(remove));
    }
    let remove = RemoveSubscription {
        client_id,
        correlation_id: next(),
        registration_id: subscribed.into(),
    };
    command(&mut script, &Command::RemoveSubscription(remove));
    let correlation_id = next();
    command(
        &mut script,
        &Command::ClientKeepalive(ClientKeepalive {
            client_id,
            correlation_id,
        }),
    );
    command(
        &mut script,
        &Command::ClientClose(ClientClose {
            client_id,
            correlation_id,
        }),
    );
    script
}

fn counters() -> Vec<u8> {
    let mut script = Vec::new();
    let (client_id, correlation_id) = (CLIENT, CorrelationId(2000));
    let registration_id = RegistrationId(2000);
    let (type_id, key, label) = (1001, &b"a key"[..], &b"a label"[..]);
    command(
        &mut script,
        &Command::AddCounter(AddCounter {
            client_id,
            correlation_id,
            type_id,
            key,
            label,
        }),
    );
    command(
        &mut script,
        &Command::AddStaticCounter(AddStaticCounter {
            client_id,
            correlation_id,
            registration_id,
            type_id,
            key,
            label,
        }),
    );
    command(
        &mut script,
        &Command::RemoveCounter(RemoveCounter {
            client_id,
            correlation_id,
            registration_id,
        }),
    );
    command(
        &mut script,
        &Command::GetNextAvailableSessionId(GetNextAvailableSessionId {
            client_id,
            correlation_id,
            stream_id: StreamId(1),
        }),
    );
    command(
        &mut script,
        &Command::TerminateDriver(TerminateDriver {
            client_id,
            correlation_id,
            token: b"token",
        }),
    );
    script
}

/// Claims that are left open, end wrongly, or lie about their length.
fn raw_records() -> Vec<u8> {
    let mut script = Vec::new();
    let records: [&[i32]; 6] = [
        &[i32::MAX, 1],
        &[7, 1],
        &[-64, 1],
        &[0, 0],
        &[i32::MIN, 1],
        &[64, -2, -1, -1],
    ];
    for words in records {
        let mut bytes = vec![7];
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        push(&mut script, 250, &bytes);
    }
    script
}

fn event(script: &mut Vec<u8>, event: &Event<'_>) {
    let mut bytes = Vec::new();
    let type_id = event.encode(&mut bytes);
    push(
        script,
        u8::try_from(type_id - FIRST_EVENT).unwrap_or(0),
        &bytes,
    );
}

/// Events about what a client has: its first correlation ids are small.
pub(crate) fn events() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for id in 2..5 {
        let mut script = Vec::new();
        for one in about(CorrelationId(id)) {
            event(&mut script, &one);
            let mut single = Vec::new();
            event(&mut single, &one);
            all.push(single);
        }
        all.push(script);
    }
    let mut words = Vec::new();
    for at in [0, 8, 16] {
        push(
            &mut words,
            241,
            &patch_bytes(at, &(1_i64 << 20).to_le_bytes()),
        );
        push(&mut words, 240, &patch_bytes(at, &(-1_i32).to_le_bytes()));
    }
    all.push(words);
    all
}

fn about(id: CorrelationId) -> Vec<Event<'static>> {
    let counter_id = CounterId(0);
    let registration_id = RegistrationId(id.0);
    let subscription_registration_id = RegistrationId(3);
    let ready = PublicationReady {
        correlation_id: id,
        registration_id,
        session_id: SESSION,
        stream_id: STREAM,
        publication_limit_counter_id: counter_id,
        channel_status_counter_id: counter_id,
        log_file_name: "log",
    };
    vec![
        Event::AvailableImage(AvailableImage {
            correlation_id: IMAGE,
            session_id: SESSION,
            stream_id: STREAM,
            subscription_registration_id,
            subscriber_position_counter_id: counter_id,
            log_file_name: "log",
            source_identity: "10.0.0.2:4000",
        }),
        Event::UnavailableImage(UnavailableImage {
            correlation_id: IMAGE,
            subscription_registration_id,
            stream_id: STREAM,
            channel: b"aeron:ipc",
        }),
        Event::PublicationReady(ready),
        Event::ExclusivePublicationReady(ready),
        Event::SubscriptionReady(SubscriptionReady {
            correlation_id: id,
            channel_status_counter_id: counter_id,
        }),
        Event::OperationSuccess(OperationSuccess { correlation_id: id }),
        Event::Error(ErrorResponse {
            correlation_id: id,
            code: ErrorCode::GenericError,
            message: b"refused",
        }),
        Event::CounterReady(CounterReady {
            correlation_id: id,
            counter_id,
        }),
        Event::UnavailableCounter(UnavailableCounter {
            registration_id,
            counter_id,
        }),
        Event::StaticCounter(StaticCounter {
            correlation_id: id,
            counter_id,
        }),
        Event::ClientTimeout(ClientTimeout {
            client_id: ClientId(1),
        }),
        Event::NextAvailableSessionId(NextAvailableSessionId {
            correlation_id: id,
            next_session_id: SessionId(1),
        }),
        Event::PublicationError(PublicationError {
            registration_id,
            destination_registration_id: RegistrationId(-1),
            session_id: SESSION,
            stream_id: STREAM,
            receiver_id: ReceiverId(5),
            group_tag: -1,
            source: Some(([10, 0, 0, 2], 9).into()),
            code: ErrorCode::ImageRejected,
            message: b"no more of this",
        }),
    ]
}
