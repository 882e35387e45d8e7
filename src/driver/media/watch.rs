//! The transports that an agent polls in each cycle: all of them while there are few, otherwise
//! those that have something to receive.
//!
//! To poll a socket that has nothing costs a good part of a microsecond, and to be watched costs a
//! socket something with each datagram. So watching begins when there are many.

use std::time::Duration;

use crate::port::{Readiness, Transport};

/// Transports up to which all are polled.
const FEW: usize = 5;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Watch<T: Transport> {
    count: usize,
    /// There while there are many, unless the operating system refused.
    readiness: Option<T::Readiness>,
    /// There while an agent with few transports rests from time to time.
    resting: Option<T::Readiness>,
    has_failed: bool,
    ready: Vec<u64>,
}

impl<T: Transport> Watch<T> {
    /// A watch over nothing.
    pub(crate) const fn new() -> Self {
        Self {
            count: 0,
            readiness: None,
            resting: None,
            has_failed: false,
            ready: Vec::new(),
        }
    }

    /// A transport was added to `all`, where each has a token of its own.
    pub(crate) fn on_added<'a>(
        &mut self,
        token: u64,
        transport: &T,
        all: impl Iterator<Item = (u64, &'a T)>,
    ) where
        T: 'a,
    {
        self.count += 1;
        self.resting = None;
        if self.count <= FEW || self.has_failed {
            return;
        }
        let watched = match &mut self.readiness {
            Some(readiness) => readiness.add(token, transport),
            None => self.watch_all(all),
        };
        if watched.is_err() {
            // Nothing may be missed: all are polled from now on.
            self.readiness = None;
            self.has_failed = true;
        }
    }

    fn watch_all<'a>(&mut self, all: impl Iterator<Item = (u64, &'a T)>) -> std::io::Result<()>
    where
        T: 'a,
    {
        self.readiness = Some(watching(all)?);
        Ok(())
    }

    /// Waits until one of the transports, which are `all`, has something to receive, or for about
    /// `period`. Returns whether it has waited.
    pub(crate) fn rest<'a>(
        &mut self,
        period: Duration,
        all: impl Iterator<Item = (u64, &'a T)>,
    ) -> bool
    where
        T: 'a,
    {
        if self.count == 0 || self.has_failed {
            return false;
        }
        if self.readiness.is_none() && self.resting.is_none() {
            self.resting = watching(all).ok();
        }
        let watched = self.readiness.as_mut().or(self.resting.as_mut());
        watched.is_some_and(|readiness| readiness.wait(period))
    }

    /// There is something to do: few transports are not watched meanwhile.
    #[inline]
    pub(crate) fn end_rest(&mut self) {
        if self.resting.is_some() {
            self.resting = None;
        }
    }

    /// A transport was removed.
    pub(crate) fn on_removed(&mut self, token: u64, transport: &T) {
        debug_assert!(self.count > 0, "only what was added is removed");
        self.count -= 1;
        self.resting = None;
        if let Some(readiness) = &mut self.readiness {
            readiness.remove(token, transport);
        }
        if self.count <= FEW {
            self.readiness = None;
            self.has_failed = false;
        }
    }

    /// The tokens of the transports to poll in this cycle, to be given back to [`Self::done`];
    /// nothing if all are to be polled.
    #[inline]
    pub(crate) fn ready(&mut self) -> Option<Vec<u64>> {
        let readiness = self.readiness.as_mut()?;
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        if readiness.look(|token| ready.push(token)).is_err() {
            self.ready = ready;
            return None;
        }
        Some(ready)
    }

    /// Takes the list back, for the next cycle.
    pub(crate) fn done(&mut self, ready: Vec<u64>) {
        self.ready = ready;
    }
}

fn watching<'a, T: Transport + 'a>(
    all: impl Iterator<Item = (u64, &'a T)>,
) -> std::io::Result<T::Readiness> {
    let mut readiness = T::Readiness::open()?;
    for (token, transport) in all {
        readiness.add(token, transport)?;
    }
    Ok(readiness)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::media::fake_transport::FakeTransport;

    #[test]
    fn watching_begins_with_many_transports_and_ends_with_few() {
        let transports: Vec<FakeTransport> = (0..8).map(|_| FakeTransport::new()).collect();
        let mut watch = Watch::new();
        for (count, transport) in (1..).zip(&transports) {
            let token = u64::try_from(count).expect("small");
            let all = (1..).zip(&transports[..count]);
            watch.on_added(token, transport, all);
            let ready = watch.ready();
            assert_eq!(ready.is_some(), count > FEW);
            assert!(ready.is_none_or(|tokens| tokens.len() == count));
        }
        for (count, transport) in (1..).zip(&transports) {
            watch.on_removed(count, transport);
            let left = 8 - usize::try_from(count).expect("small");
            let ready = watch.ready();
            assert_eq!(ready.is_some(), left > FEW);
            assert!(ready.is_none_or(|tokens| !tokens.contains(&count)));
        }
    }
}
