//! Publishes numbered messages to a multicast group: one datagram, however many subscribers.
#![expect(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

mod common;

use std::time::{Duration, Instant};

use aileron::cnc::counter_types::FLOW_CONTROL_RECEIVERS_TYPE_ID;
use aileron::{OfferError, StreamId};
use clap::Parser;
use common::{Connection, Outcome, running};

/// Publish numbered messages to a group of subscribers.
///
/// Start some `multicast_subscriber` first, or later: a group takes no heed of who comes and goes,
/// unless --members says that so many have to be there, and that the slowest sets the pace.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Channel to publish on: the group, whose last byte is odd, and the interface to reach it by
    #[arg(
        short,
        long,
        default_value = "aeron:udp?endpoint=224.20.30.39:20125|interface=localhost"
    )]
    channel: String,
    /// Stream within the channel
    #[arg(short, long, default_value_t = 1001)]
    stream: i32,
    /// Wait for so many members, and go at the pace of the slowest, not at that of the fastest
    #[arg(long)]
    members: Option<u32>,
    /// Messages to publish
    #[arg(short = 'n', long, default_value_t = 1_000_000)]
    messages: u64,
    /// Milliseconds between messages
    #[arg(short, long, default_value_t = 1000)]
    interval: u64,
    /// Milliseconds to stay after the last message, for subscribers to catch up
    #[arg(short, long, default_value_t = 0)]
    linger: u64,
}

fn main() -> Outcome {
    let arguments = Arguments::parse();
    let session = arguments.connection.open()?;
    let mut channel = arguments.channel.clone();
    if let Some(members) = arguments.members {
        channel.push_str(&format!("|fc=min,g:/{members}"));
    }
    let publication = session
        .client
        .add_publication(&*channel, StreamId(arguments.stream))?;
    let running = running()?;
    println!("publishing to {channel} on stream {}", arguments.stream);
    if let Some(members) = arguments.members {
        println!("waiting for {members} members");
        running.wait_until(|| publication.is_connected());
    }
    // Kept by the driver where the flow control counts its members.
    let counters = session.client.counters();
    let members = counters.find_by_type_and_registration(
        FLOW_CONTROL_RECEIVERS_TYPE_ID,
        publication.original_registration_id(),
    );
    for number in 0..arguments.messages {
        let message = format!("{number} Hello, all of you!");
        match publication.offer(message.as_bytes()) {
            Ok(position) => match members.and_then(|id| counters.value(id)) {
                Some(members) => println!("offered {number}: at {position}, {members} members"),
                None => println!("offered {number}: at {position}"),
            },
            Err(OfferError::NotConnected) => println!("offering {number}: nobody is there"),
            Err(error) if error.is_retryable() => println!("offering {number}: {error}, dropped"),
            Err(error) => return Err(error.into()),
        }
        let next = Instant::now() + Duration::from_millis(arguments.interval);
        running.wait_until(|| Instant::now() >= next);
        if !running.goes_on() {
            return Ok(());
        }
    }
    let end = Instant::now() + Duration::from_millis(arguments.linger);
    running.wait_until(|| Instant::now() >= end);
    Ok(())
}
