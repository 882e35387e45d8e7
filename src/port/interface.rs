//! Choosing a local network interface (`uri.md` §5.2).

use std::io;
use std::net::IpAddr;

/// How a channel names its interface.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the two forms of the `interface` parameter"
)]
pub enum InterfaceSelector {
    /// An address under a prefix mask: `192.168.1.0/24`.
    Address {
        /// Address to compare with.
        address: IpAddr,
        /// Leading bits compared, 0..=32 or 0..=128.
        prefix_length: u8,
    },
    /// The operating system's name: `{eth0}`.
    Name(String),
}

/// What an interface must offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceQuery {
    /// Which interfaces are candidates.
    pub selector: InterfaceSelector,
    /// Whether an address of IPv6 is wanted; of IPv4 otherwise.
    pub ipv6: bool,
    /// Whether the interface must be multicast-capable (or loopback).
    pub multicast: bool,
}

/// The chosen address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The local address.
    pub address: IpAddr,
    /// The operating system's index.
    pub index: u32,
    /// The operating system's name.
    pub name: String,
}

/// The machine's interfaces.
pub trait Interfaces: Send {
    /// Picks by the rules of `driver.md` §17.2.
    ///
    /// # Errors
    /// None fits: the text lists the criteria and the candidates.
    fn find(&self, query: &InterfaceQuery) -> io::Result<InterfaceAddress>;
}
