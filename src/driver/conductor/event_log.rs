//! What the conductor writes into the event log of commands and of what clients are told.
//!
//! Nothing here runs unless the log is on: callers ask first.

use crate::base::Nanos;
use crate::command::{
    AddCounter, AddPublication, AddStaticCounter, Command, Destination, Event, PublicationReady,
};
use crate::concurrent::{EventKind, EventWriter};
use crate::driver::publication::ipc::IpcState;
use crate::driver::publication::network::NetworkState;

/// Writes down what a client asks for.
#[cold]
pub(super) fn log_command(log: &EventWriter, now: Nanos, command: &Command<'_>) {
    let emit = |kind, values: &[i64], text: &str| log.emit(now, kind, values, text);
    let add_publication = |kind, add: &AddPublication<'_>| {
        let stream_id = i64::from(add.stream_id.get());
        let (client, id) = (add.client_id.get(), add.correlation_id.get());
        emit(kind, &[client, id, stream_id], add.channel);
    };
    let destination = |kind, to: &Destination<'_>| {
        let (client, id) = (to.client_id.get(), to.correlation_id.get());
        emit(kind, &[client, id, to.registration_id.get()], to.channel);
    };
    let three = |kind, client: i64, correlation: i64, third: i64| {
        emit(kind, &[client, correlation, third], "");
    };
    match command {
        Command::AddPublication(add) => add_publication(EventKind::CmdInAddPublication, add),
        Command::AddExclusivePublication(add) => {
            add_publication(EventKind::CmdInAddExclusivePublication, add);
        }
        Command::RemovePublication(remove) => three(
            EventKind::CmdInRemovePublication,
            remove.client_id.get(),
            remove.correlation_id.get(),
            remove.registration_id.get(),
        ),
        Command::AddSubscription(add) => emit(
            EventKind::CmdInAddSubscription,
            &[
                add.client_id.get(),
                add.correlation_id.get(),
                i64::from(add.stream_id.get()),
            ],
            add.channel,
        ),
        Command::RemoveSubscription(remove) => three(
            EventKind::CmdInRemoveSubscription,
            remove.client_id.get(),
            remove.correlation_id.get(),
            remove.registration_id.get(),
        ),
        Command::AddDestination(to) => destination(EventKind::CmdInAddDestination, to),
        Command::RemoveDestination(to) => destination(EventKind::CmdInRemoveDestination, to),
        Command::AddReceiveDestination(to) => {
            destination(EventKind::CmdInAddRcvDestination, to);
        }
        Command::RemoveReceiveDestination(to) => {
            destination(EventKind::CmdInRemoveRcvDestination, to);
        }
        Command::RemoveDestinationById(remove) => emit(
            EventKind::CmdInRemoveDestinationById,
            &[
                remove.client_id.get(),
                remove.correlation_id.get(),
                remove.registration_id.get(),
                remove.destination_registration_id.get(),
            ],
            "",
        ),
        Command::AddCounter(AddCounter {
            client_id,
            correlation_id,
            type_id,
            label,
            ..
        }) => emit(
            EventKind::CmdInAddCounter,
            &[client_id.get(), correlation_id.get(), i64::from(*type_id)],
            &String::from_utf8_lossy(label),
        ),
        Command::AddStaticCounter(AddStaticCounter {
            client_id,
            correlation_id,
            type_id,
            label,
            ..
        }) => emit(
            EventKind::CmdInAddStaticCounter,
            &[client_id.get(), correlation_id.get(), i64::from(*type_id)],
            &String::from_utf8_lossy(label),
        ),
        Command::RemoveCounter(remove) => three(
            EventKind::CmdInRemoveCounter,
            remove.client_id.get(),
            remove.correlation_id.get(),
            remove.registration_id.get(),
        ),
        Command::RejectImage(reject) => emit(
            EventKind::CmdInRejectImage,
            &[
                reject.client_id.get(),
                reject.correlation_id.get(),
                reject.image_correlation_id.get(),
                reject.position.get(),
            ],
            &String::from_utf8_lossy(reject.reason),
        ),
        Command::GetNextAvailableSessionId(get) => three(
            EventKind::CmdInGetNextAvailableSessionId,
            get.client_id.get(),
            get.correlation_id.get(),
            i64::from(get.stream_id.get()),
        ),
        Command::ClientKeepalive(alive) => {
            emit(
                EventKind::CmdInKeepaliveClient,
                &[alive.client_id.get()],
                "",
            );
        }
        Command::ClientClose(close) => {
            emit(EventKind::CmdInClientClose, &[close.client_id.get()], "");
        }
        Command::TerminateDriver(terminate) => emit(
            EventKind::CmdInTerminateDriver,
            &[terminate.client_id.get()],
            "",
        ),
    }
}

/// Writes down what clients are told.
#[cold]
pub(super) fn log_reply(log: &EventWriter, now: Nanos, event: &Event<'_>) {
    let emit = |kind, values: &[i64], text: &str| log.emit(now, kind, values, text);
    let publication = |kind, ready: &PublicationReady<'_>| {
        let values = [
            ready.correlation_id.get(),
            ready.registration_id.get(),
            i64::from(ready.session_id.get()),
            i64::from(ready.stream_id.get()),
        ];
        emit(kind, &values, ready.log_file_name);
    };
    let counter = |kind, id: i64, counter_id: i32| emit(kind, &[id, i64::from(counter_id)], "");
    match event {
        Event::Error(error) => emit(
            EventKind::CmdOutError,
            &[error.correlation_id.get(), i64::from(error.code.to_wire())],
            &String::from_utf8_lossy(error.message),
        ),
        Event::AvailableImage(image) => emit(
            EventKind::CmdOutAvailableImage,
            &[
                image.correlation_id.get(),
                image.subscription_registration_id.get(),
                i64::from(image.session_id.get()),
                i64::from(image.stream_id.get()),
            ],
            image.source_identity,
        ),
        Event::PublicationReady(ready) => publication(EventKind::CmdOutPublicationReady, ready),
        Event::ExclusivePublicationReady(ready) => {
            publication(EventKind::CmdOutExclusivePublicationReady, ready);
        }
        Event::OperationSuccess(done) => emit(
            EventKind::CmdOutOnOperationSuccess,
            &[done.correlation_id.get()],
            "",
        ),
        Event::UnavailableImage(image) => emit(
            EventKind::CmdOutOnUnavailableImage,
            &[
                image.correlation_id.get(),
                image.subscription_registration_id.get(),
                i64::from(image.stream_id.get()),
            ],
            &String::from_utf8_lossy(image.channel),
        ),
        Event::SubscriptionReady(ready) => counter(
            EventKind::CmdOutSubscriptionReady,
            ready.correlation_id.get(),
            ready.channel_status_counter_id.get(),
        ),
        Event::CounterReady(ready) => counter(
            EventKind::CmdOutCounterReady,
            ready.correlation_id.get(),
            ready.counter_id.get(),
        ),
        Event::UnavailableCounter(gone) => counter(
            EventKind::CmdOutOnUnavailableCounter,
            gone.registration_id.get(),
            gone.counter_id.get(),
        ),
        Event::ClientTimeout(timeout) => emit(
            EventKind::CmdOutOnClientTimeout,
            &[timeout.client_id.get()],
            "",
        ),
        Event::StaticCounter(ready) => counter(
            EventKind::CmdOutStaticCounter,
            ready.correlation_id.get(),
            ready.counter_id.get(),
        ),
        Event::PublicationError(error) => emit(
            EventKind::CmdOutPublicationError,
            &[
                error.registration_id.get(),
                i64::from(error.session_id.get()),
                i64::from(error.stream_id.get()),
                error.receiver_id.get(),
                i64::from(error.code.to_wire()),
            ],
            &String::from_utf8_lossy(error.message),
        ),
        Event::NextAvailableSessionId(next) => emit(
            EventKind::CmdOutNextAvailableSessionId,
            &[
                next.correlation_id.get(),
                i64::from(next.next_session_id.get()),
            ],
            "",
        ),
    }
}

/// The name of a state of a network publication.
pub(super) const fn network_state_name(state: NetworkState) -> &'static str {
    match state {
        NetworkState::Active => "ACTIVE",
        NetworkState::Draining => "DRAINING",
        NetworkState::Linger => "LINGER",
        NetworkState::Done => "DONE",
    }
}

/// The name of a state of an IPC publication.
pub(super) const fn ipc_state_name(state: IpcState) -> &'static str {
    match state {
        IpcState::Active => "ACTIVE",
        IpcState::Draining => "DRAINING",
        IpcState::Linger => "LINGER",
        IpcState::Done => "DONE",
    }
}
