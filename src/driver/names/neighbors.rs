//! The drivers that gossip goes to, and the names that gossip brought.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::base::Nanos;

/// Most drivers that are told names; more than that are not listened to.
pub(super) const NEIGHBORS_MAX: usize = 512;
/// Most names that are remembered.
pub(super) const CACHE_ENTRIES_MAX: usize = 512;

/// No room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Drivers and when they last spoke for themselves.
#[derive(Debug, Default)]
pub(super) struct Neighbors {
    /// In the order in which they became known.
    list: Vec<(SocketAddr, Nanos)>,
}

impl Neighbors {
    /// A driver was heard of at `heard`. One that is known already is kept alive only by what it
    /// says itself.
    pub(super) fn on_heard(
        &mut self,
        address: SocketAddr,
        heard: Nanos,
        is_self: bool,
    ) -> Result<(), Full> {
        let is_full = self.list.len() == NEIGHBORS_MAX;
        match self.list.iter_mut().find(|(known, _)| *known == address) {
            Some((_, last)) => {
                if is_self {
                    *last = heard;
                }
            }
            None if is_full => return Err(Full),
            None => self.list.push((address, heard)),
        }
        Ok(())
    }

    /// Forgets those that have been silent for `timeout_ns`; returns how many.
    pub(super) fn expire(&mut self, now: Nanos, timeout_ns: i64) -> usize {
        let before = self.list.len();
        self.list
            .retain(|(_, heard)| !now.is_at_or_after(heard.plus_ns(timeout_ns)));
        before - self.list.len()
    }

    pub(super) fn contains(&self, address: SocketAddr) -> bool {
        self.list.iter().any(|(known, _)| *known == address)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = SocketAddr> {
        self.list.iter().map(|(address, _)| *address)
    }
}

/// Where a name leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CacheEntry {
    pub(super) address: SocketAddr,
    /// When the driver of that name last spoke, as far as is known.
    pub(super) heard: Nanos,
}

/// Names of other drivers. A name has an entry per address family.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: BTreeMap<(Box<[u8]>, bool), CacheEntry>,
}

impl Cache {
    /// Remembers where a name leads, unless something newer is known.
    pub(super) fn on_heard(&mut self, name: &[u8], entry: CacheEntry) -> Result<(), Full> {
        let key = (Box::from(name), entry.address.is_ipv6());
        let is_full = self.entries.len() == CACHE_ENTRIES_MAX;
        match self.entries.get_mut(&key) {
            Some(known) => {
                // Departs from Aeron, where what arrives last counts: a neighbour that has not
                // noticed yet that a driver moved would move it back.
                if entry.heard.since(known.heard) >= 0 {
                    *known = entry;
                }
            }
            None if is_full => return Err(Full),
            None => drop(self.entries.insert(key, entry)),
        }
        Ok(())
    }

    /// Forgets names whose drivers have been silent for `timeout_ns`; returns how many.
    pub(super) fn expire(&mut self, now: Nanos, timeout_ns: i64) -> usize {
        let before = self.entries.len();
        self.entries
            .retain(|_, entry| !now.is_at_or_after(entry.heard.plus_ns(timeout_ns)));
        before - self.entries.len()
    }

    /// Where a name leads; IPv4 before IPv6.
    pub(super) fn find(&self, name: &[u8]) -> Option<IpAddr> {
        let find = |is_ipv6| self.entries.get(&(Box::from(name), is_ipv6));
        let entry = find(false).or_else(|| find(true))?;
        Some(entry.address.ip())
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], CacheEntry)> {
        self.entries
            .iter()
            .map(|((name, _), entry)| (&**name, *entry))
    }
}
