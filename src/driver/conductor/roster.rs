//! The streams of one kind: found by their id, and each given its turn in the duty cycle.

use std::collections::BTreeMap;

use crate::base::Nanos;
use crate::driver::rota::Rota;

/// What a stream did in its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Whether it counts as work.
    pub(super) has_worked: bool,
    /// Whether data moves, so that it should have a turn in the next cycle too.
    pub(super) is_busy: bool,
}

/// Streams by id. They are visited in no particular, but always the same, order.
#[derive(Debug)]
pub(super) struct Roster<K, V> {
    entries: Vec<(K, V)>,
    /// Where in `entries` each is.
    places: BTreeMap<K, usize>,
    rota: Rota,
}

impl<K: Ord + Copy, V> Roster<K, V> {
    pub(super) fn new(now: Nanos) -> Self {
        Self {
            entries: Vec::new(),
            places: BTreeMap::new(),
            rota: Rota::new(now),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn get(&self, id: &K) -> Option<&V> {
        let place = *self.places.get(id)?;
        Some(&self.entries[place].1)
    }

    pub(super) fn get_mut(&mut self, id: &K) -> Option<&mut V> {
        let place = *self.places.get(id)?;
        Some(&mut self.entries[place].1)
    }

    /// Adds a stream. Ids are never used twice.
    pub(super) fn insert(&mut self, id: K, stream: V) {
        let previous = self.places.insert(id, self.entries.len());
        debug_assert!(previous.is_none(), "an id names one stream");
        self.entries.push((id, stream));
        self.rota.push();
    }

    pub(super) fn remove(&mut self, id: &K) -> Option<V> {
        let place = self.places.remove(id)?;
        let (_, stream) = self.entries.swap_remove(place);
        self.rota.swap_remove(place);
        if let Some((moved, _)) = self.entries.get(place) {
            self.places.insert(*moved, place);
        }
        Some(stream)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(id, stream)| (id, stream))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.entries.iter().map(|(id, _)| id)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> + Clone {
        self.entries.iter().map(|(_, stream)| stream)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|(_, stream)| stream)
    }

    /// Removes all streams.
    pub(super) fn drain(&mut self, now: Nanos) -> impl Iterator<Item = V> + use<K, V> {
        let entries = std::mem::take(&mut self.entries);
        *self = Self::new(now);
        entries.into_iter().map(|(_, stream)| stream)
    }

    /// Visits the streams whose turn it is in this duty cycle. Returns how many had work.
    pub(super) fn take_turns(
        &mut self,
        now: Nanos,
        mut visit: impl FnMut(&mut V) -> Turn,
    ) -> usize {
        if self.entries.is_empty() {
            return 0;
        }
        let mut work = 0;
        let mut take_turn = |rota: &mut Rota, place: usize| {
            let turn = visit(&mut self.entries[place].1);
            if turn.has_worked || turn.is_busy {
                rota.has_worked(place);
            }
            work += usize::from(turn.has_worked);
        };
        let mut turns = self.rota.begin(now);
        while let Some(place) = self.rota.next(&mut turns) {
            take_turn(&mut self.rota, place);
        }
        self.rota.begin_idle(now);
        while let Some(place) = self.rota.next_idle() {
            take_turn(&mut self.rota, place);
        }
        work
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_found_by_their_ids_whatever_was_removed() {
        let mut roster = Roster::new(Nanos(0));
        (0..100).for_each(|id| roster.insert(id, id * 2));
        for id in (0..100).step_by(3) {
            assert_eq!(roster.remove(&id), Some(id * 2));
            assert_eq!(roster.remove(&id), None);
        }
        for id in 0..100 {
            let expected = (id % 3 != 0).then_some(id * 2);
            assert_eq!(roster.get(&id).copied(), expected);
            assert_eq!(roster.get_mut(&id).copied(), expected);
        }
        assert_eq!(roster.len(), 66);
        assert_eq!(roster.drain(Nanos(0)).count(), 66);
        assert_eq!(roster.len(), 0);
    }

    #[test]
    fn a_busy_stream_has_a_turn_in_each_cycle() {
        let mut roster = Roster::new(Nanos(0));
        (0..500).for_each(|id| roster.insert(id, 0));
        let mut now = 0;
        for _ in 0..2_000 {
            now += 1_000;
            roster.take_turns(Nanos(now), |count| {
                *count += 1;
                Turn {
                    has_worked: false,
                    is_busy: *count > 20,
                }
            });
        }
        // Each finds out that it is busy in its 21st turn at the latest.
        assert!(roster.values().all(|count| *count > 1_000));
        let idle = roster.take_turns(Nanos(now + 1_000), |_| Turn {
            has_worked: false,
            is_busy: false,
        });
        assert_eq!(idle, 0);
    }
}
