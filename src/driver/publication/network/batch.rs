//! Datagrams gathered from a log, to be handed to the network in one call.

use crate::base::Position;
use crate::logbuffer::LogBuffer;

/// Datagrams per call at most.
pub(super) const BATCH_MAX: usize = 16;

/// What to gather.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    /// First byte; the begin of a frame.
    pub(super) from: Position,
    /// Bytes that may be taken. A frame is taken whole or not at all; padding needs room for its
    /// header only.
    pub(super) length: i64,
    /// Longest datagram.
    pub(super) mtu_length: i32,
    /// Datagrams at most.
    pub(super) count_max: usize,
}

/// A value to be written into the first frame of each datagram before it goes out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    /// Where, counted from the begin of the payload; -8 is the reserved value of the header.
    pub(super) payload_offset: i32,
    /// Nanoseconds since the epoch.
    pub(super) epoch_ns: i64,
}

/// Consecutive datagrams of one term, borrowed from the log.
pub(super) struct Batch<'a> {
    datagrams: [&'a [u8]; BATCH_MAX],
    ends: [Position; BATCH_MAX],
    count: usize,
    is_blocked: bool,
}

impl<'a> Batch<'a> {
    /// Gathers committed frames until the range, the term or the data ends.
    pub(super) fn gather(log: &'a LogBuffer, range: &Range, stamp: Option<Stamp>) -> Self {
        let mut batch = Self {
            datagrams: [&[]; BATCH_MAX],
            ends: [range.from; BATCH_MAX],
            count: 0,
            is_blocked: false,
        };
        let geometry = log.geometry();
        let term_end = geometry.term_begin(range.from) + i64::from(geometry.term_length());
        let mut cursor = range.from;
        let mut left = range.length;
        while batch.count < range.count_max.min(BATCH_MAX) && left > 0 && cursor < term_end {
            if let Some(stamp) = stamp {
                log.stamp(cursor, stamp.payload_offset, stamp.epoch_ns);
            }
            let limit = i32::try_from(left).map_or(range.mtu_length, |l| l.min(range.mtu_length));
            let scan = log.scan(cursor, limit);
            if scan.available <= 0 {
                batch.is_blocked = scan.available < 0;
                break;
            }
            let step = i64::from(scan.available) + i64::from(scan.padding);
            cursor += step;
            left -= step;
            batch.datagrams[batch.count] = scan.bytes;
            batch.ends[batch.count] = cursor;
            batch.count += 1;
        }
        debug_assert!(cursor <= term_end);
        batch
    }

    /// The datagrams.
    pub(super) fn datagrams(&self) -> &[&'a [u8]] {
        &self.datagrams[..self.count]
    }

    /// Where the stream stands once the first `count` datagrams are out.
    pub(super) const fn end_of(&self, count: usize) -> Option<Position> {
        if count == 0 || count > self.count {
            None
        } else {
            Some(self.ends[count - 1])
        }
    }

    /// Bytes of the first `count` datagrams.
    pub(super) fn bytes_of(&self, count: usize) -> usize {
        self.datagrams()
            .iter()
            .take(count)
            .map(|datagram| datagram.len())
            .sum()
    }

    /// Whether the very first frame is longer than what may be taken.
    pub(super) const fn is_blocked(&self) -> bool {
        self.count == 0 && self.is_blocked
    }
}
