//! Streams of numbered messages that say when one is missing, twice there, or changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use aileron::{Client, ExclusivePublication, SessionId, StreamId, Subscription};

use super::{wait_for, wait_until};

/// Bytes of a message beyond its number.
const FILL_LENGTH: usize = 24;

/// The message with a number.
pub(crate) fn message(number: u64) -> [u8; 8 + FILL_LENGTH] {
    let mut bytes = [0; 8 + FILL_LENGTH];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes[8..].fill(number.to_le_bytes()[0] ^ 0x5A);
    bytes
}

/// The channel of a subscription, with the port that the operating system chose for it.
pub(crate) fn resolved(subscription: &Subscription) -> String {
    wait_for("the subscription's port", || {
        subscription.resolved_channel()
    })
}

/// A publication and a subscription whose messages are counted by one session.
#[derive(Debug)]
pub(crate) struct Stream {
    publication: ExclusivePublication,
    subscription: Subscription,
    session_id: SessionId,
    sent: u64,
    received: u64,
}

impl Stream {
    /// Opens both ends; subscribes on `subscribed`, and publishes on what that resolves to.
    pub(crate) fn open(client: &Client, subscribed: &str, stream_id: i32) -> Self {
        let subscription = client
            .add_subscription(subscribed, StreamId(stream_id))
            .expect("a subscription");
        let published = resolved(&subscription);
        Self::join(client, subscription, &published, stream_id)
    }

    /// Opens both ends, each on a channel of its own.
    pub(crate) fn open_between(
        client: &Client,
        subscribed: &str,
        published: &str,
        stream_id: i32,
    ) -> Self {
        let subscription = client
            .add_subscription(subscribed, StreamId(stream_id))
            .expect("a subscription");
        Self::join(client, subscription, published, stream_id)
    }

    fn join(
        client: &Client,
        mut subscription: Subscription,
        published: &str,
        stream_id: i32,
    ) -> Self {
        let publication = client
            .add_exclusive_publication(published, StreamId(stream_id))
            .expect("a publication");
        let session_id = publication.session_id();
        wait_until("the stream's connection", || {
            subscription.poll(0, |_, _| {});
            publication.is_connected() && subscription.image_by_session(session_id).is_some()
        });
        Self {
            publication,
            subscription,
            session_id,
            sent: 0,
            received: 0,
        }
    }

    /// The publishing end.
    pub(crate) fn publication(&self) -> &ExclusivePublication {
        &self.publication
    }

    /// The subscribing end.
    pub(crate) fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// How many messages came through.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Sends a message if there is room, and takes what has arrived. Panics if anything but the
    /// next message has, or if either end is gone.
    pub(crate) fn step(&mut self) {
        match self.publication.offer(&message(self.sent)) {
            Ok(_) => self.sent += 1,
            Err(error) => assert!(error.is_retryable(), "message {}: {error}", self.sent),
        }
        self.poll();
    }

    fn poll(&mut self) {
        let (session_id, received) = (self.session_id, &mut self.received);
        self.subscription.poll(16, |bytes, header| {
            if header.session_id() == session_id {
                assert_eq!(
                    bytes,
                    message(*received),
                    "message {received} of the stream"
                );
                *received += 1;
            }
        });
        let is_there = self.subscription.image_by_session(session_id).is_some();
        assert!(
            is_there,
            "the stream's image is gone after message {received}"
        );
    }

    /// Takes whatever has arrived, whoever sent it.
    pub(crate) fn poll_anything(&mut self) {
        self.subscription.poll(64, |_, _| {});
    }

    /// Sends `count` more messages and waits until all have come through.
    pub(crate) fn pass(&mut self, count: u64) {
        let goal = self.sent + count;
        wait_until("the stream's messages", || {
            for _ in 0..64 {
                if self.sent < goal {
                    self.step();
                } else {
                    self.poll();
                }
            }
            self.received >= goal
        });
    }
}

/// A [`Stream`] that flows on a thread of its own.
#[derive(Debug)]
pub(crate) struct Flow {
    stop: Arc<AtomicBool>,
    received: Arc<AtomicU64>,
    thread: JoinHandle<Stream>,
}

impl Flow {
    /// Lets `stream` flow.
    pub(crate) fn start(mut stream: Stream) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let received = Arc::new(AtomicU64::new(stream.received()));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&received));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                stream.step();
                count.store(stream.received(), Ordering::Relaxed);
                // A message now and then: the test is about others.
                std::thread::park_timeout(std::time::Duration::from_millis(2));
            }
            stream
        });
        Self {
            stop,
            received,
            thread,
        }
    }

    /// Messages that have come through so far.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Whether the stream has panicked.
    pub(crate) fn is_broken(&self) -> bool {
        self.thread.is_finished()
    }

    /// Panics if the stream has.
    pub(crate) fn check(&self) {
        assert!(!self.thread.is_finished(), "the well-behaved stream broke");
    }

    /// Ends the flow, once all that was sent has come through; returns the stream.
    pub(crate) fn stop(self) -> Stream {
        self.stop.store(true, Ordering::Relaxed);
        let mut stream = self.thread.join().expect("the well-behaved stream broke");
        stream.pass(100);
        stream
    }
}
