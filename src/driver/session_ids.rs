//! Session ids: which are active, and which one is next (`driver.md` §11.6).
//!
//! A session is active on a *medium*: the canonical form of a channel, or [`IPC_MEDIUM`]. The same
//! id may be active on several.

use std::collections::BTreeSet;

use crate::base::{SessionId, StreamId};

/// Stands for the canonical form of a channel in the sessions of IPC publications.
pub(crate) const IPC_MEDIUM: &str = "ipc";

/// The generator of session ids and the set of those in use.
#[derive(Debug)]
pub(crate) struct SessionIds {
    next: i32,
    reserved_low: i32,
    reserved_high: i32,
    active: BTreeSet<(SessionId, StreamId, String)>,
}

impl SessionIds {
    /// Starts at `first`; ids within `reserved_low..=reserved_high` are never generated.
    pub(crate) const fn new(first: i32, reserved_low: i32, reserved_high: i32) -> Self {
        Self {
            next: first,
            reserved_low,
            reserved_high,
            active: BTreeSet::new(),
        }
    }

    /// The generator's next id, used or not.
    pub(crate) const fn advance(&mut self) -> SessionId {
        let id = self.next;
        if self.reserved_low <= id && id <= self.reserved_high {
            let first_free = self.reserved_high.wrapping_add(1);
            self.next = self.reserved_high.wrapping_add(2);
            return SessionId(first_free);
        }
        self.next = id.wrapping_add(1);
        SessionId(id)
    }

    /// The next id that is not active for the stream on `medium`.
    pub(crate) fn next_on(&mut self, stream_id: StreamId, medium: &str) -> SessionId {
        loop {
            let id = self.advance();
            if !self.is_active(id, stream_id, medium) {
                return id;
            }
        }
    }

    /// The next id that is not active for the stream on any medium. It is not reserved.
    pub(crate) fn next_on_any(&mut self, stream_id: StreamId) -> SessionId {
        loop {
            let id = self.advance();
            let from = (id, stream_id, String::new());
            let is_used = self
                .active
                .range(from..)
                .next()
                .is_some_and(|(session, stream, _)| *session == id && *stream == stream_id);
            if !is_used {
                return id;
            }
        }
    }

    /// Whether a live publication has the id for this stream on `medium`.
    pub(crate) fn is_active(&self, id: SessionId, stream_id: StreamId, medium: &str) -> bool {
        self.active.contains(&(id, stream_id, medium.to_owned()))
    }

    /// Marks an id as active.
    pub(crate) fn activate(&mut self, id: SessionId, stream_id: StreamId, medium: &str) {
        self.active.insert((id, stream_id, medium.to_owned()));
    }

    /// Gives an id back.
    pub(crate) fn release(&mut self, id: SessionId, stream_id: StreamId, medium: &str) {
        self.active.remove(&(id, stream_id, medium.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: StreamId = StreamId(1001);

    #[test]
    fn reserved_range_is_jumped_over() {
        let mut ids = SessionIds::new(-2, -1, 1000);
        assert_eq!(ids.advance(), SessionId(-2));
        assert_eq!(ids.advance(), SessionId(1001));
        assert_eq!(ids.advance(), SessionId(1002));
    }

    #[test]
    fn generator_wraps_around() {
        let mut ids = SessionIds::new(i32::MAX, -1, 1000);
        assert_eq!(ids.advance(), SessionId(i32::MAX));
        assert_eq!(ids.advance(), SessionId(i32::MIN));
    }

    #[test]
    fn active_ids_are_skipped_for_the_same_stream_and_medium_only() {
        let mut ids = SessionIds::new(2000, -1, 1000);
        ids.activate(SessionId(2000), STREAM, IPC_MEDIUM);
        ids.activate(SessionId(2001), STREAM, "UDP-0.0.0.0:0-127.0.0.1:4000");
        ids.activate(SessionId(2002), StreamId(7), IPC_MEDIUM);
        assert_eq!(ids.next_on(STREAM, IPC_MEDIUM), SessionId(2001));
        assert_eq!(ids.next_on(STREAM, IPC_MEDIUM), SessionId(2002));
    }

    #[test]
    fn next_on_any_looks_at_every_medium_but_only_at_the_stream() {
        let mut ids = SessionIds::new(2000, -1, 1000);
        ids.activate(SessionId(2000), STREAM, IPC_MEDIUM);
        ids.activate(SessionId(2001), STREAM, "UDP-0.0.0.0:0-127.0.0.1:4000");
        ids.activate(SessionId(2002), StreamId(7), IPC_MEDIUM);
        assert_eq!(ids.next_on_any(STREAM), SessionId(2002));
        ids.release(SessionId(2003), STREAM, IPC_MEDIUM);
        assert_eq!(ids.next_on_any(STREAM), SessionId(2003));
    }
}
