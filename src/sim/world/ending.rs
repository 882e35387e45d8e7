//! What is left when all have gone, and what the run came to.

use super::Run;
use crate::cnc::SystemCounter;
use crate::sim::oracle::{has_counters, leftovers};
use crate::sim::people::{Outcome, is_out_of_space, is_transient};
use crate::sim::report::Report;

impl Run {
    pub(super) fn remains(&mut self) -> Outcome<Option<String>> {
        let mut all = Vec::new();
        let living = |number: &usize| !self.dead_drivers.contains(number);
        for number in (0..self.drivers.len()).filter(living) {
            let driver = &self.drivers[number];
            if !self.is_explaining && has_counters(driver) {
                return Ok(Some("counters".to_owned()));
            }
            let left = leftovers(driver, &self.network);
            all.extend(left.iter().map(|left| format!("driver {number}: {left}")));
        }
        Ok((!all.is_empty()).then(|| all.join(", ")))
    }

    /// No driver may have met with an error: all that went wrong here is of the kind that is
    /// counted.
    pub(super) fn check_errors(&self) -> Outcome {
        for (number, driver) in self.drivers.iter().enumerate() {
            let mut errors = driver.errors();
            errors.retain(|error| !is_transient(error) && !self.ledgers.explains(error));
            if self.plan.fills_disks() {
                errors.retain(|error| !is_out_of_space(error));
            }
            // A client that was given up without noticing takes away what is gone already.
            let clients = self.clients.iter();
            if clients
                .into_iter()
                .any(|c| c.driver() == number && c.was_excused)
            {
                errors.retain(|error| !error.starts_with("unknown "));
            }
            if !errors.is_empty() {
                return Err(format!("driver {number} recorded errors: {errors:?}"));
            }
        }
        Ok(())
    }

    pub(super) fn report(&self) -> Report {
        Report {
            seed: self.plan.seed,
            steps: self.step,
            virtual_ns: self.clock.now().get(),
            events: self.trace.count(),
            event_hash: self.trace.hash(),
            messages: self.ledgers.messages(),
            consumed: self.consumed.iter().sum(),
            consumed_of: self.consumed,
            rejected: self.ledgers.rejected_count(),
            revoked: self.system_sum(SystemCounter::PublicationsRevoked),
            datagrams: self.traffic.datagrams,
            naks: self.traffic.naks,
            retransmits: self.traffic.retransmits,
            unblocked: self.system_sum(SystemCounter::UnblockedPublications),
        }
    }

    /// A system counter of all drivers.
    fn system_sum(&self, counter: SystemCounter) -> u64 {
        let values = self.drivers.iter().map(|driver| driver.system(counter));
        values.map(i64::unsigned_abs).sum()
    }
}
