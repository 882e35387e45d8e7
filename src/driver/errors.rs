//! Where agents put what went wrong: the distinct error log and the "Errors" counter.

use crate::base::EpochMillis;
use crate::command::ErrorCode;
use crate::concurrent::{AtomicCounter, DistinctErrorLog};

/// One agent's way to the error log of its driver; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct ErrorReporter {
    log: DistinctErrorLog,
    errors: AtomicCounter,
}

impl ErrorReporter {
    /// Records into `log` and counts in `errors`.
    pub(crate) const fn new(log: DistinctErrorLog, errors: AtomicCounter) -> Self {
        Self { log, errors }
    }

    /// Records and counts one error. A log that is full loses the text and keeps the count.
    pub(crate) fn report(&self, now: EpochMillis, code: ErrorCode, text: &str) {
        self.errors.add(1);
        let _is_on_record = self.log.record(now, code.to_wire(), text);
    }
}
