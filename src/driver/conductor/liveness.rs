//! The conductor's timer: the driver's heartbeat, the states of all resources, and commands that a
//! client claimed and never finished (`driver.md` §11.2, §11.4).

use crate::base::Nanos;
use crate::cnc::SystemCounter;
use crate::concurrent::RingBuffer;
use crate::port::Network;

use super::Conductor;

/// Watches whether the command ring gets anywhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockedRing {
    last_consumer_position: i64,
    time_of_last_change: Nanos,
}

impl BlockedRing {
    pub(super) fn new(ring: &RingBuffer, now: Nanos) -> Self {
        Self {
            last_consumer_position: ring.consumer_position(),
            time_of_last_change: now,
        }
    }

    /// Whether commands wait and none has been read for longer than the timeout.
    fn is_blocked(&mut self, ring: &RingBuffer, timeout_ns: i64, now: Nanos) -> bool {
        let consumer = ring.consumer_position();
        let has_commands = ring.producer_position() > consumer;
        if consumer != self.last_consumer_position || !has_commands {
            self.last_consumer_position = consumer;
            self.time_of_last_change = now;
            return false;
        }
        now.is_expired(self.time_of_last_change, timeout_ns)
    }
}

impl<N: Network> Conductor<N> {
    /// Runs the timer if it is due. Returns whether it was, as work done.
    ///
    /// Clients come first, so that everything of one that is dead is released in the same tick.
    pub(super) fn check_timer(&mut self) -> usize {
        let now = self.ctx.tick.now;
        if !now.is_at_or_after(self.timer_deadline) {
            return 0;
        }
        self.timer_deadline = now.plus_ns(self.ctx.config.timer_interval_ns);
        self.ctx.ring.set_consumer_heartbeat(self.ctx.tick.epoch);
        self.check_clients();
        self.check_ipc_publications();
        self.check_network_publications();
        self.check_images();
        self.check_blocked_commands();
        1
    }

    fn check_blocked_commands(&mut self) {
        let timeout_ns = self.ctx.config.client_liveness_timeout_ns;
        let now = self.ctx.tick.now;
        let is_blocked = self
            .blocked_ring
            .is_blocked(&self.ctx.ring, timeout_ns, now);
        // While a command is pending none is read, which is nobody's fault.
        if is_blocked && self.pending.is_none() && self.commands.unblock() {
            self.ctx.count(SystemCounter::UnblockedCommands);
        }
    }
}
