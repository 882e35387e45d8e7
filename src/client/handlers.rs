//! The application's callbacks, and how the conductor runs them: never letting a panic through.

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{ClientError, Image};
use crate::base::{CounterId, ReceiverId, RegistrationId, SessionId, StreamId};
use crate::command::ErrorCode;
use crate::concurrent::CountersReader;

pub(crate) type ErrorHandler = Arc<dyn Fn(&ClientError) + Send + Sync>;
pub(crate) type ImageHandler = Arc<dyn Fn(&Image) + Send + Sync>;
pub(crate) type CounterHandler = Arc<dyn Fn(&CounterEvent<'_>) + Send + Sync>;
pub(crate) type PublicationErrorHandler = Arc<dyn Fn(&PublicationErrorFrame) + Send + Sync>;
pub(crate) type CloseHandler = Box<dyn FnOnce() + Send>;

/// A counter that came or went, of this client or of any other.
///
/// ```
/// use aileron::client::ClientConfig;
/// let config = ClientConfig::default()
///     .on_available_counter(|event| println!("counter {} is new", event.counter_id));
/// # let _ = config;
/// ```
#[derive(Debug)]
pub struct CounterEvent<'a> {
    /// All counters of the driver.
    pub counters: &'a CountersReader,
    /// Registration id of the counter; the client's id for its heartbeat counter.
    pub registration_id: RegistrationId,
    /// The counter.
    pub counter_id: CounterId,
}

/// A receiver's complaint about a publication of this client: an image was rejected.
///
/// ```
/// use aileron::client::ClientConfig;
/// let config = ClientConfig::default()
///     .on_publication_error(|error| eprintln!("session {}: {}", error.session_id, error.message));
/// # let _ = config;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicationErrorFrame {
    /// Original registration id of the publication.
    pub registration_id: RegistrationId,
    /// Destination of a manual multi-destination publication it came from, if known.
    pub destination_registration_id: Option<RegistrationId>,
    /// Session of the publication.
    pub session_id: SessionId,
    /// Stream of the publication.
    pub stream_id: StreamId,
    /// Who complains; -1 for a subscriber on the same machine (IPC).
    pub receiver_id: ReceiverId,
    /// Group tag of the receiver, if it has one.
    pub group_tag: Option<i64>,
    /// Where it came from, if the driver knows.
    pub source: Option<SocketAddr>,
    /// What the matter is.
    pub code: ErrorCode,
    /// The receiver's words.
    pub message: String,
}

/// Names a handler that was added to a running client, in order to remove it.
///
/// ```no_run
/// # fn demo(client: &aileron::client::Client) -> Result<(), aileron::client::ClientError> {
/// let id = client.add_close_handler(|| println!("closed"))?;
/// assert!(client.remove_close_handler(id)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandlerId(pub(crate) i64);

/// All handlers of a client. Owned by its conductor.
pub(crate) struct Handlers {
    pub(crate) error: ErrorHandler,
    pub(crate) available_image: Option<ImageHandler>,
    pub(crate) unavailable_image: Option<ImageHandler>,
    pub(crate) publication_error: Option<PublicationErrorHandler>,
    pub(crate) available_counter: Vec<(HandlerId, CounterHandler)>,
    pub(crate) unavailable_counter: Vec<(HandlerId, CounterHandler)>,
    pub(crate) close: Vec<(HandlerId, CloseHandler)>,
}

impl Default for Handlers {
    fn default() -> Self {
        Self {
            error: Arc::new(|error| eprintln!("aileron client: {error}")),
            available_image: None,
            unavailable_image: None,
            publication_error: None,
            available_counter: Vec::new(),
            unavailable_counter: Vec::new(),
            close: Vec::new(),
        }
    }
}

impl Handlers {
    /// Tells the error handler. A panic of that handler has nowhere left to go and is dropped.
    pub(crate) fn report(&self, error: &ClientError) {
        let _ = catch_unwind(AssertUnwindSafe(|| (self.error)(error)));
    }

    /// Runs one handler; a panic becomes a report.
    pub(crate) fn run(&self, handler: &'static str, call: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
            let message = panic_text(payload.as_ref());
            self.report(&ClientError::HandlerPanicked { handler, message });
        }
    }

    pub(crate) fn image_is_unavailable(&self, handler: Option<&ImageHandler>, image: &Image) {
        if let Some(handler) = handler {
            self.run("unavailable image", || handler(image));
        }
    }

    pub(crate) fn counter_is_available(&self, event: &CounterEvent<'_>) {
        for (_, handler) in &self.available_counter {
            self.run("available counter", || handler(event));
        }
    }

    pub(crate) fn counter_is_unavailable(&self, event: &CounterEvent<'_>) {
        for (_, handler) in &self.unavailable_counter {
            self.run("unavailable counter", || handler(event));
        }
    }

    /// Runs the close handlers, each once.
    pub(crate) fn closed(&mut self) {
        for (_, handler) in std::mem::take(&mut self.close) {
            self.run("close", handler);
        }
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handlers")
            .field("available_image", &self.available_image.is_some())
            .field("unavailable_image", &self.unavailable_image.is_some())
            .field("publication_error", &self.publication_error.is_some())
            .field("available_counter", &self.available_counter.len())
            .field("unavailable_counter", &self.unavailable_counter.len())
            .field("close", &self.close.len())
            .finish_non_exhaustive()
    }
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    payload
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_default()
}
