//! SETUPs that were asked for and have not come (`driver.md` §7.5).
//!
//! Two kinds: an *elicited* one, asked for because data of an unknown session arrived, is forgotten
//! after a second, so that the next data frame asks again; a *solicitation* of an explicit control
//! address is repeated every second, as long as the endpoint wants any stream at all, and with it
//! one for each session that is wanted by itself and was not heard of.

use std::collections::VecDeque;

use crate::base::{Nanos, SessionId, StreamId};
use crate::driver::messages::EndpointId;

/// How long a SETUP is waited for, and the time between two solicitations.
pub(super) const PENDING_SETUP_TIMEOUT_NS: i64 = 1_000_000_000;

/// A session whose SETUP was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ElicitedSetup {
    pub(super) endpoint: EndpointId,
    /// Transport whose data made us ask.
    pub(super) index: usize,
    pub(super) stream_id: StreamId,
    pub(super) session_id: SessionId,
    pub(super) time: Nanos,
}

/// A transport with an explicit control address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Solicitation {
    pub(super) endpoint: EndpointId,
    pub(super) index: usize,
    /// When it was sent last.
    pub(super) time: Nanos,
}

/// All that the receiver waits for. The dispatchers bound the number of elicited ones.
#[derive(Debug, Default)]
pub(super) struct PendingSetups {
    /// Oldest first: all wait equally long.
    elicited: VecDeque<ElicitedSetup>,
    solicitations: Vec<Solicitation>,
}

impl PendingSetups {
    /// A SETUP was asked for.
    pub(super) fn elicit(&mut self, setup: ElicitedSetup) {
        self.elicited.push_back(setup);
    }

    /// A control address was asked and shall be asked again.
    pub(super) fn solicit(&mut self, solicitation: Solicitation) {
        self.solicitations.push(solicitation);
    }

    /// Keeps what is on endpoints that `keep_endpoint` wants, and of that the elicited ones that
    /// `keep_elicited` wants.
    pub(super) fn retain(
        &mut self,
        keep_endpoint: impl Fn(EndpointId) -> bool,
        keep_elicited: impl Fn(&ElicitedSetup) -> bool,
    ) {
        self.elicited
            .retain(|setup| keep_endpoint(setup.endpoint) && keep_elicited(setup));
        self.solicitations
            .retain(|entry| keep_endpoint(entry.endpoint));
    }

    /// Forgets all about a transport. Calls `forgotten` with what had been asked for through it.
    pub(super) fn remove_transport(
        &mut self,
        endpoint: EndpointId,
        index: usize,
        mut forgotten: impl FnMut(&ElicitedSetup),
    ) {
        self.elicited.retain(|setup| {
            let is_gone = (setup.endpoint, setup.index) == (endpoint, index);
            if is_gone {
                forgotten(setup);
            }
            !is_gone
        });
        self.solicitations
            .retain(|entry| (entry.endpoint, entry.index) != (endpoint, index));
    }

    /// Forgets and returns a SETUP that did not come in time, the oldest first.
    pub(super) fn pop_expired(&mut self, now: Nanos) -> Option<ElicitedSetup> {
        let oldest = self.elicited.front()?;
        if now.is_expired(oldest.time, PENDING_SETUP_TIMEOUT_NS) {
            self.elicited.pop_front()
        } else {
            None
        }
    }

    /// Solicitations sent more than a second ago; whoever repeats one sets its time.
    pub(super) fn due_solicitations(
        &mut self,
        now: Nanos,
    ) -> impl Iterator<Item = &mut Solicitation> {
        self.solicitations
            .iter_mut()
            .filter(move |entry| now.is_expired(entry.time, PENDING_SETUP_TIMEOUT_NS))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.elicited.len() + self.solicitations.len()
    }
}
