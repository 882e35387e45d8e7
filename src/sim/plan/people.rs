//! Clients, and what their publishers and subscribers are up to.

use super::extras::{ClientHabits, PollHabit, PublisherHabits};
use super::{Medium, Part, Plan, Profile, index, pick, skewed};
use crate::base::Rng;

const US: i64 = 1_000;
const MS: i64 = 1_000_000;

/// A client of a driver.
#[derive(Clone, Debug)]
pub(crate) struct ClientPlan {
    pub(crate) driver: usize,
    /// Counters that it adds.
    pub(crate) counters: usize,
    /// Closes by ending the client rather than one thing after the other.
    pub(crate) closes_at_once: bool,
    pub(crate) habits: ClientHabits,
}

/// Someone who publishes.
#[derive(Clone, Debug)]
pub(crate) struct PublisherPlan {
    pub(crate) client: usize,
    pub(crate) stream: usize,
    pub(crate) is_exclusive: bool,
    /// The step at which it starts.
    pub(crate) starts_at: u64,
    /// Bytes to publish, in all.
    pub(crate) volume: i64,
    /// Chance to publish in a step, per mille.
    pub(crate) eagerness: u64,
    /// Messages per turn at most.
    pub(crate) burst: usize,
    /// Share of messages that are claimed, per mille.
    pub(crate) claims: u64,
    /// How often it closes and comes back.
    pub(crate) reopens: u32,
    /// Takes back what it published when it closes, if it can.
    pub(crate) revokes: bool,
    pub(crate) habits: PublisherHabits,
    /// Does not come: the plan was cut down.
    pub(crate) is_absent: bool,
}

/// Someone who subscribes.
#[derive(Clone, Debug)]
pub(crate) struct SubscriberPlan {
    pub(crate) client: usize,
    pub(crate) stream: usize,
    pub(crate) kind: SubscriberKind,
    pub(crate) mode: PollMode,
    /// Polls in another way, unless it wants whole messages.
    pub(crate) habit: Option<PollHabit>,
    /// The step at which it starts.
    pub(crate) starts_at: u64,
    /// Chance to poll in a step, per mille.
    pub(crate) eagerness: u64,
    pub(crate) fragment_limit: usize,
    /// Pauses now and then: chance per poll, per mille, and how long at most.
    pub(crate) pauses: u64,
    pub(crate) pause_ns: i64,
    /// Chance to reject an image per turn, per mille.
    pub(crate) rejects: u64,
    /// How often it closes and comes back.
    pub(crate) reopens: u32,
    /// Wants one session alone: one that is there when it comes.
    pub(crate) by_session: bool,
    /// Listens nowhere at first, and is then told of its one place.
    pub(crate) by_place: bool,
    /// Does not come: the plan was cut down.
    pub(crate) is_absent: bool,
}

/// By which way a subscriber gets at a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubscriberKind {
    /// Its own: the network, or IPC.
    Direct,
    /// Looking over the shoulder of the publication.
    Spy,
}

/// How a subscriber polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PollMode {
    /// By fragment.
    Fragments,
    /// By fragment, with every action there is.
    Controlled,
    /// By message.
    Assembled,
    /// By block.
    Blocks,
}

/// How long messages are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SizePlan {
    /// From nothing to a few words.
    Tiny,
    /// Within one datagram.
    Small,
    /// Up to several datagrams.
    Mixed,
    /// Up to the longest there may be.
    Large,
}

impl SizePlan {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        *pick(
            rng,
            &[
                Self::Tiny,
                Self::Small,
                Self::Mixed,
                Self::Mixed,
                Self::Large,
            ],
        )
    }

    /// Draws the length of a message.
    pub(crate) fn length(self, rng: &mut Rng, max_payload: usize, max_message: usize) -> usize {
        let top = match self {
            Self::Tiny => 64,
            Self::Small => max_payload,
            Self::Mixed => max_payload * 4,
            Self::Large => max_message,
        };
        let top = top.min(max_message);
        match rng.below(16) {
            0 => 0,
            1 => top,
            // Around the end of a frame.
            2 => (max_payload + index(rng, 3)).saturating_sub(1).min(top),
            3 => index(rng, 33).min(top),
            _ => index(rng, top + 1),
        }
    }
}

/// Adds clients, publishers and subscribers to a plan.
pub(super) fn draw(rng: &mut Rng, plan: &mut Plan) {
    for driver in 0..plan.drivers.len() {
        for _ in 0..1 + index(rng, 3) {
            plan.clients.push(ClientPlan {
                driver,
                counters: index(rng, 3),
                closes_at_once: rng.chance(1, 3),
                habits: ClientHabits::default(),
            });
        }
    }
    for stream in 0..plan.streams.len() {
        let is_alone = plan.streams[stream].part == Part::Alone;
        let most = if is_alone { 3 } else { 1 };
        for _ in 0..1 + index(rng, most) {
            draw_publisher(rng, plan, stream);
        }
        for _ in 0..1 + index(rng, most) {
            draw_subscriber(rng, plan, stream);
        }
    }
}

fn client_of(rng: &mut Rng, plan: &Plan, driver: usize) -> usize {
    let clients: Vec<usize> = (0..plan.clients.len())
        .filter(|client| plan.clients[*client].driver == driver)
        .collect();
    *pick(rng, &clients)
}

/// When someone starts: at once, mostly.
fn start(rng: &mut Rng, plan: &Plan) -> u64 {
    if rng.chance(2, 3) {
        rng.below(10)
    } else {
        rng.below(plan.active_steps * 3 / 4)
    }
}

fn draw_publisher(rng: &mut Rng, plan: &mut Plan, stream: usize) {
    let driver = plan.streams[stream].medium.source();
    let terms = i64::from(plan.streams[stream].term_length) / 4;
    let is_alone = plan.streams[stream].part == Part::Alone;
    let publisher = PublisherPlan {
        client: client_of(rng, plan, driver),
        stream,
        is_exclusive: rng.chance(1, 3),
        starts_at: start(rng, plan),
        volume: terms * skewed(rng, 1, 32),
        eagerness: 50 + rng.below(950),
        burst: 1 + index(rng, 8),
        claims: if rng.chance(1, 2) { 0 } else { rng.below(500) },
        reopens: if is_alone && rng.chance(1, 3) {
            1 + u32::try_from(rng.below(3)).unwrap_or(0)
        } else {
            0
        },
        revokes: rng.chance(1, 8),
        habits: PublisherHabits::default(),
        is_absent: false,
    };
    plan.publishers.push(publisher);
}

fn draw_subscriber(rng: &mut Rng, plan: &mut Plan, stream: usize) {
    let medium = plan.streams[stream].medium;
    let is_alone = plan.streams[stream].part == Part::Alone;
    let kind = if is_alone && medium.is_network() && rng.chance(1, 4) {
        SubscriberKind::Spy
    } else {
        SubscriberKind::Direct
    };
    let driver = match (medium, kind) {
        (_, SubscriberKind::Spy) | (Medium::Ipc { .. }, _) => medium.source(),
        (Medium::Udp { to, .. } | Medium::Response { to, .. }, SubscriberKind::Direct) => to,
        (
            Medium::Multicast { .. } | Medium::Dynamic { .. } | Medium::Manual { .. },
            SubscriberKind::Direct,
        ) => index(rng, plan.drivers.len()),
    };
    let is_slow = plan.profile != Profile::Calm && rng.chance(1, 4);
    let subscriber = SubscriberPlan {
        client: client_of(rng, plan, driver),
        stream,
        kind,
        mode: *pick(
            rng,
            &[
                PollMode::Fragments,
                PollMode::Controlled,
                PollMode::Assembled,
                PollMode::Blocks,
            ],
        ),
        habit: None,
        starts_at: start(rng, plan),
        eagerness: if is_slow {
            20 + rng.below(200)
        } else {
            300 + rng.below(700)
        },
        fragment_limit: 1 + index(rng, 20),
        pauses: if is_slow { rng.below(30) } else { 0 },
        pause_ns: skewed(rng, 100 * US, 1_000 * MS),
        rejects: if plan.profile != Profile::Calm && is_alone && rng.chance(1, 8) {
            1 + rng.below(5)
        } else {
            0
        },
        reopens: if is_alone && rng.chance(1, 4) {
            1 + u32::try_from(rng.below(2)).unwrap_or(0)
        } else {
            0
        },
        by_session: false,
        by_place: false,
        is_absent: false,
    };
    plan.subscribers.push(subscriber);
}

/// Gives some subscribers what was not thought of at first.
pub(super) fn draw_late(rng: &mut Rng, plan: &mut Plan) {
    for subscriber in &mut plan.subscribers {
        let stream = &plan.streams[subscriber.stream];
        let is_alone = stream.part == Part::Alone;
        let is_simple = matches!(stream.medium, Medium::Udp { .. } | Medium::Ipc { .. });
        let is_direct = subscriber.kind == SubscriberKind::Direct;
        subscriber.by_session = is_alone && is_simple && is_direct && rng.chance(1, 8);
        // A place within the driver: its own streams, or a spy's.
        let is_local = matches!(stream.medium, Medium::Ipc { .. }) || !is_direct;
        let is_able = is_alone && is_local && stream.is_tethered && !subscriber.by_session;
        subscriber.by_place = is_able && rng.chance(1, 4);
    }
}
