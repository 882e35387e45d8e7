//! Counters that aileron's driver keeps beyond Aeron's, for tools that explain.
//!
//! Their types lie outside of every range that Aeron uses, so that its tools show them as counters
//! they do not know. No client needs them. They are written on slow paths alone: once in a few
//! milliseconds by an agent, with a status message, with a command.
//!
//! | Type | Label | Key | Value |
//! |---|---|---|---|
//! | [`AGENT_ALIVE_TYPE_ID`] | `agent-alive: <agent>` | [`SystemKey`]: 0 conductor, 1 sender, 2 receiver | epoch milliseconds of a cycle, at most [`AGENT_REPORT_INTERVAL_NS`] old |
//! | [`AGENT_BUSY_TYPE_ID`] | `agent-busy-ns: <agent>` | as above | nanoseconds spent in cycles that found work |
//! | [`SUBSCRIPTION_TYPE_ID`] | `subscription: …` | [`StreamKey`], session 0 | status counter of its receive endpoint; −1 for IPC and spies |
//! | [`LIMITING_RECEIVER_TYPE_ID`] | `snd-limiting-receiver: …` | [`StreamKey`] | [`pack_address`] of the receiver that sets the sender limit; 0 for none yet |
//! | [`RECEIVER_WINDOW_TYPE_ID`] | `snd-receiver-window: …` | [`StreamKey`] | the window that receiver last reported, bytes |
//!
//! [`SystemKey`]: super::counter_types::SystemKey
//! [`StreamKey`]: super::counter_types::StreamKey

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// Aeron uses none of the types from here on.
const BASE: i32 = 0x414C_0000;

/// `agent-alive`: when an agent last had a duty cycle.
pub const AGENT_ALIVE_TYPE_ID: i32 = BASE + 1;
/// `agent-busy-ns`: how long an agent was busy.
pub const AGENT_BUSY_TYPE_ID: i32 = BASE + 2;
/// `subscription`: a subscription, with or without images.
pub const SUBSCRIPTION_TYPE_ID: i32 = BASE + 3;
/// `snd-limiting-receiver`: the receiver that the sender limit follows.
pub const LIMITING_RECEIVER_TYPE_ID: i32 = BASE + 4;
/// `snd-receiver-window`: its window.
pub const RECEIVER_WINDOW_TYPE_ID: i32 = BASE + 5;

/// Whether a type is one of these.
///
/// ```
/// use aileron::cnc::extra_counters::{AGENT_ALIVE_TYPE_ID, is_extra};
/// assert!(is_extra(AGENT_ALIVE_TYPE_ID) && !is_extra(1001));
/// ```
#[must_use]
pub const fn is_extra(type_id: i32) -> bool {
    type_id > BASE && type_id <= RECEIVER_WINDOW_TYPE_ID
}

/// An agent that runs reports at least this often, nanoseconds.
pub const AGENT_REPORT_INTERVAL_NS: i64 = 10_000_000;

/// Labels, up to the colon.
pub mod name {
    /// When an agent last had a duty cycle.
    pub const AGENT_ALIVE: &str = "agent-alive";
    /// How long an agent was busy.
    pub const AGENT_BUSY: &str = "agent-busy-ns";
    /// A subscription.
    pub const SUBSCRIPTION: &str = "subscription";
    /// The receiver that the sender limit follows.
    pub const LIMITING_RECEIVER: &str = "snd-limiting-receiver";
    /// Its window.
    pub const RECEIVER_WINDOW: &str = "snd-receiver-window";
}

/// An IPv4 address and port in the lower 48 bits; of an IPv6 address, which has no room, the
/// negative port alone.
///
/// ```
/// use aileron::cnc::extra_counters::{pack_address, unpack_address};
/// let address = "192.168.0.7:40123".parse().unwrap();
/// assert_eq!(unpack_address(pack_address(address)), Some(address));
/// assert_eq!(pack_address("[::1]:9".parse().unwrap()), -9);
/// ```
#[must_use]
pub fn pack_address(address: SocketAddr) -> i64 {
    match address {
        SocketAddr::V4(v4) => i64::from(u32::from(*v4.ip())) << 16 | i64::from(v4.port()),
        SocketAddr::V6(v6) => -i64::from(v6.port()),
    }
}

/// The IPv4 address behind a number of [`pack_address`].
#[must_use]
pub fn unpack_address(packed: i64) -> Option<SocketAddr> {
    if packed <= 0 {
        return None;
    }
    let port = u16::try_from(packed & 0xFFFF).ok()?;
    let ip = u32::try_from(packed >> 16).ok()?;
    Some(SocketAddrV4::new(Ipv4Addr::from(ip), port).into())
}
