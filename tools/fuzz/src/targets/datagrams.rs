//! Datagrams to a driver that has streams.

use std::net::SocketAddr;

use aileron::client::{ExclusivePublication, Subscription};

use crate::rig::{DRIVER, MS, PEER, Rig, STRANGER};
use crate::script::steps;

/// Session of the publications, and of the streams that seeds attack.
pub(crate) const SESSION: i32 = 7;
/// Term at which they begin.
pub(crate) const TERM: i32 = 3;
/// Streams under attack: each has its peculiarities.
pub(crate) const STREAMS: [i32; 3] = [1001, 1002, 1003];
/// Where subscriptions listen.
const ENDPOINT: &str = "10.0.0.1:4000";
/// Where the publication with dynamic destinations hears of them.
const CONTROL: &str = "10.0.0.1:4001";
/// Steps at the end, in which what strangers made the driver create goes away again.
const LAST_STEPS: usize = 24;

/// What a step's control byte says.
struct Control {
    to: Option<SocketAddr>,
    from: SocketAddr,
    ns: i64,
    polls: bool,
    offers: bool,
}

impl Control {
    fn of(byte: u8, unicast: SocketAddr) -> Self {
        let to = match byte & 0b11 {
            0 => Some((DRIVER, 4000).into()),
            1 => Some((DRIVER, 4001).into()),
            2 => Some(unicast),
            _ => None,
        };
        Self {
            to,
            from: if byte & 0b100 == 0 { PEER } else { STRANGER },
            ns: [1_000, MS, 150 * MS, 1_100 * MS][usize::from(byte >> 3 & 0b11)],
            polls: byte & 0x20 != 0,
            offers: byte & 0x40 != 0,
        }
    }
}

/// Sends each step of the script as a datagram to a socket of a driver with subscriptions and
/// publications: to where it receives, to where receivers report, to where one receiver reports.
///
/// Afterwards positions are in order, the client is alive, and a stream that has nothing to do with
/// the network carries messages.
///
/// ```
/// aileron_fuzz::targets::datagrams(&[0, 3, 0, 1, 2, 3]);
/// ```
pub fn datagrams(data: &[u8]) {
    let mut rig = Rig::new(|config| config);
    let mut honest = rig.honest_stream(9);
    let mut subscriptions = subscriptions(&mut rig);
    let mut publications = publications(&mut rig);
    let unicast = publications[1].local_socket_addresses();
    let unicast = unicast.first().copied().unwrap_or(STRANGER);
    for step in steps(data) {
        let control = Control::of(step.control, unicast);
        if let Some(to) = control.to {
            rig.network.inject(control.from, to, step.bytes);
        }
        if control.offers {
            for publication in &mut publications {
                let _ = publication.offer(step.bytes);
            }
        }
        rig.step(control.ns);
        if control.polls {
            poll(&mut subscriptions);
        }
        rig.check_positions();
    }
    for _ in 0..LAST_STEPS {
        rig.step(100 * MS);
        poll(&mut subscriptions);
    }
    rig.check_positions();
    assert!(!rig.client.is_closed(), "the client was lost");
    rig.check_honest(&mut honest);
}

fn subscriptions(rig: &mut Rig) -> [Subscription; 3] {
    ["", "|cc=cubic|rejoin=false", "|reliable=false|rcv-wnd=16k"].map(|parameters| {
        let channel = format!("aeron:udp?endpoint={ENDPOINT}{parameters}");
        let at = usize::from(!parameters.is_empty()) + usize::from(parameters.contains("false|"));
        rig.subscription(&channel, STREAMS[at])
    })
}

fn publications(rig: &mut Rig) -> [ExclusivePublication; 2] {
    let start = format!(
        "term-length=64k|session-id={SESSION}|init-term-id={TERM}|term-id={TERM}|term-offset=0"
    );
    [
        format!("control={CONTROL}|control-mode=dynamic|fc=min"),
        format!("endpoint={PEER}"),
    ]
    .map(|address| rig.exclusive(&format!("aeron:udp?{address}|{start}"), STREAMS[0]))
}

/// Polls in all ways there are.
fn poll(subscriptions: &mut [Subscription]) {
    for (number, subscription) in subscriptions.iter_mut().enumerate() {
        match number {
            0 => subscription.poll(16, |payload, header| {
                let _ = (payload.len(), header.position(), header.flags());
            }),
            1 => subscription.block_poll(1 << 16, |block| {
                let _ = block.bytes.len();
            }),
            _ => subscription.poll(16, |payload, _| {
                let _ = payload.last();
            }),
        };
    }
}
