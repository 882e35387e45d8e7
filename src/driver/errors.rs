//! Where agents put what went wrong: the distinct error log and the "Errors" counter.

use crate::base::EpochMillis;
use crate::command::ErrorCode;
use crate::concurrent::{AtomicCounter, DistinctErrorLog, EventKind, EventWriter};

/// One agent's way to the error log of its driver; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct ErrorReporter {
    log: DistinctErrorLog,
    errors: AtomicCounter,
    events: EventWriter,
}

impl ErrorReporter {
    /// Records into `log` and counts in `errors`.
    pub(crate) const fn new(log: DistinctErrorLog, errors: AtomicCounter) -> Self {
        Self {
            log,
            errors,
            events: EventWriter::off(),
        }
    }

    /// One that also writes into the event log of the agent that has it.
    pub(crate) fn with_events(&self, events: &EventWriter) -> Self {
        Self {
            events: events.clone(),
            ..self.clone()
        }
    }

    /// Records what is no error: something goes another way than it might.
    pub(crate) fn warn(&self, now: EpochMillis, text: &str) {
        let _is_on_record = self.log.record(now, 0, text);
    }

    /// Records and counts one error. A log that is full loses the text and keeps the count.
    pub(crate) fn report(&self, now: EpochMillis, code: ErrorCode, text: &str) {
        self.errors.add(1);
        let _is_on_record = self.log.record(now, code.to_wire(), text);
        let code = i64::from(code.to_wire());
        self.events
            .emit_at(now, EventKind::ErrorRecorded, &[code], text);
    }
}
