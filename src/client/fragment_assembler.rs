//! Joins the fragments of messages that were too long for one frame.
//!
//! ```text
//!  flags     what happens
//!  B and E   handed on as it is, without a copy; a message under way is not disturbed
//!  B         begins a message: its header is kept, its payload copied
//!  neither   appended, if it begins where the last fragment ended; else the message is dropped
//!  E         appended likewise, then the whole is handed on
//! ```
//!
//! What comes before the first B is ignored: the subscriber joined in the middle of a message. The
//! assemblers named `Image…` serve one image, the others any number of sessions.

use std::collections::BTreeMap;
use std::fmt;

use super::{Action, Header};
use crate::base::{SessionId, TermId, TermOffset};
use crate::logbuffer;

/// Room made for a message at first, in bytes.
const INITIAL_CAPACITY: usize = 4096;

/// A message under way.
#[derive(Default)]
struct Builder {
    message: Vec<u8>,
    /// Header and payload length of the first fragment.
    first: Option<([u8; 32], i32)>,
    /// Where the next fragment has to begin. Departs from Aeron, which looks at the offset alone:
    /// on a stream that is not reliable a message could end with what lies there terms later.
    next: Option<(TermId, TermOffset)>,
}

impl Builder {
    fn reset(&mut self) {
        self.message.clear();
        (self.first, self.next) = (None, None);
    }

    fn begin(&mut self, payload: &[u8], header: &Header<'_>) {
        self.reset();
        self.message.reserve(INITIAL_CAPACITY.max(payload.len()));
        self.message.extend_from_slice(payload);
        let length = i32::try_from(payload.len()).unwrap_or(i32::MAX);
        self.first = Some((*header.as_bytes(), length));
        self.next = Some((header.term_id(), header.next_term_offset()));
    }

    /// Appends a fragment; returns whether it completes the message.
    fn append(&mut self, payload: &[u8], header: &Header<'_>) -> bool {
        if self.next.is_none() {
            return false;
        }
        if self.next != Some((header.term_id(), header.term_offset())) {
            self.reset();
            return false;
        }
        self.message.extend_from_slice(payload);
        if !header.is_end() {
            self.next = Some((header.term_id(), header.next_term_offset()));
        }
        header.is_end()
    }

    /// Hands the whole message on. The builder is empty while `handler` runs, should it panic.
    fn deliver<R>(
        &mut self,
        last: &Header<'_>,
        handler: impl FnOnce(&[u8], &Header<'_>) -> R,
    ) -> Option<(R, Self)> {
        let whole = std::mem::take(self);
        let (mut frame, first_length) = whole.first?;
        let length = i32::try_from(whole.message.len()).unwrap_or(i32::MAX);
        logbuffer::Header::assemble(&mut frame, length, last.flags());
        let header = logbuffer::Header::assembled(&frame, last.geometry(), first_length);
        let result = handler(&whole.message, &Header::new(header, last.image()));
        Some((result, whole))
    }

    fn on_fragment(
        &mut self,
        payload: &[u8],
        header: &Header<'_>,
        handler: impl FnOnce(&[u8], &Header<'_>),
    ) {
        if header.is_begin() {
            self.begin(payload, header);
        } else if self.append(payload, header)
            && let Some(((), whole)) = self.deliver(header, handler)
        {
            *self = whole;
            self.reset();
        }
    }

    fn on_controlled_fragment(
        &mut self,
        payload: &[u8],
        header: &Header<'_>,
        handler: impl FnOnce(&[u8], &Header<'_>) -> Action,
    ) -> Action {
        if header.is_begin() {
            self.begin(payload, header);
            return Action::Continue;
        }
        let length_before = self.message.len();
        if !self.append(payload, header) {
            return Action::Continue;
        }
        let Some((action, whole)) = self.deliver(header, handler) else {
            return Action::Continue;
        };
        *self = whole;
        if action == Action::Abort {
            // The last fragment comes again.
            self.message.truncate(length_before);
        } else {
            self.reset();
        }
        action
    }
}

/// Joins the fragments of any number of sessions.
///
/// ```no_run
/// # fn demo(subscription: &mut aileron::client::Subscription) {
/// use aileron::client::FragmentAssembler;
/// let mut assembler = FragmentAssembler::new();
/// subscription.poll_assembled(&mut assembler, 10, |message, header| {
///     println!("message of {} bytes up to {}", message.len(), header.position());
/// });
/// # }
/// ```
#[derive(Debug, Default)]
pub struct FragmentAssembler {
    builders: BTreeMap<SessionId, Builder>,
}

impl FragmentAssembler {
    /// An assembler without anything under way.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a fragment, and calls `handler` if it is a whole message or completes one. For use
    /// within a poll's handler.
    pub fn on_fragment(
        &mut self,
        payload: &[u8],
        header: &Header<'_>,
        handler: impl FnOnce(&[u8], &Header<'_>),
    ) {
        if header.is_unfragmented() {
            handler(payload, header);
        } else if let Some(builder) = builder_of(&mut self.builders, header) {
            builder.on_fragment(payload, header, handler);
        }
    }

    /// Drops what was gathered of a session, and the memory for it. Returns whether there was any.
    pub fn free_session_buffer(&mut self, session_id: SessionId) -> bool {
        self.builders.remove(&session_id).is_some()
    }

    /// Drops what was gathered of all sessions.
    pub fn clear(&mut self) {
        self.builders.clear();
    }
}

/// [`FragmentAssembler`] for handlers that say how to go on.
///
/// ```no_run
/// # fn demo(subscription: &mut aileron::client::Subscription) {
/// use aileron::client::{Action, ControlledFragmentAssembler};
/// let mut assembler = ControlledFragmentAssembler::new();
/// subscription.controlled_poll_assembled(&mut assembler, 10, |message, _| {
///     if message.is_empty() { Action::Break } else { Action::Continue }
/// });
/// # }
/// ```
#[derive(Debug, Default)]
pub struct ControlledFragmentAssembler {
    builders: BTreeMap<SessionId, Builder>,
}

impl ControlledFragmentAssembler {
    /// An assembler without anything under way.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a fragment, and calls `handler` if it is a whole message or completes one. Returns
    /// what the poll is to do; after [`Action::Abort`] the last fragment has to come again.
    pub fn on_fragment(
        &mut self,
        payload: &[u8],
        header: &Header<'_>,
        handler: impl FnOnce(&[u8], &Header<'_>) -> Action,
    ) -> Action {
        if header.is_unfragmented() {
            return handler(payload, header);
        }
        match builder_of(&mut self.builders, header) {
            Some(builder) => builder.on_controlled_fragment(payload, header, handler),
            None => Action::Continue,
        }
    }

    /// Drops what was gathered of a session, and the memory for it. Returns whether there was any.
    pub fn free_session_buffer(&mut self, session_id: SessionId) -> bool {
        self.builders.remove(&session_id).is_some()
    }

    /// Drops what was gathered of all sessions.
    pub fn clear(&mut self) {
        self.builders.clear();
    }
}

/// Only the begin of a message makes a builder: what comes before it is ignored.
fn builder_of<'a>(
    builders: &'a mut BTreeMap<SessionId, Builder>,
    header: &Header<'_>,
) -> Option<&'a mut Builder> {
    if header.is_begin() {
        Some(builders.entry(header.session_id()).or_default())
    } else {
        builders.get_mut(&header.session_id())
    }
}

/// Joins the fragments of one image.
///
/// ```no_run
/// # fn demo(poller: &mut aileron::client::ImagePoller) {
/// use aileron::client::ImageFragmentAssembler;
/// let mut assembler = ImageFragmentAssembler::new();
/// poller.poll(10, |payload, header| {
///     assembler.on_fragment(payload, header, |message, _| println!("{} bytes", message.len()));
/// });
/// # }
/// ```
#[derive(Debug, Default)]
pub struct ImageFragmentAssembler {
    builder: Builder,
}

impl ImageFragmentAssembler {
    /// An assembler without anything under way.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`FragmentAssembler::on_fragment`].
    pub fn on_fragment(
        &mut self,
        payload: &[u8],
        header: &Header<'_>,
        handler: impl FnOnce(&[u8], &Header<'_>),
    ) {
        if header.is_unfragmented() {
            handler(payload, header);
        } else {
            self.builder.on_fragment(payload, header, handler);
        }
    }

    /// Drops what was gathered.
    pub fn clear(&mut self) {
        self.builder = Builder::default();
    }
}

/// [`ImageFragmentAssembler`] for handlers that say how to go on.
///
/// ```no_run
/// # fn demo(poller: &mut aileron::client::ImagePoller) {
/// use aileron::client::{Action, ControlledImageFragmentAssembler};
/// let mut assembler = ControlledImageFragmentAssembler::new();
/// poller.controlled_poll(10, |payload, header| {
///     assembler.on_fragment(payload, header, |_, _| Action::Commit)
/// });
/// # }
/// ```
#[derive(Debug, Default)]
pub struct ControlledImageFragmentAssembler {
    builder: Builder,
}

impl ControlledImageFragmentAssembler {
    /// An assembler without anything under way.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`ControlledFragmentAssembler::on_fragment`].
    pub fn on_fragment(
        &mut self,
        payload: &[u8],
        header: &Header<'_>,
        handler: impl FnOnce(&[u8], &Header<'_>) -> Action,
    ) -> Action {
        if header.is_unfragmented() {
            return handler(payload, header);
        }
        self.builder
            .on_controlled_fragment(payload, header, handler)
    }

    /// Drops what was gathered.
    pub fn clear(&mut self) {
        self.builder = Builder::default();
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("length", &self.message.len())
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
