//! One stream over a path that is long and loses datagrams: how much arrives, how long it stalls,
//! and what the repair costs.
//!
//! Two whole drivers on a virtual clock, with a publisher that always has more to send and a
//! subscriber that takes whatever there is. The path delays each datagram by half the round trip
//! and loses it with a given probability, each way; it has no limit of rate, so the window is what
//! limits the stream.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use super::clock::VirtualClock;
use super::host::SimDriver;
use super::network::{LinkFaults, SimNetwork};
use super::tap::Fate;
use super::wire::{FrameNote, Note, Wire};
use crate::base::{Nanos, Rng, StreamId};
use crate::client::{
    Client, ClientConfig, ClientEnvironment, ConductorInvoker, ExclusivePublication, Subscription,
};
use crate::cnc::SystemCounter;
use crate::driver::config::DriverConfig;
use crate::port::Clock;

const MICRO: i64 = 1_000;
const MILLI: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MILLI;

/// How long everyone takes for a turn.
const BUSY_STEP_NS: i64 = 20 * MICRO;
/// Longest step when nothing happens.
const IDLE_STEP_NS: i64 = 200 * MICRO;
/// How long the stream may take to come about.
const PATIENCE_NS: i64 = 60 * SECOND;
/// Fragments of a poll.
const FRAGMENTS_MAX: usize = 1_000_000;
const STREAM: StreamId = StreamId(1001);

/// A path and a stream over it.
///
/// ```
/// use aileron::sim::LossyPath;
/// let path = LossyPath { duration_ns: 500_000_000, ..LossyPath::default() };
/// let report = path.run().expect("a stream");
/// assert!(report.delivered_bytes > 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built by name")]
pub struct LossyPath {
    /// What is lost follows from it.
    pub seed: u64,
    /// There and back, in nanoseconds.
    pub round_trip_ns: i64,
    /// Datagrams lost per million, each way.
    pub loss_ppm: u32,
    /// Random extra delay of each datagram, in nanoseconds.
    pub jitter_ns: i64,
    /// Receiver window in bytes.
    pub window_length: i32,
    /// Whether the window grows from there as the stream needs it.
    pub is_window_auto: bool,
    /// Longest datagram in bytes.
    pub mtu_length: i32,
    /// Whether the driver of the publication answers many requests at once.
    pub sender_recovery: bool,
    /// Whether the driver of the subscription asks for all that is missing.
    pub receiver_recovery: bool,
    /// How long to measure, in nanoseconds of virtual time.
    pub duration_ns: i64,
}

impl Default for LossyPath {
    /// 250 ms, 10% loss each way, a window of 1 MiB, recovery on both sides, 20 s.
    fn default() -> Self {
        Self {
            seed: 1,
            round_trip_ns: 250 * MILLI,
            loss_ppm: 100_000,
            jitter_ns: 0,
            window_length: 1024 * 1024,
            is_window_auto: false,
            mtu_length: 1408,
            sender_recovery: true,
            receiver_recovery: true,
            duration_ns: 20 * SECOND,
        }
    }
}

/// What came of it.
///
/// ```
/// let report = aileron::sim::PathReport::default();
/// assert_eq!(report.stall_ns(0.999), 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathReport {
    /// Bytes of the stream that the subscriber got, in order.
    pub delivered_bytes: i64,
    /// In so many nanoseconds.
    pub duration_ns: i64,
    /// Nanoseconds between one advance of the subscriber and the next, ascending.
    pub stalls_ns: Vec<i64>,
    /// Bytes of data that were lost when they were sent first.
    pub first_lost_bytes: i64,
    /// Bytes of data that were lost, those sent again included.
    pub lost_bytes: i64,
    /// Bytes of data that were sent again.
    pub resent_bytes: i64,
    /// Bytes of data that were sent.
    pub sent_bytes: i64,
    /// NAKs that were sent.
    pub naks: i64,
    /// Bytes that they asked for.
    pub nak_bytes: i64,
    /// Status messages that were sent.
    pub status_messages: i64,
    /// A hash of all datagrams in their order.
    pub wire_hash: u64,
}

impl PathReport {
    /// Bytes per second that the subscriber got.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub fn goodput(&self) -> f64 {
        self.delivered_bytes as f64 * SECOND as f64 / self.duration_ns.max(1) as f64
    }

    /// The stall than which so many (0 to 1) are not longer, in nanoseconds.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank among few"
    )]
    pub fn stall_ns(&self, quantile: f64) -> i64 {
        let count = self.stalls_ns.len();
        let rank = (count as f64 * quantile).ceil() as usize;
        let at = rank.clamp(1, count.max(1)) - 1;
        self.stalls_ns.get(at).copied().unwrap_or(0)
    }

    /// Bytes sent again for each byte lost.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    pub fn resent_per_lost(&self) -> f64 {
        self.resent_bytes as f64 / self.lost_bytes.max(1) as f64
    }
}

/// A driver with its client.
struct Side {
    driver: SimDriver,
    client: Client,
    invoker: ConductorInvoker,
}

impl Side {
    fn start(
        number: usize,
        path: &LossyPath,
        network: &SimNetwork,
        clock: &VirtualClock,
        rng: Rng,
    ) -> Result<Self, String> {
        let has_recovery = if number == 0 {
            path.sender_recovery
        } else {
            path.receiver_recovery
        };
        let window = usize::try_from(path.window_length).unwrap_or(0);
        let config = DriverConfig::builder()
            .loss_recovery(has_recovery)
            .mtu_length(path.mtu_length)
            .term_buffer_length(16 * 1024 * 1024)
            .socket_rcvbuf_length(4 * window.max(1 << 20))
            .socket_sndbuf_length(4 * window.max(1 << 20))
            .initial_window_length(path.window_length)
            .receiver_window_auto(path.is_window_auto)
            .network_publication_max_messages_per_send(16)
            .receiver_io_vector_capacity(16)
            .build()
            .map_err(|error| error.to_string())?;
        let driver = SimDriver::with_config(number, config, true, network, clock, rng)?;
        let environment = ClientEnvironment {
            cnc: driver.cnc.clone(),
            opener: Arc::new(driver.store.clone()),
            clock: Arc::new(clock.clone()),
            waiter: Arc::new(|| {}),
        };
        let (client, invoker) =
            Client::new(environment, ClientConfig::default()).map_err(|error| error.to_string())?;
        Ok(Self {
            driver,
            client,
            invoker,
        })
    }

    fn work(&mut self, clock: &VirtualClock) -> usize {
        let tick = clock.tick();
        let agents = self.driver.agents.iter_mut();
        let work: usize = agents.map(|slot| slot.agent.do_work(tick)).sum();
        work + self.invoker.do_work()
    }
}

struct Lab<'a> {
    path: &'a LossyPath,
    clock: VirtualClock,
    network: SimNetwork,
    sides: [Side; 2],
    wire: Wire,
    notes: Vec<Note>,
    /// End of the furthest data that was sent, as the wire saw it.
    furthest: i64,
    initial_term_id: i32,
    report: PathReport,
}

impl LossyPath {
    /// Sends for as long as it says.
    ///
    /// # Errors
    /// The parameters are not possible, or no stream came about.
    pub fn run(&self) -> Result<PathReport, String> {
        let mut lab = Lab::new(self)?;
        let (mut publication, mut subscription) = lab.connect()?;
        let message = vec![0x5a; publication.max_payload_length()];
        lab.initial_term_id = publication.initial_term_id().get();
        let began = lab.clock.now();
        let mut advanced_at = began;
        let mut position = 0;
        while lab.clock.now().since(began) < self.duration_ns {
            let mut work = lab.step();
            while publication.offer(&message).is_ok() {
                work += 1;
            }
            subscription.poll(FRAGMENTS_MAX, |_, _| {});
            let at = position_of(&subscription);
            if at > position {
                let now = lab.clock.now();
                if position > 0 {
                    lab.report.stalls_ns.push(now.since(advanced_at));
                }
                advanced_at = now;
                position = at;
                work += 1;
            }
            lab.pass_time(work);
        }
        lab.report.delivered_bytes = position;
        lab.report.duration_ns = lab.clock.now().since(began);
        lab.report.stalls_ns.sort_unstable();
        lab.report.sent_bytes = lab.report.resent_bytes + lab.furthest;
        let resent = lab.sides[0]
            .driver
            .system(SystemCounter::RetransmittedBytes);
        if resent != lab.report.resent_bytes {
            let seen = lab.report.resent_bytes;
            return Err(format!(
                "{seen} bytes were sent again, {resent} were counted"
            ));
        }
        Ok(lab.report)
    }
}

impl<'a> Lab<'a> {
    fn new(path: &'a LossyPath) -> Result<Self, String> {
        let mut rng = Rng::new(path.seed);
        let clock = VirtualClock::new();
        clock.advance(SECOND);
        let network = SimNetwork::new(rng.next_u64());
        network.set_default_faults(LinkFaults {
            loss_ppm: path.loss_ppm,
            delay_ns: path.round_trip_ns / 2,
            jitter_ns: path.jitter_ns,
            ..LinkFaults::default()
        });
        let wire = Wire::default();
        network.set_tap(wire.tap(None));
        let mut start = |number| Side::start(number, path, &network, &clock, rng.fork());
        let sides = [start(0)?, start(1)?];
        Ok(Self {
            path,
            clock,
            network,
            sides,
            wire,
            notes: Vec::new(),
            furthest: 0,
            initial_term_id: 0,
            report: PathReport::default(),
        })
    }

    /// Makes the stream.
    fn connect(&mut self) -> Result<(ExclusivePublication, Subscription), String> {
        let channel = format!(
            "aeron:udp?endpoint={}:4000",
            self.sides[1].driver.addresses[0]
        );
        let mut subscription = self.sides[1]
            .client
            .add_subscription_async(channel.as_str(), STREAM)
            .map_err(|error| error.to_string())?;
        let mut publication = self.sides[0]
            .client
            .add_exclusive_publication_async(channel.as_str(), STREAM)
            .map_err(|error| error.to_string())?;
        let (mut added, mut subscribed) = (None, None);
        let deadline = self.clock.now().plus_ns(PATIENCE_NS);
        while !self.clock.now().is_at_or_after(deadline) {
            let work = self.step();
            self.pass_time(work);
            if added.is_none() {
                added = publication.try_get().map_err(|error| error.to_string())?;
            }
            if subscribed.is_none() {
                subscribed = subscription.try_get().map_err(|error| error.to_string())?;
            }
            let is_up = |s: &Subscription| s.is_connected();
            if added
                .as_ref()
                .is_some_and(|p: &ExclusivePublication| p.is_connected())
                && subscribed.as_ref().is_some_and(is_up)
                && let (Some(publication), Some(subscription)) = (added.take(), subscribed.take())
            {
                return Ok((publication, subscription));
            }
        }
        Err("no stream came about".to_owned())
    }

    /// Everyone has a turn.
    fn step(&mut self) -> usize {
        self.network.advance(self.clock.now());
        let mut work = 0;
        for side in &mut self.sides {
            work += side.work(&self.clock);
        }
        self.wire.drain(&mut self.notes);
        for at in 0..self.notes.len() {
            let note = self.notes[at];
            self.take_note(&note);
        }
        self.notes.clear();
        work
    }

    fn take_note(&mut self, note: &Note) {
        let report = &mut self.report;
        let mut hasher = DefaultHasher::new();
        (report.wire_hash, note).hash(&mut hasher);
        report.wire_hash = hasher.finish();
        match note.frame {
            FrameNote::Data(place) => {
                let terms = i64::from(place.term_id.wrapping_sub(self.initial_term_id));
                let begin = terms * 16 * 1024 * 1024 + i64::from(place.term_offset);
                let is_first = begin >= self.furthest;
                self.furthest = self.furthest.max(begin + note.length);
                if !is_first {
                    report.resent_bytes += note.length;
                }
                if note.fate == Fate::Lost {
                    report.lost_bytes += note.length;
                    report.first_lost_bytes += if is_first { note.length } else { 0 };
                }
            }
            FrameNote::Nak(_, length) => {
                report.naks += 1;
                report.nak_bytes += i64::from(length);
            }
            FrameNote::Status(..) => report.status_messages += 1,
            FrameNote::Heartbeat(..) | FrameNote::Setup(_) | FrameNote::Other(_) => {}
        }
    }

    fn pass_time(&self, work: usize) {
        let now = self.clock.now();
        let arrival = self.network.next_arrival();
        let to_arrival = arrival.map_or(i64::MAX, |at: Nanos| at.since(now));
        let longest = if work > 0 { BUSY_STEP_NS } else { IDLE_STEP_NS };
        // A path that is short compared with a step would not be measured but its steps.
        let longest = longest.min((self.path.round_trip_ns / 100).max(MICRO));
        self.clock.advance(longest.min(to_arrival.max(1)));
    }
}

fn position_of(subscription: &Subscription) -> i64 {
    let images = subscription.images();
    images.first().map_or(0, |image| image.position().get())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(path: &LossyPath) -> PathReport {
        path.run().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Without loss nobody can tell from the wire which way loss is dealt with.
    #[test]
    fn a_path_without_loss_looks_the_same_with_recovery_and_without() {
        let calm = |sender_recovery, receiver_recovery| {
            run(&LossyPath {
                loss_ppm: 0,
                round_trip_ns: 5 * MILLI,
                window_length: 256 * 1024,
                sender_recovery,
                receiver_recovery,
                duration_ns: 500 * MILLI,
                ..LossyPath::default()
            })
        };
        let off = calm(false, false);
        assert!(off.delivered_bytes > 1 << 20);
        assert_eq!(off, calm(true, true));
        assert_eq!(off, calm(true, false));
    }

    fn with_recovery(path: &LossyPath, is_on: bool) -> PathReport {
        run(&LossyPath {
            sender_recovery: is_on,
            receiver_recovery: is_on,
            ..path.clone()
        })
    }

    #[test]
    fn a_long_lossy_path_carries_ten_times_more_and_stalls_for_two_round_trips_at_most() {
        let path = LossyPath {
            duration_ns: 7 * SECOND,
            ..LossyPath::default()
        };
        let (off, on) = (with_recovery(&path, false), with_recovery(&path, true));
        assert!(
            on.goodput() >= 10.0 * off.goodput(),
            "{} and {}",
            on.goodput(),
            off.goodput()
        );
        let stall_ns = on.stall_ns(0.999);
        assert!(stall_ns <= 2 * path.round_trip_ns, "{stall_ns} ns");
        assert!(on.resent_per_lost() <= 1.5, "{}", on.resent_per_lost());
    }

    #[test]
    fn a_third_lost_is_repaired_with_half_as_much_again_at_most() {
        let report = run(&LossyPath {
            loss_ppm: 300_000,
            round_trip_ns: 100 * MILLI,
            duration_ns: 2 * SECOND,
            ..LossyPath::default()
        });
        assert!(report.resent_per_lost() <= 1.5, "{report:?}");
        assert!(report.nak_bytes <= 4 * report.lost_bytes, "{report:?}");
    }

    #[test]
    fn a_short_path_with_little_loss_carries_several_times_more() {
        let path = LossyPath {
            loss_ppm: 10_000,
            round_trip_ns: 20 * MILLI,
            window_length: 2 * 1024 * 1024,
            duration_ns: 400 * MILLI,
            ..LossyPath::default()
        };
        let (off, on) = (with_recovery(&path, false), with_recovery(&path, true));
        assert!(
            on.goodput() >= 5.0 * off.goodput(),
            "{} and {}",
            on.goodput(),
            off.goodput()
        );
    }

    /// A resend that is lost is sent again after a round trip, not after the linger time.
    #[test]
    fn the_shortest_paths_do_not_stand_still_for_what_is_lost_twice() {
        // More gaps than the rest are lost again.
        let paths = [
            (200, 10_000, 0.99),
            (200, 100_000, 0.95),
            (1_000, 10_000, 0.99),
        ];
        for (rtt_micros, loss_ppm, share) in paths {
            let path = LossyPath {
                loss_ppm,
                round_trip_ns: rtt_micros * MICRO,
                window_length: 2 * 1024 * 1024,
                duration_ns: 200 * rtt_micros * MICRO,
                ..LossyPath::default()
            };
            let what = format!("{rtt_micros} us, {loss_ppm} ppm");
            let off = with_recovery(&path, false).goodput();
            // One range in a hundred thousand is lost eight times running, and then waits.
            let on = [1, 2, 3].map(|seed| {
                let path = path.clone();
                with_recovery(&LossyPath { seed, ..path }, true)
            });
            let mut goodput = on.each_ref().map(PathReport::goodput);
            goodput.sort_by(f64::total_cmp);
            assert!(goodput[1] >= 5.0 * off, "{what}: {goodput:?} and {off}");
            let mut stall_ns = on.each_ref().map(|report| report.stall_ns(share));
            stall_ns.sort_unstable();
            assert!(
                stall_ns[1] <= 5 * path.round_trip_ns,
                "{what}: {stall_ns:?}"
            );
            let resent = on.each_ref().map(PathReport::resent_per_lost);
            assert!(
                resent.iter().all(|&resent| resent <= 1.1),
                "{what}: {resent:?}"
            );
        }
    }

    /// What has come behind a gap is not under way any more: a window is, in each round trip.
    #[test]
    fn a_window_is_under_way_whatever_gaps_there_are() {
        for (round_trip_ns, loss_ppm, share) in [(20 * MILLI, 10_000, 8), (MILLI, 10_000, 6)] {
            let path = LossyPath {
                loss_ppm,
                round_trip_ns,
                duration_ns: 50 * round_trip_ns,
                ..LossyPath::default()
            };
            let report = run(&path);
            let of_windows = 50 * i64::from(path.window_length) * share / 10;
            let delivered = report.delivered_bytes;
            assert!(delivered >= of_windows, "{delivered} of {of_windows}");
            assert!(report.resent_per_lost() <= 1.1, "{report:?}");
        }
    }

    #[test]
    fn a_window_that_grows_fills_a_long_path_with_loss_and_without() {
        for loss_ppm in [0, 20_000] {
            let fixed = LossyPath {
                loss_ppm,
                round_trip_ns: 50 * MILLI,
                window_length: 128 * 1024,
                duration_ns: SECOND,
                ..LossyPath::default()
            };
            let auto = LossyPath {
                is_window_auto: true,
                ..fixed.clone()
            };
            let (fixed, auto) = (run(&fixed).goodput(), run(&auto).goodput());
            assert!(auto >= 3.0 * fixed, "{auto} and {fixed}");
        }
    }

    /// The one that has recovery is better off with a peer that has not.
    #[test]
    fn recovery_on_one_side_is_better_than_none() {
        let path = LossyPath {
            duration_ns: 4 * SECOND,
            ..LossyPath::default()
        };
        let of = |sender_recovery, receiver_recovery| {
            run(&LossyPath {
                sender_recovery,
                receiver_recovery,
                ..path.clone()
            })
            .goodput()
        };
        let off = of(false, false);
        let (receiver, sender) = (of(false, true), of(true, false));
        assert!(receiver >= 5.0 * off, "{receiver} and {off}");
        assert!(sender >= 1.3 * off, "{sender} and {off}");
    }
}
