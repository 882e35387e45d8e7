//! The client that the rows use: a thin face over aileron's, with the names and signatures that
//! every client library under test is given (`tools/interop/tests/semantics` has the other one).
#![allow(
    dead_code,
    reason = "rows come and go; the facade offers what any of them may need"
)]

mod image;
mod publication;
mod subscription;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aileron::base::{CounterId, RegistrationId};
use aileron::client::{
    AddError, ClientError, ConductorInvoker, CounterEvent as Event, Pending as OwnPending,
    PublicationErrorFrame, Registered,
};
use aileron::concurrent::CounterState;
use aileron::{Context, StreamId};

pub(crate) use self::image::Image;
pub(crate) use self::publication::Publication;
pub(crate) use self::subscription::Subscription;
pub(crate) use crate::facade::*;

/// Which library it is.
pub(crate) const LIBRARY: &str = "aileron";
/// How old the driver's heartbeat may get, unless the row says otherwise: machines stop and go.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client's handlers saw.
#[derive(Default)]
struct Seen {
    faults: Vec<ClientFault>,
    counters: Vec<CounterEvent>,
    error_frames: Vec<ErrorFrame>,
}

/// A client. Dropping it closes it.
pub(crate) struct Client {
    inner: aileron::Client,
    invoker: Mutex<Option<ConductorInvoker>>,
    seen: Arc<Mutex<Seen>>,
}

impl Client {
    /// Connects with the defaults.
    pub(crate) fn connect(dir: &Path) -> Self {
        Self::connect_with(dir, &ClientOptions::default())
    }

    /// Connects.
    pub(crate) fn connect_with(dir: &Path, options: &ClientOptions) -> Self {
        Self::try_connect(dir, options).expect("a client")
    }

    /// Connects, or says why not.
    pub(crate) fn try_connect(dir: &Path, options: &ClientOptions) -> Result<Self, Refusal> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (faults, comers, goers, frames) =
            (seen.clone(), seen.clone(), seen.clone(), seen.clone());
        let options = options.clone();
        let context = Context::new()
            .dir(dir)
            .driver_timeout(options.driver_timeout.unwrap_or(PATIENCE))
            .on_error(move |error| see(&faults).faults.push(fault(error)))
            .configure(|config| {
                let keepalive = options.keepalive.unwrap_or(Duration::from_millis(100));
                let config = config
                    .keepalive_interval(keepalive)
                    .on_available_counter(move |event| {
                        see(&comers).counters.push(counter_event(true, event));
                    })
                    .on_unavailable_counter(move |event| {
                        see(&goers).counters.push(counter_event(false, event));
                    })
                    .on_publication_error(move |frame| {
                        see(&frames).error_frames.push(error_frame(frame));
                    });
                match options.name {
                    Some(name) => config.client_name(name),
                    None => config,
                }
            });
        let connected = if options.invoked {
            context
                .connect_invoked()
                .map(|(client, invoker)| (client, Some(invoker)))
        } else {
            context.connect().map(|client| (client, None))
        };
        let (inner, invoker) = connected.map_err(|error| Refusal {
            code: code::OF_CLIENT,
            text: error.to_string(),
        })?;
        let invoker = Mutex::new(invoker);
        Ok(Self {
            inner,
            invoker,
            seen,
        })
    }

    /// The client of the library itself, for rows that only aileron has.
    pub(crate) const fn own(&self) -> &aileron::Client {
        &self.inner
    }

    /// One duty cycle of the conductor, where the row drives it.
    pub(crate) fn do_work(&self) -> usize {
        let mut invoker = self.invoker.lock().expect("one thread");
        invoker.as_mut().map_or(0, ConductorInvoker::do_work)
    }

    /// Client id.
    pub(crate) fn id(&self) -> i64 {
        self.inner.client_id().get()
    }

    /// Whether it is closed, by itself or by the row.
    pub(crate) fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Closes it.
    pub(crate) fn close(self) {
        self.inner.close();
        let _ = self.do_work();
    }

    /// The next correlation id of the driver.
    pub(crate) fn next_correlation_id(&self) -> i64 {
        self.inner
            .next_correlation_id()
            .expect("an open client")
            .get()
    }

    /// Asks the driver for a session id.
    pub(crate) fn next_session_id(&self, stream_id: i32) -> Result<i32, Refusal> {
        let id = self.inner.next_session_id(StreamId(stream_id));
        id.map(aileron::SessionId::get).map_err(refusal)
    }

    /// Adds a concurrent publication.
    pub(crate) fn add_publication(&self, uri: &str, stream: i32) -> Result<Publication, Refusal> {
        let added = self.inner.add_publication(uri, StreamId(stream));
        added.map(Publication::concurrent).map_err(refusal)
    }

    /// Adds an exclusive publication.
    pub(crate) fn add_exclusive_publication(
        &self,
        uri: &str,
        stream: i32,
    ) -> Result<Publication, Refusal> {
        let added = self.inner.add_exclusive_publication(uri, StreamId(stream));
        added.map(Publication::exclusive).map_err(refusal)
    }

    /// Adds a publication of the kind asked for.
    pub(crate) fn add_publication_of(
        &self,
        is_exclusive: bool,
        uri: &str,
        stream: i32,
    ) -> Result<Publication, Refusal> {
        if is_exclusive {
            self.add_exclusive_publication(uri, stream)
        } else {
            self.add_publication(uri, stream)
        }
    }

    /// Adds a subscription.
    pub(crate) fn add_subscription(&self, uri: &str, stream: i32) -> Result<Subscription, Refusal> {
        let mut pending = self.add_subscription_async(uri, stream)?;
        loop {
            if let Some(added) = pending.poll()? {
                return Ok(added);
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Asks for a concurrent publication.
    pub(crate) fn add_publication_async(
        &self,
        uri: &str,
        stream: i32,
    ) -> Result<Pending<Publication>, Refusal> {
        let pending = self.inner.add_publication_async(uri, StreamId(stream));
        Ok(Pending::new(
            pending.map_err(refusal)?,
            Publication::concurrent,
        ))
    }

    /// Asks for an exclusive publication.
    pub(crate) fn add_exclusive_publication_async(
        &self,
        uri: &str,
        stream: i32,
    ) -> Result<Pending<Publication>, Refusal> {
        let pending = self
            .inner
            .add_exclusive_publication_async(uri, StreamId(stream));
        Ok(Pending::new(
            pending.map_err(refusal)?,
            Publication::exclusive,
        ))
    }

    /// Asks for a subscription.
    pub(crate) fn add_subscription_async(
        &self,
        uri: &str,
        stream: i32,
    ) -> Result<Pending<Subscription>, Refusal> {
        let events = Arc::new(Mutex::new(Vec::new()));
        let (comers, goers) = (Arc::clone(&events), Arc::clone(&events));
        let pending = self
            .inner
            .subscription(uri, StreamId(stream))
            .on_available_image(move |image| subscription::note(&comers, true, image))
            .on_unavailable_image(move |image| subscription::note(&goers, false, image))
            .add_async();
        Ok(Pending::new(pending.map_err(refusal)?, |inner| {
            Subscription::new(inner, events)
        }))
    }

    /// Adds a counter of this client.
    pub(crate) fn add_counter(
        &self,
        type_id: i32,
        key: &[u8],
        label: &str,
    ) -> Result<Counter, Refusal> {
        let added = self.inner.add_counter(type_id, key, label);
        added.map(Counter).map_err(refusal)
    }

    /// Asks for a counter of this client.
    pub(crate) fn add_counter_async(
        &self,
        type_id: i32,
        key: &[u8],
        label: &str,
    ) -> Result<Pending<Counter>, Refusal> {
        let pending = self.inner.add_counter_async(type_id, key, label);
        Ok(Pending::new(pending.map_err(refusal)?, Counter))
    }

    /// Adds a counter that lives as long as the driver, or finds it.
    pub(crate) fn add_static_counter(
        &self,
        type_id: i32,
        key: &[u8],
        label: &str,
        registration_id: i64,
    ) -> Result<Counter, Refusal> {
        let id = RegistrationId(registration_id);
        let added = self.inner.add_static_counter(type_id, key, label, id);
        added.map(Counter).map_err(refusal)
    }

    /// All counters of the driver.
    pub(crate) fn counters(&self) -> Vec<CounterView> {
        let mut views = Vec::new();
        self.inner.counters().for_each(|record| {
            if record.state == CounterState::Allocated {
                views.push(CounterView {
                    id: record.id.get(),
                    type_id: record.type_id,
                    value: record.value,
                    registration_id: record.registration_id.get(),
                    owner_id: record.owner_id,
                    reference_id: record.reference_id,
                    label: record.label.clone(),
                    key: record.key.to_vec(),
                });
            }
        });
        views
    }

    /// Value of a counter, if there is one with that id.
    pub(crate) fn counter_value(&self, id: i32) -> Option<i64> {
        self.inner.counters().value(CounterId(id))
    }

    /// What the error handler was told.
    pub(crate) fn faults(&self) -> Vec<ClientFault> {
        see(&self.seen).faults.clone()
    }

    /// What the handlers of counters saw.
    pub(crate) fn counter_events(&self) -> Vec<CounterEvent> {
        see(&self.seen).counters.clone()
    }

    /// What the handler of publications' errors saw.
    pub(crate) fn error_frames(&self) -> Vec<ErrorFrame> {
        see(&self.seen).error_frames.clone()
    }
}

/// A counter of a client.
pub(crate) struct Counter(aileron::client::Counter);

impl Counter {
    /// Its id.
    pub(crate) fn id(&self) -> i32 {
        self.0.id().get()
    }

    /// Registration id.
    pub(crate) fn registration_id(&self) -> i64 {
        self.0.registration_id().get()
    }

    /// Its value.
    pub(crate) fn get(&self) -> i64 {
        self.0.get()
    }

    /// Sets it.
    pub(crate) fn set(&self, value: i64) {
        self.0.set(value);
    }

    /// Whether it is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Gives it back.
    pub(crate) fn close(self) {
        self.0.close();
    }
}

/// Something that the driver was asked for.
pub(crate) struct Pending<T> {
    registration_id: i64,
    take: Box<dyn FnMut() -> Result<Option<T>, Refusal>>,
}

impl<T> Pending<T> {
    fn new<O: Registered>(mut pending: OwnPending<O>, make: impl FnOnce(O) -> T + 'static) -> Self {
        let registration_id = pending.registration_id().get();
        let mut make = Some(make);
        let take = Box::new(move || {
            let taken = pending.try_get().map_err(refusal)?;
            Ok(taken.map(|own| make.take().expect("taken once")(own)))
        });
        Self {
            registration_id,
            take,
        }
    }

    /// Registration id of what was asked for.
    pub(crate) const fn registration_id(&self) -> i64 {
        self.registration_id
    }

    /// What was asked for, once it is there.
    pub(crate) fn poll(&mut self) -> Result<Option<T>, Refusal> {
        (self.take)()
    }
}

fn see(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().expect("no handler panics")
}

fn refusal(error: AddError) -> Refusal {
    match error {
        AddError::Registration(error) => Refusal {
            code: error.raw_code,
            text: error.message,
        },
        other => Refusal {
            code: code::OF_CLIENT,
            text: other.to_string(),
        },
    }
}

fn fault(error: &ClientError) -> ClientFault {
    let kind = match error {
        ClientError::DriverTimeout { .. } | ClientError::DriverShutdown => FaultKind::DriverGone,
        ClientError::ServiceTimeout { .. } => FaultKind::ServiceTimeout,
        ClientError::ClientTimeout(_) | ClientError::HeartbeatLost => FaultKind::ClientTimeout,
        _ => FaultKind::Other,
    };
    ClientFault {
        kind,
        text: error.to_string(),
    }
}

fn counter_event(is_available: bool, event: &Event<'_>) -> CounterEvent {
    CounterEvent {
        is_available,
        registration_id: event.registration_id.get(),
        counter_id: event.counter_id.get(),
    }
}

fn error_frame(frame: &PublicationErrorFrame) -> ErrorFrame {
    ErrorFrame {
        registration_id: frame.registration_id.get(),
        destination_registration_id: frame.destination_registration_id.map_or(-1, |id| id.get()),
        session_id: frame.session_id.get(),
        stream_id: frame.stream_id.get(),
        receiver_id: frame.receiver_id.get(),
        group_tag: frame.group_tag.unwrap_or(-1),
        source: frame.source,
        code: frame.code as i32,
        text: frame.message.clone(),
    }
}
