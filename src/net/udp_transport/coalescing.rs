//! When to have the kernel put datagrams together (`UDP_GRO`).
//!
//! It saves most of the cost of a datagram where they come in bursts, and costs each one that comes
//! alone a tenth of a microsecond. So it begins once more of them come together than alone. It does
//! not end: what the kernel has put together by then could not be taken apart any more.

/// Where it begins: so many datagrams that came together, not counting as many as came alone.
const ENOUGH: usize = 512;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Coalescing {
    /// It has not begun, and may.
    is_awaited: bool,
    /// Datagrams that came together, less those that came alone.
    together: usize,
}

impl Coalescing {
    pub(super) const fn new(is_wanted: bool) -> Self {
        Self {
            is_awaited: is_wanted,
            together: 0,
        }
    }

    /// A poll brought so many datagrams. Returns whether it is time to begin: once at most.
    #[inline]
    pub(super) const fn on_poll(&mut self, datagrams: usize) -> bool {
        if !self.is_awaited {
            return false;
        }
        match datagrams {
            0 => {}
            1 => self.together = self.together.saturating_sub(1),
            _ => self.together = self.together.saturating_add(datagrams),
        }
        self.is_awaited = self.together < ENOUGH;
        !self.is_awaited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_once_in_a_flood_however_fast_the_receiver_is() {
        for together in [2, 40] {
            let mut coalescing = Coalescing::new(true);
            let found = [1, together, 0, 0].into_iter().cycle().take(4_000);
            let begun = found.filter(|datagrams| coalescing.on_poll(*datagrams));
            assert_eq!(begun.count(), 1);
        }
    }

    #[test]
    fn it_does_not_begin_for_a_stop_now_and_then_nor_where_it_is_not_wanted() {
        let mut coalescing = Coalescing::new(true);
        assert!(!(0..100_000).any(|n| coalescing.on_poll(if n % 50 == 0 { 40 } else { 1 })));
        let mut unwanted = Coalescing::new(false);
        assert!(!(0..100_000).any(|_| unwanted.on_poll(40)));
    }
}
