//! How long look-ups take: the longest one, and how many took too long (`driver.md` §3.2).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::concurrent::{AtomicCounter, EventKind, EventWriter};
use crate::port::{Clock, NameResolver, ResolveError, Tick};

/// Measures calls that may block, and publishes in two system counters. The resource agent is the
/// only writer of both.
///
/// It reads a clock, which nothing else in the driver does: the call is what takes the time.
#[derive(Clone)]
pub(super) struct Stopwatch {
    clock: Arc<dyn Clock>,
    threshold_ns: i64,
    time_max: AtomicCounter,
    threshold_exceeded: AtomicCounter,
}

impl Stopwatch {
    /// Counts calls longer than `threshold_ns`. `time_max` holds the longest one in nanoseconds.
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        threshold_ns: i64,
        time_max: AtomicCounter,
        threshold_exceeded: AtomicCounter,
    ) -> Self {
        Self {
            clock,
            threshold_ns,
            time_max,
            threshold_exceeded,
        }
    }

    /// Makes a call and measures it.
    pub(super) fn measure<R>(&self, call: impl FnOnce() -> R) -> R {
        self.measure_in_ns(call).0
    }

    fn measure_in_ns<R>(&self, call: impl FnOnce() -> R) -> (R, i64) {
        let start = self.clock.now();
        let answer = call();
        let elapsed_ns = self.clock.now().since(start);
        self.time_max.propose_max(elapsed_ns);
        if elapsed_ns > self.threshold_ns {
            self.threshold_exceeded.increment_single_writer();
        }
        (answer, elapsed_ns)
    }
}

impl fmt::Debug for Stopwatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopwatch")
            .field("threshold_ns", &self.threshold_ns)
            .finish_non_exhaustive()
    }
}

/// A resolver whose every call is measured.
pub(super) struct TimedResolver {
    inner: Box<dyn NameResolver>,
    stopwatch: Stopwatch,
    events: EventWriter,
}

impl TimedResolver {
    pub(super) const fn new(
        inner: Box<dyn NameResolver>,
        stopwatch: Stopwatch,
        events: EventWriter,
    ) -> Self {
        Self {
            inner,
            stopwatch,
            events,
        }
    }

    fn log(
        &self,
        host: &str,
        is_re_resolution: bool,
        elapsed_ns: i64,
        found: &Result<IpAddr, ResolveError>,
    ) {
        let text = match found {
            Ok(address) => format!("{host} is {address}"),
            Err(error) => format!("{host}: {error}"),
        };
        let values = [i64::from(is_re_resolution), elapsed_ns];
        let now = self.stopwatch.clock.now();
        let kind = EventKind::NameResolutionResolve;
        self.events.emit(now, kind, &values, &text);
    }
}

impl NameResolver for TimedResolver {
    fn resolve(&mut self, host: &str, is_re_resolution: bool) -> Result<IpAddr, ResolveError> {
        let Self {
            inner, stopwatch, ..
        } = self;
        let (found, elapsed_ns) = stopwatch.measure_in_ns(|| inner.resolve(host, is_re_resolution));
        if self.events.is_on() {
            self.log(host, is_re_resolution, elapsed_ns, &found);
        }
        found
    }

    fn lookup(&mut self, endpoint: &str) -> Option<String> {
        let Self {
            inner, stopwatch, ..
        } = self;
        stopwatch.measure(|| inner.lookup(endpoint))
    }

    fn do_work(&mut self, tick: Tick) -> usize {
        self.inner.do_work(tick)
    }

    fn rest_ns(&self) -> i64 {
        self.inner.rest_ns()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::VirtualClock;

    /// Takes as many milliseconds as the name says.
    struct Slow(VirtualClock);

    impl NameResolver for Slow {
        fn resolve(&mut self, host: &str, _: bool) -> Result<IpAddr, ResolveError> {
            self.0
                .advance(host.parse::<i64>().expect("a number") * 1_000_000);
            Ok(IpAddr::from([10, 0, 0, 1]))
        }
    }

    #[test]
    fn the_longest_call_and_those_over_the_threshold_are_counted() {
        let clock = VirtualClock::new();
        let (max, exceeded) = (AtomicCounter::detached(0), AtomicCounter::detached(0));
        let stopwatch = Stopwatch::new(
            Arc::new(clock.clone()),
            5_000_000,
            max.clone(),
            exceeded.clone(),
        );
        let mut resolver = TimedResolver::new(Box::new(Slow(clock)), stopwatch, EventWriter::off());
        let mut take = |ms: &str| {
            resolver.resolve(ms, false).expect("known");
            (max.get() / 1_000_000, exceeded.get())
        };
        assert_eq!(take("3"), (3, 0));
        assert_eq!(take("5"), (5, 0), "as long as the threshold is not longer");
        assert_eq!(take("6"), (6, 1));
        assert_eq!(take("2"), (6, 1));
        assert_eq!(resolver.lookup("2:99"), None, "takes no time here");
    }
}
