//! Choosing among the machine's interfaces (`driver.md` §17.2).

use std::io;
use std::net::IpAddr;

use crate::port::{InterfaceAddress, InterfaceQuery, InterfaceSelector, Interfaces};
use crate::sys::{LocalInterface, local_interfaces};

/// The interfaces of this machine, read anew at each query.
///
/// ```
/// use aileron::net::SystemInterfaces;
/// use aileron::port::{InterfaceQuery, InterfaceSelector, Interfaces};
/// let selector =
///     InterfaceSelector::Address { address: "127.0.0.1".parse().unwrap(), prefix_length: 8 };
/// let query = InterfaceQuery { selector, ipv6: false, multicast: false };
/// assert!(SystemInterfaces.find(&query).unwrap().address.is_loopback());
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "has no state and never will")]
pub struct SystemInterfaces;

impl Interfaces for SystemInterfaces {
    fn find(&self, query: &InterfaceQuery) -> io::Result<InterfaceAddress> {
        choose(&local_interfaces()?, query)
    }
}

fn choose(interfaces: &[LocalInterface], query: &InterfaceQuery) -> io::Result<InterfaceAddress> {
    let candidates = interfaces
        .iter()
        .filter(|i| i.address.is_ipv6() == query.ipv6 && matches(i, &query.selector));
    let usable = candidates
        .filter(|i| i.is_up && (!query.multicast || i.is_multicast || i.is_loopback))
        // Stable order: the first of equals in the operating system's order wins.
        .min_by_key(|i| match query.selector {
            InterfaceSelector::Name(_) => (false, 0),
            InterfaceSelector::Address { .. } => (i.is_loopback, u8::MAX - i.prefix_length),
        });
    usable
        .map(|i| InterfaceAddress {
            address: i.address,
            index: i.index,
            name: i.name.clone(),
        })
        .ok_or_else(|| not_found(interfaces, query))
}

fn matches(interface: &LocalInterface, selector: &InterfaceSelector) -> bool {
    match selector {
        InterfaceSelector::Name(name) => interface.name == *name,
        InterfaceSelector::Address {
            address,
            prefix_length,
        } => is_in_prefix(interface.address, *address, *prefix_length),
    }
}

/// Whether the leading `prefix_length` bits of two addresses of one family agree.
fn is_in_prefix(a: IpAddr, b: IpAddr, prefix_length: u8) -> bool {
    let (difference, width) = match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(u32::from(a) ^ u32::from(b)) << 96, 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b), 128),
        _ => return false,
    };
    difference.leading_zeros() >= u32::from(prefix_length.min(width))
}

fn not_found(interfaces: &[LocalInterface], query: &InterfaceQuery) -> io::Error {
    let criteria = match &query.selector {
        InterfaceSelector::Name(name) => format!("named '{name}'"),
        InterfaceSelector::Address {
            address,
            prefix_length,
        } => {
            format!("with an address in {address}/{prefix_length}")
        }
    };
    let family = if query.ipv6 { "IPv6" } else { "IPv4" };
    let kind = if query.multicast {
        " that can do multicast"
    } else {
        ""
    };
    let candidates: Vec<String> = interfaces
        .iter()
        .map(|i| format!("{}={}/{}", i.name, i.address, i.prefix_length))
        .collect();
    let candidates = candidates.join(", ");
    let text = match &query.selector {
        InterfaceSelector::Name(name) if interfaces.iter().all(|i| i.name != *name) => {
            format!("unknown interface {name}; there are: {candidates}")
        }
        InterfaceSelector::Name(_) | InterfaceSelector::Address { .. } => {
            format!("no {family} interface {criteria}{kind} is up; there are: {candidates}")
        }
    };
    io::Error::new(io::ErrorKind::NotFound, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, address: &str, prefix_length: u8) -> LocalInterface {
        let address: IpAddr = address.parse().expect("an address");
        LocalInterface {
            name: name.to_owned(),
            index: 1,
            address,
            prefix_length,
            is_up: true,
            is_multicast: name != "lo",
            is_loopback: name == "lo",
        }
    }

    fn find(interfaces: &[LocalInterface], address: &str, prefix_length: u8) -> Option<String> {
        let selector = InterfaceSelector::Address {
            address: address.parse().expect("an address"),
            prefix_length,
        };
        let query = InterfaceQuery {
            selector,
            ipv6: address.contains(':'),
            multicast: true,
        };
        choose(interfaces, &query)
            .ok()
            .map(|i| i.address.to_string())
    }

    #[test]
    fn the_longest_prefix_wins_and_loopback_comes_last() {
        let all = [
            interface("lo", "127.0.0.1", 8),
            interface("eth0", "10.0.0.1", 8),
            interface("eth1", "10.0.1.1", 24),
            interface("eth2", "fd00::1", 64),
        ];
        assert_eq!(find(&all, "0.0.0.0", 0).as_deref(), Some("10.0.1.1"));
        assert_eq!(find(&all, "10.0.0.9", 24).as_deref(), Some("10.0.0.1"));
        assert_eq!(find(&all, "127.0.0.1", 32).as_deref(), Some("127.0.0.1"));
        assert_eq!(find(&all, "fd00::5", 64).as_deref(), Some("fd00::1"));
        assert_eq!(find(&all, "192.168.0.1", 16), None);
    }

    #[test]
    fn the_error_lists_criteria_and_candidates() {
        let all = [interface("eth0", "10.0.0.1", 8)];
        let query = InterfaceQuery {
            selector: InterfaceSelector::Name("eth7".to_owned()),
            ipv6: false,
            multicast: false,
        };
        let text = choose(&all, &query).expect_err("unknown").to_string();
        assert!(
            text.contains("unknown interface eth7;") && text.contains("eth0=10.0.0.1/8"),
            "{text}"
        );
    }
}
