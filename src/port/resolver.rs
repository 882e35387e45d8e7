//! Host names to addresses.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use super::Tick;

/// A host name that could not be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveError {
    /// The name.
    pub name: String,
    /// What the resolver said.
    pub reason: String,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot resolve host '{}': {}", self.name, self.reason)
    }
}

impl std::error::Error for ResolveError {}

/// Resolves the host part of an endpoint. May block: it is only called by the resource agent.
pub trait NameResolver: Send {
    /// Address of `host`, which is never an IP literal. IPv4 is preferred (`driver.md` §15.1).
    ///
    /// # Errors
    /// The host is unknown or the look-up failed.
    fn resolve(&mut self, host: &str, is_re_resolution: bool) -> Result<IpAddr, ResolveError>;

    /// Maps a whole `host:port` text before it is split; the identity unless overridden.
    fn lookup(&mut self, endpoint: &str) -> Option<String> {
        let _ = endpoint;
        None
    }

    /// Background work of resolvers that talk to others. Returns how much was done.
    fn do_work(&mut self, tick: Tick) -> usize {
        let _ = tick;
        0
    }

    /// Nanoseconds that may pass between two calls of [`Self::do_work`] while a driver has nothing
    /// else to do; more where there is no such work.
    fn rest_ns(&self) -> i64 {
        10_000_000
    }
}

/// A fixed table of names; `localhost` is always known.
///
/// ```
/// use aileron::port::{NameResolver, StaticResolver};
/// let mut resolver = StaticResolver::default();
/// resolver.insert("md-1", "10.0.0.7".parse().unwrap());
/// assert_eq!(resolver.resolve("md-1", false).unwrap().to_string(), "10.0.0.7");
/// assert!(resolver.resolve("md-2", false).is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct StaticResolver {
    hosts: BTreeMap<String, IpAddr>,
}

impl StaticResolver {
    /// Adds or replaces a name.
    pub fn insert(&mut self, host: &str, address: IpAddr) {
        self.hosts.insert(host.to_owned(), address);
    }
}

impl NameResolver for StaticResolver {
    fn rest_ns(&self) -> i64 {
        i64::MAX
    }

    fn resolve(&mut self, host: &str, _is_re_resolution: bool) -> Result<IpAddr, ResolveError> {
        if let Some(address) = self.hosts.get(host) {
            return Ok(*address);
        }
        if host == "localhost" {
            return Ok(IpAddr::from([127, 0, 0, 1]));
        }
        Err(ResolveError {
            name: host.to_owned(),
            reason: "not in the table".to_owned(),
        })
    }
}
