//! A subscription of two paths, of which one at a time is cut; and the scene for all the streams.

use std::path::PathBuf;

use tempfile::TempDir;

use super::network::{End, Network};
use super::roles::start;
use super::support::child::Child;
use super::support::{aeron_dir, place, wait_until};

/// So many messages have to pass after a cut: more than all windows and socket buffers hold.
const MANY: u64 = 1000;

/// The same stream comes over both paths; each is cut in its turn.
fn two_paths(test: &str, end: End) {
    let Some(network) = Network::make(test) else {
        return;
    };
    let mut scene = Scene::new(&network);
    let destinations =
        [1, 2].map(|path| format!("aeron:udp?endpoint=10.99.{path}.2:{}", 40456 + path));
    let subscriber = scene.subscribe(End::There, "aeron:udp?control-mode=manual", &destinations);
    assert_eq!(scene.address(subscriber), "-");
    scene.publish(End::Here, "aeron:udp?control-mode=manual", &destinations);
    scene.advance(MANY);
    network.cut(1, end);
    scene.advance(MANY);
    network.heal(1, end);
    scene.advance(MANY);
    network.cut(2, end);
    scene.advance(MANY);
    scene.finish();
}

#[test]
fn a_path_is_cut_where_it_begins() {
    two_paths("a_path_is_cut_where_it_begins", End::Here);
}

#[test]
fn a_path_is_cut_where_it_ends() {
    two_paths("a_path_is_cut_where_it_ends", End::There);
}

/// A driver at each end, a publisher, and its subscribers. The fields are dropped in this order.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    publisher: Option<Child>,
    subscribers: Vec<Subscriber>,
    drivers: [Child; 2],
    directories: [PathBuf; 2],
    network: &'a Network,
    _places: [TempDir; 2],
}

#[derive(Debug)]
struct Subscriber {
    child: Child,
    address: String,
    source: Option<String>,
    /// Messages it has said to have.
    at: u64,
    received: Option<String>,
}

impl Subscriber {
    /// Hears what it has to say; panics if it has ended.
    fn listen(&mut self) {
        for words in self.child.said_so_far() {
            match words.split_once(' ') {
                Some(("from", source)) => self.source = Some(source.to_owned()),
                Some(("at", count)) => self.at = count.parse().expect("a number"),
                Some(("received", tally)) => self.received = Some(tally.to_owned()),
                _ => panic!("a subscriber says {words}"),
            }
        }
        assert!(!self.child.has_ended(), "a subscriber has ended");
    }
}

impl<'a> Scene<'a> {
    pub(crate) fn new(network: &'a Network) -> Self {
        let places = [place(), place()];
        let directories = [aeron_dir(&places[0]), aeron_dir(&places[1])];
        let driver = |end, directory| {
            let driver = start(network, end, "driver", directory, &[]);
            driver.await_words("ready");
            driver
        };
        Self {
            publisher: None,
            subscribers: Vec::new(),
            drivers: [
                driver(End::Here, &directories[0]),
                driver(End::There, &directories[1]),
            ],
            directories,
            network,
            _places: places,
        }
    }

    fn client(&self, end: End, role: &str, channel: &str, destinations: &[String]) -> Child {
        let mut arguments = vec![channel];
        arguments.extend(destinations.iter().map(String::as_str));
        let directory = match end {
            End::Here => &self.directories[0],
            End::There => &self.directories[1],
        };
        start(self.network, end, role, directory, &arguments)
    }

    /// Adds a subscriber; returns its place.
    pub(crate) fn subscribe(&mut self, end: End, channel: &str, to: &[String]) -> usize {
        let child = self.client(end, "subscriber", channel, to);
        let words = child.next_words().expect("it subscribes");
        let address = words.strip_prefix("subscribed ").expect("an address");
        self.subscribers.push(Subscriber {
            address: address.to_owned(),
            child,
            source: None,
            at: 0,
            received: None,
        });
        self.subscribers.len() - 1
    }

    /// Where a subscriber listens.
    pub(crate) fn address(&self, subscriber: usize) -> &str {
        &self.subscribers[subscriber].address
    }

    /// Adds the publisher, and waits until it has its subscribers.
    pub(crate) fn publish(&mut self, end: End, channel: &str, destinations: &[String]) {
        let child = self.client(end, "publisher", channel, destinations);
        child.await_words("connected");
        self.publisher = Some(child);
    }

    /// Why the driver at an end refuses a publication.
    pub(crate) fn refusal(&self, end: End, channel: &str) -> String {
        let child = self.client(end, "publisher", channel, &[]);
        let words = child.next_words().expect("it says something");
        let why = words.strip_prefix("refused ");
        why.unwrap_or_else(|| panic!("{channel}: {words}"))
            .to_owned()
    }

    /// Where the stream of a subscriber comes from.
    pub(crate) fn source(&mut self, subscriber: usize) -> String {
        let subscriber = &mut self.subscribers[subscriber];
        wait_until("the stream", || {
            subscriber.listen();
            subscriber.source.is_some()
        });
        subscriber.source.clone().expect("was there")
    }

    /// Waits until every subscriber has so many messages more than now.
    pub(crate) fn advance(&mut self, messages: u64) {
        for subscriber in &mut self.subscribers {
            subscriber.listen();
            let goal = subscriber.at + messages;
            wait_until("messages", || {
                subscriber.listen();
                subscriber.at >= goal
            });
        }
    }

    /// Cuts a path until nothing comes through any more, and heals it.
    pub(crate) fn interrupt(&mut self, path: u32, end: End) {
        self.network.cut(path, end);
        // What was on its way arrives; then nothing does.
        self.await_silence();
        self.network.heal(path, end);
    }

    /// Waits until no subscriber gets anything for a while.
    fn await_silence(&mut self) {
        const SILENCE: std::time::Duration = std::time::Duration::from_millis(300);
        let mut last = (0, std::time::Instant::now());
        let subscribers = &mut self.subscribers;
        wait_until("silence", || {
            let mut sum = 0;
            for subscriber in subscribers.iter_mut() {
                subscriber.listen();
                sum += subscriber.at;
            }
            if sum != last.0 {
                last = (sum, std::time::Instant::now());
            }
            last.1.elapsed() >= SILENCE
        });
    }

    /// Ends the stream: every subscriber has got each message once, in its turn, unchanged.
    pub(crate) fn finish(self) {
        let Self {
            publisher,
            subscribers,
            drivers,
            ..
        } = self;
        let mut publisher = publisher.expect("a publisher");
        publisher.tell("finish");
        let words = publisher.next_words().expect("it finishes");
        let sent = words.strip_prefix("sent ").expect("a tally").to_owned();
        for mut subscriber in subscribers {
            wait_until("the end of the stream", || {
                subscriber.listen();
                subscriber.received.is_some()
            });
            assert_eq!(subscriber.received, Some(sent.clone()));
            let left = subscriber.child.dismiss();
            assert!(left.success(), "a subscriber ended with {left}");
        }
        let left = publisher.dismiss();
        assert!(left.success(), "the publisher ended with {left}");
        for driver in drivers {
            let left = driver.dismiss();
            assert!(left.success(), "a driver ended with {left}");
        }
    }
}
