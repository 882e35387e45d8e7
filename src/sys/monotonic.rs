//! The monotonic clock as the driver counts: in nanoseconds.

/// Nanoseconds of the operating system's monotonic clock.
///
/// The standard library's `Instant` comes apart into seconds and nanoseconds and is checked on the
/// way; that is a third of the cost of a reading, and an agent reads the clock in each of its
/// cycles.
#[must_use]
#[inline]
pub fn monotonic_ns() -> i64 {
    read(libc::CLOCK_MONOTONIC)
}

/// The same as of the kernel's last timer interrupt, which reads no hardware: 1 to 10 ms ago.
#[cfg(target_os = "linux")]
#[must_use]
#[inline]
pub fn coarse_monotonic_ns() -> i64 {
    read(libc::CLOCK_MONOTONIC_COARSE)
}

/// The same; this operating system keeps no coarser one.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn coarse_monotonic_ns() -> i64 {
    monotonic_ns()
}

#[inline]
fn read(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: SYS-2 (pointers given to the kernel are valid for the lengths given with them and for
    // the whole call): a live `timespec`. It cannot fail for these clocks.
    let _ = unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_and_never_back() {
        let begin = monotonic_ns();
        let mut last = begin;
        while last - begin < 1_000_000 {
            let now = monotonic_ns();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn the_coarse_one_is_behind_but_not_far() {
        for _ in 0..1_000 {
            let coarse = coarse_monotonic_ns();
            let now = monotonic_ns();
            assert!(coarse <= now);
        }
        let begin = monotonic_ns();
        while coarse_monotonic_ns() < begin {
            std::thread::yield_now();
        }
    }
}
