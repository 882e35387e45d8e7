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
        is_partitioned: false,
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
        });
    }
    plan.incidents.sort_by_key(|incident| incident.at);
}
