//! The handle on a client's conductor, for whoever drives it.

use std::fmt;
use std::sync::Arc;

use super::core::Core;
use crate::base::Nanos;
use crate::concurrent::BroadcastTail;
use crate::port::{Agent, Tick};

/// Drives the conductor of a client. It may live on a thread of its own; calls that wait for the
/// driver service the conductor too, whether or not it does.
///
/// ```no_run
/// # fn demo(mut invoker: aileron::client::ConductorInvoker) {
/// while !invoker.is_closed() {
///     if invoker.do_work() == 0 {
///         std::thread::yield_now();
///     }
/// }
/// # }
/// ```
pub struct ConductorInvoker {
    core: Arc<Core>,
    events: BroadcastTail,
    /// Up to where the events were taken up, when a cycle last found nothing to do.
    quiet_since: Option<i64>,
    next_service: Nanos,
}

impl ConductorInvoker {
    pub(super) const fn new(core: Arc<Core>, events: BroadcastTail, now: Nanos) -> Self {
        Self {
            core,
            events,
            quiet_since: None,
            next_service: now,
        }
    }

    /// One duty cycle. Returns how much was done; 0 also while a call services the conductor.
    pub fn do_work(&mut self) -> usize {
        if self.is_quiet(self.core.clock.coarse_now()) {
            return 0;
        }
        let tick = self.core.clock.tick();
        self.drive(tick)
    }

    /// Whether a duty cycle would find nothing to do. It takes no lock: whoever invokes the
    /// conductor between polls of a busy stream pays for this look alone.
    #[inline]
    fn is_quiet(&self, now: Nanos) -> bool {
        self.quiet_since == Some(self.events.get())
            && !now.is_at_or_after(self.next_service)
            && !self.core.has_deferred()
    }

    fn drive(&mut self, tick: Tick) -> usize {
        let tail = self.events.get();
        let Some(mut conductor) = self.core.try_enter() else {
            return 0;
        };
        let work = conductor.do_work(tick);
        self.quiet_since = (work == 0).then_some(tail);
        self.next_service = conductor.next_service();
        work
    }

    /// Whether the client has ended, so that there is nothing left to drive.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// Ends the client, as [`Client::close`](super::Client::close) does.
    pub fn close(&mut self) {
        self.core.close();
    }

    /// Sets what [`Client::close`](super::Client::close) does last, such as joining the thread that
    /// drives this.
    pub fn on_closed(&self, hook: impl FnOnce() + Send + 'static) {
        self.core.set_on_closed(Box::new(hook));
    }
}

impl Agent for ConductorInvoker {
    fn name(&self) -> &'static str {
        "aeron-client"
    }

    fn do_work(&mut self, tick: Tick) -> usize {
        if self.is_quiet(tick.now) {
            return 0;
        }
        self.drive(tick)
    }

    fn on_close(&mut self, _tick: Tick) {
        if let Ok(mut conductor) = self.core.enter() {
            conductor.close();
        }
    }
}

impl fmt::Debug for ConductorInvoker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConductorInvoker")
            .field("core", &self.core)
            .finish()
    }
}
