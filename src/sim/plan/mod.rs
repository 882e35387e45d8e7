//! What a seed stands for: who takes part in a world, how everyone behaves, and what goes wrong.
//!
//! Everything is drawn before the world starts, so that a plan can be printed and a failure told
//! from its plan. What happens in between (who comes first, which datagram is lost) is drawn as the
//! world runs, from generators of the same seed.

mod extras;
mod faults;
mod people;
mod streams;

use std::fmt;

use super::network::LinkFaults;
use crate::base::Rng;
use crate::driver::config::{ConfigErrors, CongestionSupplier, DriverConfig};

pub(super) use extras::{
    NameMove, NamesPlan, PollHabit, SettingsPlan, host_name, remove as remove_extras,
};
pub(super) use faults::{Incident, IncidentKind};
pub(super) use people::{ClientPlan, PollMode, PublisherPlan, SubscriberKind, SubscriberPlan};
pub(super) use streams::{Medium, Part, Strategy, StreamPlan, addresses, place_address};

const US: i64 = 1_000;
const MS: i64 = 1_000_000;
/// Sets the generator of what came later apart from that of the rest.
const LATE_SEED: u64 = 0x1A7E_0001;
/// The same of what came later still.
const EXTRAS_SEED: u64 = 0x1A7E_0002;
/// The same of what a kernel does with what is received.
const KERNEL_SEED: u64 = 0x1A7E_0003;

/// Which faults a world has.
///
/// ```
/// use aileron::sim::{Profile, World};
/// let report = World::new(3).profile(Profile::Calm).run().expect("a calm world");
/// assert!(report.messages > 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// Those that the seed draws: each on or off, and how strong.
    #[default]
    Drawn,
    /// None: whatever goes wrong is our own fault.
    Calm,
    /// Links only: nobody stalls, dies or is cut off.
    Links,
    /// All of them.
    All,
}

/// All that was drawn before the start.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) profile: Profile,
    pub(super) drivers: Vec<DriverPlan>,
    pub(super) timeouts: Timeouts,
    pub(super) pace: Pace,
    pub(super) faults: LinkFaults,
    /// Links that lose more in one direction: from which driver to which, and how many datagrams of
    /// a million.
    pub(super) one_way: Vec<(usize, usize, u32)>,
    pub(super) clients: Vec<ClientPlan>,
    pub(super) streams: Vec<StreamPlan>,
    pub(super) publishers: Vec<PublisherPlan>,
    pub(super) subscribers: Vec<SubscriberPlan>,
    pub(super) incidents: Vec<Incident>,
    /// Names of hosts, if there are any.
    pub(super) names: Option<NamesPlan>,
    /// Whether a datagram takes more of a receive buffer than it is long.
    pub(super) counts_overhead: bool,
    /// After how many steps the faults end.
    pub(super) active_steps: u64,
}

/// How a driver is run.
#[derive(Clone, Debug)]
pub(super) struct DriverPlan {
    /// All agents as one, as with one thread.
    pub(super) is_composite: bool,
    pub(super) receive_batch: usize,
    pub(super) messages_per_send: usize,
    pub(super) spies_simulate_connection: bool,
    /// Whether all that is lost is asked for at once.
    pub(super) has_loss_recovery: bool,
    /// Whether its kernel hands it datagrams of one length together.
    pub(super) joins_datagrams: bool,
    /// How it is configured in text; not at all if that is absent.
    pub(super) settings: Option<SettingsPlan>,
}

/// All timeouts, in nanoseconds. Shorter than the defaults, so that they pass within a run.
#[derive(Clone, Debug)]
pub(super) struct Timeouts {
    pub(super) timer: i64,
    pub(super) client_liveness: i64,
    pub(super) keepalive: i64,
    pub(super) image_liveness: i64,
    pub(super) linger: i64,
    pub(super) unblock: i64,
    pub(super) connection: i64,
    pub(super) status_message: i64,
    pub(super) counter_reuse: i64,
    pub(super) untethered_window: i64,
    pub(super) untethered_linger: i64,
    pub(super) untethered_resting: i64,
    pub(super) nak_delay: i64,
    pub(super) nak_ratio: i64,
    pub(super) retransmit_delay: i64,
    pub(super) retransmit_linger: i64,
}

/// How time passes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Longest step while something is being done, in nanoseconds.
    pub(super) busy: i64,
    /// Longest step while nothing is.
    pub(super) idle: i64,
    /// How often a step is longer, per mille.
    pub(super) leap_per_mille: u64,
    /// How much longer.
    pub(super) leap: i64,
}

impl Plan {
    /// Draws a plan.
    pub(super) fn draw(seed: u64, profile: Profile) -> Self {
        let mut plan = Self::draw_plain(seed, profile);
        extras::draw(&mut Rng::new(seed ^ EXTRAS_SEED), &mut plan);
        let kernel = &mut Rng::new(seed ^ KERNEL_SEED);
        plan.counts_overhead = true;
        for driver in &mut plan.drivers {
            driver.joins_datagrams = kernel.chance(3, 4);
        }
        plan
    }

    /// Draws a plan without extras.
    pub(super) fn draw_plain(seed: u64, profile: Profile) -> Self {
        let mut rng = Rng::new(seed);
        let rng = &mut rng;
        let count = 1 + index(rng, 3);
        let timeouts = Timeouts::draw(rng);
        // From a generator of its own: seeds mean what they meant before there was a choice.
        let mut choices = Rng::new(seed ^ 0x0105_5EC0);
        let drivers = (0..count)
            .map(|_| DriverPlan::draw(rng, choices.chance(2, 3)))
            .collect();
        let pace = Pace::draw(rng);
        let faults = faults::draw_links(rng, profile);
        let streams = streams::draw(rng, count);
        let mut plan = Self {
            seed,
            profile,
            drivers,
            timeouts,
            pace,
            faults,
            one_way: Vec::new(),
            clients: Vec::new(),
            streams,
            publishers: Vec::new(),
            subscribers: Vec::new(),
            incidents: Vec::new(),
            names: None,
            counts_overhead: false,
            active_steps: 600 + rng.below(1400),
        };
        people::draw(rng, &mut plan);
        faults::draw_incidents(rng, &mut plan);
        // What came later is drawn apart, so that a seed keeps the rest of its plan.
        let late = &mut Rng::new(seed ^ LATE_SEED);
        faults::draw_bursts(late, &mut plan);
        people::draw_late(late, &mut plan);
        streams::draw_late(late, &mut plan);
        faults::draw_late_incidents(late, &mut plan);
        plan
    }

    /// Datagrams are received one by one, and take no more room than they are long.
    pub(super) fn forget_kernel(&mut self) {
        self.counts_overhead = false;
        for driver in &mut self.drivers {
            driver.joins_datagrams = false;
        }
    }

    /// Whether some driver will have no room for logs.
    pub(super) fn fills_disks(&self) -> bool {
        let mut incidents = self.incidents.iter();
        incidents.any(|incident| matches!(incident.kind, IncidentKind::FillDisk { .. }))
    }

    /// Whether nothing that goes wrong lasts so long, or is such, that an image would have to be
    /// given up whose publication lives.
    pub(super) fn keeps_images(&self) -> bool {
        let mut sum_ns = self.pace.leap;
        for incident in self.incidents.iter().filter(|incident| !incident.is_absent) {
            match incident.kind.interruption_ns() {
                Some(ns) => sum_ns += ns,
                None => return false,
            }
        }
        let leads_by_spies = self.drivers.iter().any(|d| d.spies_simulate_connection);
        // A tenth: ten in a row are lost once in so many worlds that nobody runs them.
        let lossy = self.one_way.iter().map(|(_, _, ppm)| *ppm).max();
        let LinkFaults {
            loss_ppm,
            corrupt_ppm,
            refuse_ppm,
            burst_ppm,
            ..
        } = self.faults;
        let lost_ppm = loss_ppm + corrupt_ppm + refuse_ppm + lossy.unwrap_or(0);
        let is_heard = burst_ppm == 0 && lost_ppm <= 100_000;
        let is_in_time = sum_ns < self.timeouts.image_liveness / 2;
        is_in_time && is_heard && !leads_by_spies && self.names.is_none()
    }

    /// How the link from one driver to another misbehaves while nobody meddles with it.
    pub(super) fn link_faults(&self, from: usize, to: usize) -> LinkFaults {
        let mut faults = self.faults;
        for (_, _, ppm) in self
            .one_way
            .iter()
            .filter(|way| (way.0, way.1) == (from, to))
        {
            faults.loss_ppm = faults.loss_ppm.max(*ppm);
        }
        faults
    }

    /// The configuration of a driver, before anything is added in text.
    pub(super) fn config(&self, driver: usize) -> Result<DriverConfig, ConfigErrors> {
        let (t, d) = (&self.timeouts, &self.drivers[driver]);
        DriverConfig::builder()
            .timer_interval_ns(t.timer)
            .client_liveness_timeout_ns(t.client_liveness)
            .image_liveness_timeout_ns(t.image_liveness)
            .publication_linger_timeout_ns(t.linger)
            .publication_unblock_timeout_ns(t.unblock)
            .publication_connection_timeout_ns(t.connection)
            .status_message_timeout_ns(t.status_message)
            .counters_free_to_reuse_timeout_ns(t.counter_reuse)
            .untethered_window_limit_timeout_ns(t.untethered_window)
            .untethered_linger_timeout_ns(Some(t.untethered_linger))
            .untethered_resting_timeout_ns(t.untethered_resting)
            .nak_unicast_delay_ns(t.nak_delay)
            .nak_unicast_retry_delay_ratio(t.nak_ratio)
            .retransmit_unicast_delay_ns(t.retransmit_delay)
            .retransmit_unicast_linger_ns(t.retransmit_linger)
            .receiver_io_vector_capacity(d.receive_batch)
            .network_publication_max_messages_per_send(d.messages_per_send)
            .loss_recovery(d.has_loss_recovery)
            .socket_gro(d.joins_datagrams)
            .spies_simulate_connection(d.spies_simulate_connection)
            .congestion_control(CongestionSupplier::Default)
            .build()
    }

    /// What publications on a stream have to be told to send to, so that all subscribers get it.
    pub(super) fn destinations(&self, stream: usize) -> Vec<String> {
        let mut all: Vec<String> = (self.subscribers.iter().enumerate())
            .filter(|(_, s)| s.stream == stream && s.kind == SubscriberKind::Direct)
            .flat_map(|(number, subscriber)| {
                let driver = self.clients[subscriber.client].driver;
                self.streams[stream].destinations(driver, number)
            })
            .collect();
        all.sort();
        all.dedup();
        all
    }

    /// How long a world may take to come to rest: every timeout several times over.
    pub(super) const fn patience_ns(&self) -> i64 {
        let t = &self.timeouts;
        let once = t.timer * 8
            + t.client_liveness
            + t.image_liveness
            + t.linger
            + t.unblock
            + t.connection
            + t.untethered_window
            + t.untethered_linger
            + t.untethered_resting
            + t.counter_reuse;
        once * 4 + 10_000 * MS
    }
}

impl DriverPlan {
    fn draw(rng: &mut Rng, has_loss_recovery: bool) -> Self {
        Self {
            has_loss_recovery,
            joins_datagrams: false,
            settings: None,
            is_composite: rng.chance(1, 4),
            receive_batch: 1 + index(rng, 16),
            messages_per_send: 1 + index(rng, 8),
            spies_simulate_connection: rng.chance(1, 3),
        }
    }
}

impl Timeouts {
    fn draw(rng: &mut Rng) -> Self {
        let client_liveness = range(rng, 1_000 * MS, 3_000 * MS);
        let timer = range(rng, 10 * MS, 150 * MS);
        Self {
            timer,
            client_liveness,
            keepalive: range(rng, 30 * MS, 200 * MS),
            image_liveness: range(rng, 1_000 * MS, 3_000 * MS),
            linger: range(rng, 200 * MS, 1_500 * MS),
            unblock: client_liveness + range(rng, MS, 500 * MS),
            connection: range(rng, 800 * MS, 2_000 * MS),
            status_message: range(rng, 10 * MS, 200 * MS),
            // A client has to notice in time that a counter is not its own any more.
            counter_reuse: range(rng, client_liveness / 4, client_liveness / 2),
            untethered_window: range(rng, 200 * MS, 800 * MS),
            untethered_linger: range(rng, 800 * MS, 1_200 * MS),
            untethered_resting: range(rng, 200 * MS, 800 * MS),
            nak_delay: skewed(rng, US, 500 * US),
            nak_ratio: skewed(rng, 1, 100),
            retransmit_delay: if rng.chance(2, 3) {
                0
            } else {
                range(rng, 0, 500 * US)
            },
            retransmit_linger: skewed(rng, 20 * US, 10 * MS),
        }
    }
}

impl Pace {
    fn draw(rng: &mut Rng) -> Self {
        Self {
            busy: skewed(rng, 2 * US, 500 * US),
            idle: skewed(rng, 200 * US, 10 * MS),
            leap_per_mille: rng.below(40),
            leap: skewed(rng, MS, 60 * MS),
        }
    }
}

/// A number below `count`.
pub(super) fn index(rng: &mut Rng, count: usize) -> usize {
    usize::try_from(rng.below(count as u64)).unwrap_or(0)
}

/// A number from `low` to `high`, both included.
pub(super) fn range(rng: &mut Rng, low: i64, high: i64) -> i64 {
    let span = u64::try_from(high - low).unwrap_or(0) + 1;
    low + i64::try_from(rng.below(span)).unwrap_or(0)
}

/// A number from `low` to `high`, whose order of magnitude is drawn first.
pub(super) fn skewed(rng: &mut Rng, low: i64, high: i64) -> i64 {
    let mut top = high.max(low);
    while top / 2 > low && rng.chance(1, 2) {
        top /= 2;
    }
    range(rng, low, top)
}

/// One of `choices`.
pub(super) fn pick<'a, T>(rng: &mut Rng, choices: &'a [T]) -> &'a T {
    &choices[index(rng, choices.len())]
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {} profile {:?}: faults until step {}",
            self.seed, self.profile, self.active_steps
        )?;
        writeln!(f, "  {:?}", self.timeouts)?;
        writeln!(f, "  {:?}", self.pace)?;
        writeln!(f, "  {:?}", self.faults)?;
        list(f, "one way", &self.one_way)?;
        list(f, "driver", &self.drivers)?;
        if let Some(names) = &self.names {
            writeln!(f, "  {names:?}")?;
        }
        list(f, "client", &self.clients)?;
        list(f, "stream", &self.streams)?;
        list_present(f, "publisher", &self.publishers, |p| p.is_absent)?;
        list_present(f, "subscriber", &self.subscribers, |s| s.is_absent)?;
        list_present(f, "incident", &self.incidents, |i| i.is_absent)
    }
}

/// The same, without those that were left out.
fn list_present<T: fmt::Debug>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    items: &[T],
    is_absent: impl Fn(&T) -> bool,
) -> fmt::Result {
    let items = items.iter().enumerate();
    for (number, item) in items.filter(|(_, item)| !is_absent(item)) {
        writeln!(f, "  {name} {number}: {item:?}")?;
    }
    Ok(())
}

fn list<T: fmt::Debug>(f: &mut fmt::Formatter<'_>, name: &str, items: &[T]) -> fmt::Result {
    for (number, item) in items.iter().enumerate() {
        writeln!(f, "  {name} {number}: {item:?}")?;
    }
    Ok(())
}
