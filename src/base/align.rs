//! Rounding up to a power of two.

/// `value` rounded up to a multiple of `alignment`, which must be a power of two.
#[must_use]
#[inline]
pub const fn align(value: i32, alignment: i32) -> i32 {
    debug_assert!(alignment > 0 && alignment & (alignment - 1) == 0);
    (value + (alignment - 1)) & !(alignment - 1)
}

/// [`align`] for 64-bit values.
#[must_use]
#[inline]
pub const fn align_i64(value: i64, alignment: i64) -> i64 {
    debug_assert!(alignment > 0 && alignment & (alignment - 1) == 0);
    (value + (alignment - 1)) & !(alignment - 1)
}

/// [`align`] for sizes.
#[must_use]
#[inline]
pub const fn align_usize(value: usize, alignment: usize) -> usize {
    debug_assert!(alignment.is_power_of_two());
    (value + (alignment - 1)) & !(alignment - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_up_to_the_next_multiple_and_keeps_multiples() {
        assert_eq!(align(0, 32), 0);
        assert_eq!(align(1, 32), 32);
        assert_eq!(align(32, 32), 32);
        assert_eq!(align_i64(33, 32), 64);
        assert_eq!(align_usize(4097, 4096), 8192);
    }
}
