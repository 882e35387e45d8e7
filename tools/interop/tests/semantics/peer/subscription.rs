//! Subscriptions.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rusteron_media_driver::bindings::aeron_controlled_fragment_handler_action_en as CAction;
use rusteron_media_driver::{
    Aeron, AeronAvailableImageCallback, AeronControlledFragmentClosureAssembler,
    AeronFragmentClosureAssembler, AeronHeader, AeronImage, AeronSubscription,
    AeronUnavailableImageCallback,
};

use super::{Image, Pending, c_string, publication, refusal};
use crate::facade::{Action, HeaderView, ImageEvent, Refusal};

/// A subscription. Dropping it closes it.
pub(crate) struct Subscription {
    inner: AeronSubscription,
    assembler: RefCell<AeronFragmentClosureAssembler>,
    controlled_assembler: RefCell<AeronControlledFragmentClosureAssembler>,
    events: Arc<Mutex<Vec<ImageEvent>>>,
    client: Aeron,
}

/// A handler that notes what it sees.
pub(super) struct Noting {
    is_available: bool,
    events: Arc<Mutex<Vec<ImageEvent>>>,
}

impl Noting {
    pub(super) fn new(is_available: bool, events: &Arc<Mutex<Vec<ImageEvent>>>) -> Self {
        let events = Arc::clone(events);
        Self {
            is_available,
            events,
        }
    }

    fn note(&self, image: &AeronImage) {
        let Ok(constants) = image.get_constants() else {
            return;
        };
        let event = ImageEvent {
            is_available: self.is_available,
            session_id: constants.session_id(),
            correlation_id: constants.correlation_id(),
            position: image.position(),
            is_closed: image.is_closed(),
            is_end_of_stream: image.is_end_of_stream(),
            is_revoked: image.is_publication_revoked(),
        };
        self.events.lock().expect("no handler panics").push(event);
    }
}

impl AeronAvailableImageCallback for Noting {
    fn handle_aeron_on_available_image(&mut self, _: AeronSubscription, image: AeronImage) {
        self.note(&image);
    }
}

impl AeronUnavailableImageCallback for Noting {
    fn handle_aeron_on_unavailable_image(&mut self, _: AeronSubscription, image: AeronImage) {
        self.note(&image);
    }
}

impl Subscription {
    pub(super) fn new(
        client: Aeron,
        inner: AeronSubscription,
        events: Arc<Mutex<Vec<ImageEvent>>>,
    ) -> Self {
        let assembler = AeronFragmentClosureAssembler::new().expect("an assembler");
        let controlled = AeronControlledFragmentClosureAssembler::new().expect("an assembler");
        Self {
            inner,
            assembler: RefCell::new(assembler),
            controlled_assembler: RefCell::new(controlled),
            events,
            client,
        }
    }

    /// Hands fragments to `handler`.
    pub(crate) fn poll(&self, limit: usize, mut handler: impl FnMut(&[u8], &HeaderView)) -> usize {
        if limit == 0 {
            return 0;
        }
        let polled = self
            .inner
            .poll_fn(|bytes, header| handler(bytes, &view(&header)), limit);
        count(polled)
    }

    /// Hands whole messages to `handler`; counts fragments.
    pub(crate) fn poll_assembled(
        &self,
        limit: usize,
        mut handler: impl FnMut(&[u8], &HeaderView),
    ) -> usize {
        if limit == 0 {
            return 0;
        }
        let mut context: &mut dyn FnMut(&[u8], &HeaderView) = &mut handler;
        let mut assembler = self.assembler.borrow_mut();
        let polled = assembler.poll(
            &self.inner,
            &mut context,
            |handler, bytes, header| handler(bytes, &view(&header)),
            limit,
        );
        count(polled)
    }

    /// Hands fragments to a handler that says how to go on.
    pub(crate) fn controlled_poll(
        &self,
        limit: usize,
        mut handler: impl FnMut(&[u8], &HeaderView) -> Action,
    ) -> usize {
        let polled = self.inner.controlled_poll_fn(
            |bytes, header| action(handler(bytes, &view(&header))),
            limit,
        );
        count(polled)
    }

    /// Hands whole messages to a handler that says how to go on.
    pub(crate) fn controlled_poll_assembled(
        &self,
        limit: usize,
        mut handler: impl FnMut(&[u8], &HeaderView) -> Action,
    ) -> usize {
        let mut context: &mut dyn FnMut(&[u8], &HeaderView) -> Action = &mut handler;
        let mut assembler = self.controlled_assembler.borrow_mut();
        let polled = assembler.poll(
            &self.inner,
            &mut context,
            |handler, bytes, header| action(handler(bytes, &view(&header))),
            limit,
        );
        count(polled)
    }

    /// Hands blocks of whole frames to `handler`: bytes, session, term. Returns the bytes consumed.
    pub(crate) fn block_poll(
        &self,
        length_limit: usize,
        handler: impl FnMut(&[u8], i32, i32),
    ) -> usize {
        let polled = self.inner.block_poll_fn(handler, length_limit);
        usize::try_from(polled).unwrap_or(0)
    }

    /// Whether it has an image.
    pub(crate) fn is_connected(&self) -> bool {
        self.inner.is_connected()
    }

    /// Whether it is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Its images.
    pub(crate) fn images(&self) -> Vec<Image> {
        (0..self.image_count())
            .filter_map(|index| self.inner.image_at_index(index))
            .map(Image::new)
            .collect()
    }

    /// How many images it has.
    pub(crate) fn image_count(&self) -> usize {
        let count = self.inner.image_count().expect("a count");
        usize::try_from(count).expect("not negative")
    }

    /// The image of a session.
    pub(crate) fn image_by_session(&self, session_id: i32) -> Option<Image> {
        self.inner.image_by_session_id(session_id).map(Image::new)
    }

    /// What the handlers of images saw.
    pub(crate) fn events(&self) -> Vec<ImageEvent> {
        self.events.lock().expect("no handler panics").clone()
    }

    /// Registration id.
    pub(crate) fn registration_id(&self) -> i64 {
        self.inner.registration_id().expect("an id")
    }

    /// Stream.
    pub(crate) fn stream_id(&self) -> i32 {
        self.inner.stream_id().expect("an id")
    }

    /// Id of the counter of the channel's status, or -1.
    pub(crate) fn channel_status_id(&self) -> i32 {
        let constants = self.inner.get_constants().expect("constants");
        constants.channel_status_indicator_id()
    }

    /// Status of the channel; see [`crate::facade::channel_status`].
    pub(crate) fn channel_status(&self) -> i64 {
        self.inner.channel_status()
    }

    /// Addresses bound.
    pub(crate) fn local_addresses(&self) -> Vec<SocketAddr> {
        super::local_addresses(&self.client, self.channel_status_id())
    }

    /// Address bound, as text, once known.
    pub(crate) fn resolved_endpoint(&self) -> Option<String> {
        let endpoint = self.inner.resolved_endpoint_as_string(128).ok()?;
        Some(endpoint).filter(|endpoint| !endpoint.is_empty())
    }

    /// The channel with the port that was bound, once known.
    pub(crate) fn resolved_channel(&self) -> Option<String> {
        let channel = self
            .inner
            .try_resolve_channel_endpoint_port_as_string(4096)
            .ok()?;
        Some(channel).filter(|channel| !channel.is_empty())
    }

    /// Adds a destination; its registration id is not known to every library.
    pub(crate) fn add_destination(&self, uri: &str) -> Result<(), Refusal> {
        publication::wait(&mut self.add_destination_async(uri)?)
    }

    /// Asks for a destination.
    pub(crate) fn add_destination_async(&self, uri: &str) -> Result<Pending<()>, Refusal> {
        let asked = self
            .inner
            .async_add_destination(&self.client, &c_string(uri));
        Ok(publication::pending(asked.map_err(refusal)?))
    }

    /// Removes a destination.
    pub(crate) fn remove_destination(&self, uri: &str) -> Result<(), Refusal> {
        publication::wait(&mut self.remove_destination_async(uri)?)
    }

    /// Asks for the end of a destination.
    pub(crate) fn remove_destination_async(&self, uri: &str) -> Result<Pending<()>, Refusal> {
        let asked = self
            .inner
            .async_remove_destination(&self.client, &c_string(uri));
        Ok(publication::pending(asked.map_err(refusal)?))
    }

    /// Closes it.
    pub(crate) fn close(self) {
        self.inner.close().expect("closed");
    }
}

pub(super) fn count(polled: Result<i32, rusteron_media_driver::AeronCError>) -> usize {
    usize::try_from(polled.expect("polled")).expect("not negative")
}

pub(super) fn view(header: &AeronHeader) -> HeaderView {
    let values = header.get_values().expect("a header");
    let frame = values.frame();
    HeaderView {
        frame_length: frame.frame_length(),
        flags: frame.flags(),
        frame_type: u16::from_ne_bytes(frame.type_().to_ne_bytes()),
        term_offset: frame.term_offset(),
        session_id: frame.session_id(),
        stream_id: frame.stream_id(),
        term_id: frame.term_id(),
        reserved_value: frame.reserved_value(),
        position: header.position(),
    }
}

pub(super) const fn action(action: Action) -> CAction {
    match action {
        Action::Abort => CAction::AERON_ACTION_ABORT,
        Action::Break => CAction::AERON_ACTION_BREAK,
        Action::Commit => CAction::AERON_ACTION_COMMIT,
        Action::Continue => CAction::AERON_ACTION_CONTINUE,
    }
}
