//! Subscriptions.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aileron::base::RegistrationId;
use aileron::client::{ControlledFragmentAssembler, FragmentAssembler, Header};

use super::{Image, Pending, refusal};
use crate::facade::{Action, HeaderView, ImageEvent, Refusal};

/// A subscription. Dropping it closes it.
pub(crate) struct Subscription {
    inner: RefCell<aileron::Subscription>,
    assembler: RefCell<FragmentAssembler>,
    controlled_assembler: RefCell<ControlledFragmentAssembler>,
    events: Arc<Mutex<Vec<ImageEvent>>>,
}

impl Subscription {
    pub(super) fn new(inner: aileron::Subscription, events: Arc<Mutex<Vec<ImageEvent>>>) -> Self {
        Self {
            inner: RefCell::new(inner),
            assembler: RefCell::default(),
            controlled_assembler: RefCell::default(),
            events,
        }
    }

    /// Hands fragments to `handler`.
    pub(crate) fn poll(&self, limit: usize, mut handler: impl FnMut(&[u8], &HeaderView)) -> usize {
        self.inner
            .borrow_mut()
            .poll(limit, |bytes, header| handler(bytes, &view(header)))
    }

    /// Hands whole messages to `handler`; counts fragments.
    pub(crate) fn poll_assembled(
        &self,
        limit: usize,
        mut handler: impl FnMut(&[u8], &HeaderView),
    ) -> usize {
        let mut assembler = self.assembler.borrow_mut();
        self.inner
            .borrow_mut()
            .poll_assembled(&mut assembler, limit, |bytes, header| {
                handler(bytes, &view(header));
            })
    }

    /// Hands fragments to a handler that says how to go on.
    pub(crate) fn controlled_poll(
        &self,
        limit: usize,
        mut handler: impl FnMut(&[u8], &HeaderView) -> Action,
    ) -> usize {
        self.inner
            .borrow_mut()
            .controlled_poll(limit, |bytes, header| action(handler(bytes, &view(header))))
    }

    /// Hands whole messages to a handler that says how to go on.
    pub(crate) fn controlled_poll_assembled(
        &self,
        limit: usize,
        mut handler: impl FnMut(&[u8], &HeaderView) -> Action,
    ) -> usize {
        let mut assembler = self.controlled_assembler.borrow_mut();
        self.inner
            .borrow_mut()
            .controlled_poll_assembled(&mut assembler, limit, |bytes, header| {
                action(handler(bytes, &view(header)))
            })
    }

    /// Hands blocks of whole frames to `handler`: bytes, session, term. Returns the bytes consumed.
    pub(crate) fn block_poll(
        &self,
        length_limit: usize,
        mut handler: impl FnMut(&[u8], i32, i32),
    ) -> usize {
        self.inner.borrow_mut().block_poll(length_limit, |block| {
            handler(block.bytes, block.session_id.get(), block.term_id.get());
        })
    }

    /// Whether it has an image.
    pub(crate) fn is_connected(&self) -> bool {
        self.inner.borrow().is_connected()
    }

    /// Whether it is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.inner.borrow().is_closed()
    }

    /// Its images.
    pub(crate) fn images(&self) -> Vec<Image> {
        let images = self.inner.borrow().images();
        images.iter().cloned().map(Image).collect()
    }

    /// How many images it has.
    pub(crate) fn image_count(&self) -> usize {
        self.inner.borrow().image_count()
    }

    /// The image of a session.
    pub(crate) fn image_by_session(&self, session_id: i32) -> Option<Image> {
        let session_id = aileron::SessionId(session_id);
        self.inner.borrow().image_by_session(session_id).map(Image)
    }

    /// What the handlers of images saw.
    pub(crate) fn events(&self) -> Vec<ImageEvent> {
        self.events.lock().expect("no handler panics").clone()
    }

    /// Registration id.
    pub(crate) fn registration_id(&self) -> i64 {
        self.inner.borrow().registration_id().get()
    }

    /// Stream.
    pub(crate) fn stream_id(&self) -> i32 {
        self.inner.borrow().stream_id().get()
    }

    /// Id of the counter of the channel's status, or -1.
    pub(crate) fn channel_status_id(&self) -> i32 {
        self.inner.borrow().channel_status_id().get()
    }

    /// Status of the channel; see [`crate::facade::channel_status`].
    pub(crate) fn channel_status(&self) -> i64 {
        self.inner.borrow().channel_status().to_wire()
    }

    /// Addresses bound.
    pub(crate) fn local_addresses(&self) -> Vec<SocketAddr> {
        self.inner.borrow().local_socket_addresses()
    }

    /// Address bound, as text, once known.
    pub(crate) fn resolved_endpoint(&self) -> Option<String> {
        let endpoint = self.inner.borrow().resolved_endpoint();
        endpoint.map(|address| address.to_string())
    }

    /// The channel with the port that was bound, once known.
    pub(crate) fn resolved_channel(&self) -> Option<String> {
        self.inner.borrow().resolved_channel()
    }

    /// Adds a destination; its registration id is not known to every library.
    pub(crate) fn add_destination(&self, uri: &str) -> Result<(), Refusal> {
        let added = self.inner.borrow().add_destination(uri);
        added.map(|_: RegistrationId| ()).map_err(refusal)
    }

    /// Asks for a destination.
    pub(crate) fn add_destination_async(&self, uri: &str) -> Result<Pending<()>, Refusal> {
        let pending = self.inner.borrow().add_destination_async(uri);
        Ok(Pending::new(pending.map_err(refusal)?, |_| ()))
    }

    /// Removes a destination.
    pub(crate) fn remove_destination(&self, uri: &str) -> Result<(), Refusal> {
        self.inner.borrow().remove_destination(uri).map_err(refusal)
    }

    /// Asks for the end of a destination.
    pub(crate) fn remove_destination_async(&self, uri: &str) -> Result<Pending<()>, Refusal> {
        let pending = self.inner.borrow().remove_destination_async(uri);
        Ok(Pending::new(pending.map_err(refusal)?, |()| ()))
    }

    /// Closes it.
    pub(crate) fn close(self) {
        self.inner.borrow_mut().close();
    }
}

pub(super) fn note(events: &Mutex<Vec<ImageEvent>>, is_available: bool, image: &aileron::Image) {
    let event = ImageEvent {
        is_available,
        session_id: image.session_id().get(),
        correlation_id: image.correlation_id().get(),
        position: image.position().get(),
        is_closed: image.is_closed(),
        is_end_of_stream: image.is_end_of_stream(),
        is_revoked: image.is_publication_revoked(),
    };
    events.lock().expect("no handler panics").push(event);
}

pub(super) fn view(header: &Header<'_>) -> HeaderView {
    HeaderView {
        frame_length: header.frame_length(),
        flags: header.flags(),
        frame_type: header.frame_type(),
        term_offset: header.term_offset().get(),
        session_id: header.session_id().get(),
        stream_id: header.stream_id().get(),
        term_id: header.term_id().get(),
        reserved_value: header.reserved_value(),
        position: header.position().get(),
    }
}

pub(super) const fn action(action: Action) -> aileron::client::Action {
    match action {
        Action::Abort => aileron::client::Action::Abort,
        Action::Break => aileron::client::Action::Break,
        Action::Commit => aileron::client::Action::Commit,
        Action::Continue => aileron::client::Action::Continue,
    }
}
