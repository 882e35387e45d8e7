//! Channels and streams: what they go through and with which parameters.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::extras::{StreamHabits, host_name};
use super::people::{SizePlan, SubscriberKind};
use super::{Plan, index, pick, range};
use crate::base::Rng;

/// First port of the endpoints of multi-destination streams.
const MDC_ENDPOINT_PORT: u16 = 4100;
/// First port of the controls of multi-destination streams.
const MDC_CONTROL_PORT: u16 = 4200;
/// First port where subscribers listen in places of their own.
const PLACES_PORT: u16 = 4300;
/// First port of multicast streams.
const MULTICAST_PORT: u16 = 4400;
/// First port of the controls of response streams.
const RESPONSE_PORT: u16 = 4500;
/// First port of unicast streams whose hosts are named.
const NAMED_PORT: u16 = 4600;
/// Smallest receiver window. An endpoint's first channel decides for all that share it, so it has
/// to do for the longest datagrams there are: a window of one datagram may stay shut for ever.
const RECEIVER_WINDOW_MIN: i32 = 16 * 1024;
/// Tag of receivers where flow control heeds tags.
const GROUP_TAG: i64 = 77;

/// A channel and a stream on it.
#[derive(Clone, Debug)]
pub(crate) struct StreamPlan {
    pub(crate) medium: Medium,
    pub(crate) stream_id: i32,
    pub(crate) term_length: i32,
    pub(crate) mtu: i32,
    pub(crate) is_reliable: bool,
    pub(crate) is_cubic: bool,
    pub(crate) is_tethered: bool,
    /// Publication window, if not half a term.
    pub(crate) window: Option<i32>,
    /// Receiver window, if not the default.
    pub(crate) receiver_window: Option<i32>,
    /// NAK delay of the channel, in microseconds, if not the driver's.
    pub(crate) nak_delay_us: Option<i64>,
    /// Where the stream starts, if not at a random term.
    pub(crate) start: Option<Start>,
    /// Whether the end of the stream is told.
    pub(crate) signals_end: bool,
    /// Whether a session that went away may come again.
    pub(crate) rejoins: bool,
    pub(crate) part: Part,
    pub(crate) sizes: SizePlan,
    /// Whether its channels name hosts instead of their addresses.
    pub(crate) is_named: bool,
    pub(crate) parameters: StreamHabits,
}

/// Which part a stream has in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// None.
    Alone,
    /// Brings the requests that are answered on this stream.
    Requests { answers: usize },
    /// Brings the answers to this stream.
    Answers { requests: usize },
}

/// What a stream goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    /// From a driver to a driver, which may be the same.
    Udp {
        from: usize,
        to: usize,
        is_ipv6: bool,
        port: u16,
    },
    /// Within a driver.
    Ipc { driver: usize },
    /// From a driver to a group that anyone may join.
    Multicast {
        from: usize,
        number: u16,
        flow: Flow,
    },
    /// From a driver to all that ask for it.
    Dynamic {
        from: usize,
        number: u16,
        flow: Flow,
    },
    /// From a driver to all that it is told of.
    Manual {
        from: usize,
        number: u16,
        flow: Flow,
        /// Each subscription listens in two places, and is sent to there.
        is_doubled: bool,
    },
    /// Back to the driver that asked.
    Response { from: usize, to: usize, number: u16 },
}

/// Flow control of streams with several receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) strategy: Strategy,
    /// Receivers without whom nothing may be published.
    pub(crate) required: usize,
}

/// Who leads where there are several receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// The fastest receiver leads.
    Max,
    /// The slowest does.
    Min,
    /// The slowest of those with a tag does.
    Tagged,
}

/// Where a stream starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) initial_term_id: i32,
    pub(crate) term_id: i32,
    pub(crate) term_offset: i32,
}

/// Addresses of a driver: IPv4 and IPv6.
pub(crate) fn addresses(driver: usize) -> (IpAddr, IpAddr) {
    let number = u8::try_from(driver + 1).unwrap_or(u8::MAX);
    let v6 = Ipv6Addr::new(0xFD00, 0, 0, 0, 0, 0, 0, u16::from(number));
    ([10, 0, 0, number].into(), v6.into())
}

impl Medium {
    /// The driver that publications are on.
    pub(crate) const fn source(self) -> usize {
        match self {
            Self::Udp { from, .. }
            | Self::Multicast { from, .. }
            | Self::Dynamic { from, .. }
            | Self::Response { from, .. }
            | Self::Manual { from, .. } => from,
            Self::Ipc { driver } => driver,
        }
    }

    /// How many there are.
    pub(crate) const COUNT: usize = 6;

    /// Its number among them.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Udp { .. } => 0,
            Self::Ipc { .. } => 1,
            Self::Multicast { .. } => 2,
            Self::Dynamic { .. } => 3,
            Self::Manual { .. } => 4,
            Self::Response { .. } => 5,
        }
    }

    /// Whether there is anything to spy on.
    pub(crate) const fn is_network(self) -> bool {
        !matches!(self, Self::Ipc { .. })
    }

    /// Whether each sender has one receiver at most, and so a limit that only rises.
    pub(crate) const fn is_unicast(self) -> bool {
        matches!(self, Self::Udp { .. })
    }

    fn draw(rng: &mut Rng, drivers: usize, number: u16) -> Self {
        let from = index(rng, drivers);
        let flow = Flow::draw(rng);
        match rng.below(12) {
            0..=2 => Self::Ipc { driver: from },
            3 => Self::Multicast { from, number, flow },
            4 => Self::Dynamic { from, number, flow },
            5 => Self::Manual {
                from,
                number,
                flow,
                is_doubled: rng.chance(1, 2),
            },
            _ => {
                let other = (from + 1 + index(rng, drivers)) % drivers;
                Self::Udp {
                    from,
                    to: if rng.chance(1, 8) { from } else { other },
                    is_ipv6: rng.chance(1, 3),
                    // Few ports, so that streams share endpoints.
                    port: 4000 + u16::try_from(rng.below(3)).unwrap_or(0),
                }
            }
        }
    }

    /// Where subscribers on a driver listen.
    fn endpoint(self, driver: usize) -> SocketAddr {
        let (v4, v6) = addresses(driver);
        match self {
            Self::Udp {
                to, is_ipv6, port, ..
            } => {
                let (v4, v6) = addresses(to);
                (if is_ipv6 { v6 } else { v4 }, port).into()
            }
            Self::Response { to, .. } => (addresses(to).0, 0).into(),
            Self::Multicast { number, .. } => ([224, 20, 30, 41], MULTICAST_PORT + number).into(),
            Self::Dynamic { number, .. } => (v4, MDC_ENDPOINT_PORT + number).into(),
            Self::Manual { number, .. } => (v4, MDC_ENDPOINT_PORT + number).into(),
            Self::Ipc { .. } => (v6, 0).into(),
        }
    }

    fn control(self) -> SocketAddr {
        let number = match self {
            Self::Dynamic { number, .. } | Self::Manual { number, .. } => number,
            Self::Response { number, .. } => RESPONSE_PORT - MDC_CONTROL_PORT + number,
            Self::Udp { .. } | Self::Ipc { .. } | Self::Multicast { .. } => 0,
        };
        (addresses(self.source()).0, MDC_CONTROL_PORT + number).into()
    }
}

impl Flow {
    fn draw(rng: &mut Rng) -> Self {
        let strategy = *pick(
            rng,
            &[
                Strategy::Max,
                Strategy::Min,
                Strategy::Min,
                Strategy::Tagged,
            ],
        );
        let is_demanding = strategy != Strategy::Max && rng.chance(1, 4);
        Self {
            strategy,
            required: if is_demanding { 1 + index(rng, 3) } else { 0 },
        }
    }

    fn parameter(self) -> String {
        let group = match self.required {
            0 => String::new(),
            count => format!("/{count}"),
        };
        match self.strategy {
            Strategy::Max => "max".to_owned(),
            Strategy::Min if self.required == 0 => "min".to_owned(),
            Strategy::Min => format!("min,g:{group}"),
            Strategy::Tagged => format!("tagged,g:{GROUP_TAG}{group}"),
        }
    }
}

impl StreamPlan {
    /// Where a publication is used up.
    pub(crate) fn position_max(&self) -> i64 {
        i64::from(self.term_length) << 31
    }

    /// Where subscribers on a driver listen, as channels say it.
    fn endpoint(&self, driver: usize) -> String {
        let endpoint = self.medium.endpoint(driver);
        if !self.is_named || matches!(self.medium, Medium::Dynamic { .. }) {
            return endpoint.to_string();
        }
        if let Medium::Udp { to, .. } = self.medium {
            // On a port of its own, as an endpoint's first channel gives it its name.
            let number = u16::try_from(self.stream_id - 1000).unwrap_or(0);
            return format!("{}:{}", host_name(to), NAMED_PORT + number);
        }
        format!("{}:{}", host_name(driver), endpoint.port())
    }

    fn control(&self) -> String {
        let control = self.medium.control();
        if self.is_named && matches!(self.medium, Medium::Dynamic { .. }) {
            format!("{}:{}", host_name(self.medium.source()), control.port())
        } else {
            control.to_string()
        }
    }

    /// The address part of its publications, from which spies know them.
    fn source_address(&self) -> String {
        let medium = self.medium;
        match medium {
            Medium::Ipc { .. } => String::new(),
            Medium::Udp { .. } => format!("endpoint={}", self.endpoint(0)),
            Medium::Multicast { from, .. } => {
                let interface = addresses(from).0;
                format!("endpoint={}|interface={interface}", medium.endpoint(from))
            }
            Medium::Dynamic { .. } => {
                format!("control={}|control-mode=dynamic", self.control())
            }
            Medium::Manual { .. } => {
                format!("control={}|control-mode=manual", medium.control())
            }
            Medium::Response { .. } => {
                format!("control={}|control-mode=response", medium.control())
            }
        }
    }

    /// The channel of its publications.
    pub(crate) fn publication_channel(&self) -> String {
        let address = self.source_address();
        let mut channel = if self.medium.is_network() {
            format!("aeron:udp?{address}|")
        } else if matches!(self.part, Part::Answers { .. }) {
            "aeron:ipc?control-mode=response|".to_owned()
        } else {
            "aeron:ipc?".to_owned()
        };
        channel.push_str(&format!(
            "term-length={}|mtu={}",
            self.term_length, self.mtu
        ));
        if let Some(window) = self.window {
            channel.push_str(&format!("|pub-wnd={window}"));
        }
        if let Some(start) = self.start {
            channel.push_str(&format!(
                "|init-term-id={}|term-id={}|term-offset={}",
                start.initial_term_id, start.term_id, start.term_offset
            ));
        }
        if !self.signals_end {
            channel.push_str("|eos=false");
        }
        if let Medium::Multicast { flow, .. }
        | Medium::Dynamic { flow, .. }
        | Medium::Manual { flow, .. } = self.medium
        {
            channel.push_str(&format!("|fc={}", flow.parameter()));
        }
        channel.push_str(&self.parameters.publication);
        channel
    }

    /// The channel of a subscription on a driver.
    pub(crate) fn subscription_channel(&self, kind: SubscriberKind, driver: usize) -> String {
        let (medium, tether) = (self.medium, self.is_tethered);
        if !medium.is_network() && matches!(self.part, Part::Answers { .. }) {
            return format!("aeron:ipc?control-mode=response|tether={tether}");
        }
        if !medium.is_network() {
            return format!("aeron:ipc?tether={tether}");
        }
        if kind == SubscriberKind::Spy {
            let address = self.source_address();
            return format!("aeron-spy:aeron:udp?{address}|tether={tether}");
        }
        // Who listens for destinations does so at an address of its own.
        let endpoint = if matches!(medium, Medium::Manual { .. }) {
            medium.endpoint(driver).to_string()
        } else {
            self.endpoint(driver)
        };
        let address = match medium {
            Medium::Multicast { .. } => {
                let interface = addresses(driver).0;
                format!("endpoint={endpoint}|interface={interface}")
            }
            Medium::Dynamic { .. } => format!("endpoint={endpoint}|control={}", self.control()),
            Medium::Manual {
                is_doubled: true, ..
            } => "control-mode=manual".to_owned(),
            Medium::Response { .. } => self.source_address(),
            Medium::Manual { .. } | Medium::Udp { .. } | Medium::Ipc { .. } => {
                format!("endpoint={endpoint}")
            }
        };
        let cc = if self.is_cubic { "cubic" } else { "static" };
        let mut channel = format!(
            "aeron:udp?{address}|reliable={}|tether={tether}|cc={cc}",
            self.is_reliable
        );
        if !self.rejoins {
            channel.push_str("|rejoin=false");
        }
        if let Some(window) = self.receiver_window {
            channel.push_str(&format!("|rcv-wnd={window}"));
        }
        if let Some(us) = self.nak_delay_us {
            channel.push_str(&format!("|nak-delay={us}us"));
        }
        if self.has_tag(driver) {
            channel.push_str(&format!("|gtag={GROUP_TAG}"));
        }
        channel.push_str(&self.parameters.subscription);
        channel
    }

    /// Its flow control, where it may have several receivers.
    pub(crate) const fn flow(&self) -> Option<Flow> {
        match self.medium {
            Medium::Multicast { flow, .. }
            | Medium::Dynamic { flow, .. }
            | Medium::Manual { flow, .. } => Some(flow),
            Medium::Udp { .. } | Medium::Ipc { .. } | Medium::Response { .. } => None,
        }
    }

    /// Every other driver has the tag, where there are any.
    pub(crate) fn has_tag(&self, driver: usize) -> bool {
        let strategy = self.flow().map(|flow| flow.strategy);
        strategy == Some(Strategy::Tagged) && driver.is_multiple_of(2)
    }

    /// Whether each subscription listens in places of its own.
    pub(crate) const fn is_doubled(&self) -> bool {
        matches!(
            self.medium,
            Medium::Manual {
                is_doubled: true,
                ..
            }
        )
    }

    /// What a publication has to be told to send to, for subscribers on a driver or, if they listen
    /// in places of their own, for this one.
    pub(crate) fn destinations(&self, driver: usize, subscriber: usize) -> Vec<String> {
        let Medium::Manual { is_doubled, .. } = self.medium else {
            return Vec::new();
        };
        let destination = |endpoint: SocketAddr| format!("aeron:udp?endpoint={endpoint}");
        if !is_doubled {
            return vec![format!("aeron:udp?endpoint={}", self.endpoint(driver))];
        }
        [0, 1]
            .map(|place| destination(place_address(driver, subscriber, place)))
            .into()
    }

    /// The one place of a subscriber that is told of it: within the driver.
    pub(crate) fn place_within(&self) -> String {
        if self.medium.is_network() {
            format!("aeron-spy:aeron:udp?{}", self.source_address())
        } else {
            "aeron:ipc".to_owned()
        }
    }

    /// What a subscription has to be told to listen to.
    pub(crate) fn places(&self, driver: usize, subscriber: usize) -> Vec<String> {
        if self.is_doubled() {
            self.destinations(driver, subscriber)
        } else {
            Vec::new()
        }
    }
}

/// Where a subscriber on a driver that listens in two places does so.
pub(crate) fn place_address(driver: usize, subscriber: usize, place: u16) -> SocketAddr {
    let number = u16::try_from(subscriber).unwrap_or(0);
    (addresses(driver).0, PLACES_PORT + 2 * number + place).into()
}

/// Draws all streams.
pub(super) fn draw(rng: &mut Rng, drivers: usize) -> Vec<StreamPlan> {
    let count = u16::try_from(1 + rng.below(4)).unwrap_or(1);
    let mut streams: Vec<StreamPlan> = (0..count)
        .map(|number| {
            let medium = Medium::draw(rng, drivers, number);
            draw_one(rng, medium, number)
        })
        .collect();
    if rng.chance(1, 5) {
        draw_conversation(rng, drivers, &mut streams);
    }
    streams
}

/// Adds a stream of requests and one of answers.
fn draw_conversation(rng: &mut Rng, drivers: usize, streams: &mut Vec<StreamPlan>) {
    let (asks, answers) = (index(rng, drivers), index(rng, drivers));
    let requests = streams.len();
    let number = u16::try_from(requests).unwrap_or(0);
    let medium = Medium::Udp {
        from: asks,
        to: answers,
        is_ipv6: false,
        port: RESPONSE_PORT - 1,
    };
    streams.push(StreamPlan {
        part: Part::Requests {
            answers: requests + 1,
        },
        ..draw_one(rng, medium, number)
    });
    let medium = Medium::Response {
        from: answers,
        to: asks,
        number,
    };
    streams.push(StreamPlan {
        part: Part::Answers { requests },
        ..draw_one(rng, medium, number + 1)
    });
}

/// Has some conversations stay within a driver.
pub(super) fn draw_late(rng: &mut Rng, plan: &mut Plan) {
    let asking = plan
        .streams
        .iter()
        .position(|s| matches!(s.part, Part::Requests { .. }));
    let Some(requests) = asking.filter(|_| rng.chance(1, 3)) else {
        return;
    };
    let driver = plan.streams[requests].medium.source();
    for stream in [requests, requests + 1] {
        plan.streams[stream].medium = Medium::Ipc { driver };
        plan.streams[stream].is_reliable = true;
        plan.streams[stream].rejoins = true;
    }
    let client = plan
        .clients
        .iter()
        .position(|client| client.driver == driver);
    let client = client.unwrap_or(0);
    let is_part = |stream: usize| stream == requests || stream == requests + 1;
    for publisher in plan.publishers.iter_mut().filter(|p| is_part(p.stream)) {
        publisher.client = client;
    }
    for subscriber in plan.subscribers.iter_mut().filter(|s| is_part(s.stream)) {
        subscriber.client = client;
    }
}

fn draw_one(rng: &mut Rng, medium: Medium, number: u16) -> StreamPlan {
    let term_length = *pick(rng, &[64, 64, 64, 64, 128, 256]) * 1024;
    let mtu_choice = range(rng, 3, 60) * 32;
    let mtu = match rng.below(4) {
        0 => i32::try_from(mtu_choice).unwrap_or(1408),
        1 => 8192,
        _ => 1408,
    };
    let is_network = medium.is_network();
    let is_small = is_network && rng.chance(1, 4);
    StreamPlan {
        medium,
        stream_id: 1000 + i32::from(number),
        term_length,
        mtu,
        is_reliable: !is_network || rng.chance(4, 5),
        is_cubic: is_network && rng.chance(1, 4),
        is_tethered: rng.chance(3, 4),
        window: rng.chance(1, 5).then_some(term_length / 4),
        receiver_window: is_small.then_some((term_length / 8).max(RECEIVER_WINDOW_MIN)),
        nak_delay_us: rng.chance(1, 8).then(|| range(rng, 1, 500)),
        start: rng.chance(1, 4).then(|| Start::draw(rng, term_length)),
        signals_end: rng.chance(7, 8),
        rejoins: !is_network || rng.chance(7, 8),
        part: Part::Alone,
        sizes: SizePlan::draw(rng),
        is_named: false,
        parameters: StreamHabits::default(),
    }
}

impl Start {
    /// Somewhere where numbers wrap or end, mostly.
    fn draw(rng: &mut Rng, term_length: i32) -> Self {
        let few = i32::try_from(rng.below(6)).unwrap_or(0);
        let initial_term_id = *pick(
            rng,
            &[0, -1, i32::MAX - few, i32::MIN, rng.clone().next_i32()],
        );
        let count = match rng.below(4) {
            0 => 0,
            1 => few,
            2 => i32::MAX - 1 - few,
            _ => rng.next_i32() & i32::MAX,
        };
        let slots = u64::from((term_length / 32).unsigned_abs());
        let slot = i32::try_from(rng.below(slots)).unwrap_or(0);
        Self {
            initial_term_id,
            term_id: initial_term_id.wrapping_add(count),
            term_offset: slot * 32,
        }
    }
}
