//! What every part of the conductor needs: the time, the ways out, the counters.

use std::sync::Arc;

use crate::base::{CorrelationId, CounterId};
use crate::cnc::{SystemCounter, SystemCounters};
use crate::command::ErrorCode;
use crate::concurrent::{EventKind, RingBuffer};
use crate::driver::config::DriverConfig;
use crate::driver::counters::DriverCounters;
use crate::driver::errors::ErrorReporter;
use crate::driver::event_logs::EventLogs;
use crate::driver::failure::CommandFailure;
use crate::driver::messages::{EndpointId, Outbox, ReceiverMessage, SenderMessage};
use crate::driver::resources::{CreatedLog, RequestId, ResourceRequest, ResourceTask};
use crate::driver::untethered::LinkId;
use crate::port::Tick;

use super::events::Events;

/// The conductor's surroundings.
pub(super) struct Context<T> {
    pub(super) config: Arc<DriverConfig>,
    /// The time of this duty cycle.
    pub(super) tick: Tick,
    /// The to-driver ring, for correlation ids and the heartbeat.
    pub(super) ring: RingBuffer,
    pub(super) events: Events,
    pub(super) counters: DriverCounters,
    pub(super) system: SystemCounters,
    pub(super) errors: ErrorReporter,
    pub(super) sender: Outbox<SenderMessage<T>>,
    pub(super) receiver: Outbox<ReceiverMessage<T>>,
    pub(super) resources: Outbox<ResourceRequest>,
    pub(super) logs: EventLogs,
    next_request: u64,
    next_endpoint: u32,
    next_link: u64,
}

/// What a [`Context`] is made of.
pub(super) struct Surroundings<T> {
    pub(super) config: Arc<DriverConfig>,
    pub(super) tick: Tick,
    pub(super) ring: RingBuffer,
    pub(super) events: Events,
    pub(super) counters: DriverCounters,
    pub(super) system: SystemCounters,
    pub(super) errors: ErrorReporter,
    pub(super) sender: Outbox<SenderMessage<T>>,
    pub(super) receiver: Outbox<ReceiverMessage<T>>,
    pub(super) resources: Outbox<ResourceRequest>,
    pub(super) logs: EventLogs,
}

impl<T> Context<T> {
    pub(super) fn new(surroundings: Surroundings<T>) -> Self {
        let Surroundings {
            config,
            tick,
            ring,
            events,
            counters,
            system,
            errors,
            sender,
            receiver,
            resources,
            logs,
        } = surroundings;
        Self {
            config,
            tick,
            ring,
            events,
            counters,
            system,
            errors,
            sender,
            receiver,
            resources,
            logs,
            next_request: 0,
            next_endpoint: 0,
            next_link: 0,
        }
    }

    /// Asks the resource agent for something.
    pub(super) fn request(&mut self, task: ResourceTask) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.resources.send(ResourceRequest { id, task });
        id
    }

    /// Has a log unmapped and deleted.
    pub(super) fn free_log(&mut self, log: CreatedLog) {
        self.request(ResourceTask::FreeLog(log));
    }

    /// Frees counters.
    pub(super) fn free_counters(&mut self, counters: impl IntoIterator<Item = CounterId>) {
        for counter in counters {
            self.counters.free(counter, self.tick.epoch);
        }
    }

    /// Answers a command with an error, and records it.
    pub(super) fn reject(&mut self, correlation_id: CorrelationId, failure: &CommandFailure) {
        self.record(failure);
        self.events.error(correlation_id, failure);
    }

    /// Records a failure, unless its client is merely asked to try again later.
    pub(super) fn record(&self, failure: &CommandFailure) {
        if failure.code != ErrorCode::ResourceTemporarilyUnavailable {
            self.errors
                .report(self.tick.epoch, failure.code, failure.log_text());
        }
    }

    /// Writes an event down, if events are.
    pub(super) fn log(&self, kind: EventKind, values: &[i64], text: &str) {
        self.logs.conductor.emit(self.tick.now, kind, values, text);
    }

    /// Bumps a system counter.
    pub(super) fn count(&self, counter: SystemCounter) {
        self.system.get(counter).add(1);
    }

    /// Whether a client command must wait because it might meet a full queue.
    pub(super) fn is_back_pressured(&self) -> bool {
        self.sender.is_full() || self.receiver.is_full() || self.resources.is_full()
    }

    /// Whether full queues refused something that is still to be sent.
    pub(super) fn has_backlog(&self) -> bool {
        self.sender.has_backlog() || self.receiver.has_backlog() || self.resources.has_backlog()
    }

    /// Sends what full queues refused earlier.
    #[inline]
    pub(super) fn flush(&mut self) -> usize {
        self.sender.flush() + self.receiver.flush() + self.resources.flush()
    }

    pub(super) const fn next_endpoint_id(&mut self) -> EndpointId {
        let id = EndpointId(self.next_endpoint);
        self.next_endpoint += 1;
        id
    }

    pub(super) const fn next_link_id(&mut self) -> LinkId {
        let id = LinkId(self.next_link);
        self.next_link += 1;
        id
    }
}
