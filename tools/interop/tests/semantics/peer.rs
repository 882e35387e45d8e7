//! The client that the rows use: a thin face over Aeron's C client, with the names and signatures
//! of the one over aileron's (`tests/semantics/peer.rs`).
#![allow(
    dead_code,
    reason = "rows come and go; the facade offers what any of them may need"
)]

mod image;
mod publication;
#[expect(unsafe_code, reason = "what the binding has no safe form of")]
mod raw;
mod subscription;

use std::ffi::CString;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rusteron_media_driver::{
    Aeron, AeronCError, AeronContext, AeronCounter, AeronCountersReader,
    AeronPublicationErrorValues, Handler,
};

pub(crate) use self::image::Image;
pub(crate) use self::publication::Publication;
pub(crate) use self::subscription::Subscription;
pub(crate) use crate::facade::*;

/// Which library it is.
pub(crate) const LIBRARY: &str = "aeron";
/// How old the driver's heartbeat may get, and how long an answer may take.
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
    inner: Aeron,
    seen: Arc<Mutex<Seen>>,
    invoked: bool,
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
        let inner = connect(dir, options, &seen).map_err(refusal)?;
        Ok(Self {
            inner,
            seen,
            invoked: options.invoked,
        })
    }

    /// One duty cycle of the conductor, where the row drives it.
    pub(crate) fn do_work(&self) -> usize {
        if !self.invoked {
            return 0;
        }
        usize::try_from(self.inner.main_do_work().unwrap_or(0)).unwrap_or(0)
    }

    /// Client id.
    pub(crate) fn id(&self) -> i64 {
        self.inner.client_id()
    }

    /// Whether it is closed, by itself or by the row.
    pub(crate) fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Closes it.
    pub(crate) fn close(self) {
        self.inner.close().expect("closed");
    }

    /// The next correlation id of the driver.
    pub(crate) fn next_correlation_id(&self) -> i64 {
        self.inner.next_correlation_id()
    }

    /// Asks the driver for a session id.
    pub(crate) fn next_session_id(&self, stream_id: i32) -> Result<i32, Refusal> {
        raw::next_session_id(&self.inner, stream_id)
    }

    /// Adds a concurrent publication.
    pub(crate) fn add_publication(&self, uri: &str, stream: i32) -> Result<Publication, Refusal> {
        self.wait(self.add_publication_async(uri, stream)?)
    }

    /// Adds an exclusive publication.
    pub(crate) fn add_exclusive_publication(
        &self,
        uri: &str,
        stream: i32,
    ) -> Result<Publication, Refusal> {
        self.wait(self.add_exclusive_publication_async(uri, stream)?)
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
        self.wait(self.add_subscription_async(uri, stream)?)
    }

    /// Asks for a concurrent publication.
    pub(crate) fn add_publication_async(
        &self,
        uri: &str,
        stream: i32,
    ) -> Result<Pending<Publication>, Refusal> {
        let client = self.inner.clone();
        let pending = client
            .async_add_publication(&c_string(uri), stream)
            .map_err(refusal)?;
        Ok(Pending::new(pending.get_registration_id(), move || {
            let taken = pending.poll().map_err(refusal)?;
            Ok(taken.map(|inner| Publication::concurrent(client.clone(), inner)))
        }))
    }

    /// Asks for an exclusive publication.
    pub(crate) fn add_exclusive_publication_async(
        &self,
        uri: &str,
        stream: i32,
    ) -> Result<Pending<Publication>, Refusal> {
        let client = self.inner.clone();
        let pending = client
            .async_add_exclusive_publication(&c_string(uri), stream)
            .map_err(refusal)?;
        Ok(Pending::new(pending.get_registration_id(), move || {
            let taken = pending.poll().map_err(refusal)?;
            Ok(taken.map(|inner| Publication::exclusive(client.clone(), inner)))
        }))
    }

    /// Asks for a subscription.
    pub(crate) fn add_subscription_async(
        &self,
        uri: &str,
        stream: i32,
    ) -> Result<Pending<Subscription>, Refusal> {
        let client = self.inner.clone();
        let events = Arc::new(Mutex::new(Vec::new()));
        let available = Handler::new(subscription::Noting::new(true, &events));
        let unavailable = Handler::new(subscription::Noting::new(false, &events));
        let pending = client
            .async_add_subscription(&c_string(uri), stream, Some(&available), Some(&unavailable))
            .map_err(refusal)?;
        Ok(Pending::new(pending.get_registration_id(), move || {
            let taken = pending.poll().map_err(refusal)?;
            Ok(taken.map(|inner| Subscription::new(client.clone(), inner, Arc::clone(&events))))
        }))
    }

    /// Adds a counter of this client.
    pub(crate) fn add_counter(
        &self,
        type_id: i32,
        key: &[u8],
        label: &str,
    ) -> Result<Counter, Refusal> {
        self.wait(self.add_counter_async(type_id, key, label)?)
    }

    /// Asks for a counter of this client.
    pub(crate) fn add_counter_async(
        &self,
        type_id: i32,
        key: &[u8],
        label: &str,
    ) -> Result<Pending<Counter>, Refusal> {
        let pending = self
            .inner
            .async_add_counter(type_id, key, label)
            .map_err(refusal)?;
        Ok(Pending::new(pending.get_registration_id(), move || {
            let taken = pending.poll().map_err(refusal)?;
            Ok(taken.map(|inner| Counter {
                inner,
                is_static: false,
            }))
        }))
    }

    /// Adds a counter that lives as long as the driver, or finds it.
    pub(crate) fn add_static_counter(
        &self,
        type_id: i32,
        key: &[u8],
        label: &str,
        registration_id: i64,
    ) -> Result<Counter, Refusal> {
        let added = raw::add_static_counter(&self.inner, type_id, key, label, registration_id);
        added.map(|inner| Counter {
            inner,
            is_static: true,
        })
    }

    /// All counters of the driver.
    pub(crate) fn counters(&self) -> Vec<CounterView> {
        counters(&self.inner.counters_reader())
    }

    /// Value of a counter, if there is one with that id.
    pub(crate) fn counter_value(&self, id: i32) -> Option<i64> {
        self.inner.counters_reader().get_counter_value(id).ok()
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

    fn wait<T>(&self, mut pending: Pending<T>) -> Result<T, Refusal> {
        let mut taken = pending.poll();
        let start = std::time::Instant::now();
        while let Ok(None) = taken {
            assert!(start.elapsed() < PATIENCE, "no answer from the driver");
            if self.do_work() == 0 {
                std::thread::sleep(Duration::from_micros(100));
            }
            taken = pending.poll();
        }
        taken.map(|taken| taken.expect("what is awaited"))
    }
}

fn connect(
    dir: &Path,
    options: &ClientOptions,
    seen: &Arc<Mutex<Seen>>,
) -> Result<Aeron, AeronCError> {
    let context = AeronContext::new()?;
    context.set_dir(&c_string(&dir.to_string_lossy()))?;
    let timeout = options.driver_timeout.unwrap_or(PATIENCE);
    context.set_driver_timeout_ms(u64::try_from(timeout.as_millis()).expect("not that long"))?;
    let keepalive = options.keepalive.unwrap_or(Duration::from_millis(100));
    context.set_keepalive_interval_ns(u64::try_from(keepalive.as_nanos()).expect("short"))?;
    if let Some(name) = &options.name {
        context.set_client_name(&c_string(name))?;
    }
    context.set_use_conductor_agent_invoker(options.invoked)?;
    let (faults, comers) = (Arc::clone(seen), Arc::clone(seen));
    let (goers, frames) = (Arc::clone(seen), Arc::clone(seen));
    context.set_error_handler(Some(move |code: i32, text: &str| {
        see(&faults).faults.push(fault(code, text));
    }))?;
    context.set_on_available_counter(Some(
        move |_: AeronCountersReader, registration_id: i64, counter_id: i32| {
            see(&comers).counters.push(CounterEvent {
                is_available: true,
                registration_id,
                counter_id,
            });
        },
    ))?;
    context.set_on_unavailable_counter(Some(
        move |_: AeronCountersReader, registration_id: i64, counter_id: i32| {
            see(&goers).counters.push(CounterEvent {
                is_available: false,
                registration_id,
                counter_id,
            });
        },
    ))?;
    context.set_publication_error_frame_handler(Some(
        move |error: AeronPublicationErrorValues| {
            see(&frames).error_frames.push(error_frame(&error));
        },
    ))?;
    let client = Aeron::new(&context)?;
    client.start()?;
    Ok(client)
}

/// A counter of a client.
pub(crate) struct Counter {
    inner: AeronCounter,
    is_static: bool,
}

impl Counter {
    /// Its id.
    pub(crate) fn id(&self) -> i32 {
        self.inner
            .get_constants()
            .expect("its constants")
            .counter_id()
    }

    /// Registration id.
    pub(crate) fn registration_id(&self) -> i64 {
        self.inner
            .get_constants()
            .expect("its constants")
            .registration_id()
    }

    /// Its value.
    pub(crate) fn get(&self) -> i64 {
        self.inner
            .addr_atomic()
            .load(std::sync::atomic::Ordering::Acquire)
    }

    /// Sets it.
    pub(crate) fn set(&self, value: i64) {
        self.inner
            .addr_atomic()
            .store(value, std::sync::atomic::Ordering::Release);
    }

    /// Whether it is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Gives it back.
    pub(crate) fn close(self) {
        if self.is_static {
            raw::close_counter(&self.inner);
        } else {
            self.inner.close().expect("closed");
        }
    }
}

/// Something that the driver was asked for.
pub(crate) struct Pending<T> {
    registration_id: i64,
    take: Option<Take<T>>,
}

/// Looks whether it is there.
type Take<T> = Box<dyn FnMut() -> Result<Option<T>, Refusal>>;

impl<T> Pending<T> {
    fn new(
        registration_id: i64,
        take: impl FnMut() -> Result<Option<T>, Refusal> + 'static,
    ) -> Self {
        Self {
            registration_id,
            take: Some(Box::new(take)),
        }
    }

    /// Registration id of what was asked for.
    pub(crate) const fn registration_id(&self) -> i64 {
        self.registration_id
    }

    /// What was asked for, once it is there.
    pub(crate) fn poll(&mut self) -> Result<Option<T>, Refusal> {
        let Some(take) = self.take.as_mut() else {
            return Ok(None);
        };
        let taken = take();
        if !matches!(taken, Ok(None)) {
            // The library has freed the command; it must not be asked again.
            self.take = None;
        }
        taken
    }
}

fn see(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().expect("no handler panics")
}

/// All counters that are in use.
fn counters(reader: &AeronCountersReader) -> Vec<CounterView> {
    let mut views = Vec::new();
    reader.foreach_counter_fn(|value, id, type_id, key, label| {
        views.push(CounterView {
            id,
            type_id,
            value,
            registration_id: reader.counter_registration_id(id).unwrap_or(0),
            owner_id: reader.counter_owner_id(id).unwrap_or(0),
            reference_id: reader.counter_reference_id(id).unwrap_or(0),
            label: label.to_owned(),
            key: key.to_vec(),
        });
    });
    views
}

/// The addresses that the counters tell of a channel, by the id of its status counter.
fn local_addresses(client: &Aeron, status_id: i32) -> Vec<SocketAddr> {
    const LOCAL_SOCKADDR_TYPE_ID: i32 = 14;
    let all = counters(&client.counters_reader());
    let mine = all.iter().filter(|counter| {
        counter.type_id == LOCAL_SOCKADDR_TYPE_ID
            && counter.value == channel_status::ACTIVE
            && counter.key_i32(0) == status_id
    });
    mine.filter_map(|counter| {
        let length = usize::try_from(counter.key_i32(4)).ok()?;
        let text = std::str::from_utf8(counter.key.get(8..8 + length)?).ok()?;
        text.parse().ok()
    })
    .collect()
}

/// The failure of the last call, whose code and words the library keeps by thread.
fn refusal(error: AeronCError) -> Refusal {
    let code = Aeron::errcode().unwrap_or_else(|error| error.code);
    let text = Aeron::errmsg();
    // The driver's words follow the library's own on a line of their own.
    let text = text
        .split_once("registration error\n")
        .map_or(text, |(_, words)| words);
    let text = if text.is_empty() {
        error.to_string()
    } else {
        text.trim_end().to_owned()
    };
    Refusal {
        code: (-code).max(code::OF_CLIENT),
        text,
    }
}

fn fault(code: i32, text: &str) -> ClientFault {
    let kind = match code.abs() {
        1000 => FaultKind::DriverGone,
        1001 => FaultKind::ClientTimeout,
        1002 => FaultKind::ServiceTimeout,
        _ => FaultKind::Other,
    };
    ClientFault {
        kind,
        text: text.to_owned(),
    }
}

fn error_frame(error: &AeronPublicationErrorValues) -> ErrorFrame {
    let bytes = error.source_address();
    let [a, b, c, d, ..] = bytes;
    let ip: Option<IpAddr> = match error.address_type() {
        1 => Some([a, b, c, d].into()),
        2 => Some(bytes.into()),
        _ => None,
    };
    ErrorFrame {
        registration_id: error.registration_id(),
        destination_registration_id: error.destination_registration_id(),
        session_id: error.session_id(),
        stream_id: error.stream_id(),
        receiver_id: error.receiver_id(),
        group_tag: error.group_tag(),
        source: ip.map(|ip| SocketAddr::new(ip, error.source_port())),
        code: error.error_code(),
        text: raw::error_text(error),
    }
}

fn c_string(text: &str) -> CString {
    CString::new(text).expect("no zero byte")
}
