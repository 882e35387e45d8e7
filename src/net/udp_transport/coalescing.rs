//! When to have the kernel put datagrams together (`UDP_GRO`).
//!
//! It saves most of the cost of a datagram where they come in bursts, and costs each one that comes
//! alone a tenth of a microsecond. So it begins once datagrams have piled up for some time. It does
//! not end: what the kernel has put together by then could not be taken apart any more.

/// Datagrams in one poll that are a pile.
const PILE: usize = 8;

/// What a pile counts for, against polls that found less.
const PILE_WEIGHT: u32 = 32;

/// Where it begins: some piles close to one another, as a stream in flood has and one that was
/// stopped for a moment has not.
const ENOUGH: u32 = 16 * PILE_WEIGHT;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Coalescing {
    /// It has not begun, and may.
    is_awaited: bool,
    score: u32,
}

impl Coalescing {
    pub(super) const fn new(is_wanted: bool) -> Self {
        Self {
            is_awaited: is_wanted,
            score: 0,
        }
    }

    /// A poll brought so many datagrams. Returns whether it is time to begin: once at most.
    #[inline]
    pub(super) const fn on_poll(&mut self, datagrams: usize) -> bool {
        if !self.is_awaited {
            return false;
        }
        if datagrams < PILE {
            self.score = self.score.saturating_sub(1);
            return false;
        }
        self.score += PILE_WEIGHT;
        self.is_awaited = self.score < ENOUGH;
        !self.is_awaited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_once_in_a_flood() {
        let mut coalescing = Coalescing::new(true);
        let begun = (0..1_000).filter(|n| coalescing.on_poll(if n % 3 == 0 { 40 } else { 1 }));
        assert_eq!(begun.count(), 1);
    }

    #[test]
    fn it_does_not_begin_for_a_stop_now_and_then_nor_where_it_is_not_wanted() {
        let mut coalescing = Coalescing::new(true);
        assert!(!(0..100_000).any(|n| coalescing.on_poll(if n % 50 == 0 { 40 } else { 1 })));
        let mut unwanted = Coalescing::new(false);
        assert!(!(0..100_000).any(|_| unwanted.on_poll(40)));
    }
}
