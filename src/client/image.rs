//! One publication's stream as a subscription sees it: what is known of it, and reading it.
//!
//! The conductor makes an image when the driver announces it and closes it when it goes away. Who
//! polls it writes its position counter, so only one may: the subscription, or an [`ImagePoller`].
//! Both claim the image first, and a claim is held, not taken for each poll.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Weak};

use super::core::{Core, Deferred, LogLease};
use super::registrations::Awaited;
use super::{AddError, ClientError, Header, ImagePoller, Pending};
use crate::base::{CorrelationId, CounterId, Position, RegistrationId, SessionId, TermId};
use crate::command::{Command, RejectImage};
use crate::concurrent::AtomicCounter;
use crate::logbuffer::reader::{self, Polled};
use crate::logbuffer::{LogBuffer, TermGeometry};

pub use crate::logbuffer::reader::{Action, Block};

/// Longest reason of [`Image::reject`] in bytes.
pub const REJECT_REASON_LENGTH_MAX: usize = 1023;

/// Values of [`ImageShared::owner`].
mod owner {
    /// Nobody polls.
    pub(super) const NONE: u8 = 0;
    /// The subscription polls.
    pub(super) const SUBSCRIPTION: u8 = 1;
    /// An [`super::ImagePoller`] polls.
    pub(super) const POLLER: u8 = 2;
}

/// What an image is made of.
pub(crate) struct ImageParams {
    pub(crate) core: Weak<Core>,
    pub(crate) log: LogLease,
    pub(crate) log_path: String,
    pub(crate) position: AtomicCounter,
    pub(crate) correlation_id: CorrelationId,
    pub(crate) subscription: RegistrationId,
    pub(crate) session_id: SessionId,
    pub(crate) source_identity: String,
    pub(crate) is_spy: bool,
}

struct ImageShared {
    params: ImageParams,
    /// The same log as `params.log`, one pointer nearer.
    log: LogBuffer,
    join_position: Position,
    /// Who polls; see [`owner`].
    owner: AtomicU8,
    /// A corrupt frame was reported.
    is_corrupt: AtomicBool,
    /// Written once, by whoever closes, after the three below.
    is_closed: AtomicBool,
    final_position: AtomicI64,
    final_end_of_stream_position: AtomicI64,
    final_is_revoked: AtomicBool,
}

/// A stream from one publication. Cloning gives another handle on the same image.
///
/// ```
/// use aileron::client::ClientConfig;
/// let config = ClientConfig::default().on_available_image(|image| {
///     println!("session {} from {}", image.session_id(), image.source_identity());
/// });
/// # let _ = config;
/// ```
#[derive(Clone)]
pub struct Image {
    shared: Arc<ImageShared>,
}

impl Image {
    pub(crate) fn new(params: ImageParams) -> Self {
        let shared = ImageShared {
            log: LogBuffer::clone(&params.log),
            join_position: Position(params.position.get()),
            owner: AtomicU8::new(owner::NONE),
            is_corrupt: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            final_position: AtomicI64::new(0),
            final_end_of_stream_position: AtomicI64::new(i64::MAX),
            final_is_revoked: AtomicBool::new(false),
            params,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Freezes what can be asked of the image, and ends all polling of it.
    pub(crate) fn close(&self) {
        let shared = &*self.shared;
        if self.is_closed() {
            return;
        }
        let log = &shared.log;
        shared
            .final_position
            .store(shared.params.position.get(), Ordering::Relaxed);
        shared
            .final_end_of_stream_position
            .store(log.end_of_stream_position().get(), Ordering::Relaxed);
        shared
            .final_is_revoked
            .store(log.is_publication_revoked(), Ordering::Relaxed);
        // PUBLISH(image-closed): pairs with `is_closed`, so that the frozen values are seen.
        shared.is_closed.store(true, Ordering::Release);
    }

    pub(crate) fn lease(&self) -> LogLease {
        Arc::clone(&self.shared.params.log)
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Whether the image went away: it is not polled any more, and its values are frozen.
    #[must_use]
    #[inline]
    pub fn is_closed(&self) -> bool {
        // PUBLISH(image-closed): pairs with `close`.
        self.shared.is_closed.load(Ordering::Acquire)
    }

    /// Up to where it was consumed.
    #[must_use]
    pub fn position(&self) -> Position {
        if self.is_closed() {
            return Position(self.shared.final_position.load(Ordering::Relaxed));
        }
        Position(self.shared.params.position.get())
    }

    /// From where it is consumed: the position when the image became available.
    #[must_use]
    pub fn join_position(&self) -> Position {
        self.shared.join_position
    }

    /// Where the stream ends; `i64::MAX` until that is known.
    #[must_use]
    pub fn end_of_stream_position(&self) -> Position {
        if self.is_closed() {
            return Position(
                self.shared
                    .final_end_of_stream_position
                    .load(Ordering::Relaxed),
            );
        }
        self.shared.log.end_of_stream_position()
    }

    /// Whether all of the stream was consumed, up to its end.
    #[must_use]
    pub fn is_end_of_stream(&self) -> bool {
        self.position() >= self.end_of_stream_position()
    }

    /// Whether the publication was revoked: what was not consumed by then may be lost.
    #[must_use]
    pub fn is_publication_revoked(&self) -> bool {
        if self.is_closed() {
            return self.shared.final_is_revoked.load(Ordering::Relaxed);
        }
        self.shared.log.is_publication_revoked()
    }

    /// How many transports (destinations of a multi-destination subscription) delivered a frame
    /// lately; 0 for IPC and spies, and once closed.
    #[must_use]
    pub fn active_transport_count(&self) -> i32 {
        if self.is_closed() {
            0
        } else {
            self.shared.log.active_transport_count()
        }
    }

    /// Where the stream comes from: `address:port`, or `aeron:ipc` for IPC and spies.
    #[must_use]
    pub fn source_identity(&self) -> &str {
        &self.shared.params.source_identity
    }

    /// The image's id at the driver; for IPC and spies the publication's registration id.
    #[must_use]
    pub fn correlation_id(&self) -> CorrelationId {
        self.shared.params.correlation_id
    }

    /// Registration id of the subscription it belongs to.
    #[must_use]
    pub fn subscription_registration_id(&self) -> RegistrationId {
        self.shared.params.subscription
    }

    /// Session of the publication.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.shared.params.session_id
    }

    /// Counter that holds the position.
    #[must_use]
    pub fn subscriber_position_id(&self) -> CounterId {
        self.shared.params.position.id()
    }

    /// Id of the stream's first term.
    #[must_use]
    pub fn initial_term_id(&self) -> TermId {
        self.geometry().initial_term_id()
    }

    /// Length of each term buffer in bytes.
    #[must_use]
    pub fn term_length(&self) -> i32 {
        self.geometry().term_length()
    }

    /// Longest frame in bytes.
    #[must_use]
    pub fn mtu_length(&self) -> i32 {
        self.shared.log.mtu_length()
    }

    /// Term length and initial term id, with position arithmetic.
    #[must_use]
    pub fn geometry(&self) -> TermGeometry {
        self.shared.log.geometry()
    }

    /// The right to poll the image, apart from its subscription, which then leaves it out. `None`
    /// while somebody has it: another poller, or the subscription if it has polled the image (then
    /// [`super::Subscription::image_poller`] is the way), or if the image is closed.
    #[must_use]
    pub fn poller(&self) -> Option<ImagePoller> {
        (!self.is_closed() && self.claim(owner::POLLER)).then(|| ImagePoller {
            image: self.clone(),
        })
    }

    /// Refuses the image: the publisher is told why, and disconnected from this driver if it is the
    /// only receiver. Waits for the driver's answer.
    ///
    /// # Errors
    /// The reason exceeds [`REJECT_REASON_LENGTH_MAX`] bytes, the image is a spy's or is closed, or
    /// the driver refused or did not answer.
    pub fn reject(&self, reason: &str) -> Result<(), AddError> {
        self.reject_async(reason)?.wait()
    }

    /// [`Self::reject`] without waiting.
    ///
    /// # Errors
    /// As [`Self::reject`], but for the driver's answer.
    pub fn reject_async(&self, reason: &str) -> Result<Pending<()>, AddError> {
        let params = &self.shared.params;
        let invalid = |argument, reason: String| AddError::InvalidArgument { argument, reason };
        if params.is_spy {
            return Err(invalid("image", "spies can not reject images".to_owned()));
        }
        if reason.len() > REJECT_REASON_LENGTH_MAX {
            let text = format!("longer than {REJECT_REASON_LENGTH_MAX} bytes");
            return Err(invalid("reason", text));
        }
        let core = params
            .core
            .upgrade()
            .ok_or(AddError::Client(ClientError::Closed))?;
        if self.is_closed() {
            return Err(AddError::ResourceClosed);
        }
        let (image_correlation_id, position) = (self.correlation_id(), self.position());
        core.submit(Awaited::Acknowledgement, |client_id, correlation_id| {
            Command::RejectImage(RejectImage {
                client_id,
                correlation_id,
                image_correlation_id,
                position,
                reason: reason.as_bytes(),
            })
        })
    }

    /// Takes the right to poll for the subscription, if it is free.
    pub(crate) fn claim_for_subscription(&self) -> bool {
        self.claim(owner::SUBSCRIPTION)
    }

    /// Passes the subscription's right to poll on.
    pub(crate) fn hand_over(&self) -> ImagePoller {
        self.shared.owner.store(owner::POLLER, Ordering::Relaxed);
        ImagePoller {
            image: self.clone(),
        }
    }

    /// Ends an [`ImagePoller`]'s right to poll.
    pub(super) fn give_back(&self) {
        // CLAIM(image-owner): the position written last is seen by whoever claims next.
        self.shared.owner.store(owner::NONE, Ordering::Release);
    }

    pub(super) fn log(&self) -> &LogBuffer {
        &self.shared.log
    }

    fn claim(&self, by: u8) -> bool {
        let owner = &self.shared.owner;
        // The plain load keeps the line shared while somebody else has the image for long.
        owner.load(Ordering::Relaxed) == owner::NONE
            && owner
                // CLAIM(image-owner): pairs with `give_back`.
                .compare_exchange(owner::NONE, by, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }

    /// Begins a poll. The caller has claimed the image.
    fn begin(&self) -> Option<Progress<'_>> {
        if self.is_closed() {
            return None;
        }
        let start = Position(self.shared.params.position.get_relaxed());
        Some(Progress {
            image: self,
            stored: Cell::new(start),
            reached: Cell::new(start),
        })
    }

    #[inline]
    pub(crate) fn poll(
        &self,
        fragment_limit: usize,
        mut handler: impl FnMut(&[u8], &Header<'_>),
    ) -> usize {
        self.walk(fragment_limit, None, |payload, header| {
            handler(payload, header);
            Action::Continue
        })
    }

    /// All polls by fragment: `bound` is the limit of the bounded ones.
    #[inline]
    pub(crate) fn walk(
        &self,
        fragment_limit: usize,
        bound: Option<Position>,
        mut handler: impl FnMut(&[u8], &Header<'_>) -> Action,
    ) -> usize {
        let Some(progress) = self.begin() else {
            return 0;
        };
        let start = progress.stored.get();
        let term_begin = self.geometry().term_begin(start);
        let polled = reader::bounded_controlled_poll(
            &self.shared.log,
            start,
            bound.unwrap_or(Position(i64::MAX)),
            fragment_limit,
            |position| progress.store(position),
            |payload, frame| {
                // For the case that the handler panics: the fragment then counts as consumed.
                progress
                    .reached
                    .set(term_begin + i64::from(frame.next_term_offset().get()));
                let action = handler(payload, &Header::new(*frame, Some(self)));
                if self.is_closed() && matches!(action, Action::Commit | Action::Continue) {
                    return Action::Break;
                }
                action
            },
        );
        progress.finish(&polled);
        polled.fragments
    }

    /// Polls by block; returns the bytes consumed.
    pub(crate) fn block(
        &self,
        block_length_limit: usize,
        handler: impl FnOnce(Block<'_>, &str),
    ) -> usize {
        let Some(progress) = self.begin() else {
            return 0;
        };
        let start = progress.stored.get();
        let mut length = 0;
        let polled = reader::block_poll(&self.shared.log, start, block_length_limit, |block| {
            length = block.bytes.len();
            progress
                .reached
                .set(start + i64::try_from(length).unwrap_or(0));
            handler(block, &self.shared.params.log_path);
        });
        progress.finish(&polled);
        length
    }

    #[cold]
    pub(super) fn report_corruption(&self) {
        let shared = &*self.shared;
        if !shared.is_corrupt.swap(true, Ordering::Relaxed)
            && let Some(core) = shared.params.core.upgrade()
        {
            let image = shared.params.correlation_id;
            core.defer(Deferred::Report(ClientError::CorruptLog { image }));
        }
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image")
            .field("correlation_id", &self.correlation_id())
            .field("session_id", &self.session_id())
            .field("source_identity", &self.source_identity())
            .field("position", &self.position())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// A poll under way. Stores what was reached however the poll ends, a panic included.
struct Progress<'a> {
    image: &'a Image,
    stored: Cell<Position>,
    reached: Cell<Position>,
}

impl Progress<'_> {
    /// Publishes a position, unless the image was closed: its counter may be another's by now.
    fn store(&self, position: Position) {
        if position > self.stored.get() && !self.image.is_closed() {
            self.image.shared.params.position.set(position.get());
            self.stored.set(position);
        }
    }

    /// Ends the poll where the reader got to.
    #[inline]
    fn finish(self, polled: &Polled) {
        self.reached.set(polled.position);
        if polled.corruption.is_some() {
            self.image.report_corruption();
        }
    }
}

impl Drop for Progress<'_> {
    #[inline]
    fn drop(&mut self) {
        let start = self.stored.get();
        // Only after a panic can it lie outside, if the frame's header is a lie.
        let geometry = self.image.geometry();
        let term_end = geometry.term_begin(start) + i64::from(geometry.term_length());
        self.store(self.reached.get().min(term_end));
    }
}
