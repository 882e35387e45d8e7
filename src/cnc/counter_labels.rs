//! Labels of the counters that drivers and clients make (`cnc.md` §12.3). Tools parse them, so they
//! are part of the protocol. All are cut off after 380 bytes where they are stored.

use std::fmt::Display;

use crate::base::{ClientId, CounterId, Position, RegistrationId, SessionId, StreamId};

/// First words of labels of stream counters.
pub mod name {
    /// Up to where a publication may be written.
    pub const PUBLISHER_LIMIT: &str = "pub-lmt";
    /// Up to where a publication of several threads has been written.
    pub const PUBLISHER_POSITION_CONCURRENT: &str = "pub-pos (concurrent)";
    /// Up to where a publication of one thread has been written.
    pub const PUBLISHER_POSITION_EXCLUSIVE: &str = "pub-pos (exclusive)";
    /// Up to where the sender has sent.
    pub const SENDER_POSITION: &str = "snd-pos";
    /// Up to where flow control lets the sender send.
    pub const SENDER_LIMIT: &str = "snd-lmt";
    /// Times that flow control stopped the sender.
    pub const SENDER_BACK_PRESSURE: &str = "snd-bpe";
    /// NAKs that a publication received.
    pub const SENDER_NAKS_RECEIVED: &str = "snd-naks-received";
    /// Receivers that flow control heeds.
    pub const FLOW_CONTROL_RECEIVERS: &str = "fc-receivers";
    /// Up to where a subscriber has consumed.
    pub const SUBSCRIBER_POSITION: &str = "sub-pos";
    /// Highest position received.
    pub const RECEIVER_HWM: &str = "rcv-hwm";
    /// Up to where an image is without gaps.
    pub const RECEIVER_POSITION: &str = "rcv-pos";
    /// NAKs that an image sent.
    pub const RECEIVER_NAKS_SENT: &str = "rcv-naks-sent";
    /// Round-trip time that cubic congestion control measured.
    pub const CUBIC_RTT: &str = "rcv-cc-cubic-rtt";
    /// Window of cubic congestion control.
    pub const CUBIC_WINDOW: &str = "rcv-cc-cubic-wnd";
    /// Status of a send endpoint.
    pub const SEND_CHANNEL: &str = "snd-channel";
    /// Status of a receive endpoint.
    pub const RECEIVE_CHANNEL: &str = "rcv-channel";
    /// What the socket of a send endpoint is bound to.
    pub const SEND_LOCAL_SOCKADDR: &str = "snd-local-sockaddr";
    /// What a socket of a receive endpoint is bound to.
    pub const RECEIVE_LOCAL_SOCKADDR: &str = "rcv-local-sockaddr";
    /// Destinations of a multi-destination publication.
    pub const MDC_DESTINATIONS: &str = "mdc-num-dest";
}

/// Label of a counter that belongs to a stream:
/// `<name>: <registration id> <session id> <stream id> <channel>`.
#[must_use]
pub fn stream_label(
    name: &str,
    registration_id: RegistrationId,
    session_id: SessionId,
    stream_id: StreamId,
    channel: &str,
) -> String {
    format!("{name}: {registration_id} {session_id} {stream_id} {channel}")
}

/// Label of a subscriber's position, which ends with where it joined.
#[must_use]
pub fn subscriber_position_label(
    registration_id: RegistrationId,
    session_id: SessionId,
    stream_id: StreamId,
    channel: &str,
    join_position: Position,
) -> String {
    let stream = stream_label(
        name::SUBSCRIBER_POSITION,
        registration_id,
        session_id,
        stream_id,
        channel,
    );
    format!("{stream} @{join_position}")
}

/// Label of a counter that belongs to a channel: `<name>: <channel>`.
#[must_use]
pub fn channel_label(name: &str, channel: &str) -> String {
    format!("{name}: {channel}")
}

/// What is appended to a channel's label once it is bound: ` <ip:port>`.
#[must_use]
pub fn bound_suffix(address: impl Display) -> String {
    format!(" {address}")
}

/// Label of the address that a socket is bound to: `<name>: <channel status id> <ip:port>`.
#[must_use]
pub fn local_address_label(
    name: &str,
    channel_status_id: CounterId,
    address: impl Display,
) -> String {
    format!("{name}: {channel_status_id} {address}")
}

/// Label of a client's heartbeat.
#[must_use]
pub fn heartbeat_label(client_id: ClientId) -> String {
    format!("client-heartbeat: id={client_id}")
}

/// What a client appends to the label of its heartbeat.
#[must_use]
pub fn heartbeat_suffix(client_name: &str, version: &str, commit: &str) -> String {
    format!(" name={client_name} version={version} commit={commit}")
}

/// Label of the name resolver's neighbours.
#[must_use]
pub fn resolver_neighbors_label(bound: impl Display) -> String {
    format!("Resolver neighbors: bound {bound}")
}

/// Label of the name resolver's cache entries.
#[must_use]
pub fn resolver_cache_entries_label(resolver_name: &str) -> String {
    format!("Resolver cache entries: name={resolver_name}")
}

/// Label of a bootstrap neighbour; `resolved` is empty until its name is resolved.
#[must_use]
pub fn bootstrap_neighbor_label(neighbor: &str, resolved: impl Display) -> String {
    format!("Bootstrap neighbor: name={neighbor} resolved={resolved}")
}

/// Label of a row of the name resolver's table.
#[must_use]
pub fn name_entry_label(name: &str, initial: &str, re_resolution: &str) -> String {
    format!(
        "NameEntry{{name='{name}', initialResolutionHost='{initial}', \
         reResolutionHost='{re_resolution}'}}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_read_as_tools_expect() {
        let (registration, session, stream) = (RegistrationId(9), SessionId(-5), StreamId(1001));
        assert_eq!(
            stream_label(
                name::PUBLISHER_POSITION_EXCLUSIVE,
                registration,
                session,
                stream,
                "aeron:ipc"
            ),
            "pub-pos (exclusive): 9 -5 1001 aeron:ipc"
        );
        assert_eq!(
            subscriber_position_label(registration, session, stream, "aeron:ipc", Position(128)),
            "sub-pos: 9 -5 1001 aeron:ipc @128"
        );
        let address: std::net::SocketAddr = "[::1]:4040".parse().expect("an address");
        assert_eq!(
            channel_label(name::SEND_CHANNEL, "aeron:udp?endpoint=localhost:4040")
                + &bound_suffix(address),
            "snd-channel: aeron:udp?endpoint=localhost:4040 [::1]:4040"
        );
        assert_eq!(
            local_address_label(
                name::RECEIVE_LOCAL_SOCKADDR,
                CounterId(52),
                "127.0.0.1:4040"
            ),
            "rcv-local-sockaddr: 52 127.0.0.1:4040"
        );
        assert_eq!(
            heartbeat_label(ClientId(1)) + &heartbeat_suffix("me", "1.53.0", "abc"),
            "client-heartbeat: id=1 name=me version=1.53.0 commit=abc"
        );
        assert_eq!(
            resolver_neighbors_label("0.0.0.0:8050"),
            "Resolver neighbors: bound 0.0.0.0:8050"
        );
        assert_eq!(
            resolver_cache_entries_label("A"),
            "Resolver cache entries: name=A"
        );
        assert_eq!(
            bootstrap_neighbor_label("b:8050", ""),
            "Bootstrap neighbor: name=b:8050 resolved="
        );
    }
}
