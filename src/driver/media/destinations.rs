//! The destinations of a multi-destination (MDC) publication channel.
//!
//! A *manual* list is what clients added by command. A *dynamic* list is who spoke to the
//! channel's control address lately: the first status message of a receiver adds it, five seconds
//! of silence remove it. Everything the channel sends goes to every destination, starting with
//! another one each time so that none is always last (`driver.md` §5.13).
//!
//! What one destination does not take is lost for that destination alone: it will ask again. The
//! stream advances as if all had taken it, with no destination at all too.

use std::net::SocketAddr;

use crate::base::{Nanos, ReceiverId, RegistrationId};
use crate::concurrent::AtomicCounter;
use crate::driver::messages::Destination;
use crate::port::{Burst, Transport};

/// Silence after which a dynamic destination is dropped and the name of a manual one looked up
/// again, in nanoseconds.
pub(crate) const DESTINATION_TIMEOUT_NS: i64 = 5_000_000_000;

/// Dynamic destinations beyond this are not learnt. Anybody who can reach the port can invent
/// receivers, and each one multiplies what is sent.
const DYNAMIC_DESTINATIONS_MAX: usize = 1024;

/// Who decides about the destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DestinationKind {
    /// Clients, by command.
    Manual,
    /// Receivers, by their status messages.
    Dynamic,
}

/// What a manual destination was added as.
#[derive(Debug)]
struct Manual {
    registration_id: RegistrationId,
    endpoint_text: String,
}

#[derive(Debug)]
struct Entry {
    /// Where to send; a name may not have resolved yet.
    address: Option<SocketAddr>,
    /// Who listens there, once it has spoken.
    receiver_id: Option<ReceiverId>,
    last_activity: Nanos,
    manual: Option<Manual>,
}

/// A send that one destination answered with an error.
#[derive(Debug)]
pub(crate) struct SendFault {
    /// The destination.
    pub(crate) address: Option<SocketAddr>,
    /// What the operating system said.
    pub(crate) error: std::io::Error,
}

/// The destinations of one channel, owned by the sender.
#[derive(Debug)]
pub(crate) struct Destinations {
    kind: DestinationKind,
    entries: Vec<Entry>,
    round_robin: usize,
    count: AtomicCounter,
}

impl Destinations {
    /// An empty list that publishes its length in `count`.
    pub(crate) const fn new(kind: DestinationKind, count: AtomicCounter) -> Self {
        Self {
            kind,
            entries: Vec::new(),
            round_robin: 0,
            count,
        }
    }

    /// Adds a destination by command; one that is there already receives everything twice.
    pub(crate) fn add(&mut self, destination: Destination, now: Nanos) {
        self.entries.push(Entry {
            address: destination.address,
            receiver_id: None,
            last_activity: now,
            manual: Some(Manual {
                registration_id: destination.registration_id,
                endpoint_text: destination.endpoint_text,
            }),
        });
        self.publish_count();
    }

    /// Removes one destination with this address, if there is any: the newest.
    pub(crate) fn remove(&mut self, address: SocketAddr) {
        self.remove_last(|entry| entry.address == Some(address));
    }

    /// Removes the destination added by this command, if it is still there.
    pub(crate) fn remove_by_id(&mut self, registration_id: RegistrationId) {
        self.remove_last(|entry| entry.registration_id() == Some(registration_id));
    }

    /// A receiver spoke: notes that it lives, and learns what is new about it.
    pub(crate) fn on_status_message(
        &mut self,
        receiver_id: ReceiverId,
        source: SocketAddr,
        now: Nanos,
    ) {
        let known = self
            .entries
            .iter_mut()
            .find(|entry| entry.is_spoken_for(receiver_id, source));
        if let Some(entry) = known {
            entry.receiver_id = Some(receiver_id);
            entry.last_activity = now;
        } else if self.kind == DestinationKind::Dynamic
            && self.entries.len() < DYNAMIC_DESTINATIONS_MAX
        {
            self.entries.push(Entry {
                address: Some(source),
                receiver_id: Some(receiver_id),
                last_activity: now,
                manual: None,
            });
            self.publish_count();
        }
    }

    /// The manual destination a receiver speaks for.
    pub(crate) fn registration_of(
        &self,
        receiver_id: ReceiverId,
        source: SocketAddr,
    ) -> Option<RegistrationId> {
        self.entries
            .iter()
            .find(|entry| entry.is_spoken_for(receiver_id, source))
            .and_then(Entry::registration_id)
    }

    /// A name resolved to another address: takes it over wherever it was used.
    pub(crate) fn on_resolution_change(&mut self, endpoint_text: &str, address: SocketAddr) {
        for entry in &mut self.entries {
            if entry
                .manual
                .as_ref()
                .is_some_and(|m| m.endpoint_text == endpoint_text)
            {
                entry.address = Some(address);
            }
        }
    }

    /// Calls `visit` with the endpoint text and address of each manual destination that has been
    /// silent for too long, and gives it as long again.
    pub(crate) fn for_each_silent(
        &mut self,
        now: Nanos,
        mut visit: impl FnMut(&str, Option<SocketAddr>),
    ) {
        for entry in &mut self.entries {
            let Some(manual) = &entry.manual else {
                continue;
            };
            if now.is_expired(entry.last_activity, DESTINATION_TIMEOUT_NS) {
                entry.last_activity = now;
                visit(&manual.endpoint_text, entry.address);
            }
        }
    }

    /// Sends to every destination. Returns one of the hard errors met, if any.
    pub(crate) fn send<T: Transport>(
        &mut self,
        transport: &mut T,
        bursts: &[Burst<'_>],
        now: Nanos,
    ) -> Option<SendFault> {
        if self.kind == DestinationKind::Dynamic {
            self.drop_silent(now);
        }
        let count = self.entries.len();
        let mut start = self.round_robin;
        self.round_robin += 1;
        if start >= count {
            start = 0;
            self.round_robin = 1;
        }
        let mut fault = None;
        for index in (start..count).chain(0..start) {
            let Some(address) = self.entries[index].address else {
                continue;
            };
            if let Err(error) = transport.send_bursts(Some(address), bursts) {
                fault = Some(SendFault {
                    address: Some(address),
                    error,
                });
            }
        }
        fault
    }

    fn drop_silent(&mut self, now: Nanos) {
        let count = self.entries.len();
        let mut index = 0;
        while index < self.entries.len() {
            if now.is_expired(self.entries[index].last_activity, DESTINATION_TIMEOUT_NS) {
                self.entries.swap_remove(index);
            } else {
                index += 1;
            }
        }
        if self.entries.len() != count {
            self.publish_count();
        }
    }

    fn remove_last(&mut self, is_wanted: impl Fn(&Entry) -> bool) {
        if let Some(index) = self.entries.iter().rposition(is_wanted) {
            self.entries.swap_remove(index);
            self.publish_count();
        }
    }

    fn publish_count(&self) {
        self.count
            .set(i64::try_from(self.entries.len()).unwrap_or(i64::MAX));
    }
}

impl Entry {
    /// Whether a message of `receiver_id` from `source` comes from this destination. Only the port
    /// of a known receiver is compared: address translation may change the rest.
    fn is_spoken_for(&self, receiver_id: ReceiverId, source: SocketAddr) -> bool {
        match (self.receiver_id, self.address) {
            (Some(known), Some(address)) => known == receiver_id && address.port() == source.port(),
            (None, Some(address)) => address == source,
            (_, None) => false,
        }
    }

    fn registration_id(&self) -> Option<RegistrationId> {
        self.manual.as_ref().map(|manual| manual.registration_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::media::fake_transport::FakeTransport;

    const SECOND: i64 = 1_000_000_000;

    fn address(last: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], port))
    }

    fn destination(id: i64, address: Option<SocketAddr>) -> Destination {
        Destination {
            registration_id: RegistrationId(id),
            uri_text: format!("aeron:udp?endpoint=host-{id}:9000"),
            endpoint_text: format!("host-{id}:9000"),
            address,
        }
    }

    fn list(kind: DestinationKind) -> (Destinations, AtomicCounter) {
        let count = AtomicCounter::detached(0);
        (Destinations::new(kind, count.clone()), count)
    }

    fn send(list: &mut Destinations, now: i64) -> Vec<SocketAddr> {
        let mut transport = FakeTransport::new();
        let fault = list.send(&mut transport, &[Burst::one(&[1, 2, 3])], Nanos(now));
        assert!(fault.is_none());
        transport
            .take_sent()
            .iter()
            .map(|sent| sent.to.expect("not connected"))
            .collect()
    }

    #[test]
    fn a_dynamic_destination_is_learnt_and_forgotten() {
        let (mut list, count) = list(DestinationKind::Dynamic);
        list.on_status_message(ReceiverId(1), address(1, 9000), Nanos(0));
        list.on_status_message(ReceiverId(2), address(2, 9000), Nanos(SECOND));
        assert_eq!(count.get(), 2);
        assert_eq!(send(&mut list, 5 * SECOND).len(), 2);
        assert_eq!(send(&mut list, 5 * SECOND + 1), [address(2, 9000)]);
        assert_eq!(count.get(), 1);
    }

    #[test]
    fn a_status_message_refreshes_a_dynamic_destination_but_does_not_move_it() {
        let (mut list, count) = list(DestinationKind::Dynamic);
        list.on_status_message(ReceiverId(1), address(1, 9000), Nanos(0));
        list.on_status_message(ReceiverId(1), address(7, 9000), Nanos(4 * SECOND));
        assert_eq!(count.get(), 1);
        assert_eq!(send(&mut list, 9 * SECOND), [address(1, 9000)]);
        list.on_status_message(ReceiverId(1), address(1, 9001), Nanos(9 * SECOND));
        assert_eq!(count.get(), 2, "another port is another receiver");
    }

    #[test]
    fn invented_receivers_do_not_grow_without_bound() {
        let (mut list, count) = list(DestinationKind::Dynamic);
        for id in 0..2_000 {
            list.on_status_message(ReceiverId(id), address(1, 9000), Nanos(0));
        }
        assert_eq!(count.get(), 1024);
    }

    #[test]
    fn a_manual_destination_learns_its_receiver_and_stays() {
        let (mut list, count) = list(DestinationKind::Manual);
        list.add(destination(5, Some(address(1, 9000))), Nanos(0));
        list.on_status_message(ReceiverId(8), address(2, 9000), Nanos(0));
        assert_eq!(list.registration_of(ReceiverId(8), address(2, 9000)), None);
        list.on_status_message(ReceiverId(8), address(1, 9000), Nanos(0));
        let moved = address(9, 9000);
        assert_eq!(
            list.registration_of(ReceiverId(8), moved),
            Some(RegistrationId(5))
        );
        assert_eq!(list.registration_of(ReceiverId(7), address(1, 9000)), None);
        assert_eq!(send(&mut list, 100 * SECOND), [address(1, 9000)]);
        assert_eq!(count.get(), 1);
    }

    #[test]
    fn manual_destinations_are_removed_one_by_one() {
        let (mut list, count) = list(DestinationKind::Manual);
        for id in 1..=3 {
            list.add(destination(id, Some(address(1, 9000))), Nanos(0));
        }
        list.add(destination(4, None), Nanos(0));
        assert_eq!(count.get(), 4);
        list.remove(address(1, 9000));
        list.remove_by_id(RegistrationId(1));
        list.remove_by_id(RegistrationId(99));
        list.remove(address(2, 9000));
        assert_eq!(count.get(), 2);
        assert_eq!(
            send(&mut list, 0),
            [address(1, 9000)],
            "the unresolved one is skipped"
        );
    }

    #[test]
    fn each_send_starts_with_the_next_destination() {
        let (mut list, _) = list(DestinationKind::Manual);
        for id in 1..=3 {
            list.add(
                destination(i64::from(id), Some(address(id, 9000))),
                Nanos(0),
            );
        }
        let first: Vec<_> = (0..4).map(|_| send(&mut list, 0)[0]).collect();
        assert_eq!(first, [1, 2, 3, 1].map(|id| address(id, 9000)));
    }

    #[test]
    fn silence_asks_for_resolution_once_per_timeout() {
        let (mut list, _) = list(DestinationKind::Manual);
        list.add(destination(1, None), Nanos(0));
        list.add(destination(2, Some(address(2, 9000))), Nanos(0));
        list.on_status_message(ReceiverId(1), address(2, 9000), Nanos(SECOND));
        let mut asked = Vec::new();
        for now in [5 * SECOND, 5 * SECOND + 1, 5 * SECOND + 2] {
            list.for_each_silent(Nanos(now), |text, at| asked.push((text.to_owned(), at)));
        }
        assert_eq!(asked, [("host-1:9000".to_owned(), None)]);
        list.on_resolution_change("host-1:9000", address(3, 9000));
        assert_eq!(
            send(&mut list, 6 * SECOND),
            [address(3, 9000), address(2, 9000)]
        );
    }

    #[test]
    fn a_failing_destination_does_not_keep_the_others_from_getting_it() {
        let (mut list, _) = list(DestinationKind::Manual);
        list.add(destination(1, Some(address(1, 9000))), Nanos(0));
        list.add(destination(2, Some(address(2, 9000))), Nanos(0));
        let mut transport = FakeTransport::new();
        transport.fail_next();
        let fault = list
            .send(&mut transport, &[Burst::one(&[1])], Nanos(0))
            .expect("one failed");
        assert_eq!(fault.address, Some(address(1, 9000)));
        assert_eq!(transport.take_sent().len(), 1);
    }
}
