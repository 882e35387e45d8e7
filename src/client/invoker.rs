//! The handle on a client's conductor, for whoever drives it.

use std::fmt;
use std::sync::Arc;

use super::core::Core;
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
    pub(super) core: Arc<Core>,
}

impl ConductorInvoker {
    /// One duty cycle. Returns how much was done; 0 also while a call services the conductor.
    pub fn do_work(&mut self) -> usize {
        let tick = self.core.clock.tick();
        Agent::do_work(self, tick)
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
        self.core
            .try_enter()
            .map_or(0, |mut conductor| conductor.do_work(tick))
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
