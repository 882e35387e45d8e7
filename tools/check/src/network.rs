//! Socket buffers, datagram lengths, multicast.

use std::collections::BTreeSet;

use aileron::DriverConfig;

use crate::{Kind, Machine, Plan, PlannedStream, Report};

/// Headers of IPv4 and UDP, bytes.
const DATAGRAM_OVERHEAD: i64 = 28;
/// The group that stands for all where none is planned by number.
const ANY_GROUP: std::net::Ipv4Addr = std::net::Ipv4Addr::new(224, 0, 0, 0);

pub(crate) fn check(config: &DriverConfig, plan: &Plan, machine: &Machine, report: &mut Report) {
    receive_buffers(config, plan, machine, report);
    send_buffers(config, plan, machine, report);
    interface_mtu(config, plan, machine, report);
    multicast(plan, machine, report);
}

fn network_streams(plan: &Plan) -> impl Iterator<Item = &PlannedStream> {
    plan.streams.iter().filter(|stream| !stream.is_ipc())
}

fn receive_buffers(config: &DriverConfig, plan: &Plan, machine: &Machine, report: &mut Report) {
    let subscriptions: Vec<_> = network_streams(plan)
        .filter(|s| !s.is_publication)
        .collect();
    let default = i64::try_from(config.socket_rcvbuf_length()).unwrap_or(i64::MAX);
    let asked = subscriptions.iter().map(|s| s.receive_buffer(config)).max();
    let asked = asked.unwrap_or(default).max(default);
    let limit = machine.number("/proc/sys/net/core/rmem_max");
    if let Some(limit) = limit.filter(|limit| *limit < asked) {
        report.add(
            Kind::ReceiveBufferLimit,
            true,
            format!(
                "sockets are to have receive buffers of {asked} bytes, the kernel allows {limit}"
            ),
            "what does not fit the buffer is lost when the receiver is held up for a moment",
            format!("sysctl -w net.core.rmem_max={asked}"),
        );
    }
    let system = machine.number("/proc/sys/net/core/rmem_default");
    let room = |asked: i64| match asked {
        0 => system,
        asked => Some(limit.map_or(asked, |limit| asked.min(limit))),
    };
    let of_config = (i64::from(config.initial_window_length()), default);
    let of_streams = subscriptions
        .iter()
        .map(|s| (s.window(config), s.receive_buffer(config)));
    let worst = std::iter::once(of_config)
        .chain(of_streams)
        .filter_map(|(window, asked)| Some((window, room(asked)?)))
        .filter(|(window, room)| window > room)
        .max();
    if let Some((window, room)) = worst {
        report.add(
            Kind::WindowExceedsBuffer,
            true,
            format!("a window promises {window} bytes, the socket's buffer has room for {room}"),
            "the driver refuses such a subscription, since a full window would overrun the socket",
            format!(
                "sysctl -w net.core.rmem_max={window}, and so-rcvbuf={window} on the channel or \
                 -Daeron.socket.so_rcvbuf={window}; or a smaller window (rcv-wnd=)"
            ),
        );
    }
}

fn send_buffers(config: &DriverConfig, plan: &Plan, machine: &Machine, report: &mut Report) {
    let publications: Vec<_> = network_streams(plan).filter(|s| s.is_publication).collect();
    let default = i64::try_from(config.socket_sndbuf_length()).unwrap_or(i64::MAX);
    let asked = publications.iter().map(|s| s.send_buffer(config)).max();
    let asked = asked.unwrap_or(default).max(default);
    let mtu = publications
        .iter()
        .map(|s| s.mtu(config))
        .max()
        .unwrap_or(0);
    let mtu = mtu.max(i64::from(config.mtu_length()));
    let needed = asked.max(mtu);
    let limit = machine.number("/proc/sys/net/core/wmem_max");
    if let Some(limit) = limit.filter(|limit| *limit < needed) {
        report.add(
            Kind::SendBufferLimit,
            true,
            format!(
                "sockets are to have send buffers of {needed} bytes, the kernel allows {limit}"
            ),
            "sends come up short under load, and datagrams longer than the buffer are refused",
            format!("sysctl -w net.core.wmem_max={needed}"),
        );
    }
}

fn interface_mtu(config: &DriverConfig, plan: &Plan, machine: &Machine, report: &mut Report) {
    let mut seen = BTreeSet::new();
    for stream in network_streams(plan).filter(|stream| stream.is_publication) {
        let Some(interface) = stream
            .ipv4()
            .and_then(|address| machine.interface_to(address))
        else {
            continue;
        };
        let longest = stream.mtu(config) + DATAGRAM_OVERHEAD;
        let Some(carried) = machine
            .interface_mtu(&interface)
            .filter(|mtu| *mtu < longest)
        else {
            continue;
        };
        if seen.insert((interface.clone(), longest)) {
            let fitting = (carried - DATAGRAM_OVERHEAD) / 32 * 32;
            report.add(
                Kind::InterfaceMtu,
                false,
                format!(
                    "datagrams of {longest} bytes with their headers go out by {interface}, which \
                     carries {carried}"
                ),
                "each is cut into fragments, and the loss of one fragment loses the whole datagram",
                format!(
                    "mtu={fitting} on the channel; or, where the whole path has it, ip link set \
                     {interface} mtu {longest}"
                ),
            );
        }
    }
}

fn multicast(plan: &Plan, machine: &Machine, report: &mut Report) {
    let streams: Vec<_> = network_streams(plan)
        .filter(|stream| stream.is_multicast())
        .collect();
    if streams.is_empty() {
        return;
    }
    let mut without_route = BTreeSet::new();
    let mut deaf = BTreeSet::new();
    for stream in streams.iter().filter(|stream| !stream.has_interface()) {
        let group = stream.ipv4().unwrap_or(ANY_GROUP);
        match machine.interface_to(group) {
            None => {
                without_route.insert(group);
            }
            Some(interface) if machine.does_multicast(&interface) == Some(false) => {
                deaf.insert(interface);
            }
            Some(_) => {}
        }
    }
    if let Some(group) = without_route.first() {
        report.add(
            Kind::MulticastRoute,
            true,
            format!("no route leads to the group {group}, and its channel names no interface"),
            "sends to the group fail, and it is joined on whatever interface comes first",
            "ip route add 224.0.0.0/4 dev INTERFACE, or interface= on the channel".to_owned(),
        );
    }
    for interface in deaf {
        report.add(
            Kind::MulticastInterface,
            true,
            format!("groups are reached by {interface}, which does not do multicast"),
            "nothing sent to the group leaves the machine, and nothing arrives",
            format!("ip link set {interface} multicast on, or another interface="),
        );
    }
    let joined = streams.iter().filter(|stream| !stream.is_publication);
    let groups: BTreeSet<_> = joined.filter_map(|stream| stream.endpoint()).collect();
    let planned = i64::try_from(groups.len()).unwrap_or(i64::MAX);
    let limit = machine.number("/proc/sys/net/ipv4/igmp_max_memberships");
    if let Some(limit) = limit.filter(|limit| *limit < planned) {
        report.add(
            Kind::GroupLimit,
            true,
            format!("{planned} groups are to be joined, the kernel allows {limit}"),
            "joins beyond the limit fail, and their subscriptions with them",
            format!("sysctl -w net.ipv4.igmp_max_memberships={planned}"),
        );
    }
}
