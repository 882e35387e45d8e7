//! From (stream, session) to image, and what to do where there is none (`driver.md` §7.3-7.6).
//!
//! One per receive endpoint. It holds which streams and sessions are wanted and one state per
//! session that it has heard of:
//!
//! ```text
//!            data                        SETUP                  image added
//! (nothing) ─────▶ PendingSetup ───────────────▶ InitInProgress ───────────▶ Active
//!     ▲  │              │ 1 s                          │ failed                │ removed
//!     │  │ unwanted     ▼                              ▼                       ▼
//!     │  └─▶ NoInterest                                        OnCoolDown (unless it ended)
//! ```
//!
//! A session has a state only while its stream is wanted. The sessions that mere datagrams can add
//! (`PendingSetup`, `NoInterest`), and those that are lost (`OnCoolDown`), are bounded in number:
//! past the bound they are not remembered, which costs repeated look-ups, or lets a session come
//! back that was not to; the receiver reports the latter. The maps are ordered, so what happens
//! does not depend on hashing, and session ids chosen by an attacker cannot degrade them.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use crate::base::{CorrelationId, SessionId, StreamId};

/// Sessions per endpoint for which a SETUP was elicited and has not come yet.
pub(crate) const PENDING_SESSIONS_MAX: usize = 1_024;

/// Sessions per endpoint remembered only because nobody wants them.
pub(crate) const UNWANTED_SESSIONS_MAX: usize = 1_024;

/// Sessions per endpoint that may not come back. Those of subscriptions that rejoin leave with
/// their image; the others stay as long as the subscription.
pub(crate) const COOLING_SESSIONS_MAX: usize = 4_096;

/// A session of a stream.
pub(crate) type StreamSession = (StreamId, SessionId);

/// Where the receiver keeps an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ImageSlot(pub(crate) usize);

/// What to do with a data frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataAction {
    /// Nothing.
    Drop,
    /// Insert it into this image.
    Insert(ImageSlot),
    /// Ask for a SETUP.
    Elicit,
}

/// What to do with a SETUP frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetupAction {
    /// Nothing.
    Drop,
    /// The stream has all the images it may have.
    LimitExceeded,
    /// Tell this image that its sender speaks through the transport.
    Connect(ImageSlot),
    /// Have an image created.
    Create,
}

/// A command named a subscription that was never added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownSubscription;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SessionState {
    /// A SETUP was asked for.
    PendingSetup,
    /// The conductor is creating an image.
    InitInProgress,
    /// This image died; the session may not come back yet.
    OnCoolDown { image: CorrelationId },
    /// No subscription matches.
    NoInterest,
    /// Frames go into this image.
    Active {
        slot: ImageSlot,
        image: CorrelationId,
    },
}

#[derive(Debug, Default)]
struct StreamInterest {
    is_all_sessions: bool,
    sessions: BTreeSet<SessionId>,
    active_images: usize,
}

impl StreamInterest {
    fn wants(&self, session_id: SessionId) -> bool {
        self.is_all_sessions || self.sessions.contains(&session_id)
    }

    fn is_empty(&self) -> bool {
        !self.is_all_sessions && self.sessions.is_empty()
    }
}

/// Routes the frames of one receive endpoint.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    interests: BTreeMap<StreamId, StreamInterest>,
    states: BTreeMap<(StreamId, SessionId), SessionState>,
    stream_session_limit: usize,
    pending_sessions: usize,
    unwanted_sessions: usize,
    cooling_sessions: usize,
}

impl Dispatcher {
    /// Wants nothing yet; allows `stream_session_limit` images per stream.
    pub(crate) fn new(stream_session_limit: i32) -> Self {
        Self {
            interests: BTreeMap::new(),
            states: BTreeMap::new(),
            stream_session_limit: usize::try_from(stream_session_limit).unwrap_or(0),
            pending_sessions: 0,
            unwanted_sessions: 0,
            cooling_sessions: 0,
        }
    }

    /// Whether any stream is wanted.
    pub(crate) fn has_interest(&self) -> bool {
        !self.interests.is_empty()
    }

    /// Whether a session of a stream is wanted.
    pub(crate) fn wants(&self, stream_id: StreamId, session_id: SessionId) -> bool {
        let interest = self.interests.get(&stream_id);
        interest.is_some_and(|interest| interest.wants(session_id))
    }

    /// The first session behind `last`, in order, that is wanted by itself and of which nothing is
    /// known.
    pub(crate) fn next_silent(&self, last: Option<StreamSession>) -> Option<StreamSession> {
        let rest = last.and_then(|(stream, session)| {
            let sessions = &self.interests.get(&stream)?.sessions;
            Some((stream, sessions.range((Excluded(session), Unbounded))))
        });
        let rest = rest.into_iter().flat_map(|(stream, sessions)| {
            let of_stream = move |session: &SessionId| (stream, *session);
            sessions.map(of_stream)
        });
        let begin = last.map_or(Unbounded, |(stream, _)| Excluded(stream));
        let others = self.interests.range((begin, Unbounded));
        let others = others.flat_map(|(stream, interest)| {
            let of_stream = |session: &SessionId| (*stream, *session);
            interest.sessions.iter().map(of_stream)
        });
        rest.chain(others)
            .find(|wanted| !self.states.contains_key(wanted))
    }

    /// A stream is wanted, or one session of it.
    pub(crate) fn add_subscription(&mut self, stream_id: StreamId, session_id: Option<SessionId>) {
        let interest = self.interests.entry(stream_id).or_default();
        if let Some(session_id) = session_id {
            interest.sessions.insert(session_id);
            self.remove_state_if(stream_id, session_id, SessionState::NoInterest);
        } else {
            interest.is_all_sessions = true;
            self.retain_states(stream_id, |_, state| *state != SessionState::NoInterest);
        }
    }

    /// A stream, or one session of it, is not wanted any more. Returns the images that thereby lost
    /// their place and are to drain.
    ///
    /// # Errors
    /// It was not wanted.
    pub(crate) fn remove_subscription(
        &mut self,
        stream_id: StreamId,
        session_id: Option<SessionId>,
    ) -> Result<Vec<ImageSlot>, UnknownSubscription> {
        let interest = self
            .interests
            .get_mut(&stream_id)
            .ok_or(UnknownSubscription)?;
        if let Some(session_id) = session_id {
            if !interest.sessions.remove(&session_id) {
                return Err(UnknownSubscription);
            }
        } else {
            interest.is_all_sessions = false;
        }
        let is_all_sessions = interest.is_all_sessions;
        let kept = interest.sessions.clone();
        let dropped = self.retain_states(stream_id, |session, state| {
            is_all_sessions || kept.contains(&session) || *state == SessionState::NoInterest
        });
        if self
            .interests
            .get(&stream_id)
            .is_some_and(StreamInterest::is_empty)
        {
            self.retain_states(stream_id, |_, _| false);
            self.interests.remove(&stream_id);
        }
        Ok(dropped)
    }

    /// An image was created for a session. Nothing happens if its stream is no longer wanted; the
    /// image then receives nothing. Returns whether it was registered.
    pub(crate) fn add_image(
        &mut self,
        stream_id: StreamId,
        session_id: SessionId,
        image: CorrelationId,
        slot: ImageSlot,
    ) -> bool {
        if !self.wants(stream_id, session_id) {
            return false;
        }
        self.set_state(stream_id, session_id, SessionState::Active { slot, image });
        true
    }

    /// An image is gone. Unless it `has_ended`, its session may not come back before
    /// [`Self::remove_cool_down`]. Returns whether that could be remembered.
    pub(crate) fn remove_image(
        &mut self,
        stream_id: StreamId,
        session_id: SessionId,
        image: CorrelationId,
        has_ended: bool,
    ) -> bool {
        match self.states.get(&(stream_id, session_id)) {
            Some(SessionState::Active { image: active, .. }) if *active == image => {}
            Some(_) | None => return true,
        }
        if has_ended {
            self.remove_state(stream_id, session_id);
            return true;
        }
        if self.cooling_sessions >= COOLING_SESSIONS_MAX {
            self.remove_state(stream_id, session_id);
            return false;
        }
        self.set_state(stream_id, session_id, SessionState::OnCoolDown { image });
        true
    }

    /// The session of an image that died may be joined again. Departs from Aeron, where the end of
    /// an older image of the same session does that too.
    pub(crate) fn remove_cool_down(
        &mut self,
        stream_id: StreamId,
        session_id: SessionId,
        image: CorrelationId,
    ) {
        self.remove_state_if(stream_id, session_id, SessionState::OnCoolDown { image });
    }

    /// No image came of the SETUP; the next one may try again.
    pub(crate) fn remove_init_in_progress(&mut self, stream_id: StreamId, session_id: SessionId) {
        self.remove_state_if(stream_id, session_id, SessionState::InitInProgress);
    }

    /// The elicited SETUP did not come in time; the next data frame may ask again.
    pub(crate) fn remove_pending_setup(&mut self, stream_id: StreamId, session_id: SessionId) {
        self.remove_state_if(stream_id, session_id, SessionState::PendingSetup);
    }

    /// Routes a data or padding frame.
    #[inline]
    pub(crate) fn on_data(
        &mut self,
        stream_id: StreamId,
        session_id: SessionId,
        is_end_of_stream: bool,
    ) -> DataAction {
        match self.states.get(&(stream_id, session_id)) {
            Some(SessionState::Active { slot, .. }) => DataAction::Insert(*slot),
            Some(_) => DataAction::Drop,
            None => self.on_data_of_unknown_session(stream_id, session_id, is_end_of_stream),
        }
    }

    /// Routes a SETUP frame.
    pub(crate) fn on_setup(&mut self, stream_id: StreamId, session_id: SessionId) -> SetupAction {
        let Some(interest) = self.interests.get(&stream_id) else {
            return SetupAction::Drop;
        };
        if interest.active_images >= self.stream_session_limit {
            return SetupAction::LimitExceeded;
        }
        match self.states.get(&(stream_id, session_id)) {
            Some(SessionState::Active { slot, .. }) => SetupAction::Connect(*slot),
            Some(SessionState::PendingSetup) => {
                self.set_state(stream_id, session_id, SessionState::InitInProgress);
                SetupAction::Create
            }
            None if interest.wants(session_id) => {
                self.set_state(stream_id, session_id, SessionState::InitInProgress);
                SetupAction::Create
            }
            None => {
                self.remember_unwanted(stream_id, session_id);
                SetupAction::Drop
            }
            Some(
                SessionState::InitInProgress
                | SessionState::OnCoolDown { .. }
                | SessionState::NoInterest,
            ) => SetupAction::Drop,
        }
    }

    /// The image of a session, if it has one.
    pub(crate) fn image(&self, stream_id: StreamId, session_id: SessionId) -> Option<ImageSlot> {
        match self.states.get(&(stream_id, session_id)) {
            Some(SessionState::Active { slot, .. }) => Some(*slot),
            Some(_) | None => None,
        }
    }

    fn on_data_of_unknown_session(
        &mut self,
        stream_id: StreamId,
        session_id: SessionId,
        is_end_of_stream: bool,
    ) -> DataAction {
        let Some(interest) = self.interests.get(&stream_id) else {
            return DataAction::Drop;
        };
        if is_end_of_stream {
            return DataAction::Drop;
        }
        if !interest.wants(session_id) {
            self.remember_unwanted(stream_id, session_id);
            return DataAction::Drop;
        }
        if self.pending_sessions >= PENDING_SESSIONS_MAX {
            return DataAction::Drop;
        }
        self.set_state(stream_id, session_id, SessionState::PendingSetup);
        DataAction::Elicit
    }

    fn remember_unwanted(&mut self, stream_id: StreamId, session_id: SessionId) {
        if self.unwanted_sessions < UNWANTED_SESSIONS_MAX {
            self.set_state(stream_id, session_id, SessionState::NoInterest);
        }
    }

    fn set_state(&mut self, stream_id: StreamId, session_id: SessionId, state: SessionState) {
        debug_assert!(self.interests.contains_key(&stream_id));
        let old = self.states.insert((stream_id, session_id), state);
        self.count(stream_id, state, 1);
        if let Some(old) = old {
            self.count(stream_id, old, -1);
        }
    }

    fn remove_state(&mut self, stream_id: StreamId, session_id: SessionId) {
        if let Some(old) = self.states.remove(&(stream_id, session_id)) {
            self.count(stream_id, old, -1);
        }
    }

    fn remove_state_if(&mut self, stream_id: StreamId, session_id: SessionId, state: SessionState) {
        if self.states.get(&(stream_id, session_id)) == Some(&state) {
            self.remove_state(stream_id, session_id);
        }
    }

    /// Forgets the states of a stream that `keep` does not want; returns the images among them.
    fn retain_states(
        &mut self,
        stream_id: StreamId,
        mut keep: impl FnMut(SessionId, &SessionState) -> bool,
    ) -> Vec<ImageSlot> {
        let range = (stream_id, SessionId(i32::MIN))..=(stream_id, SessionId(i32::MAX));
        let removed = self
            .states
            .range(range)
            .filter(|((_, session_id), state)| !keep(*session_id, state))
            .map(|((_, session_id), state)| (*session_id, *state))
            .collect::<Vec<_>>();
        let mut images = Vec::new();
        for (session_id, state) in removed {
            self.remove_state(stream_id, session_id);
            if let SessionState::Active { slot, .. } = state {
                images.push(slot);
            }
        }
        images
    }

    fn count(&mut self, stream_id: StreamId, state: SessionState, change: isize) {
        let count = match state {
            SessionState::PendingSetup => &mut self.pending_sessions,
            SessionState::NoInterest => &mut self.unwanted_sessions,
            SessionState::Active { .. } => match self.interests.get_mut(&stream_id) {
                Some(interest) => &mut interest.active_images,
                None => return,
            },
            SessionState::OnCoolDown { .. } => &mut self.cooling_sessions,
            SessionState::InitInProgress => return,
        };
        *count = count.saturating_add_signed(change);
    }
}
