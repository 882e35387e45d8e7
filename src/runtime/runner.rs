//! A thread that drives agents.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::clock::{CycleClock, SystemClock};
use super::idle::Idler;
use crate::port::{Agent, Wake};
use crate::sys;

/// How a thread is called, where it runs and how it idles.
pub(super) struct ThreadSpec {
    pub(super) name: String,
    pub(super) idle: Idler,
    /// CPU to run on; `None` leaves it to the operating system.
    pub(super) cpu: Option<usize>,
    /// Told about a CPU that could not be had.
    pub(super) on_warning: Arc<dyn Fn(&str) + Send + Sync>,
}

/// A running thread; stops and is joined when dropped.
#[derive(Debug)]
pub(super) struct AgentThread {
    stop: Arc<AtomicBool>,
    has_failed: Arc<AtomicBool>,
    thread: Option<JoinHandle<Box<dyn Agent>>>,
}

impl AgentThread {
    /// Starts a thread that calls `agent` until it is stopped.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub(super) fn start(
        mut agent: Box<dyn Agent>,
        spec: ThreadSpec,
        clock: SystemClock,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let has_failed = Arc::new(AtomicBool::new(false));
        let (stopped, failed) = (Arc::clone(&stop), Arc::clone(&has_failed));
        let thread = std::thread::Builder::new()
            .name(spec.name.clone())
            .spawn(move || {
                let guard = FailureFlag(failed);
                prepare_thread(&spec);
                let this = std::thread::current();
                let wake: Wake = Arc::new(move || this.unpark());
                agent.set_wake(&wake);
                run(&mut *agent, spec.idle, clock, &stopped);
                drop(guard);
                agent
            })?;
        Ok(Self {
            stop,
            has_failed,
            thread: Some(thread),
        })
    }

    /// Whether the agent panicked, which ends its thread.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    /// Stops the thread and returns its agent, unless it panicked.
    pub(super) fn stop(&mut self) -> Option<Box<dyn Agent>> {
        self.stop.store(true, Ordering::Release);
        let thread = self.thread.take()?;
        thread.thread().unpark();
        thread.join().ok()
    }
}

impl Drop for AgentThread {
    fn drop(&mut self) {
        drop(self.stop());
    }
}

/// Set when dropped by a panic.
struct FailureFlag(Arc<AtomicBool>);

impl Drop for FailureFlag {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Release);
        }
    }
}

fn prepare_thread(spec: &ThreadSpec) {
    sys::set_thread_name(&spec.name);
    if let Some(cpu) = spec.cpu
        && let Err(error) = sys::pin_current_thread(cpu)
    {
        (spec.on_warning)(&format!(
            "cannot pin thread '{}' to CPU {cpu}: {error}",
            spec.name
        ));
    }
}

fn run(agent: &mut dyn Agent, mut idle: Idler, clock: SystemClock, stop: &AtomicBool) {
    let mut clock = CycleClock::new(clock);
    agent.on_start(clock.next());
    while !stop.load(Ordering::Relaxed) {
        let work = agent.do_work(clock.next());
        let rest_ns = if work > 0 { 0 } else { agent.rest_ns() };
        let rest = Duration::from_nanos(rest_ns.unsigned_abs());
        if let Some(period) = idle.next(work, rest)
            && !agent.rest(period)
        {
            std::thread::park_timeout(period);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Tick;
    use std::sync::atomic::AtomicUsize;

    struct Counting {
        cycles: Arc<AtomicUsize>,
        panic_at: usize,
    }

    impl Agent for Counting {
        fn name(&self) -> &'static str {
            "counting"
        }

        fn do_work(&mut self, _tick: Tick) -> usize {
            let cycle = self.cycles.fetch_add(1, Ordering::Release);
            assert!(cycle < self.panic_at, "as the test wants");
            0
        }
    }

    fn start(cycles: &Arc<AtomicUsize>, panic_at: usize) -> AgentThread {
        let agent = Box::new(Counting {
            cycles: Arc::clone(cycles),
            panic_at,
        });
        let spec = ThreadSpec {
            name: "counting".to_owned(),
            idle: Idler::Yield,
            cpu: None,
            on_warning: Arc::new(|_| {}),
        };
        AgentThread::start(agent, spec, SystemClock::new()).expect("a thread")
    }

    #[test]
    fn an_agent_is_driven_until_stopped_and_handed_back() {
        let cycles = Arc::new(AtomicUsize::new(0));
        let mut thread = start(&cycles, usize::MAX);
        while cycles.load(Ordering::Acquire) < 10 {
            std::thread::yield_now();
        }
        assert_eq!(thread.stop().expect("handed back").name(), "counting");
        let after = cycles.load(Ordering::Acquire);
        std::thread::yield_now();
        assert_eq!(cycles.load(Ordering::Acquire), after);
    }

    #[test]
    fn a_panic_in_an_agent_is_noticed() {
        let cycles = Arc::new(AtomicUsize::new(0));
        let mut thread = start(&cycles, 3);
        while !thread.has_failed() {
            std::thread::yield_now();
        }
        assert!(thread.stop().is_none());
    }
}
