//! Publishes numbered messages, one a second, and says what became of each.
#![expect(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

mod common;

use std::time::{Duration, Instant};

use aileron::{OfferError, StreamId};
use clap::Parser;
use common::{Connection, Outcome, running};

/// Publish numbered messages to a channel.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Channel to publish on
    #[arg(short, long, default_value = "aeron:udp?endpoint=localhost:20121")]
    channel: String,
    /// Stream within the channel
    #[arg(short, long, default_value_t = 1001)]
    stream: i32,
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
    let stream = StreamId(arguments.stream);
    let publication = session
        .client
        .add_publication(&*arguments.channel, stream)?;
    let running = running()?;
    println!(
        "publishing to {} on stream {}",
        arguments.channel, arguments.stream
    );
    for number in 0..arguments.messages {
        let message = format!("Hello World! {number}");
        match publication.offer(message.as_bytes()) {
            Ok(position) => println!("offered {number}: the stream is now at {position}"),
            Err(OfferError::NotConnected) => println!("offering {number}: no subscriber is there"),
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
