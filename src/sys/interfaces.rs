//! The machine's network interfaces.

use std::io;
use std::net::IpAddr;

use nix::net::if_::InterfaceFlags;

/// One address of one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalInterface {
    /// The operating system's name.
    pub name: String,
    /// The operating system's index; 0 if it has none.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// Bits of the network mask.
    pub prefix_length: u8,
    /// Whether the interface is up.
    pub is_up: bool,
    /// Whether it can do multicast.
    pub is_multicast: bool,
    /// Whether it is the loopback interface.
    pub is_loopback: bool,
}

/// Every IPv4 and IPv6 address of this machine, in the operating system's order.
///
/// # Errors
/// What the operating system answers.
pub fn local_interfaces() -> io::Result<Vec<LocalInterface>> {
    let mut found = Vec::new();
    for entry in nix::ifaddrs::getifaddrs()? {
        let Some(address) = entry.address.as_ref().and_then(to_ip) else {
            continue;
        };
        let mask = entry.netmask.as_ref().and_then(to_ip);
        let index = nix::net::if_::if_nametoindex(entry.interface_name.as_str()).unwrap_or(0);
        found.push(LocalInterface {
            name: entry.interface_name,
            index,
            address,
            prefix_length: mask.map_or(0, prefix_length),
            is_up: entry.flags.contains(InterfaceFlags::IFF_UP),
            is_multicast: entry.flags.contains(InterfaceFlags::IFF_MULTICAST),
            is_loopback: entry.flags.contains(InterfaceFlags::IFF_LOOPBACK),
        });
    }
    Ok(found)
}

fn to_ip(address: &nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(v4.ip().into());
    }
    address.as_sockaddr_in6().map(|v6| v6.ip().into())
}

#[expect(clippy::cast_possible_truncation, reason = "at most 128 bits")]
fn prefix_length(mask: IpAddr) -> u8 {
    match mask {
        IpAddr::V4(mask) => u32::from(mask).leading_ones() as u8,
        IpAddr::V6(mask) => u128::from(mask).leading_ones() as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_found() {
        let interfaces = local_interfaces().expect("asked");
        let loopback = interfaces
            .iter()
            .find(|i| i.address == IpAddr::from([127, 0, 0, 1]))
            .expect("every machine has one");
        assert!(loopback.is_loopback);
        assert_eq!(loopback.prefix_length, 8);
        assert!(loopback.index > 0);
    }
}
