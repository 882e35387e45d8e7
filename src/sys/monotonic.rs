//! The monotonic clock as the driver counts: in nanoseconds.

/// Nanoseconds of the operating system's monotonic clock.
///
/// The standard library's `Instant` comes apart into seconds and nanoseconds and is checked on the
/// way; that is a third of the cost of a reading, and an agent reads the clock in each of its
/// cycles.
#[must_use]
#[inline]
pub fn monotonic_ns() -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: SYS-2 (pointers given to the kernel are valid for the lengths given with them and for
    // the whole call): a live `timespec`. It cannot fail for this clock.
    let _ = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn it_goes_on_at_the_pace_of_the_standard_librarys() {
        let (begin, begin_ns) = (Instant::now(), monotonic_ns());
        let mut last = begin_ns;
        while begin.elapsed() < Duration::from_millis(5) {
            let now = monotonic_ns();
            assert!(now >= last);
            last = now;
        }
        assert!(monotonic_ns() - begin_ns >= 4_000_000);
        let elapsed = i64::try_from(begin.elapsed().as_nanos()).expect("small");
        assert!(last - begin_ns <= elapsed);
    }
}
