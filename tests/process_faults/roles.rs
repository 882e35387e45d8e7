//! What child processes do until they are killed.

use std::path::Path;

use aileron::memory::map_file;
use aileron::{FragmentAssembler, MediaDriver, StreamId};

use super::support::child::{Child, Part, linger, repeat, say};
use super::support::{builder, connect, stream::message, wait_for, wait_until};

/// Starts this executable in a role.
pub(crate) fn start(role: &str, directory: &Path, arguments: &[&str]) -> Child {
    Child::start("role", role, directory, arguments)
}

/// Plays a role to its end.
pub(crate) fn play(part: &Part) {
    match part.role.as_str() {
        "driver" => drive(part),
        "claimer" => claim(part),
        "publisher" => publish(part),
        "subscriber" => subscribe(part),
        "command-claimer" => claim_command(part),
        "storage" => super::storage::play(part),
        role => panic!("no such role: {role}"),
    }
}

/// A driver with the properties of the arguments. Says "ready", or why it cannot start.
fn drive(part: &Part) {
    let properties = part.arguments.iter();
    let builder = properties.fold(builder(&part.directory), |builder, property| {
        builder.define(property)
    });
    let config = builder.build().expect("valid settings");
    match MediaDriver::launch(config) {
        Ok(driver) => {
            say("ready");
            linger();
            driver.close();
        }
        Err(error) => say(&format!("refused: {error}")),
    }
}

fn channel_and_stream(part: &Part) -> (&str, StreamId) {
    let [channel, stream] = part.arguments.as_slice() else {
        panic!("a channel and a stream");
    };
    (channel, StreamId(stream.parse().expect("a number")))
}

/// Claims room for a message, says "claimed", and never commits.
fn claim(part: &Part) {
    let (channel, stream) = channel_and_stream(part);
    let client = connect(&part.directory);
    let publication = client
        .add_publication(channel, stream)
        .expect("a publication");
    let claim = wait_for("a claim", || publication.try_claim(100).ok());
    say("claimed");
    linger();
    claim.abort();
}

/// Offers numbered messages for ever; says "sending" after the first.
fn publish(part: &Part) {
    let (channel, stream) = channel_and_stream(part);
    let client = connect(&part.directory);
    let publication = client
        .add_publication(channel, stream)
        .expect("a publication");
    let mut number = 1;
    wait_until("a subscriber", || publication.offer(&message(0)).is_ok());
    say("sending");
    repeat(|| {
        number += u64::from(publication.offer(&message(number)).is_ok());
        std::thread::yield_now();
    });
}

/// Polls for ever; says "receiving" after the first message.
fn subscribe(part: &Part) {
    let (channel, stream) = channel_and_stream(part);
    let client = connect(&part.directory);
    let mut subscription = client
        .add_subscription(channel, stream)
        .expect("a subscription");
    say("subscribed");
    let mut assembler = FragmentAssembler::new();
    wait_until("a message", || {
        subscription.poll_assembled(&mut assembler, 1, |_, _| {}) > 0
    });
    say("receiving");
    repeat(|| {
        subscription.poll_assembled(&mut assembler, 16, |_, _| {});
        std::thread::yield_now();
    });
}

/// Claims a record of the ring to the driver, says "claimed", and never commits.
fn claim_command(part: &Part) {
    const HEADER_LENGTH: usize = 128;
    const TRAILER_LENGTH: usize = 768;
    const TAIL_OFFSET: usize = 128;
    const RECORD_LENGTH: u8 = 64;
    let path = part.directory.join("cnc.dat");
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .expect("opened");
    let length = usize::try_from(file.metadata().expect("its length").len()).expect("small");
    let buffer = map_file(&file, length).expect("mapped");
    let ring_length = usize::try_from(buffer.load_i32_acquire(4)).expect("a length");
    let ring = buffer.slice(HEADER_LENGTH..HEADER_LENGTH + ring_length);
    let capacity = ring_length - TRAILER_LENGTH;
    let tail = ring.fetch_add_i64_seq_cst(capacity + TAIL_OFFSET, i64::from(RECORD_LENGTH));
    let index = usize::try_from(tail).expect("the ring is young");
    ring.store_i32_release(index, -i32::from(RECORD_LENGTH));
    say("claimed");
    linger();
}
