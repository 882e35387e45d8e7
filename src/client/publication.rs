//! The concurrent publication, and what it has in common with the exclusive one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::channel::checked_channel;
use super::core::{Core, LogLease, ResourceId};
use super::registrations::Awaited;
use super::status::{self, ChannelStatus};
use super::{AddError, BufferClaim, IntoChannel, OfferError, Pending};
use crate::base::{CounterId, Position, RegistrationId, SessionId, StreamId, TermId};
use crate::command::{Command, Destination, RemoveDestinationById, RemovePublication};
use crate::concurrent::AtomicCounter;
use crate::logbuffer::LogBuffer;

/// What a publication is made of.
pub(crate) struct PublicationParams {
    pub(crate) core: Arc<Core>,
    pub(crate) log: LogLease,
    pub(crate) limit: AtomicCounter,
    pub(crate) channel: String,
    pub(crate) registration_id: RegistrationId,
    pub(crate) original_registration_id: RegistrationId,
    pub(crate) channel_status_id: CounterId,
}

/// What all clones of a handle share, and the conductor knows of it. Dropping it removes it.
pub(crate) struct PublicationShared {
    params: PublicationParams,
    /// The same log as `params.log`, one pointer nearer.
    log: LogBuffer,
    is_closed: AtomicBool,
    /// Whether closing it also revokes it.
    pub(super) revoke_on_close: AtomicBool,
}

impl PublicationShared {
    pub(crate) fn new(params: PublicationParams) -> Arc<Self> {
        Arc::new(Self {
            log: LogBuffer::clone(&params.log),
            is_closed: AtomicBool::new(false),
            revoke_on_close: AtomicBool::new(false),
            params,
        })
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// The publisher limit, if there is something to be limited.
    #[inline]
    pub(super) fn limit(&self) -> Result<Position, OfferError> {
        if self.is_closed() {
            return Err(OfferError::Closed);
        }
        Ok(Position(self.params.limit.get()))
    }

    pub(super) const fn log(&self) -> &LogBuffer {
        &self.log
    }

    pub(crate) const fn params(&self) -> &PublicationParams {
        &self.params
    }

    /// Closes it because the client closes. No command is sent.
    pub(crate) fn force_close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// Closes it on behalf of the application, and tells the driver.
    pub(super) fn close(&self) {
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return;
        }
        let params = &self.params;
        let (core, registration_id) = (&params.core, params.registration_id);
        let (client_id, lease) = (core.proxy.client_id(), Arc::clone(&params.log));
        let is_revoke = self.revoke_on_close.load(Ordering::Relaxed);
        core.remove(
            ResourceId::Publication(registration_id),
            Some(lease),
            |correlation_id| {
                Command::RemovePublication(RemovePublication {
                    client_id,
                    correlation_id,
                    registration_id,
                    is_revoke,
                })
            },
        );
    }

    pub(super) fn channel_status(&self) -> ChannelStatus {
        let (counters, id) = (&self.params.core.counters, self.params.channel_status_id);
        status::channel_status(counters, id, self.is_closed())
    }

    pub(super) fn local_socket_addresses(&self) -> Vec<std::net::SocketAddr> {
        let (counters, id) = (&self.params.core.counters, self.params.channel_status_id);
        status::local_socket_addresses(counters, id, self.is_closed())
    }

    fn open_channel(&self, channel: impl IntoChannel) -> Result<String, AddError> {
        if self.is_closed() {
            return Err(AddError::ResourceClosed);
        }
        checked_channel(channel)
    }

    pub(super) fn add_destination(
        &self,
        channel: impl IntoChannel,
    ) -> Result<Pending<RegistrationId>, AddError> {
        let channel = self.open_channel(channel)?;
        // A shared publication's destinations belong to the first handle on it.
        let registration_id = self.params.original_registration_id;
        let awaited = Awaited::SendDestination {
            publication: registration_id,
        };
        self.params
            .core
            .submit(awaited, |client_id, correlation_id| {
                Command::AddDestination(Destination {
                    client_id,
                    correlation_id,
                    registration_id,
                    channel: &channel,
                })
            })
    }

    pub(super) fn remove_destination(
        &self,
        channel: impl IntoChannel,
    ) -> Result<Pending<()>, AddError> {
        let channel = self.open_channel(channel)?;
        let registration_id = self.params.original_registration_id;
        self.params
            .core
            .submit(Awaited::Acknowledgement, |client_id, correlation_id| {
                Command::RemoveDestination(Destination {
                    client_id,
                    correlation_id,
                    registration_id,
                    channel: &channel,
                })
            })
    }

    pub(super) fn remove_destination_by_id(
        &self,
        destination_registration_id: RegistrationId,
    ) -> Result<Pending<()>, AddError> {
        if self.is_closed() {
            return Err(AddError::ResourceClosed);
        }
        let registration_id = self.params.original_registration_id;
        self.params
            .core
            .submit(Awaited::Acknowledgement, |client_id, correlation_id| {
                Command::RemoveDestinationById(RemoveDestinationById {
                    client_id,
                    correlation_id,
                    registration_id,
                    destination_registration_id,
                })
            })
    }

    pub(super) fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("channel", &self.params.channel)
            .field("stream_id", &self.log.stream_id())
            .field("session_id", &self.log.session_id())
            .field("registration_id", &self.params.registration_id)
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl Drop for PublicationShared {
    fn drop(&mut self) {
        self.close();
    }
}

/// Methods that both kinds of publication offer. `shared` is an `Arc<PublicationShared>`.
macro_rules! common_methods {
    () => {
        /// The channel it was added with.
        #[must_use]
        pub fn channel(&self) -> &str {
            &self.shared.params().channel
        }

        /// The stream it was added with.
        #[must_use]
        pub fn stream_id(&self) -> StreamId {
            self.shared.log().stream_id()
        }

        /// Its session, under which subscribers see it.
        #[must_use]
        pub fn session_id(&self) -> SessionId {
            self.shared.log().session_id()
        }

        /// Id of this handle at the driver.
        #[must_use]
        pub fn registration_id(&self) -> RegistrationId {
            self.shared.params().registration_id
        }

        /// Registration id of the first handle, of whichever client, on this publication.
        #[must_use]
        pub fn original_registration_id(&self) -> RegistrationId {
            self.shared.params().original_registration_id
        }

        /// Whether this is the first handle on the publication.
        #[must_use]
        pub fn is_original(&self) -> bool {
            self.registration_id() == self.original_registration_id()
        }

        /// Whether it is open and there is a subscriber.
        #[must_use]
        pub fn is_connected(&self) -> bool {
            !self.is_closed() && self.shared.log().is_connected()
        }

        /// Whether it is closed, by its handle or with its client.
        #[must_use]
        pub fn is_closed(&self) -> bool {
            self.shared.is_closed()
        }

        /// Up to where messages may begin at the moment; `None` once closed.
        #[must_use]
        pub fn position_limit(&self) -> Option<Position> {
            self.shared.limit().ok()
        }

        /// Bytes from the position to its limit, negative if a message went beyond it; `None` once
        /// closed.
        #[must_use]
        pub fn available_window(&self) -> Option<i64> {
            Some(self.position_limit()? - self.position()?)
        }

        /// Longest message that can be offered, in bytes.
        #[must_use]
        pub fn max_message_length(&self) -> usize {
            usize::try_from(self.shared.log().max_message_length()).unwrap_or(0)
        }

        /// Longest message that goes into one frame and can be claimed, in bytes.
        #[must_use]
        pub fn max_payload_length(&self) -> usize {
            usize::try_from(self.shared.log().max_payload_length()).unwrap_or(0)
        }

        /// Position at which the stream is used up.
        #[must_use]
        pub fn max_possible_position(&self) -> Position {
            self.shared.log().geometry().max_possible_position()
        }

        /// Id of the stream's first term.
        #[must_use]
        pub fn initial_term_id(&self) -> TermId {
            self.shared.log().geometry().initial_term_id()
        }

        /// Length of each term buffer in bytes.
        #[must_use]
        pub fn term_length(&self) -> i32 {
            self.shared.log().geometry().term_length()
        }

        /// Counter of the position limit.
        #[must_use]
        pub fn position_limit_id(&self) -> CounterId {
            self.shared.params().limit.id()
        }

        /// Counter of the channel's status; [`CounterId::NONE`] for IPC.
        #[must_use]
        pub fn channel_status_id(&self) -> CounterId {
            self.shared.params().channel_status_id
        }

        /// Status of the channel; [`ChannelStatus::Errored`] once closed.
        #[must_use]
        pub fn channel_status(&self) -> ChannelStatus {
            self.shared.channel_status()
        }

        /// Addresses its sockets are bound to; empty until the channel is active, and once closed.
        #[must_use]
        pub fn local_socket_addresses(&self) -> Vec<std::net::SocketAddr> {
            self.shared.local_socket_addresses()
        }

        /// Adds a destination to a manual multi-destination publication and waits for the driver.
        /// The same destination twice is sent to twice.
        ///
        /// # Errors
        /// The driver refused or did not answer, or publication or client is closed.
        pub fn add_destination(
            &self,
            channel: impl IntoChannel,
        ) -> Result<RegistrationId, AddError> {
            self.shared.add_destination(channel)?.wait()
        }

        /// [`Self::add_destination`] without waiting.
        ///
        /// # Errors
        /// As [`Self::add_destination`], but for the driver's answer.
        pub fn add_destination_async(
            &self,
            channel: impl IntoChannel,
        ) -> Result<Pending<RegistrationId>, AddError> {
            self.shared.add_destination(channel)
        }

        /// Removes a destination by its address and waits for the driver.
        ///
        /// # Errors
        /// The driver refused or did not answer, or publication or client is closed.
        pub fn remove_destination(&self, channel: impl IntoChannel) -> Result<(), AddError> {
            self.shared.remove_destination(channel)?.wait()
        }

        /// [`Self::remove_destination`] without waiting.
        ///
        /// # Errors
        /// As [`Self::remove_destination`], but for the driver's answer.
        pub fn remove_destination_async(
            &self,
            channel: impl IntoChannel,
        ) -> Result<Pending<()>, AddError> {
            self.shared.remove_destination(channel)
        }

        /// Removes a destination by what [`Self::add_destination`] returned, and waits for the
        /// driver.
        ///
        /// # Errors
        /// The driver refused or did not answer, or publication or client is closed.
        pub fn remove_destination_by_id(&self, id: RegistrationId) -> Result<(), AddError> {
            self.shared.remove_destination_by_id(id)?.wait()
        }

        /// [`Self::remove_destination_by_id`] without waiting.
        ///
        /// # Errors
        /// As [`Self::remove_destination_by_id`], but for the driver's answer.
        pub fn remove_destination_by_id_async(
            &self,
            id: RegistrationId,
        ) -> Result<Pending<()>, AddError> {
            self.shared.remove_destination_by_id(id)
        }
    };
}
pub(super) use common_methods;

/// Appends messages to a stream; shared with all publishers of the channel and stream on this
/// driver. All methods may be called by any number of threads, and none of them blocks but those
/// that say that they wait. Cloning gives another handle; dropping the last one removes it.
///
/// ```no_run
/// # fn demo(client: &aileron::client::Client) -> Result<(), aileron::client::AddError> {
/// use aileron::base::StreamId;
/// let publication = client.add_publication("aeron:ipc", StreamId(10))?;
/// loop {
///     match publication.offer(b"hello") {
///         Ok(position) => break println!("now at {position}"),
///         Err(error) if error.is_retryable() => std::thread::yield_now(),
///         Err(error) => break eprintln!("{error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Publication {
    shared: Arc<PublicationShared>,
}

impl Publication {
    pub(crate) const fn new(shared: Arc<PublicationShared>) -> Self {
        Self { shared }
    }

    /// Appends a message; returns the position after it. A message longer than
    /// [`Self::max_payload_length`] is fragmented.
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    #[inline]
    pub fn offer(&self, message: &[u8]) -> Result<Position, OfferError> {
        Ok(self.shared.log.offer(self.shared.limit()?, message)?)
    }

    /// [`Self::offer`] with a reserved value for each frame: `supplier` is called with the frame,
    /// its header included.
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    pub fn offer_with(
        &self,
        message: &[u8],
        supplier: impl FnMut(&[u8]) -> i64,
    ) -> Result<Position, OfferError> {
        let limit = self.shared.limit()?;
        Ok(self
            .shared
            .log
            .offer_with_reserved_value(limit, message, supplier)?)
    }

    /// [`Self::offer`] of a message in parts, which are joined.
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    pub fn offer_vectored(&self, parts: &[&[u8]]) -> Result<Position, OfferError> {
        Ok(self
            .shared
            .log
            .offer_vectored(self.shared.limit()?, parts)?)
    }

    /// [`Self::offer_vectored`] with a reserved value for each frame.
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    pub fn offer_vectored_with(
        &self,
        parts: &[&[u8]],
        supplier: impl FnMut(&[u8]) -> i64,
    ) -> Result<Position, OfferError> {
        let limit = self.shared.limit()?;
        Ok(self
            .shared
            .log
            .offer_vectored_with_reserved_value(limit, parts, supplier)?)
    }

    /// Claims room for a message of `length` bytes, at most [`Self::max_payload_length`], to be
    /// written in place. Subscribers see nothing behind it before it is committed or dropped.
    ///
    /// # Errors
    /// Nothing was claimed, for the reason given.
    #[inline]
    pub fn try_claim(&self, length: usize) -> Result<BufferClaim<'_>, OfferError> {
        let claim = self.shared.log.claim(self.shared.limit()?, length)?;
        Ok(BufferClaim::new(claim))
    }

    /// Position after the last message appended by anyone; `None` once closed.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        (!self.is_closed()).then(|| self.shared.log.producer_position())
    }

    common_methods!();

    /// Closes this handle and all its clones, without waiting for the driver: offers fail from then
    /// on. Does nothing the second time.
    pub fn close(&self) {
        self.shared.close();
    }
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.debug("Publication", f)
    }
}
