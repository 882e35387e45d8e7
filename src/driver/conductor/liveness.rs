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

    /// Whether commands wait and none could be read for longer than the timeout. Time in which the
    /// driver reads none of its own accord does not count.
    fn is_blocked(
        &mut self,
        ring: &RingBuffer,
        is_reading: bool,
        timeout_ns: i64,
        now: Nanos,
    ) -> bool {
        let consumer = ring.consumer_position();
        let has_commands = ring.producer_position() > consumer;
        if consumer != self.last_consumer_position || !has_commands || !is_reading {
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
    #[inline]
    pub(super) fn check_timer(&mut self) -> usize {
        if !self.ctx.tick.now.is_at_or_after(self.timer_deadline) {
            return 0;
        }
        self.on_timer();
        1
    }

    fn on_timer(&mut self) {
        let now = self.ctx.tick.now;
        self.timer_deadline = now.plus_ns(self.ctx.config.timer_interval_ns);
        self.ctx.events.set_time(now);
        self.ctx.ring.set_consumer_heartbeat(self.ctx.tick.epoch);
        self.check_clients();
        self.check_ipc_publications();
        self.check_network_publications();
        self.check_images();
        self.check_blocked_commands();
    }

    fn check_blocked_commands(&mut self) {
        let timeout_ns = self.ctx.config.client_liveness_timeout_ns;
        let now = self.ctx.tick.now;
        let is_reading = self.pending.is_none();
        let is_blocked = self
            .blocked_ring
            .is_blocked(&self.ctx.ring, is_reading, timeout_ns, now);
        if is_blocked && self.commands.unblock() {
            self.ctx.count(SystemCounter::UnblockedCommands);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::command_id;
    use crate::memory::AtomicBuffer;

    #[test]
    fn time_in_which_the_driver_reads_no_command_is_nobodys_fault() {
        let ring = RingBuffer::new(AtomicBuffer::heap(4096 + 768)).expect("capacity is right");
        let mut blocked = BlockedRing::new(&ring, Nanos(0));
        ring.write(command_id::CLIENT_KEEPALIVE, &[0; 16])
            .expect("room");
        assert!(!blocked.is_blocked(&ring, false, 10, Nanos(1_000)));
        assert!(!blocked.is_blocked(&ring, true, 10, Nanos(1_005)));
        assert!(blocked.is_blocked(&ring, true, 10, Nanos(1_011)));
    }
}
