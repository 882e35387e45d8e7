//! What the conductor and the handle of a subscription share: above all, the list of its images.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::core::{Core, Deferred, ResourceId, lock};
use super::handlers::ImageHandler;
use super::image::Image;
use crate::base::{CorrelationId, CounterId, RegistrationId, StreamId};
use crate::command::{Command, RemoveSubscription};

/// What conductor and handle share.
pub(crate) struct SubscriptionShared {
    pub(super) core: Arc<Core>,
    registration_id: RegistrationId,
    pub(super) channel: String,
    pub(super) stream_id: StreamId,
    on_available: Option<ImageHandler>,
    on_unavailable: Option<ImageHandler>,
    channel_status_id: AtomicI32,
    is_closed: AtomicBool,
    images: Mutex<Arc<[Image]>>,
    /// Raised with each new `images`, under their lock.
    version: AtomicU64,
}

impl SubscriptionShared {
    pub(crate) fn new(
        core: Arc<Core>,
        registration_id: RegistrationId,
        channel: String,
        stream_id: StreamId,
        (on_available, on_unavailable): (Option<ImageHandler>, Option<ImageHandler>),
    ) -> Arc<Self> {
        Arc::new(Self {
            core,
            registration_id,
            channel,
            stream_id,
            on_available,
            on_unavailable,
            channel_status_id: AtomicI32::new(0),
            is_closed: AtomicBool::new(false),
            images: Mutex::new(Arc::default()),
            version: AtomicU64::new(0),
        })
    }

    pub(crate) const fn registration_id(&self) -> RegistrationId {
        self.registration_id
    }

    pub(crate) fn is_spy(&self) -> bool {
        self.channel.starts_with("aeron-spy:")
    }

    pub(crate) const fn on_available(&self) -> Option<&ImageHandler> {
        self.on_available.as_ref()
    }

    pub(crate) const fn on_unavailable(&self) -> Option<&ImageHandler> {
        self.on_unavailable.as_ref()
    }

    pub(crate) fn channel_status_id(&self) -> CounterId {
        CounterId(self.channel_status_id.load(Ordering::Acquire))
    }

    pub(crate) fn set_channel_status_id(&self, id: CounterId) {
        self.channel_status_id.store(id.get(), Ordering::Release);
    }

    /// Appends an image, unless the subscription is closed or has one of that id.
    pub(crate) fn add_image(&self, image: &Image) -> bool {
        let mut images = lock(&self.images);
        let id = image.correlation_id();
        if self.is_closed() || images.iter().any(|other| other.correlation_id() == id) {
            return false;
        }
        *images = images.iter().chain([image]).cloned().collect();
        self.publish_images();
        true
    }

    /// Removes and closes an image.
    pub(crate) fn remove_image(&self, id: CorrelationId) -> Option<Image> {
        let mut images = lock(&self.images);
        let image = images
            .iter()
            .find(|image| image.correlation_id() == id)?
            .clone();
        *images = images
            .iter()
            .filter(|other| !other.is_same(&image))
            .cloned()
            .collect();
        self.publish_images();
        drop(images);
        image.close();
        Some(image)
    }

    fn publish_images(&self) {
        // PUBLISH(image-list): pairs with `version`.
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Number of the current list of images.
    #[inline]
    pub(super) fn version(&self) -> u64 {
        // PUBLISH(image-list): pairs with `publish_images`.
        self.version.load(Ordering::Acquire)
    }

    /// The list of images with its number.
    pub(super) fn versioned_images(&self) -> (u64, Arc<[Image]>) {
        let images = lock(&self.images);
        (self.version(), Arc::clone(&images))
    }

    pub(super) fn images(&self) -> Arc<[Image]> {
        Arc::clone(&lock(&self.images))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Closes all images and returns them for their handler; `None` if this was done before.
    pub(crate) fn close(&self) -> Option<Arc<[Image]>> {
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return None;
        }
        let mut list = lock(&self.images);
        let images = std::mem::take(&mut *list);
        self.publish_images();
        drop(list);
        images.iter().for_each(Image::close);
        Some(images)
    }

    /// [`Self::close`] on behalf of the application.
    pub(super) fn close_and_remove(&self) {
        let Some(images) = self.close() else { return };
        let (client_id, registration_id) = (self.core.proxy.client_id(), self.registration_id);
        self.core.remove(
            ResourceId::Subscription(registration_id),
            None,
            |correlation_id| {
                Command::RemoveSubscription(RemoveSubscription {
                    client_id,
                    correlation_id,
                    registration_id,
                })
            },
        );
        let handler = self.on_unavailable.clone();
        self.core.defer(Deferred::ImagesClosed { images, handler });
    }
}
