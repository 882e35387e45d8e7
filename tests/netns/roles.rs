//! The processes within a namespace: a driver, a publisher, a subscriber.
//!
//! A stream is numbered messages of several lengths, the last of which says how many there were.

use std::path::Path;
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use aileron::{Client, FragmentAssembler, MediaDriver, StreamId};

use super::network::{End, Network};
use super::support::child::{Child, Part, linger, orders, say};
use super::support::{connect, patient_builder, wait_for, wait_until};

const STREAM: StreamId = StreamId(1001);
/// Lengths of messages, in turn: from one frame to several.
const LENGTHS: [usize; 4] = [16, 200, 1376, 5000];
/// Messages of one breath of the publisher.
const BURST: u64 = 4;
/// Between breaths, so that a stream lasts until its test has done what it wants to.
const BREATH: Duration = Duration::from_micros(500);
/// A subscriber tells how far it is each time it has come so many messages further.
const REPORT_PERIOD: u64 = 100;

/// Starts this executable in a role, in a namespace.
pub(crate) fn start(
    network: &Network,
    end: End,
    role: &str,
    directory: &Path,
    arguments: &[&str],
) -> Child {
    let own = std::env::current_exe().expect("the path of this executable");
    let wrapper = network.within(end);
    Child::start_through(&wrapper, &own, "role", role, directory, arguments)
}

/// Plays a role to its end.
pub(crate) fn play(part: &Part) {
    match part.role.as_str() {
        "driver" => drive(part),
        "publisher" => publish(part),
        "subscriber" => subscribe(part),
        "server" => super::responses::serve(part),
        "client" => super::responses::ask(part),
        role => panic!("no such role: {role}"),
    }
}

/// A driver with the properties of the arguments. Says "ready".
fn drive(part: &Part) {
    let properties = part.arguments.iter();
    let builder = properties.fold(patient_builder(&part.directory), |builder, property| {
        builder.define(property)
    });
    let config = builder.build().expect("valid settings");
    let driver = MediaDriver::launch(config).expect("a driver");
    say("ready");
    linger();
    driver.close();
}

/// The channel, which is the first argument, and the destinations, which are the others.
fn channels(part: &Part) -> (&str, &[String]) {
    let (channel, destinations) = part.arguments.split_first().expect("a channel");
    (channel, destinations)
}

/// Sends messages until it is told to finish. Says "published", or "refused" and why, then
/// "connected", and in the end "sent" with how many and their digest.
fn publish(part: &Part) {
    let (channel, destinations) = channels(part);
    let client = connect(&part.directory);
    let mut publication = match client.add_exclusive_publication(channel, STREAM) {
        Ok(publication) => publication,
        Err(error) => return say(&format!("refused {error}")),
    };
    for destination in destinations {
        publication
            .add_destination(destination.as_str())
            .expect("a destination");
    }
    let orders = orders();
    say("published");
    wait_until("a subscriber", || publication.is_connected());
    say("connected");
    let mut tally = Tally::default();
    let mut message = Vec::new();
    loop {
        let is_last = match orders.try_recv() {
            Ok(_) => true,
            Err(TryRecvError::Empty) => false,
            Err(TryRecvError::Disconnected) => return,
        };
        let burst = if is_last { 1 } else { BURST };
        for _ in 0..burst {
            fill(&mut message, tally.count, is_last);
            wait_for("room for a message", || match publication.offer(&message) {
                Ok(_) => Some(()),
                Err(error) => {
                    assert!(error.is_retryable(), "message {}: {error}", tally.count);
                    None
                }
            });
            tally.add(&message);
        }
        if is_last {
            break;
        }
        std::thread::park_timeout(BREATH);
    }
    say(&format!("sent {tally}"));
    // Closed by the end of this process.
    while orders.recv().is_ok() {}
}

/// Takes messages until it is let go. Says "subscribed" and where, "from" whom when a stream comes,
/// "at" how far it is, and after the last message "received" with how many and their digest.
/// Ends at once, without that, when anything but the next message comes.
fn subscribe(part: &Part) {
    let (channel, destinations) = channels(part);
    let client = connect(&part.directory);
    let (mut subscription, address) = subscription(&client, channel);
    for destination in destinations {
        subscription
            .add_destination(destination.as_str())
            .expect("a destination");
    }
    let orders = orders();
    say(&format!("subscribed {address}"));
    let mut assembler = FragmentAssembler::new();
    let mut tally = Tally::default();
    let mut expected = Vec::new();
    let (mut is_done, mut is_there) = (false, false);
    loop {
        let fragments = subscription.poll_assembled(&mut assembler, 64, |message, header| {
            if tally.count == 0 {
                let source = header.image().map(aileron::client::Image::source_identity);
                say(&format!("from {}", source.unwrap_or("nobody")));
            }
            assert!(!is_done, "a message after the last one");
            let total = message.get(8..16).expect("messages have a head");
            is_done = total != 0u64.to_le_bytes();
            fill(&mut expected, tally.count, is_done);
            assert!(message == expected, "message {} differs", tally.count);
            tally.add(message);
            if is_done {
                say(&format!("received {tally}"));
            } else if tally.count.is_multiple_of(REPORT_PERIOD) {
                say(&format!("at {}", tally.count));
            }
        });
        is_there |= subscription.image_count() > 0;
        let is_broken = is_there && !is_done && subscription.has_no_images();
        assert!(!is_broken, "the stream ended after {}", tally.count);
        if let Err(TryRecvError::Disconnected) = orders.try_recv() {
            return;
        }
        if fragments == 0 {
            std::thread::park_timeout(Duration::from_micros(200));
        }
    }
}

/// A subscription and where it listens, `-` if that is nowhere yet.
fn subscription(client: &Client, channel: &str) -> (aileron::Subscription, String) {
    let subscription = client
        .add_subscription(channel, STREAM)
        .expect("a subscription");
    let address = if channel.contains("control-mode=manual") {
        "-".to_owned()
    } else {
        wait_for("its address", || subscription.resolved_endpoint()).to_string()
    };
    (subscription, address)
}

/// Makes `message` the one with this number: the number, how many there are if it is the last
/// one, and bytes that follow from the number.
fn fill(message: &mut Vec<u8>, number: u64, is_last: bool) {
    let turn = usize::try_from(number % 4).expect("small");
    let total = if is_last { number + 1 } else { 0 };
    message.clear();
    message.extend_from_slice(&number.to_le_bytes());
    message.extend_from_slice(&total.to_le_bytes());
    let mut state = number;
    while message.len() < LENGTHS[turn] {
        state = state
            .wrapping_add(0x9E37_79B9_7F4A_7C15)
            .wrapping_mul(0xD6E8_FEB8_6659_FD93)
            .rotate_left(29);
        message.extend_from_slice(&state.to_le_bytes());
    }
}

/// How many messages, and a digest of all their bytes.
#[derive(Debug, Default)]
struct Tally {
    count: u64,
    digest: u64,
}

impl Tally {
    fn add(&mut self, message: &[u8]) {
        self.count += 1;
        for byte in message {
            self.digest = (self.digest ^ u64::from(*byte))
                .wrapping_mul(0x0000_0100_0000_01B3)
                .rotate_left(7);
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:016x}", self.count, self.digest)
    }
}
