//! Mapped logs, shared by all handles on the same one.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use crate::base::{Nanos, RegistrationId};
use crate::client::core::LogLease;
use crate::logbuffer::{LogBuffer, LogOpener, OpenError};

/// Logs by original registration id of the publication or correlation id of the image, which are
/// one number space; an IPC image has the id, and so the mapping, of its publication.
///
/// Handles keep a log mapped, so that nobody is left with a dangling one. That a log lingers after
/// its last handle has other uses: a quick rejoin finds it, and the unmapping of it, which may take
/// long, happens on the conductor rather than in the middle of a poll.
pub(super) struct Logs {
    opener: Arc<dyn LogOpener>,
    mapped: BTreeMap<RegistrationId, Weak<LogBuffer>>,
    lingering: Vec<(Nanos, LogLease)>,
}

impl Logs {
    pub(super) fn new(opener: Arc<dyn LogOpener>) -> Self {
        Self {
            opener,
            mapped: BTreeMap::new(),
            lingering: Vec::new(),
        }
    }

    /// The log of `id`, mapped from `path` unless it is already.
    pub(super) fn open(&mut self, id: RegistrationId, path: &str) -> Result<LogLease, OpenError> {
        if let Some(log) = self.mapped.get(&id).and_then(Weak::upgrade) {
            return Ok(log);
        }
        let log = Arc::new(self.opener.open(path)?);
        self.mapped.insert(id, Arc::downgrade(&log));
        Ok(log)
    }

    /// Keeps a log mapped until `deadline`.
    pub(super) fn linger(&mut self, log: LogLease, deadline: Nanos) {
        self.lingering.push((deadline, log));
    }

    /// Lets go of logs whose time has come; returns how many.
    pub(super) fn unmap_lingered(&mut self, now: Nanos) -> usize {
        let before = self.lingering.len();
        self.lingering
            .retain(|(deadline, _)| !now.is_at_or_after(*deadline));
        let count = before - self.lingering.len();
        if count > 0 {
            self.mapped.retain(|_, log| log.strong_count() > 0);
        }
        count
    }

    pub(super) fn clear(&mut self) {
        self.lingering.clear();
        self.mapped.clear();
    }
}
