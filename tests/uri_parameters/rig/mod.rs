//! A driver with one client, and what it says about channels that it refuses.

mod receiver;
mod sender;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use aileron::client::{AddError, RegistrationError};
use aileron::cnc::SystemCounter;
use aileron::command::ErrorCode;
use aileron::concurrent::CounterState;
use aileron::driver::config::DriverConfigBuilder;
use aileron::{Client, ExclusivePublication, MediaDriver, Publication, StreamId, Subscription};
use tempfile::TempDir;

use super::support::{aeron_dir, builder, connect, error_texts, place, system_counter};

pub(crate) use receiver::{RawReceiver, Source};
pub(crate) use sender::RawSender;

/// The stream of all tests, each of which has a driver of its own.
pub(crate) const STREAM: StreamId = StreamId(1001);
/// Length of a message with its header, for messages of [`message`].
pub(crate) const FRAME_LENGTH: i64 = 64;
/// How long a raw socket waits for a datagram before its owner looks around.
const SOCKET_TIMEOUT: Duration = Duration::from_millis(5);

/// A message that makes a frame of [`FRAME_LENGTH`].
pub(crate) fn message() -> [u8; 32] {
    [7; 32]
}

/// A driver, and a client of it.
pub(crate) struct Rig {
    pub(crate) client: Client,
    pub(crate) driver: MediaDriver,
    _place: TempDir,
}

/// What the counters file says of a counter.
#[derive(Debug)]
pub(crate) struct CounterView {
    pub(crate) registration_id: i64,
    pub(crate) value: i64,
    pub(crate) label: String,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// A driver with further settings, each `name=value`.
    pub(crate) fn with(defines: &[&str]) -> Self {
        Self::configured(|builder| {
            defines
                .iter()
                .fold(builder, |builder, define| builder.define(define))
        })
    }

    /// A driver that is configured further.
    pub(crate) fn configured(
        configure: impl FnOnce(DriverConfigBuilder) -> DriverConfigBuilder,
    ) -> Self {
        let place = place();
        let dir = aeron_dir(&place);
        let builder = configure(builder(&dir));
        let config = builder.build().expect("valid settings");
        let driver = MediaDriver::launch(config).expect("a driver");
        let client = connect(&dir);
        Self {
            client,
            driver,
            _place: place,
        }
    }

    pub(crate) fn subscribe(&self, channel: &str) -> Subscription {
        self.client
            .add_subscription(channel, STREAM)
            .unwrap_or_else(|error| panic!("{channel}: {error:?}"))
    }

    pub(crate) fn publish(&self, channel: &str) -> Publication {
        self.client
            .add_publication(channel, STREAM)
            .unwrap_or_else(|error| panic!("{channel}: {error:?}"))
    }

    pub(crate) fn publish_exclusive(&self, channel: &str) -> ExclusivePublication {
        self.client
            .add_exclusive_publication(channel, STREAM)
            .unwrap_or_else(|error| panic!("{channel}: {error:?}"))
    }

    /// Asserts that a publication is refused, with this code and a text that has all `parts`.
    pub(crate) fn refuses_publication(&self, channel: &str, code: ErrorCode, parts: &[&str]) {
        let refused = self.client.add_publication(channel, STREAM);
        check_refusal(channel, refused.map(|_| ()), code, parts);
        self.has_recorded(channel, parts);
    }

    /// Asserts that a subscription is refused, with this code and a text that has all `parts`.
    pub(crate) fn refuses_subscription(&self, channel: &str, code: ErrorCode, parts: &[&str]) {
        let refused = self.client.add_subscription(channel, STREAM);
        check_refusal(channel, refused.map(|_| ()), code, parts);
        self.has_recorded(channel, parts);
    }

    /// The driver's operator is told as well.
    fn has_recorded(&self, channel: &str, parts: &[&str]) {
        let errors = self.errors();
        assert!(
            errors
                .iter()
                .any(|text| parts.iter().all(|part| text.contains(part))),
            "{channel}: {errors:?} lacks {parts:?}"
        );
    }

    /// The driver's distinct error log.
    pub(crate) fn errors(&self) -> Vec<String> {
        error_texts(self.driver.cnc())
    }

    pub(crate) fn system(&self, counter: SystemCounter) -> i64 {
        system_counter(self.driver.cnc(), counter)
    }

    /// All counters of a type, by their ids.
    pub(crate) fn counters(&self, type_id: i32) -> Vec<CounterView> {
        let mut views = Vec::new();
        self.client.counters().for_each(|counter| {
            if counter.state == CounterState::Allocated && counter.type_id == type_id {
                views.push(CounterView {
                    registration_id: counter.registration_id.get(),
                    value: counter.value,
                    label: counter.label.clone(),
                });
            }
        });
        views
    }

    /// The counter of a type that belongs to a publication or subscription.
    pub(crate) fn counter(&self, type_id: i32, registration_id: i64) -> Option<CounterView> {
        let mut counters = self.counters(type_id);
        counters.retain(|counter| counter.registration_id == registration_id);
        assert!(counters.len() < 2, "one at most: {counters:?}");
        counters.pop()
    }
}

/// Asserts how a command was refused.
pub(crate) fn check_refusal(
    channel: &str,
    result: Result<(), AddError>,
    code: ErrorCode,
    parts: &[&str],
) {
    match result {
        Err(AddError::Registration(RegistrationError {
            code: actual,
            message,
            ..
        })) => {
            assert_eq!(actual, code, "{channel}: {message}");
            for part in parts {
                assert!(
                    message.contains(part),
                    "{channel}: {message:?} lacks {part:?}"
                );
            }
        }
        Err(error) => panic!("{channel}: {error:?} instead of a refusal"),
        Ok(()) => panic!("{channel} was accepted"),
    }
}

/// A socket on a port that the operating system chose.
fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let timeout = Some(SOCKET_TIMEOUT);
    socket.set_read_timeout(timeout).expect("a timeout");
    socket
}

/// The next datagram, unless none comes soon.
fn receive(socket: &UdpSocket) -> Option<(Vec<u8>, SocketAddr)> {
    let mut bytes = vec![0; 65_536];
    let (length, from) = socket.recv_from(&mut bytes).ok()?;
    bytes.truncate(length);
    Some((bytes, from))
}
