//! What passed in one direction, by what it carries.
//!
//! [`Tallied`] stands around another [`Fate`] and counts what that one lets through and loses:
//! bytes of data, those that came before, NAKs. The figures of a run that compares drivers come
//! from here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fate::{Copies, Fate};
use crate::frame::{self, Frame};

/// What passed so far.
///
/// ```
/// let tally = aileron_chaos::tally::Tally::default();
/// assert_eq!(tally.lost_bytes, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Datagrams of any kind.
    pub datagrams: u64,
    /// Bytes of data.
    pub data_bytes: u64,
    /// Those of them that came before.
    pub resent_bytes: u64,
    /// Bytes of data that were lost.
    pub lost_bytes: u64,
    /// NAKs.
    pub naks: u64,
}

impl Tally {
    /// What passed since `before`.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self {
            datagrams: self.datagrams - before.datagrams,
            data_bytes: self.data_bytes - before.data_bytes,
            resent_bytes: self.resent_bytes - before.resent_bytes,
            lost_bytes: self.lost_bytes - before.lost_bytes,
            naks: self.naks - before.naks,
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    datagrams: AtomicU64,
    data_bytes: AtomicU64,
    resent_bytes: AtomicU64,
    lost_bytes: AtomicU64,
    naks: AtomicU64,
}

/// Reads the tally of a [`Tallied`], wherever that is.
#[derive(Clone, Debug)]
pub struct TallyReader(Arc<Counts>);

impl TallyReader {
    /// What passed so far.
    #[must_use]
    pub fn read(&self) -> Tally {
        // Relaxed: figures for a report.
        let value = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Tally {
            datagrams: value(&self.0.datagrams),
            data_bytes: value(&self.0.data_bytes),
            resent_bytes: value(&self.0.resent_bytes),
            lost_bytes: value(&self.0.lost_bytes),
            naks: value(&self.0.naks),
        }
    }
}

/// A fate whose decisions are counted. For one stream at a time.
///
/// ```
/// use aileron_chaos::fate::{Calm, Fate};
/// use aileron_chaos::tally::Tallied;
/// let mut fate = Tallied::new(Calm);
/// fate.decide(b"no frame");
/// assert_eq!(fate.reader().read().datagrams, 1);
/// ```
#[derive(Debug)]
pub struct Tallied<F> {
    fate: F,
    counts: Arc<Counts>,
    /// First term id, and the end of the furthest data as terms and offset.
    furthest: Option<(i32, (i32, i32))>,
}

impl<F: Fate> Tallied<F> {
    /// Counts from now on.
    pub fn new(fate: F) -> Self {
        Self {
            fate,
            counts: Arc::default(),
            furthest: None,
        }
    }

    /// Reads what is counted here.
    #[must_use]
    pub fn reader(&self) -> TallyReader {
        TallyReader(Arc::clone(&self.counts))
    }

    /// Whether data goes beyond all that came before.
    fn is_new(&mut self, first: &Frame) -> bool {
        let (initial, furthest) = self.furthest.unwrap_or((first.term_id, (0, -1)));
        let at = (first.term_id.wrapping_sub(initial), first.term_offset);
        self.furthest = Some((initial, furthest.max(at)));
        at > furthest
    }
}

impl<F: Fate> Fate for Tallied<F> {
    fn decide(&mut self, datagram: &[u8]) -> Copies {
        // Relaxed: as above.
        let add = |count: &AtomicU64, value: u64| count.fetch_add(value, Ordering::Relaxed);
        let copies = self.fate.decide(datagram);
        let length = datagram.len() as u64;
        add(&self.counts.datagrams, 1);
        if let Some(first) = Frame::read(datagram) {
            let is_new = self.is_new(&first);
            add(&self.counts.data_bytes, length);
            add(&self.counts.resent_bytes, if is_new { 0 } else { length });
            let is_lost = copies.first.is_none();
            add(&self.counts.lost_bytes, if is_lost { length } else { 0 });
        }
        add(&self.counts.naks, u64::from(frame::is_nak(datagram)));
        copies
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fate::{Calm, Path};

    fn data(term_offset: i32) -> [u8; 64] {
        let mut frame = [0; 64];
        frame[..4].copy_from_slice(&64_i32.to_le_bytes());
        frame[6] = 1;
        frame[8..12].copy_from_slice(&term_offset.to_le_bytes());
        frame
    }

    #[test]
    fn data_that_came_before_is_told_from_new_data() {
        let mut fate = Tallied::new(Calm);
        let reader = fate.reader();
        for offset in [0, 64, 0, 128] {
            fate.decide(&data(offset));
        }
        let tally = reader.read();
        assert_eq!((tally.data_bytes, tally.resent_bytes), (256, 64));
        assert_eq!((tally.lost_bytes, tally.naks), (0, 0));
        fate.decide(&data(64));
        assert_eq!(reader.read().since(tally).resent_bytes, 64);
    }

    #[test]
    fn what_is_lost_is_counted_and_naks_are_no_data() {
        let path = Path {
            loss: 1.0,
            ..Path::default()
        };
        let mut fate = Tallied::new(path.drawn_from(1));
        fate.decide(&data(0));
        let mut nak = [0; 28];
        nak[..4].copy_from_slice(&28_i32.to_le_bytes());
        nak[6] = 2;
        fate.decide(&nak);
        let tally = fate.reader().read();
        assert_eq!((tally.lost_bytes, tally.naks, tally.datagrams), (64, 1, 2));
    }
}
