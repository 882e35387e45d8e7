//! What becomes of a datagram on its way.
//!
//! [`Chance`] draws it from a seed, one draw after the other, so that what is lost depends on the
//! order of what passes. [`FrameLoss`] looks at what the datagram carries: which frames are lost
//! depends on the seed and their place in the stream alone, however fast whoever sends them.

use std::collections::BTreeMap;
use std::time::Duration;

use aileron::base::Rng;

use crate::frame::{self, Frame};

/// Copies of a datagram that go on, each after a delay. None: it is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// The datagram itself.
    pub first: Option<Duration>,
    /// A duplicate.
    pub second: Option<Duration>,
}

impl Copies {
    /// It goes on at once.
    pub const AT_ONCE: Self = Self {
        first: Some(Duration::ZERO),
        second: None,
    };
    /// It is lost.
    pub const LOST: Self = Self {
        first: None,
        second: None,
    };
}

/// Decides what becomes of the datagrams of one direction.
pub trait Fate: Send {
    /// Of the next datagram.
    fn decide(&mut self, datagram: &[u8]) -> Copies;
}

/// Everything goes on at once.
///
/// ```
/// use aileron_chaos::fate::{Calm, Copies, Fate};
/// assert_eq!(Calm.decide(b"anything"), Copies::AT_ONCE);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Calm;

impl Fate for Calm {
    fn decide(&mut self, _: &[u8]) -> Copies {
        Copies::AT_ONCE
    }
}

/// How a path treats its datagrams.
///
/// ```
/// use aileron_chaos::fate::{Copies, Fate, Path};
/// let path = Path { loss: 1.0, ..Path::default() };
/// assert_eq!(path.drawn_from(7).decide(b"anything"), Copies::LOST);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Path {
    /// Share lost, 0 to 1.
    pub loss: f64,
    /// Share doubled, 0 to 1.
    pub duplicate: f64,
    /// Share that is held back by [`Self::held_back`], and so overtaken, 0 to 1.
    pub reorder: f64,
    /// Delay of every datagram.
    pub delay: Duration,
    /// More delay, different for each, up to this.
    pub jitter: Duration,
    /// See [`Self::reorder`].
    pub held_back: Duration,
}

impl Path {
    /// The path with chances drawn from `seed`.
    #[must_use]
    pub const fn drawn_from(self, seed: u64) -> Chance {
        Chance {
            path: self,
            rng: Rng::new(seed),
        }
    }
}

/// A [`Path`] and the chances on it.
#[derive(Clone, Debug)]
pub struct Chance {
    path: Path,
    rng: Rng,
}

impl Chance {
    fn delay(&mut self) -> Duration {
        let Path {
            delay,
            jitter,
            reorder,
            held_back,
            ..
        } = self.path;
        let jitter = jitter.mul_f64(self.rng.next_f64());
        let is_held_back = self.rng.next_f64() < reorder;
        delay
            + jitter
            + if is_held_back {
                held_back
            } else {
                Duration::ZERO
            }
    }
}

impl Fate for Chance {
    fn decide(&mut self, _: &[u8]) -> Copies {
        // Drawn in any case, so that one setting does not shift the chances of another.
        let (lost, doubled) = (self.rng.next_f64(), self.rng.next_f64());
        let (first, second) = (self.delay(), self.delay());
        if lost < self.path.loss {
            return Copies::LOST;
        }
        Copies {
            first: Some(first),
            second: (doubled < self.path.duplicate).then_some(second),
        }
    }
}

/// Loses frames of data by their place: of each frame that the seed picks, the first transmissions.
/// Datagrams without data pass.
#[derive(Clone, Debug)]
pub struct FrameLoss {
    seed: u64,
    loss: f64,
    /// Transmissions seen, by term id and offset.
    seen: BTreeMap<(i32, i32), u32>,
    lost: u64,
}

impl FrameLoss {
    /// Picks a share of `loss` of the frames.
    ///
    /// ```
    /// use aileron_chaos::fate::{Fate, FrameLoss, Copies};
    /// let mut frame = [0; 64];
    /// frame[..4].copy_from_slice(&64_i32.to_le_bytes());
    /// frame[6] = 1; // data
    /// let mut fate = FrameLoss::new(7, 1.0);
    /// assert_eq!(fate.decide(&frame), Copies::LOST);
    /// // In the end it comes through.
    /// assert!((0..3).any(|_| fate.decide(&frame) == Copies::AT_ONCE));
    /// ```
    #[must_use]
    pub const fn new(seed: u64, loss: f64) -> Self {
        Self {
            seed,
            loss,
            seen: BTreeMap::new(),
            lost: 0,
        }
    }

    /// Transmissions of the frame at this place that are lost: 0, 1 or 2.
    #[must_use]
    pub fn losses(&self, term_id: i32, term_offset: i32) -> u32 {
        let place = (i64::from(term_id) << 32) ^ i64::from(term_offset);
        let mut rng = Rng::new(self.seed ^ place.cast_unsigned());
        // The first draws of neighbouring seeds are alike enough to be skipped.
        let _ = rng.next_u64();
        if rng.next_f64() >= self.loss {
            0
        } else {
            1 + u32::from(rng.chance(1, 4))
        }
    }
}

impl Fate for FrameLoss {
    fn decide(&mut self, datagram: &[u8]) -> Copies {
        let mut is_lost = false;
        let mut at = 0;
        while let Some(frame) = Frame::read(&datagram[at..]).filter(|frame| !frame.is_padding) {
            let losses = self.losses(frame.term_id, frame.term_offset);
            let seen = self
                .seen
                .entry((frame.term_id, frame.term_offset))
                .or_default();
            is_lost |= *seen < losses;
            *seen += 1;
            at += frame.length.next_multiple_of(frame::HEADER_LENGTH);
            if at >= datagram.len() {
                break;
            }
        }
        if is_lost {
            self.lost += 1;
            Copies::LOST
        } else {
            Copies::AT_ONCE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A datagram of whole frames, `length` bytes each, from `offset` on.
    fn datagram(offset: i32, length: i32, count: i32) -> Vec<u8> {
        let mut bytes = Vec::new();
        for index in 0..count {
            let mut frame = vec![0; usize::try_from(length).expect("positive")];
            frame[..4].copy_from_slice(&length.to_le_bytes());
            frame[6] = 1;
            frame[8..12].copy_from_slice(&(offset + index * length).to_le_bytes());
            bytes.extend(frame);
        }
        bytes
    }

    #[test]
    fn the_same_frames_are_lost_however_they_are_batched() {
        let lost = |batch: i32| {
            let mut fate = FrameLoss::new(42, 0.2);
            let mut delivered = std::collections::BTreeSet::new();
            for first in (0..200).step_by(usize::try_from(batch).expect("positive")) {
                let offset = first * 64;
                while fate.decide(&datagram(offset, 64, batch)) == Copies::LOST {}
                delivered.insert(offset);
            }
            (delivered.len(), fate.lost)
        };
        let (one, lost_one) = lost(1);
        let (four, _) = lost(4);
        assert_eq!((one, four), (200, 50));
        let fate = FrameLoss::new(42, 0.2);
        let expected: u32 = (0..200).map(|index| fate.losses(0, index * 64)).sum();
        assert_eq!(lost_one, u64::from(expected));
        assert!((20..80).contains(&expected), "{expected}");
    }

    #[test]
    fn frames_that_carry_no_data_pass() {
        let mut fate = FrameLoss::new(1, 1.0);
        let mut heartbeat = datagram(0, 32, 1);
        heartbeat[..4].fill(0);
        assert_eq!(fate.decide(&heartbeat), Copies::AT_ONCE);
        assert_eq!(fate.decide(b"short"), Copies::AT_ONCE);
        let mut nak = datagram(0, 32, 1);
        nak[6] = 2;
        assert_eq!(fate.decide(&nak), Copies::AT_ONCE);
    }

    #[test]
    fn a_path_has_the_shares_that_it_says() {
        let path = Path {
            loss: 0.1,
            duplicate: 0.05,
            reorder: 0.2,
            delay: Duration::from_millis(2),
            jitter: Duration::from_millis(1),
            held_back: Duration::from_millis(10),
        };
        let mut fate = path.drawn_from(3);
        let all: Vec<_> = (0..10_000).map(|_| fate.decide(b"")).collect();
        let share = |of: fn(&Copies) -> bool| all.iter().filter(|copies| of(copies)).count();
        assert!((900..1100).contains(&share(|copies| copies.first.is_none())));
        assert!((350..550).contains(&share(|copies| copies.second.is_some())));
        let held_back = share(|copies| copies.first > Some(Duration::from_millis(9)));
        assert!((1600..2000).contains(&held_back), "{held_back}");
    }
}
