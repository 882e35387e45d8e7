//! How long to wait before asking for a gap (`driver.md` §9.3).
//!
//! A unicast receiver asks almost at once: it is the only one that can. In a group every receiver
//! sees the same gap, so each waits a random time; most of them will see the repair that the first
//! one asked for. The distribution is the truncated exponential of "Optimal Multicast Feedback"
//! (Nonnenmacher and Biersack): few early, many late, scaled by the size of the group.

use crate::base::Rng;

/// Shortest retry period of a unicast stream before the ratio is applied.
const UNICAST_DELAY_MIN_NS: i64 = 1_000;

/// Delay before the first request for a gap and between repeated ones.
#[derive(Clone, Debug)]
pub(crate) enum NakDelay {
    /// Always the same.
    Static(StaticDelay),
    /// Random, for groups.
    OptimalMulticast(OptimalMulticastDelay),
}

impl NakDelay {
    /// No delay at all: for unreliable streams, whose gaps are filled locally.
    pub(crate) const fn immediate() -> Self {
        Self::Static(StaticDelay {
            delay_ns: 0,
            retry_delay_ns: 0,
        })
    }

    /// For unicast: `delay_ns`, and `ratio` times it (at least 1 µs) between repetitions.
    pub(crate) fn unicast(delay_ns: i64, ratio: i64) -> Self {
        debug_assert!(delay_ns >= 0);
        debug_assert!(ratio >= 1);
        let retry_delay_ns = delay_ns.max(UNICAST_DELAY_MIN_NS).saturating_mul(ratio);
        Self::Static(StaticDelay {
            delay_ns,
            retry_delay_ns,
        })
    }

    /// For groups of about `group_size` receivers: random below `backoff_max_ns`.
    pub(crate) fn group(backoff_max_ns: i64, group_size: u32, rng: Rng) -> Self {
        Self::OptimalMulticast(OptimalMulticastDelay::new(backoff_max_ns, group_size, rng))
    }

    /// Nanoseconds from seeing a gap to asking for it.
    pub(crate) fn delay_ns(&mut self) -> i64 {
        match self {
            Self::Static(delay) => delay.delay_ns,
            Self::OptimalMulticast(delay) => delay.sample_ns(),
        }
    }

    /// Nanoseconds from asking for a gap to asking again.
    pub(crate) fn retry_delay_ns(&mut self) -> i64 {
        match self {
            Self::Static(delay) => delay.retry_delay_ns,
            Self::OptimalMulticast(delay) => delay.sample_ns(),
        }
    }
}

/// Fixed delays in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StaticDelay {
    delay_ns: i64,
    retry_delay_ns: i64,
}

/// Random delays that keep a group from asking all at once.
#[derive(Clone, Debug)]
pub(crate) struct OptimalMulticastDelay {
    rng: Rng,
    /// λ = ln(group size) + 1: how steeply the density grows towards the longest delay.
    lambda: f64,
    /// e^λ − 1.
    span: f64,
    /// T, the longest delay, in nanoseconds.
    backoff_max_ns: f64,
}

impl OptimalMulticastDelay {
    #[expect(clippy::cast_precision_loss, reason = "a delay needs no 53 bits")]
    fn new(backoff_max_ns: i64, group_size: u32, rng: Rng) -> Self {
        let lambda = f64::from(group_size.max(1)).ln() + 1.0;
        Self {
            rng,
            lambda,
            span: lambda.exp() - 1.0,
            backoff_max_ns: backoff_max_ns as f64,
        }
    }

    fn sample_ns(&mut self) -> i64 {
        let uniform = self.rng.next_f64();
        self.delay_of(uniform)
    }

    /// The delay for a `uniform` draw from `[0, 1)`.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "bounded by the longest delay"
    )]
    fn delay_of(&self, uniform: f64) -> i64 {
        let rate = self.lambda / self.backoff_max_ns;
        let x = uniform.mul_add(rate, rate / self.span);
        let delay = (x * self.span / rate).ln() / rate;
        delay.clamp(0.0, self.backoff_max_ns).round() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreliable_streams_never_wait() {
        let mut delay = NakDelay::immediate();
        assert_eq!((delay.delay_ns(), delay.retry_delay_ns()), (0, 0));
    }

    #[test]
    fn unicast_retries_after_ratio_times_the_delay() {
        let mut delay = NakDelay::unicast(1_000, 100);
        assert_eq!((delay.delay_ns(), delay.retry_delay_ns()), (1_000, 100_000));
    }

    #[test]
    fn a_tiny_delay_of_the_channel_does_not_make_retries_tiny() {
        let mut delay = NakDelay::unicast(0, 100);
        assert_eq!((delay.delay_ns(), delay.retry_delay_ns()), (0, 100_000));
        let mut delay = NakDelay::unicast(i64::MAX / 2, 100);
        assert_eq!(delay.retry_delay_ns(), i64::MAX);
    }

    #[test]
    fn multicast_backoff_meets_the_vectors() {
        let delay = OptimalMulticastDelay::new(10_000_000, 10, Rng::new(1));
        for (uniform, expected) in [
            (0.0, 0),
            (0.25, 6_119_383),
            (0.5, 8_010_589),
            (0.75, 9_165_823),
            (1.0, 10_000_000),
        ] {
            let actual = delay.delay_of(uniform);
            assert!(
                (actual - expected).abs() <= 1,
                "U={uniform}: {actual}, not {expected}"
            );
        }
    }

    #[test]
    fn multicast_backoff_is_drawn_anew_each_time_and_repeats_with_the_seed() {
        let draw = |seed| {
            let mut delay = NakDelay::group(10_000_000, 10, Rng::new(seed));
            (0..100).map(|_| delay.retry_delay_ns()).collect::<Vec<_>>()
        };
        let delays = draw(3);
        assert!(delays.iter().all(|delay| (0..=10_000_000).contains(delay)));
        assert!(delays.windows(2).any(|pair| pair[0] != pair[1]));
        assert_eq!(delays, draw(3));
    }

    #[test]
    fn a_group_of_one_still_backs_off_within_the_limit() {
        let mut delay = NakDelay::group(10_000_000, 1, Rng::new(9));
        assert!((0..1000).all(|_| (0..=10_000_000).contains(&delay.delay_ns())));
    }
}
