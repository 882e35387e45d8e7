//! What drivers tell each other about names (`driver.md` §15.3, `wire.md` §12).
//!
//! Each driver says every second who and where it is, to its bootstrap neighbours and to every
//! driver it has heard of, and every two seconds it passes on what it has heard, with the age of
//! each piece of news. So a driver that knows one other soon knows all. A driver that falls silent
//! is forgotten everywhere: what others say of it makes it known, but only its own words keep it
//! alive, and news does not get younger by being passed on.
//!
//! `Gossip` is handed datagrams and the time, and hands back datagrams. Every table has a limit,
//! and nothing that arrives is trusted beyond what it costs: a name that leads nowhere.

use std::net::{IpAddr, SocketAddr};

use super::neighbors::{Cache, CacheEntry, Full, Neighbors};
use crate::base::Nanos;
use crate::protocol::{Frame, FrameError, ResolutionEntry, ResolutionWriter};

const NANOS_PER_MILLI: i64 = 1_000_000;

/// Who this driver is, and how it gossips.
#[derive(Clone, Debug)]
pub(super) struct GossipSpec {
    /// The driver's name, 1 to 512 bytes.
    pub(super) name: Box<[u8]>,
    /// What the socket is bound to; may be a wildcard address.
    pub(super) address: SocketAddr,
    /// Life of neighbours and names.
    pub(super) timeout_ns: i64,
    /// Between announcements of the own name.
    pub(super) self_interval_ns: i64,
    /// Between announcements of the names of others.
    pub(super) cache_interval_ns: i64,
    /// Longest frame.
    pub(super) mtu_length: usize,
}

/// Why a datagram, or a part of it, was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is not a well-formed frame, or its entries are not.
    Frame(FrameError),
    /// An address that nobody can be at.
    Address,
    /// There are as many names or neighbours as can be remembered.
    Full,
}

impl From<FrameError> for Refused {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<Full> for Refused {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Gossip {
    spec: GossipSpec,
    cache: Cache,
    neighbors: Neighbors,
    self_deadline: Nanos,
    cache_deadline: Nanos,
    /// The frame being built.
    frame: Vec<u8>,
}

impl Gossip {
    /// Knows nobody yet. The own name is announced at once, the names of others one interval later.
    pub(super) fn new(spec: GossipSpec, now: Nanos) -> Self {
        Self {
            self_deadline: now,
            cache_deadline: now.plus_ns(spec.cache_interval_ns),
            cache: Cache::default(),
            neighbors: Neighbors::default(),
            frame: Vec::new(),
            spec,
        }
    }

    /// Takes in a datagram. Entries before the first bad one count.
    pub(super) fn on_datagram(
        &mut self,
        datagram: &[u8],
        source: SocketAddr,
        now: Nanos,
    ) -> Result<(), Refused> {
        let Frame::Resolution(frame) = Frame::parse(datagram)? else {
            return Ok(());
        };
        let mut outcome = Ok(());
        for entry in frame.entries() {
            if let Err(refused) = self.on_entry(&entry?, source, now) {
                outcome = Err(refused);
            }
        }
        outcome
    }

    fn on_entry(
        &mut self,
        entry: &ResolutionEntry<'_>,
        source: SocketAddr,
        now: Nanos,
    ) -> Result<(), Refused> {
        let address = located(entry, source)?;
        if address.port() == self.spec.address.port() && *entry.name == *self.spec.name {
            return Ok(());
        }
        // Nobody has heard anything in the future.
        let age_ns = i64::from(entry.age_ms.max(0)) * NANOS_PER_MILLI;
        let heard = now.plus_ns(-age_ns);
        if now.is_at_or_after(heard.plus_ns(self.spec.timeout_ns)) {
            // It would be forgotten before anybody asked.
            return Ok(());
        }
        self.cache
            .on_heard(entry.name, CacheEntry { address, heard })?;
        // A driver without a port can be found but not told anything.
        if address.port() != 0 {
            self.neighbors.on_heard(address, heard, entry.is_self)?;
        }
        Ok(())
    }

    /// Forgets whom nobody has heard of for too long; returns how many names and neighbours.
    pub(super) fn expire(&mut self, now: Nanos) -> usize {
        let timeout_ns = self.spec.timeout_ns;
        self.cache.expire(now, timeout_ns) + self.neighbors.expire(now, timeout_ns)
    }

    /// The other drivers that are known.
    pub(super) fn neighbors(&self) -> impl Iterator<Item = SocketAddr> {
        self.neighbors.iter()
    }

    /// Whether it is time to announce the own name; asking starts the next interval.
    pub(super) fn is_self_due(&mut self, now: Nanos) -> bool {
        is_due(&mut self.self_deadline, now, self.spec.self_interval_ns)
    }

    /// Announces the own name to `bootstrap` neighbours and to all others.
    pub(super) fn announce_self(
        &mut self,
        bootstrap: &[SocketAddr],
        send: &mut impl FnMut(SocketAddr, &[u8]),
    ) {
        self.write_self();
        let others = self
            .neighbors
            .iter()
            .filter(|neighbor| !bootstrap.contains(neighbor));
        for address in bootstrap.iter().copied().chain(others) {
            send(address, &self.frame);
        }
    }

    /// Announces the own name to one driver.
    pub(super) fn announce_to(
        &mut self,
        address: SocketAddr,
        send: &mut impl FnMut(SocketAddr, &[u8]),
    ) {
        self.write_self();
        send(address, &self.frame);
    }

    /// Passes on what was heard, if it is time to.
    pub(super) fn announce_cache(
        &mut self,
        now: Nanos,
        send: &mut impl FnMut(SocketAddr, &[u8]),
    ) -> bool {
        if !is_due(&mut self.cache_deadline, now, self.spec.cache_interval_ns) {
            return false;
        }
        let Self {
            cache,
            neighbors,
            frame,
            spec,
            ..
        } = self;
        let mut entries = cache.iter().peekable();
        while entries.peek().is_some() {
            let mut writer = ResolutionWriter::new(frame, spec.mtu_length);
            while let Some((name, cached)) = entries.peek() {
                let age_ms = now.since(cached.heard) / NANOS_PER_MILLI;
                let entry = ResolutionEntry {
                    is_self: false,
                    address: cached.address.ip(),
                    port: cached.address.port(),
                    age_ms: i32::try_from(age_ms).unwrap_or(i32::MAX),
                    name,
                };
                if writer.push(&entry).is_err() {
                    break;
                }
                entries.next();
            }
            if writer.is_empty() {
                // A name too long for the MTU is not passed on.
                entries.next();
                continue;
            }
            for neighbor in neighbors.iter() {
                send(neighbor, frame);
            }
        }
        true
    }

    /// Where a name leads, if it is that of a driver.
    pub(super) fn resolve(&self, host: &str) -> Option<IpAddr> {
        let name = host.as_bytes();
        let own = || (*name == *self.spec.name).then(|| self.spec.address.ip());
        self.cache.find(name).or_else(own)
    }

    pub(super) fn is_neighbor(&self, address: SocketAddr) -> bool {
        self.neighbors.contains(address)
    }

    pub(super) fn neighbor_count(&self) -> usize {
        self.neighbors.len()
    }

    pub(super) fn cache_entry_count(&self) -> usize {
        self.cache.len()
    }

    fn write_self(&mut self) {
        let entry = ResolutionEntry {
            is_self: true,
            address: self.spec.address.ip(),
            port: self.spec.address.port(),
            age_ms: 0,
            name: &self.spec.name,
        };
        let mut writer = ResolutionWriter::new(&mut self.frame, usize::MAX);
        let written = writer.push(&entry);
        debug_assert!(written.is_ok(), "the name has 1 to 512 bytes");
    }
}

/// Where the driver of an entry is. One that does not know its own address, or its port, is where
/// its datagram came from.
fn located(entry: &ResolutionEntry<'_>, source: SocketAddr) -> Result<SocketAddr, Refused> {
    let mut address = SocketAddr::new(entry.address, entry.port);
    if entry.is_self && address.ip().is_unspecified() {
        address.set_ip(source.ip());
    }
    if entry.is_self && address.port() == 0 {
        address.set_port(source.port());
    }
    if address.ip().is_unspecified() || address.ip().is_multicast() {
        return Err(Refused::Address);
    }
    Ok(address)
}

/// Whether a deadline has come; if so, the next one is an interval from now.
pub(super) const fn is_due(deadline: &mut Nanos, now: Nanos, interval_ns: i64) -> bool {
    let is_due = now.is_at_or_after(*deadline);
    if is_due {
        *deadline = now.plus_ns(interval_ns);
    }
    is_due
}

#[cfg(test)]
mod tests;
