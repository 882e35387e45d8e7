//! Ports for channels that leave the port open (`driver.md` §16.4).
//!
//! The sender and the receiver side each have one. Without a range the operating system chooses.

use std::collections::BTreeMap;
use std::fmt;

use crate::driver::config::PortRange;

/// No port of the range is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PortsExhausted(PortRange);

impl fmt::Display for PortsExhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no available ports in range {}", self.0)
    }
}

/// Hands out the ports of a range in turn, and knows which ports are in use.
#[derive(Debug)]
pub(crate) struct WildcardPorts {
    range: Option<PortRange>,
    next: u16,
    /// How many transports use a port.
    uses: BTreeMap<u16, usize>,
}

impl WildcardPorts {
    /// All ports of `range` are free; without a range, ports are only counted.
    pub(crate) fn new(range: Option<PortRange>) -> Self {
        Self {
            range,
            next: range.map_or(0, |range| range.low),
            uses: BTreeMap::new(),
        }
    }

    /// The port to bind when a channel asks for `port`. Counts its use; [`Self::release`] ends it.
    /// `is_managed` says whether an open port is taken from the range.
    ///
    /// # Errors
    /// The range has no free port.
    pub(crate) fn acquire(&mut self, port: u16, is_managed: bool) -> Result<u16, PortsExhausted> {
        let chosen = match self.range {
            Some(range) if port == 0 && is_managed => self.next_free(range)?,
            Some(_) | None => port,
        };
        if chosen != 0 {
            *self.uses.entry(chosen).or_default() += 1;
        }
        Ok(chosen)
    }

    /// A transport bound to `port` is gone.
    pub(crate) fn release(&mut self, port: u16) {
        if let Some(uses) = self.uses.get_mut(&port) {
            *uses -= 1;
            if *uses == 0 {
                self.uses.remove(&port);
            }
        }
    }

    fn next_free(&mut self, range: PortRange) -> Result<u16, PortsExhausted> {
        for _ in range.low..=range.high {
            let port = self.next;
            self.next = if port >= range.high {
                range.low
            } else {
                port + 1
            };
            if !self.uses.contains_key(&port) {
                return Ok(port);
            }
        }
        Err(PortsExhausted(range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: PortRange = PortRange {
        low: 65_534,
        high: 65_535,
    };

    #[test]
    fn ports_are_given_in_turn_until_none_is_free() {
        let mut ports = WildcardPorts::new(Some(RANGE));
        assert_eq!(ports.acquire(0, true), Ok(65_534));
        assert_eq!(ports.acquire(0, true), Ok(65_535));
        let error = ports.acquire(0, true).expect_err("both are in use");
        assert_eq!(error.to_string(), "no available ports in range 65534 65535");
        ports.release(65_535);
        assert_eq!(ports.acquire(0, true), Ok(65_535));
    }

    #[test]
    fn explicit_ports_are_counted_per_use() {
        let mut ports = WildcardPorts::new(Some(RANGE));
        assert_eq!(ports.acquire(65_534, true), Ok(65_534));
        assert_eq!(ports.acquire(65_534, true), Ok(65_534));
        ports.release(65_534);
        assert_eq!(ports.acquire(0, true), Ok(65_535));
        ports.release(65_534);
        assert_eq!(ports.acquire(0, true), Ok(65_534));
    }

    #[test]
    fn open_port_stays_open_without_range_or_when_unmanaged() {
        assert_eq!(WildcardPorts::new(None).acquire(0, true), Ok(0));
        assert_eq!(WildcardPorts::new(Some(RANGE)).acquire(0, false), Ok(0));
    }
}
