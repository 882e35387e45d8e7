//! A UDP channel as the driver understands it: the URI with its addresses resolved
//! (`uri.md` §5, §6).
//!
//! Made by the resource agent, since resolving names and interfaces may block; immutable after.
//! The canonical form says which channels share an endpoint. Values that the URI leaves out and
//! that belong to the endpoint are filled in from the configuration.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::host_port::resolve_host_port;
use super::interface::{LocalAddress, any_address, resolve_interface};
use crate::command::ErrorCode;
use crate::driver::config::DriverConfig;
use crate::driver::params::UntetheredTimeouts;
use crate::port::{Interfaces, NameResolver};
use crate::uri::{ChannelUri, UriError, params};

pub(crate) use crate::uri::ControlMode;

/// Bytes of a timestamp in a frame.
const TIMESTAMP_LENGTH: i64 = 8;

/// Why a channel was refused, as the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChannelError {
    /// The kind of error.
    pub(crate) code: ErrorCode,
    /// The value at fault and what is wrong with it.
    pub(crate) text: String,
}

impl ChannelError {
    /// An error of any kind.
    pub(crate) fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }

    /// `InvalidChannel`.
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidChannel, text)
    }
}

impl From<UriError> for ChannelError {
    fn from(error: UriError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Offsets from the begin of a frame's payload at which timestamps are written; -8 is the header's
/// reserved value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TimestampOffsets {
    /// The kernel's receive time.
    pub(crate) media_receive: Option<i32>,
    /// The receiver's receive time.
    pub(crate) channel_receive: Option<i32>,
    /// The send time.
    pub(crate) channel_send: Option<i32>,
}

/// The addresses of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Addresses {
    remote_data: SocketAddr,
    remote_control: SocketAddr,
    local_data: SocketAddr,
    local_control: SocketAddr,
    interface_index: u32,
    is_multicast: bool,
    is_explicit_control: bool,
}

/// Value of `rcv-wnd` for a window that grows by itself.
const AUTO: &str = "auto";

/// `SO_RCVBUF` asked for where the receiver window grows by itself, in bytes; the operating system
/// may grant less.
const AUTO_RCVBUF_LENGTH: usize = 8 * 1024 * 1024;

/// A parsed and resolved UDP channel.
#[derive(Clone, Debug)]
pub(crate) struct UdpChannel {
    uri: ChannelUri,
    original_text: String,
    canonical_form: String,
    addresses: Addresses,
    control_mode: ControlMode,
    tag: Option<i64>,
    ttl: u8,
    socket_sndbuf: Option<usize>,
    socket_rcvbuf: Option<usize>,
    socket_sndbuf_length: usize,
    socket_rcvbuf_length: usize,
    receiver_window_length: i32,
    is_receiver_window_auto: bool,
    timestamp_offsets: TimestampOffsets,
    group_tag: Option<i64>,
    nak_delay_ns: Option<i64>,
    untethered: UntetheredTimeouts,
}

impl UdpChannel {
    /// Takes a channel apart and resolves its addresses. `is_destination` leaves out the suffix
    /// that makes wildcard channels distinct; `unique` is where that suffix is drawn from.
    ///
    /// # Errors
    /// `UnknownHost` for a host that does not resolve, `NotSupported` for transport security,
    /// `InvalidChannel` for everything else.
    pub(crate) fn parse(
        text: &str,
        resolver: &mut dyn NameResolver,
        interfaces: &dyn Interfaces,
        is_destination: bool,
        unique: &mut u64,
        config: &DriverConfig,
    ) -> Result<Self, ChannelError> {
        let uri = ChannelUri::parse(text)?;
        if !uri.is_udp() {
            return Err(ChannelError::invalid(format!("media is not udp: {text}")));
        }
        if uri.bool(params::TRANSPORT_SECURITY)? == Some(true) {
            let reason = "ats=true: transport security is not supported, leave ats out";
            return Err(ChannelError::new(ErrorCode::NotSupported, reason));
        }
        let tag = uri.tags()?.channel;
        check_content(&uri, text)?;
        let addresses = resolve_addresses(&uri, resolver, interfaces)?;
        let suffix_source = (!is_destination).then_some(unique);
        let canonical_form = canonical_form(&uri, &addresses, tag, suffix_source);
        let socket_sndbuf = buffer_length(&uri, params::SOCKET_SNDBUF)?;
        let socket_rcvbuf = buffer_length(&uri, params::SOCKET_RCVBUF)?;
        let (receiver_window, is_receiver_window_auto) = match uri.get(params::RECEIVER_WINDOW) {
            Some(AUTO) => (None, true),
            Some(_) => (uri.size_i32(params::RECEIVER_WINDOW)?, false),
            None => (None, config.receiver_window_auto),
        };
        let default_rcvbuf_length = if is_receiver_window_auto {
            config.socket_rcvbuf_length.max(AUTO_RCVBUF_LENGTH)
        } else {
            config.socket_rcvbuf_length
        };
        Ok(Self {
            canonical_form,
            addresses,
            control_mode: uri.control_mode(),
            tag,
            ttl: ttl(&uri)?.unwrap_or(config.socket_multicast_ttl),
            socket_sndbuf,
            socket_rcvbuf,
            socket_sndbuf_length: socket_sndbuf.unwrap_or(config.socket_sndbuf_length),
            socket_rcvbuf_length: socket_rcvbuf.unwrap_or(default_rcvbuf_length),
            receiver_window_length: receiver_window.unwrap_or(config.initial_window_length),
            is_receiver_window_auto,
            timestamp_offsets: timestamp_offsets(&uri)?,
            group_tag: uri.i64(params::GROUP_TAG)?.or(config.receiver_group_tag),
            nak_delay_ns: uri.duration_ns(params::NAK_DELAY)?,
            untethered: UntetheredTimeouts::of(&uri, config)?,
            original_text: text.to_owned(),
            uri,
        })
    }

    /// Whether both have the same channel tag.
    pub(crate) fn has_tag_of(&self, channel: &Self) -> bool {
        self.tag.is_some() && self.tag == channel.tag
    }

    /// Whether `channel` means this one's endpoint by its tag. Addresses are compared with the
    /// endpoint's present ones where those are known: the connected address of a send endpoint
    /// (remote), the control address of a receive endpoint (local).
    ///
    /// # Errors
    /// The tags are equal and the rest contradicts: that is a mistake, not another channel.
    pub(crate) fn matches_tag(
        &self,
        channel: &Self,
        current_local: Option<SocketAddr>,
        current_remote: Option<SocketAddr>,
    ) -> Result<bool, ChannelError> {
        if !self.has_tag_of(channel) {
            return Ok(false);
        }
        if channel.control_mode != ControlMode::None && channel.control_mode != self.control_mode {
            let text = format!("mismatched control-mode: {}", channel.original_text);
            return Err(ChannelError::invalid(text));
        }
        let is_wildcard = is_any(channel.remote_data()) && is_any(channel.local_data());
        let is_same = channel.remote_data() == current_remote.unwrap_or(self.remote_data())
            && channel.local_data() == current_local.unwrap_or(self.local_data());
        if is_wildcard || is_same {
            return Ok(true);
        }
        let text = format!("mismatched endpoint or control: {}", channel.original_text);
        Err(ChannelError::invalid(text))
    }

    /// The channel's parameters.
    pub(crate) const fn uri(&self) -> &ChannelUri {
        &self.uri
    }

    /// The channel as the client wrote it.
    pub(crate) fn original_text(&self) -> &str {
        &self.original_text
    }

    /// Equal for channels that share an endpoint; local to this driver.
    pub(crate) fn canonical_form(&self) -> &str {
        &self.canonical_form
    }

    /// Where data goes: the endpoint, or any address and port 0.
    pub(crate) const fn remote_data(&self) -> SocketAddr {
        self.addresses.remote_data
    }

    /// Where control frames go: the control group of a multicast channel, else
    /// [`Self::remote_data`].
    pub(crate) const fn remote_control(&self) -> SocketAddr {
        self.addresses.remote_control
    }

    /// Local address for data.
    pub(crate) const fn local_data(&self) -> SocketAddr {
        self.addresses.local_data
    }

    /// Local address for control frames.
    pub(crate) const fn local_control(&self) -> SocketAddr {
        self.addresses.local_control
    }

    /// Whether the endpoint is a group.
    pub(crate) const fn is_multicast(&self) -> bool {
        self.addresses.is_multicast
    }

    /// Whether a `control` address is given and counts.
    pub(crate) const fn is_explicit_control(&self) -> bool {
        self.addresses.is_explicit_control
    }

    /// How destinations become known.
    pub(crate) const fn control_mode(&self) -> ControlMode {
        self.control_mode
    }

    /// `control-mode=manual`.
    pub(crate) const fn is_manual(&self) -> bool {
        matches!(self.control_mode, ControlMode::Manual)
    }

    /// `control-mode=dynamic`.
    pub(crate) const fn is_dynamic(&self) -> bool {
        matches!(self.control_mode, ControlMode::Dynamic)
    }

    /// `control-mode=response`.
    pub(crate) const fn is_response(&self) -> bool {
        matches!(self.control_mode, ControlMode::Response)
    }

    /// Whether a publication sends to several destinations.
    pub(crate) const fn is_multi_destination(&self) -> bool {
        self.is_manual() || self.is_dynamic()
    }

    /// Whether receivers form a group: NAKs back off, retransmits are shared.
    pub(crate) const fn is_group_semantics(&self) -> bool {
        self.is_multicast() || self.is_multi_destination()
    }

    /// Whether an `endpoint` is given.
    pub(crate) fn has_explicit_endpoint(&self) -> bool {
        self.uri.contains(params::ENDPOINT)
    }

    /// Text of `endpoint`: the key of a re-resolution.
    pub(crate) fn endpoint_text(&self) -> Option<&str> {
        self.uri.get(params::ENDPOINT)
    }

    /// Text of `control`: the key of a re-resolution.
    pub(crate) fn control_text(&self) -> Option<&str> {
        self.uri.get(params::CONTROL)
    }

    /// The channel tag.
    pub(crate) const fn tag(&self) -> Option<i64> {
        self.tag
    }

    /// Index of the interface that was looked up; 0 if none was.
    pub(crate) const fn interface_index(&self) -> u32 {
        self.addresses.interface_index
    }

    /// Multicast time to live in force; 0 leaves the operating system's default.
    pub(crate) const fn ttl(&self) -> u8 {
        self.ttl
    }

    /// `so-sndbuf` of the URI, unless 0.
    pub(crate) const fn socket_sndbuf(&self) -> Option<usize> {
        self.socket_sndbuf
    }

    /// `so-rcvbuf` of the URI, unless 0.
    pub(crate) const fn socket_rcvbuf(&self) -> Option<usize> {
        self.socket_rcvbuf
    }

    /// `SO_SNDBUF` in force; 0 leaves the operating system's default.
    pub(crate) const fn socket_sndbuf_length(&self) -> usize {
        self.socket_sndbuf_length
    }

    /// `SO_RCVBUF` in force; 0 leaves the operating system's default.
    pub(crate) const fn socket_rcvbuf_length(&self) -> usize {
        self.socket_rcvbuf_length
    }

    /// Receiver window in force, before half a term caps it.
    pub(crate) const fn receiver_window_length(&self) -> i32 {
        self.receiver_window_length
    }

    /// Whether that window grows as the stream needs it.
    pub(crate) const fn is_receiver_window_auto(&self) -> bool {
        self.is_receiver_window_auto
    }

    /// Where timestamps go.
    pub(crate) const fn timestamp_offsets(&self) -> TimestampOffsets {
        self.timestamp_offsets
    }

    /// Tag put into status messages, from the URI or the configuration.
    pub(crate) const fn group_tag(&self) -> Option<i64> {
        self.group_tag
    }

    /// `nak-delay` of the URI.
    pub(crate) const fn nak_delay_ns(&self) -> Option<i64> {
        self.nak_delay_ns
    }

    /// `cc` of the URI.
    pub(crate) fn congestion_control(&self) -> Option<&str> {
        self.uri.get(params::CONGESTION_CONTROL)
    }

    /// Timeouts of untethered subscribers in force.
    pub(crate) const fn untethered(&self) -> UntetheredTimeouts {
        self.untethered
    }

    /// Whether the channel names an endpoint rather than only referring to one by tag.
    pub(crate) fn is_original(&self) -> bool {
        self.is_explicit_control() || self.has_explicit_endpoint() || self.is_manual()
    }
}

fn is_any(address: SocketAddr) -> bool {
    address.ip().is_unspecified() && address.port() == 0
}

/// The least that a channel must say (`uri.md` §6.1).
fn check_content(uri: &ChannelUri, text: &str) -> Result<(), ChannelError> {
    let mode = uri.control_mode();
    let has_control = uri.contains(params::CONTROL);
    let is_described = uri.contains(params::ENDPOINT)
        || has_control
        || uri.contains(params::TAGS)
        || matches!(mode, ControlMode::Manual | ControlMode::Response);
    if !is_described {
        return Err(ChannelError::invalid(format!(
            "channel has none of endpoint, control, tags, control-mode=manual|response: {text}"
        )));
    }
    if mode == ControlMode::Dynamic && !has_control {
        return Err(ChannelError::invalid(format!(
            "control-mode=dynamic without a control address: {text}"
        )));
    }
    Ok(())
}

fn resolve_addresses(
    uri: &ChannelUri,
    resolver: &mut dyn NameResolver,
    interfaces: &dyn Interfaces,
) -> Result<Addresses, ChannelError> {
    let mut resolve = |name| {
        let text = uri.get(name);
        text.map(|text| resolve_host_port(text, name, resolver, false))
            .transpose()
    };
    let control = resolve(params::CONTROL)?;
    let endpoint = resolve(params::ENDPOINT)?;
    let ipv6 = endpoint
        .or(control)
        .is_some_and(|address| address.is_ipv6());
    let remote = endpoint.unwrap_or(any_address(ipv6));
    let interface = uri.get(params::INTERFACE);
    if remote.ip().is_multicast() {
        let group = control_group(remote)?;
        let local = resolve_interface(interface, ipv6, true, resolver, interfaces)?;
        return Ok(Addresses {
            remote_control: group,
            is_multicast: true,
            ..unicast_addresses(remote, local, false)
        });
    }
    if let Some(control) = control {
        let local = LocalAddress {
            address: control,
            interface_index: 0,
        };
        return Ok(unicast_addresses(remote, local, true));
    }
    let local = resolve_interface(interface, ipv6, false, resolver, interfaces)?;
    Ok(unicast_addresses(remote, local, false))
}

const fn unicast_addresses(
    remote: SocketAddr,
    local: LocalAddress,
    is_explicit_control: bool,
) -> Addresses {
    Addresses {
        remote_data: remote,
        remote_control: remote,
        local_data: local.address,
        local_control: local.address,
        interface_index: local.interface_index,
        is_multicast: false,
        is_explicit_control,
    }
}

/// The group on which status messages and NAKs travel: the data group's last byte plus one.
fn control_group(data: SocketAddr) -> Result<SocketAddr, ChannelError> {
    let (ip, last) = match data.ip() {
        IpAddr::V4(ip) => {
            let mut octets = ip.octets();
            let last = octets[3];
            octets[3] = last.wrapping_add(1);
            (IpAddr::from(octets), last)
        }
        IpAddr::V6(ip) => {
            let mut octets = ip.octets();
            let last = octets[15];
            octets[15] = last.wrapping_add(1);
            (IpAddr::from(octets), last)
        }
    };
    // The last byte 255 is odd and its control group ends in 0: bytes wrap, as in Aeron.
    if last % 2 == 0 {
        let text = format!("multicast data address must be odd: endpoint={data}");
        return Err(ChannelError::invalid(text));
    }
    Ok(SocketAddr::new(ip, data.port()))
}

/// The text that says which channels share an endpoint (`uri.md` §6.6).
fn canonical_form(
    uri: &ChannelUri,
    addresses: &Addresses,
    tag: Option<i64>,
    unique: Option<&mut u64>,
) -> String {
    if addresses.is_multicast {
        return format!("UDP-{}-{}", addresses.local_data, addresses.remote_data);
    }
    let endpoint = uri.get(params::ENDPOINT);
    let control = uri.get(params::CONTROL);
    let local = match control {
        Some(text) => text.to_owned(),
        None => addresses.local_data.to_string(),
    };
    let remote = endpoint.map_or_else(|| addresses.remote_data.to_string(), str::to_owned);
    let form = format!("UDP-{local}-{remote}");
    let is_wildcard = (endpoint.is_none() && control.is_none())
        || (endpoint.is_some() && addresses.remote_data.port() == 0)
        || (control.is_some() && addresses.local_control.port() == 0);
    match (unique, tag) {
        (Some(_), Some(tag)) if is_wildcard => format!("{form}#{tag}"),
        (Some(unique), None) if is_wildcard => {
            let suffixed = format!("{form}-{unique}");
            *unique = unique.wrapping_add(1);
            suffixed
        }
        _ => form,
    }
}

fn ttl(uri: &ChannelUri) -> Result<Option<u8>, ChannelError> {
    let Some(ttl) = uri.i32(params::TTL)? else {
        return Ok(None);
    };
    let ttl = u8::try_from(ttl)
        .map_err(|_| ChannelError::invalid(format!("ttl={ttl} is not in 0 to 255")))?;
    Ok((ttl != 0).then_some(ttl))
}

fn buffer_length(uri: &ChannelUri, name: &str) -> Result<Option<usize>, ChannelError> {
    let length = uri.size_i32(name)?.filter(|length| *length != 0);
    Ok(length.and_then(|length| usize::try_from(length).ok()))
}

fn timestamp_offsets(uri: &ChannelUri) -> Result<TimestampOffsets, ChannelError> {
    let names = [
        params::MEDIA_RCV_TIMESTAMP_OFFSET,
        params::CHANNEL_RCV_TIMESTAMP_OFFSET,
        params::CHANNEL_SND_TIMESTAMP_OFFSET,
    ];
    let mut offsets = [None; 3];
    for (offset, name) in offsets.iter_mut().zip(names) {
        *offset = uri.timestamp_offset(name)?;
    }
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        let (Some(x), Some(y)) = (offsets[a], offsets[b]) else {
            continue;
        };
        if (i64::from(x) - i64::from(y)).abs() < TIMESTAMP_LENGTH {
            let text = format!("{}={x} and {}={y} overlap", names[a], names[b]);
            return Err(ChannelError::invalid(text));
        }
    }
    let [media_receive, channel_receive, channel_send] = offsets;
    Ok(TimestampOffsets {
        media_receive,
        channel_receive,
        channel_send,
    })
}

#[cfg(test)]
mod tests;
