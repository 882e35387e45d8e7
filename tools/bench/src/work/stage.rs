//! What time it is for the threads of a measurement, and the stop-watch that each has.
//!
//! Each thread measures by itself when it sees the phase change, so that the watcher's sleep has no
//! part in the figures.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::machine::thread_times;
use crate::node::Node;

/// How long it may take until everybody is connected.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Between looks of the watcher while the sides connect.
const CONNECT_PERIOD: Duration = Duration::from_millis(5);
/// Between looks of the watcher later: each wakes a thread on a CPU that measures.
const WATCH_PERIOD: Duration = Duration::from_millis(100);

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
}

/// What time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Connecting,
    WarmingUp,
    Measuring,
    Over,
}

/// What the threads of a measurement share.
#[derive(Debug)]
pub(crate) struct Stage {
    phase: AtomicU8,
    ready: AtomicU8,
    subscriber_left: AtomicBool,
    received: Apart<AtomicU64>,
    /// Whether a thread that finds nothing to do lets others run.
    yields: bool,
}

/// On cache lines of its own: what one thread writes all the time must not slow down those that
/// read its neighbours.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);

impl Stage {
    pub(crate) const fn new() -> Self {
        Self {
            phase: AtomicU8::new(Phase::Connecting as u8),
            ready: AtomicU8::new(0),
            subscriber_left: AtomicBool::new(false),
            received: Apart(AtomicU64::new(0)),
            yields: false,
        }
    }

    /// For threads that share their CPU with those that they wait for.
    pub(crate) const fn yielding() -> Self {
        Self {
            yields: true,
            ..Self::new()
        }
    }

    /// What a thread does after a round in which it did so much work.
    #[inline]
    pub(crate) fn idle(&self, work: usize) {
        if self.yields && work == 0 {
            thread::yield_now();
        }
    }

    /// Waits until so many sides are ready, or one has left.
    pub(crate) fn wait_for(&self, sides: u8) {
        while self.ready.load(Ordering::Relaxed) < sides && !self.is(Phase::Over) {
            thread::sleep(CONNECT_PERIOD);
        }
    }

    #[inline]
    fn is(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Relaxed) == phase as u8
    }

    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.is(Phase::Over)
    }

    #[inline]
    pub(crate) fn is_measuring(&self) -> bool {
        self.is(Phase::Measuring)
    }

    /// Tells the watcher how many bytes have come.
    #[inline]
    pub(crate) fn received(&self, bytes: u64) {
        self.received.0.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn subscriber_left(&self) -> bool {
        self.subscriber_left.load(Ordering::Acquire)
    }

    pub(crate) fn set(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::Relaxed);
    }

    /// Tells the watcher that this side is ready.
    pub(crate) fn join(&self) {
        self.ready.fetch_add(1, Ordering::Relaxed);
    }

    /// Works until `is_connected`, then until the watcher sees that both sides are.
    pub(crate) fn connect<N: Node>(
        &self,
        node: &mut N,
        is_connected: impl Fn() -> bool,
    ) -> Result<(), Failure> {
        let start = Instant::now();
        while !is_connected() {
            node.work()?;
            self.check_connecting(start)?;
        }
        self.join();
        while self.is(Phase::Connecting) {
            node.work()?;
            self.check_connecting(start)?;
        }
        Ok(())
    }

    fn check_connecting(&self, start: Instant) -> Result<(), Failure> {
        if self.is(Phase::Over) {
            return Err("the other side failed".into());
        }
        if start.elapsed() > CONNECT_TIMEOUT {
            return Err("the two sides do not connect".into());
        }
        thread::yield_now();
        Ok(())
    }

    /// Sets one phase after the other. `on_second` is told the bytes received, each second.
    pub(crate) fn watch(&self, period: Period, mut on_second: impl FnMut(u64)) {
        self.wait_for(2);
        self.set(Phase::WarmingUp);
        self.pause(period.warm_up, |_| {});
        self.set(Phase::Measuring);
        self.pause(period.duration, &mut on_second);
        self.set(Phase::Over);
    }

    fn pause(&self, duration: Duration, mut on_second: impl FnMut(u64)) {
        let start = Instant::now();
        let mut seconds = 0;
        while start.elapsed() < duration && !self.is(Phase::Over) {
            thread::sleep(WATCH_PERIOD.min(duration.saturating_sub(start.elapsed())));
            if start.elapsed().as_secs() > seconds {
                seconds = start.elapsed().as_secs();
                on_second(self.received.0.load(Ordering::Relaxed));
            }
        }
    }
}

/// Ends the run when a thread ends, whether well or not.
pub(crate) struct Leave<'a>(pub(crate) &'a Stage);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.set(Phase::Over);
    }
}

/// Tells the publisher that its driver may go.
pub(crate) struct LeaveDriver<'a>(pub(crate) &'a Stage);

impl Drop for LeaveDriver<'_> {
    fn drop(&mut self) {
        self.0.subscriber_left.store(true, Ordering::Release);
    }
}

/// A thread's own stop-watch.
pub(crate) struct Watch {
    start: Instant,
    times: (u64, u64),
}

/// What a thread used between start and stop of its [`Watch`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) elapsed: Duration,
    /// Share of that time that it ran on a CPU.
    pub(crate) cpu_share: f64,
    /// Share of that time that it could have run but had no CPU.
    pub(crate) stolen: f64,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
            times: thread_times(),
        }
    }

    pub(crate) fn stop(&self) -> Usage {
        let elapsed = self.start.elapsed();
        let (ran, waited) = thread_times();
        let share = |nanos: u64, before: u64| {
            Duration::from_nanos(nanos.saturating_sub(before)).as_secs_f64() / elapsed.as_secs_f64()
        };
        Usage {
            elapsed,
            cpu_share: share(ran, self.times.0),
            stolen: share(waited, self.times.1),
        }
    }
}
