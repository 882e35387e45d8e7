//! A subscription: the images the conductor gives it, and polling them fairly.
//!
//! The conductor replaces the list of images and then raises a version number. A poll looks at the
//! number alone, and only if that has changed does it lock and take the new list.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::channel::checked_channel;
use super::fragment_assembler::{ControlledFragmentAssembler, FragmentAssembler};
use super::image::{Action, Block, Image};
use super::registrations::Awaited;
use super::status::{self, ChannelStatus};
use super::subscription_shared::SubscriptionShared;
use super::{AddError, Header, ImagePoller, IntoChannel, Pending, RawBlock};
use crate::base::{CounterId, RegistrationId, SessionId, StreamId};
use crate::command::{Command, Destination};

/// An image as its subscription polls it.
struct Polled {
    image: Image,
    /// Whether the subscription has the right to poll it; an [`ImagePoller`] may have it instead.
    is_claimed: bool,
}

impl Polled {
    /// The image, if it is this subscription's to poll now.
    #[inline]
    fn claimed(&mut self) -> Option<&Image> {
        if !self.is_claimed {
            self.is_claimed = self.image.claim_for_subscription();
        }
        self.is_claimed.then_some(&self.image)
    }
}

/// Receives the streams of all publications on a channel and stream. For one thread at a time;
/// dropping it ends it.
///
/// ```no_run
/// # fn demo(client: &aileron::client::Client) -> Result<(), aileron::client::AddError> {
/// use aileron::base::StreamId;
/// let mut subscription = client.add_subscription("aeron:ipc", StreamId(10))?;
/// loop {
///     let fragments = subscription.poll(10, |payload, header| {
///         println!("session {}: {} bytes", header.session_id(), payload.len());
///     });
///     if fragments == 0 {
///         std::thread::yield_now();
///     }
/// }
/// # }
/// ```
pub struct Subscription {
    shared: Arc<SubscriptionShared>,
    images: Vec<Polled>,
    seen_version: u64,
    round_robin_index: usize,
    /// Sessions that went away since the last assembled poll; kept only once there was one.
    gone_sessions: Option<Vec<SessionId>>,
}

impl Subscription {
    pub(crate) const fn new(shared: Arc<SubscriptionShared>) -> Self {
        Self {
            shared,
            images: Vec::new(),
            seen_version: 0,
            round_robin_index: 0,
            gone_sessions: None,
        }
    }

    /// Hands up to `fragment_limit` fragments of all images to `handler`; returns how many. Each
    /// call begins with the next image. If `handler` panics, its fragment counts as consumed.
    pub fn poll(
        &mut self,
        fragment_limit: usize,
        mut handler: impl FnMut(&[u8], &Header<'_>),
    ) -> usize {
        self.poll_images(fragment_limit, |image, limit| {
            image.poll(limit, &mut handler)
        })
    }

    /// [`Self::poll`] whose handler says how to go on. [`Action::Break`] and [`Action::Abort`] end
    /// the current image only.
    pub fn controlled_poll(
        &mut self,
        fragment_limit: usize,
        mut handler: impl FnMut(&[u8], &Header<'_>) -> Action,
    ) -> usize {
        self.poll_images(fragment_limit, |image, limit| {
            image.walk(limit, None, &mut handler)
        })
    }

    /// [`Self::poll`] that ends with the first error of `handler`. The fragment that failed is not
    /// consumed and comes again; those before it are consumed.
    ///
    /// # Errors
    /// That of `handler`.
    pub fn try_poll<E>(
        &mut self,
        fragment_limit: usize,
        mut handler: impl FnMut(&[u8], &Header<'_>) -> Result<(), E>,
    ) -> Result<usize, E> {
        let mut failure = None;
        let fragments = self.poll_images(fragment_limit, |image, limit| {
            if failure.is_some() {
                return 0;
            }
            image.walk(limit, None, |payload, header| {
                match handler(payload, header) {
                    Ok(()) => Action::Continue,
                    Err(error) => {
                        failure = Some(error);
                        Action::Abort
                    }
                }
            })
        });
        failure.map_or(Ok(fragments), Err)
    }

    /// [`Self::poll`] of whole messages: `assembler` joins their fragments. `fragment_limit` counts
    /// fragments; so does the result. What was gathered of a stream that went away is dropped.
    pub fn poll_assembled(
        &mut self,
        assembler: &mut FragmentAssembler,
        fragment_limit: usize,
        mut handler: impl FnMut(&[u8], &Header<'_>),
    ) -> usize {
        self.refresh();
        for session_id in self.gone_sessions.get_or_insert_default().drain(..) {
            assembler.free_session_buffer(session_id);
        }
        self.poll(fragment_limit, |payload, header| {
            assembler.on_fragment(payload, header, &mut handler);
        })
    }

    /// [`Self::poll_assembled`] whose handler says how to go on.
    pub fn controlled_poll_assembled(
        &mut self,
        assembler: &mut ControlledFragmentAssembler,
        fragment_limit: usize,
        mut handler: impl FnMut(&[u8], &Header<'_>) -> Action,
    ) -> usize {
        self.refresh();
        for session_id in self.gone_sessions.get_or_insert_default().drain(..) {
            assembler.free_session_buffer(session_id);
        }
        self.controlled_poll(fragment_limit, |payload, header| {
            assembler.on_fragment(payload, header, &mut handler)
        })
    }

    /// Hands one run of whole frames per image to `handler`, each of up to `block_length_limit`
    /// bytes; returns the bytes consumed.
    pub fn block_poll(
        &mut self,
        block_length_limit: usize,
        mut handler: impl FnMut(Block<'_>),
    ) -> usize {
        self.poll_blocks(block_length_limit, |block, _| handler(block))
    }

    /// [`Self::block_poll`] that also tells where in which file each block is.
    pub fn raw_poll(
        &mut self,
        block_length_limit: usize,
        mut handler: impl FnMut(RawBlock<'_>),
    ) -> usize {
        self.poll_blocks(block_length_limit, |block, path| {
            handler(RawBlock::new(block, path));
        })
    }

    fn poll_blocks(&mut self, limit: usize, mut handler: impl FnMut(Block<'_>, &str)) -> usize {
        self.refresh();
        let images = self.images.iter_mut().filter_map(Polled::claimed);
        images.map(|image| image.block(limit, &mut handler)).sum()
    }

    /// Calls `poll` with one image after the other and the fragments left, beginning with the next
    /// image each time.
    #[inline]
    fn poll_images(
        &mut self,
        fragment_limit: usize,
        mut poll: impl FnMut(&Image, usize) -> usize,
    ) -> usize {
        self.refresh();
        let count = self.images.len();
        let mut start = self.round_robin_index;
        if start >= count {
            start = 0;
        }
        self.round_robin_index = start + 1;
        let (before, from) = self.images.split_at_mut(start);
        let mut fragments = 0;
        for polled in from.iter_mut().chain(before) {
            if fragments >= fragment_limit {
                break;
            }
            if let Some(image) = polled.claimed() {
                fragments += poll(image, fragment_limit - fragments);
            }
        }
        fragments
    }

    /// Takes the list of images if it has changed.
    #[inline]
    fn refresh(&mut self) {
        if self.shared.version() != self.seen_version {
            self.take_images();
        }
    }

    #[cold]
    fn take_images(&mut self) {
        let (version, images) = self.shared.versioned_images();
        self.seen_version = version;
        if let Some(gone) = &mut self.gone_sessions {
            let is_gone = |old: &&Polled| !images.iter().any(|image| image.is_same(&old.image));
            gone.extend(
                self.images
                    .iter()
                    .filter(is_gone)
                    .map(|old| old.image.session_id()),
            );
        }
        let old = std::mem::take(&mut self.images);
        let is_claimed = |image: &Image| old.iter().any(|p| p.is_claimed && p.image.is_same(image));
        self.images = images
            .iter()
            .map(|image| Polled {
                image: image.clone(),
                is_claimed: is_claimed(image),
            })
            .collect();
    }

    /// The right to poll one image apart from this subscription, which leaves it out until the
    /// poller is dropped. `None` if there is no image of that session, or it has a poller already.
    pub fn image_poller(&mut self, session_id: SessionId) -> Option<ImagePoller> {
        self.refresh();
        let of_session = |polled: &&mut Polled| polled.image.session_id() == session_id;
        let polled = self.images.iter_mut().find(of_session)?;
        polled.claimed()?;
        polled.is_claimed = false;
        Some(polled.image.hand_over())
    }

    /// The images of this moment.
    #[must_use]
    pub fn images(&self) -> Arc<[Image]> {
        self.shared.images()
    }

    /// How many images there are.
    #[must_use]
    pub fn image_count(&self) -> usize {
        self.shared.images().len()
    }

    /// Whether there is no image.
    #[must_use]
    pub fn has_no_images(&self) -> bool {
        self.image_count() == 0
    }

    /// The first image of a session.
    #[must_use]
    pub fn image_by_session(&self, session_id: SessionId) -> Option<Image> {
        self.shared
            .images()
            .iter()
            .find(|image| image.session_id() == session_id)
            .cloned()
    }

    /// The image at an index of [`Self::images`].
    #[must_use]
    pub fn image_at(&self, index: usize) -> Option<Image> {
        self.shared.images().get(index).cloned()
    }

    /// Whether there is an image that is open.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared.images().iter().any(|image| !image.is_closed())
    }

    /// Whether it is closed, by [`Self::close`] or with its client.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// The channel it was added with.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.shared.channel
    }

    /// The stream it was added with.
    #[must_use]
    pub fn stream_id(&self) -> StreamId {
        self.shared.stream_id
    }

    /// Its id at the driver.
    #[must_use]
    pub fn registration_id(&self) -> RegistrationId {
        self.shared.registration_id()
    }

    /// Counter of the channel's status; [`CounterId::NONE`] for IPC and spies.
    #[must_use]
    pub fn channel_status_id(&self) -> CounterId {
        self.shared.channel_status_id()
    }

    /// Status of the channel; [`ChannelStatus::Errored`] once closed.
    #[must_use]
    pub fn channel_status(&self) -> ChannelStatus {
        let shared = &self.shared;
        status::channel_status(
            &shared.core.counters,
            self.channel_status_id(),
            self.is_closed(),
        )
    }

    /// Addresses its sockets are bound to, one per destination; empty until the channel is active,
    /// and once closed.
    #[must_use]
    pub fn local_socket_addresses(&self) -> Vec<SocketAddr> {
        let counters = &self.shared.core.counters;
        status::local_socket_addresses(counters, self.channel_status_id(), self.is_closed())
    }

    /// The first of [`Self::local_socket_addresses`].
    #[must_use]
    pub fn resolved_endpoint(&self) -> Option<SocketAddr> {
        self.local_socket_addresses().into_iter().next()
    }

    /// The channel with the port that the operating system chose, for publishers to use: if its
    /// endpoint has port 0, that port is replaced, and `None` is returned while it is not known.
    /// Any other channel is returned as it is.
    #[must_use]
    pub fn resolved_channel(&self) -> Option<String> {
        status::resolved_channel(self.channel(), || self.resolved_endpoint())
    }

    /// Adds a destination to a manual multi-destination subscription and waits for the driver.
    ///
    /// # Errors
    /// The driver refused or did not answer, or subscription or client is closed.
    pub fn add_destination(&self, channel: impl IntoChannel) -> Result<RegistrationId, AddError> {
        self.add_destination_async(channel)?.wait()
    }

    /// [`Self::add_destination`] without waiting.
    ///
    /// # Errors
    /// As [`Self::add_destination`], but for the driver's answer.
    pub fn add_destination_async(
        &self,
        channel: impl IntoChannel,
    ) -> Result<Pending<RegistrationId>, AddError> {
        let channel = self.open_channel(channel)?;
        let subscription = self.registration_id();
        let awaited = Awaited::ReceiveDestination {
            subscription,
            channel: channel.clone(),
        };
        self.shared
            .core
            .submit(awaited, |client_id, correlation_id| {
                Command::AddReceiveDestination(Destination {
                    client_id,
                    correlation_id,
                    registration_id: subscription,
                    channel: &channel,
                })
            })
    }

    /// Removes a destination and waits for the driver.
    ///
    /// # Errors
    /// The driver refused or did not answer, or subscription or client is closed.
    pub fn remove_destination(&self, channel: impl IntoChannel) -> Result<(), AddError> {
        self.remove_destination_async(channel)?.wait()
    }

    /// [`Self::remove_destination`] without waiting.
    ///
    /// # Errors
    /// As [`Self::remove_destination`], but for the driver's answer.
    pub fn remove_destination_async(
        &self,
        channel: impl IntoChannel,
    ) -> Result<Pending<()>, AddError> {
        let channel = self.open_channel(channel)?;
        let registration_id = self.registration_id();
        self.shared
            .core
            .submit(Awaited::Acknowledgement, |client_id, correlation_id| {
                Command::RemoveReceiveDestination(Destination {
                    client_id,
                    correlation_id,
                    registration_id,
                    channel: &channel,
                })
            })
    }

    fn open_channel(&self, channel: impl IntoChannel) -> Result<String, AddError> {
        if self.is_closed() {
            return Err(AddError::ResourceClosed);
        }
        checked_channel(channel)
    }

    /// Ends the subscription. Its images are closed, and their handlers run on this thread (within
    /// a callback: in the conductor's next duty cycle). Polls return 0 from then on. Does not wait
    /// for the driver, and does nothing the second time.
    pub fn close(&mut self) {
        self.shared.close_and_remove();
        self.refresh();
        if let Ok(mut conductor) = self.shared.core.enter() {
            conductor.drain_deferred();
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.close_and_remove();
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("channel", &self.channel())
            .field("stream_id", &self.stream_id())
            .field("registration_id", &self.registration_id())
            .field("is_closed", &self.is_closed())
            .field("images", &self.image_count())
            .finish_non_exhaustive()
    }
}
