//! Adding a subscription with image handlers of its own.

use std::fmt;
use std::sync::Arc;

use super::channel::checked_channel;
use super::handlers::ImageHandler;
use super::registrations::Awaited;
use super::subscription_shared::SubscriptionShared;
use super::{AddError, Client, Image, Pending, Subscription};
use crate::base::StreamId;
use crate::command::{AddSubscription, Command};

/// A subscription about to be added, with image handlers of its own.
///
/// ```no_run
/// # fn demo(client: &aileron::client::Client) -> Result<(), aileron::client::AddError> {
/// use aileron::base::StreamId;
/// let subscription = client
///     .subscription("aeron:ipc", StreamId(10))
///     .on_available_image(|image| println!("session {} joined", image.session_id()))
///     .on_unavailable_image(|image| println!("session {} left", image.session_id()))
///     .add()?;
/// # drop(subscription);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing happens before it is added"]
pub struct SubscriptionBuilder<'a> {
    pub(super) client: &'a Client,
    pub(super) channel: String,
    pub(super) stream_id: StreamId,
    pub(super) on_available: Option<ImageHandler>,
    pub(super) on_unavailable: Option<ImageHandler>,
}

impl SubscriptionBuilder<'_> {
    /// Called when an image was added, instead of the configuration's handler.
    pub fn on_available_image(mut self, handler: impl Fn(&Image) + Send + Sync + 'static) -> Self {
        self.on_available = Some(Arc::new(handler));
        self
    }

    /// Called when an image was removed and closed, instead of the configuration's handler.
    pub fn on_unavailable_image(
        mut self,
        handler: impl Fn(&Image) + Send + Sync + 'static,
    ) -> Self {
        self.on_unavailable = Some(Arc::new(handler));
        self
    }

    /// Adds the subscription, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Client::add_subscription`].
    pub fn add(self) -> Result<Subscription, AddError> {
        self.add_async()?.wait()
    }

    /// Adds the subscription without waiting.
    ///
    /// # Errors
    /// As [`Client::add_subscription_async`].
    pub fn add_async(self) -> Result<Pending<Subscription>, AddError> {
        let Self {
            client,
            channel,
            stream_id,
            on_available,
            on_unavailable,
        } = self;
        let channel = checked_channel(channel)?;
        let core = client.core();
        let mut conductor = core.enter()?;
        conductor.ensure_open()?;
        let defaults = &conductor.handlers;
        let handlers = (
            on_available.or_else(|| defaults.available_image.clone()),
            on_unavailable.or_else(|| defaults.unavailable_image.clone()),
        );
        let correlation_id = core.proxy.next_correlation_id();
        let command = Command::AddSubscription(AddSubscription {
            client_id: core.proxy.client_id(),
            correlation_id,
            stream_id,
            channel: &channel,
        });
        let shared = SubscriptionShared::new(
            Arc::clone(core),
            correlation_id.into(),
            channel.clone(),
            stream_id,
            handlers,
        );
        conductor.submit(
            Awaited::Subscription(shared),
            core.clock.tick().now,
            &command,
        )?;
        Ok(Pending::new(Arc::clone(core), correlation_id))
    }
}

impl fmt::Debug for SubscriptionBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionBuilder")
            .field("channel", &self.channel)
            .field("stream_id", &self.stream_id)
            .finish_non_exhaustive()
    }
}
