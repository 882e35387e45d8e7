//! `host:port` texts (`uri.md` §5.1): taking them apart and resolving them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::command::ErrorCode;
use crate::driver::media::udp_channel::ChannelError;
use crate::port::NameResolver;

/// The host of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// Needs no look-up.
    Literal(IpAddr),
    /// Must be resolved.
    Name(String),
}

impl Host {
    /// A host that is not in brackets: an IPv4 literal or a name. `None` if it is empty.
    pub(super) fn parse_unbracketed(text: &str) -> Option<Self> {
        if text.is_empty() || text.contains(['[', ']']) {
            return None;
        }
        let literal = text.parse::<Ipv4Addr>();
        Some(literal.map_or_else(
            |_| Self::Name(text.to_owned()),
            |address| Self::Literal(IpAddr::V4(address)),
        ))
    }

    /// The address, by way of the resolver if it is a name.
    pub(super) fn resolve(
        &self,
        parameter: &str,
        resolver: &mut dyn NameResolver,
        is_re_resolution: bool,
    ) -> Result<IpAddr, ChannelError> {
        match self {
            Self::Literal(address) => Ok(*address),
            Self::Name(name) => resolver.resolve(name, is_re_resolution).map_err(|error| {
                ChannelError::new(ErrorCode::UnknownHost, format!("{parameter}: {error}"))
            }),
        }
    }
}

/// A host with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    /// The host.
    pub(crate) host: Host,
    /// The port; 0 leaves the choice open.
    pub(crate) port: u16,
}

impl HostPort {
    /// Takes `host:port` or `[ipv6]:port` apart; a scope within the brackets is discarded. `None`
    /// if the text is anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, rest) = if text.starts_with('[') {
            let (address, rest) = split_bracketed(text)?;
            (Host::Literal(IpAddr::V6(address)), rest)
        } else {
            let (host, _) = text.split_once(':')?;
            (Host::parse_unbracketed(host)?, &text[host.len()..])
        };
        let port = parse_port(rest.strip_prefix(':')?)?;
        Some(Self { host, port })
    }
}

/// Splits `[ipv6%scope]rest` into the address and the rest.
pub(super) fn split_bracketed(text: &str) -> Option<(Ipv6Addr, &str)> {
    let (inside, rest) = text.strip_prefix('[')?.split_once(']')?;
    let (address, scope) = match inside.split_once('%') {
        Some((address, scope)) => (address, Some(scope)),
        None => (inside, None),
    };
    let is_scope_byte = |b: u8| b.is_ascii_alphanumeric() || b"_.~-".contains(&b);
    if scope.is_some_and(|scope| scope.is_empty() || !scope.bytes().all(is_scope_byte)) {
        return None;
    }
    if !address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':') {
        return None;
    }
    Some((address.parse().ok()?, rest))
}

/// Reads a port: digits only, at most 65535.
pub(super) fn parse_port(text: &str) -> Option<u16> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_digits { text.parse().ok() } else { None }
}

/// Takes the value of `parameter` apart, after giving the resolver the chance to map the whole
/// text, and resolves it.
///
/// # Errors
/// `InvalidChannel` if it is not `host:port`, `UnknownHost` if the host does not resolve.
pub(crate) fn resolve_host_port(
    text: &str,
    parameter: &str,
    resolver: &mut dyn NameResolver,
    is_re_resolution: bool,
) -> Result<SocketAddr, ChannelError> {
    let mapped = resolver.lookup(text);
    let text = mapped.as_deref().unwrap_or(text);
    let parsed = HostPort::parse(text).ok_or_else(|| {
        ChannelError::invalid(format!("{parameter}={text} is not of the form host:port"))
    })?;
    let address = parsed.host.resolve(parameter, resolver, is_re_resolution)?;
    Ok(SocketAddr::new(address, parsed.port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::StaticResolver;

    #[test]
    fn literals_and_names_are_told_apart() {
        let parsed = HostPort::parse("10.0.0.1:20121").expect("literal");
        assert_eq!(
            parsed.host,
            Host::Literal("10.0.0.1".parse().expect("literal"))
        );
        assert_eq!(parsed.port, 20121);
        let parsed = HostPort::parse("md-1.example:0").expect("name");
        assert_eq!(parsed.host, Host::Name("md-1.example".to_owned()));
        assert_eq!(parsed.port, 0);
        let parsed = HostPort::parse("[fe80::1%eth0.1~_-]:65535").expect("scoped");
        assert_eq!(
            parsed.host,
            Host::Literal("fe80::1".parse().expect("literal"))
        );
        assert_eq!(parsed.port, 65535);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            ":",
            ":1",
            "host",
            "host:",
            "host:x",
            "host:-1",
            "host:+1",
            "host:65536",
            "a:b:1",
            "::1:1",
            "[::1]",
            "[::1]1",
            "[::1]:",
            "[::1]:x",
            "[]:1",
            "[g::1]:1",
            "[::1%]:1",
            "[::1%a b]:1",
            "[::1",
            "[1.2.3.4]:1",
            "[host]:1",
            "host]:1",
            "[::1]:65536",
            "[::1%é]:1",
        ] {
            assert_eq!(HostPort::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_that_does_not_resolve_is_an_unknown_host() {
        let mut resolver = StaticResolver::default();
        let address = resolve_host_port("localhost:7", "endpoint", &mut resolver, false);
        assert_eq!(address, Ok("127.0.0.1:7".parse().expect("literal")));
        let error = resolve_host_port("nowhere:7", "endpoint", &mut resolver, false).unwrap_err();
        assert_eq!(error.code, ErrorCode::UnknownHost);
        assert!(error.text.contains("endpoint") && error.text.contains("nowhere"));
        let error = resolve_host_port("nowhere", "control", &mut resolver, false).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidChannel);
    }

    #[test]
    fn the_resolver_may_map_the_whole_text() {
        struct Table;
        impl NameResolver for Table {
            fn resolve(&mut self, _: &str, _: bool) -> Result<IpAddr, crate::port::ResolveError> {
                unreachable!("the mapped text is a literal")
            }
            fn lookup(&mut self, endpoint: &str) -> Option<String> {
                (endpoint == "feed-a").then(|| "10.1.1.1:4000".to_owned())
            }
        }
        let address = resolve_host_port("feed-a", "endpoint", &mut Table, false);
        assert_eq!(address, Ok("10.1.1.1:4000".parse().expect("literal")));
    }
}
