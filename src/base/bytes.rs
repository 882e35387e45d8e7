//! Little-endian integers in byte slices; total functions, so that parsers need no second check.

macro_rules! access {
    ($read:ident, $write:ident, $type:ty) => {
        /// The integer at byte `at`; `None` if the slice ends before it does.
        #[inline]
        pub(crate) fn $read(bytes: &[u8], at: usize) -> Option<$type> {
            bytes
                .get(at..)?
                .first_chunk()
                .copied()
                .map(<$type>::from_le_bytes)
        }

        /// Puts the integer at byte `at`, which must lie within the slice.
        #[inline]
        pub(crate) fn $write(bytes: &mut [u8], at: usize, value: $type) {
            let slot = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut);
            debug_assert!(slot.is_some(), "no room at {at}");
            if let Some(slot) = slot {
                *slot = value.to_le_bytes();
            }
        }
    };
}

access!(read_u16, write_u16, u16);
access!(read_i32, write_i32, i32);
access!(read_i64, write_i64, i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_little_endian_and_never_read_past_the_end() {
        let mut bytes = [0u8; 9];
        write_i64(&mut bytes, 1, -2);
        write_u16(&mut bytes, 0, 0x0102);
        assert_eq!(bytes, [2, 1, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(read_i32(&bytes, 5), Some(-1));
        assert_eq!(read_i32(&bytes, 6), None);
        assert_eq!(read_u16(&bytes, usize::MAX), None);
        assert_eq!(read_i64(&bytes, 9), None);
    }
}
