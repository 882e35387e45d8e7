//! What worlds were given later, all of it from a generator of its own: settings written down as
//! text, event logs, names for hosts, loss within drivers, and more ways of publishing and polling.
//!
//! All of it can be taken away from a plan at once, and then a seed means what it meant before.

use super::streams::Part;
use super::{IncidentKind, Medium, Plan, Profile, addresses, index, pick, range, skewed};
use crate::base::Rng;
use crate::concurrent::EventSet;

const MS: i64 = 1_000_000;
/// Port on which drivers tell each other names.
const RESOLVER_PORT: u16 = 8050;
/// Where a name leads that has moved: nobody is there.
const NOWHERE: &str = "10.0.9.";

/// How a driver is configured in text.
#[derive(Clone, Debug)]
pub(crate) struct SettingsPlan {
    /// What decides which text stands where.
    pub(crate) seed: u64,
    /// Whether options are turned that the world does not ask for.
    pub(crate) is_free: bool,
    /// Lines that the world asks for: option, text, and how that is shown.
    pub(crate) lines: Vec<(&'static str, String, String)>,
}

/// How names of hosts are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// Drivers tell each other.
    Gossip,
    /// From a table that all drivers have.
    Table,
}

/// Names of hosts.
#[derive(Clone, Debug)]
pub(crate) struct NamesPlan {
    pub(crate) naming: Naming,
    /// When which names lead nowhere.
    pub(crate) moves: Vec<NameMove>,
}

/// The name of a driver's host leads elsewhere for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameMove {
    pub(crate) at: u64,
    pub(crate) driver: usize,
    /// Value of the row's counter: another address, or none.
    pub(crate) value: i64,
    pub(crate) ns: i64,
}

/// Ways of publishing beside those of old: chance per message, per mille.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PublisherHabits {
    /// Offers without a reserved value.
    pub(crate) plain: u64,
    /// Padding, by an exclusive publication.
    pub(crate) paddings: u64,
    /// Blocks of frames, by an exclusive publication.
    pub(crate) blocks: u64,
    /// What cannot be appended.
    pub(crate) mistakes: u64,
}

/// A way of polling beside those of old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PollHabit {
    /// With a handler that may fail.
    Try,
    /// An image at a time, up to a position.
    Bounded,
    /// The same, with every action there is.
    BoundedControlled,
    /// An image at a time; looks ahead first.
    Peek,
    /// By block, with its place in the file.
    Raw,
}

/// What a client does beside its publications and subscriptions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClientHabits {
    /// Asks for what cannot be: chance per turn, per mille.
    pub(crate) mistakes: u64,
    /// Strangers write into the ring of commands: chance per turn, per mille.
    pub(crate) strangers: u64,
    /// Has counters come and go, asks for static counters and for session ids: chance per turn,
    /// per mille.
    pub(crate) requests: u64,
}

/// The name of a driver's host.
pub(crate) fn host_name(driver: usize) -> String {
    format!("host-{driver}")
}

/// Adds all that to a plan.
pub(super) fn draw(rng: &mut Rng, plan: &mut Plan) {
    draw_names(rng, plan);
    for driver in 0..plan.drivers.len() {
        draw_settings(rng, plan, driver);
    }
    draw_habits(rng, plan);
}

/// Takes all of it away again, and what came later still.
pub(crate) fn remove(plan: &mut Plan) {
    plan.names = None;
    plan.forget_kernel();
    for driver in &mut plan.drivers {
        driver.settings = None;
    }
    for client in &mut plan.clients {
        client.habits = ClientHabits::default();
    }
    for stream in &mut plan.streams {
        stream.is_named = false;
        stream.parameters = StreamHabits::default();
    }
    for publisher in &mut plan.publishers {
        publisher.habits = PublisherHabits::default();
    }
    for subscriber in &mut plan.subscribers {
        subscriber.habit = None;
    }
}

/// Parameters of channels beside those of old, as they stand there.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamHabits {
    /// Of publications.
    pub(crate) publication: String,
    /// Of subscriptions.
    pub(crate) subscription: String,
    /// Whether times are written where reserved values are.
    pub(crate) is_stamped: bool,
}

fn draw_names(rng: &mut Rng, plan: &mut Plan) {
    if !rng.chance(1, 4) {
        return;
    }
    // A driver that is gone for good is forgotten, and what is sent to it by name fails.
    let mut incidents = plan.incidents.iter();
    let is_lasting = !incidents.any(|i| matches!(i.kind, IncidentKind::KillDriver { .. }));
    let naming = if is_lasting && rng.chance(1, 2) {
        Naming::Gossip
    } else {
        Naming::Table
    };
    for stream in &mut plan.streams {
        let is_able = match stream.medium {
            Medium::Udp { is_ipv6, .. } => !is_ipv6,
            Medium::Dynamic { .. } => true,
            Medium::Manual { is_doubled, .. } => !is_doubled,
            Medium::Ipc { .. } | Medium::Multicast { .. } | Medium::Response { .. } => false,
        };
        stream.is_named = is_able && stream.part == Part::Alone && rng.chance(3, 4);
    }
    let mut moves = Vec::new();
    let is_faulty = !matches!(plan.profile, Profile::Calm | Profile::Links);
    if naming == Naming::Table && is_faulty && rng.chance(2, 3) {
        for _ in 0..1 + rng.below(3) {
            moves.push(NameMove {
                at: rng.below(plan.active_steps),
                driver: index(rng, plan.drivers.len()),
                value: *pick(rng, &[1, 1, -1]),
                ns: skewed(rng, 10 * MS, 4_000 * MS),
            });
        }
        moves.sort_by_key(|moved| moved.at);
    }
    plan.names = Some(NamesPlan { naming, moves });
}

fn same(name: &'static str, text: impl Into<String>) -> (&'static str, String, String) {
    let text = text.into();
    (name, text.clone(), text)
}

/// What a driver is told about names.
fn name_lines(rng: &mut Rng, plan: &Plan, driver: usize) -> Vec<(&'static str, String, String)> {
    let drivers = 0..plan.drivers.len();
    match plan.names.as_ref().map(|names| names.naming) {
        None => Vec::new(),
        Some(Naming::Table) => {
            let row = |driver: usize| {
                let (name, (address, _)) = (host_name(driver), addresses(driver));
                format!("{name},{address},{NOWHERE}{}", driver + 1)
            };
            let rows: Vec<String> = drivers.map(row).collect();
            vec![
                same("aeron.name.resolver.supplier", "csv_table"),
                same("aeron.name.resolver.init.args", rows.join("|")),
                same("aeron.driver.reresolution.check.interval", "200ms"),
            ]
        }
        Some(Naming::Gossip) => {
            let others = drivers.filter(|other| *other != driver);
            let mut neighbors: Vec<String> = others
                .map(|other| format!("{}:{RESOLVER_PORT}", addresses(other).0))
                .collect();
            if rng.chance(1, 4) {
                neighbors.push(format!("nobody:{RESOLVER_PORT}"));
            }
            let interface = *pick(rng, &["0.0.0.0", "10.0.0.0"]);
            let interface = if interface == "0.0.0.0" {
                format!("{interface}:{RESOLVER_PORT}")
            } else {
                format!("{}:{RESOLVER_PORT}", addresses(driver).0)
            };
            let ms = |rng: &mut Rng, low, high| format!("{}ms", range(rng, low, high));
            let mut lines = vec![
                same("aeron.driver.resolver.name", host_name(driver)),
                same("aeron.driver.resolver.interface", interface),
                same(
                    "aeron.driver.resolver.neighbor.timeout",
                    ms(rng, 2001, 2999),
                ),
                same(
                    "aeron.driver.resolver.self.resolution.interval",
                    ms(rng, 101, 499),
                ),
                same(
                    "aeron.driver.resolver.neighbor.resolution.interval",
                    ms(rng, 101, 499),
                ),
                same(
                    "aeron.driver.resolver.bootstrap.neighbor.resolution.interval",
                    ms(rng, 101, 999),
                ),
                same("aeron.driver.reresolution.check.interval", "200ms"),
            ];
            if !neighbors.is_empty() {
                lines.push(same(
                    "aeron.driver.resolver.bootstrap.neighbor",
                    neighbors.join(","),
                ));
            }
            lines
        }
    }
}

fn draw_settings(rng: &mut Rng, plan: &mut Plan, driver: usize) {
    let mut lines = name_lines(rng, plan, driver);
    if rng.chance(1, 5) {
        let wanted = pick(
            rng,
            &[
                "all",
                "all",
                "admin",
                "command,reply,life",
                "state, nak,flow-control",
                "life,resolver,error",
                "PUBLICATION_CREATED,REMOVE_PUBLICATION_CLEANUP,NAK_SENT",
            ],
        );
        lines.push(events("aeron.event.log", wanted));
        if rng.chance(1, 3) {
            let unwanted = pick(rng, &["nak", "CMD_IN_KEEPALIVE_CLIENT,state", "command"]);
            lines.push(events("aeron.event.log.disable", unwanted));
        }
        lines.push(same(
            "aeron.event.buffer.length",
            *pick(rng, &["64k", "256k", "512k"]),
        ));
    }
    if plan.profile != Profile::Calm && rng.chance(1, 6) {
        draw_loss(rng, plan, &mut lines);
    }
    let is_free = rng.chance(1, 4);
    if is_free || !lines.is_empty() {
        plan.drivers[driver].settings = Some(SettingsPlan {
            seed: rng.next_u64(),
            is_free,
            lines,
        });
    }
}

fn events(name: &'static str, text: &str) -> (&'static str, String, String) {
    let shown = EventSet::parse(text).unwrap_or(EventSet::NONE).to_string();
    (name, text.to_owned(), shown)
}

/// Loss of a driver's own, which does not end with the faults of the world.
fn draw_loss(rng: &mut Rng, plan: &Plan, lines: &mut Vec<(&'static str, String, String)>) {
    const RATES: [(&str, &str); 4] = [
        (
            "aeron.debug.send.data.loss.rate",
            "aeron.debug.send.data.loss.seed",
        ),
        (
            "aeron.debug.send.control.loss.rate",
            "aeron.debug.send.control.loss.seed",
        ),
        (
            "aeron.debug.receive.data.loss.rate",
            "aeron.debug.receive.data.loss.seed",
        ),
        (
            "aeron.debug.receive.control.loss.rate",
            "aeron.debug.receive.control.loss.seed",
        ),
    ];
    for (rate, seed) in RATES {
        if rng.chance(1, 4) {
            lines.push(same(rate, *pick(rng, &["0.01", "0.05", "0.001"])));
            if rng.chance(1, 2) {
                lines.push(same(seed, rng.below(1000).to_string()));
            }
        }
    }
    let mut names: Vec<&str> = Vec::new();
    if rng.chance(1, 2) {
        names.push("loss");
        let mask = *pick(rng, &["0x2", "0x2E", "0xFFFFFFFFFFFFFFFF"]);
        lines.push(same(
            "aeron.udp.channel.transport.bindings.loss.args",
            format!("rate=0.03|seed=-1|recv-msg-mask={mask}"),
        ));
    }
    // Terms are only known where streams do not begin anywhere.
    let started = plan.streams.iter().filter_map(|stream| stream.start);
    let starts: Vec<_> = started.collect();
    if !starts.is_empty() {
        let start = *pick(rng, &starts);
        if rng.chance(2, 3) {
            names.push("fixed-loss");
            let length = range(rng, 0, 9_000);
            lines.push(same(
                "aeron.udp.channel.transport.bindings.fixed.loss.args",
                format!(
                    "term-id={}|term-offset={}|length={length}",
                    start.term_id, start.term_offset
                ),
            ));
        }
        if rng.chance(2, 3) {
            names.push("multi-gap-loss");
            let radix = 1 << range(rng, 10, 14);
            let length = range(rng, 0, radix - 1);
            let gaps = rng.below(20);
            let term_id = start.term_id.wrapping_add(i32::from(rng.chance(1, 2)));
            lines.push(same(
                "aeron.udp.channel.transport.bindings.multi.gap.loss.args",
                format!(
                    "term-id={term_id}|gap-radix={radix}|gap-length={length}|total-gaps={gaps}"
                ),
            ));
        }
    }
    for list in [
        "aeron.udp.channel.incoming.interceptors",
        "aeron.udp.channel.outgoing.interceptors",
    ] {
        if !names.is_empty() && rng.chance(2, 3) {
            lines.push(same(list, names.join(",")));
        }
    }
}

fn draw_habits(rng: &mut Rng, plan: &mut Plan) {
    for client in &mut plan.clients {
        if rng.chance(1, 4) {
            client.habits.mistakes = 1 + rng.below(30);
        }
        if rng.chance(1, 6) {
            client.habits.strangers = 1 + rng.below(20);
        }
        if rng.chance(1, 4) {
            client.habits.requests = 1 + rng.below(20);
        }
    }
    for publisher in &mut plan.publishers {
        let mut chance = |most: u64| {
            if rng.chance(1, 3) {
                1 + rng.below(most)
            } else {
                0
            }
        };
        publisher.habits.plain = chance(800);
        publisher.habits.mistakes = chance(60);
        if publisher.is_exclusive {
            publisher.habits.paddings = chance(200);
            publisher.habits.blocks = chance(500);
        }
    }
    for subscriber in &mut plan.subscribers {
        if rng.chance(1, 3) {
            subscriber.habit = Some(*pick(
                rng,
                &[
                    PollHabit::Try,
                    PollHabit::Bounded,
                    PollHabit::BoundedControlled,
                    PollHabit::Peek,
                    PollHabit::Raw,
                ],
            ));
        }
    }
    for stream in &mut plan.streams {
        draw_parameters(rng, stream);
    }
}

fn draw_parameters(rng: &mut Rng, stream: &mut super::StreamPlan) {
    let is_network = stream.medium.is_network();
    let publication = &mut stream.parameters.publication;
    let is_alone = stream.part == Part::Alone;
    if rng.chance(1, 6) {
        publication.push_str(pick::<&str>(
            rng,
            &["|alias=a stream", "|sparse=true", "|sparse=false"],
        ));
    }
    if rng.chance(1, 8) {
        publication.push_str(pick::<&str>(
            rng,
            &["|linger=300ms", "|linger=0", "|linger=1s"],
        ));
    }
    // What an endpoint is opened with must be the same for all that share it.
    let is_sharing = matches!(stream.medium, Medium::Udp { .. }) && !stream.is_named;
    if is_network && rng.chance(1, 8) {
        publication.push_str(if is_sharing {
            "|max-resend=3"
        } else {
            pick::<&str>(rng, &["|ttl=3", "|so-sndbuf=256k", "|max-resend=3"])
        });
    }
    stream.parameters.is_stamped = is_network && is_alone && !is_sharing && rng.chance(1, 5);
    if stream.parameters.is_stamped {
        let publication = &mut stream.parameters.publication;
        if rng.chance(1, 2) {
            publication.push_str("|channel-snd-ts-offset=reserved");
        } else {
            let (publication, subscription) = (publication, &mut stream.parameters.subscription);
            let offset = *pick(
                rng,
                &[
                    "|channel-rcv-ts-offset=reserved",
                    "|media-rcv-ts-offset=reserved",
                    "|channel-rcv-ts-offset=-8",
                ],
            );
            publication.push_str(offset);
            subscription.push_str(offset);
        }
    }
    let is_quiet = stream.receiver_window.is_none();
    let subscription = &mut stream.parameters.subscription;
    if is_network && is_quiet && is_alone && rng.chance(1, 6) {
        subscription.push_str("|rcv-wnd=auto");
    }
    if rng.chance(1, 6) {
        subscription.push_str("|alias=a reader");
    }
    if is_network && is_alone && rng.chance(1, 8) {
        subscription.push_str(pick::<&str>(rng, &["|group=true", "|group=false"]));
    }
    if is_network && is_alone && !is_sharing && rng.chance(1, 10) {
        subscription.push_str("|so-rcvbuf=4m");
    }
}
