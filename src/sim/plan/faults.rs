//! What goes wrong: on links all the time, and to whom once.

use super::{Medium, Plan, Profile, SubscriberKind, index, range, skewed};
use crate::base::Rng;
use crate::sim::network::LinkFaults;

const US: i64 = 1_000;
const MS: i64 = 1_000_000;

/// Something that happens at a step.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    pub(crate) at: u64,
    pub(crate) kind: IncidentKind,
    /// Does not happen: the plan was cut down.
    pub(crate) is_absent: bool,
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum IncidentKind {
    /// Nothing gets from one driver to the other for a while.
    Cut { from: usize, to: usize, ns: i64 },
    /// Nothing gets to one of the places where a subscriber listens, for a while or for good.
    CutPlace {
        subscriber: usize,
        place: u16,
        ns: Option<i64>,
    },
    /// A driver is gone, and all its clients.
    KillDriver { driver: usize },
    /// A driver is gone, and comes back after a while as if it had never been there. Its clients
    /// live on, unless they go with it.
    RestartDriver {
        driver: usize,
        ns: i64,
        takes_clients: bool,
    },
    /// A driver can create no logs for a while.
    FillDisk { driver: usize, ns: i64 },
    /// Others see what a driver sends come from somewhere else.
    Rebind { driver: usize },
    /// A link carries little for a while, and what waits for it is late or lost.
    Clog {
        from: usize,
        to: usize,
        ns: i64,
        rate_bytes_per_ms: u32,
    },
    /// The wall clock is set, forward or back.
    EpochStep { ms: i64 },
    /// An agent of a driver does not work for a while.
    StallAgent {
        driver: usize,
        agent: usize,
        ns: i64,
    },
    /// A client and all that is its does nothing for a while.
    StallClient { client: usize, ns: i64 },
    /// A client is gone, without a word.
    Kill { client: usize, leaves_claim: bool },
    /// Time passes while nobody is looking.
    ClockStep { ns: i64 },
    /// A publisher holds a claim while the world goes on.
    HoldClaim { publisher: usize, steps: u64 },
}

impl IncidentKind {
    /// Nanoseconds for which it may keep images from what they wait for; `None` if that may be for
    /// good.
    pub(super) const fn interruption_ns(&self) -> Option<i64> {
        match self {
            Self::Cut { ns, .. }
            | Self::FillDisk { ns, .. }
            | Self::Clog { ns, .. }
            | Self::StallAgent { ns, .. }
            | Self::StallClient { ns, .. }
            | Self::ClockStep { ns } => Some(*ns),
            Self::CutPlace { ns, .. } => *ns,
            Self::KillDriver { .. } | Self::RestartDriver { .. } | Self::Rebind { .. } => None,
            Self::EpochStep { .. } | Self::Kill { .. } | Self::HoldClaim { .. } => Some(0),
        }
    }
}

/// Draws how links behave.
pub(super) fn draw_links(rng: &mut Rng, profile: Profile) -> LinkFaults {
    let delay_ns = skewed(rng, US, 2 * MS);
    let calm = LinkFaults {
        delay_ns,
        ..LinkFaults::default()
    };
    let is_all = match profile {
        Profile::Calm => return calm,
        Profile::All => true,
        Profile::Drawn | Profile::Links => rng.chance(1, 8),
    };
    let mut ppm = |top: i64| {
        let value = u32::try_from(skewed(rng, 1_000, top)).unwrap_or(0);
        if is_all || rng.chance(1, 2) { value } else { 0 }
    };
    let (loss_ppm, duplicate_ppm) = (ppm(250_000), ppm(200_000));
    let (reorder_ppm, corrupt_ppm) = (ppm(300_000), ppm(50_000));
    let refuse_ppm = ppm(200_000);
    LinkFaults {
        loss_ppm,
        duplicate_ppm,
        reorder_ppm,
        reorder_ns: skewed(rng, 10 * US, 5 * MS),
        corrupt_ppm,
        refuse_ppm,
        delay_ns,
        jitter_ns: if is_all || rng.chance(1, 2) {
            skewed(rng, US, MS)
        } else {
            0
        },
        ..LinkFaults::default()
    }
}

/// Draws what was not thought of at first: bursts of loss, and links that are worse in one
/// direction than in the other.
///
/// All of that comes from a generator of its own, so that a seed keeps the rest of its plan.
pub(super) fn draw_bursts(rng: &mut Rng, plan: &mut Plan) {
    if plan.profile == Profile::Calm {
        return;
    }
    let is_all = plan.profile == Profile::All;
    if is_all || rng.chance(1, 4) {
        plan.faults.burst_ppm = u32::try_from(skewed(rng, 100, 20_000)).unwrap_or(0);
        plan.faults.burst_length = u32::try_from(skewed(rng, 2, 120)).unwrap_or(0);
    }
    let count = plan.drivers.len();
    if count > 1 && (is_all || rng.chance(1, 4)) {
        let from = index(rng, count);
        let to = (from + 1 + index(rng, count - 1)) % count;
        let loss_ppm = u32::try_from(skewed(rng, 50_000, 500_000)).unwrap_or(0);
        plan.one_way.push((from, to, loss_ppm));
    }
}

/// How long something lasts: mostly short.
fn duration(rng: &mut Rng) -> i64 {
    match rng.below(20) {
        0 => range(rng, 500 * MS, 4_000 * MS),
        1..=5 => range(rng, 20 * MS, 500 * MS),
        _ => skewed(rng, 100 * US, 20 * MS),
    }
}

/// Untethered subscribers must not be kept from seeing that they were dropped for longer than they
/// linger: where there are any, no one is stopped for longer than this.
const UNTETHERED_STOP_MAX_NS: i64 = 300 * MS;

/// By how much the wall clock is set at most: far less than what anything that looks at it waits.
const EPOCH_STEP_MAX_MS: i64 = 150;

/// Adds incidents to a plan.
pub(super) fn draw_incidents(rng: &mut Rng, plan: &mut Plan) {
    if plan.profile != Profile::Calm {
        draw_claims(rng, plan);
    }
    if matches!(plan.profile, Profile::Calm | Profile::Links) {
        return;
    }
    let is_on = |rng: &mut Rng| plan.profile == Profile::All || rng.chance(1, 2);
    let count = |rng: &mut Rng, most: u64| 1 + rng.below(most);
    let is_tethered = plan.streams.iter().all(|stream| stream.is_tethered);
    let stop = |rng: &mut Rng| {
        let ns = duration(rng);
        if is_tethered {
            ns
        } else {
            ns.min(UNTETHERED_STOP_MAX_NS)
        }
    };
    let mut kinds = Vec::new();
    if is_on(rng) {
        for _ in 0..count(rng, 4) {
            kinds.extend(draw_cut(rng, plan));
        }
    }
    if is_on(rng) {
        for _ in 0..count(rng, 6) {
            kinds.push(IncidentKind::StallAgent {
                driver: index(rng, plan.drivers.len()),
                agent: index(rng, 4),
                ns: stop(rng),
            });
        }
    }
    if is_on(rng) {
        for _ in 0..count(rng, 3) {
            kinds.push(IncidentKind::StallClient {
                client: index(rng, plan.clients.len()),
                ns: stop(rng),
            });
        }
    }
    if is_on(rng) {
        for _ in 0..count(rng, 2) {
            kinds.push(IncidentKind::Kill {
                client: index(rng, plan.clients.len()),
                leaves_claim: rng.chance(2, 3),
            });
        }
    }
    if is_on(rng) {
        for _ in 0..count(rng, 3) {
            kinds.push(IncidentKind::ClockStep { ns: stop(rng) });
        }
    }
    draw_place_cuts(rng, plan, &mut kinds);
    if plan.drivers.len() > 1 && rng.chance(1, 12) {
        let driver = index(rng, plan.drivers.len());
        kinds.push(IncidentKind::KillDriver { driver });
    }
    for kind in kinds {
        plan.incidents.push(Incident {
            at: rng.below(plan.active_steps),
            kind,
            is_absent: false,
        });
    }
    plan.incidents.sort_by_key(|incident| incident.at);
}

fn draw_cut(rng: &mut Rng, plan: &Plan) -> Vec<IncidentKind> {
    let stream = &plan.streams[index(rng, plan.streams.len())];
    let from = stream.medium.source();
    let to = match stream.medium {
        Medium::Udp { to, .. } | Medium::Response { to, .. } => to,
        Medium::Multicast { .. } | Medium::Dynamic { .. } | Medium::Manual { .. } => {
            index(rng, plan.drivers.len())
        }
        Medium::Ipc { .. } => return Vec::new(),
    };
    let ns = duration(rng);
    let there = IncidentKind::Cut { from, to, ns };
    let back = IncidentKind::Cut {
        from: to,
        to: from,
        ns,
    };
    match rng.below(3) {
        0 => vec![there],
        1 => vec![back],
        _ => vec![there, back],
    }
}

/// Adds incidents of the kinds that came later; see [`draw_bursts`].
pub(super) fn draw_late_incidents(rng: &mut Rng, plan: &mut Plan) {
    if matches!(plan.profile, Profile::Calm | Profile::Links) {
        return;
    }
    let is_all = plan.profile == Profile::All;
    let count = plan.drivers.len();
    let is_tethered = plan.streams.iter().all(|stream| stream.is_tethered);
    let mut kinds = Vec::new();
    if count > 1 && (is_all || rng.chance(1, 4)) {
        for _ in 0..1 + rng.below(2) {
            let from = index(rng, count);
            kinds.push(IncidentKind::Clog {
                from,
                to: (from + 1 + index(rng, count - 1)) % count,
                ns: duration(rng),
                rate_bytes_per_ms: u32::try_from(skewed(rng, 50, 20_000)).unwrap_or(1),
            });
        }
    }
    if is_all || rng.chance(1, 6) {
        for _ in 0..1 + rng.below(2) {
            kinds.push(IncidentKind::FillDisk {
                driver: index(rng, count),
                ns: duration(rng),
            });
        }
    }
    if is_all || rng.chance(1, 6) {
        for _ in 0..1 + rng.below(3) {
            let driver = index(rng, count);
            kinds.push(IncidentKind::Rebind { driver });
        }
    }
    if is_all || rng.chance(1, 6) {
        for _ in 0..1 + rng.below(3) {
            let ms = range(rng, -EPOCH_STEP_MAX_MS, EPOCH_STEP_MAX_MS);
            kinds.push(IncidentKind::EpochStep { ms });
        }
    }
    // An untethered subscriber that nobody told that it was dropped is as good as stopped.
    if is_tethered && (is_all || rng.chance(1, 8)) {
        kinds.push(IncidentKind::RestartDriver {
            driver: index(rng, count),
            ns: duration(rng),
            takes_clients: rng.chance(1, 2),
        });
    }
    for kind in kinds {
        plan.incidents.push(Incident {
            at: rng.below(plan.active_steps),
            kind,
            is_absent: false,
        });
    }
    plan.incidents.sort_by_key(|incident| incident.at);
}

/// Cuts one place of some subscribers that listen in two: what is published has to arrive by way of
/// the other.
fn draw_place_cuts(rng: &mut Rng, plan: &Plan, kinds: &mut Vec<IncidentKind>) {
    for (number, subscriber) in plan.subscribers.iter().enumerate() {
        let has_two = plan.streams[subscriber.stream].is_doubled()
            && subscriber.kind == SubscriberKind::Direct;
        if has_two && rng.chance(2, 3) {
            kinds.push(IncidentKind::CutPlace {
                subscriber: number,
                place: u16::from(rng.chance(1, 2)),
                ns: rng.chance(1, 2).then(|| duration(rng)),
            });
        }
    }
}

fn draw_claims(rng: &mut Rng, plan: &mut Plan) {
    for _ in 0..rng.below(6) {
        let kind = IncidentKind::HoldClaim {
            publisher: index(rng, plan.publishers.len()),
            steps: 1 + rng.below(10),
        };
        plan.incidents.push(Incident {
            at: rng.below(plan.active_steps),
            kind,
            is_absent: false,
        });
    }
    plan.incidents.sort_by_key(|incident| incident.at);
}
