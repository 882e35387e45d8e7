//! The streams that are planned.

use std::net::{IpAddr, SocketAddr};

use aileron::DriverConfig;
use aileron::uri::ChannelUri;

/// Bytes of metadata behind the terms of a log.
const LOG_METADATA: u64 = 4096;

/// A stream that is planned.
///
/// ```
/// use aileron_check::PlannedStream;
/// let stream = PlannedStream::new(true, "aeron:udp?endpoint=224.0.1.1:40456|mtu=8k").unwrap();
/// assert!(stream.is_publication);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PlannedStream {
    /// Whether it is published here; else it is subscribed to.
    pub is_publication: bool,
    /// Its channel.
    pub channel: String,
    uri: ChannelUri,
}

/// All streams that are planned, over and above what the driver itself needs.
///
/// ```
/// assert!(aileron_check::Plan::default().streams.is_empty());
/// ```
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a list")]
pub struct Plan {
    /// The streams.
    pub streams: Vec<PlannedStream>,
}

impl PlannedStream {
    /// Reads its channel.
    ///
    /// # Errors
    /// The channel is not one.
    pub fn new(is_publication: bool, channel: &str) -> Result<Self, String> {
        let uri = ChannelUri::parse(channel).map_err(|error| format!("{channel}: {error}"))?;
        Ok(Self {
            is_publication,
            channel: channel.to_owned(),
            uri,
        })
    }

    pub(crate) fn length(&self, name: &str) -> Option<i64> {
        self.uri.size(name).ok().flatten()
    }

    pub(crate) fn is_ipc(&self) -> bool {
        self.channel.starts_with("aeron:ipc")
    }

    /// Bytes of its log. A subscriber of IPC reads that of the publisher.
    pub(crate) fn log_length(&self, config: &DriverConfig) -> u64 {
        if self.is_ipc() && !self.is_publication {
            return 0;
        }
        let default = if self.is_ipc() {
            config.ipc_term_buffer_length()
        } else {
            config.term_buffer_length()
        };
        let term = self
            .length("term-length")
            .unwrap_or_else(|| i64::from(default));
        3 * u64::try_from(term).unwrap_or(0) + LOG_METADATA
    }

    /// Longest datagram, bytes; 0 for IPC.
    pub(crate) fn mtu(&self, config: &DriverConfig) -> i64 {
        if self.is_ipc() {
            return 0;
        }
        self.length("mtu")
            .unwrap_or_else(|| i64::from(config.mtu_length()))
    }

    pub(crate) fn window(&self, config: &DriverConfig) -> i64 {
        let default = i64::from(config.initial_window_length());
        self.length("rcv-wnd").unwrap_or(default)
    }

    /// `SO_RCVBUF` that is asked for; 0 for the default of the system.
    pub(crate) fn receive_buffer(&self, config: &DriverConfig) -> i64 {
        let default = i64::try_from(config.socket_rcvbuf_length()).unwrap_or(i64::MAX);
        self.length("so-rcvbuf").unwrap_or(default)
    }

    /// `SO_SNDBUF` that is asked for; 0 for the default of the system.
    pub(crate) fn send_buffer(&self, config: &DriverConfig) -> i64 {
        let default = i64::try_from(config.socket_sndbuf_length()).unwrap_or(i64::MAX);
        self.length("so-sndbuf").unwrap_or(default)
    }

    /// Where it goes, if that is a number.
    pub(crate) fn endpoint(&self) -> Option<SocketAddr> {
        self.uri
            .get("endpoint")?
            .replace("localhost:", "127.0.0.1:")
            .parse()
            .ok()
    }

    pub(crate) fn is_multicast(&self) -> bool {
        self.endpoint()
            .is_some_and(|address| address.ip().is_multicast())
    }

    pub(crate) fn ipv4(&self) -> Option<std::net::Ipv4Addr> {
        match self.endpoint()?.ip() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }
    }

    pub(crate) fn has_interface(&self) -> bool {
        self.uri.get("interface").is_some()
    }
}
