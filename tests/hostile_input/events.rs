//! Events of any content to a live client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aileron::Subscription;
use aileron::base::{ClientId, CorrelationId, CounterId, RegistrationId, StreamId};
use aileron::client::{ClientError, ConductorInvoker, Publication};
use aileron::command::{
    ClientTimeout, CounterReady, ErrorCode, ErrorResponse, Event, NextAvailableSessionId,
    OperationSuccess, PublicationError, PublicationReady, StaticCounter, SubscriptionReady,
    UnavailableCounter, UnavailableImage,
};
use aileron::logbuffer::LogKind;
use aileron::{Client, SessionId};

use super::fake_driver::{FakeDriver, SESSION, STREAM, Shared, new_log};
use super::mutation::{Template, changed, index, random};
use super::support::place;

/// Events between two duty cycles of the client: few enough to be all read.
const BATCH: u64 = 16;

/// A client with one of each thing that events are about.
struct Target {
    client: Client,
    invoker: ConductorInvoker,
    publication: Publication,
    subscription: Subscription,
}

impl Target {
    fn new(driver: &Shared, malformed: &Arc<AtomicU64>) -> Self {
        let count = Arc::clone(malformed);
        let (client, invoker) = driver.connect(move |error| {
            if matches!(error, ClientError::MalformedEvent { .. }) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        let publication = client
            .add_publication("aeron:ipc", STREAM)
            .expect("answered");
        let subscription = client
            .add_subscription("aeron:ipc", STREAM)
            .expect("answered");
        Self {
            client,
            invoker,
            publication,
            subscription,
        }
    }

    /// Lets the client take in all there is.
    fn work(&mut self) {
        for _ in 0..2 * BATCH {
            self.invoker.do_work();
        }
        let _ = self.publication.offer(b"hello");
        self.subscription.poll(10, |_, _| {});
    }

    /// A valid event of each kind, about what the client has.
    fn events(&self, driver: &Shared, path: &str) -> Vec<(i32, Template)> {
        let mut events = Vec::new();
        let mut push = |event: Event<'_>| {
            let mut bytes = Vec::new();
            let type_id = event.encode(&mut bytes);
            events.push((type_id, Template { bytes, kept: 0..0 }));
        };
        let registration_id = self.publication.registration_id();
        let subscription = self.subscription.registration_id();
        let correlation_id = CorrelationId(registration_id.get());
        let counter_id = CounterId(0);
        let ready = PublicationReady {
            correlation_id,
            registration_id,
            session_id: SESSION,
            stream_id: STREAM,
            publication_limit_counter_id: counter_id,
            channel_status_counter_id: counter_id,
            log_file_name: path,
        };
        let image = driver.lock().image(CorrelationId(99), subscription, path);
        push(Event::AvailableImage(image));
        push(Event::UnavailableImage(UnavailableImage {
            correlation_id: CorrelationId(99),
            subscription_registration_id: subscription,
            stream_id: STREAM,
            channel: b"aeron:ipc",
        }));
        push(Event::PublicationReady(ready));
        push(Event::ExclusivePublicationReady(ready));
        push(Event::SubscriptionReady(SubscriptionReady {
            correlation_id: CorrelationId(subscription.get()),
            channel_status_counter_id: counter_id,
        }));
        push(Event::OperationSuccess(OperationSuccess { correlation_id }));
        push(Event::Error(ErrorResponse {
            correlation_id,
            code: ErrorCode::GenericError,
            message: b"refused",
        }));
        push(Event::CounterReady(CounterReady {
            correlation_id,
            counter_id,
        }));
        push(Event::UnavailableCounter(UnavailableCounter {
            registration_id,
            counter_id,
        }));
        push(Event::StaticCounter(StaticCounter {
            correlation_id,
            counter_id,
        }));
        push(Event::ClientTimeout(ClientTimeout {
            client_id: ClientId(1 << 40),
        }));
        push(Event::NextAvailableSessionId(NextAvailableSessionId {
            correlation_id,
            next_session_id: SessionId(1),
        }));
        push(Event::PublicationError(PublicationError {
            registration_id,
            destination_registration_id: RegistrationId(-1),
            session_id: SESSION,
            stream_id: StreamId(1),
            receiver_id: aileron::base::ReceiverId(5),
            group_tag: -1,
            source: Some(([127, 0, 0, 1], 9).into()),
            code: ErrorCode::ImageRejected,
            message: b"no more of this",
        }));
        events
    }
}

#[test]
fn events_of_any_content_do_no_harm_to_a_client() {
    let place = place();
    let driver = FakeDriver::create(&place.path().join("aeron"));
    let path = place.path().join("log").to_string_lossy().into_owned();
    let _log = new_log(path.as_ref(), LogKind::Concurrent);
    driver.lock().log_path.clone_from(&path);
    let malformed = Arc::new(AtomicU64::new(0));
    let mut target = Target::new(&driver, &malformed);
    let mut events = target.events(&driver, &path);
    let mut rng = super::rng();
    let mut renewals = 0;
    for _ in 0..super::count(50_000).div_ceil(BATCH) {
        for _ in 0..BATCH {
            let (type_id, template) = &events[index(&mut rng, events.len())];
            let (type_id, payload) = match rng.below(8) {
                0 => (*type_id, random(&mut rng, 256)),
                1 => (rng.next_i32() & 0xFFFF, template.bytes.clone()),
                2 => (*type_id, template.bytes.clone()),
                _ => (*type_id, changed(&mut rng, std::slice::from_ref(template))),
            };
            driver.lock().send_bytes(type_id.max(1), &payload);
        }
        target.work();
        // An event may have told the client that the driver took it for dead, or that what it had
        // is gone: it is right to believe that.
        if target.client.is_closed() || target.publication.is_closed() {
            renewals += 1;
            target = Target::new(&driver, &malformed);
            events = target.events(&driver, &path);
        }
    }
    assert!(malformed.load(Ordering::Relaxed) > 0);
    assert!(renewals < 1000, "{renewals} clients ended");
    // Whatever was said, an honest answer is understood.
    let last = Target::new(&driver, &malformed);
    last.publication.offer(b"hello").expect("room");
    last.client.next_correlation_id().expect("open");
}

#[test]
fn random_words_all_over_the_events_do_not_hang_a_client() {
    let place = place();
    let driver = FakeDriver::create(&place.path().join("aeron"));
    let path = place.path().join("log").to_string_lossy().into_owned();
    let _log = new_log(path.as_ref(), LogKind::Concurrent);
    driver.lock().log_path.clone_from(&path);
    let malformed = Arc::new(AtomicU64::new(0));
    let mut target = Target::new(&driver, &malformed);
    let buffer = driver.lock().event_buffer();
    let mut rng = super::rng();
    for round in 0..super::count(50_000) {
        let at = index(&mut rng, buffer.len() / 4) * 4;
        buffer.store_i32_relaxed(at, rng.next_i32());
        if rng.chance(1, 200) {
            // The trailer: where the newest event is, and where the next will be.
            let at = buffer.len() - 128 + 8 * index(&mut rng, 3);
            buffer.store_i64_release(at, rng.next_u64().cast_signed() & !7);
        }
        target.invoker.do_work();
        if round % 1000 == 0 && target.client.is_closed() {
            let (client, invoker) = driver.connect(|_| {});
            target = Target {
                client,
                invoker,
                ..target
            };
        }
    }
}
