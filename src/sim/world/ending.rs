//! What is left when all have gone, and what the run came to.

use super::Run;
use crate::cnc::SystemCounter;
use crate::sim::oracle::{has_counters, leftovers};
use crate::sim::people::{
    Outcome, is_of_a_mistake, is_of_a_stranger, is_out_of_space, is_transient, is_unresolved,
};
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
            errors.retain(|error| !self.ledgers.expects(error));
            // A client that is gone was not told.
            let clients = self.clients.iter().zip(&self.plan.clients);
            let mut erring = clients.filter(|(_, plan)| plan.habits.mistakes > 0);
            if erring.any(|(client, plan)| plan.driver == number && client.is_gone_untold()) {
                errors.retain(|error| !is_of_a_mistake(error));
            }
            let mut clients = self.plan.clients.iter();
            if clients.any(|plan| plan.driver == number && plan.habits.strangers > 0) {
                errors.retain(|error| !is_of_a_stranger(error));
            }
            if self.plan.names.is_some() {
                errors.retain(|error| !is_unresolved(error));
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

    /// What drivers wrote down of what happened is as it was.
    pub(super) fn check_events(&mut self) -> Outcome {
        for number in 0..self.drivers.len() {
            self.read_events(number)?;
            if !self.dead_drivers.contains(&number) {
                self.events[number].check_end(&self.drivers[number], &self.ledgers)?;
                self.ledgers.check_visits(&self.drivers[number])?;
            }
        }
        Ok(())
    }

    /// Reads what a driver wrote down since the last time.
    pub(super) fn read_events(&mut self, driver: usize) -> Outcome {
        let now = self.clock.now();
        self.events[driver].read(&mut self.drivers[driver], &self.plan, now)
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
