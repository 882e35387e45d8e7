//! The transports that feed an image (`driver.md` §8.3, §8.6).
//!
//! An image of a multi-destination subscription can arrive over several transports; whatever it has
//! to say goes out over each of them, to the address its sender listens at. A transport that was
//! silent for five seconds is not sent to any more.
//!
//! Departs from Aeron: an address that was silent for as long, while the stream comes from
//! another, is given up for that one. A gateway that translates addresses may begin to use others
//! at any time; Aeron's receiver keeps telling the old one what it has and lacks, which reaches
//! nobody, and as heartbeats keep the image alive the stream stands still for ever. As long as
//! anything comes from the known address it stays, so a second source of the same stream changes
//! nothing, and an address that the channel names always stays.

use std::net::SocketAddr;

use crate::base::{Nanos, Position};
use crate::driver::media::receive_endpoint::DESTINATION_ACTIVITY_TIMEOUT_NS;

/// One transport, seen from the image.
#[derive(Clone, Copy, Debug)]
struct Connection {
    /// Where control frames go. Unknown for a destination that brought nothing yet.
    control_address: Option<SocketAddr>,
    /// When something came from there; a named address is not looked at again.
    time_of_address: Nanos,
    /// The address is the channel's own, whatever comes from elsewhere.
    is_named: bool,
    time_of_last_activity: Nanos,
    /// When the last data or heartbeat was accepted.
    time_of_last_frame: Option<Nanos>,
    /// Where the stream ends according to this transport.
    end_of_stream: Option<Position>,
}

impl Connection {
    const fn new(control_address: Option<SocketAddr>, now: Nanos) -> Self {
        Self {
            control_address,
            time_of_address: now,
            is_named: false,
            time_of_last_activity: now,
            time_of_last_frame: None,
            end_of_stream: None,
        }
    }

    /// Something came from an address.
    #[inline]
    fn hear(&mut self, from: SocketAddr, now: Nanos) {
        if self.control_address == Some(from) {
            self.time_of_address = now;
        } else {
            self.hear_elsewhere(from, now);
        }
    }

    /// Something came from another address than the known one, if any is known.
    #[cold]
    fn hear_elsewhere(&mut self, from: SocketAddr, now: Nanos) {
        let is_silent = now.is_expired(self.time_of_address, DESTINATION_ACTIVITY_TIMEOUT_NS);
        if self.control_address.is_none() || (is_silent && !self.is_named) {
            self.control_address = Some(from);
            self.time_of_address = now;
        }
    }
}

/// The connections of an image by slot of their transport.
#[derive(Debug)]
pub(super) struct Connections {
    slots: Vec<Option<Connection>>,
}

impl Connections {
    /// One connection: the transport that brought the SETUP.
    pub(super) fn new(index: usize, control_address: SocketAddr, now: Nanos) -> Self {
        let mut connections = Self { slots: Vec::new() };
        connections.reserve(index + 1);
        connections.slots[index] = Some(Connection::new(Some(control_address), now));
        connections
    }

    /// Makes room for `count` transports, so that frames need not.
    pub(super) fn reserve(&mut self, count: usize) {
        if self.slots.len() < count {
            self.slots.resize(count, None);
        }
    }

    /// A destination was added. Until it has brought something it is connected only if it can be
    /// addressed, but the stream does not end without it.
    pub(super) fn add(&mut self, index: usize, control_address: Option<SocketAddr>, now: Nanos) {
        self.reserve(index + 1);
        let slot = &mut self.slots[index];
        if slot.is_none() {
            *slot = Some(Connection {
                is_named: control_address.is_some(),
                ..Connection::new(control_address, now)
            });
        }
    }

    /// A destination was removed.
    pub(super) fn remove(&mut self, index: usize) {
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = None;
        }
    }

    /// A SETUP arrived.
    pub(super) fn on_setup(&mut self, index: usize, control_address: SocketAddr, now: Nanos) {
        if let Some(connection) = self.entry(index, control_address, now) {
            connection.time_of_last_activity = now;
        }
    }

    /// Data or a heartbeat was accepted.
    #[inline]
    pub(super) fn on_frame(&mut self, index: usize, control_address: SocketAddr, now: Nanos) {
        if let Some(connection) = self.entry(index, control_address, now) {
            connection.time_of_last_activity = now;
            connection.time_of_last_frame = Some(now);
        }
    }

    /// A heartbeat said that the stream ends at `position`. Returns where it ends once all
    /// connections agree that it does.
    pub(super) fn on_end_of_stream(
        &mut self,
        index: usize,
        position: Position,
    ) -> Option<Position> {
        if let Some(Some(connection)) = self.slots.get_mut(index) {
            connection.end_of_stream = Some(position);
        }
        let mut end = position;
        for connection in self.slots.iter().flatten() {
            end = end.max(connection.end_of_stream?);
        }
        Some(end)
    }

    /// Slots and addresses of the connections that are sent to.
    pub(super) fn active(&self, now: Nanos) -> impl Iterator<Item = (usize, SocketAddr)> + '_ {
        self.slots
            .iter()
            .enumerate()
            .filter_map(move |(index, slot)| {
                let connection = slot.as_ref()?;
                let is_silent = now.is_expired(
                    connection.time_of_last_activity,
                    DESTINATION_ACTIVITY_TIMEOUT_NS,
                );
                if is_silent {
                    None
                } else {
                    Some((index, connection.control_address?))
                }
            })
    }

    /// Number of connections that brought a frame within `timeout_ns`.
    pub(super) fn count_live(&self, now: Nanos, timeout_ns: i64) -> i32 {
        let live = self
            .slots
            .iter()
            .flatten()
            .filter_map(|connection| connection.time_of_last_frame)
            .filter(|time| !now.is_expired(*time, timeout_ns))
            .count();
        i32::try_from(live).unwrap_or(i32::MAX)
    }

    /// The connection in a slot, made if it is new. An address is learnt once and kept as long as
    /// anything comes from there.
    #[inline]
    fn entry(
        &mut self,
        index: usize,
        control_address: SocketAddr,
        now: Nanos,
    ) -> Option<&mut Connection> {
        debug_assert!(
            index < self.slots.len(),
            "room is made when transports are added"
        );
        let slot = self.slots.get_mut(index)?;
        let connection = slot.get_or_insert_with(|| Connection::new(Some(control_address), now));
        connection.hear(control_address, now);
        Some(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn active(connections: &Connections, now: i64) -> Vec<(usize, SocketAddr)> {
        connections.active(Nanos(now)).collect()
    }

    #[test]
    fn silent_connections_are_not_sent_to() {
        let mut connections = Connections::new(0, address(1), Nanos(0));
        assert_eq!(active(&connections, 5 * SECOND), [(0, address(1))]);
        assert_eq!(active(&connections, 5 * SECOND + 1), []);
        connections.on_frame(0, address(1), Nanos(6 * SECOND));
        assert_eq!(active(&connections, 6 * SECOND), [(0, address(1))]);
    }

    #[test]
    fn an_address_is_followed_once_nothing_comes_from_the_old_one() {
        let mut connections = Connections::new(0, address(1), Nanos(0));
        connections.on_frame(0, address(9), Nanos(4 * SECOND));
        connections.on_frame(0, address(9), Nanos(5 * SECOND));
        assert_eq!(active(&connections, 5 * SECOND), [(0, address(1))]);
        connections.on_frame(0, address(9), Nanos(5 * SECOND + 1));
        assert_eq!(active(&connections, 5 * SECOND + 1), [(0, address(9))]);
        // Two sources of one stream: who came first stays.
        for second in 6..20 {
            connections.on_frame(0, address(9), Nanos(second * SECOND));
            connections.on_setup(0, address(1), Nanos(second * SECOND));
        }
        assert_eq!(active(&connections, 20 * SECOND), [(0, address(9))]);
    }

    #[test]
    fn a_named_address_stays_though_nothing_comes_from_there() {
        let mut connections = Connections::new(0, address(1), Nanos(0));
        connections.add(1, Some(address(3)), Nanos(0));
        connections.on_frame(1, address(9), Nanos(7 * SECOND));
        assert_eq!(active(&connections, 7 * SECOND), [(1, address(3))]);
    }

    #[test]
    fn a_new_destination_is_addressed_once_it_is_known_where() {
        let mut connections = Connections::new(0, address(1), Nanos(0));
        connections.add(1, None, Nanos(0));
        connections.add(2, Some(address(3)), Nanos(0));
        assert_eq!(active(&connections, 0), [(0, address(1)), (2, address(3))]);
        connections.on_frame(1, address(2), Nanos(1));
        assert_eq!(active(&connections, 1).len(), 3);
        connections.remove(0);
        assert_eq!(active(&connections, 1), [(1, address(2)), (2, address(3))]);
    }

    #[test]
    fn the_stream_ends_where_the_furthest_connection_says() {
        let mut connections = Connections::new(0, address(1), Nanos(0));
        connections.add(1, None, Nanos(0));
        assert_eq!(connections.on_end_of_stream(0, Position(64)), None);
        assert_eq!(
            connections.on_end_of_stream(1, Position(32)),
            Some(Position(64))
        );
    }

    #[test]
    fn a_removed_connection_does_not_hold_back_the_end() {
        let mut connections = Connections::new(0, address(1), Nanos(0));
        connections.add(1, None, Nanos(0));
        assert_eq!(connections.on_end_of_stream(0, Position(64)), None);
        connections.remove(1);
        assert_eq!(
            connections.on_end_of_stream(0, Position(64)),
            Some(Position(64))
        );
    }

    #[test]
    fn only_frames_make_a_transport_live() {
        let mut connections = Connections::new(0, address(1), Nanos(0));
        assert_eq!(connections.count_live(Nanos(0), 10), 0);
        connections.on_setup(0, address(1), Nanos(0));
        assert_eq!(connections.count_live(Nanos(0), 10), 0);
        connections.on_frame(0, address(1), Nanos(5));
        assert_eq!(connections.count_live(Nanos(15), 10), 1);
        assert_eq!(connections.count_live(Nanos(16), 10), 0);
    }
}
