//! Control frames between their arrival and their turn.
//!
//! While a transport is polled it cannot send, and answering a control frame often means sending:
//! a NAK asks for data, a round-trip request for an answer. So a poll only puts the frames aside,
//! in memory that was reserved once, and they are acted upon when it is over.

use std::net::{Ipv4Addr, SocketAddr};

use crate::protocol::ErrorMessage;

/// Datagrams that are put aside at most, as many as the largest poll of a transport delivers: a
/// receiver that misses much asks for all of it at once. More are lost, as on the network.
const DATAGRAMS_MAX: usize = 512;

/// Bytes that are put aside at most. Those 512 take a third of it unless they are error frames.
const BYTES_MAX: usize = 64 * 1024;

/// Bytes kept of a datagram: those of the longest control frame, rounded up. No control frame says
/// anything beyond.
const DATAGRAM_LENGTH_MAX: usize = 1088;

const _: () = assert!(DATAGRAM_LENGTH_MAX >= ErrorMessage::MAX_LENGTH);

#[derive(Clone, Copy)]
struct Slot {
    source: SocketAddr,
    /// Where its bytes are.
    begin: usize,
    end: usize,
}

/// A few datagrams.
#[derive(Default)]
pub(crate) struct ControlInbox {
    slots: Box<[Slot]>,
    bytes: Box<[u8]>,
    count: usize,
    /// Bytes in use.
    used: usize,
}

impl ControlInbox {
    /// An empty inbox with all its memory.
    pub(crate) fn new() -> Self {
        let source = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let slot = Slot {
            source,
            begin: 0,
            end: 0,
        };
        Self {
            slots: vec![slot; DATAGRAMS_MAX].into_boxed_slice(),
            bytes: vec![0; BYTES_MAX].into_boxed_slice(),
            count: 0,
            used: 0,
        }
    }

    /// Forgets what is in it.
    pub(crate) const fn clear(&mut self) {
        self.count = 0;
        self.used = 0;
    }

    /// Puts a datagram aside.
    pub(crate) fn push(&mut self, source: SocketAddr, datagram: &[u8]) {
        let datagram = &datagram[..datagram.len().min(DATAGRAM_LENGTH_MAX)];
        let (begin, end) = (self.used, self.used + datagram.len());
        let (Some(slot), Some(bytes)) = (
            self.slots.get_mut(self.count),
            self.bytes.get_mut(begin..end),
        ) else {
            return;
        };
        bytes.copy_from_slice(datagram);
        *slot = Slot { source, begin, end };
        self.count += 1;
        self.used = end;
    }

    /// What is in it, in the order of arrival.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.slots[..self.count]
            .iter()
            .map(|slot| (slot.source, &self.bytes[slot.begin..slot.end]))
    }
}

impl std::fmt::Debug for ControlInbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlInbox")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_come_out_in_order_and_cut_to_the_longest_frame() {
        let mut inbox = ControlInbox::new();
        let source = SocketAddr::from(([10, 0, 0, 1], 9000));
        inbox.push(source, &[1; 28]);
        inbox.push(source, &[2; 65_000]);
        let lengths: Vec<_> = inbox
            .datagrams()
            .map(|(_, bytes)| (bytes[0], bytes.len()))
            .collect();
        assert_eq!(lengths, [(1, 28), (2, DATAGRAM_LENGTH_MAX)]);
        inbox.clear();
        assert_eq!(inbox.datagrams().count(), 0);
    }

    #[test]
    fn a_full_inbox_loses_what_comes_next() {
        let mut inbox = ControlInbox::new();
        let source = SocketAddr::from(([10, 0, 0, 1], 9000));
        for _ in 0..DATAGRAMS_MAX + 4 {
            inbox.push(source, &[0; 44]);
        }
        assert_eq!(inbox.datagrams().count(), DATAGRAMS_MAX);
        inbox.clear();
        for _ in 0..DATAGRAMS_MAX {
            inbox.push(source, &[0; 65_000]);
        }
        assert_eq!(
            inbox.datagrams().count(),
            BYTES_MAX / DATAGRAM_LENGTH_MAX,
            "there is no more room than that"
        );
        inbox.clear();
        inbox.push(source, &[9; 28]);
        assert_eq!(inbox.datagrams().count(), 1);
    }
}
