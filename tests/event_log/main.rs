//! The event log of real drivers: what is in it, and what is not.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aileron::concurrent::{EventReader, EventRecord, EventSet};
use aileron::driver::config::DriverConfigBuilder;
use aileron::{
    Client, Context, DriverConfig, MediaDriver, Publication, StreamId, Subscription, runtime,
};

const WATCHDOG: Duration = Duration::from_secs(30);
const STREAM: StreamId = StreamId(1001);

fn launch(change: impl Fn(DriverConfigBuilder) -> DriverConfigBuilder) -> MediaDriver {
    let builder = DriverConfig::builder()
        .define("aeron.counters.buffer.length=1m")
        .define("aeron.term.buffer.length=64k")
        .define("aeron.threading.mode=SHARED")
        .define("aeron.timer.interval=20ms")
        .define("aeron.publication.linger.timeout=50ms")
        .define("aeron.image.liveness.timeout=200ms")
        .define("aeron.rcv.status.message.timeout=10ms");
    let config = change(builder).build().expect("settings that fit");
    MediaDriver::launch_embedded(config).expect("a driver")
}

fn connect(driver: &MediaDriver) -> Client {
    Context::new()
        .dir(driver.directory())
        .connect()
        .expect("a client")
}

/// What has been read so far.
struct Seen {
    reader: EventReader,
    events: Vec<EventRecord>,
}

impl Seen {
    fn of(driver: &MediaDriver) -> Self {
        let reader = runtime::open_events(driver.directory()).expect("a file of events");
        Self {
            reader,
            events: Vec::new(),
        }
    }

    /// Reads until there is an event of `name` with the given values.
    fn await_event(&mut self, name: &str, values: &[(&str, i64)]) -> EventRecord {
        let start = Instant::now();
        let fits = |event: &&EventRecord| {
            event.name() == name
                && values
                    .iter()
                    .all(|(name, value)| event.value(name) == Some(*value))
        };
        loop {
            self.events
                .extend(std::iter::from_fn(|| self.reader.next_event()));
            if let Some(event) = self.events.iter().find(fits) {
                return event.clone();
            }
            let counts = self.events.iter().fold(BTreeMap::new(), |mut counts, e| {
                *counts.entry(e.name()).or_insert(0) += 1;
                counts
            });
            assert!(
                start.elapsed() < WATCHDOG,
                "no {name} {values:?}: {counts:?}"
            );
            std::thread::yield_now();
        }
    }

    fn has(&self, name: &str) -> bool {
        self.events.iter().any(|event| event.name() == name)
    }
}

/// Sends and takes in until `count` messages are through.
fn pass(publication: &Publication, subscription: &mut Subscription, count: usize) {
    let (start, mut sent, mut received) = (Instant::now(), 0, 0);
    while received < count {
        if sent < count && publication.offer(&[7; 200]).is_ok() {
            sent += 1;
        }
        subscription.poll(50, |_, _| received += 1);
        assert!(
            start.elapsed() < WATCHDOG,
            "{sent} sent, {received} received"
        );
    }
}

fn all(builder: DriverConfigBuilder) -> DriverConfigBuilder {
    builder.event_log(EventSet::all())
}

#[test]
fn life_of_a_stream_is_written_down() {
    let driver = launch(all);
    let mut seen = Seen::of(&driver);
    let client = connect(&driver);
    let mut subscription = client
        .add_subscription("aeron:udp?endpoint=localhost:0", STREAM)
        .expect("a subscription");
    let added = seen.await_event("CMD_IN_ADD_SUBSCRIPTION", &[("stream-id", 1001)]);
    assert_eq!(added.text(), "aeron:udp?endpoint=localhost:0");
    let client_id = added.value("client-id").expect("its client");
    seen.await_event("CLIENT_ADDED", &[("client-id", client_id)]);
    let correlation_id = added.value("correlation-id").expect("its id");
    seen.await_event(
        "CMD_OUT_SUBSCRIPTION_READY",
        &[("correlation-id", correlation_id)],
    );
    seen.await_event("RECEIVE_CHANNEL_CREATION", &[]);
    let resolved = seen.await_event("NAME_RESOLUTION_RESOLVE", &[("is-re-resolution", 0)]);
    assert!(resolved.text().starts_with("localhost is "), "{resolved}");
    assert_eq!(resolved.agent(), "resources");

    let address = subscription
        .local_socket_addresses()
        .first()
        .expect("bound")
        .to_string();
    let channel = format!("aeron:udp?endpoint={address}");
    let publication = client
        .add_publication(&channel, STREAM)
        .expect("a publication");
    let session = [("session-id", i64::from(publication.session_id().get()))];
    let created = seen.await_event("PUBLICATION_CREATED", &session);
    assert_eq!(
        (created.text(), created.value("term-length")),
        (&*channel, Some(65_536))
    );
    seen.await_event("SEND_CHANNEL_CREATION", &[]);
    seen.await_event("CMD_OUT_PUBLICATION_READY", &session);
    pass(&publication, &mut subscription, 10);
    seen.await_event("IMAGE_CREATED", &session);
    seen.await_event("CMD_OUT_AVAILABLE_IMAGE", &session);

    drop(publication);
    seen.await_event("CMD_IN_REMOVE_PUBLICATION", &[]);
    let start = Instant::now();
    while !subscription.images().is_empty() {
        subscription.poll(10, |_, _| {});
        assert!(start.elapsed() < WATCHDOG, "the image stays");
    }
    for state in ["DRAINING", "LINGER"] {
        let is_there = |seen: &Seen, name: &str| {
            let mut events = seen.events.iter();
            events.any(|event| event.name() == name && event.text() == state)
        };
        for name in ["PUBLICATION_STATE_CHANGE", "IMAGE_STATE_CHANGE"] {
            let start = Instant::now();
            while !is_there(&seen, name) {
                seen.events
                    .extend(std::iter::from_fn(|| seen.reader.next_event()));
                assert!(start.elapsed() < WATCHDOG, "no {name} {state}");
            }
        }
    }
    seen.await_event("REMOVE_PUBLICATION_CLEANUP", &session);
    seen.await_event("REMOVE_IMAGE_CLEANUP", &session);
    drop((subscription, client));
    seen.await_event("CMD_IN_CLIENT_CLOSE", &[("client-id", client_id)]);
    seen.await_event(
        "CLIENT_REMOVED",
        &[("client-id", client_id), ("timed-out", 0)],
    );
    assert_eq!(seen.reader.lost(), 0);
}

#[test]
fn loss_is_written_down_on_both_sides() {
    let driver = launch(|builder| {
        all(builder)
            .define("aeron.debug.receive.data.loss.rate=0.2")
            .define("aeron.debug.receive.data.loss.seed=7")
    });
    let mut seen = Seen::of(&driver);
    let client = connect(&driver);
    let mut subscription = client
        .add_subscription("aeron:udp?endpoint=127.0.0.1:0", STREAM)
        .expect("a subscription");
    let start = Instant::now();
    while subscription.local_socket_addresses().is_empty() {
        assert!(start.elapsed() < WATCHDOG, "not bound");
    }
    let address = subscription
        .local_socket_addresses()
        .first()
        .expect("bound")
        .to_string();
    let publication = client
        .add_publication(format!("aeron:udp?endpoint={address}"), STREAM)
        .expect("a publication");
    pass(&publication, &mut subscription, 500);
    let session = ("session-id", i64::from(publication.session_id().get()));
    let sent = seen.await_event("NAK_SENT", &[session, ("stream-id", 1001)]);
    assert_eq!(sent.agent(), "receiver");
    let gap = ["term-id", "term-offset", "length"].map(|name| (name, sent.value(name)));
    let gap = gap.map(|(name, value)| (name, value.expect("a value")));
    let received = seen.await_event("NAK_RECEIVED", &gap);
    assert_eq!(received.agent(), "sender");
    let resent = seen.await_event("RESEND", &gap);
    assert!(
        resent.value("resent").is_some_and(|bytes| bytes > 0),
        "{resent}"
    );
}

#[test]
fn receivers_of_a_group_and_errors_are_written_down() {
    let driver = launch(all);
    let mut seen = Seen::of(&driver);
    let client = connect(&driver);
    let error = client.add_publication("aeron:udp?endpoint=nowhere.invalid:1", STREAM);
    assert!(error.is_err());
    let refused = seen.await_event("CMD_OUT_ERROR", &[]);
    assert!(refused.text().contains("nowhere.invalid"), "{refused}");
    let recorded = seen.await_event("ERROR_RECORDED", &[]);
    assert!(recorded.text().contains("nowhere.invalid"), "{recorded}");
    let failed = seen.await_event("NAME_RESOLUTION_RESOLVE", &[]);
    assert!(failed.text().starts_with("nowhere.invalid: "), "{failed}");

    let publication = client
        .add_publication(
            "aeron:udp?control=127.0.0.1:0|control-mode=dynamic|fc=min",
            STREAM,
        )
        .expect("a publication");
    let start = Instant::now();
    while publication.local_socket_addresses().is_empty() {
        assert!(start.elapsed() < WATCHDOG, "not bound");
    }
    let control = publication
        .local_socket_addresses()
        .first()
        .expect("bound")
        .to_string();
    let channel = format!("aeron:udp?endpoint=127.0.0.1:0|control={control}");
    let mut subscription = client
        .add_subscription(&channel, STREAM)
        .expect("a subscription");
    pass(&publication, &mut subscription, 10);
    let session = ("session-id", i64::from(publication.session_id().get()));
    let joined = seen.await_event("FLOW_CONTROL_RECEIVER_ADDED", &[session, ("receivers", 1)]);
    let receiver = ("receiver-id", joined.value("receiver-id").expect("its id"));
    drop(subscription);
    seen.await_event(
        "FLOW_CONTROL_RECEIVER_REMOVED",
        &[session, receiver, ("receivers", 0)],
    );
}

#[test]
fn only_what_is_asked_for_is_written_down() {
    let driver = launch(|builder| {
        builder
            .define("aeron.event.log=command,CMD_OUT_ERROR")
            .define("aeron.event.log.disable=CMD_IN_KEEPALIVE_CLIENT,CMD_IN_CLIENT_CLOSE")
    });
    let mut seen = Seen::of(&driver);
    let client = connect(&driver);
    client
        .add_publication("aeron:ipc", STREAM)
        .expect("a publication");
    assert!(client.add_publication("aeron:ipc?mtu=1", STREAM).is_err());
    seen.await_event("CMD_OUT_ERROR", &[]);
    assert!(seen.has("CMD_IN_ADD_PUBLICATION"));
    assert!(!seen.has("CMD_OUT_PUBLICATION_READY") && !seen.has("CLIENT_ADDED"));
    drop(client);
    driver.close();
    seen.events
        .extend(std::iter::from_fn(|| seen.reader.next_event()));
    assert!(
        !seen.has("CMD_IN_CLIENT_CLOSE"),
        "the reader outlives its file"
    );

    let silent = launch(|builder| builder);
    assert!(!silent.directory().join("events.dat").exists());
    let error = runtime::open_events(silent.directory()).expect_err("there is none");
    assert!(error.to_string().contains("aeron.event.log=all"), "{error}");
}
