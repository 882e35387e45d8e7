//! Where a byte stands in a stream: term ids, offsets within a term, and 64-bit positions.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// Number of a term; wraps at 32 bits, so ids are compared by their distance from the initial one.
///
/// ```
/// use aileron::base::TermId;
/// assert_eq!(TermId(i32::MIN).count_since(TermId(i32::MAX)), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TermId(pub i32);

impl TermId {
    /// How many terms lie between `initial` and this one; negative before it. Wraps at 32 bits.
    #[must_use]
    #[inline]
    pub const fn count_since(self, initial: Self) -> i32 {
        self.0.wrapping_sub(initial.0)
    }

    /// The id `count` terms later, or earlier if negative.
    #[must_use]
    #[inline]
    pub const fn plus(self, count: i32) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// The plain integer.
    #[must_use]
    #[inline]
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl fmt::Display for TermId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Byte offset within a term, `0..=term_length`.
///
/// ```
/// assert_eq!(aileron::base::TermOffset(4096).get(), 4096);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TermOffset(pub i32);

impl TermOffset {
    /// The plain integer.
    #[must_use]
    #[inline]
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl fmt::Display for TermOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Byte position in a stream, counted from the begin of its initial term. Never negative in a
/// stream; at most `term_length * 2^31`.
///
/// ```
/// use aileron::base::Position;
/// let position = Position(64) + 32;
/// assert_eq!(position - Position(64), 32);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(pub i64);

impl Position {
    /// The begin of a stream.
    pub const ZERO: Self = Self(0);

    /// The plain integer.
    #[must_use]
    #[inline]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Add<i64> for Position {
    type Output = Self;

    /// Saturates: positions read from shared memory may be anything.
    #[inline]
    fn add(self, bytes: i64) -> Self {
        Self(self.0.saturating_add(bytes))
    }
}

impl AddAssign<i64> for Position {
    #[inline]
    fn add_assign(&mut self, bytes: i64) {
        *self = *self + bytes;
    }
}

impl Sub<i64> for Position {
    type Output = Self;

    #[inline]
    fn sub(self, bytes: i64) -> Self {
        Self(self.0.saturating_sub(bytes))
    }
}

impl Sub for Position {
    type Output = i64;

    /// Bytes between two positions.
    #[inline]
    fn sub(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn term_ids_count_across_the_wrap() {
        assert_eq!(TermId(i32::MIN).count_since(TermId(i32::MAX)), 1);
        assert_eq!(TermId(4).count_since(TermId(5)), -1);
        assert_eq!(TermId(i32::MAX).plus(1), TermId(i32::MIN));
    }

    #[test]
    fn positions_saturate_instead_of_overflowing() {
        assert_eq!(Position(i64::MAX) + 1, Position(i64::MAX));
        assert_eq!(Position(i64::MIN) - Position(1), i64::MIN);
    }
}
