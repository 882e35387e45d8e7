//! Words of a buffer, changed as a script says.

use aileron::memory::AtomicBuffer;

/// Stores a value somewhere in `buffer`: four bytes say where, the rest is the value, of 1, 4 or 8
/// bytes. `origin` is added to where.
pub(crate) fn patch(buffer: &AtomicBuffer, origin: usize, bytes: &[u8]) {
    let Some((at, value)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    let at = usize::try_from(u32::from_le_bytes(*at)).unwrap_or(0);
    let at = origin.wrapping_add(at) % buffer.len();
    if let Some((value, _)) = value.split_first_chunk::<8>() {
        let at = (at & !7).min(buffer.len() - 8);
        buffer.store_i64_release(at, i64::from_le_bytes(*value));
    } else if let Some((value, _)) = value.split_first_chunk::<4>() {
        let at = (at & !3).min(buffer.len() - 4);
        buffer.store_i32_release(at, i32::from_le_bytes(*value));
    } else if let Some(value) = value.first() {
        buffer.store_u8_release(at, *value);
    }
}

/// The bytes of such a patch.
pub(crate) fn patch_bytes(at: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(at).unwrap_or(0).to_le_bytes().to_vec();
    bytes.extend(value);
    bytes
}
