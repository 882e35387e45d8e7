//! What happened, in order: the last events are kept for whoever has to explain a failure, all of
//! them go into a hash, so that two runs can be compared.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;

use super::wire::Note;
use crate::base::Nanos;

/// One thing that happened in a world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Event {
    Phase(&'static str),
    Wire(Note),
    LinkCut {
        from: usize,
        to: usize,
    },
    LinkMended {
        from: usize,
        to: usize,
    },
    PlaceCut {
        subscriber: usize,
        place: u16,
    },
    PlaceMended {
        address: SocketAddr,
    },
    DriverKilled {
        driver: usize,
    },
    DriverStarted {
        driver: usize,
    },
    DiskFull {
        driver: usize,
        ns: i64,
    },
    Rebound {
        driver: usize,
    },
    Clogged {
        from: usize,
        to: usize,
        ns: i64,
    },
    EpochStep {
        ms: i64,
    },
    ClockStep {
        ns: i64,
    },
    Stalled {
        actor: String,
        ns: i64,
    },
    ClientConnected {
        client: usize,
    },
    ClientKilled {
        client: usize,
    },
    ClientLost {
        client: usize,
        why: String,
    },
    ClientClosed {
        client: usize,
    },
    ClientError {
        client: usize,
        what: String,
    },
    PublicationAdded {
        publisher: usize,
        session: i32,
    },
    PublicationClosed {
        publisher: usize,
        position: i64,
    },
    AddRefused {
        actor: String,
        why: String,
    },
    Published {
        publisher: usize,
        sequence: u32,
        length: usize,
        end: i64,
    },
    Claimed {
        publisher: usize,
        sequence: u32,
        length: usize,
        end: i64,
    },
    Settled {
        publisher: usize,
        sequence: u32,
        how: &'static str,
    },
    Wrecked {
        publisher: usize,
        end: i64,
        length: usize,
        has_header: bool,
    },
    OfferRefused {
        publisher: usize,
        why: &'static str,
    },
    SubscriptionAdded {
        subscriber: usize,
    },
    SubscriptionClosed {
        subscriber: usize,
    },
    ImageAvailable {
        subscriber: usize,
        session: i32,
        join: i64,
    },
    ImageUnavailable {
        subscriber: usize,
        session: i32,
        position: i64,
        end: i64,
    },
    Rejected {
        subscriber: usize,
        session: i32,
    },
    Consumed {
        subscriber: usize,
        session: i32,
        position: i64,
    },
    NameMoved {
        driver: usize,
        value: i64,
    },
}

/// An event and when it happened.
#[derive(Clone, Debug)]
struct Record {
    step: u64,
    now: Nanos,
    event: Event,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.now.get() / 1000;
        let (s, us) = (us / 1_000_000, us % 1_000_000);
        write!(f, "{:>6} {s}.{us:06} ", self.step)?;
        if let Event::Wire(note) = &self.event {
            return note.fmt(f);
        }
        write!(f, "{:?}", self.event)
    }
}

/// The events of a world.
#[derive(Debug)]
pub(super) struct Trace {
    records: VecDeque<Record>,
    capacity: usize,
    hash: Mixer,
    count: u64,
    step: u64,
    now: Nanos,
}

impl Trace {
    /// Keeps the last `capacity` events.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            records: VecDeque::new(),
            capacity,
            hash: Mixer::default(),
            count: 0,
            step: 0,
            now: Nanos(0),
        }
    }

    /// What follows happens at this step.
    pub(super) const fn set_step(&mut self, step: u64, now: Nanos) {
        self.step = step;
        self.now = now;
    }

    pub(super) fn push(&mut self, event: Event) {
        self.count += 1;
        self.hash.write_i64(self.now.get());
        event.hash(&mut self.hash);
        if self.capacity == 0 {
            return;
        }
        if self.records.len() == self.capacity {
            self.records.pop_front();
        }
        self.records.push_back(Record {
            step: self.step,
            now: self.now,
            event,
        });
    }

    /// A number that two different runs do not share.
    pub(super) fn hash(&self) -> u64 {
        self.hash.finish()
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// The events that are kept, one text each.
    pub(super) fn lines(&self) -> Vec<String> {
        self.records.iter().map(ToString::to_string).collect()
    }
}

/// A hasher that is the same on every machine and in every version of the standard library.
#[derive(Debug, Default)]
struct Mixer(u64);

impl Mixer {
    const fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    // Whole words, as `write` would take them.

    fn write_u8(&mut self, word: u8) {
        self.mix(u64::from(word));
    }

    fn write_u16(&mut self, word: u16) {
        self.mix(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.mix(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(events: &[Event]) -> Trace {
        let mut trace = Trace::new(2);
        for event in events {
            trace.push(event.clone());
        }
        trace
    }

    #[test]
    fn the_last_events_are_kept_and_all_are_hashed() {
        let a = trace(&[Event::Phase("a"), Event::Phase("b"), Event::Phase("c")]);
        let b = trace(&[Event::Phase("x"), Event::Phase("b"), Event::Phase("c")]);
        assert_eq!(a.lines().len(), 2);
        assert_eq!(a.lines(), b.lines());
        assert_ne!(a.hash(), b.hash());
        assert_eq!(a.count(), 3);
    }
}
