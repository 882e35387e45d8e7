//! Whether the agents run, and how busy they are: counters beyond Aeron's, for tools that explain.

use std::time::Duration;

use crate::base::{EpochMillis, Nanos, RegistrationId};
use crate::cnc::counter_types::SystemKey;
use crate::cnc::extra_counters::{
    AGENT_ALIVE_TYPE_ID, AGENT_BUSY_TYPE_ID, AGENT_REPORT_INTERVAL_NS, name,
};
use crate::concurrent::{
    AtomicCounter, CounterSpec, CountersFull, CountersManager, STATIC_OWNER_ID,
};
use crate::port::{Agent, Tick, Wake};

/// The agents that report, in the order of their numbers.
const AGENTS: [&str; 3] = ["conductor", "sender", "receiver"];

/// Agents that rest are to be heard of now and then, nanoseconds.
const REST_NS_MAX: i64 = 100_000_000;

/// Where one agent reports.
#[derive(Clone, Debug)]
pub(super) struct AgentReport {
    alive: AtomicCounter,
    busy: AtomicCounter,
}

impl AgentReport {
    /// Counters for conductor, sender and receiver.
    pub(super) fn allocate_all(
        manager: &mut CountersManager,
        now: EpochMillis,
    ) -> Result<[Self; 3], CountersFull> {
        let mut one = |agent: i32, type_id, name: &str, value| {
            let key = SystemKey {
                system_counter_id: agent,
            };
            let title = usize::try_from(agent)
                .ok()
                .and_then(|index| AGENTS.get(index));
            manager.allocate(
                &CounterSpec {
                    type_id,
                    key: &key.encode(),
                    label: &format!("{name}: {}", title.unwrap_or(&"")),
                    // What nobody registers: counters of a stream are found by its id.
                    registration_id: RegistrationId(-1 - i64::from(agent)),
                    owner_id: STATIC_OWNER_ID,
                    reference_id: 0,
                    initial_value: value,
                },
                now,
            )
        };
        let mut both = |agent| {
            Ok::<_, CountersFull>(Self {
                alive: one(agent, AGENT_ALIVE_TYPE_ID, name::AGENT_ALIVE, now.get())?,
                busy: one(agent, AGENT_BUSY_TYPE_ID, name::AGENT_BUSY, 0)?,
            })
        };
        Ok([both(0)?, both(1)?, both(2)?])
    }

    /// The agent, from now on reporting here.
    pub(super) fn of<A: Agent>(self, agent: A) -> Reporting<A> {
        Reporting {
            agent,
            report: self,
            beat: Beat::default(),
        }
    }

    /// What a beat knows.
    pub(super) fn tell(&self, beat: &Beat, tick: Tick) {
        self.alive.set(tick.epoch.get());
        self.busy.set(beat.busy_ns);
    }
}

/// When there is something to report. A cycle costs two comparisons.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beat {
    last_cycle: Nanos,
    /// Whether the last cycle found something to do: the time until the next one counts as busy.
    had_work: bool,
    busy_ns: i64,
    reported: Nanos,
}

impl Beat {
    /// The first cycle is about to come.
    pub(super) const fn start(&mut self, now: Nanos) {
        self.last_cycle = now;
        self.reported = now;
    }

    /// A cycle begins. Returns whether it is time to report.
    #[inline]
    pub(super) fn cycle(&mut self, now: Nanos) -> bool {
        if self.had_work {
            self.busy_ns = self.busy_ns.wrapping_add(now.since(self.last_cycle));
        }
        self.last_cycle = now;
        let is_due = now.since(self.reported) >= AGENT_REPORT_INTERVAL_NS;
        if is_due {
            self.reported = now;
        }
        is_due
    }

    /// The cycle has done so much.
    #[inline]
    pub(super) const fn worked(&mut self, work: usize) {
        self.had_work = work > 0;
    }
}

/// An agent that reports: its counters are written once in [`AGENT_REPORT_INTERVAL_NS`].
#[derive(Debug)]
pub(super) struct Reporting<A> {
    agent: A,
    report: AgentReport,
    beat: Beat,
}

impl<A: Agent> Agent for Reporting<A> {
    fn name(&self) -> &'static str {
        self.agent.name()
    }

    fn on_start(&mut self, tick: Tick) {
        self.beat.start(tick.now);
        self.report.tell(&self.beat, tick);
        self.agent.on_start(tick);
    }

    fn do_work(&mut self, tick: Tick) -> usize {
        if self.beat.cycle(tick.now) {
            self.report.tell(&self.beat, tick);
        }
        let work = self.agent.do_work(tick);
        self.beat.worked(work);
        work
    }

    fn rest_ns(&self) -> i64 {
        self.agent.rest_ns().min(REST_NS_MAX)
    }

    fn rest(&mut self, period: Duration) -> bool {
        self.agent.rest(period)
    }

    fn set_wake(&mut self, wake: &Wake) {
        self.agent.set_wake(wake);
    }

    fn on_close(&mut self, tick: Tick) {
        self.agent.on_close(tick);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::AtomicBuffer;

    struct Alternating(bool);

    impl Agent for Alternating {
        fn name(&self) -> &'static str {
            "alternating"
        }

        fn do_work(&mut self, _tick: Tick) -> usize {
            self.0 = !self.0;
            usize::from(self.0)
        }
    }

    #[test]
    fn an_agent_reports_when_it_ran_and_the_time_after_work() {
        let (metadata, values) = (AtomicBuffer::heap(8192), AtomicBuffer::heap(2048));
        let mut manager = CountersManager::new(metadata, values, 0).expect("room");
        let [_, sender, _] =
            AgentReport::allocate_all(&mut manager, EpochMillis(5)).expect("room for six");
        assert_eq!(
            manager.reader().label(sender.alive.id()).as_deref(),
            Some("agent-alive: sender")
        );
        let report = sender.clone();
        let mut agent = sender.of(Alternating(false));
        let at = |ms: i64| Tick {
            now: Nanos(ms * 1_000_000),
            epoch: EpochMillis(1_000 + ms),
        };
        agent.on_start(at(0));
        assert_eq!(report.alive.get(), 1_000);
        // Cycles at 1, 5, 9 and 13 ms: the first and the third find work.
        for ms in [1, 5, 9] {
            agent.do_work(at(ms));
        }
        assert_eq!(
            (report.alive.get(), report.busy.get()),
            (1_000, 0),
            "not due yet"
        );
        agent.do_work(at(13));
        assert_eq!((report.alive.get(), report.busy.get()), (1_013, 8_000_000));
    }
}
