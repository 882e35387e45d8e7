//! Host names by the operating system.

use std::net::{IpAddr, ToSocketAddrs};

use crate::port::{NameResolver, ResolveError};

/// Asks the operating system; an IPv4 address is taken before an IPv6 one.
///
/// ```
/// use aileron::port::NameResolver;
/// use aileron::runtime::SystemResolver;
/// assert!(SystemResolver.resolve("localhost", false).unwrap().is_loopback());
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "has no state and never will")]
pub struct SystemResolver;

impl NameResolver for SystemResolver {
    fn rest_ns(&self) -> i64 {
        i64::MAX
    }

    fn resolve(&mut self, host: &str, _is_re_resolution: bool) -> Result<IpAddr, ResolveError> {
        let failed = |reason: String| ResolveError {
            name: host.to_owned(),
            reason,
        };
        let addresses = (host, 0)
            .to_socket_addrs()
            .map_err(|error| failed(error.to_string()))?;
        addresses
            .map(|address| address.ip())
            .min_by_key(IpAddr::is_ipv6)
            .ok_or_else(|| failed("it has no address".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_ipv4_and_an_unknown_name_is_an_error_that_names_it() {
        let address = SystemResolver.resolve("localhost", false).expect("known");
        assert_eq!(address, IpAddr::from([127, 0, 0, 1]));
        let error = SystemResolver
            .resolve("no-such-host.invalid", false)
            .expect_err("unknown");
        assert_eq!(error.name, "no-such-host.invalid");
    }
}
