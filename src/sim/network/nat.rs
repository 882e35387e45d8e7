//! Addresses as others see them, where that is not where a socket is bound.

use std::collections::BTreeMap;
use std::net::SocketAddr;

/// First port that a socket is seen by that is bound to another.
const FIRST_PUBLIC_PORT: u16 = 50_000;

/// Which socket is seen by which address. One that is in no table is seen by its own.
#[derive(Debug, Default)]
pub(super) struct Translations {
    public: BTreeMap<SocketAddr, SocketAddr>,
    own: BTreeMap<SocketAddr, SocketAddr>,
    given: u16,
}

impl Translations {
    /// By which address others see a socket.
    pub(super) fn public(&self, own: SocketAddr) -> SocketAddr {
        self.public.get(&own).copied().unwrap_or(own)
    }

    /// Where the socket is bound that others see by an address; `None` if there is none any more.
    pub(super) fn own(&self, public: SocketAddr) -> Option<SocketAddr> {
        match self.own.get(&public) {
            Some(own) => Some(*own),
            None => (!self.public.contains_key(&public)).then_some(public),
        }
    }

    /// Has a socket be seen by an address that nobody was seen by before.
    pub(super) fn renew(&mut self, own: SocketAddr) {
        self.forget(own);
        let port = FIRST_PUBLIC_PORT + self.given;
        self.given = (self.given + 1) % (u16::MAX - FIRST_PUBLIC_PORT);
        let public = SocketAddr::new(own.ip(), port);
        self.public.insert(own, public);
        self.own.insert(public, own);
    }

    /// A socket is closed.
    pub(super) fn forget(&mut self, own: SocketAddr) {
        if let Some(public) = self.public.remove(&own) {
            self.own.remove(&public);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_seen_elsewhere_is_reached_there_alone() {
        let own: SocketAddr = ([10, 0, 0, 1], 40_000).into();
        let mut translations = Translations::default();
        assert_eq!(translations.own(own), Some(own));
        translations.renew(own);
        let first = translations.public(own);
        assert_ne!(first, own);
        assert_eq!(translations.own(first), Some(own));
        assert_eq!(translations.own(own), None);
        translations.renew(own);
        // Nobody is bound there.
        assert_eq!(translations.own(first), Some(first));
        translations.forget(own);
        assert_eq!(translations.public(own), own);
    }
}
