//! Deliberate loss, for tests and debugging: decides which frames an endpoint hides.
//!
//! An endpoint asks at four hooks: data and control frames, each on the send and the receive side
//! (`driver.md` §18.1). [`LossGenerator::should_drop`] sees a datagram only;
//! [`LossGenerator::should_drop_data`] is told where in which stream it lies. The rules that lose a
//! given region lose it once, so that its retransmission passes, and never fire without the place.

use std::collections::BTreeMap;

use crate::base::{Rng, SessionId, StreamId, TermId, TermOffset};
use crate::driver::config::{DriverConfig, LossSpec};

/// Where a data frame lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FramePlace {
    /// The stream.
    pub(crate) stream_id: StreamId,
    /// The session.
    pub(crate) session_id: SessionId,
    /// The term.
    pub(crate) term_id: TermId,
    /// First byte.
    pub(crate) term_offset: TermOffset,
    /// Bytes of the datagram.
    pub(crate) length: i32,
}

impl FramePlace {
    const fn end(&self) -> i32 {
        self.term_offset.get().saturating_add(self.length)
    }
}

/// The rules of one hook; a frame that one of them hides is hidden.
#[derive(Clone, Debug, Default)]
pub(crate) struct LossChain(Vec<LossGenerator>);

impl LossChain {
    /// A chain of the given rules.
    #[cfg(test)]
    pub(crate) const fn new(generators: Vec<LossGenerator>) -> Self {
        Self(generators)
    }

    /// What the configuration hides of the data a send endpoint sends.
    pub(crate) fn send_data(config: &DriverConfig, rng: &mut Rng) -> Self {
        let debug = (
            config.debug_send_data_loss_rate,
            config.debug_send_data_loss_seed,
        );
        Self::configured(debug, &config.outgoing_loss(), rng)
    }

    /// What the configuration hides of the control frames that reach a send endpoint.
    pub(crate) fn send_control(config: &DriverConfig, rng: &mut Rng) -> Self {
        let debug = (
            config.debug_send_control_loss_rate,
            config.debug_send_control_loss_seed,
        );
        Self::configured(debug, &config.incoming_loss(), rng)
    }

    /// What the configuration hides of the data that reaches a receive endpoint.
    pub(crate) fn receive_data(config: &DriverConfig, rng: &mut Rng) -> Self {
        let debug = (
            config.debug_receive_data_loss_rate,
            config.debug_receive_data_loss_seed,
        );
        Self::configured(debug, &config.incoming_loss(), rng)
    }

    /// What the configuration hides of the control frames a receive endpoint sends.
    pub(crate) fn receive_control(config: &DriverConfig, rng: &mut Rng) -> Self {
        let debug = (
            config.debug_receive_control_loss_rate,
            config.debug_receive_control_loss_seed,
        );
        Self::configured(debug, &config.outgoing_loss(), rng)
    }

    /// Whether nothing is ever hidden.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether to hide a datagram of which only the bytes are known.
    pub(crate) fn should_drop(&mut self, datagram: &[u8]) -> bool {
        self.0
            .iter_mut()
            .any(|generator| generator.should_drop(datagram))
    }

    /// Whether to hide a data frame.
    pub(crate) fn should_drop_data(&mut self, datagram: &[u8], place: &FramePlace) -> bool {
        self.0
            .iter_mut()
            .any(|generator| generator.should_drop_data(datagram, place))
    }

    fn configured(
        (rate, seed): (f64, Option<i64>),
        interceptors: &[LossSpec],
        rng: &mut Rng,
    ) -> Self {
        let mut generators = Vec::new();
        if rate > 0.0 {
            let rng = seeded(seed, rng);
            generators.push(LossGenerator::Random(RandomLoss::new(rate, u64::MAX, rng)));
        }
        // A later interceptor wraps the earlier ones, so it sees a frame first.
        let wrapped = interceptors.iter().rev();
        generators.extend(wrapped.filter_map(|spec| LossGenerator::from_spec(spec, rng)));
        Self(generators)
    }
}

fn seeded(seed: Option<i64>, rng: &mut Rng) -> Rng {
    seed.map_or_else(|| rng.fork(), |seed| Rng::new(seed.cast_unsigned()))
}

/// A rule that hides frames.
#[derive(Clone, Debug)]
pub(crate) enum LossGenerator {
    /// Each frame with the same probability.
    Random(RandomLoss),
    /// One range of a term.
    Fixed(FixedLoss),
    /// Evenly spaced ranges of a term.
    MultiGap(MultiGapLoss),
}

impl LossGenerator {
    /// The rule that a configuration value describes; `None` if its numbers make no rule.
    pub(crate) fn from_spec(spec: &LossSpec, rng: &mut Rng) -> Option<Self> {
        Some(match *spec {
            LossSpec::Random(loss) => {
                let rng = seeded(loss.seed, rng);
                Self::Random(RandomLoss::new(loss.rate, loss.frame_type_mask, rng))
            }
            LossSpec::Fixed(loss) => {
                let offset = TermOffset(loss.term_offset);
                Self::Fixed(FixedLoss::new(TermId(loss.term_id), offset, loss.length))
            }
            LossSpec::MultiGap(loss) => Self::MultiGap(MultiGapLoss::new(
                TermId(loss.term_id),
                loss.gap_radix,
                loss.gap_length,
                loss.total_gaps,
            )?),
        })
    }

    /// Whether to hide a datagram of which only the bytes are known.
    pub(crate) fn should_drop(&mut self, datagram: &[u8]) -> bool {
        match self {
            Self::Random(random) => random.should_drop(datagram),
            Self::Fixed(_) | Self::MultiGap(_) => false,
        }
    }

    /// Whether to hide a data frame.
    pub(crate) fn should_drop_data(&mut self, datagram: &[u8], place: &FramePlace) -> bool {
        match self {
            Self::Random(random) => random.should_drop(datagram),
            Self::Fixed(fixed) => fixed.should_drop(place),
            Self::MultiGap(gaps) => gaps.should_drop(place),
        }
    }
}

/// Loses every frame with the same probability.
#[derive(Clone, Debug)]
pub(crate) struct RandomLoss {
    rate: f64,
    frame_types: u64,
    rng: Rng,
}

impl RandomLoss {
    /// Loses a share of `rate` (0 to 1) of the frames whose type is in `frame_types`: bit n stands
    /// for frame type n, all bits for every type there is.
    pub(crate) const fn new(rate: f64, frame_types: u64, rng: Rng) -> Self {
        Self {
            rate,
            frame_types,
            rng,
        }
    }

    fn should_drop(&mut self, datagram: &[u8]) -> bool {
        self.rate > 0.0 && self.is_chosen_type(datagram) && self.rng.next_f64() <= self.rate
    }

    fn is_chosen_type(&self, datagram: &[u8]) -> bool {
        if self.frame_types == u64::MAX {
            return true;
        }
        let Some(bytes) = datagram.get(6..8) else {
            return false;
        };
        let frame_type = u16::from_le_bytes([bytes[0], bytes[1]]);
        self.frame_types
            .checked_shr(u32::from(frame_type))
            .unwrap_or(0)
            & 1
            == 1
    }
}

/// Per stream, the offset up to which frames have been lost.
#[derive(Clone, Debug, Default)]
struct Tracker(BTreeMap<(StreamId, SessionId), i32>);

impl Tracker {
    fn offset_of(&mut self, place: &FramePlace) -> &mut i32 {
        self.0
            .entry((place.stream_id, place.session_id))
            .or_insert(place.term_offset.get())
    }
}

/// Loses the first transmission of one range of a term, in every stream.
#[derive(Clone, Debug)]
pub(crate) struct FixedLoss {
    term_id: TermId,
    begin: i32,
    end: i32,
    tracker: Tracker,
}

impl FixedLoss {
    /// Loses what overlaps `length` bytes from `term_offset` on.
    pub(crate) fn new(term_id: TermId, term_offset: TermOffset, length: i32) -> Self {
        Self {
            term_id,
            begin: term_offset.get(),
            end: term_offset.get().saturating_add(length),
            tracker: Tracker::default(),
        }
    }

    fn should_drop(&mut self, place: &FramePlace) -> bool {
        if place.term_id != self.term_id {
            return false;
        }
        let tracked = self.tracker.offset_of(place);
        let is_first_transmission = place.term_offset.get() >= *tracked;
        let overlaps = place.term_offset.get() < self.end && place.end() > self.begin;
        let drops = is_first_transmission && overlaps;
        if drops {
            *tracked = place.end();
        }
        drops
    }
}

/// Loses the first transmission of evenly spaced ranges of a term, in every stream.
#[derive(Clone, Debug)]
pub(crate) struct MultiGapLoss {
    term_id: TermId,
    radix: i32,
    gap_length: i32,
    end: i32,
    tracker: Tracker,
}

impl MultiGapLoss {
    /// Loses `gap_length` bytes at every multiple of `radix` but 0, `total_gaps` times. The radix
    /// is rounded up to a power of two. `None` unless `0 <= gap_length < radix` and `total_gaps
    /// >= 0`, with a radix of at most 2^30.
    pub(crate) fn new(
        term_id: TermId,
        radix: i32,
        gap_length: i32,
        total_gaps: i32,
    ) -> Option<Self> {
        let rounded = u32::try_from(radix).ok()?.checked_next_power_of_two()?;
        let radix = i32::try_from(rounded).ok()?;
        if gap_length < 0 || gap_length >= radix || total_gaps < 0 {
            return None;
        }
        let end = total_gaps.saturating_mul(radix).saturating_add(gap_length);
        Some(Self {
            term_id,
            radix,
            gap_length,
            end,
            tracker: Tracker::default(),
        })
    }

    fn should_drop(&mut self, place: &FramePlace) -> bool {
        let offset = place.term_offset.get();
        if place.term_id != self.term_id || offset > self.end {
            return false;
        }
        let is_first_transmission = offset >= *self.tracker.offset_of(place);
        let drops = is_first_transmission && self.touches_gap(offset, place.end());
        if drops {
            *self.tracker.offset_of(place) = place.end();
        }
        drops
    }

    const fn touches_gap(&self, begin: i32, end: i32) -> bool {
        let within = begin % self.radix;
        let starts_in_gap = begin >= self.radix && (within == 0 || within < self.gap_length);
        let reaches_next_gap = end.saturating_sub(begin) > self.radix - within;
        starts_in_gap || reaches_next_gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: TermId = TermId(9);

    fn place(term_offset: i32, length: i32) -> FramePlace {
        FramePlace {
            stream_id: StreamId(1),
            session_id: SessionId(2),
            term_id: TERM,
            term_offset: TermOffset(term_offset),
            length,
        }
    }

    fn frame_of_type(frame_type: u16) -> [u8; 32] {
        let mut frame = [0; 32];
        frame[6..8].copy_from_slice(&frame_type.to_le_bytes());
        frame
    }

    #[test]
    fn random_loss_loses_its_share_and_repeats_with_its_seed() {
        let lost = |seed| {
            let loss = RandomLoss::new(0.1, u64::MAX, Rng::new(seed));
            let mut generator = LossGenerator::Random(loss);
            (0..10_000)
                .filter(|_| generator.should_drop(&frame_of_type(1)))
                .count()
        };
        assert!((900..1100).contains(&lost(1)), "{}", lost(1));
        assert_eq!(lost(7), lost(7));
    }

    #[test]
    fn a_rate_of_zero_loses_nothing_and_of_one_everything() {
        let mut none = RandomLoss::new(0.0, u64::MAX, Rng::new(3));
        let mut all = RandomLoss::new(1.0, u64::MAX, Rng::new(3));
        for _ in 0..100 {
            assert!(!none.should_drop(&frame_of_type(1)));
            assert!(all.should_drop(&frame_of_type(1)));
        }
    }

    #[test]
    fn random_loss_spares_other_frame_types() {
        let mut loss = RandomLoss::new(1.0, 1 << 5, Rng::new(3));
        assert!(loss.should_drop(&frame_of_type(5)));
        assert!(!loss.should_drop(&frame_of_type(1)));
        assert!(!loss.should_drop(&frame_of_type(0xffff)));
        assert!(!loss.should_drop(&[]));
    }

    #[test]
    fn fixed_loss_loses_what_overlaps_once() {
        let mut loss = FixedLoss::new(TERM, TermOffset(1000), 100);
        assert!(!loss.should_drop(&place(0, 1000)));
        assert!(loss.should_drop(&place(960, 64)));
        assert!(loss.should_drop(&place(1024, 64)));
        assert!(loss.should_drop(&place(1088, 64)));
        assert!(!loss.should_drop(&place(1152, 64)));
        assert!(
            !loss.should_drop(&place(960, 64)),
            "the retransmission passes"
        );
        assert!(!loss.should_drop(&FramePlace {
            term_id: TermId(10),
            ..place(1024, 64)
        }));
    }

    #[test]
    fn fixed_loss_treats_each_stream_by_itself() {
        let mut loss = FixedLoss::new(TERM, TermOffset(0), 64);
        assert!(loss.should_drop(&place(0, 64)));
        assert!(loss.should_drop(&FramePlace {
            session_id: SessionId(3),
            ..place(0, 64)
        }));
        assert!(!loss.should_drop(&place(0, 64)));
    }

    #[test]
    fn multi_gap_loss_loses_each_gap_once() {
        let mut loss = MultiGapLoss::new(TERM, 4000, 128, 2).expect("legal");
        assert!(
            !loss.should_drop(&place(0, 64)),
            "the first gap is at the radix"
        );
        assert!(!loss.should_drop(&place(4032, 64)));
        assert!(loss.should_drop(&place(4096, 64)));
        assert!(loss.should_drop(&place(4160, 64)));
        assert!(!loss.should_drop(&place(4224, 64)));
        assert!(
            !loss.should_drop(&place(4096, 128)),
            "the retransmission passes"
        );
        assert!(
            loss.should_drop(&place(8128, 128)),
            "reaches into the next gap"
        );
        assert!(
            !loss.should_drop(&place(12_288, 64)),
            "there are two gaps only"
        );
    }

    #[test]
    fn multi_gap_loss_needs_room_between_the_gaps() {
        assert!(MultiGapLoss::new(TERM, 1024, 1024, 1).is_none());
        assert!(MultiGapLoss::new(TERM, -5, 1, 1).is_none());
        assert!(
            MultiGapLoss::new(TERM, 1000, 1000, 1).is_some(),
            "the radix becomes 1024"
        );
    }

    #[test]
    fn rules_about_places_never_fire_without_one() {
        let mut fixed = LossGenerator::Fixed(FixedLoss::new(TERM, TermOffset(0), 1 << 20));
        assert!(!fixed.should_drop(&frame_of_type(1)));
        assert!(fixed.should_drop_data(&frame_of_type(1), &place(0, 64)));
    }
}
