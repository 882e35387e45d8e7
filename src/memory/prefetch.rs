//! Asking for cache lines ahead of time.
//!
//! A store to a line that another processor has must wait for it, and on the machines where stores
//! become visible in order, all later stores wait too. Who knows where it will write next can ask
//! early. The compiler's own intrinsic asks for a line to be read unless told that the processor
//! has the other instruction too, which is older than any 64-bit processor in use; those that do
//! not implement it take it for a no-op.

/// Asks for the line that holds `at`, to be written. Reads and writes nothing; `at` may point
/// anywhere.
#[inline(always)]
#[cfg(all(target_arch = "x86_64", not(miri)))]
pub(super) fn to_write(at: *const u8) {
    // SAFETY: MEM-6 (a prefetch is a hint): it accesses no memory as far as the program can tell,
    // and does not fault, whatever the address.
    unsafe {
        std::arch::asm!(
            "prefetchw [{}]",
            in(reg) at.addr(),
            options(nomem, nostack, preserves_flags)
        );
    }
}

/// Asks for the line that holds `at`, to be written. Reads and writes nothing; `at` may point
/// anywhere.
#[inline(always)]
#[cfg(all(target_arch = "aarch64", not(miri)))]
pub(super) fn to_write(at: *const u8) {
    // SAFETY: MEM-6 (a prefetch is a hint): it accesses no memory as far as the program can tell,
    // and does not fault, whatever the address.
    unsafe {
        std::arch::asm!(
            "prfm pstl1keep, [{}]",
            in(reg) at.addr(),
            options(nomem, nostack, preserves_flags)
        );
    }
}

/// Does nothing on this processor.
#[inline(always)]
#[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(super) fn to_write(_at: *const u8) {}

/// Asks for the line that holds `at`, to be read. Reads and writes nothing; `at` may point
/// anywhere.
#[inline(always)]
#[cfg(all(target_arch = "x86_64", not(miri)))]
pub(super) fn to_read(at: *const u8) {
    // SAFETY: MEM-6 (a prefetch is a hint): it accesses no memory as far as the program can tell,
    // and does not fault, whatever the address.
    unsafe {
        std::arch::asm!(
            "prefetcht0 [{}]",
            in(reg) at.addr(),
            options(nomem, nostack, preserves_flags)
        );
    }
}

/// Asks for the line that holds `at`, to be read. Reads and writes nothing; `at` may point
/// anywhere.
#[inline(always)]
#[cfg(all(target_arch = "aarch64", not(miri)))]
pub(super) fn to_read(at: *const u8) {
    // SAFETY: MEM-6 (a prefetch is a hint): it accesses no memory as far as the program can tell,
    // and does not fault, whatever the address.
    unsafe {
        std::arch::asm!(
            "prfm pldl1keep, [{}]",
            in(reg) at.addr(),
            options(nomem, nostack, preserves_flags)
        );
    }
}

/// Does nothing on this processor.
#[inline(always)]
#[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(super) fn to_read(_at: *const u8) {}
