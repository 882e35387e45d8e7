//! Client commands: reading them, handing each to its part, and answering what fails.
//!
//! A command that needs the resource agent becomes [`Pending`]: what has been worked out so far,
//! and the id of the request it waits for. [`Conductor::resume_command`] continues with the answer.
//! As long as a command is pending none is read, from any client.

use crate::base::CorrelationId;
use crate::command::{
    Command, CommandError, ErrorCode, GetNextAvailableSessionId, TerminateDriver,
};
use crate::concurrent::{EventKind, ReadAction};
use crate::driver::config::TerminationValidator;
use crate::driver::failure::CommandFailure;
use crate::driver::resources::{RequestId, ResourceOutcome};
use crate::port::Network;

use super::Conductor;
use super::destinations::SendDestinationRequest;
use super::event_log::log_command;
use super::ipc_publications::NewIpcPublication;
use super::network_publications::NewNetworkPublication;
use super::publications::PublicationRequest;
use super::receive_destinations::ReceiveDestinationRequest;
use super::subscriptions::SubscriptionRequest;

/// Commands read per duty cycle.
const COMMAND_DRAIN_LIMIT: usize = 1;

/// Channels that go to the IPC part of the driver begin like this.
pub(super) const IPC_PREFIX: &str = "aeron:ipc";

/// Channels that spy on a network publication begin like this.
pub(super) const SPY_PREFIX: &str = "aeron-spy";

/// A client command that waits for the resource agent.
#[derive(Debug)]
pub(super) struct Pending {
    /// What it waits for.
    pub(super) request: RequestId,
    /// Whom to answer.
    pub(super) correlation_id: CorrelationId,
    /// How to go on.
    pub(super) step: Step,
}

/// How a pending command goes on.
#[derive(Debug)]
pub(super) enum Step {
    /// With the channel of a network publication.
    PublicationChannel(PublicationRequest),
    /// With the log of a network publication.
    PublicationLog(Box<NewNetworkPublication>),
    /// With the log of an IPC publication.
    IpcPublicationLog(Box<NewIpcPublication>),
    /// With the channel of a network subscription.
    SubscriptionChannel(SubscriptionRequest),
    /// With the channel a spy looks at.
    SpyChannel(SubscriptionRequest),
    /// With a send destination to be added.
    AddSendDestination(SendDestinationRequest),
    /// With a send destination to be removed.
    RemoveSendDestination(SendDestinationRequest),
    /// With the channel of a receive destination to be added.
    AddReceiveDestination(ReceiveDestinationRequest),
    /// With the channel of a spy to be added to a subscription.
    AddSpyDestination(ReceiveDestinationRequest),
    /// With the channel of a receive destination to be removed.
    RemoveReceiveDestination(ReceiveDestinationRequest),
}

/// What a handler came to: nothing left to do, or something to wait for.
pub(super) type Progress = Result<Option<(RequestId, Step)>, CommandFailure>;

impl<N: Network> Conductor<N> {
    /// Reads and handles at most one command, unless its handling might meet a full queue.
    #[inline]
    pub(super) fn poll_commands(&mut self) -> usize {
        if self.commands.is_empty() || self.ctx.is_back_pressured() {
            return 0;
        }
        self.read_commands()
    }

    fn read_commands(&mut self) -> usize {
        let mut type_id = None;
        let corrupt_before = self.commands.corrupt_count();
        let buffer = &mut self.command;
        let read = self.commands.read(COMMAND_DRAIN_LIMIT, |id, payload| {
            buffer.clear();
            buffer.extend_from_slice(payload);
            type_id = Some(id);
            ReadAction::Continue
        });
        if let Some(type_id) = type_id {
            let payload = std::mem::take(&mut self.command);
            self.on_command(type_id, &payload);
            self.command = payload;
        }
        if self.commands.corrupt_count() != corrupt_before {
            self.ctx.record(&CommandFailure::new(
                ErrorCode::MalformedCommand,
                "skipped what is no record in the ring of commands: no client writes such",
            ));
        }
        read
    }

    /// Goes on with the pending command.
    pub(super) fn resume_command(&mut self, outcome: ResourceOutcome) {
        let Some(Pending {
            correlation_id,
            step,
            ..
        }) = self.pending.take()
        else {
            self.discard(outcome);
            return;
        };
        let progress = match (step, outcome) {
            (Step::PublicationChannel(request), ResourceOutcome::Channel(channel)) => {
                channel.and_then(|channel| self.on_publication_channel(request, channel))
            }
            (Step::PublicationLog(new), ResourceOutcome::Log(log)) => {
                log.and_then(|log| self.on_publication_log(*new, log))
            }
            (Step::IpcPublicationLog(new), ResourceOutcome::Log(log)) => {
                log.and_then(|log| self.on_ipc_publication_log(*new, log))
            }
            (Step::SubscriptionChannel(request), ResourceOutcome::Channel(channel)) => {
                channel.and_then(|channel| self.on_subscription_channel(&request, channel))
            }
            (Step::SpyChannel(request), ResourceOutcome::Channel(channel)) => {
                channel.and_then(|channel| self.on_spy_channel(&request, channel))
            }
            (Step::AddSendDestination(request), ResourceOutcome::Destination(found)) => {
                found.and_then(|found| self.on_send_destination_to_add(&request, found))
            }
            (Step::RemoveSendDestination(request), ResourceOutcome::Destination(found)) => {
                found.and_then(|found| self.on_send_destination_to_remove(&request, &found))
            }
            (Step::AddReceiveDestination(request), ResourceOutcome::Channel(channel)) => {
                channel.and_then(|channel| self.on_receive_destination_to_add(&request, channel))
            }
            (Step::AddSpyDestination(request), ResourceOutcome::Channel(channel)) => {
                channel.and_then(|channel| self.on_spy_destination_to_add(&request, channel))
            }
            (Step::RemoveReceiveDestination(request), ResourceOutcome::Channel(channel)) => channel
                .and_then(|channel| self.on_receive_destination_to_remove(&request, &channel)),
            (_, outcome) => {
                self.discard(outcome);
                Err(CommandFailure::generic(
                    "the resource agent answered something else",
                ))
            }
        };
        self.conclude(correlation_id, progress);
    }

    /// Gives back what an answer brought that nobody waits for.
    pub(super) fn discard(&mut self, outcome: ResourceOutcome) {
        if let ResourceOutcome::Log(Ok(log)) = outcome {
            self.ctx.free_log(log);
        }
    }

    fn on_command(&mut self, type_id: i32, payload: &[u8]) {
        self.ctx.events.set_time(self.ctx.tick.now);
        match Command::decode(type_id, payload) {
            Ok(command) => {
                let log = &self.ctx.logs.conductor;
                if log.is_on() {
                    log_command(log, self.ctx.tick.now, &command);
                }
                let correlation_id = command.correlation_id();
                let progress = self.dispatch(command);
                self.conclude(correlation_id, progress);
            }
            Err(error) => self.on_malformed_command(type_id, &error),
        }
    }

    /// A command that cannot be understood is answered if it says whom to answer. Departs from
    /// Aeron, whose Java driver answers under id 0 and whose C driver does not answer.
    fn on_malformed_command(&mut self, type_id: i32, error: &CommandError) {
        let text = format!("command of type id {type_id}: {error}");
        self.ctx
            .log(EventKind::CmdInMalformed, &[i64::from(type_id)], &text);
        let failure = CommandFailure::new(error.code(), text);
        match error.correlation_id {
            Some(correlation_id) => self.ctx.reject(correlation_id, &failure),
            None => self.ctx.record(&failure),
        }
    }

    fn conclude(&mut self, correlation_id: CorrelationId, progress: Progress) {
        match progress {
            Ok(None) => {}
            Ok(Some((request, step))) => {
                self.pending = Some(Pending {
                    request,
                    correlation_id,
                    step,
                });
            }
            Err(failure) => self.ctx.reject(correlation_id, &failure),
        }
    }

    fn dispatch(&mut self, command: Command<'_>) -> Progress {
        match command {
            Command::AddPublication(add) => self.on_add_publication(&add, false),
            Command::AddExclusivePublication(add) => self.on_add_publication(&add, true),
            Command::RemovePublication(remove) => done(self.on_remove_publication(&remove)),
            Command::AddSubscription(add) => self.on_add_subscription(&add),
            Command::RemoveSubscription(remove) => done(self.on_remove_subscription(&remove)),
            Command::AddDestination(add) => self.on_add_send_destination(&add),
            Command::RemoveDestination(remove) => self.on_remove_send_destination(&remove),
            Command::RemoveDestinationById(remove) => {
                done(self.on_remove_send_destination_by_id(&remove))
            }
            Command::AddReceiveDestination(add) => self.on_add_receive_destination(&add),
            Command::RemoveReceiveDestination(remove) => {
                self.on_remove_receive_destination(&remove)
            }
            Command::AddCounter(add) => done(self.on_add_counter(&add)),
            Command::AddStaticCounter(add) => done(self.on_add_static_counter(&add)),
            Command::RemoveCounter(remove) => done(self.on_remove_counter(&remove)),
            Command::RejectImage(reject) => done(self.on_reject_image(&reject)),
            Command::GetNextAvailableSessionId(get) => {
                self.on_next_session_id(&get);
                Ok(None)
            }
            Command::ClientKeepalive(alive) => {
                self.on_client_keepalive(alive.client_id);
                Ok(None)
            }
            Command::ClientClose(close) => {
                self.on_client_close(close.client_id);
                Ok(None)
            }
            Command::TerminateDriver(terminate) => {
                self.on_terminate(&terminate);
                Ok(None)
            }
        }
    }

    fn on_next_session_id(&mut self, command: &GetNextAvailableSessionId) {
        let session_id = self.session_ids.next_on_any(command.stream_id);
        self.ctx
            .events
            .next_available_session_id(command.correlation_id, session_id);
    }

    /// Nobody is told whether the request was granted.
    fn on_terminate(&self, _command: &TerminateDriver<'_>) {
        match self.ctx.config.termination_validator {
            TerminationValidator::Allow => self.termination.set(),
            TerminationValidator::Deny => {}
        }
    }
}

fn done(result: Result<(), CommandFailure>) -> Progress {
    result.map(|()| None)
}

/// Refuses ids that name nothing.
pub(super) fn unknown(code: ErrorCode, what: &str, id: impl std::fmt::Display) -> CommandFailure {
    CommandFailure::new(code, format!("unknown {what}: registration id {id}"))
}
