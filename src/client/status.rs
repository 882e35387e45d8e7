//! What counters tell of a channel: its status and the addresses its sockets are bound to.

use std::net::SocketAddr;

use crate::base::CounterId;
use crate::cnc::counter_types::{LOCAL_SOCKADDR_TYPE_ID, LocalAddressKey};
use crate::concurrent::{CounterState, CountersReader};
use crate::uri::{ChannelUri, ControlMode, params};

pub use crate::cnc::counter_types::ChannelStatus;

/// Status behind the counter that the driver announced.
pub(crate) fn channel_status(
    counters: &CountersReader,
    id: CounterId,
    is_closed: bool,
) -> ChannelStatus {
    if is_closed {
        return ChannelStatus::Errored;
    }
    match id {
        // IPC and spies have no channel to wait for.
        CounterId::NONE => ChannelStatus::Active,
        // A system counter: no status was assigned yet.
        CounterId(0) => ChannelStatus::Initializing,
        id => counters
            .value(id)
            .and_then(ChannelStatus::from_wire)
            .unwrap_or(ChannelStatus::Errored),
    }
}

/// Bound addresses of an active channel, in the order of their counters.
pub(crate) fn local_socket_addresses(
    counters: &CountersReader,
    id: CounterId,
    is_closed: bool,
) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    let is_bound = id.get() > 0;
    if !is_bound || channel_status(counters, id, is_closed) != ChannelStatus::Active {
        return addresses;
    }
    for index in 0..=counters.max_id().get() {
        let counter = CounterId(index);
        match counters.state(counter) {
            CounterState::Unused => break,
            CounterState::Reclaimed => continue,
            CounterState::Allocated => {}
        }
        if counters.type_id(counter) != Some(LOCAL_SOCKADDR_TYPE_ID)
            || counters.value(counter) != Some(ChannelStatus::Active.to_wire())
        {
            continue;
        }
        let key = counters
            .key(counter)
            .and_then(|key| LocalAddressKey::decode(&key));
        let address = key.filter(|key| key.channel_status_id == id);
        addresses.extend(address.and_then(|key| parse_address(&key.address)));
    }
    addresses
}

/// `1.2.3.4:port` or `[v6]:port`; the scope that some systems print within is left out.
fn parse_address(text: &str) -> Option<SocketAddr> {
    if let (Some(percent), Some(bracket)) = (text.find('%'), text.find(']')) {
        let (host, rest) = (text.get(..percent)?, text.get(bracket..)?);
        return format!("{host}{rest}").parse().ok();
    }
    text.parse().ok()
}

/// The channel with the wildcard port of its endpoint replaced; see
/// [`super::Subscription::resolved_channel`].
pub(crate) fn resolved_channel(
    channel: &str,
    resolved_endpoint: impl FnOnce() -> Option<SocketAddr>,
) -> Option<String> {
    let as_it_is = || Some(channel.to_owned());
    let Ok(mut uri) = ChannelUri::parse(channel) else {
        return as_it_is();
    };
    let host = uri
        .get(params::ENDPOINT)
        .and_then(|endpoint| endpoint.strip_suffix(":0"));
    let Some(host) = host.map(str::to_owned) else {
        return as_it_is();
    };
    if uri.control_mode() == ControlMode::Manual {
        return as_it_is();
    }
    let port = resolved_endpoint()?.port();
    uri.set(params::ENDPOINT, &format!("{host}:{port}")).ok()?;
    Some(uri.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_port_is_replaced_and_the_host_kept() {
        let bound = || Some("10.0.0.1:4711".parse().expect("an address"));
        let resolve = |channel| resolved_channel(channel, bound);
        assert_eq!(
            resolve("aeron:udp?endpoint=localhost:0"),
            Some("aeron:udp?endpoint=localhost:4711".to_owned())
        );
        for as_it_is in [
            "aeron:udp?endpoint=localhost:4040",
            "aeron:udp?control-mode=manual|endpoint=localhost:0",
            "aeron:ipc",
        ] {
            assert_eq!(resolve(as_it_is), Some(as_it_is.to_owned()));
        }
        assert_eq!(
            resolved_channel("aeron:udp?endpoint=localhost:0", || None),
            None
        );
    }

    #[test]
    fn addresses_parse_with_and_without_scope() {
        assert_eq!(parse_address("127.0.0.1:80"), "127.0.0.1:80".parse().ok());
        assert_eq!(
            parse_address("[fe80::1%eth0]:80"),
            "[fe80::1]:80".parse().ok()
        );
        assert_eq!(parse_address("nonsense"), None);
    }
}
