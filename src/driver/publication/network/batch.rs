//! Datagrams gathered from a log, to be handed to the network in one call.

use crate::base::Position;
use crate::logbuffer::{LogBuffer, RunLimits};
use crate::port::Burst;

/// Bursts per call at most.
pub(super) const BATCH_MAX: usize = 16;

/// Datagrams per burst at most: what kernels that cut bursts into datagrams take.
const DATAGRAMS_PER_BURST_MAX: usize = 64;

/// Bytes per burst at most: the longest UDP payload over IPv4.
const BURST_LENGTH_MAX: i32 = 65_507;

/// What to gather.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    /// First byte; the begin of a frame.
    pub(super) from: Position,
    /// Bytes that may be taken. A frame is taken whole or not at all; padding needs room for its
    /// header only.
    pub(super) length: i64,
    /// Bytes that the first datagram may take if it is not to be had with fewer.
    pub(super) first_length: i64,
    /// Longest datagram.
    pub(super) mtu_length: i32,
    /// Bursts at most.
    pub(super) count_max: usize,
    /// Whether a burst may be more than one datagram.
    pub(super) has_bursts: bool,
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
    from: Position,
    bursts: [Burst<'a>; BATCH_MAX],
    burst_count: usize,
    datagram_count: usize,
    /// Bytes of padding behind the last datagram, which are not sent.
    padding: i32,
    is_blocked: bool,
}

impl<'a> Batch<'a> {
    /// Gathers committed frames until the range, the term or the data ends.
    pub(super) fn gather(log: &'a LogBuffer, range: &Range, stamp: Option<Stamp>) -> Self {
        let mut batch = Self {
            from: range.from,
            bursts: [Burst::one(&[]); BATCH_MAX],
            burst_count: 0,
            datagram_count: 0,
            padding: 0,
            is_blocked: false,
        };
        let geometry = log.geometry();
        let term_end = geometry.term_begin(range.from) + i64::from(geometry.term_length());
        let mut cursor = range.from;
        let mut limits = RunLimits {
            datagram_length: range.mtu_length,
            available: range.length,
            run_length: BURST_LENGTH_MAX,
            count: if range.has_bursts {
                DATAGRAMS_PER_BURST_MAX
            } else {
                1
            },
        };
        while batch.burst_count < range.count_max.min(BATCH_MAX) && cursor < term_end {
            let run = log.scan_run(cursor, &limits, |position| {
                if let Some(stamp) = stamp {
                    log.stamp(position, stamp.payload_offset, stamp.epoch_ns);
                }
            });
            if run.is_blocked && batch.burst_count == 0 && limits.available < range.first_length {
                limits.available = range.first_length;
                limits.count = 1;
                continue;
            }
            if run.bytes.is_empty() {
                batch.is_blocked = run.is_blocked;
                break;
            }
            let burst = Burst::new(run.bytes, run.segment_length);
            batch.bursts[batch.burst_count] = burst;
            batch.burst_count += 1;
            batch.datagram_count += burst.count();
            batch.padding = run.padding;
            let step = run.bytes.len() as i64 + i64::from(run.padding);
            cursor += step;
            limits.available -= step;
            // What follows padding does not lie behind what is sent.
            if run.padding > 0 {
                break;
            }
        }
        debug_assert!(cursor <= term_end);
        batch
    }

    /// The bursts.
    pub(super) fn bursts(&self) -> &[Burst<'a>] {
        &self.bursts[..self.burst_count]
    }

    /// How many datagrams they are.
    pub(super) const fn datagram_count(&self) -> usize {
        self.datagram_count
    }

    /// Where the stream stands once the first `count` datagrams are out.
    pub(super) fn end_of(&self, count: usize) -> Option<Position> {
        if count == 0 || count > self.datagram_count {
            return None;
        }
        let end = self.from + self.bytes_of(count) as i64;
        let is_all = count == self.datagram_count;
        Some(end + i64::from(if is_all { self.padding } else { 0 }))
    }

    /// Bytes of the first `count` datagrams.
    pub(super) fn bytes_of(&self, count: usize) -> usize {
        let mut left = count;
        let mut bytes = 0;
        for burst in self.bursts() {
            let taken = left.min(burst.count());
            bytes += burst.length_of(taken);
            left -= taken;
        }
        bytes
    }

    /// Whether the very first frame is longer than what may be taken.
    pub(super) const fn is_blocked(&self) -> bool {
        self.burst_count == 0 && self.is_blocked
    }
}
