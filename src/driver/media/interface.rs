//! The `interface` parameter (`uri.md` §5.2) and the local address it stands for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::host_port::{Host, parse_port, split_bracketed};
use super::udp_channel::ChannelError;
use crate::port::{InterfaceQuery, InterfaceSelector, Interfaces, NameResolver};
use crate::uri::params;

/// An `interface` value taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InterfaceParam {
    /// `addr[:port][/prefix]`.
    Address {
        /// Address or name to compare with.
        host: Host,
        /// Port to bind; 0 leaves the choice open.
        port: u16,
        /// Leading bits compared; all if absent.
        prefix_length: Option<u8>,
    },
    /// `{name}[:port]`.
    Name {
        /// The operating system's name.
        name: String,
        /// Port to bind; 0 leaves the choice open.
        port: u16,
    },
}

impl InterfaceParam {
    /// Takes the text apart; `None` if it follows neither form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('{') {
            let (name, rest) = rest.split_once('}')?;
            let port = parse_optional_port(rest)?;
            let name = name.to_owned();
            return (!name.is_empty()).then_some(Self::Name { name, port });
        }
        let (address, prefix_length) = match text.split_once('/') {
            // Not `parse_port`'s width, but its form: digits only.
            Some((address, prefix)) => (address, Some(u8::try_from(parse_port(prefix)?).ok()?)),
            None => (text, None),
        };
        let (host, rest) = if address.starts_with('[') {
            let (literal, rest) = split_bracketed(address)?;
            (Host::Literal(IpAddr::V6(literal)), rest)
        } else {
            let end = address.find(':').unwrap_or(address.len());
            (Host::parse_unbracketed(&address[..end])?, &address[end..])
        };
        let longest = match host {
            Host::Literal(IpAddr::V4(_)) => 32,
            Host::Literal(IpAddr::V6(_)) | Host::Name(_) => 128,
        };
        if prefix_length.is_some_and(|length| length > longest) {
            return None;
        }
        let port = parse_optional_port(rest)?;
        Some(Self::Address {
            host,
            port,
            prefix_length,
        })
    }
}

fn parse_optional_port(text: &str) -> Option<u16> {
    if text.is_empty() {
        return Some(0);
    }
    parse_port(text.strip_prefix(':')?)
}

/// A local address and, where an interface was looked up, its index (else 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalAddress {
    pub(crate) address: SocketAddr,
    pub(crate) interface_index: u32,
}

/// Any address of a family, port 0.
pub(super) const fn any_address(ipv6: bool) -> SocketAddr {
    let address = if ipv6 {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    } else {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    };
    SocketAddr::new(address, 0)
}

/// The local address of a channel whose peer or group is of the family `ipv6`.
pub(crate) fn resolve_interface(
    text: Option<&str>,
    ipv6: bool,
    is_multicast: bool,
    resolver: &mut dyn NameResolver,
    interfaces: &dyn Interfaces,
) -> Result<LocalAddress, ChannelError> {
    let any = any_address(ipv6);
    let Some(text) = text else {
        if !is_multicast {
            return Ok(LocalAddress {
                address: any,
                interface_index: 0,
            });
        }
        let selector = InterfaceSelector::Address {
            address: any.ip(),
            prefix_length: 0,
        };
        return find(selector, 0, ipv6, is_multicast, interfaces);
    };
    let parsed = InterfaceParam::parse(text).ok_or_else(|| {
        ChannelError::invalid(format!(
            "{}={text} is not of the form address[:port][/prefix length] or {{name}}[:port]",
            params::INTERFACE
        ))
    })?;
    match parsed {
        InterfaceParam::Name { name, port } => {
            let selector = InterfaceSelector::Name(name);
            find(selector, port, ipv6, is_multicast, interfaces)
        }
        InterfaceParam::Address {
            host,
            port,
            prefix_length,
        } => {
            let address = host.resolve(params::INTERFACE, resolver, false)?;
            if !is_multicast && address.is_unspecified() {
                return Ok(LocalAddress {
                    address: SocketAddr::new(address, port),
                    interface_index: 0,
                });
            }
            let longest = if address.is_ipv6() { 128 } else { 32 };
            let selector = InterfaceSelector::Address {
                address,
                prefix_length: prefix_length.unwrap_or(longest).min(longest),
            };
            find(selector, port, ipv6, is_multicast, interfaces)
        }
    }
}

fn find(
    selector: InterfaceSelector,
    port: u16,
    ipv6: bool,
    multicast: bool,
    interfaces: &dyn Interfaces,
) -> Result<LocalAddress, ChannelError> {
    let query = InterfaceQuery {
        selector,
        ipv6,
        multicast,
    };
    let found = interfaces
        .find(&query)
        .map_err(|error| ChannelError::invalid(format!("{}: {error}", params::INTERFACE)))?;
    Ok(LocalAddress {
        address: SocketAddr::new(found.address, port),
        interface_index: found.index,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, port: u16, prefix_length: Option<u8>) -> InterfaceParam {
        let host = Host::Literal(host.parse().expect("literal"));
        InterfaceParam::Address {
            host,
            port,
            prefix_length,
        }
    }

    #[test]
    fn all_forms_are_understood() {
        for (text, expected) in [
            ("127.0.0.1", address("127.0.0.1", 0, None)),
            ("127.0.0.0:40455/29", address("127.0.0.0", 40455, Some(29))),
            ("0.0.0.0/0", address("0.0.0.0", 0, Some(0))),
            ("[::1]:54321/64", address("::1", 54321, Some(64))),
            ("[fe80::1%lo]/128", address("fe80::1", 0, Some(128))),
        ] {
            assert_eq!(InterfaceParam::parse(text), Some(expected), "{text}");
        }
        let named = |port| InterfaceParam::Name {
            name: "eth0".to_owned(),
            port,
        };
        assert_eq!(InterfaceParam::parse("{eth0}"), Some(named(0)));
        assert_eq!(InterfaceParam::parse("{eth0}:40455"), Some(named(40455)));
        let host = Host::Name("localhost".to_owned());
        let expected = InterfaceParam::Address {
            host,
            port: 5,
            prefix_length: Some(8),
        };
        assert_eq!(InterfaceParam::parse("localhost:5/8"), Some(expected));
    }

    #[test]
    fn malformed_values_are_refused() {
        for text in [
            "",
            "127.0.0.1/",
            "127.0.0.1/33",
            "127.0.0.1/-1",
            "127.0.0.1/x",
            "[::1]/129",
            "127.0.0.1:",
            "127.0.0.1:x",
            "127.0.0.1:65536",
            "127.0.0.1/24:5",
            "[::1",
            "::1",
            "{eth0",
            "{}",
            "{eth0}:",
            "{eth0}:x",
            "{eth0}5",
            "{eth0}:65536",
            "/24",
            "127.0.0.1/1000000",
        ] {
            assert_eq!(InterfaceParam::parse(text), None, "{text}");
        }
    }
}
