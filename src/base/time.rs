//! Time as a value. No function of this crate's core reads a clock: the caller passes what it read.

use std::fmt;
use std::time::Duration;

/// A reading of a monotonic clock in nanoseconds. The origin is arbitrary and readings may wrap,
/// so they are compared by difference only.
///
/// ```
/// use aileron::base::Nanos;
/// let start = Nanos(i64::MAX - 1);
/// let later = start.plus_ns(10);
/// assert_eq!(later.since(start), 10);
/// assert!(later.is_expired(start, 9) && !later.is_expired(start, 10));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Nanos(pub i64);

impl Nanos {
    /// Nanoseconds since an earlier reading; negative if `earlier` is in fact later.
    #[must_use]
    #[inline]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.wrapping_sub(earlier.0)
    }

    /// The reading `ns` later, or earlier if negative.
    #[must_use]
    #[inline]
    pub const fn plus_ns(self, ns: i64) -> Self {
        Self(self.0.wrapping_add(ns))
    }

    /// [`Self::plus_ns`] with a [`Duration`]; one too long to count in 63 bits is capped.
    #[must_use]
    #[inline]
    pub fn plus(self, duration: Duration) -> Self {
        self.plus_ns(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Whether, now being `self`, strictly more than `timeout_ns` have passed since `start`
    /// (`driver.md` §0, *expired*).
    #[must_use]
    #[inline]
    pub const fn is_expired(self, start: Self, timeout_ns: i64) -> bool {
        start.plus_ns(timeout_ns).since(self) < 0
    }

    /// Whether, now being `self`, `deadline` has been reached (`now >= deadline`).
    #[must_use]
    #[inline]
    pub const fn is_at_or_after(self, deadline: Self) -> bool {
        self.since(deadline) >= 0
    }

    /// The plain integer.
    #[must_use]
    #[inline]
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// Wall-clock milliseconds since the Unix epoch: what heartbeats in shared memory hold.
///
/// ```
/// use aileron::base::EpochMillis;
/// assert_eq!(EpochMillis(1_500).since(EpochMillis(1_000)), 500);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EpochMillis(pub i64);

impl EpochMillis {
    /// Milliseconds since `earlier`. Saturates: one of the two may come from another process.
    #[must_use]
    #[inline]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The time `ms` later.
    #[must_use]
    #[inline]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The plain integer.
    #[must_use]
    #[inline]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for EpochMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_is_strict_and_survives_the_wrap() {
        let start = Nanos(i64::MAX);
        assert!(!start.plus_ns(5).is_expired(start, 5));
        assert!(start.plus_ns(6).is_expired(start, 5));
        assert!(start.plus_ns(5).is_at_or_after(start.plus_ns(5)));
    }
}
