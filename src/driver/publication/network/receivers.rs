//! Which receivers are alive.

use crate::base::{Nanos, ReceiverId};

/// Receivers beyond this are not remembered. Anybody who can reach the port can invent them.
const RECEIVERS_MAX: usize = 4096;

/// The receivers that spoke lately, in the order of their ids.
#[derive(Debug, Default)]
pub(super) struct LiveReceivers {
    entries: Vec<(ReceiverId, Nanos)>,
}

impl LiveReceivers {
    /// A receiver spoke.
    pub(super) fn on_alive(&mut self, receiver_id: ReceiverId, now: Nanos) {
        match self.find(receiver_id) {
            Ok(index) => self.entries[index].1 = now,
            Err(index) if self.entries.len() < RECEIVERS_MAX => {
                self.entries.insert(index, (receiver_id, now));
            }
            Err(_) => {}
        }
    }

    /// A receiver is gone. Returns whether it was known.
    pub(super) fn remove(&mut self, receiver_id: ReceiverId) -> bool {
        let found = self.find(receiver_id);
        if let Ok(index) = found {
            self.entries.remove(index);
        }
        found.is_ok()
    }

    /// Forgets the receivers that have been silent for `timeout_ns`.
    pub(super) fn drop_silent(&mut self, now: Nanos, timeout_ns: i64) {
        self.entries
            .retain(|(_, last)| now.since(*last) < timeout_ns);
    }

    /// Whether none is alive.
    pub(super) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn find(&self, receiver_id: ReceiverId) -> Result<usize, usize> {
        self.entries
            .binary_search_by_key(&receiver_id, |(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_lives_until_it_falls_silent_or_goes() {
        let mut receivers = LiveReceivers::default();
        receivers.on_alive(ReceiverId(2), Nanos(0));
        receivers.on_alive(ReceiverId(1), Nanos(5));
        receivers.on_alive(ReceiverId(2), Nanos(6));
        receivers.drop_silent(Nanos(14), 10);
        assert_eq!(receivers.entries.len(), 2);
        receivers.drop_silent(Nanos(15), 10);
        assert!(!receivers.remove(ReceiverId(1)));
        assert!(receivers.remove(ReceiverId(2)));
        assert!(receivers.is_empty());
    }

    #[test]
    fn invented_receivers_do_not_grow_without_bound() {
        let mut receivers = LiveReceivers::default();
        for id in 0..5_000 {
            receivers.on_alive(ReceiverId(id), Nanos(0));
        }
        assert_eq!(receivers.entries.len(), RECEIVERS_MAX);
    }
}
